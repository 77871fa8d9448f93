//! The registrar: RFC 3261 §10.3.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by it")]

mod support;

use base::{Duration, Instant};
use sip::{Flow, Message, Registrar, RegistrarConfig, RegistrarEvent, StatusCode};
use support::*;

const AOR: &str = "acme/alice";

fn register(call_id: &str, cseq: u32, lines: &str) -> Message {
    let text = format!(
        "REGISTER sip:acme.example SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n\
         From: <sip:alice@acme.example>;tag=1\r\nTo: <sip:alice@acme.example>\r\n\
         Call-ID: {call_id}\r\nCSeq: {cseq} REGISTER\r\nUser-Agent: Phone/1\r\n{lines}\
         Content-Length: 0\r\n\r\n"
    );
    Message::parse(text.into()).unwrap()
}

struct Desk {
    registrar: Registrar,
    now: Instant,
    cseq: u32,
}

type Answer = Result<Vec<String>, u16>;

impl Desk {
    fn new() -> Self {
        Self { registrar: Registrar::new(), now: at(0), cseq: 0 }
    }

    fn send(&mut self, lines: &str) -> Answer {
        self.cseq += 1;
        self.send_over(udp(), "c", self.cseq, lines)
    }

    fn send_over(&mut self, flow: Flow, call_id: &str, cseq: u32, lines: &str) -> Answer {
        let request = register(call_id, cseq, lines);
        let answer = self.registrar.register(self.now, AOR, flow, &request);
        answer
            .map(|registered| registered.bindings.iter().map(ToString::to_string).collect())
            .map_err(|(status, _)| status.as_u16())
    }

    fn wait(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.registrar.handle_timeout(self.now);
    }

    fn events(&mut self) -> Vec<&'static str> {
        std::iter::from_fn(|| self.registrar.poll_output())
            .map(|event| match event {
                RegistrarEvent::Reachable { .. } => "reachable",
                RegistrarEvent::Unreachable { .. } => "unreachable",
            })
            .collect()
    }

    fn bound(&self) -> Vec<String> {
        let bindings = self.registrar.bindings(self.now, AOR);
        bindings.map(|binding| binding.contact.to_string()).collect()
    }
}

fn list(items: &[&str]) -> Answer {
    Ok(items.iter().map(|&item| item.to_owned()).collect())
}

#[test]
fn a_binding_lasts_as_long_as_asked_and_its_end_is_told() {
    let mut desk = Desk::new();
    let answer = desk.send("Contact: <sip:alice@10.0.0.5:5062>;expires=120;q=0.5\r\n");
    assert_eq!(answer, list(&["<sip:alice@10.0.0.5:5062>;expires=120;q=0.500"]));
    let binding = desk.registrar.bindings(desk.now, AOR).next().unwrap();
    assert_eq!((binding.flow, binding.user_agent.as_deref()), (udp(), Some("Phone/1")));
    assert_eq!(desk.registrar.poll_timeout(), Some(at(120_000)));
    desk.wait(119);
    assert_eq!(desk.send(""), list(&["<sip:alice@10.0.0.5:5062>;expires=1;q=0.500"]));
    assert_eq!(desk.events(), ["reachable"]);
    desk.wait(1);
    assert_eq!(desk.events(), ["unreachable"]);
    assert_eq!(desk.registrar.poll_timeout(), None);
    assert_eq!(desk.send(""), list(&[]));
}

#[test]
fn times_to_live_come_from_the_contact_then_expires_then_our_default_within_our_limits() {
    let mut desk = Desk::new();
    assert_eq!(
        desk.send("Contact: <sip:a@h1>;expires=60, <sip:a@h2>\r\nExpires: 100\r\n"),
        list(&["<sip:a@h1>;expires=60", "<sip:a@h2>;expires=100"])
    );
    assert_eq!(
        desk.send("Contact: <sip:a@h1>\r\nContact: <sip:a@h2>;expires=99999999999\r\n"),
        list(&["<sip:a@h1>;expires=3600", "<sip:a@h2>;expires=3600"])
    );
}

#[test]
fn too_brief_an_interval_is_refused_with_423_and_nothing_changes() {
    let mut desk = Desk::new();
    assert_eq!(desk.send("Contact: <sip:a@h1>, <sip:a@h2>;expires=59\r\n"), Err(423));
    assert!(desk.bound().is_empty());
    assert_eq!(desk.registrar.config().min_expires, Duration::from_secs(60));
}

#[test]
fn expires_zero_removes_one_binding_and_a_star_removes_all() {
    let mut desk = Desk::new();
    desk.send("Contact: <sip:a@h1>, <sip:a@h2>, <sip:a@h3>\r\n").unwrap();
    desk.send("Contact: <sip:a@h2>;expires=0\r\n").unwrap();
    assert_eq!(desk.bound(), ["sip:a@h1", "sip:a@h3"]);
    assert_eq!(desk.send("Contact: *\r\n"), Err(400), "a star needs Expires 0");
    assert_eq!(desk.send("Contact: *\r\nExpires: 60\r\n"), Err(400));
    assert_eq!(desk.send("Contact: *, <sip:a@h1>\r\nExpires: 0\r\n"), Err(400));
    assert_eq!(desk.bound().len(), 2);
    assert_eq!(desk.send("Contact: *\r\nExpires: 0\r\n"), list(&[]));
    assert_eq!(desk.events(), ["reachable", "unreachable"]);
}

