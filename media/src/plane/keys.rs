//! Keys of a telephone in the plane: heard from far ends, kept back or turned into what the other
//! side understands, and pressed towards far ends.

use base::{Duration, Instant};

use super::deadlines::Kind;
use super::stream::{Payload, Stream};
use super::{MAX_WAITING, Plane};
use crate::dtmf::{self, Heard, Receiver, Sender, Step, Way};
use crate::rtp::Header;
use crate::{
    Batch, Digit, DigitOut, DigitSource, DigitWays, Event, Masking, Port, RemoteMedia, Slot,
    StreamId, secure,
};

/// How long a key that is turned into something else sounds, and the pause after it.
const SHORTEST: Duration = Duration::from_millis(80);
const LONGEST: Duration = Duration::from_secs(1);
const GAP: Duration = Duration::from_millis(60);
/// The loudness that our events tell: -10 dBm0.
const VOLUME: u8 = 10;

/// What a stream knows of keys.
#[derive(Debug, Default)]
pub(super) struct Keys {
    pub(super) ways: DigitWays,
    pub(super) masking: Masking,
    receiver: Receiver,
    sender: Sender,
    /// The event under way does not go on as it is: when it is over it is pressed anew.
    turned: bool,
    /// When the heap of deadlines will say so next.
    due: Option<Instant>,
}

impl Keys {
    /// Whether keys are being pressed towards the far end, so that it is not spoken to.
    pub(super) fn is_pressing(&self) -> bool {
        self.sender.is_busy()
    }

    /// The clock that the far end's events count by, and ours towards it, in hertz.
    pub(super) fn set_clock(&mut self, clock: u32) {
        self.receiver.set_clock(clock);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        self.sender.poll_timeout().into_iter().chain(self.receiver.poll_timeout()).min()
    }
}

impl Stream {
    /// How its far end is told of keys.
    fn way(&self) -> Way {
        let events = self.remote.as_ref().is_some_and(|remote| remote.telephone_event.is_some());
        match self.keys.ways.out {
            DigitOut::Best | DigitOut::Events if events => Way::Event,
            DigitOut::Best | DigitOut::Tones => Way::Tone,
            DigitOut::Events | DigitOut::Elsewhere => Way::None,
        }
    }
}

impl Plane {
    pub(super) fn set_digit_ways(&mut self, id: StreamId, ways: DigitWays) {
        if let Some(stream) = self.by_id_mut(id) {
            stream.keys.ways = ways;
        }
    }

    pub(super) fn mask(&mut self, id: StreamId, masking: Masking) {
        if let Some(stream) = self.by_id_mut(id) {
            stream.keys.masking = masking;
        }
    }

    pub(super) fn send_digits(
        &mut self,
        now: Instant,
        id: StreamId,
        digits: &str,
        (each, gap): (Duration, Duration),
    ) {
        let Some(stream) = self.by_id_mut(id) else { return };
        let slot = stream.slot;
        stream.keys.sender.press_all(now, digits, each, gap);
        self.arm_keys(slot);
    }

    /// Looks at a packet of the true far end for keys before anybody else does. False: it goes to
    /// nobody. What may not be heard is silence afterwards.
    pub(super) fn screen(
        &mut self,
        now: Instant,
        slot: Slot,
        header: &Header,
        kind: Payload,
        payload: &mut [u8],
    ) -> bool {
        let Some(stream) = self.stream_mut(slot) else { return false };
        match kind {
            Payload::Event => self.hear_event(now, slot, header, payload),
            Payload::Audio(codec) => {
                if stream.keys.masking != Masking::All {
                    return true;
                }
                // Silence of other codecs than G.711 is no pattern of bytes: nothing is passed on.
                let Some(law) = codec.law() else { return false };
                payload.fill(law.silence());
                true
            }
            Payload::Unknown => true,
        }
    }

    /// An RFC 4733 packet. Whether the peer gets it as it is.
    fn hear_event(&mut self, now: Instant, slot: Slot, header: &Header, payload: &[u8]) -> bool {
        let Some(stream) = self.stream_mut(slot) else { return false };
        let (mut told, mut count) = ([Heard::Down; 8], 0);
        stream.keys.receiver.handle_packet(now, header, payload, &mut |heard| {
            if let Some(place) = told.get_mut(count) {
                (*place, count) = (heard, count + 1);
            }
        });
        for heard in told.into_iter().take(count) {
            self.tell_key(now, slot, heard, DigitSource::Event);
        }
        self.arm_keys(slot);
        self.stream_mut(slot)
            .is_some_and(|stream| !stream.keys.turned && stream.keys.masking == Masking::Off)
    }

