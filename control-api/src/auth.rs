//! Who asks, and for which tenant. A key is looked up by its SHA-256; one tenant's key finds
//! nothing of another's, and keys for loopback only open nothing from elsewhere.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::request::Parts;
use axum::http::{Extensions, HeaderMap, header};
use base::{AgentId, TenantId};
use routing::Role;
use store::{KeyRow, key_digest};
use subtle::ConstantTimeEq;

use crate::fault::Fault;
use crate::state::{Api, Shared};

/// Longer than any key that is provisioned.
const LONGEST_KEY: usize = 512;
/// Wrong keys from one address in [`WINDOW`], then 429.
const MOST_ATTEMPTS: u32 = 30;
const WINDOW: Duration = Duration::from_secs(60);
/// Addresses remembered; past that the oldest window is forgotten.
const MOST_ADDRESSES: usize = 10_000;
/// What proxies add: behind one, every peer looks like loopback.
const FORWARDED: [&str; 4] = ["forwarded", "x-forwarded-for", "x-real-ip", "via"];

/// Whoever holds the key.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) role: Role,
    /// The key's tenant; `None` is the platform.
    pub(crate) tenant: Option<TenantId>,
    /// The agent that a key with the role `agent` speaks for.
    pub(crate) agent: Option<AgentId>,
    /// What the key is called.
    pub(crate) name: String,
    /// Names the key without being it.
    pub(crate) digest: [u8; 32],
}

impl FromRequestParts<Api> for Caller {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Fault> {
        authenticate(api, &parts.headers, &parts.extensions).await
    }
}

/// Whose key stands in the `Authorization` header.
pub(crate) async fn authenticate(
    api: &Shared,
    headers: &HeaderMap,
    extensions: &Extensions,
) -> Result<Caller, Fault> {
    let key = bearer(headers).ok_or_else(Fault::unauthenticated)?;
    let digest = key_digest(key);
    let found = api.keys.find(&api.directory(), &digest);
    // The index found it by a hash that nobody can steer; the comparison costs nothing more.
    let row = found.filter(|row| bool::from(row.digest.ct_eq(&digest)));
    let local = is_loopback(headers, extensions);
    match row.filter(|row| local || !row.loopback_only).and_then(caller) {
        Some(caller) => Ok(caller),
        None if api.attempts.one_more(peer(extensions)) => Err(Fault::unauthenticated()),
        None => Err(Fault::too_many_attempts()),
    }
}

/// A code of a link that opens nothing; those of one address are counted with its wrong keys.
pub(crate) fn wrong_code(api: &Shared, extensions: &Extensions) -> Fault {
    let is_in_bounds = api.attempts.one_more(peer(extensions));
    if is_in_bounds { Fault::unauthenticated() } else { Fault::too_many_attempts() }
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = value.split_once(' ')?;
    let key = key.trim();
    let fits = scheme.eq_ignore_ascii_case("bearer") && (1..=LONGEST_KEY).contains(&key.len());
    fits.then_some(key)
}

/// A key without what its role needs opens nothing.
fn caller(row: KeyRow) -> Option<Caller> {
    let whole = match row.role {
        Role::Platform => row.tenant.is_none(),
        Role::Admin | Role::Supervisor => row.tenant.is_some(),
        Role::Agent => row.tenant.is_some() && row.agent.is_some(),
    };
    let KeyRow { role, tenant, agent, digest, name, .. } = row;
    whole.then_some(Caller { role, tenant, agent, name, digest })
}

fn peer(extensions: &Extensions) -> Option<IpAddr> {
    let ConnectInfo(address) = extensions.get::<ConnectInfo<SocketAddr>>()?;
    Some(address.ip().to_canonical())
}

/// Whether the request comes from this machine itself, and not through a proxy on it.
pub(crate) fn is_loopback(headers: &HeaderMap, extensions: &Extensions) -> bool {
    peer(extensions).is_some_and(|peer| peer.is_loopback())
        && !FORWARDED.iter().any(|name| headers.contains_key(*name))
}

/// The caller and the tenant the request is about: the key's own, or for the platform the one
/// that `?tenant=` or `X-Tenant` names.
#[derive(Debug, Clone)]
pub(crate) struct Scoped {
    pub(crate) caller: Caller,
    pub(crate) tenant: TenantId,
}

impl FromRequestParts<Api> for Scoped {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Fault> {
        let caller = Caller::from_request_parts(parts, api).await?;
        let named = named_tenant(parts)?;
        let tenant = caller.scope(api, named).await?;
        Ok(Self { caller, tenant })
    }
}

/// The caller, and the tenant the request is about if it is about one: a platform key need not say.
#[derive(Debug, Clone)]
pub(crate) struct Asking {
    pub(crate) caller: Caller,
    pub(crate) tenant: Option<TenantId>,
}

impl FromRequestParts<Api> for Asking {
    type Rejection = Fault;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Fault> {
        let caller = Caller::from_request_parts(parts, api).await?;
        let named = named_tenant(parts)?;
        let tenant = match (&caller.tenant, named) {
            (None, None) => None,
            (_, named) => Some(caller.scope(api, named).await?),
        };
        Ok(Self { caller, tenant })
    }
}

