//! The store's only writer of calls: gathers, commits, publishes; journals while it cannot commit.

use std::sync::Arc;

use base::Duration;
use metrics::{Counter, Gauge};
use store::{Append, EventRow, Store};
use tokio::sync::{broadcast, mpsc};
use tokio::time::Instant;

use super::commit::{BATCH, Committer};
use super::gathering::Gathering;
use super::{Item, Journal, rows};

/// Between two attempts to drain the journal.
const RETRY: Duration = Duration::from_secs(1);
/// Batches that are tried when the process ends; the next start drains what is left.
const LAST_ATTEMPTS: u32 = 100;

/// Registered once.
struct Meters {
    committed: Counter,
    journalled: Counter,
    failures: Counter,
    backlog: Gauge,
}

/// The writer's state.
pub(crate) struct Writer {
    committer: Committer,
    gathering: Gathering,
    journal: Journal,
    committed: broadcast::Sender<Arc<EventRow>>,
    items: mpsc::Receiver<Item>,
    retry_at: Instant,
    meters: Meters,
}

impl Writer {
    pub(crate) fn new(
        store: Store,
        journal: Journal,
        committed: broadcast::Sender<Arc<EventRow>>,
        items: mpsc::Receiver<Item>,
    ) -> Self {
        let meters = Meters {
            committed: metrics::counter!("strowger_store_rows_committed_total"),
            journalled: metrics::counter!("strowger_store_rows_journalled_total"),
            failures: metrics::counter!("strowger_store_commit_failures_total"),
            backlog: metrics::gauge!("strowger_store_journal_bytes"),
        };
        let committer = Committer::new(store, journal.rejected().clone());
        let gathering = Gathering::default();
        Self { committer, gathering, journal, committed, items, retry_at: Instant::now(), meters }
    }

    /// Runs until all senders are gone and what they sent is kept.
    pub(crate) async fn run(mut self) {
        let mut batch = Vec::with_capacity(BATCH);
        let mut last_attempts = LAST_ATTEMPTS;
        loop {
            let open = self.gather(&mut batch).await;
            if self.journal.has_rows() {
                self.keep_in_journal(&mut batch);
                if !open || Instant::now() >= self.retry_at {
                    self.drain_journal().await;
                }
            } else if !batch.is_empty() {
                self.commit(&mut batch).await;
            }
            if !open {
                last_attempts -= 1;
                let kept = batch.is_empty() && !self.journal.has_rows();
                if kept || last_attempts == 0 {
                    return self.say_goodbye(batch.len());
                }
            }
        }
    }

    fn say_goodbye(&self, lost: usize) {
        if self.journal.has_rows() {
            let bytes = self.journal.backlog();
            tracing::warn!(
                bytes,
                "the journal keeps what the store did not take; the next start drains it"
            );
        }
        if lost > 0 {
            tracing::error!(lost, "neither store nor disk took the last rows");
        }
    }

    /// Fills the batch; false when all senders are gone.
    async fn gather(&mut self, batch: &mut Vec<Append>) -> bool {
        if batch.is_empty() {
            let first = if self.journal.has_rows() {
                match tokio::time::timeout_at(self.retry_at, self.items.recv()).await {
                    Ok(first) => first,
                    Err(_) => return true,
                }
            } else {
                self.items.recv().await
            };
            let Some(first) = first else { return false };
            batch.push(rows::append(first));
        }
        if self.items.len() < BATCH {
            // Not by tokio's timer: this thread is our own, and it is not to wake for every item.
            std::thread::sleep(self.gathering.patience(Instant::now()));
        }
        while batch.len() < BATCH {
            match self.items.try_recv() {
                Ok(item) => batch.push(rows::append(item)),
                Err(mpsc::error::TryRecvError::Empty) => return true,
                Err(mpsc::error::TryRecvError::Disconnected) => return false,
            }
        }
        true
    }

    async fn commit(&mut self, batch: &mut Vec<Append>) {
        let mut committed = self.committer.commit(std::mem::take(batch)).await;
        self.gathering.committed(Instant::now());
        self.publish(committed.done.drain(..));
        match committed.outage {
            // Its room is used again.
            None => *batch = committed.done,
            Some(why) => {
                self.meters.failures.increment(1);
                tracing::error!(%why, "the store does not take events: journalling them");
                self.retry_at = Instant::now() + RETRY;
                *batch = committed.rest;
                self.keep_in_journal(batch);
            }
        }
    }

    fn publish(&self, rows: impl Iterator<Item = Append>) {
        for row in rows {
            self.meters.committed.increment(1);
            if let Append::Event(event) = row {
                // Without subscribers nobody hears it; the log has it.
                let _ = self.committed.send(Arc::new(event));
            }
        }
    }

    /// On a full or broken disk the batch stays in memory and the queue behind it fills.
    fn keep_in_journal(&mut self, batch: &mut Vec<Append>) {
        if batch.is_empty() {
            return;
        }
        match self.journal.append(batch) {
            Ok(()) => {
                self.meters.journalled.increment(batch.len() as u64);
                batch.clear();
            }
            Err(error) => {
                tracing::error!(%error, "the journal cannot be written: events wait in memory");
                std::thread::sleep(Duration::from_millis(100));
            }
        }
        self.meters.backlog.set(self.journal.backlog() as f64);
    }

    /// Moves one batch from the journal into the store, oldest first.
    async fn drain_journal(&mut self) {
        let moved = match self.journal.oldest(BATCH) {
            Ok((rows, end)) => self.move_on(rows, end).await,
            Err(error) => Err(error.to_string()),
        };
        self.meters.backlog.set(self.journal.backlog() as f64);
        match moved {
            Ok(()) if !self.journal.has_rows() => {
                tracing::info!("the journal is drained: the store is up to date");
            }
            Ok(()) => {}
            Err(why) => {
                self.meters.failures.increment(1);
                tracing::warn!(%why, bytes = self.journal.backlog(), "the journal waits");
                self.retry_at = Instant::now() + RETRY;
            }
        }
    }

    async fn move_on(&mut self, rows: Vec<Append>, end: u64) -> Result<(), String> {
        let rows =
            missing(self.committer.store(), rows).await.map_err(|error| error.to_string())?;
        let committed = self.committer.commit(rows).await;
        self.publish(committed.done.into_iter());
        match committed.outage {
            None => self.journal.forget(end).map_err(|error| error.to_string()),
            Some(why) => Err(why),
        }
    }
}

/// A commit that seemed to fail may have happened: events that the store has are left out.
async fn missing(store: &Store, mut rows: Vec<Append>) -> store::Result<Vec<Append>> {
    let last = store.last_sequences().await?;
    rows.retain(|row| match row {
        Append::Event(event) => !last
            .iter()
            .any(|(tenant, sequence)| *tenant == event.tenant && event.sequence <= *sequence),
        _ => true,
    });
    Ok(rows)
}

/// Moves a whole journal into the store before anything else is written: new events must follow
/// the ones in it. Gives the number of rows.
///
/// # Errors
/// When the store or the disk fails; what was moved stays moved.
pub(crate) async fn drain(store: &Store, journal: &mut Journal) -> Result<usize, String> {
    let committer = Committer::new(store.clone(), journal.rejected().clone());
    let mut moved = 0;
    while journal.has_rows() {
        let (rows, end) = journal.oldest(BATCH).map_err(|error| error.to_string())?;
        moved += rows.len();
        let rows = missing(store, rows).await.map_err(|error| error.to_string())?;
        if let Some(why) = committer.commit(rows).await.outage {
            return Err(why);
        }
        journal.forget(end).map_err(|error| error.to_string())?;
    }
    Ok(moved)
}
