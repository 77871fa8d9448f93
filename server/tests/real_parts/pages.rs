//! Agents' phones in pages: JsSIP and SIP.js as they come, in Chromium, with all that a page says
//! and hears told by its content.

use std::net::{IpAddr, Ipv6Addr, UdpSocket};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::browser::{Browsers, Page};
use crate::certificates::Authority;
use crate::net::http;
use crate::parts::{ACME_SALES, AGENTS, CARRIER_A, LIMIT};
use crate::strowger::{ACME, Folder, Listen, Setup, Strowger};
use crate::ua::{Dialog, Ua};

pub(crate) const CALLER_HZ: f64 = 440.0;
pub(crate) const AGENT_HZ: f64 = 1000.0;
const BOB_HZ: f64 = 700.0;

pub(crate) struct Stage {
    pub(crate) server: Strowger,
    browsers: Browsers,
    // Goes after the server, which writes into it to its last.
    folder: Folder,
}

fn stage(name: &str) -> Stage {
    stage_with(name, Setup::default())
}

pub(crate) fn stage_with(name: &str, setup: Setup) -> Stage {
    let folder = Folder::new(name);
    let browsers = Browsers::start();
    let setup = Setup { pages: Some(browsers.origin.clone()), ..setup };
    let server = Strowger::start_with(folder.path(), &setup);
    Stage { folder, server, browsers }
}

impl Stage {
    /// A page of alice's, which does not register yet.
    fn page(&self, library: &str) -> Page<'_> {
        self.browsers.phone(self.folder.path(), library, "alice", AGENT_HZ)
    }

    fn ws(&self) -> String {
        format!("ws://{}/sip", self.server.http)
    }

    /// What alice's page registers with in place of her password.
    fn token(&self) -> Value {
        let path = "/api/v1/agents/alice/sip-token";
        let answer = http(self.server.http, "POST", path, ACME, Some(&json!({"lifetime_s": 600})));
        assert_eq!(answer.status, 200, "{}", String::from_utf8_lossy(&answer.body));
        let token = answer.json()["data"].take();
        assert_eq!(token["ws_url"], self.ws());
        json!({"ws": token["ws_url"], "uri": token["uri"], "user": token["username"],
            "password": token["password"]})
    }

    /// A page of alice's that has registered with a token.
    pub(crate) fn registered(&self, library: &str) -> Page<'_> {
        let page = self.page(library);
        page.does("register", json!([self.token()]));
        page.tells("registered", 1);
        self.server.agent_is(ACME, "alice", "available");
        page
    }

    /// A carrier that calls the sales queue, and talks.
    pub(crate) fn caller(&self) -> (Ua, Dialog) {
        let mut carrier = Ua::new(CARRIER_A, self.server.sip, CALLER_HZ);
        let from = format!("sip:+4930123456@{}", carrier.at);
        let to = format!("sip:{ACME_SALES}@{}", self.server.sip);
        let sdp = carrier.sdp_with_keys();
        let mut dialog = carrier.invites(&from, &to, &sdp);
        carrier.talks(&mut dialog);
        (carrier, dialog)
    }

    /// A call from the queue that alice's page has answered, the first that it is rung for; both
    /// have heard the other.
    pub(crate) fn talking(&self, page: &Page<'_>) -> (Ua, Dialog) {
        self.talking_again(page, 1)
    }

    /// The id of the newest call, in which somebody talks.
    pub(crate) fn call(&self) -> String {
        self.server.newest_talk(ACME)
    }

    /// Both hear each other from now on, for so many seconds.
    pub(crate) fn both_hear(&self, (carrier, page): (&Ua, &Page<'_>), seconds: f64) {
        carrier.voice.hears(AGENT_HZ, seconds);
        page.hears(CALLER_HZ, seconds);
    }

    /// The same, for the time that is said.
    pub(crate) fn talking_again(&self, page: &Page<'_>, rung: u32) -> (Ua, Dialog) {
        let (carrier, dialog) = self.caller();
        page.tells("ringing", rung);
        page.does("answer", json!([]));
        carrier.voice.hears(AGENT_HZ, 1.0);
        page.hears(CALLER_HZ, 1.0);
        (carrier, dialog)
    }
}

