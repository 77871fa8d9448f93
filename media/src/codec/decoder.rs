//! Payloads to samples, for all codecs alike.

use super::{Codec, g722, opus};
use crate::G711;
use crate::pcm::Rate;
use crate::resample::Resampler;

/// Samples at the codec's rate that are brought to ours at a time: 10 ms at 16 kHz.
const CHUNK: usize = 160;

/// Decodes one far end's payloads. It has a memory of what came before (but for G.711): one for
/// each source, and in the order of the packets. All it needs is allocated at its making.
pub struct Decoder {
    kind: Kind,
    /// To the wanted rate, where the codec cannot decode to it by itself.
    resampler: Option<Resampler>,
}

enum Kind {
    G711(G711),
    /// At the wanted rate, or at none if there is no memory for it.
    Opus(Option<::opus::Decoder>),
    G722(Box<g722::Decoder>),
}

impl Decoder {
    /// A decoder whose samples are at `rate`.
    #[must_use]
    pub fn new(codec: Codec, rate: Rate) -> Self {
        let kind = match codec {
            Codec::Pcmu => Kind::G711(G711::Pcmu),
            Codec::Pcma => Kind::G711(G711::Pcma),
            Codec::G722 => Kind::G722(Box::new(g722::Decoder::new())),
            // Of one channel: stereo is mixed down inside.
            Codec::Opus => Kind::Opus(::opus::Decoder::new(rate.hz(), ::opus::Channels::Mono).ok()),
        };
        let native = if codec == Codec::Opus { rate } else { codec.rate() };
        let resampler = (native != rate).then(|| Resampler::new(native, rate));
        Self { kind, resampler }
    }

    /// Forgets what came before: the next payload is another source's first.
    pub fn reset(&mut self) {
        match &mut self.kind {
            Kind::G711(_) => {}
            Kind::G722(decoder) => **decoder = g722::Decoder::new(),
            // It cannot fail on a decoder that exists.
            Kind::Opus(decoder) => drop(decoder.as_mut().map(::opus::Decoder::reset_state)),
        }
        if let Some(resampler) = &mut self.resampler {
            resampler.reset();
        }
    }

    /// Decodes a payload into the beginning of `out`. Gives how many samples it wrote: 0 when the
    /// payload cannot be read, or is longer than `out` ([`crate::pcm::MAX_PER_PACKET`] holds all).
    pub fn decode(&mut self, payload: &[u8], out: &mut [i16]) -> usize {
        match &mut self.kind {
            Kind::G711(law) if self.resampler.is_none() => {
                let Some(samples) = out.get_mut(..payload.len()) else { return 0 };
                law.decode_all(payload, samples);
                payload.len()
            }
            Kind::G711(law) => {
                let law = *law;
                in_chunks(payload, out, self.resampler.as_mut(), CHUNK, |codes, samples| {
                    law.decode_all(codes, samples);
                })
            }
            Kind::G722(decoder) => {
                in_chunks(payload, out, self.resampler.as_mut(), CHUNK / 2, |codes, samples| {
                    for (pair, code) in samples.chunks_exact_mut(2).zip(codes) {
                        pair.copy_from_slice(&decoder.decode(*code));
                    }
                })
            }
            // An empty payload would be taken for a lost one.
            Kind::Opus(Some(decoder)) if opus::ticks(payload) > 0 => {
                decoder.decode(payload, out, false).unwrap_or(0)
            }
            _ => 0,
        }
    }

    /// Fills `out` (as long as what was lost) with the packet before `next`, which was lost, as far
    /// as `next` carries it a second time: Opus's in-band FEC. 0 when it does not; [`Self::decode`]
    /// of `next` is still to follow.
    pub fn recover(&mut self, next: &[u8], out: &mut [i16]) -> usize {
        match &mut self.kind {
            Kind::Opus(Some(decoder)) if opus::has_fec(next) => {
                decoder.decode(next, out, true).unwrap_or(0)
            }
            _ => 0,
        }
    }

    /// Fills `out` (a multiple of 2.5 ms) with what may have been lost, if the codec has a
    /// concealment of its own (Opus); false if not.
    pub fn conceal(&mut self, out: &mut [i16]) -> bool {
        match &mut self.kind {
            Kind::Opus(Some(decoder)) => {
                decoder.decode(&[], out, false).is_ok_and(|made| made == out.len())
            }
            _ => false,
        }
    }
}

/// Decodes a codec of a fixed number of samples a byte, and brings them to the wanted rate.
fn in_chunks(
    payload: &[u8],
    out: &mut [i16],
    mut resampler: Option<&mut Resampler>,
    bytes: usize,
    mut decode: impl FnMut(&[u8], &mut [i16]),
) -> usize {
    let per_byte = CHUNK / bytes;
    let total = payload.len() * per_byte;
    let needed = resampler.as_ref().map_or(total, |resampler| resampler.output_for(total));
    if needed > out.len() {
        return 0;
    }
    let mut written = 0;
    let mut scratch = [0; CHUNK];
    for codes in payload.chunks(bytes) {
        let samples = scratch.get_mut(..codes.len() * per_byte).unwrap_or_default();
        decode(codes, samples);
        let into = out.get_mut(written..).unwrap_or_default();
        written += match resampler.as_deref_mut() {
            Some(resampler) => resampler.process(samples, into),
            None => {
                into.iter_mut().zip(samples.iter()).for_each(|(to, from)| *to = *from);
                samples.len()
            }
        };
    }
    written
}

impl std::fmt::Debug for Decoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Decoder")
    }
}
