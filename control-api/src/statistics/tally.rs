//! What became of a tenant's queued calls, counted from its events: by the minute for the last half
//! hour, by the quarter of an hour for a day. Pure; the store's log is replayed into it.

use std::collections::BTreeMap;

use base::{CallId, QueueId, UnixTime};
use serde::Deserialize;
use store::EventRow;

const MINUTE_US: i64 = 60_000_000;
const QUARTER_US: i64 = 15 * MINUTE_US;
/// How far back whole days reach, wherever on earth they begin.
pub(crate) const HORIZON_US: i64 = 26 * 60 * MINUTE_US;
/// The last half hour, with the minute that has begun.
const MINUTES: i64 = 30;
/// Calls that are known to wait; those beyond are not counted when they leave.
const MOST_WAITING: usize = 100_000;

/// The events that are counted.
pub(crate) const KINDS: [&str; 5] =
    ["call.queued", "call.priority_changed", "call.left_queue", "call.connected", "call.ended"];

/// What became of the calls of a stretch of time.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) answered: u64,
    /// Of them, within the queue's service level.
    pub(crate) in_time: u64,
    pub(crate) abandoned: u64,
    pub(crate) expired: u64,
    /// How long the answered ones waited, together.
    pub(crate) wait_ms: u64,
}

impl Counts {
    fn add(&mut self, other: &Self) {
        self.answered += other.answered;
        self.in_time += other.in_time;
        self.abandoned += other.abandoned;
        self.expired += other.expired;
        self.wait_ms += other.wait_ms;
    }

    /// Calls that left the queue, whichever way.
    pub(crate) fn left(&self) -> u64 {
        self.answered + self.abandoned + self.expired
    }
}

/// A call that waits, or that an agent is rung for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) queue: QueueId,
    pub(crate) since: UnixTime,
    /// What it was raised or lowered to; 0 unless somebody did.
    pub(crate) priority: u8,
}

/// One tenant's.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// The last event that is in it.
    pub(crate) sequence: u64,
    pub(crate) waiting: BTreeMap<CallId, Waiting>,
    lines: BTreeMap<QueueId, Line>,
}

#[derive(Debug, Default)]
struct Line {
    minutes: BTreeMap<i64, Counts>,
    quarters: BTreeMap<i64, Counts>,
}

/// The fields of the events that are counted; each has those that fit it.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Payload {
    queue: Option<QueueId>,
    priority: Option<u8>,
    why: Option<String>,
    cause: Option<String>,
}

/// How a call left its queue.
enum Exit {
    Answered,
    Abandoned,
    Expired,
}

impl Tally {
    /// Of what comes after that event.
    pub(crate) fn after(sequence: u64) -> Self {
        Self { sequence, ..Self::default() }
    }

    /// Counts an event; `good` is the wait that counts as good in a queue, in seconds.
    pub(crate) fn take(&mut self, event: &EventRow, good: impl Fn(&QueueId) -> u32) {
        self.sequence = self.sequence.max(event.sequence);
        let Some(call) = event.call else { return };
        let payload: Payload = serde_json::from_str(&event.data).unwrap_or_default();
        match event.kind.as_ref() {
            "call.queued" => self.arrives(call, payload.queue, event.at),
            "call.priority_changed" => {
                if let (Some(one), Some(to)) = (self.waiting.get_mut(&call), payload.priority) {
                    one.priority = to;
                }
            }
            "call.left_queue" => {
                let expired = payload.why.as_deref() == Some("expired");
                self.leaves(call, event.at, expired.then_some(Exit::Expired), good);
            }
            "call.connected" => self.leaves(call, event.at, Some(Exit::Answered), good),
            "call.ended" => {
                let expired = payload.cause.as_deref() == Some("queue_timeout");
                let exit = if expired { Exit::Expired } else { Exit::Abandoned };
                self.leaves(call, event.at, Some(exit), good);
            }
            _ => {}
        }
    }

    fn arrives(&mut self, call: CallId, queue: Option<QueueId>, at: UnixTime) {
        let Some(queue) = queue else { return };
        if self.waiting.len() < MOST_WAITING || self.waiting.contains_key(&call) {
            self.waiting.insert(call, Waiting { queue, since: at, priority: 0 });
        }
    }

    fn leaves(
        &mut self,
        call: CallId,
        at: UnixTime,
        exit: Option<Exit>,
        good: impl Fn(&QueueId) -> u32,
    ) {
        let Some(Waiting { queue, since, .. }) = self.waiting.remove(&call) else { return };
        let waited_us = u64::try_from(at.as_micros() - since.as_micros()).unwrap_or(0);
        let mut one = Counts::default();
        match exit {
            None => return,
            Some(Exit::Abandoned) => one.abandoned = 1,
            Some(Exit::Expired) => one.expired = 1,
            Some(Exit::Answered) => {
                one.answered = 1;
                one.in_time = u64::from(waited_us <= u64::from(good(&queue)) * 1_000_000);
                one.wait_ms = waited_us / 1000;
            }
        }
        let line = self.lines.entry(queue).or_default();
        line.minutes.entry(at.as_micros().div_euclid(MINUTE_US)).or_default().add(&one);
        line.quarters.entry(at.as_micros().div_euclid(QUARTER_US)).or_default().add(&one);
    }

