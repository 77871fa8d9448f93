//! A router with a clock that the test moves, and words short enough to read a scenario aloud.

#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;
use std::time::Duration;

use base::{AgentId, Instant, QueueId, TenantId};
use routing::{
    AgentState, AttemptFailure, CancelReason, Directory, Input, Output, Provisioning, Refusal,
    Router, WorkId,
};

/// Two agents for `sales`, one of them for `billing` too; alice and bob come when they register.
pub const ACME: &str = r#"
[[tenants]]
id = "acme"
domain = "acme.example"
skills = [{ id = "sales" }, { id = "billing" }]
prompts = [{ id = "music", file = "music.wav" }]
agents = [
    { id = "alice", password = "alice-secret", skills = ["sales"], available_on_register = true },
    { id = "bob", password = "bob-secret", skills = ["sales", "billing"],
      available_on_register = true },
]
queues = [
    { id = "sales", needs = ["sales"], music = "music", wrap_up_s = 10 },
    { id = "support", needs = ["billing"], music = "music", max_wait_s = 60, max_waiting = 2 },
]
"#;

pub fn directory(toml: &str) -> Arc<Directory> {
    let provisioning: Provisioning = toml::from_str(toml).expect("the TOML is provisioning");
    Arc::new(Directory::build(provisioning).expect("the provisioning is right"))
}

pub fn tenant(name: &str) -> TenantId {
    TenantId::new(name).unwrap()
}

pub fn agent(name: &str) -> AgentId {
    AgentId::new(name).unwrap()
}

pub fn queue(name: &str) -> QueueId {
    QueueId::new(name).unwrap()
}

/// What a test wants to see of an output, as text: `alice rings for 1`.
pub fn told(output: &Output) -> Option<String> {
    Some(match output {
        Output::Attempt { work, agent, .. } => format!("{agent} rings for {}", work.0),
        Output::CancelAttempt { work, agent, why, .. } => {
            let why = match why {
                CancelReason::RingTimeout => "rang too long",
                CancelReason::Withdrawn => "caller gone",
                CancelReason::Unreachable => "phone gone",
                CancelReason::StateChanged => "went away",
                CancelReason::Removed => "removed",
                CancelReason::TooLate => "too late",
            };
            format!("{agent} stops ringing for {}: {why}", work.0)
        }
        Output::Waiting { work, position, .. } => format!("{} waits at {position}", work.0),
        Output::Expired { work, .. } => format!("{} waited too long", work.0),
        Output::Refused { work, why, .. } => {
            let why = match why {
                Refusal::QueueFull => "full",
                Refusal::UnknownQueue => "unknown queue",
                Refusal::QueueRemoved => "queue removed",
                Refusal::AlreadyHere => "already here",
            };
            format!("{} refused: {why}", work.0)
        }
        Output::AgentChanged { .. } | Output::QueueStats { .. } | Output::QueueAlarm { .. } => {
            return None;
        }
    })
}

pub struct Rig {
    pub router: Router,
    pub now: Instant,
    pub outputs: Vec<Output>,
}

impl Rig {
    pub fn new(toml: &str) -> Self {
        let mut rig =
            Self { router: Router::new(), now: Instant::from_millis(1000), outputs: vec![] };
        rig.provision(toml);
        rig
    }

    /// With `names` registered, a second apart.
    pub fn with(toml: &str, names: &[&str]) -> Self {
        let mut rig = Self::new(toml);
        for name in names {
            rig.register(name, true);
            rig.pass(1000);
        }
        rig.heard();
        rig
    }

    pub fn input(&mut self, input: Input) {
        self.router.handle_input(self.now, input);
        self.drain();
    }

    pub fn drain(&mut self) {
        self.router.check().expect("the invariants hold");
        self.outputs.extend(std::iter::from_fn(|| self.router.poll_output()));
    }

    /// Moves the clock, stopping at each deadline.
    pub fn pass(&mut self, millis: u64) {
        let end = self.now + Duration::from_millis(millis);
        while let Some((at, _)) = self.router.poll_timeout().filter(|(at, _)| *at <= end) {
            self.now = self.now.max(at);
            self.router.handle_timeout(self.now);
            self.drain();
        }
        self.now = end;
    }

