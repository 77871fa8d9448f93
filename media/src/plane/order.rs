//! Orders: opening, closing and tapping streams.

use std::sync::Arc;

use base::Instant;

use super::deadlines::Kind;
use super::mixing::stream_at;
use super::recent::Recent;
use super::stream::{Stream, Tapping};
use super::{Place, Plane, report};
use crate::capture::Body;
use crate::srtp::SrtpKeys;
use crate::tap::{Frame, FrameKind};
use crate::{Channel, Event, PlaneOutput, RemoteMedia, Slot, StreamId, TapId, rtcp, secure};

impl Plane {
    pub(super) fn open(
        &mut self,
        now: Instant,
        id: StreamId,
        port: u16,
        identity: (u32, Arc<str>),
    ) {
        if self.by_id.contains_key(&id) {
            let reason = "the stream exists".to_owned();
            self.events.push_back(Event::OpenFailed { stream: id, reason });
            return;
        }
        let Some(slot) = self.place(now, id, identity) else { return };
        self.outputs.push_back(PlaneOutput::OpenPort { slot, stream: id, port });
    }

    /// Gives a new stream its place.
    pub(super) fn place(
        &mut self,
        now: Instant,
        id: StreamId,
        identity: (u32, Arc<str>),
    ) -> Option<Slot> {
        let index = self.free.pop().unwrap_or_else(|| {
            self.streams.push(Place { generation: 0, stream: None });
            self.streams.len() as u32 - 1
        });
        let place = self.streams.get_mut(index as usize)?;
        let slot = Slot { index, generation: place.generation };
        place.stream = Some(Stream::new(id, slot, identity, now, &mut self.rng));
        self.by_id.insert(id, slot);
        Some(slot)
    }

    pub(super) fn set_remote(
        &mut self,
        now: Instant,
        id: StreamId,
        remote: RemoteMedia,
        keys: Option<&SrtpKeys>,
    ) {
        self.settle_transport(id);
        let Some(stream) = self.by_id_mut(id) else { return };
        if stream.web.is_none() {
            secure::agree(now, &mut stream.secure, keys);
        }
        stream.latch.set_remote(now, remote.rtp);
        let moved = stream.remote.is_some_and(|old| old.rtcp != remote.rtcp);
        if moved {
            stream.rare.rtcp_source = None;
        }
        stream.egress.set_clock_rate(remote.codec.clock_rate());
        if stream.remote.is_none_or(|old| old.codec != remote.codec) {
            stream.recent = Recent::of(remote.codec);
        }
        if remote.xr.statistics || remote.xr.voip_metrics {
            stream.reception.account.get_or_insert_default();
        }
        stream.remote = Some(remote);
        stream.longest = 0;
        stream.keys.set_clock(remote.events_rate);
        stream.update_chime();
        // A far end that was on hold starts its minute of silence now.
        stream.heard_at = now;
        let slot = stream.slot;
        if !std::mem::replace(&mut stream.rare.reports_begun, true) {
            let first = now + report::interval(&mut self.rng) / 2;
            self.deadlines.set(first, slot, Kind::Report);
            self.deadlines.set(now + report::SILENCE, slot, Kind::Silence);
        }
        let company = self.company(slot);
        self.arrange(now, &company);
    }

    pub(super) fn tap(&mut self, now: Instant, id: StreamId, tap: TapId, channel: Channel) {
        self.untap(now, id);
        let Some(stream) = self.by_id_mut(id) else { return };
        stream.tapping = Some(Tapping { tap, channel, dropped: 0 });
        self.taps.push_control(Frame::control(tap, channel, FrameKind::Begin, now));
        self.flush_taps(now);
    }

    pub(super) fn untap(&mut self, now: Instant, id: StreamId) {
        let Some(stream) = self.by_id_mut(id) else { return };
        let Some(Tapping { tap, channel, dropped }) = stream.tapping.take() else { return };
        let end = Frame { dropped, ..Frame::control(tap, channel, FrameKind::End, now) };
        self.taps.push_control(end);
        self.flush_taps(now);
    }

    pub(super) fn close(&mut self, now: Instant, id: StreamId) {
        self.untap(now, id);
        let Some(slot) = self.by_id.get(&id).copied() else { return };
        let Self { streams, captures, outputs, .. } = self;
        let Some(stream) = stream_at(streams, slot) else { return };
        let stats = stream.stats();
        if stream.egress.packets > 0
            && let Some((port, to)) = stream.rtcp_target()
        {
            let mut bytes = Vec::with_capacity(64);
            let ssrc = stream.egress.ssrc;
            rtcp::write_receiver_report(&mut bytes, ssrc, None);
            rtcp::write_cname(&mut bytes, ssrc, &stream.rare.cname);
            rtcp::write_bye(&mut bytes, ssrc);
            captures.note_sent(now, stream, (to, port), &[], Body::Plain(&bytes));
            if secure::seal_rtcp(stream.secure.as_deref_mut(), &mut bytes, 0) {
                let bytes = bytes.into_boxed_slice();
                outputs.push_back(PlaneOutput::Send { slot, port, to, bytes });
            }
        }
        captures.end(now, stream);
        self.say_goodbye(slot);
        self.remove(now, slot);
        self.outputs.push_back(PlaneOutput::ClosePort { slot });
        self.events.push_back(Event::Closed { stream: id, stats });
    }

    /// Takes a stream out of everything.
    pub(super) fn remove(&mut self, now: Instant, slot: Slot) {
        self.part(now, slot);
        self.stop_ticking(slot);
        self.leave_shared(slot);
        let Some(place) = self.streams.get_mut(slot.index as usize) else { return };
        if place.generation != slot.generation {
            return;
        }
        if let Some(stream) = place.stream.take() {
            self.by_id.remove(&stream.id);
            place.generation = place.generation.wrapping_add(1);
            self.free.push(slot.index);
        }
    }
}
