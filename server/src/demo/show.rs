//! What the demo prints: the call live, then explained; or one JSON object.

use std::path::Path;
use std::time::Instant;

use serde_json::{Value, json};
use store::EventRow;

use super::scene::Outcome;
use crate::node::{Addresses, Node};

/// Prints for people on standard output, or with `--json` on standard error, so that standard
/// output holds the object alone.
pub(super) struct Show {
    json: bool,
    started: Instant,
}

impl Show {
    pub(super) fn new(json: bool) -> Self {
        Self { json, started: Instant::now() }
    }

    /// One line.
    pub(super) fn say(&self, line: &str) {
        if self.json {
            eprintln!("{line}");
        } else {
            println!("{line}");
        }
    }

    /// A part's title.
    pub(super) fn heading(&self, title: &str) {
        self.say(&format!("\n{title}\n{}", "-".repeat(title.len())));
    }

    /// An event, as it comes.
    pub(super) fn event(&self, row: &EventRow) {
        let at = self.started.elapsed().as_secs_f64();
        self.say(&format!("{at:7.3} s  {:24} {}", row.kind, told(row)));
    }

    /// Everything about the call, and whether it is right.
    pub(super) fn result(&self, node: &Node, folder: &Path, outcome: &Outcome, faults: &[String]) {
        self.timeline(outcome);
        self.heading("SIP ladder");
        self.say(outcome.ladder.trim_end());
        self.decisions(outcome);
        self.quality(outcome);
        self.heading("Recording");
        let located = outcome.events.iter().find(|event| event.kind == "recording.completed");
        let located = located.map(|event| parsed(event)["location"].take()).unwrap_or_default();
        self.say(&format!("encrypted  {}", located.as_str().unwrap_or("nowhere")));
        self.say(&format!("key ring   {}", folder.join("data/keyring.json").display()));
        self.say(&format!("decrypted  {} (caller left, agent right)", outcome.wav.display()));
        self.heading("Checked");
        if faults.is_empty() {
            self.say(
                "both voices on their own channels, each end heard the other, the greeting was",
            );
            self.say("heard, the events are complete and in order, no packet was lost");
        }
        for fault in faults {
            self.say(&format!("WRONG: {fault}"));
        }
        self.say(&format!("\nconsole    http://{}/  (key demo-acme-admin)", node.addresses().http));
        if self.json {
            println!("{}", object(outcome, faults));
        }
    }

    /// The call did not come about.
    pub(super) fn failure(&self, why: &str) {
        eprintln!("strowger demo: {why}");
        if self.json {
            println!("{}", json!({"ok": false, "errors": [why]}));
        }
    }

    /// The way in for a newcomer, and what a phone of one's own needs to know.
    pub(super) fn kept(&self, addresses: &Addresses, code: &str) {
        self.heading("Serving until Ctrl-C");
        self.say(&addresses.to_string());
        let sip = addresses.sip_udp.first().map(ToString::to_string).unwrap_or_default();
        self.say(&format!(
            "\nYour first call, in the browser of this machine (the link signs in once):\n\n  \
             http://{}/#/welcome/{code}\n\n\
             Or with a phone of your own: user bob, domain acme.example, password bob-secret,\n\
             proxy {sip}; then call in from the demo's trunk, such as\n  \
             sipp -sn uac -i 127.0.0.2 -s +15550100 -d 10000 -m 1 {sip}",
            addresses.http
        ));
    }

    fn timeline(&self, outcome: &Outcome) {
        self.heading("Timeline");
        let of_call = |event: &&std::sync::Arc<EventRow>| event.call.is_some();
        let first = outcome.events.iter().find(of_call).map_or(0, |event| event.at.as_micros());
        for event in outcome.events.iter().filter(of_call) {
            let at = (event.at.as_micros() - first) as f64 / 1e6;
            let sequence = event.sequence;
            self.say(&format!("{at:+8.3} s  #{sequence:<4} {:24} {}", event.kind, told(event)));
        }
    }

    fn decisions(&self, outcome: &Outcome) {
        self.heading("Why this agent");
        for decision in outcome.why.as_array().map(Vec::as_slice).unwrap_or_default() {
            let at = decision["at"].as_str().and_then(|at| at.get(11..23)).unwrap_or_default();
            let summary = decision["summary"].as_str().unwrap_or_default();
            self.say(&format!("{at}  {summary}"));
        }
    }

    fn quality(&self, outcome: &Outcome) {
        self.heading("Quality");
        self.say("leg     codec   sent   received  lost   jitter ms   MOS");
        for leg in legs(outcome) {
            let text = |key: &str| leg[key].as_str().unwrap_or("-").to_owned();
            let number = |key: &str| leg[key].as_f64().unwrap_or(0.0);
            self.say(&format!(
                "{:7} {:7} {:<6} {:<9} {:<6} {:<11.3} {:.2}",
                text("kind"),
                text("codec"),
                number("packets_sent"),
                number("packets_received"),
                number("packets_lost"),
                number("jitter_ms"),
                number("mos"),
            ));
        }
    }
}

/// The object of `--json`.
fn object(outcome: &Outcome, faults: &[String]) -> Value {
    let events: Vec<&str> = outcome.events.iter().map(|event| event.kind.as_ref()).collect();
    let legs: Vec<Value> = legs(outcome)
        .iter()
        .map(|leg| {
            json!({
                "kind": leg["kind"], "codec": leg["codec"],
                "packets_sent": leg["packets_sent"], "packets_received": leg["packets_received"],
                "packets_lost": leg["packets_lost"], "jitter_ms": leg["jitter_ms"],
                "mos": leg["mos"],
            })
        })
        .collect();
    json!({
        "ok": faults.is_empty(), "call_id": outcome.call_id(), "events": events,
        "recording": outcome.wav, "legs": legs, "errors": faults,
    })
}

fn legs(outcome: &Outcome) -> &[Value] {
    outcome.call["legs"].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn parsed(event: &EventRow) -> Value {
    serde_json::from_str(&event.data).unwrap_or_default()
}

/// An event's payload in a few words.
fn told(event: &EventRow) -> String {
    const KEYS: [&str; 18] = [
        "from",
        "to",
        "flow",
        "prompt",
        "queue",
        "position",
        "agent",
        "state",
        "reason",
        "why",
        "wait_ms",
        "cause",
        "ended_by",
        "duration_ms",
        "talk_ms",
        "bytes",
        "waiting",
        "gaps_ms",
    ];
    let payload = parsed(event);
    let words = KEYS.iter().filter_map(|key| match payload.get(key)? {
        Value::String(text) => Some(format!("{key} {text}")),
        Value::Number(number) => Some(format!("{key} {number}")),
        _ => None,
    });
    words.collect::<Vec<_>>().join(", ")
}
