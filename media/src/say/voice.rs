//! A voice: the recorded fragments of a language.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Fragment;
use crate::{G711, Prompt};

/// Why a voice's index does not fit its audio.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum VoiceError {
    /// A line that is not a name, a place and a length.
    #[error("line {0} of the index is not `name <tab> first sample <tab> samples`")]
    Line(usize),
    /// A fragment that lies outside of the audio.
    #[error("the fragment {0:?} lies outside of the audio")]
    Outside(String),
}

/// The audio of each fragment.
#[derive(Debug, Default)]
pub struct Voice(BTreeMap<Box<str>, Arc<Prompt>>);

impl Voice {
    /// From an index (a fragment a line: its name, first sample and samples, between tabs) and the
    /// audio it cuts up (µ-law, 8 kHz, mono, without a header).
    ///
    /// # Errors
    /// When the index cannot be read, or does not fit the audio.
    pub fn read(index: &str, audio: &[u8]) -> Result<Self, VoiceError> {
        let mut fragments = BTreeMap::new();
        for (number, line) in index.lines().enumerate() {
            let mut columns = line.split('\t');
            let name = columns.next().filter(|name| !name.is_empty());
            let mut count = || columns.next()?.parse::<usize>().ok();
            let (Some(name), Some(first), Some(samples)) = (name, count(), count()) else {
                return Err(VoiceError::Line(number + 1));
            };
            let codes = first.checked_add(samples).and_then(|end| audio.get(first..end));
            let codes = codes.ok_or_else(|| VoiceError::Outside(name.to_owned()))?;
            let pcm: Vec<i16> = codes.iter().map(|code| G711::Pcmu.decode(*code)).collect();
            fragments.insert(name.into(), Arc::new(Prompt::from_pcm(&pcm)));
        }
        Ok(Self(fragments))
    }

    /// A fragment's audio.
    #[must_use]
    pub fn fragment(&self, name: Fragment) -> Option<&Arc<Prompt>> {
        self.0.get(name)
    }
}
