//! Calls to numbers outside: over the trunks that routing chooses, one after the other, each over
//! the ways there are to it; until one speaks for whoever was called (RFC 3261 §16.7, RFC 3263
//! §4.3). Nothing of the caller's side is shown to a trunk: the INVITE is all our own.

use base::{Instant, LegId, TrunkId};
use routing::{Destination, OutboundRefused, Trunk};
use sip::{ClientTx, Message, StatusCode, UriBuf, digest};

use super::Call;
use super::dial::Failure;
use super::early::forget_early;
use super::far_end::{FarEnd, reason};
use super::leg::{Fork, Forks, Leg, Role, Signalling};
use super::refresh::timed;
use super::reliable::Early;
use crate::Cause;
use crate::event::EventKind;
use crate::node::{Node, STRAY_LIFE};
use crate::paths::{Ask, PathEvent, PathFault, PathFor};
use crate::record::Decided;
use crate::strays::Stray;

impl Call {
    /// Chooses the trunks and tries the first.
    pub(super) fn dial_outside(&mut self, node: &mut Node, now: Instant, to: &Destination) {
        let mut rng = node.rng.fork();
        let health = |trunk: &TrunkId| node.trunk_health(trunk);
        let chosen = routing::outbound(&self.directory, &self.tenant, to, health, &mut rng);
        let outbound = match chosen {
            Ok(outbound) => outbound,
            Err(refused) => {
                let cause = match refused {
                    OutboundRefused::NoRoute(_) => Cause::NoRoute,
                    OutboundRefused::NoTrunk(_) => Cause::Unavailable,
                };
                return self.dial_failed(node, now, Failure::new(cause, refused.to_string()));
            }
        };
        let (shown, why) = (to.to_string(), outbound.to_string());
        self.narrative.decide(node, now, Decided::Dial { to: shown, why });
        if let Err(refusal) = self.admit_outbound(node, now, to.is_emergency()) {
            let failure = Failure::new(refusal.cause, refusal.reason());
            return self.dial_failed(node, now, failure);
        }
        if let Some(dial) = &mut self.dialling {
            dial.trunks = outbound.choices.into_iter().map(|choice| choice.trunk).collect();
        }
        self.try_next_trunk(node, now, to);
    }

    pub(super) fn has_more_trunks(&self) -> bool {
        matches!(&self.dialling, Some(dial) if !dial.alerting && !dial.trunks.is_empty())
    }

    pub(super) fn try_next_trunk(&mut self, node: &mut Node, now: Instant, to: &Destination) {
        let Some(dial) = &mut self.dialling else { return };
        let Some(trunk) = dial.trunks.pop_front() else {
            let failure = Failure::new(Cause::Unavailable, "no trunk is left");
            return self.dial_failed(node, now, failure);
        };
        dial.trunk = Some(trunk.clone());
        if let Err(refusal) = self.admit_on_trunk(node, now, &trunk, to.is_emergency()) {
            let failure = Failure::new(refusal.cause, refusal.reason());
            return self.dial_failed(node, now, failure);
        }
        let (agent, shown) = (None, to.to_string());
        self.tell(
            node,
            now,
            EventKind::CallDialled { agent, trunk: Some(trunk.clone()), to: shown },
        );
        self.give_up_outside(node, now);
        let signalling = Signalling::Preparing { targets: Vec::new() };
        self.new_leg(node, now, Role::Trunk(trunk), signalling);
    }

