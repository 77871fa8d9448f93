//! What the detector takes for a key and what not: Q.24's levels, twist, frequencies and times, and
//! noise; over G.711, as it comes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::f64::consts::TAU;

use base::Rng;
use media::G711;
use media::dtmf::{Detector, Digit, Heard};

const ROWS: [f64; 4] = [697.0, 770.0, 852.0, 941.0];
const COLUMNS: [f64; 4] = [1209.0, 1336.0, 1477.0, 1633.0];
const PAD: &str = "123A456B789C*0#D";

/// A key as somebody's telephone makes it.
#[derive(Clone, Copy)]
struct Key {
    key: char,
    /// Of the row, in dBm0.
    level: f64,
    /// The column above the row, in dB.
    twist: f64,
    /// How far off both frequencies are, in percent.
    off: (f64, f64),
    on_ms: f64,
    off_ms: f64,
    /// Noise below the row, in dB.
    noise: f64,
}

const PLAIN: Key = Key {
    key: '5',
    level: -10.0,
    twist: 2.0,
    off: (0.0, 0.0),
    on_ms: 50.0,
    off_ms: 50.0,
    noise: 60.0,
};

/// The peak of a sine of so many dBm0.
fn peak(dbm0: f64) -> f64 {
    22_300.0 * 10_f64.powf(dbm0 / 20.0)
}

fn gaussian(rng: &mut Rng) -> f64 {
    ((0..4).map(|_| rng.below(1_000_000) as f64 / 1e6).sum::<f64>() - 2.0) * 3_f64.sqrt()
}

/// The key and its pause, after a lead of silence, as A-law gives it back.
fn sound(of: &Key, rng: &mut Rng, pcm: &mut Vec<i16>) {
    let at = PAD.chars().position(|key| key == of.key).unwrap();
    let row = ROWS[at / 4] * (1.0 + of.off.0 / 100.0);
    let column = COLUMNS[at % 4] * (1.0 + of.off.1 / 100.0);
    let noise = peak(of.level) / 2_f64.sqrt() * 10_f64.powf(-of.noise / 20.0);
    let phases = (rng.below(628) as f64 / 100.0, rng.below(628) as f64 / 100.0);
    let (on, off) = ((of.on_ms * 8.0) as usize, (of.off_ms * 8.0) as usize);
    for n in 0..on + off {
        let time = n as f64 / 8000.0;
        let low = peak(of.level) * (TAU * row * time + phases.0).sin();
        let high = peak(of.level + of.twist) * (TAU * column * time + phases.1).sin();
        let tone = if n < on { low + high } else { 0.0 };
        let sample = (tone + if of.noise < 60.0 { noise * gaussian(rng) } else { 0.0 })
            .clamp(-32_000.0, 32_000.0) as i16;
        pcm.push(G711::Pcma.decode(G711::Pcma.encode(sample)));
    }
}

fn heard(pcm: &[i16]) -> String {
    let (mut detector, mut keys) = (Detector::new(), String::new());
    let mut tell = |heard| {
        if let Heard::Digit(digit, _) = heard {
            keys.push(digit.as_char());
        }
    };
    for packet in pcm.chunks(160) {
        detector.hear(packet, &mut tell);
    }
    detector.end(&mut tell);
    keys
}

/// How many keys of this kind are heard, one by one, of 96, all kinds of keys and of places within
/// a frame; in percent.
fn rate(of: &Key) -> usize {
    let mut rng = Rng::from_seed(7);
    let heard = (0..96)
        .filter(|n| {
            let key = PAD.chars().nth(n % 16).unwrap();
            let mut pcm = vec![0; 400 + rng.below(64) as usize];
            sound(&Key { key, ..*of }, &mut rng, &mut pcm);
            pcm.extend([0; 400]);
            heard(&pcm) == key.to_string()
        })
        .count();
    heard * 100 / 96
}

#[test]
fn every_level_twist_and_frequency_that_q_24_wants_is_a_key() {
    for level in [0.0, -15.0, -25.0, -30.0] {
        for twist in [-8.0_f64, -4.0, 0.0, 4.0] {
            // Both at once must not be louder than G.711 can say.
            let level = f64::min(level, -4.0 - twist.max(0.0));
            for off in [(0.0, 0.0), (1.5, 1.5), (-1.5, -1.5), (1.5, -1.5), (-1.5, 1.5)] {
                let key = Key { level, twist, off, on_ms: 40.0, off_ms: 40.0, ..PLAIN };
                assert_eq!(rate(&key), 100, "{level} dBm0, twist {twist} dB, off {off:?} %");
            }
        }
    }
}

#[test]
fn frequencies_three_and_a_half_percent_off_are_none() {
    for off in [3.5, -3.5, 5.0, -7.0] {
        for off in [(off, 0.0), (0.0, off), (off, off), (off, -off)] {
            let key = Key { off, on_ms: 100.0, ..PLAIN };
            assert_eq!(rate(&key), 0, "{off:?} %");
        }
    }
}

