//! The notifier's side of subscriptions (RFC 6665), and of REFER's (RFC 3515).
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by it")]

mod support;

use base::Instant;
use sip::header::Substate;
use sip::{
    Dialog, Message, Name, Request, Response, StatusCode, SubscribeError, Subscription,
    SubscriptionConfig, SubscriptionOutput, sipfrag,
};
use support::*;

fn subscribe(cseq: u32, tag: &str, lines: &str) -> Message {
    let text = peer_request("SUBSCRIBE", "z9hG4bK1", cseq, tag);
    Message::parse(text.replace("Max-F", &format!("{lines}Max-F")).into()).unwrap()
}

struct Notifier {
    machine: Subscription,
    dialog: Dialog,
    sent: Vec<(u64, Request)>,
    over: bool,
}

impl Notifier {
    fn new(lines: &str) -> (Self, Response) {
        let request = subscribe(1, "", &format!("Event: dialog\r\n{lines}"));
        let config = SubscriptionConfig::default();
        let (machine, response) =
            Subscription::new(at(0), &request, Substate::Active, config).unwrap();
        let dialog = Dialog::uas(&request, "mine", uri("sip:us@192.0.2.1")).unwrap();
        let mut notifier = Self { machine, dialog, sent: Vec::new(), over: false };
        notifier.drain(at(0));
        (notifier, response)
    }

    fn drain(&mut self, now: Instant) {
        while let Some(output) = self.machine.poll_output() {
            match output {
                SubscriptionOutput::Notify => {
                    let body = Some(("application/dialog-info+xml", "<x/>".to_owned()));
                    let request = self.machine.notify(now, &mut self.dialog, body).unwrap();
                    self.sent.push((now.since(Instant::ZERO).as_millis() as u64, request));
                }
                SubscriptionOutput::Over => self.over = true,
            }
        }
    }

    fn answered(&mut self, ms: u64, status: u16) {
        self.machine.on_response(at(ms), StatusCode::new(status));
        self.drain(at(ms));
    }

    fn changed(&mut self, ms: u64) {
        self.machine.change(at(ms));
        self.drain(at(ms));
    }

    fn run_to(&mut self, ms: u64) {
        while let Some(next) = self.machine.poll_timeout().filter(|next| *next <= at(ms)) {
            self.machine.handle_timeout(next);
            self.drain(next);
        }
    }

    fn times(&self) -> Vec<u64> {
        self.sent.iter().map(|(at, _)| *at).collect()
    }

    fn state(&self) -> &str {
        self.sent.last().unwrap().1.get(Name::SUBSCRIPTION_STATE).unwrap()
    }
}

#[test]
fn a_subscription_is_notified_at_once_then_of_changes_and_last_when_its_time_is_over() {
    let (mut notifier, response) = Notifier::new("Expires: 600\r\n");
    assert_eq!(response.get(Name::EXPIRES), Some("600"));
    let (_, first) = &notifier.sent[0];
    assert_eq!(first.get(Name::SUBSCRIPTION_STATE), Some("active;expires=600"));
    assert_eq!(first.get(Name::EVENT), Some("dialog"));
    assert_eq!(first.get(Name::CSEQ), Some("1 NOTIFY"));
    assert_eq!(first.get(Name::CONTACT), Some("<sip:us@192.0.2.1>"));
    notifier.answered(100, 200);
    notifier.changed(60_000);
    notifier.answered(60_100, 200);
    assert_eq!(notifier.state(), "active;expires=540");
    notifier.run_to(3_600_000);
    assert_eq!(notifier.times(), [0, 60_000, 600_000]);
    assert_eq!(notifier.state(), "terminated;reason=timeout");
    assert!(!notifier.over, "its last NOTIFY has no answer yet");
    notifier.answered(600_100, 200);
    assert!(notifier.over && notifier.machine.poll_timeout().is_none());
}

#[test]
fn many_changes_are_one_notify_a_second_and_none_while_one_waits_for_its_answer() {
    let (mut notifier, _) = Notifier::new("");
    for ms in 0..5_000 {
        notifier.changed(ms);
        notifier.run_to(ms);
    }
    assert_eq!(notifier.sent.len(), 1, "the first was not answered");
    notifier.answered(5_000, 200);
    for ms in 5_000..8_000 {
        notifier.changed(ms);
        notifier.run_to(ms);
        notifier.answered(ms, 200);
    }
    assert_eq!(notifier.times(), [0, 5_000, 6_000, 7_000]);
    notifier.run_to(10_000);
    assert_eq!(notifier.times().last(), Some(&8_000), "the last change is told too");
}

