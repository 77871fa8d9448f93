//! Finding calls among millions: newest first, from one place on (a keyset, not a page number),
//! out of one index that holds all that a search may ask for, or, by a part of a number, out of the
//! pages of numbers.

use std::borrow::Cow;
use std::collections::BTreeSet;

use base::{CallId, TenantId};

use crate::calls::{COLUMNS, Conditions, call_row, recordings_of};
use crate::db::{Scope, Tx, Value, values};
use crate::number_pages::{Key, matching};
use crate::rows::{CallFilter, CallRow, CallState, Found, Listed, Page};
use crate::{Result, Store};

/// Calls are counted up to here: nobody reads on, and counting a million takes time.
const COUNTED: u64 = 10_000;
/// Calls that are looked up at once.
const LOOKED_UP: usize = 400;
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
        let over = search.over(&mut tx).await?;
        let mut keys = search.keys(&mut tx, &over, (0, limit + 1)).await?;
        let has_more = keys.len() as u64 > limit;
        keys.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let total = match (edge, has_more) {
            (Some(_), _) => None,
            (None, false) => Some(keys.len() as u64),
            (None, true) => Some(search.count(&mut tx, &over, Some(COUNTED + 1)).await?),
        };
        let rows = rows_of(&mut tx, tenant, &keys).await?;
        Ok(Found { rows, has_more, total, total_is_exact: total.is_some_and(|n| n <= COUNTED) })
    }
}

/// A page of the tenant's calls that fit, newest first, and how many there are.
pub(crate) async fn listed(
    tx: &mut Tx,
    tenant: &TenantId,
    filter: &CallFilter,
    page: Page,
) -> Result<Listed<CallRow>> {
    let search = Search { tenant, filter, edge: None };
    let over = search.over(tx).await?;
    let total = search.count(tx, &over, None).await?;
    let keys = search.keys(tx, &over, page.window()).await?;
    Ok(Listed { rows: rows_of(tx, tenant, &keys).await?, total })
}

/// Both numbers of a call as a search sees them.
pub(crate) fn numbers(caller: &str, dialled: &str) -> String {
    let short = |number: &str| number.chars().take(LOOKED_AT).collect::<String>();
    format!("{} {}", short(caller), short(dialled)).to_lowercase()
}

/// What is over, and what is up.
const ENDED: &str = "state = 'ended'";
pub(crate) const UP: &str = "state <> 'ended'";

/// What is known of the calls that are over, before the table is asked.
enum Over {
    /// These are all that fit, newest first.
    Known(Vec<Key>),
    /// More have the number than are counted; `is_all` that is asked for.
    Common { is_all: bool },
    /// Nothing.
    Unknown,
}

async fn edge_of(tx: &mut Tx, tenant: &TenantId, call: CallId) -> Result<Option<Key>> {
    let sql = "SELECT started_at FROM calls WHERE tenant_id = $1 AND call_id = $2";
    let row = tx.row(sql, &values![tenant, call]).await?;
    row.map(|row| Ok((row.time("started_at")?, call))).transpose()
}

/// The half of the table, by its index.
pub(crate) fn table_of(tx: &Tx, half: &str) -> Cow<'static, str> {
    let is_over = half == ENDED;
    tx.by_index("calls", if is_over { "calls_to_search" } else { "calls_that_are_up" })
}

