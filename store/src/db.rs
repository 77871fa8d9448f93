//! The two databases behind one face: an enum of pools, one SQL text with `$1`, `$2`, ... for
//! both, and values and rows of the few types that both have. Nothing outside knows which it is.

use std::borrow::Cow;
use std::str::FromStr;

use base::{CallId, RecordingId, TenantId, UnixTime};
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{
    AssertSqlSafe, Decode, PgPool, PgTransaction, Postgres, Row as _, Sqlite, SqlitePool,
    SqliteTransaction, Type,
};

use crate::in_place::{self, InPlace, Turn};
use crate::{Result, StoreError};

/// Whose rows a transaction sees. PostgreSQL enforces it by row-level security.
#[derive(Clone, Copy)]
pub(crate) enum Scope<'a> {
    /// One tenant's.
    Tenant(&'a TenantId),
    /// Everybody's: for the engine's own start and the platform's role.
    Engine,
}

impl Scope<'_> {
    /// `*` is the engine; no tenant can have that name.
    fn as_str(&self) -> &str {
        match self {
            Self::Tenant(tenant) => tenant.as_str(),
            Self::Engine => "*",
        }
    }
}

/// The open database.
#[derive(Clone)]
pub(crate) enum Db {
    Sqlite { writer: SqlitePool, readers: SqlitePool, in_place: InPlace },
    Postgres(PgPool),
}

impl Db {
    /// Begins a transaction that only reads.
    pub(crate) async fn read(&self, scope: Scope<'_>) -> Result<Tx> {
        match self {
            Self::Sqlite { readers, .. } => Ok(Tx::Sqlite(readers.begin().await?, None)),
            Self::Postgres(pool) => Tx::postgres(pool, scope).await,
        }
    }

    /// Begins a transaction that writes. SQLite has one writer: the next one waits its turn here
    /// and not in the file's lock.
    pub(crate) async fn write(&self, scope: Scope<'_>) -> Result<Tx> {
        match self {
            Self::Sqlite { writer, in_place, .. } => {
                let turn = in_place.turn().await;
                Ok(Tx::Sqlite(writer.begin_with("BEGIN IMMEDIATE").await?, Some(turn)))
            }
            Self::Postgres(pool) => Tx::postgres(pool, scope).await,
        }
    }

    /// The same for many rows, from a thread that may wait for the disk.
    pub(crate) async fn write_in_place(&self, scope: Scope<'_>) -> Result<Tx> {
        match self {
            Self::Sqlite { in_place, .. } => Ok(Tx::InPlace(in_place.begin().await?)),
            Self::Postgres(pool) => Tx::postgres(pool, scope).await,
        }
    }

    pub(crate) async fn close(&self) {
        match self {
            Self::Sqlite { writer, readers, in_place } => {
                readers.close().await;
                in_place.close().await;
                writer.close().await;
            }
            Self::Postgres(pool) => pool.close().await,
        }
    }
}

