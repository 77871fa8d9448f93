//! The wall's clock, read at the edge.

use std::time::{SystemTime, UNIX_EPOCH};

use base::UnixTime;

pub(crate) fn now() -> UnixTime {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    UnixTime::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
