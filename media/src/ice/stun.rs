//! STUN (RFC 8489) as far as connectivity checks need it: the header, attributes, integrity and
//! fingerprint that requests (`request.rs`) and responses (`response.rs`) have in common.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ring::hmac;
use subtle::ConstantTimeEq;

const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
pub(super) const HEADER: usize = 20;
pub(super) const BINDING_REQUEST: u16 = 0x0001;
pub(super) const BINDING_SUCCESS: u16 = 0x0101;
pub(super) const BINDING_ERROR: u16 = 0x0111;
pub(super) const USERNAME: u16 = 0x0006;
pub(super) const MESSAGE_INTEGRITY: u16 = 0x0008;
pub(super) const ERROR_CODE: u16 = 0x0009;
pub(super) const UNKNOWN_ATTRIBUTES: u16 = 0x000a;
pub(super) const XOR_MAPPED_ADDRESS: u16 = 0x0020;
pub(super) const PRIORITY: u16 = 0x0024;
pub(super) const USE_CANDIDATE: u16 = 0x0025;
pub(super) const FINGERPRINT: u16 = 0x8028;
pub(super) const ICE_CONTROLLED: u16 = 0x8029;
pub(super) const ICE_CONTROLLING: u16 = 0x802a;
const FINGERPRINT_XOR: u32 = 0x5354_554e;
/// Bytes of HMAC-SHA1.
pub(super) const INTEGRITY: usize = 20;
/// The longest message that is looked at: two user names of 256 characters, and the rest.
const MOST: usize = 800;

/// What tells a request's answer from others.
pub(crate) type Transaction = [u8; 12];

/// The header of a message of these lengths: its kind and its transaction.
pub(super) fn header(bytes: &[u8]) -> Option<(u16, Transaction)> {
    let header = bytes.first_chunk::<HEADER>()?;
    let [k0, k1, l0, l1, c0, c1, c2, c3, transaction @ ..] = *header;
    let length = usize::from(u16::from_be_bytes([l0, l1]));
    let is_whole = length % 4 == 0 && bytes.len() == HEADER + length && bytes.len() <= MOST;
    let is_stun = is_whole && [c0, c1, c2, c3] == COOKIE;
    is_stun.then_some((u16::from_be_bytes([k0, k1]), transaction))
}

/// The transaction of a response, of which nothing else is looked at.
pub(super) fn transaction_of(bytes: &[u8]) -> Option<Transaction> {
    let (kind, transaction) = header(bytes)?;
    matches!(kind, BINDING_SUCCESS | BINDING_ERROR).then_some(transaction)
}

/// Whether the integrity that begins there was made with this password.
pub(super) fn is_by(bytes: &[u8], integrity: usize, password: &str) -> bool {
    let Some((_, told, _)) = attribute(bytes, integrity) else { return false };
    let before = bytes.get(..integrity).unwrap_or_default();
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes());
    // The length counts up to the integrity's end, whatever follows it.
    let mut header = [0; HEADER];
    header.copy_from_slice(before.get(..HEADER).unwrap_or(&[0; HEADER]));
    set_length(&mut header, integrity + 4 + INTEGRITY - HEADER);
    let mut mac = hmac::Context::with_key(&key);
    mac.update(&header);
    mac.update(before.get(HEADER..).unwrap_or_default());
    mac.sign().as_ref().ct_eq(told).into()
}

/// The attribute there: kind, value, where the next one begins.
pub(super) fn attribute(bytes: &[u8], at: usize) -> Option<(u16, &[u8], usize)> {
    let (head, rest) = bytes.get(at..)?.split_first_chunk::<4>()?;
    let [k0, k1, l0, l1] = *head;
    let length = usize::from(u16::from_be_bytes([l0, l1]));
    let next = at + 4 + length.next_multiple_of(4);
    let value = rest.get(..length).filter(|_| next <= bytes.len())?;
    Some((u16::from_be_bytes([k0, k1]), value, next))
}

/// Appends a header; where it begins.
pub(super) fn begin(into: &mut Vec<u8>, kind: u16, transaction: Transaction) -> usize {
    let start = into.len();
    into.extend_from_slice(&kind.to_be_bytes());
    into.extend_from_slice(&[0, 0]);
    into.extend_from_slice(&COOKIE);
    into.extend_from_slice(&transaction);
    start
}

