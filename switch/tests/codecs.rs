//! Who is offered which codecs, and that both sides of a call get the same where they can.

use media::{Codec, Command};

use crate::outbound::{self, ONE};
use crate::rig::{ALICE, Call, DEMO, Phone, Rig, SDP_PCMU, TRUNK};

const OPUS_FIRST: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.11\r\ns=-\r\nc=IN IP4 127.0.0.11\r\n\
    t=0 0\r\nm=audio 40000 RTP/AVP 96 9 8 0\r\na=rtpmap:96 opus/48000/2\r\na=sendrecv\r\n";

fn formats(sdp: &[u8]) -> String {
    let text = String::from_utf8_lossy(sdp).into_owned();
    let line = text.lines().find(|line| line.starts_with("m=audio")).unwrap();
    line.split_once("RTP/AVP ").unwrap().1.to_owned()
}

/// The codecs that the plane was told of, stream by stream.
fn settled(rig: &Rig) -> Vec<Codec> {
    let told = rig.commands.iter().filter_map(|command| match command {
        Command::SetRemote { remote, .. } => Some(remote.codec),
        _ => None,
    });
    told.collect()
}

#[test]
fn a_carrier_gets_g711_and_a_phone_that_dials_with_opus_is_answered_with_the_carriers_codec() {
    let mut rig = outbound::rig();
    let offer = ("", OPUS_FIRST);
    let mut alice = rig.agent_offers(ALICE, "alice", "+12125550123", offer);
    let carrier = Phone::new(ONE, rig.expect(ONE, "INVITE"));
    assert_eq!(formats(&carrier.invite.body()), "0 8 101");
    rig.phone_answers(&carrier);
    let ok = rig.expect(ALICE, "SIP/2.0 200");
    assert_eq!(formats(&ok.body()), "0", "nothing has to be converted");
    rig.agent_acks(&mut alice, &ok);
    assert_eq!(settled(&rig), [Codec::Pcmu, Codec::Pcmu]);
    rig.agent_hangs_up(&mut alice, "");
    rig.confirm_bye(ONE);
    rig.finish();
}

#[test]
fn an_agents_phones_are_offered_what_the_agent_or_the_tenant_is_allowed() {
    let of_alice = "password = \"alice-secret\",";
    for (tenant, agent, offered) in [
        ("", "", "0 111 9 8 101 110"),
        ("codecs = [\"opus\", \"PCMA\"]", "", "111 8 101 110"),
        ("codecs = [\"PCMA\"]", "codecs = [\"g722\", \"pcmu\"],", "0 9 101"),
    ] {
        let tenant = format!("domain = \"acme.example\"\n{tenant}");
        let demo = DEMO.replace("domain = \"acme.example\"", &tenant);
        let mut rig = Rig::with(&demo.replace(of_alice, &format!("{of_alice} {agent}")));
        rig.register(ALICE, "alice");
        let mut call = Call::new(&mut rig, TRUNK, "+15550100").with_sdp(SDP_PCMU);
        rig.send(TRUNK, &call.invite());
        rig.caller_is_answered(&mut call);
        rig.finish_prompt();
        let invite = rig.expect(ALICE, "INVITE");
        assert_eq!(formats(&invite.body()), offered, "the caller's codec first, if allowed");
        rig.caller_hangs_up(&mut call);
        rig.finish();
    }
}