/// The table by its key, for calls that are known.
fn by_key(tx: &Tx) -> Cow<'static, str> {
    tx.by_index("calls", "sqlite_autoindex_calls_1")
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

    /// Those that are over, if a number says which they are: the pages of numbers tell it faster
    /// than the table.
    async fn over(&self, tx: &mut Tx) -> Result<Over> {
        let part = self.filter.number.as_deref().filter(|part| !part.is_empty());
        let Some(part) = part.filter(|_| self.halves().contains(&ENDED)) else {
            return Ok(Over::Unknown);
        };
        let wanted = CallFilter { number: None, ..self.filter.clone() };
        let times = (wanted.started_from, wanted.started_until);
        let rest = CallFilter { started_from: None, started_until: None, state: None, ..wanted };
        let most = usize::try_from(COUNTED).unwrap_or(usize::MAX);
        let is_all = rest == CallFilter::default();
        let Some(mut found) = matching(tx, self.tenant, part, most).await? else {
            return Ok(Over::Common { is_all: is_all && times == (None, None) });
        };
        found.retain(|key| {
            times.0.is_none_or(|from| key.0 >= from)
                && times.1.is_none_or(|until| key.0 < until)
                && self.edge.is_none_or(|edge| *key < edge)
        });
        Ok(Over::Known(if is_all { found } else { self.fitting(tx, &rest, &found).await? }))
    }

    /// Those of the calls that fit.
    async fn fitting(&self, tx: &mut Tx, filter: &CallFilter, calls: &[Key]) -> Result<Vec<Key>> {
        let mut fitting = BTreeSet::new();
        for part in calls.chunks(LOOKED_UP) {
            let mut wanted = Conditions::new(self.tenant);
            wanted.of_filter(filter);
            let (text, mut of) = wanted.into_parts();
            let first = of.len() + 1;
            of.extend(part.iter().map(|(_, call)| Value::from(*call)));
            let places: Vec<String> = (first..=of.len()).map(|at| format!("${at}")).collect();
            let sql = format!(
                "SELECT call_id FROM {} WHERE {text} AND call_id IN ({})",
                by_key(tx),
                places.join(", ")
            );
            for row in tx.rows(sql, &of).await? {
                fitting.insert(row.id::<CallId>("call_id")?);
            }
        }
        Ok(calls.iter().filter(|(_, call)| fitting.contains(call)).copied().collect())
    }

    /// Those that fit, newest first: so many are passed over, and so many taken at the most.
    async fn keys(
        &self,
        tx: &mut Tx,
        over: &Over,
        (skipped, limit): (u64, u64),
    ) -> Result<Vec<Key>> {
        let until = skipped.saturating_add(limit);
        let mut keys = Vec::new();
        if self.halves().contains(&UP) {
            keys = self.keys_of(tx, UP, (0, until)).await?;
        }
        let mut passed = 0;
        if self.halves().contains(&ENDED) {
            // Those that are up stand anywhere among the others, and are few: so many of those
            // that are over are sure to come before the first that is wanted.
            passed = skipped.saturating_sub(keys.len() as u64);
            let rest = until - passed;
            match over {
                Over::Known(found) => {
                    let (passed, rest) = (index(passed), index(rest));
                    keys.extend(found.iter().skip(passed).take(rest));
                }
                _ => keys.extend(self.keys_of(tx, ENDED, (passed, rest)).await?),
            }
        }
        keys.sort_unstable_by(|a, b| b.cmp(a));
        Ok(keys.into_iter().skip(index(skipped - passed)).take(index(limit)).collect())
    }

    /// The same of one half, by its index.
    async fn keys_of(
        &self,
        tx: &mut Tx,
        half: &'static str,
        window: (u64, u64),
    ) -> Result<Vec<Key>> {
        let (table, order) = (table_of(tx, half), "started_at DESC, call_id DESC");
        let wanted = self.conditions(half);
        let rows = wanted.window(tx, &table, "started_at, call_id", order, window).await?;
        rows.iter().map(|row| Ok((row.time("started_at")?, row.id("call_id")?))).collect()
    }

    /// How many fit, counted no further than to `most`.
    async fn count(&self, tx: &mut Tx, over: &Over, most: Option<u64>) -> Result<u64> {
        let mut total = 0;
        for half in self.halves() {
            match (over, most) {
                (Over::Known(found), _) if *half == ENDED => {
                    total += found.len() as u64;
                    continue;
                }
                (Over::Common { is_all: true }, Some(most)) if *half == ENDED => return Ok(most),
                _ => {}
            }
            let (wanted, table) = (self.conditions(half), table_of(tx, half));
            total += match most {
                None => wanted.count(tx, &table).await?,
                Some(most) => wanted.count_to(tx, &table, most).await?,
            };
        }
        Ok(most.map_or(total, |most| total.min(most)))
    }
}

fn index(count: u64) -> usize {
    usize::try_from(count).unwrap_or(usize::MAX)
}

/// The calls with these keys, in their order, with their recordings.
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
    recordings_of(tx, tenant, &mut rows).await?;
    Ok(rows)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[tokio::test]
    async fn known_calls_are_read_by_their_key_whatever_else_is_asked_of_them() {
        let folder = std::env::temp_dir().join(format!("strowger-plan-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let url = format!("sqlite:{}", folder.join("strowger.db").display());
        let db = crate::open::open(&url).await.unwrap();
        let mut tx = db.read(Scope::Engine).await.unwrap();
        let tables = ["calls".into(), by_key(&tx)];
        let known = vec!["'1'"; LOOKED_UP].join(", ");
        let mut plans = Vec::new();
        for table in tables {
            let sql = format!(
                "EXPLAIN QUERY PLAN SELECT call_id FROM {table} \
                 WHERE tenant_id = 'acme' AND queue_id = 'sales' AND call_id IN ({known})"
            );
            let row = tx.row(sql, &[]).await.unwrap().unwrap();
            plans.push(row.get::<String>("detail").unwrap());
        }
        assert!(plans[0].contains("calls_of_a_queue"), "no harm without: {}", plans[0]);
        assert!(plans[1].ends_with("(tenant_id=? AND call_id=?)"), "{}", plans[1]);
        drop(tx);
        db.close().await;
        std::fs::remove_dir_all(folder).unwrap();
    }
}
