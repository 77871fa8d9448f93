//! Finding calls among millions: newest first, from one place on (a keyset, not a page number),
//! out of one index that holds all that a search may ask for.

use base::{CallId, TenantId, UnixTime};

use crate::calls::{COLUMNS, Conditions, call_row, recordings_of};
use crate::db::{Places, Scope, Tx, Value, values};
use crate::rows::{CallFilter, CallRow, CallState, Found};
use crate::{Result, Store};

/// Calls are counted up to here: nobody reads on, and counting a million takes time.
const COUNTED: u64 = 10_000;
/// Of a number, as far as a search looks.
const LOOKED_AT: usize = 64;

impl Store {
    /// The tenant's calls that fit, newest first: `limit` of them, those that are older than the
    /// call `before`.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn search_calls(
        &self,
        tenant: &TenantId,
        filter: &CallFilter,
        before: Option<CallId>,
        limit: u32,
    ) -> Result<Found> {
        let mut tx = self.db.read(Scope::Tenant(tenant)).await?;
        let edge = match before {
            None => None,
            Some(call) => edge_of(&mut tx, tenant, call).await?,
        };
        if before.is_some() && edge.is_none() {
            return Ok(Found::default());
        }
        let search = Search { tenant, filter, edge };
        let limit = u64::from(limit);
        // One more tells whether there are more.
        let mut keys = search.keys(&mut tx, limit + 1).await?;
        let has_more = keys.len() as u64 > limit;
        keys.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let total = match (edge, has_more) {
            (Some(_), _) => None,
            (None, false) => Some(keys.len() as u64),
            (None, true) => Some(search.count(&mut tx).await?),
        };
        let mut rows = rows_of(&mut tx, tenant, &keys).await?;
        recordings_of(&mut tx, tenant, &mut rows).await?;
        Ok(Found { rows, has_more, total, total_is_exact: total.is_some_and(|n| n <= COUNTED) })
    }
}

/// Both numbers of a call as a search sees them.
pub(crate) fn numbers(caller: &str, dialled: &str) -> String {
    let short = |number: &str| number.chars().take(LOOKED_AT).collect::<String>();
    format!("{} {}", short(caller), short(dialled)).to_lowercase()
}

/// What is over, and what is up.
const ENDED: &str = "state = 'ended'";
const UP: &str = "state <> 'ended'";

type Key = (UnixTime, CallId);

async fn edge_of(tx: &mut Tx, tenant: &TenantId, call: CallId) -> Result<Option<Key>> {
    let sql = "SELECT started_at FROM calls WHERE tenant_id = $1 AND call_id = $2";
    let row = tx.row(sql, &values![tenant, call]).await?;
    row.map(|row| Ok((row.time("started_at")?, call))).transpose()
}

struct Search<'a> {
    tenant: &'a TenantId,
    filter: &'a CallFilter,
    edge: Option<Key>,
}

impl<'a> Search<'a> {
    /// Which of the two halves of the table it looks at: what is over stands in an index of its own.
    fn halves(&self) -> &'static [&'static str] {
        match self.filter.state {
            None => &[ENDED, UP],
            Some(CallState::Ended) => &[ENDED],
            Some(_) => &[UP],
        }
    }

    /// SQLite, which knows nothing of how rows are spread, would take another index and look each
    /// row up; PostgreSQL knows.
    fn table(tx: &Tx, half: &str) -> &'static str {
        match tx.places() {
            Places::Marks if half == ENDED => "calls INDEXED BY calls_to_search",
            Places::Marks | Places::Numbered => "calls",
        }
    }

    fn conditions(&self, half: &'static str) -> Conditions<'a> {
        let mut wanted = Conditions::new(self.tenant);
        wanted.add(half);
        let state = self.filter.state.filter(|state| *state != CallState::Ended);
        wanted.equal("state", state.map(CallState::as_str));
        wanted.of_filter(self.filter);
        if let Some((at, call)) = self.edge {
            wanted.compare("started_at <=", Some(at));
            wanted.older_than(at, call);
        }
        wanted
    }

    async fn keys(&self, tx: &mut Tx, limit: u64) -> Result<Vec<Key>> {
        let mut keys: Vec<Key> = Vec::new();
        for half in self.halves() {
            let (text, mut of) = self.conditions(half).into_parts();
            of.push(limit.into());
            let sql = format!(
                "SELECT started_at, call_id FROM {} WHERE {text} \
                 ORDER BY started_at DESC, call_id DESC LIMIT ${}",
                Self::table(tx, half),
                of.len()
            );
            for row in tx.rows(sql, &of).await? {
                keys.push((row.time("started_at")?, row.id("call_id")?));
            }
        }
        keys.sort_unstable_by(|a, b| b.cmp(a));
        keys.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(keys)
    }

    /// How many fit, or more than [`COUNTED`].
    async fn count(&self, tx: &mut Tx) -> Result<u64> {
        let mut total = 0;
        for half in self.halves() {
            let (text, mut of) = self.conditions(half).into_parts();
            of.push((COUNTED + 1).into());
            let sql = format!(
                "SELECT COUNT(*) AS total FROM (SELECT 1 FROM {} WHERE {text} LIMIT ${}) AS found",
                Self::table(tx, half),
                of.len()
            );
            total += tx.row(sql, &of).await?.map_or(Ok(0), |row| row.count("total"))?;
        }
        Ok(total.min(COUNTED + 1))
    }
}

/// The calls with these keys, in their order.
async fn rows_of(tx: &mut Tx, tenant: &TenantId, keys: &[Key]) -> Result<Vec<CallRow>> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let mut wanted = values![tenant].to_vec();
    wanted.extend(keys.iter().map(|(_, call)| Value::from(*call)));
    let places: Vec<String> = (2..=wanted.len()).map(|place| format!("${place}")).collect();
    let sql = format!(
        "SELECT {COLUMNS} FROM calls WHERE tenant_id = $1 AND call_id IN ({})",
        places.join(", ")
    );
    let mut rows: Vec<CallRow> =
        tx.rows(sql, &wanted).await?.iter().map(call_row).collect::<Result<_>>()?;
    rows.sort_unstable_by_key(|row| std::cmp::Reverse((row.started_at, row.id)));
    Ok(rows)
}
