//! The events of each call come in an order that makes sense, and each tenant's are dense.

use std::collections::{BTreeMap, BTreeSet};

use base::{CallId, RecordingId, TenantId, UnixTime};
use switch::{Event, EventKind, HoldSide};

use crate::checks::Complaint;

/// How far a call has come by its events.
#[derive(Default)]
struct Course {
    is_ended: bool,
    is_answered: bool,
    is_reached: bool,
    is_turned: bool,
    offered: Option<String>,
    held: BTreeSet<&'static str>,
    recordings: BTreeMap<RecordingId, bool>,
}

/// What is wrong with a log.
pub(in crate::town) fn check_order(events: &[Event]) -> Vec<Complaint> {
    let mut wrong = Vec::new();
    let mut last: BTreeMap<TenantId, (u64, UnixTime)> = BTreeMap::new();
    let mut courses: BTreeMap<CallId, (TenantId, Course)> = BTreeMap::new();
    for event in events {
        let before = last.insert(event.tenant.clone(), (event.sequence, event.at));
        let (number, at) = before.unwrap_or((0, event.at));
        if event.sequence != number + 1 {
            let (tenant, own) = (&event.tenant, event.sequence);
            wrong.push(Complaint(format!("{tenant}: event {own} follows event {number}")));
        }
        if event.at < at {
            wrong.push(Complaint(format!("{}: time goes back", event.tenant)));
        }
        let Some(call) = event.call else { continue };
        let is_first = !courses.contains_key(&call);
        let is_start = matches!(event.kind, EventKind::CallStarted { .. });
        let kind = event.kind.type_name();
        if is_first != is_start {
            wrong.push(Complaint(format!("{call}: {kind} at the wrong end of it")));
        }
        let (tenant, course) =
            courses.entry(call).or_insert_with(|| (event.tenant.clone(), Course::default()));
        if *tenant != event.tenant {
            wrong.push(Complaint(format!("{call}: an event of another tenant's")));
        }
        if let Some(what) = course.take(&event.kind) {
            wrong.push(Complaint(format!("{call}: {kind}: {what}")));
        }
    }
    wrong
}

impl Course {
    /// What is wrong with that as the next thing, if anything is.
    fn take(&mut self, kind: &EventKind) -> Option<&'static str> {
        let is_recording = matches!(
            kind,
            EventKind::RecordingCompleted { .. } | EventKind::RecordingFailed { .. }
        );
        if self.is_ended && !is_recording {
            return Some("after the end");
        }
        match kind {
            EventKind::CallAnswered {} => {
                wrong_if(std::mem::replace(&mut self.is_answered, true), "answered twice")
            }
            EventKind::CallOffered { agent, .. } => {
                self.is_reached = true;
                let other = self.offered.replace(agent.to_string());
                wrong_if(other.is_some(), "while another agent rings")
            }
            EventKind::CallDialled { .. } => {
                self.is_reached = true;
                None
            }
            EventKind::TransferStarted { .. } | EventKind::CallTransferred { .. } => {
                self.is_turned = true;
                self.held.clear();
                None
            }
            // Moved on while an agent rang, who rings no more.
            EventKind::LeftQueue { .. } => {
                self.offered = None;
                None
            }
            EventKind::AttemptFailed { agent, .. } => {
                let other = self.offered.take().is_none_or(|one| one != agent.as_str());
                wrong_if(other, "of an agent who was not rung")
            }
            EventKind::CallConnected { .. } => {
                self.offered = None;
                // A new conversation, in which who holds is told anew.
                self.held.clear();
                wrong_if(!self.is_reached, "and nobody was called")
            }
            EventKind::CallHeld { by, leg: None } => {
                wrong_if(!self.held.insert(side(*by)), "held twice")
            }
            EventKind::CallResumed { by, leg: None } => {
                // A transfer turns the call round: who held as the caller resumes as the agent.
                let was_held = self.held.remove(side(*by)) || self.is_turned;
                wrong_if(!was_held, "resumed and not held")
            }
            EventKind::RecordingStarted { recording } => {
                let before = self.recordings.insert(*recording, false);
                wrong_if(before.is_some(), "begins twice")
            }
            EventKind::RecordingCompleted { recording, .. }
            | EventKind::RecordingFailed { recording, .. } => {
                let before = self.recordings.insert(*recording, true);
                wrong_if(before != Some(false), "of a recording that does not run")
            }
            EventKind::CallEnded { .. } => {
                self.is_ended = true;
                None
            }
            _ => None,
        }
    }
}

