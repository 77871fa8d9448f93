//! What people in the town do, and what the API is asked: one thing at a time, by chance.

use base::{AgentId, CallId, Duration, Rng, TenantId};
use phone::{Dial, LineId, LineState};
use routing::{AgentState, Forward};
use switch::{ApiReply, ApiRequest, First, Originate, Waiting};

use super::crowd::{pick, pickups};
use super::{DeskId, Role, Town};

/// What callers dial.
const NUMBERS: [&str; 6] =
    ["+15550100", "+15550100", "+15550101", "+15550102", "+15550200", "+15559999"];
/// What agents of acme dial: each other, queues, numbers of their own, outside, nonsense, the code
/// that picks up a colleague's ringing call.
const DIALLED: [&str; 16] = [
    "alice",
    "bobby",
    "tomas",
    "zoltan",
    "102",
    "110",
    "support",
    "+15550100",
    "+12125550123",
    "+12125550123",
    "+13135550123",
    "+13135550123",
    "911",
    "nobody",
    PICKUP,
    PICKUP,
];
/// Picks up what rings a colleague.
const PICKUP: &str = "*8";
/// What agents of globex dial.
const DIALLED_THERE: [&str; 5] = ["georgina", "hubert", "sales", "+12125550123", "+15550200"];

/// Whose call, and which.
type Spot = (DeskId, LineId);

impl Town {
    /// Somebody does something.
    pub(super) fn deed(&mut self) {
        match self.rng.below(100) {
            0..=21 => self.someone_calls_in(),
            22..=37 => self.an_agent_calls(),
            38..=47 => self.someone_hangs_up(),
            48..=55 => self.someone_holds(),
            56..=59 => self.many_at_once(),
            60..=65 => self.an_agent_sends_on(),
            66..=71 => self.an_agent_joins(),
            72..=76 => self.someone_takes_over(),
            77..=84 => self.the_api_is_asked(),
            85..=87 => self.someone_subscribes(),
            88..=90 => self.someone_writes(),
            91..=93 => self.someone_takes_calls_otherwise(),
            94 | 95 => self.someone_registers(),
            96 => {
                self.tell("provisioning again");
                self.provision();
            }
            _ => self.someone_presses(),
        }
    }

    pub(super) fn tell(&mut self, what: impl Into<String>) {
        self.story.tell(self.now, format!("=== {}", what.into()));
    }

    fn someone_calls_in(&mut self) {
        let caller = pick(&mut self.rng, &self.crowd.callers, DeskId(0));
        if self.lines_of(caller, |_| true).len() >= 2 {
            return;
        }
        let number = pick(&mut self.rng, &NUMBERS, "+15550100");
        self.dials(caller, number);
    }

    fn an_agent_calls(&mut self) {
        let agent = pick(&mut self.rng, &self.crowd.agents, DeskId(0));
        if self.lines_of(agent, |_| true).len() >= 2 {
            return;
        }
        let to = self.somebody_for(agent);
        self.dials(agent, to);
    }

