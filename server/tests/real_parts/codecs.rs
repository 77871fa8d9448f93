//! Phones that speak another codec than the carrier: baresip with Opus or G.722 at the agent's end,
//! G.711 at the caller's. Each hears the other at the right level, and the recording holds both.

use std::path::Path;

use crate::baresip::{AMPLITUDE, Baresip, Phone, agent_account};
use crate::parts::{
    ACME_SALES, AGENTS, CARRIER_A, LIMIT, TALK, agent, carrier, many_agents, speaking_carrier,
};
use crate::provisioning::demo;
use crate::scenario::Step;
use crate::strowger::{ACME, Folder, Strowger};
use crate::talking::recorded;

const CALLER_HZ: f64 = 440.0;
const AGENT_HZ: f64 = 1000.0;

/// The agent's tone as baresip wants it: at the codec's own rate and channels.
pub(crate) fn tone(path: &Path, rate: u32, channels: u16) {
    let samples = (0..rate * 120).flat_map(|n| {
        let phase = std::f64::consts::TAU * AGENT_HZ * f64::from(n) / f64::from(rate);
        let sample = (phase.sin() * AMPLITUDE * 32_767.0) as i16;
        std::iter::repeat_n(sample, usize::from(channels))
    });
    let body: Vec<u8> = samples.flat_map(i16::to_le_bytes).collect();
    let mut file = media::wav::header(channels, rate, body.len() as u32).to_vec();
    file.extend(body);
    std::fs::write(path, file).expect("a tone");
}

/// An agent's phone that offers and takes nothing but one codec.
fn agent_with(name: &str, (codec, rate, channels): (&str, u32, u16), module: &str) {
    let folder = Folder::new(name);
    let server = Strowger::provisioned(folder.path(), many_agents(folder.path(), 0));
    let account = agent_account("alice", "acme.example", server.sip, "auto");
    let phone = Phone {
        address: AGENTS,
        accounts: vec![format!("{account};audio_codecs={codec}/{rate}/{channels}")],
        tone: AGENT_HZ,
        dial: None,
    };
    let more = format!("module {module}\n");
    let alice = Baresip::start_with(&folder.path().join("alice"), &phone, &more);
    tone(&folder.path().join("alice/tone.wav"), rate, channels);
    alice.wait_for("200 OK", LIMIT);
    server.agent_is(ACME, "alice", "available");
    let caller = speaking_carrier(folder.path(), &server, ACME_SALES, CALLER_HZ);
    alice.wait_for("Call established", LIMIT);
    caller.hears(AGENT_HZ, 3.0);
    alice.hears(CALLER_HZ, 3.0);
    let at_caller = caller.hang_up_and_listen();
    assert!(at_caller.seconds_of_tone(AGENT_HZ, AMPLITUDE) >= 1.0, "the agent at her level");
    let call = server.ended_calls(ACME, 1, LIMIT).remove(0);
    alice.hang_up_and_listen();

    let legs = call["legs"].as_array().expect("its legs");
    let spoken =
        |kind: &str| legs.iter().find(|leg| leg["kind"] == kind).expect("a leg")["codec"].clone();
    let named = spoken("agent");
    let named = named.as_str().unwrap_or_default();
    assert_eq!(named, codec, "{legs:?}");
    assert!(spoken("caller").as_str().is_some_and(|name| name.starts_with("PCM")), "{legs:?}");
    let recording = recorded(&server, call["id"].as_str().expect("its id"));
    for (channel, hertz) in [(0, CALLER_HZ), (1, AGENT_HZ)] {
        let sound = crate::audio::Sound::from_wav(&recording, channel);
        assert!(sound.seconds_with_tone(hertz, AMPLITUDE) >= 2.0, "{hertz} Hz in its channel");
    }
}

#[test]
fn a_phone_that_speaks_opus_and_a_carrier_with_g711_hear_each_other() {
    agent_with("opus", ("opus", 48_000, 2), "opus.so");
}

#[test]
fn a_phone_that_speaks_g722_and_a_carrier_with_g711_hear_each_other() {
    agent_with("g722", ("G722", 16_000, 1), "g722.so");
}

/// A carrier that likes Opus best and knows PCMU, and an agent's phone that knows PCMU alone: the
/// carrier is answered with Opus while the caller waits, and offered PCMU when the two talk.
#[test]
fn a_carrier_with_opus_is_sent_an_offer_of_the_phones_pcmu_in_the_conversation() {
    let folder = Folder::new("one-codec");
    let id = "id = \"carrier-a\"\n";
    let with_opus = format!("{id}codecs = [\"opus\", \"PCMU\"]\n");
    let provisioning = demo(folder.path(), "", &[(id, &with_opus)]);
    let server = Strowger::provisioned(folder.path(), provisioning);
    let phone = agent(folder.path(), &server, "alice", "acme.example", 1, &TALK);
    server.agent_is(ACME, "alice", "available");
    let steps = [
        Step::InviteWithOpus,
        Step::MayCome(100),
        Step::Expect(200),
        Step::Ack,
        Step::TakeOffer,
        Step::Pause(500),
        Step::Bye,
    ];
    let caller = carrier(folder.path(), &server, CARRIER_A, ACME_SALES, 1, &steps);
    caller.succeed(LIMIT);
    phone.succeed(LIMIT);
    let call = server.ended_calls(ACME, 1, LIMIT).remove(0);
    let legs = call["legs"].as_array().expect("its legs");
    let codecs: Vec<&str> = legs.iter().filter_map(|leg| leg["codec"].as_str()).collect();
    assert_eq!(codecs, ["PCMU", "PCMU"], "nothing was converted in the end");
    let id = call["id"].as_str().expect("its id");
    let ladder = server.data(&format!("/api/v1/calls/{id}/ladder"), ACME).to_string();
    assert!(ladder.contains("RTP/AVP 96"), "it was answered with Opus at first");
}
