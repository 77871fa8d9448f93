//! G.722 at 64 kbit/s (ITU-T G.722, mode 1): 16 kHz audio, split into two bands by a quadrature
//! mirror filter; each band is coded by its difference to a prediction that both ends make alike.
//!
//! Blocks are named as in §5 and §6 of the recommendation. 6 bits of each byte are the lower
//! band's, 2 the higher one's; a byte is two samples.

/// The quadrature mirror filter (table 11): every second of its 24 taps, the others mirror them.
const QMF: [i32; 12] = [3, -11, 12, 32, -210, 951, 3876, -805, 362, -156, 53, -11];
/// Decision levels of the 6-bit quantizer (table 14).
const Q6: [i32; 29] = [
    35, 72, 110, 150, 190, 233, 276, 323, 370, 422, 473, 530, 587, 650, 714, 786, 858, 940, 1023,
    1121, 1219, 1339, 1458, 1612, 1765, 1980, 2195, 2557, 2919,
];
/// The 6-bit quantizer's outputs.
const QM6: [i32; 64] = [
    -136, -136, -136, -136, -24808, -21904, -19008, -16704, -14984, -13512, -12280, -11192, -10232,
    -9360, -8576, -7856, -7192, -6576, -6000, -5456, -4944, -4464, -4008, -3576, -3168, -2776,
    -2400, -2032, -1688, -1360, -1040, -728, 24808, 21904, 19008, 16704, 14984, 13512, 12280,
    11192, 10232, 9360, 8576, 7856, 7192, 6576, 6000, 5456, 4944, 4464, 4008, 3576, 3168, 2776,
    2400, 2032, 1688, 1360, 1040, 728, 432, 136, -432, -136,
];
/// The same of its four upper bits, by which both ends adapt.
const QM4: [i32; 16] = [
    0, -20456, -12896, -8968, -6288, -4240, -2584, -1200, 20456, 12896, 8968, 6288, 4240, 2584,
    1200, 0,
];
/// The 2-bit quantizer's outputs.
const QM2: [i32; 4] = [-7408, -1616, 7408, 1616];
/// Logarithmic steps of the scale factor, for each code of the lower band, and of the higher one.
const STEPS_LOW: [i32; 16] =
    [-60, 3042, 1198, 538, 334, 172, 58, -30, 3042, 1198, 538, 334, 172, 58, -30, -60];
const STEPS_HIGH: [i32; 4] = [798, -214, 798, -214];
/// 2048 times two to the power of n / 32.
const ILB: [i32; 32] = [
    2048, 2093, 2139, 2186, 2233, 2282, 2332, 2383, 2435, 2489, 2543, 2599, 2656, 2714, 2774, 2834,
    2896, 2960, 3025, 3091, 3158, 3228, 3298, 3371, 3444, 3520, 3597, 3676, 3756, 3838, 3922, 4008,
];

/// Codes of 64 kbit/s to samples at 16 kHz.
#[derive(Clone)]
pub(super) struct Decoder {
    low: Band,
    high: Band,
    sums: [i32; 12],
    differences: [i32; 12],
}

/// Codes of 64 kbit/s to the lower band alone, at 8 kHz: half of the work.
pub(super) struct LowDecoder {
    low: Band,
}

/// Samples at 16 kHz to codes.
#[derive(Clone)]
pub(super) struct Encoder {
    low: Band,
    high: Band,
    odd: [i32; 12],
    even: [i32; 12],
}

impl Decoder {
    pub(super) const fn new() -> Self {
        Self { low: Band::LOW, high: Band::HIGH, sums: [0; 12], differences: [0; 12] }
    }

    /// The two samples of a code.
    pub(super) fn decode(&mut self, code: u8) -> [i16; 2] {
        let low = usize::from(code & 0x3f);
        let high = usize::from(code >> 6);
        let heard_low = limited(self.low.estimate + scaled(self.low.scale, QM6[low]));
        self.low.adapt_low(low >> 2);
        let difference = scaled(self.high.scale, QM2[high & 3]);
        let heard_high = limited(self.high.estimate + difference);
        self.high.adapt_high(high & 3);
        push(&mut self.sums, heard_low + heard_high);
        push(&mut self.differences, heard_low - heard_high);
        let first = mirrored(&self.differences);
        let second = straight(&self.sums);
        [saturated(first >> 11) as i16, saturated(second >> 11) as i16]
    }
}