    /// Our port for the trunk is open: which way is it?
    pub(super) fn seek_trunk(&mut self, node: &mut Node, now: Instant, leg: LegId) {
        let owner = self.leg_ref(leg);
        let Some(dial) = &self.dialling else { return };
        let Some(trunk) = dial.trunk.clone().filter(|_| dial.leg == Some(leg)) else { return };
        let mut uris = node.trunk_states.in_order(&trunk);
        if let Some(way) = node.trunk_states.service_route(&trunk) {
            let home = uris.iter_mut().filter(|uri| **uri == way.target);
            home.for_each(|uri| *uri = way.first.clone());
        }
        if let Some(server) = &dial.server {
            uris.sort_by_key(|uri| !is_at(&uri.as_uri(), server));
        }
        let urgent = matches!(&dial.goal, super::model::Goal::Outside(to) if to.is_emergency());
        let size = self.directory.trunk(&trunk).map_or(INVITE, expected_size)
            + self.sent_on.size()
            + self.size_of_signatures(&trunk)
            + if urgent { self.location_size() } else { 0 };
        let identity = Some(trunk);
        let ask = Ask { identity, size, urgent, ..Ask::new(PathFor::Leg(owner), uris) };
        let Some(dial) = &mut self.dialling else { return };
        dial.server = None;
        dial.path = Some(node.paths.ask(now, ask));
    }

    /// What became of looking for a way.
    pub(super) fn on_path(&mut self, node: &mut Node, now: Instant, leg: LegId, event: PathEvent) {
        let is_mine = matches!(&self.dialling, Some(dial)
            if dial.leg == Some(leg) && dial.path == Some(event.path()));
        if !is_mine {
            node.ignored += 1;
            return;
        }
        match event {
            PathEvent::Ready { uri, flow, .. } => self.invite_trunk(node, now, leg, &uri, flow),
            PathEvent::Silent { path } => {
                if let Some(forks) = self.take_forks(leg) {
                    self.cancel_forks(node, now, leg, forks, &reason(Cause::NoAnswer, None));
                }
                node.paths.next(now, path, PathFault::Silent);
            }
            PathEvent::Exhausted { why, .. } => {
                if let Some(dial) = &mut self.dialling {
                    dial.path = None;
                }
                let far = self.narrative.far.take().unwrap_or_default();
                let reason = why.to_string();
                self.dial_failed(node, now, Failure { cause: Cause::Unavailable, far, reason });
            }
        }
    }

    pub(super) fn take_forks(&mut self, leg: LegId) -> Option<Forks> {
        match &mut self.leg_mut(leg)?.signalling {
            Signalling::Ringing(forks) => Some(std::mem::take(forks)),
            _ => None,
        }
    }

    fn invite_trunk(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
        uri: &UriBuf,
        flow: sip::Flow,
    ) {
        let trunk = self.dialling.as_ref().and_then(|dial| dial.trunk.as_ref());
        let way = trunk.and_then(|trunk| node.trunk_states.service_route(trunk));
        let way = way.filter(|way| way.first == *uri);
        let target = way.as_ref().map_or(uri, |way| &way.target);
        let prefer = if self.is_caller(leg) { None } else { self.caller.codec() };
        let offer = self.leg_mut(leg).and_then(|known| known.offer_over(flow, prefer));
        let invite = offer.clone().and_then(|offer| self.trunk_invite(node, target, flow, offer));
        let (Some(offer), Some(invite)) = (offer, invite) else {
            let failure = Failure::new(Cause::InternalError, "the INVITE cannot be written");
            return self.dial_failed(node, now, failure);
        };
        let invite = match way {
            Some(way) => invite.header(sip::Name::ROUTE, way.route),
            None => invite,
        };
        let invite = self.signed(node, now, invite);
        let invite = timed(self.leg_mut(leg), invite);
        let (call, sip_call) = (self.id, invite.get(sip::Name::CALL_ID).map(str::to_owned));
        if let (Some(known), Some(sip_call)) = (self.leg_mut(leg), sip_call) {
            known.name(node, call, &sip_call);
        }
        self.send_fork(node, now, leg, flow, invite, offer);
    }

    /// Sends an INVITE of a leg, beside those of it that are out.
    pub(super) fn send_fork(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
        flow: sip::Flow,
        invite: sip::Request,
        offer: bytes::Bytes,
    ) {
        let owner = self.leg_ref(leg);
        node.index.bind_connection(&flow, owner);
        let tx = node.endpoint.request(now, flow, invite.clone());
        node.index.clients.insert(tx, owner);
        let fork = Fork { tx, flow, invite, offer, early: Early::default() };
        match self.leg_mut(leg) {
            Some(Leg { signalling: Signalling::Ringing(forks), .. }) => forks.invites.push(fork),
            Some(known) => {
                let forks = Forks { invites: vec![fork], rings: false, refused: None };
                known.signalling = Signalling::Ringing(forks);
            }
            None => {}
        }
        if let Some(dial) = &self.dialling
            && let Some(path) = dial.path
        {
            node.paths.sent(now, path, tx);
        }
    }

