//! The sender report (RFC 3550 §6.4.1).

use super::{Packet, ReportBlock, packet_type, word, write_packet};

/// A sender's account of itself.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct SenderReport {
    /// The sender.
    pub ssrc: u32,
    /// Its wall clock, NTP format: seconds since 1900 in the upper half.
    pub ntp: u64,
    /// The RTP timestamp of that moment.
    pub timestamp: u32,
    /// Packets sent since the beginning.
    pub packets: u32,
    /// Payload bytes sent since the beginning.
    pub bytes: u32,
}

impl SenderReport {
    /// Reads it, and hands out the rest of the body: the report blocks.
    #[must_use]
    pub fn read<'a>(packet: &Packet<'a>) -> Option<(Self, &'a [u8])> {
        if packet.packet_type != packet_type::SENDER_REPORT {
            return None;
        }
        let mut body = packet.body;
        let ssrc = word(&mut body)?;
        let ntp = (u64::from(word(&mut body)?) << 32) | u64::from(word(&mut body)?);
        let (timestamp, packets, bytes) = (word(&mut body)?, word(&mut body)?, word(&mut body)?);
        Some((Self { ssrc, ntp, timestamp, packets, bytes }, body))
    }
}

/// Appends a sender report with at most one block.
pub fn write_sender_report(into: &mut Vec<u8>, report: &SenderReport, block: Option<&ReportBlock>) {
    write_packet(into, u8::from(block.is_some()), packet_type::SENDER_REPORT, |into| {
        into.extend_from_slice(&report.ssrc.to_be_bytes());
        into.extend_from_slice(&report.ntp.to_be_bytes());
        for word in [report.timestamp, report.packets, report.bytes] {
            into.extend_from_slice(&word.to_be_bytes());
        }
        if let Some(block) = block {
            block.write(into);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sender_report_and_its_block_survive_their_bytes() {
        let report = SenderReport {
            ssrc: 7,
            ntp: 0x0102_0304_8000_0000,
            timestamp: 9,
            packets: 3,
            bytes: 4,
        };
        let block = ReportBlock { ssrc: 8, jitter: 5, ..Default::default() };
        let mut bytes = Vec::new();
        write_sender_report(&mut bytes, &report, Some(&block));
        assert_eq!(bytes.len(), 52);
        let packet = super::super::packets(&bytes).next().unwrap();
        assert_eq!(packet.count, 1);
        let (read, mut blocks) = SenderReport::read(&packet).unwrap();
        assert_eq!(read, report);
        assert_eq!(ReportBlock::read(&mut blocks), Some(block));
    }
}
