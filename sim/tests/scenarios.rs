//! Scenarios in prose, each a life of one or a few calls. What the SIP looked like is written into
//! `docs/flows/`, so that a change in behaviour is a diff in the documentation: run with
//! `STROWGER_WRITE_FLOWS=1` to write the pages anew.

#![allow(clippy::expect_used, clippy::panic)]

use std::path::Path;

use base::{AgentId, Duration, TenantId};
use phone::{Manner, PhoneEvent};
use sim::{Conditions, PhoneId, World, check_quiet, flow_page};
use sip::StatusCode;
use switch::{ApiRequest, CallDirection, CallRecord, Cause, EndedBy, First, Input, Originate};

const SALES: &str = "+15550100";
const SUPPORT: &str = "+15550101";
const SOON: Manner = Manner::Answer(Duration::from_secs(2));
const MINUTE: Duration = Duration::from_secs(60);

fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// All hang up, all timers run out, nothing may be left; gives the records.
fn close(mut world: World) -> Vec<CallRecord> {
    world.run_for(seconds(2));
    for id in world.phones() {
        world.hang_up(id);
    }
    // What strangers did is remembered for two minutes.
    world.run_for(seconds(130));
    let complaints = check_quiet(&world);
    assert!(complaints.is_empty(), "{complaints:?}");
    world.records
}

fn kinds(world: &World) -> Vec<&'static str> {
    world.events.iter().map(|event| event.kind.type_name()).collect()
}

fn count(world: &World, kind: &str) -> usize {
    kinds(world).iter().filter(|seen| **seen == kind).count()
}

/// Runs until events of that kind were told so often.
#[track_caller]
fn wait_for(world: &mut World, kind: &str, times: usize) {
    assert!(world.run_until(MINUTE, |world| count(world, kind) == times), "{:?}", kinds(world));
}

/// Somebody calls the sales, and an agent takes the call.
#[track_caller]
fn connected(world: &mut World, number: &str) -> PhoneId {
    let caller = world.add_caller(number);
    world.dial(caller, SALES);
    wait_for(world, "call.connected", 1);
    caller
}

/// Alice rings first and does not take the call; bob does, and they talk for so many seconds.
fn bob_takes_it(seed: u64, alice: Manner, number: &str, talk_s: u64) -> CallRecord {
    let mut world = World::new(seed);
    world.add_agent("alice", alice);
    world.add_agent("bob", SOON);
    let caller = connected(&mut world, number);
    world.run_for(seconds(talk_s));
    world.hang_up(caller);
    let record = close(world).remove(0);
    assert_eq!(record.agent, AgentId::new("bob").ok());
    record
}

/// Compares a page of `docs/flows/` with this run's, or writes it.
fn page(name: &str, title: &str, story: &str, record: &CallRecord) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/flows").join(name);
    let page = flow_page(title, story, record);
    if std::env::var_os("STROWGER_WRITE_FLOWS").is_some() {
        std::fs::write(&path, &page).expect("docs/flows");
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/flows/{name} shows another flow; if this one is right, run with \
         STROWGER_WRITE_FLOWS=1:\n{page}"
    );
}

#[test]
fn a_caller_is_greeted_queued_connected_and_hangs_up() {
    let mut world = World::new(1);
    world.add_agent("alice", SOON);
    let caller = connected(&mut world, "+15559001");
    world.run_for(seconds(10));
    assert!(world.recorded_frames > 900, "both voices reached the recorder");
    world.hang_up(caller);
    world.run_for(seconds(5));
    let order = ["call.started", "call.routed", "call.answered", "call.queued", "call.offered"];
    let places: Vec<_> =
        order.iter().map(|kind| kinds(&world).iter().position(|seen| seen == kind)).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{:?}", kinds(&world));
    assert_eq!(count(&world, "recording.completed"), 1);
    let record = close(world).remove(0);
    assert_eq!((record.cause, record.ended_by), (Cause::Normal, EndedBy::Caller));
    assert_eq!(record.talk.map(|talk| talk.as_secs()), Some(10));
    page(
        "answered-call.md",
        "A call that an agent takes",
        "The caller is answered at once, greeted, and hears music until alice's phone is picked up \
         after two seconds. The caller hangs up.",
        &record,
    );
}

