//! As much DER (X.690) as certificates need: the public key of a peer's (RFC 5280 §4.1), and the
//! pieces of which ours is made.

/// The key of a certificate, if it is of a kind that we verify.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum PublicKey<'a> {
    /// A point on a curve, uncompressed.
    Ec(Curve, &'a [u8]),
    /// `RSAPublicKey` (RFC 8017 §A.1.1).
    Rsa(&'a [u8]),
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Curve {
    P256,
    P384,
}

pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OBJECT_ID: u8 = 0x06;
pub(super) const UTF8_STRING: u8 = 0x0c;
pub(super) const GENERALIZED_TIME: u8 = 0x18;
/// The version of a certificate, tagged `[0]`.
pub(super) const VERSION: u8 = 0xa0;

/// `rsaEncryption` (RFC 3279 §2.3.1).
const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// `id-ecPublicKey`, `secp256r1`, `secp384r1` (RFC 5480 §2.1.1), `ecdsa-with-SHA256` (RFC 5758
/// §3.2), `id-at-commonName`.
pub(super) const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
pub(super) const SECP256R1: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const SECP384R1: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
pub(super) const ECDSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
pub(super) const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];

/// A certificate's key; none of one that is no certificate, or has a key of another kind.
pub(super) fn public_key(certificate: &[u8]) -> Option<PublicKey<'_>> {
    let (certificate, _) = element(certificate, SEQUENCE)?;
    let (mut rest, _) = element(certificate, SEQUENCE)?;
    if let Some((_, behind)) = element(rest, VERSION) {
        rest = behind;
    }
    // Serial number, algorithm, issuer, validity, subject.
    for tag in [INTEGER, SEQUENCE, SEQUENCE, SEQUENCE, SEQUENCE] {
        (_, rest) = element(rest, tag)?;
    }
    let (key, _) = element(rest, SEQUENCE)?;
    let (algorithm, rest) = element(key, SEQUENCE)?;
    let (kind, parameters) = element(algorithm, OBJECT_ID)?;
    let (bits, _) = element(rest, BIT_STRING)?;
    // The first byte counts the bits that are missing from the last one.
    let key = bits.strip_prefix(&[0])?;
    match kind {
        RSA_ENCRYPTION => Some(PublicKey::Rsa(key)),
        EC_PUBLIC_KEY => match element(parameters, OBJECT_ID)? {
            (SECP256R1, _) => Some(PublicKey::Ec(Curve::P256, key)),
            (SECP384R1, _) => Some(PublicKey::Ec(Curve::P384, key)),
            _ => None,
        },
        _ => None,
    }
}

/// The content of the element that the bytes begin with, if it has that tag; and what is behind.
fn element(bytes: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (first, rest) = bytes.split_first()?;
    let (short, rest) = rest.split_first()?;
    let (length, rest) = match short {
        0..=0x7f => (usize::from(*short), rest),
        0x81 => {
            let (length, rest) = rest.split_first()?;
            (usize::from(*length), rest)
        }
        0x82 => {
            let (length, rest) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*length)), rest)
        }
        // No certificate of a peer is so long.
        _ => return None,
    };
    (*first == tag).then(|| rest.split_at_checked(length)).flatten()
}

/// An element of that tag, made of parts. It is shorter than 64 kB.
pub(super) fn build(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let mut bytes = vec![tag];
    match u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes() {
        [0, short @ 0..=0x7f] => bytes.push(short),
        [0, long] => bytes.extend([0x81, long]),
        [high, low] => bytes.extend([0x82, high, low]),
    }
    parts.iter().for_each(|part| bytes.extend_from_slice(part));
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_are_read_as_they_were_built_and_nothing_else_is() {
        for length in [0, 1, 127, 128, 255, 256, 5000] {
            let content = vec![7; length];
            let mut bytes = build(SEQUENCE, &[&content]);
            bytes.push(9);
            assert_eq!(element(&bytes, SEQUENCE), Some((&content[..], &[9][..])));
            assert_eq!(element(&bytes, SET), None);
            assert_eq!(element(&bytes[..bytes.len() - 2], SEQUENCE), None, "{length}");
        }
        assert_eq!(element(&[SEQUENCE, 0x83, 0, 0, 0], SEQUENCE), None);
        assert_eq!(public_key(&[]), None);
    }
}
