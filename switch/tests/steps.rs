//! The steps of a flow: a queue that is full or takes too long, what comes after it, hanging up.

use media::Command;
use switch::Cause;

use crate::rig::{BOB, Call, Rig, TRUNK};

#[test]
fn a_caller_who_waits_too_long_goes_on_to_the_next_step() {
    let mut rig = Rig::new();
    let call = rig.dial("+15550101");
    rig.advance_ms(59_000);
    assert!(rig.records.is_empty());
    rig.advance_ms(1100);
    assert_eq!(rig.events_of("call.prompt_started").len(), 1);
    rig.finish_prompt();
    rig.confirm_bye(call.at);
    let record = rig.record();
    assert_eq!(record.cause, Cause::Busy, "the flow's last step says so");
    assert!(serde_json::to_string(&record.decisions).unwrap().contains("waited as long as it may"));
    rig.finish();
}

#[test]
fn a_flow_that_ends_in_a_queue_that_gave_up_ends_with_that_cause() {
    let mut rig = Rig::new();
    let call = rig.dial("+15550103");
    rig.advance_ms(60_100);
    rig.confirm_bye(call.at);
    assert_eq!(rig.record().cause, Cause::QueueTimeout);
    rig.finish();
}

#[test]
fn a_full_queue_lets_the_flow_go_on_at_once() {
    let mut rig = Rig::new();
    let mut first = rig.dial("+15550103");
    let mut second = Call::new(&mut rig, TRUNK, "+15550103");
    rig.send(TRUNK, &second.invite());
    let ok = rig.expect(TRUNK, "SIP/2.0 200");
    let ack = second.ack(&ok, None);
    rig.send(TRUNK, &ack);
    rig.confirm_bye(TRUNK);
    assert_eq!(rig.record().cause, Cause::Busy);
    rig.caller_hangs_up(&mut first);
    rig.finish();
}

#[test]
fn a_flow_that_begins_with_a_hangup_refuses_the_call_unanswered() {
    let mut rig = Rig::new();
    let call = Call::new(&mut rig, TRUNK, "+15550102");
    rig.send(TRUNK, &call.invite());
    let refused = rig.expect(TRUNK, "SIP/2.0 486");
    rig.send(TRUNK, &call.ack_refusal(&refused));
    assert_eq!(rig.record().cause, Cause::Busy);
    rig.finish();
}

#[test]
fn music_plays_while_the_call_waits_and_stops_when_an_agent_takes_it() {
    let mut rig = Rig::new();
    let mut call = rig.dial_into_queue();
    assert!(rig.commands.iter().any(|c| matches!(c, Command::Play { looped: true, .. })));
    assert!(!rig.commands.iter().any(|c| matches!(c, Command::StopPlaying { .. })));
    rig.register(BOB, "bob");
    rig.expect(BOB, "INVITE");
    rig.caller_hangs_up(&mut call);
    rig.finish();
}

#[test]
fn a_prompt_that_is_not_there_is_passed_over() {
    let text = crate::rig::DEMO.replace(r#"id = "greeting", file"#, r#"id = "other", file"#);
    let text = text.replace(r#"prompt = "greeting""#, r#"prompt = "other""#);
    let mut rig = Rig::with(&text);
    rig.register(BOB, "bob");
    let mut call = rig.dial("+15550100");
    rig.expect(BOB, "INVITE");
    rig.caller_hangs_up(&mut call);
    rig.finish();
}

#[test]
fn calls_that_are_up_keep_the_provisioning_they_started_with() {
    let mut rig = Rig::new();
    let mut call = rig.dial("+15550100");
    let text = crate::rig::DEMO.replace(r#"{ do = "play", prompt = "greeting" }, "#, "");
    rig.provision(&text);
    assert!(rig.records.is_empty());
    rig.finish_prompt();
    assert_eq!(rig.events_of("call.queued").len(), 1);
    rig.caller_hangs_up(&mut call);
    let mut next = rig.dial("+15550100");
    assert_eq!(rig.events_of("call.queued").len(), 2, "a new call goes straight to the queue");
    rig.caller_hangs_up(&mut next);
    rig.finish();
}
