//! Key providers: where the tenants' wrapping keys live. Today a local keyring file.
//!
//! The file is JSON, mode 0600, and holds several keys a tenant: the newest wraps, all unwrap, so
//! that a rotation needs no old recording touched.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base::{RecordingId, TenantId};
use serde::{Deserialize, Serialize};

use super::disk;
use crate::keys::{self, DataKey, KEY_BYTES, KeyError, WrappedKey, from_hex, to_hex};

/// Who holds the wrapping keys. Cheap to clone; clones share the keys.
#[derive(Debug, Clone)]
pub enum KeyProvider {
    /// A keyring file on this machine.
    Local(Keyring),
}

impl KeyProvider {
    /// What agents' tokens are made with ([`Keyring::token_secret`]).
    ///
    /// # Errors
    /// As there.
    pub fn token_secret(&self) -> Result<[u8; KEY_BYTES], KeyError> {
        let Self::Local(keyring) = self;
        keyring.token_secret()
    }

    /// A new data key for a recording, and the same wrapped by the tenant's current wrapping key,
    /// which is made if the tenant has none.
    ///
    /// # Errors
    /// When the keyring cannot be written or there is no randomness.
    pub fn generate(
        &self,
        tenant: &TenantId,
        recording: RecordingId,
    ) -> Result<(DataKey, WrappedKey), KeyError> {
        match self {
            Self::Local(keyring) => keyring.generate(tenant, recording),
        }
    }

    /// Opens a wrapped data key with the tenant's own wrapping keys.
    ///
    /// # Errors
    /// When the tenant has no such wrapping key, or the wrapped key is another's or was changed.
    pub fn unwrap(
        &self,
        tenant: &TenantId,
        recording: RecordingId,
        wrapped: &WrappedKey,
    ) -> Result<DataKey, KeyError> {
        match self {
            Self::Local(keyring) => keyring.unwrap(tenant, recording, wrapped),
        }
    }
}

/// A keyring file, held in memory and written through.
#[derive(Clone)]
pub struct Keyring {
    path: Arc<PathBuf>,
    keys: Arc<Mutex<File>>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u32,
    keys: Vec<Entry>,
    /// What agents' tokens are made with: 32 bytes, hexadecimal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tokens: Option<String>,
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    tenant: TenantId,
    id: String,
    /// 32 bytes, hexadecimal.
    key: String,
}

impl Entry {
    fn secret(&self) -> Result<[u8; KEY_BYTES], KeyError> {
        secret_of(&self.key)
    }
}

fn secret_of(hex: &str) -> Result<[u8; KEY_BYTES], KeyError> {
    from_hex(hex)
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or(KeyError::Malformed("a keyring entry is not 64 hexadecimal digits"))
}

impl Keyring {
    /// Opens the file, or makes an empty one with mode 0600.
    ///
    /// # Errors
    /// When others than its owner may read it, or it is unreadable or malformed.
    pub fn open(path: &Path) -> Result<Self, KeyError> {
        let fail =
            |problem: String| KeyError::Keyring { path: path.display().to_string(), problem };
        let keys = match fs::read(path) {
            Ok(bytes) => {
                let mode =
                    fs::metadata(path).map_err(|e| fail(e.to_string()))?.permissions().mode();
                if mode & 0o077 != 0 {
                    let found = mode & 0o777;
                    return Err(fail(format!("its mode is {found:o}; run chmod 600 on it")));
                }
                let keys: File =
                    serde_json::from_slice(&bytes).map_err(|e| fail(format!("malformed: {e}")))?;
                for entry in &keys.keys {
                    entry.secret()?;
                }
                keys
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                if let Some(folder) = path.parent() {
                    fs::create_dir_all(folder).map_err(|e| fail(e.to_string()))?;
                }
                let keys = File { version: 1, keys: Vec::new(), tokens: None };
                save(path, &keys)?;
                keys
            }
            Err(error) => return Err(fail(error.to_string())),
        };
        Ok(Self { path: Arc::new(path.to_owned()), keys: Arc::new(Mutex::new(keys)) })
    }

