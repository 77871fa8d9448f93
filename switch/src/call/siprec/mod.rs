//! SIPREC (RFC 7866): a conversation is copied to a recording server, as the recording client.
//!
//! What is to be copied follows from where the call stands, looked at after everything that happens
//! to it ([`Call::review_siprec`]); no procedure of the call knows of it. Nothing that the server
//! does or leaves undone ever reaches the call: its fate is told, and that is all.
//!
//! ```text
//! idle -> opening our ports -> seeking the server -> inviting -> up -> idle
//!              ^                    ^                   |        |
//!              +---- next server ---+-------------------+--------+
//! ```

mod dialog;
mod metadata;
mod requests;
mod server;

use std::collections::VecDeque;

use base::{Instant, LegId, TrunkId};
use media::sdp::{CopiesOffer, LocalKeys};
use media::{Codec, Command, Event, RemoteMedia, StreamId, WorkerId};
use sip::{ClientTx, Dialog, Flow, Request, ServerTx};

use self::metadata::Metadata;
use super::terms::Terms;
use super::{Call, Signal, Stage};
use crate::event::EventKind;
use crate::gate::Peer;
use crate::index::LegRef;
use crate::node::Node;
use crate::paths::PathId;
use crate::ports::Place;
use crate::record::{CallDirection, Decided};

/// A server that is lost in mid-call is replaced so often.
const REPLACEMENTS: u8 = 3;

/// The recording session of a call, from its first conversation to its end.
pub(super) struct Siprec {
    /// What the tables know its dialog and its streams by.
    leg: LegId,
    /// The servers still to be tried.
    next: VecDeque<TrunkId>,
    /// The one that is tried, or has the copies.
    server: Option<TrunkId>,
    terms: Terms,
    state: State,
    /// Our two streams to the server: the caller's voice, and the other one's.
    sinks: Vec<Sink>,
    /// Streams whose end is being waited for.
    closing: Vec<StreamId>,
    /// Transactions whose end is: BYEs, INVITEs that were given up.
    strays: Vec<ClientTx>,
    sip_calls: Vec<Box<str>>,
    metadata: Metadata,
    /// What the server knows.
    told: Shown,
    origin_id: u64,
    version: u64,
    /// Since when somebody has been asked to take them.
    began: Option<Instant>,
    replaced: u8,
    /// When what could not be told is told again.
    retry: Option<Instant>,
}

/// Where it stands.
enum State {
    /// Nothing is out: it is over, or nobody is left to try.
    Idle,
    /// Our ports are being bound.
    Opening,
    /// A way to the server is looked for.
    Seeking { path: PathId },
    /// Our INVITE is out.
    Inviting(Box<Inviting>),
    /// The server takes the copies.
    Up(Box<Up>),
}

struct Inviting {
    path: PathId,
    tx: ClientTx,
    flow: Flow,
    invite: Request,
    offer: CopiesOffer,
    shown: Shown,
}

struct Up {
    dialog: Dialog,
    flow: Flow,
    /// Our re-INVITE that is out.
    change: Option<Change>,
    /// The server's INVITE that we answered, until its ACK; with our offer if it made none.
    awaited: Option<(ServerTx, Option<CopiesOffer>)>,
}

/// A re-INVITE of ours.
struct Change {
    tx: ClientTx,
    request: Request,
    cseq: u32,
    offer: CopiesOffer,
    shown: Shown,
}

/// One of our two streams to the server.
struct Sink {
    stream: StreamId,
    place: Place,
    open: bool,
    tries: u8,
    keys: LocalKeys,
    remote: Option<RemoteMedia>,
    /// Whose voice it carries now.
    source: Option<StreamId>,
}

/// What the server is to know: who is there, and whether they hear each other.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct Shown {
    legs: [Option<LegId>; 2],
    active: bool,
}

/// Whom a conversation is between, and where it lives.
struct Conversation {
    shown: Shown,
    streams: [StreamId; 2],
    codecs: [Option<Codec>; 2],
    worker: WorkerId,
}

impl Signal {
    /// The leg that it is about, if it is about one.
    fn leg(&self) -> Option<LegId> {
        match self {
            Self::Media(leg, _)
            | Self::Ack(leg, ..)
            | Self::AckMissing(leg, _)
            | Self::Cancelled(leg, ..)
            | Self::Request(leg, ..)
            | Self::Response(leg, ..)
            | Self::TimedOut(leg, _)
            | Self::TransportFailed(leg, _)
            | Self::ConnectionClosed(leg, _)
            | Self::NextHop(leg, _)
            | Self::StrayAnswered(leg, ..)
            | Self::Path(leg, _)
            | Self::Timer(leg) => Some(*leg),
            _ => None,
        }
    }
}

