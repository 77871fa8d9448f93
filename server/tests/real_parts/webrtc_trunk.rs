//! Trunks whose audio goes by WebRTC: between two servers, one of which is lite and one full, over
//! IPv4 and IPv6; to a media server that is lite (rtpengine); and with a full end that begins the
//! handshake, with a certificate of RSA (baresip). Who is at one end hears who is at the other.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::baresip::{Baresip, Phone};
use crate::net::{free_port, has_ipv6};
use crate::parts::{ACME_SALES, LIMIT, speaking_agent, speaking_carrier};
use crate::provisioning;
use crate::strowger::{ACME, Folder, Listen, Setup, Strowger};
use crate::ua::{Ua, body};

const CALLER_HZ: f64 = 440.0;
const CALLED_HZ: f64 = 1000.0;
/// Whom the callers of acme's sales are sent on to.
const CALLED: &str = "+12125550123";
/// Where gateways live, and what sends their audio.
const GATEWAY: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 61));
const RELAY: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 63));

/// The demo, whose sales call a number outside over a trunk of WebRTC to there.
fn sends_on(folder: &Path, to: SocketAddr) -> PathBuf {
    let keys = format!("probe_s = 0\nwebrtc = true\ntargets = [{{ uri = \"sip:{to}\" }}]");
    provisioning::sends_on(folder, &keys, CALLED)
}

/// The demo, whose sales are called by WebRTC from there.
fn is_called(folder: &Path, from: IpAddr) -> PathBuf {
    let number = "{ number = \"+15550101\", flow = \"support\" }";
    let ours = format!("{{ number = \"{CALLED}\", flow = \"sales\" }}");
    let near = provisioning::trunk("near", from, "probe_s = 0\nwebrtc = true");
    provisioning::demo(folder, &near, &[(number, &ours)])
}

fn start(folder: &Path, provisioning: PathBuf) -> Strowger {
    start_at(folder, provisioning, Listen::Loopback, None)
}

fn start_at(folder: &Path, provisioning: PathBuf, listen: Listen, rtp: Option<String>) -> Strowger {
    let provisioning = Some(provisioning);
    Strowger::start_with(folder, &Setup { provisioning, listen, rtp, ..Setup::default() })
}

/// The descriptions of a call that passed to or from there, in their order.
fn descriptions(server: &Strowger, of: SocketAddr) -> Vec<String> {
    let call = server.ended_calls(ACME, 1, LIMIT).remove(0);
    let ladder = format!("/api/v1/calls/{}/ladder", call["id"].as_str().expect("its id"));
    let ladder = server.data(&ladder, ACME);
    let rows = ladder.as_array().expect("messages").iter().map(Value::to_string);
    let webrtc = rows.filter(|row| row.contains("SAVPF"));
    let all: Vec<String> = webrtc.filter(|row| row.contains(&of.to_string())).collect();
    assert!(all.len() >= 2, "an offer and an answer: {ladder:#}");
    all
}

#[test]
fn two_servers_talk_by_webrtc_the_one_that_is_called_being_lite() {
    let here = Ipv4Addr::LOCALHOST.into();
    two_servers_talk([here; 2], Listen::Loopback, None);
}

#[test]
fn two_servers_talk_by_webrtc_over_ipv6() {
    let here = IpAddr::V6(Ipv6Addr::LOCALHOST);
    if !has_ipv6() {
        return;
    }
    two_servers_talk([here; 2], Listen::All, None);
}

/// The system would answer from 127.0.0.1 whoever comes from there: then no check would be good.
#[test]
fn a_server_at_all_addresses_is_called_at_one_of_them_and_heard_from_there() {
    let at = [[127, 0, 0, 1], [127, 0, 0, 5]].map(IpAddr::from);
    let has_ipv6 = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    let both = has_ipv6.then_some((Listen::All, "::"));
    for (listen, rtp) in std::iter::once((Listen::AllIpv4, "0.0.0.0")).chain(both) {
        // With two workers what comes to one may be the other's.
        let rtp = format!("[rtp]\nports = \"0\"\naddress = \"{rtp}\"\nworkers = 2\n");
        two_servers_talk(at, listen, Some(rtp));
    }
}

