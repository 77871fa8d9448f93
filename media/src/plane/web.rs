//! Browsers' streams: what comes in over the shared port is told apart (RFC 7983) and brought to
//! its stream; checks are answered, and made; DTLS gives the keys.
//!
//! A check finds its stream by the fragment that it names, an answer to one of ours by its
//! transaction. Everything else finds it by where it comes from, and only from where a check or an
//! answer came whose writer knew the password: nobody else makes us do a handshake, or send
//! anything but checks anywhere.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use base::Instant;

use super::deadlines::Kind;
use super::stream::Stream;
use super::{Place, Plane};
use crate::dtls::{self, Association, DtlsRole, Identity, Progress};
use crate::ice::{self, Checked, Credentials, End, FRAGMENT, Request, Response, TransportAddress};
use crate::latch::Verdict;
use crate::srtp::SrtpKeys;
use crate::{
    Batch, Event, MAX_DATAGRAM, Peer, PlaneOutput, Port, Slot, StreamId, WebFailure, secure,
};

/// What all browsers' streams of a worker have in common.
#[derive(Debug, Default)]
pub(super) struct Shared {
    identity: Option<Identity>,
    fragments: HashMap<[u8; FRAGMENT], Slot>,
    addresses: HashMap<TransportAddress, Slot>,
    /// Room for what DTLS says.
    room: Vec<u8>,
    /// Room for a message of ICE.
    answer: Vec<u8>,
}

/// ICE and DTLS of one stream.
pub(super) struct Web {
    ice: End,
    peer: Option<Peer>,
    dtls: Option<Association>,
    /// What it showed, and the keys, until both are found good.
    certificate: Option<Box<[u8]>>,
    keys: Option<SrtpKeys>,
    /// Where DTLS has come from last: it goes there while nothing is nominated.
    dtls_from: Option<TransportAddress>,
    /// Where audio goes.
    destination: Option<TransportAddress>,
    /// The deadline that is set.
    due: Option<Instant>,
    dtls_due: Option<Instant>,
    /// What was told last.
    failed: Option<WebFailure>,
}

impl Web {
    fn new(ice: End) -> Self {
        Self {
            ice,
            peer: None,
            dtls: None,
            certificate: None,
            keys: None,
            dtls_from: None,
            destination: None,
            due: None,
            dtls_due: None,
            failed: None,
        }
    }

    /// Where audio goes, if anywhere.
    pub(super) fn target(&self) -> Option<(Port, SocketAddr)> {
        self.destination.map(|to| (to.port, to.address))
    }

    /// An authentic packet came from there.
    pub(super) fn hear(&mut self, now: Instant, port: Port, address: SocketAddr) -> Verdict {
        self.ice.hear(now, TransportAddress { port, address });
        self.destination = self.ice.destination(now);
        Verdict::Accept
    }
}

impl Stream {
    /// Whether a packet that came so may not be looked at: nobody has proven to be the browser, or
    /// it did not come over the port that browsers use.
    pub(super) fn is_unproven(&self, port: Port) -> bool {
        let over_shared = matches!(port, Port::Shared(_) | Port::Stream);
        match &self.web {
            Some(_) => !over_shared || self.secure.is_none(),
            None => over_shared,
        }
    }

    /// Whether it is known that the far end sends from there.
    pub(super) fn is_from_far_end(&self, source: SocketAddr) -> bool {
        self.web.is_some() || self.latch.source() == Some(source)
    }
}

impl Plane {
    /// From now on it can have browsers' streams.
    pub fn set_identity(&mut self, identity: Identity) {
        self.shared.identity = Some(identity);
        self.shared.room = vec![0; dtls::ROOM];
        self.shared.answer = Vec::with_capacity(MAX_DATAGRAM);
    }

    /// A datagram, or a packet out of a TCP connection, came in over the shared port. It is
    /// rewritten in place. `port` is [`Port::Shared`] or [`Port::Stream`]. Whether it was a check
    /// whose writer knew the password of one of our legs, or an answer of one to whom we sent a
    /// check: it is here, then, that what comes from there belongs.
    pub fn handle_shared(
        &mut self,
        now: Instant,
        port: Port,
        source: SocketAddr,
        packet: &mut [u8],
        out: &mut Batch,
    ) -> bool {
        let from = TransportAddress { port, address: source };
        match (packet.first(), self.shared.addresses.get(&from).copied()) {
            (Some(0..=3), _) => return self.handle_stun(now, from, packet, out),
            (Some(20..=63), Some(slot)) => self.handle_dtls(now, slot, from, packet, out),
            (Some(128..=191), Some(slot)) => {
                self.handle_packet(now, slot, port, source, packet, out);
            }
            _ => {}
        }
        false
    }

