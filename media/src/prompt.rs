//! A prompt: a WAV file brought to 8 kHz mono (and to 16 kHz, if it has that much) and encoded in
//! both laws, once, shared by all plays.

use base::Duration;

use crate::pcm::Rate;
use crate::{CLOCK_RATE, Codec, G711, prompt_rate};

/// The longest prompt, in samples of the file: an hour at 8 kHz, ten minutes at 48 kHz.
const MAX_FRAMES: u32 = 3600 * CLOCK_RATE;

/// Why a file is no prompt.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    /// No WAV file, or one of a kind we do not read (PCM of 8 to 32 bits and 32-bit float are).
    #[error("not a WAV file that can be read: {0}")]
    Wav(#[from] hound::Error),
    /// A sample rate outside 4 to 192 kHz.
    #[error("a sample rate of {0} Hz; it must lie between 4000 and 192000")]
    Rate(u32),
    /// More than two channels.
    #[error("{0} channels; one or two can be played")]
    Channels(u16),
    /// No audio in it.
    #[error("it holds no audio")]
    Empty,
    /// Too much audio in it.
    #[error("it is longer than {MAX_FRAMES} samples")]
    TooLong,
}

/// Audio to play.
pub struct Prompt {
    pcmu: Box<[u8]>,
    pcma: Box<[u8]>,
    narrow: Box<[i16]>,
    /// Two samples for each narrow one, of a file that has more than the telephone's band.
    wide: Option<Box<[i16]>>,
}

impl Prompt {
    /// Reads a WAV file of any rate and width, mono or stereo (mixed to mono).
    ///
    /// # Errors
    /// When the bytes are no such file, or hold nothing or too much.
    pub fn from_wav(bytes: &[u8]) -> Result<Self, PromptError> {
        let reader = hound::WavReader::new(bytes)?;
        let spec = reader.spec();
        if !(4000..=192_000).contains(&spec.sample_rate) {
            return Err(PromptError::Rate(spec.sample_rate));
        }
        if !(1..=2).contains(&spec.channels) {
            return Err(PromptError::Channels(spec.channels));
        }
        if reader.duration() > MAX_FRAMES {
            return Err(PromptError::TooLong);
        }
        let mono = read_mono(reader, spec)?;
        let pcm = prompt_rate::resampled(&mono, spec.sample_rate, Rate::Narrow);
        if pcm.is_empty() {
            return Err(PromptError::Empty);
        }
        let mut prompt = Self::from_pcm(&pcm);
        if spec.sample_rate >= Rate::Wide.hz() {
            let mut wide = prompt_rate::resampled(&mono, spec.sample_rate, Rate::Wide);
            wide.resize(2 * pcm.len(), 0);
            prompt.wide = Some(wide.into());
        }
        Ok(prompt)
    }

    /// From 16-bit samples at 8 kHz.
    #[must_use]
    pub fn from_pcm(pcm: &[i16]) -> Self {
        let encode = |law: G711| pcm.iter().map(|sample| law.encode(*sample)).collect();
        let (pcmu, pcma) = (encode(G711::Pcmu), encode(G711::Pcma));
        Self { pcmu, pcma, narrow: pcm.into(), wide: None }
    }

    /// Its length in samples at 8 kHz.
    #[must_use]
    pub fn samples(&self) -> usize {
        self.pcmu.len()
    }

    /// How long it plays once.
    #[must_use]
    pub fn duration(&self) -> Duration {
        Duration::from_micros(u64::try_from(self.pcmu.len()).unwrap_or(u64::MAX) * 125)
    }

    /// The highest rate it has audio at: 8 or 16 kHz.
    #[must_use]
    pub fn rate(&self) -> Rate {
        if self.wide.is_some() { Rate::Wide } else { Rate::Narrow }
    }

    /// Its samples at a rate; none at one above [`Prompt::rate`].
    #[must_use]
    pub fn pcm(&self, rate: Rate) -> &[i16] {
        match rate {
            Rate::Narrow => &self.narrow,
            Rate::Wide => self.wide.as_deref().unwrap_or_default(),
            Rate::Full => &[],
        }
    }

    /// Its codes, one a sample; none of a codec that is not G.711.
    #[must_use]
    pub fn encoded(&self, codec: Codec) -> &[u8] {
        match codec {
            Codec::Pcmu => &self.pcmu,
            Codec::Pcma => &self.pcma,
            Codec::G722 | Codec::Opus => &[],
        }
    }
}

impl std::fmt::Debug for Prompt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Prompt({:?})", self.duration())
    }
}

/// The file's samples, -1 to 1, its channels averaged.
fn read_mono(
    reader: hound::WavReader<&[u8]>,
    spec: hound::WavSpec,
) -> Result<Vec<f32>, PromptError> {
    let channels = usize::from(spec.channels);
    let samples: Vec<f32> = match spec.sample_format {
        hound::SampleFormat::Float => reader.into_samples::<f32>().collect::<Result<_, _>>()?,
        hound::SampleFormat::Int => {
            let full_scale = (1_i64 << (spec.bits_per_sample.clamp(1, 32) - 1)) as f32;
            let scaled = |sample: Result<i32, hound::Error>| Ok(sample? as f32 / full_scale);
            reader.into_samples::<i32>().map(scaled).collect::<Result<_, hound::Error>>()?
        }
    };
    let finite = |sample: f32| if sample.is_finite() { sample.clamp(-1.0, 1.0) } else { 0.0 };
    Ok(samples
        .chunks_exact(channels)
        .map(|frame| frame.iter().map(|s| finite(*s)).sum::<f32>() / channels as f32)
        .collect())
}
