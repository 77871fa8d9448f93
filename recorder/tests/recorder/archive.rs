//! Reading back: ranges, and what must not open.

use std::fs;
use std::path::PathBuf;

use recorder::{Archive, ArchiveError, Finished, KeyError, ObjectStore, ObjectStoreConfig};

use crate::stage::{Stage, channels, folder, tenant};

/// A recording of two seconds of each of `tenants`.
async fn recorded(name: &str, tenants: &[&str]) -> (PathBuf, Archive, Vec<Finished>, Stage) {
    let root = folder(name);
    let path = root.join("archive");
    let store =
        ObjectStore::open(&ObjectStoreConfig::Folder { path, prefix: "x/y".to_owned() }).unwrap();
    let mut stage = Stage::start(&root, store.clone(), |_| ());
    let mut finished = Vec::new();
    for (n, name) in tenants.iter().enumerate() {
        let number = n as u128 + 1;
        stage.begin(&tenant(name), number).await;
        stage.speak(number, 0, 100).await;
        stage.end(number).await;
        finished.push(stage.finished().await);
    }
    (root, Archive::new(store, stage.keys.clone()), finished, stage)
}

fn object(finished: &Finished) -> PathBuf {
    PathBuf::from(finished.location.strip_prefix("file://").unwrap())
}

