//! The legs of a call as the API shows them while it is up, in the words of a record's, and what of
//! supervisors an agent's own key is not shown.

use routing::Role;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;
use store::{DecisionRow, EventRow, LadderRow};
use switch::{LegKind, LiveLeg, StreamStats};
use utoipa::ToSchema;

use crate::auth::Scoped;
use crate::state::Shared;

/// A leg of a call that is up.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LegView {
    /// Its number within the engine.
    leg: u64,
    /// `caller`, `agent`, `trunk` or `supervisor`.
    kind: &'static str,
    /// The agent, on an agent's or supervisor's leg.
    agent: Option<String>,
    /// The trunk, on a leg from or to outside.
    trunk: Option<String>,
    /// The number or name of whoever is on it.
    number: String,
    /// `ringing`, `talking` or `held` (hears music in place of the others).
    state: &'static str,
    /// How a supervisor takes part: `listen`, `whisper` or `barge`.
    mode: Option<&'static str>,
    /// Whether what it says is heard by nobody.
    muted: bool,
    /// Whether its own phone holds the others.
    holds: bool,
    /// The codec, if it got that far.
    codec: Option<&'static str>,
    /// What its audio is encrypted with; null is in the clear.
    srtp: Option<&'static str>,
    #[serde(flatten)]
    figures: Option<Figures>,
}

/// What a leg's stream has seen so far, some seconds old at most.
#[derive(Debug, Serialize, ToSchema)]
struct Figures {
    packets_sent: u64,
    packets_received: u64,
    packets_lost: u64,
    bytes_sent: u64,
    bytes_received: u64,
    jitter_ms: f64,
    round_trip_ms: Option<f64>,
    mos: Option<f64>,
    refused_packets: u64,
    tap_dropped: u64,
    loss_percent: f64,
    buffer_ms: Option<f64>,
    concealed_ms: u32,
    skew_ppm: Option<i32>,
    heard_dbov: Option<i8>,
    said_dbov: Option<i8>,
    far_loss_percent: Option<f64>,
    far_jitter_ms: Option<f64>,
    far_mos: Option<f64>,
}

impl From<&StreamStats> for Figures {
    fn from(stats: &StreamStats) -> Self {
        let millis = |us: u32| f64::from(us) / 1000.0;
        let percent = |permille: u16| f64::from(permille) / 10.0;
        let mos = |centi: u16| f64::from(centi) / 100.0;
        Self {
            packets_sent: stats.packets_sent,
            packets_received: stats.packets_received,
            packets_lost: stats.packets_lost,
            bytes_sent: stats.bytes_sent,
            bytes_received: stats.bytes_received,
            jitter_ms: millis(stats.jitter_us),
            round_trip_ms: stats.round_trip_us.map(millis),
            mos: (stats.mos_centi > 0).then(|| mos(stats.mos_centi)),
            refused_packets: stats.refused_packets,
            tap_dropped: stats.tap_dropped,
            loss_percent: percent(stats.loss_permille),
            buffer_ms: stats.buffer_us.map(millis),
            concealed_ms: stats.concealed_ms,
            skew_ppm: stats.skew_ppm,
            heard_dbov: stats.heard_dbov,
            said_dbov: stats.said_dbov,
            far_loss_percent: stats.far.loss_permille.map(percent),
            far_jitter_ms: stats.far.jitter_us.map(millis),
            far_mos: stats.far.mos_centi.map(mos),
        }
    }
}

impl From<&LiveLeg> for LegView {
    fn from(leg: &LiveLeg) -> Self {
        let figures = leg.stats.as_deref().map(Figures::from);
        let state = match (leg.answered, leg.held) {
            (false, _) => "ringing",
            (true, true) => "held",
            (true, false) => "talking",
        };
        Self {
            leg: leg.leg.0,
            kind: leg.kind.as_str(),
            agent: leg.agent.as_ref().map(ToString::to_string),
            trunk: leg.trunk.as_ref().map(ToString::to_string),
            number: leg.number.clone(),
            state,
            mode: leg.mode.map(|mode| mode.as_str()),
            muted: leg.muted,
            holds: leg.holds,
            codec: leg.codec.map(|codec| codec.name()),
            srtp: leg.srtp.map(|profile| profile.name()),
            figures,
        }
    }
}

