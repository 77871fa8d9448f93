//! Recordings at rest: encrypted from the first byte, in a folder and in a real S3 server.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::audio::Sound;
use crate::parts::{ACME_SALES, LIMIT, speaking_agent, speaking_carrier};
use crate::s3;
use crate::strowger::{ACME, Folder, Setup, Strowger};
use crate::talking::recorded;

const CALLER_HZ: f64 = 440.0;
const AGENT_HZ: f64 = 1000.0;

/// Every file below a folder.
pub(crate) fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![dir.to_path_buf()];
    while let Some(dir) = open.pop() {
        let Ok(entries) = fs::read_dir(&dir) else { continue };
        for path in entries.map_while(Result::ok).map(|entry| entry.path()) {
            if path.is_dir() { open.push(path) } else { found.push(path) }
        }
    }
    found
}

/// What stood in every file below the folders at one moment.
fn snapshot(folders: &[&Path]) -> Vec<(PathBuf, Vec<u8>)> {
    let all = folders.iter().flat_map(|dir| files(dir));
    all.filter_map(|path| fs::read(&path).ok().map(|bytes| (path, bytes))).collect()
}

/// A talk of `seconds`, with a snapshot of the folders each half second, until they have shown
/// `enough`. Gives the call and all that was there.
fn talk_and_watch(
    folder: &Path,
    server: &Strowger,
    watched: &[&Path],
    seconds: f64,
    enough: impl Fn(&Path) -> bool,
) -> (String, Vec<(PathBuf, Vec<u8>)>) {
    let alice = speaking_agent(folder, server, "alice", AGENT_HZ);
    server.agent_is(ACME, "alice", "available");
    let caller = speaking_carrier(folder, server, ACME_SALES, CALLER_HZ);
    alice.wait_for("Call established", LIMIT);
    let deadline = Instant::now() + LIMIT;
    let mut seen = Vec::new();
    while alice.seconds_heard(CALLER_HZ) < seconds
        || caller.seconds_heard(AGENT_HZ) < seconds
        || !seen.iter().any(|(path, _): &(PathBuf, _)| enough(path))
    {
        assert!(Instant::now() < deadline, "they never talked, or what must be seen was not");
        seen.extend(snapshot(watched));
        std::thread::sleep(Duration::from_millis(500));
    }
    drop(caller);
    let call = server.ended_calls(ACME, 1, LIMIT).remove(0);
    let id = call["id"].as_str().expect("its id").to_owned();
    (id, seen)
}

/// Windows of the true audio, as the samples lie in a WAV file and as they came over the wire.
fn needles(wav: &[u8]) -> Vec<Vec<u8>> {
    let body = &wav[44..];
    let middle = body.len() / 2 / 4 * 4;
    let mut needles = vec![b"RIFF".to_vec()];
    for at in [middle, middle + 4000, middle + 8000] {
        let stereo = &body[at..at + 64];
        needles.push(stereo.to_vec());
        for channel in 0..2 {
            let samples: Vec<i16> = stereo
                .chunks_exact(4)
                .map(|f| i16::from_le_bytes([f[channel * 2], f[channel * 2 + 1]]))
                .collect();
            needles.push(samples.iter().flat_map(|s| s.to_le_bytes()).collect());
            needles.push(samples.iter().map(|s| media::G711::Pcmu.encode(*s)).collect());
        }
    }
    needles
}

fn assert_no_plaintext(seen: &[(PathBuf, Vec<u8>)], wav: &[u8], but_the_prompts_of: &str) {
    for needle in needles(wav) {
        for (path, bytes) in seen {
            // The database keeps prompts as the WAV files that they are.
            let prompts = needle == b"RIFF" && path.to_string_lossy().contains(but_the_prompts_of);
            let found = !prompts && bytes.windows(needle.len()).any(|w| w == needle);
            assert!(!found, "{} holds plaintext audio: {needle:?}", path.display());
        }
    }
}

fn assert_both_voices(wav: &[u8], seconds: f64) {
    let (left, right) = (Sound::from_wav(wav, 0), Sound::from_wav(wav, 1));
    let heard = left.seconds_with_tone(CALLER_HZ, crate::baresip::AMPLITUDE);
    assert!(heard >= seconds, "{heard} s of the caller on the left");
    let heard = right.seconds_with_tone(AGENT_HZ, crate::baresip::AMPLITUDE);
    assert!(heard >= seconds, "{heard} s of the agent on the right");
}

#[test]
fn no_plaintext_audio_is_ever_on_disk_and_the_command_decrypts_the_recording() {
    let folder = Folder::new("folder");
    let server = Strowger::start(folder.path());
    let store = folder.path().join("data");
    let (call, mut seen) = talk_and_watch(folder.path(), &server, &[&store], 5.0, |_| true);
    let wav = recorded(&server, &call);
    seen.extend(snapshot(&[&store]));
    assert_both_voices(&wav, 4.5);
    assert_no_plaintext(&seen, &wav, "strowger.db");
    assert_eq!(server.stop(), 0);

    let tink = files(&store).into_iter().find(|path| path.to_string_lossy().ends_with(".tink"));
    let tink = tink.expect("the recording's file");
    let out = folder.path().join("decrypted.wav");
    let status = Command::new(env!("CARGO_BIN_EXE_strowger"))
        .args(["recording", "decrypt"])
        .arg(&tink)
        .arg("--keyring")
        .arg(store.join("keyring.json"))
        .arg("-o")
        .arg(&out)
        .status()
        .expect("the command");
    assert!(status.success());
    assert_eq!(fs::read(&out).expect("the WAV"), wav, "the command and the API agree");
}

#[test]
fn a_real_s3_server_has_an_upload_open_during_the_call_and_the_recording_after() {
    let folder = Folder::new("s3");
    let bucket_root = folder.path().join("s3");
    let s3 = s3::serve(&bucket_root);
    let config = format!(
        "[recordings.s3]\nendpoint = \"http://{s3}\"\nbucket = \"recordings\"\n\
         prefix = \"calls\"\n"
    );
    let setup = Setup {
        config,
        environment: vec![
            ("STROWGER_S3_ACCESS_KEY", s3::ACCESS_KEY.into()),
            ("STROWGER_S3_SECRET_KEY", s3::SECRET_KEY.into()),
        ],
        ..Setup::default()
    };
    let server = Strowger::start_with(folder.path(), &setup);
    let data = folder.path().join("data");
    let watched = [data.as_path(), bucket_root.as_path()];
    // A part has 5 MiB, almost three minutes: the recorder's own tests watch parts go up. Here a
    // multipart upload is open before the call ends.
    let upload =
        |path: &Path| path.starts_with(&bucket_root) && path.to_string_lossy().contains("upload");
    let (call, mut seen) = talk_and_watch(folder.path(), &server, &watched, 6.0, upload);
    let wav = recorded(&server, &call);
    seen.extend(snapshot(&watched));
    assert_both_voices(&wav, 5.5);
    let stored = files(&bucket_root.join("recordings/calls/acme"));
    assert!(stored.iter().any(|path| path.to_string_lossy().ends_with(".wav.tink")), "{stored:?}");
    assert_no_plaintext(&seen, &wav, "strowger.db");
}
