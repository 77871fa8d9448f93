//! Each record tells one story: its times are in order, its cause is one that can be explained by
//! what was done to the call, and each of its dialogs was ended with a BYE.

use std::collections::{BTreeMap, BTreeSet};

use sip::{Message, Method, Transport};
use switch::{CallRecord, Cause, EndedBy};

use crate::checks::Complaint;

/// What was done to a call that may explain its end.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::town) struct Circumstances {
    /// The API was asked to end it.
    pub(in crate::town) api: bool,
    /// The switch was told to end all calls.
    pub(in crate::town) drained: bool,
    /// Somebody's way was cut for a time, or lossy.
    pub(in crate::town) trouble: bool,
    /// Media ports could not be opened.
    pub(in crate::town) media: bool,
}

/// What cannot be explained.
pub(in crate::town) fn explain(record: &CallRecord, why: Circumstances) -> Vec<Complaint> {
    let mut wrong: Vec<String> = Vec::new();
    let times =
        [Some(record.started_at), record.answered_at, record.connected_at, Some(record.ended_at)];
    if !times.iter().flatten().is_sorted() {
        wrong.push(format!("its times are not in order: {times:?}"));
    }
    if record.talk.is_some() != record.connected_at.is_some() {
        wrong.push("it was talked on and never connected, or the other way round".to_owned());
    }
    if record.recording.is_some() && record.connected_at.is_none() {
        wrong.push("a recording of nobody".to_owned());
    }
    let (cause, by) = (record.cause, record.ended_by);
    let explained = match cause {
        Cause::InternalError | Cause::EngineRestart => false,
        Cause::RateLimit => false,
        // Only one of the tenants has a limit that the town reaches.
        Cause::TenantLimit => record.tenant.as_str() == "globex",
        Cause::ApiRequest => why.api,
        Cause::Drained => why.drained,
        Cause::MediaFailed => why.media,
        Cause::MediaTimeout | Cause::Timeout | Cause::TransportFailed => why.trouble,
        // After a conversation too, for who was sent on into a queue.
        Cause::CallerAbandoned => by == EndedBy::Caller,
        _ => true,
    };
    if !explained {
        wrong.push(format!("{cause} by {by:?}: nothing explains that"));
    }
    if by == EndedBy::Api && !why.api {
        wrong.push("ended by the API, which was not asked to".to_owned());
    }
    if !why.media && record.legs.iter().any(|leg| leg.stats.is_none()) {
        wrong.push("a leg without figures".to_owned());
    }
    wrong.into_iter().map(|what| Complaint(format!("{}: {what}", record.call))).collect()
}

