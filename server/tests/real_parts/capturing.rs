//! A call's RTP captured through the API while two baresips talk: each tone is found on its own leg
//! and direction, keys while they are secured nowhere, and a foreign reader understands the file.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::process::Command;
use std::time::Duration;

use media::{G711, rtp};
use serde_json::{Value, json};

use crate::audio::Sound;
use crate::baresip::AMPLITUDE;
use crate::net::http;
use crate::parts::{ACME_SALES, LIMIT, speaking_agent, speaking_carrier};
use crate::strowger::{ACME, Folder, GLOBEX, Strowger};

const CALLER_HZ: f64 = 440.0;
const AGENT_HZ: f64 = 1000.0;

/// The RTP and RTCP of a capture file, by its ends, with the time of each in microseconds.
type Packets = BTreeMap<(SocketAddr, SocketAddr), Vec<(i64, Vec<u8>)>>;

fn packets(file: &[u8]) -> Packets {
    let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
    assert_eq!((word(0), word(20)), (0xa1b2_c3d4, 101), "a capture file of raw IP");
    let (mut found, mut at) = (Packets::new(), 24);
    while at < file.len() {
        let micros = i64::from(word(at)) * 1_000_000 + i64::from(word(at + 4));
        let length = word(at + 8) as usize;
        let packet = &file[at + 16..at + 16 + length];
        assert_eq!((packet[0], packet[9]), (0x45, 17), "UDP over IPv4");
        let end = |ip: usize, port: usize| {
            let ip: [u8; 4] = packet[ip..ip + 4].try_into().unwrap();
            let port = u16::from_be_bytes([packet[port], packet[port + 1]]);
            SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::from(ip), port))
        };
        let ends = (end(12, 20), end(16, 22));
        found.entry(ends).or_default().push((micros, packet[28..].to_vec()));
        at += 16 + length;
    }
    found
}

/// The audio of one direction as it was said.
fn sound(packets: &[(i64, Vec<u8>)]) -> Sound {
    let mut samples = Vec::new();
    for (_, packet) in packets {
        let Some(parsed) = rtp::parse(packet) else { continue };
        let law = match parsed.header.payload_type {
            0 => G711::Pcmu,
            8 => G711::Pcma,
            _ => continue,
        };
        samples.extend(packet[parsed.payload_start..].iter().map(|code| law.decode(*code)));
    }
    Sound { samples, rate: 8000.0 }
}

/// The keys that can be read off events, whose type is the same everywhere here.
fn keys(packets: &Packets) -> Vec<(SocketAddr, u8)> {
    let mut keys = Vec::new();
    for ((from, _), all) in packets {
        let mut seen = Vec::new();
        for (_, packet) in all {
            let Some(parsed) = rtp::parse(packet) else { continue };
            let payload = &packet[parsed.payload_start..];
            let is_event = ![0, 8].contains(&parsed.header.payload_type) && payload.len() == 4;
            if is_event && payload[0] < 16 && !seen.contains(&parsed.header.timestamp) {
                seen.push(parsed.header.timestamp);
                keys.push((*from, payload[0]));
            }
        }
    }
    keys
}

fn post(server: &Strowger, path: &str, body: &Value) -> Value {
    let answer = http(server.http, "POST", path, ACME, Some(body));
    let text = String::from_utf8_lossy(&answer.body).into_owned();
    assert!((200..300).contains(&answer.status), "POST {path}: {} {text}", answer.status);
    answer.json()["data"].take()
}

/// What Wireshark's reader makes of it, where it is installed.
fn read_by_tshark(folder: &Folder, file: &[u8]) {
    let path = folder.path().join("call.pcap");
    std::fs::write(&path, file).unwrap();
    let read = Command::new("tshark")
        .arg("-r")
        .arg(&path)
        .args(["--enable-heuristic", "rtp_udp", "-q", "-z", "rtp,streams"])
        .output();
    let Ok(read) = read else { return };
    let text = String::from_utf8_lossy(&read.stdout).into_owned();
    let streams = text.lines().filter(|line| line.contains("g711")).count();
    assert!(streams >= 4, "{text}\n{}", String::from_utf8_lossy(&read.stderr));
}

