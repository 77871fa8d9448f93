//! The path a message travels: transport, our address, theirs, and for streams the connection
//! (RFC 3261 §18; the word is RFC 5626's).

use std::fmt;
use std::net::SocketAddr;

use base::Duration;

/// A transport protocol of SIP.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Transport {
    /// Datagrams: the transaction layer retransmits.
    Udp,
    /// A stream: messages are framed by Content-Length.
    Tcp,
    /// A stream inside TLS (RFC 3261 §26).
    Tls,
    /// WebSocket: one message a frame (RFC 7118).
    Ws,
    /// WebSocket inside TLS.
    Wss,
}

impl Transport {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Udp, Self::Tcp, Self::Tls, Self::Ws, Self::Wss];

    /// Whether the transport itself delivers or fails, so that no timer retransmits.
    #[must_use]
    pub const fn is_reliable(self) -> bool {
        !matches!(self, Self::Udp)
    }

    /// The longest silence of a flow that a phone is to keep: the default of RFC 5626 §4.4.1 on
    /// streams; on datagrams less than the 30 s after which most address translators forget
    /// (§4.4.2).
    #[must_use]
    pub const fn flow_timer(self) -> Duration {
        Duration::from_secs(if self.is_reliable() { 120 } else { 25 })
    }

    /// Whether nobody on the way can read along.
    #[must_use]
    pub const fn is_secure(self) -> bool {
        matches!(self, Self::Tls | Self::Wss)
    }

    /// Whether messages travel in WebSocket frames: the peer is a browser, cannot be connected to,
    /// and its Contact names no host (RFC 7118 §5, appendix B).
    #[must_use]
    pub const fn is_websocket(self) -> bool {
        matches!(self, Self::Ws | Self::Wss)
    }

    /// The token in a Via, such as `UDP` (RFC 3261 §20.42, RFC 7118 §5.2.1).
    #[must_use]
    pub const fn via_token(self) -> &'static str {
        match self {
            Self::Udp => "UDP",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Ws => "WS",
            Self::Wss => "WSS",
        }
    }

    /// The name in rows, metrics and configuration, such as `udp`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Ws => "ws",
            Self::Wss => "wss",
        }
    }

    /// The value of a `sip:` URI's `transport` parameter. `wss` has none of its own (RFC 7118
    /// §5.2.2). `tls` is what phones and carriers write, RFC 3261's deprecation notwithstanding:
    /// a `sips:` Contact instead would ask for TLS on every hop behind it (RFC 5630 §3).
    #[must_use]
    pub const fn uri_param(self) -> &'static str {
        match self {
            Self::Udp => "udp",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Ws | Self::Wss => "ws",
        }
    }

    /// The transport that the value of a `transport` parameter names, in any case; `secure` is
    /// whether the URI's scheme is `sips` (RFC 3261 §26.2.2: TLS over the named transport).
    #[must_use]
    pub fn of_uri_param(value: &str, secure: bool) -> Option<Self> {
        let known = Self::ALL.into_iter().find(|one| value.eq_ignore_ascii_case(one.name()))?;
        match known {
            Self::Udp if secure => None, // no DTLS here
            Self::Tcp if secure => Some(Self::Tls),
            Self::Ws if secure => Some(Self::Wss),
            known => Some(known),
        }
    }

    /// The port where none is given (RFC 3261 §19.1.2, RFC 7118 §5.2.2).
    #[must_use]
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Udp | Self::Tcp => 5060,
            Self::Tls => 5061,
            Self::Ws => 80,
            Self::Wss => 443,
        }
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.via_token())
    }
}

/// The longest request that goes out over UDP when the path's MTU is not known, in bytes
/// (RFC 3261 §18.1.1).
pub const MTU_LIMIT: usize = 1_300;

/// Whether a request of that length is to go over a stream where the peer has one: a fragmented
/// datagram is lost with any of its fragments (RFC 3261 §18.1.1).
#[must_use]
pub const fn wants_stream(length: usize) -> bool {
    length > MTU_LIMIT
}

/// One path: our address, theirs and (for streams) the connection.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Flow {
    /// The transport protocol.
    pub transport: Transport,
    /// Our end.
    pub local: SocketAddr,
    /// The peer's end.
    pub remote: SocketAddr,
    /// The connection's number, never used twice by a driver; 0 for datagrams.
    pub connection: u64,
}

impl Flow {
    /// A path for datagrams.
    #[must_use]
    pub const fn udp(local: SocketAddr, remote: SocketAddr) -> Self {
        Self { transport: Transport::Udp, local, remote, connection: 0 }
    }

    /// A path over the TCP connection with that number.
    #[must_use]
    pub const fn tcp(local: SocketAddr, remote: SocketAddr, connection: u64) -> Self {
        Self { transport: Transport::Tcp, local, remote, connection }
    }
}

impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} <-> {}", self.transport, self.local, self.remote)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sips_uri_names_the_secure_kind_of_its_transport_and_has_none_over_udp() {
        let of = Transport::of_uri_param;
        assert_eq!(of("TCP", false), Some(Transport::Tcp));
        assert_eq!(of("tcp", true), Some(Transport::Tls));
        assert_eq!(of("tls", false), Some(Transport::Tls));
        assert_eq!(of("ws", true), Some(Transport::Wss));
        assert_eq!((of("udp", true), of("sctp", false)), (None, None));
        for transport in Transport::ALL {
            let back = of(transport.uri_param(), transport.is_secure());
            assert_eq!(back, Some(transport));
            assert_eq!(transport.is_reliable(), transport != Transport::Udp);
        }
    }
}