/// A transaction; dropped without a commit it is rolled back.
pub(crate) enum Tx {
    /// With the turn to write, if it writes.
    Sqlite(SqliteTransaction<'static>, Option<Turn>),
    InPlace(in_place::Transaction),
    Postgres(PgTransaction<'static>),
}

impl Tx {
    async fn postgres(pool: &PgPool, scope: Scope<'_>) -> Result<Self> {
        let mut tx = Self::Postgres(pool.begin().await?);
        tx.enter(scope).await?;
        Ok(tx)
    }

    /// Goes on in another scope, in the same transaction.
    pub(crate) async fn enter(&mut self, scope: Scope<'_>) -> Result<()> {
        if let Self::Postgres(tx) = self {
            sqlx::query("SELECT set_config('strowger.tenant', $1, true)")
                .bind(scope.as_str())
                .execute(&mut **tx)
                .await?;
        }
        Ok(())
    }

    /// Runs one statement and says how many rows it touched.
    pub(crate) async fn run(
        &mut self,
        sql: impl Into<Cow<'static, str>>,
        values: &[Value<'_>],
    ) -> Result<u64> {
        let sql = AssertSqlSafe(sql.into());
        Ok(match self {
            Self::Sqlite(tx, _) => {
                let query = values.iter().fold(sqlx::query(sql), bind_sqlite);
                query.execute(&mut **tx).await?.rows_affected()
            }
            Self::InPlace(tx) => tx.run(sql.0.as_ref(), values)?,
            Self::Postgres(tx) => {
                let query = values.iter().fold(sqlx::query(sql), bind_postgres);
                query.execute(&mut **tx).await?.rows_affected()
            }
        })
    }

    /// How a statement names the places of its values, best for this database: SQLite looks a
    /// numbered place up among all others.
    pub(crate) fn places(&self) -> Places {
        match self {
            Self::Sqlite(..) | Self::InPlace(_) => Places::Marks,
            Self::Postgres(_) => Places::Numbered,
        }
    }

    /// A table that is read by that index. SQLite, which knows nothing of how rows are spread, would
    /// rather take one that spares it the sorting and read all of a tenant's rows; PostgreSQL knows.
    pub(crate) fn by_index(&self, table: &'static str, index: &'static str) -> Cow<'static, str> {
        match self.places() {
            Places::Marks => format!("{table} INDEXED BY {index}").into(),
            Places::Numbered => table.into(),
        }
    }

    /// Runs one query and takes all its rows; every caller bounds them.
    pub(crate) async fn rows(
        &mut self,
        sql: impl Into<Cow<'static, str>>,
        values: &[Value<'_>],
    ) -> Result<Vec<Row>> {
        let sql = AssertSqlSafe(sql.into());
        Ok(match self {
            Self::Sqlite(tx, _) => {
                let query = values.iter().fold(sqlx::query(sql), bind_sqlite);
                query.fetch_all(&mut **tx).await?.into_iter().map(Row::Sqlite).collect()
            }
            Self::InPlace(tx) => {
                tx.rows(sql.0.as_ref(), values)?.into_iter().map(Row::InPlace).collect()
            }
            Self::Postgres(tx) => {
                let query = values.iter().fold(sqlx::query(sql), bind_postgres);
                query.fetch_all(&mut **tx).await?.into_iter().map(Row::Postgres).collect()
            }
        })
    }

    /// Runs one query and takes its first row, if there is one.
    pub(crate) async fn row(
        &mut self,
        sql: impl Into<Cow<'static, str>>,
        values: &[Value<'_>],
    ) -> Result<Option<Row>> {
        Ok(self.rows(sql, values).await?.into_iter().next())
    }

    pub(crate) async fn commit(self) -> Result<()> {
        match self {
            Self::Sqlite(tx, _turn) => tx.commit().await?,
            Self::InPlace(tx) => tx.commit()?,
            Self::Postgres(tx) => tx.commit().await?,
        }
        Ok(())
    }
}

/// The places of values in a statement's text.
#[derive(Clone, Copy)]
pub(crate) enum Places {
    /// `?`, in their order.
    Marks,
    /// `$1`, `$2`, ...
    Numbered,
}

/// A value on its way in, of a type that both databases have. Null keeps its type, which
/// PostgreSQL wants to know.
#[derive(Clone)]
pub(crate) enum Value<'a> {
    Text(Option<Cow<'a, str>>),
    Int(Option<i64>),
    Blob(Option<&'a [u8]>),
    Bool(bool),
}

type SqliteQuery<'q> = Query<'q, Sqlite, SqliteArguments>;
type PostgresQuery<'q> = Query<'q, Postgres, PgArguments>;

fn bind_sqlite<'q>(query: SqliteQuery<'q>, value: &Value<'_>) -> SqliteQuery<'q> {
    match value {
        Value::Text(text) => query.bind(text.as_deref()),
        Value::Int(number) => query.bind(*number),
        Value::Blob(bytes) => query.bind(*bytes),
        Value::Bool(yes) => query.bind(*yes),
    }
}

fn bind_postgres<'q>(query: PostgresQuery<'q>, value: &Value<'_>) -> PostgresQuery<'q> {
    match value {
        // PostgreSQL's text cannot hold NUL; nothing a person reads does.
        Value::Text(Some(text)) if text.contains('\0') => {
            query.bind(text.replace('\0', "\u{fffd}"))
        }
        Value::Text(text) => query.bind(text.as_deref()),
        Value::Int(number) => query.bind(*number),
        Value::Blob(bytes) => query.bind(*bytes),
        Value::Bool(yes) => query.bind(*yes),
    }
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Self::Text(Some(Cow::Borrowed(text)))
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Self::Text(Some(Cow::Borrowed(text)))
    }
}

impl From<String> for Value<'_> {
    fn from(text: String) -> Self {
        Self::Text(Some(Cow::Owned(text)))
    }
}

impl<'a> From<Option<&'a str>> for Value<'a> {
    fn from(text: Option<&'a str>) -> Self {
        Self::Text(text.map(Cow::Borrowed))
    }
}

impl<'a> From<&'a TenantId> for Value<'a> {
    fn from(tenant: &'a TenantId) -> Self {
        Self::from(tenant.as_str())
    }
}

impl From<CallId> for Value<'_> {
    fn from(call: CallId) -> Self {
        Self::from(call.to_string())
    }
}

