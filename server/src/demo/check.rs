//! Is what the demo shows true? Each fault in a sentence; none means that all of it is.

use serde_json::Value;

use super::likeness::likeness;
use super::scene::Outcome;

/// The events of an answered and recorded call, in this order; others may stand between.
const STORY: [&str; 9] = [
    "call.started",
    "call.routed",
    "call.answered",
    "call.prompt_started",
    "call.queued",
    "call.offered",
    "call.connected",
    "call.ended",
    "recording.completed",
];
/// Speech that went through G.711 once more is as like as this; other speech is not.
const SAME: f64 = 0.8;
const OTHER: f64 = 0.6;

/// Everything that is wrong.
pub(super) fn faults(outcome: &Outcome) -> Vec<String> {
    let mut faults = Vec::new();
    story(outcome, &mut faults);
    voices(outcome, &mut faults);
    legs(outcome, &mut faults);
    length(outcome, &mut faults);
    if outcome.call["cause"] != "normal" || outcome.call["state"] != "ended" {
        faults.push(format!("the call is not over normally: {}", outcome.call));
    }
    if !outcome.ladder.contains("INVITE") || !outcome.ladder.contains("BYE") {
        faults.push("the ladder lacks the INVITE or the BYE".to_owned());
    }
    if outcome.why.as_array().is_none_or(Vec::is_empty) {
        faults.push("no routing decision was kept".to_owned());
    }
    faults
}

fn story(outcome: &Outcome, faults: &mut Vec<String>) {
    let mut wanted = STORY.iter().peekable();
    for event in &outcome.events {
        if wanted.peek().is_some_and(|kind| ***kind == *event.kind) {
            wanted.next();
        }
    }
    if let Some(kind) = wanted.next() {
        faults.push(format!("the event {kind} is missing or out of order"));
    }
    let numbers: Vec<u64> = outcome.events.iter().map(|event| event.sequence).collect();
    if numbers.windows(2).any(|pair| pair[1] != pair[0] + 1) {
        faults.push(format!("the events' numbers have gaps: {numbers:?}"));
    }
}

fn voices(outcome: &Outcome, faults: &mut Vec<String>) {
    let (caller, agent) = (&outcome.caller.said, &outcome.agent.said);
    let there = [
        ("the caller on the recording's left channel", caller, &outcome.left),
        ("the agent on the recording's right channel", agent, &outcome.right),
        ("the agent in the caller's ear", agent, &outcome.caller.heard),
        ("the caller in the agent's ear", caller, &outcome.agent.heard),
        ("the greeting in the caller's ear", &outcome.greeting, &outcome.caller.heard),
    ];
    for (what, voice, heard) in there {
        let found = likeness(voice, heard);
        if found < SAME {
            faults.push(format!("{what} is not to be heard (likeness {found:.2})"));
        }
    }
    let not_there = [
        ("the agent on the recording's left channel", agent, &outcome.left),
        ("the caller on the recording's right channel", caller, &outcome.right),
        ("the greeting in the agent's ear", &outcome.greeting, &outcome.agent.heard),
    ];
    for (what, voice, heard) in not_there {
        let found = likeness(voice, heard);
        if found > OTHER {
            faults.push(format!("{what} should not be to be heard (likeness {found:.2})"));
        }
    }
}

fn legs(outcome: &Outcome, faults: &mut Vec<String>) {
    let legs = outcome.call["legs"].as_array().map(Vec::as_slice).unwrap_or_default();
    let kinds: Vec<&str> = legs.iter().filter_map(|leg| leg["kind"].as_str()).collect();
    if kinds != ["caller", "agent"] {
        faults.push(format!("the call's legs are {kinds:?}, not a caller and an agent"));
    }
    for leg in legs {
        let count = |key: &str| leg[key].as_u64().unwrap_or(0);
        if count("packets_sent") < 100 || count("packets_received") < 100 {
            faults.push(format!("a leg carried next to nothing: {leg}"));
        }
        if count("packets_lost") > 0 {
            faults.push(format!("packets were lost on loopback: {leg}"));
        }
        if leg["mos"].as_f64().is_none_or(|mos| mos < 4.0) {
            faults.push(format!("the quality is poor: {leg}"));
        }
    }
    for (who, end) in [("caller", &outcome.caller), ("agent", &outcome.agent)] {
        if end.stats.packets_lost > 0 {
            faults.push(format!("the {who}'s phone missed {} packets", end.stats.packets_lost));
        }
    }
}

fn length(outcome: &Outcome, faults: &mut Vec<String>) {
    let talk = outcome.events.iter().find(|event| event.kind == "call.ended").map(|event| {
        serde_json::from_str::<Value>(&event.data).unwrap_or_default()["talk_ms"]
            .as_u64()
            .unwrap_or(0)
    });
    let recorded = outcome.left.len() as u64 / 8;
    let talk = talk.unwrap_or(0);
    if recorded.abs_diff(talk) > 100 {
        faults.push(format!("{recorded} ms are recorded of {talk} ms of talk"));
    }
}
