//! Finding a recording server that takes the copies: one after the other, each over the ways there
//! are to it. A redirection is not followed: what a call says goes where provisioning says.

use base::Instant;
use media::sdp::{Capabilities, CopiesOffer, Description, Local, LocalKeys, Numbers};
use media::{Codec, Command, StreamId, WorkerId};
use sip::{Dialog, Flow, Message, Method, Name, Request, StatusCode, UriBuf, digest};

use super::super::leg::Role;
use super::super::negotiation::{Media, SDP, media_of};
use super::super::outside::credentials_of;
use super::super::terms::Terms;
use super::super::trunk_invite::{contact, domain, request_uri};
use super::super::{Call, Stage};
use super::metadata::{self, Said};
use super::{Inviting, Sink, State, Up};
use crate::event::EventKind;
use crate::index::LegRef;
use crate::node::{ALLOW, FORK_LIFE, Node, STRAY_LIFE};
use crate::paths::{Ask, PathEvent, PathFault, PathFor, PathId};
use crate::record::Decided;
use crate::strays::{Stray, cseq_of};

/// Ports tried for one stream.
const TRIES: u8 = 3;
/// How long our INVITE is about: two sections and who takes part.
const INVITE: usize = 3_000;
/// The extension (RFC 7866 §11.1), and what we are in it (§11.2).
const SIPREC: &str = "siprec";
const CLIENT: &str = "+sip.src";

impl Call {
    /// The next server's turn; with none left it is over.
    pub(super) fn next_server(&mut self, node: &mut Node, now: Instant) {
        let Some(siprec) = &mut self.siprec else { return };
        let Some(server) = siprec.next.pop_front() else {
            siprec.server = None;
            return self.close_sinks(node);
        };
        (siprec.server, siprec.began) = (Some(server.clone()), None);
        siprec.terms = Terms::of(&self.directory, &self.tenant, &Role::Trunk(server.clone()));
        if let Err(refusal) = self.admit_on_trunk(node, now, &server, false) {
            let Some(siprec) = &mut self.siprec else { return };
            siprec.server = None; // it does not count there
            return self.server_failed(node, now, &server, &refusal.reason(), None);
        }
        let Some(siprec) = &mut self.siprec else { return };
        if siprec.sinks.is_empty() {
            siprec.state = State::Opening;
            self.open_sinks(node, now);
        } else {
            self.seek_server(node, now);
        }
    }

    /// Two streams on the worker that the conversation lives on.
    fn open_sinks(&mut self, node: &mut Node, now: Instant) {
        let Stage::Connected { talk } = &self.stage else { return };
        let Some((.., worker)) = self.streams_with(talk.leg) else { return };
        let Some(owner) = self.siprec_owner() else { return };
        let sinks: Vec<Sink> = (0..2).filter_map(|_| open(node, now, worker, owner, 1)).collect();
        let Some(siprec) = &mut self.siprec else { return };
        let is_enough = sinks.len() == 2;
        siprec.sinks = sinks;
        if !is_enough {
            self.no_ports(node, now);
        }
    }

    /// Somebody else has the port: another one, a few times.
    pub(super) fn on_sink_failed(&mut self, node: &mut Node, now: Instant, stream: StreamId) {
        let Some(owner) = self.siprec_owner() else { return };
        let Some(siprec) = &mut self.siprec else { return };
        let Some(sink) = siprec.sinks.iter_mut().find(|sink| sink.stream == stream) else { return };
        let (worker, tries) = (sink.place.worker, sink.tries);
        let again = if tries < TRIES { open(node, now, worker, owner, tries + 1) } else { None };
        match again {
            Some(again) => *sink = again,
            None => {
                siprec.sinks.retain(|sink| sink.stream != stream);
                self.no_ports(node, now);
            }
        }
    }