impl LowDecoder {
    pub(super) const fn new() -> Self {
        Self { low: Band::LOW }
    }

    /// The sample of a code.
    pub(super) fn decode(&mut self, code: u8) -> i16 {
        let low = usize::from(code & 0x3f);
        let heard = limited(self.low.estimate + scaled(self.low.scale, QM6[low]));
        self.low.adapt_low(low >> 2);
        // The filter that joins both bands makes it twice as loud.
        saturated(2 * heard) as i16
    }
}

impl Encoder {
    pub(super) const fn new() -> Self {
        Self { low: Band::LOW, high: Band::HIGH, odd: [0; 12], even: [0; 12] }
    }

    /// The code of two samples.
    pub(super) fn encode(&mut self, samples: [i16; 2]) -> u8 {
        push(&mut self.odd, i32::from(samples[0]));
        push(&mut self.even, i32::from(samples[1]));
        let (odd, even) = (straight(&self.odd), mirrored(&self.even));
        let low = self.low.quantize_low((even + odd) >> 14);
        self.low.adapt_low(usize::from(low >> 2));
        let high = self.high.quantize_high((even - odd) >> 14);
        self.high.adapt_high(usize::from(high));
        (high << 6) | low
    }
}

impl Encoder {
    /// Somebody else has sent a code to the far end: both ends adapt by it alike.
    pub(super) fn follow(&mut self, code: u8) {
        self.low.adapt_low(usize::from(code & 0x3f) >> 2);
        self.high.adapt_high(usize::from(code >> 6));
    }
}

/// A band's predictor and scale, alike at both ends.
#[derive(Clone)]
struct Band {
    /// The prediction of the next sample: `s`, and `sz`, the zeros' part in it.
    estimate: i32,
    by_zeros: i32,
    /// Reconstructed and partly reconstructed samples, the latest first: `r` and `p`.
    heard: [i32; 2],
    partly: [i32; 2],
    /// The two poles and six zeros: `a` and `b`.
    poles: [i32; 2],
    zeros: [i32; 6],
    /// The latest differences, `d`.
    differences: [i32; 6],
    /// The scale factor: its logarithm `nb`, and itself, `det`.
    log_scale: i32,
    scale: i32,
}

impl Band {
    const LOW: Self = Self::with_scale(32);
    const HIGH: Self = Self::with_scale(8);

    const fn with_scale(scale: i32) -> Self {
        Self {
            estimate: 0,
            by_zeros: 0,
            heard: [0; 2],
            partly: [0; 2],
            poles: [0; 2],
            zeros: [0; 6],
            differences: [0; 6],
            log_scale: 0,
            scale,
        }
    }

    /// SUBTRA and QUANTL.
    fn quantize_low(&self, sample: i32) -> u8 {
        let difference = saturated(sample - self.estimate);
        let magnitude = if difference >= 0 { difference } else { !difference };
        let level = Q6.iter().take_while(|level| magnitude >= (**level * self.scale) >> 12).count();
        let level = level as u8;
        match (difference >= 0, level) {
            (true, _) => 61 - level,
            (false, 0 | 1) => 63 - level,
            (false, _) => 33 - level,
        }
    }

    /// SUBTRA and QUANTH.
    fn quantize_high(&self, sample: i32) -> u8 {
        let difference = saturated(sample - self.estimate);
        let magnitude = if difference >= 0 { difference } else { !difference };
        let is_large = magnitude >= (564 * self.scale) >> 12;
        match (difference >= 0, is_large) {
            (true, true) => 2,
            (true, false) => 3,
            (false, true) => 0,
            (false, false) => 1,
        }
    }

    /// INVQAL, LOGSCL and SCALEL, and the predictor.
    fn adapt_low(&mut self, code: usize) {
        let difference = scaled(self.scale, QM4[code & 15]);
        self.log_scale = (((self.log_scale * 127) >> 7) + STEPS_LOW[code & 15]).clamp(0, 18_432);
        self.scale = linear(self.log_scale, 8);
        self.adapt(difference);
    }

