//! Towns in rough weather under the checkers. `STROWGER_SEEDS` says how many, `STROWGER_FROM` from
//! which on; `STROWGER_SEED` picks one. The first that fails is told with every message of it.

use std::collections::BTreeMap;

use sim::{Fault, calls_that_came_about, town_run, town_story};

const DEEDS: u32 = 40;

/// What must have crossed the wire at least once: `<` to the switch, `>` from it.
const EXERCISED: [&str; 47] = [
    "<INVITE",
    "<INVITE with Replaces",
    "<ACK",
    "<BYE",
    "<CANCEL",
    "<PRACK",
    "<UPDATE",
    "<INFO",
    "<REFER",
    "<REGISTER",
    "<SUBSCRIBE",
    "<MESSAGE",
    "<OPTIONS",
    ">INVITE",
    ">ACK",
    ">BYE",
    ">CANCEL",
    ">PRACK",
    ">NOTIFY",
    ">OPTIONS",
    ">REGISTER",
    ">MESSAGE",
    ">INFO",
    "<180",
    "<183",
    "<200",
    "<302",
    "<401",
    "<481",
    "<486",
    "<487",
    "<503",
    "<603",
    ">100",
    ">180",
    ">183",
    ">200",
    ">202",
    ">401",
    ">404",
    ">480",
    ">481",
    ">486",
    ">487",
    ">491",
    ">503",
    ">603",
];

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

#[test]
fn whatever_happens_every_call_ends_once_and_leaves_nothing() {
    let picked = std::env::var("STROWGER_SEED").is_ok();
    let first = number("STROWGER_SEED", number("STROWGER_FROM", 1));
    let count = if picked { 1 } else { number("STROWGER_SEEDS", 150) };
    let (mut calls, mut connected, mut taken_over) = (0, 0, 0);
    let mut crossed: BTreeMap<String, usize> = BTreeMap::new();
    let mut failed = Vec::new();
    for seed in first..first + count {
        let run = town_run(seed, DEEDS, None);
        calls += run.calls;
        connected += run.connected;
        taken_over += run.taken_over;
        for (what, times) in &run.crossed {
            *crossed.entry(what.clone()).or_default() += times;
        }
        if !run.complaints.is_empty() {
            failed.push(run);
        }
    }
    println!("{crossed:?}");
    println!(
        "{count} seeds, {calls} calls, {connected} connected, {taken_over} taken over, {} failed",
        failed.len()
    );
    if let Some(run) = failed.first() {
        println!("{}", town_story(run.seed, DEEDS));
        println!("replay: STROWGER_SEED={} cargo test -p sim --test town", run.seed);
    }
    let complaints: Vec<_> = failed
        .iter()
        .flat_map(|run| run.complaints.iter().map(|one| format!("{}: {one}", run.seed)))
        .collect();
    assert!(failed.is_empty(), "{} of {count} seeds: {complaints:#?}", failed.len());
    let missing: Vec<_> = EXERCISED.iter().filter(|what| !crossed.contains_key(**what)).collect();
    assert!(picked || missing.is_empty(), "never on the wire: {missing:?}");
    assert!(picked || calls as u64 > 8 * count, "only {calls} calls in {count} runs");
    assert!(picked || connected as u64 > 3 * count, "only {connected} talked in {count} runs");
    assert!(picked || taken_over as u64 > count / 5, "only {taken_over} taken over");
}

#[test]
fn the_same_seed_gives_the_same_town() {
    assert_eq!(town_run(7, 30, None), town_run(7, 30, None));
    assert_eq!(town_story(8, 20), town_story(8, 20));
}

#[test]
fn each_fault_of_an_engine_is_noticed() {
    for fault in Fault::ALL {
        let noticed = (1..=6).any(|seed| !town_run(seed, 25, Some(fault)).complaints.is_empty());
        assert!(noticed, "{fault:?}: nobody noticed");
    }
}

#[test]
fn calls_come_about_though_messages_are_lost() {
    assert_eq!(calls_that_came_about(3, 0, None), (12, 12));
    assert_eq!(calls_that_came_about(10, 150, None), (40, 40));
    assert_eq!(calls_that_came_about(10, 300, None), (40, 40), "a message in three is lost");
    let (tried, came) = calls_that_came_about(3, 0, Some(Fault::Closed));
    assert!(came <= tried / 2, "a switch that refuses calls is noticed: {came}");
}
