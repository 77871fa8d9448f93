//! The recorder at work: a thread that reads the tap rings, and uploads on tokio.
//!
//! The thread wakes every 10 ms, or more often when there is much to do, takes commands, empties
//! the rings, and moves on the timelines whose turn it is (`turns.rs`). It never waits for the
//! network, and for the disk only as long as the kernel's page cache does, and once in a tenant's
//! life for its wrapping key to be on disk.

use std::collections::BTreeMap;
use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use base::{Duration, Instant, RecordingId};
use media::tap::Frame;
use media::{TapId, TapReceiver};
use tokio::runtime::Handle;
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use super::live::{Live, Scratch};
use super::manifest::{Manifest, State};
use super::object::ObjectStore;
use super::spool::{Room, Spool, Syncer};
use super::turns::{Spell, Turns};
use super::upload::{self, Shared};
use super::{priority, recover};
use crate::aead::SEGMENT_BYTES;
use crate::{Command, DataKey, KeyProvider, Report};

/// The longest rest between two wakings.
const TICK: Duration = Duration::from_millis(10);
/// The shortest, and how long a waking should keep at it.
const SHORTEST_TICK: Duration = Duration::from_millis(1);
const AT_IT: Duration = Duration::from_micros(1000);
/// Frames that are taken from a ring in one go.
const FRAMES: usize = 32;
/// After its end, how long a recording still takes frames that arrived before it.
const LINGER: Duration = Duration::from_millis(40);
/// Frames whose recording has not begun yet wait this long for it, and no more than so many.
const EARLY_FOR: Duration = Duration::from_secs(1);
const EARLY_MOST: usize = 2048;

/// How the recorder works.
#[derive(Clone)]
pub struct ServiceConfig {
    /// Folder of the encrypted spool; made with mode 0700.
    pub spool: PathBuf,
    /// Bytes that the spool may hold; see [`Report::Failed`] and [`crate::Finished::cut_short`]
    /// for what happens at nine tenths of it, and at it.
    pub spool_limit_bytes: u64,
    /// Where recordings go.
    pub store: ObjectStore,
    /// Who wraps their keys.
    pub keys: KeyProvider,
    /// The running clock that frames and commands are stamped with.
    pub clock: Arc<dyn Fn() -> Instant + Send + Sync>,
    /// Bytes of an uploaded part; S3 wants at least 5 MiB and takes 10000 parts.
    pub part_bytes: u64,
    /// How long the timeline waits for packets that others overtook.
    pub reorder_window: Duration,
    /// How often the spool is synced to the disk.
    pub sync_every: Duration,
    /// Parts in memory and on the way at once.
    pub uploads_at_once: usize,
    /// First wait after a failed upload; doubled up to `retry_most`.
    pub retry_first: Duration,
    /// Longest wait after a failed upload.
    pub retry_most: Duration,
}

impl ServiceConfig {
    /// With the defaults: 20 GiB of spool, parts of 5 MiB, a window of 200 ms, a sync every 500 ms,
    /// 8 uploads at once, retries after 0.5 s to 30 s.
    #[must_use]
    pub fn new(
        spool: PathBuf,
        store: ObjectStore,
        keys: KeyProvider,
        clock: Arc<dyn Fn() -> Instant + Send + Sync>,
    ) -> Self {
        Self {
            spool,
            spool_limit_bytes: 20 << 30,
            store,
            keys,
            clock,
            part_bytes: 5 << 20,
            reorder_window: Duration::from_millis(200),
            sync_every: Duration::from_millis(500),
            uploads_at_once: 8,
            retry_first: Duration::from_millis(500),
            retry_most: Duration::from_secs(30),
        }
    }
}

/// Why the recorder cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// The spool folder is unusable.
    #[error("recording spool {path}: {error}")]
    Spool {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
}

/// What a stop left to the next start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Remaining {
    /// Recordings in the spool that the object store has not confirmed.
    pub uploads: usize,
}

/// The running recorder.
pub struct Service {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    tasks: Arc<Mutex<JoinSet<()>>>,
    spool: Spool,
}

