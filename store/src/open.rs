//! Opening either database: options, pools, migrations.

use std::borrow::Cow;
use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, SqlSafeStr};

use crate::db::Db;
use crate::{Result, StoreError};

/// SQLite's readers never wait for its writer (WAL); four are plenty on one machine.
const SQLITE_READERS: u32 = 4;
const POSTGRES_CONNECTIONS: u32 = 12;
/// How long a statement waits for another process's lock, and a caller for a free connection.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) async fn open(url: &str) -> Result<Db> {
    if let Some(path) = url.strip_prefix("sqlite:") {
        sqlite(path.trim_start_matches("//")).await
    } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        postgres(url).await
    } else {
        Err(StoreError::Address(kind_of(url).to_owned()))
    }
}

/// What stands before the first colon: an address may hold a password, an error must not.
fn kind_of(url: &str) -> &str {
    url.split(':').next().unwrap_or_default()
}

async fn sqlite(path: &str) -> Result<Db> {
    if path.is_empty() || path.starts_with(":memory:") {
        return Err(StoreError::Address("sqlite without a path".to_owned()));
    }
    let options = SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        // An event that a subscriber saw must not be gone after a power cut; appends come in
        // batches, so there is one sync for many.
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(PATIENCE)
        .disable_statement_logging();
    let writer = SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(PATIENCE)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_with(options.clone().create_if_missing(true))
        .await?;
    migrator(&[(1, "the first rooms", include_str!("../migrations/sqlite/0001_first.sql"))])
        .run(&writer)
        .await?;
    let readers = SqlitePoolOptions::new()
        .max_connections(SQLITE_READERS)
        .acquire_timeout(PATIENCE)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_with(options.read_only(true))
        .await?;
    Ok(Db::Sqlite { writer, readers })
}

async fn postgres(url: &str) -> Result<Db> {
    let options = PgConnectOptions::from_str(url)
        .map_err(|_| StoreError::Address(kind_of(url).to_owned()))?
        .application_name("strowger")
        .disable_statement_logging();
    let pool = PgPoolOptions::new()
        .max_connections(POSTGRES_CONNECTIONS)
        .acquire_timeout(PATIENCE)
        .connect_with(options)
        .await?;
    migrator(&[(1, "the first rooms", include_str!("../migrations/postgres/0001_first.sql"))])
        .run(&pool)
        .await?;
    let sql = "SELECT rolsuper OR rolbypassrls FROM pg_roles WHERE rolname = current_user";
    if sqlx::query_scalar::<_, bool>(sql).fetch_one(&pool).await? {
        tracing::warn!("this database user is above row-level security: give us an ordinary one");
    }
    Ok(Db::Postgres(pool))
}

/// The migrations stand in the binary; no folder is needed where it runs.
fn migrator(steps: &[(i64, &'static str, &'static str)]) -> Migrator {
    let migrations = steps.iter().map(|(version, name, sql)| {
        let simple = MigrationType::Simple;
        Migration::new(*version, Cow::Borrowed(*name), simple, (*sql).into_sql_str(), false)
    });
    Migrator { migrations: Cow::Owned(migrations.collect()), ..Migrator::DEFAULT }
}
