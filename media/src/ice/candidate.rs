//! Candidates (RFC 8445 §5.1, RFC 8839 §5.1): addresses at which a far end may be reached, as its
//! SDP writes them, and which of them are checked at all.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

/// Candidates of one far end that are looked at, and those that are checked.
const LOOKED_AT: usize = 64;
pub(super) const MOST: usize = 16;
/// The longest foundation (RFC 8839 §5.1).
const MAX_FOUNDATION: usize = 32;
/// Type preferences (RFC 8445 §5.1.2.1): of a host candidate, of one learned by a check.
const HOST: u32 = 126;
const PEER_REFLEXIVE: u32 = 110;
/// Where RTP, and with rtcp-mux RTCP too, goes (RFC 8839 §5.1).
const COMPONENT: u32 = 1;

/// An address over UDP at which a far end may be reached.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Candidate {
    /// Where.
    pub address: SocketAddr,
    /// How much the far end likes it.
    pub priority: u32,
    /// The same for those that work alike, if they do.
    pub foundation: Box<str>,
}

/// What it takes to check the way to a far end, as its SDP says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reach {
    /// `a=ice-pwd`: the key of our checks, and of its answers to them.
    pub password: Box<str>,
    /// `a=ice-lite`: it checks nothing itself.
    pub lite: bool,
    /// Where it may be.
    pub candidates: Vec<Candidate>,
    /// Which of our own addresses it is checked from.
    pub from: Origins,
}

/// Of our own candidates over IPv4, and over IPv6, the best one; without any, that family is not
/// ours.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Origins {
    v4: Option<Origin>,
    v6: Option<Origin>,
}

/// A candidate of ours that checks leave from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Origin {
    /// Its place among ours, the best first.
    pub(super) place: u32,
    /// The address that the far end was told.
    pub(super) address: IpAddr,
}

impl Origins {
    /// Of these candidates.
    #[must_use]
    pub fn of(addresses: &[SocketAddr]) -> Self {
        let first = |is_wanted: fn(&SocketAddr) -> bool| {
            let (place, at) = (0..).zip(addresses).find(|(_, at)| is_wanted(at))?;
            Some(Origin { place, address: at.ip() })
        };
        Self { v4: first(SocketAddr::is_ipv4), v6: first(SocketAddr::is_ipv6) }
    }

    /// The one that an address is checked from.
    pub(super) fn towards(&self, address: SocketAddr) -> Option<Origin> {
        if address.is_ipv4() { self.v4 } else { self.v6 }
    }
}

impl Candidate {
    /// Reads the value of one `a=candidate`. `None` of what cannot be checked: another component
    /// than RTP's, another transport than UDP, a name in place of an address (mDNS among them), or
    /// no candidate at all. What stands behind the type (`raddr`, extensions) does not matter.
    pub(crate) fn parse(value: &str) -> Option<Self> {
        let mut words = value.split_ascii_whitespace();
        let foundation = words.next()?;
        let component: u32 = words.next()?.parse().ok()?;
        let transport = words.next()?;
        let priority: u32 = words.next()?.parse().ok()?;
        let ip: IpAddr = words.next()?.parse().ok()?;
        let port: u16 = words.next()?.parse().ok()?;
        let is_typed = words.next() == Some("typ") && words.next().is_some();
        let is_ours = component == COMPONENT && transport.eq_ignore_ascii_case("udp");
        let is_whole = is_typed && (1..=MAX_FOUNDATION).contains(&foundation.len()) && priority > 0;
        let address = SocketAddr::new(ip.to_canonical(), port);
        let foundation = foundation.into();
        (is_ours && is_whole).then_some(Self { address, priority, foundation })
    }

    /// Those of a section that can be checked, the best first.
    pub(crate) fn read_all<'a>(values: impl Iterator<Item = &'a str>) -> Vec<Self> {
        let mut known: Vec<Self> = Vec::new();
        for candidate in values.take(LOOKED_AT).filter_map(Self::parse) {
            if !known.iter().any(|one| one.address == candidate.address) {
                known.push(candidate);
            }
        }
        known.sort_by_key(|candidate| std::cmp::Reverse(candidate.priority));
        known.truncate(MOST);
        known
    }
}

impl Reach {
    /// Leaves out what a far end whose signalling comes from `host` has no business to have
    /// checked: its description could make us knock at others' doors within our own network.
    pub fn keep_within(&mut self, host: IpAddr) {
        self.candidates.retain(|candidate| may_check(candidate.address, host));
    }
}

/// Whether an address may be checked for a far end whose signalling comes from there. What a host
/// has for itself (loopback) is for those on the same host, what a network has for itself
/// (RFC 1918, RFC 4193) for those within one.
fn may_check(address: SocketAddr, host: IpAddr) -> bool {
    let (ip, host) = (address.ip(), host.to_canonical());
    let is_never = ip.is_unspecified() || ip.is_multicast() || is_local_link(ip);
    if is_never || ip == Ipv4Addr::BROADCAST || address.port() == 0 {
        return false;
    }
    if ip.is_loopback() {
        return host.is_loopback();
    }
    !is_private(ip) || is_private(host) || host.is_loopback()
}

fn is_local_link(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

fn is_private(ip: IpAddr) -> bool {
    match ip {
        // RFC 1918, and what carriers have for themselves (RFC 6598).
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            ip.is_private() || (a == 100 && b & 0xc0 == 64)
        }
        IpAddr::V6(ip) => ip.is_unique_local(),
    }
}

