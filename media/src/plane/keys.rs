//! Keys of a telephone in the plane: heard from far ends, kept back or turned into what the other
//! side understands, and pressed towards far ends.

use std::net::SocketAddr;

use base::{Duration, Instant};

use super::capturing::{Captures, Origin};
use super::chime::Chime;
use super::deadlines::Kind;
use super::mixing::stream_at;
use super::mouth::CODES_PER_TICK;
use super::stream::{Payload, Stream};
use super::{MAX_WAITING, Plane};
use crate::dtmf::{self, Heard, Listener, Receiver, Sender, Step, Way};
use crate::rtp::Header;
use crate::{
    Batch, CLOCK_RATE, Codec, Digit, DigitOut, DigitSource, DigitWays, Event, Masking, Port,
    RemoteMedia, Slot, StreamId,
};

/// How long a key that is turned into something else sounds, and the pause after it.
const SHORTEST: Duration = Duration::from_millis(80);
const LONGEST: Duration = Duration::from_secs(1);
const GAP: Duration = Duration::from_millis(60);
/// The loudness that our events tell: -10 dBm0.
const VOLUME: u8 = 10;
/// What one packet can tell at most: four short events, of each that it begins and ends, and the
/// end of the one before.
const MOST: usize = 10;

/// What a stream knows of keys.
#[derive(Debug, Default)]
pub(super) struct Keys {
    pub(super) ways: DigitWays,
    pub(super) masking: Masking,
    receiver: Receiver,
    sender: Sender,
    /// Sounds them, for a codec that is no mere law.
    chime: Option<Box<Chime>>,
    /// Hears tones, where they are to be heard.
    listener: Option<Box<Listener>>,
    /// The event under way does not go on as it is: when it is over it is pressed anew.
    turned: bool,
    /// When the heap of deadlines will say so next.
    due: Option<Instant>,
}

impl Keys {
    /// The clock that the far end's events count by, and ours towards it, in hertz.
    pub(super) fn set_clock(&mut self, clock: u32) {
        self.receiver.set_clock(clock);
    }

    fn poll_timeout(&self) -> Option<Instant> {
        let listening = self.listener.as_ref().and_then(|listener| listener.poll_timeout());
        let timeouts = [self.sender.poll_timeout(), self.receiver.poll_timeout(), listening];
        timeouts.into_iter().flatten().min()
    }
}

impl Stream {
    /// Tones are listened for where somebody waits for them, and where nobody may hear them.
    fn update_listener(&mut self) {
        let keys = &mut self.keys;
        self.minds_keys = keys.ways.listen || keys.masking != Masking::Off;
        if !self.minds_keys {
            keys.listener = None;
        } else if keys.listener.is_none() {
            keys.listener = Some(Box::default());
        }
    }

    /// Tones can be sounded towards its far end, if that is the way it is told of keys.
    pub(super) fn update_chime(&mut self) {
        let remote = self.remote.filter(|_| self.way() == Way::Tone);
        let fits = remote.is_some_and(|remote| {
            self.keys.chime.as_ref().is_some_and(|chime| chime.fits(&remote))
        });
        if !fits {
            self.keys.chime = remote.as_ref().and_then(Chime::new);
        }
    }

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

/// What a packet tells of keys, in order.
struct Told {
    heard: [Heard; MOST],
    count: usize,
}

impl Told {
    const NONE: Self = Self { heard: [Heard::Down; MOST], count: 0 };

    fn push(&mut self, heard: Heard) {
        if let Some(place) = self.heard.get_mut(self.count) {
            (*place, self.count) = (heard, self.count + 1);
        }
    }
}

impl Plane {
    pub(super) fn set_digit_ways(&mut self, id: StreamId, ways: DigitWays) {
        let Some(stream) = self.by_id_mut(id) else { return };
        stream.keys.ways = ways;
        stream.update_listener();
        stream.update_chime();
    }

    pub(super) fn mask(&mut self, now: Instant, id: StreamId, masking: Masking) {
        let Some(stream) = self.by_id_mut(id) else { return };
        stream.keys.masking = masking;
        stream.update_listener();
        let slot = stream.slot;
        // Silence in a codec that has a memory is not relayed: it is encoded.
        let company = self.company(slot);
        self.arrange(now, &company);
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
        match kind {
            Payload::Event => self.hear_event(now, slot, header, payload),
            Payload::Audio(codec) => self.hear_audio(now, slot, header, codec, payload),
            // Noise tells no keys, but it is a part of what is said.
            Payload::Noise => {
                self.stream(slot).is_some_and(|stream| stream.keys.masking != Masking::All)
            }
            Payload::Unknown => true,
        }
    }

