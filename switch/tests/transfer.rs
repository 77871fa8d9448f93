//! Transfers: REFER of an agent's phone, blind and attended, and through the API.

use base::CallId;
use media::Command;
use switch::{ApiError, ApiReply, ApiRequest, Cause};

use crate::rig::agent::Asked;
use crate::rig::{ALICE, BOB, Call, DEMO, Phone, Rig, SWITCH, TRUNK};

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
    let notify = rig.confirm(phone.at, "NOTIFY");
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
    rig.phone_answers(phone);
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

/// The lamp of an agent as a colleague sees it now, without staying subscribed.
fn lamp(rig: &mut Rig, of: &str) -> String {
    let watcher: std::net::SocketAddr = "127.0.0.13:5060".parse().unwrap();
    let mut asked = Asked::new(rig, watcher, sip::Method::Subscribe, of);
    asked.from = "<sip:bob@acme.example>".to_owned();
    asked.extra = "Event: dialog\r\nExpires: 0\r\n".to_owned();
    rig.ask_as(&mut asked, "bob", "bob-secret");
    let notify = rig.confirm(watcher, "NOTIFY");
    String::from_utf8(notify.body().to_vec()).unwrap()
}

#[test]
fn lamps_show_who_talks_with_whom_after_a_transfer() {
    let (mut rig, mut call, mut alice) = connected();
    refer(&mut rig, &mut alice, "<sip:bob@acme.example>");
    rig.expect(ALICE, "SIP/2.0 202");
    notified(&mut rig, &alice);
    let bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    let xml = lamp(&mut rig, "bob");
    assert!(xml.contains("recipient") && xml.contains("early") && xml.contains("+4930123456"));
    take(&mut rig, &bob);
    notified(&mut rig, &alice);
    rig.confirm_bye(ALICE);
    assert!(!lamp(&mut rig, "alice").contains("<dialog "), "she is out of it");
    let xml = lamp(&mut rig, "bob");
    assert!(xml.contains("recipient") && xml.contains("confirmed"), "{xml}");
    assert!(xml.contains("sip:+4930123456@"), "{xml}");
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(BOB);
    assert!(!lamp(&mut rig, "bob").contains("<dialog "));
    rig.advance_ms(3000);
    rig.finish();
}

/// Alice, who talks with a caller, calls Bob, and sends the caller to him while he rings.
fn sent_to_bob_who_rings(rig: &mut Rig, alice: &mut Phone) -> Phone {
    let mut second = rig.agent_dials(ALICE, "alice", "bob", "");
    let bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    rig.send(BOB, &bob.respond("180 Ringing", None));
    let ringing = rig.expect(ALICE, "SIP/2.0 180");
    second.to_tag = ringing.to_tag().unwrap().to_owned();
    let replaces = replacing(&second.call_id, &second.to_tag, &second.tag);
    refer(rig, alice, &replaces);
    let over = rig.expect(ALICE, "SIP/2.0 487");
    rig.send(ALICE, &second.ack(&over));
    rig.expect(ALICE, "SIP/2.0 202");
    bob
}

#[test]
fn an_attended_transfer_to_one_who_only_rings_lets_the_phone_ring_on() {
    let (mut rig, mut call, mut alice) = connected();
    let bob = sent_to_bob_who_rings(&mut rig, &mut alice);
    let (line, state) = notified(&mut rig, &alice);
    assert_eq!(line, "SIP/2.0 180 Ringing");
    assert!(state.starts_with("active"), "{state}");
    rig.expect_silence(BOB);
    rig.phone_answers(&bob);
    assert_eq!(notified(&mut rig, &alice).0, "SIP/2.0 200 OK");
    rig.confirm_bye(ALICE);
    let streams = rig.streams();
    assert_eq!(last_bridge(&rig), (streams[0], streams[3]), "the caller and Bob");
    assert_eq!(rig.count(BOB, "INVITE"), 1, "his phone was not rung anew");
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(BOB);
    rig.advance_ms(3000);
    let causes: Vec<Cause> = rig.records.iter().map(|record| record.cause).collect();
    assert_eq!(causes, [Cause::Transferred, Cause::Normal]);
    assert_eq!(rig.records[1].agent.as_ref().unwrap().as_str(), "bob");
    rig.finish();
}

#[test]
fn one_who_only_rings_and_then_refuses_gives_the_agent_the_caller_back() {
    let (mut rig, mut call, mut alice) = connected();
    let before = last_bridge(&rig);
    let bob = sent_to_bob_who_rings(&mut rig, &mut alice);
    notified(&mut rig, &alice);
    // He does not answer for as long as a direct call rings.
    rig.advance_ms(60_000);
    rig.confirm_cancel(&bob);
    assert_eq!(notified(&mut rig, &alice).0, "SIP/2.0 480 Temporarily Unavailable");
    assert_eq!(last_bridge(&rig), before);
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    rig.advance_ms(3000);
    rig.finish();
}

