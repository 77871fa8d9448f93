//! Carries one recording from the spool to the object store, while it grows and after.
//!
//! Each step is noted in the manifest before the next, so that another process goes on where this
//! one stopped. A step that fails is tried again, for ever, ever more slowly: the spool has the
//! audio, and calls notice nothing. The spool's file goes only when the store shows an object of
//! the same length with the same beginning and the same end.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use base::Duration;
use bytes::Bytes;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::Instant;

use super::disk;
use super::live::{End, Progress};
use super::manifest::{Manifest, Sealed, State, Upload};
use super::object::{ObjectStore, StoreError};
use super::recover;
use super::spool::Spool;
use crate::aead::{HEADER_BYTES, TAG_BYTES};
use crate::{Finished, KeyProvider, Report, wav};

/// What all uploads share.
pub(crate) struct Shared {
    pub(crate) store: ObjectStore,
    pub(crate) keys: KeyProvider,
    pub(crate) spool: Spool,
    pub(crate) part_bytes: u64,
    /// Parts that may be in memory at once.
    pub(crate) parts_at_once: Semaphore,
    pub(crate) retry_first: Duration,
    pub(crate) retry_most: Duration,
    pub(crate) reports: mpsc::Sender<Report>,
}

/// Attempts that fail in a row before the delay is reported.
const DELAY_REPORTED_AFTER: u32 = 3;
/// A recording that waits is in the log at once, and then this often.
const TOLD_AGAIN_AFTER: std::time::Duration = std::time::Duration::from_secs(60);