    /// An RFC 4733 packet. Whether the peer gets it as it is.
    fn hear_event(&mut self, now: Instant, slot: Slot, header: &Header, payload: &[u8]) -> bool {
        let Some(stream) = self.stream_mut(slot) else { return false };
        let mut told = Told::NONE;
        stream.keys.receiver.handle_packet(now, header, payload, &mut |heard| told.push(heard));
        self.tell_keys(now, slot, &told, DigitSource::Event);
        self.arm_keys(slot);
        self.stream_mut(slot)
            .is_some_and(|stream| !stream.keys.turned && stream.keys.masking == Masking::Off)
    }

    /// Audio: what is masked of it is silence afterwards, and so are tones that the peer is told of
    /// in another way. Whether anybody gets it.
    fn hear_audio(
        &mut self,
        now: Instant,
        slot: Slot,
        header: &Header,
        codec: Codec,
        payload: &mut [u8],
    ) -> bool {
        let Some(stream) = self.stream_mut(slot) else { return false };
        if !stream.minds_keys {
            return true;
        }
        let law = codec.law();
        let masking = stream.keys.masking;
        let has_events = stream.remote.is_some_and(|remote| remote.telephone_event.is_some());
        let listens = !has_events || masking != Masking::Off;
        // Tones that cannot be told from speech take the speech with them.
        let mut silent = match masking {
            Masking::Off => false,
            Masking::Digits => law.is_none() && !has_events,
            Masking::All => true,
        };
        if let (Some(listener), Some(law), true) = (&mut stream.keys.listener, law, listens) {
            let mut told = Told::NONE;
            let sounds =
                listener.handle_packet(now, header, law, payload, &mut |heard| told.push(heard));
            if has_events {
                // It has told them in the other way.
                told = Told::NONE;
            }
            if sounds || told.count > 0 {
                self.tell_keys(now, slot, &told, DigitSource::Tone);
                self.arm_keys(slot);
                silent |=
                    sounds && (masking != Masking::Off || self.turns(slot, DigitSource::Tone));
            }
        }
        match (silent, law) {
            (true, Some(law)) => payload.fill(law.silence()),
            // There is no payload of theirs that says nothing whatever was said before.
            (true, None) => return false,
            (false, _) => {}
        }
        true
    }

    fn tell_keys(&mut self, now: Instant, slot: Slot, told: &Told, by: DigitSource) {
        for heard in told.heard.into_iter().take(told.count) {
            self.tell_key(now, slot, heard, by);
        }
    }

    /// Tells a key; and the peer, if it cannot be passed on as it is.
    fn tell_key(&mut self, now: Instant, slot: Slot, heard: Heard, by: DigitSource) {
        let turned = heard == Heard::Down && self.turns(slot, by);
        let Some(stream) = self.stream_mut(slot) else { return };
        let (id, peer) = (stream.id, stream.rare.peer);
        let masked = stream.keys.masking != Masking::Off;
        let event = match heard {
            Heard::Down => {
                stream.keys.turned = turned;
                Event::KeyDown { stream: id }
            }
            Heard::Digit(digit, duration) => {
                if std::mem::take(&mut stream.keys.turned) && !masked {
                    self.press(now, peer, digit, duration);
                }
                Event::Digit { stream: id, digit, duration, by, masked }
            }
        };
        if self.events.len() < MAX_WAITING {
            self.events.push_back(event);
        }
    }

