//! Foreign phones over every transport that they speak: baresip and linphone register, call, are
//! called, hold and resume, press keys and transfer, and all that they should hear they hear.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::baresip::{Baresip, Phone};
use crate::certificates::Authority;
use crate::linphone::{self, Linphone};
use crate::parts::{AGENTS, LIMIT, many_agents};
use crate::strowger::{ACME, Folder, Setup, Strowger};

const ALICE_HZ: f64 = 1000.0;
const BOB_HZ: f64 = 700.0;
const THIRD_HZ: f64 = 440.0;

struct Stage {
    server: Strowger,
    authority: PathBuf,
    transport: &'static str,
    // Goes after the server, which writes into it to its last.
    folder: Folder,
}

/// A server on every transport, acme's alice and bob, and `a0` to whom calls are transferred.
fn stage(name: &str, transport: &'static str) -> Stage {
    let folder = Folder::new(&format!("{name}-{transport}"));
    let authority = Authority::new(folder.path(), "authority");
    let own = authority.certify(folder.path(), "own", &["acme.example", "127.0.0.1"]);
    let setup = Setup {
        provisioning: Some(many_agents(folder.path(), 1)),
        config: own.table(),
        tls: true,
        ..Setup::default()
    };
    let server = Strowger::start_with(folder.path(), &setup);
    Stage { folder, server, authority: authority.file, transport }
}

impl Stage {
    fn baresip(&self, agent: &str, transport: &str, tone: f64) -> Baresip {
        let at = match transport {
            "udp" => self.server.sip,
            "tcp" => self.server.sip_tcp,
            _ => self.server.sip_tls.expect("a TLS listener"),
        };
        let phone = Phone {
            address: AGENTS,
            accounts: vec![format!(
                "<sip:{agent}@acme.example;transport={transport}>;auth_user={agent};\
                 auth_pass={agent}-secret;outbound=\"sip:{at};transport={transport}\";\
                 regint=60;answermode=auto"
            )],
            tone,
            dial: None,
        };
        let trust = format!("sip_cafile {}\n", self.authority.display());
        let phone = Baresip::start_with(&self.folder.path().join(agent), &phone, &trust);
        self.server.agent_is(ACME, agent, "available");
        phone
    }

    fn linphone(&self, agent: &str, tone: f64, answers: bool) -> Linphone {
        let server = match self.transport {
            "udp" => self.server.sip,
            "tcp" => self.server.sip_tcp,
            _ => self.server.sip_tls.expect("a TLS listener"),
        };
        let authority: Option<&Path> = (self.transport == "tls").then_some(&self.authority);
        let transport = self.transport;
        let phone = linphone::Phone { agent, server, transport, authority, tone, answers };
        let phone = Linphone::start(self.folder.path(), &phone);
        self.server.agent_is(ACME, agent, "available");
        phone
    }

    /// Waits until a call of acme has had that event so many times.
    fn had(&self, event: &str, times: usize) {
        self.server.eventually(event, "/api/v1/calls", ACME, LIMIT, |calls| {
            let calls = calls.as_array()?.iter();
            let of = |call: &Value| {
                let types = self.server.event_types(ACME, call["id"].as_str().unwrap_or_default());
                types.into_iter().filter(|kind| kind == event).count()
            };
            (calls.map(of).sum::<usize>() >= times).then_some(())
        });
    }

    /// What alice and bob said went over the transport that this is about.
    fn went_over_it(&self) {
        let calls = self.server.data("/api/v1/calls", ACME);
        let calls = calls.as_array().expect("calls").iter();
        let ladders: Vec<String> = calls
            .map(|call| format!("/api/v1/calls/{}/ladder", call["id"].as_str().expect("its id")))
            .map(|path| self.server.data(&path, ACME).to_string())
            .collect();
        let via = format!("SIP/2.0/{}", self.transport.to_uppercase());
        assert!(ladders.iter().any(|ladder| ladder.contains(&via)), "{ladders:#?}");
    }
}