/// Dialogs that came about over datagrams and that nobody ended, in this call or in the one that
/// a transfer took them to.
pub(in crate::town) fn open_dialogs(records: &[CallRecord]) -> Vec<Complaint> {
    if records.iter().any(|record| record.ladder_cut > 0) {
        return Vec::new();
    }
    let mut begun: BTreeMap<String, String> = BTreeMap::new();
    let mut ended: BTreeSet<String> = BTreeSet::new();
    for entry in records.iter().flat_map(|record| &record.ladder) {
        let Ok(message) = Message::parse(entry.bytes.clone()) else { continue };
        let call_id = message.call_id().to_owned();
        if message.method() == Method::Bye {
            ended.insert(call_id);
        } else if message.method() == Method::Invite
            && message.status().is_some_and(sip::StatusCode::is_success)
            && entry.flow.transport == Transport::Udp
        {
            begun.insert(call_id, entry.flow.remote.to_string());
        }
    }
    begun.retain(|call_id, _| !ended.contains(call_id));
    let unended = |(call_id, peer): (String, String)| {
        Complaint(format!("nobody said BYE on the dialog {call_id} with {peer}"))
    };
    begun.into_iter().map(unended).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use base::{CallId, Duration, RecordingId, TenantId, UnixTime};
    use bytes::Bytes;
    use switch::{CallDirection, Direction, LadderEntry};

    use super::*;

    fn record() -> CallRecord {
        let at = UnixTime::from_micros;
        CallRecord {
            tenant: TenantId::new("acme").unwrap(),
            call: CallId::from_u128(1),
            direction: CallDirection::Inbound,
            trunk: None,
            number: None,
            queue: None,
            agent: None,
            from: String::new(),
            from_name: None,
            verstat: None,
            attestation: None,
            diversions: Vec::new(),
            to: String::new(),
            started_at: at(1),
            answered_at: Some(at(2)),
            connected_at: Some(at(3)),
            ended_at: at(4),
            duration: Duration::from_micros(3),
            wait: Duration::from_micros(2),
            talk: Some(Duration::from_micros(1)),
            cause: Cause::Normal,
            sip_status: 200,
            q850: 16,
            ended_by: EndedBy::Caller,
            reason: None,
            recording: None,
            recordings: Vec::new(),
            legs: Vec::new(),
            ladder: Vec::new(),
            ladder_cut: 0,
            decisions: Vec::new(),
            decisions_cut: 0,
        }
    }

    fn wrong(change: impl FnOnce(&mut CallRecord)) -> String {
        let mut record = record();
        change(&mut record);
        let all = explain(&record, Circumstances::default());
        all.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn what_cannot_be_explained_is_seen() {
        assert_eq!(wrong(|_| {}), "");
        assert!(wrong(|r| r.answered_at = Some(UnixTime::from_micros(9))).contains("in order"));
        assert!(wrong(|r| r.talk = None).contains("never connected"));
        assert!(wrong(|r| r.cause = Cause::InternalError).contains("nothing explains"));
        assert!(wrong(|r| r.cause = Cause::ApiRequest).contains("nothing explains"));
        assert!(wrong(|r| r.cause = Cause::Drained).contains("nothing explains"));
        assert!(wrong(|r| r.cause = Cause::MediaTimeout).contains("nothing explains"));
        let by_agent = |r: &mut CallRecord| {
            (r.cause, r.ended_by) = (Cause::CallerAbandoned, EndedBy::Agent);
        };
        assert!(wrong(by_agent).contains("nothing explains"));
        assert!(wrong(|r| r.ended_by = EndedBy::Api).contains("was not asked"));
        let lone = |r: &mut CallRecord| {
            (r.recording, r.connected_at, r.talk) = (Some(RecordingId::from_u128(1)), None, None);
        };
        assert!(wrong(lone).contains("recording of nobody"));
    }

    #[test]
    fn a_dialog_that_nobody_ended_is_seen() {
        let entry = |text: &str| LadderEntry {
            at: UnixTime::from_micros(1),
            direction: Direction::Out,
            flow: sip::Flow::udp(
                "192.0.2.1:5060".parse().unwrap(),
                "192.0.2.9:5060".parse().unwrap(),
            ),
            bytes: Bytes::copy_from_slice(text.as_bytes()),
        };
        let rest = "Via: SIP/2.0/UDP 192.0.2.9;branch=z9hG4bKa\r\nFrom: <sip:a@b>;tag=1\r\n\
                    To: <sip:c@d>;tag=2\r\nCall-ID: x\r\nContent-Length: 0\r\n";
        let ok = entry(&format!("SIP/2.0 200 OK\r\n{rest}CSeq: 1 INVITE\r\n\r\n"));
        let bye = entry(&format!("BYE sip:c@d SIP/2.0\r\n{rest}CSeq: 2 BYE\r\n\r\n"));
        let with = |ladder| CallRecord { ladder, ..record() };
        let open = open_dialogs(&[with(vec![ok.clone()])]);
        assert!(open[0].0.contains("nobody said BYE"), "{open:?}");
        assert_eq!(open_dialogs(&[with(vec![ok]), with(vec![bye])]), Vec::new());
    }
}
