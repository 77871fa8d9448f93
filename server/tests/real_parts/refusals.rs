//! Who is not let in: unknown numbers, strangers, wrong passwords, other tenants' keys.

use std::net::{IpAddr, SocketAddr};

use crate::net::{free_port, register};
use crate::parts::{ACME_SALES, AGENTS, CARRIER_A, LIMIT, PATIENT, STRANGER, carrier};
use crate::scenario::Step;
use crate::strowger::{ACME, Folder, GLOBEX, Strowger};

fn refused_with(name: &str, from: IpAddr, number: &str, status: u16) {
    let folder = Folder::new(name);
    let server = Strowger::start(folder.path());
    let steps = [Step::Invite, Step::MayCome(100), Step::Expect(status), Step::AckRefusal];
    carrier(folder.path(), &server, from, number, 1, &steps).succeed(LIMIT);
}

#[test]
fn an_unknown_number_is_answered_404() {
    refused_with("unknown-number", CARRIER_A, "+15559999", 404);
}

#[test]
fn a_stranger_is_answered_403_whatever_he_dials() {
    refused_with("stranger", STRANGER, ACME_SALES, 403);
}

#[test]
fn a_wrong_password_is_challenged_then_answered_403_and_so_is_an_unknown_user() {
    let folder = Folder::new("password");
    let server = Strowger::start(folder.path());
    let try_as = |agent: &str, password: &str| {
        let phone = SocketAddr::new(AGENTS, free_port(AGENTS));
        register(server.sip, phone, agent, "acme.example", password)
    };
    assert_eq!(try_as("alice", "guess"), [401, 403]);
    assert_eq!(try_as("mallory", "guess"), [401, 403]);
    assert_eq!(try_as("alice", "alice-secret"), [401, 200]);
    server.agent_is(ACME, "alice", "available");
}

/// A call that ends in the queue.
fn greeted(folder: &Folder, server: &Strowger) {
    let caller = carrier(folder.path(), server, CARRIER_A, ACME_SALES, 1, &PATIENT);
    server.calls_are(ACME, 1, "queued");
    caller.hang_up();
    caller.succeed(LIMIT);
}

#[test]
fn one_tenants_key_never_sees_anothers_calls() {
    let folder = Folder::new("tenants");
    let server = Strowger::start(folder.path());
    greeted(&folder, &server);
    let call = server.ended_calls(ACME, 1, LIMIT).remove(0);
    let id = call["id"].as_str().expect("its id");
    for path in ["", "/events", "/ladder", "/why"] {
        let path = format!("/api/v1/calls/{id}{path}");
        assert_eq!(server.get(&path, ACME).status, 200, "{path}");
        let answer = server.get(&path, GLOBEX);
        assert_eq!(answer.status, 404, "{path}");
        assert!(!String::from_utf8_lossy(&answer.body).contains(ACME_SALES));
    }
    assert_eq!(server.data("/api/v1/calls", GLOBEX).as_array().map(Vec::len), Some(0));
    assert_eq!(server.get("/api/v1/calls", "no-such-key").status, 401);
}

#[test]
fn a_sip_ladder_shows_every_message_of_the_call_in_order() {
    let folder = Folder::new("ladder");
    let server = Strowger::start(folder.path());
    greeted(&folder, &server);
    let call = server.ended_calls(ACME, 1, LIMIT).remove(0);
    let path = format!("/api/v1/calls/{}/ladder", call["id"].as_str().unwrap());
    let ladder = server.data(&path, ACME).to_string();
    let mut from = 0;
    for line in ["INVITE sip:", "SIP/2.0 100", "SIP/2.0 200", "ACK sip:", "BYE sip:", "SIP/2.0 200"]
    {
        let place = ladder[from..].find(line);
        from += place.unwrap_or_else(|| panic!("{line} is missing after {from} in {ladder}")) + 1;
    }
}
