//! A server that listens on all addresses, as it does by default: every peer is told the one that it
//! reaches, and hears the other end, whichever that is.

use std::net::{IpAddr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::baresip::{AMPLITUDE, Baresip, Phone, agent_account};
use crate::net::{free_port, register};
use crate::parts::{
    ACME_SALES, CARRIER_A, LIMIT, agent, carrier_over_tcp, speaking_agent, speaking_carrier,
};
use crate::scenario::Step;
use crate::strowger::{ACME, Folder, Listen, PLATFORM, Setup, Strowger};

const CALLER_HZ: f64 = 440.0;
const AGENT_HZ: f64 = 1000.0;

fn everywhere() -> Setup {
    Setup { listen: Listen::AllIpv4, ..Setup::default() }
}

/// This machine's address on its network, if it has one.
fn own_address() -> Option<IpAddr> {
    let probe = UdpSocket::bind("0.0.0.0:0").ok()?;
    probe.connect("192.0.2.1:9").ok()?;
    let ip = probe.local_addr().ok()?.ip();
    (!ip.is_loopback()).then_some(ip)
}

/// The lines of what we sent to a peer that hold an address of ours.
fn shown_to(ladder: &[Value], peer: IpAddr) -> Vec<String> {
    let to_peer = |row: &&Value| {
        let remote: SocketAddr = row["remote"].as_str().expect("remote").parse().expect("address");
        row["direction"] == "out" && remote.ip() == peer
    };
    let text = |row: &Value| row["message"].as_str().expect("a message").to_owned();
    let own = |line: &str| {
        let request_via = line.starts_with("Via: ") && !line.contains("received=");
        let contact = line.starts_with("Contact: <sip:strowger@");
        request_via && line.contains(";rport;") || contact || line.starts_with("c=")
    };
    let messages: Vec<String> = ladder.iter().filter(to_peer).map(text).collect();
    let lines = messages.iter().flat_map(|message| message.lines());
    lines.filter(|line| own(line)).map(str::to_owned).collect()
}

/// In everything that a peer was sent in the call, our address is `own`.
fn assert_shown(server: &Strowger, call: &str, peer: IpAddr, own: IpAddr) {
    let ladder = server.data(&format!("/api/v1/calls/{call}/ladder"), ACME);
    let lines = shown_to(ladder.as_array().expect("the ladder"), peer);
    assert!(lines.iter().any(|line| line.starts_with("c=")), "{peer}: {lines:#?}");
    assert!(lines.iter().any(|line| line.starts_with("Contact")), "{peer}: {lines:#?}");
    for line in &lines {
        assert!(line.contains(&own.to_string()), "{peer} is shown {own} in {line:?}");
    }
}

pub(crate) fn talk_and_listen(server: &Strowger, caller: Baresip, agent: Baresip) -> Value {
    agent.wait_for("Call established", LIMIT);
    caller.hears(AGENT_HZ, 3.0);
    agent.hears(CALLER_HZ, 3.0);
    let at_caller = caller.hang_up_and_listen();
    let call = server.ended_calls(ACME, 1, LIMIT).remove(0);
    let at_agent = agent.hang_up_and_listen();
    assert!(at_caller.seconds_of_tone(AGENT_HZ, AMPLITUDE) >= 1.0, "the agent at her level");
    assert!(at_agent.seconds_of_tone(CALLER_HZ, AMPLITUDE) >= 1.0, "the caller at his level");
    call
}

#[test]
fn peers_on_loopback_are_told_loopback_and_hear_each_other() {
    let folder = Folder::new("wildcard");
    let server = Strowger::start_with(folder.path(), &everywhere());
    let alice = speaking_agent(folder.path(), &server, "alice", AGENT_HZ);
    server.agent_is(ACME, "alice", "available");
    let caller = speaking_carrier(folder.path(), &server, ACME_SALES, CALLER_HZ);
    let call = talk_and_listen(&server, caller, alice);
    let id = call["id"].as_str().expect("its id");
    for peer in [CARRIER_A, crate::parts::AGENTS] {
        assert_shown(&server, id, peer, IpAddr::from([127, 0, 0, 1]));
    }
}

#[test]
fn a_phone_on_the_network_is_told_the_address_on_the_network_and_the_carrier_loopback() {
    let Some(network) = own_address() else {
        eprintln!("this machine has no address but loopback: nothing to try");
        return;
    };
    let folder = Folder::new("network");
    let provisioning = Some(without_loopback_only(folder.path(), "a-password-of-her-own"));
    let server = Strowger::start_with(folder.path(), &Setup { provisioning, ..everywhere() });
    let at = SocketAddr::new(network, server.sip.port());
    let account = agent_account("alice", "acme.example", at, "auto")
        .replace("alice-secret", "a-password-of-her-own");
    let phone = Phone { address: network, accounts: vec![account], tone: AGENT_HZ, dial: None };
    let alice = Baresip::start(&folder.path().join("alice"), &phone);
    server.agent_is(ACME, "alice", "available");
    let caller = speaking_carrier(folder.path(), &server, ACME_SALES, CALLER_HZ);
    let call = talk_and_listen(&server, caller, alice);
    let id = call["id"].as_str().expect("its id");
    assert_shown(&server, id, CARRIER_A, IpAddr::from([127, 0, 0, 1]));
    assert_shown(&server, id, network, network);
}

#[test]
fn a_carrier_over_ipv6_talks_to_an_agent_over_ipv4() {
    let here = IpAddr::V6(Ipv6Addr::LOCALHOST);
    if UdpSocket::bind((here, 0)).is_err() {
        eprintln!("this machine has no IPv6: nothing to try");
        return;
    }
    let folder = Folder::new("ipv6");
    let path = crate::parts::many_agents(folder.path(), 0);
    let text = std::fs::read_to_string(&path).expect("the provisioning");
    let text = text.replace("[\"127.0.0.2\"]", "[\"127.0.0.2\", \"::1\"]");
    std::fs::write(&path, text).expect("the provisioning");
    let setup = Setup { listen: Listen::All, provisioning: Some(path), ..Setup::default() };
    let server = Strowger::start_with(folder.path(), &setup);
    let port = server.sip_udp.iter().find(|local| local.is_ipv6()).expect("IPv6").port();
    let alice = speaking_agent(folder.path(), &server, "alice", AGENT_HZ);
    server.agent_is(ACME, "alice", "available");
    let phone = Phone {
        address: here,
        accounts: vec!["<sip:+15559000@[::1]>;regint=0".to_owned()],
        tone: CALLER_HZ,
        dial: Some(format!("sip:{ACME_SALES}@[::1]:{port}")),
    };
    let caller = Baresip::start(&folder.path().join("carrier"), &phone);
    let call = talk_and_listen(&server, caller, alice);
    let id = call["id"].as_str().expect("its id");
    assert_shown(&server, id, here, here);
    assert_shown(&server, id, crate::parts::AGENTS, IpAddr::from([127, 0, 0, 1]));
}

#[test]
fn a_demo_agent_registers_on_loopback_and_is_refused_from_the_network() {
    let Some(network) = own_address() else {
        eprintln!("this machine has no address but loopback: nothing to try");
        return;
    };
    let folder = Folder::new("demo-password");
    let server = Strowger::start_with(folder.path(), &everywhere());
    let at = SocketAddr::new(network, server.sip.port());
    let phone = SocketAddr::new(network, free_port(network));
    let domain = "acme.example";
    assert_eq!(register(at, phone, "alice", domain, "alice-secret"), [401, 403]);
    assert_eq!(register(at, phone, "alice", domain, "wrong"), [401, 403]);
    let phone = SocketAddr::new(CARRIER_A, free_port(CARRIER_A));
    assert_eq!(register(server.sip, phone, "alice", domain, "alice-secret"), [401, 200]);
}

#[test]
fn published_passwords_that_the_network_could_use_are_refused_at_the_start_and_over_the_api() {
    let folder = Folder::new("published");
    let open = without_loopback_only(folder.path(), "alice-secret");
    let file = open.to_str().expect("a path");
    let config = folder.path().join("default.toml");
    let data = folder.path().join("never").display().to_string();
    let text = format!(
        "data_dir = \"{data}\"\n[sip]\nudp = [\"0.0.0.0:0\"]\ntcp = []\n\
         [http]\nlisten = \"127.0.0.1:0\"\n"
    );
    std::fs::write(&config, text).expect("the configuration");
    let strowger = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_strowger"));
        let output = command.args(arguments).output().expect("the binary");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let config = config.to_str().expect("a path");
    let (status, told) = strowger(&["serve", "--config", config, "--apply", file]);
    assert_eq!(status, Some(2), "{told}");
    assert!(told.contains("alice") && told.contains("loopback_only"), "{told}");

    let server = Strowger::start_with(folder.path(), &everywhere());
    let url = format!("http://{}", server.http);
    let (status, told) = strowger(&["apply", file, "--url", &url, "--key", PLATFORM]);
    assert_ne!(status, Some(0), "{told}");
    assert!(told.contains("alice") && told.contains("loopback_only"), "{told}");
}

#[test]
fn over_tcp_a_carrier_is_told_the_address_it_connected_to() {
    let folder = Folder::new("wildcard-tcp");
    let server = Strowger::start_with(folder.path(), &everywhere());
    let talk_and_leave =
        [Step::ExpectInvite, Step::Answer(180), Step::Accept, Step::Pause(500), Step::AgentBye];
    let phone = agent(folder.path(), &server, "alice", "acme.example", 1, &talk_and_leave);
    server.agent_is(ACME, "alice", "available");
    let stay = [Step::Invite, Step::MayCome(100), Step::Expect(200), Step::Ack, Step::ExpectBye];
    carrier_over_tcp(folder.path(), &server, ACME_SALES, &stay).succeed(LIMIT);
    phone.succeed(LIMIT);
    let call = server.ended_calls(ACME, 1, LIMIT).remove(0);
    let id = call["id"].as_str().expect("its id");
    assert_shown(&server, id, CARRIER_A, IpAddr::from([127, 0, 0, 1]));
}

/// The demo's provisioning with a password of alice's own, good from everywhere.
fn without_loopback_only(folder: &Path, password: &str) -> PathBuf {
    let path = crate::parts::many_agents(folder, 0);
    let text = std::fs::read_to_string(&path).expect("the provisioning");
    let line = text.lines().find(|line| line.contains("id = \"alice\"")).expect("alice");
    let own = line.replace("alice-secret", password).replace(", loopback_only = true", "");
    std::fs::write(&path, text.replace(line, &own)).expect("the provisioning");
    path
}
