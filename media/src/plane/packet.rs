//! The way of one RTP packet: judged, counted, tapped, rewritten, passed on.

use std::net::SocketAddr;

use base::{Duration, Instant};

use super::stillness::Sound;
use super::stream::{Payload, Stream};
use super::{MAX_WAITING, Plane};
use crate::latch::{Proof, Verdict};
use crate::meter::measures;
use crate::reception::Arrival;
use crate::rtp::{self, Header, Parsed};
use crate::tap::{Frame, FrameKind};
use crate::{Batch, Codec, Event, Port, Slot, secure};

/// At most one event about strangers a stream in this time.
const REFUSAL_PAUSE: Duration = Duration::from_secs(1);

impl Plane {
    pub(super) fn handle_rtp(
        &mut self,
        now: Instant,
        slot: Slot,
        (port, source): (Port, SocketAddr),
        packet: &mut [u8],
        out: &mut Batch,
    ) {
        let Some(stream) = self.stream_mut(slot) else { return };
        if stream.is_unproven(port) {
            return;
        }
        let (is_secure, is_captured) = (stream.secure.is_some(), stream.is_captured);
        let Some(packet) = secure::open_rtp(now, stream.secure.as_deref_mut(), packet) else {
            return self.refuse(now, slot, source);
        };
        let parsed = rtp::parse(packet);
        let known = parsed.map(|parsed| (parsed, stream.payload(parsed.header.payload_type)));
        // What we cannot read proves nothing about its source, but is no stranger's from the known.
        let Some((parsed, kind)) =
            known.filter(|(_, kind)| *kind != Payload::Unknown || stream.is_from_far_end(source))
        else {
            return self.refuse(now, slot, source);
        };
        let proof = if is_secure { Proof::Key } else { Proof::Address };
        let verdict = match &mut stream.web {
            Some(web) => web.hear(now, port, source),
            None => stream.latch.handle_packet(now, source, &parsed.header, proof),
        };
        match verdict {
            Verdict::Refuse => return self.refuse(now, slot, source),
            Verdict::Accept => {}
            Verdict::Latched => {
                let id = stream.id;
                self.events.push_back(Event::Latched { stream: id, source });
            }
        }
        if is_captured {
            self.capture_received(now, slot, (source, port), packet, &parsed);
        }
        let whole = parsed.payload_start..parsed.payload_end;
        let Some(payload) = packet.get_mut(whole.clone()) else { return };
        let passes = self.receive(now, slot, &parsed, kind, payload);
        if is_captured {
            self.capture_masked(now, slot, (source, port), packet, (&parsed, kind, passes));
        }
        if let (true, Some(payload)) = (passes, packet.get_mut(whole)) {
            self.pass_on(now, slot, &parsed.header, kind, payload, out);
        }
    }

    /// Counts and taps a packet of the true far end. Whether it is to be passed on.
    fn receive(
        &mut self,
        now: Instant,
        slot: Slot,
        parsed: &Parsed,
        kind: Payload,
        payload: &mut [u8],
    ) -> bool {
        let Some(stream) = self.stream_mut(slot) else { return false };
        stream.heard_at = now;
        stream.packets_received += 1;
        stream.bytes_received += payload.len() as u64;
        let arrival = stream.reception.handle_packet(now, &parsed.header, kind.clock());
        if arrival == Arrival::Suspect {
            return false;
        }
        let relays = stream.relays;
        let passes = self.screen(now, slot, &parsed.header, kind, payload);
        // Not by `stream_mut`, which would borrow the taps as well.
        let place = self.streams.get_mut(slot.index as usize);
        let stream = place.and_then(|p| p.stream.as_mut()).filter(|stream| stream.slot == slot);
        let Some(stream) = stream else { return false };
        let is_looked_at = stream.look_in == 1;
        stream.look_in -= u16::from(stream.look_in > 1);
        let mut sound = None;
        if let Some(law) = kind.law() {
            let number = parsed.header.sequence;
            let measured = measures(number);
            let power =
                measured.then(|| stream.rare.live.heard.note_codes(law, number, payload)).flatten();
            // Where each packet is looked at, this one counts there.
            sound = Some(Sound::of_codes(payload, power.filter(|_| !is_looked_at)));
        }
        if let (true, Some(_), Payload::Audio(codec)) = (passes, &stream.tapping, kind) {
            copy_to_tap(&mut self.taps, stream, now, &parsed.header, codec, payload);
        }
        let is_news = |sound: &Sound| match stream.is_lively {
            true => sound.is_news(),
            false => stream.rare.stillness.cares_for(*sound),
        };
        if let Some(sound) = sound.filter(is_news) {
            self.note_sound(now, slot, sound);
        }
        if let (true, Payload::Audio(codec)) = (is_looked_at, kind) {
            self.look_at(now, slot, &parsed.header, codec, payload);
        }
        if arrival == Arrival::Begins || !passes {
            for to in relays.into_iter().flatten() {
                let Some(other) = self.stream_mut(to) else { continue };
                if arrival == Arrival::Begins {
                    other.egress.begin_anew(slot);
                }
                if !passes {
                    other.egress.skip_relay(slot, &parsed.header);
                }
            }
        }
        passes
    }

    /// Counts a packet that is not the far end's, and tells about it now and then.
    pub(super) fn refuse(&mut self, now: Instant, slot: Slot, source: SocketAddr) {
        let crowded = self.events.len() >= MAX_WAITING;
        let Some(stream) = self.stream_mut(slot) else { return };
        let id = stream.id;
        let rare = &mut stream.rare;
        rare.refused += 1;
        if stream.latch.target().is_none() && stream.web.is_none() {
            // The answer that names the far end is still on its way: early audio, no stranger.
            return;
        }
        rare.refused_untold += 1;
        let pause = rare.refusal_told.is_some_and(|told| now.since(told) < REFUSAL_PAUSE);
        if !pause && !crowded {
            rare.refusal_told = Some(now);
            let packets = std::mem::take(&mut rare.refused_untold);
            self.events.push_back(Event::SourceRefused { stream: id, source, packets });
        }
    }
}

/// Copies a packet's payload into the recorder's ring; a full one is counted, never waited for.
fn copy_to_tap(
    taps: &mut crate::TapSender,
    stream: &mut Stream,
    now: Instant,
    header: &Header,
    codec: Codec,
    payload: &[u8],
) {
    let Some(tapping) = &mut stream.tapping else { return };
    let head = Frame {
        stream: stream.id,
        timestamp: header.timestamp,
        sequence: header.sequence,
        ssrc: header.ssrc,
        codec,
        marker: header.marker,
        dropped: tapping.dropped,
        ..Frame::control(tapping.tap, tapping.channel, FrameKind::Audio, now)
    };
    if !taps.push_packet(&head, payload) {
        tapping.dropped = tapping.dropped.saturating_add(1);
        stream.rare.tap_dropped += 1;
    }
}
