//! How soon one who is not heard is told of: within 3 s of the other side's speech, wherever looks,
//! packets and words fall, in every codec that is relayed. On a clock of our own.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod rig;

use std::sync::{Arc, OnceLock};

use base::Rng;
use media::rtp::Header;
use media::{Codec, Encoder, Event, OpusSettings, Rate, StreamId};
use rig::{A, B, Rig, audio};

/// Louder than this a packet is surely speech: 3 dB above what counts as such.
const SURELY: f64 = 2.0 * 33_950.0;
/// What a noise gate lets through of a quiet line.
const FLOOR: i64 = 20;

/// Words and pauses, and how long each lasts.
struct Talk {
    /// Where each ends, in milliseconds; words have even places.
    ends: Vec<u32>,
}

impl Talk {
    fn of_seed(seed: u64, side: u64, rng: &mut Rng) -> Self {
        match seed % 4 {
            // Words all the time.
            of if of == side => Self { ends: vec![u32::MAX] },
            // A word now and then.
            3 => Self::with_pauses(rng, [400, 400 + 1000 * (seed / 4 % 4)]),
            _ => Self::with_pauses(rng, [900, 700]),
        }
    }

    /// Words and pauses of 100 ms and so much more at the most.
    fn with_pauses(rng: &mut Rng, most: [u64; 2]) -> Self {
        let mut at = 0;
        let mut next = |n: usize| {
            at += 100 + rng.below(most[n % 2]) as u32;
            at
        };
        Self { ends: (0..400).map(&mut next).collect() }
    }

    /// Listens for so long, in milliseconds, from the first pause after that moment on; who talks
    /// all the time stops then.
    fn listens(&mut self, from: u32, length: u32) {
        let place = self.ends.partition_point(|end| *end <= from) | 1;
        if let Some(pause_and_after) = self.ends.get_mut(place..).filter(|rest| !rest.is_empty()) {
            pause_and_after.iter_mut().for_each(|end| *end += length);
        } else {
            self.ends = vec![from, from + length, u32::MAX];
        }
    }

    fn is_word(&self, ms: u32) -> bool {
        self.ends.partition_point(|end| *end <= ms) % 2 == 0
    }
}

/// A second of a voice of 150 Hz with its harmonics, and four syllables.
fn voice(rate: Rate) -> Arc<[i16]> {
    static VOICES: [OnceLock<Arc<[i16]>>; 3] = [const { OnceLock::new() }; 3];
    let sample = |n: u32| {
        let at = f64::from(n) / f64::from(rate.hz()) * std::f64::consts::TAU;
        let syllable = (at * 4.0).sin() * 0.4 + 0.6;
        let voice: f64 = (1..8).map(|k| (f64::from(k) * 150.0 * at).sin() / f64::from(k)).sum();
        (2500.0 * syllable * voice) as i16
    };
    let place = [Rate::Narrow, Rate::Wide, Rate::Full].iter().position(|known| *known == rate);
    let make = || (0..rate.hz()).map(sample).collect();
    Arc::clone(VOICES[place.unwrap()].get_or_init(make))
}

fn noise() -> Arc<[i16]> {
    static NOISE: OnceLock<Arc<[i16]>> = OnceLock::new();
    let make = || {
        let mut rng = Rng::from_seed(1);
        (0..48_000).map(|_| (rng.below(2 * FLOOR as u64 + 1) as i64 - FLOOR) as i16).collect()
    };
    Arc::clone(NOISE.get_or_init(make))
}

/// A far end that makes its own packets.
struct Side {
    stream: StreamId,
    codec: Codec,
    rate: Rate,
    encoder: Encoder,
    length_ms: u32,
    talk: Talk,
    /// Nothing at all is in its samples from that moment on.
    still_from_ms: u32,
    voice: Arc<[i16]>,
    noise: Arc<[i16]>,
    noise_at: usize,
    /// The next packet: when it is sent, its number.
    at_ms: u32,
    sequence: u16,
}

impl Side {
    fn new(way: Way, n: usize, seed: u64, rng: &mut Rng) -> Self {
        let codec = way.codecs[n];
        let rate = if codec == Codec::Opus { way.rate } else { codec.rate() };
        Self {
            stream: [A, B][n],
            codec,
            rate,
            encoder: Encoder::new(codec, rate, way.settings),
            length_ms: way.lengths_ms[n],
            talk: Talk::of_seed(seed, n as u64, rng),
            still_from_ms: u32::MAX,
            voice: voice(rate),
            noise: noise(),
            noise_at: rng.below(40_000) as usize,
            at_ms: rng.below(u64::from(way.lengths_ms[n])) as u32,
            sequence: rng.below(0x1_0000) as u16,
        }
    }

