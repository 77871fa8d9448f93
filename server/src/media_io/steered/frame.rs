//! The headers of a datagram that leaves by a raw socket: IPv4 (RFC 791), IPv6 (RFC 8200), UDP
//! (RFC 768).

use std::net::{SocketAddrV4, SocketAddrV6};

const UDP: u8 = 17;
const UDP_HEADER: usize = 8;
/// A header of IPv4 without options, and UDP's.
pub(super) const HEADERS_V4: usize = 20 + UDP_HEADER;
/// The fixed header of IPv6, and UDP's.
pub(super) const HEADERS_V6: usize = 40 + UDP_HEADER;
/// IPv4's flag that forbids routers to cut a packet up, as sockets set it.
const DONT_FRAGMENT: u16 = 1 << 14;

/// What all packets of a socket have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Marks {
    /// The byte that IP carries (RFC 2474 §3).
    pub(super) traffic_class: u8,
    /// The time to live, or IPv6's hop limit.
    pub(super) hops: u8,
}

/// Appends a whole IPv4 packet. The kernel fills in the header's checksum (raw(7)).
/// False, and nothing appended, when the payload is longer than any datagram.
pub(super) fn write_v4(
    into: &mut Vec<u8>,
    (from, to): (SocketAddrV4, SocketAddrV4),
    marks: Marks,
    number: u16,
    payload: &[u8],
) -> bool {
    let Ok(total) = u16::try_from(HEADERS_V4 + payload.len()) else { return false };
    let udp_length = total - 20;
    let mut header = [0; HEADERS_V4];
    header[0] = 0x45;
    header[1] = marks.traffic_class;
    header[2..4].copy_from_slice(&total.to_be_bytes());
    header[4..6].copy_from_slice(&number.to_be_bytes());
    header[6..8].copy_from_slice(&DONT_FRAGMENT.to_be_bytes());
    header[8] = marks.hops;
    header[9] = UDP;
    header[12..16].copy_from_slice(&from.ip().octets());
    header[16..20].copy_from_slice(&to.ip().octets());
    header[20..22].copy_from_slice(&from.port().to_be_bytes());
    header[22..24].copy_from_slice(&to.port().to_be_bytes());
    header[24..26].copy_from_slice(&udp_length.to_be_bytes());
    let addresses_and_ports = sum(&header[12..26]);
    let checksum = checksum(addresses_and_ports, udp_length, payload);
    header[26..28].copy_from_slice(&checksum);
    into.extend_from_slice(&header);
    into.extend_from_slice(payload);
    true
}

/// Appends a whole IPv6 packet, as [`write_v4`] does.
pub(super) fn write_v6(
    into: &mut Vec<u8>,
    (from, to): (SocketAddrV6, SocketAddrV6),
    marks: Marks,
    payload: &[u8],
) -> bool {
    let Ok(udp_length) = u16::try_from(UDP_HEADER + payload.len()) else { return false };
    let mut header = [0; HEADERS_V6];
    header[..4]
        .copy_from_slice(&(0x6000_0000 | u32::from(marks.traffic_class) << 20).to_be_bytes());
    header[4..6].copy_from_slice(&udp_length.to_be_bytes());
    header[6] = UDP;
    header[7] = marks.hops;
    header[8..24].copy_from_slice(&from.ip().octets());
    header[24..40].copy_from_slice(&to.ip().octets());
    header[40..42].copy_from_slice(&from.port().to_be_bytes());
    header[42..44].copy_from_slice(&to.port().to_be_bytes());
    header[44..46].copy_from_slice(&udp_length.to_be_bytes());
    let checksum = checksum(sum(&header[8..46]), udp_length, payload);
    header[46..48].copy_from_slice(&checksum);
    into.extend_from_slice(&header);
    into.extend_from_slice(payload);
    true
}

/// UDP's checksum over the pseudo header too (RFC 768, RFC 8200 §8.1); `known` is the sum of the
/// addresses and of UDP's header.
fn checksum(known: u64, udp_length: u16, payload: &[u8]) -> [u8; 2] {
    let pseudo = u16::from(UDP).to_be();
    let total = known + u64::from(pseudo) + u64::from(udp_length.to_be()) + sum(payload);
    match !fold(total) {
        // Nought would say that there is none.
        0 => [0xff, 0xff],
        checksum => checksum.to_ne_bytes(),
    }
}

