//! The page of an agent who calls somebody is loaded again or lost before anybody has answered:
//! whom the agent calls rings on, and the agent's next page waits in the place of the one before.

use std::net::SocketAddr;

use base::{AgentId, CallId, Duration, Rng};
use media::{Digit, DigitSource, Event, StreamId, WebFailure};
use serde_json::json;
use sip::{Message, Name};
use switch::{ApiReply, ApiRequest, Cause, EndedBy, First, Originate};

use crate::outbound::{self, ONE};
use crate::rig::{ALICE, Asked, BOB, Call, DEMO, Phone, Rig, SDP_PCMU, answer, header};

/// Where alice's page is after it has connected again.
const AGAIN: SocketAddr = SocketAddr::new(ALICE.ip(), 6000);
const THIRD: SocketAddr = SocketAddr::new(ALICE.ip(), 6001);
/// Her page beside a desk phone.
const PAGE: SocketAddr = SocketAddr::new(ALICE.ip(), 6100);

/// Alice's page dials, with its own word of where it is.
fn dials(rig: &mut Rig, at: SocketAddr, to: &str, extra: &str) -> Asked {
    let mut asked = Asked::new(rig, at, sip::Method::Invite, to);
    asked.body = Some(("application/sdp".to_owned(), SDP_PCMU.to_owned()));
    asked.extra = extra.to_owned();
    let text = asked.text(None);
    rig.send(at, &text);
    asked
}

/// Somebody who waits for a page hears this.
const MUSIC: &str = "domain = \"acme.example\"\nhold_music = \"music\"";

/// Bob's phone rings for alice's page.
fn rings() -> (Rig, Asked, Phone) {
    let mut rig = Rig::with(&DEMO.replacen("domain = \"acme.example\"", MUSIC, 1));
    rig.page("alice", ALICE, 7, "phone");
    rig.register(BOB, "bob");
    let asked = dials(&mut rig, ALICE, "bob", "");
    let bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    rig.send(BOB, &bob.respond("180 Ringing", None));
    rig.expect(ALICE, "SIP/2.0 180");
    (rig, asked, bob)
}

/// A caller from the queue talks with alice's page, which calls bob about it.
fn consults() -> (Rig, Call, Phone) {
    let mut rig = Rig::new();
    rig.page("alice", ALICE, 7, "phone");
    let (call, _) = rig.connect_alice();
    rig.register(BOB, "bob");
    dials(&mut rig, ALICE, "bob", "");
    let bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    rig.send(BOB, &bob.respond("180 Ringing", None));
    rig.expect(ALICE, "SIP/2.0 180");
    (rig, call, bob)
}

/// What is played to that stream, by the last order about it.
fn hears(rig: &Rig, stream: StreamId) -> bool {
    rig.music().contains(&stream)
}

#[track_caller]
fn hangs_up(rig: &mut Rig, phone: &mut Phone) {
    let bye = phone.next("BYE", None);
    rig.send(phone.at, &bye);
    rig.expect(phone.at, "SIP/2.0 200");
}

/// The call that an INVITE to a page is to give back.
fn returns(invite: &Message) -> CallId {
    header(invite, "X-Strowger-Returns").parse().expect("a call")
}

fn bridged_with(rig: &Rig, one: usize, other: usize) -> bool {
    let s = rig.streams();
    rig.bridged() == Some((s[one], s[other]))
}

#[test]
fn whom_a_page_calls_rings_on_and_the_page_that_was_loaded_again_hears_it_ring() {
    let (mut rig, _, bob) = rings();
    rig.close_page(ALICE);
    assert_eq!(rig.events_of("call.agent_lost"), [json!({"agent": "alice"})]);
    rig.advance_ms(2_000);
    rig.expect_silence(BOB);
    rig.page("alice", AGAIN, 8, "fresh");
    let page = rig.takes_back(AGAIN);
    let from = header(&page.invite, "From");
    assert!(from.contains("<sip:bob@"), "it is called by whom it calls: {from}");
    assert_eq!(rig.events_of("call.agent_returned"), [json!({"agent": "alice"})]);
    let s = rig.streams();
    assert!(hears(&rig, s[2]), "the ringing tone");
    rig.advance_ms(20_000);
    assert_eq!((rig.told("call.answered"), rig.records.len()), (0, 0));
    rig.phone_answers(&bob);
    assert!(!hears(&rig, s[2]) && !hears(&rig, s[1]) && bridged_with(&rig, 2, 1));
    assert_eq!((rig.told("call.answered"), rig.told("call.connected")), (1, 1));
    let mut bob = bob;
    hangs_up(&mut rig, &mut bob);
    rig.confirm_bye(AGAIN);
    rig.advance_ms(3_000);
    let record = rig.record();
    assert_eq!((record.cause, record.from.as_str()), (Cause::Normal, "alice"));
    assert!(record.answered_at.is_some() && record.answered_at == record.connected_at);
    rig.finish();
}

