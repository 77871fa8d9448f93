//! The ports of a worker's streams, in either of two ways: each with its own sockets, or all
//! through one (`rtp.kernel`). The safety of what comes in is the plane's business in both.

use std::sync::Arc;

use base::Instant;
use media::{Batch, Datagram, Port, Slot, WorkerId};

use super::shared::Shared;
use super::sockets::{Places, Sockets};
use super::steered::{Sent, Steered, Steering};
use crate::config::{KernelPath, Rtp};
use crate::poller::Poller;

/// How a worker's streams send and receive.
pub(super) enum Ports {
    /// By two sockets each: plain, and possible everywhere.
    Own(Sockets),
    /// With the kernel's help.
    Steered(Box<Steered>),
}

impl Ports {
    pub(super) fn open(&mut self, poller: &Poller, slot: Slot, port: u16) -> std::io::Result<()> {
        match self {
            Self::Own(sockets) => sockets.open(poller, slot, port),
            Self::Steered(steered) => steered.open(slot, port),
        }
    }

    pub(super) fn close(&mut self, now: Instant, slot: Slot) {
        match self {
            Self::Own(sockets) => sockets.close(now, slot),
            Self::Steered(steered) => steered.close(slot),
        }
    }

    /// Closes the sockets that rested for so long that nobody counts on them.
    pub(super) fn close_rested(&mut self, now: Instant) {
        if let Self::Own(sockets) = self {
            sockets.close_rested(now);
        }
    }

    /// When there is something to close.
    pub(super) fn next_due(&self) -> Option<Instant> {
        match self {
            Self::Own(sockets) => sockets.next_due(),
            Self::Steered(_) => None,
        }
    }

    /// False when the kernel did not take it. What is a browser's leaves by the `shared` port.
    pub(super) fn send(&mut self, shared: Option<&mut Shared>, datagram: &Datagram<'_>) -> bool {
        let Datagram { slot, port, to, bytes } = *datagram;
        match (port, self) {
            (Port::Shared(_) | Port::Stream, _) => {
                shared.is_some_and(|it| it.send(port, to, bytes))
            }
            (_, Self::Own(sockets)) => sockets.send(slot, port, to, bytes),
            (_, Self::Steered(steered)) => steered.send(datagram),
        }
    }

    /// Sends a whole batch.
    pub(super) fn send_all(&mut self, mut shared: Option<&mut Shared>, batch: &Batch) -> Sent {
        let mut sent = Sent::default();
        if let Some(shared) = shared.as_deref_mut() {
            shared.send_all(batch, &mut sent);
        }
        for datagram in batch.iter().filter(|one| !matches!(one.port, Port::Shared(_))) {
            match self {
                Self::Steered(steered) if datagram.port != Port::Stream => {
                    steered.gather(&datagram, &mut sent);
                }
                _ => sent.count(self.send(shared.as_deref_mut(), &datagram)),
            }
        }
        if let Self::Steered(steered) = self {
            steered.send_gathered(&mut sent);
        }
        sent
    }
}

/// How all workers are to send and receive.
#[derive(Clone)]
pub(crate) struct Way {
    wanted: KernelPath,
    steering: Option<Arc<Steering>>,
}

impl Way {
    /// Asks the kernel for its help if that is wanted.
    ///
    /// # Errors
    /// What the kernel did not allow, when it is required.
    pub(crate) fn choose(rtp: &Rtp) -> Result<Self, String> {
        let wanted = rtp.kernel;
        if wanted == KernelPath::Off {
            return Ok(Self { wanted, steering: None });
        }
        let addresses: Vec<_> = Places::of(rtp).addresses().collect();
        let steering = match Steering::start(&addresses) {
            Ok(steering) => Some(Arc::new(steering)),
            Err(why) => Self::without(wanted, &why)?,
        };
        Ok(Self { wanted, steering })
    }

    /// The ports of one worker; call it in its own thread. `most_resting` is how many pairs of
    /// sockets may stay bound without a stream.
    ///
    /// # Errors
    /// As [`Way::choose`].
    pub(super) fn ports(
        &self,
        worker: WorkerId,
        poller: &Poller,
        most_resting: usize,
        places: impl Fn() -> Places,
    ) -> Result<Ports, String> {
        let started = self.steering.as_ref().map(|it| Steered::start(it, worker, places(), poller));
        let steered = match started {
            Some(Ok(steered)) => Some(steered),
            Some(Err(why)) => Self::without(self.wanted, &why)?,
            None => None,
        };
        let of_worker = worker.0.to_string();
        metrics::gauge!("strowger_rtp_kernel_path", "worker" => of_worker)
            .set(if steered.is_some() { 1.0 } else { 0.0 });
        Ok(match steered {
            Some(steered) => Ports::Steered(Box::new(steered)),
            None => Ports::Own(Sockets::new(places(), most_resting)),
        })
    }

    fn without<T>(wanted: KernelPath, why: &str) -> Result<Option<T>, String> {
        if wanted == KernelPath::Require {
            return Err(format!("rtp.kernel is \"require\", but: {why}"));
        }
        tracing::info!(why, "RTP has a socket a port: the kernel's faster way is not open to us");
        Ok(None)
    }
}

#[cfg(test)]
mod tests;
