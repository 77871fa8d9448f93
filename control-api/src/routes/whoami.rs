//! `/api/v1/whoami`: whose key it is, and what it opens; the first thing that a page asks.

use axum::extract::State;
use routing::Role;
use serde::Serialize;
use utoipa::ToSchema;

use crate::answer::Answer;
use crate::auth::Asking;
use crate::fault::Fault;
use crate::state::Api;

/// Whoever holds the key.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Whoami {
    /// What the key is called.
    name: String,
    /// `platform`, `admin`, `supervisor` or `agent`.
    #[schema(example = "supervisor")]
    role: &'static str,
    /// The tenant that requests with this key are about: its own, or the one that a platform key
    /// names with this request; null if it names none.
    #[schema(example = "acme")]
    tenant: Option<String>,
    /// The tenants that it may name: all that are provisioned for a platform key, else its own.
    tenants: Vec<Choice>,
    /// The agent that the key speaks for: always of the role `agent`, of others if its
    /// provisioning says so.
    agent: Option<Named>,
    /// What it opens, in words; see the table of keys.
    scopes: Vec<&'static str>,
}

/// A tenant that may be named.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Choice {
    /// The tenant, as in the provisioning.
    #[schema(example = "acme")]
    id: String,
    /// What people call it.
    name: String,
}

/// An agent.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Named {
    /// The agent, as in the provisioning.
    #[schema(example = "alice")]
    id: String,
    /// What people call the agent.
    name: String,
    /// Whether the agent may supervise any conversations.
    supervises: bool,
}

/// Tells whose key it is.
///
/// With a platform key the tenant is that of the request, and may be left out.
#[utoipa::path(get, path = "/api/v1/whoami", tag = "keys",
    responses((status = 200, description = "Whoever holds the key", body = Answer<Whoami>)))]
pub(crate) async fn whoami(
    State(api): State<Api>,
    asking: Asking,
) -> Result<Answer<Whoami>, Fault> {
    let Asking { caller, tenant } = asking;
    let directory = api.directory();
    let tenants = directory.provisioning().tenants.iter();
    let seen = tenants.filter(|one| caller.tenant.as_ref().is_none_or(|own| one.id == *own));
    let choice = |one: &routing::Tenant| Choice {
        id: one.id.to_string(),
        name: shown(&one.name, one.id.as_str()),
    };
    let agent = caller.agent.as_ref().zip(tenant.as_ref()).and_then(|(agent, tenant)| {
        let known = directory.agent(tenant, agent)?;
        let supervises = known.supervises != routing::Supervises::Nothing;
        Some(Named { id: agent.to_string(), name: shown(&known.name, agent.as_str()), supervises })
    });
    let who = Whoami {
        tenants: seen.map(choice).collect(),
        role: caller.role.as_str(),
        tenant: tenant.map(|tenant| tenant.to_string()),
        agent,
        scopes: scopes(caller.role),
        name: caller.name,
    };
    Ok(Answer::new(who, "whose key it is"))
}

fn shown(name: &str, id: &str) -> String {
    if name.is_empty() { id.to_owned() } else { name.to_owned() }
}

/// What a role opens. A page shows what stands here, and the routes themselves refuse the rest.
fn scopes(role: Role) -> Vec<&'static str> {
    const AGENT: [&str; 2] = ["own_calls", "own_agent"];
    const SUPERVISOR: [&str; 6] =
        ["calls", "agents", "queues", "recordings", "events", "supervision"];
    const ADMIN: [&str; 2] = ["captures", "secured_digits"];
    const PLATFORM: [&str; 3] = ["tenants", "trunks", "provisioning"];
    match role {
        Role::Agent => AGENT.to_vec(),
        Role::Supervisor => SUPERVISOR.to_vec(),
        Role::Admin => [&SUPERVISOR[..], &ADMIN].concat(),
        Role::Platform => [&SUPERVISOR[..], &ADMIN, &PLATFORM].concat(),
    }
}
