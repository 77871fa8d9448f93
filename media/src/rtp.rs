//! RTP packets (RFC 3550 §5.1): the fixed header read and rewritten in place.

/// Bytes of a header without CSRCs and extension.
pub const HEADER_BYTES: usize = 12;

/// The fields of a header that matter here.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Header {
    /// 0 to 127.
    pub payload_type: u8,
    /// For audio: the first packet after silence. For RFC 4733: the first of an event.
    pub marker: bool,
    /// One more for each packet.
    pub sequence: u16,
    /// When the first sample was taken, on the payload's clock.
    pub timestamp: u32,
    /// The synchronisation source.
    pub ssrc: u32,
}

/// A packet taken apart: where its payload lies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Parsed {
    /// The header.
    pub header: Header,
    /// Where the payload starts, after CSRCs and extension.
    pub payload_start: usize,
    /// Where it ends, before the padding.
    pub payload_end: usize,
}

impl Header {
    /// The first twelve bytes of a packet without CSRCs, extension and padding.
    #[must_use]
    pub fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let [s0, s1] = self.sequence.to_be_bytes();
        let [t0, t1, t2, t3] = self.timestamp.to_be_bytes();
        let [c0, c1, c2, c3] = self.ssrc.to_be_bytes();
        let second = (u8::from(self.marker) << 7) | (self.payload_type & 0x7f);
        [0x80, second, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3]
    }
}

/// Bytes before the payload: the fixed header, CSRCs, extension. `None` when it is no RTP of
/// version 2, or cut short.
#[must_use]
pub fn header_bytes(packet: &[u8]) -> Option<usize> {
    let (fixed, rest) = packet.split_first_chunk::<HEADER_BYTES>()?;
    let [first, ..] = *fixed;
    if first >> 6 != 2 {
        return None;
    }
    let mut bytes = HEADER_BYTES + 4 * usize::from(first & 0x0f);
    if first & 0x10 != 0 {
        let extension = rest.get(bytes - HEADER_BYTES..)?;
        let [_, _, high, low] = *extension.first_chunk::<4>()?;
        bytes += 4 + 4 * usize::from(u16::from_be_bytes([high, low]));
    }
    (bytes <= packet.len()).then_some(bytes)
}

/// Takes a packet apart. `None` when it is no RTP of version 2, or cut short.
#[must_use]
pub fn parse(packet: &[u8]) -> Option<Parsed> {
    let start = header_bytes(packet)?;
    let [first, second, s0, s1, t0, t1, t2, t3, c0, c1, c2, c3] =
        *packet.first_chunk::<HEADER_BYTES>()?;
    let mut end = packet.len();
    if first & 0x20 != 0 {
        let padding = usize::from(*packet.last()?);
        if padding == 0 {
            return None;
        }
        end = end.checked_sub(padding)?;
    }
    let header = Header {
        payload_type: second & 0x7f,
        marker: second & 0x80 != 0,
        sequence: u16::from_be_bytes([s0, s1]),
        timestamp: u32::from_be_bytes([t0, t1, t2, t3]),
        ssrc: u32::from_be_bytes([c0, c1, c2, c3]),
    };
    (start <= end).then_some(Parsed { header, payload_start: start, payload_end: end })
}

/// Whether a datagram on an RTP port is RTCP: packet types 192 to 223 (RFC 5761 §4).
#[must_use]
pub fn is_rtcp(packet: &[u8]) -> bool {
    matches!(packet, [first, 192..=223, ..] if first >> 6 == 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: Header = Header {
        payload_type: 101,
        marker: true,
        sequence: 0xfffe,
        timestamp: 0x8000_0001,
        ssrc: 0xdead_beef,
    };

    #[test]
    fn a_header_survives_its_bytes() {
        let mut packet = HEADER.to_bytes().to_vec();
        packet.extend_from_slice(b"abc");
        assert_eq!(
            parse(&packet),
            Some(Parsed { header: HEADER, payload_start: 12, payload_end: 15 })
        );
    }

    #[test]
    fn csrcs_extension_and_padding_are_no_payload() {
        let mut packet = HEADER.to_bytes().to_vec();
        packet[0] = 0x80 | 0x20 | 0x10 | 2;
        packet.extend_from_slice(&[0; 8]);
        packet.extend_from_slice(&[0xbe, 0xde, 0, 1, 1, 2, 3, 4]);
        packet.extend_from_slice(b"audio");
        packet.extend_from_slice(&[0, 0, 3]);
        let parsed = parse(&packet).unwrap();
        assert_eq!(&packet[parsed.payload_start..parsed.payload_end], b"audio");
    }

    #[test]
    fn lying_lengths_are_refused() {
        let mut padded = HEADER.to_bytes().to_vec();
        padded[0] |= 0x20;
        padded.push(200);
        assert_eq!(parse(&padded), None, "more padding than packet");
        let mut extended = HEADER.to_bytes().to_vec();
        extended[0] |= 0x10;
        extended.extend_from_slice(&[0, 0, 0xff, 0xff]);
        assert_eq!(parse(&extended), None, "an extension beyond the end");
        assert_eq!(parse(&[0x40; 40]), None, "version 1");
        assert!(is_rtcp(&[0x80, 200, 0, 1]) && !is_rtcp(&[0x80, 0x80, 0, 1]));
    }
}
