//! A request that might not fit into a datagram goes over a stream if it can (RFC 3261 §18.1.1).

use sip::resolve::Hop;
use sip::{Transport, Uri};

/// The longest request that goes over UDP while there is another way: the RFC's bound for paths
/// whose MTU nobody knows.
const LONGEST_DATAGRAM: usize = 1300;
/// What the transport adds to a request before it is sent: Via with its branch, Max-Forwards,
/// User-Agent.
const STILL_TO_COME: usize = 200;

/// The hops to try for a request of that size: before each datagram hop the same address over TCP,
/// if the request is long, TCP is allowed, and the URI does not insist on UDP. The datagram hop
/// stays behind it, for servers that have no TCP.
pub(super) fn for_size(hops: Vec<Hop>, size: usize, uri: &Uri<'_>, tcp: bool) -> Vec<Hop> {
    if size + STILL_TO_COME <= LONGEST_DATAGRAM || !tcp || uri.param("transport").is_some() {
        return hops;
    }
    let over_stream = |hop: Hop| {
        let stream = (hop.transport == Transport::Udp)
            .then(|| Hop { transport: Transport::Tcp, ..hop.clone() });
        stream.into_iter().chain([hop])
    };
    let mut longer: Vec<Hop> = hops.into_iter().flat_map(over_stream).collect();
    let mut seen = std::collections::BTreeSet::new();
    longer.retain(|hop| seen.insert(hop.clone()));
    longer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hop(transport: Transport) -> Hop {
        Hop { transport, remote: "192.0.2.1:5060".parse().unwrap(), server_name: None }
    }

    #[test]
    fn a_long_request_tries_tcp_before_each_datagram_hop() {
        let uri = Uri::parse("sip:carrier.example").unwrap();
        let udp = vec![hop(Transport::Udp)];
        let both = vec![hop(Transport::Tcp), hop(Transport::Udp)];
        assert_eq!(for_size(udp.clone(), 1101, &uri, true), both);
        assert_eq!(for_size(both.clone(), 1101, &uri, true), both);
        assert_eq!(for_size(udp.clone(), 1100, &uri, true), udp);
        assert_eq!(for_size(udp.clone(), 4000, &uri, false), udp);
        let insists = Uri::parse("sip:carrier.example;transport=udp").unwrap();
        assert_eq!(for_size(udp.clone(), 4000, &insists, true), udp);
    }
}
