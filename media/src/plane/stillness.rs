//! Sound that does not come though packets do: one who sends the same value over and over while the
//! other side talks to them.
//!
//! A line that is alive has a noise floor, however quiet who listens on it is; what has none is a
//! dead microphone, a muted one, or a path that lost its audio. So no level is the measure, but that
//! nothing at all moves.

use std::collections::VecDeque;

use base::{Duration, Instant};

use super::feed::Joint;
use super::mixing::stream_at;
use super::stream::{Rare, Stream};
use super::ticks::TICK_MS;
use super::{MAX_WAITING, Plane};
use crate::ear::Heard;
use crate::{Codec, Event, G711, Masking, Slot};

/// So much speech of the other side, and it is told.
const WITHIN_MS: u32 = 3000;
/// What codecs with a memory make of a sound dies away within this, which is a part of the time; of
/// others a packet that is still as a whole is known when it has come.
const DYING_MS: u32 = 200;
const PACKET_MS: u32 = 120;
/// The longest step by which speech is counted while it matters.
const STEP_MS: u32 = 80;
/// Between two looks at who is looked at now and then, at the most.
const UNSEEN_MS: u32 = 720;
/// Louder than this, in mean squared samples, is speech: -45 dBov.
const LOUD: f32 = 33_950.0;
/// The same of a member of a mix.
pub(super) const LOUD_IN_MIX: u32 = LOUD as u32;
/// Decoded samples up to this are what a codec makes of nothing.
const NOTHING: u16 = 2;
/// The same of G.722, whose two ends swing about zero, of which we know one end only.
const NOTHING_OF_G722: u16 = 48;
/// Who has sent no packet for this long is not still but lost (`vigil.rs`). In pauses that it does
/// not send, Opus sends one in twenty: of packets of 60 ms, one in 1.3 s.
const FRESH: Duration = Duration::from_millis(1300);

/// What is known of a stream's sound.
#[derive(Debug, Default)]
pub(super) struct Stillness {
    /// Nothing moves in what came last.
    is_still: bool,
    /// Something has moved before.
    has_sounded: bool,
    /// Speech so far, in milliseconds, as a clock for the other side's stillness.
    spoken_ms: u32,
    /// Where the others' clock stood when the stillness began.
    since: Option<(By, u32)>,
    is_told: bool,
}

/// Whose speech counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum By {
    /// The other side's.
    Stream(Slot),
    /// Anybody's in a mix.
    Mix(u32),
}

/// Speech that has just been heard.
#[derive(Clone, Copy, Debug)]
struct Spoken {
    by: By,
    /// The speaker's clock, and what this has added to it.
    clock_ms: u32,
    lasts_ms: u32,
}

impl Sound {
    /// Whether it is more than one of many where it was lively before.
    pub(super) fn is_news(self) -> bool {
        self.is_still || self.spoken_ms > 0
    }
}

impl Stillness {
    /// Whether a sound is more than one of many where it was not lively before. Not a part of who
    /// asks: where it is lively nobody need look here.
    #[inline(never)]
    pub(super) fn cares_for(&self, sound: Sound) -> bool {
        sound.is_still != self.is_still || sound.spoken_ms > 0 || !self.has_sounded
    }
}

/// The sound of a stretch of audio.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Sound {
    is_still: bool,
    /// Milliseconds of speech that it stands for.
    spoken_ms: u32,
    /// How long before it nothing was known.
    unseen_ms: u32,
}

/// Whether it is speech, by its mean squared sample.
pub(super) fn is_loud(power: f32) -> bool {
    power > LOUD
}

impl Sound {
    const fn new(is_still: bool, spoken_ms: u32) -> Self {
        Self { is_still, spoken_ms, unseen_ms: 0 }
    }

    /// Of a packet of codes; `power` is known of those that are measured, one in four.
    pub(super) fn of_codes(codes: &[u8], power: Option<f32>) -> Self {
        let is_still = codes.first().is_some_and(|first| codes.iter().all(|code| code == first));
        let lasts = 4 * codes.len() as u32 / 8;
        let is_loud = !is_still && power.is_some_and(is_loud);
        Self::new(is_still, if is_loud { lasts } else { 0 })
    }

    /// Of a packet of codes of which each one is measured.
    pub(super) fn of_each(law: G711, codes: &[u8], lasts_ms: u32) -> Self {
        let sound = Self::of_codes(codes, None);
        if sound.is_still {
            return sound;
        }
        let sum = codes.iter().map(|code| f32::from(law.decode(*code)).powi(2)).sum::<f32>();
        let is_loud = is_loud(sum / codes.len().max(1) as f32);
        Self::new(false, if is_loud { lasts_ms } else { 0 })
    }

