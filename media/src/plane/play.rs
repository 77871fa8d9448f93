//! Playing prompts and music: exact to the sample, through the far end's mouth, without a gap.

use base::Instant;

use super::Plane;
use super::mouth::CODES_PER_TICK;
use super::reel::Reel;
use super::stream::Stream;
use crate::pcm::{MAX_PER_TICK, Rate};
use crate::resample::Resampler;
use crate::{PlayId, StreamId};

/// What plays to a far end.
pub(super) struct Playing {
    pub(super) play: PlayId,
    reel: Reel,
    /// From the reel's rate to the mouth's.
    lift: Option<Resampler>,
}

/// What a tick of it came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Played {
    Goes,
    /// Its last sample has been played out.
    Over(PlayId),
}

impl Playing {
    /// The rate it has audio at.
    pub(super) fn rate(&self) -> Rate {
        self.reel.rate()
    }

    /// It is to be said at that rate.
    pub(super) fn tune(&mut self, rate: Rate) {
        let from = self.reel.rate();
        self.lift = (from != rate).then(|| Resampler::new(from, rate));
    }
}

impl Plane {
    pub(super) fn play(&mut self, now: Instant, id: StreamId, play: PlayId, reel: Reel) {
        let Some(stream) = self.by_id_mut(id) else { return };
        let slot = stream.slot;
        stream.egress.change_feed();
        stream.playing = Some(Box::new(Playing { play, reel, lift: None }));
        let company = self.company(slot);
        self.arrange(now, &company);
    }

    pub(super) fn stop_playing(&mut self, now: Instant, id: StreamId) {
        let Some(stream) = self.by_id_mut(id) else { return };
        if stream.playing.take().is_none() {
            return;
        }
        stream.egress.change_feed();
        if let Some(mouth) = stream.mouth() {
            mouth.clear();
        }
        let slot = stream.slot;
        let company = self.company(slot);
        self.arrange(now, &company);
    }
}

impl Stream {
    /// What plays and goes on. Music stands still while the far end, by its own word, hears nothing:
    /// who holds us for an hour costs no tick. A prompt goes on, because a flow waits for its end.
    pub(super) fn plays_on(&self) -> Option<&Playing> {
        let hears = self.remote.is_none_or(|remote| remote.direction.receives());
        self.playing.as_deref().filter(|playing| hears || !playing.reel.is_endless())
    }

    /// Says one tick of what plays. `samples` and `codes` are room to work in.
    pub(super) fn play_tick(
        &mut self,
        due: Instant,
        samples: &mut [i16],
        codes: &mut Vec<u8>,
    ) -> Played {
        let heard = self.open && self.rtp_target().is_some() && !self.presses_keys;
        let (Some(playing), true) = (&mut self.playing, self.open && self.remote.is_some()) else {
            // Nobody can hear it yet: it waits at its first sample.
            return Played::Goes;
        };
        let mouth = self.voice.as_mut().and_then(|voice| voice.mouth.as_mut());
        let over = playing.reel.is_over();
        let Some(mouth) = mouth.filter(|_| heard) else {
            // It goes on all the same for who holds us, or is sent keys meanwhile.
            playing.reel.skip(CODES_PER_TICK);
            self.egress.change_feed();
            return if over { Played::Over(playing.play) } else { Played::Goes };
        };
        if over && !mouth.holds() {
            return Played::Over(playing.play);
        }
        if let Some(law) = mouth.law() {
            codes.clear();
            playing.reel.read_codes(law, CODES_PER_TICK, codes);
            mouth.say_codes(due, codes);
            return Played::Goes;
        }
        let rate = mouth.rate();
        let mut read = [0; MAX_PER_TICK];
        let read = read.get_mut(..playing.reel.rate().per_tick()).unwrap_or_default();
        playing.reel.read_pcm(read);
        match &mut playing.lift {
            Some(lift) => {
                let made = lift.process(read, samples);
                mouth.say(due, samples.get(..made.min(rate.per_tick())).unwrap_or_default());
            }
            None => mouth.say(due, read),
        }
        Played::Goes
    }
}
