//! Calls that are refused: strangers, unknown numbers, unusable media, extensions.

use switch::{Cause, SecurityKind};

use crate::rig::{ALICE, Call, Rig, SDP_VIDEO, STRANGER, TRUNK, TRUNK_B, header};

/// Dials, expects that status, acknowledges it.
fn refused(rig: &mut Rig, call: &Call, status: &str) -> sip::Message {
    rig.refuses(call, &call.invite(), status)
}

#[test]
fn a_stranger_is_403_and_a_security_event_and_no_call() {
    let mut rig = Rig::new();
    let call = Call::new(&mut rig, STRANGER, "+15550100");
    refused(&mut rig, &call, "SIP/2.0 403");
    assert_eq!(rig.security.len(), 1);
    assert_eq!(rig.security[0].kind, SecurityKind::StrangerCall);
    assert_eq!(rig.security[0].source, STRANGER);
    assert!(rig.records.is_empty() && rig.events_of("call.started").is_empty());
    rig.finish();
}

#[test]
fn an_agent_may_not_place_calls_yet() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let call = Call::new(&mut rig, ALICE, "+15550100");
    refused(&mut rig, &call, "SIP/2.0 403");
    rig.finish();
}

#[test]
fn a_number_nobody_has_is_404_with_a_record_where_the_trunk_is_one_tenants() {
    let mut rig = Rig::new();
    let call = Call::new(&mut rig, TRUNK, "+15559999");
    refused(&mut rig, &call, "SIP/2.0 404");
    assert!(rig.records.is_empty(), "whose record would it be?");
    let call = Call::new(&mut rig, TRUNK_B, "+15559999");
    refused(&mut rig, &call, "SIP/2.0 404");
    let record = rig.record();
    assert_eq!((record.tenant.as_str(), record.cause), ("globex", Cause::NoRoute));
    assert_eq!(record.number, None);
    assert_eq!(record.ladder.len(), 4, "INVITE, 100, 404, ACK");
    assert_eq!(rig.story(record.call), ["call.started", "call.ended"]);
    assert!(rig.security.iter().all(|event| event.kind == SecurityKind::UnknownNumber));
    rig.finish();
}

#[test]
fn another_tenants_number_looks_unknown_to_a_trunk_that_may_not_call_it() {
    let mut rig = Rig::new();
    let call = Call::new(&mut rig, TRUNK_B, "+15550100");
    refused(&mut rig, &call, "SIP/2.0 404");
    assert_eq!(rig.record().tenant.as_str(), "globex");
    rig.finish();
}

#[test]
fn a_refused_call_that_is_never_acknowledged_still_gets_its_record() {
    let mut rig = Rig::new();
    let call = Call::new(&mut rig, TRUNK_B, "+15559999");
    rig.send(TRUNK_B, &call.invite());
    rig.advance_ms(2100);
    let record = rig.record();
    let refusals = record.ladder.iter().filter(|e| e.bytes.starts_with(b"SIP/2.0 404")).count();
    assert!(refusals >= 3, "with its repetitions");
    rig.finish();
}

#[test]
fn an_offer_with_nothing_we_can_take_is_488() {
    let mut rig = Rig::new();
    let opus = "v=0\r\no=- 1 1 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\nt=0 0\r\n\
        m=audio 4000 RTP/AVP 96\r\na=rtpmap:96 opus/48000/2\r\n";
    for sdp in [SDP_VIDEO, opus, "this is no SDP"] {
        let call = Call::new(&mut rig, TRUNK, "+15550100").with_sdp(sdp);
        refused(&mut rig, &call, "SIP/2.0 488");
    }
    assert!(rig.records.iter().all(|record| record.cause == Cause::IncompatibleMedia));
    assert_eq!(rig.records.len(), 3);
    rig.finish();
}

#[test]
fn a_body_of_another_type_is_415_and_says_what_we_take() {
    let mut rig = Rig::new();
    let call = Call::new(&mut rig, TRUNK, "+15550100");
    let invite = call.invite().replace("application/sdp", "application/pidf+xml");
    rig.send(TRUNK, &invite);
    let response = rig.expect(TRUNK, "SIP/2.0 415");
    assert!(header(&response, "Accept").starts_with("application/sdp, "));
    rig.send(TRUNK, &call.ack_refusal(&response));
    rig.finish();
}

#[test]
fn a_required_extension_that_we_lack_is_420_and_named() {
    let mut rig = Rig::new();
    let mut call = Call::new(&mut rig, TRUNK, "+15550100");
    call.extra = "Require: precondition\r\n".to_owned();
    let response = refused(&mut rig, &call, "SIP/2.0 420");
    assert_eq!(header(&response, "Unsupported"), "precondition");
    assert_eq!(rig.record().cause, Cause::BadRequest);
    rig.finish();
}

#[test]
fn the_dialled_number_may_be_written_in_other_ways() {
    let mut rig = Rig::new();
    for written in ["%2b15550100", "+1-555-0100", "+15550100;phone-context=x"] {
        let mut call = rig.dial(written);
        rig.caller_hangs_up(&mut call);
    }
    assert!(rig.records.iter().all(|record| record.number.as_deref() == Some("+15550100")));
    assert_eq!(rig.records.len(), 3);
    rig.finish();
}

#[test]
fn before_provisioning_every_call_is_503() {
    let mut rig = Rig::new();
    let config = switch::SwitchConfig {
        web: None,
        tokens: None,
        advertised: Vec::new(),
        media: Vec::new(),
        wall: base::UnixTime::default(),
        user_agent: String::new(),
        limits: switch::Limits::default(),
    };
    rig.switch = switch::Switch::new(config, base::Rng::from_seed(2));
    let call = Call::new(&mut rig, TRUNK, "+15550100");
    refused(&mut rig, &call, "SIP/2.0 503");
    rig.events.clear();
    rig.finish();
}

#[test]
fn a_stranger_who_sends_audio_to_a_call_is_a_security_event_and_the_call_goes_on() {
    let mut rig = Rig::new();
    let mut call = rig.dial("+15550100");
    let stream = rig.streams()[0];
    rig.media(media::Event::SourceRefused { stream, source: STRANGER, packets: 50 });
    assert_eq!(rig.security[0].kind, SecurityKind::MediaStranger);
    assert_eq!(rig.security[0].tenant.as_ref().unwrap().as_str(), "acme");
    assert!(rig.records.is_empty());
    rig.caller_hangs_up(&mut call);
    rig.finish();
}
