//! One real PostgreSQL for all tests of this process, as an unprivileged user, on a Unix socket in
//! a temporary folder. It ends with the process, however that ends: a shell waits for our end of
//! a pipe to close, then stops the server and removes the folder.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::sync::OnceCell;

use crate::postgres_programs::{is_root, programs, unprivileged};

struct Server {
    folder: PathBuf,
    /// Holds our end of the pipe.
    _shell: Child,
}

static SERVER: OnceCell<Option<Server>> = OnceCell::const_new();

const RUN: &str = r#"
"$1/postgres" -D "$2/db" -k "$2" -c listen_addresses= -c fsync=off -c max_connections=300 \
    >"$2/log" 2>&1 &
pid=$!
cat >/dev/null
kill -INT $pid; wait $pid
rm -rf "$2"
"#;

/// Makes a database that an ordinary user owns and returns its address.
pub(crate) async fn new_database(name: &str) -> Option<String> {
    let server = SERVER.get_or_init(start).await.as_ref()?;
    let host = server.folder.display();
    let mut admin =
        PgConnection::connect(&format!("postgres://admin@localhost/postgres?host={host}"))
            .await
            .unwrap();
    let sql = format!("CREATE DATABASE {name} OWNER strowger");
    sqlx::query(AssertSqlSafe(sql)).execute(&mut admin).await.unwrap();
    Some(format!("postgres://strowger@localhost/{name}?host={host}"))
}

#[expect(clippy::zombie_processes, reason = "it ends with this process, and its shell with it")]
async fn start() -> Option<Server> {
    let Some(programs) = programs() else {
        assert!(std::env::var_os("REQUIRE_POSTGRES").is_none(), "PostgreSQL is not installed");
        eprintln!("PostgreSQL is not installed: its half of these tests is left out");
        return None;
    };
    let folder = std::env::temp_dir().join(format!("strowger-pg-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    if is_root() {
        let nobody = Some(65_534);
        std::os::unix::fs::chown(&folder, nobody, nobody).unwrap();
    }
    let made = unprivileged(&programs.join("initdb"))
        .args(["-A", "trust", "-U", "admin", "-N", "-D"])
        .arg(folder.join("db"))
        .current_dir(&folder)
        .output()
        .unwrap();
    assert!(made.status.success(), "initdb: {}", String::from_utf8_lossy(&made.stderr));
    let shell = unprivileged(Path::new("/bin/sh"))
        .args(["-c", RUN, "sh"])
        .args([&programs, &folder])
        .current_dir(&folder)
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    let address = format!("postgres://admin@localhost/postgres?host={}", folder.display());
    for _ in 0..300 {
        if let Ok(mut admin) = PgConnection::connect(&address).await {
            sqlx::query("CREATE ROLE strowger LOGIN").execute(&mut admin).await.unwrap();
            return Some(Server { folder, _shell: shell });
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
    panic!("PostgreSQL did not start: {log}");
}
