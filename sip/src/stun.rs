//! STUN keep-alives on the SIP port (RFC 5626 §4.4.2, §8; the messages are RFC 5389's and 8489's):
//! a phone behind NAT asks from which address we see it, and we ask registrars the same.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use bytes::Bytes;

const COOKIE: u32 = 0x2112_a442;
const HEADER: usize = 20;
const BINDING_REQUEST: u16 = 0x0001;
const BINDING_SUCCESS: u16 = 0x0101;
const BINDING_ERROR: u16 = 0x0111;
const ERROR_CODE: u16 = 0x0009;
const UNKNOWN_ATTRIBUTES: u16 = 0x000a;
const XOR_MAPPED_ADDRESS: u16 = 0x0020;
const FINGERPRINT: u16 = 0x8028;
const FINGERPRINT_XOR: u32 = 0x5354_554e;
/// Below this an attribute that is not understood makes the request fail.
const OPTIONAL_FROM: u16 = 0x8000;
/// Longer requests than any keep-alive are not worth an answer.
const MOST: usize = 128;
/// Longer answers than any to a keep-alive: no server has so much to say about itself.
const MOST_ANSWER: usize = 548;

/// Whether a datagram is STUN and not SIP: its first two bits are zero, which no SIP message's
/// are, and the cookie is there (RFC 5626 §8).
#[must_use]
pub fn is_stun(datagram: &[u8]) -> bool {
    let cookie = datagram.get(4..8).and_then(|bytes| bytes.first_chunk().copied());
    datagram.len() >= HEADER
        && datagram[0] & 0xc0 == 0
        && cookie.map(u32::from_be_bytes) == Some(COOKIE)
}

/// The answer to a Binding request from there; none to anything else, which is then dropped.
///
/// At most 2.2 times as long as the request, to where it came from: of no use to anyone who
/// forges addresses. No credentials are asked for (RFC 5626 §8).
#[must_use]
pub fn answer(datagram: &[u8], source: SocketAddr) -> Option<Bytes> {
    if !is_stun(datagram) || datagram.len() > MOST || word(datagram, 0)? != BINDING_REQUEST {
        return None;
    }
    let attributes = datagram.get(HEADER..)?;
    if usize::from(word(datagram, 2)?) != attributes.len() || attributes.len() % 4 != 0 {
        return None;
    }
    let transaction: Transaction = datagram.get(8..HEADER)?.try_into().ok()?;
    let read = read(attributes)?;
    if let Some(at) = read.fingerprint
        && !is_fingerprint(&datagram[..HEADER + at + 8])
    {
        return None;
    }
    let mut answer = Vec::with_capacity(64);
    let kind = if read.unknown.is_empty() { BINDING_SUCCESS } else { BINDING_ERROR };
    push(&mut answer, &[kind, 0]);
    answer.extend_from_slice(&COOKIE.to_be_bytes());
    answer.extend_from_slice(&transaction);
    if read.unknown.is_empty() {
        push_address(&mut answer, source, transaction);
    } else {
        push(&mut answer, &[ERROR_CODE, 4, 0, 0x0414]); // 4 * 100 + 20
        let length = u16::try_from(2 * read.unknown.len()).ok()?;
        push(&mut answer, &[UNKNOWN_ATTRIBUTES, length]);
        push(&mut answer, &read.unknown);
        answer.resize(answer.len().next_multiple_of(4), 0);
    }
    if read.fingerprint.is_some() {
        set_length(&mut answer, 8);
        let sum = crc32(&answer) ^ FINGERPRINT_XOR;
        push(&mut answer, &[FINGERPRINT, 4]);
        answer.extend_from_slice(&sum.to_be_bytes());
    } else {
        set_length(&mut answer, 0);
    }
    Some(answer.into())
}

/// What tells one Binding request from another, 96 random bits (RFC 5389 §6).
pub type Transaction = [u8; 12];

/// The answer to a Binding request of ours.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Answer {
    /// Of which request.
    pub transaction: Transaction,
    /// The address that the far end sees us at; none if it refused, or sent none that we can read.
    pub mapped: Option<SocketAddr>,
}

/// A Binding request of ours: without attributes, as keep-alives are (RFC 5626 §8).
#[must_use]
pub fn request(transaction: Transaction) -> Bytes {
    let mut request = Vec::with_capacity(HEADER);
    push(&mut request, &[BINDING_REQUEST, 0]);
    request.extend_from_slice(&COOKIE.to_be_bytes());
    request.extend_from_slice(&transaction);
    request.into()
}

/// Reads the answer to a Binding request; none if it is anything else, or lies about its length.
#[must_use]
pub fn read_answer(datagram: &[u8]) -> Option<Answer> {
    let kind = word(datagram, 0)?;
    let is_answer = matches!(kind, BINDING_SUCCESS | BINDING_ERROR);
    if !is_stun(datagram) || !is_answer || datagram.len() > MOST_ANSWER {
        return None;
    }
    let attributes = datagram.get(HEADER..)?;
    if usize::from(word(datagram, 2)?) != attributes.len() {
        return None;
    }
    let transaction: Transaction = datagram.get(8..HEADER)?.try_into().ok()?;
    let mapped = (kind == BINDING_SUCCESS).then(|| read_mapped(attributes, transaction)).flatten();
    Some(Answer { transaction, mapped })
}

