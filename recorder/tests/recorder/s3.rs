//! The recorder against a real S3 server that verifies signatures.

use std::time::Duration;

use base::RecordingId;
use recorder::{Archive, Report};

use crate::stage::bucket::Bucket;
use crate::stage::{
    AGENT, CALLER, Stage, channels, empty_spool, files, folder, level, search_for_plaintext,
    tenant, until,
};

/// Packets of a little more than the two parts of 5 MiB that S3's minimum makes.
const THREE_PARTS: u64 = 18_000;

#[tokio::test(flavor = "multi_thread")]
async fn parts_go_up_during_the_call_and_the_object_is_the_recording() {
    let root = folder("s3");
    let bucket = Bucket::start(&root.join("bucket")).await;
    let mut stage = Stage::start(&root, bucket.store("the-right-secret"), |_| ());
    let acme = tenant("acme");
    stage.begin(&acme, 1).await;
    stage.speak(1, 0, THREE_PARTS).await;
    let parts = || {
        let sizes = files(&root.join("bucket")).into_iter();
        sizes.filter(|f| std::fs::metadata(f).is_ok_and(|m| m.len() == 5 << 20)).count()
    };
    until(|| parts() == 2).await;
    // What is still on its way to the spool is there in a moment.
    until(|| search_for_plaintext(&root) > 20 << 20).await;
    stage.end(1).await;
    let finished = stage.finished().await;
    assert_eq!((finished.duration_ms, finished.gaps_ms), (360_000, 0));
    let key = "strowger/test/acme/2026/11/20/00000000000000000000000000000001.wav.tink";
    assert_eq!(finished.location, format!("s3://recordings/{key}"));

    let archive = Archive::new(stage.store.clone(), stage.keys.clone());
    let open = archive.open(&acme, finished.recording, &finished.location).await.unwrap();
    assert_eq!(open.wav_bytes(), 360 * 32_000 + 44);
    let head = open.read(0..44 + 32_000).await.unwrap();
    assert_eq!(head[40..44], (360 * 32_000_u32).to_le_bytes());
    // A second from the middle, across a part's end.
    let from = 44 + 163 * 32_000;
    let mut piece = head[..44].to_vec();
    piece[40..44].copy_from_slice(&64_000_u32.to_le_bytes());
    piece.extend_from_slice(&open.read(from..from + 64_000).await.unwrap());
    let (left, right) = channels(&piece);
    assert!((level(&left, CALLER) - 16_384.0).abs() < 200.0);
    assert!((level(&right, AGENT) - 16_384.0).abs() < 200.0);
    empty_spool(&root).await;
    let other = archive.open(&tenant("globex"), finished.recording, &finished.location).await;
    assert!(other.is_err());
    let missing = finished.location.replace("0001.wav", "0002.wav");
    assert!(archive.open(&acme, RecordingId::from_u128(2), &missing).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_off_for_half_the_call_costs_nothing() {
    let root = folder("s3-off");
    let mut bucket = Bucket::start(&root.join("bucket")).await;
    let mut stage = Stage::start(&root, bucket.store("the-right-secret"), |_| ());
    let acme = tenant("acme");
    stage.begin(&acme, 1).await;
    stage.speak(1, 0, THREE_PARTS / 2).await;
    bucket.switch_off().await;
    stage.speak(1, THREE_PARTS / 2, THREE_PARTS / 2).await;
    // A call that begins and ends in the dark.
    stage.begin(&acme, 2).await;
    stage.speak(2, 0, 50).await;
    stage.end(2).await;
    stage.end(1).await;
    let Report::Delayed { .. } = stage.report().await else { panic!() };
    assert!(search_for_plaintext(&root.join("spool")) > 11 << 20);
    bucket.switch_on().await;
    let mut both = [stage.finished().await, stage.finished().await];
    both.sort_by_key(|finished| finished.recording);
    assert_eq!(both.each_ref().map(|f| f.gaps_ms), [0, 0]);
    assert_eq!(both[1].duration_ms, 1000);
    let archive = Archive::new(stage.store.clone(), stage.keys.clone());
    for finished in &both {
        let open = archive.open(&acme, finished.recording, &finished.location).await.unwrap();
        let wav = open.read(0..u64::MAX).await.unwrap();
        let (left, right) = channels(&wav);
        let tenth = left.len() / 10;
        let spoken =
            if finished.recording.as_u128() == 1 { left.len() - tenth } else { left.len() };
        assert!((level(&left[..spoken], CALLER) - 16_384.0).abs() < 200.0);
        assert!((level(&right[..spoken], AGENT) - 16_384.0).abs() < 200.0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_is_refused_and_the_recording_waits_for_the_right_one() {
    let root = folder("s3-secret");
    let bucket = Bucket::start(&root.join("bucket")).await;
    let mut stage = Stage::start(&root, bucket.store("a-wrong-secret"), |_| ());
    let acme = tenant("acme");
    stage.begin(&acme, 1).await;
    stage.speak(1, 0, 100).await;
    stage.end(1).await;
    let Report::Delayed { why, .. } = stage.report().await else { panic!() };
    assert!(why.contains("SignatureDoesNotMatch"), "{why}");
    assert_eq!(stage.service.stop(Duration::from_millis(200)).await.uploads, 1);
    assert!(files(&root.join("bucket/recordings")).is_empty());
    let mut stage = Stage::start(&root, bucket.store("the-right-secret"), |_| ());
    assert_eq!(stage.finished().await.duration_ms, 2000);
    let archive = Archive::new(bucket.store("a-wrong-secret"), stage.keys.clone());
    let location = format!(
        "s3://recordings/strowger/test/acme/2026/11/20/{}.wav.tink",
        RecordingId::from_u128(1)
    );
    assert!(archive.open(&acme, RecordingId::from_u128(1), &location).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_was_cut_off_by_a_restart_goes_on_with_the_parts_that_are_there() {
    let root = folder("s3-restart");
    let mut bucket = Bucket::start(&root.join("bucket")).await;
    let mut stage = Stage::start(&root, bucket.store("the-right-secret"), |_| ());
    let acme = tenant("acme");
    stage.begin(&acme, 1).await;
    stage.speak(1, 0, THREE_PARTS).await;
    let manifest = root.join("spool/00000000000000000000000000000001.json");
    let parts = || std::fs::read_to_string(&manifest).unwrap().matches("\"number\"").count();
    until(|| parts() == 2).await;
    bucket.switch_off().await;
    let Stage { service, .. } = stage;
    assert_eq!(service.stop(Duration::from_millis(200)).await.uploads, 1);
    assert_eq!(parts(), 2, "the sealed recording's manifest keeps the parts");
    bucket.switch_on().await;
    let mut stage = Stage::start(&root, bucket.store("the-right-secret"), |_| ());
    assert_eq!(stage.finished().await.duration_ms, 360_000);
    let left = files(&root.join("bucket"));
    assert!(!left.iter().any(|f| f.to_string_lossy().contains("upload")), "{left:?}");
}

#[test]
fn the_stores_configuration_reads_from_toml_like_maps_and_names_unknown_keys() {
    let text = r#"{"kind": "s3", "bucket": "b", "path_style": true}"#;
    let config: recorder::ObjectStoreConfig = serde_json::from_str(text).unwrap();
    let recorder::ObjectStoreConfig::S3(s3) = config else { panic!() };
    assert_eq!((s3.bucket.as_str(), s3.region.as_str(), s3.path_style), ("b", "us-east-1", true));
    let wrong = serde_json::from_str::<recorder::ObjectStoreConfig>(
        r#"{"kind": "s3", "bucket": "b", "buckett": "c"}"#,
    );
    assert!(wrong.unwrap_err().to_string().contains("buckett"));
}
