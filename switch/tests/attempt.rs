//! Ringing agents: no answer, reject, busy, unreachable, several phones, the CANCEL races.

use std::net::SocketAddr;

use media::Command;
use routing::AgentState;
use switch::{ApiReply, ApiRequest, Cause};

use crate::rig::{ALICE, BOB, Phone, Rig, SDP_PCMU, SDP_VIDEO, TRUNK, answer};

/// The agent's state as the API shows it.
fn state_of(rig: &mut Rig, agent: &str) -> AgentState {
    let Ok(ApiReply::Agents(agents)) = rig.request("acme", ApiRequest::Agents) else {
        panic!("agents");
    };
    agents.iter().find(|row| row.id.as_str() == agent).unwrap().state
}

#[test]
fn an_agent_who_does_not_answer_is_cancelled_and_the_next_one_rings() {
    let mut rig = Rig::new();
    rig.register_both();
    let (mut call, phone) = rig.ring_alice();
    rig.advance_ms(14_900);
    rig.expect_silence(BOB);
    rig.advance_ms(200);
    rig.confirm_cancel(&phone);
    let bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    rig.phone_answers(&bob);
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(BOB);
    rig.expect_silence(ALICE);
    let failed = rig.events_of("call.attempt_failed");
    assert_eq!(failed.len(), 1);
    assert_eq!((&failed[0]["agent"], &failed[0]["why"]), (&"alice".into(), &"no_answer".into()));
    let record = rig.record();
    assert_eq!(record.agent.as_ref().unwrap().as_str(), "bob");
    assert_eq!(record.legs.len(), 2, "a phone that only rang has no media to report");
    rig.finish();
}

#[test]
fn each_peer_is_told_the_address_of_ours_that_it_reaches() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let outside: SocketAddr = "192.0.2.55:5060".parse().unwrap();
    rig.register(outside, "alice");
    let mut call = rig.dial_into_queue();
    let (at_home, away) = (rig.expect(ALICE, "INVITE"), rig.expect(outside, "INVITE"));
    for (invite, own) in [(&at_home, "127.0.0.1"), (&away, "192.0.2.1")] {
        let text = String::from_utf8_lossy(invite.bytes()).into_owned();
        let via = format!("Via: SIP/2.0/UDP {own}:5060;");
        let contact = format!("Contact: <sip:strowger@{own}:5060>");
        let sdp = format!("c=IN IP4 {own}\r\n");
        for line in [via, contact, sdp] {
            assert!(text.contains(&line), "{line} in\n{text}");
        }
    }
    let (desk, phone) = (Phone::new(ALICE, at_home), Phone::new(outside, away));
    rig.send(ALICE, &desk.respond("180 Ringing", None));
    rig.phone_answers(&phone);
    rig.confirm_cancel(&desk);
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(outside);
    rig.finish();
}

#[test]
fn an_agent_who_declines_or_is_busy_makes_the_next_one_ring_at_once() {
    for (status, why) in [
        ("603 Decline", "rejected"),
        ("486 Busy Here", "busy"),
        ("480 Temporarily Unavailable", "unreachable"),
        ("500 Server Internal Error", "error"),
        ("407 Proxy Authentication Required", "error"),
    ] {
        let mut rig = Rig::new();
        rig.register_both();
        let (mut call, phone) = rig.ring_alice();
        rig.send(ALICE, &phone.respond(status, None));
        rig.expect(ALICE, "ACK");
        rig.expect(BOB, "INVITE");
        let failed = rig.events_of("call.attempt_failed");
        assert_eq!(failed[0]["why"], why, "{status}");
        assert_eq!(failed[0]["status"].as_u64(), status[..3].parse().ok());
        rig.caller_hangs_up(&mut call);
        rig.finish();
    }
}

