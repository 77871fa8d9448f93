//! STUN (RFC 8489) as far as connectivity checks need it (RFC 8445 §7.3): Binding requests read,
//! their integrity verified, answers written.

use std::net::{IpAddr, SocketAddr};

use ring::hmac;
use subtle::ConstantTimeEq;

const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];
const HEADER: usize = 20;
const BINDING_REQUEST: u16 = 0x0001;
const BINDING_SUCCESS: u16 = 0x0101;
const BINDING_ERROR: u16 = 0x0111;
const USERNAME: u16 = 0x0006;
const MESSAGE_INTEGRITY: u16 = 0x0008;
const ERROR_CODE: u16 = 0x0009;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const PRIORITY: u16 = 0x0024;
const USE_CANDIDATE: u16 = 0x0025;
const FINGERPRINT: u16 = 0x8028;
const ICE_CONTROLLED: u16 = 0x8029;
const ICE_CONTROLLING: u16 = 0x802a;
const FINGERPRINT_XOR: u32 = 0x5354_554e;
/// Bytes of HMAC-SHA1.
const INTEGRITY: usize = 20;
/// The longest request that is looked at: two user names of 256 characters, and the rest.
const MOST: usize = 800;

/// A Binding request, well formed; nothing of it is proven yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Request<'a> {
    bytes: &'a [u8],
    transaction: [u8; 12],
    /// Our fragment, as the far end writes it, and its own.
    pub(crate) fragments: (&'a [u8], &'a [u8]),
    /// Of the candidate pair, as the far end sees it.
    pub(crate) priority: u32,
    /// Whether it nominates the pair.
    pub(crate) nominates: bool,
    /// Whether the far end takes itself for the controlled one, as we do.
    pub(crate) controlled: bool,
    /// Where MESSAGE-INTEGRITY begins.
    integrity: usize,
}

impl<'a> Request<'a> {
    /// Reads one. `None` of anything else, also of a request without user name or integrity: it is
    /// not answered at all, so that nobody learns or amplifies anything.
    pub(crate) fn read(bytes: &'a [u8]) -> Option<Self> {
        let header = bytes.first_chunk::<HEADER>()?;
        let [k0, k1, l0, l1, c0, c1, c2, c3, transaction @ ..] = *header;
        let length = usize::from(u16::from_be_bytes([l0, l1]));
        let is_request = u16::from_be_bytes([k0, k1]) == BINDING_REQUEST;
        let is_whole = length % 4 == 0 && bytes.len() == HEADER + length && bytes.len() <= MOST;
        if !is_request || !is_whole || [c0, c1, c2, c3] != COOKIE {
            return None;
        }
        let mut request = Self {
            bytes,
            transaction,
            fragments: (&[], &[]),
            priority: 0,
            nominates: false,
            controlled: false,
            integrity: 0,
        };
        let (mut at, mut is_stun) = (HEADER, false);
        while at < bytes.len() {
            let (kind, value, next) = attribute(bytes, at)?;
            if request.integrity == 0 {
                request.take(kind, value, at)?;
            } else if kind == FINGERPRINT {
                is_stun = is_fingerprint(bytes.get(..at)?, value);
            }
            at = next;
        }
        // A check has a fingerprint (RFC 8445 §7.1.1); after it nothing counts.
        (request.integrity > 0 && is_stun).then_some(request)
    }

    /// What stands before the integrity counts; `None` ends the reading.
    fn take(&mut self, kind: u16, value: &'a [u8], at: usize) -> Option<()> {
        match kind {
            USERNAME => {
                let colon = value.iter().position(|byte| *byte == b':')?;
                self.fragments = (value.get(..colon)?, value.get(colon + 1..)?);
            }
            PRIORITY => self.priority = u32::from_be_bytes(*value.first_chunk()?),
            USE_CANDIDATE => self.nominates = true,
            ICE_CONTROLLED => self.controlled = true,
            MESSAGE_INTEGRITY if value.len() == INTEGRITY => self.integrity = at,
            // An attribute that must be understood, and is not.
            other if other < 0x8000 => return None,
            _ => {}
        }
        Some(())
    }

