//! A server with several addresses for audio: each peer is told the one that is for its network, and
//! hears the other end over it.

use std::net::{IpAddr, Ipv6Addr, UdpSocket};

use serde_json::Value;

use crate::audio::Sound;
use crate::baresip::{AMPLITUDE, Baresip, Phone, agent_account};
use crate::net::has_ipv6;
use crate::parts::{ACME_SALES, CARRIER_A, LIMIT, speaking_agent, speaking_carrier};
use crate::provisioning::demo;
use crate::strowger::{ACME, Folder, Listen, Setup, Strowger};

const CALLER_HZ: f64 = 440.0;
const AGENT_HZ: f64 = 1000.0;

/// Ports for audio that nobody has, in three ranges of twenty.
fn ranges() -> [String; 3] {
    let free = |from: u16| {
        let all: Option<Vec<UdpSocket>> =
            (from..from + 60).map(|port| UdpSocket::bind(("0.0.0.0", port)).ok()).collect();
        all.is_some()
    };
    let seed = std::process::id() as u16 % 50;
    let mut starts = (0..50).map(|n| 13_000 + (seed + n) % 50 * 60);
    let from = starts.find(|from| free(*from)).expect("sixty free ports");
    [0, 20, 40].map(|at| format!("{}-{}", from + at, from + at + 19))
}

/// The address that the SDP which a peer was sent names for audio.
fn told(server: &Strowger, call: &Value, peer: IpAddr) -> Vec<String> {
    let id = call["id"].as_str().expect("its id");
    let ladder = server.data(&format!("/api/v1/calls/{id}/ladder"), ACME);
    let to_peer = |row: &&Value| {
        let remote = row["remote"].as_str().unwrap_or_default();
        let remote: Option<std::net::SocketAddr> = remote.parse().ok();
        row["direction"] == "out" && remote.is_some_and(|remote| remote.ip() == peer)
    };
    let rows = ladder.as_array().expect("the ladder").iter().filter(to_peer);
    let texts = rows.filter_map(|row| row["message"].as_str());
    let lines = texts.flat_map(str::lines).filter(|line| line.starts_with("c="));
    let mut lines: Vec<String> = lines.map(str::to_owned).collect();
    lines.dedup();
    lines
}

fn heard_each_other(caller: Baresip, agent: Baresip) {
    agent.wait_for("Call established", LIMIT);
    caller.hears(AGENT_HZ, 3.0);
    agent.hears(CALLER_HZ, 3.0);
    let at_caller: Sound = caller.hang_up_and_listen();
    let at_agent: Sound = agent.hang_up_and_listen();
    assert!(at_caller.seconds_with_tone(AGENT_HZ, AMPLITUDE) >= 2.0, "the agent");
    assert!(at_agent.seconds_with_tone(CALLER_HZ, AMPLITUDE) >= 2.0, "the caller");
}

fn server(folder: &Folder, listen: Listen, rtp: &str) -> Strowger {
    let sources = ("[\"127.0.0.2\"]", "[\"127.0.0.2\", \"::1\"]");
    let setup = Setup {
        provisioning: Some(demo(folder.path(), "", &[sources])),
        listen,
        rtp: Some(rtp.to_owned()),
        // The usual one may be another test's.
        config: "[webrtc]\nport = 0\n".to_owned(),
        ..Setup::default()
    };
    Strowger::start_with(folder.path(), &setup)
}

#[test]
fn a_carrier_and_an_agent_of_two_networks_each_have_audio_at_an_address_of_their_own() {
    let folder = Folder::new("interfaces");
    let [usual, carriers, _] = ranges();
    // What the agents are told is another address than the one that the sockets bind.
    let rtp = format!(
        "[rtp]\naddress = \"0.0.0.0\"\nadvertised = \"127.0.0.8\"\nports = \"{usual}\"\n\
         workers = 1\n[[rtp.interfaces]]\naddress = \"127.0.0.7\"\nports = \"{carriers}\"\n\
         networks = [\"127.0.0.2/32\"]\n"
    );
    let server = server(&folder, Listen::Loopback, &rtp);
    let alice = speaking_agent(folder.path(), &server, "alice", AGENT_HZ);
    server.agent_is(ACME, "alice", "available");
    let caller = speaking_carrier(folder.path(), &server, ACME_SALES, CALLER_HZ);
    heard_each_other(caller, alice);
    let call = server.ended_calls(ACME, 1, LIMIT).remove(0);
    assert_eq!(told(&server, &call, CARRIER_A), ["c=IN IP4 127.0.0.7"]);
    assert_eq!(told(&server, &call, crate::parts::AGENTS), ["c=IN IP4 127.0.0.8"]);
}

#[test]
fn a_carrier_over_ipv6_has_audio_at_an_interface_of_its_own_and_an_agent_over_ipv4_elsewhere() {
    let here = IpAddr::V6(Ipv6Addr::LOCALHOST);
    if !has_ipv6() {
        return;
    }
    let folder = Folder::new("interfaces-ipv6");
    let [usual, carriers, agents] = ranges();
    let rtp = format!(
        "[rtp]\naddress = \"::\"\nports = \"{usual}\"\nworkers = 1\n\
         [[rtp.interfaces]]\naddress = \"::1\"\nports = \"{carriers}\"\nnetworks = [\"::1/128\"]\n\
         [[rtp.interfaces]]\naddress = \"127.0.0.9\"\nports = \"{agents}\"\n\
         networks = [\"127.0.0.4/32\"]\n"
    );
    let server = server(&folder, Listen::All, &rtp);
    let port = server.sip_udp.iter().find(|local| local.is_ipv6()).expect("IPv6").port();
    let account = agent_account("alice", "acme.example", server.sip, "auto");
    let address = crate::parts::AGENTS;
    let phone = Phone { address, accounts: vec![account], tone: AGENT_HZ, dial: None };
    let alice = Baresip::start(&folder.path().join("alice"), &phone);
    server.agent_is(ACME, "alice", "available");
    let phone = Phone {
        address: here,
        accounts: vec!["<sip:+15559000@[::1]>;regint=0".to_owned()],
        tone: CALLER_HZ,
        dial: Some(format!("sip:{ACME_SALES}@[::1]:{port}")),
    };
    let caller = Baresip::start(&folder.path().join("carrier"), &phone);
    heard_each_other(caller, alice);
    let call = server.ended_calls(ACME, 1, LIMIT).remove(0);
    assert_eq!(told(&server, &call, here), ["c=IN IP6 ::1"]);
    assert_eq!(told(&server, &call, address), ["c=IN IP4 127.0.0.9"]);
}