    /// Without ports of ours no server can help.
    fn no_ports(&mut self, node: &mut Node, now: Instant) {
        let Some(siprec) = &mut self.siprec else { return };
        siprec.next.clear();
        if let Some(server) = siprec.server.clone() {
            self.server_failed(node, now, &server, "no media port could be opened", None);
        }
    }

    /// Our ports are open: which way is it?
    pub(super) fn seek_server(&mut self, node: &mut Node, now: Instant) {
        let Some(owner) = self.siprec_owner() else { return };
        let Some(siprec) = &mut self.siprec else { return };
        let Some(server) = siprec.server.clone() else { return };
        let uris = node.trunk_states.in_order(&server);
        let ask = Ask::new(PathFor::Leg(owner), uris);
        let path = node.paths.ask(now, Ask { identity: Some(server), size: INVITE, ..ask });
        siprec.state = State::Seeking { path };
    }

    /// What became of looking for it.
    pub(super) fn on_server_path(&mut self, node: &mut Node, now: Instant, event: PathEvent) {
        let Some(siprec) = &mut self.siprec else { return };
        let path = match &siprec.state {
            State::Seeking { path } => *path,
            State::Inviting(inviting) => inviting.path,
            _ => return node.ignored += 1,
        };
        if path != event.path() {
            return node.ignored += 1;
        }
        match event {
            PathEvent::Ready { uri, flow, .. } => {
                if !self.invite_server(node, now, &uri, flow) {
                    self.fail_server(node, now, "the INVITE cannot be written", None);
                }
            }
            PathEvent::Silent { path } => {
                self.give_invite_up(node, now);
                node.paths.next(now, path, PathFault::Silent);
            }
            PathEvent::Exhausted { why, .. } => {
                siprec.state = State::Idle; // nothing is left to be closed
                self.fail_server(node, now, &why.to_string(), None);
            }
        }
    }

    fn invite_server(&mut self, node: &mut Node, now: Instant, to: &UriBuf, flow: Flow) -> bool {
        let Some(owner) = self.siprec_owner() else { return false };
        let shown = self.shown_to_server();
        let Some(offer) = self.copies_offer(&flow, shown.active) else { return false };
        let Some(invite) = self.server_invite(node, to, &flow) else { return false };
        let Some(invite) = self.with_metadata(node, now, invite, &offer, &shown) else {
            return false;
        };
        if invite.refused().is_some() {
            return false;
        }
        let Some(siprec) = &mut self.siprec else { return false };
        let State::Seeking { path } = siprec.state else { return false };
        if let Some(name) = invite.get(Name::CALL_ID) {
            node.index.sip_calls.insert(name.into(), owner.call);
            siprec.sip_calls.push(name.into());
        }
        node.index.bind_connection(&flow, owner);
        let tx = node.endpoint.request(now, flow, invite.clone());
        node.index.clients.insert(tx, owner);
        node.paths.sent(now, path, tx);
        siprec.state = State::Inviting(Box::new(Inviting { path, tx, flow, invite, offer, shown }));
        true
    }

    /// The INVITE but for its body.
    fn server_invite(&self, node: &mut Node, target: &UriBuf, flow: &Flow) -> Option<Request> {
        let server = self.siprec.as_ref()?.server.as_ref()?;
        let trunk = self.directory.trunk(server)?;
        let own = contact(node, trunk, flow)?;
        let from = UriBuf::sip(Some(self.tenant.as_str()), &domain(trunk, &own)).ok()?;
        let uri = request_uri(target, "recorder")?;
        let to = UriBuf::sip(Some("recorder"), uri.as_uri().host()).ok()?;
        let (tag, call_id) = (node.rng.hex::<8>(), node.rng.hex::<16>());
        let invite = Request::new(Method::Invite, uri)
            .header(Name::FROM, format_args!("<{from}>;tag={tag}"))
            .header(Name::TO, format_args!("<{to}>"))
            .header(Name::CALL_ID, call_id)
            .header(Name::CSEQ, "1 INVITE")
            .header(Name::CONTACT, format_args!("<{own}>;{CLIENT}"))
            .header(Name::REQUIRE, SIPREC)
            .header(Name::ACCEPT, format_args!("{SDP}, {}", metadata::REQUEST_TYPE))
            .header(Name::ALLOW, ALLOW);
        Some(self.by_the_rules(trunk, invite))
    }

