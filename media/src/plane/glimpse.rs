//! Looks at a stream that is relayed in a codec whose packets tell nothing by themselves: how loud
//! it is, and whether anything moves in it at all. Twice a second; where Opus says that somebody
//! speaks, only each second look decodes. While there is doubt whether one of two is heard at all
//! both are looked at every 60 ms, and no packet goes by uncounted.

use base::{Duration, Instant};

use super::Plane;
use super::feed::Feed;
use super::mixing::stream_at;
use super::stillness::{Sound, is_loud};
use super::stream::Stream;
use crate::codec::{Glance, opus};
use crate::rtp::Header;
use crate::{Codec, Slot};

/// Between two looks, and while there is doubt.
const PAUSE_MS: u32 = 500;
const STEP_MS: u32 = 60;
const STEP: Duration = Duration::from_millis(60);
/// What one stands for at the most: more is a new beginning of the numbers.
const LONGEST_MS: u32 = 1000;
/// After this long without a look the next packet is looked at alone: in pauses that are not sent
/// they come every 420 ms, or 1.3 s. What is nothing is known without those before it, too.
const RARE: Duration = Duration::from_millis(650);
/// What came longer ago than this is no part of what comes now: between the two was a pause that was
/// not sent, of 400 ms at least. A decoder that knew it would make a sound of it in a still packet.
const STALE: Duration = Duration::from_millis(300);
/// How long a voice is taken to be as loud as it was.
const BELIEVED: Duration = Duration::from_millis(700);
/// Bytes that are kept for what follows: 80 ms of G.722, 40 ms of Opus at 128 kbit/s.
const KEPT: usize = 640;
/// And packets, at the most.
const PACKETS: usize = 4;

/// What is known of a stream from looks.
pub(super) struct Glimpse {
    /// The packets before the next one to be heard, as many as `filled`.
    kept: [u8; KEPT],
    lengths: [u16; PACKETS],
    filled: usize,
    /// The number that follows on them, and when the last of them came.
    next: u16,
    kept_at: Instant,
    /// The last look, and the number of its packet.
    looked_at: Instant,
    looked_to: Option<u16>,
    /// Whether it was loud.
    was_loud: bool,
    /// When a voice was decoded last, and its power then.
    voice: Option<(Instant, f32)>,
}

/// A packet at the time of a look.
#[derive(Clone, Copy)]
struct Packet<'a> {
    now: Instant,
    sequence: u16,
    codec: Codec,
    payload: &'a [u8],
    /// How long it is, in milliseconds; 1 at least.
    length_ms: u32,
    /// Something moved in what came last.
    is_lively: bool,
    /// One of the two may not be heard at all.
    in_doubt: bool,
}

/// What a look came to.
struct Looked {
    sound: Sound,
    power: f32,
    /// How long it stands for, in milliseconds.
    lasts_ms: u32,
}

impl Glimpse {
    pub(super) fn new() -> Box<Self> {
        Box::new(Self {
            kept: [0; KEPT],
            lengths: [0; PACKETS],
            filled: 0,
            next: 0,
            kept_at: Instant::ZERO,
            looked_at: Instant::ZERO,
            looked_to: None,
            was_loud: false,
            voice: None,
        })
    }

