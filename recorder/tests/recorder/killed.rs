//! Recordings of a process that was killed, and what the next start makes of them.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;
use std::sync::mpsc::RecvTimeoutError;
use std::time::{Duration, Instant};

use recorder::{Archive, Finished, ObjectStore, ObjectStoreConfig, Report};

use crate::stage::{
    AGENT, CALLER, Stage, channels, empty_spool, files, folder, level, search_for_plaintext,
    tenant, until,
};

const CHILD: &str = "STROWGER_RECORDER_TEST_CHILD";

fn local(root: &Path) -> ObjectStore {
    let path = root.join("archive");
    ObjectStore::open(&ObjectStoreConfig::Folder { path, prefix: String::new() }).unwrap()
}

/// Not a test of its own: the process that [`kill_9_loses_at_most_a_second`] kills. It records
/// both voices in real time and says how many packets it was given, and by how many milliseconds
/// the machine was late with one at worst.
#[tokio::test]
async fn child_that_records_until_it_is_killed() {
    let Ok(root) = std::env::var(CHILD) else { return };
    let root = PathBuf::from(root);
    let mut stage = Stage::start(&root, local(&root), |config| config.part_bytes = 20_000);
    stage.begin(&tenant("acme"), 1).await;
    let start = Instant::now();
    let mut late = Duration::ZERO;
    for n in 0.. {
        let due = Duration::from_millis(20) * n;
        if let Some(wait) = due.checked_sub(start.elapsed()) {
            tokio::time::sleep(wait).await;
        }
        late = late.max(start.elapsed().saturating_sub(due));
        let at = base::Instant::from_millis(20 * u64::from(n));
        for channel in [media::Channel::Left, media::Channel::Right] {
            let frame = crate::stage::frame(media::TapId(1), channel, u64::from(n), at);
            assert!(stage.ring.push_audio(frame));
        }
        stage.nanos.store((at + Duration::from_millis(20)).as_nanos(), Ordering::SeqCst);
        println!("\nspoken {} {}", n + 1, late.as_millis());
        std::io::stdout().flush().unwrap();
    }
}

/// Runs that process for so many packets, kills it, and gives how many it was given in the end,
/// and how many milliseconds late it was at worst.
fn record_and_kill(root: &Path, packets: u64) -> (u64, u64) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "killed::child_that_records_until_it_is_killed", "--nocapture"])
        .env(CHILD, root)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut spoken, mut late_ms) = (0, 0);
    let output = BufReader::new(child.stdout.take().unwrap());
    let (sender, lines) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        output.lines().map_while(Result::ok).all(|line| sender.send(line).is_ok())
    });
    loop {
        let line = match lines.recv_timeout(Duration::from_secs(60)) {
            Ok(line) => line,
            Err(RecvTimeoutError::Disconnected) => break,
            Err(RecvTimeoutError::Timeout) => {
                let _ = child.kill();
                panic!("the child says nothing after {spoken} packets");
            }
        };
        if let Some((count, late)) = line.strip_prefix("spoken ").and_then(|l| l.split_once(' ')) {
            (spoken, late_ms) = (count.parse().unwrap(), late.parse().unwrap());
            if spoken == packets {
                child.kill().unwrap();
            }
        }
    }
    child.wait().unwrap();
    assert!(spoken >= packets, "the child ended by itself");
    (spoken, late_ms)
}

async fn recover(root: &Path) -> (Finished, u64, Stage) {
    let mut stage = Stage::start(root, local(root), |_| ());
    match stage.report().await {
        Report::Recovered { finished, lost_bytes } => (finished, lost_bytes, stage),
        other => panic!("{other:?}"),
    }
}

