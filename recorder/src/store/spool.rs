//! The spool: a folder of encrypted files that grow, and of manifests that say what they are.
//!
//! Writes reach the kernel as segments fill, so a killed process loses only what had not filled
//! one; [`Syncer`] carries them to the disk every `sync_every`, against a power cut, on a thread of
//! its own so that a slow disk does not stop the reading of the rings. Many files go there by one
//! commit of the file system: by one each, a thousand recordings would take seconds.
//!
//! The folder is bounded. From nine tenths of the limit on no new recording begins; at the limit
//! the running ones are ended where they are, sealed and uploaded. Both are reported.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc;
use std::thread;

use super::manifest::Manifest;
use super::{disk, priority};

/// The folder, locked for this process. Cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Spool {
    folder: Arc<PathBuf>,
    handle: Arc<File>,
    used: Arc<AtomicU64>,
    limit: u64,
    _lock: Arc<File>,
}

/// How full the spool is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// There is room.
    Free,
    /// No new recording begins.
    Scarce,
    /// Running recordings end.
    None,
}

impl Spool {
    /// Opens or makes the folder; refuses one that another process uses.
    pub(crate) fn open(folder: &Path, limit: u64) -> io::Result<Self> {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let lock = folder.join("lock");
        let lock =
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(lock)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(io::Error::other("another process records into this spool folder"));
            }
            Err(TryLockError::Error(error)) => return Err(error),
        }
        let spool = Self {
            handle: Arc::new(File::open(folder)?),
            folder: Arc::new(folder.to_owned()),
            used: Arc::new(AtomicU64::new(0)),
            limit,
            _lock: Arc::new(lock),
        };
        for name in spool.names(".tink")? {
            spool.used.fetch_add(fs::metadata(spool.path(&name))?.len(), Ordering::Relaxed);
        }
        Ok(spool)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn manifest_path(&self, manifest: &Manifest) -> PathBuf {
        self.path(&format!("{}.json", manifest.recording))
    }

    /// File names with that ending, sorted: recordings by their time.
    pub(crate) fn names(&self, ending: &str) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&*self.folder)? {
            if let Ok(name) = entry?.file_name().into_string()
                && name.ends_with(ending)
            {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }

    pub(crate) fn room(&self) -> Room {
        let used = self.used.load(Ordering::Relaxed);
        if used >= self.limit {
            Room::None
        } else if used >= self.limit / 10 * 9 {
            Room::Scarce
        } else {
            Room::Free
        }
    }

    /// Makes the encrypted file of a new recording, after its manifest, so that no file lies there
    /// without its key. Gives also what must be synced for the two to survive a power cut.
    pub(crate) fn create(&self, manifest: &Manifest) -> io::Result<(Growing, Vec<Arc<File>>)> {
        let text = serde_json::to_vec_pretty(manifest).map_err(io::Error::other)?;
        let new =
            |path: PathBuf| OpenOptions::new().append(true).create_new(true).mode(0o600).open(path);
        let mut note = new(self.manifest_path(manifest))?;
        note.write_all(&text)?;
        let growing = self.grow(&manifest.file)?;
        let files = vec![Arc::new(note), Arc::clone(&growing.file), Arc::clone(&self.handle)];
        Ok((growing, files))
    }

    /// A new encrypted file.
    pub(crate) fn grow(&self, name: &str) -> io::Result<Growing> {
        let path = self.path(name);
        let file = OpenOptions::new().append(true).create_new(true).mode(0o600).open(path)?;
        Ok(Growing { file: Arc::new(file), written: 0, used: Arc::clone(&self.used) })
    }

    /// Removes an encrypted file and gives its room back.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        let path = self.path(name);
        let bytes = fs::metadata(&path).map(|m| m.len()).unwrap_or(0);
        disk::remove(&path)?;
        let less = |used: u64| Some(used.saturating_sub(bytes));
        let _ = self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        Ok(())
    }

    /// Removes all of a recording: first the audio, then the note that knows of it.
    pub(crate) fn forget(&self, manifest: &Manifest) -> io::Result<()> {
        self.remove(&manifest.file)?;
        disk::remove(&self.manifest_path(manifest))?;
        self.handle.sync_all()
    }
}

/// An encrypted file that grows. After a failed append nothing is appended any more: what was
/// written of a segment stays torn and is never written again under its key.
pub(crate) struct Growing {
    pub(crate) file: Arc<File>,
    pub(crate) written: u64,
    used: Arc<AtomicU64>,
}

impl Growing {
    pub(crate) fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        (&*self.file).write_all(bytes)?;
        self.written += bytes.len() as u64;
        self.used.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        Ok(())
    }
}

/// Files that are synced each by itself; more go together, with all else that waits to be written
/// to their file system.
const FEW: usize = 8;

/// A thread that syncs files; while it is busy with a batch, the next one waits with its owner.
pub(crate) struct Syncer {
    batches: mpsc::SyncSender<Vec<Arc<File>>>,
}

impl Syncer {
    /// For files of that spool.
    pub(crate) fn start(spool: &Spool) -> io::Result<Self> {
        let (batches, work) = mpsc::sync_channel::<Vec<Arc<File>>>(1);
        let folder = Arc::clone(&spool.handle);
        thread::Builder::new().name("recorder-sync".to_owned()).spawn(move || {
            priority::give_way();
            for files in work {
                if let Err(error) = sync_all(&folder, &files) {
                    tracing::error!(%error, "the recording spool cannot be synced");
                }
            }
        })?;
        Ok(Self { batches })
    }

    /// Hands a batch over; gives it back when the thread is still busy with an earlier one.
    pub(crate) fn sync(&self, files: Vec<Arc<File>>) -> Vec<Arc<File>> {
        match self.batches.try_send(files) {
            Ok(()) => Vec::new(),
            Err(mpsc::TrySendError::Full(files) | mpsc::TrySendError::Disconnected(files)) => files,
        }
    }
}

/// Brings files of a folder to the disk. All are tried; the first fault is told.
fn sync_all(folder: &File, files: &[Arc<File>]) -> io::Result<()> {
    if files.len() > FEW {
        return rustix::fs::syncfs(folder).map_err(io::Error::from);
    }
    let mut told = Ok(());
    for file in files {
        told = told.and(file.sync_data());
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_files_and_many_reach_the_disk_and_a_fault_of_one_is_told() {
        let folder = std::env::temp_dir().join(format!("spool-sync-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        let spool = Spool::open(&folder, 1 << 20).unwrap();
        for count in [1, FEW, FEW + 1, 100] {
            let grow = |n| {
                let mut growing = spool.grow(&format!("{count}-{n}.tink")).unwrap();
                growing.append(&[7; 5000]).unwrap();
                growing.file
            };
            let files: Vec<Arc<File>> = (0..count).map(grow).collect();
            sync_all(&spool.handle, &files).unwrap();
        }
        // A pipe cannot be synced; what comes after it is, all the same.
        let (pipe, _other) = std::io::pipe().unwrap();
        let pipe = Arc::new(File::from(std::os::fd::OwnedFd::from(pipe)));
        let sound = spool.grow("sound.tink").unwrap().file;
        assert!(sync_all(&spool.handle, &[pipe, sound]).is_err());
        fs::remove_dir_all(&folder).unwrap();
    }
}