#[test]
fn comfort_noise_is_offered_and_answered_where_provisioning_says_so_and_nowhere_else() {
    let with_noise = SDP_PCMU.replace("RTP/AVP 0", "RTP/AVP 0 13");
    assert_ne!(with_noise, SDP_PCMU);
    for on in [true, false] {
        let trunk = format!("id = \"carrier-a\"\ncomfort_noise = {on}\n");
        let demo = DEMO.replacen("id = \"carrier-a\"\n", &trunk, 1);
        let of_alice = "password = \"alice-secret\",";
        let agent = format!("{of_alice} codecs = [\"PCMU\"], comfort_noise = {on},");
        let mut rig = Rig::with(&demo.replace(of_alice, &agent));
        rig.register(ALICE, "alice");
        let mut call = Call::new(&mut rig, TRUNK, "+15550100").with_sdp(&with_noise);
        rig.send(TRUNK, &call.invite());
        let ok = rig.expect(TRUNK, "SIP/2.0 200");
        assert_eq!(formats(&ok.body()).split(' ').any(|number| number == "13"), on);
        let ack = call.ack(&ok, None);
        rig.send(TRUNK, &ack);
        let noise = rig.commands.iter().find_map(|command| match command {
            Command::SetRemote { remote, .. } => Some(remote.comfort_noise),
            _ => None,
        });
        assert_eq!(noise, Some(on.then_some(13)));
        rig.finish_prompt();
        let invite = rig.expect(ALICE, "INVITE");
        assert_eq!(formats(&invite.body()), if on { "0 13 101" } else { "0 101" });
        rig.caller_hangs_up(&mut call);
        rig.finish();
    }
}

const OPUS_OR_PCMU: &str = "v=0\r\no=- 1 1 IN IP4 127.0.0.2\r\ns=-\r\nc=IN IP4 127.0.0.2\r\n\
    t=0 0\r\nm=audio 40000 RTP/AVP 96 0 101\r\na=rtpmap:96 opus/48000/2\r\n\
    a=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n";

/// A caller with Opus and PCMU, who was answered with Opus, and Alice, whose phone takes PCMU alone,
/// talk.
fn opus_meets_pcmu(trunk: &str) -> (Rig, Call, Phone) {
    let trunk = format!("id = \"carrier-a\"\ncodecs = [\"opus\", \"PCMU\"]\n{trunk}\n");
    let mut rig = Rig::with(&DEMO.replacen("id = \"carrier-a\"\n", &trunk, 1));
    rig.register(ALICE, "alice");
    let mut call = Call::new(&mut rig, TRUNK, "+15550100").with_sdp(OPUS_OR_PCMU);
    rig.send(TRUNK, &call.invite());
    let ok = rig.expect(TRUNK, "SIP/2.0 200");
    assert!(formats(&ok.body()).starts_with("96"), "Opus, as the caller likes best");
    let ack = call.ack(&ok, None);
    rig.send(TRUNK, &ack);
    rig.finish_prompt();
    let alice = Phone::new(ALICE, rig.expect(ALICE, "INVITE"));
    rig.phone_answers(&alice);
    (rig, call, alice)
}

/// Our re-INVITE to the caller, who was silent about it until then.
fn reoffer(rig: &mut Rig) -> sip::Message {
    rig.advance_ms(999);
    rig.expect_silence(TRUNK);
    rig.advance_ms(1);
    rig.expect(TRUNK, "INVITE")
}

fn end(mut rig: Rig, mut call: Call) {
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    rig.finish();
}

#[test]
fn one_who_could_speak_the_others_codec_is_offered_it_a_second_into_the_conversation_and_once() {
    let (mut rig, call, _) = opus_meets_pcmu("");
    let id = rig.last_call();
    let invite = reoffer(&mut rig);
    assert_eq!(formats(&invite.body()), "0 101", "of nothing else");
    let described = OPUS_OR_PCMU.replace("96 0 101", "0 101");
    rig.send(TRUNK, &crate::rig::answer(&invite, TRUNK, "200 OK", "", Some(&described)));
    rig.expect(TRUNK, "ACK");
    assert_eq!(settled(&rig), [Codec::Opus, Codec::Pcmu, Codec::Pcmu]);
    let why = rig.request("acme", switch::ApiRequest::Why { call: id }).unwrap();
    let switch::ApiReply::Why(why) = why else { panic!("{why:?}") };
    let told = why.iter().map(|entry| entry.decided.to_string()).collect::<Vec<_>>();
    assert!(told.iter().any(|line| line.contains("has changed to PCMU")), "{told:?}");
    rig.advance_ms(60_000);
    rig.expect_silence(TRUNK);
    rig.expect_silence(ALICE);
    end(rig, call);
}