    /// Of a voice that was as loud as that when it was decoded last.
    pub(super) fn of_voice(power: f32, lasts_ms: u32) -> Self {
        Self::new(false, if is_loud(power) { lasts_ms } else { 0 })
    }

    /// Of a packet that was decoded without knowledge of most that came before.
    pub(super) fn of_look(
        (codec, payload): (Codec, &[u8]),
        (heard, is_loud): (&[i16], bool),
        (lasts_ms, unseen_ms): (u32, u32),
    ) -> Self {
        let is_g722 = codec == Codec::G722;
        let nothing = if is_g722 { NOTHING_OF_G722 } else { NOTHING };
        let is_quiet = heard.iter().all(|sample| sample.unsigned_abs() <= nothing);
        // Of nothing, G.722's higher band is always the same; of the softest noise it is not.
        let has_high = is_g722 && payload.iter().any(|code| *code < 0xc0);
        let is_still = !heard.is_empty() && is_quiet && !has_high;
        let spoken_ms = if !is_still && is_loud { lasts_ms } else { 0 };
        Self { is_still, spoken_ms, unseen_ms }
    }

    /// Of a tick that was decoded; nothing is known of what was made up.
    pub(super) fn of_samples(heard: Heard, samples: &[i16]) -> Option<Self> {
        if heard != Heard::Speech || samples.is_empty() {
            return None;
        }
        let is_still = samples.iter().all(|sample| sample.unsigned_abs() <= NOTHING);
        let power = samples.iter().map(|sample| f32::from(*sample).powi(2)).sum::<f32>();
        let is_loud = is_loud(power / samples.len() as f32);
        Some(Self::new(is_still, if is_loud { TICK_MS } else { 0 }))
    }
}

impl Plane {
    /// A stream whose codes tell nothing was decoded.
    pub(super) fn note_decoded(&mut self, now: Instant, slot: Slot, sound: Option<Sound>) {
        if let (Some(sound), Some(true)) = (sound, self.stream(slot).map(Stream::is_told_by_ear)) {
            self.note_sound(now, slot, sound);
        }
    }

    /// Takes note of what a stream's far end sounds like.
    pub(super) fn note_sound(&mut self, now: Instant, slot: Slot, sound: Sound) {
        let Self { streams, events, .. } = self;
        let peer = stream_at(streams, slot).and_then(|stream| stream.rare.peer);
        let peer_clock =
            peer.and_then(|peer| Some((peer, stream_at(streams, peer)?.rare.stillness.spoken_ms)));
        let Some(stream) = stream_at(streams, slot) else { return };
        let has_begun = stream.note_sound(sound, peer_clock, events);
        let is_doubted = stream.is_doubted(now);
        if is_doubted && stream.is_looked_at() {
            stream.attend(false);
        }
        let (clock_ms, plays) = (stream.rare.stillness.spoken_ms, stream.playing.is_some());
        let Some(peer) = peer.and_then(|peer| stream_at(streams, peer)) else { return };
        if is_doubted {
            peer.attend(has_begun);
        }
        if sound.spoken_ms > 0 {
            let spoken = Spoken { by: By::Stream(slot), clock_ms, lasts_ms: sound.spoken_ms };
            peer.note_spoken_to(now, spoken, plays, events);
            peer.urge(now);
        }
    }

    /// Whether a stream, or the other side, may not be heard at all.
    pub(super) fn is_in_doubt(&self, now: Instant, slot: Slot) -> bool {
        let Some(stream) = self.stream(slot) else { return false };
        let peer = || stream.rare.peer.and_then(|peer| self.stream(peer));
        stream.is_doubted(now) || peer().is_some_and(|peer| peer.is_doubted(now))
    }
}

impl Stream {
    /// Whether it is the decoded sound that tells whether anything moves.
    fn is_told_by_ear(&self) -> bool {
        self.remote.is_some_and(|remote| remote.codec == Codec::Opus)
    }

    /// Whether it should sound and does not, and nobody was told yet.
    fn is_doubted(&self, now: Instant) -> bool {
        let known = &self.rare.stillness;
        known.is_still && !known.is_told && should_sound(self, now)
    }