#[test]
fn when_all_are_busy_the_caller_waits_and_the_first_free_agent_takes_the_call() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let (mut first, mut phone) = rig.connect_alice();
    let first_id = rig.last_call();
    let mut second = rig.dial_into_queue();
    let waiting = rig.last_call();
    rig.expect_silence(ALICE);
    assert_eq!(
        rig.story(waiting),
        ["call.started", "call.routed", "call.answered", "call.prompt_started", "call.queued"]
    );
    rig.advance_ms(30_000);
    let bye = phone.next("BYE", None);
    rig.send(ALICE, &bye);
    rig.expect(ALICE, "SIP/2.0 200");
    rig.confirm_bye(TRUNK);
    assert_eq!(state_of(&mut rig, "alice"), AgentState::WrapUp);
    rig.expect_silence(ALICE);
    rig.advance_ms(5000);
    let phone = Phone::new(ALICE, rig.expect(ALICE, "INVITE"));
    rig.phone_answers(&phone);
    rig.caller_hangs_up(&mut second);
    rig.confirm_bye(ALICE);
    assert_eq!(rig.records.iter().map(|r| r.call).collect::<Vec<_>>(), [first_id, waiting]);
    first.cseq += 1;
    rig.finish();
}

#[test]
fn a_phone_that_answers_as_it_is_cancelled_is_acknowledged_and_hung_up() {
    let mut rig = Rig::new();
    rig.register_both();
    let (mut call, phone) = rig.ring_alice();
    rig.advance_ms(15_100);
    let cancel = rig.expect(ALICE, "CANCEL");
    rig.send(ALICE, &phone.respond("200 OK", Some(SDP_PCMU)));
    rig.expect(ALICE, "ACK sip:phone@127.0.0.11:5060");
    rig.confirm_bye(ALICE);
    rig.send(ALICE, &answer(&cancel, ALICE, "200 OK", &phone.tag, None));
    rig.expect(BOB, "INVITE");
    rig.caller_hangs_up(&mut call);
    assert!(rig.events_of("call.connected").is_empty());
    rig.finish();
}

#[test]
fn a_phone_that_answers_after_the_record_was_written_is_hung_up_all_the_same() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let (mut call, phone) = rig.ring_alice();
    rig.caller_hangs_up(&mut call);
    rig.expect(ALICE, "CANCEL");
    rig.advance_ms(5000);
    assert_eq!(rig.records.len(), 1);
    rig.wire.clear();
    rig.phone_answers(&phone);
    rig.confirm_bye(ALICE);
    rig.finish();
}

#[test]
fn no_cancel_is_sent_before_the_phone_has_said_anything() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let mut call = rig.dial_into_queue();
    let phone = Phone::new(ALICE, rig.expect(ALICE, "INVITE"));
    rig.caller_hangs_up(&mut call);
    rig.expect_silence(ALICE);
    rig.send(ALICE, &phone.respond("180 Ringing", None));
    rig.confirm_cancel(&phone);
    rig.finish();
}

#[test]
fn all_phones_of_an_agent_ring_and_the_first_to_answer_gets_the_call() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let desk = BOB;
    let contact = format!("Contact: <sip:alice@{desk}>\r\n");
    rig.register_as(desk, ("alice", "alice-secret", "acme.example"), &contact);
    let mut call = rig.dial_into_queue();
    let mobile = Phone::new(ALICE, rig.expect(ALICE, "INVITE"));
    let desk_phone = Phone::new(desk, rig.expect(desk, "INVITE"));
    rig.send(ALICE, &mobile.respond("180 Ringing", None));
    rig.send(desk, &desk_phone.respond("180 Ringing", None));
    rig.phone_answers(&desk_phone);
    rig.confirm_cancel(&mobile);
    assert_eq!(rig.events_of("call.ringing").len(), 1);
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(desk);
    rig.finish();
}

#[test]
fn one_busy_phone_of_two_leaves_the_other_ringing_but_a_decline_speaks_for_the_agent() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let contact = format!("Contact: <sip:alice@{BOB}>\r\n");
    rig.register_as(BOB, ("alice", "alice-secret", "acme.example"), &contact);
    let mut call = rig.dial_into_queue();
    let mobile = Phone::new(ALICE, rig.expect(ALICE, "INVITE"));
    let desk = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    rig.send(BOB, &desk.respond("486 Busy Here", None));
    assert!(rig.events_of("call.attempt_failed").is_empty());
    rig.send(ALICE, &mobile.respond("603 Decline", None));
    assert_eq!(rig.events_of("call.attempt_failed")[0]["why"], "rejected");
    rig.caller_hangs_up(&mut call);
    rig.finish();
}

