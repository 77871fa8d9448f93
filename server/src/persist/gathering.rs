//! How long the first row of a batch waits for company: hardly, after a quiet time, so that whoever
//! watches is told at once; long, while batches follow each other, as a commit costs as much as
//! several calls do.

use base::Duration;
use tokio::time::Instant;

/// Between a commit and the next batch's: under load there are no more of them than this allows.
const APART: Duration = Duration::from_millis(60);
/// What belongs together comes within this: a call that begins tells four or five things.
const TOGETHER: Duration = Duration::from_millis(2);

/// When the last commit was over.
#[derive(Default)]
pub(super) struct Gathering {
    last: Option<Instant>,
}

impl Gathering {
    /// How long to gather on, now that the first row of a batch is there.
    pub(super) fn patience(&self, now: Instant) -> Duration {
        let rest = self.last.map(|last| (last + APART).saturating_duration_since(now));
        rest.unwrap_or_default().max(TOGETHER)
    }

    /// A commit is over.
    pub(super) fn committed(&mut self, now: Instant) {
        self.last = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: Duration = Duration::from_millis(4);

    /// Rows at these milliseconds: when each batch is taken, with its rows; a commit takes 4 ms.
    fn batches(rows: &[u64]) -> Vec<(u128, usize)> {
        let zero = Instant::now();
        let at = |ms: u64| zero + Duration::from_millis(ms);
        let mut gathering = Gathering::default();
        let (mut taken, mut free, mut next) = (Vec::new(), at(0), 0);
        while let Some(first) = rows.get(next) {
            let first = at(*first).max(free);
            let until = first + gathering.patience(first);
            let count = rows[next..].iter().take_while(|row| at(**row) <= until).count();
            taken.push((until.duration_since(zero).as_millis(), count));
            next += count;
            free = until + COMMIT;
            gathering.committed(free);
        }
        taken
    }

    #[test]
    fn after_a_quiet_time_the_first_rows_are_committed_at_once_and_together() {
        assert_eq!(batches(&[1000, 1000, 1001]), [(1002, 3)]);
        assert_eq!(batches(&[1000, 2000, 3000]), [(1002, 1), (2002, 1), (3002, 1)]);
        // What follows soon waits until the commits are far enough apart, and goes together.
        assert_eq!(batches(&[1000, 1010, 1030, 1060]), [(1002, 1), (1066, 3)]);
    }

    #[test]
    fn under_load_there_are_no_more_commits_than_with_a_fixed_time_for_gathering() {
        let rows: Vec<u64> = (0..10_000).flat_map(|ms| [ms; 8]).collect();
        let count = batches(&rows).len() as u128;
        let fixed = 10_000 / (APART + COMMIT).as_millis();
        // Two more at the most: the first, which waits for hardly anything, and the last, cut short.
        assert!((fixed..=fixed + 2).contains(&count), "{count} commits and not {fixed}");
    }

    #[test]
    fn rows_that_trickle_never_make_more_commits_than_one_in_60_ms() {
        for apart in [5, 17, 31, 59, 61] {
            let rows: Vec<u64> = (0..10_000).step_by(apart).collect();
            let taken = batches(&rows);
            assert!(taken.windows(2).all(|two| two[1].0 - two[0].0 >= 61), "{apart} ms apart");
        }
    }
}
