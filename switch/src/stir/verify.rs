//! The way of a signed INVITE: what can be told at once is told, else it is held and its signer's
//! certificate asked for.

use base::{Duration, Instant};
use bytes::Bytes;
use routing::Trunk;
use sip::identity::CallerIdentity;
use sip::stir::{Failure, Verdict, Verification};
use sip::{Flow, Message, Response, ServerTx, StatusCode};

use super::{Held, MOST_HELD};
use crate::ladder::Ladder;
use crate::node::Alarm;
use crate::port::{Output, SecurityKind};
use crate::switch::Switch;

/// How long a call waits for a certificate. Its caller hears nothing meanwhile.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is known of a caller's signature now.
pub(crate) enum Verified {
    /// All there will be; `None` where it is not asked for.
    Now(Option<Verdict>),
    /// The INVITE is held.
    Later,
}

impl Switch {
    /// Verifies the signature of an INVITE that begins a call.
    pub(crate) fn verify_caller(
        &mut self,
        now: Instant,
        (tx, flow, invite): (ServerTx, Flow, &Message),
        trunk: &Trunk,
    ) -> Verified {
        let Some(stir) = trunk.stir.as_ref().filter(|stir| stir.verify || stir.require) else {
            return Verified::Now(None);
        };
        let nobody_trusted = self.node.signatures.roots.is_empty();
        if nobody_trusted && !stir.require {
            return Verified::Now(None);
        }
        let pending = match self.begin(now, invite, trunk) {
            Verification::Done(verdict) => return Verified::Now(Some(verdict)),
            Verification::Ask(pending) => pending,
        };
        if nobody_trusted || self.node.signatures.held.len() >= MOST_HELD {
            return Verified::Now(Some(Verdict::Failed(Failure::NotFetched)));
        }
        let pending = match self.with_known(now, Verification::Ask(pending)) {
            Verification::Done(verdict) => return Verified::Now(Some(verdict)),
            Verification::Ask(pending) => pending,
        };
        let limits = &self.node.config.limits;
        let mut ladder = Ladder::new(limits.ladder_messages, limits.ladder_bytes);
        self.node.pending.claim(invite.call_id(), &mut ladder);
        let until = now + PATIENCE;
        self.node.alarms.insert((until, Alarm::Signature(tx)));
        let (invite, trunk) = (invite.clone(), trunk.id.clone());
        self.hold(tx, Held { flow, invite, trunk, pending, until, ladder });
        Verified::Later
    }

    /// Goes on with the certificates that are known already.
    fn with_known(&self, now: Instant, mut at: Verification) -> Verification {
        let (wall, signatures) = (self.node.wall(now), &self.node.signatures);
        loop {
            let pending = match at {
                Verification::Done(_) => return at,
                Verification::Ask(pending) => pending,
            };
            let Some(known) = signatures.certificates.get(now, pending.url()) else {
                return Verification::Ask(pending);
            };
            at = pending.finish(wall, known.as_deref(), &signatures.roots);
        }
    }

    /// An INVITE waits for the certificate that is asked for now, if it is not on its way already.
    fn hold(&mut self, tx: ServerTx, held: Held) {
        let url = held.pending.url().to_owned();
        let signatures = &mut self.node.signatures;
        let is_asked = signatures.held.values().any(|other| other.pending.url() == url);
        signatures.held.insert(tx, held);
        if !is_asked {
            self.node.outbox.push_back(Output::Fetch { url });
        }
    }

    /// All that needs no certificate. The one called is who the Request-URI names, or To where a
    /// proxy on the way has changed that.
    fn begin(&self, now: Instant, invite: &Message, trunk: &Trunk) -> Verification {
        let wall = self.node.wall(now);
        let caller = CallerIdentity::read(invite, trunk.trusts_identity);
        let orig = caller.user().unwrap_or_default();
        let orig = routing::read_caller(trunk, &orig).map_or(orig, |number| number.to_string());
        let number = |text: &str| {
            routing::read_called(trunk, text)
                .map_or_else(|_| text.to_owned(), |number| number.to_string())
        };
        let first = sip::stir::verify(invite, wall, &orig, &number(invite.uri_text()));
        match (&first, invite.to()) {
            (Verification::Done(Verdict::Failed(Failure::OtherCalled)), Ok(to)) => {
                sip::stir::verify(invite, wall, &orig, &number(to.uri().as_str()))
            }
            _ => first,
        }
    }

    /// The driver has fetched a certificate, or could not.
    pub(crate) fn on_fetched(
        &mut self,
        now: Instant,
        url: &str,
        result: Result<(Bytes, Duration), String>,
    ) {
        let (found, life) = match result {
            Ok((found, life)) => (Some(found), life),
            Err(_) => (None, Duration::ZERO),
        };
        let signatures = &mut self.node.signatures;
        signatures.certificates.put(now, url, found.clone(), life);
        let waiting: Vec<ServerTx> = signatures
            .held
            .iter()
            .filter(|(_, held)| held.pending.url() == url)
            .map(|(tx, _)| *tx)
            .collect();
        for tx in waiting {
            self.go_on_with(now, tx, found.as_deref());
        }
    }

    /// No certificate came in time.
    pub(crate) fn on_certificate_missing(&mut self, now: Instant, tx: ServerTx) {
        self.go_on_with(now, tx, None);
    }

    fn go_on_with(&mut self, now: Instant, tx: ServerTx, certificate: Option<&[u8]>) {
        let Some(held) = self.node.signatures.held.remove(&tx) else { return };
        let (wall, roots) = (self.node.wall(now), &self.node.signatures.roots);
        let next = held.pending.clone().finish(wall, certificate, roots);
        match self.with_known(now, next) {
            // Somebody who has sent the call on has a certificate of its own.
            Verification::Ask(pending) => self.hold(tx, Held { pending, ..held }),
            Verification::Done(verdict) => {
                let held = self.release(tx, held);
                let call = (tx, held.flow, held.invite);
                self.admit_trunk_invite(now, call, &held.trunk, Some(verdict));
            }
        }
    }

    /// The caller gave up while it waited. True if it did wait.
    pub(crate) fn on_held_cancelled(&mut self, now: Instant, tx: ServerTx) -> bool {
        let Some(held) = self.node.signatures.held.remove(&tx) else { return false };
        let held = self.release(tx, held);
        let response = Response::new(StatusCode::REQUEST_TERMINATED);
        self.node.note_refused(now, held.flow, &held.invite, &response);
        self.node.endpoint.respond(now, tx, response);
        true
    }

    /// It waits no more: its messages go where others' are.
    fn release(&mut self, tx: ServerTx, mut held: Held) -> Held {
        self.node.alarms.remove(&(held.until, Alarm::Signature(tx)));
        for entry in held.ladder.take().0 {
            self.node.pending.push(held.invite.call_id(), entry);
        }
        held
    }

    /// Refuses a call that must be signed and is not. False if it may go on.
    pub(crate) fn refuse_unsigned(
        &mut self,
        now: Instant,
        (tx, flow, invite): (ServerTx, Flow, &Message),
        trunk: &Trunk,
        verdict: Option<&Verdict>,
    ) -> bool {
        let required = trunk.stir.as_ref().is_some_and(|stir| stir.require);
        let refusal = verdict.and_then(Verdict::refusal).filter(|_| required);
        let Some((status, phrase)) = refusal else { return false };
        self.node.security(now, SecurityKind::UnsignedCall, flow.remote, None);
        let response = Response::new(status).reason(phrase);
        self.node.note_refused(now, flow, invite, &response);
        self.node.endpoint.respond(now, tx, response);
        true
    }
}
