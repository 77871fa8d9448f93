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
    rig.caller_is_answered(&mut second);
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

/// The lengths, in milliseconds, of the sounds that the caller is played first.
fn first_played(say: &str, prompts: &str) -> Vec<u128> {
    let steps = r#"steps = [{ do = "hangup", cause = "busy" }]"#;
    let text = crate::rig::DEMO
        .replace(steps, &format!("steps = [{say}, {{ do = \"hangup\", cause = \"busy\" }}]"))
        .replace(
            r#"prompts = [{ id = "greeting""#,
            &format!(r#"prompts = [{prompts}{{ id = "greeting""#),
        );
    let mut rig = Rig::with(&text);
    rig.dial("+15550102");
    let played = rig.commands.iter().find_map(|command| match command {
        Command::Play { sounds, looped: false, .. } => Some(sounds.clone()),
        _ => None,
    });
    if played.is_some() {
        assert!(rig.records.is_empty(), "it is said to its end");
        rig.finish_prompt();
    }
    let lengths = played.iter().flat_map(|sounds| sounds.iter());
    lengths.map(|sound| sound.duration().as_millis()).collect()
}

#[test]
fn a_value_is_said_from_the_fragments_of_its_language_and_then_the_flow_goes_on() {
    // The rig's voices: a fragment of n has n + 1 milliseconds, a word 200.
    let said = first_played(r#"{ do = "say", say = "number", value = "342" }"#, "");
    assert_eq!(said, [4, 200, 200, 43], "three hundred and forty-two");
    let said =
        first_played(r#"{ do = "say", say = "number", value = "342", language = "de-AT" }"#, "");
    assert_eq!(said, [4, 200, 43], "drei hundert zweiundvierzig");
    let said = first_played(r#"{ do = "say", say = "digits", value = "$called" }"#, "");
    assert_eq!(said, [200, 2, 6, 200, 6, 6, 1, 200, 2, 1, 3], "+1 5, 550, 102 with pauses");
}

#[test]
fn a_tenants_own_recording_of_a_fragment_goes_before_the_voices() {
    let own = r#"{ id = "say.en.2", file = "two.wav" }, "#;
    let said = first_played(r#"{ do = "say", say = "number", value = "2" }"#, own);
    assert_eq!(said, [1000], "the rig's prompts have a second each");
}

#[test]
fn a_value_that_is_none_of_its_kind_is_passed_over() {
    assert!(first_played(r#"{ do = "say", say = "date", value = "$caller" }"#, "").is_empty());
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
