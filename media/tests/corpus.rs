//! What the fuzz target for SDP found worth keeping (`fuzz/corpus/sdp`), put through the same
//! checks again without a fuzzer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by it")]
#![allow(missing_docs, unreachable_pub, reason = "the target is a program of its own")]

use std::path::Path;

#[path = "../../fuzz/src/sdp.rs"]
mod targets;

#[test]
fn descriptions_of_the_corpus_are_answered_with_what_their_offerer_can_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/sdp");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 3);
    for path in paths {
        println!("{}", path.display()); // the one that fails is the last one shown
        targets::sdp(&std::fs::read(path).unwrap());
    }
}
