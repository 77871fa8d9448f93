//! Breaks a switch on purpose, between it and the town, to see that somebody notices.

use bytes::Bytes;
use switch::{EventKind, Output, RecordCommand};

use super::Town;

/// What is broken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fault {
    /// An event of each call is left out.
    EventLost,
    /// Calls end without a record.
    NoRecord,
    /// Calls have two records.
    TwoRecords,
    /// Nobody is told that a call is over.
    NoBye,
    /// Media ports are not closed.
    PortsKept,
    /// Recordings are not stopped.
    RecordingGoesOn,
    /// Two calls ring one agent.
    RungTwice,
    /// A tenant's people are named to everybody.
    Gossip,
    /// The end of a call is told before what led to it.
    EndFirst,
    /// A stream of one media worker is joined on another.
    WrongWorker,
    /// Descriptions without audio.
    Deaf,
    /// All new calls are refused.
    Closed,
}

impl Fault {
    /// All that the checkers must notice; that no call comes about, the count of calls tells.
    pub const ALL: [Self; 11] = [
        Self::EventLost,
        Self::NoRecord,
        Self::TwoRecords,
        Self::NoBye,
        Self::PortsKept,
        Self::RecordingGoesOn,
        Self::RungTwice,
        Self::Gossip,
        Self::EndFirst,
        Self::WrongWorker,
        Self::Deaf,
    ];
}

impl Town {
    /// What the town gets in place of what the switch said.
    pub(super) fn sabotage(&self, output: Output) -> Vec<Output> {
        let Some(fault) = self.fault else { return vec![output] };
        match (fault, output) {
            (Fault::EventLost, Output::Event(event))
                if matches!(event.kind, EventKind::CallAnswered {}) =>
            {
                Vec::new()
            }
            (Fault::NoRecord, Output::CallEnded(_)) => Vec::new(),
            (Fault::TwoRecords, Output::CallEnded(record)) => {
                vec![Output::CallEnded(record.clone()), Output::CallEnded(record)]
            }
            (Fault::NoBye, Output::Transmit { bytes, .. }) if bytes.starts_with(b"BYE ") => {
                Vec::new()
            }
            (Fault::PortsKept, Output::Media { command: media::Command::Close { .. }, .. }) => {
                Vec::new()
            }
            (Fault::RecordingGoesOn, Output::Record(RecordCommand::Stop { .. })) => Vec::new(),
            (Fault::RungTwice, Output::Event(event)) => ring_twice(event),
            (Fault::Gossip, Output::Transmit { flow, bytes }) => {
                let text = String::from_utf8_lossy(&bytes).replace("Strowger", "hubert and alice");
                vec![Output::Transmit { flow, bytes: Bytes::from(text) }]
            }
            (Fault::EndFirst, Output::Event(mut event)) => {
                if let EventKind::CallConnected { .. } = event.kind {
                    event.kind = EventKind::CallStarted {
                        direction: switch::CallDirection::Inbound,
                        trunk: None,
                        agent: None,
                        from: String::new(),
                        from_name: None,
                        to: String::new(),
                        diversions: Vec::new(),
                    };
                }
                vec![Output::Event(event)]
            }
            (Fault::WrongWorker, Output::Media { worker, command }) => {
                let worker = match command {
                    media::Command::Bridge { .. } => media::WorkerId(worker.0 + 1),
                    _ => worker,
                };
                vec![Output::Media { worker, command }]
            }
            (Fault::Deaf, Output::Transmit { flow, bytes }) => {
                let text = String::from_utf8_lossy(&bytes).replace("m=audio 2", "m=image 2");
                vec![Output::Transmit { flow, bytes: Bytes::from(text) }]
            }
            (Fault::Closed, Output::Transmit { flow, bytes }) => {
                let text = String::from_utf8_lossy(&bytes).replace("SIP/2.0 200", "SIP/2.0 500");
                vec![Output::Transmit { flow, bytes: Bytes::from(text) }]
            }
            (_, output) => vec![output],
        }
    }
}

/// The agent whom a call is offered to is offered another one too.
fn ring_twice(event: switch::Event) -> Vec<Output> {
    let EventKind::CallOffered { .. } = event.kind else { return vec![Output::Event(event)] };
    let mut other = event.clone();
    other.call = other.call.map(|call| base::CallId::from_u128(call.as_u128() ^ 1));
    vec![Output::Event(event), Output::Event(other)]
}
