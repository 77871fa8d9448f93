//! The ringing tone that we play ourselves: to who has been answered while another phone rings
//! (ITU-T E.180: 425 Hz, one second of tone and four of silence).

use media::Prompt;

const RATE: usize = 8000;
const HERTZ: f64 = 425.0;
/// A quarter of full scale, about -15 dBm0.
const LEVEL: f64 = 8192.0;

/// One cadence, to be played again and again.
pub(crate) fn ringing() -> Prompt {
    let mut samples = vec![0i16; RATE * 5];
    for (at, sample) in samples.iter_mut().take(RATE).enumerate() {
        let phase = std::f64::consts::TAU * HERTZ * at as f64 / RATE as f64;
        #[allow(clippy::cast_possible_truncation, reason = "within LEVEL")]
        let value = (phase.sin() * LEVEL) as i16;
        *sample = value;
    }
    Prompt::from_pcm(&samples)
}
