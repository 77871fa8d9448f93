//! Subscriptions: the lamp beside a colleague's name, the lamp of one's own mailbox; within a
//! tenant, for a time, and only for agents who have proven who they are.

use base::Duration;
use sip::{Message, Method};
use switch::{ApiRequest, Input, Waiting};

use crate::rig::{
    ALICE, Asked, BOB, DEMO, Phone, Rig, SDP_PCMU, STRANGER, answer, header, own_uri,
};

/// Bob's phone subscribes to that of Alice; the rest is up to the test.
fn subscribe(rig: &mut Rig, to: &str, package: &str) -> (Asked, Message) {
    let mut asked = Asked::new(rig, BOB, Method::Subscribe, to);
    asked.from = "<sip:bob@acme.example>".to_owned();
    asked.extra = format!("Event: {package}\r\nExpires: 600\r\n");
    let answered = rig.ask_as(&mut asked, "bob", "bob-secret");
    (asked, answered)
}

/// The next NOTIFY to a phone, confirmed; gives its body.
#[track_caller]
fn notified(rig: &mut Rig, at: std::net::SocketAddr) -> (Message, String) {
    let notify = rig.confirm(at, "NOTIFY");
    let body = String::from_utf8(notify.body().to_vec()).unwrap();
    (notify, body)
}

/// Ends the subscription, so that nothing is left.
fn unsubscribe(rig: &mut Rig, mut asked: Asked, ok: &Message) {
    asked.to_tag = ok.to_tag().unwrap().to_owned();
    asked.cseq += 1;
    asked.uri = own_uri();
    asked.extra = asked.extra.replace("Expires: 600", "Expires: 0");
    let text = asked.text(None);
    rig.send(asked.at, &text);
    let ok = rig.expect(asked.at, "SIP/2.0 200");
    assert_eq!(header(&ok, "Expires"), "0");
    let (last, _) = notified(rig, asked.at);
    assert_eq!(header(&last, "Subscription-State"), "terminated;reason=timeout");
}

#[test]
fn the_lamp_of_a_colleague_goes_from_dark_to_ringing_to_talking_to_dark() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let (asked, ok) = subscribe(&mut rig, "alice", "dialog");
    assert_eq!((ok.status().unwrap().as_u16(), &*header(&ok, "Expires")), (200, "600"));
    let (notify, body) = notified(&mut rig, BOB);
    assert_eq!(header(&notify, "Event"), "dialog");
    assert_eq!(header(&notify, "Subscription-State"), "active;expires=600");
    assert_eq!(header(&notify, "Content-Type"), "application/dialog-info+xml");
    assert!(notify.contact().unwrap().is_some());
    assert!(body.contains("version=\"0\" state=\"full\" entity=\"sip:alice@acme.example\""));
    assert!(!body.contains("<dialog "));

    let (mut call, phone) = rig.ring_alice();
    let (_, body) = notified(&mut rig, BOB);
    assert!(body.contains("direction=\"recipient\"") && body.contains("<state>early</state>"));
    assert!(body.contains("version=\"1\"") && body.contains("sip:+4930123456@acme.example"));
    assert!(!body.contains(phone.invite.call_id()), "nothing to take the dialog over with");
    rig.expect_silence(BOB);
    let ok_of_alice = phone.respond("200 OK", Some(SDP_PCMU));
    rig.send(ALICE, &ok_of_alice);
    let (_, body) = notified(&mut rig, BOB);
    assert!(body.contains("<state>confirmed</state>") && body.contains("version=\"2\""));
    rig.expect(ALICE, "ACK");
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    let (_, body) = notified(&mut rig, BOB);
    assert!(body.contains("<state>terminated</state>"), "told once");
    rig.expect_silence(BOB);
    unsubscribe(&mut rig, asked, &ok);
    rig.finish();
}

