//! What an agent, a forward, a transfer or the API dials, and whether it may: the one dial policy.
//!
//! However it is written (a name, an extension, `+49...`, `0049...`, `tel:`, a SIP address), it is
//! read once here; what is decided is decided about what was read. Emergency numbers come first:
//! nothing that follows can take one away.

use std::fmt;

use base::{AgentId, FlowId, QueueId, TenantId};
use serde::Serialize;

use crate::number::{Written, emergency};
use crate::{Country, DialPolicy, Directory, E164, Limits, NumberError};

/// Who or what was dialled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dialled {
    /// An agent of the tenant, by name or extension.
    Agent(AgentId),
    /// A queue of the tenant, by name or extension.
    Queue(QueueId),
    /// A number of the tenant's own: its flow takes the call, which never leaves the engine.
    OwnNumber {
        /// The number.
        number: E164,
        /// What happens to its calls.
        flow: FlowId,
    },
    /// A number outside: over a trunk, see [`outbound`](crate::outbound).
    Outside(Destination),
}

/// A number outside.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Destination {
    /// A number of the world's numbering plan.
    Number(E164),
    /// A short number that a route of the tenant names, as dialled: `116117`.
    ShortCode(Box<str>),
    /// An emergency number, as dialled: `112`. No limit, policy, suspension or drain stops it.
    Emergency(Box<str>),
}

impl Destination {
    /// Whether nothing may stop the call.
    #[must_use]
    pub fn is_emergency(&self) -> bool {
        matches!(self, Self::Emergency(_))
    }

    /// The number with its `+`, or the short number's digits.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Number(number) => number.as_str(),
            Self::ShortCode(digits) | Self::Emergency(digits) => digits,
        }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Serialize for Destination {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

/// Why something may not, or cannot, be dialled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DialRefused {
    /// The tenant or the agent who dials is not provisioned.
    #[error("whoever dials is not provisioned")]
    NoCaller,
    /// The address is in another tenant's domain.
    #[error("the address is in another tenant's domain")]
    OtherDomain,
    /// A name, but neither an agent's nor a queue's.
    #[error("nobody is called {0:?}, no queue is, and it is no number")]
    NoSuchName(String),
    /// What was dialled cannot be read as a number.
    #[error("what was dialled is not a number: {0}")]
    NotANumber(#[from] NumberError),
    /// The agent may dial nobody.
    #[error("the agent may not dial")]
    MayNotDial,
    /// The agent may dial inside only.
    #[error("the agent may dial agents, queues and own numbers only, not {0}")]
    InternalOnly(Destination),
    /// None of the agent's prefixes fits.
    #[error("no prefix that the agent may dial begins {0}")]
    OtherPrefix(Destination),
    /// Another country's number, and the tenant's limits do not allow it.
    #[error("{number} is a number of {country}, and the tenant may not dial other countries")]
    International {
        /// The number.
        number: E164,
        /// Its country, or its country code where there is none.
        country: String,
    },
    /// A premium-rate number, and the tenant's limits do not allow it.
    #[error("{0} is a premium-rate number, and the tenant may not dial those")]
    Premium(E164),
}

impl DialRefused {
    /// Whether it is there but not allowed (403); otherwise it is nothing that exists (404).
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        match self {
            Self::NoCaller | Self::NoSuchName(_) | Self::NotANumber(_) => false,
            Self::OtherDomain
            | Self::MayNotDial
            | Self::InternalOnly(_)
            | Self::OtherPrefix(_)
            | Self::International { .. }
            | Self::Premium(_) => true,
        }
    }
}

/// Reads what was dialled and decides whether it may be. `from` is the agent who dials or whose
/// forward it is; without one the tenant itself dials (the API), within its limits.
///
/// # Errors
/// When it is nothing that exists, or not allowed.
pub fn dial(
    directory: &Directory,
    tenant: &TenantId,
    from: Option<&AgentId>,
    text: &str,
) -> Result<Dialled, DialRefused> {
    let country = directory.country(tenant);
    let written = match Written::read(text) {
        // What cannot even be read may still be a call for help.
        Written::Help => return Ok(help(country)),
        written => written,
    };
    if let Some(digits) = emergency_number(directory, tenant, country, &written) {
        return Ok(Dialled::Outside(Destination::Emergency(digits.into())));
    }
    let policy = match from {
        Some(agent) => &directory.agent(tenant, agent).ok_or(DialRefused::NoCaller)?.may_dial,
        None if directory.tenant(tenant).is_none() => return Err(DialRefused::NoCaller),
        None => &DialPolicy::Everything,
    };
    if *policy == DialPolicy::None {
        return Err(DialRefused::MayNotDial);
    }
    let elsewhere = |host: &str| directory.tenant_by_domain(host).is_some_and(|t| t.id != *tenant);
    if written.host().is_some_and(elsewhere) {
        return Err(DialRefused::OtherDomain);
    }
    if let Some(inside) = by_name(directory, tenant, &written) {
        return Ok(inside);
    }
    let destination = match short_code(directory, tenant, &written) {
        Some(destination) => destination,
        None => Destination::Number(number(&written, country)?),
    };
    if let Destination::Number(number) = &destination
        && let Some((owner, entry)) = directory.number_of(number)
        && owner.id == *tenant
    {
        return Ok(Dialled::OwnNumber { number: number.clone(), flow: entry.flow.clone() });
    }
    permit(policy, &destination)?;
    if let Destination::Number(number) = &destination {
        permit_far(directory, tenant, number)?;
    }
    Ok(Dialled::Outside(destination))
}

