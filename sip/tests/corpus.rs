//! What the fuzz targets found worth keeping (`fuzz/corpus`), and the torture messages, put through
//! the same checks again without a fuzzer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by it")]
#![allow(missing_docs, unreachable_pub, reason = "the targets are a program of their own")]

use std::path::{Path, PathBuf};

#[path = "../../fuzz/src/sip.rs"]
mod targets;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Puts every file of those folders through one target.
fn replay(folders: &[&str], target: impl Fn(&[u8])) {
    let mut inputs = 0;
    for folder in folders {
        let mut paths: Vec<_> =
            std::fs::read_dir(root().join(folder)).unwrap().map(|e| e.unwrap().path()).collect();
        paths.sort();
        for path in paths {
            println!("{}", path.display()); // the one that fails is the last one shown
            target(&std::fs::read(path).unwrap());
            inputs += 1;
        }
    }
    assert!(inputs > 3, "{inputs} inputs in {folders:?}");
    target(b"");
}

const TORTURE: [&str; 2] = ["fixtures/sip/torture", "fixtures/sip/torture-ipv6"];

#[test]
fn messages_of_the_corpus_hold_what_messages_must() {
    replay(&["fuzz/corpus/message", TORTURE[0], TORTURE[1]], targets::message);
}

#[test]
fn uris_of_the_corpus_hold_what_uris_must() {
    replay(&["fuzz/corpus/uri"], targets::uri);
}

#[test]
fn header_fields_of_the_corpus_come_back_as_they_were() {
    replay(&["fuzz/corpus/header"], targets::header);
}

#[test]
fn streams_of_the_corpus_are_cut_the_same_however_they_come() {
    replay(&["fuzz/corpus/framing", TORTURE[0], TORTURE[1]], targets::framing);
}

#[test]
fn an_endpoint_holds_nothing_after_the_sequences_of_the_corpus() {
    replay(&["fuzz/corpus/endpoint", TORTURE[0], TORTURE[1]], targets::endpoint);
}
