//! Watches a queue's figures: an alarm is raised as soon as one is over its threshold, and cleared
//! when it has been in order for a while, so that a figure at the edge is one alarm and not twenty.

use std::collections::{BTreeMap, VecDeque};

use base::{Duration, Instant, QueueId};
use serde::Serialize;

use super::floor::{Floor, Turn, seconds};
use super::line::Line;
use super::seat::Doing;
use super::snapshot::millis;
use super::timers::Timer;
use super::{AgentState, Output};
use crate::QueueAlarms;

/// The shortest time between two looks because of agents.
const PAUSE: Duration = Duration::from_secs(1);
/// A figure has to be in order for so long before its alarm is cleared.
const IN_ORDER: Duration = Duration::from_secs(5);
/// A service level has to be better than its threshold by so many percent.
const BETTER: u64 = 2;
/// What the service level looks back on, in parts of a minute.
const LATELY: u64 = 30;
const MINUTE: Duration = Duration::from_secs(60);

/// What is wrong with a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum QueueAlarm {
    /// Somebody has waited too long.
    LongestWait,
    /// Too many wait.
    Waiting,
    /// Too few were answered in time.
    ServiceLevel,
    /// Somebody waits, and no agent is there.
    NoAgent,
}

const ALL: [QueueAlarm; 4] =
    [QueueAlarm::LongestWait, QueueAlarm::Waiting, QueueAlarm::ServiceLevel, QueueAlarm::NoAgent];

/// An alarm that is raised.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct AlarmSnapshot {
    /// What is wrong.
    pub alarm: QueueAlarm,
    /// The threshold that the figure is over, or the service level under; none of `no_agent`.
    pub limit: Option<u32>,
    /// For how long it has been raised, in milliseconds.
    pub raised_ms: u64,
}

/// The figures that are watched.
#[derive(Clone, Copy, Debug, Default)]
struct Figures {
    /// Since when the one who waits the longest does.
    oldest: Option<Instant>,
    waiting: u32,
    /// Of the last 30 minutes: answered in time, and all.
    lately: (u64, u64),
    is_anybody_there: bool,
}

#[derive(Debug)]
struct Raised {
    since: Instant,
    /// Since when the figure is in order again.
    in_order: Option<Instant>,
}

/// What a queue's watch knows.
#[derive(Debug, Default)]
pub(super) struct Watch {
    raised: BTreeMap<QueueAlarm, Raised>,
    looked: Option<Instant>,
    /// A minute each: its number, answered in time, all that left. The oldest first.
    minutes: VecDeque<(u64, u64, u64)>,
}

impl Watch {
    /// One left the queue.
    pub(super) fn count(&mut self, now: Instant, is_in_time: bool) {
        let minute = minute(now);
        if self.minutes.back().is_none_or(|last| last.0 != minute) {
            self.minutes.push_back((minute, 0, 0));
        }
        if let Some((_, in_time, all)) = self.minutes.back_mut() {
            *in_time += u64::from(is_in_time);
            *all += 1;
        }
        self.forget(now);
    }

    fn forget(&mut self, now: Instant) {
        while self.minutes.front().is_some_and(|first| first.0 + LATELY < minute(now)) {
            self.minutes.pop_front();
        }
    }

    fn lately(&self) -> (u64, u64) {
        self.minutes.iter().fold((0, 0), |sum, part| (sum.0 + part.1, sum.1 + part.2))
    }

    /// Whether anything is raised.
    pub(super) fn is_raised(&self) -> bool {
        !self.raised.is_empty()
    }

    pub(super) fn raised(&self, now: Instant, limits: &QueueAlarms) -> Vec<AlarmSnapshot> {
        let shown = |(alarm, raised): (&QueueAlarm, &Raised)| AlarmSnapshot {
            alarm: *alarm,
            limit: limit_of(*alarm, limits),
            raised_ms: millis(now.since(raised.since)),
        };
        self.raised.iter().map(shown).collect()
    }

    /// Which alarms are raised (true) and cleared now.
    fn look(
        &mut self,
        now: Instant,
        limits: &QueueAlarms,
        figures: &Figures,
    ) -> Vec<(QueueAlarm, bool)> {
        self.looked = Some(now);
        let mut changes = Vec::new();
        for alarm in ALL {
            let raised = self.raised.get_mut(&alarm);
            if is_over(alarm, now, limits, figures, raised.is_some()) {
                match raised {
                    Some(raised) => raised.in_order = None,
                    None => {
                        self.raised.insert(alarm, Raised { since: now, in_order: None });
                        changes.push((alarm, true));
                    }
                }
            } else if let Some(raised) = raised
                && now >= *raised.in_order.get_or_insert(now) + IN_ORDER
            {
                self.raised.remove(&alarm);
                changes.push((alarm, false));
            }
        }
        changes
    }