#[test]
fn an_agent_who_asks_a_colleague_about_a_caller_has_both_calls_again() {
    let (mut rig, mut call, bob) = consults();
    rig.close_page(ALICE);
    assert_eq!(rig.told("call.agent_lost"), 2);
    assert_eq!(rig.music(), [rig.streams()[0]], "the caller waits for her");
    rig.advance_ms(1_500);
    rig.page("alice", AGAIN, 8, "fresh");
    let pages = [(); 2].map(|()| Phone::new(AGAIN, rig.expect(AGAIN, "INVITE")));
    assert_ne!(returns(&pages[0].invite), returns(&pages[1].invite));
    for page in &pages {
        rig.phone_answers(page);
    }
    assert_eq!(rig.told("call.agent_returned"), 2);
    let s = rig.streams();
    let fresh = if returns(&pages[1].invite) == rig.last_call() { 5 } else { 4 };
    assert!(hears(&rig, s[fresh]) && !hears(&rig, s[0]));
    rig.phone_answers(&bob);
    assert!(bridged_with(&rig, fresh, 3));
    let mut bob = bob;
    hangs_up(&mut rig, &mut bob);
    rig.confirm_bye(AGAIN);
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(AGAIN);
    rig.advance_ms(3_000);
    assert_eq!(rig.records.len(), 2);
    rig.finish();
}

#[test]
fn who_answers_while_the_page_is_gone_hears_music_until_it_is_back_or_the_call_is_over() {
    for comes_back in [true, false] {
        let (mut rig, _, bob) = rings();
        rig.close_page(ALICE);
        rig.advance_ms(3_000);
        rig.phone_answers(&bob);
        let s = rig.streams();
        assert!(rig.music().contains(&s[1]));
        assert_eq!((rig.told("call.answered"), rig.told("call.connected")), (1, 1));
        if comes_back {
            rig.advance_ms(5_000);
            rig.page("alice", AGAIN, 8, "fresh");
            rig.takes_back(AGAIN);
            let s = rig.streams();
            assert!(!hears(&rig, s[1]));
            assert_eq!(rig.bridged(), Some((s[1], s[2])));
            rig.advance_ms(20_000);
            assert!(rig.records.is_empty(), "nothing is left that would end it");
            let mut bob = bob;
            hangs_up(&mut rig, &mut bob);
            rig.confirm_bye(AGAIN);
        } else {
            rig.advance_ms(7_100);
            rig.confirm_bye(BOB);
        }
        rig.advance_ms(3_000);
        let cause = if comes_back { Cause::Normal } else { Cause::TransportFailed };
        assert_eq!(rig.record().cause, cause);
        rig.finish();
    }
}

#[test]
fn whom_a_page_called_that_does_not_come_back_rings_no_more_and_is_told_why() {
    let (mut rig, mut call, bob) = consults();
    let second = rig.last_call();
    rig.close_page(ALICE);
    rig.advance_ms(9_900);
    rig.expect_silence(BOB);
    rig.advance_ms(200);
    let cancel = rig.expect(BOB, "CANCEL");
    assert!(header(&cancel, "Reason").contains("transport_failed"), "{cancel:?}");
    rig.send(BOB, &answer(&cancel, BOB, "200 OK", &bob.tag, None));
    // The caller waits for an agent again, and bob is free.
    let next = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    rig.send(BOB, &bob.respond("487 Request Terminated", None));
    rig.expect(BOB, "ACK");
    rig.phone_answers(&next);
    rig.advance_ms(3_000);
    let record = rig.record();
    assert_eq!((record.call, record.cause), (second, Cause::TransportFailed));
    assert_eq!(record.ended_by, EndedBy::Engine);
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(BOB);
    rig.advance_ms(3_000);
    rig.finish();
}

