//! What the API is promised of a call's media: that it holds from the next packet on. Such a request
//! is answered, and its event told, when every media worker of the call has confirmed that it has
//! obeyed; orders to a worker keep their order. A worker that does not confirm in time is told as
//! such: then nothing is certain.

use std::collections::BTreeSet;

use base::{CallId, Duration, Instant};
use media::{OrderId, WorkerId};

use super::Call;
use crate::api::{ApiError, ApiReply, ApiRequest, RequestId};
use crate::event::EventKind;
use crate::node::{Alarm, Node};
use crate::port::Output;
use crate::switch::Switch;
use crate::{Cause, EndedBy};

/// How long workers are waited for: they obey within milliseconds, a busy machine's within tens.
const PATIENCE: Duration = Duration::from_secs(2);
/// Requests of one call that wait at once; the next one is refused.
const MOST: usize = 32;

/// A request that has been carried out here, and waits for the media workers.
pub(super) struct Promise {
    /// What is answered; nothing when it was too late.
    reply: Option<(RequestId, ApiReply)>,
    tells: Vec<EventKind>,
    /// Confirmations that are still to come.
    awaits: Vec<(WorkerId, OrderId)>,
    until: Instant,
}

impl Promise {
    /// It is told that it may not hold, unless that was said already.
    fn refuse(&mut self, node: &mut Node, reason: &str) {
        let Some((id, _)) = self.reply.take() else { return };
        let (cause, reason) = (Cause::Unavailable, reason.to_owned());
        let reply = Err(ApiError::Refused { cause, reason });
        node.outbox.push_back(Output::Reply { id, reply });
    }
}

impl ApiRequest {
    /// The call whose media obey before this is answered.
    fn holds_at_once(&self) -> Option<CallId> {
        match self {
            Self::Secure { call, .. }
            | Self::Mute { call, .. }
            | Self::Hold { call, .. }
            | Self::HoldParticipant { call, .. }
            | Self::RemoveParticipant { call, .. }
            | Self::ChangeSupervision { call, .. }
            | Self::EndSupervision { call, .. }
            | Self::PauseRecording { call, .. }
            | Self::ResumeRecording { call, .. }
            | Self::Capture { call, .. }
            | Self::EndCapture { call, .. } => Some(*call),
            _ => None,
        }
    }
}

impl Switch {
    /// Answers a request of the API, at once or when the media have obeyed.
    pub(crate) fn answer(
        &mut self,
        now: Instant,
        id: RequestId,
        tenant: &base::TenantId,
        request: ApiRequest,
    ) {
        let call = request.holds_at_once();
        let is_crowded = call
            .and_then(|call| self.calls.of_tenant(tenant, call))
            .is_some_and(|call| call.promises.len() >= MOST);
        let reply = if is_crowded {
            Err(ApiError::Conflict("too many requests of this call wait for its media".to_owned()))
        } else {
            self.serve(now, tenant, request)
        };
        match (reply, call.and_then(|call| self.calls.get_mut(call))) {
            (Ok(reply), Some(call)) => call.promise(&mut self.node, now, (id, reply)),
            (reply, _) => self.node.outbox.push_back(Output::Reply { id, reply }),
        }
    }

    /// A media worker has obeyed.
    pub(crate) fn on_confirmed(&mut self, now: Instant, order: OrderId) {
        let call = self.node.orders.remove(&order);
        match call.and_then(|call| self.calls.get_mut(call)) {
            Some(call) => call.on_confirmed(&mut self.node, now, order),
            None => self.node.ignored += 1,
        }
    }
}

impl Call {
    /// Tells of what a request of the API has done, when the media have obeyed it.
    pub(super) fn tell_when_obeyed(&mut self, kind: EventKind) {
        self.untold.push(kind);
    }

    /// Answers when all has been obeyed.
    fn promise(&mut self, node: &mut Node, now: Instant, reply: (RequestId, ApiReply)) {
        let id = self.id;
        let order = |worker: WorkerId| (worker, node.order(worker, id));
        let awaits = self.workers().into_iter().map(order).collect();
        let tells = std::mem::take(&mut self.untold);
        let until = now + PATIENCE;
        node.alarms.insert((until, Alarm::Promise(id)));
        self.promises.push(Promise { reply: Some(reply), tells, awaits, until });
        self.keep_promises(node, now);
    }

    /// The workers that have a stream of the call's.
    fn workers(&self) -> BTreeSet<WorkerId> {
        let legs = self.legs().filter_map(|leg| leg.stream.open());
        legs.map(|(_, place)| place.worker).chain(self.relay_workers()).collect()
    }

    fn on_confirmed(&mut self, node: &mut Node, now: Instant, order: OrderId) {
        for promise in &mut self.promises {
            promise.awaits.retain(|(_, awaited)| *awaited != order);
        }
        self.keep_promises(node, now);
    }

    /// Answers what is obeyed, in the order in which it was asked for.
    fn keep_promises(&mut self, node: &mut Node, now: Instant) {
        while self.promises.first().is_some_and(|first| first.awaits.is_empty()) {
            let Promise { reply, tells, until, .. } = self.promises.remove(0);
            tells.into_iter().for_each(|kind| self.tell(node, now, kind));
            if let Some((id, reply)) = reply {
                node.outbox.push_back(Output::Reply { id, reply: Ok(reply) });
            }
            self.forget_promise(node, until);
        }
    }

    /// The alarm goes, unless another promise was made at the same instant.
    fn forget_promise(&self, node: &mut Node, until: Instant) {
        let is_due = |promise: &Promise| promise.until == until && promise.reply.is_some();
        if !self.promises.iter().any(is_due) {
            node.alarms.remove(&(until, Alarm::Promise(self.id)));
        }
    }

    /// Workers have had the time to confirm. What they do later is told later.
    pub(super) fn on_promise_due(&mut self, node: &mut Node, now: Instant) {
        let reason = "a media worker has not confirmed it in time: it may not hold yet";
        for promise in self.promises.iter_mut().filter(|promise| promise.until <= now) {
            promise.refuse(node, reason);
        }
    }

    /// A media worker has ended that has a stream of the call's: what it has not confirmed does not
    /// hold, and nobody on it is heard any more.
    pub(super) fn on_media_gone(&mut self, node: &mut Node, now: Instant, worker: WorkerId) {
        let reason = "a media worker has ended: the call ends";
        let waits = |promise: &&mut Promise| promise.awaits.iter().any(|(of, _)| *of == worker);
        for promise in self.promises.iter_mut().filter(waits) {
            promise.refuse(node, reason);
        }
        self.end(node, now, Cause::MediaFailed, EndedBy::Engine);
    }

    /// The call is forgotten.
    pub(super) fn break_promises(&mut self, node: &mut Node) {
        for Promise { reply, awaits, until, .. } in std::mem::take(&mut self.promises) {
            for (_, order) in &awaits {
                node.orders.remove(order);
            }
            node.alarms.remove(&(until, Alarm::Promise(self.id)));
            if let Some((id, _)) = reply {
                let reply = Err(ApiError::Conflict("the call is over".to_owned()));
                node.outbox.push_back(Output::Reply { id, reply });
            }
        }
    }
}
