//! SQLite in place, on the thread of whoever asks: for the batches of calls. Through a pool each
//! statement goes to another thread and comes back, which costs more than most statements do; here
//! a statement is prepared once and run for one row after the other.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rusqlite::types::{FromSql, ToSqlOutput, ValueRef};
use rusqlite::{Connection, OpenFlags, Statement, ToSql, params_from_iter};
use tokio::sync::{Mutex, OwnedMutexGuard};

use crate::db::Value;
use crate::{Result, StoreError};

/// How long a statement waits for another process's lock. The caller's thread waits with it.
const PATIENCE: Duration = Duration::from_secs(4);
/// Statements that stay prepared: more than a batch has kinds of.
const STATEMENTS: usize = 32;
/// Pages in the log before they are copied into the file: a page that many batches change is
/// copied once for all of them. 16 MiB.
const LOG_PAGES: u32 = 4096;

/// The connection, and at the same time whose turn it is to write: SQLite has one writer.
#[derive(Clone)]
pub(crate) struct InPlace(Arc<Mutex<Option<Connection>>>);

/// The right to write, until it is dropped.
pub(crate) type Turn = OwnedMutexGuard<Option<Connection>>;

impl InPlace {
    /// Opens a database that is there and has its schema.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(PATIENCE)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        connection.pragma_update(None, "foreign_keys", true)?;
        // An event that a subscriber saw must not be gone after a power cut.
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "wal_autocheckpoint", LOG_PAGES)?;
        Ok(Self(Arc::new(Mutex::new(Some(connection)))))
    }

    /// Waits until nobody else of this process writes.
    pub(crate) async fn turn(&self) -> Turn {
        self.0.clone().lock_owned().await
    }

    /// Begins a transaction.
    pub(crate) async fn begin(&self) -> Result<Transaction> {
        let transaction = Transaction(self.turn().await);
        transaction.connection()?.prepare_cached("BEGIN IMMEDIATE")?.execute([])?;
        Ok(transaction)
    }

    pub(crate) async fn close(&self) {
        *self.0.lock().await = None;
    }
}

/// A transaction; dropped without a commit it is rolled back.
pub(crate) struct Transaction(Turn);

impl Transaction {
    fn connection(&self) -> Result<&Connection> {
        self.0.as_ref().ok_or(StoreError::Database(sqlx::Error::PoolClosed))
    }

