//! The queues' statistics: a tally of each tenant that somebody has asked about, brought up to date
//! from the log of events whenever it is asked for. So it is exact to an event, costs nothing while
//! nobody looks, and is the same after a restart: the log is its memory.

mod tally;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use base::{QueueId, TenantId, UnixTime};
use tokio::sync::Mutex as Turn;

use crate::fault::Fault;
use crate::state::Shared;

pub(crate) use tally::{Counts, Tally, Waiting};

/// Events read from the store at once.
const READ: u32 = 2000;

/// The tallies, by tenant: as many as are provisioned.
#[derive(Default)]
pub(crate) struct Statistics(Mutex<BTreeMap<TenantId, Arc<Turn<Option<Tally>>>>>);

impl Statistics {
    /// Tells `look` the tenant's tally as it is now.
    pub(crate) async fn of<T>(
        &self,
        api: &Shared,
        tenant: &TenantId,
        now: UnixTime,
        look: impl FnOnce(&Tally) -> T,
    ) -> Result<T, Fault> {
        let place = {
            let mut tallies = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(tallies.entry(tenant.clone()).or_default())
        };
        let mut turn = place.lock().await;
        // What was read stays if whoever asked goes away: the next one goes on from there.
        let tally = match &mut *turn {
            Some(tally) => tally,
            empty => {
                let since = UnixTime::from_micros(now.as_micros() - tally::HORIZON_US);
                let sequence = api.store.last_sequence_before(tenant, since).await?;
                empty.insert(Tally::after(sequence))
            }
        };
        catch_up(api, tenant, tally).await?;
        tally.forget_before(now);
        Ok(look(tally))
    }
}

async fn catch_up(api: &Shared, tenant: &TenantId, tally: &mut Tally) -> Result<(), Fault> {
    let newest = api.store.last_sequence(tenant).await?;
    let directory = api.directory();
    let good = |queue: &QueueId| {
        directory.queue(tenant, queue).map_or(u32::MAX, |queue| queue.service_level_s)
    };
    while tally.sequence < newest {
        let range = (tally.sequence, newest);
        let rows = api.store.events_of_kinds(tenant, range, &tally::KINDS, READ).await?;
        for row in &rows {
            tally.take(row, good);
        }
        if rows.len() < READ as usize {
            tally.sequence = newest;
        }
    }
    Ok(())
}
