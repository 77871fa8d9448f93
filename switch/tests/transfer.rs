//! Transfers: REFER of an agent's phone, blind and attended, and through the API.

use base::CallId;
use media::Command;
use switch::{ApiError, ApiReply, ApiRequest};

use crate::rig::agent::Asked;
use crate::rig::{ALICE, BOB, Call, Phone, Rig, SDP_PCMU, SWITCH, TRUNK, answer};

/// A caller talks with Alice; Bob is there.
fn connected() -> (Rig, Call, Phone) {
    let mut rig = Rig::new();
    rig.register_both();
    let (call, phone) = rig.connect_alice();
    (rig, call, phone)
}

/// Alice's phone sends the caller on.
fn refer(rig: &mut Rig, phone: &mut Phone, target: &str) {
    let refer = phone.next("REFER", None).replace(
        "Content-Length: 0",
        &format!(
            "Refer-To: {target}\r\nReferred-By: <sip:alice@acme.example>\r\nContent-Length: 0"
        ),
    );
    rig.send(phone.at, &refer);
}

/// The next NOTIFY's status line, answered.
fn notified(rig: &mut Rig, phone: &Phone) -> (String, String) {
    let notify = rig.expect(phone.at, "NOTIFY");
    rig.send(phone.at, &answer(&notify, phone.at, "200 OK", "", None));
    let state = notify.header(sip::Name::SUBSCRIPTION_STATE).unwrap().to_owned();
    (String::from_utf8(notify.body().to_vec()).unwrap().trim().to_owned(), state)
}

/// Which streams were bridged last.
fn last_bridge(rig: &Rig) -> (media::StreamId, media::StreamId) {
    let bridged = rig.commands.iter().rev().find_map(|command| match command {
        Command::Bridge { a, b } => Some((*a, *b)),
        _ => None,
    });
    bridged.unwrap()
}

fn take(rig: &mut Rig, phone: &Phone) {
    let ringing = phone.respond("180 Ringing", None);
    rig.send(phone.at, &ringing);
    let ok = phone.respond("200 OK", Some(SDP_PCMU));
    rig.send(phone.at, &ok);
    rig.expect(phone.at, "ACK");
}

#[test]
fn a_blind_transfer_rings_the_other_agent_and_lets_the_first_one_go() {
    let (mut rig, mut call, mut alice) = connected();
    refer(&mut rig, &mut alice, "<sip:bob@acme.example>");
    rig.expect(ALICE, "SIP/2.0 202");
    let (line, state) = notified(&mut rig, &alice);
    assert_eq!(line, "SIP/2.0 100 Trying");
    assert!(state.starts_with("active"), "{state}");
    let plays = rig.last_play().unwrap().0;
    assert_eq!(plays, rig.streams()[0], "the caller hears music");

    let bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    assert!(bob.invite.header(sip::Name::FROM).unwrap().contains("+4930123456"));
    take(&mut rig, &bob);
    let (line, state) = notified(&mut rig, &alice);
    assert_eq!(line, "SIP/2.0 200 OK");
    assert!(state.starts_with("terminated"), "{state}");
    rig.confirm_bye(ALICE);
    let streams = rig.streams();
    assert_eq!(last_bridge(&rig), (streams[0], streams[2]));
    rig.expect_silence(TRUNK);

    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(BOB);
    rig.advance_ms(3000);
    let story = rig.story(rig.last_call());
    let has = |kind: &str| story.contains(&kind);
    assert!(has("call.transfer_started") && has("call.transferred"), "{story:?}");
    assert_eq!(rig.record().agent.as_ref().unwrap().as_str(), "bob");
    assert_eq!(rig.record().legs.len(), 3);
    rig.finish();
}

#[test]
fn when_the_other_agent_refuses_the_first_one_has_the_caller_back() {
    let (mut rig, mut call, mut alice) = connected();
    let before = last_bridge(&rig);
    refer(&mut rig, &mut alice, "<sip:bob@acme.example>");
    rig.expect(ALICE, "SIP/2.0 202");
    notified(&mut rig, &alice);
    let bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    let busy = bob.respond("486 Busy Here", None);
    rig.send(BOB, &busy);
    rig.expect(BOB, "ACK");
    let (line, state) = notified(&mut rig, &alice);
    assert_eq!(line, "SIP/2.0 486 Busy Here");
    assert!(state.starts_with("terminated"), "{state}");
    assert_eq!(last_bridge(&rig), before);
    rig.expect_silence(ALICE);

    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    rig.advance_ms(3000);
    assert!(rig.story(rig.last_call()).contains(&"call.transfer_failed"));
    assert_eq!(rig.record().agent.as_ref().unwrap().as_str(), "alice");
    rig.finish();
}