impl Call {
    /// Whether that is about the recording session.
    pub(super) fn is_of_siprec(&self, signal: &Signal) -> bool {
        let known = self.siprec.as_ref().map(|siprec| siprec.leg);
        known.is_some() && signal.leg() == known
    }

    /// Takes what happened to it.
    pub(super) fn on_siprec(&mut self, node: &mut Node, now: Instant, signal: Signal) {
        match signal {
            Signal::Media(_, event) => self.on_sink(node, now, &event),
            Signal::Path(_, event) => self.on_server_path(node, now, event),
            Signal::NextHop(_, event) => self.on_server_moved(node, now, event),
            Signal::Response(_, tx, response) => {
                self.on_server_response(node, now, tx, Some(&response));
            }
            Signal::TimedOut(_, tx) | Signal::TransportFailed(_, tx) => {
                self.on_server_response(node, now, tx, None);
            }
            Signal::Request(_, tx, request) => self.on_server_request(node, now, tx, &request),
            Signal::Ack(_, tx, ack) => self.on_server_ack(node, now, tx, &ack),
            Signal::AckMissing(_, tx) => self.on_server_ack_missing(node, now, tx),
            Signal::ConnectionClosed(_, connection) => {
                self.on_server_connection_closed(node, now, connection);
            }
            Signal::StrayAnswered(_, tx, bye) => {
                if let Some(siprec) = &mut self.siprec {
                    siprec.strays.push(bye);
                    siprec.strays.retain(|stray| *stray != tx);
                }
            }
            Signal::Timer(_) => {
                if let Some(siprec) = &mut self.siprec {
                    siprec.retry = None;
                }
            }
            _ => node.ignored += 1,
        }
    }

    /// Brings what is copied, and what the server knows, to where the call stands.
    pub(crate) fn review_siprec(&mut self, node: &mut Node, now: Instant) {
        if matches!(self.stage, Stage::Ending(_)) {
            if self.siprec.is_some() {
                self.end_siprec(node, now, "the call is over");
                self.settle_if_done(node);
            }
            return;
        }
        let conversation = self.conversation();
        if self.siprec.is_none() && !self.begin_siprec(node, conversation.is_some()) {
            return;
        }
        let Some(siprec) = &self.siprec else { return };
        let has_moved = conversation.as_ref().is_some_and(|talk| {
            siprec.sinks.first().is_some_and(|sink| sink.place.worker != talk.worker)
        });
        if has_moved {
            self.replace_server(node, now, "the conversation moved to another media worker");
        }
        self.copy_voices(node, conversation.as_ref());
        self.tell_server(node, now);
    }

    /// A first conversation begins, of a kind that is copied. `false` if none does.
    fn begin_siprec(&mut self, node: &mut Node, talks: bool) -> bool {
        let Stage::Connected { talk } = &self.stage else { return false };
        if self.siprec_asked == Some(talk.leg) || !talks {
            return false;
        }
        self.siprec_asked = Some(talk.leg);
        if self.direction == CallDirection::Internal {
            return false;
        }
        let (queue, trunk) = (self.narrative.queue.as_ref(), self.trunk.as_ref());
        let servers: VecDeque<TrunkId> =
            self.directory.siprec(&self.tenant, queue, trunk).cloned().collect();
        if servers.is_empty() {
            return false;
        }
        let id = self.id.as_u128();
        self.siprec = Some(Box::new(Siprec {
            leg: node.next_leg(),
            next: servers,
            server: None,
            terms: Terms::default(),
            state: State::Idle,
            sinks: Vec::new(),
            closing: Vec::new(),
            strays: Vec::new(),
            sip_calls: Vec::new(),
            metadata: Metadata::new(id, &mut node.rng),
            told: Shown::default(),
            origin_id: u64::from(node.rng.next_u32()),
            version: 0,
            began: None,
            replaced: 0,
            retry: None,
        }));
        true
    }