#[test]
fn a_slow_phone_gets_the_newest_state_and_not_a_queue() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let (asked, ok) = subscribe(&mut rig, "alice", "dialog");
    let first = rig.expect(BOB, "NOTIFY");
    let (mut call, _phone) = rig.connect_alice();
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    assert_eq!(rig.count(BOB, "NOTIFY"), 1, "one at a time");
    rig.send(BOB, &answer(&first, BOB, "200 OK", "", None));
    let (_, body) = notified(&mut rig, BOB);
    assert!(body.contains("version=\"1\"") && !body.contains("<dialog "));
    unsubscribe(&mut rig, asked, &ok);
    rig.finish();
}

#[test]
fn a_subscription_in_the_middle_of_a_call_begins_with_that_call() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let (mut call, _phone) = rig.connect_alice();
    let (asked, ok) = subscribe(&mut rig, "alice", "dialog");
    let (_, body) = notified(&mut rig, BOB);
    assert!(body.contains("<state>confirmed</state>"));
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    notified(&mut rig, BOB);
    unsubscribe(&mut rig, asked, &ok);
    rig.finish();
}

#[test]
fn a_subscription_that_is_not_refreshed_ends_with_a_last_notify() {
    let mut rig = Rig::new();
    let (_, _) = subscribe(&mut rig, "alice", "dialog");
    notified(&mut rig, BOB);
    assert!(rig.switch.sizes().subscriptions > 0);
    rig.advance(Duration::from_secs(600));
    let (last, _) = notified(&mut rig, BOB);
    assert_eq!(header(&last, "Subscription-State"), "terminated;reason=timeout");
    rig.finish();
}

#[test]
fn a_refreshed_subscription_goes_on_and_says_how_it_is() {
    let mut rig = Rig::new();
    let (mut asked, ok) = subscribe(&mut rig, "alice", "dialog");
    notified(&mut rig, BOB);
    rig.advance(Duration::from_secs(500));
    asked.to_tag = ok.to_tag().unwrap().to_owned();
    asked.cseq += 1;
    asked.uri = own_uri();
    let text = asked.text(None);
    rig.send(BOB, &text);
    rig.expect(BOB, "SIP/2.0 200");
    let (notify, _) = notified(&mut rig, BOB);
    assert_eq!(header(&notify, "Subscription-State"), "active;expires=600");
    rig.advance(Duration::from_secs(500));
    rig.expect_silence(BOB);
    unsubscribe(&mut rig, asked, &ok);
    rig.finish();
}

#[test]
fn a_watcher_that_knows_nothing_of_it_any_more_or_is_gone_is_forgotten() {
    for refusal in ["481 Subscription Does Not Exist", ""] {
        let mut rig = Rig::new();
        subscribe(&mut rig, "alice", "dialog");
        let notify = rig.expect(BOB, "NOTIFY");
        if refusal.is_empty() {
            rig.advance(Duration::from_secs(40));
        } else {
            rig.send(BOB, &answer(&notify, BOB, refusal, "", None));
        }
        assert_eq!(rig.switch.sizes().subscriptions, 0);
        rig.finish();
    }
}

#[test]
fn watchers_over_a_connection_go_with_it() {
    let mut rig = Rig::new();
    rig.tcp.push((BOB, 4));
    rig.register(BOB, "bob");
    let mut asked = Asked::new(&mut rig, BOB, Method::Subscribe, "alice");
    asked.from = "<sip:bob@acme.example>".to_owned();
    asked.extra = "Event: dialog\r\n".to_owned();
    let ok = rig.ask(&asked);
    assert_eq!(ok.status().unwrap().as_u16(), 200, "the live binding's connection is proof");
    notified(&mut rig, BOB);
    let flow = rig.flow(BOB);
    rig.input(Input::FlowClosed { flow });
    assert_eq!(rig.switch.sizes().subscriptions, 0);
    rig.finish();
}

#[test]
fn an_agent_who_is_removed_is_watched_no_more() {
    let mut rig = Rig::new();
    subscribe(&mut rig, "alice", "dialog");
    notified(&mut rig, BOB);
    let text: String =
        DEMO.lines().filter(|line| !line.contains("alice-secret")).collect::<Vec<_>>().join("\n");
    rig.provision(&text);
    let (last, body) = notified(&mut rig, BOB);
    assert_eq!(header(&last, "Subscription-State"), "terminated;reason=noresource");
    assert!(body.is_empty());
    rig.finish();
}

