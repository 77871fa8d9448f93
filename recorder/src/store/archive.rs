//! Reading recordings back from the object store: any range of the plain WAV file, decrypted on
//! the way.

use std::ops::Range;

use base::{RecordingId, TenantId, UnixTime};
use bytes::Bytes;

use super::manifest::{FORMAT, Sidecar, object_key};
use super::object::{ObjectStore, StoreError};
use crate::aead::{AeadError, HEADER_BYTES, Layout, Reader};
use crate::keys::{KeyError, KeyProvider, stream_binding};
use crate::{Finished, wav};

/// Sidecars are about one kilobyte; what is larger is none.
const SIDECAR_MOST: u64 = 64 << 10;

/// Why a recording cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// The location lies in another object store than this one.
    #[error("{0} does not lie in this object store")]
    Elsewhere(String),
    /// The object store does not give it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its key does not open.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Its audio does not authenticate.
    #[error(transparent)]
    Aead(#[from] AeadError),
    /// Its sidecar is not one, or another recording's.
    #[error("the recording's sidecar is unusable: {0}")]
    Sidecar(String),
}

/// The recordings in an object store. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Archive {
    store: ObjectStore,
    keys: KeyProvider,
}

impl Archive {
    /// Over a store and the keys of what lies in it.
    #[must_use]
    pub fn new(store: ObjectStore, keys: KeyProvider) -> Self {
        Self { store, keys }
    }

    /// Looks for a recording by what was known when it began, for a record that never heard of its
    /// end: the process was killed between the recorder's report and its writing down. `None` when
    /// no whole object is there (yet).
    ///
    /// # Errors
    /// When the object store cannot say, or what it has is not this recording.
    pub async fn find(
        &self,
        tenant: &TenantId,
        recording: RecordingId,
        started_at: UnixTime,
    ) -> Result<Option<Finished>, ArchiveError> {
        let key = object_key(self.store.prefix(), tenant, recording, started_at);
        let location = self.store.location(&key);
        let open = match self.open(tenant, recording, &location).await {
            Ok(open) => open,
            Err(ArchiveError::Store(StoreError::NotFound(_))) => return Ok(None),
            Err(error) => return Err(error),
        };
        let (wav_bytes, duration_ms) = (open.wav_bytes(), open.duration_ms());
        let Sidecar { call, bytes, wrapped_key, gaps_ms, pauses, cut_short, .. } = open.sidecar;
        Ok(Some(Finished {
            tenant: tenant.clone(),
            recording,
            call,
            started_at,
            duration_ms,
            bytes,
            wav_bytes,
            location,
            wrapped_key,
            gaps_ms,
            pauses,
            cut_short,
        }))
    }

    /// Deletes the recording at this location, audio before sidecar: a deletion that breaks off is
    /// finished by the next one. What is not there is deleted already.
    ///
    /// # Errors
    /// When it lies elsewhere, or the object store does not delete it now.
    pub async fn delete(&self, location: &str) -> Result<(), ArchiveError> {
        let elsewhere = || ArchiveError::Elsewhere(location.to_owned());
        let key = self.store.key_of(location).ok_or_else(elsewhere)?;
        self.store.delete(key).await?;
        self.store.delete(&format!("{key}.json")).await?;
        Ok(())
    }

    /// Opens a recording of `tenant` at the location its report named. Its key must open for this
    /// tenant and recording, and its end must authenticate: an object that was cut, or put there
    /// from another recording, fails here.
    ///
    /// # Errors
    /// When it is not there, not this recording, or not whole.
    pub async fn open(
        &self,
        tenant: &TenantId,
        recording: RecordingId,
        location: &str,
    ) -> Result<OpenRecording, ArchiveError> {
        let key = self
            .store
            .key_of(location)
            .ok_or_else(|| ArchiveError::Elsewhere(location.to_owned()))?
            .to_owned();
        let sidecar = self.store.get_small(&format!("{key}.json"), SIDECAR_MOST).await?;
        let sidecar: Sidecar =
            serde_json::from_slice(&sidecar).map_err(|e| ArchiveError::Sidecar(e.to_string()))?;
        if sidecar.format != FORMAT {
            return Err(ArchiveError::Sidecar(format!("unknown format {:?}", sidecar.format)));
        }
        let data_key = self.keys.unwrap(tenant, recording, &sidecar.wrapped_key)?;
        let size = self.store.size(&key).await?;
        let layout = Layout::new(sidecar.segment_bytes, size)?;
        let header = self.store.get(&key, 0..HEADER_BYTES as u64).await?;
        let reader = Reader::new(&data_key, &stream_binding(tenant, recording), &header)?;
        let open = OpenRecording { store: self.store.clone(), key, layout, reader, sidecar };
        let end = open.wav_bytes();
        open.read(end.saturating_sub(1)..end).await?;
        Ok(open)
    }
}

/// A recording being read.
pub struct OpenRecording {
    store: ObjectStore,
    key: String,
    layout: Layout,
    reader: Reader,
    sidecar: Sidecar,
}

impl OpenRecording {
    /// Bytes of the whole WAV file.
    #[must_use]
    pub fn wav_bytes(&self) -> u64 {
        self.layout.plaintext_bytes()
    }

    /// Length of its audio.
    #[must_use]
    pub fn duration_ms(&self) -> u64 {
        wav::duration_ms(self.wav_bytes())
    }

    /// What its sidecar says.
    #[must_use]
    pub fn sidecar(&self) -> &Sidecar {
        &self.sidecar
    }

    /// Bytes `range` of the WAV file (cut to its end), with the header corrected to its length.
    /// All of it is held in memory: read long recordings in pieces of at most a megabyte.
    ///
    /// # Errors
    /// When the store does not give it, or it does not authenticate.
    pub async fn read(&self, range: Range<u64>) -> Result<Bytes, ArchiveError> {
        let range = range.start..range.end.min(self.wav_bytes());
        let segments = self.layout.segments_of(&range);
        if segments.is_empty() {
            return Ok(Bytes::new());
        }
        let from = self.layout.ciphertext(segments.start).start;
        let until = self.layout.ciphertext(segments.end - 1).end;
        let mut ciphertext = self.store.get(&self.key, from..until).await?.to_vec();
        let mut plain = self.reader.read(&self.layout, &range, &mut ciphertext)?;
        wav::correct(&mut plain, range.start, self.wav_bytes());
        Ok(Bytes::from(plain))
    }
}
