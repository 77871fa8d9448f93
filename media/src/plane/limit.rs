//! The sum of many voices in 16 bits: quiet sums as they are, loud ones bent, none wrapped.

/// Up to here a sum passes unchanged: 2.3 dB below the full scale.
const KNEE: i32 = 25_000;
/// What is left above it.
const ROOM: i32 = i16::MAX as i32 - KNEE;

/// A sum as a sample. Above the knee the curve goes on with the same slope and nears the full scale,
/// which it never passes; it has no memory, so that nothing pumps and equal sums sound equal.
pub(super) fn limit(sum: i32) -> i16 {
    let above = sum.unsigned_abs().saturating_sub(KNEE.unsigned_abs());
    if above == 0 {
        return sum as i16;
    }
    let room = ROOM.unsigned_abs();
    // As much as room * above / (room + above) above the knee, in numbers of 32 bits.
    let left = (room * room).div_ceil(room + above);
    let bent = i16::try_from(i16::MAX as u32 - left).unwrap_or(i16::MAX);
    if sum < 0 { -bent } else { bent }
}

/// Whether a sum, cut off to 16 bits, is one that does not pass as it is.
pub(super) const fn is_bent(sum: i16) -> bool {
    const KNEE: i16 = self::KNEE as i16;
    (sum > KNEE) | (sum < -KNEE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_never_wrap_never_fall_and_quiet_ones_are_untouched() {
        let mut last = i16::MIN;
        for sum in (-64 * 32_768..=64 * 32_768).step_by(7) {
            let limited = limit(sum);
            assert!(limited >= last, "{sum}");
            assert_eq!(limited, -limit(-sum));
            let cut = sum.clamp(i16::MIN.into(), i16::MAX.into()) as i16;
            assert_eq!(i32::from(limited) != sum, is_bent(cut), "{sum}");
            let above = (i64::from(sum).abs() - i64::from(KNEE)).max(0);
            let bent = i64::from(ROOM) * above / (i64::from(ROOM) + above);
            let level = i64::from(sum).abs().min(i64::from(KNEE)) + bent;
            assert_eq!(i64::from(limited).abs(), level, "{sum}");
            last = limited;
        }
        assert_eq!(limit(i32::MAX), i16::MAX - 1);
    }
}