    /// `peer_clock` is the other side's, with who that is. Whether a stillness begins.
    fn note_sound(
        &mut self,
        sound: Sound,
        peer_clock: Option<(Slot, u32)>,
        events: &mut VecDeque<Event>,
    ) -> bool {
        let Rare { stillness: known, glimpse, .. } = &mut *self.rare;
        let was_still = std::mem::replace(&mut known.is_still, sound.is_still);
        known.spoken_ms = known.spoken_ms.wrapping_add(sound.spoken_ms);
        self.is_lively = !sound.is_still;
        let sounded = glimpse.as_mut().map(|glimpse| &mut glimpse.sounded);
        if !sound.is_still {
            (known.has_sounded, known.since) = (true, None);
            if let Some(sounded) = sounded {
                *sounded = peer_clock;
            }
            if was_still && std::mem::take(&mut known.is_told) {
                events.push_back(Event::SoundAgain { stream: self.id });
            }
        } else if !was_still {
            // Since it sounded last the other side may have spoken all the time, but no more than is
            // known, and what two looks at them may have missed: their own pauses may not be sent.
            let then = sounded.and_then(|sounded| *sounded);
            known.since = peer_clock.map(|(peer, clock)| {
                let then = then.filter(|then| then.0 == peer);
                let most_ms =
                    then.map_or(UNSEEN_MS, |then| clock.wrapping_sub(then.1) + 2 * UNSEEN_MS);
                (By::Stream(peer), clock.wrapping_sub(sound.unseen_ms.min(most_ms)))
            });
        }
        sound.is_still && !was_still
    }

    /// A tick of a member of a mix, by its power.
    pub(super) fn note_mixed(&mut self, heard: Heard, power: u32, events: &mut VecDeque<Event>) {
        let is_still = power == 0;
        let is_news = is_still || !self.is_lively;
        if is_news && heard == Heard::Speech && self.is_told_by_ear() {
            self.note_sound(Sound::new(is_still, 0), None, events);
        }
    }

    /// Others of its mix speak, so far for that long.
    pub(super) fn note_spoken_to_in(
        &mut self,
        now: Instant,
        (mix, clock_ms): (u32, u32),
        events: &mut VecDeque<Event>,
    ) {
        if !self.is_lively {
            let spoken = Spoken { by: By::Mix(mix), clock_ms, lasts_ms: TICK_MS };
            self.note_spoken_to(now, spoken, false, events);
        }
    }

    /// The other side speaks to this one: is anything to be heard of it?
    fn note_spoken_to(
        &mut self,
        now: Instant,
        Spoken { by, clock_ms, lasts_ms }: Spoken,
        plays: bool,
        events: &mut VecDeque<Event>,
    ) {
        let should_sound = !plays && should_sound(self, now);
        let has_memory = self.remote.is_some_and(|remote| remote.codec.law().is_none());
        let dying_ms = if has_memory { DYING_MS } else { PACKET_MS };
        let in_mix = matches!(by, By::Mix(_));
        let unseen_ms = if in_mix && self.is_looked_at() { UNSEEN_MS } else { 0 };
        let stream = self.id;
        let known = &mut self.rare.stillness;
        if !known.is_still || known.is_told {
            return;
        }
        let since = known.since.filter(|(of, _)| should_sound && *of == by);
        let (_, from) = *known.since.insert(since.unwrap_or_else(|| {
            let before_ms = if should_sound { lasts_ms + unseen_ms } else { 0 };
            (by, clock_ms.wrapping_sub(before_ms))
        }));
        let spoken_ms = clock_ms.wrapping_sub(from);
        let next_ms = lasts_ms.min(STEP_MS);
        // Not when it is later than that, but before.
        if spoken_ms + next_ms >= WITHIN_MS - dying_ms && events.len() < MAX_WAITING {
            known.is_told = true;
            let heard = known.has_sounded;
            events.push_back(Event::Soundless { stream, heard });
        }
    }
}

/// Whether something should be heard of one who is spoken to: not of one who is kept from
/// everybody, who holds, who hears music, or who sends no silence.
fn should_sound(stream: &Stream, now: Instant) -> bool {
    let sends =
        |remote: crate::RemoteMedia| remote.direction.sends() && remote.comfort_noise.is_none();
    stream.keys.masking == Masking::Off
        && stream.playing.is_none()
        && !stream.sends_noise
        && stream.joint != Joint::Alone
        && now.since(stream.heard_at) < FRESH
        && stream.remote.is_some_and(sends)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_step_of_one_sample_is_a_sound_and_speech_is_counted_where_it_is_measured() {
        let mut codes = [0xff; 160];
        assert!(Sound::of_codes(&codes, None).is_still);
        codes[159] = 0x7f;
        assert!(!Sound::of_codes(&codes, None).is_still);
        assert_eq!(Sound::of_codes(&codes, Some(1e6)).spoken_ms, 80);
        assert_eq!(Sound::of_codes(&codes, Some(1e4)).spoken_ms, 0);
        assert!(!Sound::of_codes(&[], None).is_still);
        let still = Sound::new(true, 0);
        assert_eq!(Sound::of_samples(Heard::Speech, &[-2; 160]), Some(still));
        assert_eq!(Sound::of_samples(Heard::Noise, &[0; 160]), None);
        let loud = Sound::new(false, 20);
        assert_eq!(Sound::of_samples(Heard::Speech, &[3000; 160]), Some(loud));
    }
}
