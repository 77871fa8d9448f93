//! Object stores: a local folder or S3, with the same multipart words.
//!
//! Objects appear whole or not at all. A part is sent again after any failure, and an upload is
//! begun anew when the store no longer knows it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::ops::Range;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Component, Path, PathBuf};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::disk;
use super::s3::{S3, S3Config};

/// Which object store, and where in it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum ObjectStoreConfig {
    /// A folder on this machine.
    Folder {
        /// The folder; made when it is missing.
        path: PathBuf,
        /// Put before each key; may be empty.
        #[serde(default)]
        prefix: String,
    },
    /// A bucket of an S3 service.
    S3(S3Config),
}

/// Why the object store did not do as told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It cannot be reached or is not well; later it may be.
    #[error("object store unavailable: {0}")]
    Unavailable(String),
    /// It refuses: wrong credentials or rights.
    #[error("object store refuses: {0}")]
    Denied(String),
    /// No such object.
    #[error("no such object: {0}")]
    NotFound(String),
    /// The multipart upload is not known (any more).
    #[error("the multipart upload is gone")]
    UploadGone,
    /// The configuration cannot work.
    #[error("object store configuration: {0}")]
    Config(String),
}

/// A multipart upload, as its store names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct UploadId(pub(crate) String);

/// A part that the store has confirmed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Part {
    /// From 1.
    pub(crate) number: i32,
    pub(crate) bytes: u64,
    /// The store's entity tag of it.
    pub(crate) tag: String,
}

/// An object store. Cheap to clone.
#[derive(Debug, Clone)]
pub enum ObjectStore {
    /// A folder on this machine.
    Folder(Folder),
    /// A bucket. A request holds much while it is under way, and is boxed: a recording holds little
    /// while it waits for audio.
    S3(S3),
}

impl ObjectStore {
    /// Makes the client (and the folder); does not speak to the network yet.
    ///
    /// # Errors
    /// When the configuration cannot work.
    pub fn open(config: &ObjectStoreConfig) -> Result<Self, StoreError> {
        match config {
            ObjectStoreConfig::Folder { path, prefix } => fs::create_dir_all(path)
                .and_then(|()| path.canonicalize())
                .map(|root| Self::Folder(Folder { root, prefix: prefix.clone() }))
                .map_err(|e| StoreError::Config(format!("{}: {e}", path.display()))),
            ObjectStoreConfig::S3(config) => S3::open(config).map(Self::S3),
        }
    }

    /// Asks whether it is there and lets us in. What is wrong now may be right later: a warning,
    /// not an end.
    ///
    /// # Errors
    /// Why a recording could not go there now.
    pub async fn check(&self) -> Result<(), StoreError> {
        match self {
            Self::Folder(_) => Ok(()),
            Self::S3(s3) => Box::pin(s3.check()).await,
        }
    }

    /// What stands before each key.
    #[must_use]
    pub fn prefix(&self) -> &str {
        match self {
            Self::Folder(folder) => &folder.prefix,
            Self::S3(s3) => s3.prefix(),
        }
    }

    /// A key as a location that records carry: `file:///...` or `s3://bucket/key`.
    #[must_use]
    pub fn location(&self, key: &str) -> String {
        match self {
            Self::Folder(folder) => format!("file://{}/{key}", folder.root.display()),
            Self::S3(s3) => format!("s3://{}/{key}", s3.bucket()),
        }
    }

