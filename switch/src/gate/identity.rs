//! In whose name an agent speaks: From, and what P-Asserted-Identity or P-Preferred-Identity
//! (RFC 3325) say, must be the agent's own name, extension or number, or nobody's (RFC 3323).

use routing::{Agent, E164, Tenant};
use sip::{Address, Message, Name, Uri};

/// Whether everything a request says of its sender is that agent's own.
pub(super) fn is_own(tenant: &Tenant, agent: &Agent, request: &Message) -> bool {
    let Ok(from) = request.from() else { return false };
    if !names(tenant, agent, &from.uri()) && !is_nobody(&from.uri()) {
        return false;
    }
    [Name::P_ASSERTED_IDENTITY, Name::P_PREFERRED_IDENTITY].into_iter().all(|name| {
        request.list(name).all(|value| {
            Address::parse(value).is_ok_and(|address| names(tenant, agent, &address.uri()))
        })
    })
}

/// The agent of a tenant whom a user part names: by name or by extension.
pub(crate) fn agent_named<'a>(tenant: &'a Tenant, user: &str) -> Option<&'a Agent> {
    let named = tenant.agents.iter().find(|agent| agent.id.as_str() == user);
    named.or_else(|| tenant.agents.iter().find(|agent| agent.extension.as_deref() == Some(user)))
}

fn names(tenant: &Tenant, agent: &Agent, uri: &Uri<'_>) -> bool {
    let Some(user) = uri.user_unescaped() else { return false };
    if uri.scheme().eq_ignore_ascii_case("tel") {
        return is_number_of(tenant, agent, &user);
    }
    if !uri.is_sip() || !uri.host().eq_ignore_ascii_case(&tenant.domain) {
        return false;
    }
    *user == *agent.id.as_str()
        || agent.extension.as_deref() == Some(&*user)
        || is_number_of(tenant, agent, &user)
}

/// Whether a number is the one that those whom the agent calls are shown.
fn is_number_of(tenant: &Tenant, agent: &Agent, text: &str) -> bool {
    let own = agent.caller_id.as_ref().or(tenant.caller_id.as_ref());
    let Some(own) = own.and_then(|own| E164::normalise(own).ok()) else { return false };
    E164::normalise(text).is_ok_and(|number| number == own)
}

/// `anonymous@anonymous.invalid`, or a domain like it.
fn is_nobody(uri: &Uri<'_>) -> bool {
    is_hidden(uri.host()) && uri.user().is_none_or(|user| user.eq_ignore_ascii_case("anonymous"))
}

/// A host that says nothing (RFC 2606 §2).
pub(super) fn is_hidden(host: &str) -> bool {
    let tail = host.len().checked_sub(".invalid".len()).and_then(|at| host.get(at..));
    tail.is_some_and(|tail| tail.eq_ignore_ascii_case(".invalid"))
}
