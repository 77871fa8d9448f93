//! Agents call agents: by name and extension, forwarded, busy, declined, given up.

use media::Command;
use routing::AgentState;
use switch::{ApiRequest, CallDirection, Cause, EndedBy, LegKind};

use crate::rig::{ALICE, BOB, DEMO, Phone, Rig, TRUNK, answer, header};

/// Everybody has a phone.
fn rig(provisioning: &str) -> Rig {
    let mut rig = Rig::with(provisioning);
    rig.register_both();
    rig
}

#[test]
fn alice_calls_bob_by_name_hears_him_ring_and_talks_with_him() {
    let mut rig = rig(DEMO);
    let mut alice = rig.agent_dials(ALICE, "alice", "bob", "");
    let invite = rig.expect(BOB, "INVITE sip:bob@127.0.0.12:5060");
    assert!(header(&invite, "From").starts_with("<sip:alice@acme.example>;tag="));
    let bob = Phone::new(BOB, invite);
    rig.send(BOB, &bob.respond("180 Ringing", None));
    let ringing = rig.expect(ALICE, "SIP/2.0 180");
    rig.advance_ms(3000);
    rig.phone_answers(&bob);
    let ok = rig.expect(ALICE, "SIP/2.0 200");
    assert_eq!(ok.to_tag(), ringing.to_tag(), "one dialog");
    rig.agent_acks(&mut alice, &ok);
    let bridges = rig.commands.iter().filter(|c| matches!(c, Command::Bridge { .. })).count();
    assert_eq!(bridges, 1);
    rig.advance_ms(10_000);
    rig.agent_hangs_up(&mut alice, "");
    rig.confirm_bye(BOB);

    let record = rig.record();
    assert_eq!((record.direction, record.trunk.clone()), (CallDirection::Internal, None));
    assert_eq!((record.cause, record.ended_by), (Cause::Normal, EndedBy::Caller));
    assert_eq!((record.from.as_str(), record.to.as_str()), ("alice", "bob"));
    assert_eq!(record.agent.as_ref().unwrap().as_str(), "alice");
    assert_eq!(record.talk.unwrap().as_millis(), 10_000);
    assert!(record.recording.is_none(), "internal calls are not recorded");
    let kinds: Vec<LegKind> = record.legs.iter().map(|leg| leg.kind).collect();
    assert_eq!(kinds, [LegKind::Agent, LegKind::Agent]);
    assert_eq!(
        rig.story(record.call),
        [
            "call.started",
            "call.dialled",
            "call.ringing",
            "call.answered",
            "call.connected",
            "call.ended"
        ]
    );
    rig.finish();
}

#[test]
fn a_queues_call_passes_over_an_agent_who_is_in_a_call_of_their_own() {
    let mut rig = rig(DEMO);
    let alice = rig.agent_dials(ALICE, "alice", "bob", "");
    let bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    let mut caller = rig.dial_into_queue();
    // Alice has been idle longer, but she dials; Bob's phone rings for her only.
    let second = rig.expect(BOB, "INVITE");
    assert_ne!(second.call_id(), bob.invite.call_id());
    rig.expect_silence(ALICE);
    let busy = Phone::new(BOB, second).respond("486 Busy Here", None);
    rig.send(BOB, &busy);
    rig.expect(BOB, "ACK");
    rig.phone_answers(&bob);
    let ok = rig.expect(ALICE, "SIP/2.0 200");
    let mut alice = alice;
    rig.agent_acks(&mut alice, &ok);
    rig.advance_ms(60_000);
    assert_eq!(rig.count(BOB, "INVITE"), 2, "both talk: the queue has nobody");
    rig.agent_hangs_up(&mut alice, "");
    rig.confirm_bye(BOB);
    rig.advance_ms(5000);
    rig.expect(ALICE, "INVITE");
    rig.caller_hangs_up(&mut caller);
}