    pub(super) fn open_shared(&mut self, now: Instant, id: StreamId, identity: (u32, Arc<str>)) {
        let why = if self.shared.identity.is_none() {
            Some("no port for browsers")
        } else if self.by_id.contains_key(&id) {
            Some("the stream exists")
        } else {
            None
        };
        if let Some(why) = why {
            let reason = why.to_owned();
            self.events.push_back(Event::OpenFailed { stream: id, reason });
            return;
        }
        let Some(slot) = self.place(now, id, identity) else { return };
        if let Some(stream) = self.stream_mut(slot) {
            stream.open = true;
            self.events.push_back(Event::Opened { stream: id });
        }
    }

    pub(super) fn set_ice(&mut self, id: StreamId, ice: Credentials, is_full: bool) {
        let Some(slot) = self.by_id.get(&id).copied().filter(|_| self.shared.identity.is_some())
        else {
            return;
        };
        let Self { streams, rng, worker, .. } = self;
        let Some(stream) = stream_of(streams, slot) else { return };
        let forgotten = stream.web.as_mut().and_then(|web| web.ice.restart(ice));
        let new = || Box::new(Web::new(End::new(ice, ice::tag(*worker, slot))));
        let web = stream.web.get_or_insert_with(new);
        if is_full {
            web.ice.become_full(rng);
        }
        if let Some(forgotten) = forgotten {
            self.shared.fragments.remove(&forgotten.key());
        }
        self.shared.fragments.insert(ice.key(), slot);
    }

    pub(super) fn set_peer(&mut self, now: Instant, id: StreamId, peer: Peer) {
        let Some(slot) = self.by_id.get(&id).copied() else { return };
        let Self { streams, rng, .. } = self;
        let Some(stream) = stream_of(streams, slot) else { return };
        let Some(web) = &mut stream.web else { return };
        web.ice.set_peer(now, &peer.fragment, peer.reach.as_ref(), rng);
        let changed = web.peer.as_ref().is_some_and(|old| old.fingerprint != peer.fingerprint);
        let other_role = web.dtls.as_ref().is_some_and(|dtls| dtls.role() != peer.role);
        if changed || other_role {
            // Another certificate, another association (RFC 8842 §4).
            (web.dtls, web.certificate, web.keys, web.dtls_due) = (None, None, None, None);
            stream.secure = None;
        }
        let Some(web) = &mut stream.web else { return };
        web.peer = Some(peer);
        web.failed = None;
        let checks = web.ice.poll_timeout(now).is_some_and(|due| due <= now);
        if (web.dtls.is_none() || checks) && web.due.is_none_or(|due| due > now) {
            // The handshake may be ours to begin, or a check: at the next opportunity to send.
            web.due = Some(now);
            self.deadlines.set(now, slot, Kind::Web);
        }
        self.try_keys(now, slot);
        self.set_web_deadline(now, slot);
    }

    /// The far end's SDP is about to hold: either it was a browser's, or nothing of one is left.
    pub(super) fn settle_transport(&mut self, id: StreamId) {
        let Some(stream) = self.by_id_mut(id) else { return };
        if stream.web.as_ref().is_some_and(|web| web.peer.is_none()) {
            let slot = stream.slot;
            self.leave_shared(slot);
        }
    }

    /// The stream is on the shared port no more.
    pub(super) fn leave_shared(&mut self, slot: Slot) {
        let Some(web) = self.stream_mut(slot).and_then(|stream| stream.web.take()) else { return };
        for known in web.ice.credentials() {
            self.shared.fragments.remove(&known.key());
        }
        for address in web.ice.addresses() {
            if self.shared.addresses.get(&address) == Some(&slot) {
                self.shared.addresses.remove(&address);
            }
        }
    }

    /// Tells the browser that it is over, as far as DTLS goes.
    pub(super) fn say_goodbye(&mut self, slot: Slot) {
        let Self { streams, shared, outputs, .. } = self;
        let Some(web) = web_of(streams, slot) else { return };
        let (Some(dtls), Some(to)) = (&mut web.dtls, web.destination) else { return };
        dtls.close();
        dtls.drain(&mut shared.room, |progress| {
            if let Progress::Send(bytes) = progress {
                let TransportAddress { port, address } = to;
                let bytes = bytes.into();
                outputs.push_back(PlaneOutput::Send { slot, port, to: address, bytes });
            }
        });
    }