    /// When to look again though nothing happens.
    fn next(&self, now: Instant, limits: &QueueAlarms, figures: &Figures) -> Option<Instant> {
        let clears = self.raised.values().filter_map(|raised| Some(raised.in_order? + IN_ORDER));
        let waits = (limits.longest_wait_s > 0
            && !self.raised.contains_key(&QueueAlarm::LongestWait))
        .then(|| figures.oldest.map(|since| since + seconds(limits.longest_wait_s)));
        // What was missed falls out of the last 30 minutes by itself.
        let level = self.raised.contains_key(&QueueAlarm::ServiceLevel).then_some(now + MINUTE);
        clears.chain(waits.flatten()).chain(level).min()
    }
}

fn minute(now: Instant) -> u64 {
    now.since(Instant::ZERO).as_secs() / MINUTE.as_secs()
}

fn limit_of(alarm: QueueAlarm, limits: &QueueAlarms) -> Option<u32> {
    match alarm {
        QueueAlarm::LongestWait => Some(limits.longest_wait_s),
        QueueAlarm::Waiting => Some(limits.waiting),
        QueueAlarm::ServiceLevel => Some(u32::from(limits.service_level_percent)),
        QueueAlarm::NoAgent => None,
    }
}

fn is_over(
    alarm: QueueAlarm,
    now: Instant,
    limits: &QueueAlarms,
    figures: &Figures,
    is_raised: bool,
) -> bool {
    let limit = limit_of(alarm, limits).unwrap_or(0);
    match alarm {
        QueueAlarm::LongestWait => {
            limit > 0 && figures.oldest.is_some_and(|since| now >= since + seconds(limit))
        }
        QueueAlarm::Waiting => limit > 0 && figures.waiting >= limit,
        QueueAlarm::ServiceLevel => {
            let (in_time, all) = figures.lately;
            let wanted = u64::from(limit) + if is_raised { BETTER } else { 0 };
            limit > 0 && in_time * 100 < all * wanted.min(100)
        }
        QueueAlarm::NoAgent => limits.no_agent && figures.waiting > 0 && !figures.is_anybody_there,
    }
}

impl Line {
    /// Sees to it that the figures are looked at, at once or a second after the last time, where a
    /// change of an agent may matter.
    pub(super) fn agents_changed(&self, turn: &mut Turn) {
        if self.waiting_count() == 0 && !self.watch.is_raised() {
            return;
        }
        let at = self.watch.looked.map_or(turn.now, |looked| turn.now.max(looked + PAUSE));
        let timer = Timer::QueueAlarms(turn.tenant(), self.queue.id.clone());
        if turn.timers.at(&timer).is_none_or(|due| due > at) {
            turn.timers.set(timer, at);
        }
    }
}

impl Floor {
    /// Looks though no figure has changed; what comes of it changes the figures.
    pub(super) fn look_for_alarms(&mut self, turn: &mut Turn, queue: &QueueId) {
        if self.watch(turn, queue)
            && let Some(line) = self.lines.get(queue)
        {
            line.figures_changed(turn);
        }
    }

    /// Raises and clears the alarms of a queue, and says so; true if there was something to say.
    pub(super) fn watch(&mut self, turn: &mut Turn, queue: &QueueId) -> bool {
        let Some(figures) = self.lines.get(queue).map(|line| self.watched(line)) else {
            return false;
        };
        let Some(line) = self.lines.get_mut(queue) else { return false };
        line.watch.forget(turn.now);
        let figures = Figures { lately: line.watch.lately(), ..figures };
        let limits = line.queue.alarms;
        let changes = line.watch.look(turn.now, &limits, &figures);
        let timer = Timer::QueueAlarms(turn.tenant(), queue.clone());
        match line.watch.next(turn.now, &limits, &figures) {
            Some(at) => turn.timers.set(timer, at),
            None => turn.timers.stop(timer),
        }
        for &(alarm, is_raised) in &changes {
            let limit = limit_of(alarm, &limits);
            let (tenant, queue) = (turn.tenant(), queue.clone());
            turn.say(Output::QueueAlarm { tenant, queue, alarm, is_raised, limit });
        }
        !changes.is_empty()
    }

