//! Registrations through proxies (RFC 3327) and over flows that phones keep open (RFC 5626).
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by it")]

mod support;

use base::{Duration, Instant};
use sip::{Flow, Message, Name, Registered, Registrar, Transport};
use support::*;

const AOR: &str = "acme/alice";
const PHONE: &str = "urn:uuid:00000000-0000-1000-8000-aabbccddeeff";
const OUTBOUND: &str = "Supported: path, gruu, outbound\r\n";

struct Desk {
    registrar: Registrar,
    cseq: u32,
}

fn register(cseq: u32, vias: usize, lines: &str) -> Message {
    let via = "Via: SIP/2.0/TCP h;branch=z9hG4bK1\r\n".repeat(vias);
    let text = format!(
        "REGISTER sip:acme.example SIP/2.0\r\n{via}From: <sip:alice@acme.example>;tag=1\r\n\
         To: <sip:alice@acme.example>\r\nCall-ID: c\r\nCSeq: {cseq} REGISTER\r\n{lines}\
         Content-Length: 0\r\n\r\n"
    );
    Message::parse(text.into()).unwrap()
}

fn flow(connection: u64) -> Flow {
    Flow { connection, ..tcp() }
}

fn contact(port: u16, reg_id: u32) -> String {
    format!(
        "Contact: <sip:alice@192.0.2.2:{port};transport=tcp>;reg-id={reg_id};\
         +sip.instance=\"<{PHONE}>\"\r\n"
    )
}

impl Desk {
    fn new() -> Self {
        Self { registrar: Registrar::new(), cseq: 0 }
    }

    fn send(&mut self, flow: Flow, vias: usize, lines: &str) -> Result<Registered, u16> {
        self.cseq += 1;
        let request = register(self.cseq, vias, lines);
        let answer = self.registrar.register(Instant::ZERO, AOR, flow, &request);
        answer.map_err(|(status, _)| status.as_u16())
    }

    fn bound(&self) -> Vec<(u64, String)> {
        let bindings = self.registrar.bindings(Instant::ZERO, AOR);
        bindings.map(|b| (b.flow.connection, b.contact.to_string())).collect()
    }

    fn targets(&self) -> Vec<u64> {
        let targets = self.registrar.targets(Instant::ZERO, AOR);
        targets.iter().map(|binding| binding.flow.connection).collect()
    }
}

#[test]
fn a_flow_that_is_set_up_again_takes_the_place_of_the_old_one_whatever_its_contact() {
    let mut desk = Desk::new();
    let first = desk.send(flow(1), 1, &(contact(1000, 1) + OUTBOUND)).unwrap();
    assert_eq!(first.flow_timer, Some(Duration::from_secs(120)));
    desk.send(flow(2), 1, &(contact(2000, 1) + OUTBOUND)).unwrap();
    assert_eq!(desk.bound(), [(2, "sip:alice@192.0.2.2:2000;transport=tcp".to_owned())]);
    // The old connection's end, heard late, takes nothing along.
    desk.registrar.flow_closed(flow(1));
    assert_eq!(desk.bound().len(), 1);
    desk.registrar.flow_closed(flow(2));
    assert!(desk.bound().is_empty());
}

#[test]
fn two_flows_of_one_device_are_two_bindings_and_one_target() {
    let mut desk = Desk::new();
    desk.send(flow(1), 1, &(contact(1000, 1) + OUTBOUND)).unwrap();
    let both = desk.send(flow(2), 1, &(contact(1000, 2) + OUTBOUND)).unwrap();
    assert_eq!(both.bindings.len(), 2, "the same contact, but two flows");
    assert_eq!(desk.targets(), [2], "to the phone it would be one call twice");
    let other = "Contact: <sip:alice@192.0.2.9>;+sip.instance=\"<urn:uuid:other>\";reg-id=1\r\n";
    desk.send(flow(3), 1, &(other.to_owned() + OUTBOUND)).unwrap();
    desk.send(flow(4), 1, "Contact: <sip:alice@192.0.2.10>\r\n").unwrap();
    desk.send(flow(5), 1, "Contact: <sip:alice@192.0.2.11>\r\n").unwrap();
    assert_eq!(desk.targets(), [5, 4, 3, 2]);
    desk.registrar.flow_closed(flow(2));
    assert_eq!(desk.targets(), [5, 4, 3, 1], "the device's other flow takes over");
}