    /// A request with our offer and what there is to know of the call (RFC 7866 §6.1.2, §9.1).
    pub(super) fn with_metadata(
        &mut self,
        node: &mut Node,
        now: Instant,
        request: Request,
        offer: &CopiesOffer,
        shown: &super::Shown,
    ) -> Option<Request> {
        let present: Vec<(base::LegId, Said)> =
            shown.legs.iter().flatten().map(|leg| (*leg, self.said_of(*leg))).collect();
        let (at, began) = (node.wall(now), node.wall(self.narrative.started));
        let siprec = self.siprec.as_mut()?;
        siprec.metadata.attend(at, &present, &mut node.rng);
        let copied = node.wall(*siprec.began.get_or_insert(now));
        let xml = siprec.metadata.xml(shown, began, copied);
        let boundary = node.rng.hex::<16>();
        let body = [
            format!("--{boundary}\r\nContent-Type: {SDP}\r\n\r\n").as_bytes(),
            &offer.body(),
            format!(
                "\r\n--{boundary}\r\nContent-Type: {}\r\n\
                 Content-Disposition: recording-session\r\n\r\n{xml}\r\n--{boundary}--\r\n",
                metadata::TYPE
            )
            .as_bytes(),
        ]
        .concat();
        Some(request.body(&format!("multipart/mixed;boundary={boundary}"), body))
    }

    /// Who is on a leg, as the server is told.
    fn said_of(&self, leg: base::LegId) -> Said {
        let number = self.number_of(leg);
        let agent = self.leg(leg).and_then(|leg| leg.role.agent());
        let name = agent
            .and_then(|agent| self.directory.agent(&self.tenant, agent))
            .map(|agent| agent.name.clone())
            .or_else(|| (number == self.from.number).then(|| self.from.name())?)
            .filter(|name| !name.is_empty());
        let domain = self.directory.tenant(&self.tenant).map_or("", |tenant| &tenant.domain);
        let aor = match number.strip_prefix('+') {
            Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => format!("tel:{number}"),
            _ => UriBuf::sip(Some(&number), domain)
                .map_or_else(|_| format!("sip:{domain}"), |uri| uri.to_string()),
        };
        Said { aor, name }
    }

    /// A new offer of both streams.
    pub(super) fn copies_offer(&mut self, flow: &Flow, active: bool) -> Option<CopiesOffer> {
        let (locals, caps, prefer) = self.copies_terms(flow)?;
        Some(CopiesOffer::new(&locals, &caps, prefer, active))
    }

    /// Our ends, what we can do, and the codecs that need no change.
    pub(super) fn copies_terms(
        &mut self,
        flow: &Flow,
    ) -> Option<([Local; 2], Capabilities, [Option<Codec>; 2])> {
        let prefer = self.conversation().map_or([None, None], |talk| talk.codecs);
        let siprec = self.siprec.as_mut()?;
        siprec.version += 1;
        let [one, other] = siprec.sinks.as_slice() else { return None };
        let local = |sink: &Sink| Local {
            address: sink.place.address.unwrap_or(flow.local.ip()),
            port: sink.place.port,
            origin_id: siprec.origin_id,
            version: siprec.version,
            keys: sink.keys,
            numbers: Numbers::default(),
            web: None,
        };
        let caps = Capabilities { telephone_event: false, ..siprec.terms.capabilities() };
        Some(([local(one), local(other)], caps, prefer))
    }