    /// The samples of the next packet.
    fn says(&mut self) -> Vec<i16> {
        let per_ms = self.rate.hz() / 1000;
        let sample = |ms: u32, n: u32| {
            let noise = self.noise[((ms * per_ms + n) as usize + self.noise_at) % self.noise.len()];
            let voice = self.voice[((ms % 1000) * per_ms + n) as usize];
            match (ms >= self.still_from_ms, self.talk.is_word(ms)) {
                (true, _) => 0,
                (false, true) => voice + noise,
                (false, false) => noise,
            }
        };
        (self.at_ms..self.at_ms + self.length_ms)
            .flat_map(|ms| (0..per_ms).map(move |n| (ms, n)))
            .map(|(ms, n)| sample(ms, n))
            .collect()
    }

    /// Sends the next packet; how much of it was speech, in milliseconds.
    fn send(&mut self, rig: &mut Rig) -> Speech {
        let pcm = self.says();
        let mut payload = Vec::new();
        let is_sent = self.encoder.encode(&pcm, &mut payload) > 0;
        if is_sent {
            let timestamp = self.at_ms * (self.codec.clock_rate() / 1000);
            let payload_type = self.codec.offered_payload_type();
            let header = Header { payload_type, ..audio(self.sequence, timestamp) };
            rig.rtp(self.stream, header, &payload);
            self.sequence = self.sequence.wrapping_add(1);
        }
        let power = pcm.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / pcm.len() as f64;
        let all = self.at_ms..self.at_ms + self.length_ms;
        self.at_ms = all.end;
        if !is_sent || power <= SURELY {
            return Speech::default();
        }
        let words = all.filter(|ms| self.talk.is_word(*ms)).count();
        Speech { surely_ms: words as u32, packets_ms: self.length_ms }
    }
}

/// How much there was of speech that was sent, in packets that are surely loud.
#[derive(Clone, Copy, Default)]
struct Speech {
    /// Words alone.
    surely_ms: u32,
    /// Those packets as a whole.
    packets_ms: u32,
}

/// A way of two far ends to send.
#[derive(Clone, Copy, Debug)]
struct Way {
    codecs: [Codec; 2],
    rate: Rate,
    settings: OpusSettings,
    lengths_ms: [u32; 2],
}

/// Two who talk over us.
struct Conversation {
    rig: Rig,
    sides: [Side; 2],
    now_ms: u32,
}

impl Conversation {
    fn new(way: Way, seed: u64, rng: &mut Rng) -> Self {
        let mut rig = Rig::of_seed(seed);
        for (stream, codec) in [A, B].into_iter().zip(way.codecs) {
            rig.open(stream, codec);
        }
        rig.bridge();
        let sides = [0, 1].map(|n| Side::new(way, n, seed, rng));
        Self { rig, sides, now_ms: 0 }
    }

    /// The next packet of either; how much speech of A's was in it.
    fn go_on(&mut self) -> Speech {
        let [a, b] = &mut self.sides;
        let is_as = a.at_ms <= b.at_ms;
        let next = if is_as { a } else { b };
        self.rig.millis(u64::from(next.at_ms - self.now_ms));
        self.now_ms = next.at_ms;
        let speech = next.send(&mut self.rig);
        if is_as { speech } else { Speech::default() }
    }
}

/// B falls silent for good while both talk: how much speech of A's there was until it was told.
fn spoken_until_told(way: Way, seed: u64) -> Speech {
    let mut rng = Rng::from_seed(seed);
    let mut both = Conversation::new(way, seed, &mut rng);
    let still_from_ms = 700 + rng.below(1500) as u32;
    both.sides[1].still_from_ms = still_from_ms;
    let mut all = Speech::default();
    loop {
        let speech = both.go_on();
        if both.now_ms >= still_from_ms {
            all.surely_ms += speech.surely_ms;
            all.packets_ms += speech.packets_ms;
        }
        let told = |event: &Event| matches!(event, Event::Soundless { stream, .. } if *stream == B);
        if both.rig.take_events().iter().any(told) {
            assert!(both.now_ms >= still_from_ms, "{way:?} {seed}: B is heard still");
            return all;
        }
        assert!(both.now_ms < 60_000, "{way:?} {seed}: never, in {} ms", all.surely_ms);
    }
}

/// One of them only listens for a while, on a line that lives, and talks again: what was told.
fn told_of_a_listener(way: Way, seed: u64) -> Vec<Event> {
    let mut rng = Rng::from_seed(seed);
    let mut both = Conversation::new(way, seed, &mut rng);
    let listener = &mut both.sides[usize::from(!seed.is_multiple_of(3))];
    listener.talk.listens(700 + rng.below(1500) as u32, 5000 + rng.below(3000) as u32);
    while both.now_ms < 11_000 {
        both.go_on();
    }
    let mut events = both.rig.take_events();
    events.retain(|event| {
        use Event::{HeardAgain, SoundAgain, Soundless, Unheard};
        matches!(event, Soundless { .. } | SoundAgain { .. } | Unheard { .. } | HeardAgain { .. })
    });
    events
}

