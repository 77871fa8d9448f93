//! Nobody has a call of somebody else's who has not tried to take it over, and may.

use std::collections::BTreeMap;

use base::CallId;
use switch::{Event, EventKind};

use crate::checks::Complaint;
use crate::town::takeovers::Attempt;

/// Calls that changed hands, and by what right.
pub(in crate::town) fn check_takeovers(events: &[Event], attempts: &[Attempt]) -> Vec<Complaint> {
    let mut wrong = Vec::new();
    let mut ends: BTreeMap<CallId, usize> = BTreeMap::new();
    for (at, event) in events.iter().enumerate() {
        if let (Some(call), EventKind::CallEnded { .. }) = (event.call, &event.kind) {
            ends.insert(call, at);
        }
    }
    for (at, event) in events.iter().enumerate() {
        let EventKind::CallPickedUp { by, from } = &event.kind else { continue };
        let entitled =
            |attempt: &Attempt| attempt.entitles(&event.tenant, by.as_str(), from.as_str());
        let call = event.call.map(|call| call.to_string()).unwrap_or_default();
        if !attempts.iter().any(entitled) {
            wrong.push(Complaint(format!("{call}: {by} has the call of {from} by no right")));
        }
        if event.call.and_then(|call| ends.get(&call)).is_none_or(|end| *end < at) {
            wrong.push(Complaint(format!("{call}: taken over by {by}, and never ended after it")));
        }
    }
    wrong
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use base::{AgentId, TenantId, UnixTime};

    use super::*;
    use crate::town::checks::ended;
    use crate::town::takeovers::Named;

    fn tenant(name: &str) -> TenantId {
        TenantId::new(name).unwrap()
    }

    fn event(sequence: u64, kind: EventKind) -> Event {
        let at = UnixTime::from_micros(1);
        Event { tenant: tenant("acme"), sequence, call: Some(CallId::from_u128(1)), at, kind }
    }

    fn log(by: &str, from: &str) -> Vec<Event> {
        let agent = |name: &str| AgentId::new(name).unwrap();
        let taken = EventKind::CallPickedUp { by: agent(by), from: agent(from) };
        vec![event(1, taken), event(2, ended())]
    }

    fn attempt(by: &str, of: Option<(&str, &str, bool, bool)>) -> Attempt {
        let of = of.map(|(of, agent, is_referred, is_up)| Named {
            tenant: tenant(of),
            agent: agent.to_owned(),
            is_referred,
            is_up,
        });
        Attempt { tenant: tenant("acme"), by: by.to_owned(), of }
    }

    #[test]
    fn a_call_that_changes_hands_by_no_right_is_seen() {
        let wrong = |by: &str, from: &str, attempts: &[Attempt]| {
            !check_takeovers(&log(by, from), attempts).is_empty()
        };
        assert!(wrong("bobby", "alice", &[]), "nobody tried");
        assert!(!wrong("bobby", "alice", &[attempt("bobby", None)]), "by the code");
        assert!(wrong("zoltan", "alice", &[attempt("zoltan", None)]), "not in the group");
        assert!(wrong("bobby", "alice", &[attempt("tomas", None)]), "another one tried");
        let named =
            |by, is_referred, is_up| attempt(by, Some(("acme", "alice", is_referred, is_up)));
        assert!(!wrong("zoltan", "alice", &[named("zoltan", true, true)]), "sent by alice");
        assert!(wrong("zoltan", "alice", &[named("zoltan", false, false)]));
        assert!(wrong("bobby", "alice", &[named("bobby", false, true)]), "they talked");
        assert!(!wrong("bobby", "alice", &[named("bobby", false, false)]), "it rang");
        assert!(!wrong("alice", "alice", &[named("alice", false, true)]), "her other phone");
        let foreign = attempt("bobby", Some(("globex", "alice", true, false)));
        assert!(wrong("bobby", "alice", &[foreign]), "another tenant's alice");
    }

    #[test]
    fn a_call_that_was_taken_over_and_never_ends_is_seen() {
        let mut events = log("bobby", "alice");
        events.reverse();
        let wrong = check_takeovers(&events, &[attempt("bobby", None)]);
        assert!(wrong[0].0.contains("never ended after it"), "{wrong:?}");
    }
}
