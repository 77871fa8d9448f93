//! Refusing a call: the final response to its INVITE, and whether the tenant may have it at all.

use base::{Instant, TrunkId};
use routing::HangupCause;
use sip::{Name, Response, ServerTx, StatusCode};

use super::far_end::{FarEnd, reason};
use super::leg::Signalling;
use super::{Call, Stage};
use crate::node::{ACCEPT, ACCEPT_ENCODING, Node};
use crate::port::SecurityKind;
use crate::record::Decided;
use crate::tenants::{Calls, Over};
use crate::{Cause, EndedBy};

/// Seconds after which a refused caller may try again.
const RETRY_AFTER_S: u32 = 5;

/// What the callers' logs show of a 488 (RFC 3261 §20.43).
pub(super) const INCOMPATIBLE: &str = "305 strowger \"no audio that can be taken in the offer\"";

/// What the people of a tenant without service are told.
pub(crate) const SUSPENDED: &str = "the tenant is suspended";

/// Why a call is refused, and how the caller is told.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) cause: Cause,
    status: StatusCode,
    /// For /why: a sentence.
    reason: String,
    field: Option<(Name<'static>, String)>,
    /// The far end's own Q.850 cause.
    q850: Option<u8>,
}

impl Refusal {
    pub(crate) fn new(cause: Cause, reason: impl Into<String>) -> Self {
        Self { cause, status: cause.sip_status(), reason: reason.into(), field: None, q850: None }
    }

    /// What was dialled is nothing, or not allowed.
    pub(super) fn of_dial(refused: &routing::DialRefused) -> Self {
        let cause = if refused.is_forbidden() { Cause::Forbidden } else { Cause::NoRoute };
        Self::new(cause, refused.to_string())
    }

    /// The same, with another status.
    pub(crate) fn with_status(self, status: StatusCode) -> Self {
        Self { status, ..self }
    }

    fn retry(mut self, seconds: u32) -> Self {
        self.field = Some((Name::RETRY_AFTER, seconds.to_string()));
        self
    }

    /// The engine is shutting down: somebody else may take the call at once.
    pub(crate) fn draining() -> Self {
        Self::new(Cause::Unavailable, "the engine is draining").retry(RETRY_AFTER_S)
    }

    /// Nothing but calls for help.
    fn suspended() -> Self {
        let mut refusal = Self::new(Cause::Suspended, SUSPENDED);
        refusal.field = Some((Name::WARNING, format!("399 strowger \"{SUSPENDED}\"")));
        refusal
    }

    pub(crate) fn full() -> Self {
        Self::new(Cause::Unavailable, "the engine has as many calls as it may have")
            .retry(RETRY_AFTER_S)
    }

    pub(super) fn no_port() -> Self {
        Self::new(Cause::Unavailable, "no media port is free").retry(RETRY_AFTER_S)
    }

    pub(super) fn incompatible_media() -> Self {
        let mut refusal =
            Self::new(Cause::IncompatibleMedia, "the offer has nothing that we can take");
        refusal.field = Some((Name::WARNING, INCOMPATIBLE.to_owned()));
        refusal
    }

    pub(super) fn unreadable_media() -> Self {
        let mut refusal = Self::new(Cause::IncompatibleMedia, "the offer is not readable SDP");
        refusal.field = Some((Name::WARNING, "399 strowger \"unreadable SDP\"".to_owned()));
        refusal
    }

    pub(super) fn media_type() -> Self {
        Self {
            cause: Cause::IncompatibleMedia,
            status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
            reason: "the body is of a type we do not take".to_owned(),
            field: Some((Name::ACCEPT, ACCEPT.to_owned())),
            q850: None,
        }
    }

    pub(super) fn encoding() -> Self {
        Self {
            reason: "the body is encoded in a way we do not take".to_owned(),
            field: Some((Name::ACCEPT_ENCODING, ACCEPT_ENCODING.to_owned())),
            ..Self::media_type()
        }
    }