/// XOR-MAPPED-ADDRESS among the attributes.
fn read_mapped(attributes: &[u8], transaction: Transaction) -> Option<SocketAddr> {
    let mut at = 0;
    loop {
        let (kind, length) = (word(attributes, at)?, usize::from(word(attributes, at + 2)?));
        let value = attributes.get(at + 4..at + 4 + length)?;
        if kind == XOR_MAPPED_ADDRESS {
            return unmask(value, transaction);
        }
        at += 4 + length.next_multiple_of(4);
    }
}

fn unmask(value: &[u8], transaction: Transaction) -> Option<SocketAddr> {
    let port = word(value, 2)? ^ 0x2112;
    let mask = mask(transaction);
    let ip = match (value.get(1)?, value.get(4..)?) {
        (1, octets) => {
            let masked: [u8; 4] = octets.try_into().ok()?;
            IpAddr::from(std::array::from_fn::<u8, 4, _>(|at| masked[at] ^ mask[at]))
        }
        (2, octets) => {
            let masked: [u8; 16] = octets.try_into().ok()?;
            let octets: [u8; 16] = std::array::from_fn(|at| masked[at] ^ mask[at]);
            IpAddr::from(Ipv6Addr::from(octets))
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, port))
}

#[derive(Default)]
struct Read {
    /// Attributes that must be understood and are not.
    unknown: Vec<u16>,
    /// Where FINGERPRINT is; it is the last one.
    fingerprint: Option<usize>,
}

/// Walks the attributes; none if they do not fit.
fn read(attributes: &[u8]) -> Option<Read> {
    let mut read = Read::default();
    let mut at = 0;
    while at < attributes.len() {
        let (kind, length) = (word(attributes, at)?, usize::from(word(attributes, at + 2)?));
        let end = at + 4 + length.next_multiple_of(4);
        if end > attributes.len() || read.fingerprint.is_some() {
            return None;
        }
        if kind == FINGERPRINT {
            if length != 4 {
                return None;
            }
            read.fingerprint = Some(at);
        } else if kind < OPTIONAL_FROM && read.unknown.len() < 4 {
            read.unknown.push(kind);
        }
        at = end;
    }
    Some(read)
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.first_chunk().copied().map(u16::from_be_bytes)
}

fn push(out: &mut Vec<u8>, words: &[u16]) {
    words.iter().for_each(|word| out.extend_from_slice(&word.to_be_bytes()));
}

fn set_length(message: &mut [u8], more: usize) {
    let length = u16::try_from(message.len() - HEADER + more).unwrap_or(0);
    message[2..4].copy_from_slice(&length.to_be_bytes());
}

/// XOR-MAPPED-ADDRESS (RFC 5389 §15.2): turned around so that no NAT rewrites it.
fn push_address(out: &mut Vec<u8>, source: SocketAddr, transaction: Transaction) {
    let mask = mask(transaction);
    let port = source.port() ^ 0x2112;
    let masked = |octets: &[u8], out: &mut Vec<u8>| {
        out.extend(octets.iter().zip(mask).map(|(octet, mask)| octet ^ mask));
    };
    match source.ip().to_canonical() {
        IpAddr::V4(v4) => {
            push(out, &[XOR_MAPPED_ADDRESS, 8, 1, port]);
            masked(&v4.octets(), out);
        }
        IpAddr::V6(v6) => {
            push(out, &[XOR_MAPPED_ADDRESS, 20, 2, port]);
            masked(&v6.octets(), out);
        }
    }
}

fn mask(transaction: Transaction) -> [u8; 16] {
    let mut mask = [0; 16];
    mask[..4].copy_from_slice(&COOKIE.to_be_bytes());
    mask[4..].copy_from_slice(&transaction);
    mask
}

/// Whether a message's last eight bytes are the right FINGERPRINT of those before.
fn is_fingerprint(message: &[u8]) -> bool {
    let Some((before, last)) = message.split_last_chunk::<4>() else { return false };
    let Some(summed) = before.len().checked_sub(4).map(|end| &before[..end]) else { return false };
    u32::from_be_bytes(*last) == crc32(summed) ^ FINGERPRINT_XOR
}

