//! How long recordings are kept: what is too old goes from a real S3 server, and nothing else does.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::parts::{ACME_SALES, AGENTS, CARRIER_A, GLOBEX_SALES, LIMIT};
use crate::provisioning::demo;
use crate::recording::files;
use crate::s3;
use crate::strowger::{ACME, Folder, GLOBEX, Setup, Strowger};
use crate::talking::recorded_of;
use crate::ua::{Ua, body};

/// A call to a queue that an agent takes; both speak for a moment. Gives its id, once its
/// recording is complete.
fn recorded_call(server: &Strowger, key: &str, number: &str, agent: (&str, &str)) -> String {
    let mut phone = Ua::new(AGENTS, server.sip, 1000.0);
    phone.registers_in(agent.0, agent.1);
    server.agent_is(key, agent.0, "available");
    let mut caller = Ua::new(CARRIER_A, server.sip, 440.0);
    let offer = caller.sdp();
    let mut call = caller.invites(
        "sip:+12125550199@carrier.example",
        &format!("sip:{number}@x.example"),
        &offer,
    );
    let ok = caller.is_answered(&mut call);
    let invite = phone.expect("INVITE ");
    let answer = phone.sdp();
    phone.respond(&invite, "200 OK", "", &answer);
    phone.expect("ACK ");
    caller.voice.talks_to(body(&ok));
    phone.voice.talks_to(body(&invite));
    caller.voice.hears(1000.0, 0.5);
    caller.hangs_up(&mut call);
    phone.hears_bye();
    let path = "/api/v1/calls?per_page=200";
    let id = server.eventually("the end of the call", path, key, LIMIT, |calls| {
        let all = calls.as_array()?;
        let newest = all.iter().max_by_key(|call| call["started_at"].to_string())?;
        (newest["state"] == "ended").then(|| newest["id"].as_str().expect("its id").to_owned())
    });
    recorded_of(server, key, &id);
    // It is at the end of its work, not in the way of the next call.
    server.agent_is(key, agent.0, "available");
    id
}

/// Every object of the bucket, and what is in it.
fn objects(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let all = files(root).into_iter();
    all.map(|path| (path.clone(), fs::read(&path).expect("an object"))).collect()
}

fn state_of(server: &Strowger, key: &str, call: &str) -> (String, String) {
    let recordings = server.data("/api/v1/recordings?per_page=200", key);
    let mut rows = recordings.as_array().expect("recordings").iter();
    let row = rows.find(|row| row["call_id"] == call).expect("its row");
    let text = |name: &str| row[name].as_str().expect(name).to_owned();
    (text("id"), text("state"))
}

/// Makes recordings two days older, in the database of a server that is stopped.
fn age(data: &Path, recordings: &[&str]) {
    let change = "import sqlite3, sys\n\
                  db = sqlite3.connect(sys.argv[1])\n\
                  for one in sys.argv[2:]:\n\
                  \x20   done = db.execute('UPDATE recordings SET started_at = started_at \
                  - 172800000000 WHERE recording_id = ?', (one,)).rowcount\n\
                  \x20   assert done == 1, (one, done)\n\
                  db.commit()\n";
    let output = Command::new("python3")
        .args(["-c", change])
        .arg(data.join("strowger.db"))
        .args(recordings)
        .output()
        .expect("python3: run scripts/install test");
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{errors}");
}

#[test]
fn a_recording_that_is_too_old_goes_from_s3_and_nothing_else_does() {
    let folder = Folder::new("retention");
    let root = folder.path().join("s3");
    let s3 = s3::serve(&root);
    // Acme keeps recordings for a day, globex for ever.
    let limits = "limits = { concurrent_calls = 500, calls_per_second = 100 }";
    let short = limits.replace(" }", ", retention_days = 1 }");
    let setup = Setup {
        config: format!(
            "[recordings.s3]\nendpoint = \"http://{s3}\"\nbucket = \"recordings\"\n\
             prefix = \"calls\"\n"
        ),
        environment: vec![
            ("STROWGER_S3_ACCESS_KEY", s3::ACCESS_KEY.into()),
            ("STROWGER_S3_SECRET_KEY", s3::SECRET_KEY.into()),
        ],
        provisioning: Some(demo(folder.path(), "", &[(limits, &short)])),
        ..Setup::default()
    };
    let server = Strowger::start_with(folder.path(), &setup);
    let old = recorded_call(&server, ACME, ACME_SALES, ("alice", "acme.example"));
    let new = recorded_call(&server, ACME, ACME_SALES, ("alice", "acme.example"));
    let theirs = recorded_call(&server, GLOBEX, GLOBEX_SALES, ("gina", "globex.example"));
    let (old_id, _) = state_of(&server, ACME, &old);
    let (new_id, _) = state_of(&server, ACME, &new);
    let (their_id, _) = state_of(&server, GLOBEX, &theirs);
    assert_eq!(server.stop(), 0);

    // What others keep in that bucket, some of it under names much like ours.
    let bucket = root.join("recordings");
    fs::create_dir_all(bucket.join("calls/acme/notes")).expect("a folder");
    fs::write(bucket.join("calls/acme/notes/minutes.txt"), "keep").expect("a foreign object");
    fs::write(bucket.join("backup.tar"), "keep").expect("a foreign object");
    let before = objects(&bucket);
    let of = |id: &str| {
        let name = id.to_owned();
        move |path: &&PathBuf| path.to_string_lossy().contains(&name)
    };
    for id in [&old_id, &new_id, &their_id] {
        assert_eq!(before.keys().filter(of(id)).count(), 2, "audio and its side file: {before:?}");
    }
    age(&folder.path().join("data"), &[&old_id, &their_id]);

    let server = Strowger::start_with(folder.path(), &setup);
    let path = format!("/api/v1/recordings/{old_id}");
    server.eventually("its deletion", &path, ACME, LIMIT, |row| {
        (row["state"] == "deleted").then_some(())
    });
    assert_eq!(server.get(&format!("{path}/audio"), ACME).status, 410);
    let mut kept = before.clone();
    kept.retain(|path, _| !path.to_string_lossy().contains(&old_id));
    assert_eq!(objects(&bucket).keys().collect::<Vec<_>>(), kept.keys().collect::<Vec<_>>());
    assert!(objects(&bucket) == kept, "what is left was not touched");
    for (key, id) in [(ACME, &new_id), (GLOBEX, &their_id)] {
        let audio = server.get(&format!("/api/v1/recordings/{id}/audio"), key);
        assert_eq!((audio.status, &audio.body[..4]), (200, &b"RIFF"[..]));
    }
    let row: Value = server.data(&format!("/api/v1/recordings/{their_id}"), GLOBEX);
    assert_eq!(row["state"], "completed", "globex keeps its own for ever: {row}");
    assert_eq!(server.stop(), 0);
}
