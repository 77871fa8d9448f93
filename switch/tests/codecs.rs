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
    rig.send(ONE, &carrier.respond("200 OK", Some(SDP_PCMU)));
    rig.expect(ONE, "ACK");
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
        let ok = rig.expect(TRUNK, "SIP/2.0 200");
        let ack = call.ack(&ok, None);
        rig.send(TRUNK, &ack);
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
