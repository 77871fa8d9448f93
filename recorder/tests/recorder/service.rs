//! The recorder at work on a local folder.

use std::fs;
use std::sync::atomic::Ordering;
use std::time::Duration;

use base::RecordingId;
use recorder::{Archive, Command, ObjectStore, ObjectStoreConfig, Pause, Report};

use crate::stage::{
    AGENT, CALLER, Stage, channels, empty_spool, files, folder, level, search_for_plaintext,
    tenant, until,
};

fn local(root: &std::path::Path) -> ObjectStore {
    let path = root.join("archive");
    ObjectStore::open(&ObjectStoreConfig::Folder { path, prefix: String::new() }).unwrap()
}

#[tokio::test]
async fn both_voices_are_read_back_from_the_folder_on_their_channels_and_nowhere_in_plain() {
    let root = folder("service-folder");
    let mut stage = Stage::start(&root, local(&root), |config| config.part_bytes = 20_000);
    let acme = tenant("acme");
    stage.begin(&acme, 100).await;
    for second in 0..5 {
        stage.speak(100, 50 * second, 50).await;
        assert!(search_for_plaintext(&root) > 0);
    }
    stage.end(100).await;
    let finished = stage.finished().await;
    assert_eq!((finished.duration_ms, finished.gaps_ms), (5000, 0));
    assert_eq!(finished.recording, RecordingId::from_u128(100));
    assert_eq!(finished.cut_short, None);
    let id = "00000000000000000000000000000064";
    let place = root.canonicalize().unwrap().join(format!("archive/acme/2026/11/20/{id}.wav.tink"));
    assert_eq!(finished.location, format!("file://{}", place.display()));
    assert_eq!(fs::metadata(&place).unwrap().len(), finished.bytes);

    let archive = Archive::new(stage.store.clone(), stage.keys.clone());
    let open = archive.open(&acme, finished.recording, &finished.location).await.unwrap();
    let wav = open.read(0..open.wav_bytes()).await.unwrap();
    let (left, right) = channels(&wav);
    assert_eq!(left.len(), 40_000);
    assert!((level(&left, CALLER) - 16_384.0).abs() < 200.0);
    assert!((level(&right, AGENT) - 16_384.0).abs() < 200.0);
    assert!(level(&left, AGENT) < 20.0 && level(&right, CALLER) < 20.0);

    empty_spool(&root).await;
    assert!(search_for_plaintext(&root) > 0);
    assert_eq!(stage.service.stop(Duration::from_secs(5)).await.uploads, 0);
}

#[tokio::test]
async fn parts_arrive_in_the_store_while_the_call_still_runs() {
    let root = folder("service-while");
    let mut stage = Stage::start(&root, local(&root), |config| config.part_bytes = 20_000);
    stage.begin(&tenant("acme"), 1).await;
    stage.speak(1, 0, 150).await;
    let partial = || files(&root.join("archive"));
    // Three seconds less the reordering window and a segment, in whole parts.
    until(|| partial().first().is_some_and(|f| fs::metadata(f).unwrap().len() >= 80_000)).await;
    let partial = partial();
    assert_eq!(partial.len(), 1);
    assert!(partial[0].to_string_lossy().ends_with(".partial"), "{partial:?}");
    stage.end(1).await;
    assert_eq!(stage.finished().await.duration_ms, 3000);
}

#[tokio::test]
async fn two_recordings_at_once_and_frames_before_the_start_command_keep_apart() {
    let root = folder("service-two");
    let mut stage = Stage::start(&root, local(&root), |_| ());
    let (acme, globex) = (tenant("acme"), tenant("globex"));
    stage.begin(&acme, 1).await;
    stage.speak(1, 0, 25).await;
    // The tap of recording 2 is open before its command is here.
    let at = stage.now();
    let early = crate::stage::frame(media::TapId(2), media::Channel::Left, 0, at);
    assert!(stage.ring.push_audio(early));
    stage.settle().await;
    stage.begin(&globex, 2).await;
    stage.speak(1, 25, 25).await;
    stage.end(1).await;
    stage.end(2).await;
    let mut both = [stage.finished().await, stage.finished().await];
    both.sort_by_key(|finished| finished.recording);
    assert_eq!(both.each_ref().map(|f| f.tenant.as_str()), ["acme", "globex"]);
    let archive = Archive::new(stage.store.clone(), stage.keys.clone());
    let second = archive.open(&globex, both[1].recording, &both[1].location).await.unwrap();
    let (left, right) = channels(&second.read(0..u64::MAX).await.unwrap());
    assert!((level(&left[..160], CALLER) - 16_384.0).abs() < 200.0, "the early frame is in it");
    assert!(left[160..].iter().chain(&right).all(|s| *s == 0), "and nothing of the other call");
}

