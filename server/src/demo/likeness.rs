//! Is this voice in that recording? Normalised cross-correlation of half a second of speech with
//! every place of the recording.

/// Samples a second of everything compared here.
const RATE: usize = 8000;
/// The search is done at 2 kHz first: speech keeps its likeness there, and it is 16 times cheaper.
const COARSE: usize = 4;
/// Quieter windows, as energy a sample, hold nothing that could be compared.
const SILENCE: f64 = 100.0;

/// How well the loudest half second of `voice` fits the best place of `recording`: 1 is the same
/// wave, 0 nothing in common. Speech that went through G.711 stays above 0.9; other speech, music
/// and silence stay below 0.5.
#[must_use]
pub fn likeness(voice: &[i16], recording: &[i16]) -> f64 {
    let template = loudest_part(voice);
    if template.len() < RATE / 4 || recording.len() < template.len() {
        return 0.0;
    }
    let (small, large) = (coarse(template), coarse(recording));
    let best = best_place(&small, &large, 0..large.len() - small.len() + 1);
    let Some((place, _)) = best else { return 0.0 };
    // Exactly, around the best place.
    let fine: Vec<f32> = template.iter().map(|s| f32::from(*s)).collect();
    let whole: Vec<f32> = recording.iter().map(|s| f32::from(*s)).collect();
    let from = (place * COARSE).saturating_sub(2 * COARSE);
    let to = (place * COARSE + 2 * COARSE).min(whole.len() - fine.len());
    best_place(&fine, &whole, from..to + 1).map_or(0.0, |(_, likeness)| likeness)
}

/// Root mean square, in sample values.
#[must_use]
pub fn loudness(samples: &[i16]) -> f64 {
    if samples.is_empty() {
        return 0.0;
    }
    let energy: f64 = samples.iter().map(|s| f64::from(*s) * f64::from(*s)).sum();
    (energy / samples.len() as f64).sqrt()
}

fn loudest_part(voice: &[i16]) -> &[i16] {
    let window = (RATE / 2).min(voice.len());
    (0..=voice.len() - window)
        .step_by(RATE / 10)
        .map(|from| &voice[from..from + window])
        .max_by(|a, b| loudness(a).total_cmp(&loudness(b)))
        .unwrap_or_default()
}

fn coarse(samples: &[i16]) -> Vec<f32> {
    samples.chunks_exact(COARSE).map(|chunk| chunk.iter().map(|s| f32::from(*s)).sum()).collect()
}

/// The place with the highest correlation coefficient, and the coefficient.
fn best_place(
    template: &[f32],
    within: &[f32],
    places: std::ops::Range<usize>,
) -> Option<(usize, f64)> {
    let own = energy(template);
    // The window's energy moves along with it.
    let mut there = energy(within.get(places.start..places.start + template.len())?);
    let mut best = None;
    for place in places {
        let window = within.get(place..place + template.len())?;
        if own > 0.0 && there > SILENCE * template.len() as f64 {
            let product: f32 = template.iter().zip(window).map(|(a, b)| a * b).sum();
            let likeness = f64::from(product) / (own * there).sqrt();
            if best.is_none_or(|(_, known)| likeness > known) {
                best = Some((place, likeness));
            }
        }
        let next = within.get(place + template.len()).copied().unwrap_or(0.0);
        there += square(next) - square(window[0]);
    }
    best
}

fn square(sample: f32) -> f64 {
    f64::from(sample) * f64::from(sample)
}

fn energy(samples: &[f32]) -> f64 {
    samples.iter().map(|sample| square(*sample)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::Rng;

    /// Noise that changes its loudness and colour, a little like speech.
    fn voice(seed: u64, samples: usize) -> Vec<i16> {
        let mut rng = Rng::from_seed(seed);
        let mut last = 0.0_f64;
        (0..samples)
            .map(|n| {
                let loud = 0.5 + 0.5 * (n as f64 / (700.0 + seed as f64 * 91.0)).sin();
                let noise = (rng.below(20_001) as f64) - 10_000.0;
                last = 0.8 * last + 0.2 * noise;
                (last * loud) as i16
            })
            .collect()
    }

    #[test]
    fn a_voice_is_found_where_it_is_and_not_where_another_is() {
        let (caller, agent) = (voice(1, 16_000), voice(2, 16_000));
        let mut recording = vec![0; 9_003];
        recording.extend(caller.iter().map(|s| s / 2));
        recording.extend([0; 5_000]);
        assert!(likeness(&caller, &recording) > 0.99);
        assert!(likeness(&agent, &recording) < 0.5, "{}", likeness(&agent, &recording));
    }

    #[test]
    fn silence_is_like_nothing() {
        assert!(likeness(&voice(1, 16_000), &vec![0; 40_000]) < 0.01);
        assert!(likeness(&voice(1, 16_000), &[]) < 0.01);
    }
}
