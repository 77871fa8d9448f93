//! What DNS said, for as long as it holds (RFC 2308 for what it did not know). Bounded: when full,
//! what ends first goes first.

use std::collections::{BTreeMap, BTreeSet};

use base::{Duration, Instant};

use super::{Answer, NoAnswer, Question, Records};

/// The longest that anything is believed.
const MOST: Duration = Duration::from_secs(24 * 3600);
/// The longest that a name is believed not to exist.
const MOST_NOTHING: Duration = Duration::from_secs(300);
/// How long a name server that failed is left alone.
const AFTER_FAILURE: Duration = Duration::from_secs(5);
/// The shortest: a time to live of 0 is good for the calls of this second.
const LEAST: Duration = Duration::from_secs(1);

/// A bounded cache of answers.
#[derive(Debug)]
pub struct Cache {
    most: usize,
    known: BTreeMap<Question, (Instant, Result<Records, NoAnswer>)>,
    ends: BTreeSet<(Instant, Question)>,
}

impl Cache {
    /// An empty one that holds at most that many answers.
    #[must_use]
    pub const fn new(most: usize) -> Self {
        Self { most, known: BTreeMap::new(), ends: BTreeSet::new() }
    }

    /// The answer that still holds, if there is one; its time to live is what is left of it.
    #[must_use]
    pub fn get(&self, now: Instant, question: &Question) -> Option<Answer> {
        let (end, records) = self.known.get(question)?;
        let ttl = end.since(now);
        (!ttl.is_zero()).then(|| Answer {
            question: question.clone(),
            records: records.clone(),
            ttl,
        })
    }

    /// Keeps an answer.
    pub fn put(&mut self, now: Instant, answer: &Answer) {
        let lasts = match &answer.records {
            Ok(_) => answer.ttl.clamp(LEAST, MOST),
            Err(NoAnswer::NotFound) => answer.ttl.clamp(LEAST, MOST_NOTHING),
            Err(NoAnswer::Failed) => AFTER_FAILURE,
        };
        self.forget(&answer.question);
        while let Some((end, question)) = self.ends.first().cloned() {
            if end > now && self.known.len() < self.most {
                break;
            }
            self.forget(&question);
        }
        if self.most > 0 {
            let end = now + lasts;
            self.ends.insert((end, answer.question.clone()));
            self.known.insert(answer.question.clone(), (end, answer.records.clone()));
        }
    }

    /// Drops one answer: what it led to did not work.
    pub fn forget(&mut self, question: &Question) {
        if let Some((end, _)) = self.known.remove(question) {
            self.ends.remove(&(end, question.clone()));
        }
    }

    /// How many answers it holds, those over included.
    #[must_use]
    pub fn len(&self) -> usize {
        self.known.len()
    }

    /// Whether it holds none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by it")]

    use super::*;

    fn at(seconds: u64) -> Instant {
        Instant::from_millis(seconds * 1_000)
    }

    fn question(n: usize) -> Question {
        Question::Address(format!("h{n}.example").into())
    }

    fn answer(n: usize, ttl: u64, records: Result<Records, NoAnswer>) -> Answer {
        Answer { question: question(n), records, ttl: Duration::from_secs(ttl) }
    }

    fn found() -> Result<Records, NoAnswer> {
        Ok(Records::Address(vec!["192.0.2.1".parse().unwrap()]))
    }

    #[test]
    fn an_answer_holds_for_its_time_to_live_and_shows_what_is_left() {
        let mut cache = Cache::new(10);
        cache.put(at(0), &answer(1, 60, found()));
        assert_eq!(cache.get(at(59), &question(1)).unwrap().ttl, Duration::from_secs(1));
        assert_eq!(cache.get(at(60), &question(1)), None);
        assert_eq!(cache.get(at(0), &question(2)), None);
        assert_eq!(cache.get(at(0), &Question::Naptr("h1.example".into())), None);
        cache.put(at(61), &answer(1, u64::from(u32::MAX), found()));
        assert!(cache.get(at(61), &question(1)).unwrap().ttl <= MOST);
        cache.forget(&question(1));
        assert!(cache.is_empty() && cache.ends.is_empty());
    }

    #[test]
    fn what_does_not_exist_is_believed_for_minutes_and_a_failure_for_seconds() {
        let mut cache = Cache::new(10);
        cache.put(at(0), &answer(1, 86_400, Err(NoAnswer::NotFound)));
        cache.put(at(0), &answer(2, 86_400, Err(NoAnswer::Failed)));
        assert_eq!(cache.get(at(4), &question(2)).unwrap().records, Err(NoAnswer::Failed));
        assert_eq!(cache.get(at(5), &question(2)), None);
        assert!(cache.get(at(299), &question(1)).is_some());
        assert!(cache.get(at(300), &question(1)).is_none());
    }

    #[test]
    fn a_full_cache_lets_go_of_what_ends_first() {
        let mut cache = Cache::new(3);
        for (n, ttl) in [(1, 50), (2, 10), (3, 30), (4, 40)] {
            cache.put(at(0), &answer(n, ttl, found()));
        }
        assert_eq!(cache.len(), 3);
        assert!(cache.get(at(0), &question(2)).is_none(), "ended first");
        for n in 0..10_000 {
            cache.put(at(20), &answer(n, 60, found()));
        }
        assert_eq!((cache.len(), cache.ends.len()), (3, 3));
        let mut none = Cache::new(0);
        none.put(at(0), &answer(1, 60, found()));
        assert!(none.is_empty());
    }
}