#[test]
fn the_mailbox_lamp_follows_what_the_api_says_and_is_its_owners_alone() {
    let mut rig = Rig::new();
    let (_, refused) = subscribe(&mut rig, "alice", "message-summary");
    assert_eq!(refused.status().unwrap().as_u16(), 403);
    let (asked, ok) = subscribe(&mut rig, "bob", "message-summary");
    let (notify, body) = notified(&mut rig, BOB);
    assert_eq!(header(&notify, "Content-Type"), "application/simple-message-summary");
    assert!(body.starts_with("Messages-Waiting: no\r\nMessage-Account: sip:bob@acme.example\r\n"));
    let set = |new, old| ApiRequest::SetMessagesWaiting {
        agent: base::AgentId::new("bob").unwrap(),
        waiting: Waiting { new, old },
    };
    assert!(rig.request("globex", set(9, 9)).is_err(), "another tenant's agent");
    rig.request("acme", set(2, 8)).unwrap();
    let (_, body) = notified(&mut rig, BOB);
    assert!(body.contains("Messages-Waiting: yes") && body.contains("Voice-Message: 2/8 (0/0)"));
    rig.request("acme", set(0, 0)).unwrap();
    let (_, body) = notified(&mut rig, BOB);
    assert!(body.contains("Messages-Waiting: no"));
    unsubscribe(&mut rig, asked, &ok);
    rig.finish();
}

#[test]
fn nobody_watches_another_tenant_or_without_a_password() {
    let mut rig = Rig::new();
    let (_, unknown) = subscribe(&mut rig, "gina", "dialog");
    assert_eq!(unknown.status().unwrap().as_u16(), 404, "gina is globex's");
    let mut asked = Asked::new(&mut rig, BOB, Method::Subscribe, "gina");
    asked.from = "<sip:bob@acme.example>".to_owned();
    asked.extra = "Event: dialog\r\n".to_owned();
    // Nor is a name that both tenants might have taken for one's own colleague's.
    for elsewhere in ["sip:gina@globex.example", "sip:alice@globex.example"] {
        asked.uri = elsewhere.to_owned();
        asked.cseq += 1;
        let refused = rig.ask_as(&mut asked, "bob", "bob-secret");
        assert_eq!(refused.status().unwrap().as_u16(), 404, "{elsewhere}");
    }
    let mut asked = Asked::new(&mut rig, STRANGER, Method::Subscribe, "alice");
    asked.extra = "Event: dialog\r\n".to_owned();
    let refused = rig.ask_as(&mut asked, "alice", "guess");
    assert_eq!(refused.status().unwrap().as_u16(), 403);
    asked.from = "<sip:x@127.0.0.99>".to_owned();
    let refused = rig.ask(&asked);
    assert_eq!(refused.status().unwrap().as_u16(), 403);
    assert_eq!(rig.switch.sizes().subscriptions, 0);
    rig.finish();
}

#[test]
fn what_cannot_be_subscribed_to_is_489_and_too_short_a_time_423() {
    let mut rig = Rig::new();
    let (_, bad) = subscribe(&mut rig, "alice", "presence");
    assert_eq!(bad.status().unwrap().as_u16(), 489);
    assert_eq!(header(&bad, "Allow-Events"), "dialog, message-summary");
    let mut asked = Asked::new(&mut rig, BOB, Method::Subscribe, "alice");
    asked.from = "<sip:bob@acme.example>".to_owned();
    asked.extra = "Event: dialog\r\nExpires: 5\r\n".to_owned();
    let brief = rig.ask_as(&mut asked, "bob", "bob-secret");
    assert_eq!(brief.status().unwrap().as_u16(), 423);
    assert_eq!(header(&brief, "Min-Expires"), "60");
    let publish = Asked::new(&mut rig, STRANGER, Method::Publish, "alice");
    let refused = rig.ask(&publish);
    assert_eq!(refused.status().unwrap().as_u16(), 489);
    rig.finish();
}