    /// A check, or the answer to one of ours: whether it was anybody's.
    fn handle_stun(
        &mut self,
        now: Instant,
        from: TransportAddress,
        packet: &[u8],
        out: &mut Batch,
    ) -> bool {
        let Self { streams, shared, .. } = self;
        shared.answer.clear();
        let (slot, checked) = if let Some(request) = Request::read(packet) {
            let Some(fragment) = request.fragments.0.first_chunk::<FRAGMENT>() else {
                return false;
            };
            let Some(slot) = shared.fragments.get(fragment).copied() else { return false };
            let Some(web) = web_of(streams, slot) else { return false };
            (slot, web.ice.handle_check(now, from, &request, &mut shared.answer))
        } else {
            let Some(response) = Response::read(packet) else { return false };
            let place = streams.get(ice::index_of(response.transaction) as usize);
            let slot = place.and_then(|place| Some(place.stream.as_ref()?.slot));
            let is_by_datagram = matches!(from.port, Port::Shared(_));
            let Some(slot) = slot.filter(|_| is_by_datagram) else { return false };
            let Some(web) = web_of(streams, slot) else { return false };
            (slot, web.ice.handle_response(now, from, &response))
        };
        if checked != Checked::Ignored {
            if !shared.answer.is_empty() {
                out.push(slot, from.port, from.address, &shared.answer);
            }
            // A check may be due because of it; one that failed may have been the last.
            self.set_web_deadline(now, slot);
        }
        let Checked::Known { forgotten } = checked else { return false };
        self.know(slot, from, forgotten);
        self.settle_destination(now, slot);
        self.begin_dtls(now, slot, out);
        self.set_web_deadline(now, slot);
        true
    }

    /// What comes from there is the stream's; for it another address may have been forgotten.
    fn know(&mut self, slot: Slot, from: TransportAddress, forgotten: Option<TransportAddress>) {
        let addresses = &mut self.shared.addresses;
        if let Some(forgotten) = forgotten
            && addresses.get(&forgotten) == Some(&slot)
        {
            addresses.remove(&forgotten);
        }
        addresses.insert(from, slot);
    }

    fn settle_destination(&mut self, now: Instant, slot: Slot) {
        let Some(web) = web_of(&mut self.streams, slot) else { return };
        web.destination = web.ice.destination(now);
        if web.failed == Some(WebFailure::ConsentLost) && !web.ice.is_lost(now) {
            web.failed = None;
        }
    }

    /// Sends the checks that are due.
    fn send_checks(&mut self, now: Instant, slot: Slot, out: &mut Batch) {
        let Self { streams, shared, .. } = self;
        let Some(web) = web_of(streams, slot) else { return };
        while out.room() > 0 {
            shared.answer.clear();
            let Some(to) = web.ice.poll_transmit(now, &mut shared.answer) else { return };
            out.push(slot, to.port, to.address, &shared.answer);
        }
    }

    /// The handshake is ours to begin, and there is somebody to begin it with.
    fn begin_dtls(&mut self, now: Instant, slot: Slot, out: &mut Batch) {
        let Self { streams, shared, .. } = self;
        let (Some(web), Some(identity)) = (web_of(streams, slot), &shared.identity) else { return };
        let is_ours = web.peer.as_ref().is_some_and(|peer| peer.role == DtlsRole::Active);
        if !is_ours || web.dtls.is_some() || web.destination.is_none() || web.failed.is_some() {
            return;
        }
        let mut dtls = Association::new(identity, DtlsRole::Active, now);
        let begun = dtls.handle_timeout(now);
        web.dtls = Some(dtls);
        self.go_on(now, slot, begun.is_ok(), out);
    }

    fn handle_dtls(
        &mut self,
        now: Instant,
        slot: Slot,
        from: TransportAddress,
        packet: &[u8],
        out: &mut Batch,
    ) {
        let Self { streams, shared, .. } = self;
        let (Some(web), Some(identity)) = (web_of(streams, slot), &shared.identity) else { return };
        if web.failed.is_some_and(|why| why != WebFailure::ConsentLost) {
            return;
        }
        // Before its SDP is there a browser that begins is the one that is to begin.
        let role = web.peer.as_ref().map_or(DtlsRole::Passive, |peer| peer.role);
        let dtls = web.dtls.get_or_insert_with(|| Association::new(identity, role, now));
        let taken = dtls.handle_packet(now, packet);
        web.dtls_from = Some(from);
        self.go_on(now, slot, taken.is_ok(), out);
        self.set_web_deadline(now, slot);
    }

