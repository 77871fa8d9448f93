//! A second server on the same data folder or database is turned away before it touches anything.

use std::path::Path;
use std::process::{Command, Output};

use crate::parts::{ACME_SALES, CARRIER_A, LIMIT, PATIENT, TALK, agent, carrier};
use crate::postgres::Postgres;
use crate::strowger::{ACME, Folder, Setup, Strowger};

/// On ports of its own: only the folder and the database are the same.
pub(crate) fn second(folder: &Path, data: &str, database: &str) -> Output {
    let config = folder.join("second.toml");
    let text = format!(
        "data_dir = \"{}\"\n[sip]\nudp = [\"127.0.0.1:0\"]\ntcp = []\n\
         [http]\nlisten = \"127.0.0.1:0\"\n[rtp]\nports = \"0\"\naddress = \"127.0.0.1\"\n{database}",
        folder.join(data).display(),
    );
    std::fs::write(&config, text).expect("the configuration");
    // One that is not turned away would serve for ever: it is ended, and its status is not 1.
    Command::new("timeout")
        .args(["60", env!("CARGO_BIN_EXE_strowger"), "serve", "--config"])
        .arg(&config)
        .output()
        .expect("the binary")
}

fn is_turned_away(output: &Output, holder: &str) {
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{told}");
    let line = told.lines().last().unwrap_or_default();
    assert!(line.contains("another server is running on this: "), "{told}");
    assert!(line.contains(holder), "{told}");
}

#[test]
fn on_the_same_folder_or_the_same_file_it_ends_and_the_first_ones_call_goes_on() {
    let folder = Folder::new("second");
    let server = Strowger::start(folder.path());
    let phone = agent(folder.path(), &server, "alice", "acme.example", 1, &TALK);
    server.agent_is(ACME, "alice", "available");
    let caller = carrier(folder.path(), &server, CARRIER_A, ACME_SALES, 1, &PATIENT);
    server.agent_is(ACME, "alice", "busy");

    let holder = format!("process {}", server.pid());
    is_turned_away(&second(folder.path(), "data", ""), &holder);
    let file = folder.path().join("data/strowger.db");
    let database = format!("[database]\nurl = \"sqlite:{}\"\n", file.display());
    is_turned_away(&second(folder.path(), "other", &database), &holder);

    server.calls_are(ACME, 1, "connected");
    caller.hang_up();
    caller.succeed(LIMIT);
    phone.succeed(LIMIT);
    let call = server.ended_calls(ACME, 1, LIMIT).remove(0);
    assert_eq!(call["cause"], "normal", "{call}");
    let id = call["id"].as_str().expect("its id");
    assert!(!server.event_types(ACME, id).contains(&"event.missing".to_owned()));
    assert!(!folder.path().join("data/rejected.jsonl").exists());
    assert_eq!(server.stop(), 0);
}

#[test]
fn on_the_same_postgresql_database_it_ends_until_the_first_has_ended() {
    let folder = Folder::new("second-postgres");
    let Some(database) = Postgres::start(folder.path()) else { return };
    let config = format!("[database]\nurl = \"{}\"\n", database.url());
    let setup = Setup { config: config.clone(), ..Setup::default() };
    let server = Strowger::start_with(folder.path(), &setup);
    let turned_away = second(folder.path(), "other", &config);
    is_turned_away(&turned_away, &format!("process {}", server.pid()));
    server.kill();
    let server = Strowger::start_with(folder.path(), &setup);
    assert_eq!(server.stop(), 0);
}

#[test]
fn what_holds_passwords_is_readable_by_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new("modes");
    let server = Strowger::start(folder.path());
    let data = folder.path().join("data");
    let mode = |path: &Path| path.metadata().expect("it").permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    for name in ["lock", "strowger.db", "strowger.db-wal", "journal.jsonl", "keyring.json"] {
        assert_eq!(mode(&data.join(name)), 0o600, "{name}");
    }
    assert_eq!(server.stop(), 0);
}