/// Whose signalling and audio go between them at those addresses: the one's that calls, and the
/// other's.
fn two_servers_talk([from, to]: [IpAddr; 2], listen: Listen, rtp: Option<String>) {
    let folder = Folder::new("webrtc-trunk");
    let (one, other) = (folder.path().join("one"), folder.path().join("other"));
    for folder in [&one, &other] {
        std::fs::create_dir_all(folder).expect("a folder");
    }
    let called = start_at(&other, is_called(&other, from), listen, rtp.clone());
    let port = called.sip_udp.iter().find(|at| at.is_ipv6() == to.is_ipv6());
    let at = SocketAddr::new(to, port.expect("its port").port());
    let calling = start_at(&one, sends_on(&one, at), listen, rtp);
    let alice = speaking_agent(&other, &called, "alice", CALLED_HZ);
    called.agent_is(ACME, "alice", "available");
    let caller = speaking_carrier(folder.path(), &calling, ACME_SALES, CALLER_HZ);
    alice.wait_for("Call established", LIMIT);
    caller.hears(CALLED_HZ, 3.0);
    alice.hears(CALLER_HZ, 3.0);
    caller.hang_up_and_listen();
    let sdp = descriptions(&calling, at);
    for (sdp, here) in [(sdp.first(), from), (sdp.last(), to)] {
        let sdp = sdp.expect("an offer and an answer");
        let family = if here.is_ipv6() { "IP6" } else { "IP4" };
        assert!(sdp.contains(&format!("c=IN {family} {here}")), "{sdp}");
        let ways: Vec<&str> = sdp.split("a=candidate:").skip(1).collect();
        let here = format!(" {here} ");
        assert!(!ways.is_empty() && ways.iter().all(|way| way.contains(&here)), "{sdp}");
    }
    assert!(!sdp[0].contains("a=ice-lite") && sdp[0].contains("a=ice-options:ice2"), "{sdp:#?}");
    assert!(sdp.last().is_some_and(|answer| answer.contains("a=ice-lite")), "{sdp:#?}");
    let call = called.ended_calls(ACME, 1, LIMIT).remove(0);
    assert_eq!(call["cause"], "normal", "{call}");
    alice.hang_up_and_listen();
}

/// rtpengine, which relays between WebRTC, as a lite end, and plain RTP.
struct Relay {
    child: Child,
    control: UdpSocket,
}