    /// The trunk's final refusal.
    pub(super) fn on_trunk_refused(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
        tx: ClientTx,
        response: &Message,
    ) {
        let Some(status) = response.status() else { return };
        let Some(fork) = self.take_fork(leg, tx) else { return };
        forget_early(node, &fork);
        let owner = self.leg_ref(leg);
        node.index.unbind_connection(&fork.flow, owner);
        let is_challenge =
            matches!(status, StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED);
        if is_challenge && self.answer_challenge(node, now, leg, fork, response) {
            return;
        }
        // 305 and 380 would have us go by another host, or do something else than call.
        let is_moved = matches!(status.as_u16(), 300..=302);
        if is_moved && self.follow(node, now, response) {
            return;
        }
        let far = FarEnd::of(response);
        let path = match &self.dialling {
            Some(dial) if !dial.alerting && !far.speaks_for_callee() => dial.path,
            _ => None,
        };
        match path.filter(|_| status == StatusCode::SERVICE_UNAVAILABLE) {
            Some(path) => {
                self.narrative.far = Some(far);
                node.paths.next(now, path, PathFault::Refused);
            }
            None => self.dial_failed(node, now, Failure::of(far)),
        }
    }

    /// The INVITE to a trunk could not be sent, or nobody answered it.
    pub(super) fn on_trunk_unreachable(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
        tx: ClientTx,
    ) {
        let Some(fork) = self.take_fork(leg, tx) else { return };
        forget_early(node, &fork);
        let owner = self.leg_ref(leg);
        node.index.unbind_connection(&fork.flow, owner);
        let path = match &self.dialling {
            Some(dial) if !dial.alerting => dial.path,
            _ => None,
        };
        match path {
            Some(path) => node.paths.next(now, path, PathFault::Unreachable),
            None => self.dial_failed(node, now, Failure::of(FarEnd::default())),
        }
    }

    pub(super) fn take_fork(&mut self, leg: LegId, tx: ClientTx) -> Option<Fork> {
        match &mut self.leg_mut(leg)?.signalling {
            Signalling::Ringing(forks) => {
                let at = forks.invites.iter().position(|fork| fork.tx == tx)?;
                Some(forks.invites.swap_remove(at))
            }
            _ => None,
        }
    }

    /// Sends the INVITE again with the trunk's password (RFC 3261 §22.2). `false` if that would
    /// tell it to somebody else, or has been tried.
    fn answer_challenge(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
        fork: Fork,
        response: &Message,
    ) -> bool {
        let Some(dial) = &self.dialling else { return false };
        let trunk = dial.trunk.as_ref().and_then(|trunk| self.directory.trunk(trunk));
        let Some(credentials) = trunk.and_then(credentials_of) else { return false };
        let Fork { flow, mut invite, offer, .. } = fork;
        if digest::authorize(&mut invite, response, &credentials, &mut node.rng).is_err() {
            return false;
        }
        invite.next_cseq();
        self.send_fork(node, now, leg, flow, invite, offer);
        true
    }