    fn watched(&self, line: &Line) -> Figures {
        let seats = || line.members.iter().filter_map(|agent| self.seats.get(agent));
        // Who rings an agent has waited all the same; who is asked only if there is such a one.
        let rings = seats().take(if line.ringing > 0 { usize::MAX } else { 0 });
        let rung = rings.filter_map(|seat| match seat.doing {
            Doing::Ringing(id) => Some(id),
            _ => None,
        });
        let of_line = |id| self.work.get(&id).filter(|work| work.queue == line.queue.id);
        let waits = line.longest_waiting().into_iter().chain(rung).filter_map(of_line);
        let is_there = |state| !matches!(state, AgentState::Offline | AgentState::Break);
        Figures {
            oldest: waits.map(|work| work.enqueued_at).min(),
            waiting: line.waiting_count(),
            lately: (0, 0),
            is_anybody_there: line.waiting_count() == 0
                || seats().any(|seat| is_there(seat.shown) && !seat.do_not_disturb),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: QueueAlarms =
        QueueAlarms { longest_wait_s: 60, waiting: 3, service_level_percent: 80, no_agent: true };

    fn at(s: u64) -> Instant {
        Instant::ZERO + Duration::from_secs(s)
    }

    fn waiting(waiting: u32) -> Figures {
        Figures { waiting, is_anybody_there: true, ..Figures::default() }
    }

    #[test]
    fn a_figure_at_the_edge_is_one_alarm_until_it_has_been_in_order_for_five_seconds() {
        let mut watch = Watch::default();
        let mut told = Vec::new();
        // Three, two, three, two ... every second, and then two for good.
        for second in 0..30 {
            let count = if second < 20 && second % 2 == 0 { 3 } else { 2 };
            for (alarm, is_raised) in watch.look(at(second), &LIMITS, &waiting(count)) {
                told.push((second, alarm, is_raised));
            }
        }
        assert_eq!(told, [(0, QueueAlarm::Waiting, true), (24, QueueAlarm::Waiting, false)]);
    }

    #[test]
    fn a_wait_is_an_alarm_at_the_second_at_which_it_is_too_long() {
        let mut watch = Watch::default();
        let figures = Figures { oldest: Some(at(10)), ..waiting(1) };
        assert_eq!(watch.look(at(10), &LIMITS, &figures), []);
        assert_eq!(watch.next(at(10), &LIMITS, &figures), Some(at(70)));
        assert_eq!(watch.look(at(70), &LIMITS, &figures), [(QueueAlarm::LongestWait, true)]);
        assert_eq!(watch.raised(at(75), &LIMITS)[0].raised_ms, 5000);
        assert_eq!(watch.look(at(80), &LIMITS, &waiting(0)), []);
        assert_eq!(watch.next(at(80), &LIMITS, &waiting(0)), Some(at(85)));
        assert_eq!(watch.look(at(85), &LIMITS, &waiting(0)), [(QueueAlarm::LongestWait, false)]);
        assert_eq!(watch.next(at(85), &LIMITS, &waiting(0)), None);
    }

    #[test]
    fn a_service_level_is_an_alarm_until_it_is_better_by_two_percent_or_forgotten() {
        let mut watch = Watch::default();
        let level = |watch: &mut Watch, second| {
            watch.forget(at(second));
            let figures = Figures { lately: watch.lately(), ..waiting(0) };
            watch.look(at(second), &LIMITS, &figures)
        };
        for answered_in_time in [true, true, true, false] {
            watch.count(at(1), answered_in_time);
        }
        assert_eq!(level(&mut watch, 1), [(QueueAlarm::ServiceLevel, true)]);
        watch.count(at(2), true);
        // 80 %, which is no alarm, but no better either.
        for second in 3..30 {
            assert_eq!(level(&mut watch, second), []);
        }
        watch.count(at(30), true);
        assert_eq!(level(&mut watch, 30), []);
        assert_eq!(level(&mut watch, 35), [(QueueAlarm::ServiceLevel, false)]);
        for _ in 0..6 {
            watch.count(at(40), false);
        }
        assert_eq!(level(&mut watch, 40), [(QueueAlarm::ServiceLevel, true)]);
        assert_eq!(level(&mut watch, 1860), []);
        assert_eq!(level(&mut watch, 1865), [(QueueAlarm::ServiceLevel, false)]);
    }

    #[test]
    fn what_is_not_watched_is_no_alarm() {
        let off = QueueAlarms {
            longest_wait_s: 0,
            waiting: 0,
            service_level_percent: 0,
            no_agent: false,
        };
        let figures = Figures {
            oldest: Some(at(0)),
            waiting: 900,
            lately: (0, 900),
            is_anybody_there: false,
        };
        let mut watch = Watch::default();
        assert_eq!(watch.look(at(9000), &off, &figures), []);
        assert_eq!(watch.look(at(9000), &LIMITS, &figures).len(), 4);
        // Switched off while it is raised, it is cleared like any other.
        assert_eq!(watch.look(at(9001), &off, &figures), []);
        assert_eq!(watch.look(at(9006), &off, &figures).len(), 4);
        assert!(!watch.is_raised());
    }
}
