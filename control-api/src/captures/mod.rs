//! Captures of calls' RTP: begun through the API, filled by whoever drains the media workers' rings,
//! fetched as a file.
//!
//! What they hold is audio in the clear, so they live in memory alone, within a bound, until they
//! are fetched and deleted or have been kept long enough. Nothing of them is written to a disk.

mod held;
mod shelf;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use base::{CallId, TenantId, UnixTime};
use switch::{CaptureEnd, CaptureId};
use tokio::sync::Notify;

pub(crate) use self::held::{Bounds, CaptureFile, End, State};
pub(crate) use self::shelf::NoRoom;
use self::shelf::Shelf;

/// One datagram of a capture.
#[derive(Debug)]
pub struct CapturedDatagram<'a> {
    /// Which capture.
    pub capture: CaptureId,
    /// When it came or went.
    pub at: UnixTime,
    /// The stream, to count what was dropped of each.
    pub stream: u64,
    /// Who sent it.
    pub from: SocketAddr,
    /// To whom.
    pub to: SocketAddr,
    /// What was kept of it: all, or a header.
    pub bytes: &'a [u8],
    /// Its whole length in bytes.
    pub length: usize,
}

/// A capture that has all that was wished for: the engine is to end it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CaptureOver {
    /// Whose.
    pub tenant: TenantId,
    /// Of which call.
    pub call: CallId,
    /// Which.
    pub capture: CaptureId,
    /// What it has enough of.
    pub why: CaptureEnd,
}

/// All captures of this node.
#[derive(Clone)]
pub struct Captures {
    shelf: Arc<Mutex<Shelf>>,
    begun: Arc<Notify>,
}

impl Captures {
    /// Room for so many bytes of captures together (none can be made with 0); each is kept for so
    /// long after its end.
    #[must_use]
    pub fn new(memory: usize, keep: Duration) -> Self {
        let shelf = Arc::new(Mutex::new(Shelf::new(memory, keep)));
        Self { shelf, begun: Arc::default() }
    }

    /// Takes a datagram in. One of a capture that is over, or has enough, is left out and counted.
    pub fn put(&self, datagram: &CapturedDatagram<'_>) {
        self.locked().put(Instant::now(), datagram);
    }

    /// So many datagrams of a stream have been dropped so far, before anybody saw them.
    pub fn note_dropped(&self, capture: CaptureId, stream: u64, dropped: u32) {
        self.locked().note_dropped(capture, stream, dropped);
    }

    /// The engine has ended it.
    pub fn ended(&self, capture: CaptureId, why: CaptureEnd) {
        self.locked().end(Instant::now(), capture, why);
    }

    /// The captures that have enough, each once; what was kept long enough is forgotten.
    #[must_use]
    pub fn review(&self) -> Vec<CaptureOver> {
        self.locked().review(Instant::now())
    }

    /// Whether no datagram is to come.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.locked().is_idle(Instant::now())
    }

    /// Waits until one begins.
    pub async fn begun(&self) {
        self.begun.notified().await;
    }

    pub(crate) fn begin(
        &self,
        tenant: &TenantId,
        call: CallId,
        bounds: Bounds,
    ) -> Result<CaptureId, NoRoom> {
        let now = (Instant::now(), crate::clock::now());
        let capture = self.locked().begin(now, tenant, call, bounds)?;
        self.begun.notify_one();
        Ok(capture)
    }

    /// What is known of a call's capture.
    pub(crate) fn state(&self, tenant: &TenantId, call: CallId) -> Option<State> {
        self.locked().state(tenant, call)
    }

    /// A call's capture so far, as a file.
    pub(crate) fn file(&self, tenant: &TenantId, call: CallId) -> Option<CaptureFile> {
        self.locked().file(tenant, call)
    }

    /// Forgets a capture. Whether there was one.
    pub(crate) fn forget(&self, capture: CaptureId) -> bool {
        self.locked().forget(capture)
    }

    fn locked(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
