//! Setting calls up: the happy path, late offers, retransmissions, ports that are taken.

use media::{Channel, Codec, Command};
use switch::{Cause, EndedBy, LegKind, RecordCommand};

use crate::rig::{ALICE, BOB, Call, Phone, Rig, SDP_PCMA, SDP_PCMU, STRANGER, TRUNK, header};

#[test]
fn a_call_goes_from_trunk_through_greeting_and_queue_to_the_agent_idle_longest() {
    let mut rig = Rig::new();
    rig.register_both();
    let mut call = Call::new(&mut rig, TRUNK, "+15550100");
    rig.send(TRUNK, &call.invite());
    let ok = rig.expect(TRUNK, "SIP/2.0 200");
    assert_eq!(rig.count(TRUNK, "SIP/2.0 100"), 1);
    assert_eq!(ok.content_type(), Some("application/sdp"));
    assert!(header(&ok, "Contact").contains("127.0.0.1:5060"));
    let ack = call.ack(&ok, None);
    rig.send(TRUNK, &ack);
    rig.expect_silence(ALICE);
    rig.advance_ms(3000);
    rig.finish_prompt();

    let invite = rig.expect(ALICE, "INVITE sip:alice@127.0.0.11:5060");
    assert!(
        header(&invite, "From")
            .starts_with("\"Carla \\\"C\\\" Caller\" <sip:+4930123456@acme.example>;tag=")
    );
    assert_eq!(header(&invite, "To"), "<sip:alice@acme.example>");
    let mut phone = Phone::new(ALICE, invite);
    rig.send(ALICE, &phone.respond("180 Ringing", None));
    rig.advance_ms(2000);
    rig.send(ALICE, &phone.respond("200 OK", Some(SDP_PCMU)));
    rig.expect(ALICE, "ACK sip:phone@127.0.0.11:5060");
    rig.expect_silence(BOB);
    rig.advance_ms(20_000);

    let bye = phone.next("BYE", None);
    rig.send(ALICE, &bye);
    rig.expect(ALICE, "SIP/2.0 200");
    rig.confirm_bye(TRUNK);

    let record = rig.record();
    assert_eq!((record.cause, record.ended_by), (Cause::Normal, EndedBy::Agent));
    assert_eq!(record.duration.as_millis(), 25_000);
    assert_eq!(record.wait.as_millis(), 5000);
    assert_eq!(record.talk.unwrap().as_millis(), 20_000);
    assert_eq!(record.number.as_deref(), Some("+15550100"));
    assert_eq!((record.from.as_str(), record.to.as_str()), ("+4930123456", "+15550100"));
    let kinds: Vec<LegKind> = record.legs.iter().map(|leg| leg.kind).collect();
    assert_eq!(kinds, [LegKind::Caller, LegKind::Agent]);
    assert!(record.legs.iter().all(|leg| leg.stats.is_some() && leg.codec == Some(Codec::Pcmu)));
    assert_eq!(
        rig.story(record.call),
        [
            "call.started",
            "call.routed",
            "call.answered",
            "call.prompt_started",
            "call.queued",
            "call.offered",
            "call.ringing",
            "call.connected",
            "recording.started",
            "call.ended",
        ]
    );
    rig.finish();
}

#[test]
fn the_ladder_has_every_message_of_both_legs_in_order() {
    let mut rig = Rig::new();
    rig.register_both();
    let (mut call, _) = rig.connect_alice();
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    let record = rig.record();
    let lines: Vec<String> = record
        .ladder
        .iter()
        .map(|entry| {
            let text = String::from_utf8_lossy(&entry.bytes).into_owned();
            let first = text.lines().next().unwrap();
            let word = first.strip_prefix("SIP/2.0 ").unwrap_or(first);
            format!("{:?} {}", entry.direction, word.split(' ').next().unwrap())
        })
        .collect();
    assert_eq!(
        lines,
        [
            "In INVITE",
            "Out 100",
            "Out 200",
            "In ACK",
            "Out INVITE",
            "In 180",
            "In 200",
            "Out ACK",
            "In BYE",
            "Out 200",
            "Out BYE",
            "In 200"
        ]
    );
    assert_eq!(record.ladder_cut, 0);
    rig.finish();
}

#[test]
fn the_media_is_opened_played_bridged_and_recorded_in_order() {
    let mut rig = Rig::new();
    rig.register_both();
    let (mut call, _) = rig.connect_alice();
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    let names: Vec<String> = rig
        .commands
        .iter()
        .map(|command| {
            let text = format!("{command:?}");
            text.split(' ').next().unwrap().to_owned()
        })
        .collect();
    assert_eq!(
        names,
        [
            "Open",
            "SetRemote",
            "Play",
            "Play",
            "Open",
            "ExpectHost",
            "SetRemote",
            "StopPlaying",
            "Bridge",
            "Tap",
            "Tap",
            "Untap",
            "Untap",
            "Close",
            "Close"
        ]
    );
    let streams = rig.streams();
    let taps: Vec<_> = rig
        .commands
        .iter()
        .filter_map(|command| match command {
            Command::Tap { stream, channel, .. } => Some((*stream, *channel)),
            _ => None,
        })
        .collect();
    assert_eq!(taps, [(streams[0], Channel::Left), (streams[1], Channel::Right)]);
    assert!(matches!(
        rig.recordings.as_slice(),
        [RecordCommand::Start { .. }, RecordCommand::Stop { .. }]
    ));
    rig.finish();
}