    /// The key of a location, if it lies in this store.
    #[must_use]
    pub fn key_of<'a>(&self, location: &'a str) -> Option<&'a str> {
        location.strip_prefix(&self.location("")).filter(|key| is_plain(key))
    }

    pub(crate) async fn begin(&self, key: &str) -> Result<UploadId, StoreError> {
        match self {
            Self::Folder(folder) => folder.on_disk(key, |f, k| f.begin(k)).await,
            Self::S3(s3) => Box::pin(s3.begin(key)).await,
        }
    }

    /// Sends part `number`, which begins `offset` bytes into the object.
    pub(crate) async fn send_part(
        &self,
        key: &str,
        upload: &UploadId,
        number: i32,
        offset: u64,
        bytes: Bytes,
    ) -> Result<Part, StoreError> {
        match self {
            Self::Folder(folder) => {
                let id = upload.clone();
                folder.on_disk(key, move |f, k| f.send_part(k, &id, number, offset, &bytes)).await
            }
            Self::S3(s3) => Box::pin(s3.send_part(key, upload, number, bytes)).await,
        }
    }

    pub(crate) async fn complete(
        &self,
        key: &str,
        upload: &UploadId,
        parts: &[Part],
    ) -> Result<(), StoreError> {
        match self {
            Self::Folder(folder) => {
                let (id, total) = (upload.clone(), parts.iter().map(|part| part.bytes).sum());
                folder.on_disk(key, move |f, k| f.complete(k, &id, total)).await
            }
            Self::S3(s3) => Box::pin(s3.complete(key, upload, parts)).await,
        }
    }

    pub(crate) async fn abort(&self, key: &str, upload: &UploadId) -> Result<(), StoreError> {
        match self {
            Self::Folder(folder) => {
                let id = upload.clone();
                folder.on_disk(key, move |f, k| disk::remove(&f.partial(k, &id)?)).await
            }
            Self::S3(s3) => Box::pin(s3.abort(key, upload)).await,
        }
    }

    /// Puts a small object whole.
    pub(crate) async fn put(&self, key: &str, bytes: Bytes) -> Result<(), StoreError> {
        match self {
            Self::Folder(folder) => folder.on_disk(key, move |f, k| f.put(k, &bytes)).await,
            Self::S3(s3) => Box::pin(s3.put(key, bytes)).await,
        }
    }

    /// Deletes an object; one that is not there is deleted already.
    pub(crate) async fn delete(&self, key: &str) -> Result<(), StoreError> {
        let deleted = match self {
            Self::Folder(folder) => folder.on_disk(key, |f, k| fs::remove_file(f.path(k)?)).await,
            Self::S3(s3) => Box::pin(s3.delete(key)).await,
        };
        match deleted {
            Err(StoreError::NotFound(_)) => Ok(()),
            other => other,
        }
    }

    /// Bytes of an object.
    pub(crate) async fn size(&self, key: &str) -> Result<u64, StoreError> {
        match self {
            Self::Folder(folder) => {
                folder.on_disk(key, |f, k| Ok(fs::metadata(f.path(k)?)?.len())).await
            }
            Self::S3(s3) => Box::pin(s3.size(key)).await,
        }
    }

    /// A range of an object's bytes, which must lie inside it.
    pub(crate) async fn get(&self, key: &str, range: Range<u64>) -> Result<Bytes, StoreError> {
        match self {
            Self::Folder(folder) => folder.on_disk(key, move |f, k| f.get(k, &range)).await,
            Self::S3(s3) => Box::pin(s3.get(key, range)).await,
        }
    }

    /// A small object whole: at most `most` bytes.
    pub(crate) async fn get_small(&self, key: &str, most: u64) -> Result<Bytes, StoreError> {
        let bytes = self.size(key).await?;
        if bytes == 0 || bytes > most {
            return Err(StoreError::NotFound(format!("{key} has {bytes} bytes")));
        }
        self.get(key, 0..bytes).await
    }
}

/// Whether a key names a place below the store's root and nothing else.
fn is_plain(key: &str) -> bool {
    !key.is_empty() && Path::new(key).components().all(|part| matches!(part, Component::Normal(_)))
}

/// A folder as an object store. Parts go into `<object>.<id>.partial`, which is renamed at the end.
#[derive(Debug, Clone)]
pub struct Folder {
    root: PathBuf,
    prefix: String,
}

impl Folder {
    async fn on_disk<T: Send + 'static>(
        &self,
        key: &str,
        work: impl FnOnce(&Self, &str) -> io::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (folder, owned) = (self.clone(), key.to_owned());
        disk::blocking(move || work(&folder, &owned)).await.map_err(|e| match e.kind() {
            io::ErrorKind::NotFound => StoreError::NotFound(key.to_owned()),
            io::ErrorKind::PermissionDenied => StoreError::Denied(format!("{key}: {e}")),
            _ => StoreError::Unavailable(format!("{key}: {e}")),
        })
    }

    fn path(&self, key: &str) -> io::Result<PathBuf> {
        if is_plain(key) {
            Ok(self.root.join(key))
        } else {
            Err(io::Error::new(io::ErrorKind::InvalidInput, "not a plain key"))
        }
    }

    fn partial(&self, key: &str, upload: &UploadId) -> io::Result<PathBuf> {
        self.path(&format!("{key}.{}.partial", upload.0))
    }

    fn begin(&self, key: &str) -> io::Result<UploadId> {
        let id = UploadId(crate::keys::to_hex(&disk::random::<8>()?));
        let path = self.partial(key, &id)?;
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        Ok(id)
    }

    fn send_part(
        &self,
        key: &str,
        upload: &UploadId,
        number: i32,
        offset: u64,
        bytes: &[u8],
    ) -> io::Result<Part> {
        let path = self.partial(key, upload)?;
        let file = OpenOptions::new().write(true).open(path)?;
        // A file that was cleaned away and made again has a hole where the first parts were.
        if file.metadata()?.len() < offset {
            return Err(io::Error::from(io::ErrorKind::NotFound));
        }
        file.write_all_at(bytes, offset)?;
        Ok(Part { number, bytes: bytes.len() as u64, tag: String::new() })
    }

    fn complete(&self, key: &str, upload: &UploadId, total: u64) -> io::Result<()> {
        let (partial, path) = (self.partial(key, upload)?, self.path(key)?);
        let file = File::open(&partial)?;
        let found = file.metadata()?.len();
        if found != total {
            return Err(io::Error::other(format!("{found} bytes of {total} arrived")));
        }
        file.sync_all()?;
        fs::rename(&partial, &path)?;
        disk::sync_folder_of(&path)
    }

    fn put(&self, key: &str, bytes: &[u8]) -> io::Result<()> {
        let path = self.path(key)?;
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let beside = self.path(&format!("{key}.partial"))?;
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&beside, &path)?;
        disk::sync_folder_of(&path)
    }

    fn get(&self, key: &str, range: &Range<u64>) -> io::Result<Bytes> {
        let length = usize::try_from(range.end.saturating_sub(range.start))
            .map_err(|_| io::Error::other("range too long"))?;
        let mut bytes = vec![0; length];
        File::open(self.path(key)?)?.read_exact_at(&mut bytes, range.start)?;
        Ok(Bytes::from(bytes))
    }
}