#[derive(Debug, thiserror::Error)]
enum StepError {
    #[error("{0}")]
    Store(#[from] StoreError),
    #[error("spool: {0}")]
    Disk(#[from] io::Error),
    #[error("the spool file broke off: {0}")]
    Broken(String),
    #[error("the object in the store is not the one that was sent")]
    Unconfirmed,
}

/// Follows a recording until the store has it, and reports.
pub(crate) async fn follow(
    shared: Arc<Shared>,
    manifest: Manifest,
    progress: watch::Receiver<Progress>,
) {
    let key = manifest.object_key(shared.store.prefix());
    let mut uploader = Uploader { shared, manifest, key, progress };
    let mut failures = 0;
    let mut told: Option<Instant> = None;
    let mut wait = uploader.shared.retry_first;
    loop {
        let sent_before = uploader.uploaded();
        let error = match uploader.attempt().await {
            Ok(sealed) => return uploader.report(sealed).await,
            Err(StepError::Broken(why)) => match uploader.mend(&why).await {
                Ok(true) => continue,
                Ok(false) => return,
                Err(error) => StepError::Disk(error),
            },
            Err(error) => error,
        };
        if uploader.uploaded() > sent_before {
            (failures, wait) = (0, uploader.shared.retry_first);
        }
        failures += 1;
        let recording = uploader.manifest.recording;
        if told.is_none_or(|told: Instant| told.elapsed() >= TOLD_AGAIN_AFTER) {
            told = Some(Instant::now());
            tracing::warn!(%recording, %error, failures, "a recording's upload has to wait");
        }
        if failures == DELAY_REPORTED_AFTER {
            let Manifest { tenant, recording, call, .. } = uploader.manifest.clone();
            let why = error.to_string();
            uploader.send(Report::Delayed { tenant, recording, call, why }).await;
        }
        tokio::time::sleep(wait).await;
        wait = (wait * 2).min(uploader.shared.retry_most);
    }
}

struct Uploader {
    shared: Arc<Shared>,
    manifest: Manifest,
    key: String,
    progress: watch::Receiver<Progress>,
}

impl Uploader {
    /// Does all that is left to do; at the end the store has the recording.
    async fn attempt(&mut self) -> Result<Sealed, StepError> {
        let sealed = loop {
            let upload = self.begun().await?;
            let (offset, number) = (upload.uploaded(), upload.parts.len() + 1);
            let (until, sealed) = self.next_part(offset).await?;
            if let Some(sealed) = sealed
                && offset >= sealed.bytes
            {
                break sealed;
            }
            let number = i32::try_from(number).unwrap_or(i32::MAX);
            self.send_part(&upload, number, offset, until).await?;
        };
        self.complete(&sealed).await?;
        self.confirm(&sealed).await?;
        if let Some(stale) = &self.manifest.stale_upload {
            match self.shared.store.abort(&self.key, stale).await {
                Err(error @ StoreError::Unavailable(_)) => return Err(error.into()),
                Err(error) => tracing::warn!(%error, "a stale multipart upload is left behind"),
                Ok(()) => {}
            }
        }
        Ok(sealed)
    }

    /// The upload, begun if it was not.
    async fn begun(&mut self) -> Result<Upload, StepError> {
        if let Some(upload) = &self.manifest.upload {
            return Ok(upload.clone());
        }
        let id = self.shared.store.begin(&self.key).await?;
        let upload = Upload { id, parts: Vec::new() };
        self.manifest.upload = Some(upload.clone());
        self.save().await?;
        Ok(upload)
    }

    /// Waits until a part's bytes are there or the file has ended. Gives where the part ends, and
    /// what is known of the whole file once it is whole.
    async fn next_part(&mut self, offset: u64) -> Result<(u64, Option<Sealed>), StepError> {
        let full = offset.saturating_add(self.shared.part_bytes);
        if let State::Sealed(sealed) = &self.manifest.state {
            return Ok((full.min(sealed.bytes), Some(sealed.clone())));
        }
        let enough = |progress: &Progress| progress.written >= full || progress.end.is_some();
        let Progress { written, end } = match self.progress.wait_for(enough).await {
            Ok(progress) => progress.clone(),
            Err(_) => return Err(StepError::Broken("the recorder's thread ended".to_owned())),
        };
        match end {
            None => Ok((full, None)),
            Some(End::Broken(why)) => Err(StepError::Broken(why)),
            Some(End::Sealed(sealed)) => {
                self.sync_file().await?;
                self.manifest.state = State::Sealed(sealed.clone());
                self.save().await?;
                Ok((full.min(written), Some(sealed)))
            }
        }
    }

    async fn send_part(
        &mut self,
        upload: &Upload,
        number: i32,
        offset: u64,
        until: u64,
    ) -> Result<(), StepError> {
        let shared = Arc::clone(&self.shared);
        let Ok(_permit) = shared.parts_at_once.acquire().await else {
            return Err(StepError::Disk(io::Error::other("uploads are closed")));
        };
        let bytes = self.read(offset, until).await?;
        match shared.store.send_part(&self.key, &upload.id, number, offset, bytes).await {
            Ok(part) => {
                if let Some(upload) = &mut self.manifest.upload {
                    upload.parts.push(part);
                }
                Ok(self.save().await?)
            }
            Err(error) => {
                self.begin_anew_if_gone(&error).await?;
                Err(error.into())
            }
        }
    }

    /// Puts the sidecar, then makes the object appear: no object is ever there without its key.
    async fn complete(&mut self, sealed: &Sealed) -> Result<(), StepError> {
        let sidecar =
            serde_json::to_vec_pretty(&self.manifest.sidecar(sealed)).map_err(io::Error::other)?;
        let sidecar_key = format!("{}.json", self.key);
        self.shared.store.put(&sidecar_key, Bytes::from(sidecar)).await?;
        let upload = self.begun().await?;
        let Err(error) = self.shared.store.complete(&self.key, &upload.id, &upload.parts).await
        else {
            return Ok(());
        };
        // An earlier attempt may have completed it without our hearing of it.
        if !matches!(error, StoreError::Unavailable(_)) && self.confirm(sealed).await.is_ok() {
            return Ok(());
        }
        self.begin_anew_if_gone(&error).await?;
        Err(error.into())
    }

    /// Whether the store shows this very file: its length, its random header and its last tag.
    async fn confirm(&mut self, sealed: &Sealed) -> Result<(), StepError> {
        let store = &self.shared.store;
        let size = store.size(&self.key).await?;
        let edges = [0..HEADER_BYTES as u64, size.saturating_sub(TAG_BYTES as u64)..size];
        let mut same = size == sealed.bytes;
        for edge in edges {
            same = same
                && store.get(&self.key, edge.clone()).await?
                    == self.read(edge.start, edge.end).await?;
        }
        if same {
            return Ok(());
        }
        self.manifest.upload = None;
        self.save().await?;
        Err(StepError::Unconfirmed)
    }

    /// Forgets an upload that the store does not take parts of any more, for a new one.
    async fn begin_anew_if_gone(&mut self, error: &StoreError) -> io::Result<()> {
        if matches!(error, StoreError::Unavailable(_)) {
            return Ok(());
        }
        if let Some(upload) = self.manifest.upload.take() {
            self.manifest.stale_upload.get_or_insert(upload.id);
        }
        self.save().await
    }

    /// Completes a file that broke off. False when nothing of it can be saved.
    async fn mend(&mut self, why: &str) -> io::Result<bool> {
        tracing::error!(recording = %self.manifest.recording, why, "a recording broke off");
        let (shared, broken) = (Arc::clone(&self.shared), self.manifest.clone());
        let why = why.to_owned();
        match disk::blocking(move || recover::complete(&shared, broken, &why)).await? {
            Ok(manifest) => {
                self.manifest = manifest;
                Ok(true)
            }
            Err(report) => {
                self.send(report).await;
                Ok(false)
            }
        }
    }

    /// Tells of the recording, then clears the spool: after a crash in between it is told twice.
    async fn report(&self, sealed: Sealed) {
        let Manifest { tenant, recording, call, started_at, wrapped_key, .. } =
            self.manifest.clone();
        let finished = Finished {
            tenant,
            recording,
            call,
            started_at,
            duration_ms: wav::duration_ms(sealed.wav_bytes),
            bytes: sealed.bytes,
            wav_bytes: sealed.wav_bytes,
            location: self.shared.store.location(&self.key),
            wrapped_key,
            gaps_ms: sealed.gaps_ms,
            pauses: sealed.pauses,
            cut_short: sealed.cut_short,
        };
        self.send(match sealed.recovered {
            None => Report::Completed(finished),
            Some(lost_bytes) => Report::Recovered { finished, lost_bytes },
        })
        .await;
        let (spool, manifest) = (self.shared.spool.clone(), self.manifest.clone());
        if let Err(error) = disk::blocking(move || spool.forget(&manifest)).await {
            tracing::error!(%recording, %error, "an uploaded recording stays in the spool");
        }
    }

    async fn send(&self, report: Report) {
        if self.shared.reports.send(report).await.is_err() {
            tracing::debug!("nobody listens to the recorder's reports");
        }
    }

    fn uploaded(&self) -> u64 {
        self.manifest.upload.as_ref().map_or(0, Upload::uploaded)
    }

    async fn save(&self) -> io::Result<()> {
        let (path, manifest) =
            (self.shared.spool.manifest_path(&self.manifest), self.manifest.clone());
        disk::blocking(move || manifest.save(&path)).await
    }

    async fn sync_file(&self) -> io::Result<()> {
        let path = self.shared.spool.path(&self.manifest.file);
        disk::blocking(move || File::open(path)?.sync_all()).await
    }

    async fn read(&self, from: u64, until: u64) -> io::Result<Bytes> {
        let path = self.shared.spool.path(&self.manifest.file);
        let length = usize::try_from(until.saturating_sub(from)).map_err(io::Error::other)?;
        disk::blocking(move || {
            let mut bytes = vec![0; length];
            File::open(path)?.read_exact_at(&mut bytes, from)?;
            Ok(Bytes::from(bytes))
        })
        .await
    }
}