impl Service {
    /// Starts the thread, and the completion of what an earlier process left in the spool. Call it
    /// inside a tokio runtime with its IO and time drivers on.
    ///
    /// # Errors
    /// When the spool folder cannot be made or another process uses it.
    pub fn start(
        config: ServiceConfig,
        rings: Vec<TapReceiver>,
        commands: mpsc::Receiver<Command>,
        reports: mpsc::Sender<Report>,
    ) -> Result<Self, ServiceError> {
        let path = config.spool.clone();
        let fail = |error| ServiceError::Spool { path: path.clone(), error };
        let spool = Spool::open(&config.spool, config.spool_limit_bytes).map_err(fail)?;
        let shared = Arc::new(Shared {
            store: config.store,
            keys: config.keys,
            spool: spool.clone(),
            part_bytes: config.part_bytes.max(1),
            parts_at_once: Semaphore::new(config.uploads_at_once.max(1)),
            retry_first: config.retry_first,
            retry_most: config.retry_most,
            reports,
        });
        let left = recover::manifests(&shared).map_err(fail)?;
        let tasks = Arc::new(Mutex::new(JoinSet::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let mut recorder = Recorder {
            shared,
            rings,
            commands,
            clock: config.clock,
            window: config.reorder_window,
            sync_every: config.sync_every,
            syncer: Syncer::start(&spool).map_err(fail)?,
            to_sync: Vec::new(),
            synced_at: Instant::ZERO,
            live: BTreeMap::new(),
            turns: Turns::default(),
            early: Vec::new(),
            scratch: Scratch::default(),
            runtime: Handle::current(),
            tasks: Arc::clone(&tasks),
        };
        recorder.spawn(recover::all(Arc::clone(&recorder.shared), left));
        let flag = Arc::clone(&stop);
        let thread = thread::Builder::new()
            .name("recorder".to_owned())
            .spawn(move || recorder.run(&flag))
            .map_err(fail)?;
        Ok(Self { stop, thread: Some(thread), tasks, spool })
    }

    /// Ends what still records, sealed as it is, and gives the uploads `limit` to finish. What
    /// they do not manage stays encrypted in the spool for the next start.
    pub async fn stop(mut self, limit: Duration) -> Remaining {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let joined = tokio::task::spawn_blocking(move || thread.join()).await;
            if !matches!(joined, Ok(Ok(()))) {
                tracing::error!("the recorder's thread ended badly");
            }
        }
        let mut tasks =
            std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        let finished = async { while tasks.join_next().await.is_some() {} };
        let _ = tokio::time::timeout(limit, finished).await;
        tasks.shutdown().await;
        Remaining { uploads: self.spool.names(".json").map_or(0, |names| names.len()) }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
    }
}

/// What the thread owns.
struct Recorder {
    shared: Arc<Shared>,
    rings: Vec<TapReceiver>,
    commands: mpsc::Receiver<Command>,
    clock: Arc<dyn Fn() -> Instant + Send + Sync>,
    window: Duration,
    sync_every: Duration,
    syncer: Syncer,
    to_sync: Vec<Arc<File>>,
    synced_at: Instant,
    live: BTreeMap<TapId, (RecordingId, Live)>,
    /// When to move on which of them next.
    turns: Turns,
    early: Vec<Frame>,
    scratch: Scratch,
    runtime: Handle,
    tasks: Arc<Mutex<JoinSet<()>>>,
}

impl Recorder {
    fn run(mut self, stop: &AtomicBool) {
        priority::give_way();
        let mut rest = TICK;
        while !stop.load(Ordering::Acquire) {
            let began = (self.clock)();
            self.turn();
            rest = rest_after(rest, (self.clock)().since(began));
            thread::sleep(rest);
        }
        self.turn();
        let now = (self.clock)();
        for (_, (_, live)) in std::mem::take(&mut self.live) {
            let end = live.end.unwrap_or(now);
            let cut_short = live.end.is_none().then(|| "the engine was stopped".to_owned());
            live.finish(end, cut_short, &mut self.scratch);
        }
    }

    /// One waking.
    fn turn(&mut self) {
        let clock = Arc::clone(&self.clock);
        let mut spell = Spell::begin(&*clock);
        while let Ok(command) = self.commands.try_recv() {
            self.obey(command);
            spell.breathe();
        }
        // The time is read before the rings: what they hold was put there before it passes.
        let now = (self.clock)();
        self.empty_rings(now, &mut spell);
        self.advance(now, &mut spell);
        if now.since(self.synced_at) >= self.sync_every {
            self.synced_at = now;
            self.to_sync.extend(self.live.values_mut().filter_map(|(_, live)| live.take_dirty()));
            let files = std::mem::take(&mut self.to_sync);
            if !files.is_empty() {
                self.to_sync = self.syncer.sync(files);
            }
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Start { tenant, recording, call, tap, at, now } => {
                let manifest = |wrapped_key| Manifest {
                    version: 1,
                    tenant: tenant.clone(),
                    recording,
                    call,
                    started_at: at,
                    file: format!("{recording}.tink"),
                    segment_bytes: SEGMENT_BYTES,
                    wrapped_key,
                    state: State::Recording,
                    upload: None,
                    stale_upload: None,
                };
                let begun = self
                    .shared
                    .keys
                    .generate(&tenant, recording)
                    .map_err(|e| e.to_string())
                    .and_then(|(key, wrapped)| self.begin(manifest(wrapped), &key, tap, now));
                if let Err(why) = begun {
                    tracing::error!(%tenant, %recording, why, "a call is not recorded");
                    let reports = self.shared.reports.clone();
                    self.spawn(async move {
                        let _ = reports.send(Report::Failed { tenant, recording, call, why }).await;
                    });
                }
            }
            Command::Pause { recording, tap, now } => self.set_paused((tap, recording), now, true),
            Command::Resume { recording, tap, now } => {
                self.set_paused((tap, recording), now, false);
            }
            Command::Stop { recording, tap, now } => {
                if let Some((owner, live)) = self.live.get_mut(&tap)
                    && *owner == recording
                {
                    live.end.get_or_insert(now);
                }
            }
        }
    }

