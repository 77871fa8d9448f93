//! Calls taken over: a colleague's ringing call by INVITE with Replaces (RFC 3891) or by a code, a
//! conversation by its owner or by whom the owner sends. Nobody else gets anything.

use media::Command;
use sip::{Message, Method, Name};
use switch::{ApiError, ApiReply, ApiRequest, CallRecord, Cause, SecurityKind};

use crate::rig::{
    ALICE, Asked, BOB, Call, DEMO, Phone, Rig, SDP_PCMU, TRUNK, address, header, own_uri,
};

/// Where the phone of a colleague of another group is.
const DAVE: std::net::SocketAddr = address([127, 0, 0, 14], 5060);

/// Alice and Bob share a group; Dave is in none.
fn provisioning() -> String {
    let groups = |text: String, who: &str| {
        let (before, after) = (format!("password = \"{who}-secret\","), "pickup_groups = [\"x\"],");
        text.replace(&before, &format!("{before} {after}"))
    };
    let text = groups(groups(DEMO.to_owned(), "alice"), "bob");
    text.replace(
        "domain = \"acme.example\"",
        "domain = \"acme.example\"\npickup_code = \"*8\"\nhold_music = \"music\"",
    )
    .replace("agents = [\n", "agents = [\n{ id = \"dave\", password = \"dave-secret\" },\n")
}

/// A caller waits and Alice's phone rings; Bob and Dave look on.
fn ringing() -> (Rig, Call, Phone) {
    let mut rig = Rig::with(&provisioning());
    rig.register(ALICE, "alice");
    rig.register(DAVE, "dave");
    let (call, phone) = rig.ring_alice();
    (rig, call, phone)
}

/// They talk.
fn talking() -> (Rig, Call, Phone) {
    let (mut rig, call, phone) = ringing();
    rig.phone_answers(&phone);
    (rig, call, phone)
}

/// The Replaces that names the dialog of a phone that the switch called.
fn of_phone(phone: &Phone) -> String {
    let from = phone.invite.from_tag().unwrap();
    format!("Replaces: {};to-tag={from};from-tag={}", phone.invite.call_id(), phone.tag)
}

/// An agent's INVITE with further lines, and its final response.
#[track_caller]
fn invite(
    rig: &mut Rig,
    (at, user): (std::net::SocketAddr, &str),
    to: &str,
    extra: &str,
) -> (Asked, Message) {
    let end = if extra.is_empty() { "" } else { "\r\n" };
    let asked = rig.agent_dials(at, user, to, &format!("{extra}{end}"));
    let answered = rig.expect_final(at);
    if !answered.status().unwrap().is_success() {
        rig.send(at, &asked.ack(&answered));
    }
    (asked, answered)
}

/// The same, refused with that status.
#[track_caller]
fn refused(rig: &mut Rig, who: (std::net::SocketAddr, &str), extra: &str, status: u16) {
    let (_, answered) = invite(rig, who, "alice", extra);
    assert_eq!(answered.status().unwrap().as_u16(), status);
}

fn last_bridge(rig: &Rig) -> (media::StreamId, media::StreamId) {
    let bridged = rig.commands.iter().rev().find_map(|command| match command {
        Command::Bridge { a, b } => Some((*a, *b)),
        _ => None,
    });
    bridged.unwrap()
}

fn record_of(rig: &Rig, cause: Cause) -> &CallRecord {
    rig.records.iter().find(|record| record.cause == cause).unwrap()
}

fn agent_is(rig: &mut Rig, agent: &str) -> (String, usize) {
    let Ok(ApiReply::Agents(all)) = rig.request("acme", ApiRequest::Agents) else { panic!() };
    let found = all.iter().find(|known| known.id.as_str() == agent).unwrap();
    (found.state.as_str().to_owned(), found.direct_calls.len())
}

