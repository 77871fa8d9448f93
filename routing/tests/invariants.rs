//! Random lives of a floor: whatever happens in whatever order, nothing is lost, stuck or doubled.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod rig;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base::Instant;
use proptest::prelude::*;
use rig::{ACME, Rig, agent, directory, queue, tenant};
use routing::{AgentState, AttemptFailure, Input, Output, Refusal, WorkId};

const AGENTS: [&str; 4] = ["alice", "bob", "carol", "dave"];
const TENANTS: [&str; 2] = ["acme", "globex"];

#[derive(Clone, Debug)]
enum Step {
    Pass(u64),
    Enqueue { tenant: usize, queue: usize, priority: u8 },
    Withdraw(usize),
    Accept(usize),
    Fail(usize, AttemptFailure),
    Finish(usize),
    Register { tenant: usize, agent: usize, reachable: bool },
    Choose { tenant: usize, agent: usize, state: AgentState },
    Move { at: usize, queue: usize },
    Dial { tenant: usize, agent: usize },
    HangUp(usize),
    Disturb { tenant: usize, agent: usize, on: bool },
    Provision(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let failure = prop::sample::select(vec![
        AttemptFailure::NoAnswer,
        AttemptFailure::Rejected,
        AttemptFailure::Busy,
        AttemptFailure::Unreachable,
        AttemptFailure::Error,
    ]);
    let state = prop::sample::select(vec![
        AgentState::Available,
        AgentState::Available,
        AgentState::Break,
        AgentState::Offline,
        AgentState::Busy,
    ]);
    prop_oneof![
        6 => (1_u64..20_000).prop_map(Step::Pass),
        8 => (0_usize..2, 0_usize..2, 0_u8..3)
            .prop_map(|(tenant, queue, priority)| Step::Enqueue { tenant, queue, priority }),
        2 => (0_usize..64).prop_map(Step::Withdraw),
        6 => (0_usize..64).prop_map(Step::Accept),
        3 => (0_usize..64, failure).prop_map(|(at, why)| Step::Fail(at, why)),
        5 => (0_usize..64).prop_map(Step::Finish),
        5 => (0_usize..2, 0_usize..4, prop::bool::weighted(0.7))
            .prop_map(|(tenant, agent, reachable)| Step::Register { tenant, agent, reachable }),
        2 => (0_usize..2, 0_usize..4, state)
            .prop_map(|(tenant, agent, state)| Step::Choose { tenant, agent, state }),
        2 => (0_usize..64, 0_usize..2).prop_map(|(at, queue)| Step::Move { at, queue }),
        2 => (0_usize..2, 0_usize..4).prop_map(|(tenant, agent)| Step::Dial { tenant, agent }),
        2 => (0_usize..64).prop_map(Step::HangUp),
        1 => (0_usize..2, 0_usize..4, any::<bool>())
            .prop_map(|(tenant, agent, on)| Step::Disturb { tenant, agent, on }),
        1 => (0_usize..4).prop_map(Step::Provision),
    ]
}

/// As provisioned first, without an agent, without a queue, without globex.
fn provisioning(variant: usize) -> String {
    let two_more = "agents = [
    { id = \"carol\", password = \"p1\", skills = [\"sales\"], available_on_register = true },
    { id = \"dave\", password = \"p2\", skills = [\"billing\"], wrap_up_s = 7 },";
    let acme = ACME.replace("agents = [", two_more);
    let globex = acme.replace("acme", "globex");
    match variant {
        0 => format!("{acme}{globex}"),
        1 => format!("{}{globex}", acme.replace("id = \"bob\"", "id = \"bert\"")),
        2 => format!("{}{globex}", acme.replace("id = \"support\"", "id = \"help\"")),
        _ => acme,
    }
}

type Key = (usize, WorkId);

/// What an observer of inputs and outputs alone believes.
#[derive(Default)]
struct Observer {
    waiting: BTreeMap<Key, (usize, u8, u64)>,
    ringing: BTreeMap<Key, (String, usize, u8, u64)>,
    talking: BTreeMap<Key, String>,
    /// Calls that no queue gave.
    direct: BTreeMap<Key, String>,
    wrap_up_ends: BTreeMap<(usize, String), Instant>,
    arrivals: u64,
}

impl Observer {
    fn busy_agents(&self) -> Vec<(usize, &String)> {
        let ringing = self.ringing.iter().map(|((t, _), (a, ..))| (*t, a));
        let talking = self.talking.iter().chain(&self.direct);
        ringing.chain(talking.map(|((t, _), a)| (*t, a))).collect()
    }

    fn see(&mut self, now: Instant, output: &Output) {
        let place = |t: &base::TenantId| TENANTS.iter().position(|n| *n == t.as_str()).unwrap();
        match output {
            Output::Attempt { tenant, work, agent, decision, .. } => {
                let key = (place(tenant), *work);
                let (queue, priority, arrival) =
                    self.waiting.remove(&key).expect("only work that waits rings");
                assert_eq!(decision.chosen.as_ref(), Some(agent));
                assert!(
                    !self.busy_agents().contains(&(key.0, &agent.to_string())),
                    "{agent} has two attempts"
                );
                assert!(
                    self.wrap_up_ends.get(&(key.0, agent.to_string())).is_none_or(|t| *t <= now),
                    "{agent} rings in wrap-up"
                );
                self.ringing.insert(key, (agent.to_string(), queue, priority, arrival));
            }
            Output::CancelAttempt { tenant, work, agent, .. } => {
                let key = (place(tenant), *work);
                if self.ringing.get(&key).is_some_and(|(a, ..)| a == agent.as_str()) {
                    let (_, queue, priority, arrival) = self.ringing.remove(&key).unwrap();
                    self.waiting.insert(key, (queue, priority, arrival));
                }
            }
            Output::Expired { tenant, work, .. } => {
                let gone = self.waiting.remove(&(place(tenant), *work));
                assert!(gone.is_some(), "only work that waits expires");
            }
            Output::Refused { tenant, work, why, .. } if *why != Refusal::AlreadyHere => {
                let gone = self.waiting.remove(&(place(tenant), *work));
                assert!(gone.is_some(), "only work that waits is refused");
            }
            Output::AgentChanged { tenant, agent, state, since, .. } => {
                assert_eq!(*since, now);
                let key = (place(tenant), agent.to_string());
                if *state != AgentState::WrapUp {
                    self.wrap_up_ends.remove(&key);
                }
            }
            _ => {}
        }
    }
}

fn pick<K: Clone, V: Clone>(map: &BTreeMap<K, V>, at: usize) -> Option<(K, V)> {
    let place = at.checked_rem(map.len())?;
    map.iter().nth(place).map(|(k, v)| (k.clone(), v.clone()))
}

struct Life {
    rig: Rig,
    seen: Observer,
    next_work: u128,
}

impl Life {
    fn say(&mut self, input: Input) {
        self.rig.input(input);
        self.observe();
    }

    fn observe(&mut self) {
        for output in std::mem::take(&mut self.rig.outputs) {
            self.seen.see(self.rig.now, &output);
        }
        self.all_is_accounted_for();
    }

    /// The agents the router shows at work are those the observer saw go to work.
    fn all_is_accounted_for(&self) {
        for (place, name) in TENANTS.iter().enumerate() {
            let shown: BTreeSet<String> = self
                .rig
                .router
                .agents(self.rig.now, &tenant(name))
                .into_iter()
                .filter(|a| matches!(a.state, AgentState::Ringing | AgentState::Busy))
                .map(|a| a.id.to_string())
                .collect();
            let busy = self.seen.busy_agents().into_iter();
            let believed: BTreeSet<String> =
                busy.filter(|(t, _)| *t == place).map(|(_, a)| a.clone()).collect();
            assert_eq!(shown, believed);
            let queues = self.rig.router.queues(self.rig.now, &tenant(name));
            let waiting: u32 = queues.iter().map(|q| q.waiting).sum();
            let believed = self.seen.waiting.keys().filter(|(t, _)| *t == place).count();
            assert_eq!(usize::try_from(waiting).unwrap(), believed, "work is lost or doubled");
        }
    }

    fn live(&mut self, step: Step) {
        let of = |place: usize| tenant(TENANTS[place]);
        match step {
            Step::Pass(millis) => self.pass(millis),
            Step::Enqueue { tenant: place, queue: line, priority } => {
                self.next_work += 1;
                let work = WorkId(self.next_work);
                self.seen.arrivals += 1;
                self.seen.waiting.insert((place, work), (line, priority, self.seen.arrivals));
                let queue = queue(["sales", "support"][line]);
                let caller = String::new();
                self.say(Input::Enqueue { tenant: of(place), work, queue, priority, caller });
            }
            Step::Withdraw(at) => {
                let mut all: BTreeMap<Key, ()> = BTreeMap::new();
                all.extend(self.seen.waiting.keys().map(|k| (*k, ())));
                all.extend(self.seen.ringing.keys().map(|k| (*k, ())));
                let Some(((place, work), ())) = pick(&all, at) else { return };
                self.seen.waiting.remove(&(place, work));
                self.seen.ringing.remove(&(place, work));
                self.say(Input::Withdraw { tenant: of(place), work });
            }
            Step::Accept(at) => {
                let Some(((place, work), (name, ..))) = pick(&self.seen.ringing, at) else {
                    return;
                };
                self.seen.ringing.remove(&(place, work));
                self.seen.talking.insert((place, work), name.clone());
                let agent = agent(&name);
                self.say(Input::AttemptAccepted { tenant: of(place), work, agent });
            }
            Step::Fail(at, why) => {
                let Some((key, (name, queue, priority, arrival))) = pick(&self.seen.ringing, at)
                else {
                    return;
                };
                self.seen.ringing.remove(&key);
                self.seen.waiting.insert(key, (queue, priority, arrival));
                let (tenant, work, agent) = (of(key.0), key.1, agent(&name));
                self.say(Input::AttemptFailed { tenant, work, agent, why });
            }
            Step::Finish(at) => {
                let Some(((place, work), name)) = pick(&self.seen.talking, at) else { return };
                self.seen.talking.remove(&(place, work));
                self.say(Input::WorkFinished { tenant: of(place), work });
                self.note_wrap_up(place, &name);
            }
            Step::Register { tenant: place, agent: who, reachable } => {
                let (tenant, agent) = (of(place), agent(AGENTS[who]));
                self.say(Input::Reachable { tenant, agent, reachable });
            }
            Step::Choose { tenant: place, agent: who, state } => {
                let (tenant, agent) = (of(place), agent(AGENTS[who]));
                self.say(Input::SetState { tenant, agent, state, reason: None });
            }
            Step::Provision(variant) => {
                self.say(Input::Provision(directory(&provisioning(variant))));
            }
            other => self.live_directly(other),
        }
    }

    /// What agents do besides the queues' work, and work that is passed on.
    fn live_directly(&mut self, step: Step) {
        let of = |place: usize| tenant(TENANTS[place]);
        match step {
            Step::Move { at, queue: line } => {
                let mut all: BTreeMap<Key, u8> = BTreeMap::new();
                all.extend(self.seen.waiting.iter().map(|(k, (_, priority, _))| (*k, *priority)));
                all.extend(
                    self.seen.ringing.iter().map(|(k, (_, _, priority, _))| (*k, *priority)),
                );
                all.extend(self.seen.talking.keys().map(|k| (*k, 1)));
                let Some((key, priority)) = pick(&all, at) else { return };
                self.seen.waiting.remove(&key);
                self.seen.ringing.remove(&key);
                let talked = self.seen.talking.remove(&key);
                self.seen.arrivals += 1;
                self.seen.waiting.insert(key, (line, priority, self.seen.arrivals));
                let (tenant, work) = (of(key.0), key.1);
                let queue = queue(["sales", "support"][line]);
                self.say(Input::Move { tenant, work, queue, priority });
                if let Some(name) = talked {
                    self.note_wrap_up(key.0, &name);
                }
            }
            Step::Dial { tenant: place, agent: who } => {
                let (tenant, agent) = (of(place), agent(AGENTS[who]));
                if self.rig.router.presence(&tenant, &agent).is_none() {
                    return;
                }
                self.next_work += 1;
                let call = WorkId(self.next_work);
                self.seen.direct.insert((place, call), AGENTS[who].to_owned());
                // An attempt on them ends before anything else is said: the observer hears it.
                self.say(Input::DirectBegan { tenant, agent, call });
            }
            Step::HangUp(at) => {
                let Some(((place, call), name)) = pick(&self.seen.direct, at) else { return };
                self.seen.direct.remove(&(place, call));
                let agent = agent(&name);
                self.say(Input::DirectEnded { tenant: of(place), agent, call });
            }
            Step::Disturb { tenant: place, agent: who, on } => {
                let (tenant, agent) = (of(place), agent(AGENTS[who]));
                self.say(Input::SetDoNotDisturb { tenant, agent, on });
            }
            other => panic!("{other:?} is not a step of this kind"),
        }
    }

    fn note_wrap_up(&mut self, place: usize, name: &str) {
        let agents = self.rig.router.agents(self.rig.now, &tenant(TENANTS[place]));
        let in_wrap_up =
            agents.iter().any(|a| a.id.as_str() == name && a.state == AgentState::WrapUp);
        if in_wrap_up {
            // Dave's own 7 s, else the 10 s of sales: support gives none.
            let length = if name == "dave" { 7 } else { 10 };
            let ends = self.rig.now + Duration::from_secs(length);
            self.seen.wrap_up_ends.insert((place, name.to_owned()), ends);
        }
    }

    fn pass(&mut self, millis: u64) {
        let end = self.rig.now + Duration::from_millis(millis);
        while let Some((at, _)) = self.rig.router.poll_timeout().filter(|(at, _)| *at <= end) {
            self.rig.now = self.rig.now.max(at);
            self.rig.router.handle_timeout(self.rig.now);
            self.rig.drain();
            self.observe();
            let now = self.rig.now;
            let late = self.seen.wrap_up_ends.iter().find(|(_, ends)| **ends <= now);
            assert_eq!(late, None, "wrap-up goes on too long");
        }
        self.rig.now = end;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_nothing_is_lost_stuck_or_doubled(
        steps in prop::collection::vec(step(), 1..120)
    ) {
        let rig = Rig::new(&provisioning(0));
        let mut life = Life { rig, seen: Observer::default(), next_work: 0 };
        life.observe();
        for step in steps {
            life.live(step);
        }
        // Everyone hangs up, and nobody is left behind.
        let works = life.seen.waiting.keys().chain(life.seen.ringing.keys());
        let works: Vec<Key> = works.chain(life.seen.talking.keys()).copied().collect();
        for (place, work) in works {
            life.rig.input(Input::Withdraw { tenant: tenant(TENANTS[place]), work });
        }
        for ((place, call), name) in std::mem::take(&mut life.seen.direct) {
            let (tenant, agent) = (tenant(TENANTS[place]), agent(&name));
            life.rig.input(Input::DirectEnded { tenant, agent, call });
        }
        life.rig.pass(120_000);
        for name in TENANTS {
            for a in life.rig.router.agents(life.rig.now, &tenant(name)) {
                prop_assert!(a.state.can_be_chosen(), "{} is left {:?}", a.id, a.state);
                prop_assert_eq!(a.work, None);
                prop_assert!(a.direct_calls.is_empty());
            }
        }
        prop_assert_eq!(life.rig.router.poll_timeout(), None);
    }

    /// Equal skills, no failures: service follows priority, then arrival, exactly.
    #[test]
    fn work_of_equal_needs_is_served_by_priority_and_then_in_order(
        priorities in prop::collection::vec(0_u8..4, 1..60)
    ) {
        let mut rig = Rig::new(&ACME.replace("wrap_up_s = 10", "max_waiting = 100"));
        for (work, priority) in priorities.iter().enumerate() {
            rig.enqueue_first("acme", work as u128, "sales", *priority);
        }
        rig.heard();
        rig.register("alice", true);
        let mut served = vec![];
        while let Some(line) = rig.heard().first() {
            let work: u128 = line.strip_prefix("alice rings for ").unwrap().parse().unwrap();
            served.push(work);
            rig.accept("alice", work);
            rig.finish(work);
        }
        let mut expected: Vec<u128> = (0..priorities.len() as u128).collect();
        expected.sort_by_key(|w| (255 - priorities[*w as usize], *w));
        prop_assert_eq!(served, expected);
    }

    /// The same inputs at the same times give the same outputs.
    #[test]
    fn a_router_is_deterministic(steps in prop::collection::vec(step(), 1..60)) {
        let life = |steps: Vec<Step>| {
            let mut life = Life {
                rig: Rig::new(&provisioning(0)),
                seen: Observer::default(),
                next_work: 0,
            };
            let mut log = String::new();
            life.observe();
            for step in steps {
                life.live(step);
                log.push_str(&format!("{:?}", life.rig.router));
            }
            log
        };
        prop_assert_eq!(life(steps.clone()), life(steps));
    }
}