impl From<Option<CallId>> for Value<'_> {
    fn from(call: Option<CallId>) -> Self {
        Self::Text(call.map(|call| Cow::Owned(call.to_string())))
    }
}

impl From<RecordingId> for Value<'_> {
    fn from(recording: RecordingId) -> Self {
        Self::from(recording.to_string())
    }
}

impl From<Option<RecordingId>> for Value<'_> {
    fn from(recording: Option<RecordingId>) -> Self {
        Self::Text(recording.map(|recording| Cow::Owned(recording.to_string())))
    }
}

impl From<i64> for Value<'_> {
    fn from(number: i64) -> Self {
        Self::Int(Some(number))
    }
}

impl From<u64> for Value<'_> {
    fn from(number: u64) -> Self {
        Self::Int(Some(i64::try_from(number).unwrap_or(i64::MAX)))
    }
}

impl From<Option<u64>> for Value<'_> {
    fn from(number: Option<u64>) -> Self {
        Self::Int(number.map(|number| i64::try_from(number).unwrap_or(i64::MAX)))
    }
}

impl From<UnixTime> for Value<'_> {
    fn from(at: UnixTime) -> Self {
        Self::Int(Some(at.as_micros()))
    }
}

impl From<Option<UnixTime>> for Value<'_> {
    fn from(at: Option<UnixTime>) -> Self {
        Self::Int(at.map(UnixTime::as_micros))
    }
}

impl<'a> From<&'a [u8]> for Value<'a> {
    fn from(bytes: &'a [u8]) -> Self {
        Self::Blob(Some(bytes))
    }
}

impl<'a> From<Option<&'a [u8]>> for Value<'a> {
    fn from(bytes: Option<&'a [u8]>) -> Self {
        Self::Blob(bytes)
    }
}

impl From<bool> for Value<'_> {
    fn from(yes: bool) -> Self {
        Self::Bool(yes)
    }
}

/// The values of a statement, in the order of `$1`, `$2`, ...
macro_rules! values {
    ($($value:expr),* $(,)?) => { [$($crate::db::Value::from($value)),*] };
}
pub(crate) use values;

/// A row on its way out.
pub(crate) enum Row {
    Sqlite(SqliteRow),
    InPlace(in_place::Row),
    Postgres(PgRow),
}

impl Row {
    /// The column as `i64`, `String`, `Vec<u8>`, `bool` or an `Option` of those.
    pub(crate) fn get<T>(&self, column: &'static str) -> Result<T>
    where
        T: for<'r> Decode<'r, Sqlite> + Type<Sqlite>,
        T: for<'r> Decode<'r, Postgres> + Type<Postgres>,
        T: rusqlite::types::FromSql,
    {
        Ok(match self {
            Self::Sqlite(row) => row.try_get(column)?,
            Self::InPlace(row) => row.get(column)?,
            Self::Postgres(row) => row.try_get(column)?,
        })
    }

    /// A text column that holds an identifier.
    pub(crate) fn id<T: FromStr>(&self, column: &'static str) -> Result<T> {
        let text: String = self.get(column)?;
        text.parse().map_err(|_| damaged(column, &text))
    }

    /// A text column that may hold an identifier.
    pub(crate) fn optional_id<T: FromStr>(&self, column: &'static str) -> Result<Option<T>> {
        let text: Option<String> = self.get(column)?;
        text.map(|text| text.parse().map_err(|_| damaged(column, &text))).transpose()
    }

    /// A number column that is never negative.
    pub(crate) fn count(&self, column: &'static str) -> Result<u64> {
        Ok(u64::try_from(self.get::<i64>(column)?).unwrap_or(0))
    }

    /// A number column that is never negative and may be empty.
    pub(crate) fn optional_count(&self, column: &'static str) -> Result<Option<u64>> {
        Ok(self.get::<Option<i64>>(column)?.map(|number| u64::try_from(number).unwrap_or(0)))
    }

    /// A time column.
    pub(crate) fn time(&self, column: &'static str) -> Result<UnixTime> {
        Ok(UnixTime::from_micros(self.get(column)?))
    }

    /// A time column that may be empty.
    pub(crate) fn optional_time(&self, column: &'static str) -> Result<Option<UnixTime>> {
        Ok(self.get::<Option<i64>>(column)?.map(UnixTime::from_micros))
    }
}

/// A column that holds what it cannot hold. The text is not shown: it may be personal.
pub(crate) fn damaged(column: &str, text: &str) -> StoreError {
    StoreError::Damaged(format!("column {column} ({} bytes)", text.len()))
}