    /// Runs one statement and says how many rows it touched.
    pub(crate) fn run(&self, sql: &str, values: &[Value<'_>]) -> Result<u64> {
        let mut statement = self.connection()?.prepare_cached(sql)?;
        bind(&mut statement, values)?;
        Ok(statement.raw_execute()? as u64)
    }

    /// Runs one statement, its places marked with `?`, for each row of so many values.
    pub(crate) fn run_each(&self, sql: &str, columns: usize, values: &[Value<'_>]) -> Result<()> {
        let mut statement = self.connection()?.prepare_cached(sql)?;
        for row in values.chunks(columns) {
            statement.execute(params_from_iter(row))?;
        }
        Ok(())
    }

    /// Runs one query and takes all its rows.
    pub(crate) fn rows(&self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>> {
        let mut statement = self.connection()?.prepare_cached(sql)?;
        let names: Vec<String> = statement.column_names().into_iter().map(str::to_owned).collect();
        bind(&mut statement, values)?;
        let rows = statement.raw_query().mapped(|row| {
            let columns = names.iter().enumerate();
            let columns = columns.map(|(place, name)| Ok((name.clone(), row.get(place)?)));
            columns.collect::<rusqlite::Result<Vec<_>>>().map(Row)
        });
        Ok(rows.collect::<rusqlite::Result<Vec<_>>>()?)
    }

    pub(crate) fn commit(self) -> Result<()> {
        self.connection()?.prepare_cached("COMMIT")?.execute([])?;
        Ok(())
    }
}

impl Drop for Transaction {
    fn drop(&mut self) {
        // A full disk has made SQLite roll back by itself.
        if let Ok(connection) = self.connection()
            && !connection.is_autocommit()
            && let Err(error) = connection.execute_batch("ROLLBACK")
        {
            tracing::error!(%error, "a transaction is neither committed nor rolled back");
        }
    }
}

/// Binds values to places named `$1`, `$2`, ...: to SQLite these are names, and it counts them as
/// they come.
fn bind(statement: &mut Statement<'_>, values: &[Value<'_>]) -> Result<()> {
    for place in 1..=statement.parameter_count() {
        let name = statement.parameter_name(place).and_then(|name| name.strip_prefix('$'));
        let number = name.and_then(|name| name.parse::<usize>().ok()).unwrap_or(place);
        let value = number.checked_sub(1).and_then(|index| values.get(index));
        let value = value.ok_or(rusqlite::Error::InvalidParameterCount(values.len(), number))?;
        statement.raw_bind_parameter(place, value)?;
    }
    Ok(())
}

/// A row on its way out: its columns by their names.
pub(crate) struct Row(Vec<(String, rusqlite::types::Value)>);

impl Row {
    pub(crate) fn get<T: FromSql>(&self, column: &'static str) -> Result<T> {
        let found = self.0.iter().find(|(name, _)| name == column);
        let (_, value) =
            found.ok_or_else(|| rusqlite::Error::InvalidColumnName(column.to_owned()))?;
        Ok(T::column_result(value.into()).map_err(rusqlite::Error::from)?)
    }
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Text(Some(text)) => ValueRef::Text(text.as_bytes()),
            Self::Int(Some(number)) => ValueRef::Integer(*number),
            Self::Blob(Some(bytes)) => ValueRef::Blob(bytes),
            Self::Bool(yes) => ValueRef::Integer(i64::from(*yes)),
            Self::Text(None) | Self::Int(None) | Self::Blob(None) => ValueRef::Null,
        }))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]

    use super::*;
    use crate::db::{Db, Scope, Tx, values};

    struct Opened {
        db: Db,
        folder: std::path::PathBuf,
    }

    async fn opened(name: &str) -> Opened {
        let name = format!("strowger-{name}-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let url = format!("sqlite:{}", folder.join("strowger.db").display());
        let db = crate::open::open(&url).await.unwrap();
        let mut tx = db.write(Scope::Engine).await.unwrap();
        tx.run("CREATE TABLE pairs (a INTEGER, b BLOB)", &[]).await.unwrap();
        tx.commit().await.unwrap();
        Opened { db, folder }
    }

    impl Opened {
        async fn begin(&self) -> Tx {
            self.db.write_in_place(Scope::Engine).await.unwrap()
        }

        async fn count(&self) -> u64 {
            let mut tx = self.db.read(Scope::Engine).await.unwrap();
            let row = tx.row("SELECT count(*) AS count FROM pairs", &[]).await.unwrap();
            row.unwrap().count("count").unwrap()
        }

        async fn close(self) {
            self.db.close().await;
            assert!(self.db.write_in_place(Scope::Engine).await.is_err());
            std::fs::remove_dir_all(self.folder).unwrap();
        }
    }

    #[tokio::test]
    async fn values_go_to_the_places_of_their_numbers_in_whatever_order_those_stand() {
        let at = opened("places").await;
        let mut tx = at.begin().await;
        let sql = "INSERT INTO pairs (b, a) VALUES ($2, $1)";
        tx.run(sql, &values![7_u64, &b"seven"[..]]).await.unwrap();
        let sql = "SELECT a, b FROM pairs WHERE b = $2 AND a = $1";
        let row = tx.row(sql, &values![7_u64, &b"seven"[..]]).await.unwrap().unwrap();
        assert_eq!(
            (row.count("a").unwrap(), row.get::<Vec<u8>>("b").unwrap()),
            (7, b"seven".into())
        );
        assert!(row.get::<i64>("c").is_err());
        assert!(tx.run(sql, &values![7_u64]).await.is_err(), "a value is missing");
        tx.commit().await.unwrap();
        assert_eq!(at.count().await, 1);
        at.close().await;
    }

    #[tokio::test]
    async fn what_is_not_committed_is_gone_and_the_next_writer_has_its_turn() {
        let at = opened("turn").await;
        let mut tx = at.begin().await;
        tx.run("INSERT INTO pairs (a) VALUES (1)", &[]).await.unwrap();
        let other = at.db.clone();
        let waits = tokio::spawn(async move {
            let mut tx = other.write(Scope::Engine).await.unwrap();
            tx.run("INSERT INTO pairs (a) VALUES (2)", &[]).await.unwrap();
            tx.commit().await.unwrap();
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!waits.is_finished());
        drop(tx);
        waits.await.unwrap();
        assert_eq!(at.count().await, 1);
        drop(at.begin().await);
        at.close().await;
    }

    #[tokio::test]
    async fn a_full_disk_stops_a_batch_only_for_as_long_as_it_is_full() {
        let at = opened("full-in-place").await;
        let mut tx = at.begin().await;
        // What SQLite answers on a full disk, without filling one.
        tx.rows("PRAGMA max_page_count = 1", &[]).await.unwrap();
        let megabyte = vec![7_u8; 1 << 20];
        let sql = "INSERT INTO pairs (b) VALUES ($1)";
        let full = tx.run(sql, &values![megabyte.as_slice()]).await.unwrap_err();
        assert!(full.to_string().contains("full") && !full.is_refusal(), "{full}");
        drop(tx);
        let mut tx = at.begin().await;
        tx.rows("PRAGMA max_page_count = 1000000", &[]).await.unwrap();
        tx.run(sql, &values![megabyte.as_slice()]).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(at.count().await, 1);
        at.close().await;
    }
}
