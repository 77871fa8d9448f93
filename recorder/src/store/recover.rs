//! Completes what an ended process left in the spool.
//!
//! A file without its last segment gets none appended: the bytes of a torn segment may have
//! reached the disk, and sealing other bytes under that segment's nonce would break AES-GCM. Its
//! whole segments are decrypted and encrypted again under a new data key into a new file, which
//! takes the old one's place when it is synced. See `docs/decisions/recording-encryption.md`.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::task::JoinSet;

use super::disk;
use super::live::Progress;
use super::manifest::{Manifest, Sealed, State};
use super::spool::Growing;
use super::upload::{self, Shared};
use crate::aead::{AeadError, HEADER_BYTES, Header, Layout, Reader, TAG_BYTES, Writer};
use crate::keys::stream_binding;
use crate::{DataKey, Report};

/// Why a recording that an earlier process left ends early.
const KILLED: &str = "the engine ended while it recorded";

/// Brings every recording that was left in the spool to the object store.
pub(crate) async fn all(shared: Arc<Shared>, manifests: Vec<Manifest>) {
    let mut uploads = JoinSet::new();
    for manifest in manifests {
        let (tenant, recording, call) =
            (manifest.tenant.clone(), manifest.recording, manifest.call);
        let worker = Arc::clone(&shared);
        match disk::blocking(move || complete(&worker, manifest, KILLED)).await {
            Ok(Ok(manifest)) => {
                tracing::info!(%recording, "a recording was found in the spool");
                let (_, progress) = watch::channel(Progress::default());
                uploads.spawn(upload::follow(Arc::clone(&shared), manifest, progress));
            }
            Ok(Err(report)) => {
                let _ = shared.reports.send(report).await;
            }
            Err(error) => {
                tracing::error!(%recording, %error, "a recording stays in the spool");
                let why = format!("it stays in the spool: {error}");
                let _ = shared.reports.send(Report::Delayed { tenant, recording, call, why }).await;
            }
        }
    }
    while uploads.join_next().await.is_some() {}
}

/// The manifests in the spool, oldest first. Clears away files that none of them names: copies
/// that were being made when the process ended.
pub(crate) fn manifests(shared: &Shared) -> io::Result<Vec<Manifest>> {
    let spool = &shared.spool;
    let mut manifests = Vec::new();
    let mut unreadable = false;
    for name in spool.names(".json")? {
        match Manifest::load(&spool.path(&name)) {
            Ok(manifest) => manifests.push(manifest),
            Err(error) => {
                unreadable = true;
                tracing::error!(name, %error, "a manifest in the spool is unreadable");
            }
        }
    }
    for name in spool.names(".tmp")? {
        disk::remove(&spool.path(&name))?;
    }
    if !unreadable {
        for name in spool.names(".tink")? {
            if !manifests.iter().any(|manifest| manifest.file == name) {
                tracing::warn!(name, "an encrypted file without a manifest is removed");
                spool.remove(&name)?;
            }
        }
    }
    Ok(manifests)
}

/// Brings a recording's file to its end, cut short for the reason `why`; the manifest given back is
/// of a sealed file. The report instead says that nothing of it can be saved.
pub(crate) fn complete(
    shared: &Shared,
    mut manifest: Manifest,
    why: &str,
) -> io::Result<Result<Manifest, Report>> {
    let spool = &shared.spool;
    if matches!(manifest.state, State::Sealed(_)) {
        return Ok(Ok(manifest));
    }
    let key = match shared.keys.unwrap(&manifest.tenant, manifest.recording, &manifest.wrapped_key)
    {
        Ok(key) => key,
        Err(error) => return Err(io::Error::other(error)),
    };
    let path = spool.path(&manifest.file);
    let old = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return fail(shared, &manifest, "its file is not in the spool").map(Err);
        }
        Err(error) => return Err(error),
    };
    let old = Broken { file: old, manifest: &manifest, key: &key };
    if let Some(sealed) = old.sealed()? {
        manifest.state = State::Sealed(sealed);
        manifest.save(&spool.manifest_path(&manifest))?;
        return Ok(Ok(manifest));
    }
    let (new_key, wrapped_key) =
        shared.keys.generate(&manifest.tenant, manifest.recording).map_err(io::Error::other)?;
    let stamp = crate::keys::to_hex(&disk::random::<4>()?);
    let name = format!("{}.{stamp}.tink", manifest.recording);
    let copied = spool.grow(&name).and_then(|new| old.copy(&new_key, new, why));
    let sealed = match copied {
        Ok(Some(sealed)) => sealed,
        Ok(None) => {
            spool.remove(&name)?;
            return fail(shared, &manifest, "nothing of it had reached the disk").map(Err);
        }
        Err(error) => {
            spool.remove(&name)?;
            return Err(error);
        }
    };
    let mut new = manifest.clone();
    new.file = name;
    new.wrapped_key = wrapped_key;
    new.state = State::Sealed(sealed);
    new.stale_upload = manifest.upload.take().map(|upload| upload.id);
    new.upload = None;
    new.save(&spool.manifest_path(&new))?;
    spool.remove(&manifest.file)?;
    Ok(Ok(new))
}

