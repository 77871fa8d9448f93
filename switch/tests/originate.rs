//! Click-to-call: the agent first, or the customer first.

use base::AgentId;
use media::{Channel, Command};
use routing::Forward;
use switch::{ApiError, ApiReply, ApiRequest, CallDirection, Cause, First, Originate};

use crate::rig::{ALICE, BOB, OUT, Phone, Rig, calls_out, header};

fn rig() -> Rig {
    let mut rig = Rig::with(&calls_out("").replacen("caller_id = \"+15550100\"\n", "", 1));
    rig.register_both();
    rig
}

fn asked(first: First) -> Originate {
    Originate {
        agent: AgentId::new("alice").unwrap(),
        to: "+12125550123".to_owned(),
        first,
        caller_id: Some("+15550101".to_owned()),
        timeout_s: Some(20),
        answering_machine: None,
    }
}

#[track_caller]
fn originate(rig: &mut Rig, asked: Originate) -> base::CallId {
    match rig.request("acme", ApiRequest::Originate(asked)).expect("it begins") {
        ApiReply::Originated(call) => call,
        other => panic!("{other:?}"),
    }
}

/// Which stream is on which channel of the recording.
fn channels(rig: &Rig) -> Vec<(usize, Channel)> {
    let streams = rig.streams();
    let place = |command: &Command| match command {
        Command::Tap { stream, channel, .. } => {
            Some((streams.iter().position(|one| one == stream).unwrap(), *channel))
        }
        _ => None,
    };
    rig.commands.iter().filter_map(place).collect()
}

#[test]
fn the_agents_phone_rings_first_and_hears_the_customers_ring() {
    let mut rig = rig();
    let call = originate(&mut rig, asked(First::Agent));
    let invite = rig.expect(ALICE, "INVITE");
    assert!(header(&invite, "From").contains("sip:+12125550123@acme.example"), "who comes next");
    let mut alice = Phone::new(ALICE, invite);
    rig.send(ALICE, &alice.respond("180 Ringing", None));
    rig.expect_silence(OUT);
    rig.phone_answers(&alice);
    assert!(rig.last_play().is_some(), "a tone until the customer answers");
    let invite = rig.expect(OUT, "INVITE sip:+12125550123@127.0.0.51");
    assert!(header(&invite, "From").starts_with("<sip:+15550101@127.0.0.1>"));
    let carrier = Phone::new(OUT, invite);
    rig.send(OUT, &carrier.respond("180 Ringing", None));
    rig.phone_answers(&carrier);
    assert_eq!(channels(&rig), [(0, Channel::Left), (1, Channel::Right)]);
    rig.send(ALICE, &alice.next("BYE", None));
    rig.expect(ALICE, "SIP/2.0 200");
    rig.confirm_bye(OUT);
    let record = rig.record();
    assert_eq!((record.call, record.direction), (call, CallDirection::Outbound));
    assert_eq!((record.from.as_str(), record.to.as_str()), ("alice", "+12125550123"));
    assert_eq!(record.agent.as_ref().unwrap().as_str(), "alice");
    assert_eq!(record.trunk.as_ref().unwrap().as_str(), "out");
    assert_eq!(
        rig.story(call),
        [
            "call.started",
            "call.dialled",
            "call.ringing",
            "call.answered",
            "call.dialled",
            "call.ringing",
            "call.connected",
            "recording.started",
            "call.ended"
        ]
    );
    rig.finish();
}

#[test]
fn the_customer_is_called_first_and_the_agent_is_left_in_the_recording_all_the_same() {
    let mut rig = rig();
    originate(&mut rig, asked(First::Customer));
    rig.expect_silence(ALICE);
    let carrier = Phone::new(OUT, rig.expect(OUT, "INVITE"));
    rig.phone_answers(&carrier);
    let alice = Phone::new(ALICE, rig.expect(ALICE, "INVITE"));
    rig.phone_answers(&alice);
    assert_eq!(channels(&rig), [(1, Channel::Left), (0, Channel::Right)]);
    let mut carrier = carrier;
    rig.send(OUT, &carrier.next("BYE", None));
    rig.expect(OUT, "SIP/2.0 200");
    rig.confirm_bye(ALICE);
    assert_eq!(rig.record().direction, CallDirection::Outbound);
    rig.finish();
}

#[test]
fn an_agent_who_does_not_answer_in_time_is_left_alone_and_the_customer_never_called() {
    let mut rig = rig();
    originate(&mut rig, asked(First::Agent));
    let alice = Phone::new(ALICE, rig.expect(ALICE, "INVITE"));
    rig.send(ALICE, &alice.respond("180 Ringing", None));
    rig.advance_ms(20_000);
    rig.confirm_cancel(&alice);
    rig.expect_silence(OUT);
    assert_eq!(rig.record().cause, Cause::NoAnswer);
    rig.finish();
}

#[test]
fn a_customer_who_is_busy_ends_the_call_of_the_agent_with_that_cause() {
    let mut rig = rig();
    originate(&mut rig, asked(First::Agent));
    let alice = Phone::new(ALICE, rig.expect(ALICE, "INVITE"));
    rig.phone_answers(&alice);
    let carrier = Phone::new(OUT, rig.expect(OUT, "INVITE"));
    rig.send(OUT, &carrier.respond("486 Busy Here", None));
    rig.expect(OUT, "ACK");
    let bye = rig.expect(ALICE, "BYE");
    assert!(header(&bye, "Reason").starts_with("Q.850;cause=17;"));
    rig.send(ALICE, &crate::rig::answer(&bye, ALICE, "200 OK", "", None));
    let record = rig.record();
    assert_eq!((record.cause, record.sip_status, record.q850), (Cause::Busy, 486, 17));
    rig.finish();
}

#[test]
fn what_may_not_be_is_refused_before_it_is_a_call() {
    let mut rig = rig();
    let foreign = Originate { caller_id: Some("+15550200".to_owned()), ..asked(First::Agent) };
    let nobody = Originate { to: "zoe".to_owned(), ..asked(First::Agent) };
    for (asked, expected) in [(foreign, Cause::Forbidden), (nobody, Cause::NoRoute)] {
        match rig.request("acme", ApiRequest::Originate(asked)) {
            Err(ApiError::Refused { cause, .. }) => assert_eq!(cause, expected),
            other => panic!("{other:?}"),
        }
    }
    let gina = Originate { agent: AgentId::new("gina").unwrap(), ..asked(First::Agent) };
    assert!(matches!(rig.request("acme", ApiRequest::Originate(gina)), Err(ApiError::NotFound)));
    assert!(rig.records.is_empty());
    rig.finish();
}

#[test]
fn an_agent_whose_answer_is_of_no_use_is_hung_up_before_the_forward_rings() {
    let mut rig = rig();
    let forward = Forward { no_answer: Some("bob".to_owned()), ..Forward::default() };
    let agent = AgentId::new("alice").unwrap();
    rig.request("acme", ApiRequest::SetForward { agent, forward }).expect("it is set");
    originate(&mut rig, asked(First::Agent));
    let alice = Phone::new(ALICE, rig.expect(ALICE, "INVITE"));
    rig.send(ALICE, &alice.respond("200 OK", None));
    rig.expect(ALICE, "ACK");
    let bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    rig.confirm_bye(ALICE);
    rig.send(BOB, &bob.respond("486 Busy Here", None));
    rig.expect(BOB, "ACK");
    rig.advance_ms(3000);
    assert_eq!(rig.record().cause, Cause::Busy);
    // Nothing is left of either dialog.
    rig.finish();
}