    /// What was said since the last time, without states and figures.
    pub fn heard(&mut self) -> Vec<String> {
        self.outputs.drain(..).filter_map(|o| told(&o)).collect()
    }

    /// The states told since the last time: `alice ringing`.
    pub fn states(&mut self) -> Vec<String> {
        let told = self.outputs.drain(..).filter_map(|output| match output {
            Output::AgentChanged { agent, state, reason: None, .. } => {
                Some(format!("{agent} {}", state.as_str()))
            }
            Output::AgentChanged { agent, state, reason: Some(reason), .. } => {
                Some(format!("{agent} {} ({reason})", state.as_str()))
            }
            _ => None,
        });
        told.collect()
    }

    /// The decisions told since the last time, as sentences.
    pub fn reasons(&mut self) -> Vec<String> {
        let told = self.outputs.drain(..).filter_map(|output| match output {
            Output::Attempt { decision, .. } | Output::Waiting { decision, .. } => {
                Some(decision.to_string())
            }
            _ => None,
        });
        told.collect()
    }

    pub fn provision(&mut self, toml: &str) {
        self.input(Input::Provision(directory(toml)));
    }

    pub fn enqueue(&mut self, work: u128, to: &str) {
        self.enqueue_first("acme", work, to, 0);
    }

    pub fn enqueue_first(&mut self, of: &str, work: u128, to: &str, priority: u8) {
        let caller = "+15550999".to_owned();
        let (tenant, queue) = (tenant(of), queue(to));
        self.input(Input::Enqueue { tenant, work: WorkId(work), queue, priority, caller });
    }

    pub fn prioritise(&mut self, work: u128, priority: u8) {
        self.input(Input::SetPriority { tenant: tenant("acme"), work: WorkId(work), priority });
    }

    pub fn take_out(&mut self, work: u128) {
        self.input(Input::TakenOut { tenant: tenant("acme"), work: WorkId(work) });
    }

    pub fn move_to(&mut self, work: u128, to: &str) {
        let (tenant, work, queue) = (tenant("acme"), WorkId(work), queue(to));
        self.input(Input::Move { tenant, work, queue, priority: 0 });
    }

    /// A call that no queue gave them begins ...
    pub fn dials(&mut self, name: &str, call: u128) {
        let (tenant, agent, call) = (tenant("acme"), agent(name), WorkId(call));
        self.input(Input::DirectBegan { tenant, agent, call });
    }

    /// ... and ends.
    pub fn hangs_up(&mut self, name: &str, call: u128) {
        let (tenant, agent, call) = (tenant("acme"), agent(name), WorkId(call));
        self.input(Input::DirectEnded { tenant, agent, call });
    }

    pub fn disturb(&mut self, name: &str, wanted: bool) {
        let (tenant, agent) = (tenant("acme"), agent(name));
        self.input(Input::SetDoNotDisturb { tenant, agent, on: !wanted });
    }

    pub fn withdraw(&mut self, work: u128) {
        self.input(Input::Withdraw { tenant: tenant("acme"), work: WorkId(work) });
    }

    pub fn finish(&mut self, work: u128) {
        self.input(Input::WorkFinished { tenant: tenant("acme"), work: WorkId(work) });
    }

    pub fn accept(&mut self, name: &str, work: u128) {
        let (tenant, agent) = (tenant("acme"), agent(name));
        self.input(Input::AttemptAccepted { tenant, work: WorkId(work), agent });
    }

    pub fn fail(&mut self, name: &str, work: u128, why: AttemptFailure) {
        let (tenant, agent) = (tenant("acme"), agent(name));
        self.input(Input::AttemptFailed { tenant, work: WorkId(work), agent, why });
    }

    pub fn register(&mut self, name: &str, reachable: bool) {
        self.input(Input::Reachable { tenant: tenant("acme"), agent: agent(name), reachable });
    }

    pub fn choose(&mut self, name: &str, state: AgentState, reason: Option<&str>) {
        let reason = reason.map(str::to_owned);
        let (tenant, agent) = (tenant("acme"), agent(name));
        self.input(Input::SetState { tenant, agent, state, reason });
    }

    pub fn state(&self, name: &str) -> AgentState {
        let agents = self.router.agents(self.now, &tenant("acme"));
        agents.into_iter().find(|a| a.id == agent(name)).expect("the agent is there").state
    }
}