fn fail(shared: &Shared, manifest: &Manifest, why: &str) -> io::Result<Report> {
    shared.spool.forget(manifest)?;
    Ok(Report::Failed {
        tenant: manifest.tenant.clone(),
        recording: manifest.recording,
        call: manifest.call,
        why: why.to_owned(),
    })
}

/// A file that its writer did not close.
struct Broken<'a> {
    file: File,
    manifest: &'a Manifest,
    key: &'a DataKey,
}

impl Broken<'_> {
    fn reader(&self) -> io::Result<Option<Reader>> {
        let mut header = [0; HEADER_BYTES];
        match self.file.read_exact_at(&mut header, 0) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
        let binding = stream_binding(&self.manifest.tenant, self.manifest.recording);
        Ok(Reader::new(self.key, &binding, &header).ok())
    }

    /// What is known of the file if it is whole after all: killed between its last segment and
    /// the manifest that would have said so.
    fn sealed(&self) -> io::Result<Option<Sealed>> {
        let bytes = self.file.metadata()?.len();
        let Ok(layout) = Layout::new(self.manifest.segment_bytes, bytes) else { return Ok(None) };
        let Some(reader) = self.reader()? else { return Ok(None) };
        let last = layout.segments() - 1;
        let place = layout.ciphertext(last);
        let mut segment = vec![0; usize::try_from(place.end - place.start).unwrap_or(0)];
        self.file.read_exact_at(&mut segment, place.start)?;
        Ok(reader.open(last, true, &mut segment).is_ok().then(|| Sealed {
            bytes,
            wav_bytes: layout.plaintext_bytes(),
            gaps_ms: 0,
            pauses: Vec::new(),
            cut_short: None,
            recovered: Some(0),
        }))
    }

    /// Encrypts the whole segments again, under the new key, up to the first that is torn. `None`
    /// when there is not one.
    fn copy(&self, key: &DataKey, mut new: Growing, why: &str) -> io::Result<Option<Sealed>> {
        let Some(reader) = self.reader()? else { return Ok(None) };
        let total = self.file.metadata()?.len();
        let size = u64::from(self.manifest.segment_bytes);
        let binding = stream_binding(&self.manifest.tenant, self.manifest.recording);
        let header = Header::from_random(disk::random()?);
        let failed = |error: AeadError| io::Error::other(error);
        let mut out = Vec::new();
        let mut writer = Writer::new(key, &binding, self.manifest.segment_bytes, header, &mut out)
            .map_err(failed)?;
        let (mut at, mut wav_bytes) = (HEADER_BYTES as u64, 0);
        for index in 0_u32.. {
            let end = (u64::from(index) + 1) * size;
            if end > total || end - at <= TAG_BYTES as u64 {
                break;
            }
            let mut segment = vec![0; usize::try_from(end - at).unwrap_or(0)];
            self.file.read_exact_at(&mut segment, at)?;
            let Ok(plain) = reader.open(index, false, &mut segment) else { break };
            writer.write(plain, &mut out).map_err(failed)?;
            wav_bytes += plain.len() as u64;
            at = end;
            new.append(&out)?;
            out.clear();
        }
        if wav_bytes == 0 {
            return Ok(None);
        }
        writer.finish(&mut out).map_err(failed)?;
        new.append(&out)?;
        new.file.sync_all()?;
        Ok(Some(Sealed {
            bytes: new.written,
            wav_bytes,
            gaps_ms: 0,
            pauses: Vec::new(),
            cut_short: Some(why.to_owned()),
            recovered: Some(total - at),
        }))
    }
}