#[test]
fn the_200_shows_the_flow_and_asks_for_signs_of_life() {
    let mut desk = Desk::new();
    let registered = desk.send(flow(1), 1, &(contact(1000, 1) + OUTBOUND)).unwrap();
    let ok = registered.response();
    assert_eq!(ok.get(Name::REQUIRE), Some("outbound"));
    assert_eq!(ok.get(Name::FLOW_TIMER), Some("120"));
    let shown = ok.get(Name::CONTACT).unwrap();
    assert!(shown.ends_with(&format!(";+sip.instance=\"<{PHONE}>\";reg-id=1")), "{shown}");
    assert!(!shown.contains("gruu"), "GRUUs are not offered");
    let registered = desk.send(udp(), 1, &(contact(1000, 2) + OUTBOUND)).unwrap();
    assert_eq!(registered.response().get(Name::FLOW_TIMER), Some("25"), "NATs forget sooner");
    let plain = desk.send(flow(2), 1, "Contact: <sip:alice@192.0.2.10>\r\n").unwrap();
    assert_eq!(plain.response().get(Name::REQUIRE), None);
    let query = desk.send(flow(2), 1, "").unwrap();
    assert_eq!((query.bindings.len(), query.flow_timer), (3, None));
}

#[test]
fn the_number_of_a_flow_counts_only_with_a_device_and_from_who_supports_it() {
    let mut desk = Desk::new();
    let lines = contact(1000, 1);
    let registered = desk.send(flow(1), 1, &lines).unwrap();
    assert_eq!(registered.flow_timer, None, "no Supported: outbound");
    assert_eq!(registered.bindings[0].device.as_ref().unwrap().reg_id, None);
    let without = format!("Contact: <sip:alice@192.0.2.3>;reg-id=1\r\n{OUTBOUND}");
    assert_eq!(desk.send(flow(1), 1, &without).unwrap().flow_timer, None);
    for contact in [
        "<sip:a@h>;reg-id=0;+sip.instance=\"<urn:x>\"",
        "<sip:a@h>;reg-id=4294967296;+sip.instance=\"<urn:x>\"",
        "<sip:a@h>;reg-id=one;+sip.instance=\"<urn:x>\"",
        "<sip:a@h>;reg-id=1;+sip.instance=\"urn:x\"",
        "<sip:a@h>;reg-id=1;+sip.instance=\"<>\"",
        "<sip:a@h>;reg-id=1;+sip.instance=\"<urn: x>\"",
        "<sip:a@h>;reg-id=1;+sip.instance=\"<urn:x>\", <sip:b@h>;reg-id=2;+sip.instance=\"<urn:x>\"",
    ] {
        let lines = format!("Contact: {contact}\r\n{OUTBOUND}");
        assert_eq!(desk.send(flow(1), 1, &lines).err(), Some(400), "{contact}");
    }
    let long = format!("Contact: <sip:a@h>;+sip.instance=\"<{}>\"\r\n", "x".repeat(129));
    assert_eq!(desk.send(flow(1), 1, &long).err(), Some(400));
}

#[test]
fn a_flow_through_a_proxy_that_cannot_keep_it_is_439() {
    let mut desk = Desk::new();
    let lines = contact(1000, 1) + OUTBOUND;
    assert_eq!(desk.send(flow(1), 2, &lines).err(), Some(439), "a proxy without Path");
    let path = |path: &str| format!("{lines}Path: {path}\r\n");
    assert_eq!(desk.send(flow(1), 2, &path("<sip:edge;lr>")).err(), Some(439));
    // The proxy nearest to the phone is the last one.
    let wrong = path("<sip:edge;lr;ob>, <sip:phone-side;lr>");
    assert_eq!(desk.send(flow(1), 3, &wrong).err(), Some(439));
    let right = path("<sip:core;lr>, <sip:token@edge;lr;ob>");
    let registered = desk.send(flow(1), 3, &right).unwrap();
    assert!(registered.flow_timer.is_some());
    assert!(desk.send(flow(1), 2, "Contact: <sip:a@192.0.2.4>\r\n").is_ok(), "a plain one");
    assert!(desk.registrar.bindings(Instant::ZERO, AOR).count() == 2, "nothing of the refused");
}

#[test]
fn path_becomes_the_route_of_requests_back_and_is_shown_to_who_asks() {
    let mut desk = Desk::new();
    let lines = "Contact: <sip:alice@192.0.2.4>\r\nPath: <sip:p2.example;lr>\r\n\
                 Path: <sip:p1.example;lr>\r\n";
    let silent = desk.send(flow(1), 3, lines).unwrap();
    assert_eq!(silent.response().get(Name::PATH), None, "the phone did not say it knows Path");
    let shown = desk.send(flow(1), 3, &format!("{lines}Supported: path\r\n")).unwrap();
    let route = "<sip:p2.example;lr>, <sip:p1.example;lr>";
    assert_eq!(shown.response().get(Name::PATH), Some(route));
    let binding = desk.registrar.bindings(Instant::ZERO, AOR).next().unwrap();
    assert_eq!(binding.path.as_deref(), Some(route));
    let direct = desk.send(flow(1), 1, "Contact: <sip:alice@192.0.2.4>\r\n").unwrap();
    assert_eq!((direct.bindings.len(), direct.path), (1, None), "refreshed without a proxy");
    assert_eq!(desk.registrar.bindings(Instant::ZERO, AOR).next().unwrap().path, None);
}