    /// A packet at the time of a look: what it came to, or nothing when more packets are needed.
    fn look(&mut self, packet: Packet<'_>, glance: &mut Glance) -> Option<Looked> {
        let Packet { now, sequence, codec, payload, in_doubt, .. } = packet;
        if self.looked_to.is_none() {
            if self.looked_at == Instant::ZERO {
                self.looked_at = now;
            }
            self.looked_to = Some(sequence.wrapping_sub(1));
        }
        let lasts_ms = self.lasts(&packet);
        let has_voice = if codec == Codec::Opus { opus::has_voice(payload) } else { None };
        let is_voice = packet.is_lively && has_voice == Some(true);
        let believed = self.voice.filter(|(at, _)| is_voice && now.since(*at) < BELIEVED);
        if let Some((_, power)) = believed.filter(|(_, power)| !in_doubt || is_loud(*power)) {
            let sound = Sound::of_voice(power, lasts_ms);
            self.has_looked(&packet, is_loud(power));
            return Some(Looked { sound, power, lasts_ms });
        }
        if sequence != self.next || now.since(self.kept_at) > STALE {
            self.filled = 0;
        }
        let is_rare = now.since(self.looked_at) > RARE;
        let is_early = in_doubt && lasts_ms < STEP_MS && now.since(self.looked_at) < STEP;
        if is_early || !(is_rare || self.is_ready(&packet)) {
            self.keep(&packet);
            return None;
        }
        let heard = glance.hear(codec, self.kept().chain([payload]));
        let looked = self.judge(&packet, heard, lasts_ms);
        if has_voice == Some(true) {
            self.voice = Some((now, looked.power));
        }
        self.has_looked(&packet, is_loud(looked.power));
        Some(looked)
    }

    /// How long it is since the last look, in milliseconds, by the packets that there were.
    fn lasts(&self, packet: &Packet<'_>) -> u32 {
        let ahead = packet.sequence.wrapping_sub(self.looked_to.unwrap_or(packet.sequence));
        let is_late = ahead >= 0x8000;
        let lasts = u32::from(ahead) * packet.length_ms;
        match lasts {
            _ if is_late => 0,
            0..=LONGEST_MS => lasts,
            _ => packet.length_ms,
        }
    }

    fn judge(&self, packet: &Packet<'_>, heard: &[i16], lasts_ms: u32) -> Looked {
        let sum = heard.iter().map(|sample| f32::from(*sample).powi(2)).sum::<f32>();
        let power = sum / heard.len().max(1) as f32;
        let unseen = packet.now.since(self.looked_at).as_millis();
        let unseen_ms = u32::try_from(unseen).unwrap_or(u32::MAX);
        // What lies between two looks is speech if either of them was.
        let sound = Sound::of_look(
            (packet.codec, packet.payload),
            (heard, self.was_loud || is_loud(power)),
            (lasts_ms, unseen_ms),
        );
        Looked { sound, power, lasts_ms }
    }

    fn has_looked(&mut self, packet: &Packet<'_>, was_loud: bool) {
        (self.looked_at, self.looked_to) = (packet.now, Some(packet.sequence));
        self.was_loud = was_loud;
        if packet.in_doubt {
            self.keep(packet);
        } else {
            self.filled = 0;
        }
    }

    /// Whether enough is kept before this packet, or all that there is room for.
    fn is_ready(&self, packet: &Packet<'_>) -> bool {
        self.filled >= Glance::before(packet.codec) || !self.has_room(packet)
    }

    fn has_room(&self, packet: &Packet<'_>) -> bool {
        self.used() + packet.payload.len() <= KEPT
    }

    fn used(&self) -> usize {
        self.lengths.iter().take(self.filled).map(|length| usize::from(*length)).sum()
    }

    /// The packets kept, the oldest first.
    fn kept(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.kept.as_slice();
        self.lengths.iter().take(self.filled).filter_map(move |length| {
            let (packet, after) = rest.split_at_checked(usize::from(*length))?;
            rest = after;
            Some(packet)
        })
    }

    /// Keeps a packet for those that follow; the oldest make room. One that is too long is not kept.
    fn keep(&mut self, packet: &Packet<'_>) {
        while self.filled > 0 && self.is_ready(packet) {
            let [first, ..] = self.lengths;
            self.kept.copy_within(usize::from(first).min(KEPT).., 0);
            self.lengths.rotate_left(1);
            self.filled -= 1;
        }
        let (used, payload) = (self.used(), packet.payload);
        let room = self.kept.get_mut(used..used + payload.len());
        let (Some(room), Some(length)) = (room, self.lengths.get_mut(self.filled)) else { return };
        room.copy_from_slice(payload);
        (*length, self.next) = (payload.len() as u16, packet.sequence.wrapping_add(1));
        self.kept_at = packet.now;
        self.filled += 1;
    }
}