#[test]
fn who_refuses_is_asked_no_more_and_all_stays_as_it_was() {
    let (mut rig, call, _) = opus_meets_pcmu("");
    let invite = reoffer(&mut rig);
    rig.send(TRUNK, &crate::rig::answer(&invite, TRUNK, "488 Not Acceptable Here", "", None));
    rig.expect(TRUNK, "ACK");
    rig.advance_ms(120_000);
    rig.expect_silence(TRUNK);
    assert_eq!(settled(&rig), [Codec::Opus, Codec::Pcmu]);
    end(rig, call);
}

#[test]
fn after_glare_the_offer_is_made_once_more() {
    let (mut rig, mut call, _) = opus_meets_pcmu("");
    let first = reoffer(&mut rig);
    // Theirs is under way as well: it has to wait, and so has ours.
    let theirs = call.next("INVITE", Some(OPUS_OR_PCMU));
    rig.send(TRUNK, &theirs);
    rig.expect(TRUNK, "SIP/2.0 491");
    let ack = theirs.replacen("INVITE sip", "ACK sip", 1).replace(" INVITE\r\n", " ACK\r\n");
    rig.send(TRUNK, &ack);
    rig.send(TRUNK, &crate::rig::answer(&first, TRUNK, "491 Request Pending", "", None));
    rig.expect(TRUNK, "ACK");
    rig.expect_silence(TRUNK);
    rig.advance_ms(4_000);
    let second = rig.expect(TRUNK, "INVITE");
    assert_eq!(formats(&second.body()), "0 101");
    rig.wire.clear(); // it was sent more than once by now
    rig.send(TRUNK, &crate::rig::answer(&second, TRUNK, "491 Request Pending", "", None));
    rig.expect(TRUNK, "ACK");
    rig.advance_ms(60_000);
    rig.expect_silence(TRUNK);
    end(rig, call);
}

#[test]
fn nobody_is_asked_who_may_not_be_nor_while_one_is_held_or_more_than_two_talk() {
    let (mut rig, call, _) = opus_meets_pcmu("avoid_transcoding = false");
    rig.advance_ms(30_000);
    rig.expect_silence(TRUNK);
    end(rig, call);

    let (mut rig, call, _) = opus_meets_pcmu("");
    let id = rig.last_call();
    rig.request("acme", switch::ApiRequest::Hold { call: id, holds: true }).unwrap();
    rig.advance_ms(30_000);
    rig.expect_silence(TRUNK);
    rig.request("acme", switch::ApiRequest::Hold { call: id, holds: false }).unwrap();
    let leg = base::LegId(2);
    rig.request("acme", switch::ApiRequest::Mute { call: id, leg, muted: true }).unwrap();
    rig.advance_ms(30_000);
    rig.expect_silence(TRUNK);
    rig.request("acme", switch::ApiRequest::Mute { call: id, leg, muted: false }).unwrap();
    rig.advance_ms(1_000);
    rig.expect(TRUNK, "INVITE");
    end(rig, call);
}

#[test]
fn a_trunk_gets_the_extended_reports_that_it_asks_for_unless_it_is_not_to() {
    let asks = SDP_PCMU.replace("a=sendrecv", "a=rtcp-xr:voip-metrics stat-summary=loss,dup,jitt");
    assert_ne!(asks, SDP_PCMU);
    for (key, gets) in [("", true), ("rtcp_xr = false\n", false)] {
        let trunk = format!("id = \"carrier-a\"\n{key}");
        let mut rig = Rig::with(&DEMO.replacen("id = \"carrier-a\"\n", &trunk, 1));
        let mut call = Call::new(&mut rig, TRUNK, "+15550100").with_sdp(&asks);
        rig.send(TRUNK, &call.invite());
        rig.caller_is_answered(&mut call);
        let told = rig.commands.iter().find_map(|command| match command {
            Command::SetRemote { remote, .. } => Some(remote.xr),
            _ => None,
        });
        let told = told.unwrap();
        assert_eq!((told.voip_metrics, told.statistics), (gets, gets));
        rig.caller_hangs_up(&mut call);
        rig.finish();
    }
}
