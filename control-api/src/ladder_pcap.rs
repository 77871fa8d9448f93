//! A call's ladder as a capture file (libpcap's classic format, link type RAW): what Wireshark and
//! sngrep open. The messages are the ones on the wire, the packets around them are made up: UDP for
//! UDP, and for every stream one TCP connection without handshake, TLS and WebSocket taken off.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};

use store::LadderRow;

use crate::pcap::{FILE_HEAD, file_head, put_packet, tcp, udp};

/// Bytes of a message in one packet: what fits an IPv4 packet with either header.
const SEGMENT: usize = 65_000;

/// The capture file.
pub(crate) fn capture(ladder: &[LadderRow]) -> Vec<u8> {
    let text: usize = ladder.iter().map(|row| row.bytes.len() + 80).sum();
    let mut file = Vec::with_capacity(FILE_HEAD + text);
    file.extend(file_head());
    let mut sent: BTreeMap<(SocketAddr, SocketAddr), u32> = BTreeMap::new();
    for row in ladder {
        let (local, remote) = (address(&row.local), address(&row.remote));
        let (from, to) = if row.sent { (local, remote) } else { (remote, local) };
        for part in row.bytes.chunks(SEGMENT) {
            let transport = if &*row.transport == "udp" {
                udp(from, to, part.len())
            } else {
                let acknowledged = sent.get(&(to, from)).copied().unwrap_or(1);
                let next = sent.entry((from, to)).or_insert(1);
                let header = tcp(from, to, *next, acknowledged);
                *next = next.wrapping_add(part.len() as u32);
                header
            };
            let (ends, part) = ((from.ip(), to.ip()), (part, part.len()));
            put_packet(&mut file, row.at.as_micros(), ends, &transport, part);
        }
    }
    file
}

/// A stored address; one that does not read stands as 0.0.0.0, so that its message is not lost.
fn address(text: &str) -> SocketAddr {
    text.parse().unwrap_or_else(|_| SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)))
}

#[cfg(test)]
mod tests {
    use base::UnixTime;

    use crate::pcap::checksum;

    use super::*;

    fn row(micros: i64, sent: bool, transport: &str, ends: (&str, &str), text: &str) -> LadderRow {
        LadderRow {
            at: UnixTime::from_micros(1_795_168_800_000_000 + micros),
            sent,
            transport: transport.into(),
            local: ends.0.into(),
            remote: ends.1.into(),
            bytes: text.as_bytes().to_vec(),
        }
    }

    /// The packets of a capture: seconds, microseconds, bytes.
    fn packets(file: &[u8]) -> Vec<(u32, u32, &[u8])> {
        let word = |at: usize| u32::from_le_bytes(file[at..at + 4].try_into().unwrap());
        assert_eq!((word(0), word(20)), (0xa1b2_c3d4, 101));
        let mut found = Vec::new();
        let mut at = 24;
        while at < file.len() {
            let length = word(at + 8) as usize;
            assert_eq!(word(at + 12) as usize, length);
            found.push((word(at), word(at + 4), &file[at + 16..at + 16 + length]));
            at += 16 + length;
        }
        found
    }

    #[test]
    fn datagrams_have_their_addresses_their_times_and_right_checksums() {
        let ends = ("192.0.2.1:5060", "198.51.100.7:5062");
        let file = capture(&[
            row(123, false, "udp", ends, "INVITE sip:a SIP/2.0\r\n\r\n"),
            row(1_000_456, true, "udp", ends, "SIP/2.0 100 Trying\r\n\r\n!"),
        ]);
        let packets = packets(&file);
        assert_eq!((packets[0].0, packets[0].1), (1_795_168_800, 123));
        assert_eq!((packets[1].0, packets[1].1), (1_795_168_801, 456));
        let first = packets[0].2;
        assert_eq!(first[12..20], [198, 51, 100, 7, 192, 0, 2, 1]);
        assert_eq!(first[20..24], [0x13, 0xc6, 0x13, 0xc4]);
        assert_eq!(&first[28..], b"INVITE sip:a SIP/2.0\r\n\r\n");
        for (_, _, packet) in &packets {
            assert_eq!(checksum(&[&packet[..20]]), 0, "the header's");
            let length = (packet.len() - 20) as u16;
            let mut pseudo = packet[12..20].to_vec();
            pseudo.extend([0, 17]);
            pseudo.extend(length.to_be_bytes());
            assert_eq!(checksum(&[&pseudo, &packet[20..]]), 0, "the datagram's");
        }
    }

    #[test]
    fn a_stream_counts_its_bytes_so_that_a_reader_joins_them() {
        let ends = ("[2001:db8::1]:5061", "[2001:db8::7]:40000");
        let file = capture(&[
            row(0, false, "tls", ends, "REGISTER sip:a SIP/2.0\r\n\r\n"),
            row(1, true, "tls", ends, "SIP/2.0 200 OK\r\n\r\n"),
            row(2, false, "tls", ends, "OPTIONS"),
        ]);
        let packets = packets(&file);
        let numbers = |packet: &[u8]| {
            let word = |at: usize| u32::from_be_bytes(packet[at..at + 4].try_into().unwrap());
            assert_eq!(packet[6], 6, "TCP");
            (word(44), word(48))
        };
        assert_eq!(numbers(packets[0].2), (1, 1));
        assert_eq!(numbers(packets[1].2), (1, 27));
        assert_eq!(numbers(packets[2].2), (27, 19));
        assert_eq!(&packets[2].2[60..], b"OPTIONS");
    }

    #[test]
    fn a_long_message_is_cut_into_packets_and_a_damaged_address_loses_none() {
        let long = "x".repeat(SEGMENT + 10);
        let file = capture(&[row(0, true, "ws", ("?", "127.0.0.1:5060"), &long)]);
        let lengths: Vec<_> = packets(&file).iter().map(|packet| packet.2.len() - 40).collect();
        assert_eq!(lengths, [SEGMENT, 10]);
    }
}
