//! Trunks as we see them: probing by OPTIONS, health with hysteresis, and what tenants are told.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use sip::resolve::Question;
use sip::{Message, Transport};
use switch::{ApiReply, ApiRequest, TrunkState, TrunkView};

use crate::rig::{ALICE, DEMO, Phone, Rig, answer, header};

/// The carrier's two servers.
pub(crate) const FIRST: SocketAddr = SocketAddr::new(IP_1, 5060);
pub(crate) const SECOND: SocketAddr = SocketAddr::new(IP_2, 5070);
const IP_1: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 41));
const IP_2: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 42));

const PROBED: &str = r#"
[[trunks]]
id = "outside"
name = "Outside Ltd."
sources = ["127.0.0.9"]
tenants = ["acme"]
targets = [{ uri = "sip:carrier.example" }]
probe_s = 30
"#;

/// A rig whose carrier has two servers under one name.
pub(crate) fn with_carrier(trunk: &str) -> Rig {
    let mut rig = Rig::with(&format!("{trunk}{DEMO}"));
    rig.world.host("one.carrier.example", &[FIRST]);
    rig.world.host("two.carrier.example", &[SECOND]);
    let targets = [(10, 5060, "one.carrier.example"), (20, 5070, "two.carrier.example")];
    rig.world.service("_sip._udp.carrier.example", &targets);
    rig
}

pub(crate) fn trunk(rig: &mut Rig) -> TrunkView {
    let ApiReply::Trunks(trunks) = rig.request("acme", ApiRequest::Trunks).unwrap() else {
        panic!("trunks were asked for");
    };
    trunks.into_iter().find(|trunk| trunk.id.as_str() == "outside").expect("the trunk")
}

pub(crate) fn respond(rig: &mut Rig, at: SocketAddr, request: &Message, status: &str) {
    rig.send(at, &answer(request, at, status, "carrier", None));
}

/// The next request that was not sent before, to whichever server; repetitions of older ones are
/// passed over.
pub(crate) fn next_request(rig: &mut Rig, within_s: u64) -> (SocketAddr, Message) {
    let branch = |message: &Message| message.via().unwrap().branch().map(str::to_owned);
    let old: BTreeSet<_> = rig.sent.iter().map(|(_, message)| branch(message)).collect();
    for _ in 0..within_s * 10 {
        rig.wire.clear();
        rig.advance_ms(100);
        if let Some((flow, message)) = rig.wire.iter().find(|(_, m)| !old.contains(&branch(m))) {
            return (flow.remote, message.clone());
        }
    }
    panic!("nothing new in {within_s} s");
}

/// The next probe.
fn next_probe(rig: &mut Rig) -> (SocketAddr, Message) {
    let (at, message) = next_request(rig, 40);
    assert!(message.bytes().starts_with(b"OPTIONS"), "{message:?}");
    (at, message)
}

/// Answers the next probe.
fn probe(rig: &mut Rig, status: &str) {
    let (at, options) = next_probe(rig);
    respond(rig, at, &options, status);
}

#[test]
fn a_target_is_resolved_probed_and_up_as_soon_as_it_answers() {
    let mut rig = with_carrier(PROBED);
    assert_eq!(trunk(&mut rig).state, TrunkState::Unknown);
    rig.advance_ms(1000);
    let options = rig.expect(FIRST, "OPTIONS sip:carrier.example SIP/2.0");
    assert!(header(&options, "Via").starts_with("SIP/2.0/UDP 127.0.0.1:5060;"));
    assert_eq!(
        rig.questions[..3],
        [
            Question::Naptr("carrier.example".into()),
            Question::Srv("_sip._udp.carrier.example".into()),
            Question::Srv("_sip._tcp.carrier.example".into()),
        ]
    );
    rig.expect_silence(SECOND);
    respond(&mut rig, FIRST, &options, "404 Not Found");
    let view = trunk(&mut rig);
    assert_eq!((view.name.as_str(), view.state), ("Outside Ltd.", TrunkState::Up));
    assert_eq!(view.targets[0].state, TrunkState::Up);
    assert!(view.targets[0].answered_at.is_some());
    let told = rig.events_of("trunk.state_changed");
    assert_eq!(
        told,
        [serde_json::json!(
            {"trunk": "outside", "state": "up", "registered": null, "why": null}
        )]
    );
    rig.check_sequences();
}