/// CRC-32 of ITU V.42, bit by bit: keep-alives are short and few.
fn crc32(bytes: &[u8]) -> u32 {
    let sum = bytes.iter().fold(!0_u32, |sum, &byte| {
        (0..8).fold(sum ^ u32::from(byte), |sum, _| {
            (sum >> 1) ^ if sum & 1 == 1 { 0xedb8_8320 } else { 0 }
        })
    });
    !sum
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by it")]

    use super::*;

    /// RFC 5769 §2.2's transaction.
    const TRANSACTION: Transaction =
        [0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae];

    fn request_with(attributes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        push(&mut out, &[BINDING_REQUEST, u16::try_from(attributes.len()).unwrap()]);
        out.extend_from_slice(&COOKIE.to_be_bytes());
        out.extend_from_slice(&TRANSACTION);
        out.extend_from_slice(attributes);
        out
    }

    #[test]
    fn a_binding_request_is_answered_with_the_address_it_came_from() {
        let answered = answer(&request_with(&[]), "192.0.2.1:32853".parse().unwrap()).unwrap();
        // The value that RFC 5769 §2.2 has for this address and transaction.
        let mapped = [0x00, 0x20, 0, 8, 0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43];
        assert_eq!(answered[..4], [1, 1, 0, 12]);
        assert_eq!(answered[4..20], request_with(&[])[4..20]);
        assert_eq!(answered[20..], mapped);
    }

    #[test]
    fn an_ipv6_source_reads_as_in_rfc_5769() {
        let source = "[2001:db8:1234:5678:11:2233:4455:6677]:32853".parse().unwrap();
        let answered = answer(&request_with(&[]), source).unwrap();
        let mapped = [
            0x00, 0x20, 0x00, 0x14, 0x00, 0x02, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3,
            0xf1, 0x79, 0xbc, 0x25, 0xf4, 0xb5, 0xbe, 0xd2, 0xb9, 0xd9,
        ];
        assert_eq!(answered[20..], mapped);
    }

    #[test]
    fn a_fingerprint_is_checked_and_answered_with_one() {
        let mut asked = request_with(&[0x80, 0x28, 0, 4, 0, 0, 0, 0]);
        let sum = crc32(&asked[..20]) ^ FINGERPRINT_XOR;
        asked[24..].copy_from_slice(&sum.to_be_bytes());
        let answered = answer(&asked, "192.0.2.1:5060".parse().unwrap()).unwrap();
        assert!(is_fingerprint(&answered));
        assert_eq!(answered.len(), 40);
        asked[27] ^= 1;
        assert_eq!(answer(&asked, "192.0.2.1:5060".parse().unwrap()), None);
        assert_eq!(crc32(b"123456789"), 0xcbf4_3926, "the check value of CRC-32");
    }

    #[test]
    fn an_attribute_that_must_be_understood_and_is_not_gets_420() {
        let answered = answer(&request_with(&[0, 3, 0, 4, 0, 0, 0, 6]), "[::1]:1".parse().unwrap());
        let answered = answered.unwrap();
        assert_eq!(answered[..4], [1, 0x11, 0, 16]);
        assert_eq!(answered[20..], [0, 9, 0, 4, 0, 0, 4, 20, 0, 0x0a, 0, 2, 0, 3, 0, 0]);
        let optional = request_with(&[0x80, 0x22, 0, 1, b'x', 0, 0, 0]);
        assert_eq!(answer(&optional, "192.0.2.1:1".parse().unwrap()).unwrap()[..2], [1, 1]);
    }

    #[test]
    fn the_answer_to_a_request_of_ours_tells_where_we_are_seen() {
        assert_eq!(request(TRANSACTION), request_with(&[]));
        for seen in ["192.0.2.1:32853", "[2001:db8:1234:5678:11:2233:4455:6677]:32853"] {
            let seen = seen.parse().unwrap();
            let answered = answer(&request(TRANSACTION), seen).unwrap();
            let read = read_answer(&answered).unwrap();
            assert_eq!(read, Answer { transaction: TRANSACTION, mapped: Some(seen) });
            assert_eq!(read_answer(&answered[..answered.len() - 1]), None, "cut");
        }
        let refused = answer(&request_with(&[0, 3, 0, 4, 0, 0, 0, 6]), "[::1]:1".parse().unwrap());
        let read = read_answer(&refused.unwrap()).unwrap();
        assert_eq!(read, Answer { transaction: TRANSACTION, mapped: None });
        assert_eq!(read_answer(&request(TRANSACTION)), None, "a request");
        let mut silent = answer(&request(TRANSACTION), "192.0.2.1:1".parse().unwrap()).unwrap();
        silent = [&silent[..20], &[0x80, 0x22], &silent[22..]].concat().into();
        assert_eq!(read_answer(&silent).unwrap().mapped, None, "says something else");
    }

    #[test]
    fn what_is_no_binding_request_gets_nothing() {
        let source = "192.0.2.1:5060".parse().unwrap();
        let good = request_with(&[]);
        let changed = |at: usize, byte: u8| {
            let mut bytes = good.clone();
            bytes[at] = byte;
            bytes
        };
        for bytes in [
            changed(0, 1),                           // another class
            changed(1, 2),                           // another method
            changed(3, 4),                           // a length that lies
            changed(4, 0),                           // no cookie
            good[..19].to_vec(),                     // cut
            request_with(&[0; 120]),                 // too long
            request_with(&[0, 6, 0, 9, 0, 0, 0, 0]), // an attribute beyond the end
            b"OPTIONS sip:a SIP/2.0\r\n".to_vec(),
            Vec::new(),
        ] {
            assert_eq!(answer(&bytes, source), None, "{bytes:?}");
        }
        assert!(!is_stun(b"OPTIONS sip:a@b SIP/2.0\r\n\r\n"));
        assert!(is_stun(&good));
    }
}