fn registers(library: &str) {
    let stage = stage(&format!("page-registers-{library}"));
    let page = stage.page(library);
    let account = |user: &str, password: &str| {
        json!([{"ws": stage.ws(), "uri": "sip:alice@acme.example", "user": user,
            "password": password}])
    };
    let wrong = stage.token();
    let later = wrong["user"].as_str().expect("a name").replacen('1', "2", 1);
    page.does("register", account(&later, wrong["password"].as_str().expect("a password")));
    page.tells("refused 403", 1);
    page.told("reload", json!({}));
    page.does("register", account("alice", "alice-secret"));
    page.tells("registered", 1);
    page.told("evaluate", json!({"script": "sessionStorage.clear()"}));
    page.told("reload", json!({}));
    page.does("register", json!([stage.token()]));
    page.tells("registered", 1);
    stage.server.agent_is(ACME, "alice", "available");
}

#[test]
fn jssip_registers_with_a_password_and_with_a_token_and_not_with_a_wrong_one() {
    registers("jssip");
}

#[test]
fn sipjs_registers_with_a_password_and_with_a_token_and_not_with_a_wrong_one() {
    registers("sipjs");
}

/// Takes a call from the queue, holds and resumes, mutes, presses keys, and hangs up.
fn takes_a_call(library: &str) {
    let stage = stage(&format!("page-takes-{library}"));
    let page = stage.registered(library);
    let (mut carrier, _dialog) = stage.talking(&page);

    page.does("hold", json!([]));
    page.tells("hold local", 1);
    let held = carrier.voice.hears_no_more(AGENT_HZ);
    assert!(held.rms() > 0.01, "and there is music");
    page.does("resume", json!([]));
    page.tells("unhold local", 1);
    carrier.voice.hears(AGENT_HZ, 1.0);
    page.receives(CALLER_HZ, 1.0);

    page.does("mute", json!([true]));
    carrier.voice.hears_no_more(AGENT_HZ);
    page.does("mute", json!([false]));
    carrier.voice.hears(AGENT_HZ, 1.0);

    page.does("dtmf", json!(["15*", "RFC2833"]));
    let deadline = Instant::now() + LIMIT;
    while carrier.voice.keys() != "15*" {
        assert!(Instant::now() < deadline, "keys: {}", carrier.voice.keys());
        std::thread::sleep(Duration::from_millis(50));
    }
    let id = stage.call();
    stage.server.told(ACME, &id, "call.held", 1);
    page.does("hangup", json!([]));
    carrier.hears_bye();
    assert_eq!(stage.server.ended_calls(ACME, 1, LIMIT)[0]["agent"], "alice");
}

#[test]
fn jssip_takes_a_call_holds_resumes_mutes_presses_keys_and_hangs_up() {
    takes_a_call("jssip");
}

#[test]
fn sipjs_takes_a_call_holds_resumes_mutes_presses_keys_and_hangs_up() {
    takes_a_call("sipjs");
}

/// Firefox, where it is installed: registers, takes a call, both hear each other.
#[test]
fn firefox_registers_and_takes_a_call_and_both_hear_each_other() {
    let found = std::process::Command::new("firefox-esr").arg("--version").output();
    if found.is_err() {
        return eprintln!("left out: there is no firefox-esr");
    }
    let Some(host) = host() else { return eprintln!("left out: no network but loopback") };
    for library in ["jssip", "sipjs"] {
        // From a network's address Firefox checks no loopback.
        let config = format!("[webrtc]\nadvertised = [\"{host}\"]\n");
        let setup = Setup { listen: Listen::AllIpv4, config, ..Setup::default() };
        let stage = stage_with(&format!("page-firefox-{library}"), setup);
        let page = stage.browsers.in_firefox(library, "alice", 1000);
        page.does("register", json!([stage.token()]));
        page.tells("registered", 1);
        stage.server.agent_is(ACME, "alice", "available");
        let (mut carrier, _dialog) = stage.caller();
        page.tells("ringing", 1);
        page.does("answer", json!([]));
        page.receives(CALLER_HZ, 1.0);
        // Its tone is a tenth of full scale.
        let deadline = Instant::now() + LIMIT;
        while carrier.voice.heard_for(1.0).loudest(AGENT_HZ) < 0.05 {
            assert!(Instant::now() < deadline, "{:#}", page.told("log", json!({})));
        }
        page.does("hangup", json!([]));
        carrier.hears_bye();
    }
}

