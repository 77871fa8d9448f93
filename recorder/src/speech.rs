//! What the far ends' packets say: whole packets from the tap's frames, decoded to 8 kHz.
//!
//! G.711 is decoded as it comes; where it belongs, the timeline finds out. G.722 and Opus have a
//! memory, so their packets are first brought into order: one that is missing is waited for as long
//! as 120 ms, then Opus fills its place from what the next packet repeats of it, or by its own
//! concealment. Pauses (DTX) are no loss: their sequence numbers go on.

use std::collections::VecDeque;

use base::{Duration, Instant};
use media::tap::Frame;
use media::{Channel, Codec, Decoder, G711, Rate, StreamId, pcm};

use crate::timeline::Audio;

/// How long a packet that others overtook is waited for, from when it should have been sent:
/// together with its jitter less than the timeline waits.
const PATIENCE: Duration = Duration::from_millis(120);
/// Sources with a memory that one recording has at once; of more, the one heard longest ago goes.
const MOST_SOURCES: usize = 16;
/// Packets that wait for one before them: more than PATIENCE has of them.
const MOST_WAITING: usize = 64;
/// A jump of the sequence number by more than this is a new beginning.
const JUMP: i64 = 3000;
/// The longest loss that is filled, in milliseconds: beyond, concealment has nothing to say.
const MOST_FILLED: i64 = 120;

/// The packets of one recording.
#[derive(Default)]
pub struct Speech {
    sources: Vec<Source>,
}

/// A far end that speaks G.722 or Opus.
struct Source {
    channel: Channel,
    stream: StreamId,
    ssrc: u32,
    codec: Codec,
    decoder: Decoder,
    heard_at: Instant,
    /// The packet whose frames are being collected.
    packet: Vec<u8>,
    /// In the order of their sequence numbers.
    waiting: VecDeque<Packet>,
    /// The number and the time that come next, on the codec's clock, once there was a packet.
    next: Option<(i64, i64)>,
}

struct Packet {
    at: Instant,
    sequence: i64,
    ticks: i64,
    payload: Vec<u8>,
}

