//! `/api/v1/tenants`: every tenant for the platform, its own for a tenant's key.

use axum::extract::State;
use axum::http::Uri;
use serde::Serialize;
use store::TenantRow;
use utoipa::ToSchema;

use super::calls::ListQuery;
use crate::answer::{PageOf, page};
use crate::auth::Caller;
use crate::fault::Fault;
use crate::params::Params;
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
    /// The sequence of its last event; 0 before the first.
    last_sequence: u64,
}

impl From<TenantRow> for TenantView {
    fn from(row: TenantRow) -> Self {
        Self {
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
    Ok(PageOf::of(seen.map(TenantView::from).collect(), page, &uri))
}
