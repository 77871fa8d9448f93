//! Who answers a call outside, what is done when it is a machine, and tones before the answer.

use base::{AgentId, Duration, PromptId};
use media::progress::{
    Answer, AnswerReason, AnsweredBy, Information, Listening, ProgressTone, Verdict,
};
use media::{Command, Event, StreamId};
use switch::{
    AnswerTimes, AnsweringMachine, ApiError, ApiReply, ApiRequest, Cause, First, MachineAction,
    Originate,
};

use crate::rig::{ALICE, DEMO, OUT, Phone, Rig, SDP_PCMU, calls_out, header};

fn rig(tones_end_calls: bool) -> Rig {
    let mut rig = Rig::with(&calls_out(&format!("tones_end_calls = {tones_end_calls}")));
    rig.register_both();
    rig
}

fn wish(action: MachineAction, wait: bool) -> AnsweringMachine {
    let (times, longest) = (AnswerTimes::default(), Duration::from_secs(60));
    AnsweringMachine { action, wait, times, longest }
}

fn message() -> MachineAction {
    MachineAction::LeaveMessage { prompt: PromptId::new("greeting").unwrap() }
}

fn asked(first: First, wish: AnsweringMachine) -> Originate {
    Originate {
        agent: AgentId::new("alice").unwrap(),
        to: "+12125550123".to_owned(),
        first,
        caller_id: None,
        timeout_s: None,
        answering_machine: Some(wish),
    }
}

/// The customer's phone, which has answered first.
fn answered_first(rig: &mut Rig, wish: AnsweringMachine) -> Phone {
    let asked = ApiRequest::Originate(asked(First::Customer, wish));
    assert!(matches!(rig.request("acme", asked), Ok(ApiReply::Originated(_))));
    let carrier = Phone::new(OUT, rig.expect(OUT, "INVITE"));
    rig.phone_answers(&carrier);
    carrier
}

/// What the last order to listen was for.
#[track_caller]
fn order(rig: &Rig) -> (StreamId, Option<Listening>) {
    let order = |command: &Command| match command {
        Command::Progress { stream, listening } => Some((*stream, listening.as_deref().copied())),
        _ => None,
    };
    rig.commands.iter().rev().find_map(order).expect("an order to listen")
}

fn hear(rig: &mut Rig, stream: StreamId, verdict: Verdict) {
    let after = Duration::from_millis(1500);
    rig.media(Event::Progress { stream, verdict, after });
}

fn is(by: AnsweredBy, reason: AnswerReason) -> Verdict {
    Verdict::Answered(Answer {
        by,
        reason,
        machine_percent: 97,
        initial_silence: Duration::from_millis(700),
        greeting: Duration::from_millis(4000),
        words: 9,
        pause: Duration::ZERO,
    })
}

#[track_caller]
fn ended(rig: &Rig, cause: Cause) {
    let record = rig.record();
    assert_eq!(record.cause, cause);
    let decisions: Vec<String> =
        record.decisions.iter().map(|entry| entry.decided.to_string()).collect();
    assert!(decisions.iter().any(|line| line.contains("answered outside")), "{decisions:?}");
}

#[test]
fn the_agent_is_rung_when_a_person_has_answered_and_not_before() {
    let mut rig = rig(false);
    let mut carrier = answered_first(&mut rig, wish(MachineAction::HangUp, true));
    rig.expect_silence(ALICE);
    let (stream, listening) = order(&rig);
    let listening = listening.unwrap();
    assert_eq!(listening.country, Some(*b"US"), "the number's own");
    assert_eq!(listening.answer, Some(AnswerTimes::default()));
    hear(&mut rig, stream, is(AnsweredBy::Human, AnswerReason::Waits));
    let alice = Phone::new(ALICE, rig.expect(ALICE, "INVITE"));
    rig.phone_answers(&alice);
    let told = rig.events_of("call.answered_by");
    assert_eq!(told.len(), 1);
    assert_eq!((&told[0]["by"], &told[0]["reason"]), (&"human".into(), &"waits".into()));
    assert_eq!((&told[0]["words"], &told[0]["after_ms"]), (&9.into(), &1500.into()));
    rig.send(OUT, &carrier.next("BYE", None));
    rig.expect(OUT, "SIP/2.0 200");
    rig.confirm_bye(ALICE);
    ended(&rig, Cause::Normal);
    rig.finish();
}

