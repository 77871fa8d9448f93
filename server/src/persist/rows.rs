//! The switch's values as the store's rows.

use std::net::SocketAddr;
use std::sync::Arc;

use base::{AgentId, Duration, LegId, TrunkId};
use serde::Serialize;
use sip::Flow;
use store::{
    AgentSettingsRow, Append, CallRow, CallState, DecisionRow, EventRow, FinalRecord, LadderRow,
};
use switch::{CallRecord, DecisionEntry, LadderEntry, LegRecord, QualitySample};

use super::Item;

/// Bytes that most JSON texts of ours fit into.
const ROOM: usize = 512;

/// What the store is to append for an item.
pub(super) fn append(item: Item) -> Append {
    match item {
        Item::Event(event) => Append::Event(event_row(event)),
        Item::Call(record) => Append::Call(Box::new(final_record(*record))),
        Item::Recording(row) => Append::Recording(row),
        Item::Settings(settings) => Append::Settings(settings_row(*settings)),
    }
}

fn settings_row(settings: switch::AgentSettings) -> AgentSettingsRow {
    AgentSettingsRow {
        tenant: settings.tenant,
        agent: settings.agent,
        do_not_disturb: settings.do_not_disturb,
        forward: settings.forward.map(|forward| json_text(&forward)),
        waiting_new: settings.waiting.new,
        waiting_old: settings.waiting.old,
    }
}

/// What was kept, as the switch takes it up again. A forward that cannot be read is none.
pub(crate) fn settings_of(row: AgentSettingsRow) -> switch::AgentSettings {
    let forward = row.forward.and_then(|text| match serde_json::from_str(&text) {
        Ok(forward) => Some(forward),
        Err(error) => {
            tracing::warn!(%error, tenant = %row.tenant, "a kept forward cannot be read");
            None
        }
    });
    switch::AgentSettings {
        tenant: row.tenant,
        agent: row.agent,
        do_not_disturb: row.do_not_disturb,
        forward,
        waiting: switch::Waiting { new: row.waiting_new, old: row.waiting_old },
    }
}

fn event_row(event: switch::Event) -> EventRow {
    EventRow {
        tenant: event.tenant,
        sequence: event.sequence,
        call: event.call,
        at: event.at,
        kind: event.kind.type_name().into(),
        data: json_text(&event.kind),
    }
}

fn final_record(record: CallRecord) -> FinalRecord {
    let legs: Vec<_> = record.legs.iter().map(leg).collect();
    let call = CallRow {
        tenant: record.tenant,
        id: record.call,
        state: CallState::Ended,
        direction: record.direction.as_str().into(),
        trunk: record.trunk,
        from: record.from,
        from_name: record.from_name,
        to: record.to,
        verstat: record.verstat.map(str::to_owned),
        attestation: record.attestation,
        diversions: json_text(&record.diversions),
        queue: record.queue,
        agent: record.agent,
        started_at: record.started_at,
        answered_at: record.answered_at,
        connected_at: record.connected_at,
        ended_at: Some(record.ended_at),
        duration_ms: Some(millis(record.duration)),
        wait_ms: Some(millis(record.wait)),
        talk_ms: record.talk.map(millis),
        cause: Some(record.cause.as_str().to_owned()),
        sip_status: Some(record.sip_status),
        q850: Some(record.q850),
        ended_by: Some(record.ended_by.as_str().to_owned()),
        reason: record.reason,
        recording: record.recording,
        recordings: record.recordings,
        legs: json_text(&legs),
    };
    FinalRecord {
        codecs: codecs(&record.legs),
        lowest_mos: record.legs.iter().filter_map(mos_centi).min(),
        quality: history(&record.legs),
        call,
        ladder: ladder(record.ladder),
        decisions: record.decisions.into_iter().map(decision_row).collect(),
    }
}

/// A leg as the API and the demo show it.
#[derive(Serialize)]
struct Leg<'a> {
    leg: LegId,
    kind: &'static str,
    agent: Option<&'a AgentId>,
    trunk: Option<&'a TrunkId>,
    codec: Option<&'static str>,
    srtp: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    audio_lost: Option<AudioLost>,
    #[serde(flatten)]
    figures: Option<Figures>,
}

/// How often, and for how long, nothing was heard of it though it should have been.
#[derive(Serialize)]
struct AudioLost {
    times: u32,
    silent: u32,
    lost_ms: u64,
    restored: bool,
}

/// What a leg's stream saw.
#[derive(Serialize)]
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
}

