//! Where a worker's thread runs, and which threads it goes before.

use media::WorkerId;
use rustix::thread::CpuSet;

/// Ties this thread to one of the cores the process may use, and puts it before the process's others
/// on that core: a packet is late by whatever another thread is let to finish first.
pub(super) fn settle(id: WorkerId, nice: i8) {
    pin(id);
    // A number of no process is the calling thread on Linux (setpriority(2)).
    let is_refused =
        nice != 0 && rustix::process::setpriority_process(None, i32::from(nice)).is_err();
    // What one is refused, all are.
    if is_refused && id == WorkerId(0) {
        tracing::info!(
            "media workers go before no other thread: CAP_SYS_NICE, or LimitNICE={nice} in the \
             unit, lets them (rtp.nice)"
        );
    }
}

fn pin(id: WorkerId) {
    let Ok(allowed) = rustix::thread::sched_getaffinity(None) else { return };
    let cores: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)).collect();
    if cores.is_empty() {
        return;
    }
    let mut own = CpuSet::new();
    own.set(cores[usize::from(id.0) % cores.len()]);
    if let Err(error) = rustix::thread::sched_setaffinity(None, &own) {
        tracing::warn!(worker = id.0, %error, "a media worker stays unpinned");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_worker_that_may_goes_before_the_other_threads_and_they_stay_where_they_are() {
        let own = || rustix::process::getpriority_process(None).unwrap();
        let before = own();
        let later = i8::try_from(before + 1).unwrap().min(19);
        let worker = std::thread::spawn(move || {
            // To go later is what everybody may.
            settle(WorkerId(0), later);
            let late = own();
            settle(WorkerId(0), -20);
            (late, own())
        });
        let (late, early) = worker.join().unwrap();
        assert_eq!(late, i32::from(later));
        let may = rustix::process::setpriority_process(None, before - 1).is_ok();
        assert_eq!(early, if may { -20 } else { late }, "refused, it goes on as it was");
        if may {
            rustix::process::setpriority_process(None, before).unwrap();
        }
        assert_eq!(own(), before);
    }
}
