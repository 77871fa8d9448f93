//! Flow tokens (RFC 5626 §5.2): a flow written into the user part of a Path or Record-Route URI of
//! our own, so that a request that comes back with it finds the flow without any table. Signed,
//! so that nobody can make one up and reach other people's connections.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use base::Rng;
use ring::hmac;

use crate::{Flow, Transport};

/// As much of the signature as a token carries, in bytes.
const MAC: usize = 16;

/// Makes tokens and reads them back. Tokens of one life of the program mean nothing in the next:
/// neither do its connections.
#[derive(Debug)]
pub struct FlowTokens {
    key: hmac::Key,
}

impl FlowTokens {
    /// With a secret of its own.
    #[must_use]
    pub fn new(rng: &mut Rng) -> Self {
        let mut secret = [0; 32];
        rng.fill(&mut secret);
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, &secret) }
    }

    /// The token of a flow: lower-case hexadecimal digits, fit for a user part.
    #[must_use]
    pub fn encode(&self, flow: &Flow) -> String {
        let bytes = written(flow);
        let mac = hmac::sign(&self.key, &bytes);
        let signed = mac.as_ref().iter().take(MAC).chain(&bytes);
        signed.fold(String::with_capacity(2 * (MAC + bytes.len())), |mut text, byte| {
            _ = write!(text, "{byte:02x}");
            text
        })
    }

    /// The flow of a token that this value made; none of any other text.
    #[must_use]
    pub fn decode(&self, token: &str) -> Option<Flow> {
        if token.len() > 256 || !token.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return None;
        }
        let (pairs, []) = token.as_bytes().as_chunks::<2>() else { return None };
        let bytes: Option<Vec<u8>> = pairs
            .iter()
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok())
            .collect();
        let bytes = bytes?;
        let (mac, flow) = bytes.split_at_checked(MAC)?;
        let right = hmac::sign(&self.key, flow);
        let right = right.as_ref().get(..MAC)?;
        bool::from(subtle::ConstantTimeEq::ct_eq(mac, right)).then(|| read(flow)).flatten()
    }
}

fn written(flow: &Flow) -> Vec<u8> {
    let transport = Transport::ALL.iter().position(|one| *one == flow.transport).unwrap_or(0);
    let mut bytes = vec![u8::try_from(transport).unwrap_or(0)];
    for end in [flow.local, flow.remote] {
        match end.ip() {
            IpAddr::V4(v4) => {
                bytes.push(4);
                bytes.extend(v4.octets());
            }
            IpAddr::V6(v6) => {
                bytes.push(6);
                bytes.extend(v6.octets());
            }
        }
        bytes.extend(end.port().to_be_bytes());
    }
    bytes.extend(flow.connection.to_be_bytes());
    bytes
}

fn read(bytes: &[u8]) -> Option<Flow> {
    let (&transport, rest) = bytes.split_first()?;
    let transport = *Transport::ALL.get(usize::from(transport))?;
    let (local, rest) = end(rest)?;
    let (remote, rest) = end(rest)?;
    let connection = u64::from_be_bytes(rest.try_into().ok()?);
    Some(Flow { transport, local, remote, connection })
}

fn end(bytes: &[u8]) -> Option<(SocketAddr, &[u8])> {
    let (ip, rest) = match bytes.split_first()? {
        (4, rest) => {
            let (octets, rest) = rest.split_first_chunk::<4>()?;
            (IpAddr::V4(Ipv4Addr::from(*octets)), rest)
        }
        (6, rest) => {
            let (octets, rest) = rest.split_first_chunk::<16>()?;
            (IpAddr::V6(Ipv6Addr::from(*octets)), rest)
        }
        _ => return None,
    };
    let (port, rest) = rest.split_first_chunk()?;
    Some((SocketAddr::new(ip, u16::from_be_bytes(*port)), rest))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by it")]

    use super::*;

    fn flows() -> Vec<Flow> {
        let flow = |transport, local: &str, remote: &str, connection| Flow {
            transport,
            local: local.parse().unwrap(),
            remote: remote.parse().unwrap(),
            connection,
        };
        vec![
            flow(Transport::Udp, "192.0.2.1:5060", "198.51.100.7:5080", 0),
            flow(Transport::Wss, "[2001:db8::1]:443", "[2001:db8::2]:40123", u64::MAX),
        ]
    }

    #[test]
    fn a_token_leads_back_to_its_flow_and_fits_into_a_user_part() {
        let tokens = FlowTokens::new(&mut Rng::from_seed(1));
        for flow in flows() {
            let token = tokens.encode(&flow);
            assert_eq!(tokens.decode(&token), Some(flow));
            let uri = crate::UriBuf::sip(Some(&token), "edge.example").unwrap();
            assert_eq!(uri.as_uri().user(), Some(&*token));
        }
    }

    #[test]
    fn a_token_that_was_changed_cut_or_made_elsewhere_leads_nowhere() {
        let tokens = FlowTokens::new(&mut Rng::from_seed(1));
        let other = FlowTokens::new(&mut Rng::from_seed(2));
        for flow in flows() {
            let token = tokens.encode(&flow);
            assert_eq!(other.decode(&token), None);
            for at in 0..token.len() {
                let mut forged = token.clone().into_bytes();
                forged[at] = if forged[at] == b'0' { b'1' } else { b'0' };
                assert_eq!(tokens.decode(std::str::from_utf8(&forged).unwrap()), None);
                assert_eq!(tokens.decode(&token[..at]), None);
            }
            assert_eq!(tokens.decode(&token.to_uppercase()), None);
            assert_eq!(tokens.decode(&format!("{token}00")), None);
        }
        assert_eq!(tokens.decode("é"), None);
    }
}