#[test]
fn a_dead_first_server_costs_a_probe_four_seconds_and_the_trunk_nothing() {
    let mut rig = with_carrier(PROBED);
    rig.advance_ms(1000);
    rig.expect(FIRST, "OPTIONS");
    rig.advance_ms(4000);
    let options = rig.wire.iter().find(|(flow, _)| flow.remote == SECOND).unwrap().1.clone();
    respond(&mut rig, SECOND, &options, "200 OK");
    assert_eq!(trunk(&mut rig).state, TrunkState::Up);
    // The next probe knows better.
    assert_eq!(next_probe(&mut rig).0, SECOND);
}

#[test]
fn two_missed_probes_mark_a_trunk_down_and_two_answers_up_again() {
    let mut rig = with_carrier(PROBED);
    probe(&mut rig, "200 OK");
    assert_eq!(trunk(&mut rig).state, TrunkState::Up);
    // Both servers are gone.
    next_probe(&mut rig);
    rig.advance_ms(8_000);
    assert_eq!(trunk(&mut rig).targets[0].misses, 1);
    assert_eq!(trunk(&mut rig).state, TrunkState::Up, "one lost probe is nothing");
    rig.advance_ms(5_000 + 8_000);
    assert_eq!(trunk(&mut rig).state, TrunkState::Down);

    probe(&mut rig, "200 OK");
    assert_eq!(trunk(&mut rig).state, TrunkState::Down, "one answer may be luck");
    let before = rig.now;
    probe(&mut rig, "200 OK");
    assert!(rig.now.since(before).as_secs() <= 5, "doubt is cleared up soon");
    assert_eq!(trunk(&mut rig).state, TrunkState::Up);
    let states: Vec<String> = rig
        .events_of("trunk.state_changed")
        .iter()
        .map(|told| told["state"].as_str().unwrap().to_owned())
        .collect();
    assert_eq!(states, ["up", "down", "up"]);
}

#[test]
fn a_503_with_retry_after_takes_a_target_out_until_then() {
    let trunk_of_one = PROBED.replace("sip:carrier.example", "sip:127.0.0.41");
    let mut rig = with_carrier(&trunk_of_one);
    rig.advance_ms(1000);
    let options = rig.expect(FIRST, "OPTIONS sip:127.0.0.41 SIP/2.0");
    let busy = answer(&options, FIRST, "503 Service Unavailable", "carrier", None)
        .replace("Contact:", "Retry-After: 20 (overload)\r\nContact:");
    rig.send(FIRST, &busy);
    let view = trunk(&mut rig);
    assert_eq!(view.state, TrunkState::Down);
    assert!(view.targets[0].paused_until.is_some());
    rig.wire.clear();
    rig.advance_ms(19_000);
    rig.expect_silence(FIRST);
    rig.advance_ms(1_500);
    let options = rig.expect(FIRST, "OPTIONS");
    respond(&mut rig, FIRST, &options, "200 OK");
    assert_eq!(trunk(&mut rig).state, TrunkState::Up);
}

#[test]
fn a_target_over_tcp_is_connected_to_and_the_connection_used_again() {
    let tcp = PROBED.replace("sip:carrier.example", "sip:127.0.0.41;transport=tcp");
    let mut rig = with_carrier(&tcp);
    rig.world.listens(Transport::Tcp, FIRST);
    rig.advance_ms(1000);
    let (flow, options) = rig.wire.pop_front().expect("a probe");
    assert_eq!((flow.transport, flow.connection), (Transport::Tcp, 1001));
    assert!(header(&options, "Contact").contains(";transport=tcp"));
    assert_eq!(rig.connects[0].2.as_ref().unwrap().as_str(), "outside");
}

