//! Two-channel recording of calls: timeline, streaming encryption, spool, upload, reading back.
//!
//! ```text
//! tap rings -> Timeline -> WAV -> aead::Writer -> spool file -> parts -> object store -> Archive
//!              (silence     (Tink's format,     (ciphertext   (while the call runs)
//!              for gaps)    one key a recording) only)
//! ```
//!
//! Everything outside `store/` is sans-IO. No plaintext audio ever rests on a disk or in a bucket:
//! it exists as samples in memory for at most the reordering window plus one segment.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod aead;
pub mod keys;
mod side;
pub mod speech;
mod splice;
pub mod store;
pub mod timeline;
mod track;
pub mod wav;

use base::{CallId, Instant, RecordingId, TenantId, UnixTime};
use media::TapId;

pub use keys::{DataKey, KeyError, KeyProvider, Keyring, WrappedKey};
pub use store::{
    Archive, ArchiveError, ObjectStore, ObjectStoreConfig, Remaining, S3Config, Service,
    ServiceConfig, ServiceError, StoreError,
};
pub use timeline::{Pause, Timeline};

/// An order to the recorder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Begins a recording.
    Start {
        /// Whose.
        tenant: TenantId,
        /// Its new number.
        recording: RecordingId,
        /// The call it records.
        call: CallId,
        /// The tap whose frames belong to it.
        tap: TapId,
        /// The wall's clock now, for the record and the object's folder.
        at: UnixTime,
        /// The running clock now: the recording's first sample.
        now: Instant,
    },
    /// Keeps what is said from here on out of a recording, whose time goes on in silence.
    Pause {
        /// Which.
        recording: RecordingId,
        /// Its tap.
        tap: TapId,
        /// The running clock now: the first sample that is silent.
        now: Instant,
    },
    /// Records again.
    Resume {
        /// Which.
        recording: RecordingId,
        /// Its tap.
        tap: TapId,
        /// The running clock now: one past the last sample that is silent.
        now: Instant,
    },
    /// Ends a recording.
    Stop {
        /// Which.
        recording: RecordingId,
        /// Its tap.
        tap: TapId,
        /// The running clock now: one past the recording's last sample.
        now: Instant,
    },
}

/// A recording that the object store has confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finished {
    /// Whose.
    pub tenant: TenantId,
    /// Its number.
    pub recording: RecordingId,
    /// The call it recorded.
    pub call: CallId,
    /// When it began.
    pub started_at: UnixTime,
    /// Length of its audio.
    pub duration_ms: u64,
    /// Bytes of the encrypted object.
    pub bytes: u64,
    /// Bytes of the WAV file it decrypts to.
    pub wav_bytes: u64,
    /// Where it lies: `file:///...` or `s3://bucket/key`; [`Archive::open`] takes it.
    pub location: String,
    /// Its data key, wrapped; also beside the object in `<object>.json`.
    pub wrapped_key: WrappedKey,
    /// Silence in place of packets that never came, caller and agent together.
    pub gaps_ms: u64,
    /// Where in it nothing was to be recorded, as far as it was not cut off by a crash.
    pub pauses: Vec<Pause>,
    /// Why it ends before its call did, if it does.
    pub cut_short: Option<String>,
}

/// What became of a recording. Each one that was started gets exactly one of `Completed`,
/// `Recovered` or `Failed` in the end, perhaps after a restart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Report {
    /// It is in the object store.
    Completed(Finished),
    /// It was on disk when an earlier process ended, and is in the object store now.
    Recovered {
        /// The recording.
        finished: Finished,
        /// Bytes at the end of its file that were torn and are lost.
        lost_bytes: u64,
    },
    /// The object store does not take it; trying goes on, and the encrypted file stays on disk.
    Delayed {
        /// Whose.
        tenant: TenantId,
        /// Which.
        recording: RecordingId,
        /// Its call.
        call: CallId,
        /// What the object store says.
        why: String,
    },
    /// There is no recording, and none will come.
    Failed {
        /// Whose.
        tenant: TenantId,
        /// Which.
        recording: RecordingId,
        /// Its call.
        call: CallId,
        /// Why.
        why: String,
    },
}
