//! The page of one of several who talk is loaded again or lost: the others go on, and the page has
//! its place again, whichever that was.

use std::net::SocketAddr;

use media::{Channel, Command, Event, Member, StreamId, WebFailure};
use serde_json::json;
use switch::{ApiReply, ApiRequest, Cause, EndedBy};

use crate::rig::{ALICE, Asked, BOB, Call, DEMO, Phone, Rig, SDP_PCMU, TRUNK, address};

/// Where a page is after it has connected again.
const AGAIN: SocketAddr = SocketAddr::new(ALICE.ip(), 6000);
const BOB_AGAIN: SocketAddr = SocketAddr::new(BOB.ip(), 6000);
const CAROL: SocketAddr = address([127, 0, 0, 13], 5060);

const THIRD: &str = r#"agents = [
    { id = "carol", password = "carol-secret" },"#;

/// A caller from the queue talks with alice's page; bob has a page, too, and carol a phone.
fn talking() -> (Rig, Call, Phone) {
    let mut rig = Rig::with(&DEMO.replacen("agents = [", THIRD, 1));
    rig.page("alice", ALICE, 7, "phone");
    let (call, phone) = rig.connect_alice();
    rig.page("bob", BOB, 17, "bobs");
    rig.register(CAROL, "carol");
    (rig, call, phone)
}

fn add(rig: &mut Rig, who: &str, ends_with_host: Option<bool>) {
    let (call, to) = (rig.last_call(), who.to_owned());
    let reply = rig.request("acme", ApiRequest::AddParticipant { call, to, ends_with_host });
    assert!(matches!(reply, Ok(ApiReply::Accepted)), "{reply:?}");
}

/// Somebody who was called in answers.
fn comes_in(rig: &mut Rig, at: SocketAddr) -> Phone {
    let phone = Phone::new(at, rig.expect(at, "INVITE"));
    rig.phone_answers(&phone);
    phone
}

/// The caller, alice and bob talk; their streams are the first three.
fn together(ends_with_host: Option<bool>) -> (Rig, Call, Phone) {
    let (mut rig, call, _) = talking();
    add(&mut rig, "bob", ends_with_host);
    let bob = comes_in(&mut rig, BOB);
    (rig, call, bob)
}

fn parties(streams: &[StreamId], which: &[usize]) -> Vec<Member> {
    which.iter().map(|at| Member::party(streams[*at])).collect()
}

/// Who is recorded on the agents' side.
fn recorded_agents(rig: &Rig) -> Vec<StreamId> {
    let mut tapped = Vec::new();
    for command in &rig.commands {
        match command {
            Command::Tap { stream, channel: Channel::Right, .. } => tapped.push(*stream),
            Command::Untap { stream } | Command::Close { stream } => {
                tapped.retain(|known| known != stream);
            }
            _ => {}
        }
    }
    tapped
}

fn end(rig: &mut Rig, left: &[SocketAddr]) {
    let call = rig.last_call();
    assert!(rig.request("acme", ApiRequest::EndCall { call }).is_ok());
    for at in left {
        rig.confirm_bye(*at);
    }
    rig.advance_ms(3_000);
    assert_eq!(rig.records.len(), 1);
}

#[test]
fn who_has_the_call_is_back_in_it_while_the_others_went_on() {
    let (mut rig, _, _) = together(None);
    rig.close_page(ALICE);
    assert_eq!(rig.events_of("call.agent_lost"), [json!({"agent": "alice"})]);
    assert_eq!(rig.music(), [], "the caller talks with bob");
    rig.advance_ms(2_000);
    rig.page("alice", AGAIN, 8, "fresh");
    rig.takes_back(AGAIN);
    let s = rig.streams();
    assert_eq!(rig.mix().unwrap(), parties(&s, &[0, 3, 2]));
    assert_eq!(recorded_agents(&rig), [s[2], s[3]]);
    assert_eq!(rig.events_of("call.agent_returned"), [json!({"agent": "alice"})]);
    assert_eq!((rig.told("call.participant_left"), rig.told("recording.started")), (0, 1));
    rig.advance_ms(20_000);
    assert!(rig.records.is_empty(), "nothing is left that would end it");
    end(&mut rig, &[AGAIN, BOB, TRUNK]);
    rig.finish();
}

