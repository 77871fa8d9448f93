//! Random runs under the checkers. `STROWGER_SEEDS` says how many, `STROWGER_SEED` picks one.

use sim::random_run;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn every_call_of_a_random_run_ends_with_one_record_and_leaves_nothing() {
    let first = number("STROWGER_SEED", 1);
    let count =
        if std::env::var("STROWGER_SEED").is_ok() { 1 } else { number("STROWGER_SEEDS", 25) };
    let (mut calls, mut connected) = (0, 0);
    let mut failed = Vec::new();
    for seed in first..first + count {
        let run = random_run(seed, 40);
        calls += run.calls;
        connected += run.connected;
        if !run.complaints.is_empty() {
            failed.push(run);
        }
    }
    assert!(
        failed.is_empty(),
        "{} of {count} seeds: {:#?}",
        failed.len(),
        failed
            .iter()
            .flat_map(|r| r.complaints.iter().map(|c| (r.seed, c.to_string())))
            .collect::<Vec<_>>()
    );
    assert!(calls as u64 > 3 * count, "only {calls} calls in {count} runs");
    assert!(connected as u64 > count / 2, "only {connected} calls connected in {count} runs");
}

#[test]
fn the_same_seed_gives_the_same_run() {
    assert_eq!(random_run(7, 20), random_run(7, 20));
}