async fn check_voices(finished: &Finished, stage: &Stage) {
    let archive = Archive::new(stage.store.clone(), stage.keys.clone());
    let open =
        archive.open(&finished.tenant, finished.recording, &finished.location).await.unwrap();
    let (left, right) = channels(&open.read(0..u64::MAX).await.unwrap());
    assert!((level(&left, CALLER) - 16_384.0).abs() < 200.0);
    assert!((level(&right, AGENT) - 16_384.0).abs() < 200.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_loses_at_most_a_second() {
    let root = folder("killed");
    let (spoken, late_ms) = record_and_kill(&root, 150);
    let spoken_ms = 20 * spoken;
    assert!(search_for_plaintext(&root) > 0);
    let left_uploads = files(&root.join("archive"));
    assert_eq!(left_uploads.len(), 1, "an upload was under way: {left_uploads:?}");

    let (finished, _, stage) = recover(&root).await;
    let lost_ms = spoken_ms - finished.duration_ms;
    println!("{spoken_ms} ms were spoken, {lost_ms} ms are lost, {late_ms} ms late");
    // A busy machine leaves the recorder no more time than the speaker.
    assert!(lost_ms <= 1000 + 2 * late_ms, "{lost_ms} ms of {spoken_ms} ms are lost");
    assert_eq!(finished.cut_short.as_deref(), Some("the engine ended while it recorded"));
    check_voices(&finished, &stage).await;
    empty_spool(&root).await;
    let stored = files(&root.join("archive"));
    assert_eq!(stored.len(), 2, "the object, its sidecar, no stale part: {stored:?}");
    assert!(search_for_plaintext(&root) > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_torn_tail_is_dropped_and_none_of_its_nonces_is_used_again() {
    let root = folder("killed-torn");
    record_and_kill(&root, 100);
    let spooled = root.join("spool/00000000000000000000000000000001.tink");
    let mut before = fs::read(&spooled).unwrap();
    let mut file = OpenOptions::new().append(true).open(&spooled).unwrap();
    file.write_all(&[0x5a; 1000]).unwrap();
    before.truncate(before.len() / 4096 * 4096);

    let (finished, lost_bytes, stage) = recover(&root).await;
    assert_eq!(lost_bytes, 1000);
    check_voices(&finished, &stage).await;
    // Not one block of the recovered object is a block of the broken one: another key made it.
    let object = fs::read(finished.location.strip_prefix("file://").unwrap()).unwrap();
    let known: std::collections::BTreeSet<&[u8]> = before.chunks_exact(16).collect();
    assert!(object.chunks_exact(16).all(|block| !known.contains(block)));
    assert_ne!(object[1..40], before[1..40]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_segment_that_is_damaged_ends_the_recovered_recording_there() {
    let root = folder("killed-damaged");
    record_and_kill(&root, 100);
    let spooled = root.join("spool/00000000000000000000000000000001.tink");
    let mut bytes = fs::read(&spooled).unwrap();
    bytes[4 * 4096 + 77] ^= 1;
    fs::write(&spooled, &bytes).unwrap();
    let (finished, lost_bytes, stage) = recover(&root).await;
    assert_eq!(finished.wav_bytes, 4040 + 3 * 4080);
    assert_eq!(lost_bytes, bytes.len() as u64 - 4 * 4096);
    check_voices(&finished, &stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_recording_of_which_nothing_reached_the_disk_is_reported_as_failed_and_cleared() {
    let root = folder("killed-nothing");
    record_and_kill(&root, 50);
    let spooled = root.join("spool/00000000000000000000000000000001.tink");
    let bytes = fs::read(&spooled).unwrap();
    fs::write(&spooled, &bytes[..2000]).unwrap();
    let mut stage = Stage::start(&root, local(&root), |_| ());
    let Report::Failed { why, .. } = stage.report().await else { panic!() };
    assert_eq!(why, "nothing of it had reached the disk");
    empty_spool(&root).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sealed_recording_whose_upload_was_cut_off_goes_up_on_the_next_start() {
    let root = folder("killed-sealed");
    let path = root.join("archive");
    fs::write(&path, "in the way").unwrap();
    let nowhere = {
        // The folder is made once to open the store, then is in the way again.
        fs::remove_file(&path).unwrap();
        let store = local(&root);
        fs::remove_dir_all(&path).unwrap();
        fs::write(&path, "in the way").unwrap();
        store
    };
    let mut stage = Stage::start(&root, nowhere, |_| ());
    stage.begin(&tenant("acme"), 1).await;
    stage.speak(1, 0, 100).await;
    stage.end(1).await;
    let Report::Delayed { .. } = stage.report().await else { panic!() };
    let remaining = stage.service.stop(Duration::from_millis(300)).await;
    assert_eq!(remaining.uploads, 1);
    assert!(search_for_plaintext(&root.join("spool")) > 60_000);
    fs::remove_file(&path).unwrap();
    let mut stage = Stage::start(&root, local(&root), |_| ());
    let finished = stage.finished().await;
    assert_eq!((finished.duration_ms, finished.cut_short.clone()), (2000, None));
    check_voices(&finished, &stage).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_killed_between_the_stores_answer_and_the_clearing_of_the_spool_reports_again() {
    let root = folder("killed-late");
    let mut stage = Stage::start(&root, local(&root), |config| config.part_bytes = 20_000);
    stage.begin(&tenant("acme"), 1).await;
    stage.speak(1, 0, 100).await;
    stage.end(1).await;
    let first = stage.finished().await;
    let object = fs::read(first.location.strip_prefix("file://").unwrap()).unwrap();
    stage.service.stop(Duration::from_secs(5)).await;
    let spooled = root.join("spool/00000000000000000000000000000001.tink");
    fs::write(&spooled, &object).unwrap();
    // The manifest as it is just before `complete`: sealed, every part confirmed.
    let note =
        fs::read_to_string(format!("{}.json", first.location.strip_prefix("file://").unwrap()));
    let sidecar: serde_json::Value = serde_json::from_str(&note.unwrap()).unwrap();
    let manifest = serde_json::json!({
        "version": 1, "tenant": "acme", "recording": sidecar["recording"],
        "call": sidecar["call"], "started_at": crate::stage::AT,
        "file": "00000000000000000000000000000001.tink", "segment_bytes": 4096,
        "wrapped_key": sidecar["wrapped_key"],
        "state": { "name": "sealed", "bytes": first.bytes, "wav_bytes": first.wav_bytes,
            "gaps_ms": 0, "cut_short": null, "recovered": null },
        "upload": { "id": "0123456789abcdef",
            "parts": [{ "number": 1, "bytes": first.bytes, "tag": "" }] },
        "stale_upload": null,
    });
    let place = root.join("spool/00000000000000000000000000000001.json");
    fs::write(place, manifest.to_string()).unwrap();
    let mut stage = Stage::start(&root, local(&root), |_| ());
    assert_eq!(stage.finished().await, first, "the same report, and nothing was sent again");
    empty_spool(&root).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_that_is_not_what_was_sent_is_sent_again_before_the_spool_lets_go() {
    let root = folder("killed-unconfirmed");
    let mut stage = Stage::start(&root, local(&root), |config| config.part_bytes = 20_000);
    stage.begin(&tenant("acme"), 1).await;
    stage.speak(1, 0, 100).await;
    // The store loses the first part's bytes: its file keeps its length.
    let partial = || files(&root.join("archive"));
    until(|| partial().first().is_some_and(|f| fs::metadata(f).unwrap().len() >= 40_000)).await;
    let partial = partial();
    let length = fs::metadata(&partial[0]).unwrap().len();
    fs::write(&partial[0], vec![0; length as usize]).unwrap();
    stage.end(1).await;
    let finished = stage.finished().await;
    assert_eq!(finished.duration_ms, 2000);
    check_voices(&finished, &stage).await;
}
