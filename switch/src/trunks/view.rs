//! What the API is told of trunks.

use base::{Instant, TrunkId, UnixTime};
use serde::Serialize;
use sip::RegistrationState;

use super::binding::OwnBinding;
use super::target::Target;
use super::{Trunk, TrunkState};
use crate::node::Node;

/// A trunk as it stands.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct TrunkView {
    /// The trunk, as in the provisioning.
    pub id: TrunkId,
    /// What people call it.
    pub name: String,
    /// Whether calls to it have a chance.
    pub state: TrunkState,
    /// Since when; `None` if it has been so since it was provisioned.
    pub since: Option<UnixTime>,
    /// Its calls that are up.
    pub calls: u32,
    /// Where calls to it are sent.
    pub targets: Vec<TargetView>,
    /// Our registration with it, if it wants one.
    pub registration: Option<OwnBindingView>,
}

/// A target of a trunk.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct TargetView {
    /// Its SIP address.
    pub uri: String,
    /// The lowest goes first.
    pub priority: u16,
    /// Its share among those of the same priority.
    pub weight: u16,
    /// Whether it can be reached.
    pub state: TrunkState,
    /// Probes and calls in a row that it did not answer.
    pub misses: u32,
    /// When it last answered anything.
    pub answered_at: Option<UnixTime>,
    /// Until when it asked to be left alone.
    pub paused_until: Option<UnixTime>,
}

/// Our registration with a trunk.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct OwnBindingView {
    /// `registering`, `registered`, `failed` or `gone`.
    pub state: &'static str,
    /// The registrar.
    pub registrar: String,
    /// Where it is: transport and address.
    pub hop: Option<String>,
    /// The contact that it has.
    pub contact: Option<String>,
    /// Until when it has it.
    pub expires_at: Option<UnixTime>,
    /// When we register next.
    pub next_at: Option<UnixTime>,
    /// Why the last attempt failed, if it did.
    pub failure: Option<String>,
}

impl Node {
    /// Every trunk, by name.
    pub(crate) fn trunk_views(&self) -> Vec<TrunkView> {
        let Some(directory) = self.directory.as_deref() else { return Vec::new() };
        let view = |provisioned: &routing::Trunk| {
            let trunk = self.trunk_states.all.get(&provisioned.id)?;
            Some(self.view(provisioned, trunk))
        };
        let mut all: Vec<TrunkView> =
            directory.provisioning().trunks.iter().filter_map(view).collect();
        all.sort_by(|a, b| a.id.cmp(&b.id));
        all
    }

    fn view(&self, provisioned: &routing::Trunk, trunk: &Trunk) -> TrunkView {
        let id = provisioned.id.clone();
        let named = !provisioned.name.is_empty();
        TrunkView {
            name: if named { provisioned.name.clone() } else { id.to_string() },
            state: trunk.state(),
            since: trunk.since.map(|at| self.wall(at)),
            calls: self.trunks.get(&id).map_or(0, crate::tenants::Quota::live),
            targets: trunk.targets.iter().map(|target| self.target_view(target)).collect(),
            registration: trunk.binding.as_ref().map(|binding| self.binding_view(binding)),
            id,
        }
    }

    fn target_view(&self, target: &Target) -> TargetView {
        TargetView {
            uri: target.uri.to_string(),
            priority: target.priority,
            weight: target.weight,
            state: target.state,
            misses: target.misses,
            answered_at: target.answered.map(|at| self.wall(at)),
            paused_until: target.paused.map(|until| self.wall(until)),
        }
    }

    fn binding_view(&self, binding: &OwnBinding) -> OwnBindingView {
        let wall = |at: Instant| self.wall(at);
        let (state, expires_at) = match binding.machine.state() {
            RegistrationState::Registering => ("registering", None),
            RegistrationState::Registered { until } => ("registered", Some(wall(until))),
            RegistrationState::Failed => ("failed", None),
            RegistrationState::Gone => ("gone", None),
        };
        OwnBindingView {
            state,
            registrar: binding.registrar.to_string(),
            hop: binding.over.as_ref().map(|(hop, _)| hop.to_string()),
            contact: binding.machine.contact().map(ToString::to_string),
            expires_at,
            next_at: binding.machine.poll_timeout().map(wall),
            failure: binding.machine.failure().map(ToString::to_string),
        }
    }
}