#[test]
fn a_call_is_captured_with_each_tone_where_it_belongs_and_no_key_that_is_secured() {
    let folder = Folder::new("capturing");
    let server = Strowger::start(folder.path());
    let alice = speaking_agent(folder.path(), &server, "alice", AGENT_HZ);
    server.agent_is(ACME, "alice", "available");
    let caller = speaking_carrier(folder.path(), &server, ACME_SALES, CALLER_HZ);
    alice.wait_for("Call established", LIMIT);
    server.calls_are(ACME, 1, "connected");
    let call = server.data("/api/v1/calls", ACME)[0]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/calls/{call}/capture");
    let begun = post(&server, &path, &json!({"seconds": 120}));
    let local = |kind: &str| -> SocketAddr {
        let legs = begun["legs"].as_array().unwrap();
        let leg = legs.iter().find(|leg| leg["kind"] == kind).unwrap();
        leg["local"].as_str().unwrap().parse().unwrap()
    };
    let (to_caller, to_agent) = (local("caller"), local("agent"));
    caller.hears(AGENT_HZ, 3.0);
    alice.hears(CALLER_HZ, 3.0);
    caller.tell("sndcode", "5");
    std::thread::sleep(Duration::from_secs(1));
    let before = packets(&server.get(&path, ACME).body);

    post(&server, &format!("/api/v1/calls/{call}/secure"), &json!({"on": true, "leg": "customer"}));
    for key in "4929171".chars() {
        caller.tell("sndcode", &key.to_string());
        std::thread::sleep(Duration::from_millis(300));
    }
    let secured = format!("/api/v1/calls/{call}/digits");
    server.eventually("the keys", &secured, ACME, LIMIT, |kept| {
        (kept["secured"][0]["digits"] == "4929171").then_some(())
    });
    assert_eq!(server.get(&path, GLOBEX).status, 404, "another tenant's");
    post(&server, &format!("{path}/stop"), &json!({}));
    let answer = server.get(&path, ACME);
    assert_eq!(answer.header("x-capture-dropped"), Some("0"));
    let after = packets(&answer.body);

    let far = |ours: SocketAddr| {
        let to_us = before.keys().filter(|(from, to)| *to == ours && from.ip() != ours.ip());
        let mut far = to_us
            .map(|(from, _)| *from)
            .chain(before.keys().filter_map(|(from, to)| (*to == ours).then_some(*from)));
        far.next().unwrap()
    };
    for (ours, own, other) in [(to_caller, CALLER_HZ, AGENT_HZ), (to_agent, AGENT_HZ, CALLER_HZ)] {
        let theirs = far(ours);
        let (said, heard) = (sound(&before[&(theirs, ours)]), sound(&before[&(ours, theirs)]));
        assert!(said.seconds_with_tone(own, AMPLITUDE) >= 2.5, "{own} Hz comes on its own leg");
        assert!(heard.seconds_with_tone(other, AMPLITUDE) >= 2.5, "{other} Hz goes to it");
        assert!(said.loudest(other) < 0.02 && heard.loudest(own) < 0.02, "and not the other way");
        let times: Vec<i64> = before[&(theirs, ours)].iter().map(|(at, _)| *at).collect();
        let length = (times[times.len() - 1] - times[0]) as f64 / 1e6;
        assert!((times.len() as f64 - length * 50.0).abs() < 30.0, "{} in {length} s", times.len());
        let rtcp = SocketAddr::new(ours.ip(), ours.port() + 1);
        assert!(after.keys().any(|(from, _)| *from == rtcp), "reports of ours");
    }
    assert_eq!(keys(&before).iter().filter(|(_, key)| *key == 5).count(), 2, "in and out");
    assert_eq!(keys(&after).len(), 2, "none of those that were secured: {:?}", keys(&after));
    read_by_tshark(&folder, &answer.body);

    let deleted = http(server.http, "DELETE", &path, ACME, None);
    assert_eq!((deleted.status, server.get(&path, ACME).status), (200, 404));
    let _ = caller.hang_up_and_listen();
    server.ended_calls(ACME, 1, LIMIT);
    let types = server.event_types(ACME, &call);
    for kind in ["call.capture_started", "call.capture_stopped"] {
        assert_eq!(types.iter().filter(|seen| *seen == kind).count(), 1, "{types:?}");
    }
}

#[test]
fn a_capture_ends_at_its_bound_or_with_its_call_and_is_kept() {
    let folder = Folder::new("capture-bound");
    let server = Strowger::start(folder.path());
    let caller = speaking_carrier(folder.path(), &server, ACME_SALES, CALLER_HZ);
    server.calls_are(ACME, 1, "queued");
    let call = server.data("/api/v1/calls", ACME)[0]["id"].as_str().unwrap().to_owned();
    let path = format!("/api/v1/calls/{call}/capture");
    let known = format!("{path}?format=json");
    post(&server, &path, &json!({"seconds": 1, "direction": "sent"}));
    let over = server.eventually("its end", &known, ACME, LIMIT, |view| {
        (view["ended"] == "seconds").then(|| view.clone())
    });
    let packets_of_a_second = over["packets"].as_u64().unwrap();
    assert!((40..=60).contains(&packets_of_a_second), "{over}");
    post(&server, &path, &json!({"payload": "headers"}));
    std::thread::sleep(Duration::from_secs(1));
    let _ = caller.hang_up_and_listen();
    server.ended_calls(ACME, 1, LIMIT);
    server.eventually("its end", &known, ACME, LIMIT, |view| {
        (view["ended"] == "call_ended").then_some(())
    });
    let file = packets(&server.get(&path, ACME).body);
    let rtp = file.iter().filter(|((from, _), _)| from.port() % 2 == 0).flat_map(|(_, all)| all);
    assert!(rtp.clone().count() > 50 && rtp.clone().all(|(_, bytes)| bytes.len() == 12));
}