impl Caller {
    async fn scope(&self, api: &Shared, named: Option<TenantId>) -> Result<TenantId, Fault> {
        match (&self.tenant, named) {
            (Some(own), None) => Ok(own.clone()),
            (Some(own), Some(named)) if *own == named => Ok(named),
            (Some(_), Some(_)) => Err(Fault::not_found("tenant")),
            (None, Some(named)) if api.knows(&named).await? => Ok(named),
            (None, Some(_)) => Err(Fault::not_found("tenant")),
            (None, None) => Err(Fault::invalid(
                "tenant",
                "a platform key must say which tenant, as ?tenant= or X-Tenant",
            )),
        }
    }

    /// Only the platform's own keys.
    pub(crate) fn platform(&self) -> Result<(), Fault> {
        if self.role == Role::Platform { Ok(()) } else { Err(Fault::forbidden()) }
    }
}

impl Scoped {
    /// Everybody but agents: they see their own alone.
    pub(crate) fn sees_all(&self) -> Result<(), Fault> {
        if self.caller.role == Role::Agent { Err(Fault::forbidden()) } else { Ok(()) }
    }

    /// Those who change what is provisioned: the tenant's own administrators, and the platform.
    pub(crate) fn administers(&self) -> Result<(), Fault> {
        match self.caller.role {
            Role::Platform | Role::Admin => Ok(()),
            Role::Supervisor | Role::Agent => Err(Fault::forbidden()),
        }
    }

    /// The agent that the caller is limited to, if it is.
    pub(crate) fn only_agent(&self) -> Option<&AgentId> {
        if self.caller.role == Role::Agent { self.caller.agent.as_ref() } else { None }
    }

    /// Whether something that belongs to this agent (or to nobody) is the caller's to see.
    pub(crate) fn may_see(&self, agent: Option<&AgentId>) -> bool {
        self.only_agent().is_none_or(|own| agent == Some(own))
    }
}

/// `?tenant=` before `X-Tenant`; both must be a tenant's name.
fn named_tenant(parts: &Parts) -> Result<Option<TenantId>, Fault> {
    let query = parts.uri.query().unwrap_or_default();
    let in_query = query.split('&').find_map(|pair| pair.strip_prefix("tenant="));
    let in_header = parts.headers.get("x-tenant").map(|value| value.to_str().unwrap_or("\0"));
    match in_query.or(in_header) {
        None => Ok(None),
        // What cannot be a name is no tenant's.
        Some(text) => TenantId::new(text).map(Some).map_err(|_| Fault::not_found("tenant")),
    }
}

/// Wrong keys by address, counted in windows.
#[derive(Default)]
pub(crate) struct Attempts(Mutex<BTreeMap<IpAddr, (Instant, u32)>>);

impl Attempts {
    /// Counts one; false when it is one too many.
    fn one_more(&self, peer: Option<IpAddr>) -> bool {
        let Some(peer) = peer else { return true };
        let now = Instant::now();
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if windows.len() >= MOST_ADDRESSES && !windows.contains_key(&peer) {
            windows.retain(|_, (began, _)| now.duration_since(*began) < WINDOW);
            let oldest = windows.iter().min_by_key(|(_, (began, _))| *began).map(|(ip, _)| *ip);
            if let Some(oldest) = oldest.filter(|_| windows.len() >= MOST_ADDRESSES) {
                windows.remove(&oldest);
            }
        }
        let (began, count) = windows.entry(peer).or_insert((now, 0));
        if now.duration_since(*began) >= WINDOW {
            (*began, *count) = (now, 0);
        }
        *count = count.saturating_add(1);
        *count <= MOST_ATTEMPTS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_keys_from_one_address_are_counted_and_others_are_not_harmed() {
        let attempts = Attempts::default();
        let (a, b) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        assert!((0..MOST_ATTEMPTS).all(|_| attempts.one_more(Some(a))));
        assert!(!attempts.one_more(Some(a)));
        assert!(attempts.one_more(Some(b)));
    }

    #[test]
    fn the_memory_of_wrong_keys_is_bounded() {
        let attempts = Attempts::default();
        for number in 0..(MOST_ADDRESSES as u32 + 500) {
            attempts.one_more(Some(IpAddr::from(number.to_be_bytes())));
        }
        assert!(attempts.0.lock().unwrap().len() <= MOST_ADDRESSES);
    }

    #[test]
    fn a_proxy_on_this_machine_does_not_make_its_clients_local() {
        let mut extensions = Extensions::new();
        extensions.insert(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 9))));
        let mut headers = HeaderMap::new();
        assert!(is_loopback(&headers, &extensions));
        headers.insert("x-forwarded-for", "203.0.113.9".parse().unwrap());
        assert!(!is_loopback(&headers, &extensions));
        assert!(!is_loopback(&HeaderMap::new(), &Extensions::new()));
    }
}
