//! Samples to payloads, for all codecs alike.

use super::{Codec, OpusSettings, g722, opus};
use crate::G711;
use crate::pcm::Rate;
use crate::resample::Resampler;

/// Samples at our rate that are brought to the codec's at a time: 10 ms at 48 kHz.
const CHUNK: usize = 480;
/// How hard an encoder tries, where trying costs: with Opus. The one costs up to four times the CPU
/// of the other, and sounds little better, as the other has more bits where these make up for it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Effort {
    /// As hard as can be heard.
    #[default]
    Full,
    /// As little as is good enough: there is too much else to encode.
    Least,
}

/// How Opus encodes speech, by the rate of what is encoded. A far end may want fewer bits, and never
/// gets more. What each costs and how it sounds is in `benches/README.md`.
const MANNERS: [Manner; 3] = [
    Manner { rate: Rate::Narrow, full: (24_000, 9), least: (24_000, 0) },
    Manner { rate: Rate::Wide, full: (24_000, 9), least: (48_000, 0) },
    Manner { rate: Rate::Full, full: (32_000, 9), least: (64_000, 0) },
];

struct Manner {
    rate: Rate,
    /// With full effort: bits a second, and the complexity, 0 to 10.
    full: (i32, i32),
    /// With the least.
    least: (i32, i32),
}

/// Encodes for one far end. It has a memory of what went before (but for G.711). All it needs is
/// allocated at its making.
pub struct Encoder {
    kind: Kind,
    /// From the rate of the samples, where the codec cannot encode it by itself.
    resampler: Option<Resampler>,
}

enum Kind {
    G711(G711),
    /// At the rate of the samples, or at none if there is no memory for it.
    Opus(Option<Box<OpusEncoder>>),
    G722(Box<g722::Encoder>),
}

struct OpusEncoder {
    encoder: ::opus::Encoder,
    settings: OpusSettings,
    manner: &'static Manner,
    effort: Effort,
    loss: u8,
}

impl Encoder {
    /// An encoder of samples at `rate`. Choose the lowest rate that carries what is to be heard:
    /// Opus of 8 kHz costs less than half of Opus of 48 kHz. The settings are those of the far end.
    #[must_use]
    pub fn new(codec: Codec, rate: Rate, settings: OpusSettings) -> Self {
        let kind = match codec {
            Codec::Pcmu => Kind::G711(G711::Pcmu),
            Codec::Pcma => Kind::G711(G711::Pcma),
            Codec::G722 => Kind::G722(Box::new(g722::Encoder::new())),
            Codec::Opus => Kind::Opus(OpusEncoder::new(rate, settings).map(Box::new)),
        };
        let native = if codec == Codec::Opus { rate } else { codec.rate() };
        let resampler = (native != rate).then(|| Resampler::new(rate, native));
        Self { kind, resampler }
    }

    /// Appends the payload of `pcm` to `out`, whose capacity should be enough
    /// ([`opus::MAX_FRAME`] always is, up to 60 ms). Gives its length; 0 when nothing is to be
    /// sent: in a pause with DTX. Opus takes 2.5, 5, 10, 20, 40 or 60 ms at once and nothing else,
    /// G.711 and G.722 any whole number of milliseconds.
    pub fn encode(&mut self, pcm: &[i16], out: &mut Vec<u8>) -> usize {
        let before = out.len();
        match &mut self.kind {
            Kind::G711(law) => {
                let law = *law;
                in_chunks(pcm, self.resampler.as_mut(), |samples| {
                    out.extend(samples.iter().map(|sample| law.encode(*sample)));
                });
            }
            Kind::G722(encoder) => in_chunks(pcm, self.resampler.as_mut(), |samples| {
                let pairs = samples.chunks_exact(2);
                out.extend(pairs.map(|pair| match pair {
                    [first, second] => encoder.encode([*first, *second]),
                    _ => 0,
                }));
            }),
            Kind::Opus(Some(encoder)) => encoder.encode(pcm, out),
            Kind::Opus(None) => {}
        }
        out.len() - before
    }

    /// Takes note of what somebody else has sent to the far end, so that its decoder finds in what
    /// follows what it expects. Only G.722 needs it.
    pub fn follow(&mut self, payload: &[u8]) {
        if let Kind::G722(encoder) = &mut self.kind {
            payload.iter().for_each(|code| encoder.follow(*code));
        }
    }