#[tokio::test]
async fn a_full_spool_refuses_new_recordings_and_ends_running_ones_and_says_so() {
    let root = folder("service-full");
    let mut stage = Stage::start(&root, local(&root), |config| {
        config.spool_limit_bytes = 100_000;
        config.part_bytes = 1 << 20;
    });
    stage.begin(&tenant("acme"), 1).await;
    // 94 000 bytes: scarce.
    stage.speak(1, 0, 160).await;
    stage.begin(&tenant("acme"), 2).await;
    let Report::Failed { recording, why, .. } = stage.report().await else { panic!() };
    assert_eq!((recording.as_u128(), why.as_str()), (2, "the recording spool is full"));
    stage.speak(1, 160, 100).await;
    let finished = stage.finished().await;
    assert_eq!(finished.cut_short.as_deref(), Some("the recording spool is full"));
    assert!((3000..5300).contains(&finished.duration_ms), "{}", finished.duration_ms);
    // There is room again.
    empty_spool(&root).await;
    stage.begin(&tenant("acme"), 3).await;
    stage.speak(3, 0, 50).await;
    stage.end(3).await;
    assert_eq!(stage.finished().await.duration_ms, 1000);
}

#[tokio::test]
async fn a_graceful_stop_seals_what_records_and_uploads_it_within_the_limit() {
    let root = folder("service-stop");
    let mut stage = Stage::start(&root, local(&root), |_| ());
    stage.begin(&tenant("acme"), 1).await;
    stage.speak(1, 0, 100).await;
    let Stage { service, mut reports, .. } = stage;
    assert_eq!(service.stop(Duration::from_secs(10)).await.uploads, 0);
    let Some(Report::Completed(finished)) = reports.recv().await else { panic!() };
    assert_eq!(finished.duration_ms, 2000);
    assert_eq!(finished.cut_short.as_deref(), Some("the engine was stopped"));
}

#[tokio::test]
async fn a_second_recorder_on_the_same_spool_is_refused() {
    let root = folder("service-lock");
    let stage = Stage::start(&root, local(&root), |_| ());
    let config = recorder::ServiceConfig::new(
        root.join("spool"),
        stage.store.clone(),
        stage.keys.clone(),
        std::sync::Arc::new(|| base::Instant::ZERO),
    );
    let (_, orders) = tokio::sync::mpsc::channel(1);
    let (tell, _) = tokio::sync::mpsc::channel(1);
    let refusal = recorder::Service::start(config, Vec::new(), orders, tell).err().unwrap();
    assert!(refusal.to_string().contains("another process"), "{refusal}");
    assert_eq!(stage.nanos.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_folder_that_disappears_mid_call_delays_the_recording_and_loses_nothing() {
    let root = folder("service-gone");
    let mut stage = Stage::start(&root, local(&root), |config| config.part_bytes = 20_000);
    stage.begin(&tenant("acme"), 1).await;
    stage.speak(1, 0, 100).await;
    fs::remove_dir_all(root.join("archive")).unwrap();
    fs::write(root.join("archive"), "in the way").unwrap();
    stage.speak(1, 100, 100).await;
    stage.end(1).await;
    let Report::Delayed { .. } = stage.report().await else { panic!() };
    fs::remove_file(root.join("archive")).unwrap();
    let finished = stage.finished().await;
    assert_eq!((finished.duration_ms, finished.gaps_ms), (4000, 0));
    let archive = Archive::new(stage.store.clone(), stage.keys.clone());
    let open =
        archive.open(&finished.tenant, finished.recording, &finished.location).await.unwrap();
    let (left, _) = channels(&open.read(0..u64::MAX).await.unwrap());
    assert!((level(&left, CALLER) - 16_384.0).abs() < 200.0);
}

/// Both voices are spoken throughout; of those the recorder is given, none in the pause is heard.
#[tokio::test]
async fn nothing_of_a_pause_is_in_the_decrypted_recording_and_the_time_goes_on() {
    let root = folder("service-pause");
    let mut stage = Stage::start(&root, local(&root), |config| config.part_bytes = 20_000);
    let acme = tenant("acme");
    stage.begin(&acme, 1).await;
    stage.speak(1, 0, 100).await;
    let (recording, tap) = (RecordingId::from_u128(1), media::TapId(1));
    let now = stage.now();
    stage.commands.send(Command::Pause { recording, tap, now }).await.unwrap();
    stage.speak(1, 100, 150).await;
    let now = stage.now();
    stage.commands.send(Command::Resume { recording, tap, now }).await.unwrap();
    stage.speak(1, 250, 50).await;
    stage.end(1).await;
    let finished = stage.finished().await;
    assert_eq!((finished.duration_ms, finished.gaps_ms), (6000, 0));
    assert_eq!(finished.pauses, [Pause { from_ms: 2000, lasts_ms: 3000 }]);
    let archive = Archive::new(stage.store.clone(), stage.keys.clone());
    let open = archive.open(&acme, recording, &finished.location).await.unwrap();
    let beside = format!("{}.json", finished.location.strip_prefix("file://").unwrap());
    let beside: serde_json::Value = serde_json::from_slice(&fs::read(beside).unwrap()).unwrap();
    assert_eq!(beside["pauses"], serde_json::json!([{"from_ms": 2000, "lasts_ms": 3000}]));
    let wav = open.read(0..open.wav_bytes()).await.unwrap();
    let (left, right) = channels(&wav);
    for side in [&left, &right] {
        assert_eq!(side.len(), 48_000);
        assert!(side[16_000..40_000].iter().all(|sample| *sample == 0));
    }
    let said = [0..16_000, 40_000..48_000];
    assert!(said.iter().all(|at| (level(&left[at.clone()], CALLER) - 16_384.0).abs() < 300.0));
    assert!(said.iter().all(|at| (level(&right[at.clone()], AGENT) - 16_384.0).abs() < 300.0));
}