impl Stream {
    /// Looks are needed where samples are not, in a codec whose codes tell nothing; and always of
    /// G.722, whose decoder makes a sound of nothing.
    pub(super) fn settle_looks(&mut self, has_ear: bool) {
        let is_wanted = self.remote.is_some_and(|remote| match remote.codec {
            Codec::Pcmu | Codec::Pcma => false,
            Codec::G722 => true,
            Codec::Opus => !has_ear,
        });
        if is_wanted == self.rare.glimpse.is_some() {
            return;
        }
        self.rare.glimpse = is_wanted.then(Glimpse::new);
        self.look_in = u16::from(is_wanted);
    }

    pub(super) fn is_looked_at(&self) -> bool {
        self.rare.glimpse.is_some()
    }

    /// How long nothing is known of what it has sent: no more than since it was looked at last, and
    /// a packet.
    pub(super) fn missed(&self, now: Instant) -> Duration {
        let glimpse = self.rare.glimpse.as_ref();
        glimpse.map_or(Duration::ZERO, |glimpse| now.since(glimpse.looked_at) + STEP)
    }

    /// There is doubt: each packet counts, if it is packets that tell; those that come from now on
    /// if it has just begun.
    pub(super) fn attend(&mut self, has_begun: bool) {
        let has_law = self.remote.is_some_and(|remote| remote.codec.law().is_some());
        if has_law || self.is_looked_at() {
            if let Some(glimpse) = self.rare.glimpse.as_mut().filter(|_| has_begun) {
                glimpse.looked_to = None;
            }
            self.look_in = 1;
        }
    }

    /// The other side is looked at: if it has been long since this one was, because its pauses are
    /// not sent, then its next packet is.
    pub(super) fn urge(&mut self, now: Instant) {
        let Some(glimpse) = &self.rare.glimpse else { return };
        if now.since(glimpse.looked_at) > RARE && glimpse.looked_at != Instant::ZERO {
            self.look_in = 1;
        }
    }
}

impl Plane {
    /// It is time to look at a stream's packet.
    pub(super) fn look_at(
        &mut self,
        now: Instant,
        slot: Slot,
        header: &Header,
        codec: Codec,
        payload: &[u8],
    ) {
        // What says "nothing is sent" is no sound, and no lack of one.
        if codec == Codec::Opus && payload.len() <= 2 {
            return;
        }
        let in_doubt = self.is_in_doubt(now, slot);
        let ticks = u64::from(codec.ticks(payload));
        let length_ms = (ticks * 1000 / u64::from(codec.clock_rate())).max(1) as u32;
        let Self { streams, glance, .. } = self;
        let Some(stream) = stream_at(streams, slot) else { return };
        let (Some(glimpse), Some(glance)) = (&mut stream.rare.glimpse, glance) else {
            let law = codec.law().filter(|_| in_doubt);
            stream.look_in = u16::from(law.is_some());
            if let Some(law) = law {
                self.note_sound(now, slot, Sound::of_each(law, payload, length_ms));
            }
            return;
        };
        let (sequence, is_lively) = (header.sequence, stream.is_lively);
        let packet = Packet { now, sequence, codec, payload, length_ms, is_lively, in_doubt };
        let Some(looked) = glimpse.look(packet, glance) else { return };
        let Looked { sound, power, lasts_ms } = looked;
        let pause = (PAUSE_MS / length_ms).max(1) as u16;
        stream.look_in = if in_doubt { 1 } else { pause };
        if stream.ear().is_none() {
            stream.rare.live.heard.note_power(power, lasts_ms);
        }
        let relays = stream.relays;
        for to in relays.into_iter().flatten() {
            let Some(other) = stream_at(streams, to) else { continue };
            if other.feed == Feed::Relay(slot) && other.playing.is_none() {
                other.rare.live.said.note_power(power, lasts_ms);
            }
        }
        self.note_sound(now, slot, sound);
    }
}
