//! Decrypts a recording's file with nothing but its sidecar and the keyring: for the command line,
//! and for the day when the engine is gone.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use super::manifest::{FORMAT, Sidecar};
use crate::aead::{AeadError, HEADER_BYTES, Layout, Reader};
use crate::keys::{KeyError, KeyProvider, stream_binding};
use crate::wav;

/// Why a file cannot be decrypted.
#[derive(Debug, thiserror::Error)]
pub enum DecryptError {
    /// A file cannot be read or written.
    #[error("{path}: {error}")]
    File {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The sidecar is not one.
    #[error("{path} is not a recording's sidecar: {problem}")]
    Sidecar {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Its key does not open.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Its audio does not authenticate.
    #[error(transparent)]
    Aead(#[from] AeadError),
}

/// Writes the WAV file of the encrypted `object` to `out`. Its sidecar is `<object>.json` unless
/// another is named. Before the first byte is written its end is known to be authentic; a flaw
/// further on ends the writing with an error, so take `out` for whole only on success.
///
/// # Errors
/// When a file cannot be read or written, the key does not open, or the audio was changed.
pub fn decrypt(
    keys: &KeyProvider,
    object: &Path,
    sidecar: Option<&Path>,
    out: &mut impl Write,
) -> Result<Sidecar, DecryptError> {
    let beside = || PathBuf::from(format!("{}.json", object.display()));
    let note = sidecar.map_or_else(beside, Path::to_owned);
    let text = fs::read(&note).map_err(|e| file_error(&note, e))?;
    let sidecar: Sidecar = serde_json::from_slice(&text)
        .map_err(|e| DecryptError::Sidecar { path: note.clone(), problem: e.to_string() })?;
    if sidecar.format != FORMAT {
        let problem = format!("unknown format {:?}", sidecar.format);
        return Err(DecryptError::Sidecar { path: note, problem });
    }
    let key = keys.unwrap(&sidecar.tenant, sidecar.recording, &sidecar.wrapped_key)?;
    let binding = stream_binding(&sidecar.tenant, sidecar.recording);

    let read = |e| file_error(object, e);
    let file = File::open(object).map_err(read)?;
    let layout = Layout::new(sidecar.segment_bytes, file.metadata().map_err(read)?.len())?;
    let mut header = [0; HEADER_BYTES];
    file.read_exact_at(&mut header, 0).map_err(read)?;
    let reader = Reader::new(&key, &binding, &header)?;
    let segment = |index: u32| -> Result<Vec<u8>, DecryptError> {
        let place = layout.ciphertext(index);
        let mut bytes = vec![0; usize::try_from(place.end - place.start).unwrap_or(0)];
        file.read_exact_at(&mut bytes, place.start).map_err(read)?;
        let length = reader.open(index, index + 1 == layout.segments(), &mut bytes)?.len();
        bytes.truncate(length);
        Ok(bytes)
    };
    segment(layout.segments() - 1)?;
    for index in 0..layout.segments() {
        let mut plain = segment(index)?;
        wav::correct(&mut plain, layout.plaintext_start(index), layout.plaintext_bytes());
        out.write_all(&plain).map_err(|e| file_error(Path::new("output"), e))?;
    }
    out.flush().map_err(|e| file_error(Path::new("output"), e))?;
    Ok(sidecar)
}

fn file_error(path: &Path, error: io::Error) -> DecryptError {
    DecryptError::File { path: path.to_owned(), error }
}