#[test]
fn a_refresh_replaces_the_binding_whatever_the_spelling() {
    let mut desk = Desk::new();
    desk.send("Contact: <sip:alice@EXAMPLE.com;transport=tcp>;expires=100\r\n").unwrap();
    let refreshed = desk.send("m: sip:%61lice@example.com;expires=200\r\n").unwrap();
    assert_eq!(refreshed.len(), 2, "without its transport it is another contact");
    let refreshed = desk.send("m: <sip:%61lice@example.com;transport=TCP>;expires=300\r\n");
    assert_eq!(refreshed.unwrap().len(), 2);
}

#[test]
fn within_a_call_id_an_older_cseq_is_refused_all_or_nothing() {
    let mut desk = Desk::new();
    desk.send_over(udp(), "c", 5, "Contact: <sip:a@h1>\r\n").unwrap();
    let late = "Contact: <sip:a@h2>, <sip:a@h1>;expires=0\r\n";
    assert_eq!(desk.send_over(udp(), "c", 5, late), Err(500));
    assert_eq!(desk.bound(), ["sip:a@h1"]);
    assert_eq!(desk.send_over(udp(), "c", 4, "Contact: *\r\nExpires: 0\r\n"), Err(500));
    // After a restart a phone has a new Call-ID and may count from one.
    assert!(desk.send_over(tcp(), "d", 1, "Contact: <sip:a@h1>\r\n").is_ok());
    assert_eq!(desk.registrar.bindings(desk.now, AOR).next().unwrap().flow, tcp());
}

#[test]
fn the_oldest_binding_gives_way_when_there_are_too_many() {
    let mut desk = Desk::new();
    for n in 0..12 {
        desk.send(&format!("Contact: <sip:a@h{n}>\r\n")).unwrap();
    }
    let bound = desk.bound();
    assert_eq!((bound.len(), &*bound[0]), (10, "sip:a@h2"));
    let many: Vec<_> = (0..40).map(|n| format!("<sip:a@x{n}>")).collect();
    assert_eq!(desk.send(&format!("Contact: {}\r\n", many.join(","))), Err(403));
}

#[test]
fn a_full_registrar_refuses_new_addresses_but_serves_the_old() {
    let config = RegistrarConfig { max_aors: 1, ..Default::default() };
    let mut registrar = Registrar::with_config(config);
    let request = register("c", 1, "Contact: <sip:a@h>\r\n");
    assert!(registrar.register(at(0), "acme/alice", udp(), &request).is_ok());
    let refused = registrar.register(at(0), "acme/bob", udp(), &request);
    assert_eq!(refused.unwrap_err().0, StatusCode::SERVICE_UNAVAILABLE);
    let again = register("c", 2, "Contact: <sip:a@h>\r\n");
    assert!(registrar.register(at(0), "acme/alice", udp(), &again).is_ok());
}

#[test]
fn a_closed_connection_takes_its_bindings_along_and_no_others() {
    let mut desk = Desk::new();
    desk.send_over(tcp(), "c", 1, "Contact: <sip:a@random.invalid;transport=ws>\r\n").unwrap();
    desk.send_over(udp(), "d", 1, "Contact: <sip:a@h>\r\n").unwrap();
    desk.registrar.flow_closed(tcp());
    assert_eq!(desk.bound(), ["sip:a@h"]);
    desk.registrar.flow_closed(udp());
    assert_eq!(desk.bound(), ["sip:a@h"], "datagrams have no connection to close");
    assert_eq!(desk.events(), ["reachable"]);
    desk.registrar.forget(AOR);
    assert_eq!(desk.events(), ["unreachable"]);
}

#[test]
fn a_contact_that_is_no_address_is_refused() {
    let mut desk = Desk::new();
    for lines in [
        "Contact: sip:user@example.com?Route=%3Csip:sip.example.com%3E\r\n",
        "Contact: \"open <sip:a@h>\r\n",
        "Contact: <sip:a@h>;q=7\r\n",
        "Contact: alice\r\n",
    ] {
        assert_eq!(desk.send(lines), Err(400), "{lines}");
    }
}

#[test]
fn one_binding_too_many_takes_the_place_of_the_one_refreshed_longest_ago() {
    let mut desk = Desk::new();
    let most = desk.registrar.config().max_bindings;
    for n in 0..most {
        // The first to come is the last to end.
        let expires = 3_000 - n;
        desk.send(&format!("Contact: <sip:a{n}@192.0.2.9>;expires={expires}\r\n")).unwrap();
    }
    desk.send("Contact: <sip:a0@192.0.2.9>;expires=100\r\n").unwrap();
    let bound = desk.send("Contact: <sip:more@192.0.2.9>;expires=3000\r\n").unwrap();
    assert_eq!(bound.len(), most);
    assert!(bound.iter().any(|one| one.contains("a0@")), "just refreshed");
    assert!(!bound.iter().any(|one| one.contains("a1@")), "refreshed longest ago");
}