#[test]
fn a_declined_call_is_told_to_the_caller_with_its_cause() {
    for (status, cause, q850, shown) in [
        ("486 Busy Here", Cause::Busy, 17, 486),
        ("603 Decline", Cause::Rejected, 21, 603),
        ("480 Temporarily Unavailable", Cause::NoAnswer, 18, 480),
        ("500 Server Internal Error", Cause::Unavailable, 41, 503),
    ] {
        let mut rig = rig(DEMO);
        let alice = rig.agent_dials(ALICE, "alice", "bob", "");
        let bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
        rig.send(BOB, &bob.respond(status, None));
        rig.expect(BOB, "ACK");
        let refused = rig.expect(ALICE, &format!("SIP/2.0 {shown}"));
        assert!(
            header(&refused, "Reason").starts_with(&format!("Q.850;cause={q850};")),
            "{status}"
        );
        rig.send(ALICE, &alice.ack(&refused));
        let record = rig.record();
        assert_eq!((record.cause, record.q850), (cause, q850));
        assert_eq!(record.ended_by, EndedBy::Agent);
        rig.finish();
    }
}

#[test]
fn a_caller_who_gives_up_stops_the_ringing() {
    let mut rig = rig(DEMO);
    let alice = rig.agent_dials(ALICE, "alice", "bob", "");
    let bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    rig.send(BOB, &bob.respond("180 Ringing", None));
    rig.expect(ALICE, "SIP/2.0 180");
    let mut cancel = alice.clone();
    (cancel.method, cancel.body) = (sip::Method::Cancel, None);
    rig.send(ALICE, &cancel.text(None));
    rig.expect(ALICE, "SIP/2.0 200");
    let refused = rig.expect(ALICE, "SIP/2.0 487");
    rig.send(ALICE, &alice.ack(&refused));
    rig.confirm_cancel(&bob);
    assert_eq!(rig.record().cause, Cause::CallerAbandoned);
    rig.finish();
}

#[test]
fn a_200_that_crosses_the_cancel_is_acknowledged_and_hung_up() {
    let mut rig = rig(DEMO);
    let alice = rig.agent_dials(ALICE, "alice", "bob", "");
    let bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    rig.send(BOB, &bob.respond("180 Ringing", None));
    let mut cancel = alice.clone();
    (cancel.method, cancel.body) = (sip::Method::Cancel, None);
    rig.send(ALICE, &cancel.text(None));
    let cancelled = rig.expect(BOB, "CANCEL");
    rig.phone_answers(&bob);
    let bye = rig.expect(BOB, "BYE");
    rig.send(BOB, &answer(&cancelled, BOB, "200 OK", &bob.tag, None));
    rig.send(BOB, &answer(&bye, BOB, "200 OK", "", None));
    let refused = rig.expect_final(ALICE);
    let refused =
        if refused.status().unwrap().is_success() { rig.expect_final(ALICE) } else { refused };
    rig.send(ALICE, &alice.ack(&refused));
    assert_eq!(rig.record().cause, Cause::CallerAbandoned);
    rig.finish();
}

#[test]
fn nobody_answers_and_the_forward_takes_it_to_another_agent() {
    let with_forward = DEMO.replace(
        r#"{ id = "bob", password = "bob-secret","#,
        concat!(
            r#"{ id = "bob", password = "bob-secret", "#,
            r#"forward = { no_answer = "alice", no_answer_s = 10 },"#
        ),
    );
    let mut rig = rig(&with_forward);
    // The call comes from outside, so that both agents are free.
    let flow = with_forward.replace(
        r#"steps = [{ do = "hangup", cause = "busy" }]"#,
        r#"steps = [{ do = "dial", to = "bob" }]"#,
    );
    rig.provision(&flow);
    let mut caller = rig.dial("+15550102");
    let bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    rig.send(BOB, &bob.respond("180 Ringing", None));
    rig.advance_ms(10_000);
    rig.confirm_cancel(&bob);
    let alice = Phone::new(ALICE, rig.expect(ALICE, "INVITE"));
    rig.phone_answers(&alice);
    rig.caller_hangs_up(&mut caller);
    rig.confirm_bye(ALICE);
    let record = rig.record();
    assert_eq!(record.direction, CallDirection::Inbound);
    assert_eq!(record.agent.as_ref().unwrap().as_str(), "alice");
    assert!(record.recording.is_some(), "a call from outside is recorded by the tenant's limit");
    assert!(rig.story(record.call).contains(&"call.forwarded"));
    rig.finish();
}