/// Appends an attribute whose value is these parts.
pub(super) fn push(into: &mut Vec<u8>, kind: u16, value: &[&[u8]]) {
    let length: usize = value.iter().map(|part| part.len()).sum();
    into.extend_from_slice(&kind.to_be_bytes());
    into.extend_from_slice(&((length & 0xffff) as u16).to_be_bytes());
    value.iter().for_each(|part| into.extend_from_slice(part));
    into.extend_from_slice([0; 3].get(..length.wrapping_neg() % 4).unwrap_or_default());
}

/// Appends an address, masked (RFC 8489 §14.2).
pub(super) fn push_address(
    into: &mut Vec<u8>,
    kind: u16,
    from: SocketAddr,
    transaction: Transaction,
) {
    let [c0, c1, ..] = COOKIE;
    let [p0, p1] = from.port().to_be_bytes();
    let mut value = [0; 20];
    let mut mask = COOKIE.into_iter().chain(transaction);
    let (family, address) = match from.ip() {
        IpAddr::V4(ip) => (1, ip.to_ipv6_mapped().octets()),
        IpAddr::V6(ip) => (2, ip.octets()),
    };
    let skipped = if family == 1 { 12 } else { 0 };
    let head = [0, family, p0 ^ c0, p1 ^ c1];
    let address = address.into_iter().skip(skipped);
    let masked = address.map(|byte| byte ^ mask.next().unwrap_or_default());
    value.iter_mut().zip(head.into_iter().chain(masked)).for_each(|(to, from)| *to = from);
    push(into, kind, &[value.get(..20 - skipped).unwrap_or_default()]);
}

/// Appends integrity and fingerprint (RFC 8489 §14.5, §14.7).
pub(super) fn finish(into: &mut Vec<u8>, start: usize, password: &str) {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes());
    let written = into.len() - start - HEADER;
    set_length(into.get_mut(start..).unwrap_or_default(), written + 4 + INTEGRITY);
    let tag = hmac::sign(&key, into.get(start..).unwrap_or_default());
    push(into, MESSAGE_INTEGRITY, &[tag.as_ref()]);
    set_length(into.get_mut(start..).unwrap_or_default(), written + 4 + INTEGRITY + 8);
    let sum = crc32(into.get(start..).unwrap_or_default()) ^ FINGERPRINT_XOR;
    push(into, FINGERPRINT, &[&sum.to_be_bytes()]);
}

/// The address that an XOR-MAPPED-ADDRESS says (RFC 8489 §14.2).
pub(super) fn mapped_address(value: &[u8], transaction: Transaction) -> Option<SocketAddr> {
    let ([_, family, p0, p1], address) = value.split_first_chunk::<4>()?;
    let [c0, c1, ..] = COOKIE;
    let port = u16::from_be_bytes([p0 ^ c0, p1 ^ c1]);
    let mut mask = COOKIE.into_iter().chain(transaction);
    let ip = match family {
        1 => {
            let octets: [u8; 4] = address.try_into().ok()?;
            let octets = octets.map(|byte| byte ^ mask.next().unwrap_or_default());
            IpAddr::V4(Ipv4Addr::from(octets))
        }
        2 => {
            let octets: [u8; 16] = address.try_into().ok()?;
            let octets = octets.map(|byte| byte ^ mask.next().unwrap_or_default());
            IpAddr::V6(Ipv6Addr::from(octets))
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

fn set_length(message: &mut [u8], length: usize) {
    let bytes = ((length & 0xffff) as u16).to_be_bytes();
    message.iter_mut().skip(2).zip(bytes).for_each(|(to, from)| *to = from);
}

pub(super) fn is_fingerprint(before: &[u8], told: &[u8]) -> bool {
    told == (crc32(before) ^ FINGERPRINT_XOR).to_be_bytes()
}

/// CRC-32 of ITU-T V.42.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |sum: u32, byte: &u8| {
        (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
            if sum & 1 == 1 { (sum >> 1) ^ 0xedb8_8320 } else { sum >> 1 }
        })
    };
    !bytes.iter().fold(!0, step)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
pub(super) mod tests {
    /// What hexadecimal digits say.
    pub(in crate::ice) fn bytes(hex: &str) -> Vec<u8> {
        let hex: Vec<u8> = hex.bytes().collect();
        let digit = |byte: u8| char::from(byte).to_digit(16).unwrap() as u8;
        hex.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
    }
}