    /// A redirection: followed where the number is one that may be dialled and stays with the same
    /// trunk; never to a host that only the response names (toll fraud by 302).
    fn follow(&mut self, node: &mut Node, now: Instant, response: &Message) -> bool {
        let Some(dial) = &self.dialling else { return false };
        let trunk = dial.trunk.as_ref().and_then(|trunk| self.directory.trunk(trunk));
        let Some(trunk) = trunk.filter(|_| dial.forwards < super::dial::FORWARDS) else {
            return false;
        };
        let hosts: Vec<String> = trunk.outbound_targets().iter().filter_map(host_of).collect();
        let own =
            |uri: &sip::Uri<'_>| hosts.iter().any(|host| host.eq_ignore_ascii_case(uri.host()));
        let contacts = response.contacts().filter_map(Result::ok);
        let next = contacts.map(|contact| contact.uri()).filter(own).find_map(|uri| {
            let user = uri.user_unescaped()?.into_owned();
            match routing::dial(&self.directory, &self.tenant, self.origin.agent(), &user) {
                Ok(routing::Dialled::Outside(to @ Destination::Number(_))) => {
                    Some((to, (uri.host().to_owned(), uri.port())))
                }
                _ => None,
            }
        });
        let Some((to, server)) = next else { return false };
        self.again_over_trunk(node, now, to, server);
        true
    }

    /// Calls another number, or another of its servers, over the trunk that named it.
    fn again_over_trunk(
        &mut self,
        node: &mut Node,
        now: Instant,
        to: Destination,
        server: (String, Option<u16>),
    ) {
        let Some(dial) = &mut self.dialling else { return };
        dial.forwards += 1;
        dial.server = Some(server);
        let (leg, trunk, path) = (dial.leg.take(), dial.trunk.take(), dial.path.take());
        dial.goal = super::model::Goal::Outside(to.clone());
        dial.trunks.extend(trunk.clone());
        // The trunk that redirected is the next one.
        dial.trunks.rotate_right(1);
        if let Some(path) = path {
            node.paths.close(path);
        }
        if let Some(trunk) = trunk {
            self.release_trunk(node, &trunk);
        }
        if let Some(leg) = leg {
            self.hang_up(node, now, leg, Cause::Normal);
        }
        let why = "the trunk redirected the call there".to_owned();
        self.narrative.decide(node, now, Decided::Dial { to: to.to_string(), why });
        self.try_next_trunk(node, now, &to);
    }

    /// Gives up an INVITE: cancelled, and remembered for a late answer.
    pub(super) fn cancel_fork(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
        fork: Fork,
        why: &str,
    ) {
        let (call, owner) = (self.id, self.leg_ref(leg));
        forget_early(node, &fork);
        let Fork { tx, flow, invite, .. } = fork;
        node.index.unbind_connection(&flow, owner);
        node.endpoint.cancel_because(now, tx, why);
        let until = now + STRAY_LIFE;
        node.remember_stray(tx, Stray { call, leg, flow, invite, taken: None, until });
        if let Some(known) = self.leg_mut(leg) {
            known.strays.push(tx);
        }
    }
}

/// What a trunk's challenges are answered with.
pub(super) fn credentials_of(trunk: &Trunk) -> Option<digest::Credentials> {
    let known = trunk.authenticate.as_ref()?;
    let credentials = digest::Credentials::new(&known.user, known.password.as_str());
    Some(match &known.realm {
        Some(realm) => credentials.for_realm(realm),
        None => credentials,
    })
}

/// Whether a URI leads to that host, and to that port if it names one.
fn is_at(uri: &sip::Uri<'_>, (host, port): &(String, Option<u16>)) -> bool {
    let same_port = port.is_none_or(|port| uri.port().unwrap_or(5060) == port);
    uri.host().eq_ignore_ascii_case(host) && same_port
}

fn host_of(target: &routing::TrunkTarget) -> Option<String> {
    let uri = sip::Uri::parse(&target.uri).ok()?;
    Some(uri.host().to_owned())
}

/// How long our INVITE to a trunk is with an offer of all our codecs, and how much longer a
/// signature makes it.
const INVITE: usize = 900;
const SIGNATURE: usize = 900;

/// How long an INVITE to a trunk will be, before it is known over which flow it goes.
fn expected_size(trunk: &Trunk) -> usize {
    let line = |rule: &routing::HeaderRule| {
        rule.name.len() + rule.value.as_ref().map_or(64, String::len) + ": \r\n".len()
    };
    let lines: usize = trunk.headers.iter().map(line).sum();
    INVITE + lines + if trunk.stir.is_some() { SIGNATURE } else { 0 }
}