impl Relay {
    /// `None` where it is not installed.
    fn start() -> Option<Self> {
        let at = SocketAddr::new(RELAY, free_port(RELAY));
        let child = Command::new("rtpengine")
            .args(["--table=-1", "--num-threads=1", "--media-num-threads=1", "--foreground"])
            .args(["--log-stderr", "--log-level=3", "--config-file=none"])
            .args([format!("--interface={RELAY}"), format!("--listen-ng={at}")])
            .args(["--port-min=30000", "--port-max=30100"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let control = UdpSocket::bind((RELAY, 0)).expect("a port");
        control.connect(at).expect("its address");
        control.set_read_timeout(Some(Duration::from_millis(500))).expect("a limit");
        let relay = Self { child, control };
        let until = Instant::now() + LIMIT;
        while relay.ask(&[("command", "ping")]).is_none() {
            assert!(Instant::now() < until, "rtpengine does not answer");
        }
        Some(relay)
    }

    /// A question of its control protocol (bencode), and its answer's text.
    fn ask(&self, question: &[(&str, &str)]) -> Option<String> {
        let text = |text: &str| format!("{}:{text}", text.len());
        let mut question = question.to_vec();
        question.sort_unstable();
        let pairs = question.iter().map(|(key, value)| match value.strip_prefix('[') {
            Some(item) => format!("{}l{}e", text(key), text(item)),
            None => format!("{}{}", text(key), text(value)),
        });
        // A question with the number of an earlier one would get the earlier one's answer.
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = format!("{} ", NUMBER.fetch_add(1, Ordering::Relaxed));
        let question = format!("{number}d{}e", pairs.collect::<String>());
        self.control.send(question.as_bytes()).ok()?;
        let mut buffer = [0; 16_384];
        loop {
            let length = self.control.recv(&mut buffer).ok()?;
            let answer = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if answer.starts_with(&number) {
                return Some(answer);
            }
        }
    }

    /// A description as it passes.
    fn pass(&self, command: &str, sdp: &str, more: &[(&str, &str)]) -> String {
        let mut question = vec![("command", command), ("call-id", "one"), ("sdp", sdp)];
        question.push(("from-tag", "caller"));
        question.extend_from_slice(more);
        let answer = self.ask(&question).expect("an answer");
        let sdp = answer.split_once("3:sdp").map(|(_, rest)| rest).unwrap_or_default();
        let (length, rest) = sdp.split_once(':').unwrap_or_else(|| panic!("{answer}"));
        rest[..length.parse().expect("a length")].to_owned()
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_media_server_that_is_lite_is_found_whichever_end_begins_the_handshake() {
    let Some(relay) = Relay::start() else {
        eprintln!("rtpengine is not installed");
        return;
    };
    for setup in ["passive", "active"] {
        let folder = Folder::new("webrtc-lite");
        let mut gateway = Ua::new(GATEWAY, "127.0.0.1:9".parse().expect("nobody"), CALLED_HZ);
        let server = start(folder.path(), sends_on(folder.path(), gateway.at));
        gateway.server = server.sip;
        let caller = speaking_carrier(folder.path(), &server, ACME_SALES, CALLER_HZ);
        let invite = gateway.expect("INVITE ");
        let to_plain = [
            ("ICE", "remove"),
            ("ICE-lite", "backward"),
            ("transport-protocol", "RTP/AVP"),
            ("rtcp-mux", "[demux"),
            ("DTLS", setup),
        ];
        let plain = relay.pass("offer", body(&invite), &to_plain);
        gateway.voice.talks_to(&plain);
        let own = gateway.sdp();
        let to_web = [("to-tag", "called"), ("DTLS", setup)];
        let answer = relay.pass("answer", &own, &to_web);
        assert!(answer.contains("a=ice-lite") && answer.contains("SAVPF"), "{answer}");
        gateway.respond(&invite, "200 OK", "", &answer);
        gateway.expect("ACK ");
        caller.hears(CALLED_HZ, 3.0);
        gateway.voice.hears(CALLER_HZ, 3.0);
        caller.hang_up_and_listen();
        gateway.hears_bye();
        relay.ask(&[("command", "delete"), ("call-id", "one"), ("from-tag", "caller")]);
    }
}

/// baresip, which does ICE as a full end, begins the handshake and shows a certificate of RSA; its
/// words when it has the keys.
const SECURE: &str = "DTLS-SRTP complete";

fn gateway(folder: &Path, dial: Option<String>) -> Baresip {
    let account = format!(
        "<sip:{CALLED}@{GATEWAY}>;regint=0;answermode=auto;mediaenc=dtls_srtp;medianat=ice"
    );
    let phone = Phone { address: GATEWAY, accounts: vec![account], tone: CALLED_HZ, dial };
    let more = "module srtp.so\nmodule dtls_srtp.so\nmodule ice.so\nrtcp_mux yes\n";
    Baresip::start_with(&folder.join("gateway"), &phone, more)
}

#[test]
fn a_gateway_with_a_certificate_of_rsa_is_called_and_hears_who_calls() {
    let folder = Folder::new("webrtc-rsa");
    let gateway = gateway(folder.path(), None);
    gateway.wait_for("baresip is ready", LIMIT);
    let server = start(folder.path(), sends_on(folder.path(), gateway.sip));
    let caller = speaking_carrier(folder.path(), &server, ACME_SALES, CALLER_HZ);
    gateway.wait_for(SECURE, LIMIT);
    caller.hears(CALLED_HZ, 3.0);
    gateway.hears(CALLER_HZ, 3.0);
    caller.hang_up_and_listen();
    gateway.wait_for("session closed", LIMIT);
    let call = server.ended_calls(ACME, 1, LIMIT).remove(0);
    assert_eq!(call["cause"], "normal", "{call}");
}

#[test]
fn a_gateway_with_a_certificate_of_rsa_calls_and_hears_the_agent() {
    let folder = Folder::new("webrtc-rsa-calls");
    let server = start(folder.path(), is_called(folder.path(), GATEWAY));
    let alice = speaking_agent(folder.path(), &server, "alice", CALLER_HZ);
    server.agent_is(ACME, "alice", "available");
    let gateway = gateway(folder.path(), Some(format!("sip:{CALLED}@{}", server.sip)));
    gateway.wait_for(SECURE, LIMIT);
    gateway.hears(CALLER_HZ, 3.0);
    alice.hears(CALLED_HZ, 3.0);
    gateway.hang_up_and_listen();
    let call = server.ended_calls(ACME, 1, LIMIT).remove(0);
    assert_eq!(call["cause"], "normal", "{call}");
    alice.hang_up_and_listen();
}
