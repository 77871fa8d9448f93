//! The master key identifier that packets carry behind what is encrypted (RFC 3711 §3.1).

/// Bytes of the longest identifier (RFC 4568 §6.1).
pub const MAX_MKI: usize = 128;
/// Bytes of an identifier that may differ from zero: SDP writes it as a number, which is taken up to
/// 2^128 - 1.
const LOW_BYTES: usize = 16;

/// A master key identifier: which of a far end's keys a packet was sealed with.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Mki {
    /// Its last bytes, the high one first.
    low: [u8; LOW_BYTES],
    length: u8,
}

impl Mki {
    /// `value` in `length` bytes, the high one first. `None` when it does not fit, is none, or is
    /// longer than [`MAX_MKI`].
    #[must_use]
    pub fn new(value: u128, length: usize) -> Option<Self> {
        let fits = length >= LOW_BYTES || value >> (8 * length) == 0;
        if !(1..=MAX_MKI).contains(&length) || !fits {
            return None;
        }
        Some(Self { low: value.to_be_bytes(), length: u8::try_from(length).ok()? })
    }

    /// As packets carry it.
    pub fn bytes(&self) -> impl Iterator<Item = u8> + '_ {
        let zeros = self.length().saturating_sub(LOW_BYTES);
        let low = self.low.get(LOW_BYTES.saturating_sub(self.length())..).unwrap_or_default();
        std::iter::repeat_n(0, zeros).chain(low.iter().copied())
    }

    /// Bytes that packets carry, 1 to [`MAX_MKI`].
    #[must_use]
    pub fn length(&self) -> usize {
        usize::from(self.length)
    }

    /// As a number, as SDP writes it.
    #[must_use]
    pub fn value(&self) -> u128 {
        u128::from_be_bytes(self.low)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_a_number_in_so_many_bytes() {
        let bytes = |value, length| Mki::new(value, length).map(|mki| mki.bytes().collect());
        assert_eq!(bytes(0x0102, 4), Some(vec![0, 0, 1, 2]));
        assert_eq!(bytes(u128::MAX, 16), Some(vec![255; 16]));
        assert_eq!(bytes(255, 1), Some(vec![255]));
        assert_eq!(bytes(u128::MAX, 128), Some([[0; 112].as_slice(), &[255; 16]].concat()));
        assert_eq!(Mki::new(0x0102, 128).unwrap().value(), 0x0102);
        assert_eq!((Mki::new(256, 1), Mki::new(1, 0), Mki::new(1, 129)), (None, None, None));
        assert_eq!(Mki::new(1 << 120, 15), None);
    }
}