#[test]
fn the_agent_is_offered_the_callers_codec_first() {
    let mut rig = Rig::new();
    rig.register_both();
    let call = Call::new(&mut rig, TRUNK, "+15550100").with_sdp(SDP_PCMA);
    let mut call = call;
    rig.send(TRUNK, &call.invite());
    rig.caller_is_answered(&mut call);
    rig.finish_prompt();
    let invite = rig.expect(ALICE, "INVITE");
    let offer = String::from_utf8(invite.body().to_vec()).unwrap();
    assert!(offer.contains("RTP/AVP 8 111 9 0 101 110\r\n"), "{offer}");
    rig.caller_hangs_up(&mut call);
    rig.finish();
}

#[test]
fn an_invite_without_sdp_gets_our_offer_and_its_ack_brings_the_answer() {
    let mut rig = Rig::new();
    rig.register_both();
    let mut call = Call::new(&mut rig, TRUNK, "+15550100").without_sdp();
    rig.send(TRUNK, &call.invite());
    let ok = rig.expect(TRUNK, "SIP/2.0 200");
    assert!(String::from_utf8(ok.body().to_vec()).unwrap().contains("m=audio"));
    assert_eq!(rig.last_play(), None, "nothing is played to an unknown address");
    let ack = call.ack(&ok, Some(SDP_PCMU));
    rig.send(TRUNK, &ack);
    assert!(rig.last_play().is_some());
    rig.finish_prompt();
    rig.expect(ALICE, "INVITE");
    rig.caller_hangs_up(&mut call);
    rig.finish();
}

#[test]
fn an_ack_without_the_awaited_answer_ends_the_call() {
    let mut rig = Rig::new();
    let mut call = Call::new(&mut rig, TRUNK, "+15550100").without_sdp();
    rig.send(TRUNK, &call.invite());
    rig.caller_is_answered(&mut call);
    rig.confirm_bye(TRUNK);
    assert_eq!(rig.record().cause, Cause::IncompatibleMedia);
    rig.finish();
}

#[test]
fn a_retransmitted_invite_is_one_call() {
    let mut rig = Rig::new();
    rig.hold_streams = true;
    let call = Call::new(&mut rig, TRUNK, "+15550100");
    for _ in 0..4 {
        rig.send(TRUNK, &call.invite());
        rig.advance_ms(500);
    }
    assert_eq!(rig.events_of("call.started").len(), 1);
    assert_eq!(rig.switch.sizes().calls, 1);
    rig.send(TRUNK, &call.cancel());
    rig.expect(TRUNK, "SIP/2.0 200");
    let refused = rig.expect(TRUNK, "SIP/2.0 487");
    rig.send(TRUNK, &call.ack_refusal(&refused));
    let ladder = &rig.record().ladder;
    let invites = ladder.iter().filter(|entry| entry.bytes.starts_with(b"INVITE")).count();
    assert_eq!(invites, 4, "the ladder shows the retransmissions");
    rig.finish();
}

#[test]
fn the_same_request_by_another_way_is_a_loop_and_no_second_call() {
    let mut rig = Rig::new();
    let mut call = rig.dial("+15550100");
    let mut merged = call.clone();
    (merged.to_tag, merged.branch) = (String::new(), "z9hG4bK-another-way".to_owned());
    rig.send(TRUNK, &merged.invite());
    rig.expect(TRUNK, "SIP/2.0 482");
    assert_eq!(rig.events_of("call.started").len(), 1);
    rig.caller_hangs_up(&mut call);
    rig.finish();
}

#[test]
fn a_port_that_is_taken_is_replaced_by_another() {
    let mut rig = Rig::new();
    rig.bad_opens = 2;
    let mut call = rig.dial("+15550100");
    let ports: Vec<u16> = rig
        .commands
        .iter()
        .filter_map(|command| match command {
            Command::Open { port, .. } => Some(*port),
            _ => None,
        })
        .collect();
    assert_eq!(ports.len(), 3);
    assert!(ports[0] != ports[1] && ports[1] != ports[2]);
    rig.caller_hangs_up(&mut call);
    rig.finish();
}

#[test]
fn no_port_that_can_be_opened_is_a_500() {
    let mut rig = Rig::new();
    rig.bad_opens = 3;
    let call = Call::new(&mut rig, TRUNK, "+15550100");
    rig.send(TRUNK, &call.invite());
    let refused = rig.expect(TRUNK, "SIP/2.0 500");
    rig.send(TRUNK, &call.ack_refusal(&refused));
    assert_eq!(rig.record().cause, Cause::MediaFailed);
    rig.finish();
}

#[test]
fn requests_that_belong_to_no_dialog_are_481() {
    let mut rig = Rig::new();
    let mut call = Call::new(&mut rig, TRUNK, "+15550100");
    call.to_tag = "never-given".to_owned();
    for method in ["BYE", "INFO", "UPDATE", "INVITE"] {
        let request = call.next(method, None);
        rig.send(TRUNK, &request);
        let response = rig.expect(TRUNK, "SIP/2.0 481");
        if method == "INVITE" {
            call.branch = format!("z9hG4bK-{method}-{}-{}", call.call_id, call.cseq);
            rig.send(TRUNK, &call.ack_refusal(&response));
        }
    }
    rig.finish();
}

#[test]
fn options_outside_a_dialog_say_what_we_take() {
    let mut rig = Rig::new();
    let mut call = Call::new(&mut rig, STRANGER, "");
    let options = call.next("OPTIONS", None).replace("sip:@", "sip:");
    rig.send(STRANGER, &options);
    let ok = rig.expect(STRANGER, "SIP/2.0 200");
    assert!(header(&ok, "Allow").contains("INVITE"));
    let refer = call.next("REFER", None).replace("sip:@", "sip:");
    rig.send(STRANGER, &refer);
    let refused = rig.expect(STRANGER, "SIP/2.0 405");
    assert!(header(&refused, "Allow").contains("BYE"));
    rig.finish();
}
