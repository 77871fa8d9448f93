//! Bounded queues into a thread that sleeps in epoll: the sender rings an eventfd.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use base::Duration;
use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd};
use tokio::sync::mpsc;

use crate::poller::timespec;

/// A bell that wakes one epoll loop. Rings between two answers cost one write together.
#[derive(Clone, Debug)]
pub(crate) struct Bell(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    fd: OwnedFd,
    rung: AtomicBool,
}

impl Bell {
    /// A silent bell.
    ///
    /// # Errors
    /// When the process has no file descriptor left.
    pub(crate) fn new() -> std::io::Result<Self> {
        let fd = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        Ok(Self(Arc::new(Inner { fd, rung: AtomicBool::new(false) })))
    }

    /// Wakes the loop, now or at its next wait.
    pub(crate) fn ring(&self) {
        if !self.0.rung.swap(true, Ordering::SeqCst) {
            // Fails only when the counter is full: the loop is then about to wake anyway.
            let _ = rustix::io::write(&self.0.fd, &1_u64.to_ne_bytes());
        }
    }

    /// Sleeps until it rings, or is not answered yet, but no longer than `longest`.
    pub(crate) fn sleep(&self, longest: Duration) {
        let mut rings = [PollFd::new(&self.0.fd, PollFlags::IN)];
        // A signal ends it early, which does no harm.
        let _ = rustix::event::poll(&mut rings, Some(&timespec(longest)));
    }

    /// The loop's answer, before it looks into its queues.
    pub(crate) fn answer(&self) {
        let mut count = [0; 8];
        let _ = rustix::io::read(&self.0.fd, &mut count);
        self.0.rung.store(false, Ordering::SeqCst);
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.fd.as_fd()
    }
}

/// The sending end of a bounded queue into an epoll loop.
#[derive(Debug)]
pub(crate) struct Sender<T> {
    queue: mpsc::Sender<T>,
    bell: Bell,
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self { queue: self.queue.clone(), bell: self.bell.clone() }
    }
}

/// The loop has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ended;

impl<T> Sender<T> {
    /// Waits for room: what a tokio task uses, so that a full queue slows its peer down.
    ///
    /// # Errors
    /// [`Ended`] when nobody reads any more.
    pub(crate) async fn send(&self, value: T) -> Result<(), Ended> {
        self.queue.send(value).await.map_err(|_| Ended)?;
        self.bell.ring();
        Ok(())
    }

    /// Waits for room on a thread of our own (never on a tokio worker). Whoever sleeps there sleeps
    /// on until [`Sender::ring`]: several values cost one awakening together.
    ///
    /// # Errors
    /// [`Ended`] when nobody reads any more.
    pub(crate) fn put_blocking(&self, value: T) -> Result<(), Ended> {
        match self.queue.try_send(value) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(Ended),
            Err(mpsc::error::TrySendError::Full(value)) => {
                self.bell.ring();
                self.queue.blocking_send(value).map_err(|_| Ended)
            }
        }
    }

    /// Wakes the reader if values wait.
    pub(crate) fn ring(&self) {
        if self.depth() > 0 {
            self.bell.ring();
        }
    }

    /// Sends if there is room at once.
    ///
    /// # Errors
    /// The value comes back when the queue is full or nobody reads any more.
    pub(crate) fn try_send(&self, value: T) -> Result<(), T> {
        self.queue.try_send(value).map_err(|error| match error {
            mpsc::error::TrySendError::Full(value) | mpsc::error::TrySendError::Closed(value) => {
                value
            }
        })?;
        self.bell.ring();
        Ok(())
    }

    /// How many values wait.
    #[must_use]
    pub(crate) fn depth(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }

    /// Whether nobody reads any more.
    #[must_use]
    pub(crate) fn is_closed(&self) -> bool {
        self.queue.is_closed()
    }

    /// An end that only wakes the reader.
    #[must_use]
    pub(crate) fn bell(&self) -> Bell {
        self.bell.clone()
    }
}

impl<T> Sender<T> {
    /// An end that does not keep the queue open.
    #[must_use]
    pub(crate) fn downgrade(&self) -> WeakSender<T> {
        WeakSender(self.queue.downgrade())
    }
}

/// For looking at a queue without keeping it open.
#[derive(Debug)]
pub(crate) struct WeakSender<T>(mpsc::WeakSender<T>);

impl<T> WeakSender<T> {
    /// How many values wait.
    #[must_use]
    pub(crate) fn depth(&self) -> usize {
        self.0.upgrade().map_or(0, |queue| queue.max_capacity() - queue.capacity())
    }
}

/// A bounded queue of `capacity` into the loop that listens to `bell`.
#[must_use]
pub(crate) fn queue<T>(capacity: usize, bell: &Bell) -> (Sender<T>, mpsc::Receiver<T>) {
    let (queue, receiver) = mpsc::channel(capacity);
    (Sender { queue, bell: bell.clone() }, receiver)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration as StdDuration, Instant};

    use super::*;

    #[test]
    fn who_sleeps_is_woken_by_the_bell_and_sleeps_on_once_it_is_answered() {
        let (bell, long) = (Bell::new().unwrap(), Duration::from_secs(120));
        let began = Instant::now();
        bell.ring();
        bell.sleep(long);
        bell.answer();
        bell.sleep(Duration::from_millis(20));
        assert!(began.elapsed() >= StdDuration::from_millis(20), "nobody rang");
        let ringer = bell.clone();
        let rings = std::thread::spawn(move || {
            std::thread::sleep(StdDuration::from_millis(20));
            ringer.ring();
        });
        bell.sleep(long);
        rings.join().unwrap();
        assert!(began.elapsed() < StdDuration::from_secs(60), "a ring ends it");
    }
}