    /// Tells a key; and the peer, if it cannot be passed the events themselves.
    fn tell_key(&mut self, now: Instant, slot: Slot, heard: Heard, by: DigitSource) {
        let Some(stream) = self.stream_mut(slot) else { return };
        let (id, peer) = (stream.id, stream.peer);
        let masked = stream.keys.masking != Masking::Off;
        let event = match heard {
            Heard::Down => {
                let turned = peer
                    .and_then(|peer| self.stream_mut(peer))
                    .is_some_and(|peer| peer.keys.is_pressing() || peer.way() != Way::Event);
                if let Some(stream) = self.stream_mut(slot) {
                    stream.keys.turned = turned || by == DigitSource::Tone;
                }
                Event::KeyDown { stream: id }
            }
            Heard::Digit(digit, duration) => {
                if stream.keys.turned && !masked {
                    self.press(now, peer, digit, duration);
                }
                Event::Digit { stream: id, digit, duration, by, masked }
            }
        };
        if self.events.len() < MAX_WAITING {
            self.events.push_back(event);
        }
    }

    fn press(&mut self, now: Instant, peer: Option<Slot>, digit: Digit, duration: Duration) {
        let Some(peer) = peer.and_then(|peer| self.stream_mut(peer)) else { return };
        if peer.way() == Way::None {
            return;
        }
        peer.keys.sender.press(now, digit, duration.clamp(SHORTEST, LONGEST), GAP);
        let slot = peer.slot;
        self.arm_keys(slot);
    }

    /// What is due of a stream's keys.
    pub(super) fn handle_keys(&mut self, now: Instant, slot: Slot, out: &mut Batch) {
        let Some(stream) = self.stream_mut(slot) else { return };
        stream.keys.due = None;
        let mut over = None;
        stream.keys.receiver.handle_timeout(now, &mut |heard| over = Some(heard));
        if let Some(heard) = over {
            self.tell_key(now, slot, heard, DigitSource::Event);
        }
        let Some(stream) = self.stream_mut(slot) else { return };
        let way = stream.way();
        if let Some(step) = stream.keys.sender.step(now, way)
            && let Some(remote) = stream.remote
        {
            send_step(stream, now, &remote, step, out);
        }
        self.arm_keys(slot);
    }

    /// Sees to it that the next step of a stream's keys is not missed: one deadline a stream.
    fn arm_keys(&mut self, slot: Slot) {
        let Some(stream) = self.stream_mut(slot) else { return };
        let keys = &mut stream.keys;
        let Some(next) = keys.poll_timeout() else { return };
        if keys.due.is_none_or(|due| next < due) {
            keys.due = Some(next);
            self.deadlines.set(next, slot, Kind::Keys);
        }
    }
}

/// Sends one packet of a key that is pressed.
fn send_step(stream: &mut Stream, now: Instant, remote: &RemoteMedia, step: Step, out: &mut Batch) {
    let Some(target) = stream.rtp_target() else { return };
    let (slot, secure) = (stream.slot, stream.secure.as_deref_mut());
    let sent = match (step, remote.telephone_event) {
        (Step::Event { digit, begins, is_end, held }, Some(payload_type)) => {
            let header = stream.egress.stamp_own_event(now, begins, payload_type);
            let units = held.as_micros() * u128::from(crate::CLOCK_RATE) / 1_000_000;
            let [high, low] = u16::try_from(units).unwrap_or(u16::MAX).to_be_bytes();
            let flags = VOLUME | if is_end { 0x80 } else { 0 };
            out.push_with(slot, Port::Rtp, target, |into| {
                let start = into.len();
                into.extend_from_slice(&header.to_bytes());
                into.extend_from_slice(&[digit.event(), flags, high, low]);
                secure::seal_rtp(secure, into, start)
            })
            .then_some(4)
        }
        (Step::Tone { digit, sounded, length }, _) => {
            let samples = |length: Duration| (length.as_micros() / 125) as usize;
            let (from, sounds) = (samples(sounded), samples(length));
            let Some(law) = remote.codec.law() else { return };
            let header = stream.egress.stamp_prompt(now, 160, remote.payload_type);
            out.push_with(slot, Port::Rtp, target, |into| {
                let start = into.len();
                into.extend_from_slice(&header.to_bytes());
                into.extend((0..160).map(|n| {
                    if n < sounds {
                        law.encode(dtmf::tone_sample(digit, from + n))
                    } else {
                        law.silence()
                    }
                }));
                secure::seal_rtp(secure, into, start)
            })
            .then_some(160)
        }
        _ => None,
    };
    if let Some(bytes) = sent {
        stream.egress.count(bytes);
    }
}
