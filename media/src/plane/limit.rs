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
    let room = i64::from(ROOM);
    let above = i64::from(above);
    let bent = i64::from(KNEE) + room * above / (room + above);
    let bent = i16::try_from(bent).unwrap_or(i16::MAX);
    if sum < 0 { -bent } else { bent }
}

/// Whether sums no louder than this pass as they are.
pub(super) const fn is_untouched(loudest: u32) -> bool {
    loudest <= KNEE.unsigned_abs()
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
            if is_untouched(sum.unsigned_abs()) {
                assert_eq!(i32::from(limited), sum);
            }
            last = limited;
        }
        assert_eq!(limit(i32::MAX), i16::MAX - 1);
    }
}