#[test]
fn whom_a_page_called_that_is_called_back_in_vain_rings_no_more() {
    let (mut rig, _, bob) = rings();
    rig.close_page(ALICE);
    rig.advance_ms(9_900);
    rig.page("alice", AGAIN, 8, "fresh");
    let page = Phone::new(AGAIN, rig.expect(AGAIN, "INVITE"));
    rig.send(AGAIN, &page.respond("180 Ringing", None));
    rig.advance_ms(4_600);
    rig.confirm_cancel(&page);
    rig.confirm_cancel(&bob);
    rig.advance_ms(3_000);
    assert_eq!(rig.record().cause, Cause::TransportFailed);
    rig.finish();
}

#[test]
fn a_colleague_who_declines_meanwhile_ends_it_with_their_own_word() {
    for is_rung in [false, true] {
        let (mut rig, _, bob) = rings();
        rig.close_page(ALICE);
        let page = is_rung.then(|| {
            rig.page("alice", AGAIN, 8, "fresh");
            Phone::new(AGAIN, rig.expect(AGAIN, "INVITE"))
        });
        rig.send(BOB, &bob.respond("486 Busy Here", None));
        rig.expect(BOB, "ACK");
        if let Some(page) = page {
            // Its 200 and our CANCEL meet on the way.
            rig.send(AGAIN, &page.respond("200 OK", Some(SDP_PCMU)));
            rig.expect(AGAIN, "ACK");
            rig.confirm_bye(AGAIN);
        } else {
            rig.page("alice", AGAIN, 8, "fresh");
            rig.expect_silence(AGAIN);
        }
        rig.advance_ms(40_000);
        let record = rig.record();
        assert_eq!((record.cause, record.sip_status), (Cause::Busy, 486));
        rig.finish();
    }
}

#[test]
fn a_page_that_cancels_before_it_goes_has_cancelled() {
    let (mut rig, asked, bob) = rings();
    let mut cancel = asked.clone();
    (cancel.method, cancel.body) = (sip::Method::Cancel, None);
    rig.send(ALICE, &cancel.text(None));
    rig.close_page(ALICE);
    rig.confirm_cancel(&bob);
    rig.page("alice", AGAIN, 8, "fresh");
    rig.expect_silence(AGAIN);
    rig.advance_ms(3_000);
    assert_eq!(rig.record().cause, Cause::CallerAbandoned);
    assert_eq!(rig.told("call.agent_lost"), 0);
    rig.finish();
}

/// The page itself has given its INVITE up: it has no dialog to go on in.
#[test]
fn a_page_whose_websocket_is_there_again_is_called_for_what_still_rings() {
    let (mut rig, _, bob) = rings();
    rig.close_page(ALICE);
    rig.advance_ms(1_000);
    rig.page("alice", AGAIN, 8, "phone");
    rig.takes_back(AGAIN);
    // And has one now, to go on in when that happens again.
    rig.close_page(AGAIN);
    rig.advance_ms(1_000);
    rig.page("alice", THIRD, 9, "phone");
    rig.expect_silence(THIRD);
    assert_eq!((rig.told("call.agent_lost"), rig.told("call.agent_returned")), (2, 2));
    rig.phone_answers(&bob);
    assert!(bridged_with(&rig, 2, 1));
    let mut bob = bob;
    hangs_up(&mut rig, &mut bob);
    rig.confirm_bye(THIRD);
    rig.advance_ms(3_000);
    rig.finish();
}

/// In a network that is gone nobody says that a connection is.
#[test]
fn a_page_that_connects_again_while_its_old_connection_hangs_is_called_for_what_still_rings() {
    let (mut rig, _, bob) = rings();
    rig.page("alice", AGAIN, 8, "phone");
    rig.takes_back(AGAIN);
    rig.expect(ALICE, "SIP/2.0 487");
    rig.phone_answers(&bob);
    assert!(bridged_with(&rig, 2, 1));
    rig.close_page(ALICE);
    assert_eq!(rig.told("call.agent_lost"), 1, "by its coming, and not again");
    let mut bob = bob;
    hangs_up(&mut rig, &mut bob);
    rig.confirm_bye(AGAIN);
    rig.advance_ms(3_000);
    rig.finish();
}

