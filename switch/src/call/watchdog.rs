//! Audio that stopped in the middle of a conversation, or that holds no sound: it is told, mended if
//! it can be, and what became of it is kept. First the media plane looks for the far end elsewhere
//! on the hosts that signalling named; then the far end is asked by a re-INVITE where it is.

use base::{Duration, Instant, LegId};
use media::{Command, StreamId};

use super::Call;
use crate::event::EventKind;
use crate::node::Node;
use crate::record::{AudioLosses, millis};

/// Re-INVITEs about lost audio that a leg is sent at most: a phone that cannot be mended is left
/// alone, and the call ends by its silence (60 s).
const MOST_ASKED: u8 = 3;

/// What the watchdog knows of a leg.
#[derive(Debug, Default)]
pub(super) struct AudioWatch {
    /// What is lost now.
    lost: Option<Lost>,
    losses: u32,
    /// How many of them were packets without a sound.
    silences: u32,
    lost_for: Duration,
    asked: u8,
}

#[derive(Debug)]
struct Lost {
    /// When the last packet came.
    since: Instant,
    is_asked: bool,
}

impl AudioWatch {
    /// For the record, if there was anything.
    pub(super) fn losses(&self) -> Option<AudioLosses> {
        let (times, silent) = (self.losses, self.silences);
        let (lost_for, restored) = (self.lost_for, self.lost.is_none());
        (times > 0).then_some(AudioLosses { times, silent, lost_for, restored })
    }
}

impl Call {
    /// Nothing has come from a leg's far end for that long though it should send.
    pub(super) fn on_unheard(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
        stream: StreamId,
        (quiet, heard): (Duration, bool),
    ) {
        if !self.may_be_asked(leg) {
            return;
        }
        let Some(known) = self.leg_mut(leg) else { return };
        let kind = known.kind();
        let Some((_, place)) = known.stream.open() else { return };
        let watch = &mut known.watch;
        let Some(lost) = &mut watch.lost else {
            let since = now.since(Instant::ZERO).saturating_sub(quiet);
            let since = Instant::ZERO + since;
            watch.lost = Some(Lost { since, is_asked: false });
            watch.losses = watch.losses.saturating_add(1);
            node.media(place.worker, Command::Relatch { stream });
            let quiet_ms = millis(quiet);
            return self.tell(node, now, EventKind::AudioLost { leg: leg.0, kind, quiet_ms });
        };
        // Who never said anything may be a machine that never will: it is told, and left alone.
        if heard && !lost.is_asked && watch.asked < MOST_ASKED {
            lost.is_asked = true;
            watch.asked += 1;
            self.refresh(node, now, leg, false);
        }
    }

    /// A leg's far end sends packets, and nothing moves in them while it is spoken to. One who was
    /// heard before has most likely muted their microphone; one who never was is asked once.
    pub(super) fn on_soundless(&mut self, node: &mut Node, now: Instant, leg: LegId, heard: bool) {
        if !self.may_be_asked(leg) {
            return;
        }
        let Some(known) = self.leg_mut(leg) else { return };
        let kind = known.kind();
        let watch = &mut known.watch;
        if watch.lost.is_some() {
            return;
        }
        let asks = !heard && watch.asked < MOST_ASKED;
        watch.lost = Some(Lost { since: now, is_asked: asks });
        watch.losses = watch.losses.saturating_add(1);
        watch.silences = watch.silences.saturating_add(1);
        watch.asked += u8::from(asks);
        self.tell(node, now, EventKind::AudioSilent { leg: leg.0, kind, heard_before: heard });
        if asks {
            self.refresh(node, now, leg, false);
        }
    }

    /// It is heard again.
    pub(super) fn on_heard_again(&mut self, node: &mut Node, now: Instant, leg: LegId) {
        let Some(known) = self.leg_mut(leg) else { return };
        let kind = known.kind();
        let Some(lost) = known.watch.lost.take() else { return };
        let lost_for = now.since(lost.since);
        known.watch.lost_for += lost_for;
        let (lost_ms, asked) = (millis(lost_for), lost.is_asked);
        self.tell(node, now, EventKind::AudioRestored { leg: leg.0, kind, lost_ms, asked });
    }

    /// Whether somebody waits to hear it: one of the two who talk, or a further party. A page that
    /// is gone is waited for already, and can be asked nothing.
    fn may_be_asked(&self, leg: LegId) -> bool {
        self.parties().contains(&leg) && !self.is_adrift(leg)
    }
}