    /// Whether its writer knows our password.
    pub(crate) fn is_by(&self, password: &str) -> bool {
        let Some((_, told, _)) = attribute(self.bytes, self.integrity) else { return false };
        let before = self.bytes.get(..self.integrity).unwrap_or_default();
        let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes());
        // The length counts up to the integrity's end, whatever follows it.
        let mut header = [0; HEADER];
        header.copy_from_slice(before.get(..HEADER).unwrap_or(&[0; HEADER]));
        set_length(&mut header, self.integrity + 4 + INTEGRITY - HEADER);
        let mut mac = hmac::Context::with_key(&key);
        mac.update(&header);
        mac.update(before.get(HEADER..).unwrap_or_default());
        mac.sign().as_ref().ct_eq(told).into()
    }

    /// Appends the answer to one that came from there.
    pub(crate) fn write_success(&self, into: &mut Vec<u8>, from: SocketAddr, password: &str) {
        let start = begin(into, BINDING_SUCCESS, self.transaction);
        push_address(into, from, self.transaction);
        finish(into, start, password);
    }

    /// Appends 487: it is the far end that controls (RFC 8445 §7.3.1.1); we are lite.
    pub(crate) fn write_role_conflict(&self, into: &mut Vec<u8>, password: &str) {
        let start = begin(into, BINDING_ERROR, self.transaction);
        push(into, ERROR_CODE, &[0, 0, 4, 87]);
        finish(into, start, password);
    }
}

/// A check as a far end makes it; for virtual far ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Check<'a> {
    /// Tells its answer from others.
    pub transaction: [u8; 12],
    /// `<our fragment>:<theirs>`.
    pub username: &'a str,
    /// The key of its integrity.
    pub password: &'a str,
    /// Of the pair.
    pub priority: u32,
    /// USE-CANDIDATE.
    pub nominates: bool,
    /// ICE-CONTROLLING, as a browser towards a lite end; else ICE-CONTROLLED.
    pub controls: bool,
}

/// Appends a check.
pub fn write_check(into: &mut Vec<u8>, check: &Check<'_>) {
    let start = begin(into, BINDING_REQUEST, check.transaction);
    push(into, USERNAME, check.username.as_bytes());
    let role = if check.controls { ICE_CONTROLLING } else { ICE_CONTROLLED };
    push(into, role, &[7; 8]);
    if check.nominates {
        push(into, USE_CANDIDATE, &[]);
    }
    push(into, PRIORITY, &check.priority.to_be_bytes());
    finish(into, start, check.password);
}

/// Whether a datagram says that this check arrived.
#[must_use]
pub fn is_success_for(datagram: &[u8], transaction: [u8; 12]) -> bool {
    let kind = datagram.first_chunk().map(|kind| u16::from_be_bytes(*kind));
    kind == Some(BINDING_SUCCESS) && datagram.get(8..HEADER) == Some(&transaction[..])
}

/// The attribute there: kind, value, where the next one begins.
fn attribute(bytes: &[u8], at: usize) -> Option<(u16, &[u8], usize)> {
    let (head, rest) = bytes.get(at..)?.split_first_chunk::<4>()?;
    let [k0, k1, l0, l1] = *head;
    let length = usize::from(u16::from_be_bytes([l0, l1]));
    let next = at + 4 + length.next_multiple_of(4);
    let value = rest.get(..length).filter(|_| next <= bytes.len())?;
    Some((u16::from_be_bytes([k0, k1]), value, next))
}

/// Appends a header; where it begins.
fn begin(into: &mut Vec<u8>, kind: u16, transaction: [u8; 12]) -> usize {
    let start = into.len();
    into.extend_from_slice(&kind.to_be_bytes());
    into.extend_from_slice(&[0, 0]);
    into.extend_from_slice(&COOKIE);
    into.extend_from_slice(&transaction);
    start
}

fn push(into: &mut Vec<u8>, kind: u16, value: &[u8]) {
    into.extend_from_slice(&kind.to_be_bytes());
    into.extend_from_slice(&((value.len() & 0xffff) as u16).to_be_bytes());
    into.extend_from_slice(value);
    into.extend_from_slice([0; 3].get(..value.len().wrapping_neg() % 4).unwrap_or_default());
}