/// It may have got the 200 or not: it is called, and what it may have of the dialog is hung up.
#[test]
fn a_page_that_is_lost_as_the_answer_comes_is_called_also_if_it_is_the_same_one() {
    let (mut rig, _, bob) = rings();
    rig.phone_answers(&bob);
    rig.expect(ALICE, "SIP/2.0 200");
    rig.close_page(ALICE);
    rig.advance_ms(1_000);
    rig.page("alice", AGAIN, 8, "phone");
    rig.takes_back(AGAIN);
    rig.confirm_bye(AGAIN);
    let s = rig.streams();
    assert_eq!(rig.bridged(), Some((s[1], s[2])));
    rig.advance_ms(60_000);
    assert!(rig.records.is_empty(), "nobody waits for the ACK");
    let mut bob = bob;
    hangs_up(&mut rig, &mut bob);
    rig.confirm_bye(AGAIN);
    rig.advance_ms(3_000);
    rig.finish();
}

#[test]
fn what_the_carrier_lets_be_heard_is_heard_by_the_new_page() {
    for while_gone in [false, true] {
        let mut rig = outbound::rig();
        rig.page("alice", PAGE, 7, "phone");
        dials(&mut rig, PAGE, "+12125550123", "Supported: 100rel\r\n");
        let carrier = Phone::new(ONE, rig.expect(ONE, "INVITE"));
        let early = carrier.respond("183 Session Progress", Some(SDP_PCMU));
        if !while_gone {
            rig.send(ONE, &early);
            let told = rig.expect(PAGE, "SIP/2.0 183");
            assert!(told.header(Name::new("RSeq")).is_some(), "it must arrive, and does not");
            assert!(bridged_with(&rig, 0, 1));
        }
        rig.close_page(PAGE);
        rig.expect(PAGE, "SIP/2.0 487");
        if while_gone {
            rig.send(ONE, &early);
        }
        rig.advance_ms(2_000);
        rig.expect_silence(PAGE);
        rig.page("alice", AGAIN, 8, "fresh");
        rig.takes_back(AGAIN);
        assert!(bridged_with(&rig, 2, 1) && rig.music().is_empty());
        rig.advance_ms(60_000);
        rig.phone_answers(&carrier);
        assert!(bridged_with(&rig, 2, 1));
        let s = rig.streams();
        let tapped = |at: usize| {
            rig.commands
                .iter()
                .any(|c| matches!(c, media::Command::Tap { stream, .. } if *stream == s[at]))
        };
        assert!(tapped(2) && tapped(1) && !tapped(0), "what they say is recorded");
        let mut carrier = carrier;
        hangs_up(&mut rig, &mut carrier);
        rig.confirm_bye(AGAIN);
        rig.advance_ms(40_000);
        assert_eq!(rig.record().trunk.as_ref().unwrap().as_str(), "one");
        rig.finish();
    }
}

/// Its WebSocket is still there; its audio, before the answer, is not.
#[test]
fn a_page_that_listens_before_the_answer_and_is_heard_no_more_is_waited_for() {
    for comes_back in [true, false] {
        let mut rig = outbound::rig();
        rig.page("alice", PAGE, 7, "phone");
        let mut asked = dials(&mut rig, PAGE, "+12125550123", "");
        let mut carrier = Phone::new(ONE, rig.expect(ONE, "INVITE"));
        rig.send(ONE, &carrier.respond("183 Session Progress", Some(SDP_PCMU)));
        rig.expect(PAGE, "SIP/2.0 183");
        let stream = rig.streams()[0];
        rig.media(Event::Unreachable { stream, why: WebFailure::ConsentLost });
        assert_eq!((rig.told("call.agent_lost"), rig.records.len()), (1, 0));
        rig.advance_ms(4_000);
        if comes_back {
            rig.media(Event::HeardAgain { stream });
            assert_eq!(rig.told("call.agent_returned"), 1);
            rig.advance_ms(20_000);
            rig.phone_answers(&carrier);
            let ok = rig.expect(PAGE, "SIP/2.0 200");
            rig.agent_acks(&mut asked, &ok);
            hangs_up(&mut rig, &mut carrier);
            rig.confirm_bye(PAGE);
        } else {
            rig.advance_ms(6_100);
            let refused = rig.expect_final(PAGE);
            assert!(header(&refused, "Reason").contains("transport_failed"));
            rig.send(PAGE, &asked.ack(&refused));
            rig.confirm_cancel(&carrier);
        }
        rig.advance_ms(40_000);
        assert_eq!(rig.records.len(), 1);
        rig.finish();
    }
}