/// The machine's address in a network of IPv6, as the kernel lists it, if it has one.
fn network_v6() -> Option<Ipv6Addr> {
    let all = std::fs::read_to_string("/proc/net/if_inet6").ok()?;
    let mut rows = all.lines().map(|row| row.split_whitespace().collect::<Vec<_>>());
    // Of a scope that reaches beyond the link.
    let row = rows.find(|row| row.get(3) == Some(&"00"))?;
    u128::from_str_radix(row[0], 16).ok().map(Ipv6Addr::from)
}

/// Its signalling comes over IPv4; its audio has no way but IPv6, over UDP.
#[test]
fn a_pages_audio_goes_over_ipv6_when_the_server_is_there() {
    let Some(host) = network_v6() else { return eprintln!("left out: no network of IPv6") };
    let config = format!("[webrtc]\nadvertised = [\"{host}\"]\ntcp = false\n");
    let setup = Setup { listen: Listen::All, config, ..Setup::default() };
    let stage = stage_with("page-ipv6", setup);
    let page = stage.registered("jssip");
    let (mut carrier, _dialog) = stage.talking(&page);
    stage.both_hear((&carrier, &page), 2.0);
    let ladder = format!("/api/v1/calls/{}/ladder", stage.call());
    page.does("hangup", json!([]));
    carrier.hears_bye();
    stage.server.ended_calls(ACME, 1, LIMIT);
    let ladder = stage.server.data(&ladder, ACME);
    let rows = ladder.as_array().expect("messages").iter().map(Value::to_string);
    let ours: Vec<String> = rows.filter(|row| row.contains("a=ice-lite")).collect();
    let ways: Vec<&str> = ours.iter().flat_map(|sdp| sdp.split("a=candidate:").skip(1)).collect();
    let host = format!(" {host} ");
    assert!(!ways.is_empty() && ways.iter().all(|way| way.contains(&host)), "{ways:#?}");
}

#[test]
fn a_page_speaks_wss_to_the_servers_own_certificate_and_takes_a_call() {
    let folder = Folder::new("page-wss");
    let authority = Authority::new(folder.path(), "authority");
    let own = authority.certify(folder.path(), "own", &["pbx.example"]);
    let browsers = Browsers::start();
    let pages = Some(browsers.origin.clone());
    let setup = Setup { config: own.table(), https: true, pages, ..Setup::default() };
    let server = Strowger::start_trusted(folder.path(), &setup, "pbx.example", &authority);
    let stage = Stage { folder, server, browsers };
    let ws = format!("wss://pbx.example:{}/sip", stage.server.http.port());
    let account = json!([{"ws": ws, "uri": "sip:alice@acme.example", "user": "alice",
        "password": "alice-secret"}]);
    let trusts = json!({"host": "pbx.example", "certificate": own.chain});
    let folder = stage.folder.path();
    let page = stage.browsers.trusting_phone(folder, ("jssip", "alice"), AGENT_HZ, trusts);
    page.does("register", account);
    page.tells("registered", 1);
    stage.server.agent_is(ACME, "alice", "available");
    let (mut carrier, _dialog) = stage.talking(&page);
    page.does("hangup", json!([]));
    carrier.hears_bye();
}

/// Of two tabs the newer one rings, and the older one is told; both ways round.
#[test]
fn an_older_tab_is_told_that_a_newer_one_takes_the_calls() {
    for library in ["jssip", "sipjs"] {
        let stage = stage(&format!("page-tabs-{library}"));
        let older = stage.registered(library);
        let newer = stage.browsers.phone(stage.folder.path(), library, "newer", AGENT_HZ);
        newer.does("register", json!([stage.token()]));
        newer.tells("registered", 1);
        older.tells("rings false", 1);
        let (mut carrier, mut dialog) = stage.talking(&newer);
        carrier.hangs_up(&mut dialog);
        stage.server.ended_calls(ACME, 1, LIMIT);
        has_calls(&older, 0);
        newer.told("close", json!({}));
        older.tells("rings true", 1);
        stage.server.agent_is(ACME, "alice", "available");
        let _call = stage.talking(&older);
    }
}

/// This machine's address in a network other than loopback, if it is in one.
fn host() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    // Nothing is sent.
    socket.connect("203.0.113.1:9").ok()?;
    Some(socket.local_addr().ok()?.ip())
}

