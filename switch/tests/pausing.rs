//! A recording that is paused: nobody is tapped and nothing is copied from the next packet on, the
//! recorder is told, and it goes on when it is told to, by itself, or with the next conversation.

use std::net::SocketAddr;

use base::{AgentId, CallId, Duration};
use media::{Command, StreamId};
use switch::{ApiError, ApiReply, ApiRequest, LiveCall, RecordCommand, Side};

use crate::rig::{ALICE, BOB, Call, Phone, Rig};

fn pause(rig: &mut Rig, call: CallId, agent: Option<&str>) -> Result<ApiReply, ApiError> {
    let agent = agent.map(|name| AgentId::new(name).unwrap());
    let (by, lasts) = ("alice-key".to_owned(), Duration::from_secs(60));
    rig.request("acme", ApiRequest::PauseRecording { call, agent, by, lasts })
}

fn resume(rig: &mut Rig, call: CallId) -> Result<ApiReply, ApiError> {
    let by = "alice-key".to_owned();
    rig.request("acme", ApiRequest::ResumeRecording { call, agent: None, by })
}

/// The streams that are tapped now.
fn tapped(rig: &Rig) -> Vec<StreamId> {
    let mut tapped = Vec::new();
    for command in &rig.commands {
        match command {
            Command::Tap { stream, .. } => tapped.push(*stream),
            Command::Untap { stream } | Command::Close { stream } => {
                tapped.retain(|known| known != stream);
            }
            _ => {}
        }
    }
    tapped
}

fn orders(rig: &Rig) -> Vec<&'static str> {
    let name = |command: &RecordCommand| match command {
        RecordCommand::Start { .. } => "start",
        RecordCommand::Pause { .. } => "pause",
        RecordCommand::Resume { .. } => "resume",
        RecordCommand::Stop { .. } => "stop",
    };
    rig.recordings.iter().map(name).collect()
}

/// The caller talks with Alice; and which call that is.
fn talking() -> (Rig, Call, CallId) {
    let mut rig = Rig::new();
    rig.register_both();
    let (call, _) = rig.connect_alice();
    let id = rig.last_call();
    (rig, call, id)
}

fn live(rig: &mut Rig, call: CallId) -> Box<LiveCall> {
    match rig.request("acme", ApiRequest::Call { call }) {
        Ok(ApiReply::Call(live)) => live,
        other => panic!("{other:?}"),
    }
}

/// The caller hangs up on that agent, and nothing is left.
fn over(mut rig: Rig, mut call: Call, agent: SocketAddr) {
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(agent);
    rig.finish();
}

#[test]
fn an_agent_pauses_the_recording_of_her_own_conversation_and_goes_on_with_it() {
    let (mut rig, mut call, id) = talking();
    assert_eq!(tapped(&rig).len(), 2);
    assert_eq!(pause(&mut rig, id, Some("bob")).err(), Some(ApiError::NotFound), "not his");
    assert!(resume(&mut rig, id).is_err(), "it is not paused");
    pause(&mut rig, id, Some("alice")).unwrap();
    assert_eq!(tapped(&rig), []);
    let shown = live(&mut rig, id);
    assert!(shown.paused_until.is_some() && shown.recording.is_some());
    rig.advance(Duration::from_secs(10));
    resume(&mut rig, id).unwrap();
    assert_eq!(tapped(&rig).len(), 2);
    rig.advance(Duration::from_secs(120));
    rig.caller_hangs_up(&mut call);
    assert_eq!(orders(&rig), ["start", "pause", "resume", "stop"]);
    let paused = rig.events_of("recording.paused");
    assert_eq!((&paused[0]["by"], &paused[0]["lasts_s"]), (&"alice-key".into(), &60.into()));
    let resumed = rig.events_of("recording.resumed");
    assert_eq!(resumed.len(), 1);
    assert_eq!((&resumed[0]["why"], &resumed[0]["paused_ms"]), (&"request".into(), &10_000.into()));
    rig.confirm_bye(ALICE);
    rig.finish();
}

#[test]
fn it_goes_on_by_itself_when_nobody_says_so_in_time_and_asked_again_the_time_begins_anew() {
    let (mut rig, call, id) = talking();
    pause(&mut rig, id, None).unwrap();
    rig.advance(Duration::from_secs(50));
    pause(&mut rig, id, None).unwrap();
    rig.advance(Duration::from_secs(50));
    assert_eq!((tapped(&rig).len(), rig.events_of("recording.resumed").len()), (0, 0));
    rig.advance(Duration::from_secs(10));
    assert_eq!(tapped(&rig).len(), 2);
    let resumed = rig.events_of("recording.resumed");
    assert_eq!((&resumed[0]["why"], &resumed[0]["paused_ms"]), (&"limit".into(), &110_000.into()));
    assert_eq!(orders(&rig), ["start", "pause", "resume"]);
    over(rig, call, ALICE);
}

#[test]
fn the_end_of_the_call_ends_the_pause_and_is_told() {
    let (mut rig, mut call, id) = talking();
    pause(&mut rig, id, None).unwrap();
    rig.advance(Duration::from_secs(5));
    rig.caller_hangs_up(&mut call);
    assert_eq!(orders(&rig), ["start", "pause", "stop"]);
    let resumed = rig.events_of("recording.resumed");
    assert_eq!((&resumed[0]["why"], &resumed[0]["paused_ms"]), (&"ended".into(), &5000.into()));
    rig.confirm_bye(ALICE);
    rig.finish();
}

