//! One server on a database: a claim that is held for the process's life. On SQLite it is a locked
//! file beside the database, on PostgreSQL an advisory lock on a connection of its own.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::str::FromStr as _;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _};
use tokio::task::JoinHandle;

use crate::{Result, StoreError};

/// "STROWGER" in ASCII. PostgreSQL keeps advisory locks apart by database.
const KEY: i64 = 0x5354_524f_5747_4552;
/// A server that was killed a moment ago: its connection is still being cleared away.
const ATTEMPTS: u32 = 10;
const BETWEEN: Duration = Duration::from_millis(300);
/// A database that does not answer for so long is not there.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often the claim is looked after: a database that restarted has forgotten it.
const LOOK: Duration = Duration::from_secs(5);

/// The claim. Dropped, or with its process, it is free for the next.
#[derive(Debug)]
pub struct Claim(#[expect(dead_code, reason = "held, not read")] Held);

#[derive(Debug)]
enum Held {
    File(#[expect(dead_code, reason = "its lock goes with it")] File),
    Connection(#[expect(dead_code, reason = "dropped with the claim")] Look),
}

#[derive(Debug)]
struct Look(JoinHandle<()>);

impl Drop for Look {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Claim {
    /// Claims the database at `url`, as in [`crate::Store::open`]. Changes nothing in it.
    ///
    /// # Errors
    /// When another server has it: who; or when it cannot be reached.
    pub async fn database(url: &str) -> Result<Self> {
        match url.strip_prefix("sqlite:") {
            Some(path) => Self::file(Path::new(&format!("{}.lock", path.trim_start_matches("//")))),
            None => Self::connection(url).await,
        }
    }

    /// Claims whatever the file stands for; the file is made (0600) and never removed.
    ///
    /// # Errors
    /// When another process has it: which; or the disk's error.
    pub fn file(path: &Path) -> Result<Self> {
        let broken = |error: std::io::Error| {
            StoreError::Database(sqlx::Error::Io(std::io::Error::new(
                error.kind(),
                format!("{}: {error}", path.display()),
            )))
        };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let mut file = options.open(path).map_err(broken)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Who it is, is only for the message.
                let _ = file.read_to_string(&mut holder);
                let holder = format!("process {} (lock {})", holder.trim(), path.display());
                return Err(StoreError::Taken(holder));
            }
            Err(TryLockError::Error(error)) => return Err(broken(error)),
        }
        file.set_len(0).and_then(|()| file.rewind()).map_err(broken)?;
        writeln!(file, "{}", std::process::id()).map_err(broken)?;
        Ok(Self(Held::File(file)))
    }

    async fn connection(url: &str) -> Result<Self> {
        let options = PgConnectOptions::from_str(url)
            .map_err(|_| StoreError::Address(crate::open::kind_of(url).to_owned()))?
            .application_name(&format!("strowger lock, process {}", std::process::id()))
            .disable_statement_logging();
        let connecting = PgConnection::connect_with(&options);
        let mut connection = tokio::time::timeout(PATIENCE, connecting)
            .await
            .unwrap_or(Err(sqlx::Error::PoolTimedOut))?;
        let mut attempts = ATTEMPTS;
        while !lock(&mut connection).await? {
            attempts -= 1;
            if attempts == 0 {
                return Err(StoreError::Taken(holder(&mut connection).await?));
            }
            tokio::time::sleep(BETWEEN).await;
        }
        Ok(Self(Held::Connection(Look(tokio::spawn(look_after(connection, options))))))
    }
}

async fn lock(connection: &mut PgConnection) -> Result<bool> {
    let sql = "SELECT pg_try_advisory_lock($1)";
    Ok(sqlx::query_scalar(sql).bind(KEY).fetch_one(connection).await?)
}

async fn holder(connection: &mut PgConnection) -> Result<String> {
    let sql = "SELECT coalesce(application_name, '') || ' from ' || \
               coalesce(host(client_addr), 'the same machine') || ', backend ' || a.pid \
               FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid \
               WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1 \
               AND l.classid::bigint = $1 AND l.objid::bigint = $2 AND l.database = \
               (SELECT oid FROM pg_database WHERE datname = current_database())";
    let (high, low) = (KEY >> 32, KEY & 0xffff_ffff);
    let found: Option<Option<String>> =
        sqlx::query_scalar(sql).bind(high).bind(low).fetch_optional(connection).await?;
    Ok(found.flatten().unwrap_or_else(|| "an unknown connection".to_owned()))
}

/// Claims again what a restart of the database forgot.
async fn look_after(mut connection: PgConnection, options: PgConnectOptions) {
    loop {
        tokio::time::sleep(LOOK).await;
        if connection.ping().await.is_ok() {
            continue;
        }
        let Ok(mut anew) = PgConnection::connect_with(&options).await else { continue };
        match lock(&mut anew).await {
            Ok(true) => connection = anew,
            Ok(false) => tracing::error!("another server has claimed this database: stop one"),
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_claimed_file_names_its_holder_and_is_free_when_it_is_dropped() {
        let name = format!("strowger-claim-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let claim = Claim::file(&path).unwrap();
        let refused = Claim::file(&path).unwrap_err().to_string();
        assert!(refused.contains(&format!("process {}", std::process::id())), "{refused}");
        drop(claim);
        drop(Claim::file(&path).unwrap());
        std::fs::remove_file(path).unwrap();
    }
}
