//! A queue at work: who waits, in which order, who may take it, and its figures.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use base::{AgentId, Duration, Instant, QueueId};

use super::floor::{Floor, Turn, seconds};
use super::timers::Timer;
use super::watch::Watch;
use super::work::Work;
use super::{Output, WorkId};
use crate::{Candidate, Queue};

/// The shortest time between two tellings of a queue's figures.
const STATS_PAUSE: Duration = Duration::from_secs(1);

/// A queue at work.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) queue: Queue,
    /// The agents who may take its work, in whatever state.
    pub(super) members: BTreeSet<AgentId>,
    /// Some of those who may not, and why.
    pub(super) outsiders: Vec<Candidate>,
    /// The members who are free, longest idle first; ties by name.
    pub(super) idle: BTreeSet<(Instant, AgentId)>,
    /// The work that waits: higher priority first, then first come.
    waiting: BTreeMap<Reverse<u8>, BTreeSet<(u64, WorkId)>>,
    waiting_count: usize,
    pub(super) ringing: u32,
    pub(super) tally: Tally,
    pub(super) watch: Watch,
    told: Option<Instant>,
}

/// What became of the queue's work so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) answered: u64,
    pub(super) answered_in_time: u64,
    pub(super) abandoned: u64,
    pub(super) expired: u64,
    pub(super) refused: u64,
    pub(super) wait_of_answered: Duration,
}

impl Line {
    pub(super) fn new(queue: Queue) -> Self {
        Self {
            queue,
            members: BTreeSet::new(),
            outsiders: Vec::new(),
            idle: BTreeSet::new(),
            waiting: BTreeMap::new(),
            waiting_count: 0,
            ringing: 0,
            tally: Tally::default(),
            watch: Watch::default(),
            told: None,
        }
    }

    pub(super) fn insert(&mut self, id: WorkId, work: &Work) {
        let place = self.waiting.entry(Reverse(work.priority)).or_default();
        if place.insert((work.arrival, id)) {
            self.waiting_count += 1;
        }
    }

    pub(super) fn remove(&mut self, id: WorkId, work: &Work) {
        let Some(place) = self.waiting.get_mut(&Reverse(work.priority)) else { return };
        if place.remove(&(work.arrival, id)) {
            self.waiting_count -= 1;
        }
        if place.is_empty() {
            self.waiting.remove(&Reverse(work.priority));
        }
    }

    /// Whether the work has its place here.
    pub(super) fn holds(&self, id: WorkId, work: &Work) -> bool {
        let place = self.waiting.get(&Reverse(work.priority));
        place.is_some_and(|place| place.contains(&(work.arrival, id)))
    }

    /// The work that waits, next first, with its rank among all the tenant's work.
    pub(super) fn waiting(&self) -> impl Iterator<Item = ((Reverse<u8>, u64), WorkId)> {
        self.waiting.iter().flat_map(|(priority, place)| {
            place.iter().map(move |(arrival, id)| ((*priority, *arrival), *id))
        })
    }

    pub(super) fn waiting_count(&self) -> u32 {
        u32::try_from(self.waiting_count).unwrap_or(u32::MAX)
    }

    /// The place of work that waits, 1 being next: O(log n) for the last of its priority, else
    /// as many steps as stand before it in its priority.
    pub(super) fn position(&self, id: WorkId, work: &Work) -> u32 {
        let priority = Reverse(work.priority);
        let before: usize = self.waiting.range(..priority).map(|(_, place)| place.len()).sum();
        let within = self.waiting.get(&priority).map_or(0, |place| {
            let last = place.last().is_some_and(|last| *last == (work.arrival, id));
            if last { place.len() - 1 } else { place.range(..(work.arrival, id)).count() }
        });
        u32::try_from(before + within + 1).unwrap_or(u32::MAX)
    }

    /// The work that has waited the longest.
    pub(super) fn longest_waiting(&self) -> Option<WorkId> {
        let heads = self.waiting.values().filter_map(BTreeSet::first);
        heads.min().map(|(_, id)| *id)
    }

    pub(super) fn count_answered(&mut self, now: Instant, wait: Duration) {
        let is_in_time = wait <= seconds(self.queue.service_level_s);
        self.watch.count(now, is_in_time);
        self.tally.answered += 1;
        self.tally.answered_in_time += u64::from(is_in_time);
        self.tally.wait_of_answered += wait;
    }

    /// Who left without an agent.
    pub(super) fn count_missed(&mut self, now: Instant) {
        self.watch.count(now, false);
    }

    /// Sees to it that the figures are told: at once, or a second after the last telling.
    pub(super) fn figures_changed(&self, turn: &mut Turn) {
        let timer = Timer::QueueStats(turn.tenant(), self.queue.id.clone());
        if !turn.timers.is_set(&timer) {
            let at = self.told.map_or(turn.now, |told| turn.now.max(told + STATS_PAUSE));
            turn.timers.set(timer, at);
        }
    }
}

impl Floor {
    pub(super) fn tell_stats(&mut self, turn: &mut Turn, queue: &QueueId) {
        self.watch(turn, queue);
        let Some(stats) = self.lines.get(queue).map(|line| self.queue_snapshot(turn.now, line))
        else {
            return;
        };
        if let Some(line) = self.lines.get_mut(queue) {
            line.told = Some(turn.now);
        }
        turn.say(Output::QueueStats { tenant: turn.tenant(), queue: queue.clone(), stats });
    }
}