#[test]
fn forty_milliseconds_are_a_key_twenty_three_none_and_a_break_of_ten_is_no_pause() {
    assert_eq!(rate(&Key { on_ms: 40.0, ..PLAIN }), 100);
    assert_eq!(rate(&Key { on_ms: 23.0, ..PLAIN }), 0);
    let mut rng = Rng::from_seed(1);
    for _ in 0..100 {
        let mut pcm = vec![0; rng.below(64) as usize];
        for off_ms in [10.0, 50.0] {
            sound(&Key { off_ms, on_ms: 45.0, ..PLAIN }, &mut rng, &mut pcm);
        }
        assert_eq!(heard(&pcm), "5");
    }
}

#[test]
fn all_sixteen_keys_at_ten_a_second_are_told_apart() {
    let mut rng = Rng::from_seed(2);
    let (mut pcm, mut dialled) = (Vec::new(), String::new());
    for _ in 0..400 {
        let key = PAD.chars().nth(rng.below(16) as usize).unwrap();
        dialled.push(key);
        sound(&Key { key, ..PLAIN }, &mut rng, &mut pcm);
    }
    assert_eq!(heard(&pcm), dialled);
}

#[test]
fn noise_fifteen_db_below_hides_none_and_noise_alone_is_none() {
    assert_eq!(rate(&Key { noise: 15.0, ..PLAIN }), 100);
    let mut rng = Rng::from_seed(3);
    let mut pcm = Vec::new();
    // Two minutes, of all levels.
    for second in 0..120 {
        let rms = peak(-40.0 + f64::from(second % 35));
        pcm.extend((0..8000).map(|_| (rms * gaussian(&mut rng)).clamp(-32_000.0, 32_000.0) as i16));
    }
    assert_eq!(heard(&pcm), "");
}

#[test]
fn a_key_keeps_being_one_key_when_a_packet_of_it_is_lost() {
    let mut rng = Rng::from_seed(5);
    for lost in 0..7 {
        let mut pcm = vec![0; 160];
        sound(&Key { on_ms: 140.0, ..PLAIN }, &mut rng, &mut pcm);
        let (mut detector, mut keys) = (Detector::new(), String::new());
        let mut tell = |heard| {
            if let Heard::Digit(digit, _) = heard {
                keys.push(digit.as_char());
            }
        };
        for (n, packet) in pcm.chunks(160).enumerate() {
            if n == 1 + lost {
                detector.skip(160, &mut tell);
            } else {
                detector.hear(packet, &mut tell);
            }
        }
        detector.end(&mut tell);
        assert_eq!(keys, "5", "packet {lost}");
    }
}

#[test]
fn what_is_not_kept_back_of_a_key_is_too_short_to_be_one() {
    let mut rng = Rng::from_seed(6);
    for n in 0..640_usize {
        let key = PAD.chars().nth(n % 16).unwrap();
        let mut pcm = vec![0; rng.below(160) as usize];
        sound(&Key { key, on_ms: 100.0, off_ms: 60.0, ..PLAIN }, &mut rng, &mut pcm);
        let mut detector = Detector::new();
        let mut passed = Vec::new();
        for packet in pcm.chunks_mut(160) {
            if detector.hear(packet, &mut |_| {}) {
                packet.fill(0);
            }
            passed.extend_from_slice(packet);
        }
        assert_eq!(heard(&passed), "");
        let leaked = passed.iter().filter(|sample| sample.unsigned_abs() > 500).count();
        assert!(leaked < 8 * 23, "{leaked} samples of {key}");
    }
}

#[test]
fn a_tone_alone_a_voice_like_tone_and_another_digit_pair_are_none() {
    let tone = |parts: &[(f64, f64)]| -> Vec<i16> {
        let sample = |n: usize| {
            let time = n as f64 / 8000.0;
            parts.iter().map(|(hertz, dbm0)| peak(*dbm0) * (TAU * hertz * time).sin()).sum::<f64>()
        };
        (0..8000).map(|n| sample(n) as i16).collect()
    };
    assert_eq!(heard(&tone(&[(697.0, -10.0)])), "");
    assert_eq!(heard(&tone(&[(350.0, -13.0), (440.0, -13.0)])), "", "dial tone");
    assert_eq!(heard(&tone(&[(697.0, -10.0), (770.0, -10.0)])), "", "two rows");
    assert_eq!(heard(&tone(&[(697.0, -10.0), (1209.0, -10.0), (1394.0, -22.0)])), "", "a harmonic");
    let third = [(697.0, -10.0), (1209.0, -10.0), (941.0, -10.0)];
    assert_eq!(heard(&tone(&third)), "", "three tones");
    assert!(Digit::from_char('5').is_some());
}

#[test]
fn what_the_manual_says_of_the_detector_holds() {
    for (noise, least) in [(20.0, 100), (12.0, 100), (8.0, 98)] {
        let rate = rate(&Key { noise, on_ms: 50.0, ..PLAIN });
        assert!(rate >= least, "{rate} with noise {noise} dB below");
    }
    let of_level = |level| rate(&Key { level, twist: 0.0, ..PLAIN });
    assert_eq!((of_level(-36.0), of_level(-40.0)), (100, 0));
    let of_twist = |twist| rate(&Key { level: -15.0, twist, ..PLAIN });
    assert_eq!([-12.0, -10.0, 6.0, 8.0].map(of_twist), [0, 100, 100, 0]);
    let of_frequency = |off| rate(&Key { off: (off, off), on_ms: 60.0, ..PLAIN });
    assert_eq!([1.5, 2.0, 2.7, 3.0].map(of_frequency), [100, 100, 0, 0]);
}