#[test]
fn a_refresh_gives_more_time_and_the_state_and_a_zero_ends_it() {
    let (mut notifier, _) = Notifier::new("Expires: 60\r\n");
    notifier.answered(10, 200);
    let more = subscribe(2, "mine", "Event: dialog\r\nExpires: 9999\r\n");
    let response = notifier.machine.on_subscribe(at(100), &more).unwrap();
    assert_eq!(response.get(Name::EXPIRES), Some("3600"), "no more than the most");
    notifier.drain(at(100));
    assert_eq!(notifier.times(), [0, 100]);
    notifier.answered(110, 200);
    let other = subscribe(3, "mine", "Event: presence\r\n");
    let refused = notifier.machine.on_subscribe(at(120), &other);
    assert_eq!(refused.map(|_| ()), Err(SubscribeError::Event));
    let zero = subscribe(4, "mine", "Event: dialog\r\nExpires: 0\r\n");
    notifier.machine.on_subscribe(at(200), &zero).unwrap();
    notifier.drain(at(200));
    assert_eq!(notifier.state(), "terminated;reason=timeout");
    let late = notifier.machine.on_subscribe(at(210), &more).unwrap_err();
    assert_eq!(late.response().status().as_u16(), 481);
    notifier.answered(220, 200);
    assert!(notifier.over);
}

#[test]
fn a_peer_that_knows_nothing_of_it_any_more_or_is_gone_ends_it_at_once() {
    for status in [481, 404, 503, 0] {
        let (mut notifier, _) = Notifier::new("");
        notifier.changed(10);
        notifier.answered(20, status);
        assert!(notifier.over, "{status}");
        notifier.changed(2_000);
        assert_eq!(notifier.sent.len(), 1);
    }
}

#[test]
fn fetching_once_too_little_time_and_no_event_are_as_the_rfc_has_them() {
    let (notifier, response) = Notifier::new("Expires: 0\r\n");
    assert_eq!(response.get(Name::EXPIRES), Some("0"));
    assert_eq!(notifier.sent.len(), 1);
    assert!(notifier.state().starts_with("terminated"));
    for (lines, status, least) in [
        ("Event: dialog\r\nExpires: 5\r\n", 423, Some("60")),
        ("", 489, None),
        ("Event: a b\r\n", 400, None),
        ("Event: dialog\r\nEvent: dialog\r\n", 400, None),
    ] {
        let config = SubscriptionConfig::default();
        let request = subscribe(1, "", lines);
        let error = Subscription::new(at(0), &request, Substate::Active, config).unwrap_err();
        assert_eq!(error.response().status().as_u16(), status, "{lines}");
        assert_eq!(error.response().get(Name::MIN_EXPIRES), least);
    }
}

#[test]
fn a_pending_subscription_becomes_active_or_is_rejected() {
    let request = subscribe(1, "", "Event: dialog\r\n");
    let config = SubscriptionConfig::default();
    let (mut machine, _) = Subscription::new(at(0), &request, Substate::Pending, config).unwrap();
    let mut dialog = Dialog::uas(&request, "mine", uri("sip:us@192.0.2.1")).unwrap();
    assert!(!machine.is_active());
    let first = machine.notify(at(0), &mut dialog, None).unwrap();
    assert!(first.get(Name::SUBSCRIPTION_STATE).unwrap().starts_with("pending;"));
    assert!(machine.notify(at(0), &mut dialog, None).is_none(), "one is enough");
    machine.on_response(at(1), Some(StatusCode::OK));
    machine.set_state(at(5_000), Substate::Terminated);
    let last = machine.notify(at(5_000), &mut dialog, None).unwrap();
    assert_eq!(last.get(Name::SUBSCRIPTION_STATE), Some("terminated;reason=rejected"));
}

#[test]
fn a_refer_is_told_how_far_its_call_is_in_the_dialog_it_came_in() {
    let text = peer_request("REFER", "z9hG4bK1", 12, "mine");
    let refer = Message::parse(text.into()).unwrap();
    let invite = Message::parse(peer_request("INVITE", "z9hG4bK0", 11, "").into()).unwrap();
    let mut dialog = Dialog::uas(&invite, "mine", uri("sip:us@192.0.2.1")).unwrap();
    for (first, event) in [(true, "refer"), (false, "refer;id=12")] {
        let mut machine = Subscription::of_refer(at(0), &refer, first).unwrap();
        let mut told = Vec::new();
        for status in [StatusCode::TRYING, StatusCode::RINGING, StatusCode::OK] {
            if status.is_final() {
                machine.end(at(4), "noresource", None);
            } else if status != StatusCode::TRYING {
                machine.change(at(4));
            }
            assert_eq!(machine.poll_output(), Some(SubscriptionOutput::Notify));
            let body = (sipfrag::CONTENT_TYPE, sipfrag::body(status));
            let notify = machine.notify(at(3), &mut dialog, Some(body)).unwrap();
            assert_eq!(notify.get(Name::EVENT), Some(event));
            told.push(notify.get(Name::SUBSCRIPTION_STATE).unwrap().to_owned());
            assert_eq!(sipfrag::status(notify.content()), Some(status));
            machine.on_response(at(4), Some(StatusCode::OK));
        }
        assert!(told[0].starts_with("active;expires="));
        assert_eq!(told[2], "terminated;reason=noresource");
        assert_eq!(machine.poll_output(), Some(SubscriptionOutput::Over));
    }
    assert_eq!(dialog.local_cseq(), 6, "NOTIFYs take their numbers from the call's dialog");
}