    /// Who talks now. A conversation that is held, or waits for its next one, is silent.
    fn conversation(&self) -> Option<Conversation> {
        let Stage::Connected { talk } = &self.stage else { return None };
        let (near, far, worker) = self.streams_with(talk.leg)?;
        let codec = |leg| self.leg(leg).and_then(|leg| leg.codec());
        let shown = Shown {
            legs: [Some(self.caller.id), Some(talk.leg)],
            active: !talk.held.by_anybody() && self.transfer.is_none() && !self.is_paused(),
        };
        let codecs = [codec(self.caller.id), codec(talk.leg)];
        Some(Conversation { shown, streams: [near, far], codecs, worker })
    }

    /// What the server is to know now.
    fn shown_to_server(&self) -> Shown {
        let alone = Shown { legs: [Some(self.caller.id), None], active: false };
        self.conversation().map_or(alone, |talk| talk.shown)
    }

    /// Each of the server's two streams gets the voice that it is to have, or none.
    fn copy_voices(&mut self, node: &mut Node, conversation: Option<&Conversation>) {
        let Some(siprec) = &mut self.siprec else { return };
        let is_up = matches!(siprec.state, State::Up(_));
        let talk = conversation.filter(|talk| is_up && talk.shown.active);
        for (at, sink) in siprec.sinks.iter_mut().enumerate() {
            let wanted = sink.remote.is_some_and(|remote| remote.direction.receives());
            let voice = talk.filter(|_| wanted).and_then(|talk| talk.streams.get(at)).copied();
            if sink.source == voice {
                continue;
            }
            let worker = sink.place.worker;
            if let Some(from) = sink.source {
                node.media(worker, Command::Copy { from, to: None });
            }
            if let Some(from) = voice {
                node.media(worker, Command::Copy { from, to: Some(sink.stream) });
            }
            sink.source = voice;
        }
    }

    /// What a worker says of one of our streams to the server.
    fn on_sink(&mut self, node: &mut Node, now: Instant, event: &Event) {
        let stream = crate::ports::stream_of(event);
        let (Some(siprec), Some(stream)) = (&mut self.siprec, stream) else { return };
        match event {
            Event::Closed { .. } => siprec.closing.retain(|closing| *closing != stream),
            Event::Opened { .. } => {
                if let Some(sink) = siprec.sinks.iter_mut().find(|sink| sink.stream == stream) {
                    sink.open = true;
                }
                let is_open = siprec.sinks.iter().all(|sink| sink.open);
                if is_open && matches!(siprec.state, State::Opening) {
                    self.seek_server(node, now);
                }
            }
            Event::OpenFailed { .. } => {
                siprec.closing.retain(|closing| *closing != stream);
                self.on_sink_failed(node, now, stream);
            }
            // The server is not to send us anything, nor is its silence the call's.
            _ => {}
        }
    }

    /// Nothing more is to come of it.
    pub(super) fn siprec_is_done(&self) -> bool {
        self.siprec.as_ref().is_none_or(|siprec| {
            matches!(siprec.state, State::Idle)
                && siprec.closing.is_empty()
                && siprec.strays.is_empty()
        })
    }

    /// An INVITE that was given up is over, or the BYE after it.
    pub(super) fn siprec_stray_over(&mut self, tx: ClientTx) {
        if let Some(siprec) = &mut self.siprec {
            siprec.strays.retain(|stray| *stray != tx);
        }
    }

    /// The call is forgotten, and all of it with it.
    pub(super) fn forget_siprec(&mut self, node: &mut Node, now: Instant) {
        self.end_siprec(node, now, "the call is over");
        let Some(owner) = self.siprec_owner() else { return };
        node.index.forget_leg(owner);
        let Some(siprec) = self.siprec.take() else { return };
        for stray in &siprec.strays {
            node.index.clients.remove(stray);
        }
        for name in &siprec.sip_calls {
            node.index.sip_calls.remove(name);
        }
    }

    /// Whom its dialog was made with.
    pub(super) fn siprec_peer(&self, leg: LegId) -> Option<Peer> {
        let siprec = self.siprec.as_ref().filter(|siprec| siprec.leg == leg)?;
        let flow = match &siprec.state {
            State::Up(up) => Some(up.flow),
            _ => None,
        };
        Some(Peer { flow, tenant: self.tenant.clone(), agent: None, trunk: siprec.server.clone() })
    }

    fn siprec_owner(&self) -> Option<LegRef> {
        self.siprec.as_ref().map(|siprec| LegRef { call: self.id, leg: siprec.leg })
    }

    /// Tells what became of it, and keeps that for the record.
    fn note_siprec(&mut self, node: &mut Node, now: Instant, decided: Decided, kind: EventKind) {
        self.narrative.decide(node, now, decided);
        self.tell(node, now, kind);
    }
}