/// Another page takes the call while the one before is there, but not heard.
#[test]
fn a_page_whose_call_another_page_has_is_told_that_it_is_over() {
    let mut rig = outbound::rig();
    rig.page("alice", PAGE, 7, "phone");
    let asked = dials(&mut rig, PAGE, "+12125550123", "");
    let carrier = Phone::new(ONE, rig.expect(ONE, "INVITE"));
    rig.send(ONE, &carrier.respond("183 Session Progress", Some(SDP_PCMU)));
    rig.expect(PAGE, "SIP/2.0 183");
    let stream = rig.streams()[0];
    rig.media(Event::Unreachable { stream, why: WebFailure::ConsentLost });
    rig.page("alice", AGAIN, 8, "fresh");
    let page = Phone::new(AGAIN, rig.expect(AGAIN, "INVITE"));
    rig.expect_silence(PAGE);
    rig.phone_answers(&page);
    let over = rig.expect(PAGE, "SIP/2.0 487");
    rig.send(PAGE, &asked.ack(&over));
    assert!(bridged_with(&rig, 2, 1));
    let mut page = page;
    hangs_up(&mut rig, &mut page);
    rig.confirm_cancel(&carrier);
    rig.advance_ms(40_000);
    assert_eq!(rig.record().cause, Cause::CallerAbandoned);
    rig.finish();
}

/// The same when it was answered just then: before its ACK it cannot be hung up, and that it never
/// comes ends nothing else.
#[test]
fn a_page_that_never_acknowledges_and_has_no_part_in_the_call_is_hung_up_alone() {
    let mut rig = outbound::rig();
    rig.page("alice", PAGE, 7, "phone");
    dials(&mut rig, PAGE, "+12125550123", "");
    let mut carrier = Phone::new(ONE, rig.expect(ONE, "INVITE"));
    rig.phone_answers(&carrier);
    rig.expect(PAGE, "SIP/2.0 200");
    let stream = rig.streams()[0];
    rig.media(Event::Unreachable { stream, why: WebFailure::ConsentLost });
    rig.page("alice", AGAIN, 8, "fresh");
    rig.takes_back(AGAIN);
    rig.advance_ms(20_000);
    assert_eq!(rig.count(PAGE, "BYE"), 0);
    rig.advance_ms(20_000);
    rig.wire.retain(|(flow, message)| flow.remote != PAGE || message.is_request());
    rig.confirm_bye(PAGE);
    assert!(rig.records.is_empty());
    hangs_up(&mut rig, &mut carrier);
    rig.confirm_bye(AGAIN);
    rig.advance_ms(3_000);
    assert_eq!(rig.record().cause, Cause::Normal);
    rig.finish();
}

#[test]
fn a_page_may_be_loaded_again_many_times_while_it_rings() {
    let (mut rig, _, bob) = rings();
    let mut at = ALICE;
    for number in 0..20_u16 {
        rig.close_page(at);
        rig.advance_ms(300);
        at = SocketAddr::new(ALICE.ip(), 6000 + number);
        rig.page("alice", at, 100 + u64::from(number), &format!("page-{number}"));
        rig.takes_back(at);
        rig.advance_ms(200);
    }
    rig.phone_answers(&bob);
    assert!(bridged_with(&rig, 21, 1));
    let mut bob = bob;
    hangs_up(&mut rig, &mut bob);
    rig.confirm_bye(at);
    rig.advance_ms(3_000);
    assert_eq!(rig.records.len(), 1);
    rig.finish();
}

