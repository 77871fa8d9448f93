//! Sound that does not come though packets do: one who sends the same value over and over while the
//! other side talks to them.
//!
//! A line that is alive has a noise floor, however quiet who listens on it is; what has none is a
//! dead microphone, a muted one, or a path that lost its audio. So no level is the measure, but that
//! nothing at all moves.

use base::{Duration, Instant};

use super::feed::Joint;
use super::stream::Stream;
use super::{MAX_WAITING, Plane};
use crate::ear::Heard;
use crate::{Event, Masking, Slot};

/// So much speech of the other side is enough.
const ENOUGH_MS: u32 = 3000;
/// Louder than this, in mean squared samples, is speech: -45 dBov.
const LOUD: f32 = 33_950.0;
/// Decoded samples up to this are what a codec makes of nothing.
const NOTHING: u16 = 2;
/// Who has sent no packet for this long is not still but lost (`vigil.rs`).
const FRESH: Duration = Duration::from_millis(500);

/// What is known of a stream's sound.
#[derive(Debug, Default)]
pub(super) struct Stillness {
    /// Nothing moves in what came last.
    is_still: bool,
    /// Something has moved before.
    has_sounded: bool,
    /// Speech so far, in milliseconds, as a clock for the other side's stillness.
    spoken_ms: u32,
    /// Where the other side's clock stood when the stillness was first noticed.
    since: Option<(Slot, u32)>,
    is_told: bool,
}

impl Sound {
    /// Whether it is more than one of many where it was lively before.
    pub(super) fn is_news(self) -> bool {
        self.is_still || self.spoken_ms > 0
    }
}

impl Stillness {
    /// Whether a sound is more than one of many.
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
}

impl Sound {
    /// Of a packet of codes; `power` is known of those that are measured, one in four.
    pub(super) fn of_codes(codes: &[u8], power: Option<f32>) -> Self {
        let is_still = codes.first().is_some_and(|first| codes.iter().all(|code| code == first));
        let lasts = 4 * codes.len() as u32 / 8;
        let is_loud = !is_still && power.is_some_and(|power| power > LOUD);
        let spoken_ms = if is_loud { lasts } else { 0 };
        Self { is_still, spoken_ms }
    }

    /// Of a tick that was decoded; nothing is known of what was made up.
    pub(super) fn of_samples(heard: Heard, samples: &[i16]) -> Option<Self> {
        if heard != Heard::Speech || samples.is_empty() {
            return None;
        }
        let is_still = samples.iter().all(|sample| sample.unsigned_abs() <= NOTHING);
        let power = samples.iter().map(|sample| f32::from(*sample).powi(2)).sum::<f32>();
        let spoken_ms = if power / samples.len() as f32 > LOUD { 20 } else { 0 };
        Some(Self { is_still, spoken_ms })
    }
}

impl Plane {
    /// A stream whose codes tell nothing was decoded.
    pub(super) fn note_decoded(&mut self, now: Instant, slot: Slot, sound: Option<Sound>) {
        let is_law = |stream: &Stream| stream.remote.is_some_and(|r| r.codec.law().is_some());
        if let (Some(sound), Some(false)) = (sound, self.stream(slot).map(is_law)) {
            self.note_sound(now, slot, sound);
        }
    }

    /// Takes note of what a stream's far end sounds like.
    pub(super) fn note_sound(&mut self, now: Instant, slot: Slot, sound: Sound) {
        let Some(stream) = self.stream_mut(slot) else { return };
        let (id, peer, plays) = (stream.id, stream.rare.peer, stream.playing.is_some());
        let known = &mut stream.rare.stillness;
        let was_still = std::mem::replace(&mut known.is_still, sound.is_still);
        known.spoken_ms = known.spoken_ms.wrapping_add(sound.spoken_ms);
        let spoken_ms = known.spoken_ms;
        stream.is_lively = !sound.is_still;
        if !sound.is_still {
            known.has_sounded = true;
            known.since = None;
            if was_still && std::mem::take(&mut known.is_told) {
                self.events.push_back(Event::SoundAgain { stream: id });
            }
        }
        if sound.spoken_ms > 0
            && let Some(peer) = peer
        {
            self.note_spoken_to(now, peer, (slot, spoken_ms), plays);
        }
    }

    /// The other side speaks to this one: is anything to be heard of it?
    fn note_spoken_to(&mut self, now: Instant, slot: Slot, by: (Slot, u32), plays: bool) {
        let room = self.events.len() < MAX_WAITING;
        let Some(stream) = self.stream_mut(slot) else { return };
        let should_sound = !plays && should_sound(stream, now);
        let id = stream.id;
        let known = &mut stream.rare.stillness;
        if !known.is_still || known.is_told {
            return;
        }
        let since = known.since.filter(|(of, _)| should_sound && *of == by.0);
        let (_, from) = *known.since.insert(since.unwrap_or(by));
        if by.1.wrapping_sub(from) >= ENOUGH_MS && room {
            known.is_told = true;
            let heard = known.has_sounded;
            self.events.push_back(Event::Soundless { stream: id, heard });
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
        let still = Sound { is_still: true, spoken_ms: 0 };
        assert_eq!(Sound::of_samples(Heard::Speech, &[-2; 160]), Some(still));
        assert_eq!(Sound::of_samples(Heard::Noise, &[0; 160]), None);
        let loud = Sound { is_still: false, spoken_ms: 20 };
        assert_eq!(Sound::of_samples(Heard::Speech, &[3000; 160]), Some(loud));
    }
}
