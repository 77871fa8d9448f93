//! How soon one who is not heard is told of: within 3 s of the other side's speech, wherever looks,
//! packets and words fall, in every codec that is relayed. On a clock of our own.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod rig;

use base::Rng;
use media::rtp::Header;
use media::{Codec, Encoder, Event, OpusSettings, Rate, StreamId};
use rig::{A, B, Rig, audio};

/// Louder than this a packet is surely speech: 3 dB above what counts as such.
const SURELY: f64 = 2.0 * 33_950.0;
/// What a noise gate lets through of a quiet line.
const FLOOR: i64 = 20;

/// Words and pauses of a second at the most, and how long each lasts, over and over.
struct Talk {
    /// Where each ends, in milliseconds; words have even places.
    ends: Vec<u32>,
}

impl Talk {
    fn of_seed(rng: &mut Rng) -> Self {
        let mut at = 0;
        let ends = (0..400).map(|n| {
            let most = if n % 2 == 0 { 900 } else { 700 };
            at += 100 + rng.below(most) as u32;
            at
        });
        Self { ends: ends.collect() }
    }

    /// Words all the time.
    fn ceaseless() -> Self {
        Self { ends: vec![u32::MAX] }
    }

    fn is_word(&self, ms: u32) -> bool {
        self.ends.partition_point(|end| *end <= ms) % 2 == 0
    }
}

/// A far end that makes its own packets.
struct Side {
    stream: StreamId,
    codec: Codec,
    rate: Rate,
    encoder: Encoder,
    length_ms: u32,
    talk: Talk,
    rng: Rng,
    /// The next packet: when it is sent, its number.
    at_ms: u32,
    sequence: u16,
}

impl Side {
    /// The samples of the next packet; nothing at all is in them from that moment on.
    fn says(&mut self, still_from_ms: u32) -> Vec<i16> {
        let per_ms = self.rate.hz() / 1000;
        let first = self.at_ms * per_ms;
        let sample = |n: u32, rng: &mut Rng| {
            let ms = n / per_ms;
            if ms >= still_from_ms {
                return 0;
            }
            let noise = rng.below(2 * FLOOR as u64 + 1) as i64 - FLOOR;
            if !self.talk.is_word(ms) {
                return noise as i16;
            }
            // A voice of 150 Hz with its harmonics, and four syllables a second.
            let syllable = (std::f64::consts::TAU * f64::from(ms) / 250.0).sin() * 0.4 + 0.6;
            let phase = f64::from(n) / f64::from(self.rate.hz()) * std::f64::consts::TAU * 150.0;
            let voice: f64 = (1..8).map(|k| (f64::from(k) * phase).sin() / f64::from(k)).sum();
            (2500.0 * syllable * voice + noise as f64) as i16
        };
        (first..first + self.length_ms * per_ms).map(|n| sample(n, &mut self.rng)).collect()
    }

    /// Sends the next packet; how much of it was surely speech, in milliseconds.
    fn send(&mut self, rig: &mut Rig, still_from_ms: u32) -> u32 {
        let pcm = self.says(still_from_ms);
        let mut payload = Vec::new();
        let is_sent = self.encoder.encode(&pcm, &mut payload) > 0;
        if is_sent {
            let timestamp = self.at_ms * (self.codec.clock_rate() / 1000);
            let payload_type = self.codec.offered_payload_type();
            let header = Header { payload_type, ..audio(self.sequence, timestamp) };
            rig.rtp(self.stream, header, &payload);
            self.sequence = self.sequence.wrapping_add(1);
        }
        self.at_ms += self.length_ms;
        let power = pcm.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / pcm.len() as f64;
        if is_sent && power > SURELY { self.length_ms } else { 0 }
    }
}

/// A way of two far ends to send.
#[derive(Clone, Copy, Debug)]
struct Way {
    codec: Codec,
    rate: Rate,
    settings: OpusSettings,
    lengths_ms: [u32; 2],
}