#[tokio::test]
async fn any_range_is_the_same_bytes_as_in_the_whole_file() {
    let (_, archive, done, _stage) = recorded("archive-range", &["acme"]).await;
    let open = archive.open(&done[0].tenant, done[0].recording, &done[0].location).await.unwrap();
    let whole = open.read(0..open.wav_bytes()).await.unwrap();
    assert_eq!(whole.len() as u64, open.wav_bytes());
    assert_eq!((open.wav_bytes(), open.duration_ms()), (64_044, 2000));
    channels(&whole);
    for (from, until) in [(0, 1), (3, 50), (40, 48), (4000, 4100), (8120, 8121), (60_000, 99_999)] {
        let piece = open.read(from..until).await.unwrap();
        assert_eq!(piece, whole.slice(from as usize..(until as usize).min(whole.len())));
    }
    assert!(open.read(64_044..70_000).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_flipped_or_cut_object_fails() {
    let (_, archive, done, _stage) = recorded("archive-flip", &["acme"]).await;
    let path = object(&done[0]);
    let good = fs::read(&path).unwrap();
    let open = || archive.open(&done[0].tenant, done[0].recording, &done[0].location);
    for cut in [0, 39, 4096, 8192, good.len() - 1] {
        fs::write(&path, &good[..cut]).unwrap();
        assert!(open().await.is_err(), "{cut} bytes left");
    }
    let mut bad = good.clone();
    bad[5000] ^= 0x10;
    fs::write(&path, &bad).unwrap();
    let opened = open().await.unwrap();
    assert!(matches!(opened.read(4100..4200).await, Err(ArchiveError::Aead(_))));
    assert!(opened.read(20_000..20_100).await.is_ok(), "other segments are untouched");
    let mut swapped = good.clone();
    swapped.copy_within(8192..12_288, 4096);
    fs::write(&path, &swapped).unwrap();
    assert!(open().await.unwrap().read(4100..4200).await.is_err());
}

#[tokio::test]
async fn one_recording_in_anothers_place_fails_with_and_without_its_sidecar() {
    let (_, archive, done, _stage) = recorded("archive-swap", &["acme", "acme"]).await;
    let (one, two) = (object(&done[0]), object(&done[1]));
    fs::copy(&two, &one).unwrap();
    let open = || archive.open(&done[0].tenant, done[0].recording, &done[0].location);
    assert!(matches!(open().await, Err(ArchiveError::Aead(_))));
    let note = |path: &PathBuf| format!("{}.json", path.display());
    fs::copy(note(&two), note(&one)).unwrap();
    assert!(matches!(open().await, Err(ArchiveError::Key(KeyError::Wrong))));
}

#[tokio::test]
async fn another_tenants_recording_does_not_open() {
    let (_, archive, done, _stage) = recorded("archive-tenant", &["acme", "globex"]).await;
    let (acme, globex) = (&done[0], &done[1]);
    let stolen = archive.open(&globex.tenant, acme.recording, &acme.location).await;
    assert!(matches!(stolen, Err(ArchiveError::Key(KeyError::Unknown { .. }))));
    // Also when the thief's own recording is overwritten with the stolen one.
    fs::copy(object(acme), object(globex)).unwrap();
    let planted = archive.open(&globex.tenant, globex.recording, &globex.location).await;
    assert!(matches!(planted, Err(ArchiveError::Aead(_))));
}

#[tokio::test]
async fn a_location_outside_the_store_is_refused() {
    let (root, archive, done, _stage) = recorded("archive-outside", &["acme"]).await;
    let store = root.canonicalize().unwrap().join("archive");
    for location in [
        "s3://recordings/x".to_owned(),
        "file:///etc/passwd".to_owned(),
        format!("file://{}/../keyring.json", store.display()),
        format!("file://{}//etc/passwd", store.display()),
    ] {
        let refused = archive.open(&done[0].tenant, done[0].recording, &location).await;
        assert!(matches!(refused, Err(ArchiveError::Elsewhere(_))), "{location}");
    }
}

#[tokio::test]
async fn the_command_line_decrypts_with_object_sidecar_and_keyring_alone() {
    let (root, archive, done, stage) = recorded("archive-decrypt", &["acme"]).await;
    let open = archive.open(&done[0].tenant, done[0].recording, &done[0].location).await.unwrap();
    let whole = open.read(0..u64::MAX).await.unwrap();
    drop(stage);
    let mut out = Vec::new();
    let keys = Stage::keys(&root);
    let path = object(&done[0]);
    let sidecar = recorder::store::decrypt(&keys, &path, None, &mut out).unwrap();
    assert_eq!(out, whole);
    assert_eq!((sidecar.duration_ms, sidecar.tenant.as_str()), (2000, "acme"));
    let good = fs::read(&path).unwrap();
    fs::write(&path, &good[..good.len() - 100]).unwrap();
    let mut nothing = Vec::new();
    assert!(recorder::store::decrypt(&keys, &path, None, &mut nothing).is_err());
    assert!(nothing.is_empty(), "a cut file gives not one byte");
}

#[tokio::test]
async fn a_deleted_recording_is_gone_with_its_sidecar_and_may_be_deleted_again() {
    let (_, archive, done, _stage) = recorded("archive-delete", &["acme", "globex"]).await;
    archive.delete(&done[0].location).await.unwrap();
    let path = object(&done[0]);
    assert!(!path.exists() && !path.with_extension("tink.json").exists());
    archive.delete(&done[0].location).await.unwrap();
    let gone = archive.open(&done[0].tenant, done[0].recording, &done[0].location).await;
    assert!(matches!(gone, Err(ArchiveError::Store(recorder::StoreError::NotFound(_)))));
    let other = archive.open(&done[1].tenant, done[1].recording, &done[1].location).await;
    assert!(other.is_ok(), "the other one stays");
    let outside = archive.delete("file:///etc/passwd").await;
    assert!(matches!(outside, Err(ArchiveError::Elsewhere(_))));
}

#[tokio::test]
async fn a_recording_whose_report_was_never_written_down_is_found_by_when_it_began() {
    let (_, archive, done, _stage) = recorded("archive-find", &["acme"]).await;
    let Finished { tenant, recording, started_at, .. } = done[0].clone();
    let found = archive.find(&tenant, recording, started_at).await.unwrap();
    assert_eq!(found.as_ref(), Some(&done[0]));
    let other = base::RecordingId::from_u128(9);
    assert_eq!(archive.find(&tenant, other, started_at).await.unwrap(), None);
}
