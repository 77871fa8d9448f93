//! Our own registration at a trunk's registrar: challenges, refreshes, failures, calls that come
//! over it, and leaving.

use std::net::SocketAddr;

use sip::{Message, Transport};
use switch::{Input, TrunkState};

use crate::rig::{ALICE, Call, DEMO, Rig, answer, header};
use crate::trunks::{FIRST, SECOND, next_request, respond, trunk, with_carrier};

const REGISTERED: &str = r#"
[[trunks]]
id = "outside"
sources = ["127.0.0.9"]
tenants = ["acme"]
authenticate = { user = "4930123", password = "tr-secret", realm = "carrier.example" }

[trunks.register]
registrar = "sip:carrier.example"
aor = "sip:+15550100@carrier.example"
contact_user = "strowger-1"
expires_s = 600
"#;

const CHALLENGE: &str = "WWW-Authenticate: Digest realm=\"carrier.example\", \
    nonce=\"n1\", algorithm=SHA-256, qop=\"auth\"\r\nContact:";

fn challenge(rig: &mut Rig, at: SocketAddr, register: &Message) {
    let text = answer(register, at, "401 Unauthorized", "reg", None);
    rig.send(at, &text.replace("Contact:", CHALLENGE));
}

/// The registrar takes the binding for that long.
fn accept(rig: &mut Rig, at: SocketAddr, register: &Message, seconds: u32) {
    let text = answer(register, at, "200 OK", "reg", None);
    let contact = "Contact: <sip:strowger-1@127.0.0.1:5060>";
    let at_phone = text.lines().find(|line| line.starts_with("Contact:")).unwrap().to_owned();
    rig.send(at, &text.replace(&at_phone, &format!("{contact};expires={seconds}")));
}

/// The same, and it wants keep-alives within 20 s.
fn accept_and_keep(rig: &mut Rig, at: SocketAddr, register: &Message) {
    let via = header(register, "Via");
    assert!(via.ends_with(";keep"), "{via}");
    let text = answer(register, at, "200 OK", "reg", None);
    let text = text.replacen(";keep", ";keep=20", 1);
    let phone = text.lines().find(|line| line.starts_with("Contact:")).unwrap().to_owned();
    let ours = "Contact: <sip:strowger-1@127.0.0.1:5060>;expires=600";
    rig.send(at, &text.replace(&phone, ours));
}

/// The far end answers the last ping, and says that it sees us there.
fn pong(rig: &mut Rig, seen: &str) {
    let (flow, ping) = rig.pings.pop().expect("a ping");
    rig.pings.clear();
    let answer = sip::stun::answer(&ping, seen.parse().unwrap()).unwrap();
    let answer = sip::stun::read_answer(&answer);
    rig.input(Input::KeepAlive { flow, answer });
}

/// Registered with the first server, which wants keep-alives and has answered one.
fn kept() -> Rig {
    let mut rig = with_carrier(REGISTERED);
    rig.advance_ms(10);
    let register = rig.expect(FIRST, "REGISTER sip:carrier.example SIP/2.0");
    accept_and_keep(&mut rig, FIRST, &register);
    rig.advance_ms(20_000);
    pong(&mut rig, "198.51.100.9:5060");
    rig
}

fn registered() -> Rig {
    let mut rig = with_carrier(REGISTERED);
    rig.advance_ms(10);
    let first = rig.expect(FIRST, "REGISTER sip:carrier.example SIP/2.0");
    challenge(&mut rig, FIRST, &first);
    let second = rig.expect(FIRST, "REGISTER sip:carrier.example SIP/2.0");
    accept(&mut rig, FIRST, &second, 600);
    rig
}

#[test]
fn a_trunk_registers_answers_the_challenge_and_is_up() {
    let mut rig = with_carrier(REGISTERED);
    assert_eq!(trunk(&mut rig).registration.unwrap().state, "registering");
    rig.advance_ms(10);
    let first = rig.expect(FIRST, "REGISTER sip:carrier.example SIP/2.0");
    assert_eq!(header(&first, "To"), "<sip:+15550100@carrier.example>");
    assert_eq!(header(&first, "Contact"), "<sip:strowger-1@127.0.0.1:5060>;expires=600");
    challenge(&mut rig, FIRST, &first);
    let second = rig.expect(FIRST, "REGISTER");
    assert_eq!(second.call_id(), first.call_id());
    assert_eq!(second.cseq().unwrap(), first.cseq().unwrap() + 1);
    let authorization = header(&second, "Authorization");
    assert!(authorization.contains("username=\"4930123\""), "{authorization}");
    accept(&mut rig, FIRST, &second, 600);
    let view = trunk(&mut rig);
    assert_eq!(view.state, TrunkState::Up);
    let registration = view.registration.unwrap();
    assert_eq!(registration.state, "registered");
    assert_eq!(registration.hop.as_deref(), Some("UDP 127.0.0.41:5060"));
    let told = rig.events_of("trunk.state_changed");
    assert_eq!(told.last().unwrap()["registered"], true);
}

