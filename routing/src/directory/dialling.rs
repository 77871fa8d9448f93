//! What a tenant's people dial, and what follows from it: extensions, country, routes, caller id.

use std::collections::{BTreeMap, BTreeSet};

use base::{AgentId, TenantId};

use super::Directory;
use crate::number::emergency;
use crate::{Country, Dialled, E164, OutboundRoute, Tenant};

/// What decides about a tenant's dialling: its own words, else its nearest parent's.
#[derive(Default)]
pub(super) struct Dialling {
    country: Option<Country>,
    /// The countries whose numbers are not international.
    home: BTreeSet<Country>,
    /// The tenant whose routes it takes.
    routes_of: Option<usize>,
    caller_id: Option<E164>,
    extensions: BTreeMap<String, Dialled>,
    emergency_numbers: BTreeSet<String>,
}

impl Dialling {
    /// Passes over what cannot be read: the checks tell it.
    pub(super) fn gather(tenants: &[Tenant], line: &[usize]) -> Self {
        let line = || line.iter().filter_map(|at| Some((*at, tenants.get(*at)?)));
        let own_numbers = |tenant: &Tenant| -> Vec<E164> {
            let numbers = tenant.numbers.iter();
            numbers.filter_map(|number| E164::normalise(&number.number).ok()).collect()
        };
        let country = line().find_map(|(_, t)| t.country.as_deref()).and_then(Country::new);
        let home = match country {
            Some(country) => BTreeSet::from([country]),
            None => line()
                .map(|(_, tenant)| own_numbers(tenant))
                .find(|numbers| !numbers.is_empty())
                .map_or_else(BTreeSet::new, |numbers| countries(&numbers)),
        };
        let said = line().find_map(|(_, tenant)| tenant.caller_id.as_deref());
        let caller_id = match said {
            Some(number) => E164::normalise(number).ok(),
            None => line().find_map(|(_, tenant)| own_numbers(tenant).into_iter().next()),
        };
        let numbers = line().flat_map(|(_, tenant)| &tenant.emergency_numbers).cloned();
        Self {
            country,
            home,
            routes_of: line().find(|(_, tenant)| !tenant.routes.is_empty()).map(|(at, _)| at),
            caller_id,
            extensions: line().next().map_or_else(BTreeMap::new, |(_, t)| extensions(t)),
            emergency_numbers: numbers.collect(),
        }
    }
}

/// The countries of these numbers. Area codes that many of them share are looked at once.
fn countries(numbers: &[E164]) -> BTreeSet<Country> {
    let mut areas = BTreeSet::new();
    let mut countries = BTreeSet::new();
    for number in numbers {
        let area = number.as_str().get(..6).unwrap_or(number.as_str());
        if areas.insert(area) {
            countries.extend(number.country());
        }
    }
    countries
}

fn extensions(tenant: &Tenant) -> BTreeMap<String, Dialled> {
    let agents = tenant
        .agents
        .iter()
        .filter_map(|agent| Some((agent.extension.clone()?, Dialled::Agent(agent.id.clone()))));
    let queues = tenant
        .queues
        .iter()
        .filter_map(|queue| Some((queue.extension.clone()?, Dialled::Queue(queue.id.clone()))));
    agents.chain(queues).collect()
}

impl Directory {
    /// The agent or the queue that a keypad dials so.
    #[must_use]
    pub fn extension(&self, tenant: &TenantId, digits: &str) -> Option<Dialled> {
        self.tenants.get(tenant)?.dialling.extensions.get(digits).cloned()
    }

    /// Whether an extension of the tenant's begins with these digits and is longer.
    #[must_use]
    pub fn has_longer_extension(&self, tenant: &TenantId, digits: &str) -> bool {
        let all = self.tenants.get(tenant).map(|index| &index.dialling.extensions);
        let mut from = all.into_iter().flat_map(|all| all.range(digits.to_owned()..));
        let mut beginning = from.by_ref().take_while(|(known, _)| known.starts_with(digits));
        beginning.any(|(known, _)| known.len() > digits.len())
    }

    /// The country whose numbers the tenant dials without a country code.
    #[must_use]
    pub fn country(&self, tenant: &TenantId) -> Option<Country> {
        self.tenants.get(tenant)?.dialling.country
    }

    /// Whether the number is in the tenant's own country: the one it is said to be in, else those
    /// of its numbers.
    #[must_use]
    pub fn is_home(&self, tenant: &TenantId, number: &E164) -> bool {
        let Some(index) = self.tenants.get(tenant) else { return false };
        number.country().is_some_and(|country| index.dialling.home.contains(&country))
    }

    /// Whether these digits call for help where the tenant is.
    #[must_use]
    pub fn is_emergency(&self, tenant: &TenantId, digits: &str) -> bool {
        let dialling = self.tenants.get(tenant).map(|index| &index.dialling);
        let country = dialling.and_then(|dialling| dialling.country);
        emergency::is_emergency(country.as_ref().map(Country::as_str), digits)
            || dialling.is_some_and(|dialling| dialling.emergency_numbers.contains(digits))
    }

    /// The tenant's routes to the outside: its own, else the nearest parent's that has some.
    #[must_use]
    pub fn routes(&self, tenant: &TenantId) -> &[OutboundRoute] {
        let place = self.tenants.get(tenant).and_then(|index| index.dialling.routes_of);
        place.and_then(|at| self.provisioning.tenants.get(at)).map_or(&[], |t| &t.routes)
    }

    /// The number that those are shown whom this agent calls, or the tenant itself: the agent's,
    /// else the tenant's, else the nearest parent's, else the first of the tenant's own numbers.
    #[must_use]
    pub fn caller_number(&self, tenant: &TenantId, agent: Option<&AgentId>) -> Option<E164> {
        let own = agent.and_then(|agent| self.agent(tenant, agent)?.caller_id.as_deref());
        match own {
            Some(number) => E164::normalise(number).ok(),
            None => self.tenants.get(tenant)?.dialling.caller_id.clone(),
        }
    }

    /// Whether the tenant may show this number to those it calls: it is a number of its own or of
    /// a parent's, or provisioned as a caller id there.
    #[must_use]
    pub fn may_show(&self, tenant: &TenantId, number: &E164) -> bool {
        let Some(index) = self.tenants.get(tenant) else { return false };
        if self.owns(tenant, number) {
            return true;
        }
        let line = || index.line.iter().filter_map(|at| self.provisioning.tenants.get(*at));
        let agents = line().next().into_iter().flat_map(|tenant| &tenant.agents);
        let agents = agents.filter_map(|agent| agent.caller_id.as_deref());
        let said = line().filter_map(|tenant| tenant.caller_id.as_deref()).chain(agents);
        said.filter_map(|text| E164::normalise(text).ok()).any(|shown| shown == *number)
    }

    /// Whether the number is one of the tenant's or of its parents'.
    #[must_use]
    pub fn owns(&self, tenant: &TenantId, number: &E164) -> bool {
        let owner = self.number_of(number).map(|(owner, _)| &owner.id);
        owner.is_some_and(|owner| self.line(tenant).any(|(id, _)| id == owner))
    }
}
