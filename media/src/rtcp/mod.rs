//! RTCP (RFC 3550 §6, RFC 3611): compound packets read by an iterator and written into a buffer.

mod bye;
mod receiver_report;
mod report_block;
mod sdes;
mod sender_report;
mod xr;

pub use bye::{read_bye, write_bye};
pub use receiver_report::{ReceiverReport, write_receiver_report};
pub use report_block::ReportBlock;
pub use sdes::{CNAME_MAX, write_cname};
pub use sender_report::{SenderReport, write_sender_report};
pub use xr::{
    Dlrr, GMIN, RECEIVER, Statistics, UNKNOWN, VoipMetrics, XrBlock, read_extended_report,
    write_extended_report,
};

/// Packet types (RFC 3550 §12.1).
pub mod packet_type {
    /// Sender report.
    pub const SENDER_REPORT: u8 = 200;
    /// Receiver report.
    pub const RECEIVER_REPORT: u8 = 201;
    /// Source description.
    pub const SDES: u8 = 202;
    /// Goodbye.
    pub const BYE: u8 = 203;
    /// Extended report (RFC 3611 §2).
    pub const EXTENDED_REPORT: u8 = 207;
}

/// One packet of a compound.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Packet<'a> {
    /// The five bits whose meaning depends on the type: mostly a count.
    pub count: u8,
    /// See [`packet_type`].
    pub packet_type: u8,
    /// What follows the four bytes of header.
    pub body: &'a [u8],
}

/// The packets of a compound, to the first that does not fit (RFC 3550 appendix A.2).
#[must_use]
pub fn packets(compound: &[u8]) -> Packets<'_> {
    Packets { rest: compound }
}

/// Iterator of [`packets`].
#[derive(Clone, Debug)]
pub struct Packets<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Packets<'a> {
    type Item = Packet<'a>;

    fn next(&mut self) -> Option<Packet<'a>> {
        let ([first, packet_type, high, low], after) = self.rest.split_first_chunk::<4>()?;
        let length = 4 * usize::from(u16::from_be_bytes([*high, *low]));
        if first >> 6 != 2 || length > after.len() {
            self.rest = &[];
            return None;
        }
        let (body, rest) = after.split_at(length);
        self.rest = rest;
        Some(Packet { count: first & 0x1f, packet_type: *packet_type, body })
    }
}

/// Appends a packet whose body `write` appends, and fills its length in.
fn write_packet(into: &mut Vec<u8>, count: u8, packet_type: u8, write: impl FnOnce(&mut Vec<u8>)) {
    let start = into.len();
    into.extend_from_slice(&[0x80 | (count & 0x1f), packet_type, 0, 0]);
    write(into);
    while !(into.len() - start).is_multiple_of(4) {
        into.push(0);
    }
    let words = u16::try_from((into.len() - start) / 4 - 1).unwrap_or(u16::MAX);
    for (to, from) in into.iter_mut().skip(start + 2).zip(words.to_be_bytes()) {
        *to = from;
    }
}

/// Reads big-endian words off the front of a body.
fn word(body: &mut &[u8]) -> Option<u32> {
    let (first, rest) = body.split_first_chunk::<4>()?;
    *body = rest;
    Some(u32::from_be_bytes(*first))
}