#[test]
fn a_transferor_who_hangs_up_at_once_loses_nobody() {
    let (mut rig, _, mut alice) = connected();
    refer(&mut rig, &mut alice, "<sip:bob@acme.example>");
    rig.expect(ALICE, "SIP/2.0 202");
    notified(&mut rig, &alice);
    let bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    let bye = alice.next("BYE", None);
    rig.send(ALICE, &bye);
    rig.expect(ALICE, "SIP/2.0 200");
    rig.expect_silence(TRUNK);
    let decline = bob.respond("603 Decline", None);
    rig.send(BOB, &decline);
    rig.expect(BOB, "ACK");
    // Back in the queue it came from; nobody is lost because two agents were in a hurry.
    rig.expect_silence(TRUNK);
    let story = rig.story(rig.last_call());
    let queued = story.iter().filter(|kind| **kind == "call.queued").count();
    assert_eq!(queued, 2, "{story:?}");
}

#[test]
fn a_transfer_to_the_queue_itself_is_done_at_once() {
    let (mut rig, mut call, mut alice) = connected();
    refer(&mut rig, &mut alice, "<sip:+15550101@acme.example>");
    rig.expect(ALICE, "SIP/2.0 202");
    assert_eq!(notified(&mut rig, &alice).0, "SIP/2.0 100 Trying");
    assert_eq!(notified(&mut rig, &alice).0, "SIP/2.0 200 OK");
    rig.confirm_bye(ALICE);
    let bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    take(&mut rig, &bob);
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(BOB);
    rig.advance_ms(3000);
    assert_eq!(rig.record().queue.as_ref().unwrap().as_str(), "support");
    rig.finish();
}

#[test]
fn a_carrier_may_not_send_our_calls_elsewhere_and_foreign_hosts_are_none_of_ours() {
    let (mut rig, mut call, mut alice) = connected();
    let text = call
        .next("REFER", None)
        .replace("Content-Length: 0", "Refer-To: <sip:bob@acme.example>\r\nContent-Length: 0");
    rig.send(TRUNK, &text);
    rig.expect(TRUNK, "SIP/2.0 403");
    refer(&mut rig, &mut alice, "<sip:mallory@evil.example>");
    rig.expect(ALICE, "SIP/2.0 403");
    refer(&mut rig, &mut alice, "<sip:nobody@acme.example>");
    rig.expect(ALICE, "SIP/2.0 404");
    refer(&mut rig, &mut alice, "nonsense <");
    rig.expect(ALICE, "SIP/2.0 400");
    rig.expect_silence(BOB);
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    rig.finish();
}

/// Alice, who talks with a caller, calls Bob beside it; Bob answers. Gives her second dialog.
fn consult(rig: &mut Rig) -> Asked {
    let mut second = rig.agent_dials(ALICE, "alice", "bob", "");
    let bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    take(rig, &bob);
    let ok = rig.expect_final(ALICE);
    rig.agent_acks(&mut second, &ok);
    second
}

/// The Refer-To that names a dialog of Alice's.
fn replacing(call_id: &str, to_tag: &str, from_tag: &str) -> String {
    let call_id = call_id.replace('@', "%40");
    format!("<sip:bob@{SWITCH}?Replaces={call_id}%3Bto-tag%3D{to_tag}%3Bfrom-tag%3D{from_tag}>")
}

#[test]
fn an_attended_transfer_joins_the_far_sides_of_two_calls() {
    let (mut rig, mut call, mut alice) = connected();
    let second = consult(&mut rig);
    let replaces = replacing(&second.call_id, &second.to_tag, &second.tag);
    refer(&mut rig, &mut alice, &replaces);
    rig.expect(ALICE, "SIP/2.0 202");
    rig.confirm_bye(ALICE);
    assert_eq!(notified(&mut rig, &alice).0, "SIP/2.0 200 OK");
    rig.confirm_bye(ALICE);
    rig.expect_silence(BOB);
    rig.expect_silence(TRUNK);
    let streams = rig.streams();
    assert_eq!(last_bridge(&rig), (streams[0], streams[3]), "the caller and Bob");

    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(BOB);
    rig.advance_ms(3000);
    rig.finish();
}