    /// Takes out of DTLS what there is.
    fn go_on(&mut self, now: Instant, slot: Slot, is_sound: bool, out: &mut Batch) {
        let Self { streams, shared, .. } = self;
        let Some(web) = web_of(streams, slot) else { return };
        let to = web.destination.or(web.dtls_from);
        let Some(dtls) = &mut web.dtls else { return };
        let mut failed = (!is_sound).then_some(WebFailure::Handshake);
        let (certificate, keys) = (&mut web.certificate, &mut web.keys);
        web.dtls_due = dtls.drain(&mut shared.room, |progress| match progress {
            Progress::Send(bytes) => {
                if let Some(TransportAddress { port, address }) = to {
                    out.push(slot, port, address, bytes);
                }
            }
            Progress::Certificate(shown) => *certificate = Some(shown.into()),
            Progress::Keys(Some(agreed)) => *keys = Some(agreed),
            Progress::Keys(None) => failed = Some(WebFailure::Handshake),
            Progress::Closed => failed = Some(WebFailure::Closed),
        });
        if let Some(why) = failed {
            self.fail(slot, why);
        } else {
            self.try_keys(now, slot);
        }
    }

    /// The keys hold when the certificate is the one that the far end's SDP names.
    fn try_keys(&mut self, now: Instant, slot: Slot) {
        let Some(stream) = self.stream_mut(slot) else { return };
        let Some(web) = &mut stream.web else { return };
        let (Some(peer), Some(certificate)) = (&web.peer, &web.certificate) else { return };
        if !peer.fingerprint.is_of(certificate) {
            return self.fail(slot, WebFailure::WrongCertificate);
        }
        let Some(keys) = web.keys.take() else { return };
        secure::agree(now, &mut stream.secure, Some(&keys));
        let (id, profile) = (stream.id, keys.ours.profile());
        self.events.push_back(Event::Secured { stream: id, profile });
    }

    /// Nothing goes to the browser any more.
    fn fail(&mut self, slot: Slot, why: WebFailure) {
        let Some(stream) = self.stream_mut(slot) else { return };
        let id = stream.id;
        let Some(web) = &mut stream.web else { return };
        if web.failed.replace(why) == Some(why) {
            return;
        }
        web.destination = None;
        if why != WebFailure::ConsentLost {
            (web.dtls, web.keys, web.dtls_due) = (None, None, None);
            stream.secure = None;
        }
        self.events.push_back(Event::Unreachable { stream: id, why });
    }

    pub(super) fn handle_web_timeout(&mut self, now: Instant, slot: Slot, out: &mut Batch) {
        let Self { streams, .. } = self;
        let Some(web) = web_of(streams, slot) else { return };
        if web.due.is_none_or(|due| due > now) {
            // An earlier one was set since.
            return;
        }
        web.due = None;
        let mut broken = None;
        if web.dtls_due.is_some_and(|due| due <= now) {
            web.dtls_due = None;
            broken = web.dtls.as_mut().map(|dtls| dtls.handle_timeout(now).is_err());
        }
        let is_lost = web.ice.is_lost(now);
        self.send_checks(now, slot, out);
        self.begin_dtls(now, slot, out);
        if let Some(broken) = broken {
            self.go_on(now, slot, !broken, out);
        }
        if is_lost {
            self.fail(slot, WebFailure::ConsentLost);
        } else if web_of(&mut self.streams, slot).is_some_and(|web| web.ice.is_stuck()) {
            self.fail(slot, WebFailure::NoWay);
        }
        self.set_web_deadline(now, slot);
    }

    /// Sets the next deadline, if no earlier one is set.
    fn set_web_deadline(&mut self, now: Instant, slot: Slot) {
        let Self { streams, deadlines, .. } = self;
        let Some(web) = web_of(streams, slot) else { return };
        let checks = web.ice.poll_timeout(now);
        let stuck = web.ice.is_stuck() && web.failed.is_none();
        let stuck = stuck.then_some(now);
        let Some(next) = [web.dtls_due, checks, stuck].into_iter().flatten().min() else { return };
        if web.due.is_none_or(|due| next < due) {
            web.due = Some(next);
            deadlines.set(next, slot, Kind::Web);
        }
    }
}

fn stream_of(streams: &mut [Place], slot: Slot) -> Option<&mut Stream> {
    let place = streams.get_mut(slot.index as usize)?;
    place.stream.as_mut().filter(|stream| stream.slot == slot)
}

/// A stream's part of it.
fn web_of(streams: &mut [Place], slot: Slot) -> Option<&mut Web> {
    stream_of(streams, slot)?.web.as_deref_mut()
}