fn help(country: Option<Country>) -> Dialled {
    let number = emergency::general(country.as_ref().map(Country::as_str));
    Dialled::Outside(Destination::Emergency(number.into()))
}

/// The emergency number that was dialled, however: `112`, `1-1-2`, `tel:112;phone-context=+49`,
/// and with the country's code in front, as some phones complete it: `+49112`.
fn emergency_number(
    directory: &Directory,
    tenant: &TenantId,
    country: Option<Country>,
    written: &Written<'_>,
) -> Option<String> {
    let digits = written.digits()?;
    if directory.is_emergency(tenant, digits) {
        return Some(digits.to_owned());
    }
    let code = country?.calling_code().to_string();
    let full = E164::of_written(written, country).ok()?;
    let rest = full.as_str().get(1..)?.strip_prefix(code.as_str())?;
    directory.is_emergency(tenant, rest).then(|| rest.to_owned())
}

/// Agents before queues, names before extensions.
fn by_name(directory: &Directory, tenant: &TenantId, written: &Written<'_>) -> Option<Dialled> {
    let name = written.name();
    let lower = name.to_ascii_lowercase();
    if let Ok(id) = AgentId::new(&lower)
        && directory.agent(tenant, &id).is_some()
    {
        return Some(Dialled::Agent(id));
    }
    if let Ok(id) = QueueId::new(&lower)
        && directory.queue(tenant, &id).is_some()
    {
        return Some(Dialled::Queue(id));
    }
    directory.extension(tenant, written.local_digits()?)
}

/// A short number: digits alone, and a route of the tenant's names its beginning.
fn short_code(
    directory: &Directory,
    tenant: &TenantId,
    written: &Written<'_>,
) -> Option<Destination> {
    let digits = written.local_digits().filter(|digits| (2..=6).contains(&digits.len()))?;
    let named = |prefix: &str| !prefix.is_empty() && digits.starts_with(prefix);
    let routed = directory.routes(tenant).iter().any(|route| named(&route.prefix));
    routed.then(|| Destination::ShortCode(digits.into()))
}

fn number(written: &Written<'_>, country: Option<Country>) -> Result<E164, DialRefused> {
    let letters = |c: char| c.is_alphabetic();
    match E164::of_written(written, country) {
        Err(NumberError::Character(c)) if letters(c) => {
            Err(DialRefused::NoSuchName(written.name().into_owned()))
        }
        read => Ok(read?),
    }
}

/// Whether the agent may dial outside, and this.
fn permit(policy: &DialPolicy, destination: &Destination) -> Result<(), DialRefused> {
    match policy {
        DialPolicy::Everything => Ok(()),
        DialPolicy::None => Err(DialRefused::MayNotDial),
        DialPolicy::Internal => Err(DialRefused::InternalOnly(destination.clone())),
        DialPolicy::Prefixes(prefixes) => {
            if prefixes.iter().any(|prefix| destination.as_str().starts_with(prefix)) {
                Ok(())
            } else {
                Err(DialRefused::OtherPrefix(destination.clone()))
            }
        }
    }
}

/// Whether the tenant's limits allow a number: premium rates and other countries are where toll
/// fraud earns its money.
fn permit_far(directory: &Directory, tenant: &TenantId, number: &E164) -> Result<(), DialRefused> {
    let limits = directory.limits(tenant);
    let allowed = |which: fn(&Limits) -> Option<bool>| limits.and_then(which).unwrap_or(false);
    if !allowed(|limits| limits.premium) && number.is_premium() {
        return Err(DialRefused::Premium(number.clone()));
    }
    if allowed(|limits| limits.international) || directory.is_home(tenant, number) {
        return Ok(());
    }
    let country = match number.country() {
        Some(country) => country.to_string(),
        None => format!("country code {}", number.calling_code()),
    };
    Err(DialRefused::International { number: number.clone(), country })
}