#[test]
fn it_is_refreshed_at_nine_tenths_of_what_was_granted_signed_from_the_start() {
    let mut rig = registered();
    rig.advance_ms(539_000);
    assert_eq!(rig.count(FIRST, "REGISTER"), 2);
    assert!(rig.keep_alives.len() > 15, "the translator's door is kept open");
    rig.advance_ms(1_100);
    let refresh = rig.expect(FIRST, "REGISTER");
    assert!(header(&refresh, "Authorization").contains("nc=00000002"));
    accept(&mut rig, FIRST, &refresh, 60);
    rig.advance_ms(54_100);
    rig.expect(FIRST, "REGISTER");
}

#[test]
fn a_foreign_realm_gets_no_answer_and_the_trunk_says_why_it_is_down() {
    let mut rig = with_carrier(REGISTERED);
    rig.advance_ms(10);
    let first = rig.expect(FIRST, "REGISTER");
    let text = answer(&first, FIRST, "401 Unauthorized", "reg", None);
    let foreign = CHALLENGE.replace("carrier.example", "evil.example");
    rig.send(FIRST, &text.replace("Contact:", &foreign));
    rig.expect_silence(FIRST);
    let view = trunk(&mut rig);
    assert_eq!(view.state, TrunkState::Down);
    let registration = view.registration.unwrap();
    assert_eq!(registration.state, "failed");
    assert!(registration.failure.unwrap().contains("foreign realm"));
    // RFC 5626 §4.5: 30 to 60 s after the first failure.
    rig.advance_ms(29_000);
    rig.expect_silence(FIRST);
    rig.advance_ms(31_500);
    rig.expect(FIRST, "REGISTER");
}

#[test]
fn an_interval_too_brief_is_asked_for_longer_at_once() {
    let mut rig = with_carrier(REGISTERED);
    rig.advance_ms(10);
    let first = rig.expect(FIRST, "REGISTER");
    let text = answer(&first, FIRST, "423 Interval Too Brief", "reg", None);
    rig.send(FIRST, &text.replace("Contact:", "Min-Expires: 1800\r\nContact:"));
    let second = rig.expect(FIRST, "REGISTER");
    assert!(header(&second, "Contact").ends_with(";expires=1800"));
    accept(&mut rig, FIRST, &second, 1800);
    assert_eq!(trunk(&mut rig).state, TrunkState::Up);
}

#[test]
fn the_registrars_second_server_takes_over_when_the_first_is_silent_or_refuses() {
    let mut rig = with_carrier(REGISTERED);
    rig.advance_ms(10);
    rig.expect(FIRST, "REGISTER");
    rig.advance_ms(4_000);
    let register = rig.expect(SECOND, "REGISTER");
    accept(&mut rig, SECOND, &register, 600);
    let hop = trunk(&mut rig).registration.unwrap().hop;
    assert_eq!(hop.as_deref(), Some("UDP 127.0.0.42:5070"));

    let mut rig = with_carrier(REGISTERED);
    rig.advance_ms(10);
    let register = rig.expect(FIRST, "REGISTER");
    respond(&mut rig, FIRST, &register, "503 Service Unavailable");
    let register = rig.expect(SECOND, "REGISTER");
    respond(&mut rig, SECOND, &register, "500 Server Internal Error");
    let failure = trunk(&mut rig).registration.unwrap().failure;
    assert_eq!(failure.as_deref(), Some("refused: 500 Server Internal Error"));
    assert_eq!(rig.switch.sizes().paths, 0);
}

#[test]
fn a_registrar_that_restarts_has_us_again_at_the_next_refresh_and_failures_wait_longer() {
    let mut rig = registered();
    // Down during the refresh: the binding holds until it ends, then the trunk is down.
    rig.advance_ms(540_000 + 8_100);
    assert_eq!(trunk(&mut rig).registration.unwrap().state, "registered");
    rig.advance_ms(60_000);
    let down = trunk(&mut rig);
    assert_eq!((down.state, down.registration.unwrap().state), (TrunkState::Down, "failed"));
    // Back: within two minutes we are registered again.
    let (at, register) = next_request(&mut rig, 120);
    accept(&mut rig, at, &register, 600);
    let view = trunk(&mut rig);
    assert_eq!(view.state, TrunkState::Up, "{view:?}");
}