    pub(super) fn short_timer(least: sip::header::MinSe) -> Self {
        Self {
            status: StatusCode::SESSION_INTERVAL_TOO_SMALL,
            field: Some((Name::MIN_SE, least.to_string())),
            ..Self::new(Cause::BadRequest, "the caller wants a refresh more often than we take")
        }
    }

    pub(super) fn bad_extension(unsupported: String) -> Self {
        Self {
            cause: Cause::BadRequest,
            status: StatusCode::BAD_EXTENSION,
            reason: format!("the caller requires {unsupported}, which we do not have"),
            field: Some((Name::UNSUPPORTED, unsupported)),
            q850: None,
        }
    }

    /// The flow turns callers away before it answers them.
    pub(super) fn by_flow(cause: HangupCause) -> Self {
        let (cause, status) = match cause {
            HangupCause::Normal => (Cause::Rejected, StatusCode::DECLINE),
            HangupCause::Busy => (Cause::Busy, StatusCode::BUSY_HERE),
            HangupCause::Unavailable => (Cause::NoAnswer, StatusCode::TEMPORARILY_UNAVAILABLE),
        };
        Self { status, ..Self::new(cause, "the flow turns callers away") }
    }

    fn of_tenant(over: Over) -> Self {
        match over {
            Over::Rate => {
                Self::new(Cause::RateLimit, "the tenant starts more calls a second than it may")
                    .retry(1)
            }
            Over::Concurrent => {
                Self::new(Cause::TenantLimit, "the tenant has as many calls as it may have")
                    .retry(RETRY_AFTER_S)
            }
        }
    }

    fn of_trunk(over: Over) -> Self {
        let reason = match over {
            Over::Rate => "the trunk starts more calls a second than it may",
            Over::Concurrent => "the trunk has as many calls as it may have",
        };
        Self::new(Cause::Unavailable, reason).retry(RETRY_AFTER_S)
    }

    /// The far end does not take it.
    pub(super) fn of_far_end(cause: Cause, far: FarEnd) -> Self {
        let status = far.status_for_caller(cause);
        let q850 = far.q850();
        Self { status, q850, ..Self::new(cause, "the far end does not take it") }
    }

    /// In a sentence.
    pub(crate) fn reason(&self) -> String {
        self.reason.clone()
    }

    /// The response that says so.
    pub(crate) fn response(&self) -> Response {
        let response =
            Response::new(self.status).header(Name::REASON, reason(self.cause, self.q850));
        match &self.field {
            Some((name, value)) => response.header(*name, value),
            None => response,
        }
    }
}

impl Call {
    /// Counts the call in, if engine, trunk and tenant may have one more. A call for help always.
    pub(super) fn admit(
        &mut self,
        node: &mut Node,
        now: Instant,
        is_emergency: bool,
    ) -> Result<(), Refusal> {
        if is_emergency {
            node.tenants.admit_anyway(&self.directory, &self.tenant, Calls::All);
            node.admitted += 1;
            self.admitted = true;
            return Ok(());
        }
        if node.draining {
            return Err(Refusal::draining());
        }
        if self.directory.is_suspended(&self.tenant) {
            return Err(Refusal::suspended());
        }
        if node.admitted >= node.config.limits.calls {
            return Err(Refusal::full());
        }
        let admitted = self.admit_inbound(node, now).and_then(|()| self.admit_tenant(node, now));
        if let (Err(_), Signalling::Invited { flow, .. }) = (&admitted, &self.caller.signalling) {
            let tenant = Some(self.tenant.clone());
            node.security(now, SecurityKind::OverLimit, flow.remote, tenant);
        }
        admitted?;
        node.admitted += 1;
        self.admitted = true;
        Ok(())
    }

    fn admit_inbound(&mut self, node: &mut Node, now: Instant) -> Result<(), Refusal> {
        let Some(trunk) = self.origin.trunk().cloned() else { return Ok(()) };
        self.admit_on_trunk(node, now, &trunk, false)
    }

