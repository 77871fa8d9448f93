//! An agent's page is loaded again, loses its WebSocket or its network: the call is not lost.

use std::net::SocketAddr;

use media::{Command, Event, WebFailure};
use serde_json::json;
use switch::Cause;

use crate::rig::{ALICE, Asked, BOB, Call, Phone, Rig, SDP_PCMU, TRUNK, answer};

/// Where alice's page is after it has connected again.
const AGAIN: SocketAddr = SocketAddr::new(ALICE.ip(), 6000);
const HERS: (&str, &str, &str) = ("alice", "alice-secret", "acme.example");

/// A caller from the queue talks with alice's page.
fn talking() -> (Rig, Call, Phone) {
    let mut rig = Rig::new();
    rig.page("alice", ALICE, 7, "phone");
    let (call, phone) = rig.connect_alice();
    (rig, call, phone)
}

/// Whether music plays to the caller, by the last order about it.
fn hears_music(rig: &Rig) -> bool {
    rig.music().contains(&rig.streams()[0])
}

#[test]
fn a_page_whose_websocket_is_there_again_goes_on_in_its_dialog() {
    let (mut rig, mut call, _phone) = talking();
    rig.close_page(ALICE);
    assert_eq!(rig.events_of("call.agent_lost"), [json!({"agent": "alice"})]);
    assert!(hears_music(&rig) && rig.records.is_empty());
    rig.advance_ms(3_000);
    rig.page("alice", AGAIN, 8, "phone");
    assert_eq!(rig.events_of("call.agent_returned"), [json!({"agent": "alice"})]);
    assert!(!hears_music(&rig));
    rig.expect_silence(AGAIN);
    rig.advance_ms(20_000);
    assert!(rig.records.is_empty(), "nothing is left that would end it");
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(AGAIN);
    assert_eq!(rig.records.len(), 1);
    rig.finish();
}

#[test]
fn a_page_that_consents_no_more_is_waited_for_and_goes_on_when_it_is_heard_again() {
    let (mut rig, call, _phone) = talking();
    let stream = rig.streams()[1];
    rig.media(Event::Unreachable { stream, why: WebFailure::ConsentLost });
    assert_eq!(rig.events_of("call.agent_lost"), [json!({"agent": "alice"})]);
    assert!(hears_music(&rig) && rig.records.is_empty());
    rig.advance_ms(4_000);
    rig.media(Event::HeardAgain { stream });
    assert_eq!(rig.events_of("call.agent_returned"), [json!({"agent": "alice"})]);
    assert!(!hears_music(&rig));
    rig.advance_ms(20_000);
    assert!(rig.records.is_empty(), "nothing is left that would end it");
    // One that shows another certificate than it named is not waited for.
    rig.media(Event::Unreachable { stream, why: WebFailure::WrongCertificate });
    rig.confirm_bye(ALICE);
    assert_eq!(rig.told("call.agent_lost"), 1);
    rig.confirm_bye(call.at);
    assert_eq!(rig.record().cause, Cause::MediaFailed);
}

#[test]
fn a_page_that_was_loaded_again_is_called_and_has_the_same_call() {
    let (mut rig, mut call, _phone) = talking();
    rig.close_page(ALICE);
    assert!(hears_music(&rig));
    rig.advance_ms(2_000);
    rig.page("alice", AGAIN, 8, "fresh");
    rig.takes_back(AGAIN);
    assert_eq!(rig.told("call.agent_returned"), 1);
    assert!(!hears_music(&rig));
    let streams = rig.streams();
    assert_eq!(rig.bridged(), Some((streams[0], streams[2])));
    assert_eq!(rig.told("recording.started"), 1, "the recording goes on");
    let is_tapped = |command: &Command| {
        matches!(command,
        Command::Tap { stream, channel: media::Channel::Right, .. } if *stream == streams[2])
    };
    assert!(rig.commands.iter().any(is_tapped), "with what the new page says");
    assert_eq!(rig.told("call.connected"), 1, "and it is the same conversation");
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(AGAIN);
    assert_eq!(rig.records.len(), 1);
    assert_eq!(rig.events_of("agent.state_changed").last().unwrap()["state"], "wrap_up");
    rig.finish();
}

