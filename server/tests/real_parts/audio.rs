//! Judging sound by its content: the level of one tone in a WAV file, by Goertzel's filter.

use std::path::Path;

/// Samples of one channel of a 16-bit WAV file, and its rate in hertz.
pub(crate) struct Sound {
    pub(crate) samples: Vec<i16>,
    pub(crate) rate: f64,
}

impl Sound {
    /// Reads a channel (0 is left). Fails the test with a sentence when the file is no WAV.
    pub(crate) fn from_wav(bytes: &[u8], channel: usize) -> Self {
        let mut reader = hound::WavReader::new(bytes).expect("a WAV header");
        let spec = reader.spec();
        assert_eq!(spec.bits_per_sample, 16, "16-bit samples");
        let channels = usize::from(spec.channels);
        let samples = reader
            .samples::<i16>()
            .map_while(Result::ok)
            .skip(channel)
            .step_by(channels)
            .collect::<Vec<i16>>();
        Self { samples, rate: f64::from(spec.sample_rate) }
    }

    pub(crate) fn from_wav_file(path: &Path, channel: usize) -> Self {
        let mut bytes = std::fs::read(path).expect("the sound file");
        repair_header(&mut bytes);
        Self::from_wav(&bytes, channel)
    }

    /// Amplitude of the tone in a stretch of samples, as a share of full scale.
    fn amplitude(&self, stretch: &[i16], hertz: f64) -> f64 {
        let w = 2.0 * std::f64::consts::PI * hertz / self.rate;
        let (mut s1, mut s2) = (0.0_f64, 0.0_f64);
        for sample in stretch {
            let s0 = f64::from(*sample) / 32768.0 + 2.0 * w.cos() * s1 - s2;
            s2 = s1;
            s1 = s0;
        }
        let power = s1 * s1 + s2 * s2 - 2.0 * w.cos() * s1 * s2;
        2.0 * power.max(0.0).sqrt() / stretch.len() as f64
    }

    /// In how many seconds (of 100 ms windows) the tone stands at `amplitude` to 1.5 dB.
    pub(crate) fn seconds_of_tone(&self, hertz: f64, amplitude: f64) -> f64 {
        self.seconds_within(hertz, amplitude * 0.84..amplitude * 1.19)
    }

    /// In how many seconds (of 100 ms windows) the tone is there, at half of `amplitude` or more:
    /// a phone that this machine leaves no time for may miss a packet or two in each.
    pub(crate) fn seconds_with_tone(&self, hertz: f64, amplitude: f64) -> f64 {
        self.seconds_within(hertz, amplitude * 0.5..amplitude * 1.19)
    }

    fn seconds_within(&self, hertz: f64, level: std::ops::Range<f64>) -> f64 {
        let windows = self.samples.chunks_exact((self.rate / 10.0) as usize);
        windows.filter(|stretch| level.contains(&self.amplitude(stretch, hertz))).count() as f64
            / 10.0
    }

    /// The loudest that the tone ever is, as a share of full scale.
    pub(crate) fn loudest(&self, hertz: f64) -> f64 {
        let window = (self.rate / 10.0) as usize;
        self.samples
            .chunks_exact(window)
            .map(|stretch| self.amplitude(stretch, hertz))
            .fold(0.0, f64::max)
    }

    /// The loudest that one tone ever is while another stands at `amplitude`: what leaks into it.
    pub(crate) fn loudest_during(&self, hertz: f64, other: f64, amplitude: f64) -> f64 {
        let window = (self.rate / 10.0) as usize;
        let during = self
            .samples
            .chunks_exact(window)
            .filter(|stretch| (0.84..1.19).contains(&(self.amplitude(stretch, other) / amplitude)));
        during.map(|stretch| self.amplitude(stretch, hertz)).fold(0.0, f64::max)
    }

    /// Root mean square of the whole, as a share of full scale.
    pub(crate) fn rms(&self) -> f64 {
        let sum: f64 = self.samples.iter().map(|s| (f64::from(*s) / 32768.0).powi(2)).sum();
        (sum / self.samples.len().max(1) as f64).sqrt()
    }
}

/// A phone that is stopped hard leaves sizes of zero in its header: set them from the file's.
fn repair_header(bytes: &mut [u8]) {
    let Some(at) = bytes.windows(4).position(|w| w == b"data") else { return };
    let (total, body) = (bytes.len() as u32 - 8, (bytes.len() - at - 8) as u32);
    if bytes[at + 4..at + 8] == [0; 4] {
        bytes[4..8].copy_from_slice(&total.to_le_bytes());
        bytes[at + 4..at + 8].copy_from_slice(&body.to_le_bytes());
    }
}

/// Writes a mono 8 kHz tone of `seconds`.
pub(crate) fn write_tone(path: &Path, hertz: f64, amplitude: f64, seconds: u32) {
    write_tone_at(path, 8000, hertz, amplitude, seconds);
}

/// The same at another rate.
pub(crate) fn write_tone_at(path: &Path, rate: u32, hertz: f64, amplitude: f64, seconds: u32) {
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: rate,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut writer = hound::WavWriter::create(path, spec).expect("a file to write");
    // Whole hertz: each second is like the first.
    let second: Vec<i16> = (0..rate)
        .map(|n| {
            let phase = 2.0 * std::f64::consts::PI * hertz * f64::from(n) / f64::from(rate);
            (phase.sin() * amplitude * 32767.0) as i16
        })
        .collect();
    for sample in (0..seconds).flat_map(|_| &second) {
        writer.write_sample(*sample).expect("a sample");
    }
    writer.finalize().expect("a whole file");
}

#[test]
fn a_tone_is_found_at_its_level_and_another_is_not() {
    let dir = std::env::temp_dir().join(format!("strowger-tone-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    write_tone(&dir.join("t.wav"), 440.0, 0.3, 2);
    let sound = Sound::from_wav_file(&dir.join("t.wav"), 0);
    assert!((sound.seconds_of_tone(440.0, 0.3) - 2.0).abs() < 0.01);
    assert!(sound.loudest(1000.0) < 0.01);
    std::fs::remove_dir_all(&dir).unwrap();
}
