//! Trunks as we see them from here: which targets answer, whether we are registered, and the
//! errands (OPTIONS, REGISTER) that tell. Calls in and out of a trunk are elsewhere.

mod binding;
mod called;
mod errands;
mod probe;
mod register;
mod target;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use base::{Duration, Instant, Rng, TrunkId};
use routing::Directory;
use sip::{ClientTx, Flow, UriBuf};

pub(crate) use self::binding::OwnBinding;
use self::target::Target;
pub use self::target::TrunkState;
pub use self::view::{OwnBindingView, TargetView, TrunkView};
use crate::paths::{Outcome, PathId};

/// The most addresses remembered of one trunk's servers; then it begins anew.
const SERVERS: usize = 64;

/// A request of a trunk's own.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Errand {
    /// OPTIONS to a target.
    Probe { trunk: TrunkId, target: UriBuf },
    /// REGISTER to its registrar.
    Register { trunk: TrunkId },
}

/// How a target is reached by way of its registrar's servers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ServiceRoute {
    pub(crate) target: UriBuf,
    /// The first server on the way.
    pub(crate) first: UriBuf,
    /// The value of Route.
    pub(crate) route: String,
}

/// All trunks that are provisioned. Grows with provisioning only.
#[derive(Debug)]
pub(crate) struct Trunks {
    all: BTreeMap<TrunkId, Trunk>,
    deadlines: BTreeSet<(Instant, TrunkId)>,
    /// Requests that are on their way.
    sent: BTreeMap<ClientTx, Sent>,
    rng: Rng,
}

/// A request of a trunk's own that waits for its final response.
#[derive(Clone, Debug)]
struct Sent {
    errand: Errand,
    path: PathId,
    flow: Flow,
}

/// One trunk.
#[derive(Debug)]
struct Trunk {
    targets: Vec<Target>,
    /// How often its targets are probed.
    every: Option<Duration>,
    binding: Option<OwnBinding>,
    /// Where its URIs have led: what comes from there within its dialogs is its own.
    servers: BTreeSet<IpAddr>,
    /// What was told last.
    told: (TrunkState, Option<bool>),
    /// When its state became what it is.
    since: Option<Instant>,
    due: Option<Instant>,
}

impl Trunks {
    pub(crate) fn new(rng: Rng) -> Self {
        let (all, deadlines, sent) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
        Self { all, deadlines, sent, rng }
    }

    /// New provisioning: what stays as it was keeps its state. Gives back the bindings of trunks
    /// that are no more, or that register elsewhere now.
    fn provision(&mut self, now: Instant, directory: &Directory) -> Vec<OwnBinding> {
        let mut old = std::mem::take(&mut self.all);
        let mut left = Vec::new();
        for provisioned in &directory.provisioning().trunks {
            let mut before = old.remove(&provisioned.id).unwrap_or_else(Trunk::nothing);
            let targets = self.targets(now, provisioned, &mut before);
            let every = provisioned.probes_every_s();
            let keeps = before.binding.as_ref().is_some_and(|known| known.is_of(provisioned));
            let binding = match before.binding {
                Some(known) if keeps => Some(known),
                other => {
                    left.extend(other);
                    OwnBinding::of(now, provisioned, &mut self.rng)
                }
            };
            let trunk = Trunk {
                targets,
                every: every.map(|seconds| Duration::from_secs(seconds.into())),
                binding,
                servers: before.servers,
                told: before.told,
                since: before.since,
                due: before.due,
            };
            self.all.insert(provisioned.id.clone(), trunk);
        }
        for (id, gone) in old {
            self.forget_deadline(&id, gone.due);
            left.extend(gone.binding);
        }
        for id in self.all.keys().cloned().collect::<Vec<_>>() {
            self.reschedule(&id);
        }
        left
    }

