//! Listening for keys in the packets of a G.711 stream, as they are passed on: nothing is delayed.

use base::{Duration, Instant};

use super::{Detector, Heard};
use crate::G711;
use crate::rtp::Header;

/// Without a packet for so long, a key that sounds is over.
const MISSING_END: Duration = Duration::from_millis(250);
/// Samples decoded at once.
const PART: usize = 160;
/// A timestamp that jumps further is a new beginning, in samples.
const MAX_JUMP: u32 = 8000;

/// The ear for one far end's tones.
#[derive(Debug, Default)]
pub(crate) struct Listener {
    detector: Detector,
    ssrc: u32,
    /// The timestamp that follows on the last packet.
    next: u32,
    heard_at: Instant,
    sounds: bool,
}

impl Listener {
    /// Takes a packet in. True when a key sounds in it, or is likely to.
    pub(crate) fn handle_packet(
        &mut self,
        now: Instant,
        header: &Header,
        law: G711,
        payload: &[u8],
        tell: &mut impl FnMut(Heard),
    ) -> bool {
        let ahead = header.timestamp.wrapping_sub(self.next);
        if header.ssrc != self.ssrc || (ahead > MAX_JUMP && ahead < 0_u32.wrapping_sub(MAX_JUMP)) {
            self.ssrc = header.ssrc;
            self.detector.skip(usize::MAX / 2, tell);
        } else if ahead.cast_signed() < 0 {
            // It comes too late to be heard; it may be part of a key.
            return self.sounds;
        } else if ahead > 0 {
            self.detector.skip(ahead as usize, tell);
        }
        self.next = header.timestamp.wrapping_add(payload.len() as u32);
        self.heard_at = now;
        let (mut pcm, mut sounds) = ([0; PART], false);
        for part in payload.chunks(PART) {
            for (sample, code) in pcm.iter_mut().zip(part) {
                *sample = law.decode(*code);
            }
            let pcm = pcm.get(..part.len()).unwrap_or_default();
            sounds |= self.detector.hear(pcm, tell);
        }
        self.sounds = sounds;
        sounds
    }

    /// When a key whose end does not come is over.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.sounds.then_some(self.heard_at + MISSING_END)
    }

    /// Time passed.
    pub(crate) fn handle_timeout(&mut self, now: Instant, tell: &mut impl FnMut(Heard)) {
        if self.poll_timeout().is_some_and(|due| due <= now) {
            self.sounds = false;
            self.detector.skip(usize::MAX / 2, tell);
        }
    }
}
