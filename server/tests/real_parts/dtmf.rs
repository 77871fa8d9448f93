//! Keys on the wire: a flow asks for digits and gets them from baresip's events, from events of
//! which every tenth packet is lost, and from tones within G.711.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use media::G711;

use crate::baresip::{Baresip, Phone, agent_account, carrier_account};
use crate::parts::{ACME_SALES, AGENTS, LIMIT, speaking_carrier};
use crate::provisioning::{acme, demo, trunk};
use crate::strowger::{ACME, Folder, Strowger};
use crate::ua::{Ua, body};
use crate::voice::media_address;

const CALLERS: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 67));
const PIN: &str = "4929171#";
const NUMBER: &str = "+15550100";

fn server(folder: &Folder) -> Strowger {
    let lines = format!(
        r#"
prompts = [{{ id = "ask", tone = "dial" }}]
queues = [{{ id = "sales", music = "ask" }}]
flows = [{{ id = "main", steps = [
    {{ do = "collect", prompt = "ask", into = "pin", max = 16, wait = {{ first_s = 60 }} }},
    {{ do = "queue", queue = "sales" }},
] }}]
numbers = [{{ number = "{NUMBER}", flow = "main" }}]
"#
    );
    Strowger::provisioned(
        folder.path(),
        acme(folder.path(), &trunk("callers", CALLERS, ""), &lines),
    )
}

/// What the one call that is up has collected.
fn collected(server: &Strowger) -> String {
    let call = server.eventually("a call", "/api/v1/calls", ACME, LIMIT, |list| {
        list.as_array()?.first()?["id"].as_str().map(str::to_owned)
    });
    let path = format!("/api/v1/calls/{call}/digits");
    server.eventually("the digits", &path, ACME, LIMIT, |kept| {
        kept["attributes"]["pin"].as_str().map(str::to_owned)
    })
}

#[test]
fn what_is_pressed_on_a_foreign_phone_is_collected() {
    let folder = Folder::new("dtmf-baresip");
    let server = server(&folder);
    let phone = Phone {
        address: CALLERS,
        accounts: vec![carrier_account(CALLERS)],
        tone: 440.0,
        dial: Some(format!("sip:{NUMBER}@{}", server.sip)),
    };
    let caller = Baresip::start(&folder.path().join("caller"), &phone);
    caller.wait_for("Call established", LIMIT);
    for key in PIN.chars() {
        caller.tell("sndcode", &key.to_string());
        std::thread::sleep(Duration::from_millis(300));
    }
    assert_eq!(collected(&server), PIN.trim_end_matches('#'));
}

/// A carrier's keys come as events; the agent's phone speaks Opus, knows no events, and wants INFO.
#[test]
fn what_a_carrier_presses_is_told_by_info_to_a_foreign_phone_that_speaks_opus() {
    let folder = Folder::new("dtmf-info");
    let id = ("id = \"alice\",", "id = \"alice\", dtmf = \"info\",");
    let server = Strowger::provisioned(folder.path(), demo(folder.path(), "", &[id]));
    let account = agent_account("alice", "acme.example", server.sip, "auto");
    let phone = Phone {
        address: AGENTS,
        accounts: vec![format!("{account};audio_codecs=opus/48000/2")],
        tone: 1000.0,
        dial: None,
    };
    let alice = Baresip::start_with(&folder.path().join("alice"), &phone, "module opus.so\n");
    crate::codecs::tone(&folder.path().join("alice/tone.wav"), 48_000, 2);
    alice.wait_for("200 OK", LIMIT);
    server.agent_is(ACME, "alice", "available");
    let caller = speaking_carrier(folder.path(), &server, ACME_SALES, 440.0);
    alice.wait_for("Call established", LIMIT);
    caller.hears(1000.0, 1.0);
    for key in ['4', '9', '*', '7'] {
        caller.tell("sndcode", &key.to_string());
        alice.wait_for(&format!("received DTMF: '{key}'"), LIMIT);
    }
    alice.hears(440.0, 1.0);
}

