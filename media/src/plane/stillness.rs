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
use super::ticks::TICK_MS;
use super::{MAX_WAITING, Plane};
use crate::ear::{Ear, Heard, NOTHING};
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
/// What is [`NOTHING`] of G.722, whose two ends swing about zero, of which we know one end only.
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
    /// All that may have been speech, as far as it was looked at.
    sent_ms: u32,
    mark: Mark,
    is_told: bool,
}

/// Where the others' clock stands at what counts.
#[derive(Clone, Copy, Debug, Default)]
enum Mark {
    /// It is not known yet.
    #[default]
    Unknown,
    /// Something moves: what the other side has sent in all.
    Moved(Slot, u32),
    /// Nothing does: how far speech was when that began.
    Still(By, u32),
}

/// How the other side's clocks stand, and who that is.
#[derive(Clone, Copy, Debug)]
struct PeerClock {
    peer: Slot,
    spoken_ms: u32,
    sent_ms: u32,
    /// What they may have sent since, as they are not looked at all the time.
    missed_ms: u32,
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
    /// What has come of them behind it, to be heard later.
    waits_ms: u32,
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
    /// And of packets, speech or not: what lies between two looks may be other than both.
    lasts_ms: u32,
    /// How long before it nothing was known.
    unseen_ms: u32,
}

/// Whether it is speech, by its mean squared sample.
pub(super) fn is_loud(power: f32) -> bool {
    power > LOUD
}