#[test]
fn a_call_to_our_contact_is_that_trunks_and_for_the_number_in_to() {
    let mut rig = registered();
    let call = Call::new(&mut rig, FIRST, "+15550100");
    let invite = call.invite().replacen("INVITE sip:+15550100@", "INVITE sip:strowger-1@", 1);
    rig.send(FIRST, &invite);
    rig.expect(FIRST, "SIP/2.0 200");
    let started = rig.events_of("call.started");
    assert_eq!(started[0]["trunk"], "outside");
    assert_eq!(started[0]["to"], "+15550100");
}

#[test]
fn a_stranger_who_knows_our_contact_is_still_a_stranger() {
    let mut rig = registered();
    let call = Call::new(&mut rig, SECOND, "+15550100");
    let invite = call.invite().replacen("INVITE sip:+15550100@", "INVITE sip:strowger-1@", 1);
    rig.send(SECOND, &invite);
    rig.expect(SECOND, "SIP/2.0 403");
}

#[test]
fn a_closed_connection_is_registered_over_anew_at_once() {
    let tcp =
        REGISTERED.replace("sip:carrier.example\"\naor", "sip:127.0.0.41;transport=tcp\"\naor");
    let mut rig = with_carrier(&tcp);
    rig.world.listens(Transport::Tcp, FIRST);
    rig.advance_ms(10);
    let (flow, register) = rig.wire.pop_front().expect("a REGISTER");
    let ok = answer(&register, FIRST, "200 OK", "reg", None);
    rig.input(Input::Received {
        flow,
        bytes: ok
            .replace(
                "<sip:phone@127.0.0.41:5060>",
                "<sip:strowger-1@127.0.0.1:5060;transport=tcp>;expires=600",
            )
            .into(),
    });
    assert_eq!(trunk(&mut rig).registration.unwrap().state, "registered");
    rig.input(Input::FlowClosed { flow });
    rig.advance_ms(10);
    let (again, register) = rig.wire.pop_front().expect("another REGISTER");
    assert!(register.bytes().starts_with(b"REGISTER"));
    assert_ne!(again.connection, flow.connection);
}

#[test]
fn a_registrar_that_leaves_keep_alives_unanswered_is_lost_and_its_second_server_has_us() {
    let mut rig = kept();
    // The ping goes out 16 to 20 s after the last answer, and is waited for for 39.5 s.
    rig.advance_ms(16_000 + 39_400);
    assert_eq!(trunk(&mut rig).registration.unwrap().state, "registered");
    assert_eq!(rig.pings.len(), 7, "of one request");
    assert!(rig.pings.iter().all(|(flow, ping)| flow.remote == FIRST && *ping == rig.pings[0].1));
    rig.expect_silence(SECOND);
    rig.advance_ms(4_200);
    let register = rig.expect(SECOND, "REGISTER sip:carrier.example SIP/2.0");
    rig.expect_silence(FIRST);
    accept(&mut rig, SECOND, &register, 600);
    let view = trunk(&mut rig);
    assert_eq!(view.state, TrunkState::Up);
    assert_eq!(view.registration.unwrap().hop.as_deref(), Some("UDP 127.0.0.42:5070"));
    rig.pings.clear();
    rig.advance_ms(60_000);
    assert!(rig.pings.is_empty(), "the second one did not ask for any");
    assert!(rig.keep_alives.iter().any(|flow| flow.remote == SECOND));
}

#[test]
fn keep_alives_that_are_answered_keep_the_binding_and_one_answer_in_seven_is_enough() {
    let mut rig = kept();
    for _ in 0..5 {
        rig.advance_ms(20_000 + 30_000);
        assert!(rig.pings.len() > 4);
        pong(&mut rig, "198.51.100.9:5060");
    }
    assert_eq!(rig.count(FIRST, "REGISTER"), 1);
    assert_eq!(trunk(&mut rig).registration.unwrap().state, "registered");
}

#[test]
fn a_new_address_before_the_translator_is_registered_at_once_with_the_same_server() {
    let mut rig = kept();
    rig.advance_ms(20_000);
    pong(&mut rig, "198.51.100.9:1024");
    rig.advance_ms(10);
    let register = rig.expect(FIRST, "REGISTER sip:carrier.example SIP/2.0");
    accept_and_keep(&mut rig, FIRST, &register);
    rig.advance_ms(20_000);
    pong(&mut rig, "198.51.100.9:1024");
    assert_eq!(trunk(&mut rig).registration.unwrap().state, "registered");
    assert_eq!(rig.count(FIRST, "REGISTER"), 2, "that is where we are now");
}