fn wrong_if(wrong: bool, what: &'static str) -> Option<&'static str> {
    wrong.then_some(what)
}

fn side(by: HoldSide) -> &'static str {
    match by {
        HoldSide::Caller => "caller",
        HoldSide::Agent => "agent",
        HoldSide::Callee => "callee",
        HoldSide::Api => "api",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use base::AgentId;
    use switch::{AttemptEnd, CallDirection};

    use super::*;
    use crate::town::checks::ended;

    fn started() -> EventKind {
        EventKind::CallStarted {
            direction: CallDirection::Inbound,
            trunk: None,
            agent: None,
            from: String::new(),
            from_name: None,
            to: String::new(),
            diversions: Vec::new(),
        }
    }

    fn log(kinds: Vec<EventKind>) -> Vec<Event> {
        let tenant = TenantId::new("acme").unwrap();
        let call = Some(CallId::from_u128(1));
        let at = UnixTime::from_micros(1);
        let event = |(sequence, kind)| Event { tenant: tenant.clone(), sequence, call, at, kind };
        (1..).zip(kinds).map(event).collect()
    }

    fn wrong(kinds: Vec<EventKind>) -> String {
        let all = check_order(&log(kinds));
        all.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn each_disorder_is_seen() {
        let connected = || EventKind::CallConnected { queue: None, agent: None, wait_ms: 0 };
        let held = || EventKind::CallHeld { by: HoldSide::Agent, leg: None };
        let recording = RecordingId::from_u128(1);
        let failed = EventKind::AttemptFailed {
            agent: AgentId::new("alice").unwrap(),
            why: AttemptEnd::Busy,
            status: None,
        };
        assert_eq!(wrong(vec![started(), EventKind::CallAnswered {}, ended()]), "");
        assert!(wrong(vec![ended()]).contains("wrong end"));
        assert!(wrong(vec![started(), started()]).contains("wrong end"));
        assert!(wrong(vec![started(), ended(), ended()]).contains("after the end"));
        assert!(wrong(vec![started(), connected()]).contains("nobody was called"));
        assert!(wrong(vec![started(), held(), held()]).contains("held twice"));
        let resumed = EventKind::CallResumed { by: HoldSide::Api, leg: None };
        assert!(wrong(vec![started(), resumed]).contains("not held"));
        assert!(wrong(vec![started(), failed]).contains("not rung"));
        let twice = vec![started(), EventKind::CallAnswered {}, EventKind::CallAnswered {}];
        assert!(wrong(twice).contains("answered twice"));
        let lone = EventKind::RecordingFailed { recording, why: String::new() };
        assert!(wrong(vec![started(), lone]).contains("does not run"));
        let mut gap = log(vec![started(), ended()]);
        gap[1].sequence = 3;
        assert!(check_order(&gap)[0].0.contains("event 3 follows event 1"));
        let mut foreign = log(vec![started(), ended()]);
        foreign[1].tenant = TenantId::new("globex").unwrap();
        foreign[1].sequence = 1;
        assert!(check_order(&foreign)[0].0.contains("another tenant"));
        let mut back = log(vec![started(), ended()]);
        back[1].at = UnixTime::from_micros(0);
        assert!(check_order(&back)[0].0.contains("time goes back"));
    }
}