    /// Makes a new wrapping key for the tenant, which wraps from now on; the old ones go on
    /// unwrapping. Gives its id.
    ///
    /// # Errors
    /// When the file cannot be written or there is no randomness.
    pub fn rotate(&self, tenant: &TenantId) -> Result<String, KeyError> {
        let mut keys = self.lock();
        let entry = self.add(&mut keys, tenant)?;
        Ok(entry.id)
    }

    /// What agents' tokens are made with: drawn when it is first asked for, the same ever after. It
    /// opens no recording.
    ///
    /// # Errors
    /// When the file is malformed or cannot be written, or there is no randomness.
    pub fn token_secret(&self) -> Result<[u8; KEY_BYTES], KeyError> {
        let mut keys = self.lock();
        if let Some(kept) = &keys.tokens {
            return secret_of(kept);
        }
        let secret = disk::random::<KEY_BYTES>().map_err(|e| self.fail(&e))?;
        let grown = File { tokens: Some(to_hex(&secret)), ..keys.clone() };
        save(&self.path, &grown)?;
        *keys = grown;
        Ok(secret)
    }

    fn generate(
        &self,
        tenant: &TenantId,
        recording: RecordingId,
    ) -> Result<(DataKey, WrappedKey), KeyError> {
        let entry = {
            let mut keys = self.lock();
            match keys.keys.iter().rfind(|entry| entry.tenant == *tenant).cloned() {
                Some(entry) => entry,
                None => self.add(&mut keys, tenant)?,
            }
        };
        let key = DataKey::from_bytes(disk::random().map_err(|e| self.fail(&e))?);
        let nonce = disk::random().map_err(|e| self.fail(&e))?;
        let wrapped = keys::wrap(&entry.secret()?, &entry.id, tenant, recording, &key, nonce)?;
        Ok((key, wrapped))
    }

    fn unwrap(
        &self,
        tenant: &TenantId,
        recording: RecordingId,
        wrapped: &WrappedKey,
    ) -> Result<DataKey, KeyError> {
        let keys = self.lock();
        let entry = keys
            .keys
            .iter()
            .find(|entry| entry.tenant == *tenant && entry.id == wrapped.key_id)
            .ok_or_else(|| KeyError::Unknown {
                tenant: tenant.clone(),
                key_id: wrapped.key_id.clone(),
            })?;
        keys::unwrap(&entry.secret()?, tenant, recording, wrapped)
    }

    /// Adds a key and has it on disk before anything is wrapped with it.
    fn add(&self, keys: &mut File, tenant: &TenantId) -> Result<Entry, KeyError> {
        let id = to_hex(&disk::random::<4>().map_err(|e| self.fail(&e))?);
        let secret = disk::random::<KEY_BYTES>().map_err(|e| self.fail(&e))?;
        let entry =
            Entry { tenant: tenant.clone(), id: format!("{tenant}-{id}"), key: to_hex(&secret) };
        let mut grown = keys.clone();
        grown.keys.push(entry.clone());
        save(&self.path, &grown)?;
        *keys = grown;
        Ok(entry)
    }

    fn lock(&self) -> MutexGuard<'_, File> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn fail(&self, error: &io::Error) -> KeyError {
        KeyError::Keyring { path: self.path.display().to_string(), problem: error.to_string() }
    }
}

impl std::fmt::Debug for Keyring {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Keyring({})", self.path.display())
    }
}

fn save(path: &Path, keys: &File) -> Result<(), KeyError> {
    let fail = |problem: String| KeyError::Keyring { path: path.display().to_string(), problem };
    let text = serde_json::to_vec_pretty(keys).map_err(|e| fail(e.to_string()))?;
    disk::replace(path, &text).map_err(|e| fail(e.to_string()))
}