#[test]
fn a_page_may_be_loaded_again_fifty_times_in_one_call() {
    let (mut rig, mut call, _phone) = talking();
    let mut at = ALICE;
    for number in 0..50_u16 {
        rig.close_page(at);
        rig.advance_ms(700);
        at = SocketAddr::new(ALICE.ip(), 6000 + number);
        rig.page("alice", at, 100 + u64::from(number), &format!("page-{number}"));
        rig.takes_back(at);
        rig.advance_ms(1_300);
    }
    assert_eq!((rig.told("call.agent_lost"), rig.told("call.agent_returned")), (50, 50));
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(at);
    assert_eq!(rig.records.len(), 1);
    rig.finish();
}

/// The page's audio is not there, as the media tell it after three seconds and after five.
fn unheard(rig: &mut Rig, seconds: u64) {
    let (stream, quiet) = (rig.streams()[1], base::Duration::from_secs(seconds));
    rig.media(Event::Unheard { stream, quiet, heard: true });
}

#[test]
fn a_page_that_is_gone_is_not_asked_where_its_audio_is_and_the_caller_goes_on_to_the_queue() {
    let (mut rig, mut call, _phone) = talking();
    rig.close_page(ALICE);
    rig.advance_ms(3_000);
    unheard(&mut rig, 3);
    rig.advance_ms(2_000);
    unheard(&mut rig, 5);
    rig.expect_silence(ALICE);
    assert_eq!(rig.told("call.audio_lost"), 0, "that the agent is lost says it");
    rig.advance_ms(4_900);
    assert!(hears_music(&rig) && rig.records.is_empty());
    rig.advance_ms(200);
    assert_eq!(rig.told("call.queued"), 2);
    rig.caller_hangs_up(&mut call);
    rig.advance_ms(40_000);
    rig.finish();
}

#[test]
fn what_a_page_was_asked_when_its_connection_went_ends_no_call() {
    for is_closed in [true, false] {
        let (mut rig, mut call, _phone) = talking();
        unheard(&mut rig, 3);
        unheard(&mut rig, 5);
        rig.expect(ALICE, "INVITE");
        if is_closed {
            rig.close_page(ALICE);
        } else {
            // In a network that is gone nobody says so: its media do.
            let (stream, why) = (rig.streams()[1], WebFailure::ConsentLost);
            rig.media(Event::Unreachable { stream, why });
        }
        assert_eq!(rig.told("call.agent_lost"), 1);
        rig.advance_ms(2_000);
        rig.page("alice", AGAIN, 8, "phone");
        assert_eq!(rig.told("call.agent_returned"), 1);
        rig.media(Event::HeardAgain { stream: rig.streams()[1] });
        rig.advance_ms(60_000);
        assert!(rig.records.is_empty(), "closed: {is_closed}");
        rig.caller_hangs_up(&mut call);
        rig.confirm_bye(AGAIN);
        assert_eq!(rig.records.len(), 1);
        rig.advance_ms(40_000);
        rig.finish();
    }
}

#[test]
fn whose_agent_does_not_come_back_is_the_next_one_in_the_queue() {
    let (mut rig, mut call, _phone) = talking();
    let mut other = rig.dial_into_queue();
    rig.advance_ms(5_000);
    rig.close_page(ALICE);
    rig.advance_ms(10_000);
    let queued = rig.events_of("call.queued");
    assert_eq!(queued.last().unwrap(), &json!({"queue": "sales", "position": 1}));
    let call_id = rig.records.len();
    assert_eq!(call_id, 0);
    rig.register(BOB, "bob");
    let ringing = rig.expect(BOB, "INVITE");
    let phone = Phone::new(BOB, ringing);
    rig.phone_answers(&phone);
    // It is the one who had talked already.
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(BOB);
    assert_eq!(rig.records.len(), 1);
    rig.caller_hangs_up(&mut other);
    rig.finish();
}

