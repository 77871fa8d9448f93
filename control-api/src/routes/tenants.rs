//! `/api/v1/tenants`: every tenant for the platform, its own for a tenant's key.

use axum::extract::{Path, State};
use axum::http::Uri;
use base::TenantId;
use routing::Directory;
use serde::{Deserialize, Serialize};
use store::TenantRow;
use utoipa::ToSchema;

use super::calls::ListQuery;
use crate::answer::{Answer, PageOf, page};
use crate::auth::Caller;
use crate::fault::Fault;
use crate::params::{Body, Params, path_id};
use crate::provisioned::tenant_of;
use crate::state::Api;

/// A tenant.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TenantView {
    /// The tenant, as in the provisioning.
    #[schema(example = "acme")]
    id: String,
    /// What people call it.
    name: String,
    /// The domain its agents register in.
    domain: String,
    /// The tenant above it.
    parent: Option<String>,
    /// False once a provisioning no longer names it; its history stays.
    active: bool,
    /// Whether it has no service for now, by its own provisioning.
    suspended: bool,
    /// The sequence of its last event; 0 before the first.
    last_sequence: u64,
}

impl TenantView {
    fn new(row: TenantRow, directory: &Directory) -> Self {
        Self {
            suspended: directory.tenant(&row.id).is_some_and(|tenant| tenant.suspended),
            id: row.id.to_string(),
            name: if row.name.is_empty() { row.id.to_string() } else { row.name },
            domain: row.domain,
            parent: row.parent.map(|parent| parent.to_string()),
            active: row.active,
            last_sequence: row.last_sequence,
        }
    }
}

/// Lists tenants, by name.
#[utoipa::path(get, path = "/api/v1/tenants", tag = "platform", params(ListQuery),
    responses((status = 200, description = "A page of tenants", body = PageOf<TenantView>)))]
pub(crate) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Params(query): Params<ListQuery>,
    uri: Uri,
) -> Result<PageOf<TenantView>, Fault> {
    let page = page(query.page, query.per_page)?;
    let all = api.store.tenants().await?;
    let seen =
        all.into_iter().filter(|row| caller.tenant.as_ref().is_none_or(|own| row.id == *own));
    let directory = api.directory();
    let views = seen.map(|row| TenantView::new(row, &directory)).collect();
    Ok(PageOf::of(views, page, &uri))
}

/// Whether a tenant is to have no service.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Suspension {
    /// True: registrations, new calls and messages are refused, but for emergency calls.
    suspended: bool,
}

/// Takes a tenant out of service, or gives the service back.
///
/// Every tenant under it goes with it. Calls that are up go on. It is the key `suspended` of the
/// provisioning, changed in what is live now. For platform keys.
#[utoipa::path(put, path = "/api/v1/tenants/{id}/suspension", tag = "platform",
    request_body = Suspension, params(("id" = String, Path, description = "The tenant")),
    responses((status = 200, description = "It is live", body = Answer<Suspension>)))]
pub(crate) async fn suspend(
    State(api): State<Api>,
    caller: Caller,
    Path(id): Path<String>,
    Body(wish): Body<Suspension>,
) -> Result<Answer<Suspension>, Fault> {
    caller.platform()?;
    let id: TenantId = path_id("tenant", &id)?;
    api.change(false, Vec::new(), |provisioning| {
        tenant_of(provisioning, &id)?.suspended = wish.suspended;
        Ok(())
    })
    .await?;
    Ok(Answer::new(wish, "it is live"))
}
