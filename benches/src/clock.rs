//! The wall clock in nanoseconds: the kernel stamps datagrams with it, so all times here are its.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::sys::time::TimeSpec;

/// Nanoseconds since 1970, or between two such times.
pub type Nanos = u64;

/// A millionth of a second.
pub const MICROSECOND: Nanos = 1_000;
/// A thousandth of a second.
pub const MILLISECOND: Nanos = 1_000_000;
/// A second.
pub const SECOND: Nanos = 1_000 * MILLISECOND;

/// The wall clock's time.
#[must_use]
pub fn now() -> Nanos {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Nanos::try_from(since.as_nanos()).unwrap_or(Nanos::MAX)
}

/// A time of the kernel's.
#[must_use]
pub fn of(time: &TimeSpec) -> Nanos {
    let [seconds, nanos] =
        [time.tv_sec(), time.tv_nsec()].map(|part| Nanos::try_from(part).unwrap_or(0));
    seconds * SECOND + nanos
}

/// So many seconds.
#[must_use]
pub fn seconds(of: f64) -> Nanos {
    // Truncation is meant.
    (of.max(0.0) * SECOND as f64) as Nanos
}

/// How many should have been started by now at a rate a second, the first at once.
pub fn due(since: Nanos, rate: f64) -> usize {
    // Truncation is meant; no rate is too high.
    ((since as f64 / SECOND as f64 * rate) as usize).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_due_at_once_and_at_no_limit_all_are() {
        assert_eq!(due(0, 100.0), 1);
        assert_eq!(due(SECOND / 2, 100.0), 51);
        assert_eq!(due(SECOND, f64::INFINITY), usize::MAX);
    }
}