/// B falls silent for good while both talk: how much speech of A's there was until it was told.
fn spoken_until_told(way: Way, seed: u64) -> u32 {
    let Way { codec, rate, settings, lengths_ms } = way;
    let mut rng = Rng::from_seed(seed);
    let mut rig = Rig::of_seed(seed);
    rig.open(A, codec);
    rig.open(B, codec);
    rig.bridge();
    let mut side = |n: usize| {
        let talk = if seed % 4 == n as u64 { Talk::ceaseless() } else { Talk::of_seed(&mut rng) };
        Side {
            stream: [A, B][n],
            codec,
            rate,
            encoder: Encoder::new(codec, rate, settings),
            length_ms: lengths_ms[n],
            talk,
            at_ms: rng.below(u64::from(lengths_ms[n])) as u32,
            sequence: rng.below(0x1_0000) as u16,
            rng: Rng::from_seed(rng.below(u64::MAX)),
        }
    };
    let (mut a, mut b) = (side(0), side(1));
    let still_from_ms = 700 + rng.below(1500) as u32;
    let (mut now_ms, mut spoken_ms) = (0, 0);
    loop {
        let is_as = a.at_ms <= b.at_ms;
        let next = if is_as { a.at_ms } else { b.at_ms };
        rig.millis(u64::from(next - now_ms));
        now_ms = next;
        if is_as {
            let spoken = a.send(&mut rig, u32::MAX);
            spoken_ms += if now_ms >= still_from_ms { spoken } else { 0 };
        } else {
            b.send(&mut rig, still_from_ms);
        }
        let told = |event: &Event| matches!(event, Event::Soundless { stream, .. } if *stream == B);
        if rig.take_events().iter().any(told) {
            assert!(now_ms >= still_from_ms, "{way:?} {seed}: B is heard still");
            return spoken_ms;
        }
        assert!(now_ms < 60_000, "{way:?} {seed}: never, in {spoken_ms} ms of speech");
    }
}

/// So many conversations of each way, or as many as `STROWGER_SEEDS` says.
fn seeds() -> u64 {
    std::env::var("STROWGER_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(6)
}

fn check(ways: &[(Codec, Rate, OpusSettings, [u32; 2])], least_ms: u32) {
    for (codec, rate, settings, lengths_ms) in ways.iter().copied() {
        let way = Way { codec, rate, settings, lengths_ms };
        for seed in 0..seeds() {
            let spoken_ms = spoken_until_told(way, seed);
            assert!((least_ms..=3000).contains(&spoken_ms), "{way:?} {seed}: {spoken_ms} ms");
        }
    }
}

const USUAL: OpusSettings = OpusSettings {
    max_bitrate: None,
    max_playback_rate: 48_000,
    fec: false,
    dtx: false,
    cbr: false,
};

#[test]
fn who_is_not_heard_in_g711_is_told_of_within_3_s_of_speech() {
    let ways = [[20, 20], [60, 60], [10, 30]].map(|lengths| {
        [Codec::Pcmu, Codec::Pcma].map(|codec| (codec, Rate::Narrow, USUAL, lengths))
    });
    check(&ways.concat(), 2700);
}

#[test]
fn who_is_not_heard_in_relayed_opus_is_told_of_within_3_s_of_speech() {
    let many = OpusSettings { max_bitrate: Some(64_000), ..USUAL };
    let cbr = OpusSettings { cbr: true, ..USUAL };
    check(
        &[
            (Codec::Opus, Rate::Narrow, USUAL, [20, 20]),
            (Codec::Opus, Rate::Wide, cbr, [20, 20]),
            (Codec::Opus, Rate::Full, many, [20, 20]),
            (Codec::Opus, Rate::Narrow, USUAL, [60, 60]),
            (Codec::Opus, Rate::Wide, USUAL, [60, 20]),
            (Codec::Opus, Rate::Full, USUAL, [10, 40]),
        ],
        1700,
    );
}

/// Where pauses are not sent it is found out later, and counted as if it had been so before.
#[test]
fn who_is_not_heard_in_relayed_opus_with_dtx_is_told_of_within_3_s_of_speech() {
    let dtx = OpusSettings { dtx: true, ..USUAL };
    check(
        &[
            (Codec::Opus, Rate::Narrow, dtx, [20, 20]),
            (Codec::Opus, Rate::Wide, dtx, [20, 20]),
            (Codec::Opus, Rate::Full, dtx, [20, 20]),
            (Codec::Opus, Rate::Wide, dtx, [60, 60]),
        ],
        1000,
    );
}

#[test]
fn who_is_not_heard_in_relayed_g722_is_told_of_within_3_s_of_speech() {
    let ways = [[20, 20], [60, 60], [20, 60], [60, 20]];
    check(&ways.map(|lengths| (Codec::G722, Rate::Wide, USUAL, lengths)), 1700);
}
