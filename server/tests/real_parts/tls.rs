//! SIP over TLS: a foreign phone, certificates by name, reload, clients that show certificates.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::baresip::{Baresip, Phone};
use crate::certificates::{Authority, Files};
use crate::parts::{ACME_SALES, AGENTS, CARRIER_A, LIMIT, PATIENT, carrier, speaking_carrier};
use crate::sip_client::{Client, Framed, Tls, Wire, tcp, tls};
use crate::strowger::{ACME, Folder, Setup, Strowger};

/// A server with these certificates on a free TLS port.
fn server(folder: &Path, tables: &str) -> Strowger {
    let setup = Setup { config: tables.to_owned(), tls: true, ..Setup::default() };
    Strowger::start_with(folder, &setup)
}

fn phone(stream: Tls, agent: &str) -> Client<Framed<Tls>> {
    let local = stream.sock.local_addr().expect("its address");
    let contact = format!("sip:{agent}@{local};transport=tls");
    Client { wire: Framed::new(stream), transport: "TLS", contact }
}

#[test]
fn a_foreign_phone_registers_over_tls_and_both_ends_hear_each_other() {
    let folder = Folder::new("tls-baresip");
    let authority = Authority::new(folder.path(), "authority");
    let own = authority.certify(folder.path(), "own", &["acme.example", "127.0.0.1"]);
    let server = server(folder.path(), &own.table());
    let at = server.sip_tls.expect("a TLS listener");
    let alice = Phone {
        address: AGENTS,
        accounts: vec![format!(
            "<sip:alice@acme.example;transport=tls>;auth_user=alice;auth_pass=alice-secret;\
             outbound=\"sip:{at};transport=tls\";regint=60;answermode=auto"
        )],
        tone: 1000.0,
        dial: None,
    };
    let trust = format!("sip_cafile {}\n", authority.file.display());
    let alice = Baresip::start_with(&folder.path().join("alice"), &alice, &trust);
    server.agent_is(ACME, "alice", "available");
    let caller = speaking_carrier(folder.path(), &server, ACME_SALES, 440.0);
    alice.wait_for("Call established", LIMIT);
    caller.hears(1000.0, 2.0);
    alice.hears(440.0, 2.0);
    caller.hang_up_and_listen();
    assert_eq!(server.ended_calls(ACME, 1, LIMIT)[0]["agent"], "alice");
}

#[test]
fn a_call_is_taken_over_tls_by_the_certificate_of_the_name_that_was_asked_for() {
    let folder = Folder::new("tls-names");
    let authority = Authority::new(folder.path(), "authority");
    let first = authority.certify(folder.path(), "first", &["pbx.example"]);
    let second = authority.certify(folder.path(), "second", &["acme.example"]);
    let server = server(folder.path(), &(first.table() + &second.table()));
    let at = server.sip_tls.expect("a TLS listener");
    assert!(tls(at, "pbx.example", &authority, None).is_ok());
    assert!(tls(at, "globex.example", &authority, None).is_err(), "it is for nobody else");
    let stream = tls(at, "acme.example", &authority, None).expect("the second certificate");
    let mut alice = phone(stream, "alice");
    assert_eq!(alice.register("alice"), [401, 200]);
    server.agent_is(ACME, "alice", "available");
    let caller = carrier(folder.path(), &server, CARRIER_A, ACME_SALES, 1, &PATIENT);
    let invite = alice.answer_call();
    assert!(invite.contains("SIP/2.0/TLS "), "{invite}");
    caller.hang_up();
    alice.hear_bye();
    caller.succeed(LIMIT);
    assert_eq!(server.ended_calls(ACME, 1, LIMIT)[0]["agent"], "alice");
}

#[test]
fn a_new_certificate_is_taken_without_a_restart_and_a_bad_one_is_refused_whole() {
    let folder = Folder::new("tls-reload");
    let authority = Authority::new(folder.path(), "authority");
    let own = authority.certify(folder.path(), "own", &["old.example"]);
    let server = server(folder.path(), &own.table());
    let at = server.sip_tls.expect("a TLS listener");
    let kept = tls(at, "old.example", &authority, None).expect("the old certificate");
    let is_shown = |name: &str| tls(at, name, &authority, None).is_ok();

    fs::write(&own.chain, "no certificate at all").expect("to write");
    server.signal("HUP");
    until(&server, "the bad one is refused", || server.log().contains("certificates are refused"));
    assert!(is_shown("old.example"), "the old one stays");

    let Files { chain, key } = authority.certify(folder.path(), "new", &["new.example"]);
    fs::copy(key, &own.key).expect("to write");
    fs::copy(chain, &own.chain).expect("to write");
    // Nobody says so: the files are looked at.
    until(&server, "the new one is shown", || is_shown("new.example"));
    assert!(!is_shown("old.example"));

    let mut alice = phone(kept, "alice");
    assert_eq!(alice.register("alice"), [401, 200], "connections outlive their certificate");
}

fn until(server: &Strowger, what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !is_so() {
        assert!(Instant::now() < deadline, "never: {what}\n{}", server.log());
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_clients_certificate_is_verified_and_a_strangers_is_refused() {
    let folder = Folder::new("tls-mutual");
    let ours = Authority::new(folder.path(), "ours");
    let theirs = Authority::new(folder.path(), "theirs");
    let own = ours.certify(folder.path(), "own", &["pbx.example"]);
    let known = ours.certify(folder.path(), "known", &["carrier.example"]);
    let stranger = theirs.certify(folder.path(), "stranger", &["carrier.example"]);
    let bundle = format!("[tls]\nclient_ca = \"{}\"\n", ours.file.display());
    let server = server(folder.path(), &(bundle + &own.table()));
    let at = server.sip_tls.expect("a TLS listener");
    let options = |own: Option<&Files>| {
        let stream = tls(at, "pbx.example", &ours, own)?;
        let mut wire = Framed::new(stream);
        wire.send(
            "OPTIONS sip:pbx.example SIP/2.0\r\nVia: SIP/2.0/TLS x;branch=z9hG4bK1;rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:x@x>;tag=1\r\nTo: <sip:pbx.example>\r\n\
             Call-ID: 1\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n",
        )?;
        wire.receive()
    };
    assert!(options(Some(&known)).expect("an answer").starts_with("SIP/2.0 "));
    assert!(options(None).expect("an answer").starts_with("SIP/2.0 "), "none is needed");
    // With TLS 1.3 the client learns of its refusal by its first read.
    let refused = options(Some(&stranger));
    assert!(refused.is_err(), "{refused:?}");
    until(&server, "the refusal is told", || server.log().contains("a TLS handshake failed"));
}

#[test]
fn clients_that_speak_no_tls_or_nothing_at_all_harm_nobody() {
    let folder = Folder::new("tls-garbage");
    let authority = Authority::new(folder.path(), "authority");
    let own = authority.certify(folder.path(), "own", &["pbx.example"]);
    let server = server(folder.path(), &own.table());
    let at = server.sip_tls.expect("a TLS listener");
    let mut plain = tcp(at);
    plain.write_all(b"OPTIONS sip:x SIP/2.0\r\nContent-Length: 0\r\n\r\n").expect("to send");
    let silent: Vec<_> = (0..200).map(|_| tcp(at)).collect();
    // A source has its share of handshakes under way; others are not kept waiting by it.
    drop(silent);
    until(&server, "a handshake succeeds", || tls(at, "pbx.example", &authority, None).is_ok());
    let stream = tls(at, "pbx.example", &authority, None).expect("TLS");
    let mut alice = phone(stream, "alice");
    assert_eq!(alice.register("alice"), [401, 200]);
}
