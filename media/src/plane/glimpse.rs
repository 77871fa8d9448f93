//! Looks at a stream that is relayed in a codec whose packets tell nothing by themselves: how loud
//! it is, and whether anything moves in it at all. Twice a second; where Opus says that somebody
//! speaks, only each second look decodes.

use base::{Duration, Instant};

use super::Plane;
use super::feed::Feed;
use super::mixing::stream_at;
use super::stillness::Sound;
use super::stream::Stream;
use crate::codec::{Glance, opus};
use crate::rtp::Header;
use crate::{Codec, Slot};

/// Between two looks, and what one stands for at the most.
const PAUSE_MS: u64 = 500;
const LONGEST_MS: u128 = 1000;
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
    /// The number that follows on them.
    next: u16,
    looked_at: Instant,
    /// When a voice was decoded last, and its power then.
    voice: Option<(Instant, f32)>,
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
            looked_at: Instant::ZERO,
            voice: None,
        })
    }

    /// A packet at the time of a look: what it came to, or nothing when more packets are needed.
    fn look(
        &mut self,
        now: Instant,
        (sequence, codec): (u16, Codec),
        payload: &[u8],
        (is_lively, glance): (bool, &mut Glance),
    ) -> Option<Looked> {
        let has_voice = if codec == Codec::Opus { opus::has_voice(payload) } else { None };
        let lasts_ms = now.since(self.looked_at).as_millis().min(LONGEST_MS) as u32;
        let believed = self.voice.filter(|(at, _)| now.since(*at) < BELIEVED);
        if let (true, Some(true), Some((_, power))) = (is_lively, has_voice, believed) {
            let sound = Sound::of_voice(power, lasts_ms);
            self.looked_at = now;
            return Some(Looked { sound, power, lasts_ms });
        }
        if self.filled > 0 && sequence != self.next {
            self.filled = 0;
        }
        if self.filled < Glance::before(codec) && self.keep(sequence, payload) {
            return None;
        }
        let mut rest = self.kept.as_slice();
        let before = self.lengths.iter().take(self.filled).filter_map(|length| {
            let (packet, after) = rest.split_at_checked(usize::from(*length))?;
            rest = after;
            Some(packet)
        });
        let heard = glance.hear(codec, before.chain([payload]));
        let looked = Looked::of(codec, payload, heard, lasts_ms);
        (self.filled, self.looked_at) = (0, now);
        if has_voice == Some(true) {
            self.voice = Some((now, looked.power));
        }
        Some(looked)
    }

    /// Whether there was room.
    fn keep(&mut self, sequence: u16, payload: &[u8]) -> bool {
        let used = self.lengths.iter().take(self.filled).map(|length| usize::from(*length)).sum();
        let room = self.kept.get_mut(used..used + payload.len());
        let (Some(room), Some(length)) = (room, self.lengths.get_mut(self.filled)) else {
            return false;
        };
        room.copy_from_slice(payload);
        (*length, self.next) = (payload.len() as u16, sequence.wrapping_add(1));
        self.filled += 1;
        true
    }
}

impl Looked {
    fn of(codec: Codec, payload: &[u8], heard: &[i16], lasts_ms: u32) -> Self {
        let sum = heard.iter().map(|sample| f32::from(*sample).powi(2)).sum::<f32>();
        let power = sum / heard.len().max(1) as f32;
        let sound = Sound::of_look((codec, payload), (heard, power), lasts_ms);
        Self { sound, power, lasts_ms }
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
        let Self { streams, glance, .. } = self;
        let (Some(stream), Some(glance)) = (stream_at(streams, slot), glance) else { return };
        // What says "nothing is sent" is no sound, and no lack of one.
        let is_pause = codec == Codec::Opus && payload.len() <= 2;
        if is_pause || codec.law().is_some() {
            return;
        }
        let Some(glimpse) = &mut stream.rare.glimpse else { return };
        let told = (header.sequence, codec);
        let Some(looked) = glimpse.look(now, told, payload, (stream.is_lively, glance)) else {
            return;
        };
        let Looked { sound, power, lasts_ms } = looked;
        let length = u64::from(codec.ticks(payload).max(1)) * 1000 / u64::from(codec.clock_rate());
        stream.look_in = (PAUSE_MS / length.max(1)).max(1) as u16;
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
