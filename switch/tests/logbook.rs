//! The log of events: dense numbers per tenant, resumed after a restart, recordings after the end,
//! data that is plain JSON.

use std::sync::Arc;

use base::{Rng, TenantId};
use switch::{Input, RecordCommand, RecordingOutcome, RecordingReport, Switch};

use crate::rig::{ALICE, Rig, TRUNK, directory, prompts};

fn completed() -> RecordingOutcome {
    RecordingOutcome::Completed {
        duration_ms: 3000,
        bytes: 96_044,
        location: "acme/2026/x.wav".to_owned(),
        gaps_ms: 0,
    }
}

fn report(rig: &Rig, outcome: RecordingOutcome) -> RecordingReport {
    let Some(RecordCommand::Start { tenant, call, recording, .. }) = rig.recordings.first() else {
        panic!("a recording");
    };
    RecordingReport { tenant: tenant.clone(), call: *call, recording: *recording, outcome }
}

#[test]
fn a_completed_recording_is_told_after_the_calls_end_even_if_it_was_whole_before() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let (mut call, _) = rig.connect_alice();
    rig.caller_hangs_up(&mut call);
    let early = report(&rig, completed());
    rig.input(Input::Recording(early));
    assert!(rig.events_of("recording.completed").is_empty(), "the BYE is not answered yet");
    rig.confirm_bye(ALICE);
    let story = rig.story(rig.record().call);
    assert_eq!(story[story.len() - 2..], ["call.ended", "recording.completed"]);
    assert_eq!(rig.events_of("recording.completed")[0]["bytes"], 96_044);
    rig.finish();
}

#[test]
fn a_failed_recording_is_told_at_once() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let (mut call, _) = rig.connect_alice();
    let failed = report(&rig, RecordingOutcome::Failed { why: "disk full".to_owned() });
    rig.input(Input::Recording(failed));
    assert_eq!(rig.events_of("recording.failed")[0]["why"], "disk full");
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    rig.finish();
}

#[test]
fn a_recording_of_a_call_long_gone_is_still_told_in_its_tenants_log() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let (mut call, _) = rig.connect_alice();
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    rig.advance_ms(60_000);
    let late = report(&rig, completed());
    rig.input(Input::Recording(late));
    assert_eq!(rig.events_of("recording.completed").len(), 1);
    rig.finish();
}

#[test]
fn a_tenants_numbers_go_on_where_its_log_ended() {
    let mut rig = Rig::new();
    rig.events.clear();
    let config = switch::SwitchConfig {
        advertised: Vec::new(),
        web: None,
        tokens: None,
        media: vec![switch::WorkerPorts {
            worker: media::WorkerId(0),
            ports: 20_000..=20_099,
            address: Some(TRUNK.ip()),
            bound: TRUNK.ip(),
            networks: Vec::new(),
        }],
        wall: base::UnixTime::default(),
        user_agent: String::new(),
        limits: switch::Limits::default(),
    };
    rig.switch = Switch::new(config, Rng::from_seed(9));
    let last_sequence = vec![(TenantId::new("acme").unwrap(), 41)];
    let directory = directory(crate::rig::DEMO);
    rig.input(Input::Provision { directory, prompts: Arc::new(prompts()), last_sequence });
    let mut call = rig.dial("+15550100");
    let first = rig.events.iter().find(|event| event.tenant.as_str() == "acme").unwrap();
    assert_eq!(first.sequence, 42);
    rig.caller_hangs_up(&mut call);
    rig.advance_ms(120_000);
    assert_eq!(rig.switch.sizes(), switch::Sizes::default());
}

#[test]
fn tenants_have_numbers_of_their_own() {
    let mut rig = Rig::new();
    let mut one = rig.dial("+15550100");
    let mut two = rig.dial("+15550200");
    rig.caller_hangs_up(&mut one);
    rig.caller_hangs_up(&mut two);
    rig.check_sequences();
    let tenants: Vec<&str> = rig.records.iter().map(|record| record.tenant.as_str()).collect();
    assert_eq!(tenants, ["acme", "globex"]);
    rig.finish();
}

#[test]
fn an_events_data_is_a_plain_object_with_the_real_numbers() {
    let mut rig = Rig::new();
    let mut call = rig.dial("+15550100");
    assert_eq!(
        rig.events_of("call.started"),
        [serde_json::json!({
            "direction": "inbound",
            "trunk": "carrier-a",
            "from_name": "Carla \"C\" Caller",
            "from": "+4930123456",
            "to": "+15550100",
        })]
    );
    assert_eq!(rig.events_of("call.answered"), [serde_json::json!({})]);
    rig.caller_hangs_up(&mut call);
    let ended = &rig.events_of("call.ended")[0];
    assert_eq!(ended["cause"], "caller_abandoned");
    assert_eq!(ended["ended_by"], "caller");
    rig.finish();
}

#[test]
fn the_record_comes_just_before_its_event() {
    let mut rig = Rig::new();
    let mut call = rig.dial("+15550100");
    let bye = call.next("BYE", None);
    let flow = rig.flow(TRUNK);
    let bytes = bytes::Bytes::copy_from_slice(bye.as_bytes());
    rig.confirm_closed = false;
    rig.input(Input::Received { flow, bytes });
    let stream = rig.streams()[0];
    let event = media::Event::Closed { stream, stats: crate::rig::stats() };
    rig.switch.handle_input(rig.now, Input::Media { worker: media::WorkerId(0), event });
    let mut order = Vec::new();
    while let Some(output) = rig.switch.poll_output() {
        match output {
            switch::Output::CallEnded(_) => order.push("record"),
            switch::Output::Event(event) => order.push(event.kind.type_name()),
            _ => {}
        }
    }
    assert_eq!(order, ["record", "call.ended"]);
}

#[test]
fn each_of_several_recordings_of_a_call_is_told() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let (mut call, _) = rig.connect_alice();
    let id = rig.last_call();
    // A transfer to somebody who is not there ends one recording and begins another.
    let to = "bob".to_owned();
    rig.request("acme", switch::ApiRequest::Transfer { call: id, to }).expect("it begins");
    let started: Vec<_> = rig.recordings.iter().filter_map(started_recording).collect();
    assert_eq!(started.len(), 2);
    for (tenant, call, recording) in started {
        let outcome = completed();
        rig.input(Input::Recording(RecordingReport { tenant, call, recording, outcome }));
    }
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    assert_eq!(rig.events_of("recording.completed").len(), 2);
    rig.finish();
}

fn started_recording(
    command: &RecordCommand,
) -> Option<(TenantId, base::CallId, base::RecordingId)> {
    match command {
        RecordCommand::Start { tenant, call, recording, .. } => {
            Some((tenant.clone(), *call, *recording))
        }
        RecordCommand::Pause { .. } | RecordCommand::Resume { .. } | RecordCommand::Stop { .. } => {
            None
        }
    }
}
