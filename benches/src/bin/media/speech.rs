//! What far ends say: a minute's piece of music, over and over, as packets of 20 ms.

use media::g711::G711;
use media::{Codec, Encoder, OpusSettings, Rate};

use crate::describe::{Kind, Side};

/// Frames of one codec.
pub(crate) struct Speech {
    frames: Vec<Box<[u8]>>,
    ticks: u32,
    /// Whether the last bytes of each are room for the time that it is sent at.
    is_stamped: bool,
}

/// Bytes of the time.
pub(crate) const STAMP: usize = 8;

const MUSIC: &[u8] = include_bytes!("../../../../fixtures/audio/hold-music.wav");
/// Samples of a packet at 8 kHz.
const NARROW: usize = 160;

/// The music's samples at 8 kHz.
fn samples() -> Vec<i16> {
    // The fixture is 16 bit mono with a plain header.
    let body = MUSIC.get(44..).unwrap_or_default();
    body.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect()
}

impl Speech {
    /// What a side of a kind of calls says.
    pub(crate) fn of(kind: Kind, side: Side, is_stamped: bool) -> Self {
        if kind.has_opus(side) { Self::opus() } else { Self::pcmu(is_stamped) }
    }

    /// Opus, mono, as a phone that heard 8 kHz makes it: who looks into a packet that is passed on
    /// finds what the encoder put there, and no time.
    fn opus() -> Self {
        let mut encoder = Encoder::new(Codec::Opus, Rate::Narrow, OpusSettings::default());
        let frame = |pcm: &[i16]| {
            let mut frame = Vec::new();
            encoder.encode(pcm, &mut frame);
            frame.into_boxed_slice()
        };
        let frames = samples().chunks_exact(NARROW).map(frame).collect();
        Self { frames, ticks: Codec::Opus.clock_rate() / 50, is_stamped: false }
    }

    /// PCMU. The last bytes of each packet make room for the time it is sent at, if that is to be
    /// told.
    fn pcmu(is_stamped: bool) -> Self {
        let frame = |pcm: &[i16]| pcm.iter().map(|sample| G711::Pcmu.encode(*sample)).collect();
        let frames = samples().chunks_exact(NARROW).map(frame).collect();
        Self { frames, ticks: NARROW as u32, is_stamped }
    }

    pub(crate) fn frame(&self, number: usize) -> &[u8] {
        &self.frames[number % self.frames.len()]
    }

    /// What a packet adds to the timestamp.
    pub(crate) fn ticks(&self) -> u32 {
        self.ticks
    }

    /// Whether a payload ends with the time that it is sent at; else it is known by what it says.
    pub(crate) fn is_stamped(&self) -> bool {
        self.is_stamped
    }
}
