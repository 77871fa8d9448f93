//! The tones of keys towards far ends of codecs that are no mere law: encoded as all else that they
//! hear, at a rate that carries them.

use base::Duration;

use super::MAX_PAYLOAD;
use super::recent::Recent;
use crate::codec::Encoder;
use crate::dtmf::{self, Digit};
use crate::pcm::{MAX_PER_TICK, Rate};
use crate::{Codec, OpusSettings, RemoteMedia};

/// Encodes tones for one far end. All it needs is allocated at its making.
pub(super) struct Chime {
    codec: Codec,
    settings: OpusSettings,
    rate: Rate,
    encoder: Encoder,
    payload: Vec<u8>,
}

impl Chime {
    /// What a far end needs for keys to be heard, if its codec has a memory.
    pub(super) fn new(remote: &RemoteMedia) -> Option<Box<Self>> {
        let rate = match remote.codec {
            Codec::Pcmu | Codec::Pcma => return None,
            Codec::G722 => Rate::Wide,
            // At the lower rates Opus models a voice, and bends what is none.
            Codec::Opus => Rate::Full,
        };
        let settings = OpusSettings { dtx: false, ..remote.opus };
        let encoder = Encoder::new(remote.codec, rate, settings);
        let payload = Vec::with_capacity(MAX_PAYLOAD);
        let (codec, settings) = (remote.codec, remote.opus);
        Some(Box::new(Self { codec, settings, rate, encoder, payload }))
    }

    pub(super) fn fits(&self, remote: &RemoteMedia) -> bool {
        let same_settings = self.codec != Codec::Opus || self.settings == remote.opus;
        self.codec == remote.codec && same_settings
    }

    /// A key begins: the far end's decoder stands where this left it.
    pub(super) fn follow(&mut self, recent: &Recent) {
        recent.parts().into_iter().for_each(|part| self.encoder.follow(part));
    }

    /// 20 ms of a key that has sounded for so long, and sounds for `length` of them: the payload,
    /// and its ticks on the codec's clock.
    pub(super) fn sound(
        &mut self,
        digit: Digit,
        sounded: Duration,
        length: Duration,
    ) -> (&[u8], u32) {
        let hz = self.rate.hz();
        let samples = |length: Duration| (length.as_micros() * u128::from(hz) / 1_000_000) as usize;
        let (from, sounds) = (samples(sounded), samples(length));
        let mut tone = [0; MAX_PER_TICK];
        let tick = self.rate.per_tick();
        for (n, sample) in tone.iter_mut().take(sounds.min(tick)).enumerate() {
            *sample = dtmf::tone_sample(digit, from + n, hz);
        }
        self.payload.clear();
        self.encoder.encode(tone.get(..tick).unwrap_or_default(), &mut self.payload);
        (&self.payload, self.codec.clock_rate() / 50)
    }
}

impl std::fmt::Debug for Chime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Chime({})", self.codec.name())
    }
}
