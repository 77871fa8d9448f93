//! What we say to a far end ourselves: samples in, 20 ms at a time; payloads out, each of as much
//! audio as the far end wants in a packet.

use base::{Duration, Instant};

use super::recent::Recent;
use crate::codec::{Effort, Encoder, OpusSettings};
use crate::meter::Meter;
use crate::pcm::Rate;
use crate::{CLOCK_RATE, Codec, G711, RemoteMedia};

/// The shortest and the longest packet we make, in milliseconds, and the step between.
const SHORTEST: usize = 10;
const LONGEST: usize = 60;
/// What Opus takes at once (RFC 6716 §2.1.4), of the lengths we make.
const OPUS_LENGTHS: [usize; 4] = [60, 40, 20, 10];

/// An encoder, and what was said and fills no packet yet.
pub(super) struct Mouth {
    codec: Codec,
    settings: OpusSettings,
    rate: Rate,
    voice: Voice,
    /// Milliseconds of a packet.
    per_packet: usize,
    /// When the first of the waiting samples was said.
    since: Instant,
    /// Whatever waits is to go, though it fills no packet.
    flushing: bool,
    meter: Meter,
}

enum Voice {
    /// G.711 at its own rate: coded as it comes, as one coding may be for many.
    Codes { law: G711, waiting: Vec<u8> },
    /// Anything else: coded by the packet.
    Samples { encoder: Encoder, waiting: Vec<i16> },
}

/// A payload that was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Said {
    /// When its first sample was said.
    pub(super) at: Instant,
    /// Its length on the codec's RTP clock.
    pub(super) ticks: u32,
    /// Bytes written: 0 in a pause that is not sent.
    pub(super) bytes: usize,
}

impl Mouth {
    /// A mouth that takes samples at `rate` and says them as the far end wants it.
    pub(super) fn new(remote: &RemoteMedia, rate: Rate) -> Self {
        let voice = match remote.codec.law() {
            Some(law) if rate == Rate::Narrow => {
                let room = rate.samples(LONGEST + 20);
                Voice::Codes { law, waiting: Vec::with_capacity(room) }
            }
            _ => Voice::Samples {
                encoder: Encoder::new(remote.codec, rate, remote.opus),
                waiting: Vec::with_capacity(rate.samples(LONGEST + 20)),
            },
        };
        let mut mouth = Self {
            codec: remote.codec,
            settings: remote.opus,
            rate,
            voice,
            per_packet: 20,
            since: Instant::ZERO,
            flushing: false,
            meter: Meter::default(),
        };
        mouth.set_packet(remote);
        mouth
    }

    /// Begins where the far end's decoder stands, by what it got last.
    pub(super) fn follow(&mut self, recent: &Recent) {
        if let Voice::Samples { encoder, .. } = &mut self.voice {
            recent.parts().into_iter().for_each(|part| encoder.follow(part));
        }
    }

    /// Somebody else has sent a payload to the far end.
    pub(super) fn follow_payload(&mut self, payload: &[u8]) {
        if let Voice::Samples { encoder, .. } = &mut self.voice {
            encoder.follow(payload);
        }
    }

    /// Whether it speaks as the far end wants it, of samples at this rate.
    pub(super) fn fits(&self, remote: &RemoteMedia, rate: Rate) -> bool {
        let same_settings = self.codec != Codec::Opus || self.settings == remote.opus;
        self.codec == remote.codec && self.rate == rate && same_settings
    }

    /// Takes over how much audio the far end wants in a packet, at the most what it can take.
    pub(super) fn set_packet(&mut self, remote: &RemoteMedia) {
        self.per_packet = packet_length(remote);
    }

    pub(super) fn rate(&self) -> Rate {
        self.rate
    }

    /// The law of codes that may be said in place of samples.
    pub(super) fn law(&self) -> Option<G711> {
        match &self.voice {
            Voice::Codes { law, .. } => Some(*law),
            Voice::Samples { .. } => None,
        }
    }

    /// Takes a tick in, whose first sample is due at `at`.
    pub(super) fn say(&mut self, at: Instant, samples: &[i16]) {
        self.begin(at);
        match &mut self.voice {
            Voice::Codes { law, waiting } => {
                law.encode_all(samples, waiting);
            }
            Voice::Samples { waiting, .. } => {
                self.meter.note_samples(samples);
                waiting.extend_from_slice(samples);
            }
        }
    }