impl Speech {
    /// Takes a frame; gives what it makes audible to `place`.
    pub fn take(&mut self, frame: &Frame, place: &mut impl FnMut(&Audio<'_>)) {
        if let Some(law) = frame.codec.law() {
            return place_g711(frame, law, place);
        }
        let source = self.source(frame);
        if frame.offset == 0 {
            source.packet.clear();
        }
        if usize::from(frame.offset) != source.packet.len() {
            return;
        }
        source.packet.extend_from_slice(frame.audio());
        if source.packet.len() == usize::from(frame.total) {
            let payload = std::mem::take(&mut source.packet);
            source.take(frame, payload);
            source.release(frame.at, place);
        }
    }

    /// Time passed: what was waited for long enough is lost.
    pub fn advance(&mut self, now: Instant, place: &mut impl FnMut(&Audio<'_>)) {
        self.sources.iter_mut().for_each(|source| source.release(now, place));
    }

    /// Nothing more will come.
    pub fn finish(&mut self, place: &mut impl FnMut(&Audio<'_>)) {
        for source in &mut self.sources {
            while let Some(packet) = source.waiting.pop_front() {
                source.decode(&packet, place);
            }
        }
    }

    fn source(&mut self, frame: &Frame) -> &mut Source {
        let is_it = |source: &Source| {
            (source.channel, source.stream, source.ssrc, source.codec)
                == (frame.channel, frame.stream, frame.ssrc, frame.codec)
        };
        let place = self.sources.iter().position(is_it).unwrap_or_else(|| {
            if self.sources.len() >= MOST_SOURCES {
                let oldest = self.sources.iter().enumerate().min_by_key(|(_, s)| s.heard_at);
                let oldest = oldest.map_or(0, |(place, _)| place);
                self.sources.remove(oldest);
            }
            self.sources.push(Source::new(frame));
            self.sources.len() - 1
        });
        &mut self.sources[place]
    }
}

impl Source {
    fn new(frame: &Frame) -> Self {
        Self {
            channel: frame.channel,
            stream: frame.stream,
            ssrc: frame.ssrc,
            codec: frame.codec,
            decoder: Decoder::new(frame.codec, Rate::Narrow),
            heard_at: frame.at,
            packet: Vec::new(),
            waiting: VecDeque::new(),
            next: None,
        }
    }

    /// Puts a packet where it belongs; one whose time has passed is forgotten.
    fn take(&mut self, frame: &Frame, payload: Vec<u8>) {
        self.heard_at = frame.at;
        let known = self.waiting.back().map(|last| (last.sequence, last.ticks)).or(self.next);
        let (mut sequence, mut ticks) = (i64::from(frame.sequence), i64::from(frame.timestamp));
        if let Some((last, at)) = known {
            // As many more as the counters say, whose upper bits are not sent.
            let ahead = frame.sequence.wrapping_sub((last & 0xffff) as u16).cast_signed();
            let later = frame.timestamp.wrapping_sub((at & 0xffff_ffff) as u32).cast_signed();
            (sequence, ticks) = (last + i64::from(ahead), at + i64::from(later));
            if i64::from(ahead).abs() > JUMP {
                self.waiting.clear();
                self.next = None;
                self.decoder.reset();
            }
        }
        let is_late = self.next.is_some_and(|(next, _)| sequence < next);
        let place = self.waiting.partition_point(|other| other.sequence < sequence);
        let is_double = self.waiting.get(place).is_some_and(|other| other.sequence == sequence);
        if !is_late && !is_double && self.waiting.len() < MOST_WAITING {
            self.waiting.insert(place, Packet { at: frame.at, sequence, ticks, payload });
        }
    }

    /// Decodes what is in order, and what waited for others long enough.
    fn release(&mut self, now: Instant, place: &mut impl FnMut(&Audio<'_>)) {
        while let Some(first) = self.waiting.front() {
            let is_next = self.next.is_none_or(|(next, _)| first.sequence == next);
            let missing = self.next.map_or(0, |(_, ticks)| first.ticks - ticks).max(0);
            let missing = missing.unsigned_abs() * 1000 / u64::from(self.codec.clock_rate());
            let patience = PATIENCE.saturating_sub(Duration::from_millis(missing));
            if !is_next && now.since(first.at) < patience && self.waiting.len() < MOST_WAITING {
                return;
            }
            let Some(first) = self.waiting.pop_front() else { return };
            self.decode(&first, place);
        }
    }

    fn decode(&mut self, packet: &Packet, place: &mut impl FnMut(&Audio<'_>)) {
        if let Some((next, ticks)) = self.next
            && packet.sequence > next
        {
            self.fill(packet, ticks, place);
        }
        let mut samples = [0; pcm::MAX_PER_PACKET / 6];
        let length = self.decoder.decode(&packet.payload, &mut samples);
        self.place(packet, packet.ticks, &samples[..length], place);
        let length = i64::from(self.codec.ticks(&packet.payload));
        self.next = Some((packet.sequence + 1, packet.ticks + length));
    }

    /// Fills what was lost before a packet, as far as the codec can: the last part of it with what
    /// the packet repeats, else by concealment.
    fn fill(&mut self, packet: &Packet, from: i64, place: &mut impl FnMut(&Audio<'_>)) {
        let per_ms = i64::from(self.codec.clock_rate() / 1000);
        let missing = packet.ticks - from;
        let tenths = missing / (10 * per_ms);
        if missing != tenths * 10 * per_ms || !(10..=MOST_FILLED).contains(&(tenths * 10)) {
            return;
        }
        let mut samples = [0; pcm::MAX_PER_PACKET / 6];
        let missing = (missing / self.per_sample()) as usize;
        let repeated = i64::from(self.codec.ticks(&packet.payload)) / self.per_sample();
        let concealed = missing.saturating_sub(repeated as usize);
        let (before, last) = samples[..missing].split_at_mut(concealed);
        let is_concealed = before.is_empty() || self.decoder.conceal(before);
        if is_concealed
            && (self.decoder.recover(&packet.payload, last) == last.len()
                || self.decoder.conceal(last))
        {
            self.place(packet, from, &samples[..missing], place);
        }
    }

    fn place(
        &self,
        packet: &Packet,
        ticks: i64,
        samples: &[i16],
        place: &mut impl FnMut(&Audio<'_>),
    ) {
        place(&Audio {
            channel: self.channel,
            stream: self.stream,
            at: packet.at,
            timestamp: (ticks.div_euclid(self.per_sample()) & 0xffff_ffff) as u32,
            sequence: (packet.sequence & 0xffff) as u16,
            ssrc: self.ssrc,
            samples,
        });
    }

    /// Ticks of the codec's clock in a sample of the recording.
    fn per_sample(&self) -> i64 {
        i64::from(self.codec.clock_rate() / Rate::Narrow.hz())
    }
}

/// Each byte of it is a sample.
fn place_g711(frame: &Frame, law: G711, place: &mut impl FnMut(&Audio<'_>)) {
    let mut samples = [0; media::tap::FRAME_BYTES];
    let audio = frame.audio();
    for (sample, code) in samples.iter_mut().zip(audio) {
        *sample = law.decode(*code);
    }
    place(&Audio {
        channel: frame.channel,
        stream: frame.stream,
        at: frame.at,
        timestamp: frame.timestamp.wrapping_add(u32::from(frame.offset)),
        sequence: frame.sequence,
        ssrc: frame.ssrc,
        samples: &samples[..audio.len()],
    });
}