    fn set_paused(&mut self, (tap, recording): (TapId, RecordingId), at: Instant, paused: bool) {
        if let Some((owner, live)) = self.live.get_mut(&tap)
            && *owner == recording
        {
            live.set_paused(at, paused);
        }
    }

    fn begin(
        &mut self,
        manifest: Manifest,
        key: &DataKey,
        tap: TapId,
        now: Instant,
    ) -> Result<(), String> {
        if self.shared.spool.room() != Room::Free {
            return Err("the recording spool is full".to_owned());
        }
        if self.live.contains_key(&tap) {
            return Err(format!("tap {} records already", tap.0));
        }
        let pace = (self.window, self.shared.part_bytes);
        let begun = Live::begin(&self.shared.spool, &manifest, key, now, pace, &mut self.scratch);
        let (mut live, files) = begun.map_err(|e| {
            // What was made of it holds no audio yet.
            let _ = self.shared.spool.forget(&manifest);
            format!("spool: {e}")
        })?;
        self.to_sync.extend(files);
        self.early.retain(|frame| {
            if frame.tap == tap {
                live.frame(frame);
            }
            frame.tap != tap
        });
        let progress = live.watch();
        self.live.insert(tap, (manifest.recording, live));
        self.turns.begin((self.clock)(), tap);
        self.spawn(upload::follow(Arc::clone(&self.shared), manifest, progress));
        Ok(())
    }

    fn empty_rings(&mut self, now: Instant, spell: &mut Spell<'_>) {
        let Self { rings, live, early, .. } = self;
        let mut taken = 0;
        for ring in rings {
            ring.take(|frame| {
                taken += 1;
                if taken % FRAMES == 0 {
                    spell.breathe();
                }
                if let Some((_, live)) = live.get_mut(&frame.tap) {
                    live.frame(frame);
                } else if early.len() < EARLY_MOST {
                    early.push(*frame);
                }
            });
        }
        self.early.retain(|frame| now.since(frame.at) < EARLY_FOR);
    }

    /// Moves on the recordings whose turn it is; all of them when the spool is full.
    fn advance(&mut self, now: Instant, spell: &mut Spell<'_>) {
        let full = self.shared.spool.room() == Room::None;
        for _ in 0..self.turns.len() {
            let Some(turn) = self.turns.pop(now, full) else { break };
            let (_, tap) = turn;
            let Some((_, live)) = self.live.get_mut(&tap) else { continue };
            let whole = live.advance(now, &mut self.scratch);
            let over = live.end.is_some_and(|end| now >= end + LINGER);
            if over || full || !whole {
                self.end(tap, now);
            } else {
                self.turns.again(now, turn);
            }
            spell.breathe();
        }
    }

    fn end(&mut self, tap: TapId, now: Instant) {
        let Some((_, live)) = self.live.remove(&tap) else { return };
        let end = live.end.unwrap_or(now);
        let cut_short = live.end.is_none().then(|| "the recording spool is full".to_owned());
        live.finish(end, cut_short, &mut self.scratch);
    }

    fn spawn(&mut self, task: impl Future<Output = ()> + Send + 'static) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn_on(task, &self.runtime);
    }
}

/// How long to rest after a waking that kept at it for so long after such a rest: what gathers in a
/// shorter rest takes less.
fn rest_after(rest: Duration, took: Duration) -> Duration {
    let part = AT_IT.as_secs_f64() / took.as_secs_f64().max(1e-6);
    rest.mul_f64(part.min(10.0)).clamp(SHORTEST_TICK, TICK)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_much_to_do_does_it_in_small_pieces_and_who_has_little_rests() {
        let settled = |per_second: Duration| {
            (0..50).fold(TICK, |rest, _| rest_after(rest, per_second.mul_f64(rest.as_secs_f64())))
        };
        assert_eq!(settled(Duration::from_millis(5)), TICK);
        // A fifth of a core: a millisecond at a time.
        let rest = settled(Duration::from_millis(200));
        assert!(
            rest.abs_diff(Duration::from_micros(5000)) < Duration::from_micros(200),
            "{rest:?}"
        );
        assert_eq!(settled(Duration::from_millis(1000)), SHORTEST_TICK);
    }
}
