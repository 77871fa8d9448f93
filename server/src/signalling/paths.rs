//! Which of our addresses we reach a peer from: sockets that are bound to all of them (0.0.0.0, ::)
//! cannot tell before they have sent, and what we tell a peer in Via, Contact and SDP must be one
//! that it can send to.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

/// Peers remembered; when there are more, the table starts anew.
const PEERS: usize = 4_096;
/// Routes and addresses may change under us: after this time the kernel is asked again.
const LIFE: Duration = Duration::from_secs(60);

/// The kernel's answers, by peer.
pub(super) struct Paths {
    known: BTreeMap<IpAddr, IpAddr>,
    since: Instant,
}

impl Paths {
    pub(super) fn new() -> Self {
        Self { known: BTreeMap::new(), since: Instant::now() }
    }

    /// Our address towards a peer; `None` when the kernel has no way to it, or none now.
    pub(super) fn toward(&mut self, peer: IpAddr) -> Option<IpAddr> {
        if self.known.len() >= PEERS || self.since.elapsed() >= LIFE {
            self.known.clear();
            self.since = Instant::now();
        }
        if let Some(own) = self.known.get(&peer) {
            return Some(*own);
        }
        let own = asked(peer).ok()?;
        self.known.insert(peer, own);
        Some(own)
    }
}

/// Connecting a UDP socket sends nothing; it asks the routing table.
fn asked(peer: IpAddr) -> std::io::Result<IpAddr> {
    let any = match peer {
        IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
    };
    let socket = UdpSocket::bind((any, 0))?;
    // Any port but 0 will do.
    socket.connect(SocketAddr::new(peer, 9))?;
    Ok(socket.local_addr()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_peer_on_loopback_reaches_us_on_loopback() {
        let mut paths = Paths::new();
        assert_eq!(paths.toward(ip("127.0.0.2")), Some(ip("127.0.0.1")));
        assert_eq!(paths.toward(ip("127.0.0.1")), Some(ip("127.0.0.1")));
        // Where there is no IPv6 at all, there is no way.
        assert!(paths.toward(ip("::1")).is_none_or(|own| own == ip("::1")));
    }

    #[test]
    fn however_many_peers_there_are_the_table_stays_bounded() {
        let mut paths = Paths::new();
        for n in 0..=u16::try_from(PEERS).unwrap() {
            let [high, low] = n.to_be_bytes();
            paths.toward(IpAddr::from([127, 1, high, low]));
        }
        assert_eq!(paths.known.len(), 1);
    }
}