    /// The server's answer to our INVITE; `None`: none will come.
    pub(super) fn on_invite_answer(
        &mut self,
        node: &mut Node,
        now: Instant,
        response: Option<&Message>,
    ) {
        let Some(owner) = self.siprec_owner() else { return };
        let Some(siprec) = &mut self.siprec else { return };
        let State::Inviting(inviting) = &mut siprec.state else { return };
        let status = response.and_then(Message::status);
        match (status, response) {
            (Some(status), _) if !status.is_final() => {}
            (Some(status), Some(response)) if status.is_success() => {
                self.server_took(node, now, response);
            }
            (
                Some(StatusCode::UNAUTHORIZED | StatusCode::PROXY_AUTHENTICATION_REQUIRED),
                Some(challenge),
            ) => {
                let trunk = siprec.server.as_ref().and_then(|id| self.directory.trunk(id));
                let Some(credentials) = trunk.and_then(credentials_of) else {
                    return self.server_refused(node, now, status);
                };
                let invite = &mut inviting.invite;
                if digest::authorize(invite, challenge, &credentials, &mut node.rng).is_err() {
                    return self.server_refused(node, now, status);
                }
                invite.next_cseq();
                inviting.tx = node.endpoint.request(now, inviting.flow, invite.clone());
                node.index.clients.insert(inviting.tx, owner);
                node.paths.sent(now, inviting.path, inviting.tx);
            }
            (Some(StatusCode::SERVICE_UNAVAILABLE), _) => {
                self.try_next_way(node, now, PathFault::Refused);
            }
            (Some(_), _) => self.server_refused(node, now, status),
            (None, _) => self.try_next_way(node, now, PathFault::Unreachable),
        }
    }

    fn try_next_way(&mut self, node: &mut Node, now: Instant, fault: PathFault) {
        if let Some(path) = self.invite_over(node) {
            node.paths.next(now, path, fault);
        }
    }

    /// Our INVITE has had its final answer, or never will; its way is still open.
    fn invite_over(&mut self, node: &mut Node) -> Option<PathId> {
        let owner = self.siprec_owner()?;
        let siprec = self.siprec.as_mut()?;
        let State::Inviting(inviting) = &siprec.state else { return None };
        let (path, flow) = (inviting.path, inviting.flow);
        node.index.unbind_connection(&flow, owner);
        siprec.state = State::Seeking { path };
        Some(path)
    }

    /// Its final word: nothing is left to be cancelled.
    fn server_refused(&mut self, node: &mut Node, now: Instant, status: Option<StatusCode>) {
        self.invite_over(node);
        self.fail_server(node, now, "the server refuses", status);
    }

    /// It takes the copies (RFC 3261 §13.2.2.4).
    fn server_took(&mut self, node: &mut Node, now: Instant, response: &Message) {
        let Some(owner) = self.siprec_owner() else { return };
        let Some(siprec) = &mut self.siprec else { return };
        let State::Inviting(inviting) = std::mem::replace(&mut siprec.state, State::Idle) else {
            return;
        };
        let Inviting { path, tx, flow, invite, offer, shown } = *inviting;
        node.paths.close(path);
        let Ok(dialog) = Dialog::uac(&invite, response) else {
            node.index.unbind_connection(&flow, owner);
            return self.fail_server(node, now, "the server's answer makes no dialog", None);
        };
        let way = node.toward(&dialog, flow);
        node.endpoint.acknowledge(now, tx, way, dialog.ack(cseq_of(&invite)));
        node.index.dialogs.insert(dialog.id(), owner);
        let (call, leg, until) = (owner.call, owner.leg, now + FORK_LIFE);
        let taken = response.to_tag().map(Into::into);
        node.remember_stray(tx, Stray { call, leg, flow, invite, taken, until });
        let up = Up { dialog, flow: way, change: None, awaited: None };
        siprec.state = State::Up(Box::new(up));
        siprec.told = shown;
        let settled = match media_of(response) {
            Media::Described(answer) => self.take_copies(node, &offer, &answer),
            _ => false,
        };
        if !settled {
            let why = "the server takes none of the streams";
            return self.fail_server(node, now, why, response.status());
        }
        self.follow_server(node, now);
        if let Some(server) = self.siprec.as_ref().and_then(|siprec| siprec.server.clone()) {
            let decided = Decided::CopyStarted { server: server.clone() };
            self.note_siprec(node, now, decided, EventKind::SiprecStarted { server });
        }
    }

