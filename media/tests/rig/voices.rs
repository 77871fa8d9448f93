//! Far ends that say a tone each in their codec, and keep what they hear in the order of its
//! timestamps: what is in it tells who was heard.

use std::f64::consts::TAU;

use base::{Duration, Instant};
use media::pcm::MAX_PER_PACKET;
use media::rtp::{self, Header};
use media::{Codec, Decoder, Encoder, OpusSettings, Port, Rate, StreamId};

use super::{Rig, Sent, far};

/// A packet that was heard.
pub struct Packet {
    pub at: Instant,
    pub header: Header,
    pub samples: Vec<i16>,
    /// Of its payload.
    pub bytes: usize,
}

pub struct Voice {
    pub stream: StreamId,
    pub codec: Codec,
    pub rate: Rate,
    /// Hertz, and the amplitude; silent at 0 Hz.
    pub tone: f64,
    pub amplitude: f64,
    pub says: bool,
    /// Milliseconds a packet.
    pub ptime: u64,
    pub packets: Vec<Packet>,
    encoder: Encoder,
    decoder: Decoder,
    pub sequence: u16,
    timestamp: u32,
    phase: f64,
    due: Instant,
}

impl Voice {
    pub fn new(stream: StreamId, codec: Codec, tone: f64) -> Self {
        let rate = codec.rate().min(Rate::Wide);
        Self {
            stream,
            codec,
            rate,
            tone,
            amplitude: 6000.0,
            says: true,
            ptime: 20,
            packets: Vec::new(),
            encoder: Encoder::new(codec, rate, OpusSettings::default()),
            decoder: Decoder::new(codec, rate),
            sequence: 1000 * stream.0 as u16,
            timestamp: 77_777 * stream.0 as u32,
            phase: 0.0,
            due: Instant::ZERO,
        }
    }

    fn say(&mut self, rig: &mut Rig) -> Vec<Sent> {
        let samples = self.rate.samples(self.ptime as usize);
        let step = TAU * self.tone / f64::from(self.rate.hz());
        let pcm: Vec<i16> = (0..samples)
            .map(|_| {
                self.phase = (self.phase + step) % TAU;
                (self.amplitude * self.phase.sin()) as i16
            })
            .collect();
        let mut payload = Vec::new();
        self.encoder.encode(&pcm, &mut payload);
        let header = Header {
            payload_type: self.codec.offered_payload_type(),
            marker: false,
            sequence: self.sequence,
            timestamp: self.timestamp,
            ssrc: 0xf000 + self.stream.0 as u32,
        };
        self.sequence = self.sequence.wrapping_add(u16::from(self.says));
        self.timestamp =
            self.timestamp.wrapping_add(self.codec.clock_rate() / 1000 * self.ptime as u32);
        if self.says { rig.rtp(self.stream, header, &payload) } else { Vec::new() }
    }

    /// A silence begins or goes on: what noise stands for it, in -dBov (RFC 3389).
    pub fn describe(&mut self, rig: &mut Rig, level: u8) -> Vec<Sent> {
        let (sequence, timestamp) = (self.sequence, self.timestamp);
        let ssrc = 0xf000 + self.stream.0 as u32;
        let header = Header { payload_type: 13, marker: false, sequence, timestamp, ssrc };
        self.sequence = self.sequence.wrapping_add(1);
        rig.rtp(self.stream, header, &[level])
    }

    /// Time passes without a word; what goes to anybody meanwhile.
    pub fn pass(&mut self, rig: &mut Rig, millis: u64) -> Vec<Sent> {
        self.timestamp =
            self.timestamp.wrapping_add(self.codec.clock_rate() / 1000 * millis as u32);
        rig.rtp_of(millis)
    }

    fn hear(&mut self, sent: &Sent) {
        let parsed = rtp::parse(&sent.bytes).unwrap();
        if parsed.header.payload_type != self.codec.offered_payload_type() {
            return;
        }
        let mut samples = vec![0; MAX_PER_PACKET];
        let made = self.decoder.decode(sent.payload(), &mut samples);
        samples.truncate(made);
        let bytes = sent.payload().len();
        self.packets.push(Packet { at: sent.at, header: parsed.header, samples, bytes });
    }

    /// All that was heard, put together by the timestamps; it panics if anything overlaps, if a
    /// number or the SSRC is not the expected one. What is missing is silence.
    pub fn line(&self) -> Vec<i16> {
        let Some(first) = self.packets.first() else { return Vec::new() };
        let mut line: Vec<i16> = Vec::new();
        for (n, packet) in self.packets.iter().enumerate() {
            let header = packet.header;
            assert_eq!(header.sequence, first.header.sequence.wrapping_add(n as u16));
            assert_eq!(header.ssrc, first.header.ssrc);
            let ticks = header.timestamp.wrapping_sub(first.header.timestamp);
            let at =
                u64::from(ticks) * u64::from(self.rate.hz()) / u64::from(self.codec.clock_rate());
            assert!(at as usize >= line.len(), "packet {n} overlaps");
            line.resize(at as usize, 0);
            line.extend(&packet.samples);
        }
        line
    }

    /// The amplitude of a tone in what was heard since a moment.
    pub fn hears(&self, hz: f64, since: Instant) -> f64 {
        let recent = self.packets.iter().filter(|packet| packet.at >= since);
        let samples: Vec<i16> = recent.flat_map(|packet| packet.samples.clone()).collect();
        amplitude(&samples, hz, self.rate)
    }
}

/// The amplitude of a tone in samples (Goertzel).
pub fn amplitude(samples: &[i16], hz: f64, rate: Rate) -> f64 {
    let step = TAU * hz / f64::from(rate.hz());
    let (mut re, mut im) = (0.0, 0.0);
    for (n, sample) in samples.iter().enumerate() {
        let angle = step * n as f64;
        re += f64::from(*sample) * angle.cos();
        im += f64::from(*sample) * angle.sin();
    }
    2.0 * f64::hypot(re, im) / samples.len().max(1) as f64
}

/// The greatest step aside from a tone's course, in parts of its amplitude: a click or a gap in it
/// shows, whatever the phase.
pub fn roughness(samples: &[i16], hz: f64, rate: Rate) -> f64 {
    let turn = 2.0 * (TAU * hz / f64::from(rate.hz())).cos();
    let peak = samples.iter().map(|s| f64::from(s.unsigned_abs())).fold(1.0, f64::max);
    let aside = samples
        .windows(3)
        .map(|w| (f64::from(w[0]) + f64::from(w[2]) - turn * f64::from(w[1])).abs() / peak);
    aside.fold(0.0, f64::max)
}

/// Lets all of them talk and hear for a time, each in a millisecond of its own.
pub fn talk(rig: &mut Rig, voices: &mut [Voice], millis: u64) {
    let end = rig.now + Duration::from_millis(millis);
    let origin = rig.now;
    for (n, voice) in voices.iter_mut().enumerate() {
        if voice.due < origin {
            voice.due = origin + Duration::from_millis(1 + n as u64 % 17);
        }
    }
    while rig.now < end {
        let mut sent = rig.millis(1);
        for voice in voices.iter_mut() {
            if voice.due <= rig.now {
                voice.due += Duration::from_millis(voice.ptime);
                sent.extend(voice.say(rig));
            }
        }
        for packet in sent.iter().filter(|sent| sent.port == Port::Rtp) {
            let voice = voices.iter_mut().find(|voice| far(voice.stream) == packet.to);
            voice.unwrap().hear(packet);
        }
    }
}
