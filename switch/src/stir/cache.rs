//! Signers' certificates that were fetched, by their URL, for as long as they hold.

use std::collections::{BTreeMap, BTreeSet};

use base::{Duration, Instant};
use bytes::Bytes;

/// Bounded: when it is full, what would be forgotten next is forgotten now.
#[derive(Debug, Default)]
pub(super) struct Cache {
    entries: BTreeMap<Box<str>, (Instant, Option<Bytes>)>,
    by_end: BTreeSet<(Instant, Box<str>)>,
}

const MOST: usize = 500;
/// However long HTTP says that it holds.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
const SHORTEST: Duration = Duration::from_secs(60);
/// A certificate that could not be fetched is not asked for again at once.
const FAILURE: Duration = Duration::from_secs(30);

impl Cache {
    /// What is known of the URL: `Some(None)` that it cannot be fetched just now.
    pub(super) fn get(&self, now: Instant, url: &str) -> Option<Option<Bytes>> {
        let (until, found) = self.entries.get(url)?;
        (now < *until).then(|| found.clone())
    }

    pub(super) fn put(&mut self, now: Instant, url: &str, found: Option<Bytes>, life: Duration) {
        let life = if found.is_some() { life.clamp(SHORTEST, LONGEST) } else { FAILURE };
        if let Some((until, _)) = self.entries.remove(url) {
            self.by_end.remove(&(until, url.into()));
        }
        while self.entries.len() >= MOST
            && let Some((_, first)) = self.by_end.pop_first()
        {
            self.entries.remove(&first);
        }
        self.by_end.insert((now + life, url.into()));
        self.entries.insert(url.into(), (now + life, found));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_known_for_its_time_and_the_table_is_bounded() {
        let mut cache = Cache::default();
        let (start, hour) = (Instant::from_millis(1), Duration::from_secs(3600));
        cache.put(start, "a", Some(Bytes::from_static(b"x")), hour);
        cache.put(start, "b", None, hour);
        assert_eq!(cache.get(start + hour / 2, "a"), Some(Some(Bytes::from_static(b"x"))));
        assert_eq!(cache.get(start + Duration::from_secs(29), "b"), Some(None));
        assert_eq!(cache.get(start + Duration::from_secs(31), "b"), None);
        assert_eq!(cache.get(start + hour, "a"), None);
        for n in 0..2_000 {
            cache.put(start, &format!("{n}"), None, hour);
            cache.put(start, "a", Some(Bytes::new()), hour);
        }
        assert!(cache.entries.len() <= MOST && cache.by_end.len() == cache.entries.len());
        assert!(cache.get(start, "a").is_some(), "what holds longest stays");
    }
}
