//! The HEP3 packet ("HEPv3 Network Protocol Specification", rev. 36): "HEP3", its length, chunks of
//! vendor, type, length and value.

use std::net::{IpAddr, SocketAddr};

use sip::Transport;

use super::{Direction, Seen};

/// The chunks of vendor 0 that we send.
mod chunk {
    pub(super) const IP_FAMILY: u16 = 0x0001;
    pub(super) const IP_PROTOCOL: u16 = 0x0002;
    pub(super) const SOURCE_V4: u16 = 0x0003;
    pub(super) const DESTINATION_V4: u16 = 0x0004;
    pub(super) const SOURCE_V6: u16 = 0x0005;
    pub(super) const DESTINATION_V6: u16 = 0x0006;
    pub(super) const SOURCE_PORT: u16 = 0x0007;
    pub(super) const DESTINATION_PORT: u16 = 0x0008;
    pub(super) const SECONDS: u16 = 0x0009;
    pub(super) const MICROSECONDS: u16 = 0x000a;
    pub(super) const PROTOCOL_TYPE: u16 = 0x000b;
    pub(super) const CAPTURE_ID: u16 = 0x000c;
    pub(super) const AUTHENTICATE_KEY: u16 = 0x000e;
    pub(super) const PAYLOAD: u16 = 0x000f;
    pub(super) const CORRELATION_ID: u16 = 0x0011;
}

const HEADER: usize = 6;
const FAMILY_V4: u8 = 2;
const FAMILY_V6: u8 = 10;
const PROTOCOL_TCP: u8 = 6;
const PROTOCOL_UDP: u8 = 17;
const TYPE_SIP: u8 = 1;
/// A datagram holds this much of a message, beside everything else.
const LONGEST_PAYLOAD: usize = 63 << 10;
/// Real Call-IDs are shorter.
const LONGEST_ID: usize = 255;

/// What all our packets have in common.
pub(super) struct Packet {
    capture_id: u32,
    password: Option<Box<str>>,
}

impl Packet {
    pub(super) fn new(capture_id: u32, password: Option<&str>) -> Self {
        let password = password.map(|text| text.chars().take(LONGEST_ID).collect::<String>());
        Self { capture_id, password: password.map(String::into_boxed_str) }
    }

    /// Writes the packet of one message, its secrets masked, in place of what is in `to`.
    pub(super) fn write(&self, seen: &Seen, to: &mut Vec<u8>) {
        let (source, destination) = match seen.direction {
            Direction::In => (seen.flow.remote, seen.flow.local),
            Direction::Out => (seen.flow.local, seen.flow.remote),
        };
        let micros = seen.at.as_micros().max(0);
        let seconds = u32::try_from(micros / 1_000_000).unwrap_or(u32::MAX);
        let rest = u32::try_from(micros % 1_000_000).unwrap_or_default();
        to.clear();
        to.extend_from_slice(b"HEP3\0\0");
        put_addresses(to, source, destination);
        put(to, chunk::IP_PROTOCOL, &[protocol(seen.flow.transport)]);
        put(to, chunk::SECONDS, &seconds.to_be_bytes());
        put(to, chunk::MICROSECONDS, &rest.to_be_bytes());
        put(to, chunk::PROTOCOL_TYPE, &[TYPE_SIP]);
        put(to, chunk::CAPTURE_ID, &self.capture_id.to_be_bytes());
        if let Some(password) = &self.password {
            put(to, chunk::AUTHENTICATE_KEY, password.as_bytes());
        }
        if let Some(id) = sip::peek_call_id(&seen.bytes) {
            put(to, chunk::CORRELATION_ID, &id.as_bytes()[..id.len().min(LONGEST_ID)]);
        }
        let payload = switch::masked(seen.bytes.clone());
        put(to, chunk::PAYLOAD, &payload[..payload.len().min(LONGEST_PAYLOAD)]);
        let length = u16::try_from(to.len()).unwrap_or(u16::MAX);
        to[4..6].copy_from_slice(&length.to_be_bytes());
    }
}

fn put_addresses(to: &mut Vec<u8>, source: SocketAddr, destination: SocketAddr) {
    // Both ends of a flow are of one family.
    match (source.ip(), destination.ip()) {
        (IpAddr::V4(from), IpAddr::V4(at)) => {
            put(to, chunk::IP_FAMILY, &[FAMILY_V4]);
            put(to, chunk::SOURCE_V4, &from.octets());
            put(to, chunk::DESTINATION_V4, &at.octets());
        }
        (from, at) => {
            put(to, chunk::IP_FAMILY, &[FAMILY_V6]);
            put(to, chunk::SOURCE_V6, &v6(from));
            put(to, chunk::DESTINATION_V6, &v6(at));
        }
    }
    put(to, chunk::SOURCE_PORT, &source.port().to_be_bytes());
    put(to, chunk::DESTINATION_PORT, &destination.port().to_be_bytes());
}

fn v6(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    }
}

