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
use super::stream::Stream;
use super::{MAX_WAITING, Plane};
use crate::ear::Heard;
use crate::{Codec, Event, Masking, Slot};

/// So much speech of the other side is enough.
const ENOUGH_MS: u32 = 3000;
/// The same of one who is only looked at now and then (`glimpse.rs`); and when who speaks is, too.
const ENOUGH_SEEN_MS: u32 = 2500;
const ENOUGH_OF_BOTH_MS: u32 = 1500;
/// Louder than this, in mean squared samples, is speech: -45 dBov.
const LOUD: f32 = 33_950.0;
/// The same of a member of a mix.
pub(super) const LOUD_IN_MIX: u32 = LOUD as u32;
/// Decoded samples up to this are what a codec makes of nothing.
const NOTHING: u16 = 2;
/// The same of G.722, whose two ends swing about zero, of which we know one end only.
const NOTHING_OF_G722: u16 = 48;
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
    /// Where the others' clock stood when the stillness was first noticed.
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

    /// Of a voice that was as loud as that when it was decoded last.
    pub(super) fn of_voice(power: f32, lasts_ms: u32) -> Self {
        Self { is_still: false, spoken_ms: if power > LOUD { lasts_ms } else { 0 } }
    }

    /// Of a packet that was decoded without knowledge of most that came before.
    pub(super) fn of_look(
        (codec, payload): (Codec, &[u8]),
        (heard, power): (&[i16], f32),
        lasts_ms: u32,
    ) -> Self {
        let is_g722 = codec == Codec::G722;
        let nothing = if is_g722 { NOTHING_OF_G722 } else { NOTHING };
        let is_quiet = heard.iter().all(|sample| sample.unsigned_abs() <= nothing);
        // Of nothing, G.722's higher band is always the same; of the softest noise it is not.
        let has_high = is_g722 && payload.iter().any(|code| *code < 0xc0);
        let is_still = !heard.is_empty() && is_quiet && !has_high;
        let spoken_ms = if !is_still && power > LOUD { lasts_ms } else { 0 };
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
        if let (Some(sound), Some(true)) = (sound, self.stream(slot).map(Stream::is_told_by_ear)) {
            self.note_sound(now, slot, sound);
        }
    }

    /// Takes note of what a stream's far end sounds like.
    pub(super) fn note_sound(&mut self, now: Instant, slot: Slot, sound: Sound) {
        let Self { streams, events, .. } = self;
        let Some(stream) = stream_at(streams, slot) else { return };
        stream.note_sound(sound, events);
        let (spoken_ms, plays) = (stream.rare.stillness.spoken_ms, stream.playing.is_some());
        let is_exact = !stream.is_looked_at();
        if sound.spoken_ms > 0
            && let Some(peer) = stream.rare.peer.and_then(|peer| stream_at(streams, peer))
        {
            let by = (By::Stream(slot), spoken_ms);
            peer.note_spoken_to(now, by, (plays, is_exact), events);
        }
    }
}

impl Stream {
    /// Whether it is the decoded sound that tells whether anything moves.
    fn is_told_by_ear(&self) -> bool {
        self.remote.is_some_and(|remote| remote.codec == Codec::Opus)
    }

    fn note_sound(&mut self, sound: Sound, events: &mut VecDeque<Event>) {
        let known = &mut self.rare.stillness;
        let was_still = std::mem::replace(&mut known.is_still, sound.is_still);
        known.spoken_ms = known.spoken_ms.wrapping_add(sound.spoken_ms);
        self.is_lively = !sound.is_still;
        if !sound.is_still {
            known.has_sounded = true;
            known.since = None;
            if was_still && std::mem::take(&mut known.is_told) {
                events.push_back(Event::SoundAgain { stream: self.id });
            }
        }
    }

    /// A tick of a member of a mix, by its power.
    pub(super) fn note_mixed(&mut self, heard: Heard, power: u32, events: &mut VecDeque<Event>) {
        let is_still = power == 0;
        let is_news = is_still || !self.is_lively;
        if is_news && heard == Heard::Speech && self.is_told_by_ear() {
            self.note_sound(Sound { is_still, spoken_ms: 0 }, events);
        }
    }

    /// Others of its mix speak, so far for that long.
    pub(super) fn note_spoken_to_in(
        &mut self,
        now: Instant,
        (mix, spoken_ms): (u32, u32),
        events: &mut VecDeque<Event>,
    ) {
        if !self.is_lively {
            self.note_spoken_to(now, (By::Mix(mix), spoken_ms), (false, true), events);
        }
    }

    /// The other side speaks to this one: is anything to be heard of it?
    fn note_spoken_to(
        &mut self,
        now: Instant,
        by: (By, u32),
        (plays, is_exact): (bool, bool),
        events: &mut VecDeque<Event>,
    ) {
        let should_sound = !plays && should_sound(self, now);
        let enough = match (self.is_looked_at(), is_exact) {
            (false, _) => ENOUGH_MS,
            (true, true) => ENOUGH_SEEN_MS,
            (true, false) => ENOUGH_OF_BOTH_MS,
        };
        let stream = self.id;
        let known = &mut self.rare.stillness;
        if !known.is_still || known.is_told {
            return;
        }
        let since = known.since.filter(|(of, _)| should_sound && *of == by.0);
        let (_, from) = *known.since.insert(since.unwrap_or(by));
        if by.1.wrapping_sub(from) >= enough && events.len() < MAX_WAITING {
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
        let still = Sound { is_still: true, spoken_ms: 0 };
        assert_eq!(Sound::of_samples(Heard::Speech, &[-2; 160]), Some(still));
        assert_eq!(Sound::of_samples(Heard::Noise, &[0; 160]), None);
        let loud = Sound { is_still: false, spoken_ms: 20 };
        assert_eq!(Sound::of_samples(Heard::Speech, &[3000; 160]), Some(loud));
    }
}