/// Calls a colleague, sends a caller on to him, and joins a caller with him.
fn transfers(library: &str) {
    let stage = stage(&format!("page-transfers-{library}"));
    let page = stage.registered(library);
    let mut bob = Ua::new(AGENTS, stage.server.sip, BOB_HZ);

    // Out, to a colleague, who hangs up.
    bob.registers("bob");
    page.does("call", json!(["sip:bob@acme.example"]));
    let mut with_bob = bob.takes();
    page.tells("confirmed", 1);
    bob.voice.hears(AGENT_HZ, 1.0);
    page.hears(BOB_HZ, 1.0);
    bob.hangs_up(&mut with_bob);
    stage.server.ended_calls(ACME, 1, LIMIT);

    // A caller, who is sent on to him.
    stage.server.agent_is(ACME, "alice", "available");
    bob_does_not_disturb(&stage, true);
    let (mut carrier, mut dialog) = stage.talking(&page);
    bob_does_not_disturb(&stage, false);
    page.does("transfer", json!(["sip:bob@acme.example"]));
    bob.takes();
    carrier.voice.hears(BOB_HZ, 1.0);
    bob.voice.hears(CALLER_HZ, 1.0);
    page.tells("transferred", 1);
    carrier.hangs_up(&mut dialog);
    bob.hears_bye();
    stage.server.ended_calls(ACME, 2, LIMIT);

    // A caller, with whom he is joined when he has been asked.
    stage.server.agent_is(ACME, "alice", "available");
    bob_does_not_disturb(&stage, true);
    let (mut carrier, mut dialog) = stage.talking_again(&page, 2);
    bob_does_not_disturb(&stage, false);
    page.does("hold", json!([]));
    page.tells("hold local", 1);
    page.does("call", json!(["sip:bob@acme.example"]));
    bob.takes();
    page.tells("confirmed", 4);
    bob.voice.hears(AGENT_HZ, 1.0);
    page.does("join", json!([]));
    carrier.voice.hears(BOB_HZ, 1.0);
    bob.voice.hears(CALLER_HZ, 1.0);
    page.tells("joined", 1);
    carrier.hangs_up(&mut dialog);
    bob.hears_bye();
    stage.server.ended_calls(ACME, 4, LIMIT);
    has_calls(&page, 0);
}

