//! The tones of a key: one of four low and one of four high frequencies (ITU-T Q.23).

use std::f64::consts::TAU;

use super::Digit;

/// Hertz of the four rows and of the four columns.
pub(crate) const ROWS: [f64; 4] = [697.0, 770.0, 852.0, 941.0];
pub(crate) const COLUMNS: [f64; 4] = [1209.0, 1336.0, 1477.0, 1633.0];
/// The keys as they lie on the pad, row by row.
pub(crate) const PAD: [char; 16] =
    ['1', '2', '3', 'A', '4', '5', '6', 'B', '7', '8', '9', 'C', '*', '0', '#', 'D'];
/// Peaks: -9 dBm0 for the row, 2 dB more for the column, which lines attenuate more.
const ROW_PEAK: f64 = 7_900.0;
const COLUMN_PEAK: f64 = 9_950.0;

/// A sample of the key, `at` samples from its beginning, of `hz` a second.
pub(crate) fn sample(digit: Digit, at: usize, hz: u32) -> i16 {
    let key = PAD.iter().position(|key| *key == digit.as_char()).unwrap_or_default();
    let row = ROWS.get(key / 4).copied().unwrap_or_default();
    let column = COLUMNS.get(key % 4).copied().unwrap_or_default();
    let time = at as f64 / f64::from(hz);
    let sum = ROW_PEAK * (TAU * row * time).sin() + COLUMN_PEAK * (TAU * column * time).sin();
    sum as i16
}
