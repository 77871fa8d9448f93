//! Kamailio as a proxy between a carrier and us: it stays in the dialogs (Record-Route), and may
//! change the transport on the way.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::net::free_port;
use crate::parts::{ACME_SALES, CARRIER_A, CARRIER_B, LIMIT, PATIENT, TALK, agent, carrier};
use crate::provisioning::demo;
use crate::scenario::Step;
use crate::sipp::{Part, Sipp};
use crate::strowger::{ACME, Folder, Setup, Strowger};
use crate::trunk_streams::{near_server, sent_over};
use crate::trunks::trunk_is;

/// Where the proxy lives: the carrier's trunk, as we see it.
const PROXY: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 10));

/// A plain stateful proxy with one next hop.
const ROUTES: &str = include_str!("../../../fixtures/kamailio/proxy.cfg");

/// What else it takes to be a server of WebSockets (RFC 7118). Its clients can be reached over
/// their own connection alone, which their Contact says by an alias.
const WEBSOCKETS: &str = r#"
tcp_accept_no_cl=yes
loadmodule "sl.so"
loadmodule "tm.so"
loadmodule "rr.so"
loadmodule "pv.so"
loadmodule "textops.so"
loadmodule "siputils.so"
loadmodule "nathelper.so"
loadmodule "xhttp.so"
loadmodule "websocket.so"
event_route[xhttp:request] {
    if ($hdr(Upgrade) =~ "websocket" && ws_handle_handshake()) { exit; }
    xhttp_reply("404", "Not Found", "", "");
}
request_route {
    if (is_method("CANCEL")) { if (t_check_trans()) t_relay(); exit; }
    if (has_totag()) {
        if (loose_route()) {
            if ($du == "") { handle_ruri_alias(); }
            t_relay();
            exit;
        }
        if (is_method("ACK") && t_check_trans()) { t_relay(); exit; }
        sl_send_reply("404", "Not here");
        exit;
    }
    if (is_method("OPTIONS")) { sl_send_reply("200", "OK"); exit; }
    if ($proto == "ws") { add_contact_alias(); }
    record_route();
    $du = "sip:SERVER";
    t_relay();
}
"#;

/// A running Kamailio; stopped when dropped.
struct Kamailio {
    child: Child,
    address: SocketAddr,
}

impl Kamailio {
    /// Passes on what it gets over UDP to the server, at an address and over a transport.
    fn start(folder: &Path, server: &str) -> Self {
        Self::start_with(folder, &ROUTES.replace("NEXT_HOP", server))
    }

    fn start_with(folder: &Path, routes: &str) -> Self {
        let address = SocketAddr::new(PROXY, free_port(PROXY));
        let config = format!(
            "#!KAMAILIO\ndebug=2\nlog_stderror=yes\nchildren=2\ntcp_children=1\n\
             tcp_source_ipv4={PROXY}\n\
             listen=udp:{address}\nlisten=tcp:{address}\n{routes}"
        );
        let (path, log) = (folder.join("kamailio.cfg"), folder.join("kamailio.log"));
        fs::write(&path, config).expect("the proxy's configuration");
        let log = fs::File::create(log).expect("its log");
        let child = Command::new("kamailio")
            .args(["-DD", "-E", "-m", "32", "-M", "4", "-Y"])
            .arg(folder)
            .arg("-f")
            .arg(&path)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("its log"))
            .stderr(log)
            .spawn()
            .expect("kamailio: run scripts/install test");
        let proxy = Self { child, address };
        proxy.answers();
        proxy
    }

    /// Waits until it is up: it says that this may go no further.
    fn answers(&self) {
        let socket = UdpSocket::bind((PROXY, 0)).expect("a socket");
        socket.set_read_timeout(Some(Duration::from_millis(200))).expect("a limit");
        let (from, to) = (socket.local_addr().expect("its address"), self.address);
        let options = format!(
            "OPTIONS sip:{to} SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bK-up;rport\r\n\
             Max-Forwards: 0\r\nFrom: <sip:test@{from}>;tag=up\r\nTo: <sip:{to}>\r\n\
             Call-ID: up\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
        );
        let deadline = Instant::now() + LIMIT;
        let mut buffer = [0; 2048];
        loop {
            let _ = socket.send_to(options.as_bytes(), to);
            if socket.recv(&mut buffer).is_ok() {
                return;
            }
            assert!(Instant::now() < deadline, "Kamailio does not answer");
        }
    }
}

impl Drop for Kamailio {
    fn drop(&mut self) {
        // Its main process ends its others.
        let _ = Command::new("kill").arg("-TERM").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
    }
}

/// A carrier that calls by way of the proxy.
fn behind(folder: &Path, proxy: &Kamailio, steps: &[Step]) -> Sipp {
    let part = Part {
        name: "behind-kamailio",
        steps,
        local: SocketAddr::new(CARRIER_A, free_port(CARRIER_A)),
        server: Some(proxy.address),
        number: ACME_SALES,
        calls: 1,
        rate: 10,
        more: &[],
    };
    Sipp::start(folder, &part)
}

