//! Codecs and resampling by ear: tones go in, and what comes out is measured.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by it")]

use std::f64::consts::TAU;

use media::{Codec, Decoder, Encoder, OpusSettings, Rate, Resampler, pcm};

/// A tone of -10 dBov.
fn tone(hz: f64, rate: Rate, samples: usize) -> Vec<i16> {
    let step = TAU * hz / f64::from(rate.hz());
    (0..samples).map(|n| (10_000.0 * (step * n as f64).sin()).round() as i16).collect()
}

/// The level of a tone in decibels against [`tone`], by correlation over whole periods of 100 Hz.
fn level(signal: &[i16], hz: f64, rate: Rate) -> f64 {
    let period = rate.hz() as usize / 100;
    let whole = &signal[..signal.len() / period * period];
    let step = TAU * hz / f64::from(rate.hz());
    let (mut re, mut im) = (0.0, 0.0);
    for (n, sample) in whole.iter().enumerate() {
        let (sin, cos) = (step * n as f64).sin_cos();
        re += f64::from(*sample) * cos;
        im += f64::from(*sample) * sin;
    }
    20.0 * ((re * re + im * im).sqrt() * 2.0 / whole.len() as f64 / 10_000.0).log10()
}

const PAIRS: [(Rate, Rate); 6] = [
    (Rate::Narrow, Rate::Wide),
    (Rate::Wide, Rate::Narrow),
    (Rate::Wide, Rate::Full),
    (Rate::Full, Rate::Wide),
    (Rate::Narrow, Rate::Full),
    (Rate::Full, Rate::Narrow),
];

fn resampled(from: Rate, to: Rate, signal: &[i16]) -> Vec<i16> {
    let mut resampler = Resampler::new(from, to);
    let mut out = vec![0; resampler.output_for(signal.len())];
    assert_eq!(resampler.process(signal, &mut out), out.len());
    out
}

#[test]
fn a_resampled_tone_of_the_pass_band_keeps_its_level_within_a_tenth_of_a_decibel() {
    for (from, to) in PAIRS {
        let low = f64::from(from.hz().min(to.hz()));
        for part in [0.0125, 0.05, 0.125, 0.25, 0.375, 0.425] {
            let hz = (low * part / 100.0).round() * 100.0;
            let out = resampled(from, to, &tone(hz, from, from.hz() as usize));
            assert_eq!(out.len(), to.hz() as usize, "a second stays a second");
            let steady = &out[to.samples(100)..];
            let change = level(steady, hz, to);
            assert!(change.abs() < 0.1, "{from:?} to {to:?}, {hz} Hz: {change:.3} dB");
        }
    }
}

#[test]
fn what_would_be_mirrored_into_the_pass_band_is_seventy_decibels_down() {
    for (from, to) in PAIRS {
        let (low, high) = (from.hz().min(to.hz()), from.hz().max(to.hz()));
        let ratio = high / low;
        for part in [0.575, 0.625, 0.75, 0.9, 1.1, 1.425, 1.575, 2.4] {
            let hz = (f64::from(low) * part / 100.0).round() * 100.0;
            if hz >= f64::from(high) / 2.0 {
                continue;
            }
            // Its mirror at the lower rate.
            let folded = (hz - (hz / f64::from(low)).round() * f64::from(low)).abs();
            let (into, at) = if from < to { (folded, hz) } else { (hz, folded) };
            let out = resampled(from, to, &tone(into, from, from.hz() as usize));
            let heard = level(&out[to.samples(100)..], at, to);
            assert!(
                heard < -70.0,
                "{from:?} to {to:?} by {ratio}: {into} Hz at {at} Hz {heard:.1}"
            );
        }
    }
}

#[test]
fn a_resampler_gives_the_same_samples_however_its_input_is_cut() {
    for (from, to) in PAIRS {
        let signal = tone(440.0, from, 4800);
        let whole = resampled(from, to, &signal);
        let mut resampler = Resampler::new(from, to);
        let mut pieces = Vec::new();
        let (mut at, mut length) = (0, 1);
        while at < signal.len() {
            let end = (at + length).min(signal.len());
            let mut out = vec![0; resampler.output_for(end - at)];
            assert_eq!(resampler.process(&signal[at..end], &mut out), out.len());
            pieces.extend(out);
            (at, length) = (end, length * 7 % 997);
        }
        assert!(pieces == whole, "{from:?} to {to:?}");
    }
}

/// Encodes 20 ms at a time at one rate and decodes at another; gives what was heard and the bytes
/// of each packet.
fn carried(codec: Codec, rates: (Rate, Rate), signal: &[i16]) -> (Vec<i16>, Vec<usize>) {
    let mut encoder = Encoder::new(codec, rates.0, OpusSettings::default());
    let mut decoder = Decoder::new(codec, rates.1);
    let (mut heard, mut sizes) = (Vec::new(), Vec::new());
    for tick in signal.chunks(rates.0.per_tick()) {
        let mut payload = Vec::with_capacity(1500);
        sizes.push(encoder.encode(tick, &mut payload));
        let mut out = vec![0; pcm::MAX_PER_PACKET];
        let count = decoder.decode(&payload, &mut out);
        assert_eq!(count, rates.1.per_tick(), "{codec:?} {rates:?}");
        heard.extend_from_slice(&out[..count]);
    }
    (heard, sizes)
}

const RATES: [Rate; 3] = [Rate::Narrow, Rate::Wide, Rate::Full];

#[test]
fn every_codec_carries_a_tone_from_every_rate_to_every_rate() {
    for codec in Codec::ALL {
        for from in RATES {
            for to in RATES {
                let (heard, _) =
                    carried(codec, (from, to), &tone(1000.0, from, from.hz() as usize));
                let loud = level(&heard[to.samples(200)..], 1000.0, to);
                assert!(loud.abs() < 1.5, "{codec:?} from {from:?} to {to:?}: {loud:.2} dB");
            }
        }
    }
}
