//! A silence towards a far end that makes noise of its own (RFC 3389): it is described now and then
//! instead of being sent.

use base::Instant;

use super::capturing::{Captures, Origin};
use super::stream::Stream;
use crate::Batch;
use crate::ear::Heard;
use crate::meter::Meter;

/// Ticks of a silence that are sent as they are.
const SAID: u8 = 5;
/// Ticks between two descriptions.
const EVERY: u8 = 10;
/// The level of no sound at all (RFC 3389 §3.1).
const NOTHING: u8 = 127;

/// A silence under way.
#[derive(Debug, Default)]
pub(super) struct Hush {
    /// Ticks so far; from [`SAID`] on they count round to the next description.
    ticks: u8,
    meter: Meter,
    /// A description that is to go: the instant that it tells of, and the level.
    described: Option<(Instant, u8)>,
}

impl Stream {
    /// Whether its far end makes noise of its own.
    pub(super) fn takes_noise(&self) -> bool {
        self.remote.is_some_and(|remote| remote.comfort_noise.is_some())
    }

    /// A tick of what its far end hears. If this is true nothing of it is to be said: the far end
    /// knows what noise to make, or is told with what is sent next.
    pub(super) fn hush(&mut self, due: Instant, heard: Heard, samples: &[i16]) -> bool {
        let is_free = self.playing.is_none() && !self.presses_keys;
        if !self.takes_noise() || !is_free || self.rtp_target().is_none() {
            return false;
        }
        let Some(voice) = &mut self.voice else { return false };
        let hush = &mut voice.hush;
        if !matches!(heard, Heard::Silence | Heard::Noise) {
            if std::mem::take(&mut hush.ticks) >= SAID {
                // A talkspurt begins.
                self.egress.change_feed();
            }
            return false;
        }
        hush.meter.note_samples(samples);
        hush.ticks += 1;
        if hush.ticks < SAID {
            return false;
        }
        if hush.ticks == SAID {
            // What fills no packet goes with this last tick.
            if let Some(mouth) = &mut voice.mouth {
                mouth.flush();
            }
            return false;
        }
        if hush.ticks == SAID + 1 {
            let level = hush.meter.take().map_or(NOTHING, |dbov| dbov.unsigned_abs().min(NOTHING));
            hush.described = Some((due, level));
        }
        if hush.ticks == SAID + EVERY {
            hush.ticks = SAID;
        }
        true
    }

    /// Sends the description that is to go, if there is one.
    pub(super) fn send_described(
        &mut self,
        now: Instant,
        captures: &mut Captures,
        out: &mut Batch,
    ) {
        let described = self.voice.as_mut().and_then(|voice| voice.hush.described.take());
        let noise = self.remote.and_then(|remote| remote.comfort_noise);
        let noise = noise.filter(|_| self.playing.is_none());
        let (Some((due, level)), Some(payload_type), Some(to)) =
            (described, noise, self.rtp_target())
        else {
            return;
        };
        let mut header = self.egress.stamp_own(due, 0, payload_type);
        header.marker = false;
        if self.send_rtp(now, to, (&header, &[level]), Origin::Others, captures, out) {
            self.egress.count(1);
        }
    }
}