#[test]
fn a_page_that_does_not_take_it_back_has_its_caller_in_the_queue_within_15_s() {
    let (mut rig, mut call, _phone) = talking();
    rig.close_page(ALICE);
    rig.advance_ms(9_900);
    rig.page("alice", AGAIN, 8, "fresh");
    let phone = Phone::new(AGAIN, rig.expect(AGAIN, "INVITE"));
    rig.send(AGAIN, &phone.respond("180 Ringing", None));
    assert!(hears_music(&rig), "and no ringing tone");
    rig.advance_ms(5_000);
    rig.confirm_cancel(&phone);
    assert_eq!(rig.told("call.queued"), 2);
    rig.caller_hangs_up(&mut call);
    rig.advance_ms(40_000);
    rig.finish();
}

#[test]
fn a_caller_who_leaves_while_the_page_is_gone_leaves_nothing_behind() {
    for seconds in [0, 3, 12] {
        let (mut rig, mut call, _phone) = talking();
        rig.close_page(ALICE);
        rig.advance_ms(seconds * 1000);
        rig.caller_hangs_up(&mut call);
        rig.advance_ms(40_000);
        assert_eq!(rig.records.len(), 1);
        rig.finish();
    }
}

#[test]
fn whom_an_agent_has_called_hears_music_until_the_page_is_back_or_the_call_is_over() {
    for comes_back in [true, false] {
        let mut rig = Rig::new();
        rig.page("alice", ALICE, 7, "phone");
        let mut asked = Asked::new(&mut rig, ALICE, sip::Method::Invite, "bob");
        rig.register(BOB, "bob");
        asked.body = Some(("application/sdp".to_owned(), SDP_PCMU.to_owned()));
        let text = asked.text(None);
        rig.send(ALICE, &text);
        let phone = Phone::new(BOB, rig.expect(BOB, "INVITE"));
        rig.phone_answers(&phone);
        let ok = rig.expect_final(ALICE);
        rig.agent_acks(&mut asked, &ok);
        rig.close_page(ALICE);
        assert_eq!(rig.told("call.agent_lost"), 1);
        rig.advance_ms(2_000);
        if comes_back {
            rig.page("alice", AGAIN, 8, "fresh");
            rig.takes_back(AGAIN);
            assert_eq!(rig.told("call.agent_returned"), 1);
            let streams = rig.streams();
            assert_eq!(rig.bridged(), Some((streams[1], streams[2])));
            let mut phone = phone;
            let bye = phone.next("BYE", None);
            rig.send(BOB, &bye);
            rig.expect(BOB, "SIP/2.0 200");
            rig.confirm_bye(AGAIN);
        } else {
            rig.advance_ms(8_000);
            rig.confirm_bye(BOB);
        }
        rig.advance_ms(40_000);
        assert_eq!(rig.records.len(), 1);
        rig.finish();
    }
}

#[test]
fn of_several_pages_the_newest_rings_and_a_desk_phone_beside_it() {
    let mut rig = Rig::new();
    rig.page("alice", ALICE, 7, "first-tab");
    rig.page("alice", AGAIN, 8, "second-tab");
    let desk: SocketAddr = "127.0.0.15:5060".parse().unwrap();
    let contact = format!("Contact: <sip:alice@{desk}>;expires=3600\r\n");
    rig.register_as(desk, HERS, &contact);
    let mut call = rig.dial_into_queue();
    let phone = Phone::new(AGAIN, rig.expect(AGAIN, "INVITE"));
    let other = Phone::new(desk, rig.expect(desk, "INVITE"));
    rig.send(desk, &other.respond("180 Ringing", None));
    rig.expect_silence(ALICE);
    rig.phone_answers(&phone);
    let cancel = rig.expect(desk, "CANCEL");
    rig.send(desk, &answer(&cancel, desk, "200 OK", &other.tag, None));
    rig.send(desk, &other.respond("487 Request Terminated", None));
    rig.expect(desk, "ACK");
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(AGAIN);
    assert_eq!(call.at, TRUNK);
    rig.finish();
}
