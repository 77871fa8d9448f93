//! The pieces of a capture file: libpcap's classic format, link type RAW; each packet an IP header,
//! a transport's header and what it carries.

use std::net::{IpAddr, SocketAddr};

/// Microsecond stamps, in our byte order of choice: little endian.
const MAGIC: u32 = 0xa1b2_c3d4;
/// `LINKTYPE_RAW`: each packet begins with its IPv4 or IPv6 header.
const LINK_TYPE_RAW: u32 = 101;
const SNAP_LENGTH: u32 = 262_144;
/// Bytes of the file's own header.
pub(crate) const FILE_HEAD: usize = 24;

const UDP: u8 = 17;
const TCP: u8 = 6;
/// PSH and ACK.
const TCP_FLAGS: u8 = 0x18;

/// What a file begins with.
pub(crate) fn file_head() -> [u8; FILE_HEAD] {
    let mut head = [0; FILE_HEAD];
    head[..4].copy_from_slice(&MAGIC.to_le_bytes());
    head[4..6].copy_from_slice(&2_u16.to_le_bytes());
    head[6..8].copy_from_slice(&4_u16.to_le_bytes());
    head[16..20].copy_from_slice(&SNAP_LENGTH.to_le_bytes());
    head[20..].copy_from_slice(&LINK_TYPE_RAW.to_le_bytes());
    head
}

/// The transport's header, and which it is.
pub(crate) struct Transport {
    protocol: u8,
    header: Vec<u8>,
    /// Where its checksum stands.
    checksum: usize,
}

/// Of a datagram of so many bytes.
pub(crate) fn udp(from: SocketAddr, to: SocketAddr, length: usize) -> Transport {
    let mut header = ports(from, to);
    header.extend(((length + 8) as u16).to_be_bytes());
    header.extend([0; 2]);
    Transport { protocol: UDP, header, checksum: 6 }
}

pub(crate) fn tcp(from: SocketAddr, to: SocketAddr, sequence: u32, acknowledged: u32) -> Transport {
    let mut header = ports(from, to);
    header.extend(sequence.to_be_bytes());
    header.extend(acknowledged.to_be_bytes());
    header.extend([5 << 4, TCP_FLAGS]);
    header.extend(u16::MAX.to_be_bytes());
    header.extend([0; 4]);
    Transport { protocol: TCP, header, checksum: 16 }
}

fn ports(from: SocketAddr, to: SocketAddr) -> Vec<u8> {
    [from.port().to_be_bytes(), to.port().to_be_bytes()].concat()
}

/// Appends a packet that carries `part`: all of its `whole` bytes, or as many as were kept of them.
pub(crate) fn put_packet(
    file: &mut Vec<u8>,
    micros: i64,
    (from, to): (IpAddr, IpAddr),
    transport: &Transport,
    (part, whole): (&[u8], usize),
) {
    let length = transport.header.len() + whole;
    let mut payload = transport.header.clone();
    payload.extend_from_slice(part);
    let (header, pseudo) = network(from, to, transport.protocol, length);
    let sum = checksum(&[&pseudo, &payload]);
    // RFC 768: a sum of zero is sent as all ones; zero says that there is none.
    let sum = if part.len() < whole {
        0
    } else if sum == 0 {
        u16::MAX
    } else {
        sum
    };
    payload[transport.checksum..transport.checksum + 2].copy_from_slice(&sum.to_be_bytes());
    let (captured, original) = (header.len() + payload.len(), header.len() + length);
    file.extend((micros.div_euclid(1_000_000) as u32).to_le_bytes());
    file.extend((micros.rem_euclid(1_000_000) as u32).to_le_bytes());
    file.extend((captured as u32).to_le_bytes());
    file.extend((original as u32).to_le_bytes());
    file.extend(header);
    file.extend(payload);
}

/// The IP header, and the pseudo-header that the transport's checksum covers (RFC 768, RFC 8200
/// §8.1). One IPv6 end makes both IPv6, the other mapped (RFC 4291 §2.5.5.2).
fn network(from: IpAddr, to: IpAddr, protocol: u8, length: usize) -> (Vec<u8>, Vec<u8>) {
    if let (IpAddr::V4(from), IpAddr::V4(to)) = (from, to) {
        let mut header = vec![0x45, 0];
        header.extend(((20 + length) as u16).to_be_bytes());
        header.extend([0, 0, 0x40, 0, 64, protocol, 0, 0]);
        header.extend(from.octets());
        header.extend(to.octets());
        let sum = checksum(&[&header]);
        header[10..12].copy_from_slice(&sum.to_be_bytes());
        let mut pseudo = [from.octets(), to.octets()].concat();
        pseudo.extend([0, protocol]);
        pseudo.extend((length as u16).to_be_bytes());
        return (header, pseudo);
    }
    let octets = |ip: IpAddr| match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    };
    let mut header = vec![0x60, 0, 0, 0];
    header.extend((length as u16).to_be_bytes());
    header.extend([protocol, 64]);
    header.extend(octets(from));
    header.extend(octets(to));
    let mut pseudo = [octets(from), octets(to)].concat();
    pseudo.extend((length as u32).to_be_bytes());
    pseudo.extend([0, 0, 0, protocol]);
    (header, pseudo)
}

/// RFC 1071, over parts of which all but the last are of even length.
pub(crate) fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum = 0_u32;
    for part in parts {
        for pair in part.chunks(2) {
            sum += u32::from(pair[0]) << 8 | u32::from(pair.get(1).copied().unwrap_or(0));
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
