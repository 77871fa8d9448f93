//! The way to the engine: requests with a place for their reply, and the events it committed.

use std::sync::Arc;
use std::time::Duration;

use axum::http::StatusCode;
use base::TenantId;
use routing::Provisioning;
use serde_json::json;
use store::{EventRow, PromptRow};
use switch::{ApiError, ApiReply, ApiRequest, Cause};
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::time::timeout;

use crate::fault::Fault;

/// The engine answers within milliseconds; one that does not is in trouble.
const PATIENCE: Duration = Duration::from_secs(5);
/// Decoding prompts and writing them takes longer.
const PROVISIONING_PATIENCE: Duration = Duration::from_secs(60);

/// A request on its way to the switch.
#[derive(Debug)]
pub struct EngineRequest {
    /// Whose.
    pub tenant: TenantId,
    /// What.
    pub request: ApiRequest,
    /// Where the reply goes; dropped, it means that the engine is stopping.
    pub reply: oneshot::Sender<Result<ApiReply, ApiError>>,
}

/// A provisioning on its way to the engine: checked here already, to be stored and to go live.
#[derive(Debug)]
pub struct ProvisionRequest {
    /// All that is provisioned from now on.
    pub provisioning: Provisioning,
    /// The audio that came with it; prompts without keep what they had.
    pub prompts: Vec<PromptRow>,
    /// Where the answer goes: why it was refused, one problem a line.
    pub reply: oneshot::Sender<Result<(), String>>,
}

/// The engine as the API sees it.
#[derive(Debug, Clone)]
pub struct Engine {
    /// To the switch. A full queue makes clients wait, then get 503.
    pub requests: mpsc::Sender<EngineRequest>,
    /// Every event, sent after its commit, in order per tenant. A subscriber that is too slow for
    /// it reads from the store instead.
    pub committed: broadcast::Sender<Arc<EventRow>>,
    /// To whoever provisions.
    pub provision: mpsc::Sender<ProvisionRequest>,
}

impl Engine {
    /// Asks the switch for `what` of the tenant.
    pub(crate) async fn ask(
        &self,
        tenant: &TenantId,
        what: &'static str,
        request: ApiRequest,
    ) -> Result<ApiReply, Fault> {
        let (reply, answer) = oneshot::channel();
        let request = EngineRequest { tenant: tenant.clone(), request, reply };
        match timeout(PATIENCE, self.requests.send(request)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(Fault::stopping()),
            Err(_) => return Err(Fault::busy()),
        }
        match timeout(PATIENCE, answer).await {
            Ok(Ok(Ok(reply))) => Ok(reply),
            Ok(Ok(Err(ApiError::NotFound))) => Err(Fault::not_found(what)),
            Ok(Ok(Err(ApiError::Conflict(why)))) => Err(Fault::conflict("CONFLICT", why)),
            Ok(Ok(Err(ApiError::Refused { cause, reason }))) => Err(refused(cause, reason)),
            Ok(Err(_)) => Err(Fault::stopping()),
            Err(_) => Err(Fault::busy()),
        }
    }

    /// Asks the switch for what is no tenant's; the request itself says so, whatever the tenant.
    pub(crate) async fn ask_for_platform(&self, request: ApiRequest) -> Result<ApiReply, Fault> {
        let nobody = TenantId::new("platform")
            .map_err(|error| Fault::internal("asking the engine", &error.to_string()))?;
        self.ask(&nobody, "trunk", request).await
    }

    /// Hands over a provisioning and waits until it is live; the inner error says why not.
    pub(crate) async fn provision(
        &self,
        provisioning: Provisioning,
        prompts: Vec<PromptRow>,
    ) -> Result<Result<(), String>, Fault> {
        let (reply, answer) = oneshot::channel();
        let request = ProvisionRequest { provisioning, prompts, reply };
        match timeout(PATIENCE, self.provision.send(request)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return Err(Fault::stopping()),
            Err(_) => return Err(Fault::busy()),
        }
        match timeout(PROVISIONING_PATIENCE, answer).await {
            Ok(Ok(applied)) => Ok(applied),
            Ok(Err(_)) => Err(Fault::stopping()),
            Err(_) => Err(Fault::busy()),
        }
    }
}

/// A call that is not made: 403, 404 or 503 as the SIP status would be, else 409.
fn refused(cause: Cause, reason: String) -> Fault {
    let status = match cause {
        Cause::Forbidden => StatusCode::FORBIDDEN,
        Cause::NoRoute => StatusCode::NOT_FOUND,
        Cause::RateLimit | Cause::TenantLimit => StatusCode::TOO_MANY_REQUESTS,
        Cause::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::CONFLICT,
    };
    Fault::new(status, "CALL_REFUSED", reason).with_details(json!({"cause": cause.as_str()}))
}