#[test]
fn a_machine_is_hung_up_on_and_nobody_was_rung_for_it() {
    for by in [AnsweredBy::Machine, AnsweredBy::Fax] {
        let mut rig = rig(false);
        answered_first(&mut rig, wish(MachineAction::HangUp, true));
        let stream = order(&rig).0;
        hear(&mut rig, stream, is(by, AnswerReason::TalksOn));
        let bye = rig.expect(OUT, "BYE");
        assert!(header(&bye, "Reason").starts_with("Q.850;cause=16"));
        rig.send(OUT, &crate::rig::answer(&bye, OUT, "200 OK", "", None));
        rig.expect_silence(ALICE);
        ended(&rig, Cause::AnsweringMachine);
        rig.finish();
    }
}

#[test]
fn a_machine_gets_its_message_after_the_beep_and_anew_when_it_beeps_again() {
    let mut rig = rig(false);
    answered_first(&mut rig, wish(message(), true));
    let stream = order(&rig).0;
    hear(&mut rig, stream, is(AnsweredBy::Machine, AnswerReason::TalksOn));
    assert_eq!(rig.last_play(), None, "its greeting is not over");
    hear(&mut rig, stream, Verdict::GreetingOver);
    let early = rig.last_play().expect("a message");
    hear(&mut rig, stream, Verdict::Beep);
    let (played, play) = rig.last_play().expect("a message");
    assert_eq!(played, stream);
    assert_ne!(play, early.1, "anew, as nothing of it was recorded");
    rig.finish_prompt();
    rig.confirm_bye(OUT);
    rig.expect_silence(ALICE);
    assert_eq!(rig.events_of("call.message_left")[0]["prompt"], "greeting");
    let heard: Vec<_> =
        rig.events_of("call.progress").iter().map(|event| event["heard"].clone()).collect();
    assert_eq!(heard, ["greeting_over", "beep"]);
    ended(&rig, Cause::AnsweringMachine);
    rig.finish();
}

#[test]
fn a_machine_that_never_ends_is_hung_up_on_in_the_end() {
    let mut rig = rig(false);
    answered_first(&mut rig, wish(message(), true));
    let stream = order(&rig).0;
    hear(&mut rig, stream, is(AnsweredBy::Machine, AnswerReason::TalksOn));
    rig.advance_ms(59_000);
    assert!(rig.records.is_empty());
    rig.advance_ms(1_000);
    rig.confirm_bye(OUT);
    ended(&rig, Cause::AnsweringMachine);
    rig.finish();
}

#[test]
fn who_was_taken_for_a_person_and_beeps_gets_the_message_and_the_agents_phone_is_let_go() {
    let mut rig = rig(false);
    answered_first(&mut rig, wish(message(), true));
    let stream = order(&rig).0;
    hear(&mut rig, stream, is(AnsweredBy::Human, AnswerReason::Waits));
    let alice = Phone::new(ALICE, rig.expect(ALICE, "INVITE"));
    rig.send(ALICE, &alice.respond("180 Ringing", None));
    hear(&mut rig, stream, is(AnsweredBy::Machine, AnswerReason::Beep));
    rig.confirm_cancel(&alice);
    hear(&mut rig, stream, Verdict::Beep);
    assert!(rig.last_play().is_some());
    rig.finish_prompt();
    rig.confirm_bye(OUT);
    let told = rig.events_of("call.answered_by");
    assert_eq!((&told[0]["revised"], &told[1]["revised"]), (&false.into(), &true.into()));
    ended(&rig, Cause::AnsweringMachine);
    rig.finish();
}

