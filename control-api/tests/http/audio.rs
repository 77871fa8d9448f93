//! The audio of a recording: made by the real recorder, decrypted on its way out.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base::Instant;
use media::tap::{self, Frame, FrameKind};
use media::{Channel, Codec, TapId};
use recorder::{Command, Finished, Report, Service, ServiceConfig};
use store::{Append, RecordingState};
use tokio::sync::mpsc;

use crate::client::Answer;
use crate::sample::{ACME, GLOBEX, at, call, recording, recording_row, tenant};
use crate::stand::{Stand, objects};

const PATH: &str = "/api/v1/recordings/0000000000000000000000000000004d/audio";

/// Two seconds in which the caller speaks the number of the packet.
async fn record(stand: &Stand) -> Finished {
    let nanos = Arc::new(AtomicU64::new(0));
    let reading = Arc::clone(&nanos);
    let clock = Arc::new(move || Instant::from_nanos(reading.load(Ordering::SeqCst)));
    let folder = &stand.folder;
    let (spool, keys) = (folder.join("spool"), stand.keys.clone());
    let config = ServiceConfig::new(spool, objects(folder), keys, clock);
    let (mut ring, receiver) = tap::ring(1 << 12);
    let (commands, orders) = mpsc::channel(10);
    let (tell, mut reports) = mpsc::channel(10);
    let _service = Service::start(config, vec![receiver], orders, tell).unwrap();
    let now = || Instant::from_nanos(nanos.load(Ordering::SeqCst));
    // Until the recorder has had whole turns: an order that means nothing is taken in each.
    let settle = async || {
        for _ in 0..2 {
            let (recording, tap) = (recording(0), TapId(0));
            commands.send(Command::Stop { recording, tap, now: now() }).await.unwrap();
            commands.reserve_many(commands.max_capacity()).await.unwrap();
        }
    };
    let (id, tap) = (recording(77), TapId(77));
    let (tenant, call) = (tenant("acme"), call(1));
    let start = Command::Start { tenant, recording: id, call, tap, at: at(5), now: now() };
    commands.send(start).await.unwrap();
    settle().await;
    for n in 0..100_u32 {
        let mut frame = Frame::control(tap, Channel::Left, FrameKind::Audio, now());
        (frame.timestamp, frame.sequence, frame.ssrc) = (n * 160, n as u16, 7);
        (frame.codec, frame.len) = (Codec::Pcmu, 160);
        frame.payload[..160].fill(n as u8);
        assert!(ring.push_audio(frame));
        nanos.fetch_add(20_000_000, Ordering::SeqCst);
    }
    settle().await;
    commands.send(Command::Stop { recording: id, tap, now: now() }).await.unwrap();
    settle().await;
    nanos.fetch_add(100_000_000, Ordering::SeqCst);
    let report = tokio::time::timeout(Duration::from_secs(20), reports.recv()).await;
    match report.unwrap().unwrap() {
        Report::Completed(finished) => finished,
        other => panic!("{other:?}"),
    }
}

async fn recorded() -> (Stand, Finished) {
    let stand = Stand::new().await;
    let finished = record(&stand).await;
    let mut row = recording_row("acme", RecordingState::Completed);
    row.location = Some(finished.location.clone());
    row.duration_ms = Some(finished.duration_ms);
    row.bytes = Some(finished.bytes);
    stand.append(&[Append::Recording(Box::new(row))]).await;
    (stand, finished)
}

async fn part(stand: &Stand, range: &str) -> Answer {
    stand.ask("GET", PATH).key(ACME).with("Range", range).answer().await
}

#[tokio::test]
async fn the_whole_file_is_a_wav_of_its_length() {
    let (stand, finished) = recorded().await;
    let row = stand.get(PATH.trim_end_matches("/audio"), ACME).await.data();
    assert_eq!((&row["state"], &row["duration_s"]), (&"completed".into(), &2.0.into()));
    assert_eq!(row["audio_url"], PATH);
    assert!(row.get("location").is_none() && row.get("wrapped_key").is_none());
    let answer = stand.get(PATH, ACME).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "audio/wav"));
    assert_eq!(answer.header("accept-ranges"), "bytes");
    assert_eq!(answer.header("content-length"), finished.wav_bytes.to_string());
    assert_eq!(answer.body.len() as u64, finished.wav_bytes);
    assert_eq!((&answer.body[..4], &answer.body[8..12]), (&b"RIFF"[..], &b"WAVE"[..]));
    let head = stand.ask("HEAD", PATH).key(ACME).answer().await;
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("content-length"), finished.wav_bytes.to_string());
}

#[tokio::test]
async fn ranges_are_the_same_bytes_as_in_the_whole_file() {
    let (stand, finished) = recorded().await;
    let whole = stand.get(PATH, ACME).await.body;
    let length = whole.len();
    for (range, from, until) in [
        ("bytes=0-0", 0, 1),
        ("bytes=40-50", 40, 51),
        ("bytes=5000-9999", 5000, 10_000),
        ("bytes=-100", length - 100, length),
        ("bytes=60000-", 60_000, length),
    ] {
        let answer = part(&stand, range).await;
        assert_eq!((answer.status, &answer.body[..]), (206, &whole[from..until]), "{range}");
        let content = format!("bytes {from}-{}/{length}", until - 1);
        assert_eq!(answer.header("content-range"), content);
        assert_eq!(answer.header("content-length"), (until - from).to_string());
    }
    let answer = part(&stand, &format!("bytes={length}-")).await;
    assert_eq!((answer.status, answer.code().as_str()), (416, "NO_SUCH_RANGE"));
    assert_eq!(answer.header("content-range"), format!("bytes */{}", finished.wav_bytes));
    let etag = part(&stand, "bytes=0-0").await.header("etag").to_owned();
    let ask = |tag: &str| {
        stand.ask("GET", PATH).key(ACME).with("Range", "bytes=0-9").with("If-Range", tag).answer()
    };
    assert_eq!((ask(&etag).await.status, ask("\"another\"").await.status), (206, 200));
}

#[tokio::test]
async fn audio_is_not_given_to_another_tenant_nor_before_it_is_whole() {
    let (stand, _) = recorded().await;
    let answer = stand.get(PATH, GLOBEX).await;
    assert_eq!((answer.status, answer.code().as_str()), (404, "RECORDING_NOT_FOUND"));

    let early = Stand::new().await;
    let row = recording_row("acme", RecordingState::Recording);
    early.append(&[Append::Recording(Box::new(row))]).await;
    let answer = early.get(PATH, ACME).await;
    assert_eq!((answer.status, answer.code().as_str()), (409, "RECORDING_NOT_READY"));
    let mut row = recording_row("acme", RecordingState::Failed);
    row.failure = Some("the disk was full".to_owned());
    early.append(&[Append::Recording(Box::new(row))]).await;
    let answer = early.get(PATH, ACME).await;
    assert_eq!((answer.status, answer.code().as_str()), (410, "RECORDING_FAILED"));
}

#[tokio::test]
async fn a_recording_that_was_tampered_with_gives_no_audio() {
    let (stand, finished) = recorded().await;
    let path = finished.location.strip_prefix("file://").unwrap();
    let mut bytes = std::fs::read(path).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(path, bytes).unwrap();
    let answer = stand.get(PATH, ACME).await;
    assert_eq!((answer.status, answer.code().as_str()), (500, "INTERNAL"));
    std::fs::remove_file(path).unwrap();
    assert_eq!(stand.get(PATH, ACME).await.code(), "ARCHIVE_UNAVAILABLE");
}