#[test]
fn nobody_elses_answer_keeps_a_dead_registrar_alive() {
    let mut rig = kept();
    rig.advance_ms(20_000);
    for _ in 0..7 {
        let Some((flow, ping)) = rig.pings.last().cloned() else { break };
        let seen = "198.51.100.9:5060".parse().unwrap();
        let answer = sip::stun::read_answer(&sip::stun::answer(&ping, seen).unwrap());
        let forged = sip::Flow { remote: SECOND, ..flow };
        rig.input(Input::KeepAlive { flow: forged, answer });
        let other = answer.map(|known| sip::stun::Answer { transaction: [9; 12], ..known });
        rig.input(Input::KeepAlive { flow, answer: other });
        rig.advance_ms(6_500);
    }
    rig.expect(SECOND, "REGISTER");
}

/// Registered with that Service-Route; Alice dials out over the trunk.
fn dials_with(service_route: &str) -> Rig {
    let trunk = REGISTERED.replace(
        "[trunks.register]",
        "targets = [{ uri = \"sip:carrier.example\" }]\nprobe_s = 0\n[trunks.register]",
    );
    let skills = "skills = [{ id = \"sales\" }, { id = \"billing\" }]";
    let routes = "country = \"US\"\ncaller_id = \"+15550100\"\nroutes = [{ trunk = \"outside\" }]";
    let mut rig = with_carrier(&trunk);
    rig.provision(&format!("{trunk}{}", DEMO.replacen(skills, &format!("{routes}\n{skills}"), 1)));
    rig.advance_ms(10);
    let register = rig.expect(FIRST, "REGISTER");
    let ok = answer(&register, FIRST, "200 OK", "reg", None);
    let phone = ok.lines().find(|line| line.starts_with("Contact:")).unwrap().to_owned();
    let ours = "Contact: <sip:strowger-1@127.0.0.1:5060>;expires=600";
    rig.send(FIRST, &ok.replace(&phone, &format!("{ours}{service_route}")));
    assert_eq!(trunk_state(&mut rig), "registered");
    rig.register(ALICE, "alice");
    rig.agent_dials(ALICE, "alice", "+12125550123", "");
    rig
}

fn trunk_state(rig: &mut Rig) -> &'static str {
    trunk(rig).registration.unwrap().state
}

#[test]
fn calls_over_a_trunk_take_the_way_that_its_registrar_wants() {
    let orig = SocketAddr::from(([127, 0, 0, 44], 5060));
    let way = "<sip:orig@127.0.0.44;lr>";
    let mut rig = dials_with(&format!("\r\nService-Route: {way}, <sip:core.carrier.example;lr>"));
    let invite = rig.expect(orig, "INVITE sip:+12125550123@carrier.example SIP/2.0");
    assert_eq!(header(&invite, "Route"), format!("{way}, <sip:core.carrier.example;lr>"));
    rig.expect_silence(FIRST);
    // Nobody there: there is no other way to that target.
    rig.advance_ms(1_600);
    rig.expect_final(ALICE);
    rig.expect_silence(FIRST);
}

#[test]
fn a_way_that_cannot_be_taken_is_left_alone() {
    for line in ["", "\r\nService-Route: <sip:127.0.0.44>", "\r\nService-Route: nonsense"] {
        let mut rig = dials_with(line);
        let invite = rig.expect(FIRST, "INVITE sip:+12125550123@carrier.example SIP/2.0");
        assert_eq!(invite.header(sip::Name::ROUTE), None, "{line}");
    }
}

#[test]
fn when_the_last_call_of_a_drain_is_over_the_binding_is_given_back() {
    let mut rig = registered();
    rig.input(Input::Drain);
    rig.advance_ms(10);
    let leave = rig.expect(FIRST, "REGISTER");
    assert_eq!(header(&leave, "Contact"), "<sip:strowger-1@127.0.0.1:5060>;expires=0");
    assert_eq!(header(&leave, "Expires"), "0");
    assert!(!rig.switch.is_drained());
    respond(&mut rig, FIRST, &leave, "200 OK");
    assert!(rig.switch.is_drained());
}

#[test]
fn a_trunk_that_is_provisioned_no_more_is_unregistered() {
    let mut rig = registered();
    rig.provision(DEMO);
    let leave = rig.expect(FIRST, "REGISTER");
    assert_eq!(header(&leave, "Expires"), "0");
    respond(&mut rig, FIRST, &leave, "200 OK");
    rig.finish();
}