    /// Forgets what is older than anybody may ask for.
    pub(crate) fn forget_before(&mut self, now: UnixTime) {
        let minute = now.as_micros().div_euclid(MINUTE_US) - MINUTES;
        let quarter = (now.as_micros() - HORIZON_US).div_euclid(QUARTER_US);
        for line in self.lines.values_mut() {
            line.minutes.retain(|at, _| *at > minute);
            line.quarters.retain(|at, _| *at >= quarter);
        }
    }

    /// What left the queue since `since`, to the quarter of an hour.
    pub(crate) fn since(&self, queue: &QueueId, since: UnixTime) -> Counts {
        let first = since.as_micros().div_euclid(QUARTER_US);
        let line = self.lines.get(queue);
        sum(line.map(|line| line.quarters.range(first..).map(|(_, counts)| counts)))
    }

    /// What left the queue in the last 30 minutes, to the minute.
    pub(crate) fn lately(&self, queue: &QueueId, now: UnixTime) -> Counts {
        let first = now.as_micros().div_euclid(MINUTE_US) - MINUTES + 1;
        let line = self.lines.get(queue);
        sum(line.map(|line| line.minutes.range(first..).map(|(_, counts)| counts)))
    }
}

fn sum<'a>(counts: Option<impl Iterator<Item = &'a Counts>>) -> Counts {
    counts.into_iter().flatten().fold(Counts::default(), |mut sum, one| {
        sum.add(one);
        sum
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::{Value, json};

    use super::*;

    fn at(seconds: i64) -> UnixTime {
        UnixTime::from_micros(1_795_168_800_000_000 + seconds * 1_000_000)
    }

    fn sales() -> QueueId {
        "sales".parse().unwrap()
    }

    /// Events of calls: `(second, call, kind, data)`.
    fn told(events: &[(i64, u128, &'static str, Value)]) -> Tally {
        let mut tally = Tally::default();
        for (sequence, (second, call, kind, data)) in (1..).zip(events) {
            let event = EventRow {
                tenant: "acme".parse().unwrap(),
                sequence,
                call: Some(CallId::from_u128(*call)),
                at: at(*second),
                kind: (*kind).into(),
                data: data.to_string(),
            };
            tally.take(&event, |_| 20);
        }
        tally
    }

    fn queued(second: i64, call: u128) -> (i64, u128, &'static str, Value) {
        (second, call, "call.queued", json!({"queue": "sales", "position": 1}))
    }

    #[test]
    fn each_call_counts_once_by_the_way_it_left_the_queue() {
        let tally = told(&[
            queued(0, 1),
            (20, 1, "call.connected", json!({"queue": "sales", "agent": "alice"})),
            (90, 1, "call.ended", json!({"cause": "normal"})),
            queued(0, 2),
            (21, 2, "call.connected", json!({"queue": "sales", "agent": "bob"})),
            queued(0, 3),
            (30, 3, "call.ended", json!({"cause": "caller_abandoned"})),
            queued(0, 4),
            (60, 4, "call.left_queue", json!({"queue": "sales", "why": "expired"})),
            (70, 4, "call.ended", json!({"cause": "busy"})),
            queued(0, 5),
            (61, 5, "call.left_queue", json!({"queue": "sales", "why": "moved"})),
        ]);
        let counts = tally.since(&sales(), at(0));
        let expected =
            Counts { answered: 2, in_time: 1, abandoned: 1, expired: 1, wait_ms: 41_000 };
        assert_eq!(counts, expected);
        assert_eq!(counts.left(), 4, "who was moved has not left it for good or bad");
        assert!(tally.waiting.is_empty());
        assert_eq!(tally.sequence, 12);
    }

    #[test]
    fn who_waits_is_known_with_the_time_and_the_priority() {
        let raised = json!({"queue": "sales", "priority": 200, "was": 0});
        let tally = told(&[queued(7, 1), (9, 1, "call.priority_changed", raised)]);
        let waiting = Waiting { queue: sales(), since: at(7), priority: 200 };
        assert_eq!(tally.waiting.values().collect::<Vec<_>>(), [&waiting]);
    }

    #[test]
    fn the_last_half_hour_and_the_day_each_have_their_own_calls() {
        let answered = |second, call| {
            let data = json!({"queue": "sales", "agent": "alice"});
            [queued(second, call), (second, call, "call.connected", data)]
        };
        let hour = 3600;
        let events = [answered(0, 1), answered(hour, 2), answered(hour + 1700, 3)].concat();
        let mut tally = told(&events);
        let now = at(hour + 1800);
        assert_eq!(tally.lately(&sales(), now).answered, 1);
        assert_eq!(tally.since(&sales(), at(0)).answered, 3);
        assert_eq!(tally.since(&sales(), at(900)).answered, 2);
        tally.forget_before(at(26 * hour + 2000));
        assert_eq!(tally.since(&sales(), at(-100 * hour)).answered, 2);
    }
}