/// What the caller sees of supervisors.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Discretion {
    hides: bool,
}

impl Discretion {
    /// An agent learns of a supervisor only where the tenant wants that.
    pub(crate) fn of(api: &Shared, scoped: &Scoped) -> Self {
        let is_told = |directory: &routing::Directory| {
            directory.tenant(&scoped.tenant).is_some_and(|tenant| tenant.tells_supervision)
        };
        Self { hides: scoped.caller.role == Role::Agent && !is_told(&api.directory()) }
    }

    #[cfg(test)]
    pub(crate) fn hiding() -> Self {
        Self { hides: true }
    }

    pub(crate) fn shows(self, leg: &LiveLeg) -> bool {
        !(self.hides && leg.kind == LegKind::Supervisor)
    }

    pub(crate) fn shows_kind(self, kind: &str) -> bool {
        !(self.hides && kind == LegKind::Supervisor.as_str())
    }

    /// The legs of a record.
    pub(crate) fn legs(self, legs: Box<RawValue>) -> Box<RawValue> {
        if !self.hides || !legs.get().contains("supervisor") {
            return legs;
        }
        let mut all: Vec<Value> = serde_json::from_str(legs.get()).unwrap_or_default();
        all.retain(|leg| leg.get("kind").and_then(Value::as_str) != Some("supervisor"));
        serde_json::value::to_raw_value(&all).unwrap_or_default()
    }

    pub(crate) fn shows_event(self, event: &EventRow) -> bool {
        !(self.hides && event.kind.starts_with("call.supervis"))
    }

    pub(crate) fn shows_decision(self, decision: &DecisionRow) -> bool {
        let told = |what: &str| decision.detail.contains(what);
        !(self.hides && (told("\"decided\":\"supervised\"") || told("\"who\":\"the supervisor ")))
    }

    /// Leaves out the dialogs of supervisors' phones: those that we called as one, and those that
    /// came here from a call of their own.
    pub(crate) fn ladder(self, ladder: Vec<LadderRow>) -> Vec<LadderRow> {
        if !self.hides {
            return ladder;
        }
        let mut shown: Vec<String> = Vec::new();
        let mut hidden: Vec<String> = Vec::new();
        let is_shown = |row: &LadderRow| {
            let text = String::from_utf8_lossy(&row.bytes);
            let call_id = header(&text, &["call-id", "i"]).unwrap_or_default();
            if !shown.contains(&call_id) && !hidden.contains(&call_id) {
                let is_invite = text.starts_with("INVITE ")
                    && header(&text, &["to", "t"]).is_some_and(|to| !to.contains(";tag="));
                let from = header(&text, &["from", "f"]).unwrap_or_default();
                let supervises = ["(listen)\"", "(whisper)\"", "(barge)\""];
                let is_theirs = !is_invite || supervises.iter().any(|mark| from.contains(mark));
                if is_theirs { &mut hidden } else { &mut shown }.push(call_id.clone());
            }
            shown.contains(&call_id)
        };
        let kept: Vec<bool> = ladder.iter().map(is_shown).collect();
        ladder.into_iter().zip(kept).filter(|(_, kept)| *kept).map(|(row, _)| row).collect()
    }
}

fn header(message: &str, names: &[&str]) -> Option<String> {
    let lines = message.split("\r\n").skip(1).take_while(|line| !line.is_empty());
    lines.filter_map(|line| line.split_once(':')).find_map(|(name, value)| {
        let is_it = names.iter().any(|known| name.trim().eq_ignore_ascii_case(known));
        is_it.then(|| value.trim().to_owned())
    })
}
