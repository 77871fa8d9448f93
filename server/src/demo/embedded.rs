//! The demo's provisioning, prompts and speech: the files of `fixtures/`, inside the binary.

use std::io::{Error, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use media::{Codec, G711, Prompt};

use crate::provision::{Bundle, ProvisionFault};

const PROVISIONING: &str = include_str!("../../../fixtures/demo.toml");

/// By the path that the provisioning gives them.
const FILES: [(&str, &[u8]); 4] = [
    ("audio/acme-greeting.wav", include_bytes!("../../../fixtures/audio/acme-greeting.wav")),
    ("audio/acme-sorry.wav", include_bytes!("../../../fixtures/audio/acme-sorry.wav")),
    ("audio/globex-greeting.wav", include_bytes!("../../../fixtures/audio/globex-greeting.wav")),
    ("audio/hold-music.wav", include_bytes!("../../../fixtures/audio/hold-music.wav")),
];
const CALLER: &[u8] = include_bytes!("../../../fixtures/audio/caller-speech.wav");
const AGENT: &[u8] = include_bytes!("../../../fixtures/audio/agent-speech.wav");

/// `fixtures/demo.toml` with its prompts.
pub(super) fn bundle() -> Result<Bundle, ProvisionFault> {
    Bundle::parse(Path::new("fixtures/demo.toml"), PROVISIONING, file)
}

fn file(path: &PathBuf) -> std::io::Result<Vec<u8>> {
    let found = FILES.iter().find(|(name, _)| Path::new(name) == path);
    found.map(|(_, bytes)| bytes.to_vec()).ok_or_else(|| Error::from(ErrorKind::NotFound))
}

/// What the caller says, 8 kHz.
pub(super) fn caller_speech() -> Result<Arc<[i16]>, String> {
    speech(CALLER)
}

/// What the agent says, 8 kHz.
pub(super) fn agent_speech() -> Result<Arc<[i16]>, String> {
    speech(AGENT)
}

/// What the caller hears first, 8 kHz.
pub(super) fn greeting() -> Result<Arc<[i16]>, String> {
    speech(FILES[0].1)
}

/// As a telephone carries it.
fn speech(wav: &[u8]) -> Result<Arc<[i16]>, String> {
    let prompt = Prompt::from_wav(wav).map_err(|error| error.to_string())?;
    Ok(prompt.encoded(Codec::Pcmu).iter().map(|code| G711::Pcmu.decode(*code)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_embedded_provisioning_is_correct_and_whole() {
        let checked = bundle().unwrap().check().unwrap();
        assert_eq!(checked.bundle.provisioning.tenants.len(), 2);
        assert!(caller_speech().unwrap().len() > 8000);
    }
}