#[test]
fn a_replaces_that_names_no_dialog_of_the_agents_own_joins_nothing() {
    let (mut rig, mut call, mut alice) = connected();
    let theirs = replacing(&call.call_id, &call.to_tag, &call.from_tag);
    refer(&mut rig, &mut alice, &theirs);
    rig.expect(ALICE, "SIP/2.0 603");
    refer(&mut rig, &mut alice, &replacing("x", "1", "2"));
    rig.expect(ALICE, "SIP/2.0 481");
    rig.expect_silence(TRUNK);
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    rig.finish();
}

fn ask(rig: &mut Rig, call: CallId, to: &str) -> Result<ApiReply, ApiError> {
    rig.request("acme", ApiRequest::Transfer { call, to: to.to_owned() })
}

#[test]
fn the_api_sends_the_customer_on_and_another_tenant_finds_no_call() {
    let (mut rig, mut call, _) = connected();
    let id = rig.last_call();
    let other = rig.request("globex", ApiRequest::Transfer { call: id, to: "gina".to_owned() });
    assert!(matches!(other, Err(ApiError::NotFound)), "{other:?}");
    assert!(matches!(ask(&mut rig, id, "nobody"), Err(ApiError::Refused { .. })));
    assert!(matches!(ask(&mut rig, id, "bob"), Ok(ApiReply::Accepted)));
    assert!(matches!(ask(&mut rig, id, "bob"), Err(ApiError::Conflict(_))), "one at a time");
    let bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    take(&mut rig, &bob);
    rig.confirm_bye(ALICE);
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(BOB);
    rig.advance_ms(3000);
    rig.finish();
}

#[test]
fn a_queues_agent_who_stays_when_the_caller_is_sent_on_stays_busy() {
    let mut rig = Rig::with(
        &crate::rig::DEMO
            .replace("needs = [\"billing\"]", "needs = [\"billing\"]\nextension = \"30\""),
    );
    rig.register_both();
    // Alice calls the queue in which Bob is, then sends him on.
    let mut asked = rig.agent_dials(ALICE, "alice", "30", "");
    let bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    let ok = rig.expect_final(ALICE);
    rig.agent_acks(&mut asked, &ok);
    take(&mut rig, &bob);
    let state = |rig: &mut Rig, name: &str| {
        let Ok(ApiReply::Agents(agents)) = rig.request("acme", ApiRequest::Agents) else {
            panic!("agents")
        };
        agents.into_iter().find(|agent| agent.id.as_str() == name).unwrap().state
    };
    assert_eq!(state(&mut rig, "bob"), routing::AgentState::Busy);
    let call = rig.last_call();
    asked.cseq += 1;
    let mut refer = asked.clone();
    (refer.method, refer.body) = (sip::Method::Refer, None);
    refer.extra = "Refer-To: <sip:+15550103@acme.example>\r\n".to_owned();
    rig.send(ALICE, &refer.text(None));
    rig.expect(ALICE, "SIP/2.0 202");
    // He waits in a queue of his own now, busy with that call.
    assert_eq!(state(&mut rig, "bob"), routing::AgentState::Busy);
    rig.request("acme", ApiRequest::EndCall { call }).unwrap();
    assert_ne!(state(&mut rig, "bob"), routing::AgentState::Busy);
}

#[test]
fn a_call_that_was_sent_on_and_left_is_nobodys_until_somebody_takes_it() {
    let (mut rig, _, mut alice) = connected();
    refer(&mut rig, &mut alice, "<sip:bob@acme.example>");
    rig.expect(ALICE, "SIP/2.0 202");
    rig.expect(BOB, "INVITE");
    let bye = alice.next("BYE", None);
    rig.send(ALICE, &bye);
    let Ok(ApiReply::Calls(calls)) = rig.request("acme", ApiRequest::ListLive) else {
        panic!("calls")
    };
    assert_eq!((calls[0].state, calls[0].agent.clone()), (switch::LiveState::Ringing, None));
}