#[test]
fn a_path_that_is_no_route_or_too_long_is_refused() {
    let mut desk = Desk::new();
    let many = ["<sip:p.example;lr>"; 9].join(", ");
    let long = format!("<sip:{}@p.example;lr>", "x".repeat(1_100));
    for path in [
        "<sip:p.example>",
        "<sip:p;lr>;x=\u{f}",
        "<tel:+15550100;lr>",
        "nonsense",
        "<sip:p;lr>, ",
        &many,
        &long,
    ] {
        let lines = format!("Contact: <sip:alice@192.0.2.4>\r\nPath: {path}\r\n");
        let refused = desk.send(flow(1), 2, &lines).err();
        let expected = (path != "<sip:p;lr>, ").then_some(400);
        assert_eq!(refused, expected, "{path}");
    }
}

#[test]
fn what_a_phone_says_about_itself_is_kept_only_as_far_as_it_is_of_use() {
    let mut desk = Desk::new();
    let agent = format!("User-Agent: {}ä\r\nContact: <sip:a@192.0.2.4>\r\n", "x".repeat(95));
    desk.send(flow(1), 1, &agent).unwrap();
    let binding = desk.registrar.bindings(Instant::ZERO, AOR).next().unwrap();
    assert_eq!(binding.user_agent.as_deref().map(str::len), Some(95), "not half a letter");
    let long = format!("Contact: <sip:{}@192.0.2.4>\r\n", "x".repeat(600));
    assert_eq!(desk.send(flow(1), 1, &long).err(), Some(400));
}

#[test]
fn a_browsers_contact_leads_back_over_its_connection() {
    let mut desk = Desk::new();
    let wss = Flow { transport: Transport::Wss, ..flow(7) };
    let lines = format!(
        "Contact: <sip:r4nd0m@df7jal23ls0d.invalid;transport=ws>;reg-id=1;\
         +sip.instance=\"<{PHONE}>\";expires=600\r\n{OUTBOUND}"
    );
    desk.send(wss, 1, &lines).unwrap();
    let targets = desk.registrar.targets(Instant::ZERO, AOR);
    assert_eq!((targets.len(), targets[0].flow), (1, wss));
    // The page is loaded again: a new connection and a new contact, the same device.
    let again = lines.replace("r4nd0m", "0ther");
    let wss = Flow { transport: Transport::Wss, ..flow(8) };
    desk.send(wss, 1, &again).unwrap();
    let targets = desk.registrar.targets(Instant::ZERO, AOR);
    assert_eq!((targets.len(), targets[0].flow), (1, wss));
}

#[test]
fn a_flow_that_its_phone_lets_fall_silent_gives_way_to_the_devices_other_one() {
    let mut desk = Desk::new();
    let at = |seconds| Instant::ZERO + Duration::from_secs(seconds);
    let (main, backup) = (udp(), Flow { remote: "192.0.2.2:6060".parse().unwrap(), ..udp() });
    desk.send(backup, 1, &(contact(1000, 1) + OUTBOUND)).unwrap();
    desk.send(main, 1, &(contact(1000, 2) + OUTBOUND)).unwrap();
    let rung = |desk: &Desk, now| -> Vec<Flow> {
        desk.registrar.targets(now, AOR).into_iter().map(|binding| binding.flow).collect()
    };
    assert_eq!(rung(&desk, at(35)), [main], "25 s and some grace");
    desk.registrar.handle_sign_of_life(at(24), backup);
    assert_eq!(rung(&desk, at(36)), [backup], "the newer one is silent");
    desk.registrar.handle_sign_of_life(at(40), main);
    assert_eq!(rung(&desk, at(41)), [main], "it is heard again");
    assert_eq!(rung(&desk, at(200)), [main], "both are silent: better than nothing");
    let elsewhere = Flow { remote: "192.0.2.2:7070".parse().unwrap(), ..udp() };
    desk.registrar.handle_sign_of_life(at(200), elsewhere);
    assert_eq!(rung(&desk, at(200)), [main], "nobody's flow");
}

#[test]
fn a_phone_that_never_promised_keep_alives_is_never_silent_and_a_silent_one_is_rung_last() {
    let mut desk = Desk::new();
    desk.send(flow(1), 1, "Contact: <sip:alice@192.0.2.10>\r\n").unwrap();
    desk.send(flow(2), 1, &(contact(1000, 1) + OUTBOUND)).unwrap();
    let at = |seconds| Instant::ZERO + Duration::from_secs(seconds);
    let rung = |now| -> Vec<u64> {
        let targets = desk.registrar.targets(now, AOR);
        targets.into_iter().map(|binding| binding.flow.connection).collect()
    };
    assert_eq!(rung(at(130)), [2, 1], "120 s on a stream, and some grace");
    assert_eq!(rung(at(131)), [1, 2]);
}