#[test]
fn without_waiting_the_agent_is_rung_at_once_and_let_go_when_it_is_a_machine() {
    let mut rig = rig(false);
    answered_first(&mut rig, wish(MachineAction::HangUp, false));
    let stream = order(&rig).0;
    let alice = Phone::new(ALICE, rig.expect(ALICE, "INVITE"));
    rig.send(ALICE, &alice.respond("180 Ringing", None));
    hear(&mut rig, stream, is(AnsweredBy::Machine, AnswerReason::TalksOn));
    rig.confirm_cancel(&alice);
    rig.confirm_bye(OUT);
    ended(&rig, Cause::AnsweringMachine);
    rig.finish();
}

#[test]
fn detection_tells_an_agent_who_was_first_and_goes_on() {
    let mut rig = rig(false);
    let asked = asked(First::Agent, wish(MachineAction::Detect, false));
    rig.request("acme", ApiRequest::Originate(asked)).expect("it begins");
    let mut alice = Phone::new(ALICE, rig.expect(ALICE, "INVITE"));
    rig.phone_answers(&alice);
    let carrier = Phone::new(OUT, rig.expect(OUT, "INVITE"));
    rig.send(OUT, &carrier.respond("183 Session Progress", Some(SDP_PCMU)));
    let (stream, listening) = order(&rig);
    assert_eq!(listening.unwrap().answer, None, "nobody has answered yet");
    hear(&mut rig, stream, Verdict::Tone(ProgressTone::Ringing));
    assert_eq!(rig.events_of("call.progress")[0]["heard"], "ringback");
    rig.phone_answers(&carrier);
    let (again, listening) = order(&rig);
    assert_eq!((again, listening.unwrap().answer.is_some()), (stream, true));
    hear(&mut rig, stream, is(AnsweredBy::Machine, AnswerReason::TalksOn));
    hear(&mut rig, stream, Verdict::Beep);
    assert_eq!(order(&rig), (stream, None), "all is known");
    rig.expect_silence(OUT);
    rig.send(ALICE, &alice.next("BYE", None));
    rig.expect(ALICE, "SIP/2.0 200");
    rig.confirm_bye(OUT);
    ended(&rig, Cause::Normal);
    rig.finish();
}

/// Alice calls outside; the carrier lets something be heard before the answer.
fn early(tones_end_calls: bool) -> (Rig, crate::rig::Asked, Phone) {
    let mut rig = rig(tones_end_calls);
    let alice = rig.agent_dials(ALICE, "alice", "+12125550123", "");
    let carrier = Phone::new(OUT, rig.expect(OUT, "INVITE"));
    rig.send(OUT, &carrier.respond("183 Session Progress", Some(SDP_PCMU)));
    (rig, alice, carrier)
}

#[test]
fn a_tone_before_the_answer_ends_the_call_with_its_cause_where_the_trunk_says_so() {
    let (no_circuit, other) = (Information::NoCircuit, Information::Other);
    let cases = [
        (ProgressTone::Busy, Cause::Busy, 486, 17),
        (ProgressTone::Congestion, Cause::Unavailable, 503, 34),
        (ProgressTone::Information(other), Cause::NoRoute, 404, 1),
        (ProgressTone::Information(no_circuit), Cause::Unavailable, 503, 34),
    ];
    for (tone, cause, status, q850) in cases {
        let (mut rig, alice, carrier) = early(true);
        let (stream, listening) = order(&rig);
        assert_eq!(listening, Some(Listening { country: Some(*b"US"), answer: None }));
        hear(&mut rig, stream, Verdict::Tone(ProgressTone::Ringing));
        assert!(rig.records.is_empty());
        hear(&mut rig, stream, Verdict::Tone(tone));
        let refused = rig.expect_final(ALICE);
        assert_eq!(refused.status().unwrap().as_u16(), status);
        rig.send(ALICE, &alice.ack(&refused));
        rig.confirm_cancel(&carrier);
        let record = rig.record();
        assert_eq!((record.cause, record.q850), (cause, q850), "{tone:?}");
        rig.finish();
    }
}