/// TLS and WebSocket are TCP to the network.
fn protocol(transport: Transport) -> u8 {
    match transport {
        Transport::Udp => PROTOCOL_UDP,
        Transport::Tcp | Transport::Tls | Transport::Ws | Transport::Wss => PROTOCOL_TCP,
    }
}

fn put(to: &mut Vec<u8>, kind: u16, value: &[u8]) {
    let length = u16::try_from(HEADER + value.len()).unwrap_or(u16::MAX);
    to.extend_from_slice(&0_u16.to_be_bytes());
    to.extend_from_slice(&kind.to_be_bytes());
    to.extend_from_slice(&length.to_be_bytes());
    to.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use base::UnixTime;
    use bytes::Bytes;
    use sip::Flow;

    use super::*;

    /// Reads a packet by the published layout alone; fails on anything that is not in it.
    fn decoded(packet: &[u8]) -> BTreeMap<u16, Vec<u8>> {
        assert_eq!(&packet[..4], b"HEP3");
        let total = usize::from(u16::from_be_bytes([packet[4], packet[5]]));
        assert_eq!(total, packet.len(), "its length is the whole packet's");
        let (mut rest, mut chunks) = (&packet[6..], BTreeMap::new());
        while !rest.is_empty() {
            let number = |at: usize| u16::from_be_bytes([rest[at], rest[at + 1]]);
            assert_eq!(number(0), 0, "the generic vendor");
            let (kind, length) = (number(2), usize::from(number(4)));
            assert!(chunks.insert(kind, rest[6..length].to_vec()).is_none(), "each chunk once");
            rest = &rest[length..];
        }
        chunks
    }

    fn packet(flow: Flow, direction: Direction, text: &str) -> BTreeMap<u16, Vec<u8>> {
        let at = UnixTime::from_micros(1_800_000_000_000_123);
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        let mut buffer = b"left over".to_vec();
        Packet::new(2001, Some("secret")).write(&Seen { at, flow, direction, bytes }, &mut buffer);
        decoded(&buffer)
    }

    #[test]
    fn a_received_message_is_told_with_both_ends_its_time_and_its_call() {
        let flow = Flow::udp("192.0.2.1:5060".parse().unwrap(), "192.0.2.9:5070".parse().unwrap());
        let chunks = packet(flow, Direction::In, "BYE sip:a@b SIP/2.0\r\nCall-ID: c1@x\r\n\r\n");
        let expected: [(u16, &[u8]); 13] = [
            (1, &[2]),
            (2, &[17]),
            (3, &[192, 0, 2, 9]),
            (4, &[192, 0, 2, 1]),
            (7, &5070_u16.to_be_bytes()),
            (8, &5060_u16.to_be_bytes()),
            (9, &1_800_000_000_u32.to_be_bytes()),
            (10, &123_u32.to_be_bytes()),
            (11, &[1]),
            (12, &2001_u32.to_be_bytes()),
            (14, b"secret"),
            (15, b"BYE sip:a@b SIP/2.0\r\nCall-ID: c1@x\r\n\r\n"),
            (17, b"c1@x"),
        ];
        let expected = expected.map(|(kind, value)| (kind, value.to_vec()));
        assert_eq!(chunks, BTreeMap::from(expected));
    }

    #[test]
    fn a_sent_one_goes_the_other_way_and_tls_over_ipv6_is_tcp() {
        let local = "[2001:db8::1]:5061".parse().unwrap();
        let remote = "[2001:db8::2]:40000".parse().unwrap();
        let flow = Flow { transport: Transport::Tls, local, remote, connection: 7 };
        let chunks = packet(flow, Direction::Out, "SIP/2.0 200 OK\r\n\r\n");
        assert_eq!((&chunks[&1], &chunks[&2]), (&vec![10], &vec![6]));
        assert_eq!(chunks[&5][15], 1, "from us");
        assert_eq!(chunks[&6][15], 2, "to them");
        assert!(!chunks.contains_key(&17), "no Call-ID, no correlation");
    }

    #[test]
    fn the_answer_to_a_challenge_is_masked_and_a_giant_is_cut() {
        let flow = Flow::udp("192.0.2.1:5060".parse().unwrap(), "192.0.2.9:5060".parse().unwrap());
        let text = "REGISTER sip:b SIP/2.0\r\nAuthorization: Digest username=\"a\", \
                    response=\"0123456789abcdef\"\r\nCall-ID: c\r\n\r\n";
        let payload = packet(flow, Direction::In, text).remove(&15).unwrap();
        let payload = String::from_utf8(payload).unwrap();
        assert!(payload.contains("username=\"a\"") && !payload.contains("0123456789"), "{payload}");
        let giant = format!("MESSAGE sip:b SIP/2.0\r\nCall-ID: c\r\n\r\n{}", "x".repeat(65_000));
        assert_eq!(packet(flow, Direction::In, &giant)[&15].len(), LONGEST_PAYLOAD);
    }
}
