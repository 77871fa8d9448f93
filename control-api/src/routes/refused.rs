//! `/api/v1/refused-calls`: calls that were turned away before they were any tenant's.

use axum::extract::State;
use axum::http::Uri;
use base::TenantId;
use serde::Serialize;
use switch::{ApiReply, ApiRequest, RefusedCall};
use utoipa::ToSchema;

use super::agents::strange;
use super::call_views::{LadderView, live_ladder_row};
use super::calls::ListQuery;
use crate::answer::{PageOf, page};
use crate::auth::Caller;
use crate::fault::Fault;
use crate::params::Params;
use crate::state::Api;

/// A call that was turned away before it was any tenant's.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RefusedCallView {
    /// Its name; nothing else has it.
    id: String,
    /// When it came.
    at: String,
    /// The address it came from.
    source: String,
    /// The trunk of that address, if it is one's.
    trunk: Option<String>,
    /// Who it said was calling.
    from: String,
    /// What was dialled.
    to: String,
    /// The SIP status it was answered with.
    status: u16,
    /// What came and what was answered.
    ladder: Vec<LadderView>,
}

impl From<RefusedCall> for RefusedCallView {
    fn from(call: RefusedCall) -> Self {
        let ladder = call.ladder.into_iter().map(live_ladder_row).map(LadderView::from).collect();
        Self {
            id: call.id.to_string(),
            at: call.at.to_string(),
            source: call.source.to_string(),
            trunk: call.trunk.map(|trunk| trunk.to_string()),
            from: call.from,
            to: call.to,
            status: call.status,
            ladder,
        }
    }
}

/// Lists calls that were turned away before they were any tenant's, newest first.
///
/// From strangers, over a trunk of several tenants to a number that nobody has, or for want of
/// room: the last 500, of one source at most one a second. Since the engine's start. For platform
/// keys.
#[utoipa::path(get, path = "/api/v1/refused-calls", tag = "platform", params(ListQuery),
    responses((status = 200, description = "A page of calls", body = PageOf<RefusedCallView>)))]
pub(crate) async fn list(
    State(api): State<Api>,
    caller: Caller,
    Params(query): Params<ListQuery>,
    uri: Uri,
) -> Result<PageOf<RefusedCallView>, Fault> {
    caller.platform()?;
    let page = page(query.page, query.per_page)?;
    let platform = TenantId::new("platform").map_err(|_| Fault::not_found("tenant"))?;
    let reply = api.engine.ask(&platform, "tenant", ApiRequest::RefusedCalls).await?;
    let ApiReply::RefusedCalls(calls) = reply else { return Err(strange(&reply)) };
    Ok(PageOf::of(calls.into_iter().map(RefusedCallView::from).collect(), page, &uri))
}