fn push_address(into: &mut Vec<u8>, from: SocketAddr, transaction: [u8; 12]) {
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
    push(into, XOR_MAPPED_ADDRESS, value.get(..20 - skipped).unwrap_or_default());
}

/// Appends integrity and fingerprint (RFC 8489 §14.5, §14.7).
fn finish(into: &mut Vec<u8>, start: usize, password: &str) {
    let key = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes());
    let written = into.len() - start - HEADER;
    set_length(into.get_mut(start..).unwrap_or_default(), written + 4 + INTEGRITY);
    let tag = hmac::sign(&key, into.get(start..).unwrap_or_default());
    push(into, MESSAGE_INTEGRITY, tag.as_ref());
    set_length(into.get_mut(start..).unwrap_or_default(), written + 4 + INTEGRITY + 8);
    let sum = crc32(into.get(start..).unwrap_or_default()) ^ FINGERPRINT_XOR;
    push(into, FINGERPRINT, &sum.to_be_bytes());
}

fn set_length(message: &mut [u8], length: usize) {
    let bytes = ((length & 0xffff) as u16).to_be_bytes();
    message.iter_mut().skip(2).zip(bytes).for_each(|(to, from)| *to = from);
}

fn is_fingerprint(before: &[u8], told: &[u8]) -> bool {
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
mod tests {
    use super::*;

    /// RFC 5769 §2.1.
    const SAMPLE: &str = "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c\
        69656e74002400046e0001ff80290008932ff9b151263b36000600096576746a3a68367659202020000800149a\
        eaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf";

    fn sample() -> Vec<u8> {
        let hex: Vec<u8> = SAMPLE.bytes().collect();
        let digit = |byte: u8| char::from(byte).to_digit(16).unwrap() as u8;
        hex.chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
    }

    #[test]
    fn the_sample_request_of_rfc_5769_is_read_and_its_password_is_known() {
        let bytes = sample();
        let request = Request::read(&bytes).unwrap();
        assert_eq!(request.fragments, (&b"evtj"[..], &b"h6vY"[..]));
        assert_eq!((request.priority, request.nominates), (0x6e00_01ff, false));
        assert!(request.controlled);
        assert!(request.is_by("VOkJxbRl1RmTxUk/WvJxBt"));
        assert!(!request.is_by("VOkJxbRl1RmTxUk/WvJxBu"));
    }

    #[test]
    fn whatever_bit_is_turned_the_request_is_nobodys() {
        let good = sample();
        for bit in 0..good.len() * 8 {
            let mut bytes = good.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let read = Request::read(&bytes);
            assert!(read.is_none_or(|read| !read.is_by("VOkJxbRl1RmTxUk/WvJxBt")), "{bit}");
        }
        for length in 0..good.len() {
            assert_eq!(Request::read(&good[..length]), None);
        }
    }

    #[test]
    fn the_sample_answers_of_rfc_5769_say_the_same_addresses() {
        let bytes = sample();
        let request = Request::read(&bytes).unwrap();
        let mut v4 = Vec::new();
        request.write_success(&mut v4, "192.0.2.1:32853".parse().unwrap(), "secret");
        assert!(
            v4.windows(12)
                .any(|at| at == [0, 0x20, 0, 8, 0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43])
        );
        let mut v6 = Vec::new();
        let from = "[2001:db8:1234:5678:11:2233:4455:6677]:32853".parse().unwrap();
        request.write_success(&mut v6, from, "secret");
        let masked = [0, 0x20, 0, 20, 0, 2, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1];
        assert!(v6.windows(masked.len()).any(|at| at == masked));
        assert!(is_success_for(&v4, request.transaction) && !is_success_for(&v4, [0; 12]));
        assert!(v6.len() < bytes.len(), "no longer than what was asked");
    }

    #[test]
    fn a_check_of_ours_is_read_as_it_was_written() {
        let mut bytes = Vec::new();
        let check = Check {
            transaction: [5; 12],
            username: "ours:theirs",
            password: "password",
            priority: 77,
            nominates: true,
            controls: true,
        };
        write_check(&mut bytes, &check);
        let request = Request::read(&bytes).unwrap();
        assert!(request.is_by("password") && request.nominates && !request.controlled);
        assert_eq!((request.fragments, request.priority), ((&b"ours"[..], &b"theirs"[..]), 77));
    }
}
