//! In whose name an agent speaks: From, and what P-Asserted-Identity or P-Preferred-Identity
//! (RFC 3325) say, must be the agent's own name, extension or number, or nobody's (RFC 3323).

use routing::{Agent, Directory, E164, Tenant};
use sip::{Address, Message, Name, Uri};

/// Whether everything a request says of its sender is that agent's own.
pub(super) fn is_own(
    directory: &Directory,
    tenant: &Tenant,
    agent: &Agent,
    request: &Message,
) -> bool {
    let Ok(from) = request.from() else { return false };
    let shown = directory.caller_number(&tenant.id, Some(&agent.id));
    if !names(tenant, agent, shown.as_ref(), &from.uri()) && !is_nobody(&from.uri()) {
        return false;
    }
    [Name::P_ASSERTED_IDENTITY, Name::P_PREFERRED_IDENTITY].into_iter().all(|name| {
        request.list(name).all(|value| {
            Address::parse(value)
                .is_ok_and(|address| names(tenant, agent, shown.as_ref(), &address.uri()))
        })
    })
}

/// The agent of a tenant whom a user part names: by name or by extension.
pub(crate) fn agent_named<'a>(tenant: &'a Tenant, user: &str) -> Option<&'a Agent> {
    let named = tenant.agents.iter().find(|agent| agent.id.as_str() == user);
    named.or_else(|| tenant.agents.iter().find(|agent| agent.extension.as_deref() == Some(user)))
}

fn names(tenant: &Tenant, agent: &Agent, shown: Option<&E164>, uri: &Uri<'_>) -> bool {
    let Some(user) = uri.user_unescaped() else { return false };
    if uri.is_tel() {
        return is_number(shown, &user);
    }
    if !uri.is_sip() || !uri.host().eq_ignore_ascii_case(&tenant.domain) {
        return false;
    }
    *user == *agent.id.as_str()
        || agent.extension.as_deref() == Some(&*user)
        || is_number(shown, &user)
}

/// Whether a text is that number, which those are shown whom the agent calls.
fn is_number(shown: Option<&E164>, text: &str) -> bool {
    E164::normalise(text).is_ok_and(|number| Some(&number) == shown)
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