#[test]
fn an_agent_who_does_not_answer_makes_room_for_the_next() {
    let record = bob_takes_it(2, Manner::Ring, "+15559002", 3);
    page(
        "no-answer.md",
        "An agent who does not answer",
        "alice has been idle longest and rings first. When the ring time is over her phone gets a \
         CANCEL and bob's rings.",
        &record,
    );
}

#[test]
fn an_agent_who_declines_makes_room_for_the_next() {
    let record = bob_takes_it(3, Manner::Refuse(seconds(1), StatusCode::DECLINE), "+15559003", 3);
    page("declined.md", "An agent who declines", "alice declines with 603; bob takes it.", &record);
}

#[test]
fn an_agent_whose_phone_is_dead_is_given_up_after_the_ring_time() {
    let record = bob_takes_it(4, Manner::Mute, "+15559004", 0);
    page(
        "dead-phone.md",
        "An agent's phone that says nothing",
        "alice's phone is gone without a word: her INVITE is repeated until the ring time is over. \
         No CANCEL can follow an INVITE that nothing answered (RFC 3261 §9.1).",
        &record,
    );
}

#[test]
fn a_caller_who_hangs_up_while_an_agent_rings_stops_the_ringing() {
    let mut world = World::new(5);
    let alice = world.add_agent("alice", Manner::Ring);
    let caller = world.add_caller("+15559005");
    world.dial(caller, SALES);
    wait_for(&mut world, "call.ringing", 1);
    world.run_for(seconds(2));
    world.hang_up(caller);
    world.run_for(seconds(1));
    assert!(!world.phone(alice).expect("her phone").is_in_use(), "it rings no more");
    let record = close(world).remove(0);
    assert_eq!(record.cause, Cause::CallerAbandoned);
    page(
        "abandoned-ringing.md",
        "A caller who gives up while an agent rings",
        "The caller hangs up; alice's phone stops ringing.",
        &record,
    );
}

#[test]
fn a_caller_who_hangs_up_while_queued_is_an_abandoned_call() {
    let mut world = World::new(6);
    let caller = world.add_caller("+15559006");
    world.dial(caller, SUPPORT);
    wait_for(&mut world, "call.queued", 1);
    world.run_for(seconds(20));
    world.hang_up(caller);
    let record = close(world).remove(0);
    assert_eq!(record.cause, Cause::CallerAbandoned);
    assert!(record.recording.is_none() && record.agent.is_none());
    page(
        "abandoned-queued.md",
        "A caller who gives up in the queue",
        "Nobody with the skill is there; after twenty seconds of music the caller hangs up.",
        &record,
    );
}

#[test]
fn two_callers_and_one_agent_means_that_the_second_waits_for_the_first_free_agent() {
    let mut world = World::new(7);
    world.add_agent("alice", Manner::Answer(seconds(1)));
    let (first, second) = (world.add_caller("+15559007"), world.add_caller("+15559008"));
    world.dial(first, SALES);
    wait_for(&mut world, "call.connected", 1);
    world.dial(second, SALES);
    world.run_for(seconds(20));
    assert_eq!(count(&world, "call.connected"), 1, "she is busy");
    world.hang_up(first);
    wait_for(&mut world, "call.connected", 2);
    world.hang_up(second);
    let records = close(world);
    assert!(records.iter().all(|record| record.agent == AgentId::new("alice").ok()));
}

#[test]
fn an_agent_who_hangs_up_lets_the_caller_go() {
    let mut world = World::new(8);
    let alice = world.add_agent("alice", SOON);
    let caller = connected(&mut world, "+15559009");
    world.run_for(seconds(3));
    world.hang_up(alice);
    world.run_for(seconds(2));
    assert!(world.seen.iter().any(|(_, id, event)| *id == caller && *event == PhoneEvent::Ended));
    let record = close(world).remove(0);
    assert_eq!((record.cause, record.ended_by), (Cause::Normal, EndedBy::Agent));
    page("agent-hangs-up.md", "An agent who hangs up", "alice ends the call.", &record);
}

#[test]
fn a_number_that_nobody_has_is_answered_404() {
    let mut world = World::new(9);
    let caller = world.add_caller("+15559010");
    world.dial(caller, "+15551234");
    world.run_for(seconds(2));
    assert!(world.seen.iter().any(|(_, _, event)| *event == PhoneEvent::Refused(404)));
    close(world);
}

