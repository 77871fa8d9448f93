//! A recording whose end the store never heard of: the process died between the recorder's last
//! word and the commit. The next start finds it in the archive, or says that it is lost.

use std::fs;
use std::path::Path;

use crate::audio::Sound;
use crate::baresip::AMPLITUDE;
use crate::parts::{ACME_SALES, LIMIT, speaking_agent, speaking_carrier};
use crate::strowger::{ACME, Folder, Strowger};
use crate::talking::recorded;

const DATABASE: [&str; 3] = ["strowger.db", "strowger.db-wal", "strowger.db-shm"];

/// Copies the database's files; those that are not there are removed there, too.
fn copy_database(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for name in DATABASE {
        let _ = fs::remove_file(to.join(name));
        if from.join(name).exists() {
            fs::copy(from.join(name), to.join(name)).expect("a copy");
        }
    }
}

#[test]
fn a_recording_whose_end_was_not_committed_is_found_at_the_next_start_or_told_lost() {
    let folder = Folder::new("unheard");
    let (data, early) = (folder.path().join("data"), folder.path().join("early"));
    let server = Strowger::start(folder.path());
    let alice = speaking_agent(folder.path(), &server, "alice", 1000.0);
    server.agent_is(ACME, "alice", "available");
    let caller = speaking_carrier(folder.path(), &server, ACME_SALES, 440.0);
    alice.wait_for("Call established", LIMIT);
    alice.hears(440.0, 2.5);
    // What the store knows now is all that it will know: the recording runs.
    server.eventually("a recording that runs", "/api/v1/recordings", ACME, LIMIT, |rows| {
        (rows[0]["state"] == "recording").then_some(())
    });
    // Its files are one database only while nobody writes.
    server.signal("STOP");
    copy_database(&data, &early);
    server.signal("CONT");
    alice.hears(440.0, 3.5);
    drop(caller);
    let call = server.ended_calls(ACME, 1, LIMIT).remove(0);
    let id = call["id"].as_str().expect("its id").to_owned();
    let whole = recorded(&server, &id);
    drop(alice);
    assert_eq!(server.stop(), 0);

    copy_database(&early, &data);
    let server = Strowger::start(folder.path());
    let found = recorded(&server, &id);
    assert_eq!(found, whole, "the same audio");
    assert!(Sound::from_wav(&found, 0).seconds_with_tone(440.0, AMPLITUDE) >= 3.0);
    let recordings = server.data("/api/v1/recordings", ACME);
    assert_eq!(recordings.as_array().map(Vec::len), Some(1), "{recordings}");
    assert!(recordings[0]["failure"].is_null(), "{recordings}");
    assert_eq!(server.stop(), 0);

    copy_database(&early, &data);
    fs::remove_dir_all(data.join("recordings")).expect("the archive");
    let server = Strowger::start(folder.path());
    server.eventually("a lost recording", "/api/v1/recordings", ACME, LIMIT, |rows| {
        (rows[0]["state"] == "failed").then_some(())
    });
    server.told(ACME, &id, "recording.failed", 1);
    assert_eq!(server.stop(), 0);
}
