//! Prompt files: any rate and width to 8 kHz, at level, without images.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::f64::consts::TAU;

use media::{Codec, Prompt, PromptError};

fn wav(spec: hound::WavSpec, samples: impl Iterator<Item = f64>) -> Vec<u8> {
    let mut file = std::io::Cursor::new(Vec::new());
    let mut writer = hound::WavWriter::new(&mut file, spec).unwrap();
    let full = f64::from(1_u32 << (spec.bits_per_sample - 1)) - 1.0;
    for sample in samples {
        for _ in 0..spec.channels {
            match spec.sample_format {
                hound::SampleFormat::Float => writer.write_sample(sample as f32).unwrap(),
                hound::SampleFormat::Int => {
                    writer.write_sample((sample * full).round() as i32).unwrap()
                }
            }
        }
    }
    writer.finalize().unwrap();
    file.into_inner()
}

fn tone(rate: u32, hz: f64, amplitude: f64) -> impl Iterator<Item = f64> {
    let step = TAU * hz / f64::from(rate);
    (0..rate).map(move |n| amplitude * (step * f64::from(n)).sin())
}

fn spec(rate: u32) -> hound::WavSpec {
    hound::WavSpec {
        channels: 1,
        sample_rate: rate,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    }
}

fn decoded(prompt: &Prompt, codec: Codec) -> Vec<f64> {
    let law = codec.law().unwrap();
    prompt.encoded(codec).iter().map(|c| f64::from(law.decode(*c)) / 32_768.0).collect()
}

/// Amplitude of one frequency, by a Hann-windowed sum over the middle of the signal.
fn level(signal: &[f64], hz: f64) -> f64 {
    let middle = &signal[800..signal.len() - 800];
    let count = middle.len() as f64;
    let (mut re, mut im) = (0.0, 0.0);
    for (n, x) in middle.iter().enumerate() {
        let n = n as f64;
        let window = 1.0 - (TAU * n / count).cos();
        re += window * x * (TAU * hz * n / 8000.0).cos();
        im += window * x * (TAU * hz * n / 8000.0).sin();
    }
    2.0 * (re * re + im * im).sqrt() / count
}

fn db(ratio: f64) -> f64 {
    20.0 * ratio.max(1e-12).log10()
}

#[test]
fn a_tone_keeps_its_level_from_every_usual_rate() {
    for rate in [8000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 96_000] {
        for hz in [300.0, 1004.0, 3300.0] {
            let prompt = Prompt::from_wav(&wav(spec(rate), tone(rate, hz, 0.5))).unwrap();
            assert_eq!(prompt.encoded(Codec::Pcmu).len(), 8000, "one second stays one second");
            for codec in [Codec::Pcmu, Codec::Pcma] {
                let change = db(level(&decoded(&prompt, codec), hz) / 0.5);
                assert!(change.abs() < 0.1, "{hz} Hz from {rate} Hz: {change:.2} dB");
            }
        }
    }
}

#[test]
fn what_8_khz_cannot_carry_is_gone_and_not_folded_down() {
    for (rate, hz) in [(16_000, 4600.0), (44_100, 5000.0), (48_000, 7004.0), (48_000, 9004.0)] {
        let folded = (hz - 8000.0_f64).abs();
        let prompt = Prompt::from_wav(&wav(spec(rate), tone(rate, hz, 0.5))).unwrap();
        let image = db(level(&decoded(&prompt, Codec::Pcmu), folded) / 0.5);
        assert!(image < -50.0, "{hz} Hz from {rate} Hz shows at {folded} Hz: {image:.1} dB");
    }
}

#[test]
fn images_of_upsampling_are_below_minus_50_db() {
    // 5 kHz holds up to 2.5 kHz; a tone at 1 kHz would show again at 4 kHz - and at 3 kHz from 2.
    let prompt = Prompt::from_wav(&wav(spec(5000), tone(5000, 2000.0, 0.25))).unwrap();
    let signal = decoded(&prompt, Codec::Pcmu);
    assert!(db(level(&signal, 2000.0) / 0.25).abs() < 0.2);
    assert!(db(level(&signal, 3000.0) / 0.25) < -50.0);
}

#[test]
fn widths_and_channels_make_no_difference() {
    use hound::SampleFormat::{Float, Int};
    for (bits, format, channels) in
        [(8, Int, 1), (16, Int, 2), (24, Int, 1), (32, Int, 2), (32, Float, 1), (32, Float, 2)]
    {
        let spec = hound::WavSpec {
            channels,
            sample_rate: 16_000,
            bits_per_sample: bits,
            sample_format: format,
        };
        let prompt = Prompt::from_wav(&wav(spec, tone(16_000, 1004.0, 0.5))).unwrap();
        let change = db(level(&decoded(&prompt, Codec::Pcmu), 1004.0) / 0.5);
        assert!(change.abs() < 0.1, "{bits} bits {format:?} {channels}: {change:.2} dB");
    }
}

#[test]
fn what_is_no_prompt_says_why() {
    assert!(matches!(Prompt::from_wav(b"RIFF"), Err(PromptError::Wav(_))));
    let empty = wav(spec(8000), std::iter::empty());
    assert!(matches!(Prompt::from_wav(&empty), Err(PromptError::Empty)));
    let slow = wav(spec(1000), tone(1000, 100.0, 0.1));
    assert!(matches!(Prompt::from_wav(&slow), Err(PromptError::Rate(1000))));
    let many = hound::WavSpec { channels: 3, ..spec(8000) };
    let many = wav(many, tone(8000, 100.0, 0.1));
    assert!(matches!(Prompt::from_wav(&many), Err(PromptError::Channels(3))));
}
