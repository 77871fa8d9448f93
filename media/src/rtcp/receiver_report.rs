//! The receiver report (RFC 3550 §6.4.2).

use super::{Packet, ReportBlock, packet_type, word, write_packet};

/// What one who sends nothing says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReceiverReport {
    /// Who says it.
    pub ssrc: u32,
}

impl ReceiverReport {
    /// Reads it, and hands out the rest of the body: the report blocks.
    #[must_use]
    pub fn read<'a>(packet: &Packet<'a>) -> Option<(Self, &'a [u8])> {
        if packet.packet_type != packet_type::RECEIVER_REPORT {
            return None;
        }
        let mut body = packet.body;
        Some((Self { ssrc: word(&mut body)? }, body))
    }
}

/// Appends a receiver report with at most one block.
pub fn write_receiver_report(into: &mut Vec<u8>, ssrc: u32, block: Option<&ReportBlock>) {
    write_packet(into, u8::from(block.is_some()), packet_type::RECEIVER_REPORT, |into| {
        into.extend_from_slice(&ssrc.to_be_bytes());
        if let Some(block) = block {
            block.write(into);
        }
    });
}
