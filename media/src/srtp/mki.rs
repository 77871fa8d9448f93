//! The master key identifier that packets carry behind what is encrypted (RFC 3711 §3.1).

/// Bytes of the longest identifier that is taken. RFC 4568 §6.1 allows 128; those in use have one
/// to four.
pub const MAX_MKI: usize = 16;

/// A master key identifier: which of a far end's keys a packet was sealed with.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Mki {
    bytes: [u8; MAX_MKI],
    length: u8,
}

impl Mki {
    /// `value` in `length` bytes, the high one first. `None` when it does not fit, is none, or is
    /// longer than [`MAX_MKI`].
    #[must_use]
    pub fn new(value: u128, length: usize) -> Option<Self> {
        let all = value.to_be_bytes();
        let (before, own) = all.split_at(all.len().checked_sub(length)?);
        if length == 0 || before.iter().any(|byte| *byte != 0) {
            return None;
        }
        let mut bytes = [0; MAX_MKI];
        bytes.iter_mut().zip(own).for_each(|(to, from)| *to = *from);
        Some(Self { bytes, length: u8::try_from(length).ok()? })
    }

    /// As packets carry it.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..usize::from(self.length)).unwrap_or_default()
    }

    /// As a number, as SDP writes it.
    #[must_use]
    pub fn value(&self) -> u128 {
        self.as_bytes().iter().fold(0, |value, byte| value << 8 | u128::from(*byte))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_is_a_number_in_so_many_bytes() {
        let one = Mki::new(0x0102, 4).unwrap();
        assert_eq!((one.as_bytes(), one.value()), (&[0, 0, 1, 2][..], 0x0102));
        assert_eq!(Mki::new(u128::MAX, 16).unwrap().as_bytes(), [255; 16]);
        assert_eq!((Mki::new(256, 1), Mki::new(1, 0), Mki::new(1, 17)), (None, None, None));
    }
}