#[test]
fn a_colleague_picks_a_queues_call_up_with_what_the_lamp_says() {
    let (mut rig, mut call, alice) = ringing();
    let mut lamp = Asked::new(&mut rig, BOB, Method::Subscribe, "alice");
    lamp.from = "<sip:bob@acme.example>".to_owned();
    lamp.extra = "Event: dialog\r\nExpires: 0\r\n".to_owned();
    rig.ask_as(&mut lamp, "bob", "bob-secret");
    let notify = rig.confirm(BOB, "NOTIFY");
    let xml = String::from_utf8(notify.body().to_vec()).unwrap();
    let part = |name: &str| {
        let (_, rest) = xml.split_once(&format!("{name}=\"")).unwrap();
        rest.split('"').next().unwrap().to_owned()
    };
    let (call_id, local, remote) = (part("call-id"), part("local-tag"), part("remote-tag"));
    assert_eq!((&*call_id, &*local), (alice.invite.call_id(), &*alice.tag));

    rig.advance_ms(5000);
    let replaces = format!(
        "Replaces: {call_id};to-tag={local};from-tag={remote};early-only\r\nRequire: replaces"
    );
    let (mut bob, ok) = invite(&mut rig, (BOB, "bob"), "alice", &replaces);
    assert_eq!(ok.status().unwrap().as_u16(), 200);
    rig.agent_acks(&mut bob, &ok);
    rig.confirm_cancel(&alice);
    let streams = rig.streams();
    assert_eq!(last_bridge(&rig), (streams[0], streams[2]), "the caller and Bob");
    rig.expect_silence(TRUNK);
    assert_eq!(agent_is(&mut rig, "alice"), ("available".to_owned(), 0));
    assert_eq!(agent_is(&mut rig, "bob").1, 1);
    let Ok(ApiReply::Queues(queues)) = rig.request("acme", ApiRequest::Queues) else { panic!() };
    let sales = queues.iter().find(|queue| queue.id.as_str() == "sales").unwrap();
    assert_eq!((sales.waiting, sales.ringing), (0, 0));

    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(BOB);
    rig.advance_ms(3000);
    let told = serde_json::json!({"by": "bob", "from": "alice"});
    assert_eq!(rig.events_of("call.picked_up"), [told]);
    let record = record_of(&rig, Cause::Normal);
    assert_eq!(record.agent.as_ref().unwrap().as_str(), "bob");
    assert_eq!(record.queue.as_ref().unwrap().as_str(), "sales");
    assert!(record.recording.is_some(), "the queue's calls are recorded, whoever takes them");
    let taker = record_of(&rig, Cause::PickedUp);
    assert_eq!((&*taker.from, taker.sip_status, taker.q850), ("bob", 603, 16));
    rig.finish();
}

#[test]
fn who_shares_no_group_sees_no_names_and_takes_nothing() {
    let (mut rig, mut call, alice) = ringing();
    let mut lamp = Asked::new(&mut rig, DAVE, Method::Subscribe, "alice");
    lamp.from = "<sip:dave@acme.example>".to_owned();
    lamp.extra = "Event: dialog\r\nExpires: 0\r\n".to_owned();
    rig.ask_as(&mut lamp, "dave", "dave-secret");
    let notify = rig.confirm(DAVE, "NOTIFY");
    let xml = String::from_utf8(notify.body().to_vec()).unwrap();
    assert!(xml.contains("early") && !xml.contains("call-id") && !xml.contains("tag="), "{xml}");

    refused(&mut rig, (DAVE, "dave"), &of_phone(&alice), 403);
    let (_, answered) = invite(&mut rig, (DAVE, "dave"), "*8alice", "");
    assert_eq!(answered.status().unwrap().as_u16(), 403);
    let (_, answered) = invite(&mut rig, (DAVE, "dave"), "*8", "");
    assert_eq!(answered.status().unwrap().as_u16(), 480, "nobody of Dave's rings");
    let hijacks = rig.security.iter().filter(|e| e.kind == SecurityKind::DialogHijack).count();
    assert_eq!(hijacks, 1, "and what follows within a minute is one more");
    rig.expect_silence(ALICE);
    rig.caller_hangs_up(&mut call);
    rig.confirm_cancel(&alice);
    rig.finish();
}

#[test]
fn a_direct_call_that_rings_is_picked_up_by_code_and_its_caller_is_answered() {
    for code in ["*8", "*8alice"] {
        let mut rig = Rig::with(&provisioning());
        rig.register(ALICE, "alice");
        rig.register(BOB, "bob");
        let mut dave = rig.agent_dials(DAVE, "dave", "alice", "");
        let alice = Phone::new(ALICE, rig.expect(ALICE, "INVITE"));
        rig.send(ALICE, &alice.respond("180 Ringing", None));
        rig.expect(DAVE, "SIP/2.0 180");
        let (mut bob, ok) = invite(&mut rig, (BOB, "bob"), code, "");
        assert_eq!(ok.status().unwrap().as_u16(), 200, "{code}");
        rig.agent_acks(&mut bob, &ok);
        rig.confirm_cancel(&alice);
        let ok = rig.expect_final(DAVE);
        assert_eq!(ok.status().unwrap().as_u16(), 200);
        rig.agent_acks(&mut dave, &ok);
        let streams = rig.streams();
        assert_eq!(last_bridge(&rig), (streams[0], streams[2]));
        rig.advance_ms(5000);
        bob.uri = own_uri();
        rig.agent_hangs_up(&mut bob, "");
        rig.confirm_bye(DAVE);
        rig.advance_ms(3000);
        let record = record_of(&rig, Cause::Normal);
        assert_eq!(record.talk.unwrap().as_millis(), 5000);
        assert_eq!(record.legs.len(), 2, "{:?}", record.legs);
        rig.finish();
    }
}

