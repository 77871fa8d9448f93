//! Which trunks take a call to a number outside, in which order, and why.

use std::fmt;

use base::{Rng, TenantId, TrunkId};
use serde::Serialize;

use crate::{Destination, Directory, OutboundRoute, Trunk};

/// How a trunk fares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Health {
    /// Whether it can be reached.
    pub state: HealthState,
    /// The calls on it now, both ways together.
    pub calls: u32,
}

/// Whether a trunk can be reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum HealthState {
    /// It answered a moment ago.
    Up,
    /// Nobody has asked yet.
    #[default]
    Unknown,
    /// It did not answer, or said that it takes no calls.
    Down,
}

/// The trunks for a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Outbound {
    /// Those that may take it, the first to be tried first; never empty.
    pub choices: Vec<TrunkChoice>,
    /// Those that a route names, but that may not take it.
    pub passed_over: Vec<TrunkChoice>,
}

/// A trunk in a choice, and what speaks for or against it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TrunkChoice {
    /// Which.
    pub trunk: TrunkId,
    /// Why, without the name: `prefix +49, priority 1, cost 20`.
    pub why: String,
}

/// Why no trunk takes a call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutboundRefused {
    /// No route of the tenant's begins the number.
    #[error("no route of the tenant takes calls to {0}")]
    NoRoute(Destination),
    /// Routes there are, but each of their trunks is full.
    #[error("no trunk can take the call: {}", Sentence(.0))]
    NoTrunk(Vec<TrunkChoice>),
}

/// One sentence: `carrier-a (prefix +49), then carrier-b (every number); not carrier-c (full)`.
impl fmt::Display for Outbound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, choice) in self.choices.iter().enumerate() {
            let before = if at == 0 { "" } else { ", then " };
            write!(f, "{before}{choice}")?;
        }
        if !self.passed_over.is_empty() {
            write!(f, "; not {}", Sentence(&self.passed_over))?;
        }
        Ok(())
    }
}

impl fmt::Display for TrunkChoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.trunk, self.why)
    }
}

struct Sentence<'a>(&'a [TrunkChoice]);

impl fmt::Display for Sentence<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, choice) in self.0.iter().enumerate() {
            write!(f, "{}{choice}", if at == 0 { "" } else { ", " })?;
        }
        Ok(())
    }
}

/// A trunk that a route names, with all that decides about its place.
struct Offer<'a> {
    trunk: &'a Trunk,
    route: Option<&'a OutboundRoute>,
    health: Health,
    /// The same for all but by chance: equals are drawn, so that they share the calls.
    lot: u64,
}

/// The trunks for a call of this tenant, in the order in which to try them: those that are not
/// down, then the longest prefix, the lowest priority, the lowest cost, the least load; equals are
/// drawn. Trunks that are full are passed over, those that are down come last.
///
/// A call for help goes out over trunks for emergencies if there are any, else over any trunk
/// that the tenant may use; no trunk is too full for it.
///
/// # Errors
/// When no route takes the number, or no trunk can.
pub fn outbound(
    directory: &Directory,
    tenant: &TenantId,
    to: &Destination,
    health: impl Fn(&TrunkId) -> Health,
    rng: &mut Rng,
) -> Result<Outbound, OutboundRefused> {
    let mut offers = offers(directory, tenant, to);
    for offer in &mut offers {
        offer.health = health(&offer.trunk.id);
        offer.lot = rng.next_u64();
    }
    offers.sort_by_key(Offer::rank);
    if offers.is_empty() {
        return Err(OutboundRefused::NoRoute(to.clone()));
    }
    let mut outbound = Outbound { choices: Vec::new(), passed_over: Vec::new() };
    for offer in offers {
        let all = outbound.choices.iter().chain(&outbound.passed_over);
        if all.clone().any(|choice| choice.trunk == offer.trunk.id) {
            continue;
        }
        let choice = TrunkChoice { trunk: offer.trunk.id.clone(), why: offer.to_string() };
        if offer.is_full() && !to.is_emergency() {
            outbound.passed_over.push(choice);
        } else {
            outbound.choices.push(choice);
        }
    }
    if outbound.choices.is_empty() {
        return Err(OutboundRefused::NoTrunk(outbound.passed_over));
    }
    Ok(outbound)
}

fn offers<'a>(directory: &'a Directory, tenant: &TenantId, to: &Destination) -> Vec<Offer<'a>> {
    let offer = |route: Option<&'a OutboundRoute>, trunk: &'a Trunk| {
        let usable = trunk.takes_calls() && directory.trunk_serves(trunk, tenant);
        usable.then(|| Offer { trunk, route, health: Health::default(), lot: 0 })
    };
    let routes = directory.routes(tenant).iter();
    let fitting = routes.filter(|route| fits(&route.prefix, to)).filter_map(|route| {
        let trunk = directory.trunk(&route.trunk)?;
        offer(Some(route), trunk)
    });
    if !to.is_emergency() {
        return fitting.collect();
    }
    let all = directory.provisioning().trunks.iter();
    let marked: Vec<Offer<'a>> =
        all.clone().filter(|trunk| trunk.emergency).filter_map(|t| offer(None, t)).collect();
    if !marked.is_empty() {
        return marked;
    }
    let any = all.filter_map(|trunk| offer(None, trunk));
    fitting.chain(any).collect()
}

/// A prefix with `+` begins numbers, one of digits alone short numbers, none everything.
fn fits(prefix: &str, to: &Destination) -> bool {
    to.as_str().starts_with(prefix)
}

impl Offer<'_> {
    fn rank(&self) -> impl Ord + use<> {
        let down = self.health.state == HealthState::Down;
        let prefix = self.route.map_or(0, |route| route.prefix.len());
        let (priority, cost) = self.route.map_or((u16::MAX, u32::MAX), |r| (r.priority, r.cost));
        (down, std::cmp::Reverse(prefix), priority, cost, self.load(), self.lot)
    }

    /// The calls on it in thousandths of what it may have; calls themselves if it has no limit.
    fn load(&self) -> u64 {
        let calls = u64::from(self.health.calls);
        match self.trunk.concurrent_calls {
            Some(most) => calls * 1000 / u64::from(most.max(1)),
            None => calls,
        }
    }

    fn is_full(&self) -> bool {
        self.trunk.concurrent_calls.is_some_and(|most| self.health.calls >= most)
    }
}

/// What speaks for or against it.
impl fmt::Display for Offer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.route {
            Some(OutboundRoute { prefix, priority, cost, .. }) => {
                if prefix.is_empty() {
                    f.write_str("every number")?;
                } else {
                    write!(f, "prefix {prefix}")?;
                }
                write!(f, ", priority {priority}, cost {cost}")?;
            }
            None if self.trunk.emergency => f.write_str("for emergencies")?,
            None => f.write_str("any trunk, for an emergency")?,
        }
        match (self.is_full(), self.trunk.concurrent_calls) {
            (true, Some(most)) => write!(f, ", full with {} of {most} calls", self.health.calls)?,
            (_, Some(most)) => write!(f, ", {} of {most} calls", self.health.calls)?,
            (_, None) if self.health.calls > 0 => write!(f, ", {} calls", self.health.calls)?,
            (_, None) => {}
        }
        match self.health.state {
            HealthState::Up => Ok(()),
            HealthState::Unknown => f.write_str(", not probed yet"),
            HealthState::Down => f.write_str(", down: tried last"),
        }
    }
}
