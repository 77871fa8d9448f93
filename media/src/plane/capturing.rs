//! Captures in the plane: copies of what comes and goes, in the clear, where one was ordered.
//!
//! What is masked is masked in them as well: what a far end's masked speech or keys were, what plays
//! to it meanwhile (which may say them again), and the keys that we press ourselves, which may be
//! somebody's secret.

use std::net::SocketAddr;

use base::Instant;

use super::Plane;
use super::mixing::stream_at;
use super::stream::{Payload, Stream};
use crate::capture::{Body, CaptureOrder, CaptureSender, Captured};
use crate::rtp::{Header, Parsed};
use crate::{Batch, G711, Masking, Port, Slot, StreamId, secure};

/// Where copies go, if anybody takes them.
#[derive(Default)]
pub(super) struct Captures(Option<CaptureSender>);

/// A stream that is captured.
pub(super) struct Capturing {
    order: CaptureOrder,
    /// Datagrams that found no room.
    dropped: u32,
}

/// What a packet of ours is, for a capture.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Origin {
    /// What others say.
    Others,
    /// What plays.
    Play,
    /// Keys that we press.
    Keys,
}

impl Plane {
    /// A plane whose captures go into that ring. Without one it captures nothing.
    #[must_use]
    pub fn with_captures(self, sender: CaptureSender) -> Self {
        Self { captures: Captures(Some(sender)), ..self }
    }

    pub(super) fn capture(&mut self, now: Instant, id: StreamId, order: Option<CaptureOrder>) {
        let Some(slot) = self.by_id.get(&id).copied() else { return };
        let Self { streams, captures, .. } = self;
        let Some(stream) = stream_at(streams, slot) else { return };
        captures.end(now, stream);
        if captures.0.is_some() {
            stream.is_captured = order.is_some();
            stream.rare.capturing = order.map(|order| Box::new(Capturing { order, dropped: 0 }));
        }
    }

    /// A packet of the true far end, as it came; nothing yet of one who is masked.
    pub(super) fn capture_received(
        &mut self,
        now: Instant,
        slot: Slot,
        end: (SocketAddr, Port),
        packet: &[u8],
        parsed: &Parsed,
    ) {
        let Self { streams, captures, .. } = self;
        let Some(stream) = stream_at(streams, slot).filter(|s| s.keys.masking == Masking::Off)
        else {
            return;
        };
        let (header, payload) = packet.split_at(parsed.payload_start.min(packet.len()));
        captures.note_received(now, stream, end, header, Body::Plain(payload));
    }

    /// The same of one who is masked, after what may not be heard was made silence; what goes to
    /// nobody was not.
    pub(super) fn capture_masked(
        &mut self,
        now: Instant,
        slot: Slot,
        end: (SocketAddr, Port),
        packet: &[u8],
        (parsed, kind, passes): (&Parsed, Payload, bool),
    ) {
        let Self { streams, captures, .. } = self;
        let Some(stream) = stream_at(streams, slot).filter(|s| s.keys.masking != Masking::Off)
        else {
            return;
        };
        let (header, payload) = packet.split_at(parsed.payload_start.min(packet.len()));
        let masked = Body::Masked(payload.len(), fill(kind.law()));
        let body = if passes { Body::Plain(payload) } else { masked };
        captures.note_received(now, stream, end, header, body);
    }
}

impl Captures {
    /// A stream is captured no more.
    pub(super) fn end(&mut self, now: Instant, stream: &mut Stream) {
        let id = stream.id;
        stream.is_captured = false;
        let Some(capturing) = stream.rare.capturing.take() else { return };
        if let Some(sender) = &mut self.0 {
            let local = capturing.order.local;
            sender.push_end(capturing.head(now, id, (local, local)));
        }
    }

    /// What came from the far end, if that is captured.
    pub(super) fn note_received(
        &mut self,
        now: Instant,
        stream: &mut Stream,
        (source, port): (SocketAddr, Port),
        header: &[u8],
        body: Body<'_>,
    ) {
        let id = stream.id;
        let Some(capturing) = stream.rare.capturing.as_deref_mut().filter(|c| c.order.received)
        else {
            return;
        };
        let ends = (source, capturing.local(port));
        self.note(now, id, capturing, ends, (header, body));
    }

    /// What goes to it.
    pub(super) fn note_sent(
        &mut self,
        now: Instant,
        stream: &mut Stream,
        (to, port): (SocketAddr, Port),
        header: &[u8],
        body: Body<'_>,
    ) {
        let id = stream.id;
        let Some(capturing) = stream.rare.capturing.as_deref_mut().filter(|c| c.order.sent) else {
            return;
        };
        let ends = (capturing.local(port), to);
        self.note(now, id, capturing, ends, (header, body));
    }

    fn note(
        &mut self,
        now: Instant,
        id: StreamId,
        capturing: &mut Capturing,
        ends: (SocketAddr, SocketAddr),
        (header, body): (&[u8], Body<'_>),
    ) {
        let Some(sender) = &mut self.0 else { return };
        // A header is empty where a datagram is one whole: RTCP.
        let body = match body {
            Body::Plain(bytes) if !capturing.order.payload && !header.is_empty() => {
                Body::Left(bytes.len())
            }
            Body::Masked(length, _) if !capturing.order.payload => Body::Left(length),
            body => body,
        };
        if !sender.push(capturing.head(now, id, ends), header, body) {
            capturing.dropped = capturing.dropped.saturating_add(1);
        }
    }
}

impl Capturing {
    fn head(&self, now: Instant, stream: StreamId, ends: (SocketAddr, SocketAddr)) -> Captured {
        Captured {
            capture: self.order.capture,
            stream,
            at: now,
            from: ends.0,
            to: ends.1,
            length: 0,
            kept: 0,
            dropped: self.dropped,
            is_end: false,
        }
    }

    /// Our end: RTCP has its own port, or all goes over one (RFC 5761).
    fn local(&self, port: Port) -> SocketAddr {
        let mut local = self.order.local;
        if port == Port::Rtcp {
            local.set_port(local.port().saturating_add(1));
        }
        local
    }
}

/// What stands in place of a masked payload: silence where there is a code for it, else what is no
/// event (RFC 4733 §3.2 names none of that number).
fn fill(law: Option<G711>) -> u8 {
    law.map_or(0xff, G711::silence)
}

impl Stream {
    /// Sends one RTP packet to the far end: copied in the clear where that is ordered, and sealed.
    /// False: it did not go.
    pub(super) fn send_rtp(
        &mut self,
        now: Instant,
        (port, to): (Port, SocketAddr),
        packet: (&Header, &[u8]),
        origin: Origin,
        captures: &mut Captures,
        out: &mut Batch,
    ) -> bool {
        let (header, payload) = packet;
        let head = header.to_bytes();
        let secure = self.secure.as_deref_mut();
        let sent = out.push_with(self.slot, port, to, |into| {
            let start = into.len();
            into.extend_from_slice(&head);
            into.extend_from_slice(payload);
            secure::seal_rtp(secure, into, start)
        });
        if sent && self.is_captured {
            let masked = match origin {
                Origin::Others => false,
                Origin::Play => self.keys.masking != Masking::Off,
                Origin::Keys => true,
            };
            let law = self.payload(header.payload_type).law();
            let silence = Body::Masked(payload.len(), fill(law));
            let body = if masked { silence } else { Body::Plain(payload) };
            captures.note_sent(now, self, (to, port), &head, body);
        }
        sent
    }
}
