//! What lies beside encrypted audio: the spool's manifest, and the sidecar in the object store.

use std::io;
use std::path::Path;

use base::{CallId, RecordingId, TenantId, UnixTime};
use serde::{Deserialize, Serialize};

use super::disk;
use super::object::{Part, UploadId};
use crate::keys::WrappedKey;
use crate::timeline::Pause;
use crate::wav;

/// The spool's note about one recording: enough to go on after any crash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Manifest {
    pub(crate) version: u32,
    pub(crate) tenant: TenantId,
    pub(crate) recording: RecordingId,
    pub(crate) call: CallId,
    pub(crate) started_at: UnixTime,
    /// The encrypted file's name in the spool folder.
    pub(crate) file: String,
    pub(crate) segment_bytes: u32,
    pub(crate) wrapped_key: WrappedKey,
    pub(crate) state: State,
    /// The upload of exactly this file that has begun, if one has.
    pub(crate) upload: Option<Upload>,
    /// An upload of a file that was replaced, to be aborted.
    pub(crate) stale_upload: Option<UploadId>,
}

/// How far the encrypted file is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "name", rename_all = "snake_case")]
pub(crate) enum State {
    /// It grows; without its last segment it does not count as whole.
    Recording,
    /// It is whole and never changes again.
    Sealed(Sealed),
}

/// What is known of a whole file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sealed {
    /// Bytes of the encrypted file.
    pub(crate) bytes: u64,
    /// Bytes of its plaintext.
    pub(crate) wav_bytes: u64,
    pub(crate) gaps_ms: u64,
    #[serde(default)]
    pub(crate) pauses: Vec<Pause>,
    pub(crate) cut_short: Option<String>,
    /// Set when a later process completed it: bytes that were torn.
    pub(crate) recovered: Option<u64>,
}

/// A multipart upload and the parts that the store has confirmed, in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Upload {
    pub(crate) id: UploadId,
    pub(crate) parts: Vec<Part>,
}

impl Upload {
    pub(crate) fn uploaded(&self) -> u64 {
        self.parts.iter().map(|part| part.bytes).sum()
    }
}

impl Manifest {
    pub(crate) fn load(path: &Path) -> io::Result<Self> {
        serde_json::from_slice(&std::fs::read(path)?).map_err(io::Error::other)
    }

    pub(crate) fn save(&self, path: &Path) -> io::Result<()> {
        disk::replace(path, &serde_json::to_vec_pretty(self).map_err(io::Error::other)?)
    }

    pub(crate) fn object_key(&self, prefix: &str) -> String {
        object_key(prefix, &self.tenant, self.recording, self.started_at)
    }

    pub(crate) fn sidecar(&self, sealed: &Sealed) -> Sidecar {
        Sidecar {
            version: 1,
            tenant: self.tenant.clone(),
            recording: self.recording,
            call: self.call,
            started_at: self.started_at.to_string(),
            duration_ms: wav::duration_ms(sealed.wav_bytes),
            gaps_ms: sealed.gaps_ms,
            pauses: sealed.pauses.clone(),
            bytes: sealed.bytes,
            wav_bytes: sealed.wav_bytes,
            format: FORMAT.to_owned(),
            segment_bytes: self.segment_bytes,
            wrapped_key: self.wrapped_key.clone(),
            cut_short: sealed.cut_short.clone(),
        }
    }
}

/// `<prefix>/<tenant>/<yyyy>/<mm>/<dd>/<recording>.wav.tink`, by the day it began (UTC).
pub(crate) fn object_key(
    prefix: &str,
    tenant: &TenantId,
    recording: RecordingId,
    started_at: UnixTime,
) -> String {
    let day = started_at.to_string()[..10].replace('-', "/");
    let prefix = prefix.trim_matches('/');
    let slash = if prefix.is_empty() { "" } else { "/" };
    format!("{prefix}{slash}{tenant}/{day}/{recording}.wav.tink")
}

/// The name of the encryption in a sidecar.
pub(crate) const FORMAT: &str = "tink-aes256-gcm-hkdf-sha256-streaming";

/// `<object>.json` in the object store: with the keyring, all that is needed to read the object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sidecar {
    /// 1.
    pub version: u32,
    /// Whose.
    pub tenant: TenantId,
    /// Which.
    pub recording: RecordingId,
    /// Of which call.
    pub call: CallId,
    /// When it began, RFC 3339 in UTC.
    pub started_at: String,
    /// Length of its audio.
    pub duration_ms: u64,
    /// Silence in place of packets that never came.
    pub gaps_ms: u64,
    /// Silence where nothing was to be recorded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pauses: Vec<Pause>,
    /// Bytes of the encrypted object.
    pub bytes: u64,
    /// Bytes of the WAV file.
    pub wav_bytes: u64,
    /// The encryption's name.
    pub format: String,
    /// Bytes of one ciphertext segment.
    pub segment_bytes: u32,
    /// The data key.
    pub wrapped_key: WrappedKey,
    /// Why it ends before its call did, if it does.
    pub cut_short: Option<String>,
}
