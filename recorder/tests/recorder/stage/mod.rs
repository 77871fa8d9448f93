//! What the recorder's tests stand on: a clock that is moved by hand, callers that speak tones,
//! folders that are searched for plaintext.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

pub(crate) mod bucket;

use std::f64::consts::TAU;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use base::{CallId, Instant, RecordingId, TenantId, UnixTime};
use media::tap::{self, Frame, FrameKind};
use media::{Channel, Codec, G711, TapId, TapSender};
use recorder::{
    Command, Finished, KeyProvider, Keyring, ObjectStore, Report, Service, ServiceConfig,
};
use tokio::sync::mpsc;

/// The hertz of the caller and of the agent.
pub(crate) const CALLER: f64 = 1000.0;
pub(crate) const AGENT: f64 = 440.0;
/// 2026-11-20 10:00 UTC.
pub(crate) const AT: UnixTime = UnixTime::from_micros(1_795_168_800_000_000);

/// An empty folder under the target directory.
pub(crate) fn folder(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

pub(crate) fn tenant(name: &str) -> TenantId {
    TenantId::new(name).unwrap()
}

/// Sample `n` of a tone at half the full scale.
pub(crate) fn tone(hertz: f64, n: u64) -> i16 {
    let phase = (n as f64) * hertz / 8000.0 * TAU;
    (phase.sin() * 16384.0) as i16
}

/// The power of a tone in samples, as the amplitude it would have.
pub(crate) fn level(samples: &[i16], hertz: f64) -> f64 {
    let (mut re, mut im) = (0.0, 0.0);
    for (n, sample) in samples.iter().enumerate() {
        let phase = (n as f64) * hertz / 8000.0 * TAU;
        re += f64::from(*sample) * phase.cos();
        im += f64::from(*sample) * phase.sin();
    }
    2.0 * (re * re + im * im).sqrt() / samples.len() as f64
}

/// 20 ms of a tone as a tap's frame, the `n`th of its stream.
pub(crate) fn frame(tap: TapId, channel: Channel, n: u64, at: Instant) -> Frame {
    let hertz = if channel == Channel::Left { CALLER } else { AGENT };
    let mut frame = Frame::control(tap, channel, FrameKind::Audio, at);
    frame.timestamp = (n * 160) as u32;
    frame.sequence = n as u16;
    frame.ssrc = if channel == Channel::Left { 7 } else { 9 };
    frame.codec = Codec::Pcmu;
    frame.len = 160;
    for (place, byte) in frame.payload.iter_mut().take(160).enumerate() {
        *byte = G711::Pcmu.encode(tone(hertz, n * 160 + place as u64));
    }
    frame
}

/// A recorder with one ring, whose clock stands still until it is moved.
pub(crate) struct Stage {
    pub(crate) nanos: Arc<AtomicU64>,
    pub(crate) ring: TapSender,
    pub(crate) commands: mpsc::Sender<Command>,
    pub(crate) reports: mpsc::Receiver<Report>,
    pub(crate) keys: KeyProvider,
    pub(crate) store: ObjectStore,
    pub(crate) service: Service,
}

impl Stage {
    pub(crate) fn keys(root: &Path) -> KeyProvider {
        KeyProvider::Local(Keyring::open(&root.join("keyring.json")).unwrap())
    }

    /// Starts a recorder with its spool in `root/spool`.
    pub(crate) fn start(
        root: &Path,
        store: ObjectStore,
        tune: impl FnOnce(&mut ServiceConfig),
    ) -> Self {
        let nanos = Arc::new(AtomicU64::new(0));
        let reading = Arc::clone(&nanos);
        let clock = Arc::new(move || Instant::from_nanos(reading.load(Ordering::SeqCst)));
        let keys = Self::keys(root);
        let mut config = ServiceConfig::new(root.join("spool"), store.clone(), keys.clone(), clock);
        config.retry_first = Duration::from_millis(50);
        config.retry_most = Duration::from_millis(200);
        tune(&mut config);
        let (ring, receiver) = tap::ring(1 << 16);
        let (commands, orders) = mpsc::channel(100);
        let (tell, reports) = mpsc::channel(100);
        let service = Service::start(config, vec![receiver], orders, tell).unwrap();
        Self { nanos, ring, commands, reports, keys, store, service }
    }

    pub(crate) fn now(&self) -> Instant {
        Instant::from_nanos(self.nanos.load(Ordering::SeqCst))
    }

    pub(crate) async fn begin(&self, tenant: &TenantId, recording: u128) {
        let start = Command::Start {
            tenant: tenant.clone(),
            recording: RecordingId::from_u128(recording),
            call: CallId::from_u128(recording + 1),
            tap: TapId(recording as u64),
            at: AT,
            now: self.now(),
        };
        self.commands.send(start).await.unwrap();
        self.settle().await;
    }

    pub(crate) async fn end(&self, recording: u128) {
        let stop = Command::Stop {
            recording: RecordingId::from_u128(recording),
            tap: TapId(recording as u64),
            now: self.now(),
        };
        self.commands.send(stop).await.unwrap();
        self.settle().await;
        self.nanos.fetch_add(100_000_000, Ordering::SeqCst);
        self.settle().await;
    }

    /// Both speak their tones for so many packets of 20 ms, from packet `from` on.
    pub(crate) async fn speak(&mut self, recording: u128, from: u64, packets: u64) {
        for n in from..from + packets {
            let at = self.now();
            for channel in [Channel::Left, Channel::Right] {
                assert!(self.ring.push_audio(frame(TapId(recording as u64), channel, n, at)));
            }
            self.nanos.fetch_add(20_000_000, Ordering::SeqCst);
        }
        self.settle().await;
    }

    /// Waits until the recorder's thread has done all that was asked of it so far: an order that
    /// means nothing is taken at the start of a turn, so two of them have a whole turn between.
    pub(crate) async fn settle(&self) {
        for _ in 0..2 {
            let nothing = Command::Stop {
                recording: RecordingId::from_u128(0),
                tap: TapId(0),
                now: Instant::ZERO,
            };
            self.commands.send(nothing).await.unwrap();
            let taken = self.commands.reserve_many(self.commands.max_capacity());
            tokio::time::timeout(Duration::from_secs(30), taken).await.unwrap().unwrap();
        }
    }

    pub(crate) async fn report(&mut self) -> Report {
        let next = tokio::time::timeout(Duration::from_secs(30), self.reports.recv());
        next.await.expect("a report within 30 s").expect("the recorder lives")
    }

    /// The next recording that is done, past delays.
    pub(crate) async fn finished(&mut self) -> Finished {
        loop {
            match self.report().await {
                Report::Completed(finished) | Report::Recovered { finished, .. } => {
                    return finished;
                }
                Report::Delayed { .. } => {}
                other @ Report::Failed { .. } => panic!("{other:?}"),
            }
        }
    }
}

/// Waits until something is so.
pub(crate) async fn until(so: impl Fn() -> bool) {
    for _ in 0..3000 {
        if so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not within 30 s");
}

/// Waits until nothing is left in the spool but its lock.
pub(crate) async fn empty_spool(root: &Path) {
    until(|| files(&root.join("spool")) == [root.join("spool/lock")]).await;
}

/// The two channels of a WAV file, after checking its header.
pub(crate) fn channels(wav: &[u8]) -> (Vec<i16>, Vec<i16>) {
    assert_eq!(
        (&wav[..4], &wav[8..16], &wav[36..40]),
        (&b"RIFF"[..], &b"WAVEfmt "[..], &b"data"[..])
    );
    let length = u32::from_le_bytes(wav[40..44].try_into().unwrap());
    assert_eq!(length as usize, wav.len() - 44, "the header has the true length");
    let sample = |bytes: &[u8]| i16::from_le_bytes([bytes[0], bytes[1]]);
    wav[44..].chunks_exact(4).map(|both| (sample(both), sample(&both[2..]))).unzip()
}

/// Every file under a folder.
pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(folder) else { return found };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found
}

/// Fails when any file under the folder holds a piece of either voice in any of its forms, or a
/// WAV header. Gives how many bytes were searched.
pub(crate) fn search_for_plaintext(folder: &Path) -> usize {
    // "RIFF" alone stands by chance once in four gigabytes of what is encrypted.
    let mut needles = vec![b"WAVEfmt".to_vec()];
    for hertz in [CALLER, AGENT] {
        // 24 samples as µ-law, and the same decoded as 16-bit mono.
        let codes: Vec<u8> = (0..24).map(|n| G711::Pcmu.encode(tone(hertz, n))).collect();
        needles.push(codes.iter().flat_map(|c| G711::Pcmu.decode(*c).to_le_bytes()).collect());
        needles.push(codes);
    }
    let both =
        |n| [tone(CALLER, n), tone(AGENT, n)].map(|s| G711::Pcmu.decode(G711::Pcmu.encode(s)));
    needles.push((0..8).flat_map(both).flat_map(i16::to_le_bytes).collect());
    let mut searched = 0;
    for path in files(folder) {
        // A file may be gone again by now.
        let Ok(bytes) = fs::read(&path) else { continue };
        searched += bytes.len();
        for needle in &needles {
            let found = bytes.windows(needle.len()).any(|window| window == needle);
            assert!(!found, "{} holds plaintext {needle:02x?}", path.display());
        }
    }
    searched
}

#[test]
fn the_search_finds_every_form_of_a_voice() {
    let root = folder("search");
    let coded = |hertz: f64| (0..8000).map(move |n| G711::Pcmu.encode(tone(hertz, n)));
    let decoded = |hertz| coded(hertz).flat_map(|code| G711::Pcmu.decode(code).to_le_bytes());
    let both = coded(CALLER).zip(coded(AGENT)).flat_map(|(left, right)| {
        [left, right].into_iter().flat_map(|code| G711::Pcmu.decode(code).to_le_bytes())
    });
    let forms: [Vec<u8>; 6] = [
        coded(CALLER).collect(),
        coded(AGENT).collect(),
        decoded(CALLER).collect(),
        decoded(AGENT).collect(),
        both.collect(),
        recorder::wav::header(None).to_vec(),
    ];
    for (n, form) in forms.iter().enumerate() {
        fs::write(root.join("leak"), &form[form.len() / 3 / 4 * 4 * usize::from(n < 5)..]).unwrap();
        let found = std::panic::catch_unwind(|| search_for_plaintext(&root));
        assert!(found.is_err(), "form {n} slips through");
    }
}
