//! Opening either database: options, pools, migrations.

use std::borrow::Cow;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection as _, SqlSafeStr};

use crate::db::Db;
use crate::in_place::InPlace;
use crate::{Result, StoreError};

/// SQLite's readers never wait for its writer (WAL); four are plenty on one machine.
const SQLITE_READERS: u32 = 4;
const POSTGRES_CONNECTIONS: u32 = 12;
/// How long a caller waits for PostgreSQL: one that is away is told of soon, and events go into the
/// journal meanwhile.
const POSTGRES_PATIENCE: Duration = Duration::from_secs(2);
/// How long a statement waits for another process's lock, and a caller for a free connection.
const PATIENCE: Duration = Duration::from_secs(10);

/// Statements that stay prepared on a connection: those of one batch come in many lengths.
const STATEMENTS: usize = 256;

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
pub(crate) fn kind_of(url: &str) -> &str {
    url.split(':').next().unwrap_or_default()
}

async fn sqlite(path: &str) -> Result<Db> {
    if path.is_empty() || path.starts_with(":memory:") {
        return Err(StoreError::Address("sqlite without a path".to_owned()));
    }
    make_private(Path::new(path))?;
    let options = SqliteConnectOptions::new()
        .filename(path)
        .foreign_keys(true)
        .journal_mode(SqliteJournalMode::Wal)
        // An event that a subscriber saw must not be gone after a power cut; appends come in
        // batches, so there is one sync for many.
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(PATIENCE)
        .statement_cache_capacity(STATEMENTS)
        .disable_statement_logging();
    let writer = SqlitePoolOptions::new()
        .max_connections(1)
        .acquire_timeout(PATIENCE)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        // A full disk makes SQLite roll back by itself, which sqlx does not learn: what is still
        // in a transaction that nobody holds is closed, and another is opened.
        .before_acquire(|connection, _| {
            let is_idle = !connection.is_in_transaction();
            Box::pin(async move { Ok(is_idle) })
        })
        .connect_with(options.clone().create_if_missing(true))
        .await?;
    migrator(&[
        (1, "the first rooms", include_str!("../migrations/sqlite/0001_first.sql")),
        (2, "identity", include_str!("../migrations/sqlite/0002_identity.sql")),
        (3, "decisions with their call", include_str!("../migrations/sqlite/0003_decisions.sql")),
        (4, "explorer", include_str!("../migrations/sqlite/0004_explorer.sql")),
        (5, "wrap-ups", include_str!("../migrations/sqlite/0005_wrap_ups.sql")),
        (6, "number pages", include_str!("../migrations/sqlite/0006_number_pages.sql")),
    ])
    .run(&writer)
    .await?;
    let readers = SqlitePoolOptions::new()
        .max_connections(SQLITE_READERS)
        .acquire_timeout(PATIENCE)
        .max_lifetime(None)
        .test_before_acquire(false)
        .connect_with(options.read_only(true))
        .await?;
    let in_place = InPlace::open(Path::new(path))?;
    Ok(Db::Sqlite { writer, readers, in_place })
}

/// For its owner alone: it holds passwords. SQLite gives its other files the mode of this one.
fn make_private(path: &Path) -> Result<()> {
    use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
    let mut options = std::fs::OpenOptions::new();
    let made = options.write(true).create(true).truncate(false).mode(0o600).open(path);
    let mode = std::fs::Permissions::from_mode(0o600);
    made.and_then(|_| std::fs::set_permissions(path, mode)).map_err(sqlx::Error::Io)?;
    // Of an earlier run that left them, and was less careful.
    for suffix in ["-wal", "-shm"] {
        let other = format!("{}{suffix}", path.display());
        let mode = std::fs::Permissions::from_mode(0o600);
        match std::fs::set_permissions(other, mode) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(StoreError::Database(sqlx::Error::Io(error)));
            }
            _ => {}
        }
    }
    Ok(())
}

async fn postgres(url: &str) -> Result<Db> {
    let options = PgConnectOptions::from_str(url)
        .map_err(|_| StoreError::Address(kind_of(url).to_owned()))?
        .application_name("strowger")
        .statement_cache_capacity(STATEMENTS)
        .disable_statement_logging();
    let pool = PgPoolOptions::new()
        .max_connections(POSTGRES_CONNECTIONS)
        .acquire_timeout(POSTGRES_PATIENCE)
        .connect_with(options)
        .await?;
    migrator(&[
        (1, "the first rooms", include_str!("../migrations/postgres/0001_first.sql")),
        (2, "identity", include_str!("../migrations/postgres/0002_identity.sql")),
        (3, "decisions with their call", include_str!("../migrations/postgres/0003_decisions.sql")),
        (4, "explorer", include_str!("../migrations/postgres/0004_explorer.sql")),
        (5, "wrap-ups", include_str!("../migrations/postgres/0005_wrap_ups.sql")),
        (6, "number pages", include_str!("../migrations/postgres/0006_number_pages.sql")),
    ])
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use crate::db::{Scope, values};

    #[tokio::test]
    async fn a_full_disk_stops_writing_only_for_as_long_as_it_is_full() {
        let name = format!("strowger-full-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        let db = open(&format!("sqlite:{}", folder.join("strowger.db").display())).await.unwrap();
        let mut tx = db.write(Scope::Engine).await.unwrap();
        let sql = "CREATE TABLE filler (bytes BLOB)";
        tx.run(sql, &[]).await.unwrap();
        tx.commit().await.unwrap();
        // What SQLite answers on a full disk, without filling one; a new connection has no limit.
        let mut tx = db.write(Scope::Engine).await.unwrap();
        tx.rows("PRAGMA max_page_count = 1", &[]).await.unwrap();
        let megabyte = vec![7_u8; 1 << 20];
        let sql = "INSERT INTO filler VALUES ($1)";
        let full = tx.run(sql, &values![megabyte.as_slice()]).await;
        assert!(full.unwrap_err().to_string().contains("full"));
        drop(tx);
        let mut tx = db.write(Scope::Engine).await.unwrap();
        tx.run(sql, &values![megabyte.as_slice()]).await.unwrap();
        tx.commit().await.unwrap();
        let mut tx = db.read(Scope::Engine).await.unwrap();
        let row = tx.row("SELECT count(*) AS count FROM filler", &[]).await.unwrap();
        assert_eq!(row.unwrap().count("count").unwrap(), 1);
        drop(tx);
        db.close().await;
        std::fs::remove_dir_all(folder).unwrap();
    }
}
