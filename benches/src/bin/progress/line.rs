//! The line between: level, noise, G.711, and a network that loses and delays packets.

use base::{Duration, Instant, Rng};
use media::ear::Ear;
use media::progress::{Listener, Listening, Verdict};
use media::rtp::Header;
use media::{Codec, G711, Rate};

/// A line.
#[derive(Clone, Copy)]
pub(crate) struct Line {
    pub(crate) name: &'static str,
    /// How much louder, in dB, and the level of its noise in dB of the full scale.
    gain: f64,
    noise: f64,
    /// Packets lost, in percent, and the most that one is late, in milliseconds.
    loss: u64,
    jitter: u64,
}

pub(crate) const LINES: [Line; 5] = [
    Line { name: "quiet", gain: 0.0, noise: -68.0, loss: 0, jitter: 0 },
    Line { name: "noise -45 dB", gain: 0.0, noise: -45.0, loss: 0, jitter: 0 },
    Line { name: "noise -36 dB", gain: 0.0, noise: -36.0, loss: 0, jitter: 0 },
    Line { name: "soft, -14 dB", gain: -14.0, noise: -60.0, loss: 0, jitter: 0 },
    Line { name: "loss 5 %, jitter 40 ms", gain: 0.0, noise: -55.0, loss: 5, jitter: 40 },
];

impl Line {
    /// What of it was told, and when, in milliseconds.
    pub(crate) fn hear(
        &self,
        pcm: &[i16],
        seed: u64,
        listening: &Listening,
    ) -> Vec<(u64, Verdict)> {
        let mut told = Vec::new();
        let mut listener = Listener::new(listening);
        self.each_tick(pcm, seed, &mut |n, tick| {
            listener.hear(tick, &mut |verdict| told.push((n * 20 + 20, verdict)));
        });
        told
    }

    /// What arrives of it, 20 ms at a time.
    pub(crate) fn each_tick(&self, pcm: &[i16], seed: u64, hear: &mut impl FnMut(u64, &[i16])) {
        let mut rng = Rng::from_seed(seed);
        let mut noise = Noise::new(self.noise, rng.fork());
        let gain = 10_f64.powf(self.gain / 20.0);
        let law = if seed.is_multiple_of(2) { G711::Pcma } else { G711::Pcmu };
        let mut ear = Ear::new(Rate::Narrow);
        let mut waiting: Vec<(Instant, Header, Vec<u8>)> = Vec::new();
        for (n, tick) in pcm.chunks_exact(160).enumerate() {
            let n = n as u64;
            let sent = tick.iter().map(|sample| {
                let sum = f64::from(*sample) * gain + noise.next();
                law.encode(sum.round() as i16)
            });
            let payload: Vec<u8> = sent.collect();
            if self.loss == 0 && self.jitter == 0 {
                let heard: Vec<i16> = payload.iter().map(|code| law.decode(*code)).collect();
                hear(n, &heard);
                continue;
            }
            let now = Instant::from_millis(1000 + n * 20);
            let header = Header {
                payload_type: 0,
                marker: n == 0,
                sequence: n as u16,
                timestamp: (n * 160) as u32,
                ssrc: 1,
            };
            if rng.below(100) >= self.loss {
                let late = Duration::from_micros(rng.below(self.jitter * 1000 + 1));
                waiting.push((now + late, header, payload));
            }
            waiting.sort_by_key(|(at, ..)| *at);
            let codec = if law == G711::Pcma { Codec::Pcma } else { Codec::Pcmu };
            while waiting.first().is_some_and(|(at, ..)| *at <= now) {
                let (at, header, payload) = waiting.remove(0);
                ear.handle_packet(at, &header, codec, &payload);
            }
            let mut heard = [0; 160];
            ear.hear(now, &mut heard);
            hear(n, &heard);
        }
    }
}

/// Noise as lines have it: more of the low than of the high.
struct Noise {
    level: f64,
    last: f64,
    rng: Rng,
}

impl Noise {
    fn new(dbov: f64, rng: Rng) -> Self {
        // Of numbers that spread evenly, filtered by half.
        let level = 32_768.0 * 10_f64.powf(dbov / 20.0) * 3_f64.sqrt() * 0.866;
        Self { level, last: 0.0, rng }
    }

    fn next(&mut self) -> f64 {
        let even = f64::from(self.rng.next_u32()) / f64::from(u32::MAX) * 2.0 - 1.0;
        self.last = 0.5 * self.last + even;
        self.last * self.level
    }
}