    /// Whether the peer's far end is to be told of a key in another way than it came.
    fn turns(&mut self, slot: Slot, by: DigitSource) -> bool {
        let peer = self.stream_mut(slot).and_then(|stream| stream.rare.peer);
        let Some(peer) = peer.and_then(|peer| self.stream_mut(peer)) else { return false };
        match (by, peer.way()) {
            (DigitSource::Event, Way::Event) => peer.presses_keys,
            (DigitSource::Tone, Way::Tone) => false,
            (DigitSource::Tone, Way::None) => peer.keys.ways.out == DigitOut::Elsewhere,
            (DigitSource::Event, _) | (DigitSource::Tone, Way::Event) => true,
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
        let (mut events, mut tones) = (Told::NONE, Told::NONE);
        stream.keys.receiver.handle_timeout(now, &mut |heard| events.push(heard));
        let has_events = stream.remote.is_some_and(|remote| remote.telephone_event.is_some());
        if let Some(listener) = &mut stream.keys.listener {
            listener.handle_timeout(now, &mut |heard| tones.push(heard));
        }
        if has_events {
            tones = Told::NONE;
        }
        self.tell_keys(now, slot, &events, DigitSource::Event);
        self.tell_keys(now, slot, &tones, DigitSource::Tone);
        let Self { streams, captures, .. } = self;
        let Some(stream) = stream_at(streams, slot) else { return };
        let way = stream.way();
        if let Some(step) = stream.keys.sender.step(now, way)
            && let Some(remote) = stream.remote
        {
            stream.send_step(now, &remote, step, captures, out);
        }
        self.arm_keys(slot);
    }

    /// Sees to it that the next step of a stream's keys is not missed: one deadline a stream. To be
    /// called whenever they have changed.
    fn arm_keys(&mut self, slot: Slot) {
        let Some(stream) = self.stream_mut(slot) else { return };
        let keys = &mut stream.keys;
        stream.presses_keys = keys.sender.is_busy();
        let Some(next) = keys.poll_timeout() else { return };
        if keys.due.is_none_or(|due| next < due) {
            keys.due = Some(next);
            self.deadlines.set(next, slot, Kind::Keys);
        }
    }
}

impl Stream {
    /// Sends one packet of a key that is pressed.
    fn send_step(
        &mut self,
        now: Instant,
        remote: &RemoteMedia,
        step: Step,
        captures: &mut Captures,
        out: &mut Batch,
    ) {
        let Some(target) = self.rtp_target() else { return };
        if let (Step::Tone { .. }, None) = (step, remote.codec.law()) {
            return self.send_chime(now, (target, remote.payload_type), step, captures, out);
        }
        let (event, mut tone);
        let (header, payload) = match (step, remote.telephone_event) {
            (Step::Event { digit, begins, is_end, held }, Some(payload_type)) => {
                let header = self.egress.stamp_own_event(now, begins, payload_type);
                let units = held.as_micros() * u128::from(remote.events_rate) / 1_000_000;
                let [high, low] = u16::try_from(units).unwrap_or(u16::MAX).to_be_bytes();
                let flags = VOLUME | if is_end { 0x80 } else { 0 };
                event = [digit.event(), flags, high, low];
                (header, &event[..])
            }
            (Step::Tone { digit, sounded, length }, _) => {
                let samples = |length: Duration| (length.as_micros() / 125) as usize;
                let (from, sounds) = (samples(sounded), samples(length));
                let Some(law) = remote.codec.law() else { return };
                tone = [law.silence(); CODES_PER_TICK];
                for (n, code) in tone.iter_mut().take(sounds).enumerate() {
                    *code = law.encode(dtmf::tone_sample(digit, from + n, CLOCK_RATE));
                }
                (self.egress.stamp_own(now, CODES_PER_TICK as u32, remote.payload_type), &tone[..])
            }
            _ => return,
        };
        if self.send_rtp(now, target, (&header, payload), Origin::Keys, captures, out) {
            self.egress.count(payload.len());
        }
    }

    /// Sends 20 ms of a key's tones in a codec with a memory; what speaks to the far end afterwards
    /// goes on from there.
    fn send_chime(
        &mut self,
        now: Instant,
        (target, payload_type): ((Port, SocketAddr), u8),
        step: Step,
        captures: &mut Captures,
        out: &mut Batch,
    ) {
        let Step::Tone { digit, sounded, length } = step else { return };
        let Some(mut chime) = self.keys.chime.take() else { return };
        if let (Some(recent), Duration::ZERO) = (&self.recent, sounded) {
            chime.follow(recent);
        }
        let (payload, ticks) = chime.sound(digit, sounded, length);
        let header = self.egress.stamp_own(now, ticks, payload_type);
        if let Some(recent) = &mut self.recent {
            recent.note(payload);
        }
        if let Some(mouth) = self.mouth() {
            mouth.follow_payload(payload);
        }
        if self.send_rtp(now, target, (&header, payload), Origin::Keys, captures, out) {
            self.egress.count(payload.len());
        }
        self.keys.chime = Some(chime);
    }
}