    /// What the server's answer settles holds from now on. `false` if it takes nothing.
    pub(super) fn take_copies(
        &mut self,
        node: &mut Node,
        offer: &CopiesOffer,
        answer: &Description,
    ) -> bool {
        match offer.accept(answer) {
            Ok(settled) => {
                self.settle_copies(node, settled);
                true
            }
            Err(_) => false,
        }
    }

    pub(super) fn settle_copies(
        &mut self,
        node: &mut Node,
        settled: [Option<media::sdp::Settled>; 2],
    ) {
        let Some(siprec) = &mut self.siprec else { return };
        for (sink, settled) in siprec.sinks.iter_mut().zip(settled) {
            sink.remote = settled.as_ref().map(|settled| settled.remote);
            if let Some(media::sdp::Settled { remote, srtp, .. }) = settled {
                let (worker, stream) = (sink.place.worker, sink.stream);
                node.media(worker, Command::SetRemote { stream, remote, srtp });
            }
        }
    }

    /// This server does not do: the next one.
    pub(super) fn fail_server(
        &mut self,
        node: &mut Node,
        now: Instant,
        why: &str,
        status: Option<StatusCode>,
    ) {
        let server = self.siprec.as_ref().and_then(|siprec| siprec.server.clone());
        if let Some(server) = server {
            self.server_failed(node, now, &server, why, status);
        }
    }

    fn server_failed(
        &mut self,
        node: &mut Node,
        now: Instant,
        server: &base::TrunkId,
        why: &str,
        status: Option<StatusCode>,
    ) {
        self.leave_server(node, now);
        let status = status.map(StatusCode::as_u16);
        let why = status.map_or_else(|| why.to_owned(), |status| format!("{why}: {status}"));
        let decided = Decided::CopyFailed { server: server.clone(), reason: why.clone() };
        let failed = EventKind::SiprecFailed { server: server.clone(), why, status };
        self.note_siprec(node, now, decided, failed);
        self.next_server(node, now);
    }

    /// An INVITE that nothing came back to: cancelled, and remembered for a late answer.
    pub(super) fn give_invite_up(&mut self, node: &mut Node, now: Instant) {
        let Some(owner) = self.siprec_owner() else { return };
        let Some(siprec) = &mut self.siprec else { return };
        let State::Inviting(inviting) = std::mem::replace(&mut siprec.state, State::Idle) else {
            return;
        };
        let Inviting { path, tx, flow, invite, .. } = *inviting;
        siprec.state = State::Seeking { path };
        node.index.unbind_connection(&flow, owner);
        node.endpoint.cancel(now, tx);
        let (call, leg, until) = (owner.call, owner.leg, now + STRAY_LIFE);
        node.remember_stray(tx, Stray { call, leg, flow, invite, taken: None, until });
        siprec.strays.push(tx);
    }
}

/// Opens one of our streams.
fn open(node: &mut Node, now: Instant, worker: WorkerId, owner: LegRef, tries: u8) -> Option<Sink> {
    let (stream, place) = node.ports.take(now, Some(worker), None, (owner.call, owner.leg))?;
    let (ssrc, cname) = (node.rng.next_u32(), node.rng.hex::<8>().into());
    node.media(worker, Command::Open { stream, port: place.port, ssrc, cname });
    let keys = LocalKeys::draw(&mut node.rng);
    Some(Sink { stream, place, open: false, tries, keys, remote: None, source: None })
}
