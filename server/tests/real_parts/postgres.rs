//! A real PostgreSQL that a test can take away from a running server and give back.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::certificates::Files;
use crate::postgres_programs::{is_root, programs, unprivileged};

/// Runs until our end of its standard input closes, also when this process is killed.
const RUN: &str = r#"
"$1/postgres" -D "$2/db" -k "$2" -c listen_addresses="$3" -c fsync=off >>"$2/log" 2>&1 &
pid=$!
cat >/dev/null
kill -INT $pid; wait $pid
"#;

/// Our own PostgreSQL, in a folder of its own, on a Unix socket there.
pub(crate) struct Postgres {
    programs: PathBuf,
    folder: PathBuf,
    /// Where it listens besides its socket; empty: nowhere.
    listen: &'static str,
    shell: Option<Child>,
}

impl Postgres {
    /// A running one with an empty database; `None` where it is not installed.
    pub(crate) fn start(folder: &Path) -> Option<Self> {
        let Some(programs) = programs() else {
            assert!(std::env::var_os("REQUIRE_POSTGRES").is_none(), "PostgreSQL is not installed");
            eprintln!("PostgreSQL is not installed: nothing to try");
            return None;
        };
        let folder = folder.join("pg");
        std::fs::create_dir_all(&folder).expect("a folder for the database");
        if is_root() {
            let nobody = Some(65_534);
            std::os::unix::fs::chown(&folder, nobody, nobody).expect("to give it away");
        }
        let mut server = Self { programs, folder, listen: "", shell: None };
        server.make();
        server.resume();
        server.sql("CREATE ROLE strowger LOGIN");
        server.sql("CREATE DATABASE calls OWNER strowger");
        Some(server)
    }

    /// What goes into `database.url`.
    pub(crate) fn url(&self) -> String {
        format!("postgres://strowger@localhost/calls?host={}", self.folder.display())
    }

    /// Begins anew with TLS at that address, and takes nobody there without.
    pub(crate) fn serve_tls(&mut self, address: &'static str, own: &Files) {
        self.stop();
        let put = |name: &str, bytes: &[u8]| {
            use std::os::unix::fs::{PermissionsExt, chown};
            let path = self.folder.join("db").join(name);
            std::fs::write(&path, bytes).expect("its file");
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600))
                .expect("a mode");
            if is_root() {
                chown(&path, Some(65_534), Some(65_534)).expect("to give it away");
            }
        };
        put("server.crt", &std::fs::read(&own.chain).expect("a certificate"));
        put("server.key", &std::fs::read(&own.key).expect("a key"));
        put("pg_hba.conf", b"local all all trust\nhostssl all all all trust\n");
        let config = self.folder.join("db/postgresql.conf");
        let config = std::fs::read_to_string(config).expect("its configuration") + "\nssl = on\n";
        put("postgresql.conf", config.as_bytes());
        self.listen = address;
        self.resume();
    }

    /// Takes it away: connections are cut, new ones refused.
    pub(crate) fn stop(&mut self) {
        if let Some(mut shell) = self.shell.take() {
            drop(shell.stdin.take());
            shell.wait().expect("its end");
        }
    }

    /// Gives it back.
    pub(crate) fn resume(&mut self) {
        let shell = unprivileged(Path::new("/bin/sh"))
            .args(["-c", RUN, "sh"])
            .args([&self.programs, &self.folder, Path::new(self.listen)])
            .current_dir(&self.folder)
            .stdin(Stdio::piped())
            .spawn()
            .expect("PostgreSQL");
        self.shell = Some(shell);
        let deadline = Instant::now() + Duration::from_secs(30);
        while !self.psql("SELECT 1") {
            assert!(Instant::now() < deadline, "PostgreSQL did not start");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    fn sql(&self, statement: &str) {
        assert!(self.psql(statement), "{statement}");
    }

    fn psql(&self, statement: &str) -> bool {
        let output = unprivileged(&self.programs.join("psql"))
            .args(["-U", "admin", "-d", "postgres", "-c", statement, "-h"])
            .arg(&self.folder)
            .current_dir(&self.folder)
            .output();
        output.is_ok_and(|output| output.status.success())
    }

    fn make(&self) {
        let output = unprivileged(&self.programs.join("initdb"))
            .args(["-A", "trust", "-U", "admin", "-N", "-D"])
            .arg(self.folder.join("db"))
            .current_dir(&self.folder)
            .output()
            .expect("initdb");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
    }
}
