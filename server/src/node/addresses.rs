//! The addresses a node has bound, for people and for scripts.

use std::fmt;
use std::net::SocketAddr;
use std::ops::RangeInclusive;

use serde_json::json;

/// What was bound; with port 0 in the configuration the only way to know.
#[derive(Debug, Clone)]
pub struct Addresses {
    /// API and console.
    pub http: SocketAddr,
    /// SIP over UDP.
    pub sip_udp: Vec<SocketAddr>,
    /// SIP over TCP.
    pub sip_tcp: Vec<SocketAddr>,
    /// SIP over TLS.
    pub sip_tls: Vec<SocketAddr>,
    /// Whether `http` is HTTPS, and SIP over WebSocket `wss`.
    pub https: bool,
    /// RTP and RTCP.
    pub rtp: RangeInclusive<u16>,
}

impl Addresses {
    /// One JSON object for whoever started us.
    #[must_use]
    pub fn ready_line(&self) -> String {
        json!({
            "event": "ready",
            "http": self.http,
            "sip_udp": self.sip_udp.first(),
            "sip_tcp": self.sip_tcp.first(),
            "sip_tls": self.sip_tls.first(),
            "sip_udp_all": self.sip_udp,
            "sip_tcp_all": self.sip_tcp,
            "sip_tls_all": self.sip_tls,
            "rtp": format!("{}-{}", self.rtp.start(), self.rtp.end()),
            "pid": std::process::id(),
        })
        .to_string()
    }
}

impl fmt::Display for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list =
            |all: &[SocketAddr]| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        writeln!(f, "ready")?;
        let listeners = [("UDP", &self.sip_udp), ("TCP", &self.sip_tcp), ("TLS", &self.sip_tls)];
        let bound = listeners.iter().filter(|(_, all)| !all.is_empty());
        let bound: Vec<_> = bound.map(|(what, all)| format!("{what} {}", list(all))).collect();
        writeln!(f, "  SIP      {}", bound.join(", "))?;
        writeln!(f, "  RTP      UDP {}-{}", self.rtp.start(), self.rtp.end())?;
        let scheme = if self.https { "https" } else { "http" };
        writeln!(f, "  console  {scheme}://{}/", self.http)?;
        write!(f, "  API      {scheme}://{}/docs", self.http)
    }
}