#[test]
fn a_page_whose_websocket_is_there_again_goes_on_in_its_dialog() {
    let (mut rig, _, _) = together(None);
    rig.close_page(ALICE);
    rig.advance_ms(3_000);
    rig.page("alice", AGAIN, 8, "phone");
    assert_eq!(rig.told("call.agent_returned"), 1);
    rig.expect_silence(AGAIN);
    let s = rig.streams();
    assert_eq!(rig.mix().unwrap(), parties(&s, &[0, 1, 2]));
    rig.advance_ms(20_000);
    end(&mut rig, &[AGAIN, BOB, TRUNK]);
    rig.finish();
}

#[test]
fn who_was_called_in_is_back_muted_as_they_were() {
    let (mut rig, _, _) = together(None);
    let call = rig.last_call();
    let leg = base::LegId(3);
    assert!(rig.request("acme", ApiRequest::Mute { call, leg, muted: true }).is_ok());
    let stream = rig.streams()[2];
    rig.media(Event::Unreachable { stream, why: WebFailure::ConsentLost });
    rig.close_page(BOB);
    assert_eq!(rig.events_of("call.agent_lost"), [json!({"agent": "bob"})]);
    rig.advance_ms(2_000);
    rig.page("bob", BOB_AGAIN, 18, "fresh");
    let bob = rig.takes_back(BOB_AGAIN);
    let from = bob.invite.header(sip::Name::FROM).unwrap();
    assert!(from.contains("alice@acme.example"), "who has the call: {from}");
    let s = rig.streams();
    let muted = Member { muted: true, ..Member::party(s[3]) };
    assert_eq!(rig.mix().unwrap(), [Member::party(s[0]), Member::party(s[1]), muted]);
    rig.advance_ms(20_000);
    end(&mut rig, &[ALICE, BOB_AGAIN, TRUNK]);
    assert_eq!(rig.record().legs.len(), 4);
    rig.finish();
}

/// Everybody's audio comes to whoever called: that is another one then.
#[test]
fn who_called_is_back_in_the_call_that_was_theirs() {
    let mut rig = Rig::with(&DEMO.replacen("agents = [", THIRD, 1));
    rig.page("alice", ALICE, 7, "phone");
    rig.register(BOB, "bob");
    rig.register(CAROL, "carol");
    let mut asked = Asked::new(&mut rig, ALICE, sip::Method::Invite, "bob");
    asked.body = Some(("application/sdp".to_owned(), SDP_PCMU.to_owned()));
    let text = asked.text(None);
    rig.send(ALICE, &text);
    comes_in(&mut rig, BOB);
    let ok = rig.expect_final(ALICE);
    rig.agent_acks(&mut asked, &ok);
    add(&mut rig, "carol", None);
    comes_in(&mut rig, CAROL);
    rig.close_page(ALICE);
    rig.advance_ms(1_000);
    rig.page("alice", AGAIN, 8, "fresh");
    rig.takes_back(AGAIN);
    let s = rig.streams();
    assert_eq!(rig.mix().unwrap(), parties(&s, &[1, 3, 2]));
    assert_eq!(rig.told("call.agent_returned"), 1);
    rig.advance_ms(20_000);
    end(&mut rig, &[AGAIN, BOB, CAROL]);
    rig.finish();
}

#[test]
fn who_does_not_come_back_has_left_and_the_others_go_on() {
    let (mut rig, mut call, mut bob) = together(None);
    rig.close_page(ALICE);
    rig.advance_ms(9_900);
    assert_eq!(rig.told("call.participant_left"), 0);
    rig.advance_ms(200);
    let left = &rig.events_of("call.participant_left")[0];
    assert_eq!((&left["agent"], &left["cause"]), (&"alice".into(), &"transport_failed".into()));
    let s = rig.streams();
    assert_eq!((rig.mix(), rig.bridged()), (None, Some((s[0], s[2]))));
    let bye = bob.next("BYE", None);
    rig.send(BOB, &bye);
    rig.expect(BOB, "SIP/2.0 200");
    rig.confirm_bye(call.at);
    call.cseq += 1;
    rig.advance_ms(3_000);
    assert_eq!(rig.record().cause, Cause::Normal);
    rig.finish();
}

#[test]
fn a_call_that_ends_with_its_host_waits_for_the_hosts_page() {
    for comes_back in [true, false] {
        let (mut rig, call, _) = together(Some(true));
        rig.close_page(ALICE);
        rig.advance_ms(5_000);
        if comes_back {
            rig.page("alice", AGAIN, 8, "fresh");
            let mut alice = rig.takes_back(AGAIN);
            rig.advance_ms(10_000);
            assert!(rig.records.is_empty());
            let bye = alice.next("BYE", None);
            rig.send(AGAIN, &bye);
            rig.expect(AGAIN, "SIP/2.0 200");
        } else {
            rig.advance_ms(5_100);
        }
        rig.confirm_bye(BOB);
        rig.confirm_bye(call.at);
        rig.advance_ms(3_000);
        let by = if comes_back { EndedBy::Agent } else { EndedBy::Engine };
        assert_eq!(rig.record().ended_by, by);
        rig.finish();
    }
}

