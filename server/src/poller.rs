//! Level-triggered epoll over numbered file descriptors.

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use base::{Duration, Instant};
use rustix::event::{Timespec, epoll};

/// Ready descriptors of one wait; the others are reported by the next one.
const BATCH: usize = 256;

/// One epoll instance.
pub(crate) struct Poller {
    epoll: OwnedFd,
}

impl Poller {
    /// A poller that watches nothing yet.
    ///
    /// # Errors
    /// When the process has no file descriptor left.
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self { epoll: epoll::create(epoll::CreateFlags::CLOEXEC)? })
    }

    /// Watches for input; `token` comes back from [`Poller::wait`].
    ///
    /// # Errors
    /// The kernel's, when it has no room for another watch.
    pub(crate) fn add(&self, source: impl AsFd, token: u64) -> std::io::Result<()> {
        let data = epoll::EventData::new_u64(token);
        Ok(epoll::add(&self.epoll, source, data, epoll::EventFlags::IN)?)
    }

    /// Sleeps until something is ready or `deadline` is reached, then appends the ready tokens.
    /// A signal's interruption counts as a wake-up with nothing ready.
    ///
    /// # Errors
    /// The kernel's; none is expected on a valid instance.
    pub(crate) fn wait(
        &self,
        now: Instant,
        deadline: Option<Instant>,
        ready: &mut Vec<u64>,
    ) -> std::io::Result<()> {
        let timeout = deadline.map(|at| timespec(at.since(now)));
        let mut events = [const { MaybeUninit::uninit() }; BATCH];
        match epoll::wait(&self.epoll, &mut events, timeout.as_ref()) {
            Ok((events, _)) => ready.extend(events.iter().map(|event| event.data.u64())),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }
}

/// A length of time as the kernel takes it.
pub(crate) fn timespec(length: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(length.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: i64::from(length.subsec_nanos()),
    }
}