#[test]
fn of_two_that_ring_the_one_that_has_rung_longer_is_picked_up() {
    let (mut rig, mut first, alice) = ringing();
    rig.advance_ms(1000);
    rig.register(BOB, "bob");
    let mut second = rig.agent_dials(DAVE, "dave", "bob", "");
    let bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    let (mut taker, ok) = invite(&mut rig, (BOB, "bob"), "*8", "");
    rig.agent_acks(&mut taker, &ok);
    rig.confirm_cancel(&alice);
    rig.caller_hangs_up(&mut first);
    rig.confirm_bye(BOB);
    // What rings the one who dials the code is not meant, nor who shares no group.
    let (_, answered) = invite(&mut rig, (BOB, "bob"), "*8", "");
    assert_eq!(answered.status().unwrap().as_u16(), 480);
    let (_, answered) = invite(&mut rig, (BOB, "bob"), "*8nobody", "");
    assert_eq!(answered.status().unwrap().as_u16(), 404);
    rig.send(BOB, &bob.respond("486 Busy Here", None));
    rig.expect(BOB, "ACK");
    let busy = rig.expect_final(DAVE);
    rig.send(DAVE, &second.ack(&busy));
    second.to_tag = String::new();
    rig.finish();
}

#[test]
fn each_wrong_replaces_gets_the_answer_of_rfc_3891_and_changes_nothing() {
    let (mut rig, mut call, alice) = talking();
    let (bob, right) = ((BOB, "bob"), of_phone(&alice));
    refused(&mut rig, bob, &format!("{right};early-only"), 486);
    refused(&mut rig, bob, &right, 486);
    refused(&mut rig, bob, "Replaces: nobody;to-tag=1;from-tag=2", 481);
    refused(&mut rig, bob, &right.replace("to-tag=", "to-tag=x"), 481);
    refused(&mut rig, bob, &format!("{right}\r\n{right}"), 400);
    refused(&mut rig, bob, "Replaces: no tags", 400);
    let of_carrier =
        format!("Replaces: {};to-tag={};from-tag={}", call.call_id, call.to_tag, call.from_tag);
    refused(&mut rig, bob, &of_carrier, 481);
    // Of another tenant's there is nothing to be learned.
    let mut gina = Asked::new(&mut rig, STRANGE_PHONE, Method::Invite, "gina");
    gina.from = "<sip:gina@globex.example>".to_owned();
    (gina.uri, gina.extra) = ("sip:gina@globex.example".to_owned(), format!("{right}\r\n"));
    gina.body = Some(("application/sdp".to_owned(), SDP_PCMU.to_owned()));
    let answered = rig.ask_as(&mut gina, "gina", "gina-secret");
    assert_eq!(answered.status().unwrap().as_u16(), 481);
    rig.send(STRANGE_PHONE, &gina.ack(&answered));
    // In a request other than INVITE it is a mistake.
    let mut message = Asked::new(&mut rig, BOB, Method::Message, "alice");
    message.from = "<sip:bob@acme.example>".to_owned();
    message.extra = format!("{right}\r\n");
    let answered = rig.ask_as(&mut message, "bob", "bob-secret");
    assert_eq!(answered.status().unwrap().as_u16(), 400);

    rig.expect_silence(TRUNK);
    rig.expect_silence(ALICE);
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    refused(&mut rig, bob, &right, 603);
    rig.finish();
}

const STRANGE_PHONE: std::net::SocketAddr = address([127, 0, 0, 21], 5060);