#[test]
fn an_answer_without_usable_media_is_hung_up_and_the_next_agent_rings() {
    let mut rig = Rig::new();
    rig.register_both();
    let (mut call, phone) = rig.ring_alice();
    rig.send(ALICE, &phone.respond("200 OK", Some(SDP_VIDEO)));
    rig.expect(ALICE, "ACK");
    rig.confirm_bye(ALICE);
    rig.expect(BOB, "INVITE");
    assert_eq!(rig.events_of("call.attempt_failed")[0]["why"], "error");
    rig.caller_hangs_up(&mut call);
    rig.finish();
}

#[test]
fn an_agents_port_that_cannot_be_opened_fails_the_attempt_not_the_call() {
    let mut rig = Rig::new();
    rig.register_both();
    let call = rig.dial("+15550100");
    rig.bad_opens = 3;
    rig.finish_prompt();
    rig.expect(BOB, "INVITE");
    rig.expect_silence(ALICE);
    let mut call = call;
    rig.caller_hangs_up(&mut call);
    rig.finish();
}

#[test]
fn a_silent_phone_is_tried_seven_times_while_the_router_moves_on() {
    let mut rig = Rig::new();
    rig.register_both();
    let mut call = rig.dial_into_queue();
    rig.advance_ms(40_000);
    assert!(rig.count(ALICE, "INVITE") >= 6);
    assert_eq!(rig.count(ALICE, "CANCEL"), 0, "nothing to cancel before a response");
    assert!(rig.count(BOB, "INVITE") > 0);
    rig.caller_hangs_up(&mut call);
    rig.advance_ms(60_000);
    rig.finish();
}

#[test]
fn a_second_fork_that_answers_is_hung_up() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let (mut call, mut phone) = rig.connect_alice();
    phone.tag = "another-fork".to_owned();
    rig.phone_answers(&phone);
    rig.confirm_bye(ALICE);
    assert_eq!(rig.records.len(), 0, "the call goes on with the first");
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    rig.finish();
}

#[test]
fn a_repeated_200_is_acknowledged_again_and_changes_nothing() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let (mut call, phone) = rig.connect_alice();
    rig.phone_answers(&phone);
    let bridges = rig.commands.iter().filter(|c| matches!(c, Command::Bridge { .. })).count();
    assert_eq!(bridges, 1);
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    assert_eq!(rig.record().cause, Cause::Normal);
    rig.finish();
}

#[test]
fn an_agent_who_goes_on_a_break_while_ringing_is_cancelled() {
    let mut rig = Rig::new();
    rig.register_both();
    let (mut call, phone) = rig.ring_alice();
    let state = ApiRequest::SetAgentState {
        agent: base::AgentId::new("alice").unwrap(),
        state: AgentState::Break,
        reason: Some("lunch".to_owned()),
    };
    rig.request("acme", state).unwrap();
    rig.confirm_cancel(&phone);
    rig.expect(BOB, "INVITE");
    assert_eq!(rig.events_of("call.attempt_failed")[0]["why"], "state_changed");
    rig.caller_hangs_up(&mut call);
    rig.finish();
}

#[test]
fn a_phone_behind_a_proxy_is_called_by_the_route_that_its_registration_left() {
    let mut rig = Rig::new();
    let lines = "Supported: path\r\nPath: <sip:edge@192.0.2.99;lr>\r\n\
        Contact: <sip:alice@10.0.0.7:5060>;expires=3600\r\n";
    rig.register_as(ALICE, ("alice", "alice-secret", "acme.example"), lines);
    rig.dial_into_queue();
    let invite = rig.expect(ALICE, "INVITE sip:alice@10.0.0.7:5060");
    assert_eq!(crate::rig::header(&invite, "Route"), "<sip:edge@192.0.2.99;lr>");
}