/// The priority of a candidate of ours at the port that all share: its address's place among ours,
/// the best first.
pub(crate) fn host_priority(place: u32) -> u32 {
    priority(HOST, place)
}

/// The priority that it has for a far end that learns of it by a check.
pub(crate) fn reflexive_priority(place: u32) -> u32 {
    priority(PEER_REFLEXIVE, place)
}

fn priority(preference: u32, place: u32) -> u32 {
    (preference << 24) + (65_535_u32.saturating_sub(place) << 8) + (256 - COMPONENT)
}

/// The priority of a pair (RFC 8445 §6.1.2.3): of the controlling end's candidate and of the
/// controlled one's.
pub(super) fn pair_priority(controlling: u32, controlled: u32) -> u64 {
    let (least, most) = (controlling.min(controlled), controlling.max(controlled));
    (u64::from(least) << 32) + 2 * u64::from(most) + u64::from(controlling > controlled)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_candidate_is_read_whatever_stands_behind_its_type() {
        for (text, address) in [
            ("1 1 UDP 2130706431 203.0.113.5 30000 typ host", "203.0.113.5:30000"),
            ("Hab/+ 1 udp 7 2001:db8::5 9 typ host", "[2001:db8::5]:9"),
            ("1 1 udp 7 ::ffff:192.0.2.1 9 typ host", "192.0.2.1:9"),
            (
                "2 1 udp 1694498815 192.0.2.3 45664 typ srflx raddr 10.0.1.1 rport 8998",
                "192.0.2.3:45664",
            ),
            ("3 1 udp 5 192.0.2.9 1 typ relay raddr 0.0.0.0 rport 0", "192.0.2.9:1"),
            ("4 1 udp 5 192.0.2.9 1 typ host generation 0 ufrag x network-id 1", "192.0.2.9:1"),
            ("5 1 udp 5 192.0.2.9 1 typ weird what ever", "192.0.2.9:1"),
        ] {
            assert_eq!(Candidate::parse(text).unwrap().address, address.parse().unwrap());
        }
    }

    #[test]
    fn what_cannot_be_checked_is_passed_over() {
        for text in [
            "",
            "1 1 udp 1 192.0.2.1 9",
            "1 1 udp 1 192.0.2.1 9 type host",
            "1 2 udp 1 192.0.2.1 9 typ host",
            "1 1 tcp 1 192.0.2.1 9 typ host tcptype passive",
            "1 1 dccp 1 192.0.2.1 9 typ host",
            "1 1 udp 1 9b36eaac-bb2e-49bb-bb78-21c41c499900.local 50000 typ host",
            "1 1 udp 1 host.example 50000 typ host",
            "1 1 udp 4294967296 192.0.2.1 9 typ host",
            "1 1 udp 0 192.0.2.1 9 typ host",
            "1 1 udp 1 192.0.2.1 65536 typ host",
            "123456789012345678901234567890123 1 udp 1 192.0.2.1 9 typ host",
        ] {
            assert_eq!(Candidate::parse(text), None, "{text}");
        }
    }

    #[test]
    fn no_more_than_sixteen_are_kept_the_best_of_them_and_each_address_once() {
        let lines: Vec<String> = (1..=40)
            .map(|n| format!("{n} 1 udp {} 192.0.2.{} 9 typ host", 100 + n, n.min(30)))
            .collect();
        let kept = Candidate::read_all(lines.iter().map(String::as_str));
        assert_eq!(kept.len(), MOST);
        assert!(kept.windows(2).all(|two| two[0].priority > two[1].priority));
        assert_eq!(kept[0].address, "192.0.2.30:9".parse().unwrap());
    }

    #[test]
    fn nobody_makes_us_knock_at_doors_within_our_own_network() {
        let public = "203.0.113.5:5";
        for (candidate, host, may) in [
            (public, "198.51.100.1", true),
            ("10.0.0.1:5", "198.51.100.1", false),
            ("100.64.0.1:5", "198.51.100.1", false),
            ("192.168.1.1:5", "10.1.1.1", true),
            ("[fd00::1]:5", "2001:db8::1", false),
            ("[fd00::1]:5", "10.1.1.1", true),
            ("127.0.0.1:5", "10.1.1.1", false),
            ("127.0.0.1:5", "127.0.0.1", true),
            ("[::1]:5", "127.0.0.1", true),
            ("10.0.0.1:5", "127.0.0.1", true),
            ("169.254.169.254:80", "169.254.1.1", false),
            ("[fe80::1]:5", "127.0.0.1", false),
            ("224.0.0.1:5", "127.0.0.1", false),
            ("255.255.255.255:5", "127.0.0.1", false),
            ("0.0.0.0:5", "127.0.0.1", false),
            ("203.0.113.5:0", "127.0.0.1", false),
        ] {
            let (address, host) = (candidate.parse().unwrap(), host.parse().unwrap());
            assert_eq!(may_check(address, host), may, "{candidate} of {host}");
        }
    }

    #[test]
    fn priorities_are_those_of_the_formula() {
        assert_eq!(host_priority(0), 2_130_706_431);
        assert_eq!(reflexive_priority(0), 1_862_270_975);
        assert_eq!(pair_priority(2, 1), (1 << 32) + 4 + 1);
        assert_eq!(pair_priority(1, 2), (1 << 32) + 4);
    }
}