#[test]
fn a_phone_that_calls_us_and_has_not_been_answered_is_not_replaced() {
    let mut rig = Rig::with(&provisioning());
    rig.register(BOB, "bob");
    let alice = rig.agent_dials(ALICE, "alice", "bob", "");
    let bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    rig.send(BOB, &bob.respond("180 Ringing", None));
    let ringing = rig.expect(ALICE, "SIP/2.0 180");
    let theirs = format!(
        "Replaces: {};to-tag={};from-tag={}",
        alice.call_id,
        ringing.to_tag().unwrap(),
        alice.tag
    );
    refused(&mut rig, (BOB, "bob"), &theirs, 481);
    rig.send(BOB, &bob.respond("486 Busy Here", None));
    rig.expect(BOB, "ACK");
    let busy = rig.expect_final(ALICE);
    rig.send(ALICE, &alice.ack(&busy));
    rig.finish();
}

#[test]
fn a_trunk_replaces_nobody() {
    let (mut rig, mut call, alice) = talking();
    let mut second = Call::new(&mut rig, TRUNK, "+15550100");
    second.extra = format!("{}\r\n", of_phone(&alice));
    rig.send(TRUNK, &second.invite());
    let answered = rig.expect(TRUNK, "SIP/2.0 403");
    rig.send(TRUNK, &second.ack_refusal(&answered));
    assert!(rig.security.iter().any(|event| event.kind == SecurityKind::DialogHijack));
    rig.expect_silence(ALICE);
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    rig.finish();
}

#[test]
fn an_agents_other_phone_takes_the_conversation_over() {
    let (mut rig, mut call, alice) = talking();
    let second: std::net::SocketAddr = "127.0.0.15:5060".parse().unwrap();
    let (mut other, ok) = invite(&mut rig, (second, "alice"), "alice", &of_phone(&alice));
    assert_eq!(ok.status().unwrap().as_u16(), 200);
    rig.agent_acks(&mut other, &ok);
    rig.confirm_bye(ALICE);
    let streams = rig.streams();
    assert_eq!(last_bridge(&rig), (streams[0], streams[2]));
    assert_eq!(agent_is(&mut rig, "alice").1, 1, "she still talks");
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(second);
    rig.advance_ms(3000);
    let record = record_of(&rig, Cause::Normal);
    assert_eq!(record.agent.as_ref().unwrap().as_str(), "alice");
    assert_eq!(agent_is(&mut rig, "alice").1, 0);
    rig.finish();
}

#[test]
fn whom_the_owner_sends_takes_the_conversation_over() {
    let (mut rig, mut call, alice) = talking();
    let sent = |by: &str| format!("{}\r\nReferred-By: <sip:{by}@acme.example>", of_phone(&alice));
    refused(&mut rig, (DAVE, "dave"), &sent("bob"), 403);
    refused(&mut rig, (DAVE, "dave"), &sent("alice").replace("acme", "evil"), 403);
    let (mut dave, ok) = invite(&mut rig, (DAVE, "dave"), "alice", &sent("alice"));
    assert_eq!(ok.status().unwrap().as_u16(), 200);
    rig.agent_acks(&mut dave, &ok);
    rig.confirm_bye(ALICE);
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(DAVE);
    rig.advance_ms(3000);
    assert_eq!(record_of(&rig, Cause::Normal).agent.as_ref().unwrap().as_str(), "dave");
    rig.finish();
}

#[test]
fn who_offers_nothing_takes_the_call_when_the_ack_brings_the_media() {
    let (mut rig, mut call, alice) = ringing();
    let mut bob = Asked::new(&mut rig, BOB, Method::Invite, "alice");
    bob.from = "<sip:bob@acme.example>".to_owned();
    bob.extra = format!("{}\r\n", of_phone(&alice));
    let ok = rig.ask_as(&mut bob, "bob", "bob-secret");
    assert!(String::from_utf8_lossy(&ok.body()).contains("m=audio"), "our offer");
    rig.expect_silence(ALICE);
    bob.to_tag = ok.to_tag().unwrap().to_owned();
    bob.method = Method::Ack;
    bob.body = Some(("application/sdp".to_owned(), SDP_PCMU.to_owned()));
    rig.send(BOB, &bob.text(None).replace("branch=z9hG4bK-", "branch=z9hG4bK-ack-"));
    rig.confirm_cancel(&alice);
    assert_eq!(last_bridge(&rig), (rig.streams()[0], rig.streams()[2]));
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(BOB);
    rig.finish();
}