/// A far end whose every packet the test makes itself.
struct Far {
    socket: UdpSocket,
    target: SocketAddr,
    sequence: u16,
    timestamp: u32,
    sent: u64,
    begun: Instant,
}

impl Far {
    /// Sends a packet when its turn has come, unless it is to be lost.
    fn send(&mut self, kind: u8, timestamp: u32, payload: &[u8], lost: bool) {
        let due = self.begun + Duration::from_millis(20 * self.sent);
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let mut packet = vec![0x80, kind];
        packet.extend(self.sequence.to_be_bytes());
        packet.extend(timestamp.to_be_bytes());
        packet.extend(0x5eed_0002_u32.to_be_bytes());
        packet.extend(payload);
        if !lost {
            self.socket.send_to(&packet, self.target).expect("to send");
        }
        self.sequence = self.sequence.wrapping_add(1);
        self.sent += 1;
    }

    fn audio(&mut self, sample: impl Fn(usize) -> f64, lost: bool) {
        let codes: Vec<u8> = (0..160).map(|n| G711::Pcmu.encode(sample(n) as i16)).collect();
        self.send(0, self.timestamp, &codes, lost);
        self.timestamp += 160;
    }

    fn quiet(&mut self, packets: usize) {
        for _ in 0..packets {
            self.audio(|_| 0.0, false);
        }
    }
}

fn answered(server: &Strowger, has_events: bool) -> (Ua, Far) {
    let socket = UdpSocket::bind((CALLERS, 0)).expect("a port for RTP");
    let port = socket.local_addr().expect("its address").port();
    let mut caller = Ua::new(CALLERS, server.sip, 440.0);
    let (formats, events) = if has_events {
        ("0 101", "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\n")
    } else {
        ("0", "")
    };
    let offer = format!(
        "v=0\r\no=- 1 1 IN IP4 {CALLERS}\r\ns=-\r\nc=IN IP4 {CALLERS}\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP {formats}\r\n{events}"
    );
    let mut call = caller.calls_in(NUMBER, &offer);
    let ok = caller.is_answered(&mut call);
    let target = media_address(body(&ok));
    let begun = Instant::now();
    (caller, Far { socket, target, sequence: 9, timestamp: 1600, sent: 0, begun })
}

#[test]
fn keys_of_which_every_tenth_packet_is_lost_are_collected_whole() {
    let folder = Folder::new("dtmf-loss");
    let server = server(&folder);
    let (_caller, mut far) = answered(&server, true);
    let mut rng = base::Rng::from_seed(10);
    far.quiet(10);
    for key in PIN.chars() {
        let event = "0123456789*#ABCD".find(key).expect("a key") as u8;
        for n in 1..=8_u16 {
            let [high, low] = (n.min(6) * 160).to_be_bytes();
            let (end, marker) = (if n > 5 { 0x80 } else { 0 }, if n == 1 { 0x80 } else { 0 });
            let lost = rng.below(10) == 0;
            far.send(101 | marker, far.timestamp, &[event, end | 10, high, low], lost);
        }
        far.timestamp += 8 * 160;
        far.quiet(3);
    }
    assert_eq!(collected(&server), PIN.trim_end_matches('#'));
}

#[test]
fn tones_within_the_audio_are_collected_from_who_knows_no_events() {
    let folder = Folder::new("dtmf-tones");
    let server = server(&folder);
    let (_caller, mut far) = answered(&server, false);
    far.quiet(10);
    for key in PIN.chars() {
        let place = "123A456B789C*0#D".find(key).expect("a key");
        let row = [697.0, 770.0, 852.0, 941.0][place / 4];
        let column = [1209.0, 1336.0, 1477.0, 1633.0][place % 4];
        for packet in 0..4 {
            let wave = |hertz: f64, n: usize| {
                (hertz * std::f64::consts::TAU * (packet * 160 + n) as f64 / 8000.0).sin()
            };
            far.audio(|n| 5000.0 * wave(row, n) + 6000.0 * wave(column, n), false);
        }
        far.quiet(4);
    }
    assert_eq!(collected(&server), PIN.trim_end_matches('#'));
}
