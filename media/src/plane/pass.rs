//! Passing a packet on: to the ear if samples are needed, and as it is to who takes it as it is.

use base::Instant;

use super::Plane;
use super::capturing::Origin;
use super::feed::{Feed, Joint};
use super::mixing::stream_at;
use super::stream::Payload;
use crate::egress::Incoming;
use crate::meter::measures;
use crate::rtp::Header;
use crate::{Batch, CLOCK_RATE, Role, Slot};

/// What a payload is by now: it is turned in place into what each takes in turn.
struct Form {
    kind: Payload,
    /// The clock by which the length of an event counts.
    events_rate: u32,
}

impl Plane {
    /// Passes a packet on to whoever is to hear it. It is changed in place.
    pub(super) fn pass_on(
        &mut self,
        now: Instant,
        slot: Slot,
        header: &Header,
        kind: Payload,
        payload: &mut [u8],
        out: &mut Batch,
    ) {
        self.note_length(now, slot, kind, payload);
        self.note_noise(now, slot, kind);
        let Some(stream) = self.stream_mut(slot) else { return };
        let relays = stream.relays;
        let events_rate = stream.remote.map_or(CLOCK_RATE, |remote| remote.events_rate);
        let mut form = Form { kind, events_rate };
        let (mut hearers, mixed) = ([None; 2], matches!(stream.joint, Joint::Mix(_)));
        if let Some(voice) = &mut stream.voice {
            hearers = voice.hearers;
            match (&mut voice.ear, kind) {
                (Some(ear), Payload::Audio(codec)) => {
                    ear.handle_packet(now, header, codec, payload);
                }
                (Some(ear), Payload::Event) => ear.handle_event(now, header),
                (Some(ear), Payload::Noise) => ear.handle_comfort_noise(now, header, payload),
                _ => {}
            }
        }
        for to in relays.into_iter().flatten() {
            self.relay(now, (slot, to), header, &mut form, payload, out);
        }
        if kind != Payload::Event {
            return;
        }
        for to in hearers.into_iter().flatten() {
            self.relay(now, (slot, to), header, &mut form, payload, out);
        }
        if mixed {
            for n in 0.. {
                let Some(to) = self.mixed_with(slot, n) else { break };
                self.relay(now, (slot, to), header, &mut form, payload, out);
            }
        }
    }

    /// The n-th of the other parties of a stream's mix: who gets the keys that it presses.
    pub(super) fn mixed_with(&self, slot: Slot, n: usize) -> Option<Slot> {
        let index = self.true_mix(slot)?;
        let mix = self.mixes.get(index)?;
        let is_party = |slot: Slot| mix.seat(slot).is_some_and(|s| s.member.role == Role::Party);
        if !is_party(slot) || mix.seat(slot).is_some_and(|seat| seat.member.muted) {
            return None;
        }
        let others = mix.seats.iter().map(|seat| seat.slot).filter(|other| *other != slot);
        others.filter(|other| is_party(*other)).nth(n)
    }

    /// A packet longer than all before may be more than somebody takes who had it relayed.
    fn note_length(&mut self, now: Instant, slot: Slot, kind: Payload, payload: &[u8]) {
        let (Some(stream), Payload::Audio(codec)) = (self.stream_mut(slot), kind) else { return };
        let length = codec.ticks(payload) / (codec.clock_rate() / 1000);
        if length <= stream.longest {
            return;
        }
        stream.longest = length;
        let relays = stream.relays.into_iter().flatten();
        let remotes = relays.filter_map(|to| self.stream(to)?.remote.as_ref());
        let most = remotes.filter_map(|remote| remote.maxptime).min();
        if most.is_some_and(|most| u128::from(length) > most.as_millis()) {
            let company = self.company(slot);
            self.arrange(now, &company);
        }
    }

    /// Who sends noise once may be silent from then on: who takes no noise has it made.
    fn note_noise(&mut self, now: Instant, slot: Slot, kind: Payload) {
        let Some(stream) = self.stream_mut(slot).filter(|_| kind == Payload::Noise) else { return };
        if !std::mem::replace(&mut stream.sends_noise, true) {
            let company = self.company(slot);
            self.arrange(now, &company);
        }
    }

    /// Sends a packet on towards another far end. Between the laws of G.711 it is turned into what
    /// that one takes, and is of that kind then.
    fn relay(
        &mut self,
        now: Instant,
        (from, to): (Slot, Slot),
        header: &Header,
        form: &mut Form,
        payload: &mut [u8],
        out: &mut Batch,
    ) {
        let Self { streams, captures, .. } = self;
        let Some(peer) = stream_at(streams, to) else { return };
        let (Some(target), Some(remote)) = (peer.rtp_target(), peer.remote) else { return };
        let relayed = peer.feed == Feed::Relay(from);
        let silent = peer.playing.is_some() || peer.presses_keys;
        let (payload_type, audio) = match form.kind {
            Payload::Audio(codec) if relayed && !silent => {
                if codec != remote.codec {
                    let (Some(law), Some(other)) = (codec.law(), remote.codec.law()) else {
                        return peer.egress.skip_relay(from, header);
                    };
                    law.transcode(other, payload);
                    form.kind = Payload::Audio(remote.codec);
                }
                (remote.payload_type, Some(remote.codec.ticks(payload)))
            }
            Payload::Event if remote.telephone_event.is_some() => {
                form.count_events_by(remote.events_rate, payload);
                (remote.telephone_event.unwrap_or_default(), None)
            }
            // It lasts for no time of its own.
            Payload::Noise if relayed && !silent && remote.comfort_noise.is_some() => {
                (remote.comfort_noise.unwrap_or_default(), Some(0))
            }
            _ => return peer.egress.skip_relay(from, header),
        };
        let incoming = Incoming { from, header: *header, audio, payload_type };
        let stamped = if relayed && !silent {
            peer.egress.stamp_relay(now, &incoming)
        } else {
            Some(peer.egress.stamp_event_over_own(now, &incoming))
        };
        let Some(header) = stamped else { return };
        if let (Some(recent), Payload::Audio(_)) = (&mut peer.recent, form.kind) {
            recent.note(payload);
        }
        let packet = (&header, &*payload);
        if peer.send_rtp(now, target, packet, Origin::Others, captures, out) {
            peer.egress.count(payload.len());
            if let Some(law) = form.kind.law().filter(|_| measures(header.sequence)) {
                peer.rare.live.said.note_codes(law, header.sequence, payload);
            }
        }
    }
}

impl Form {
    /// The lengths of events on another clock (RFC 4733 §2.3); what is too long for it is as long as
    /// it can tell.
    fn count_events_by(&mut self, events_rate: u32, payload: &mut [u8]) {
        let before = std::mem::replace(&mut self.events_rate, events_rate);
        if before == events_rate || before == 0 {
            return;
        }
        for event in payload.chunks_exact_mut(4) {
            if let [_, _, high, low] = event {
                let length = u32::from(u16::from_be_bytes([*high, *low]));
                let length = length.saturating_mul(events_rate) / before;
                let length = u16::try_from(length).unwrap_or(u16::MAX);
                [*high, *low] = length.to_be_bytes();
            }
        }
    }
}