/// The requests of a kind in a call's ladder that came from the proxy or went there.
fn requests(server: &Strowger, call: &str, direction: &str, method: &str) -> Vec<String> {
    let ladder = server.data(&format!("/api/v1/calls/{call}/ladder"), ACME);
    let rows = ladder.as_array().expect("the ladder").iter();
    let of_proxy = |row: &&Value| {
        let remote: SocketAddr = row["remote"].as_str().expect("remote").parse().expect("address");
        row["direction"] == direction && remote.ip() == PROXY
    };
    let texts = rows.filter(of_proxy).filter_map(|row| row["message"].as_str());
    texts.filter(|text| text.starts_with(&format!("{method} "))).map(str::to_owned).collect()
}

/// Two calls: the caller hangs up the first, the agent the second.
fn two_calls(name: &str, address: impl Fn(&Strowger) -> String) {
    let folder = Folder::new(name);
    let sources = ("[\"127.0.0.2\"]", "[\"127.0.0.10\"]");
    let server = Strowger::provisioned(folder.path(), demo(folder.path(), "", &[sources]));
    let proxy = Kamailio::start(folder.path(), &address(&server));

    let phone = agent(folder.path(), &server, "alice", "acme.example", 1, &TALK);
    server.agent_is(ACME, "alice", "available");
    let caller = behind(folder.path(), &proxy, &PATIENT);
    server.agent_is(ACME, "alice", "busy");
    caller.hang_up();
    caller.succeed(LIMIT);
    phone.succeed(LIMIT);
    let first = server.ended_calls(ACME, 1, LIMIT).remove(0);
    let first = first["id"].as_str().expect("its id");
    assert_eq!(requests(&server, first, "in", "INVITE").len(), 1);
    let bye = requests(&server, first, "in", "BYE");
    assert_eq!(bye.len(), 1, "{bye:#?}");

    let leaves =
        [Step::ExpectInvite, Step::Answer(180), Step::Accept, Step::Pause(500), Step::AgentBye];
    let phone = agent(folder.path(), &server, "bob", "acme.example", 1, &leaves);
    server.agent_is(ACME, "bob", "available");
    http_away(&server);
    let stay = [Step::Invite, Step::MayCome(100), Step::Expect(200), Step::Ack, Step::ExpectBye];
    let caller = behind(folder.path(), &proxy, &stay);
    caller.succeed(LIMIT);
    phone.succeed(LIMIT);
    let second = server.ended_calls(ACME, 2, LIMIT).remove(0);
    assert_eq!(second["agent"], "bob", "{second}");
    let second = second["id"].as_str().expect("its id");
    let bye = requests(&server, second, "out", "BYE");
    assert_eq!(bye.len(), 1, "{bye:#?}");
    assert!(bye[0].contains(&format!("Route: <sip:{PROXY}")), "{bye:#?}");
}

/// Alice, whose phone is gone by now, takes a break.
fn http_away(server: &Strowger) {
    let state = serde_json::json!({"state": "break"});
    let path = "/api/v1/agents/alice/state";
    let answer = crate::net::http(server.http, "PUT", path, ACME, Some(&state));
    assert_eq!(answer.status, 200);
    server.agent_is(ACME, "alice", "break");
}

#[test]
fn calls_through_kamailio_are_routed_back_through_it_whoever_hangs_up() {
    two_calls("kamailio-udp", |server| server.sip.to_string());
}

#[test]
fn kamailio_may_bring_over_tcp_what_it_got_over_udp() {
    two_calls("kamailio-tcp", |server| format!("{};transport=tcp", server.sip_tcp));
}

#[test]
fn kamailio_takes_calls_over_websocket_and_sends_its_byes_back_over_it() {
    let folder = Folder::new("kamailio-ws");
    let far = SocketAddr::new(CARRIER_B, free_port(CARRIER_B));
    let proxy =
        Kamailio::start_with(folder.path(), &WEBSOCKETS.replace("SERVER", &far.to_string()));
    let target = format!("sip:{};transport=ws", proxy.address);
    let near = near_server(&folder, &target, Setup::default());
    trunk_is(&near, "up");
    let callee = |name, steps: &[Step]| {
        let (local, server, number) = (far, None, "callee");
        let part = Part { name, steps, local, server, number, calls: 1, rate: 10, more: &[] };
        Sipp::start(folder.path(), &part)
    };
    let phone = callee("stays", &TALK);
    let caller = carrier(folder.path(), &near, CARRIER_A, ACME_SALES, 1, &PATIENT);
    near.calls_are(ACME, 1, "connected");
    caller.hang_up();
    caller.succeed(LIMIT);
    phone.succeed(LIMIT);

    let leaves =
        [Step::ExpectInvite, Step::Answer(180), Step::Accept, Step::Pause(500), Step::AgentBye];
    let phone = callee("leaves", &leaves);
    let stay = [Step::Invite, Step::MayCome(100), Step::MayCome(180), Step::Expect(200), Step::Ack];
    let stay: Vec<Step> = stay.into_iter().chain([Step::ExpectBye]).collect();
    let caller = carrier(folder.path(), &near, CARRIER_A, ACME_SALES, 1, &stay);
    caller.succeed(LIMIT);
    phone.succeed(LIMIT);
    let calls = near.ended_calls(ACME, 2, LIMIT);
    assert!(calls.iter().any(|call| call["ended_by"] == "callee"), "{calls:#?}");
    for call in &calls {
        assert_eq!(sent_over(&near, call, "INVITE"), ["ws"]);
        assert_eq!(sent_over(&near, call, "ACK"), ["ws"]);
    }
}