/// Alice, who has paused the recording, sends her caller on to Bob, whose phone rings.
fn paused_and_sent_on() -> (Rig, Call, CallId, Phone) {
    let mut rig = Rig::new();
    rig.register_both();
    let (call, mut alice) = rig.connect_alice();
    let id = rig.last_call();
    pause(&mut rig, id, Some("alice")).unwrap();
    rig.send(ALICE, &alice.refer("<sip:bob@acme.example>"));
    rig.expect(ALICE, "SIP/2.0 202");
    let bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    rig.confirm(ALICE, "NOTIFY");
    (rig, call, id, bob)
}

/// Whoever pauses answers for their own conversation alone: another agent's is recorded, as
/// everybody there is told.
#[test]
fn a_pause_ends_with_the_conversation_and_what_a_transfer_begins_is_recorded() {
    let (mut rig, call, id, bob) = paused_and_sent_on();
    rig.send(BOB, &bob.respond("180 Ringing", None));
    assert_eq!(tapped(&rig), [], "nobody talks");
    rig.advance(Duration::from_secs(3));
    rig.phone_answers(&bob);
    assert_eq!(tapped(&rig).len(), 2, "the caller and Bob");
    let resumed = rig.events_of("recording.resumed");
    assert_eq!((resumed.len(), &resumed[0]["why"]), (1, &"ended".into()));
    assert_eq!(orders(&rig), ["start", "pause", "stop", "start"]);
    assert!(live(&mut rig, id).paused_until.is_none());
    rig.confirm(ALICE, "NOTIFY");
    rig.confirm_bye(ALICE);
    // Bob may pause his own.
    pause(&mut rig, id, Some("bob")).unwrap();
    assert_eq!(tapped(&rig), []);
    over(rig, call, BOB);
}

#[test]
fn a_pause_holds_when_whom_the_caller_was_sent_to_does_not_take_the_call() {
    let (mut rig, call, _, bob) = paused_and_sent_on();
    rig.send(BOB, &bob.respond("486 Busy Here", None));
    rig.expect(BOB, "ACK");
    rig.confirm(ALICE, "NOTIFY");
    // Its recording is another one, and paused from its beginning for what is left of the time.
    assert_eq!(
        (tapped(&rig), orders(&rig)),
        (vec![], vec!["start", "pause", "stop", "start", "pause"])
    );
    let paused = rig.events_of("recording.paused");
    assert_eq!((paused.len(), &paused[1]["by"]), (2, &"alice-key".into()));
    rig.advance(Duration::from_secs(59));
    assert_eq!(tapped(&rig), []);
    rig.advance(Duration::from_secs(1));
    assert_eq!(tapped(&rig).len(), 2);
    let resumed = rig.events_of("recording.resumed");
    assert_eq!((resumed.len(), &resumed[1]["why"]), (2, &"limit".into()));
    over(rig, call, ALICE);
}

#[test]
fn a_secured_side_stays_secured_when_the_recording_goes_on() {
    let (mut rig, call, id) = talking();
    let caller = rig.streams()[0];
    let secure = |rig: &mut Rig, speech| {
        let leg = Side::Customer;
        rig.request("acme", ApiRequest::Secure { call: id, leg, speech }).unwrap();
    };
    let masked = |rig: &Rig| {
        rig.commands.iter().rev().find_map(|command| match command {
            Command::Mask { stream, masking } if *stream == caller => Some(*masking),
            _ => None,
        })
    };
    pause(&mut rig, id, None).unwrap();
    secure(&mut rig, Some(true));
    resume(&mut rig, id).unwrap();
    assert_eq!((masked(&rig), tapped(&rig).len()), (Some(media::Masking::All), 2));
    pause(&mut rig, id, None).unwrap();
    secure(&mut rig, None);
    assert_eq!((masked(&rig), tapped(&rig).len()), (Some(media::Masking::Off), 0), "still paused");
    over(rig, call, ALICE);
}

#[test]
fn what_is_not_recorded_cannot_be_paused() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let mut call = rig.dial("+15550100");
    let id = rig.last_call();
    assert!(matches!(pause(&mut rig, id, None), Err(ApiError::Conflict(_))), "a prompt plays");
    assert_eq!(pause(&mut rig, CallId::from_u128(1), None).err(), Some(ApiError::NotFound));
    rig.finish_prompt();
    rig.caller_hangs_up(&mut call);
    rig.finish();
}

#[test]
fn what_a_call_came_to_is_told_while_it_is_up_and_after_and_wrap_up_ends_when_she_is_done() {
    let (mut rig, mut call, id) = talking();
    let agent = AgentId::new("alice").unwrap();
    let say = |rig: &mut Rig, notes: &str| {
        let wrap_up = switch::WrapUp {
            agent: AgentId::new("alice").unwrap(),
            queue: None,
            code: None,
            notes: Some(notes.to_owned()),
            by: None,
        };
        rig.request("acme", ApiRequest::WrappedUp { call: id, wrap_up }).unwrap();
    };
    say(&mut rig, "calls back");
    let done = ApiRequest::WrapUp { agent: agent.clone(), more: None };
    assert!(rig.request("acme", done.clone()).is_err(), "she talks");
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    let more = ApiRequest::WrapUp { agent, more: Some(Duration::from_secs(60)) };
    assert!(rig.request("acme", more).is_err(), "the queue does not permit that");
    rig.request("acme", done).unwrap();
    let states = rig.events_of("agent.state_changed");
    assert_eq!(states.last().unwrap()["state"], "available");
    rig.advance(Duration::from_secs(60));
    say(&mut rig, "has called back");
    let told = rig.events_of("call.wrapped_up");
    assert_eq!((told.len(), &told[1]["notes"]), (2, &"has called back".into()));
    assert_eq!((&told[0]["agent"], told[0].get("code")), (&"alice".into(), None));
}
