//! A random run: callers and agents who do as chance tells them, over a network that is as bad as
//! chance makes it.

use base::{AgentId, Duration, Rng, TenantId};
use phone::Manner;
use sip::StatusCode;
use switch::{ApiRequest, First, Originate};

use crate::checks::{Complaint, check_events, check_quiet};
use crate::network::Conditions;
use crate::{PhoneId, World};

/// What a run was like.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RandomRun {
    /// Its seed.
    pub seed: u64,
    /// Calls that reached a tenant.
    pub calls: usize,
    /// Calls that an agent took.
    pub connected: usize,
    /// What must not have been.
    pub complaints: Vec<Complaint>,
}

/// What agents dial: each other, a queue, a number of their own, outside, nothing that exists.
const DIALLED: [&str; 6] = ["bob", "alice", "sales", "+15550100", "+12125550123", "nobody"];
const NUMBERS: [&str; 4] = ["+15550100", "+15550100", "+15550101", "+15559999"];

/// A run of `steps` things that callers, agents and the network do, then everybody hangs up and
/// all timers run out.
#[must_use]
pub fn random_run(seed: u64, steps: u32) -> RandomRun {
    let mut world = World::new(seed);
    let mut rng = Rng::from_seed(seed ^ 0x5eed);
    let agents = ["alice", "bob"].map(|agent| world.add_agent(agent, manner(&mut rng)));
    let callers: Vec<PhoneId> = (0..4).map(|n| world.add_caller(&format!("+1555900{n}"))).collect();
    let carriers =
        [[127, 0, 0, 2], [127, 0, 0, 3]].map(|home| world.add_carrier(home, manner(&mut rng)));
    let mut complaints = Vec::new();
    for _ in 0..steps {
        if rng.below(3) == 0 {
            outward_step(&mut world, &mut rng, &agents, &carriers);
        } else {
            step(&mut world, &mut rng, &agents, &callers);
        }
        world.run_for(Duration::from_millis(rng.below(3000)));
        if complaints.is_empty() {
            complaints = check_events(&world);
        }
    }
    world.network.set_conditions(Conditions::default());
    for _ in 0..3 {
        // Whoever is in a race with the other end tries again.
        for id in world.phones() {
            world.set_manner(id, Manner::Refuse(Duration::ZERO, StatusCode::BUSY_HERE));
            world.hang_up(id);
        }
        world.run_for(Duration::from_secs(70));
    }
    complaints.extend(check_quiet(&world));
    complaints.dedup();
    let connected = world.records.iter().filter(|record| record.agent.is_some()).count();
    RandomRun { seed, calls: world.records.len(), connected, complaints }
}

fn step(world: &mut World, rng: &mut Rng, agents: &[PhoneId], callers: &[PhoneId]) {
    let agent = agents[usize::try_from(rng.below(agents.len() as u64)).unwrap_or(0)];
    let caller = callers[usize::try_from(rng.below(callers.len() as u64)).unwrap_or(0)];
    match rng.below(10) {
        0..=3 => {
            let number = NUMBERS[usize::try_from(rng.below(4)).unwrap_or(0)];
            if world.phone(caller).is_some_and(|phone| !phone.is_in_use()) {
                world.dial(caller, number);
            }
        }
        4 | 5 => world.hang_up(caller),
        6 => world.hang_up(agent),
        7 => world.set_manner(agent, manner(rng)),
        8 => world.register(agent),
        _ => world.network.set_conditions(Conditions {
            lost: rng.below(200),
            repeated: rng.below(100),
            delay: Duration::from_millis(rng.below(80)),
            jitter: Duration::from_millis(rng.below(120)),
        }),
    }
}

/// Something that calls which agents or the API begin are made of.
fn outward_step(world: &mut World, rng: &mut Rng, agents: &[PhoneId], carriers: &[PhoneId]) {
    let pick = |rng: &mut Rng, of: &[PhoneId]| {
        of[usize::try_from(rng.below(of.len() as u64)).unwrap_or(0)]
    };
    let (agent, carrier) = (pick(rng, agents), pick(rng, carriers));
    match rng.below(8) {
        0..=3 => {
            let to = DIALLED[usize::try_from(rng.below(6)).unwrap_or(0)];
            if world.phone(agent).is_some_and(|phone| !phone.is_in_use()) {
                world.dial(agent, to);
            }
        }
        4 => world.set_manner(carrier, manner(rng)),
        5 => world.hang_up(carrier),
        _ => {
            let names = ["alice", "bob"];
            let name = names[usize::try_from(rng.below(2)).unwrap_or(0)];
            let first = if rng.below(2) == 0 { First::Agent } else { First::Customer };
            originate(world, name, "+12125550123", first);
        }
    }
}

fn originate(world: &mut World, agent: &str, to: &str, first: First) {
    let (Ok(tenant), Ok(agent)) = (TenantId::new("acme"), AgentId::new(agent)) else { return };
    let to = to.to_owned();
    let asked = Originate {
        agent,
        to,
        first,
        caller_id: None,
        timeout_s: Some(20),
        answering_machine: None,
    };
    world.ask(&tenant, ApiRequest::Originate(asked));
}

fn manner(rng: &mut Rng) -> Manner {
    let after = Duration::from_millis(rng.below(4000));
    match rng.below(7) {
        6 => Manner::Early(after),
        0 => Manner::Refuse(after, StatusCode::BUSY_HERE),
        1 => Manner::Ring,
        2 => Manner::Mute,
        _ => Manner::Answer(after),
    }
}
