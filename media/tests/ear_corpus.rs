//! What the fuzz target for reception found worth keeping (`fuzz/corpus/ear`), and random inputs,
//! put through the same checks without a fuzzer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by it")]
#![allow(missing_docs, unreachable_pub, reason = "the target is a program of its own")]

use std::path::Path;

use base::Rng;

#[path = "../../fuzz/src/ear.rs"]
mod targets;

#[test]
fn the_corpus_is_heard_without_a_fault() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus/ear");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    paths.sort();
    assert!(paths.len() >= 5);
    for path in paths {
        println!("{}", path.display()); // the one that fails is the last one shown
        targets::ear(&std::fs::read(path).unwrap());
    }
}

#[test]
fn any_packets_at_any_times_are_heard_without_a_fault() {
    for seed in 0..1500 {
        let mut rng = Rng::from_seed(seed);
        let mut bytes = vec![0; 200 + rng.below(3000) as usize];
        rng.fill(&mut bytes);
        targets::ear(&bytes);
    }
}
