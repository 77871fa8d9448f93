//! One subscriber's view of a tenant's log: what is stored first, then what is committed, each
//! event once and in order, whatever the subscriber's pace.
//!
//! The broadcast is a hint and the store is the truth. An event that follows the last one is
//! passed on; anything else (a gap, a lag, a beginning in the past) is read from the store. So a
//! slow subscriber holds up nobody: the broadcast overwrites what it did not fetch.

use std::collections::VecDeque;
use std::sync::Arc;

use base::TenantId;
use store::{EventRow, Store};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, broadcast, watch};

use crate::fault::Fault;
use crate::own_events::OwnEvents;
use crate::state::Shared;

/// Events read from the store at once.
const READ: u32 = 256;

/// A subscription. Dropping it ends it.
pub(crate) struct Feed {
    store: Store,
    tenant: TenantId,
    last: u64,
    behind: bool,
    waiting: VecDeque<Arc<EventRow>>,
    /// Of an agent's own key: what it is told.
    only: Option<OwnEvents>,
    live: broadcast::Receiver<Arc<EventRow>>,
    ready: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
}

impl Feed {
    /// Subscribes to what comes after the sequence `after`; without it, to what comes from now on.
    pub(crate) async fn open(
        api: &Shared,
        tenant: TenantId,
        after: Option<u64>,
        only: Option<OwnEvents>,
    ) -> Result<Self, Fault> {
        let place = Arc::clone(&api.subscribers).try_acquire_owned().map_err(|_| {
            let status = axum::http::StatusCode::SERVICE_UNAVAILABLE;
            Fault::new(status, "TOO_MANY_SUBSCRIBERS", "too many event streams are open")
        })?;
        // Subscribed before the log is read: between the two nothing is lost.
        let live = api.engine.committed.subscribe();
        let newest = api.store.last_sequence(&tenant).await?;
        let last = after.unwrap_or(newest);
        if last > newest {
            let problem = format!("the log ends at {newest}: it is not the log of this number");
            return Err(Fault::invalid("after", problem));
        }
        metrics::gauge!("strowger_event_subscribers").increment(1);
        Ok(Self {
            store: api.store.clone(),
            tenant,
            last,
            behind: last < newest,
            waiting: VecDeque::new(),
            only,
            live,
            ready: api.ready.clone(),
            _place: place,
        })
    }

    /// The next event; `None` when the engine is gone or the store cannot be read: then the
    /// subscriber comes again with the last sequence it saw.
    pub(crate) async fn next(&mut self) -> Option<Arc<EventRow>> {
        loop {
            let event = self.next_of_all().await?;
            if self.only.as_mut().is_none_or(|only| only.tells(&event)) {
                return Some(event);
            }
        }
    }

    async fn next_of_all(&mut self) -> Option<Arc<EventRow>> {
        loop {
            if let Some(event) = self.waiting.pop_front() {
                self.last = event.sequence;
                return Some(event);
            }
            if self.behind {
                self.read().await?;
                continue;
            }
            match self.hear().await? {
                Ok(event) if event.tenant != self.tenant || event.sequence <= self.last => {}
                Ok(event) if event.sequence == self.last + 1 => {
                    self.last = event.sequence;
                    return Some(event);
                }
                Ok(_) | Err(RecvError::Lagged(_)) => self.behind = true,
                Err(RecvError::Closed) => return None,
            }
        }
    }

    /// `None` when the engine is gone.
    async fn hear(&mut self) -> Option<Result<Arc<EventRow>, RecvError>> {
        loop {
            tokio::select! {
                heard = self.live.recv() => return Some(heard),
                changed = self.ready.changed() => changed.ok()?,
            }
        }
    }

    async fn read(&mut self) -> Option<()> {
        match self.store.events_after(&self.tenant, self.last, READ).await {
            Ok(rows) => {
                self.behind = rows.len() == READ as usize;
                self.waiting.extend(rows.into_iter().map(Arc::new));
                Some(())
            }
            Err(error) => {
                tracing::warn!(tenant = %self.tenant, %error, "an event stream cannot be read on");
                None
            }
        }
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        metrics::gauge!("strowger_event_subscribers").decrement(1);
    }
}
