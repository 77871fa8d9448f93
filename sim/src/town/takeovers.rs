//! Phones that take a call over by INVITE with Replaces (RFC 3891): from a colleague who has sent
//! them to, as an attended transfer between phones does; from the other phone of the same agent;
//! what rings a colleague; and what is none of theirs. Who was entitled is kept for the checkers.

use base::TenantId;
use phone::{Dial, LineState};

use super::crowd::pick;
use super::{DeskId, Town};

/// Agents who may pick up what rings one another.
const GROUP: [&str; 3] = ["alice", "bobby", "tomas"];

/// Somebody tried to take a call over.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Attempt {
    pub(super) tenant: TenantId,
    pub(super) by: String,
    /// Whose call; by the code, that of any colleague that rings.
    pub(super) of: Option<Named>,
}

/// The call that a Replaces names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Named {
    pub(super) tenant: TenantId,
    pub(super) agent: String,
    /// Its owner is named as who has sent the INVITE.
    pub(super) is_referred: bool,
    /// It stood already when the INVITE went out.
    pub(super) is_up: bool,
}

impl Attempt {
    /// Whether it may end in `by` having the call of `from`.
    pub(super) fn entitles(&self, tenant: &TenantId, by: &str, from: &str) -> bool {
        let colleagues = GROUP.contains(&by) && GROUP.contains(&from);
        let fits = self.tenant == *tenant && self.by == by;
        fits && match &self.of {
            None => colleagues,
            Some(of) if of.tenant != *tenant || of.agent != from => false,
            Some(of) => by == from || of.is_referred || colleagues && !of.is_up,
        }
    }
}

impl Town {
    pub(super) fn attempt(&mut self, by: DeskId, of: Option<Named>) {
        let Some(tenant) = self.tenant_of(by) else { return };
        let by = self.name(by).to_owned();
        self.attempts.push(Attempt { tenant, by, of });
    }

    /// Mostly one who may; now and then one who may not, or names a dialog that never was.
    pub(super) fn someone_takes_over(&mut self) {
        let agents = self.crowd.agents.clone();
        let stands = |state| state != LineState::Ending;
        let Some((owner, line)) = self.spot(&agents, stands) else { return };
        let Some(tenant) = self.tenant_of(owner) else { return };
        let replaces = self.places.get(owner.0).and_then(|place| place.desk.replaces(line));
        let Some(mut replaces) = replaces else { return };
        let by = pick(&mut self.rng, &agents, owner);
        let is_up = self.lines_of(owner, super::deeds::is_up).contains(&(owner, line));
        let is_referred = self.rng.below(3) != 0;
        let agent = self.name(owner).to_owned();
        match self.rng.below(10) {
            0 => replaces.from_tag.push('x'),
            1 => replaces.early_only = true,
            _ => {}
        }
        let referred_by = is_referred.then(|| format!("{agent}@{tenant}.example"));
        let name = self.name(by).to_owned();
        self.tell(format!("{name} takes {line:?} of {agent} over, sent: {is_referred}"));
        self.attempt(by, Some(Named { tenant, agent, is_referred, is_up }));
        let way = self.a_way_to_dial();
        let how = Dial { replaces: Some(replaces), referred_by, ..way };
        self.at(by, |desk, now| desk.dial(now, "strowger", &how).ok());
    }
}
