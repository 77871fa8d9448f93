//! Events, call records and recordings on their way into the store: at once after a quiet time, else
//! in batches of 60 ms, one transaction each; told to subscribers only when committed, journalled
//! while the store is down, set aside when it refuses them for good.

mod commit;
mod gathering;
mod journal;
mod rejected;
mod rows;
mod writer;

use std::sync::Arc;

use metrics::Counter;
use store::{EventRow, RecordingRow, Store};
use tokio::sync::{broadcast, mpsc};

pub(crate) use self::journal::Journal;
use self::rejected::Rejected;
pub(crate) use self::rows::settings_of;
use self::writer::Writer;
pub(crate) use self::writer::drain;

/// One thing to keep, in the order it happened.
#[derive(Debug)]
pub(crate) enum Item {
    /// The next event of a tenant.
    Event(switch::Event),
    /// A call is over.
    Call(Box<switch::CallRecord>),
    /// A recording's state.
    Recording(Box<RecordingRow>),
    /// What an agent's phone is set to.
    Settings(Box<switch::AgentSettings>),
}

/// The sending end: bounded. The writer always makes progress, into the journal if not into the
/// database, so the queue is full only when both stand still; then the sender waits, because an
/// event must not be lost.
#[derive(Clone)]
pub(crate) struct Intake {
    queue: mpsc::Sender<Item>,
    waits: Counter,
}

impl Intake {
    /// Puts an item in, from a thread of our own.
    pub(crate) fn put(&self, item: Item) {
        match self.queue.try_send(item) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(item)) => {
                self.waits.increment(1);
                if self.queue.blocking_send(item).is_err() {
                    tracing::error!("the store's writer has ended: an item is lost");
                }
            }
            Err(mpsc::error::TrySendError::Closed(_)) => {
                tracing::error!("the store's writer has ended: an item is lost");
            }
        }
    }

    /// Puts an item in, from a tokio task.
    pub(crate) async fn put_async(&self, item: Item) {
        if self.queue.send(item).await.is_err() {
            tracing::error!("the store's writer has ended: an item is lost");
        }
    }

    /// How full the queue is, in percent.
    pub(crate) fn fullness(&self) -> u32 {
        let percent = self.depth() * 100 / self.queue.max_capacity().max(1);
        u32::try_from(percent).unwrap_or(100)
    }

    /// Items that wait.
    pub(crate) fn depth(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }
}

/// Makes the queue and the writer at its end; the writer ends when all intakes are gone and
/// everything is committed (or journalled).
pub(crate) fn start(
    store: Store,
    journal: Journal,
    committed: broadcast::Sender<Arc<EventRow>>,
    capacity: usize,
) -> std::io::Result<(Intake, std::thread::JoinHandle<()>)> {
    let (queue, items) = mpsc::channel(capacity);
    let writer = Writer::new(store, journal, committed, items);
    let runtime = tokio::runtime::Handle::current();
    // A thread of its own: the journal's writes block.
    let thread = std::thread::Builder::new()
        .name("store-writer".into())
        .spawn(move || runtime.block_on(writer.run()))?;
    let waits = metrics::counter!("strowger_store_queue_full_total");
    Ok((Intake { queue, waits }, thread))
}

#[cfg(test)]
mod tests;