#[test]
fn the_one_who_is_left_alone_meanwhile_hears_music_until_the_page_is_back() {
    let (mut rig, mut call, mut bob) = together(None);
    rig.close_page(ALICE);
    rig.advance_ms(1_000);
    let bye = bob.next("BYE", None);
    rig.send(BOB, &bye);
    rig.expect(BOB, "SIP/2.0 200");
    let s = rig.streams();
    assert_eq!(rig.music(), [s[0]]);
    rig.page("alice", AGAIN, 8, "fresh");
    rig.takes_back(AGAIN);
    let s = rig.streams();
    assert_eq!((rig.music(), rig.bridged()), (vec![], Some((s[0], s[3]))));
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(AGAIN);
    rig.advance_ms(3_000);
    assert_eq!(rig.records.len(), 1);
    rig.finish();
}

#[test]
fn two_pages_that_are_gone_at_once_both_come_back() {
    let (mut rig, _, _) = together(None);
    rig.close_page(ALICE);
    rig.close_page(BOB);
    assert_eq!(rig.told("call.agent_lost"), 2);
    rig.advance_ms(1_000);
    rig.page("bob", BOB_AGAIN, 18, "fresh");
    rig.page("alice", AGAIN, 8, "fresh");
    rig.takes_back(AGAIN);
    rig.takes_back(BOB_AGAIN);
    assert_eq!(rig.told("call.agent_returned"), 2);
    let s = rig.streams();
    // Bob's page was called first.
    assert_eq!(rig.mix().unwrap(), parties(&s, &[0, 4, 3]));
    rig.advance_ms(20_000);
    end(&mut rig, &[AGAIN, BOB_AGAIN, TRUNK]);
    rig.finish();
}

#[test]
fn a_page_comes_back_while_somebody_is_being_called_in() {
    let (mut rig, _, _) = talking();
    add(&mut rig, "carol", None);
    let carol = Phone::new(CAROL, rig.expect(CAROL, "INVITE"));
    rig.send(CAROL, &carol.respond("180 Ringing", None));
    rig.close_page(ALICE);
    let s = rig.streams();
    assert_eq!(rig.music(), [s[0]]);
    rig.advance_ms(1_000);
    rig.page("alice", AGAIN, 8, "fresh");
    rig.takes_back(AGAIN);
    let s = rig.streams();
    assert_eq!((rig.music(), rig.bridged()), (vec![], Some((s[0], s[3]))));
    rig.phone_answers(&carol);
    assert_eq!(rig.mix().unwrap(), parties(&s, &[0, 3, 2]));
    end(&mut rig, &[AGAIN, CAROL, TRUNK]);
    rig.finish();
}

#[test]
fn a_page_that_refuses_to_take_it_back_may_be_followed_by_one_that_does() {
    let (mut rig, _, _) = together(None);
    rig.close_page(ALICE);
    rig.page("alice", AGAIN, 8, "fresh");
    let refuses = Phone::new(AGAIN, rig.expect(AGAIN, "INVITE"));
    rig.send(AGAIN, &refuses.respond("486 Busy Here", None));
    rig.expect(AGAIN, "ACK");
    assert_eq!(rig.told("call.participant_left"), 0);
    rig.close_page(AGAIN);
    let third = SocketAddr::new(ALICE.ip(), 6001);
    rig.page("alice", third, 9, "fresher");
    rig.takes_back(third);
    let s = rig.streams();
    assert_eq!(rig.mix().unwrap(), parties(&s, &[0, 4, 2]));
    end(&mut rig, &[third, BOB, TRUNK]);
    rig.finish();
}

#[test]
fn a_call_that_ends_while_a_page_is_called_back_leaves_nothing_behind() {
    for seconds in [0, 3, 12] {
        let (mut rig, _, _) = together(None);
        rig.close_page(ALICE);
        if seconds == 3 {
            rig.page("alice", AGAIN, 8, "fresh");
        }
        rig.advance_ms(seconds * 1_000);
        end(&mut rig, &[BOB, TRUNK]);
        if seconds == 3 {
            let phone = Phone::new(AGAIN, rig.expect(AGAIN, "INVITE"));
            rig.send(AGAIN, &phone.respond("180 Ringing", None));
            rig.confirm_cancel(&phone);
        }
        rig.finish();
    }
}
