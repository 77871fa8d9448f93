//! What a stream's far end hears besides what plays, and by which way: chosen anew at each order.

use base::{Duration, Instant};

use super::stream::Stream;
use crate::pcm::Rate;
use crate::{Masking, RemoteMedia, Slot};

/// How long who comes into a mix from a relay waits for the voice it heard last to go on.
const PATIENCE: Duration = Duration::from_millis(160);

/// Whom a stream is joined with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Joint {
    #[default]
    Alone,
    Bridge(Slot),
    /// A mix, by its index.
    Mix(u32),
}

/// Who is to be heard.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Source {
    Nobody,
    Stream(Slot),
    Mix,
}

/// The way by which it is heard.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) enum Feed {
    #[default]
    Nothing,
    /// Packets as they come, with a header of ours.
    Relay(Slot),
    /// Decoded and encoded anew, tick by tick. When it is `ending`, packets are relayed as soon as
    /// what waits in the ear has been said.
    Convert { of: Slot, ending: bool },
    /// All that the others say.
    Mix,
}

/// What the choice depends on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Choice {
    pub(super) source: Source,
    /// Packets of the source are such as the far end takes.
    pub(super) relayable: bool,
    /// The ear of who was heard last still holds what is to go on without a gap.
    pub(super) goes_on: bool,
    /// In the mix, who was heard by relay until now is heard still.
    pub(super) still_heard: bool,
}

impl Stream {
    /// Whether it cannot be relayed whatever it says: a silence in its place must be encoded.
    pub(super) fn needs_samples(&self) -> bool {
        let is_law = |remote: &RemoteMedia| remote.codec.law().is_some();
        self.keys.masking == Masking::All && !self.remote.as_ref().is_none_or(is_law)
    }

    /// Whether what plays is all its far end hears.
    pub(super) fn is_played_to(&self) -> bool {
        self.playing.is_some()
    }

    /// Goes over to another feed, so that the far end hears neither a gap nor anything twice when it
    /// is the same voice that goes on.
    pub(super) fn choose_feed(&mut self, now: Instant, choice: Choice) {
        let Choice { source, relayable, goes_on, still_heard } = choice;
        let next = match (self.feed, source) {
            (_, Source::Nobody) => Feed::Nothing,
            (_, Source::Mix) => Feed::Mix,
            (Feed::Convert { of, .. }, Source::Stream(from)) if relayable => {
                if of == from && goes_on {
                    Feed::Convert { of, ending: true }
                } else {
                    Feed::Relay(from)
                }
            }
            (Feed::Mix, Source::Stream(of)) if relayable && goes_on => {
                Feed::Convert { of, ending: true }
            }
            (_, Source::Stream(from)) if relayable => Feed::Relay(from),
            (_, Source::Stream(of)) => Feed::Convert { of, ending: false },
        };
        let before = std::mem::replace(&mut self.feed, next);
        if before == next || self.is_played_to() {
            return;
        }
        match (before, next) {
            (Feed::Relay(from), Feed::Convert { of, .. }) if from == of => {
                self.egress.reroute(now);
            }
            (Feed::Relay(from), Feed::Mix) if still_heard => {
                self.egress.reroute(now);
                self.rare.awaits = Some((from, now + PATIENCE));
                self.is_awaiting = true;
            }
            (Feed::Convert { .. } | Feed::Mix, Feed::Convert { .. } | Feed::Mix) => {}
            _ => {
                self.egress.change_feed();
                self.is_awaiting = false;
            }
        }
        if !matches!(next, Feed::Convert { .. } | Feed::Mix)
            && let Some(mouth) = self.mouth()
        {
            mouth.clear();
        }
    }
}

/// Whether packets of one far end are such as another takes. `longest` is the longest that came, in
/// milliseconds; noise goes on to who takes noise, and is made for who does not.
pub(super) fn is_relayable(
    (from, longest, sends_noise): (&RemoteMedia, u32, bool),
    to: &RemoteMedia,
) -> bool {
    let readable =
        from.codec == to.codec || (from.codec.law().is_some() && to.codec.law().is_some());
    let short = to.maxptime.is_none_or(|most| u128::from(longest) <= most.as_millis());
    let heard = !sends_noise || to.comfort_noise.is_some();
    readable && short && heard
}

/// The lowest rate that loses nothing of what one far end says to another.
pub(super) fn rate_between(from: &RemoteMedia, to: &RemoteMedia) -> Rate {
    from.codec.rate().min(listening_rate(to))
}

/// What a far end makes use of (RFC 7587 §6.1: `maxplaybackrate`).
pub(super) fn listening_rate(remote: &RemoteMedia) -> Rate {
    let natural = remote.codec.rate();
    if remote.codec != crate::Codec::Opus {
        return natural;
    }
    match remote.opus.max_playback_rate {
        ..=8000 => Rate::Narrow,
        8001..=16_000 => Rate::Wide,
        _ => natural,
    }
}