#[test]
fn a_step_that_nobody_takes_is_followed_by_the_next() {
    let text = DEMO.replace(
        r#"steps = [{ do = "hangup", cause = "busy" }]"#,
        r#"steps = [{ do = "dial", to = "bob", ring_s = 8 }, { do = "play", prompt = "greeting" }]"#,
    );
    let mut rig = rig(&text);
    let mut caller = rig.dial("+15550102");
    let bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    rig.send(BOB, &bob.respond("180 Ringing", None));
    let tone = rig.last_play().expect("the caller hears it ring");
    rig.advance_ms(8000);
    rig.confirm_cancel(&bob);
    assert_ne!(rig.last_play().unwrap(), tone, "the prompt follows");
    rig.caller_hangs_up(&mut caller);
    assert_eq!(rig.record().cause, Cause::CallerAbandoned);
    rig.finish();
}

#[test]
fn two_agents_who_forward_to_each_other_do_not_ring_for_ever() {
    let text = DEMO
        .replace(
            r#"{ id = "bob", password = "bob-secret","#,
            r#"{ id = "bob", password = "bob-secret", forward = { always = "alice" },"#,
        )
        .replace(
            r#"{ id = "alice", password = "alice-secret","#,
            r#"{ id = "alice", password = "alice-secret", forward = { always = "bob" },"#,
        )
        .replace(
            r#"steps = [{ do = "hangup", cause = "busy" }]"#,
            r#"steps = [{ do = "dial", to = "bob" }]"#,
        );
    let mut rig = rig(&text);
    rig.dial("+15550102");
    rig.expect_silence(BOB);
    rig.confirm_bye(TRUNK);
    assert_eq!(rig.record().cause, Cause::NoAnswer);
    rig.finish();
}

#[test]
fn an_agent_calls_a_queue_and_is_answered_and_waits() {
    let mut rig = rig(DEMO);
    let mut alice = rig.agent_dials(ALICE, "alice", "support", "");
    rig.agent_is_answered(&mut alice);
    let bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    rig.phone_answers(&bob);
    rig.agent_hangs_up(&mut alice, "Reason: Q.850;cause=31\r\n");
    let bye = rig.expect(BOB, "BYE");
    assert!(header(&bye, "Reason").starts_with("Q.850;cause=31;"), "the cause goes through");
    rig.send(BOB, &answer(&bye, BOB, "200 OK", "", None));
    assert_eq!((rig.record().q850, rig.record().direction), (31, CallDirection::Internal));
    rig.finish();
}

#[test]
fn what_nobody_has_and_what_may_not_be_dialled_is_refused() {
    let text = DEMO.replace(
        r#"{ id = "alice", password = "alice-secret","#,
        r#"{ id = "alice", password = "alice-secret", may_dial = "internal","#,
    );
    for (dialled, status, cause) in
        [("zoe", "SIP/2.0 404", Cause::NoRoute), ("+4930555", "SIP/2.0 403", Cause::Forbidden)]
    {
        let mut rig = rig(&text);
        let alice = rig.agent_dials(ALICE, "alice", dialled, "");
        let refused = rig.expect(ALICE, status);
        rig.send(ALICE, &alice.ack(&refused));
        assert_eq!(rig.record().cause, cause);
        rig.finish();
    }
}

#[test]
fn an_agent_who_wants_no_calls_is_busy() {
    let mut rig = rig(DEMO);
    let state = AgentState::Break;
    let agent = base::AgentId::new("bob").unwrap();
    let request = ApiRequest::SetAgentState { agent, state, reason: None };
    rig.request("acme", request).unwrap();
    // A break is about queues: who is called by name rings all the same.
    let alice = rig.agent_dials(ALICE, "alice", "bob", "");
    let bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    rig.send(BOB, &bob.respond("486 Busy Here", None));
    let refused = rig.expect(ALICE, "SIP/2.0 486");
    rig.send(ALICE, &alice.ack(&refused));
    rig.finish();
}
