//! A message left with an answering machine: baresip plays a greeting and a beep, and keeps what it
//! hears. The message comes after the beep, whole, and nothing of it before.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use serde_json::json;

use crate::audio::Sound;
use crate::baresip::{AMPLITUDE, Baresip, Phone};
use crate::net::http;
use crate::parts::LIMIT;
use crate::provisioning::demo;
use crate::strowger::{ACME, Folder, Strowger, repository};

const MACHINE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 66));
const CUSTOMER: &str = "+12125550123";
/// The message: a second of each.
const NOTES: [f64; 3] = [440.0, 660.0, 880.0];
const BEEP_HZ: f64 = 1000.0;

fn write(path: &Path, samples: &[i16]) {
    let body: Vec<u8> = samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let mut file = media::wav::header(1, 8000, body.len() as u32).to_vec();
    file.extend(body);
    std::fs::write(path, file).expect("a sound");
}

fn tone(hertz: f64, millis: usize) -> Vec<i16> {
    let sample = |n: usize| (std::f64::consts::TAU * hertz * n as f64 / 8000.0).sin();
    (0..millis * 8).map(|n| (sample(n) * AMPLITUDE * 32_767.0) as i16).collect()
}

fn silence(millis: usize) -> Vec<i16> {
    vec![0; millis * 8]
}

/// Somebody's greeting, a beep, and a minute in which the machine listens.
fn greeting() -> Vec<i16> {
    let spoken = repository().join("fixtures/audio/agent-speech.wav");
    let spoken = Sound::from_wav_file(&spoken, 0);
    let speech = spoken.samples.into_iter().take(spoken.rate as usize * 6);
    let rest = [silence(700), tone(BEEP_HZ, 400), silence(60_000)].concat();
    silence(400).into_iter().chain(speech).chain(rest).collect()
}

#[test]
fn a_message_arrives_whole_after_the_machines_beep() {
    let folder = Folder::new("answering-machine");
    let phone = Phone {
        address: MACHINE,
        accounts: vec![format!("<sip:{CUSTOMER}@{MACHINE}>;regint=0;answermode=auto")],
        tone: BEEP_HZ,
        dial: None,
    };
    let machine = Baresip::start(&folder.path().join("machine"), &phone);
    write(&folder.path().join("machine/tone.wav"), &greeting());
    let message: Vec<i16> = NOTES.iter().flat_map(|hertz| tone(*hertz, 1000)).collect();
    let at = "sources = [\"127.0.0.2\"]\ntargets = [{ uri = \"sip:127.0.0.2:5070\" }]";
    let here = format!(
        "sources = [\"127.0.0.2\", \"{MACHINE}\"]\ntargets = [{{ uri = \"sip:{}\" }}]",
        machine.sip
    );
    let provisioning = demo(folder.path(), "", &[(at, &here)]);
    write(&folder.path().join("audio/acme-sorry.wav"), &message);
    let server = Strowger::provisioned(folder.path(), provisioning);

    let wish = json!({"action": "leave_message", "prompt": "sorry"});
    let asked =
        json!({"agent": "alice", "to": CUSTOMER, "first": "customer", "answering_machine": wish});
    let answer = http(server.http, "POST", "/api/v1/calls", ACME, Some(&asked));
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert!((200..300).contains(&answer.status), "{} {text}", answer.status);
    let call = server.ended_calls(ACME, 1, LIMIT).remove(0);
    assert_eq!(call["cause"], "answering_machine", "{call}");
    let types = server.event_types(ACME, call["id"].as_str().expect("its id"));
    let place = |kind: &str| types.iter().position(|known| known == kind);
    let order = ["call.answered_by", "call.progress", "call.prompt_started", "call.message_left"];
    let places: Vec<_> = order.iter().map(|kind| place(kind)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{types:?}");

    // What the machine kept: each note for its second, one after the other, at its level.
    let heard = machine.hang_up_and_listen();
    let window = (heard.rate / 10.0) as usize;
    let mut begins = Vec::new();
    for hertz in NOTES {
        let seconds = heard.seconds_with_tone(hertz, AMPLITUDE);
        assert!((0.8..=1.2).contains(&seconds), "{hertz} Hz for {seconds} s");
        let alone = |stretch: &&[i16]| {
            let stretch = Sound { samples: stretch.to_vec(), rate: heard.rate };
            stretch.seconds_with_tone(hertz, AMPLITUDE) > 0.0
        };
        let first = heard.samples.chunks_exact(window).position(|chunk| alone(&chunk));
        begins.push(first.expect("where it begins"));
    }
    assert!(begins.is_sorted(), "{begins:?}");
    assert!((18..=24).contains(&(begins[2] - begins[0])), "no gap, nothing twice: {begins:?}");
    assert!(heard.loudest(BEEP_HZ) < 0.05, "the machine's own beep does not come back");
}