#[test]
fn a_customer_whom_the_api_calls_for_an_agents_page_rings_on() {
    for is_same in [true, false] {
        let mut rig = outbound::rig();
        let leaves = "Contact: *\r\nExpires: 0\r\n";
        rig.register_as(ALICE, ("alice", "alice-secret", "acme.example"), leaves);
        rig.page("alice", PAGE, 7, "phone");
        let (agent, to) = (AgentId::new("alice").unwrap(), "+12125550123".to_owned());
        let asked = Originate {
            agent,
            to,
            first: First::Agent,
            caller_id: None,
            timeout_s: None,
            answering_machine: None,
        };
        let reply = rig.request("acme", ApiRequest::Originate(asked));
        assert!(matches!(reply, Ok(ApiReply::Originated(_))), "{reply:?}");
        let page = Phone::new(PAGE, rig.expect(PAGE, "INVITE"));
        rig.phone_answers(&page);
        let mut customer = Phone::new(ONE, rig.expect(ONE, "INVITE"));
        rig.send(ONE, &customer.respond("180 Ringing", None));
        rig.close_page(PAGE);
        rig.advance_ms(1_000);
        if is_same {
            rig.page("alice", AGAIN, 8, "phone");
            rig.expect_silence(AGAIN);
        } else {
            rig.page("alice", AGAIN, 8, "fresh");
            rig.takes_back(AGAIN);
        }
        let at = if is_same { 0 } else { 2 };
        assert!(hears(&rig, rig.streams()[at]), "its ringing tone");
        rig.phone_answers(&customer);
        assert!(bridged_with(&rig, at, 1));
        hangs_up(&mut rig, &mut customer);
        rig.confirm_bye(AGAIN);
        rig.advance_ms(3_000);
        assert_eq!(rig.told("call.answered"), 1);
        rig.finish();
    }
}

#[test]
fn an_agent_who_waits_in_a_queue_keeps_the_place_and_hears_its_music_again() {
    let mut rig = Rig::new();
    rig.page("alice", ALICE, 7, "phone");
    let mut asked = dials(&mut rig, ALICE, "support", "");
    let ok = rig.expect_final(ALICE);
    rig.agent_acks(&mut asked, &ok);
    rig.close_page(ALICE);
    rig.advance_ms(1_000);
    rig.page("alice", AGAIN, 8, "fresh");
    rig.takes_back(AGAIN);
    let s = rig.streams();
    assert_eq!(rig.music(), [s[1]]);
    assert_eq!(rig.told("call.queued"), 1);
    rig.register(BOB, "bob");
    let mut bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    rig.close_page(AGAIN);
    rig.phone_answers(&bob);
    assert_eq!(rig.music(), [rig.streams()[2]], "bob waits for her page");
    rig.page("alice", THIRD, 9, "fresher");
    rig.takes_back(THIRD);
    let s = rig.streams();
    assert_eq!((rig.music(), rig.bridged()), (vec![], Some((s[2], s[3]))));
    hangs_up(&mut rig, &mut bob);
    rig.confirm_bye(THIRD);
    rig.advance_ms(10_000);
    assert_eq!(rig.record().cause, Cause::Normal);
    rig.finish();
}

#[test]
fn an_agent_who_is_told_or_asked_something_by_a_flow_is_told_and_asked_it_again() {
    let plays = r#"{ do = "play", prompt = "greeting" }"#;
    let asks = r#"{ do = "collect", prompt = "greeting", into = "pin", min = 2, max = 2 }"#;
    for step in [plays, asks] {
        let mut rig = Rig::with(&DEMO.replacen(plays, step, 1));
        rig.page("alice", ALICE, 7, "phone");
        let mut asked = dials(&mut rig, ALICE, "+15550100", "");
        let ok = rig.expect_final(ALICE);
        rig.agent_acks(&mut asked, &ok);
        rig.close_page(ALICE);
        rig.advance_ms(1_000);
        rig.page("alice", AGAIN, 8, "fresh");
        let mut page = rig.takes_back(AGAIN);
        let fresh = rig.streams()[1];
        assert_eq!(rig.last_play().map(|(stream, _)| stream), Some(fresh));
        rig.finish_prompt();
        if step == asks {
            assert_eq!(rig.told("call.queued"), 0);
            for key in ['4', '2'] {
                let (digit, duration) = (Digit::from_char(key).unwrap(), Duration::from_millis(90));
                let (stream, by, masked) = (fresh, DigitSource::Event, false);
                rig.media(Event::Digit { stream, digit, duration, by, masked });
            }
            assert_eq!(rig.events_of("call.digits")[0]["count"], 2);
        }
        assert_eq!((rig.told("call.queued"), rig.music()), (1, vec![fresh]));
        hangs_up(&mut rig, &mut page);
        rig.advance_ms(3_000);
        assert_eq!(rig.record().cause, Cause::CallerAbandoned);
        rig.finish();
    }
}

