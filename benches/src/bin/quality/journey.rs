//! The packets of a piece of speech, and when each arrives, if it does: the same for each seed.

use std::path::Path;

use base::{Duration, Rng};
use media::rtp::Header;
use media::{Codec, Encoder, OpusSettings, Rate, wav};

pub(crate) const RATE: Rate = Rate::Narrow;

/// A network.
#[derive(Clone, Copy)]
pub(crate) struct Journey {
    pub(crate) loss: u64,
    pub(crate) jitter: u64,
    pub(crate) seed: u64,
}

/// A packet that arrives.
#[derive(Clone)]
pub(crate) struct Packet {
    pub(crate) at: Duration,
    pub(crate) header: Header,
    pub(crate) payload: Vec<u8>,
}

impl Journey {
    /// The packets that arrive, in the order in which they were sent.
    pub(crate) fn packets(&self, speech: &[i16], codec: Codec) -> Vec<Packet> {
        let mut encoder = Encoder::new(codec, RATE, OpusSettings::default());
        let ticks = codec.clock_rate() / 50;
        let mut rng = Rng::from_seed(self.seed);
        let mut packets = Vec::new();
        for (n, samples) in speech.chunks_exact(RATE.per_tick()).enumerate() {
            // What is lost was spoken too: an encoder has a memory.
            let mut payload = Vec::new();
            encoder.encode(samples, &mut payload);
            let lost = rng.below(100) < self.loss;
            let late = Duration::from_micros(rng.below(self.jitter * 1000 + 1));
            if lost {
                continue;
            }
            let header = Header {
                payload_type: 0,
                marker: n == 0,
                sequence: n as u16,
                timestamp: n as u32 * ticks,
                ssrc: 0x5354_5247,
            };
            packets.push(Packet {
                at: Duration::from_millis(20) * n as u32 + late,
                header,
                payload,
            });
        }
        packets
    }
}

/// The samples of a file that has the bare 44-byte head of PCM, or chunks before its samples.
pub(crate) fn read_wav(path: &Path) -> Result<Vec<i16>, String> {
    let bytes = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut rest = bytes.get(12..).unwrap_or_default();
    while let Some((head, after)) = rest.split_first_chunk::<8>() {
        let [a, b, c, d, length @ ..] = *head;
        let length = u32::from_le_bytes(length) as usize;
        let body = after.get(..length.min(after.len())).unwrap_or_default();
        if [a, b, c, d] == *b"data" {
            let (samples, _) = body.as_chunks::<2>();
            return Ok(samples.iter().map(|sample| i16::from_le_bytes(*sample)).collect());
        }
        rest = after.get(length..).unwrap_or_default();
    }
    Err(format!("{}: no samples", path.display()))
}

pub(crate) fn write_wav(path: &Path, samples: &[i16]) -> Result<(), String> {
    let mut bytes = wav::header(1, RATE.hz(), 2 * samples.len() as u32).to_vec();
    bytes.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    std::fs::write(path, bytes).map_err(|error| format!("{}: {error}", path.display()))
}