/// So many conversations of each way, or as many as `STROWGER_SEEDS` says.
fn seeds() -> u64 {
    std::env::var("STROWGER_SEEDS").ok().and_then(|seeds| seeds.parse().ok()).unwrap_or(6)
}

fn check(ways: &[Way], least_ms: u32) {
    for way in ways {
        for seed in 0..seeds() {
            let Speech { surely_ms, packets_ms } = spoken_until_told(*way, seed);
            assert!(surely_ms <= 3000, "{way:?} {seed}: after {surely_ms} ms");
            assert!(packets_ms >= least_ms, "{way:?} {seed}: after {packets_ms} ms already");
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

const DTX: OpusSettings = OpusSettings { dtx: true, ..USUAL };

const fn opus(rate: Rate, settings: OpusSettings, lengths_ms: [u32; 2]) -> Way {
    Way { codecs: [Codec::Opus; 2], rate, settings, lengths_ms }
}

/// Relayed, with pauses that are not sent.
const WITH_PAUSES: [Way; 5] = [
    opus(Rate::Narrow, DTX, [20, 20]),
    opus(Rate::Wide, DTX, [20, 20]),
    opus(Rate::Full, DTX, [20, 20]),
    opus(Rate::Wide, DTX, [60, 60]),
    opus(Rate::Narrow, OpusSettings { cbr: true, ..DTX }, [40, 10]),
];

const LAW_AND_OPUS: [Codec; 2] = [Codec::Pcmu, Codec::Opus];

/// The same, converted: what is not heard is in Opus.
const CONVERTED: [Way; 3] = [
    Way { codecs: LAW_AND_OPUS, rate: Rate::Narrow, settings: DTX, lengths_ms: [20, 20] },
    Way { codecs: LAW_AND_OPUS, rate: Rate::Wide, settings: DTX, lengths_ms: [20, 60] },
    Way { codecs: LAW_AND_OPUS, rate: Rate::Full, settings: USUAL, lengths_ms: [20, 20] },
];

#[test]
fn who_is_not_heard_in_g711_is_told_of_within_3_s_of_speech() {
    let ways = [[20, 20], [60, 60], [10, 30]].map(|lengths_ms| {
        [Codec::Pcmu, Codec::Pcma].map(|codec| Way {
            codecs: [codec; 2],
            rate: Rate::Narrow,
            settings: USUAL,
            lengths_ms,
        })
    });
    check(&ways.concat(), 2600);
}

#[test]
fn who_is_not_heard_in_relayed_opus_is_told_of_within_3_s_of_speech() {
    let many = OpusSettings { max_bitrate: Some(64_000), ..USUAL };
    let cbr = OpusSettings { cbr: true, ..USUAL };
    check(
        &[
            opus(Rate::Narrow, USUAL, [20, 20]),
            opus(Rate::Wide, cbr, [20, 20]),
            opus(Rate::Full, many, [20, 20]),
            opus(Rate::Narrow, USUAL, [60, 60]),
            opus(Rate::Wide, USUAL, [60, 20]),
            opus(Rate::Full, USUAL, [10, 40]),
        ],
        1500,
    );
}

/// Where pauses are not sent it is found out later, and counted as if all that was sent meanwhile
/// had been speech: sooner than need be at times, and never too late.
#[test]
fn who_is_not_heard_in_relayed_opus_with_dtx_is_told_of_within_3_s_of_speech() {
    check(&WITH_PAUSES, 900);
}

#[test]
fn who_is_not_heard_in_converted_opus_is_told_of_within_3_s_of_speech() {
    check(&CONVERTED, 1500);
    let codecs = [Codec::Opus, Codec::Pcmu];
    check(&[Way { codecs, rate: Rate::Wide, settings: DTX, lengths_ms: [60, 20] }], 2600);
}

#[test]
fn who_is_not_heard_in_relayed_g722_is_told_of_within_3_s_of_speech() {
    let ways = [[20, 20], [60, 60], [20, 60], [60, 20]];
    let way = |lengths_ms| Way {
        codecs: [Codec::G722; 2],
        rate: Rate::Wide,
        settings: USUAL,
        lengths_ms,
    };
    check(&ways.map(way), 1500);
}

#[test]
fn who_only_listens_for_long_with_pauses_that_are_not_sent_is_never_told_of() {
    for way in WITH_PAUSES.iter().chain(&CONVERTED[..2]) {
        for seed in 0..seeds() {
            assert_eq!(told_of_a_listener(*way, seed), [], "{way:?} {seed}");
        }
    }
}