impl Sound {
    const fn new(is_still: bool, spoken_ms: u32) -> Self {
        Self { is_still, spoken_ms, lasts_ms: spoken_ms, unseen_ms: 0 }
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
        Self { lasts_ms, ..Self::new(false, if is_loud(power) { lasts_ms } else { 0 }) }
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
        Self { is_still, spoken_ms, lasts_ms, unseen_ms }
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
    pub(super) fn note_decoded(
        &mut self,
        now: Instant,
        slot: Slot,
        heard: Heard,
        sound: Option<Sound>,
    ) {
        let Some(stream) = self.stream(slot).filter(|stream| stream.is_told_by_ear()) else {
            return;
        };
        if let Some(sound) = sound.or_else(|| stream.sound_of_pause(heard)) {
            self.note_sound(now, slot, sound);
        }
    }

    /// Takes note of what a stream's far end sounds like.
    pub(super) fn note_sound(&mut self, now: Instant, slot: Slot, sound: Sound) {
        let Self { streams, events, .. } = self;
        let peer = stream_at(streams, slot).and_then(|stream| stream.rare.peer);
        let peer_clock = peer.and_then(|peer| {
            let other = stream_at(streams, peer)?;
            let missed_ms = other.missed(now).as_millis().min(UNSEEN_MS.into()) as u32;
            let Stillness { spoken_ms, sent_ms, .. } = other.rare.stillness;
            Some(PeerClock { peer, spoken_ms, sent_ms, missed_ms })
        });
        let Some(stream) = stream_at(streams, slot) else { return };
        let has_begun = stream.note_sound(sound, peer_clock, events);
        let is_doubted = stream.is_doubted(now);
        if is_doubted && stream.is_looked_at() {
            stream.attend(false);
        }
        let (clock_ms, plays) = (stream.rare.stillness.spoken_ms, stream.playing.is_some());
        let waits_ms = stream.ear().filter(|_| stream.is_told_by_ear()).map_or(0, Ear::wait_ms);
        let Some(peer) = peer.and_then(|peer| stream_at(streams, peer)) else { return };
        if is_doubted {
            peer.attend(has_begun);
        }
        if sound.spoken_ms > 0 {
            let lasts_ms = sound.spoken_ms;
            let spoken = Spoken { by: By::Stream(slot), clock_ms, lasts_ms, waits_ms };
            peer.note_spoken_to(now, spoken, plays, events);
        }
        // Though nobody speaks at a look, somebody may have between two.
        peer.urge(now);
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

    /// What is known in a pause that it does not send: only its packets tell, of which there are
    /// few, and not what is made up between them.
    fn sound_of_pause(&self, heard: Heard) -> Option<Sound> {
        let is_still = self.ear().filter(|_| heard == Heard::Noise)?.is_still_pause()?;
        let unseen_ms = FRESH.as_millis() as u32;
        let tells = is_still || self.rare.stillness.is_still;
        tells.then(|| Sound { unseen_ms, ..Sound::new(is_still, 0) })
    }

    /// Whether it should sound and does not, and nobody was told yet.
    fn is_doubted(&self, now: Instant) -> bool {
        let known = &self.rare.stillness;
        known.is_still && !known.is_told && should_sound(self, now)
    }

    /// Whether a stillness begins.
    fn note_sound(
        &mut self,
        sound: Sound,
        peer_clock: Option<PeerClock>,
        events: &mut VecDeque<Event>,
    ) -> bool {
        let known = &mut self.rare.stillness;
        let was_still = std::mem::replace(&mut known.is_still, sound.is_still);
        known.spoken_ms = known.spoken_ms.wrapping_add(sound.spoken_ms);
        known.sent_ms = known.sent_ms.wrapping_add(sound.lasts_ms);
        self.is_lively = !sound.is_still;
        if !sound.is_still {
            known.has_sounded = true;
            known.mark =
                peer_clock.map_or(Mark::Unknown, |clock| Mark::Moved(clock.peer, clock.sent_ms));
            if was_still && std::mem::take(&mut known.is_told) {
                events.push_back(Event::SoundAgain { stream: self.id });
            }
        } else if !was_still {
            // Since it sounded last the other side may have spoken all the time, but no more than
            // it has sent: their pauses may not be. Of that all is known but what came after the
            // last look at them. Words that fell between looks are in it, too, so that this is
            // never less than what they said.
            let then = known.mark;
            let begin = |PeerClock { peer, spoken_ms, sent_ms, missed_ms }| {
                let sent_ms = match then {
                    Mark::Moved(of, then) if of == peer => sent_ms.wrapping_sub(then),
                    _ => 0,
                };
                let most_ms = sound.unseen_ms.min(sent_ms.saturating_add(missed_ms));
                Mark::Still(By::Stream(peer), spoken_ms.wrapping_sub(most_ms))
            };
            known.mark = peer_clock.map_or(Mark::Unknown, begin);
        }
        sound.is_still && !was_still
    }

    /// A tick of a member of a mix, by its power.
    pub(super) fn note_mixed(&mut self, heard: Heard, power: u32, events: &mut VecDeque<Event>) {
        if !self.is_told_by_ear() {
            return;
        }
        let is_still = power == 0;
        let is_news = heard == Heard::Speech && (is_still || !self.is_lively);
        let sound = is_news.then_some(Sound::new(is_still, 0));
        if let Some(sound) = sound.or_else(|| self.sound_of_pause(heard)) {
            self.note_sound(sound, None, events);
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
            let spoken = Spoken { by: By::Mix(mix), clock_ms, lasts_ms: TICK_MS, waits_ms: 0 };
            self.note_spoken_to(now, spoken, false, events);
        }
    }

    /// The other side speaks to this one: is anything to be heard of it?
    fn note_spoken_to(
        &mut self,
        now: Instant,
        Spoken { by, clock_ms, lasts_ms, waits_ms }: Spoken,
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
        let from = match known.mark {
            Mark::Still(of, from) if should_sound && of == by => from,
            _ if should_sound => clock_ms.wrapping_sub(lasts_ms + unseen_ms),
            _ => clock_ms,
        };
        known.mark = Mark::Still(by, from);
        let spoken_ms = clock_ms.wrapping_sub(from);
        let next_ms = lasts_ms.min(STEP_MS) + waits_ms;
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
