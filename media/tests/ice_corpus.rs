//! What the fuzz target for the port that browsers share has as its corpus (`fuzz/corpus/ice`), and
//! random inputs, put through the same checks without a fuzzer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by it")]
#![allow(missing_docs, unreachable_pub, reason = "the target is a program of its own")]

use std::path::Path;

use base::Rng;

#[path = "../../fuzz/src/ice.rs"]
mod targets;

#[test]
fn the_corpus_is_sent_to_the_shared_port_without_a_fault() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/ice");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 16);
    for path in paths {
        println!("{}", path.display()); // the one that fails is the last one shown
        targets::ice(&std::fs::read(path).unwrap());
    }
}

#[test]
fn anything_is_sent_to_the_shared_port_without_a_fault() {
    for seed in 0..100 {
        let mut rng = Rng::from_seed(seed);
        let mut bytes = vec![0; 20 + rng.below(400) as usize];
        rng.fill(&mut bytes);
        targets::ice(&bytes);
    }
}