#[test]
fn nobody_listening_or_answering_is_a_miss() {
    let tcp = PROBED.replace("sip:carrier.example", "sip:127.0.0.41;transport=tcp");
    let mut rig = with_carrier(&tcp);
    rig.advance_ms(1000);
    assert_eq!(trunk(&mut rig).targets[0].misses, 1, "refused");
    rig.world.hangs(FIRST);
    rig.advance_ms(5_000);
    assert_eq!(trunk(&mut rig).targets[0].misses, 1);
    rig.advance_ms(1_500);
    assert_eq!(trunk(&mut rig).targets[0].misses, 2, "no answer for 1.5 s");
    assert_eq!(trunk(&mut rig).state, TrunkState::Down);
}

#[test]
fn name_servers_that_say_nothing_cost_a_second_and_a_half() {
    let mut rig = with_carrier(PROBED);
    rig.world.mute_names = true;
    rig.advance_ms(1000);
    assert_eq!(trunk(&mut rig).targets[0].misses, 0);
    rig.advance_ms(1500);
    assert_eq!(trunk(&mut rig).targets[0].misses, 1);
    assert_eq!(rig.switch.sizes().paths, 0);
}

#[test]
fn a_trunk_that_is_provisioned_no_more_is_probed_no_more() {
    let mut rig = with_carrier(PROBED);
    probe(&mut rig, "200 OK");
    rig.provision(&format!("{PROBED}{DEMO}"));
    assert_eq!(trunk(&mut rig).state, TrunkState::Up, "the same provisioning changes nothing");
    rig.provision(DEMO);
    rig.wire.clear();
    rig.advance_ms(120_000);
    rig.expect_silence(FIRST);
    assert_eq!(rig.switch.sizes().paths, 0);
    rig.finish();
}

/// Calls to the US go out over the trunk.
const ROUTED: &str = r#"country = "US"
routes = [{ prefix = "+1", trunk = "outside" }]
caller_id = "+15550100"
skills = [{ id = "sales" }, { id = "billing" }]"#;

fn with_routes() -> Rig {
    let demo = DEMO.replace(r#"skills = [{ id = "sales" }, { id = "billing" }]"#, ROUTED);
    let unprobed = PROBED.replace("probe_s = 30", "probe_s = 0");
    let mut rig = Rig::with(&format!("{unprobed}{demo}"));
    rig.world.host("one.carrier.example", &[FIRST]);
    rig.world.host("two.carrier.example", &[SECOND]);
    let targets = [(10, 5060, "one.carrier.example"), (20, 5070, "two.carrier.example")];
    rig.world.service("_sip._udp.carrier.example", &targets);
    rig.register_both();
    rig
}

#[test]
fn a_call_is_on_the_second_server_within_two_seconds_when_the_first_is_dead() {
    let mut rig = with_routes();
    let mut alice = rig.agent_dials(ALICE, "alice", "+12125550123", "");
    rig.expect(FIRST, "INVITE sip:+12125550123@carrier.example");
    rig.advance_ms(1_999);
    let invite = rig.expect(SECOND, "INVITE sip:+12125550123@carrier.example");
    let mut carrier = Phone::new(SECOND, invite);
    rig.phone_answers(&carrier);
    rig.agent_is_answered(&mut alice);
    // Another server of the carrier, one that its name has led to, ends the call.
    rig.wire.clear();
    let bye = carrier.next("BYE", None);
    rig.send(FIRST, &bye);
    rig.expect(FIRST, "SIP/2.0 200");
    rig.confirm_bye(ALICE);
    // The next call does not wait for the dead one.
    rig.agent_dials(ALICE, "alice", "+12125550124", "");
    rig.expect(SECOND, "INVITE sip:+12125550124@carrier.example");
}

#[test]
fn a_call_is_on_the_second_server_at_once_when_the_first_refuses_with_503() {
    let mut rig = with_routes();
    rig.agent_dials(ALICE, "alice", "+12125550123", "");
    let invite = rig.expect(FIRST, "INVITE");
    respond(&mut rig, FIRST, &invite, "503 Service Unavailable");
    rig.expect(SECOND, "INVITE sip:+12125550123@carrier.example");
}

#[test]
fn a_server_that_answers_100_is_waited_for() {
    let mut rig = with_routes();
    rig.agent_dials(ALICE, "alice", "+12125550123", "");
    let invite = rig.expect(FIRST, "INVITE");
    respond(&mut rig, FIRST, &invite, "100 Trying");
    rig.advance_ms(10_000);
    rig.expect_silence(SECOND);
}
