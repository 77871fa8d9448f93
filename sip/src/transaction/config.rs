//! What an endpoint is told when it is made (RFC 3261 table 4).

use std::net::SocketAddr;

use base::Duration;

use crate::{Flow, Transport};

/// How a local address is called in our Via, when that is not its own text (0.0.0.0, or behind
/// NAT).
#[derive(Clone, Debug)]
pub struct Advertised {
    /// The transport it is for.
    pub transport: Transport,
    /// The address the socket is bound to; an unspecified one (0.0.0.0, ::) stands for every
    /// address of its family with that port.
    pub local: SocketAddr,
    /// `host` or `host:port` as peers are to see it.
    pub sent_by: String,
}

impl Advertised {
    /// Whether a flow's own end is the one that this names.
    #[must_use]
    pub fn covers(&self, flow: &Flow) -> bool {
        let (own, bound) = (flow.local, self.local);
        let any = bound.ip().is_unspecified()
            && bound.is_ipv4() == own.is_ipv4()
            && bound.port() == own.port();
        self.transport == flow.transport && (any || bound == own)
    }
}

/// Timer values, names and limits.
#[derive(Clone, Debug)]
pub struct EndpointConfig {
    /// Round-trip estimate: the first retransmission.
    pub t1: Duration,
    /// The longest interval between retransmissions of all but INVITE requests.
    pub t2: Duration,
    /// How long a message stays in the network.
    pub t4: Duration,
    /// Timer B and F, and the ACK's: how long to wait for an answer; the RFC's is 64*T1.
    pub timeout: Duration,
    /// Timer D: how long to absorb responses to an INVITE on datagrams, at least 32 s.
    pub timer_d: Duration,
    /// How long the user may leave an INVITE without a final response, from the last provisional
    /// one on: then it is refused with 408. The RFC asks for a provisional each minute
    /// (§13.3.1.1), and proxies give up after three (Timer C, §16.6).
    pub unanswered: Duration,
    /// User-Agent and Server; empty: neither is sent.
    pub user_agent: String,
    /// What to write into Via, by local address.
    pub advertised: Vec<Advertised>,
    /// Whether our REGISTERs offer keep-alives to who gets them (`keep` in Via, RFC 6223 §4.3).
    /// Who says so sends them, as [`crate::KeepAlive`] does.
    pub keeps: bool,
    /// The most transactions of each side. When full, requests are answered with 503 and ours
    /// fail at once.
    pub max_transactions: usize,
    /// The most bytes that all transactions hold, messages and tables (nearly) included. Beyond it
    /// new requests are answered with 503.
    pub max_bytes: usize,
    /// The most bytes that requests of one source (an IPv4 address, an IPv6 network of 64 bits)
    /// hold: nobody fills the endpoint alone. Beyond it the source's new requests get 503.
    pub max_bytes_per_source: usize,
    /// The most 2xx of forks that one INVITE of ours takes.
    pub max_forks: usize,
}

impl Default for EndpointConfig {
    fn default() -> Self {
        let t1 = Duration::from_millis(500);
        Self {
            t1,
            t2: Duration::from_secs(4),
            t4: Duration::from_secs(5),
            timeout: t1 * 64,
            timer_d: Duration::from_secs(32),
            unanswered: Duration::from_secs(180),
            user_agent: "Strowger".to_owned(),
            advertised: Vec::new(),
            keeps: false,
            max_transactions: 200_000,
            max_bytes: 512 * 1024 * 1024,
            max_bytes_per_source: 256 * 1024 * 1024,
            max_forks: 8,
        }
    }
}

impl EndpointConfig {
    /// The sent-by of our Via on that flow.
    pub(super) fn sent_by(&self, flow: &Flow) -> String {
        self.advertised
            .iter()
            .find(|advertised| advertised.covers(flow))
            .map_or_else(|| flow.local.to_string(), |a| a.sent_by.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_advertised_wildcard_stands_for_every_address_of_its_family_and_port() {
        let flow = |local: &str| Flow {
            transport: Transport::Udp,
            local: local.parse().unwrap(),
            remote: "192.0.2.9:5060".parse().unwrap(),
            connection: 0,
        };
        let advertised = |local: &str| Advertised {
            transport: Transport::Udp,
            local: local.parse().unwrap(),
            sent_by: "public.example".to_owned(),
        };
        let any = advertised("0.0.0.0:5060");
        assert!(any.covers(&flow("192.0.2.1:5060")) && any.covers(&flow("127.0.0.1:5060")));
        assert!(!any.covers(&flow("192.0.2.1:5080")), "another port");
        assert!(!any.covers(&flow("[::1]:5060")), "another family");
        let tcp = Flow { transport: Transport::Tcp, ..flow("192.0.2.1:5060") };
        assert!(!any.covers(&tcp), "another transport");
        let one = advertised("192.0.2.1:5060");
        assert!(one.covers(&flow("192.0.2.1:5060")) && !one.covers(&flow("192.0.2.2:5060")));
        let config = EndpointConfig { advertised: vec![any], ..EndpointConfig::default() };
        assert_eq!(config.sent_by(&flow("192.0.2.1:5060")), "public.example");
        assert_eq!(config.sent_by(&flow("[::1]:5060")), "[::1]:5060");
    }
}
