//! From a dialled number to a tenant's flow: the number a call came in on decides everything else.

use base::{FlowId, TenantId};
use serde::Serialize;

use crate::{Directory, E164, NumberError, Trunk, read_called};

/// Where a call goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Route {
    /// Whose call it is.
    pub tenant: TenantId,
    /// The number as it is provisioned.
    pub number: E164,
    /// What happens next.
    pub flow: FlowId,
    /// Why, a sentence a step.
    pub reasons: Vec<String>,
}

/// Why a call goes nowhere. The sentence is for our records, not for the caller: to a carrier
/// all but the first look alike.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RouteRefusal {
    /// What was dialled cannot be read as a number.
    #[error("what was dialled is not a number: {0}")]
    NotANumber(#[from] NumberError),
    /// Nobody has the number.
    #[error("no tenant has the number {0}")]
    UnknownNumber(E164),
    /// Another tenant has it, and the trunk may not call it. The sentence does not say whose it is:
    /// the trunk's own tenant reads it.
    #[error("the trunk may not call the number {0}")]
    TrunkNotAllowed(E164),
}

/// Finds the tenant and the flow of what was dialled over a trunk.
///
/// # Errors
/// When it is no number, nobody's number, or not for this trunk.
pub fn route(directory: &Directory, trunk: &Trunk, dialled: &str) -> Result<Route, RouteRefusal> {
    let number = read_called(trunk, dialled)?;
    let Some((tenant, entry)) = directory.number_of(&number) else {
        return Err(RouteRefusal::UnknownNumber(number));
    };
    if !directory.trunk_serves(trunk, &tenant.id) {
        return Err(RouteRefusal::TrunkNotAllowed(number));
    }
    let mut reasons = Vec::with_capacity(3);
    if dialled != number.as_str() {
        reasons.push(format!("{dialled:?} was dialled, which is {number}"));
    }
    reasons.push(format!("{number} belongs to tenant {}", tenant.id));
    reasons.push(format!("its calls take the flow {}", entry.flow));
    Ok(Route { tenant: tenant.id.clone(), number, flow: entry.flow.clone(), reasons })
}

/// The same where a call can be of several trunks, because they share a source: the first of them
/// over which the number can be called, else the first one's refusal.
///
/// # Errors
/// When it is no number, nobody's number, or for none of these trunks.
pub fn route_among<'a>(
    directory: &Directory,
    trunks: &[&'a Trunk],
    dialled: &str,
) -> Result<(&'a Trunk, Route), RouteRefusal> {
    let mut refused = None;
    for trunk in trunks {
        match route(directory, trunk, dialled) {
            Ok(route) => return Ok((trunk, route)),
            Err(refusal) => {
                refused.get_or_insert(refusal);
            }
        }
    }
    Err(refused.unwrap_or(RouteRefusal::NotANumber(NumberError::Length(0))))
}