fn leg(leg: &LegRecord) -> Leg<'_> {
    let figures = leg.stats.as_ref().map(|stats| Figures {
        packets_sent: stats.packets_sent,
        packets_received: stats.packets_received,
        packets_lost: stats.packets_lost,
        bytes_sent: stats.bytes_sent,
        bytes_received: stats.bytes_received,
        jitter_ms: f64::from(stats.jitter_us) / 1000.0,
        round_trip_ms: stats.round_trip_us.map(|us| f64::from(us) / 1000.0),
        mos: (stats.mos_centi > 0).then(|| f64::from(stats.mos_centi) / 100.0),
        refused_packets: stats.refused_packets,
        tap_dropped: stats.tap_dropped,
    });
    Leg {
        leg: leg.leg,
        kind: leg.kind.as_str(),
        agent: leg.agent.as_ref(),
        trunk: leg.trunk.as_ref(),
        codec: leg.codec.map(|codec| codec.name()),
        srtp: leg.srtp.map(|profile| profile.name()),
        audio_lost: leg.audio.map(|lost| AudioLost {
            times: lost.times,
            silent: lost.silent,
            lost_ms: millis(lost.lost_for),
            restored: lost.restored,
        }),
        figures,
    }
}

fn mos_centi(leg: &LegRecord) -> Option<u16> {
    leg.stats.as_ref().map(|stats| stats.mos_centi).filter(|mos| *mos > 0)
}

/// The codecs of its legs, each once.
fn codecs(legs: &[LegRecord]) -> String {
    let mut named: Vec<String> =
        legs.iter().filter_map(|leg| leg.codec).map(|codec| codec.name().to_lowercase()).collect();
    named.sort_unstable();
    named.dedup();
    named.join(",")
}

/// A leg's history as it is kept.
#[derive(Serialize)]
struct History<'a> {
    leg: LegId,
    kind: &'static str,
    agent: Option<&'a AgentId>,
    samples: Vec<Sample>,
}

/// What the API reads again, in this order: when (ms since the call began), MOS in hundredths,
/// loss in thousandths, jitter in µs, round trip in µs, and what the far end has: loss and jitter.
type Sample = (u32, u16, u16, u32, Option<u32>, Option<u16>, Option<u32>);

fn history(legs: &[LegRecord]) -> String {
    let histories: Vec<History<'_>> = legs
        .iter()
        .filter(|leg| !leg.quality.is_empty())
        .map(|leg| History {
            leg: leg.leg,
            kind: leg.kind.as_str(),
            agent: leg.agent.as_ref(),
            samples: leg.quality.iter().map(sample).collect(),
        })
        .collect();
    if histories.is_empty() { String::new() } else { json_text(&histories) }
}

fn sample(of: &QualitySample) -> Sample {
    let far = (of.far_loss_permille, of.far_jitter_us);
    (of.at_ms, of.mos_centi, of.loss_permille, of.jitter_us, of.round_trip_us, far.0, far.1)
}

/// The messages of a call go over a few paths: each is spelled out once.
fn ladder(entries: Vec<LadderEntry>) -> Vec<LadderRow> {
    let mut paths: Vec<(Flow, [Arc<str>; 3])> = Vec::new();
    let row = |entry: LadderEntry| {
        let known = paths.iter().position(|(flow, _)| *flow == entry.flow);
        let place = known.unwrap_or_else(|| {
            let Flow { transport, local, remote, .. } = entry.flow;
            let texts = [transport.name().into(), text(local), text(remote)];
            paths.push((entry.flow, texts));
            paths.len() - 1
        });
        let [transport, local, remote] = paths[place].1.clone();
        LadderRow {
            at: entry.at,
            sent: entry.direction == switch::Direction::Out,
            transport,
            local,
            remote,
            bytes: entry.bytes.into(),
        }
    };
    entries.into_iter().map(row).collect()
}

fn text(address: SocketAddr) -> Arc<str> {
    address.to_string().into()
}

fn decision_row(entry: DecisionEntry) -> DecisionRow {
    DecisionRow {
        at: entry.at,
        summary: entry.decided.to_string(),
        detail: json_text(&entry.decided),
    }
}

fn json_text(value: &impl Serialize) -> String {
    let mut text = Vec::with_capacity(ROOM);
    // Serialising our own plain types into memory cannot fail, and what it writes is UTF-8.
    match serde_json::to_writer(&mut text, value) {
        Ok(()) => String::from_utf8(text).unwrap_or_default(),
        Err(_) => "{}".to_owned(),
    }
}

fn millis(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}
