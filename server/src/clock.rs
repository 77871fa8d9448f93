//! The one place that reads the clocks: a monotonic one whose origin is the start of the process,
//! and the wall's, read once and carried forward so that a moved clock never bends a duration.

use std::time::SystemTime;

use base::{Instant, UnixTime};

/// Two readings taken together at the start; cheap to copy to every thread.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    origin: std::time::Instant,
    wall: UnixTime,
}

impl Clock {
    /// Reads both clocks: this moment becomes [`Instant::ZERO`].
    #[must_use]
    pub fn start() -> Self {
        Self { origin: std::time::Instant::now(), wall: wall_now() }
    }

    /// Now, since the origin.
    #[must_use]
    pub fn now(&self) -> Instant {
        let nanos = self.origin.elapsed().as_nanos();
        Instant::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// What std's clock said at [`Instant::ZERO`].
    #[must_use]
    pub fn origin(&self) -> std::time::Instant {
        self.origin
    }

    /// The wall's time at [`Instant::ZERO`].
    #[must_use]
    pub fn wall_at_zero(&self) -> UnixTime {
        self.wall
    }

    /// The wall's time now, as the monotonic clock carried it forward.
    #[must_use]
    pub fn unix(&self) -> UnixTime {
        self.wall.after(self.origin.elapsed())
    }
}

fn wall_now() -> UnixTime {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    UnixTime::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