/// The sum of 16-bit words in this machine's order: it comes out right in either (RFC 1071 §2).
fn sum(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<4>();
    let words: u64 = words.iter().map(|word| u64::from(u32::from_ne_bytes(*word))).sum();
    let mut last = [0; 4];
    for (into, byte) in last.iter_mut().zip(rest) {
        *into = *byte;
    }
    words + u64::from(u32::from_ne_bytes(last))
}

fn fold(sum: u64) -> u16 {
    let sum = (sum & 0xffff_ffff) + (sum >> 32);
    let sum = (sum & 0xffff_ffff) + (sum >> 32);
    let sum = (sum & 0xffff) + (sum >> 16);
    let sum = (sum & 0xffff) + (sum >> 16);
    u16::try_from(sum & 0xffff).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MARKS: Marks = Marks { traffic_class: 46 << 2, hops: 64 };

    /// Word by word, as RFC 1071 defines it.
    fn plain_sum(bytes: &[u8]) -> u16 {
        let mut sum = 0_u32;
        for pair in bytes.chunks(2) {
            sum += u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0));
            sum = (sum & 0xffff) + (sum >> 16);
        }
        sum as u16
    }

    fn addresses_v4() -> (SocketAddrV4, SocketAddrV4) {
        ("192.0.2.1:20000".parse().unwrap(), "198.51.100.255:65535".parse().unwrap())
    }

    #[test]
    fn with_its_pseudo_header_every_datagram_adds_up_to_all_ones() {
        let v6 = ("[2001:db8::1]:20000".parse().unwrap(), "[2001:db8::f]:4000".parse().unwrap());
        for length in 0..300_usize {
            let payload: Vec<u8> = (0..length).map(|n| (n * 37 + 255) as u8).collect();
            let udp_length = (length + 8) as u16;
            let rest = [&[0, 17][..], &udp_length.to_be_bytes()].concat();
            let mut packet = Vec::new();
            assert!(write_v4(&mut packet, addresses_v4(), MARKS, 7, &payload));
            assert_eq!(plain_sum(&[&rest, &packet[12..]].concat()), 0xffff, "{length}");
            assert_eq!(packet[28..], payload);
            packet.clear();
            assert!(write_v6(&mut packet, v6, MARKS, &payload));
            assert_eq!(plain_sum(&[&rest, &packet[8..]].concat()), 0xffff, "{length}");
        }
    }

    #[test]
    fn a_checksum_that_comes_out_as_nought_is_sent_as_all_ones() {
        // The payload that brings the sum of all else to all ones.
        let mut packet = Vec::new();
        write_v4(&mut packet, addresses_v4(), MARKS, 0, &[0, 0]);
        let payload = [packet[26], packet[27]];
        packet.clear();
        write_v4(&mut packet, addresses_v4(), MARKS, 0, &payload);
        assert_eq!(packet[26..28], [0xff, 0xff]);
    }

    #[test]
    fn the_headers_say_what_the_rfcs_want() {
        let mut packet = Vec::new();
        assert!(write_v4(&mut packet, addresses_v4(), MARKS, 0x0102, b"hey"));
        assert_eq!(packet[..10], [0x45, 0xb8, 0, 31, 1, 2, 0x40, 0, 64, 17]);
        assert_eq!(
            packet[12..26],
            [192, 0, 2, 1, 198, 51, 100, 255, 0x4e, 0x20, 0xff, 0xff, 0, 11]
        );
        packet.clear();
        let v6 = ("[::1]:1".parse().unwrap(), "[::2]:2".parse().unwrap());
        assert!(write_v6(&mut packet, v6, MARKS, b"hey"));
        assert_eq!(packet[..8], [0x6b, 0x80, 0, 0, 0, 11, 17, 64]);
        assert!(!write_v6(&mut packet, v6, MARKS, &vec![0; 70_000]));
    }
}