#[test]
fn a_stranger_is_answered_403_and_reported() {
    let mut world = World::new(10);
    let stranger = world.add_phone([192, 0, 2, 66], "x", "evil.example", None, Manner::Ring);
    world.dial(stranger, SALES);
    world.run_for(seconds(2));
    assert!(world.seen.iter().any(|(_, _, event)| *event == PhoneEvent::Refused(403)));
    assert_eq!(world.security.len(), 1);
    assert!(world.events.is_empty(), "no tenant hears of him");
    close(world);
}

#[test]
fn a_wrong_password_and_an_unknown_agent_are_answered_alike() {
    let mut world = World::new(11);
    for (user, password) in [("alice", "wrong"), ("nobody", "wrong")] {
        let phone =
            world.add_phone([10, 1, 0, 1], user, "acme.example", Some(password), Manner::Ring);
        world.register(phone);
        world.run_for(seconds(1));
        let last = world.seen.last().map(|(_, _, event)| event.clone());
        assert_eq!(last, Some(PhoneEvent::NotRegistered(403)), "{user}");
    }
    close(world);
}

#[test]
fn a_call_gets_through_a_network_that_loses_a_third() {
    let mut world = World::new(12);
    world.add_agent("alice", SOON);
    let caller = world.add_caller("+15559012");
    world.network.set_conditions(Conditions {
        lost: 300,
        repeated: 50,
        delay: Duration::from_millis(40),
        jitter: Duration::from_millis(60),
    });
    world.dial(caller, SALES);
    assert!(world.run_until(MINUTE * 2, |world| count(world, "call.connected") == 1));
    world.run_for(seconds(10));
    world.hang_up(caller);
    world.run_for(seconds(40));
    world.network.set_conditions(Conditions::default());
    let record = close(world).remove(0);
    let stats = record.legs[0].stats.expect("the caller's figures");
    let lost = stats.packets_lost as f64 / (stats.packets_lost + stats.packets_received) as f64;
    assert!((0.2..0.4).contains(&lost), "the quality report tells the loss: {lost}");
    assert!(stats.mos_centi < 300, "and that it sounds bad: {}", stats.mos_centi);
}

#[test]
fn a_caller_who_cancels_while_we_answer_is_let_go_either_way() {
    for early in 0..30 {
        let mut world = World::new(13 + early);
        world.add_agent("alice", SOON);
        let caller = world.add_caller("+15559013");
        world.dial(caller, SALES);
        world.run_for(Duration::from_millis(early));
        world.hang_up(caller);
        world.run_for(seconds(1));
        let records = close(world);
        assert_eq!(records.len(), 1);
        assert_eq!(records[0].cause, Cause::CallerAbandoned, "after {early} ms");
    }
}

#[test]
fn the_platform_may_end_a_call() {
    let mut world = World::new(50);
    world.add_agent("alice", SOON);
    connected(&mut world, "+15559014");
    let call = world.events.iter().find_map(|event| event.call).expect("a call");
    let acme = TenantId::new("acme").expect("a tenant");
    let globex = TenantId::new("globex").expect("a tenant");
    world.ask(&globex, ApiRequest::EndCall { call });
    world.run_for(seconds(1));
    assert!(world.replies[0].1.is_err(), "another tenant may not");
    assert!(world.records.is_empty());
    world.ask(&acme, ApiRequest::EndCall { call });
    world.run_for(seconds(1));
    assert!(world.replies[1].1.is_ok());
    let record = close(world).remove(0);
    assert_eq!(record.ended_by, EndedBy::Api);
    page("ended-by-api.md", "A call that the platform ends", "Both legs get a BYE.", &record);
}

#[test]
fn while_draining_new_calls_are_refused_and_live_ones_go_on() {
    let mut world = World::new(51);
    world.add_agent("alice", SOON);
    let (first, second) = (world.add_caller("+15559015"), world.add_caller("+15559016"));
    world.dial(first, SALES);
    wait_for(&mut world, "call.connected", 1);
    world.tell_switch(Input::Drain);
    world.dial(second, SALES);
    world.run_for(seconds(2));
    assert!(world.seen.iter().any(|(_, _, event)| *event == PhoneEvent::Refused(503)));
    assert!(world.phone(first).expect("a phone").is_in_use());
    assert!(!world.switch().is_drained());
    world.hang_up(first);
    world.run_for(seconds(5));
    assert!(world.switch().is_drained());
    close(world);
}