    /// Power of what was said in samples since it was last taken, in dBov.
    pub(super) fn take_level(&mut self) -> Option<i8> {
        self.meter.take()
    }

    /// Takes a tick in that is coded already, in [`Mouth::law`].
    pub(super) fn say_codes(&mut self, at: Instant, codes: &[u8]) {
        self.begin(at);
        if let Voice::Codes { waiting, .. } = &mut self.voice {
            waiting.extend_from_slice(codes);
        }
    }

    /// Lets go what waits, as packets that may be shorter than is wanted.
    pub(super) fn flush(&mut self) {
        self.flushing = true;
    }

    /// Forgets what waits.
    pub(super) fn clear(&mut self) {
        self.flushing = false;
        match &mut self.voice {
            Voice::Codes { waiting, .. } => waiting.clear(),
            Voice::Samples { waiting, .. } => waiting.clear(),
        }
    }

    /// Whether something waits that fills no packet.
    pub(super) fn holds(&self) -> bool {
        self.waiting() > 0
    }

    /// Appends the next packet's payload, if there is enough for one.
    pub(super) fn write(&mut self, into: &mut Vec<u8>) -> Option<Said> {
        let samples = self.next_length()?;
        let hz = self.rate.hz() as usize;
        let at = self.since;
        self.since += Duration::from_nanos((samples * 1_000_000_000 / hz) as u64);
        let bytes = match &mut self.voice {
            Voice::Codes { waiting, .. } => {
                into.extend_from_slice(waiting.get(..samples).unwrap_or_default());
                waiting.drain(..samples);
                samples
            }
            Voice::Samples { encoder, waiting } => {
                let pcm = waiting.get(..samples).unwrap_or_default();
                let bytes = encoder.encode(pcm, into);
                waiting.drain(..samples);
                bytes
            }
        };
        let ticks = samples * self.codec.clock_rate() as usize / hz;
        Some(Said { at, ticks: ticks as u32, bytes })
    }

    /// The loss that the far end reports of what we send, in per cent.
    pub(super) fn set_loss(&mut self, percent: u8) {
        if let Voice::Samples { encoder, .. } = &mut self.voice {
            encoder.set_loss(percent);
        }
    }

    /// How hard its codec tries from now on.
    pub(super) fn set_effort(&mut self, effort: Effort) {
        if let Voice::Samples { encoder, .. } = &mut self.voice {
            encoder.set_effort(effort);
        }
    }

    fn begin(&mut self, at: Instant) {
        if self.waiting() == 0 {
            self.since = at;
            self.flushing = false;
        }
    }

    /// Samples that wait.
    fn waiting(&self) -> usize {
        match &self.voice {
            Voice::Codes { waiting, .. } => waiting.len(),
            Voice::Samples { waiting, .. } => waiting.len(),
        }
    }

    /// Samples of the next packet, if there are enough.
    fn next_length(&self) -> Option<usize> {
        let (waiting, whole) = (self.waiting(), self.rate.samples(self.per_packet));
        if waiting >= whole {
            return Some(whole);
        }
        let rest = match (&self.voice, self.codec) {
            (Voice::Codes { .. }, _) => waiting,
            (_, Codec::Opus) => {
                let lengths = OPUS_LENGTHS.map(|length| self.rate.samples(length));
                lengths.into_iter().find(|length| *length <= waiting)?
            }
            _ => waiting / self.rate.samples(1) * self.rate.samples(1),
        };
        (self.flushing && rest > 0).then_some(rest)
    }
}

/// What we put into a packet for a far end, in milliseconds: what it wants, not more than it can
/// take, in whole tens; of Opus a length that it has.
pub(super) fn packet_length(remote: &RemoteMedia) -> usize {
    let wanted = if remote.ptime == Duration::ZERO { 20 } else { remote.ptime.as_millis() };
    let most = remote.maxptime.map_or(u128::MAX, |most| most.as_millis());
    let length = usize::try_from(wanted.min(most)).unwrap_or(LONGEST);
    let length = (length / SHORTEST * SHORTEST).clamp(SHORTEST, LONGEST);
    if remote.codec == Codec::Opus {
        OPUS_LENGTHS.into_iter().find(|fits| *fits <= length).unwrap_or(SHORTEST)
    } else {
        length
    }
}

/// Codes of 20 ms of G.711.
pub(super) const CODES_PER_TICK: usize = CLOCK_RATE as usize / 50;