/// What happens next, drawn by lot: whatever the order, there is one record, and nothing is left.
struct Lot {
    rig: Rig,
    rng: Rng,
    bob: Phone,
    /// Alice's page, if it is there.
    at: Option<SocketAddr>,
    pages: u16,
    bob_said: bool,
}

impl Lot {
    fn new(seed: u64) -> Self {
        let (rig, _, bob) = rings();
        let rng = Rng::from_seed(seed);
        Self { rig, rng, bob, at: Some(ALICE), pages: 0, bob_said: false }
    }

    fn step(&mut self) {
        match self.rng.below(8) {
            0 | 1 => {
                if let Some(at) = self.at.take() {
                    self.rig.close_page(at);
                }
            }
            2 | 3 => self.comes(),
            4 => self.rig.advance_ms(self.rng.below(6_000)),
            5 | 6 => self.obliges(),
            _ => self.bob_says(),
        }
    }

    fn comes(&mut self) {
        if self.at.is_none() {
            self.pages += 1;
            let at = SocketAddr::new(ALICE.ip(), 6000 + self.pages);
            let is_same = self.rng.below(3) == 0;
            let name = if is_same { "phone".to_owned() } else { format!("page-{}", self.pages) };
            self.rig.page("alice", at, 100 + u64::from(self.pages), &name);
            self.at = Some(at);
        }
    }

    fn bob_says(&mut self) {
        if std::mem::replace(&mut self.bob_said, true) {
            return;
        }
        let status = if self.rng.below(3) == 0 { "486 Busy Here" } else { "200 OK" };
        let body = status.starts_with("200").then_some(SDP_PCMU);
        let text = self.bob.respond(status, body);
        self.rig.send(BOB, &text);
    }

    /// Everybody does what they are asked, if they still hear it; some of it is lost.
    fn obliges(&mut self) {
        while let Some((flow, message)) = self.rig.wire.pop_front() {
            let at = flow.remote;
            let is_there = at == BOB || self.at == Some(at);
            if !is_there || !message.is_request() || self.rng.below(6) == 0 {
                continue;
            }
            let (status, body) = match message.method() {
                sip::Method::Ack => continue,
                sip::Method::Invite => ("200 OK", Some(SDP_PCMU)),
                sip::Method::Cancel => {
                    let over = self.bob.respond("487 Request Terminated", None);
                    if at == BOB && !std::mem::replace(&mut self.bob_said, true) {
                        self.rig.send(BOB, &over);
                    }
                    ("200 OK", None)
                }
                _ => ("200 OK", None),
            };
            self.rig.send(at, &answer(&message, at, status, "theirs", body));
        }
    }
}

#[test]
fn whatever_the_order_there_is_one_record_and_nothing_is_left() {
    let mut causes = std::collections::BTreeMap::new();
    for seed in 0..400 {
        let mut lot = Lot::new(seed);
        for _ in 0..14 {
            lot.step();
        }
        let call = lot.rig.last_call();
        if lot.rig.records.is_empty() {
            // It may have ended by itself, and only waits for its last responses.
            drop(lot.rig.request("acme", ApiRequest::EndCall { call }));
        }
        lot.rig.advance_ms(100_000);
        let record = lot.rig.record();
        *causes.entry(record.cause.as_str()).or_insert(0) += 1;
        lot.rig.finish();
    }
    for cause in ["transport_failed", "busy", "api_request"] {
        assert!(causes.contains_key(cause), "{causes:?}");
    }
}
