//! A silence towards a far end that makes noise of its own (RFC 3389): it is described now and then
//! instead of being sent.

use base::Instant;

use super::capturing::{Captures, Origin};
use super::feed::Feed;
use super::stream::Stream;
use crate::ear::Heard;
use crate::meter::Meter;
use crate::{Batch, Slot};

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
}

impl Stream {
    /// A tick of the one it hears, to whose far end nothing is to be sent if this is true: it knows
    /// what noise to make.
    pub(super) fn hush(
        &mut self,
        (now, due): (Instant, Instant),
        (from, heard, samples): (Slot, Heard, &[i16]),
        captures: &mut Captures,
        out: &mut Batch,
    ) -> bool {
        let noise = self.remote.and_then(|remote| remote.comfort_noise);
        let hears = self.feed == (Feed::Convert { of: from, ending: false });
        let is_free = self.playing.is_none() && !self.keys.is_pressing();
        let (Some(payload_type), true, Some(to)) = (noise, hears && is_free, self.rtp_target())
        else {
            return false;
        };
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
        let is_due = hush.ticks == SAID + 1;
        if hush.ticks == SAID + EVERY {
            hush.ticks = SAID;
        }
        if is_due {
            let level = hush.meter.take().map_or(NOTHING, |dbov| dbov.unsigned_abs().min(NOTHING));
            let mut header = self.egress.stamp_own(due, 0, payload_type);
            header.marker = false;
            let packet = (&header, &[level][..]);
            if self.send_rtp(now, to, packet, Origin::Others, captures, out) {
                self.egress.count(1);
            }
        }
        true
    }
}