fn baresip_over(transport: &'static str) {
    let stage = stage("baresip", transport);
    let third = stage.baresip("a0", "udp", THIRD_HZ);
    let bob = stage.baresip("bob", transport, BOB_HZ);
    let alice = stage.baresip("alice", transport, ALICE_HZ);
    alice.tell("dial", "sip:102@acme.example");
    alice.hears(BOB_HZ, 1.0);
    bob.hears(ALICE_HZ, 1.0);

    alice.tell("sndcode", "5");
    bob.wait_for("received event: '5'", LIMIT);

    // Bob, who was called, sends alice on and is out of it.
    bob.tell("transfer", "sip:a0@acme.example");
    alice.hears(THIRD_HZ, 1.0);
    third.hears(ALICE_HZ, 1.0);
    stage.had("call.transferred", 1);
    stage.server.agent_is(ACME, "bob", "available");

    // While she holds, the third hears music; afterwards, her.
    alice.tell("hold", "");
    stage.had("call.held", 1);
    alice.tell("resume", "");
    stage.had("call.resumed", 1);
    let before = third.seconds_heard(ALICE_HZ);
    third.hears(ALICE_HZ, before + 1.0);
    stage.went_over_it();
    alice.tell("hangup", "");
    stage.server.calls_are(ACME, 0, "connected");
}

#[test]
fn baresip_calls_holds_presses_keys_and_transfers_over_udp() {
    baresip_over("udp");
}

#[test]
fn baresip_calls_holds_presses_keys_and_transfers_over_tcp() {
    baresip_over("tcp");
}

#[test]
fn baresip_calls_holds_presses_keys_and_transfers_over_tls() {
    baresip_over("tls");
}

fn linphone_over(transport: &'static str) {
    let stage = stage("linphone", transport);
    let third = stage.baresip("a0", "udp", THIRD_HZ);
    let bob = stage.linphone("bob", BOB_HZ, true);
    let alice = stage.linphone("alice", ALICE_HZ, false);
    alice.tell("call sip:102@acme.example");
    alice.says("Media streams established", 1);
    alice.hears(BOB_HZ, 1.0);
    bob.hears(ALICE_HZ, 1.0);

    alice.tell("pause 1");
    stage.had("call.held", 1);
    alice.says("is now paused", 1);
    alice.tell("resume 1");
    stage.had("call.resumed", 1);
    bob.hears(ALICE_HZ, 1.0);

    // Blind: bob is with the third now, alice with nobody.
    alice.tell("transfer 1 sip:a0@acme.example");
    third.hears(BOB_HZ, 1.0);
    bob.hears(THIRD_HZ, 1.0);
    stage.had("call.transferred", 1);
    stage.server.agent_is(ACME, "alice", "available");
    bob.tell("terminate all");
    stage.server.calls_are(ACME, 0, "connected");
    stage.server.agent_is(ACME, "a0", "available");

    // Attended: alice talks with both, then they with each other.
    let heard = third.seconds_heard(BOB_HZ);
    alice.tell("call sip:102@acme.example");
    alice.says("Media streams established", 3);
    bob.hears(ALICE_HZ, 0.5);
    alice.tell("pause 2");
    stage.had("call.held", 2);
    alice.tell("call sip:a0@acme.example");
    alice.says("Media streams established", 4);
    third.hears(ALICE_HZ, 0.5);
    alice.tell("transfer 2 --to-call 3");
    stage.had("call.transferred", 2);
    third.hears(BOB_HZ, heard + 1.0);
    bob.hears(THIRD_HZ, 1.0);
    stage.server.agent_is(ACME, "alice", "available");
    bob.tell("terminate all");
    stage.server.calls_are(ACME, 0, "connected");
    stage.went_over_it();
}

#[test]
fn linphone_calls_holds_and_transfers_blind_and_attended_over_udp() {
    linphone_over("udp");
}

#[test]
fn linphone_calls_holds_and_transfers_blind_and_attended_over_tcp() {
    linphone_over("tcp");
}

#[test]
fn linphone_calls_holds_and_transfers_blind_and_attended_over_tls() {
    linphone_over("tls");
}
