//! What a stream amounted to, for the call's record.

use crate::Codec;

/// Totals of one stream since it was opened; and, in [`crate::Event::Figures`], how it is now.
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
    /// Estimated quality of what we received, in hundredths (410 is 4.10), by the E-model (ITU-T
    /// G.107) with the codec's parameters, the loss, its bursts and the delay. 0 when nothing was
    /// received. Of all the time in [`crate::Event::Closed`], of the last stretch in
    /// [`crate::Event::Figures`].
    pub mos_centi: u16,
    /// Lost in the last stretch of about 5 s, in thousandths of what was expected.
    pub loss_permille: u16,
    /// How long speech waits in the jitter buffer, in microseconds; `None` while packets are
    /// relayed as they come.
    pub buffer_us: Option<u32>,
    /// Sound that had to be made up for missing packets, in milliseconds; 0 while relayed.
    pub concealed_ms: u32,
    /// How much slower (positive) the far end's clock runs than ours, in parts per million, if it
    /// is known.
    pub skew_ppm: Option<i32>,
    /// Power of what the far end said in the last stretch, in dBov (RFC 6464: -127 is silence, 0 a
    /// full-scale square wave). `None` if nothing came that was measured.
    pub heard_dbov: Option<i8>,
    /// The same of what it was told.
    pub said_dbov: Option<i8>,
    /// What the far end says of our packets.
    pub far: FarReport,
    /// Packets from strangers or that were no RTP: counted and dropped.
    pub refused_packets: u64,
    /// Frames the recording's ring had no room for.
    pub tap_dropped: u64,
    /// The codec towards the far end.
    pub codec: Codec,
}

/// What a far end last reported of what it receives.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct FarReport {
    /// Lost between its last two reports, in thousandths.
    pub loss_permille: Option<u16>,
    /// Interarrival jitter in microseconds.
    pub jitter_us: Option<u32>,
    /// Its own estimate of the quality, in hundredths, by RTCP XR (RFC 3611 §4.7.5).
    pub mos_centi: Option<u16>,
}
