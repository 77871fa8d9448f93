//! Forgets what is to be kept for a time only: the SIP messages of calls.

use base::{Duration, UnixTime};
use store::Store;

use crate::clock::Clock;

/// Between two looks.
const EVERY: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Deletes ladders older than `days`, now and each hour, until it is aborted; never with 0 days.
pub(crate) async fn run(store: Store, clock: Clock, days: u32) {
    if days == 0 {
        return;
    }
    loop {
        let micros = i64::try_from((DAY * days).as_micros()).unwrap_or(i64::MAX);
        let before = UnixTime::from_micros(clock.unix().as_micros().saturating_sub(micros));
        match store.forget_ladders(before).await {
            Ok(0) => {}
            Ok(ladders) => tracing::info!(ladders, days, "forgot the SIP messages of old calls"),
            Err(error) => tracing::warn!(%error, "old ladders could not be deleted: tried again"),
        }
        tokio::time::sleep(EVERY).await;
    }
}
