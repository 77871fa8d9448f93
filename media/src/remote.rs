//! The far end of a stream as its SDP describes it.

use std::net::SocketAddr;

use base::Duration;

use crate::{Codec, OpusSettings};

/// A direction attribute (RFC 8866 §6.7), from the view of whoever wrote it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Direction {
    /// Sends and receives; also when nothing was said.
    #[default]
    SendRecv,
    /// Sends only: it has put us on hold and may play its own music.
    SendOnly,
    /// Receives only.
    RecvOnly,
    /// Neither.
    Inactive,
}

impl Direction {
    /// Whether the writer sends.
    #[must_use]
    pub const fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Whether the writer wants to receive.
    #[must_use]
    pub const fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    /// From the two halves.
    #[must_use]
    pub const fn new(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }

    /// The answer to this, when we ourselves would send and receive (RFC 3264 §6.1).
    #[must_use]
    pub const fn reversed(self) -> Self {
        Self::new(self.receives(), self.sends())
    }

    /// The attribute's name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    /// The direction of an attribute's name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::SendRecv, Self::SendOnly, Self::RecvOnly, Self::Inactive]
            .into_iter()
            .find(|direction| direction.name() == name)
    }
}

/// Extended reports (RFC 3611) that a far end asks for by `a=rtcp-xr` (§5.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct XrWanted {
    /// `rcvr-rtt`: our clock's time while we only receive, so that either end can measure the
    /// round trip.
    pub round_trip: bool,
    /// `stat-summary`: loss, duplicates and jitter.
    pub statistics: bool,
    /// `voip-metrics`.
    pub voip_metrics: bool,
}

impl XrWanted {
    /// Whether anything is wanted.
    #[must_use]
    pub const fn any(self) -> bool {
        self.round_trip || self.statistics || self.voip_metrics
    }

    /// The value of an `a=rtcp-xr`; what is not known in it is passed over.
    #[must_use]
    pub fn parse(value: &str) -> Self {
        let has = |name: &str| {
            value.split_ascii_whitespace().any(|word| word.split('=').next() == Some(name))
        };
        Self {
            round_trip: has("rcvr-rtt"),
            statistics: has("stat-summary"),
            voip_metrics: has("voip-metrics"),
        }
    }
}

/// What a negotiation settled about the far end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RemoteMedia {
    /// Where it wants RTP. An unspecified address (`0.0.0.0`, the old hold) is never sent to.
    pub rtp: SocketAddr,
    /// Where it wants RTCP: `a=rtcp`, or the port above.
    pub rtcp: SocketAddr,
    /// What we send, and expect.
    pub codec: Codec,
    /// The codec's payload type towards the far end.
    pub payload_type: u8,
    /// What it lets us send of Opus; of no meaning with other codecs.
    pub opus: OpusSettings,
    /// The payload type of RFC 4733 events towards the far end, if both can do them.
    pub telephone_event: Option<u8>,
    /// Ticks a second of those events' timestamps: 8000, or 48000 beside Opus.
    pub events_rate: u32,
    /// The payload type of comfort noise (RFC 3389) towards the far end, if both can do it.
    pub comfort_noise: Option<u8>,
    /// How much audio it wants in a packet.
    pub ptime: Duration,
    /// How much it takes in a packet at the most, if it said so.
    pub maxptime: Option<Duration>,
    /// The extended reports it asks for.
    pub xr: XrWanted,
    /// What it says of itself: `SendOnly` means that it holds us, and we do not send.
    pub direction: Direction,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reports_asked_for_are_found_among_others() {
        let value = "pkt-loss-rle rcvr-rtt=all:10000 stat-summary=loss,dup,jitt,TTL voip-metrics";
        let all = XrWanted { round_trip: true, statistics: true, voip_metrics: true };
        assert_eq!(XrWanted::parse(value), all);
        assert_eq!(XrWanted::parse("pkt-dup-rle=10"), XrWanted::default());
        assert!(!XrWanted::parse("").any());
    }
}
