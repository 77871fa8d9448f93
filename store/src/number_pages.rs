//! The numbers of calls that are over, by the page: a search for a part of a number reads a few
//! dozen megabytes of text one after the other, and whoever ends a call adds one line to the last
//! page. Nothing is sorted and nothing is split into parts, so a call costs the same among millions.

use base::{CallId, TenantId, UnixTime};

use crate::Result;
use crate::db::{Places, Row, Tx, damaged, values};

/// Calls on a page: two pages of them fill one of SQLite's, and PostgreSQL keeps them in the row.
const CALLS: usize = 24;
/// Pages that are read at once.
const AT_ONCE: u64 = 500;

/// When a call began, and which it is.
pub(crate) type Key = (UnixTime, CallId);

/// What is kept of a call: its key, and both its numbers as [`crate::search::numbers`] has them.
pub(crate) type Entry = (Key, String);

/// Adds calls that are over. The same one twice does no harm.
pub(crate) async fn put(tx: &mut Tx, tenant: &TenantId, calls: &[Entry]) -> Result<()> {
    for part in calls.chunks(CALLS) {
        let (mut numbers, mut keys) = (String::new(), String::new());
        for ((at, call), both) in part {
            numbers.extend(both.chars().map(|letter| if letter == '\n' { ' ' } else { letter }));
            numbers.push('\n');
            keys.push_str(&format!("{} {call}\n", at.as_micros()));
        }
        let count = part.len() as u64;
        let row = values![tenant, count, numbers.as_str(), keys.as_str(), CALLS as u64];
        let sql = "UPDATE number_pages SET calls = calls + $2, numbers = numbers || $3, \
                   keys = keys || $4 WHERE tenant_id = $1 AND calls + $2 <= $5 AND page = \
                   (SELECT MAX(page) FROM number_pages WHERE tenant_id = $1)";
        if tx.run(sql, &row).await? == 0 {
            let sql = "INSERT INTO number_pages (tenant_id, page, calls, numbers, keys) \
                       SELECT $1, COALESCE(MAX(page), 0) + 1, $2, $3, $4 \
                       FROM number_pages WHERE tenant_id = $1";
            tx.run(sql, &row[..4]).await?;
        }
    }
    Ok(())
}

/// Adds a call that is over without a record, such as after a crash, as its row says it.
pub(crate) async fn put_stored(tx: &mut Tx, tenant: &TenantId, call: CallId) -> Result<()> {
    let sql = "SELECT started_at, numbers FROM calls WHERE tenant_id = $1 AND call_id = $2 \
               AND state = 'ended'";
    let Some(row) = tx.row(sql, &values![tenant, call]).await? else { return Ok(()) };
    put(tx, tenant, &[((row.time("started_at")?, call), row.get("numbers")?)]).await
}

/// The calls with that in one of their numbers, newest first; `None` if there are more than `most`.
pub(crate) async fn matching(
    tx: &mut Tx,
    tenant: &TenantId,
    part: &str,
    most: usize,
) -> Result<Option<Vec<Key>>> {
    let place_of = match tx.places() {
        Places::Marks => "instr",
        Places::Numbered => "strpos",
    };
    let sql = format!(
        "SELECT page, numbers, keys FROM number_pages WHERE tenant_id = $1 AND page < $2 \
         AND {place_of}(numbers, $3) > 0 ORDER BY page DESC LIMIT $4"
    );
    let part = part.to_lowercase();
    let mut found = Vec::new();
    let mut before = u64::MAX >> 1;
    loop {
        let rows = tx.rows(sql.clone(), &values![tenant, before, &part, AT_ONCE]).await?;
        for row in &rows {
            before = row.count("page")?;
            found.extend(of_page(row, &part)?);
        }
        if found.len() > most {
            return Ok(None);
        }
        if (rows.len() as u64) < AT_ONCE {
            break;
        }
    }
    found.sort_unstable_by(|a, b| b.cmp(a));
    found.dedup();
    Ok(Some(found))
}

fn of_page(row: &Row, part: &str) -> Result<Vec<Key>> {
    let (numbers, keys): (String, String) = (row.get("numbers")?, row.get("keys")?);
    let lines = numbers.lines().zip(keys.lines()).filter(|(both, _)| both.contains(part));
    lines.map(|(_, key)| key_of(key).ok_or_else(|| damaged("keys", key))).collect()
}

fn key_of(line: &str) -> Option<Key> {
    let (at, call) = line.split_once(' ')?;
    Some((UnixTime::from_micros(at.parse().ok()?), call.parse().ok()?))
}
