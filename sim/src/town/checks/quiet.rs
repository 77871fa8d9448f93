//! A town in which everybody has hung up and all timers have run out: nothing is left over, each
//! call has ended once and has one record, and both ends of each agree that it did.

use std::collections::BTreeMap;

use base::{CallId, RecordingId, TenantId};
use phone::LineState;
use switch::{ApiReply, ApiRequest, CallRecord, Event, EventKind, Sizes};

use super::{Circumstances, check_order, check_takeovers, explain, open_dialogs};
use crate::checks::{Complaint, check_log};
use crate::town::{Role, Town};

impl Town {
    /// Calls that a desk still believes in, though the switch has ended all and the desk's way was
    /// never so bad that it missed the BYE for good.
    pub(in crate::town) fn check_agreement(&mut self) {
        let mut wrong = Vec::new();
        for place in self.places.iter().filter(|place| !place.was_cut) {
            for (line, state) in place.desk.lines() {
                if matches!(state, LineState::Up | LineState::Holding) {
                    wrong.push(format!("{} was not told that {line:?} is over", place.name));
                }
            }
        }
        for wrong in wrong {
            self.complain(wrong);
        }
    }

    /// All that must hold when everything is over.
    pub(in crate::town) fn check_quiet(&mut self) {
        self.check_presence();
        let mut wrong = check_order(&self.events);
        wrong.extend(check_log(&self.events));
        wrong.extend(check_takeovers(&self.events, &self.attempts));
        wrong.extend(check_accounts(&self.events, &self.records));
        for record in &self.records {
            let why = Circumstances {
                api: self.ended_by_api.contains(&record.call),
                drained: self.all_ended,
                trouble: self.is_troubled,
                media: self.has_bad_ports,
            };
            wrong.extend(explain(record, why));
        }
        wrong.extend(open_dialogs(&self.records));
        let sizes = self.switch.sizes();
        if sizes != Sizes::default() {
            wrong.push(Complaint(format!("left over: {sizes:?}")));
        }
        if self.studio.len() > 0 {
            wrong.push(Complaint(format!("{} media streams left over", self.studio.len())));
        }
        if !self.unanswered.is_empty() {
            let number = self.unanswered.len();
            wrong.push(Complaint(format!("{number} requests of the API were not answered")));
        }
        if !self.recordings.is_empty() {
            wrong.push(Complaint(format!("{} recordings go on", self.recordings.len())));
        }
        for place in &self.places {
            let (lines, open) = (place.desk.lines().count(), place.desk.transactions());
            // Carriers are asked whether they are there as long as the town stands.
            if lines > 0 || (place.role != Role::Carrier && open != (0, 0)) {
                let name = &place.name;
                let what = format!("{name} still has {lines} calls, {open:?} transactions");
                wrong.push(Complaint(what));
            }
        }
        for complaint in wrong {
            self.complain(complaint.0);
        }
        self.check_agents_gone();
    }

    /// Registrations that nobody refreshed are gone.
    fn check_agents_gone(&mut self) {
        for tenant in ["acme", "globex"].into_iter().filter_map(|name| TenantId::new(name).ok()) {
            let Some(ApiReply::Agents(agents)) = self.ask(&tenant, ApiRequest::Agents) else {
                continue;
            };
            for agent in agents.iter().filter(|agent| agent.reachable) {
                self.complain(format!("{} is still registered", agent.id));
            }
        }
    }
}

/// Each call started once, ended once, and has one record that says the same; each recording that
/// began has an outcome.
fn check_accounts(events: &[Event], records: &[CallRecord]) -> Vec<Complaint> {
    let mut wrong = Vec::new();
    let mut count: BTreeMap<CallId, (u32, u32, u32)> = BTreeMap::new();
    let mut open: BTreeMap<RecordingId, CallId> = BTreeMap::new();
    let mut connected: BTreeMap<CallId, bool> = BTreeMap::new();
    for event in events {
        let Some(call) = event.call else { continue };
        let counts = count.entry(call).or_default();
        match &event.kind {
            EventKind::CallStarted { .. } => counts.0 += 1,
            EventKind::CallConnected { .. } => {
                connected.insert(call, true);
            }
            EventKind::CallEnded { cause, ended_by, .. } => {
                counts.1 += 1;
                let same = |record: &CallRecord| {
                    record.call == call
                        && record.tenant == event.tenant
                        && (record.cause, record.ended_by) == (*cause, *ended_by)
                };
                if !records.iter().any(same) {
                    wrong.push(Complaint(format!("{call}: no record says what call.ended does")));
                }
            }
            EventKind::RecordingStarted { recording } => {
                open.insert(*recording, call);
            }
            EventKind::RecordingCompleted { recording, .. }
            | EventKind::RecordingFailed { recording, .. } => {
                open.remove(recording);
            }
            _ => {}
        }
    }
    for record in records {
        count.entry(record.call).or_default().2 += 1;
        if record.connected_at.is_some() != connected.contains_key(&record.call) {
            let call = record.call;
            wrong
                .push(Complaint(format!("{call}: its record and its events differ on connecting")));
        }
    }
    for (call, counts) in count.iter().filter(|(_, counts)| **counts != (1, 1, 1)) {
        wrong.push(Complaint(format!("{call}: started, ended, recorded {counts:?} times")));
    }
    for (recording, call) in open {
        wrong.push(Complaint(format!("{call}: nothing became of {recording}")));
    }
    wrong
}