    /// Somebody whom that desk may know.
    fn somebody_for(&mut self, desk: DeskId) -> &'static str {
        let is_acme = self.tenant_of(desk).is_some_and(|tenant| tenant.as_str() == "acme");
        if is_acme {
            pick(&mut self.rng, &DIALLED, "alice")
        } else {
            pick(&mut self.rng, &DIALLED_THERE, "hubert")
        }
    }

    pub(super) fn tenant_of(&self, desk: DeskId) -> Option<TenantId> {
        match &self.places.get(desk.0)?.role {
            Role::Agent(tenant) => Some(tenant.clone()),
            _ => None,
        }
    }

    fn dials(&mut self, desk: DeskId, to: &str) {
        let how = self.a_way_to_dial();
        if to == PICKUP {
            self.attempt(desk, None);
        }
        let name = self.name(desk).to_owned();
        self.tell(format!("{name} dials {to} {how:?}"));
        self.at(desk, |desk, now| desk.dial(now, to, &how).ok());
        if self.rng.below(6) == 0 {
            // A hasty one: the CANCEL meets whatever comes.
            let pause = super::up_to(&mut self.rng, Duration::from_millis(40));
            self.run_for(pause);
            let last = self.lines_of(desk, |_| true).last().copied();
            if let Some((desk, line)) = last {
                self.hangs_up(desk, line);
            }
        }
    }

    pub(super) fn a_way_to_dial(&mut self) -> Dial {
        let (late_offer, reliable) = (self.rng.below(6) == 0, self.rng.below(12) == 0);
        Dial { late_offer, reliable, ..Dial::default() }
    }

    /// A desk's calls in such a state.
    pub(super) fn lines_of(&self, desk: DeskId, want: impl Fn(LineState) -> bool) -> Vec<Spot> {
        let lines = self.places.get(desk.0).into_iter().flat_map(|place| place.desk.lines());
        lines.filter(|(_, state)| want(*state)).map(|(line, _)| (desk, line)).collect()
    }

    fn spots(&self, desks: &[DeskId], want: impl Fn(LineState) -> bool + Copy) -> Vec<Spot> {
        desks.iter().flat_map(|desk| self.lines_of(*desk, want)).collect()
    }

    pub(super) fn spot(
        &mut self,
        desks: &[DeskId],
        want: impl Fn(LineState) -> bool + Copy,
    ) -> Option<Spot> {
        let spots = self.spots(desks, want);
        let first = *spots.first()?;
        Some(pick(&mut self.rng, &spots, first))
    }

    pub(super) fn hangs_up(&mut self, desk: DeskId, line: LineId) {
        let name = self.name(desk).to_owned();
        self.tell(format!("{name} hangs up {line:?}"));
        self.at(desk, |desk, now| desk.hang_up(now, line));
    }

    fn holds(&mut self, desk: DeskId, line: LineId) {
        let holding = |state| state == LineState::Holding;
        let holds = !self.lines_of(desk, holding).contains(&(desk, line));
        let name = self.name(desk).to_owned();
        self.tell(format!("{name} holds {line:?}: {holds}"));
        self.at(desk, |desk, now| desk.hold(now, line, holds));
    }

    fn someone_hangs_up(&mut self) {
        if let Some((desk, line)) = self.spot(&self.crowd.all(), |_| true) {
            self.hangs_up(desk, line);
        }
    }

    fn someone_holds(&mut self) {
        if let Some((desk, line)) = self.spot(&self.crowd.all(), is_up) {
            self.holds(desk, line);
        }
    }

    /// Everybody who talks does something in one and the same instant: BYE meets BYE, re-INVITE
    /// meets re-INVITE, BYE meets re-INVITE.
    fn many_at_once(&mut self) {
        let kind = self.rng.below(3);
        for (desk, line) in self.spots(&self.crowd.all(), is_up) {
            let holds = match kind {
                0 => false,
                1 => true,
                _ => self.rng.below(2) == 0,
            };
            if holds {
                self.holds(desk, line);
            } else {
                self.hangs_up(desk, line);
            }
        }
    }

    fn an_agent_sends_on(&mut self) {
        let Some((desk, line)) = self.spot(&self.crowd.agents.clone(), is_up) else { return };
        let to = self.somebody_for(desk);
        let name = self.name(desk).to_owned();
        self.tell(format!("{name} sends {line:?} on to {to}"));
        self.at(desk, |desk, now| desk.refer(now, line, to).ok());
    }

    /// An agent with two calls joins them; one with one call holds it and calls a colleague.
    fn an_agent_joins(&mut self) {
        let Some((desk, line)) = self.spot(&self.crowd.agents.clone(), is_up) else { return };
        let up = self.lines_of(desk, is_up);
        let name = self.name(desk).to_owned();
        if let Some((_, with)) = up.iter().copied().find(|(_, other)| *other != line) {
            self.tell(format!("{name} joins {line:?} with {with:?}"));
            self.at(desk, |desk, now| desk.join(now, line, with));
        } else if self.lines_of(desk, |_| true).len() < 2 {
            self.holds(desk, line);
            let to = self.somebody_for(desk);
            self.dials(desk, to);
        }
    }

    fn someone_presses(&mut self) {
        if let Some((desk, line)) = self.spot(&self.crowd.all(), is_up) {
            self.at(desk, |desk, now| desk.press(now, line, '5'));
        }
    }

    fn someone_subscribes(&mut self) {
        let agent = pick(&mut self.rng, &self.crowd.agents, DeskId(0));
        if self.rng.below(3) == 0 {
            self.at(agent, |desk, now| desk.unsubscribe(now));
            return;
        }
        let own = self.name(agent).to_owned();
        let is_acme = self.tenant_of(agent).is_some_and(|tenant| tenant.as_str() == "acme");
        let (to, package) = match self.rng.below(3) {
            0 => (own.as_str(), "message-summary"),
            _ if is_acme => (pick(&mut self.rng, &["alice", "bobby", "tomas"], "alice"), "dialog"),
            _ => ("georgina", "dialog"),
        };
        self.tell(format!("{own} watches {package} of {to}"));
        self.at(agent, |desk, now| desk.subscribe(now, to, package).ok());
    }

    fn someone_writes(&mut self) {
        let agent = pick(&mut self.rng, &self.crowd.agents, DeskId(0));
        let to = self.somebody_for(agent);
        if self.rng.below(4) == 0 {
            self.at(agent, |desk, now| desk.options(now, to).ok());
        } else {
            self.at(agent, |desk, now| desk.message(now, to, "Call me back, please.").ok());
        }
    }

    fn someone_takes_calls_otherwise(&mut self) {
        let all = self.crowd.all();
        let desk = pick(&mut self.rng, &all, DeskId(0));
        let ways = pickups(&mut self.rng);
        self.at(desk, |desk, _| desk.set_pickups(ways));
    }

    fn someone_registers(&mut self) {
        let agent = pick(&mut self.rng, &self.crowd.agents, DeskId(0));
        let leaves = self.rng.below(3) == 0;
        let name = self.name(agent).to_owned();
        self.tell(format!("{name} registers: {}", !leaves));
        self.at(
            agent,
            |desk, now| {
                if leaves { desk.unregister(now).ok() } else { desk.register(now).ok() }
            },
        );
    }

    fn the_api_is_asked(&mut self) {
        let agent = pick(&mut self.rng, &self.crowd.agents, DeskId(0));
        let name = self.name(agent).to_owned();
        let (Some(tenant), Ok(agent)) = (self.tenant_of(agent), AgentId::new(&name)) else {
            return;
        };
        let is_acme = tenant.as_str() == "acme";
        let request = match self.rng.below(10) {
            0..=2 => {
                let to = if is_acme { "+13135550123" } else { "+12125550123" };
                let first = if self.rng.below(2) == 0 { First::Agent } else { First::Customer };
                let (caller_id, timeout_s) = (None, Some(20));
                ApiRequest::Originate(Originate {
                    agent,
                    to: to.to_owned(),
                    first,
                    caller_id,
                    timeout_s,
                    answering_machine: None,
                })
            }
            3..=5 => {
                let Some(call) = self.a_call(&tenant) else { return };
                self.about(call, is_acme)
            }
            6 => ApiRequest::SetDoNotDisturb { agent, on: self.rng.below(3) == 0 },
            7 => {
                let forward = forward(&mut self.rng, is_acme);
                ApiRequest::SetForward { agent, forward }
            }
            8 => {
                let states = [AgentState::Available, AgentState::Available, AgentState::Break];
                let state = pick(&mut self.rng, &states, AgentState::Available);
                ApiRequest::SetAgentState { agent, state, reason: None }
            }
            _ => ApiRequest::SetMessagesWaiting { agent, waiting: Waiting::default() },
        };
        self.tell(format!("the API: {request:?}"));
        self.ask(&tenant, request);
    }

    /// One of the tenant's calls.
    fn a_call(&mut self, tenant: &TenantId) -> Option<CallId> {
        let Some(ApiReply::Calls(calls)) = self.ask(tenant, ApiRequest::ListLive) else {
            return None;
        };
        let ids: Vec<CallId> = calls.iter().map(|call| call.id).collect();
        let first = *ids.first()?;
        Some(pick(&mut self.rng, &ids, first))
    }

    fn about(&mut self, call: CallId, is_acme: bool) -> ApiRequest {
        match self.rng.below(4) {
            0 => {
                self.ended_by_api.insert(call);
                ApiRequest::EndCall { call }
            }
            1 => {
                let to = if is_acme { "bobby" } else { "hubert" };
                ApiRequest::Transfer { call, to: to.to_owned() }
            }
            kind => ApiRequest::Hold { call, holds: kind == 2 },
        }
    }
}

fn forward(rng: &mut Rng, is_acme: bool) -> Forward {
    let to = if is_acme {
        pick(rng, &["bobby", "+12125550199", "111", "alice"], "bobby")
    } else {
        "hubert"
    };
    let to = Some(to.to_owned());
    match rng.below(4) {
        0 => Forward { always: to, ..Forward::default() },
        1 => Forward { busy: to, ..Forward::default() },
        2 => Forward { no_answer: to, no_answer_s: 6, ..Forward::default() },
        _ => Forward::default(),
    }
}

/// Whether a call stands.
pub(super) fn is_up(state: LineState) -> bool {
    matches!(state, LineState::Up | LineState::Holding)
}
