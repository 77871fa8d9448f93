//! What must hold in every run: each call ends, with one record; numbers are dense; nobody is rung
//! twice at once; nothing is left over.

use std::collections::BTreeMap;
use std::fmt;

use base::{CallId, TenantId};
use routing::AgentState;
use switch::{Event, EventKind, Sizes};

use crate::World;

/// Something that must not be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Complaint(pub String);

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What is wrong with the events and records so far. Holds at any time.
#[must_use]
pub fn check_events(world: &World) -> Vec<Complaint> {
    check_log(&world.events)
}

/// What is wrong with a log of events.
pub(crate) fn check_log(events: &[Event]) -> Vec<Complaint> {
    let mut complaints = Vec::new();
    let mut last: BTreeMap<TenantId, u64> = BTreeMap::new();
    let mut ringing: BTreeMap<(TenantId, String), CallId> = BTreeMap::new();
    let mut ended: BTreeMap<CallId, u32> = BTreeMap::new();
    for event in events {
        let number = last.entry(event.tenant.clone()).or_default();
        if event.sequence != *number + 1 {
            complaints.push(Complaint(format!(
                "{}: event {} follows event {number}",
                event.tenant, event.sequence
            )));
        }
        *number = event.sequence;
        if let EventKind::AgentStateChanged { agent, state, .. } = &event.kind
            && !matches!(state, AgentState::Ringing | AgentState::Busy)
        {
            ringing.remove(&(event.tenant.clone(), agent.to_string()));
        }
        let Some(call) = event.call else { continue };
        let is_late = !matches!(
            event.kind,
            EventKind::RecordingCompleted { .. } | EventKind::RecordingFailed { .. }
        );
        if is_late && ended.contains_key(&call) {
            let kind = event.kind.type_name();
            complaints.push(Complaint(format!("{call}: {kind} after call.ended")));
        }
        match &event.kind {
            EventKind::CallOffered { agent, .. } => {
                let agent = (event.tenant.clone(), agent.to_string());
                if let Some(other) = ringing.insert(agent.clone(), call) {
                    let name = agent.1;
                    complaints.push(Complaint(format!("{name} rings for {call} and {other}")));
                }
            }
            EventKind::AttemptFailed { agent, .. } => {
                ringing.remove(&(event.tenant.clone(), agent.to_string()));
            }
            EventKind::CallEnded { .. } => {
                ringing.retain(|_, other| *other != call);
                *ended.entry(call).or_default() += 1;
            }
            _ => {}
        }
    }
    complaints
}

/// What is wrong with a world in which everybody has hung up and all timers have run out.
#[must_use]
pub fn check_quiet(world: &World) -> Vec<Complaint> {
    let mut complaints = check_events(world);
    let mut count: BTreeMap<CallId, (u32, u32, u32)> = BTreeMap::new();
    for event in &world.events {
        let Some(call) = event.call else { continue };
        let counts = count.entry(call).or_default();
        match event.kind {
            EventKind::CallStarted { .. } => counts.0 += 1,
            EventKind::CallEnded { .. } => counts.1 += 1,
            _ => {}
        }
    }
    for record in &world.records {
        count.entry(record.call).or_default().2 += 1;
    }
    for (call, counts) in &count {
        if *counts != (1, 1, 1) {
            let (started, ended, records) = counts;
            complaints.push(Complaint(format!(
                "{call}: {started} times started, {ended} times ended, {records} records"
            )));
        }
    }
    if world.switch().sizes() != Sizes::default() {
        complaints.push(Complaint(format!("left over: {:?}", world.switch().sizes())));
    }
    if !world.plane().is_empty() {
        complaints.push(Complaint(format!("{} streams left over", world.plane().len())));
    }
    for id in world.phones() {
        if world.phone(id).is_some_and(phone::Phone::is_in_use) {
            complaints.push(Complaint(format!("phone {} still has a call", id.0)));
        }
    }
    complaints
}