#[test]
fn a_consultation_with_a_queue_sends_the_caller_to_that_queue() {
    let (mut rig, mut call, mut alice) = connected();
    // Bob is away: Alice waits in the queue herself.
    let asked = ApiRequest::SetDoNotDisturb { agent: "bob".parse().unwrap(), on: true };
    rig.request("acme", asked).unwrap();
    let mut second = rig.agent_dials(ALICE, "alice", "support", "");
    let ok = rig.expect_final(ALICE);
    rig.agent_acks(&mut second, &ok);
    let replaces = replacing(&second.call_id, &second.to_tag, &second.tag);
    refer(&mut rig, &mut alice, &replaces);
    rig.confirm_bye(ALICE);
    rig.expect(ALICE, "SIP/2.0 202");
    assert_eq!(notified(&mut rig, &alice).0, "SIP/2.0 100 Trying");
    assert_eq!(notified(&mut rig, &alice).0, "SIP/2.0 200 OK");
    rig.confirm_bye(ALICE);
    let asked = ApiRequest::SetDoNotDisturb { agent: "bob".parse().unwrap(), on: false };
    rig.request("acme", asked).unwrap();
    let bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    take(&mut rig, &bob);
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(BOB);
    rig.advance_ms(3000);
    rig.finish();
}

#[test]
fn a_direct_call_that_nobody_takes_comes_back_to_the_one_who_sent_it_on_and_left() {
    let dave: std::net::SocketAddr = "127.0.0.14:5060".parse().unwrap();
    let provisioning = DEMO
        .replace("agents = [\n", "agents = [\n{ id = \"dave\", password = \"dave-secret\" },\n");
    let mut rig = Rig::with(&provisioning);
    rig.register_both();
    let mut first = rig.agent_dials(dave, "dave", "alice", "");
    let mut alice = Phone::new(ALICE, rig.expect(ALICE, "INVITE"));
    take(&mut rig, &alice);
    let ok = rig.expect_final(dave);
    rig.agent_acks(&mut first, &ok);
    refer(&mut rig, &mut alice, "<sip:bob@acme.example>");
    rig.expect(ALICE, "SIP/2.0 202");
    notified(&mut rig, &alice);
    let bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    let bye = alice.next("BYE", None);
    rig.send(ALICE, &bye);
    rig.expect(ALICE, "SIP/2.0 200");
    rig.send(BOB, &bob.respond("486 Busy Here", None));
    rig.expect(BOB, "ACK");
    // Alice's phone rings again, and shows who it is.
    let back = Phone::new(ALICE, rig.expect(ALICE, "INVITE"));
    assert!(back.invite.header(sip::Name::FROM).unwrap().contains("dave"));
    take(&mut rig, &back);
    rig.expect_silence(dave);
    rig.agent_hangs_up(&mut first, "");
    rig.confirm_bye(ALICE);
    rig.advance_ms(3000);
    assert_eq!(rig.record().cause, Cause::Normal);
    rig.finish();
}

#[test]
fn a_caller_who_hangs_up_while_the_new_one_rings_ends_the_transfer_and_the_ringing() {
    let (mut rig, mut call, mut alice) = connected();
    refer(&mut rig, &mut alice, "<sip:bob@acme.example>");
    rig.expect(ALICE, "SIP/2.0 202");
    notified(&mut rig, &alice);
    let bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    rig.send(BOB, &bob.respond("180 Ringing", None));
    rig.caller_hangs_up(&mut call);
    let (line, state) = notified(&mut rig, &alice);
    assert_eq!(line, "SIP/2.0 487 Request Terminated");
    assert!(state.starts_with("terminated"), "{state}");
    rig.confirm_bye(ALICE);
    rig.confirm_cancel(&bob);
    rig.advance_ms(3000);
    assert_eq!(rig.events_of("call.transfer_failed").len(), 1);
    rig.finish();
}

#[test]
fn a_call_is_sent_on_32_times_and_not_once_more() {
    let (mut rig, mut call, mut phone) = connected();
    for n in 0..32 {
        let (from, to, name) = if n % 2 == 0 { (ALICE, BOB, "bob") } else { (BOB, ALICE, "alice") };
        refer(&mut rig, &mut phone, &format!("<sip:{name}@acme.example>"));
        rig.expect(from, "SIP/2.0 202");
        notified(&mut rig, &phone);
        let mut next = Phone::new(to, rig.expect(to, "INVITE"));
        next.cseq += 10 * (n + 1);
        take(&mut rig, &next);
        notified(&mut rig, &phone);
        rig.confirm_bye(from);
        phone = next;
    }
    refer(&mut rig, &mut phone, "<sip:bob@acme.example>");
    rig.expect(ALICE, "SIP/2.0 482");
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    rig.advance_ms(3000);
    assert_eq!(rig.record().recordings.len(), 33, "one for each conversation");
    rig.finish();
}

#[test]
fn a_phone_that_wants_no_notify_gets_none() {
    let (mut rig, mut call, mut alice) = connected();
    let text = alice.next("REFER", None).replace(
        "Content-Length: 0",
        "Refer-To: <sip:bob@acme.example>\r\nRefer-Sub: false\r\nContent-Length: 0",
    );
    rig.send(ALICE, &text);
    let taken = rig.expect(ALICE, "SIP/2.0 202");
    assert_eq!(taken.header(sip::Name::new("Refer-Sub")), Some("false"));
    let bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    take(&mut rig, &bob);
    rig.confirm_bye(ALICE);
    assert_eq!(rig.count(ALICE, "NOTIFY"), 0);
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(BOB);
    rig.finish();
}