    /// How much of what we send is lost, in per cent, as the far end's reports say: from 1 % on
    /// Opus repeats itself, if the far end makes use of it.
    pub fn set_loss(&mut self, percent: u8) {
        if let Kind::Opus(Some(encoder)) = &mut self.kind {
            encoder.set_loss(percent.min(100));
        }
    }

    /// How hard it tries from now on; at first with full effort. What is heard goes on without a
    /// seam.
    pub fn set_effort(&mut self, effort: Effort) {
        if let Kind::Opus(Some(encoder)) = &mut self.kind {
            encoder.set_effort(effort);
        }
    }
}

impl OpusEncoder {
    fn new(rate: Rate, settings: OpusSettings) -> Option<Self> {
        let channels = ::opus::Channels::Mono;
        let mut encoder =
            ::opus::Encoder::new(rate.hz(), channels, ::opus::Application::Voip).ok()?;
        let manner = MANNERS.iter().find(|manner| manner.rate == rate)?;
        // A setting that libopus refuses is left as it was.
        let _ = encoder.set_signal(::opus::Signal::Voice);
        let _ = encoder.set_vbr(!settings.cbr);
        let _ = encoder.set_dtx(settings.dtx);
        let _ = encoder.set_max_bandwidth(bandwidth(settings.max_playback_rate));
        let effort = Effort::Full;
        let mut encoder = Self { encoder, settings, manner, effort, loss: 0 };
        encoder.exert(effort);
        Some(encoder)
    }

    fn set_effort(&mut self, effort: Effort) {
        if effort != self.effort {
            self.exert(effort);
        }
    }

    fn exert(&mut self, effort: Effort) {
        self.effort = effort;
        let (bitrate, complexity) = match effort {
            Effort::Full => self.manner.full,
            Effort::Least => self.manner.least,
        };
        let most = self.settings.max_bitrate.and_then(|most| i32::try_from(most).ok());
        let bitrate = most.map_or(bitrate, |most| bitrate.min(most));
        let _ = self.encoder.set_bitrate(::opus::Bitrate::Bits(bitrate));
        let _ = self.encoder.set_complexity(complexity);
    }

    fn set_loss(&mut self, percent: u8) {
        if percent != self.loss {
            self.loss = percent;
            let _ = self.encoder.set_packet_loss_perc(i32::from(percent));
            let _ = self.encoder.set_inband_fec(self.settings.fec && percent > 0);
        }
    }

    fn encode(&mut self, pcm: &[i16], out: &mut Vec<u8>) {
        let before = out.len();
        out.resize(before + opus::MAX_FRAME, 0);
        let into = out.get_mut(before..).unwrap_or_default();
        let length = self.encoder.encode(pcm, into).unwrap_or(0);
        // One or two bytes say "nothing changes", and need not be sent (libopus, opus_encode).
        let is_pause = self.settings.dtx && length <= 2;
        out.truncate(before + if is_pause { 0 } else { length });
    }
}

/// What is worth sending to who plays at so many Hz (RFC 7587 §6.1).
fn bandwidth(playback_rate: u32) -> ::opus::Bandwidth {
    match playback_rate {
        ..12_000 => ::opus::Bandwidth::Narrowband,
        12_000..16_000 => ::opus::Bandwidth::Mediumband,
        16_000..24_000 => ::opus::Bandwidth::Wideband,
        24_000..48_000 => ::opus::Bandwidth::Superwideband,
        48_000.. => ::opus::Bandwidth::Fullband,
    }
}

/// Brings samples to the codec's rate, a piece at a time.
fn in_chunks(pcm: &[i16], resampler: Option<&mut Resampler>, mut take: impl FnMut(&[i16])) {
    let Some(resampler) = resampler else { return take(pcm) };
    // Up by 6 at the most.
    let mut scratch = [0; CHUNK];
    let per_piece = if resampler.output_for(6) > 6 { CHUNK / 6 } else { CHUNK };
    for piece in pcm.chunks(per_piece) {
        let made = resampler.process(piece, &mut scratch);
        take(scratch.get(..made).unwrap_or_default());
    }
}

impl std::fmt::Debug for Encoder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Encoder")
    }
}