#[test]
fn nobody_listens_where_neither_the_trunk_nor_the_request_says_so() {
    let (mut rig, alice, carrier) = early(false);
    let is_order = |command: &Command| matches!(command, Command::Progress { .. });
    assert!(!rig.commands.iter().any(is_order));
    rig.send(OUT, &carrier.respond("486 Busy Here", None));
    let refused = rig.expect_final(ALICE);
    rig.send(ALICE, &alice.ack(&refused));
    rig.finish();
}

#[test]
fn a_message_is_left_only_where_the_customer_is_first_and_of_a_prompt_that_there_is() {
    let mut rig = rig(false);
    let unknown = MachineAction::LeaveMessage { prompt: PromptId::new("nothing").unwrap() };
    for asked in [
        asked(First::Agent, wish(message(), true)),
        asked(First::Customer, wish(message(), false)),
        asked(First::Customer, wish(unknown, true)),
    ] {
        match rig.request("acme", ApiRequest::Originate(asked)) {
            Err(ApiError::Refused { cause, .. }) => assert_eq!(cause, Cause::BadRequest),
            other => panic!("{other:?}"),
        }
    }
    assert!(rig.records.is_empty());
    rig.finish();
}

/// A caller whom a step of a flow sends on to a number outside, which has answered.
fn dialled_by_a_step(on_machine: &str) -> (Rig, crate::rig::Call, Phone) {
    let closed = r#"steps = [{ do = "hangup", cause = "busy" }]"#;
    assert!(DEMO.contains(closed));
    let dial = format!(r#"{{ do = "dial", to = "+12125550123"{on_machine} }}"#);
    let steps = format!(r#"steps = [{dial}, {{ do = "queue", queue = "sales" }}]"#);
    let mut rig = Rig::with(&calls_out("").replace(closed, &steps));
    let call = rig.dial("+15550102");
    let carrier = Phone::new(OUT, rig.expect(OUT, "INVITE"));
    rig.phone_answers(&carrier);
    (rig, call, carrier)
}

#[test]
fn a_machine_that_a_flow_has_dialled_is_hung_up_on_and_the_next_step_follows() {
    let (mut rig, mut call, _) = dialled_by_a_step(r#", on_machine = "next""#);
    let id = rig.last_call();
    let (stream, listening) = order(&rig);
    assert_eq!(stream, rig.streams()[1]);
    assert!(listening.unwrap().answer.is_some(), "who answers is listened for");
    hear(&mut rig, stream, is(AnsweredBy::Machine, AnswerReason::TalksOn));
    assert_eq!(rig.events_of("call.answered_by")[0]["by"], "machine");
    rig.confirm_bye(OUT);
    assert_eq!(rig.events_of("call.queued").len(), 1, "the next step");
    assert_eq!(rig.bridged(), None);
    rig.caller_hangs_up(&mut call);
    assert!(rig.story(id).contains(&"call.connected"));
    assert_eq!(rig.record().cause, Cause::CallerAbandoned);
    rig.finish();
}

#[test]
fn a_person_or_a_machine_that_is_merely_told_of_is_talked_with() {
    for (on_machine, by, reason) in [
        (r#", on_machine = "next""#, AnsweredBy::Human, AnswerReason::Waits),
        (r#", on_machine = "tell""#, AnsweredBy::Machine, AnswerReason::TalksOn),
    ] {
        let (mut rig, mut call, _) = dialled_by_a_step(on_machine);
        let (stream, _) = order(&rig);
        hear(&mut rig, stream, is(by, reason));
        assert_eq!(rig.events_of("call.answered_by").len(), 1);
        rig.expect_silence(OUT);
        assert_eq!(rig.bridged(), Some((rig.streams()[0], rig.streams()[1])));
        rig.caller_hangs_up(&mut call);
        rig.confirm_bye(OUT);
        rig.finish();
    }
    let (rig, ..) = dialled_by_a_step("");
    let listens = |c: &Command| matches!(c, Command::Progress { listening: Some(_), .. });
    assert!(!rig.commands.iter().any(listens), "nobody listens who did not say so");
}
