//! Responses to checks of ours (RFC 8445 §7.2.5), read and verified.

use std::net::SocketAddr;

use super::stun::{
    BINDING_ERROR, BINDING_SUCCESS, ERROR_CODE, FINGERPRINT, HEADER, INTEGRITY, MESSAGE_INTEGRITY,
    Transaction, XOR_MAPPED_ADDRESS, attribute, header, is_by, is_fingerprint, mapped_address,
};

/// A response, well formed; nothing of it is proven yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Response<'a> {
    bytes: &'a [u8],
    pub(crate) transaction: Transaction,
    pub(crate) outcome: Outcome,
    /// Where MESSAGE-INTEGRITY begins.
    integrity: usize,
}

/// What it says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Outcome {
    /// The check arrived, from an address that looks so to the far end.
    Success(SocketAddr),
    /// It did not do.
    Error(u16),
}

/// Role Conflict.
pub(crate) const ROLE_CONFLICT: u16 = 487;

impl<'a> Response<'a> {
    /// Reads one. `None` of anything else, also of one that was damaged, and of one without
    /// integrity: whoever sees a check could have written it.
    pub(crate) fn read(bytes: &'a [u8]) -> Option<Self> {
        let (kind, transaction) = header(bytes)?;
        let (mut mapped, mut code, mut integrity, mut is_stun) = (None, None, 0, false);
        let mut at = HEADER;
        while at < bytes.len() {
            let (kind, value, next) = attribute(bytes, at)?;
            match (kind, value) {
                // Behind the integrity nothing else counts.
                _ if integrity > 0 => {
                    is_stun |= kind == FINGERPRINT && is_fingerprint(bytes.get(..at)?, value);
                }
                (XOR_MAPPED_ADDRESS, value) => mapped = mapped_address(value, transaction),
                (ERROR_CODE, [_, _, class, number, ..]) => {
                    code = Some(u16::from(class & 7) * 100 + u16::from(*number));
                }
                (MESSAGE_INTEGRITY, value) if value.len() == INTEGRITY => integrity = at,
                (OPTIONAL.., _) | (0x0001..=0x0020, _) => {}
                // An attribute that must be understood, and is not.
                _ => return None,
            }
            at = next;
        }
        let outcome = match kind {
            BINDING_SUCCESS => Outcome::Success(mapped?),
            BINDING_ERROR => Outcome::Error(code?),
            _ => return None,
        };
        // As a check has a fingerprint, so has what answers it (RFC 8489 §7.3).
        (integrity > 0 && is_stun).then_some(Self { bytes, transaction, outcome, integrity })
    }

    /// Whether its writer knows the password that the check was made with.
    pub(crate) fn is_by(&self, password: &str) -> bool {
        is_by(self.bytes, self.integrity, password)
    }
}

/// From here on attributes need not be understood (RFC 8489 §14).
const OPTIONAL: u16 = 0x8000;

/// Whether a datagram says that this check arrived.
#[must_use]
pub fn is_success_for(datagram: &[u8], transaction: [u8; 12]) -> bool {
    let kind = datagram.first_chunk().map(|kind| u16::from_be_bytes(*kind));
    kind == Some(BINDING_SUCCESS) && datagram.get(8..HEADER) == Some(&transaction[..])
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::ice::stun::tests::bytes;

    /// RFC 5769 §2.2 and §2.3.
    const SAMPLES: [(&str, &str); 2] = [
        (
            "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000080001a1\
             47e112a643000800142b91f599fd9e90c38c7489f92af9ba53f06be7d780280004c07d4c96",
            "192.0.2.1:32853",
        ),
        (
            "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220002000140002a1\
             470113a9faa5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf11784c97c8292c275bfe3ed418028\
             0004c8fb0b4c",
            "[2001:db8:1234:5678:11:2233:4455:6677]:32853",
        ),
    ];

    #[test]
    fn the_sample_responses_of_rfc_5769_are_read_and_their_password_is_known() {
        for (hex, mapped) in SAMPLES {
            let bytes = bytes(hex);
            let response = Response::read(&bytes).unwrap();
            assert_eq!(response.outcome, Outcome::Success(mapped.parse().unwrap()));
            assert!(response.is_by("VOkJxbRl1RmTxUk/WvJxBt") && !response.is_by("another"));
        }
    }

    #[test]
    fn whatever_bit_is_turned_the_response_is_nobodys() {
        let good = bytes(SAMPLES[0].0);
        for bit in 0..good.len() * 8 {
            let mut bytes = good.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let read = Response::read(&bytes);
            assert!(read.is_none_or(|read| !read.is_by("VOkJxbRl1RmTxUk/WvJxBt")), "{bit}");
        }
        for length in 0..good.len() {
            assert_eq!(Response::read(&good[..length]), None);
        }
    }
}
