//! Comfort noise (RFC 3389 §3): a level and up to 12 reflection coefficients, made to sound.

const ORDER: usize = 12;

/// The noise a far end described.
pub(super) struct Noise {
    /// Effective value in samples; 0 for silence.
    level: f32,
    reflections: [f32; ORDER],
    /// What the filter's stages hold.
    state: [f32; ORDER],
    /// What the filter adds in power.
    gain: f32,
    seed: u32,
}

impl Noise {
    pub(super) fn silence() -> Self {
        Self { level: 0.0, reflections: [0.0; ORDER], state: [0.0; ORDER], gain: 1.0, seed: 1 }
    }

    pub(super) fn is_silent(&self) -> bool {
        self.level == 0.0
    }

    /// Takes a description: its first byte is the level in -dBov, the others reflection
    /// coefficients. An empty one says nothing.
    pub(super) fn describe(&mut self, payload: &[u8]) {
        let Some((level, coefficients)) = payload.split_first() else { return };
        let level = f32::from(level & 0x7f);
        // 0 dBov is the full-scale square wave's power.
        self.level = 32_767.0 * 10_f32.powf(-level / 20.0);
        self.reflections = [0.0; ORDER];
        self.gain = 1.0;
        for (to, code) in self.reflections.iter_mut().zip(coefficients) {
            *to = (258.0 * (f32::from(*code) - 127.0) / 32_768.0).clamp(-0.995, 0.995);
            self.gain *= 1.0 - *to * *to;
        }
        self.gain = self.gain.max(1e-4).sqrt();
    }

    /// The far end speaks: what it said of its noise is over.
    pub(super) fn hush(&mut self) {
        self.level = 0.0;
    }

    /// Adds noise to `out`, from none to all of it over `rise` samples, `risen` of which are past.
    pub(super) fn add(&mut self, out: &mut [i16], risen: usize, rise: usize) {
        if self.is_silent() {
            return;
        }
        for (n, sample) in out.iter_mut().enumerate() {
            let part = ((risen + n) as f32 / rise.max(1) as f32).min(1.0);
            let noise = self.next() * part;
            *sample = (f32::from(*sample) + noise).clamp(-32_768.0, 32_767.0) as i16;
        }
    }

    /// White noise through the all-pole lattice filter.
    fn next(&mut self) -> f32 {
        // The sum of four even distributions is normal enough.
        let mut sum = 0.0;
        for _ in 0..4 {
            self.seed = self.seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            sum += (self.seed >> 8) as f32 / 16_777_216.0 - 0.5;
        }
        let mut forward = sum * 1.732 * self.level * self.gain;
        for stage in (0..ORDER).rev() {
            let (k, held) = (self.reflections[stage], self.state[stage]);
            forward -= k * held;
            if stage + 1 < ORDER {
                self.state[stage + 1] = held + k * forward;
            }
        }
        self.state[0] = forward;
        forward
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn power(noise: &mut Noise) -> f64 {
        let mut out = [0_i16; 16_000];
        noise.add(&mut out, 1, 1);
        out.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / 16_000.0
    }

    #[test]
    fn the_noise_has_the_level_that_was_told_whatever_its_colour() {
        for coefficients in [&[][..], &[200, 90, 140], &[30, 127, 180, 100, 127, 90]] {
            let mut noise = Noise::silence();
            let mut payload = vec![40];
            payload.extend_from_slice(coefficients);
            noise.describe(&payload);
            let dbov = 10.0 * (power(&mut noise) / 32_767_f64.powi(2)).log10();
            assert!((dbov + 40.0).abs() < 1.5, "{dbov} dBov with {coefficients:?}");
        }
    }

    #[test]
    fn any_description_stays_bounded() {
        for byte in 0..=255 {
            let mut noise = Noise::silence();
            noise.describe(&[byte; 20]);
            assert!(power(&mut noise).is_finite());
        }
    }
}