    fn targets(
        &mut self,
        now: Instant,
        provisioned: &routing::Trunk,
        before: &mut Trunk,
    ) -> Vec<Target> {
        let mut targets = Vec::new();
        for wanted in provisioned.outbound_targets() {
            let Ok(uri) = UriBuf::parse(&wanted.uri) else { continue };
            let known = before.targets.iter().position(|known| known.uri == uri);
            let mut target = match known {
                Some(at) => before.targets.swap_remove(at),
                None => {
                    // All at once would be a burst; within a second is soon enough.
                    let soon = Duration::from_millis(self.rng.below(1000));
                    Target { due: Some(now + soon), ..Target::new(uri, 0, 0) }
                }
            };
            (target.priority, target.weight) = (wanted.priority, wanted.weight);
            targets.push(target);
        }
        targets
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, _)| *at)
    }

    /// A trunk whose time has come.
    fn pop_due(&mut self, now: Instant) -> Option<TrunkId> {
        let (at, id) = self.deadlines.first()?.clone();
        if at > now {
            return None;
        }
        self.deadlines.pop_first();
        if let Some(trunk) = self.all.get_mut(&id) {
            trunk.due = None;
        }
        Some(id)
    }

    /// Sets a trunk's deadline to the next one of its parts.
    fn reschedule(&mut self, id: &TrunkId) {
        let Some(trunk) = self.all.get_mut(id) else { return };
        let parts = trunk.targets.iter().filter_map(|target| target.due);
        let next = parts.chain(trunk.binding.as_ref().and_then(OwnBinding::due)).min();
        let old = std::mem::replace(&mut trunk.due, next);
        self.forget_deadline(id, old);
        if let Some(next) = next {
            self.deadlines.insert((next, id.clone()));
        }
    }

    fn forget_deadline(&mut self, id: &TrunkId, due: Option<Instant>) {
        if let Some(due) = due {
            self.deadlines.remove(&(due, id.clone()));
        }
    }

    /// What came of one of a trunk's targets, on an errand or a call.
    fn hear(&mut self, now: Instant, id: &TrunkId, uri: &UriBuf, outcome: Outcome) {
        let Some(trunk) = self.all.get_mut(id) else { return };
        let every = trunk.every;
        let Some(target) = trunk.targets.iter_mut().find(|target| target.uri == *uri) else {
            return;
        };
        target.hear(now, outcome, every.is_some());
        target.plan(now, every, &mut self.rng);
        self.reschedule(id);
    }

    /// Whether calls to it have a chance.
    pub(crate) fn state(&self, id: &TrunkId) -> TrunkState {
        self.all.get(id).map_or(TrunkState::Unknown, Trunk::state)
    }

    /// The address that calls to a trunk go to first, if that is no name.
    pub(crate) fn address(&self, id: &TrunkId) -> Option<IpAddr> {
        let rank = |target: &&Target| (target.state == TrunkState::Down, target.priority);
        self.all.get(id)?.targets.iter().min_by_key(rank)?.uri.as_uri().ip()
    }

    /// Its targets in the order to try them: those that are down last, then by priority, within one
    /// drawn by weight (RFC 2782).
    pub(crate) fn in_order(&mut self, id: &TrunkId) -> Vec<UriBuf> {
        let Some(trunk) = self.all.get(id) else { return Vec::new() };
        let rank = |target: &Target| (target.state == TrunkState::Down, target.priority);
        let mut ranks: BTreeMap<(bool, u16), Vec<(u16, UriBuf)>> = BTreeMap::new();
        for target in &trunk.targets {
            let place = ranks.entry(rank(target)).or_default();
            place.push((target.weight, target.uri.clone()));
        }
        let mut ordered = Vec::new();
        for (_, mut equals) in ranks {
            while !equals.is_empty() {
                let total: u64 = equals.iter().map(|(weight, _)| u64::from(*weight)).sum();
                let mut draw = if total == 0 { 0 } else { self.rng.below(total) };
                let drawn = equals.iter().position(|(weight, _)| {
                    let is_it = draw < u64::from(*weight) || total == 0;
                    draw = draw.saturating_sub(u64::from(*weight));
                    is_it
                });
                ordered.push(equals.remove(drawn.unwrap_or(0)).1);
            }
        }
        ordered
    }

    /// The trunks whose registrars send over that flow: calls to the contacts we registered there
    /// are their calls.
    pub(crate) fn registered_over(&self, flow: &Flow) -> Vec<TrunkId> {
        let reached =
            |trunk: &Trunk| trunk.binding.as_ref().is_some_and(|own| own.is_reached_over(flow));
        let over = self.all.iter().filter(|(_, trunk)| reached(trunk));
        over.map(|(id, _)| id.clone()).collect()
    }

    /// A trunk's URI has led to that address.
    pub(crate) fn learn_server(&mut self, id: &TrunkId, address: IpAddr) {
        let Some(trunk) = self.all.get_mut(id) else { return };
        if trunk.servers.len() >= SERVERS {
            trunk.servers.clear();
        }
        trunk.servers.insert(address);
    }

    /// Whether that address is one of the trunk's servers, as far as its URIs have led us there.
    pub(crate) fn is_server(&self, id: &TrunkId, address: IpAddr) -> bool {
        self.all.get(id).is_some_and(|trunk| trunk.servers.contains(&address))
    }

    /// The user of our contact at a trunk's registrar.
    pub(crate) fn contact_user(&self, id: &TrunkId) -> Option<&str> {
        self.all.get(id)?.binding.as_ref().map(|binding| binding.user.as_str())
    }

    /// The way that its registrar wants our calls to take (RFC 3608 §6.1), if one of the trunk's
    /// targets is in the domain that we are registered in.
    pub(crate) fn service_route(&self, id: &TrunkId) -> Option<ServiceRoute> {
        let trunk = self.all.get(id)?;
        let binding = trunk.binding.as_ref().filter(|own| own.is_registered())?;
        let home = binding.registrar.as_uri();
        let is_home = |one: &&Target| one.uri.as_uri().host().eq_ignore_ascii_case(home.host());
        let target = trunk.targets.iter().find(is_home)?.uri.clone();
        let route = binding.machine.service_route();
        let first = sip::Address::parse(route.first()?).ok()?.uri().to_buf();
        // A strict router would have the Request-URI rewritten.
        let is_loose = first.as_uri().is_sip() && first.as_uri().params().get("lr").is_some();
        is_loose.then(|| ServiceRoute { target, first, route: route.join(", ") })
    }

    /// Whether no registrar keeps our contact any more.
    pub(crate) fn have_left(&self) -> bool {
        self.all.values().all(|trunk| trunk.binding.as_ref().is_none_or(OwnBinding::is_gone))
    }
}

impl Trunk {
    fn nothing() -> Self {
        let (targets, told) = (Vec::new(), (TrunkState::Unknown, None));
        let servers = BTreeSet::new();
        Self { targets, every: None, binding: None, servers, told, since: None, due: None }
    }

    /// A carrier that wants us registered takes no calls while we are not.
    fn state(&self) -> TrunkState {
        match &self.binding {
            Some(binding) if !binding.is_registered() && binding.has_failed() => {
                return TrunkState::Down;
            }
            Some(binding) if !binding.is_registered() => return TrunkState::Unknown,
            _ => {}
        }
        self.targets.iter().map(|target| target.state).min().unwrap_or_default()
    }
}
