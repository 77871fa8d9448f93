//! Data keys, one per recording, and how a tenant's wrapping key wraps them.
//!
//! A wrapped key is AES-256-GCM of the data key with the tenant, the recording and the wrapping
//! key's id as associated data: a wrapped key copied to another recording or tenant does not open.

use std::fmt;

use base::{RecordingId, TenantId};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use serde::{Deserialize, Serialize};

pub use crate::store::keyring::{KeyProvider, Keyring};

/// Bytes of data and wrapping keys.
pub const KEY_BYTES: usize = 32;

/// Why a key could not be wrapped, unwrapped or found.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The tenant has no wrapping key of that id.
    #[error("tenant {tenant} has no wrapping key {key_id:?} in the keyring")]
    Unknown {
        /// Whose key was asked for.
        tenant: TenantId,
        /// Its id.
        key_id: String,
    },
    /// The wrapped key does not authenticate under that wrapping key.
    #[error("the wrapped key does not open for this tenant and recording")]
    Wrong,
    /// The wrapped key's text is not what [`WrappedKey`] writes.
    #[error("the wrapped key is malformed: {0}")]
    Malformed(&'static str),
    /// The keyring file cannot be read or written.
    #[error("keyring {path}: {problem}")]
    Keyring {
        /// The file.
        path: String,
        /// What is wrong with it and how to cure it.
        problem: String,
    },
}

/// The secret key of one recording.
#[derive(Clone)]
pub struct DataKey([u8; KEY_BYTES]);

impl DataKey {
    /// From 32 bytes of the operating system's randomness.
    #[must_use]
    pub fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        Self(bytes)
    }

    /// The key itself.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(secret)")
    }
}

/// A data key as it is stored beside its recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WrappedKey {
    /// Which of the tenant's wrapping keys wraps it.
    pub key_id: String,
    /// How: `A256GCM`.
    pub algorithm: String,
    /// Hexadecimal: 12 bytes nonce, 32 bytes encrypted key, 16 bytes tag.
    pub wrapped: String,
}

const ALGORITHM: &str = "A256GCM";

/// The associated data of a recording's stream: it binds the audio to its tenant and recording, so
/// that one recording put in another's place fails. Slugs hold no zero byte.
#[must_use]
pub fn stream_binding(tenant: &TenantId, recording: RecordingId) -> Vec<u8> {
    format!("strowger/recording/1\0{tenant}\0{recording}").into_bytes()
}

fn wrap_binding(tenant: &TenantId, recording: RecordingId, key_id: &str) -> Vec<u8> {
    format!("strowger/data-key/1\0{tenant}\0{recording}\0{key_id}").into_bytes()
}

/// Wraps `key` with `wrapping` (the wrapping key's secret). `nonce` must be fresh randomness.
///
/// # Errors
/// Only when the cipher refuses, which it does for no key of this size.
pub fn wrap(
    wrapping: &[u8; KEY_BYTES],
    key_id: &str,
    tenant: &TenantId,
    recording: RecordingId,
    key: &DataKey,
    nonce: [u8; 12],
) -> Result<WrappedKey, KeyError> {
    let mut sealed = key.as_bytes().to_vec();
    let binding = wrap_binding(tenant, recording, key_id);
    cipher(wrapping)?
        .seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(binding),
            &mut sealed,
        )
        .map_err(|_| KeyError::Wrong)?;
    let wrapped = to_hex(&[&nonce[..], &sealed[..]].concat());
    Ok(WrappedKey { key_id: key_id.to_owned(), algorithm: ALGORITHM.to_owned(), wrapped })
}

/// Opens what [`wrap`] made.
///
/// # Errors
/// When it is malformed, or was wrapped by another key or for another tenant or recording.
pub fn unwrap(
    wrapping: &[u8; KEY_BYTES],
    tenant: &TenantId,
    recording: RecordingId,
    wrapped: &WrappedKey,
) -> Result<DataKey, KeyError> {
    if wrapped.algorithm != ALGORITHM {
        return Err(KeyError::Malformed("its algorithm is not A256GCM"));
    }
    let bytes = from_hex(&wrapped.wrapped).ok_or(KeyError::Malformed("it is not hexadecimal"))?;
    let Some((nonce, sealed)) = bytes.split_first_chunk::<12>() else {
        return Err(KeyError::Malformed("it is too short"));
    };
    let mut sealed = sealed.to_vec();
    let binding = wrap_binding(tenant, recording, &wrapped.key_id);
    let plain = cipher(wrapping)?
        .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(binding), &mut sealed)
        .map_err(|_| KeyError::Wrong)?;
    let key: [u8; KEY_BYTES] = (&*plain).try_into().map_err(|_| KeyError::Wrong)?;
    Ok(DataKey(key))
}

fn cipher(key: &[u8; KEY_BYTES]) -> Result<LessSafeKey, KeyError> {
    UnboundKey::new(&AES_256_GCM, key).map(LessSafeKey::new).map_err(|_| KeyError::Wrong)
}

/// Bytes as lower-case hexadecimal.
pub(crate) fn to_hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Bytes from hexadecimal.
pub(crate) fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}