#[test]
fn an_agent_has_at_most_200_subscriptions() {
    let mut rig = Rig::new();
    rig.tcp.push((BOB, 4));
    rig.register(BOB, "bob");
    let mut last = 0;
    for _ in 0..201 {
        let mut asked = Asked::new(&mut rig, BOB, Method::Subscribe, "alice");
        asked.from = "<sip:bob@acme.example>".to_owned();
        asked.extra = "Event: dialog\r\n".to_owned();
        last = rig.ask(&asked).status().unwrap().as_u16();
        if last == 200 {
            notified(&mut rig, BOB);
        }
    }
    assert_eq!(last, 503);
    let flow = rig.flow(BOB);
    rig.input(Input::FlowClosed { flow });
    rig.finish();
}

#[test]
fn a_ringing_lamp_is_seen_by_whoever_is_rung_too() {
    let mut rig = Rig::new();
    rig.register_both();
    let (asked, ok) = subscribe(&mut rig, "bob", "dialog");
    notified(&mut rig, BOB);
    let mut call = rig.dial_into_queue();
    let phone = Phone::new(ALICE, rig.expect(ALICE, "INVITE"));
    let busy = phone.respond("486 Busy Here", None);
    rig.send(ALICE, &busy);
    rig.expect(ALICE, "ACK");
    let (_, body) = notified(&mut rig, BOB);
    assert!(body.contains("<state>early</state>"));
    let invite = rig.expect(BOB, "INVITE");
    rig.send(BOB, &answer(&invite, BOB, "486 Busy Here", "y", None));
    rig.expect(BOB, "ACK");
    let (_, body) = notified(&mut rig, BOB);
    assert!(body.contains("<state>terminated</state>"));
    rig.caller_hangs_up(&mut call);
    unsubscribe(&mut rig, asked, &ok);
    rig.finish();
}

#[test]
fn an_agent_who_calls_is_shown_as_the_one_who_does() {
    let mut rig = Rig::new();
    rig.register(BOB, "bob");
    let (asked, ok) = subscribe(&mut rig, "alice", "dialog");
    notified(&mut rig, BOB);
    let mut call = Asked::new(&mut rig, ALICE, Method::Invite, "bob");
    call.body = Some(("application/sdp".to_owned(), SDP_PCMU.to_owned()));
    let text = call.text(None);
    rig.send(ALICE, &text);
    let challenged = rig.expect(ALICE, "SIP/2.0 407");
    let ack = call.ack(&challenged);
    rig.send(ALICE, &ack);
    let challenge = header(&challenged, "Proxy-Authenticate");
    let authorization = call.authorization(&challenge, "alice", "alice-secret");
    call.cseq += 1;
    let text = call.text(Some(&authorization));
    rig.send(ALICE, &text);
    let place = rig.wire.iter().position(|(flow, message)| {
        flow.remote == BOB && message.is_request() && message.method() == Method::Invite
    });
    let (_, invite) = rig.wire.remove(place.expect("bob rings")).unwrap();
    let (_, body) = notified(&mut rig, BOB);
    assert!(body.contains("direction=\"initiator\"") && body.contains("<state>early</state>"));
    rig.send(BOB, &answer(&invite, BOB, "486 Busy Here", "y", None));
    let refused = rig.expect_final(ALICE);
    let ack = call.ack(&refused);
    rig.send(ALICE, &ack);
    while rig.wire.iter().any(|(flow, message)| flow.remote == BOB && message.is_request()) {
        let (_, message) = rig.wire.pop_front().unwrap();
        if message.is_request() && message.method() == Method::Notify {
            rig.send(BOB, &answer(&message, BOB, "200 OK", "", None));
        }
    }
    unsubscribe(&mut rig, asked, &ok);
    rig.finish();
}