    /// Counts the call in on a trunk, if that may have one more.
    pub(super) fn admit_on_trunk(
        &mut self,
        node: &mut Node,
        now: Instant,
        trunk: &TrunkId,
        is_emergency: bool,
    ) -> Result<(), Refusal> {
        let Some(limits) = self.directory.trunk(trunk) else { return Ok(()) };
        let quota = node.trunks.entry(trunk.clone()).or_default();
        if is_emergency {
            quota.admit_anyway();
        } else {
            let admitted = quota.admit(now, limits.concurrent_calls, limits.calls_per_second);
            admitted.map_err(Refusal::of_trunk)?;
        }
        self.on_trunks.push(trunk.clone());
        Ok(())
    }

    fn admit_tenant(&mut self, node: &mut Node, now: Instant) -> Result<(), Refusal> {
        let admitted = node.tenants.admit(now, &self.directory, &self.tenant, Calls::All);
        if admitted.is_err() {
            self.release_trunks(node);
        }
        admitted.map_err(Refusal::of_tenant)
    }

    /// Counts it out, once.
    pub(super) fn release(&mut self, node: &mut Node) {
        if std::mem::replace(&mut self.admitted, false) {
            node.admitted = node.admitted.saturating_sub(1);
            node.tenants.release(&self.directory, &self.tenant, Calls::All);
        }
        if std::mem::replace(&mut self.admitted_outbound, false) {
            node.tenants.release(&self.directory, &self.tenant, Calls::Outbound);
        }
        self.release_trunks(node);
    }

    /// Counts an outbound call in at the tenant, once.
    pub(super) fn admit_outbound(
        &mut self,
        node: &mut Node,
        now: Instant,
        is_emergency: bool,
    ) -> Result<(), Refusal> {
        if self.admitted_outbound {
            return Ok(());
        }
        let (tenants, calls) = (&mut node.tenants, Calls::Outbound);
        if is_emergency {
            tenants.admit_anyway(&self.directory, &self.tenant, calls);
        } else {
            let admitted = tenants.admit(now, &self.directory, &self.tenant, calls);
            admitted.map_err(Refusal::of_tenant)?;
        }
        self.admitted_outbound = true;
        Ok(())
    }

    /// What was counted in for another call of the tenant's counts for this one, once.
    pub(super) fn count_outbound(&mut self, node: &mut Node, counted: bool) {
        if counted && std::mem::replace(&mut self.admitted_outbound, true) {
            node.tenants.release(&self.directory, &self.tenant, Calls::Outbound);
        }
    }

    /// Counts it out on one trunk, which did not take it.
    pub(super) fn release_trunk(&mut self, node: &mut Node, trunk: &TrunkId) {
        if let Some(at) = self.on_trunks.iter().rposition(|one| one == trunk) {
            self.on_trunks.remove(at);
            if let Some(quota) = node.trunks.get_mut(trunk) {
                quota.release();
            }
        }
    }

    fn release_trunks(&mut self, node: &mut Node) {
        for trunk in self.on_trunks.drain(..) {
            if let Some(quota) = node.trunks.get_mut(&trunk) {
                quota.release();
            }
        }
    }

    /// Ends a call that never was: the INVITE's final response, and the record.
    pub(super) fn refuse(&mut self, node: &mut Node, now: Instant, refusal: Refusal) {
        if matches!(self.stage, Stage::Ending(_)) {
            return;
        }
        let cause = refusal.cause;
        let reason = refusal.reason.clone();
        self.narrative.decide(node, now, Decided::Refusal { cause, reason });
        self.refuse_invite(node, now, refusal.response());
        self.finish(node, now, cause, EndedBy::Engine);
    }

    /// Sends the final response to the caller's INVITE.
    pub(super) fn refuse_invite(&mut self, node: &mut Node, now: Instant, response: Response) {
        if let Signalling::Invited { tx, .. } = &self.caller.signalling {
            let tx: ServerTx = *tx;
            node.endpoint.respond(now, tx, response);
            node.index.servers.remove(&tx);
            self.caller.signalling = Signalling::Refused;
            self.end_reliable(node);
        }
    }
}