#[test]
fn a_caller_who_gives_up_while_the_port_opens_is_not_picked_up() {
    let (mut rig, mut call, alice) = ringing();
    rig.hold_streams = true;
    let bob = rig.agent_dials(BOB, "bob", "alice", &format!("{}\r\n", of_phone(&alice)));
    rig.caller_hangs_up(&mut call);
    rig.confirm_cancel(&alice);
    rig.hold_streams = false;
    let stream = *rig.streams().last().unwrap();
    rig.media(media::Event::Opened { stream });
    let answered = rig.expect_final(BOB);
    assert_eq!(answered.status().unwrap().as_u16(), 603);
    assert_eq!(header(&answered, "Reason").split(';').next(), Some("Q.850"));
    rig.send(BOB, &bob.ack(&answered));
    rig.finish();
}

#[test]
fn a_taker_who_cancels_leaves_the_call_ringing() {
    let (mut rig, mut call, alice) = ringing();
    rig.hold_streams = true;
    let mut bob = rig.agent_dials(BOB, "bob", "alice", &format!("{}\r\n", of_phone(&alice)));
    bob.method = Method::Cancel;
    bob.body = None;
    rig.send(BOB, &bob.text(None));
    rig.expect(BOB, "SIP/2.0 200");
    let over = rig.expect(BOB, "SIP/2.0 487");
    rig.send(BOB, &bob.ack(&over));
    rig.hold_streams = false;
    rig.expect_silence(ALICE);
    rig.caller_hangs_up(&mut call);
    rig.confirm_cancel(&alice);
    assert!(alice.invite.header(Name::CALL_ID).is_some());
    rig.finish();
}

/// The API has Bob rung for the call that rings Alice.
fn pick_up(rig: &mut Rig, agent: &str, own_wish: bool) -> Result<ApiReply, ApiError> {
    let (call, agent) = (rig.last_call(), agent.parse().unwrap());
    rig.request("acme", ApiRequest::PickUp { call, agent, own_wish })
}

#[test]
fn the_api_has_a_colleague_pick_a_call_up() {
    let (mut rig, mut call, alice) = ringing();
    rig.register(BOB, "bob");
    let waiting = rig.last_call();
    let Ok(ApiReply::Originated(taker)) = pick_up(&mut rig, "bob", true) else { panic!() };
    assert_ne!(taker, waiting);
    let mut bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    assert!(header(&bob.invite, "From").contains("+4930123456"), "he sees who calls");
    rig.expect_silence(ALICE);
    rig.send(BOB, &bob.respond("180 Ringing", None));
    rig.advance_ms(2000);
    rig.phone_answers(&bob);
    rig.confirm_cancel(&alice);
    let streams = rig.streams();
    assert_eq!(last_bridge(&rig), (streams[0], streams[2]));
    let told = serde_json::json!({"by": "bob", "from": "alice"});
    assert_eq!(rig.events_of("call.picked_up"), [told]);
    rig.advance_ms(4000);
    rig.send(BOB, &bob.next("BYE", None));
    rig.expect(BOB, "SIP/2.0 200");
    rig.confirm_bye(TRUNK);
    rig.advance_ms(3000);
    assert_eq!(record_of(&rig, Cause::Normal).call, waiting);
    assert_eq!(record_of(&rig, Cause::PickedUp).call, taker);
    let _ = &mut call;
    rig.finish();
}

#[test]
fn the_api_picks_up_nothing_that_does_not_ring_or_is_not_the_agents_to_take() {
    let (mut rig, mut call, alice) = ringing();
    rig.register(BOB, "bob");
    let refused = |asked| matches!(asked, Err(ApiError::Refused { cause: Cause::Forbidden, .. }));
    assert!(refused(pick_up(&mut rig, "dave", true)), "Dave is in no group");
    assert!(matches!(pick_up(&mut rig, "alice", false), Err(ApiError::Conflict(_))));
    assert!(matches!(pick_up(&mut rig, "nobody", false), Err(ApiError::NotFound)));
    rig.expect_silence(DAVE);
    // Alice answers first: who is rung for it finds nothing any more.
    let call_of_it = rig.last_call();
    assert!(matches!(pick_up(&mut rig, "bob", false), Ok(ApiReply::Originated(_))));
    let bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    rig.phone_answers(&alice);
    let again =
        ApiRequest::PickUp { call: call_of_it, agent: "bob".parse().unwrap(), own_wish: false };
    assert!(matches!(rig.request("acme", again), Err(ApiError::Conflict(_))), "they talk");
    rig.phone_answers(&bob);
    rig.confirm_bye(BOB);
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    rig.finish();
}
