//! `strowger recording decrypt FILE`: an encrypted recording into a WAV file.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::ExitCode;

use recorder::{KeyProvider, Keyring};

use super::{failed, wrongly_asked};
use crate::cli::Decrypt;

pub(super) fn run(args: &Decrypt) -> ExitCode {
    if !args.keyring.is_file() {
        let shown = args.keyring.display();
        return wrongly_asked(&format!("{shown}: no key ring; give its path with --keyring"));
    }
    let keys = match Keyring::open(&args.keyring) {
        Ok(keyring) => KeyProvider::Local(keyring),
        Err(error) => return wrongly_asked(&error),
    };
    match decrypt(&keys, &args.file, &args.output) {
        Ok(()) => {
            println!("{}", args.output.display());
            ExitCode::SUCCESS
        }
        Err(why) => {
            // What was written before the fault must not pass for a recording.
            let _ = std::fs::remove_file(&args.output);
            failed(&format!("{}: {why}", args.file.display()))
        }
    }
}

/// Decrypts into a file that only its owner can read.
pub(crate) fn decrypt(keys: &KeyProvider, object: &Path, output: &Path) -> Result<(), String> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(output)
        .map_err(|error| format!("{}: {error}", output.display()))?;
    let mut file = std::io::BufWriter::new(file);
    recorder::store::decrypt(keys, object, None, &mut file).map_err(|error| error.to_string())?;
    file.flush().map_err(|error| format!("{}: {error}", output.display()))
}