const OUTSIDE: &str = "+12125550123";
const CARRIER_A: [u8; 4] = [127, 0, 0, 2];
const CARRIER_B: [u8; 4] = [127, 0, 0, 3];

#[test]
fn an_agent_calls_a_colleague() {
    let mut world = World::new(21);
    let alice = world.add_agent("alice", SOON);
    world.add_agent("bob", SOON);
    world.dial(alice, "bob");
    wait_for(&mut world, "call.connected", 1);
    world.run_for(seconds(5));
    world.hang_up(alice);
    let record = close(world).remove(0);
    assert_eq!((record.direction, record.cause), (CallDirection::Internal, Cause::Normal));
    assert!(record.legs.iter().all(|leg| leg.stats.is_some_and(|s| s.packets_received > 200)));
    page(
        "agent-to-agent.md",
        "An agent calls a colleague",
        "alice dials bob by name. Her phone proves who she is, and rings until bob picks up.",
        &record,
    );
}

#[test]
fn an_agent_dials_out_and_hears_the_carrier_before_the_answer() {
    let mut world = World::new(22);
    let alice = world.add_agent("alice", SOON);
    world.add_carrier(CARRIER_A, Manner::Early(seconds(3)));
    world.dial(alice, OUTSIDE);
    let early = |world: &World| world.seen.iter().any(|(.., event)| *event == PhoneEvent::Early);
    assert!(world.run_until(MINUTE, early), "the carrier is heard");
    assert_eq!(count(&world, "call.connected"), 0);
    wait_for(&mut world, "call.connected", 1);
    world.run_for(seconds(5));
    world.hang_up(alice);
    let record = close(world).remove(0);
    assert_eq!((record.direction, record.cause), (CallDirection::Outbound, Cause::Normal));
    assert!(record.recording.is_some());
    page(
        "dialled-out.md",
        "An agent dials out",
        "The carrier lets its tone be heard for three seconds (183 with SDP), which alice's phone \
         gets the same way; then the callee answers. Nothing of alice's side is in what the \
         carrier gets.",
        &record,
    );
}

#[test]
fn a_carrier_that_is_dead_is_left_for_the_next_within_two_seconds() {
    let mut world = World::new(23);
    let alice = world.add_agent("alice", SOON);
    let other = world.add_carrier(CARRIER_B, SOON);
    world.dial(alice, OUTSIDE);
    let began = world.now();
    let rings = |world: &World| {
        world.seen.iter().any(|(_, id, event)| *id == other && *event == PhoneEvent::Ringing)
    };
    assert!(world.run_until(MINUTE, rings));
    assert!(world.now().since(began) <= seconds(2), "{:?}", world.now().since(began));
    wait_for(&mut world, "call.connected", 1);
    world.run_for(seconds(2));
    world.hang_up(alice);
    let record = close(world).remove(0);
    assert_eq!(record.trunk.as_ref().map(|trunk| trunk.as_str()), Some("carrier-b"));
    page(
        "trunk-failover.md",
        "A trunk that is dead",
        "Nobody is at the address of carrier-a. After one and a half seconds its INVITE is given \
         up and \
         carrier-b gets one.",
        &record,
    );
}

#[test]
fn click_to_call_rings_the_agent_and_then_the_customer_or_the_other_way_round() {
    for (seed, first, name, title) in [
        (24, First::Agent, "agent-first", "Click-to-call, the agent first"),
        (25, First::Customer, "customer-first", "Click-to-call, the customer first"),
    ] {
        let mut world = World::new(seed);
        let alice = world.add_agent("alice", SOON);
        world.add_carrier(CARRIER_A, SOON);
        let tenant = TenantId::new("acme").expect("a name");
        let agent = AgentId::new("alice").expect("a name");
        let (to, caller_id, timeout_s) = (OUTSIDE.to_owned(), None, None);
        let asked = Originate { agent, to, first, caller_id, timeout_s, answering_machine: None };
        world.ask(&tenant, ApiRequest::Originate(asked));
        wait_for(&mut world, "call.connected", 1);
        world.run_for(seconds(3));
        world.hang_up(alice);
        let record = close(world).remove(0);
        assert_eq!((record.direction, record.cause), (CallDirection::Outbound, Cause::Normal));
        page(
            &format!("click-to-call-{name}.md"),
            title,
            "The API asks for a call between alice and a number outside. Who has answered hears \
             our ringing tone until the other one does.",
            &record,
        );
    }
}
