//! `/api/v1/trunks`: which carriers can be reached, and whether we are registered with them.

use axum::extract::State;
use axum::http::Uri;
use routing::Role;
use serde::{Deserialize, Serialize};
use store::EventRow;
use switch::{ApiReply, ApiRequest, OwnBindingView, TargetView as Target, TrunkView as Trunk};
use utoipa::ToSchema;

use super::agents::strange;
use super::calls::ListQuery;
use crate::answer::{Answer, PageOf, page};
use crate::auth::{Caller, Scoped};
use crate::fault::Fault;
use crate::params::Params;
use crate::state::Api;

/// Changes that are told.
const MOST_CHANGES: u32 = 200;

/// A trunk.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TrunkView {
    /// The trunk, as in the provisioning.
    #[schema(example = "carrier-a")]
    id: String,
    /// What people call it.
    name: String,
    /// Whether calls to it have a chance: `up`, `down`, or `unknown` when nothing has been heard.
    state: String,
    /// Since when; null if it has been so since it was provisioned.
    since: Option<String>,
    /// Its calls that are up, both ways; null for a tenant, whose they may not be.
    calls: Option<u32>,
    /// Where calls to it are sent.
    targets: Vec<TargetView>,
    /// Our registration with it; absent if it wants none.
    registration: Option<RegistrationView>,
}

/// A target of a trunk.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TargetView {
    /// Its SIP address.
    uri: String,
    /// The lowest goes first.
    priority: u16,
    /// Its share among those of the same priority.
    weight: u16,
    /// `up`, `down` or `unknown`.
    state: String,
    /// Probes and calls in a row that it did not answer.
    misses: u32,
    /// When it last answered anything.
    answered_at: Option<String>,
    /// Until when it asked to be left alone (503 with Retry-After).
    paused_until: Option<String>,
}

/// Our registration with a trunk's registrar.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RegistrationView {
    /// `registering`, `registered`, `failed`, or `gone` after a drain.
    state: String,
    /// The registrar.
    registrar: String,
    /// Which server of the registrar has it: transport and address.
    hop: Option<String>,
    /// Our contact there.
    contact: Option<String>,
    /// Until when it holds.
    expires_at: Option<String>,
    /// When we register next.
    next_at: Option<String>,
    /// Why the last attempt failed.
    failure: Option<String>,
}

impl From<Trunk> for TrunkView {
    fn from(row: Trunk) -> Self {
        Self {
            id: row.id.to_string(),
            name: row.name,
            state: row.state.as_str().to_owned(),
            since: row.since.map(|at| at.to_string()),
            calls: Some(row.calls),
            targets: row.targets.into_iter().map(TargetView::from).collect(),
            registration: row.registration.map(RegistrationView::from),
        }
    }
}

impl From<Target> for TargetView {
    fn from(row: Target) -> Self {
        Self {
            uri: row.uri,
            priority: row.priority,
            weight: row.weight,
            state: row.state.as_str().to_owned(),
            misses: row.misses,
            answered_at: row.answered_at.map(|at| at.to_string()),
            paused_until: row.paused_until.map(|until| until.to_string()),
        }
    }
}

impl From<OwnBindingView> for RegistrationView {
    fn from(row: OwnBindingView) -> Self {
        Self {
            state: row.state.to_owned(),
            registrar: row.registrar,
            hop: row.hop,
            contact: row.contact,
            expires_at: row.expires_at.map(|at| at.to_string()),
            next_at: row.next_at.map(|at| at.to_string()),
            failure: row.failure,
        }
    }
}

/// Lists trunks, by id.
///
/// A platform key sees all of them. A tenant's sees those that serve it, and of each whether it
/// can be reached: its addresses are the platform's. Not for the role `agent`.
#[utoipa::path(get, path = "/api/v1/trunks", tag = "platform", params(ListQuery),
    responses((status = 200, description = "A page of trunks", body = PageOf<TrunkView>)))]
pub(crate) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Params(query): Params<ListQuery>,
    uri: Uri,
) -> Result<PageOf<TrunkView>, Fault> {
    if caller.role == Role::Agent {
        return Err(Fault::forbidden());
    }
    let page = page(query.page, query.per_page)?;
    let reply = api.engine.ask_for_platform(ApiRequest::Trunks).await?;
    let ApiReply::Trunks(rows) = reply else { return Err(strange(&reply)) };
    let directory = api.directory();
    let shown = |row: Trunk| match &caller.tenant {
        None => Some(TrunkView::from(row)),
        Some(tenant) => {
            let provisioned = directory.trunk(&row.id)?;
            directory.trunk_serves(provisioned, tenant).then(|| TrunkView::from(row).in_brief())
        }
    };
    Ok(PageOf::of(rows.into_iter().filter_map(shown).collect(), page, &uri))
}

/// A trunk went down, came up again, or registered.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TrunkChangeView {
    /// When.
    at: String,
    /// The trunk.
    #[schema(example = "carrier-a")]
    trunk: String,
    /// `up`, `down` or `unknown` since then.
    state: String,
    /// Whether we are registered with it, if it wants that.
    registered: Option<bool>,
    /// Why the last registration failed, if it did.
    why: Option<String>,
}

/// What an event of a trunk says.
#[derive(Deserialize)]
struct Told {
    trunk: String,
    state: String,
    registered: Option<bool>,
    why: Option<String>,
}

/// How the trunks that serve a tenant have fared: their last 200 changes, newest first. Not for
/// the role `agent`.
#[utoipa::path(get, path = "/api/v1/trunks/history", tag = "platform",
    responses((status = 200, description = "The changes", body = Answer<Vec<TrunkChangeView>>)))]
pub(crate) async fn history(
    State(api): State<Api>,
    scoped: Scoped,
) -> Result<Answer<Vec<TrunkChangeView>>, Fault> {
    scoped.sees_all()?;
    let events = api.store.last_trunk_events(&scoped.tenant, MOST_CHANGES).await?;
    let view = |event: &EventRow| {
        let Told { trunk, state, registered, why } = serde_json::from_str(&event.data).ok()?;
        Some(TrunkChangeView { at: event.at.to_string(), trunk, state, registered, why })
    };
    Ok(Answer::new(events.iter().filter_map(view).collect(), "the trunks' last changes"))
}

impl TrunkView {
    /// Without what is the platform's.
    fn in_brief(self) -> Self {
        let registration = self.registration.map(|binding| RegistrationView {
            state: binding.state,
            registrar: String::new(),
            hop: None,
            contact: None,
            expires_at: None,
            next_at: None,
            failure: None,
        });
        Self { calls: None, targets: Vec::new(), registration, ..self }
    }
}
