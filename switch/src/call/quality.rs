//! What a call knows of its audio while it is up: each leg's figures, whether they are good, and who
//! talks. Both are told with a pause, so that nothing a far end sends makes a flood of events.

use base::{Duration, Instant, LegId};
use media::StreamStats;

use super::Call;
use crate::event::{EventKind, Quality};
use crate::history::{QualityHistory, QualitySample};
use crate::node::{Alarm, Node};

/// Below this estimated quality (hundredths of MOS) a leg is poor, and from that on good again.
const POOR: u16 = 310;
const GOOD: u16 = 360;
/// Between two tellings of one leg's talking.
const TALK_PAUSE: Duration = Duration::from_millis(500);

/// How a leg's audio fares.
#[derive(Debug, Default)]
pub(super) struct Live {
    /// The latest figures, every few seconds.
    pub(super) figures: Option<Box<StreamStats>>,
    /// All of them, as far as there is room.
    pub(super) history: QualityHistory,
    /// Whether they have been told to be poor.
    is_poor: bool,
    talk: Talk,
    /// Whether it hears music in place of the others.
    pub(super) music: bool,
}

/// Whether a leg talks.
#[derive(Debug, Default)]
struct Talk {
    talks: bool,
    told: bool,
    told_at: Option<Instant>,
    /// When the next telling may be.
    due: Option<Instant>,
}

impl Call {
    /// A leg's figures so far.
    pub(super) fn on_figures(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
        stats: Box<StreamStats>,
    ) {
        let since_start = now.since(self.narrative.started);
        let Some(known) = self.leg_mut(leg) else { return };
        known.live.history.add(QualitySample::new(since_start, &stats));
        let (mos, loss) = (stats.mos_centi, stats.loss_permille);
        // Nothing received says nothing of quality.
        let is_poor = match mos {
            0 => known.live.is_poor,
            mos if mos < POOR => true,
            mos if mos >= GOOD => false,
            _ => known.live.is_poor,
        };
        let has_changed = std::mem::replace(&mut known.live.is_poor, is_poor) != is_poor;
        let (jitter_us, round_trip_us) = (stats.jitter_us, stats.round_trip_us);
        known.live.figures = Some(stats);
        if has_changed {
            let quality = if is_poor { Quality::Poor } else { Quality::Good };
            let who = self.who(leg);
            let told = EventKind::CallQuality {
                who,
                quality,
                mos: f64::from(mos) / 100.0,
                loss_percent: f64::from(loss) / 10.0,
                jitter_ms: f64::from(jitter_us) / 1000.0,
                round_trip_ms: round_trip_us.map(|us| f64::from(us) / 1000.0),
            };
            self.tell(node, now, told);
        }
    }

    /// A leg's stream is over. One too short for any figures has those of all its time.
    pub(super) fn on_last_figures(&mut self, now: Instant, leg: LegId, stats: &StreamStats) {
        let since_start = now.since(self.narrative.started);
        let Some(known) = self.leg_mut(leg) else { return };
        if known.live.history.is_empty() && stats.packets_received > 0 {
            let all = (stats.packets_received + stats.packets_lost).max(1);
            let loss = u16::try_from(stats.packets_lost.saturating_mul(1000) / all).unwrap_or(1000);
            let whole = StreamStats { loss_permille: loss, ..*stats };
            known.live.history.add(QualitySample::new(since_start, &whole));
        }
    }

    /// A leg begins or ceases to talk.
    pub(super) fn on_talking(&mut self, node: &mut Node, now: Instant, leg: LegId, talks: bool) {
        let wanted = self.directory.tenant(&self.tenant).is_some_and(|tenant| tenant.tells_talking);
        let alarm = Alarm::Talking(self.id, leg);
        let Some(known) = self.leg_mut(leg).filter(|_| wanted) else { return };
        let talk = &mut known.live.talk;
        talk.talks = talks;
        match talk.told_at.map(|at| at + TALK_PAUSE).filter(|due| *due > now) {
            None => self.tell_talking(node, now, leg),
            Some(due) => {
                if talk.due.replace(due).is_none() {
                    node.alarms.insert((due, alarm));
                }
            }
        }
    }

    /// The pause is over.
    pub(super) fn on_talking_due(&mut self, node: &mut Node, now: Instant, leg: LegId) {
        if let Some(known) = self.leg_mut(leg) {
            known.live.talk.due = None;
            self.tell_talking(node, now, leg);
        }
    }

    fn tell_talking(&mut self, node: &mut Node, now: Instant, leg: LegId) {
        let Some(known) = self.leg_mut(leg) else { return };
        let talk = &mut known.live.talk;
        let talking = talk.talks;
        if std::mem::replace(&mut talk.told, talking) != talking {
            talk.told_at = Some(now);
            let who = self.who(leg);
            self.tell(node, now, EventKind::CallTalking { who, talking });
        }
    }

    /// The leg is another call's from here on, or nobody's.
    pub(super) fn forget_talking(&mut self, node: &mut Node, leg: LegId) {
        let call = self.id;
        let Some(known) = self.leg_mut(leg) else { return };
        if let Some(due) = known.live.talk.due.take() {
            node.alarms.remove(&(due, Alarm::Talking(call, leg)));
        }
    }
}
