//! What a stream amounted to, for the call's record.

use crate::Codec;

/// Totals of one stream since it was opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StreamStats {
    /// RTP packets to the far end.
    pub packets_sent: u64,
    /// RTP payload bytes to the far end.
    pub bytes_sent: u64,
    /// RTP packets accepted from the far end.
    pub packets_received: u64,
    /// RTP payload bytes accepted.
    pub bytes_received: u64,
    /// Expected by sequence number and never seen (RFC 3550 appendix A.3), over all its SSRCs.
    pub packets_lost: u64,
    /// Interarrival jitter in microseconds (RFC 3550 §6.4.1), the last value.
    pub jitter_us: u32,
    /// Round trip in microseconds by the far end's reports, if it sent any.
    pub round_trip_us: Option<u32>,
    /// Estimated listening quality of what we received, in hundredths (410 is 4.10), by the
    /// E-model (ITU-T G.107). 0 when nothing was received.
    pub mos_centi: u16,
    /// Packets from strangers or that were no RTP: counted and dropped.
    pub refused_packets: u64,
    /// Frames the recording's ring had no room for.
    pub tap_dropped: u64,
    /// The codec towards the far end.
    pub codec: Codec,
}
