//! How hard pressed the node is, as the switch is to know it: 100 when it does all it can, 200 when
//! it falls behind. Told ten times a second while there is anything to do.
//!
//! A slow turn or a machine that was away for a while is no overload; not having been idle for one
//! moment in a long time is. So what counts is how long the thread has worked since it last had
//! nothing to do, by the processor's time and not the wall's (in the spirit of CoDel, RFC 8289: not
//! the worst wait, but the least).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base::{Duration, Instant};
use metrics::Gauge;

use crate::persist::Intake;

/// Between two reports.
const EVERY: Duration = Duration::from_millis(100);
/// A wait of less was none: the sockets were ready.
const NAP: Duration = Duration::from_micros(10);
/// So much work without a moment's rest is ordinary.
const ORDINARY: Duration = Duration::from_millis(100);
/// With so much the thread is far behind: whoever waits has sent everything twice by then.
const FAR_BEHIND: Duration = Duration::from_secs(1);
/// Between two looks at the media workers, and how many in a row must show one without rest.
const LOOK: Duration = Duration::from_secs(1);
const LOOKS: u32 = 3;
/// What a media worker without rest counts as: some fewer calls, until it has some.
const MEDIA: u32 = 110;

/// How long a thread has had nothing to do, in all. It tells, others read: also that it rests now,
/// or a thread that has slept for a minute would look like one that never rests.
#[derive(Clone, Debug, Default)]
pub(crate) struct Idleness(Arc<Rests>);

#[derive(Debug, Default)]
struct Rests {
    /// Nanoseconds of the rests that are over.
    over: AtomicU64,
    /// When the present one began, nanoseconds; 0: at work.
    since: AtomicU64,
}

impl Idleness {
    /// The thread begins to wait.
    pub(crate) fn begin(&self, now: Instant) {
        self.0.since.store(now.as_nanos().max(1), Ordering::Relaxed);
    }

    /// The thread has something to do.
    pub(crate) fn end(&self, now: Instant) {
        let since = self.0.since.swap(0, Ordering::Relaxed);
        if since != 0 {
            self.0.over.fetch_add(now.as_nanos().saturating_sub(since), Ordering::Relaxed);
        }
    }

    fn total(&self, now: Instant) -> Duration {
        let since = self.0.since.load(Ordering::Relaxed);
        let present = if since == 0 { 0 } else { now.as_nanos().saturating_sub(since) };
        Duration::from_nanos(self.0.over.load(Ordering::Relaxed) + present)
    }
}

/// The processor's time that this thread has had.
pub(super) fn processor_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// What has been seen since the last report, and what is known of other threads.
pub(super) struct Pressure {
    since: Instant,
    idle: Duration,
    /// Work since the thread last had nothing to do, but for its first turn.
    behind: Duration,
    /// The processor's time at the end of the last turn, if that had no rest: asking costs a call
    /// into the kernel.
    spent: Option<Duration>,
    workers: Workers,
    gauge: Gauge,
}

impl Pressure {
    pub(super) fn new(now: Instant, workers: Vec<Idleness>) -> Self {
        let gauge = metrics::gauge!("strowger_signalling_load_percent");
        let (idle, behind) = (Duration::ZERO, Duration::ZERO);
        Self { since: now, idle, behind, spent: None, workers: Workers::new(now, workers), gauge }
    }

    /// A turn of the loop is done: how long it waited for work, and `spent`, the processor's time
    /// that this thread has had in all.
    pub(super) fn turn(&mut self, waited: Duration, spent: impl FnOnce() -> Duration) {
        if waited >= NAP {
            self.idle += waited;
            (self.behind, self.spent) = (Duration::ZERO, None);
        } else {
            let spent = spent();
            let before = self.spent.replace(spent).unwrap_or(spent);
            self.behind += spent.saturating_sub(before);
        }
    }

    /// What the switch is to be told, if it is time.
    pub(super) fn due(&mut self, now: Instant, intake: &Intake) -> Option<u32> {
        self.report(now, || intake.fullness())
    }

    fn report(&mut self, now: Instant, store: impl FnOnce() -> u32) -> Option<u32> {
        let elapsed = now.since(self.since);
        if elapsed < EVERY {
            return None;
        }
        // From half of its queue on the store's writer cannot keep up.
        let percent = self.own(elapsed).max(store().saturating_mul(2)).max(self.workers.look(now));
        (self.since, self.idle) = (now, Duration::ZERO);
        self.gauge.set(f64::from(percent));
        Some(percent)
    }

    fn own(&self, elapsed: Duration) -> u32 {
        if self.behind >= ORDINARY {
            let over = (self.behind - ORDINARY).min(FAR_BEHIND - ORDINARY);
            return 100 + percent_of(over, FAR_BEHIND - ORDINARY);
        }
        99 - percent_of(self.idle.min(elapsed), elapsed).min(99)
    }
}

/// The media workers: one that is never idle loses audio, and a new call would not be heard.
struct Workers {
    all: Vec<(Idleness, Duration)>,
    since: Instant,
    restless: u32,
}

impl Workers {
    fn new(now: Instant, all: Vec<Idleness>) -> Self {
        let all = all.into_iter().map(|worker| (worker, Duration::ZERO)).collect();
        Self { all, since: now, restless: 0 }
    }

    fn look(&mut self, now: Instant) -> u32 {
        let elapsed = now.since(self.since);
        if elapsed >= LOOK {
            self.since = now;
            let mut is_restless = false;
            for (worker, before) in &mut self.all {
                let total = worker.total(now);
                is_restless |= total.saturating_sub(*before) < elapsed / 50;
                *before = total;
            }
            self.restless = if is_restless { self.restless.saturating_add(1) } else { 0 };
        }
        if self.restless >= LOOKS { MEDIA } else { 0 }
    }
}

fn percent_of(part: Duration, whole: Duration) -> u32 {
    let percent = part.as_nanos() * 100 / whole.as_nanos().max(1);
    u32::try_from(percent).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests;