/// Waits until the page has so many calls: it hears of an end a moment after the server tells it.
fn has_calls(page: &Page<'_>, count: u64) {
    let deadline = Instant::now() + LIMIT / 4;
    while page.does("calls", json!([])) != count {
        assert!(Instant::now() < deadline, "not {count}: {:#}", page.told("log", json!({})));
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// No queue rings bob while a page is to be rung.
fn bob_does_not_disturb(stage: &Stage, on: bool) {
    let path = "/api/v1/agents/bob/do-not-disturb";
    let answer = http(stage.server.http, "PUT", path, ACME, Some(&json!({"on": on})));
    assert_eq!(answer.status, 200);
}

#[test]
fn jssip_calls_a_colleague_and_transfers_blind_and_attended() {
    transfers("jssip");
}

#[test]
fn sipjs_calls_a_colleague_and_transfers_blind_and_attended() {
    transfers("sipjs");
}

/// The page is loaded again in mid-call, several times, then loses its WebSocket: the caller hears
/// music for a moment, and then the same agent in the same call.
fn comes_back(library: &str, times: u32) {
    let stage = stage(&format!("page-comes-back-{library}"));
    let page = stage.registered(library);
    let (mut carrier, mut dialog) = stage.talking(&page);
    let id = stage.call();
    let mut took = Vec::new();
    for _ in 0..times {
        let gone = Instant::now();
        page.told("reload", json!({}));
        page.tells("confirmed", 1);
        took.push(gone.elapsed());
        carrier.voice.hears(AGENT_HZ, 0.5);
        page.hears(CALLER_HZ, 0.5);
    }
    took.sort_unstable();
    // How long it may take depends on the machine; a page that took 15 s would have lost its call.
    eprintln!("{library}: {times} times back, after {took:?}");
    page.does("drop", json!([]));
    let held = carrier.voice.heard_for(0.9);
    assert!(held.rms() > 0.005, "music while the page is gone");
    page.tells("registered", 2);
    carrier.voice.hears(AGENT_HZ, 0.5);
    page.hears(CALLER_HZ, 0.5);
    for (kind, count) in [
        ("call.agent_lost", times as usize + 1),
        ("call.agent_returned", times as usize + 1),
        ("call.connected", 1),
    ] {
        stage.server.told(ACME, &id, kind, count);
    }
    carrier.hangs_up(&mut dialog);
    let calls = stage.server.ended_calls(ACME, 1, LIMIT);
    assert_eq!((&calls[0]["agent"], &calls[0]["cause"]), (&json!("alice"), &json!("normal")));
}

#[test]
fn a_page_of_jssip_that_is_loaded_again_fifty_times_has_the_same_call_each_time() {
    comes_back("jssip", 50);
}

#[test]
fn a_page_of_sipjs_that_is_loaded_again_in_mid_call_has_the_same_call() {
    comes_back("sipjs", 3);
}

/// The page has called a colleague, whose phone rings; it is loaded again, then loses its WebSocket,
/// and then the colleague answers.
fn rings_on(library: &str) {
    let stage = stage(&format!("page-rings-on-{library}"));
    let page = stage.registered(library);
    let mut bob = Ua::new(AGENTS, stage.server.sip, BOB_HZ);
    bob.registers("bob");
    page.does("call", json!(["sip:bob@acme.example"]));
    let invite = bob.expect("INVITE ");
    bob.respond(&invite, "180 Ringing", "", "");
    page.tells("progress", 1);
    let id = stage.server.eventually("the call", "/api/v1/calls", ACME, LIMIT, |calls| {
        calls[0]["id"].as_str().map(str::to_owned)
    });
    page.told("reload", json!({}));
    page.tells("confirmed", 1);
    page.does("drop", json!([]));
    page.tells("registered", 2);
    stage.server.told(ACME, &id, "call.agent_returned", 2);
    let mut dialog = bob.takes_call(&invite);
    bob.voice.hears(AGENT_HZ, 1.0);
    page.hears(BOB_HZ, 1.0);
    for (kind, count) in [("call.agent_lost", 2), ("call.answered", 1), ("call.connected", 1)] {
        stage.server.told(ACME, &id, kind, count);
    }
    bob.hangs_up(&mut dialog);
    let calls = stage.server.ended_calls(ACME, 1, LIMIT);
    assert_eq!((&calls[0]["agent"], &calls[0]["cause"]), (&json!("alice"), &json!("normal")));
}

#[test]
fn whom_a_page_of_jssip_calls_rings_on_when_it_is_loaded_again() {
    rings_on("jssip");
}

#[test]
fn whom_a_page_of_sipjs_calls_rings_on_when_it_is_loaded_again() {
    rings_on("sipjs");
}

/// The console's own phone: takes a call, holds it, keeps it when it is loaded again; and what a
/// screen reader makes of it.
#[test]
fn the_consoles_phone_takes_a_call_and_keeps_it_when_it_is_loaded_again() {
    let stage = stage("console-phone");
    let url = format!("http://{}/", stage.server.http);
    let page = stage.browsers.site(stage.folder.path(), &url, "alice", AGENT_HZ);
    page.told("fill", json!({"selector": "#key", "text": ACME}));
    page.told("click", json!({"selector": "button[type=submit]"}));
    page.told("click", json!({"selector": "nav a[href='#/phone']"}));
    page.told("click", json!({"selector": "text=Turn the phone on"}));
    stage.server.agent_is(ACME, "alice", "available");
    let (mut carrier, _dialog) = stage.caller();
    page.told("click", json!({"selector": "text=Accept"}));
    carrier.voice.hears(AGENT_HZ, 1.0);
    page.told("click", json!({"selector": "text=\"Hold\""}));
    assert_eq!(page.told("see", json!({"selector": "text=Take back"})), "Take back");
    let held = carrier.voice.hears_no_more(AGENT_HZ);
    assert!(held.rms() > 0.01, "there is music");
    page.told("click", json!({"selector": "text=Take back"}));
    carrier.voice.hears(AGENT_HZ, 1.0);
    assert_eq!(page.told("accessibility", json!({})), json!([]));
    page.told("reload", json!({}));
    carrier.voice.hears(AGENT_HZ, 1.0);
    page.told("click", json!({"selector": "text=Hang up"}));
    carrier.hears_bye();
    assert_eq!(stage.server.ended_calls(ACME, 1, LIMIT)[0]["agent"], "alice");
}