    /// INVQAH, LOGSCH and SCALEH, and the predictor.
    fn adapt_high(&mut self, code: usize) {
        let difference = scaled(self.scale, QM2[code & 3]);
        self.log_scale = (((self.log_scale * 127) >> 7) + STEPS_HIGH[code & 3]).clamp(0, 22_528);
        self.scale = linear(self.log_scale, 10);
        self.adapt(difference);
    }

    /// Block 4: the coefficients follow the difference, then the next sample is predicted.
    fn adapt(&mut self, difference: i32) {
        let heard = saturated(self.estimate + difference);
        let partly = saturated(self.by_zeros + difference);
        self.adapt_poles(partly);
        self.adapt_zeros(difference);
        self.heard = [heard, self.heard[0]];
        self.partly = [partly, self.partly[0]];
        self.differences.copy_within(..5, 1);
        self.differences[0] = difference;
        // FILTEP, FILTEZ, PREDIC.
        let doubled = |tap: i32, sample: i32| (tap * saturated(2 * sample)) >> 15;
        let poles = self.poles.iter().zip(&self.heard);
        let by_poles = saturated(poles.map(|(tap, sample)| doubled(*tap, *sample)).sum());
        let zeros = self.zeros.iter().zip(&self.differences);
        self.by_zeros = saturated(zeros.map(|(tap, sample)| doubled(*tap, *sample)).sum());
        self.estimate = saturated(by_poles + self.by_zeros);
    }

    /// UPPOL2, UPPOL1.
    fn adapt_poles(&mut self, partly: i32) {
        let is_alike = |before: i32| (partly < 0) == (before < 0);
        let [first, second] = self.poles;
        let fourfold = saturated(4 * first);
        let turned = if is_alike(self.partly[0]) { (-fourfold).min(32_767) } else { fourfold };
        let step = if is_alike(self.partly[1]) { 128 } else { -128 };
        let new_second = (turned >> 7) + step + ((second * 32_512) >> 15);
        let new_second = new_second.clamp(-12_288, 12_288);
        let step = if is_alike(self.partly[0]) { 192 } else { -192 };
        let most = 15_360 - new_second;
        let new_first = saturated(step + ((first * 32_640) >> 15)).clamp(-most, most);
        self.poles = [new_first, new_second];
    }

    /// UPZERO.
    fn adapt_zeros(&mut self, difference: i32) {
        let step = if difference == 0 { 0 } else { 128 };
        for (zero, before) in self.zeros.iter_mut().zip(&self.differences) {
            let is_alike = (difference < 0) == (*before < 0);
            let step = if is_alike { step } else { -step };
            *zero = saturated(step + ((*zero * 32_640) >> 15));
        }
    }
}

/// A quantizer's output at a band's scale.
const fn scaled(scale: i32, output: i32) -> i32 {
    (scale * output) >> 15
}

/// A scale factor from its logarithm.
const fn linear(log_scale: i32, shift: i32) -> i32 {
    let mantissa = ILB[((log_scale >> 6) & 31) as usize];
    let down = shift - (log_scale >> 11);
    (if down < 0 { mantissa << -down } else { mantissa >> down }) << 2
}

fn saturated(value: i32) -> i32 {
    value.clamp(i32::from(i16::MIN), i32::from(i16::MAX))
}

/// LIMIT: to 15 bits.
fn limited(value: i32) -> i32 {
    value.clamp(-16_384, 16_383)
}

/// The newest sample goes to the end.
fn push(samples: &mut [i32; 12], sample: i32) {
    samples.copy_within(1.., 0);
    samples[11] = sample;
}

fn straight(samples: &[i32; 12]) -> i32 {
    samples.iter().zip(&QMF).map(|(sample, tap)| sample * tap).sum()
}

fn mirrored(samples: &[i32; 12]) -> i32 {
    samples.iter().zip(QMF.iter().rev()).map(|(sample, tap)| sample * tap).sum()
}
