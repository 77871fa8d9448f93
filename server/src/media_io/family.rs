//! IPv4 over a socket of both families, where addresses are mapped (RFC 4291 §2.5.5.2).

use std::net::{IpAddr, SocketAddr};

/// An address as it came in, by its own family.
pub(super) fn canonical(address: SocketAddr) -> SocketAddr {
    match address.ip().to_canonical() {
        IpAddr::V4(ip) => (ip, address.port()).into(),
        IpAddr::V6(_) => address,
    }
}

/// An address as a socket takes it: mapped, if the socket is of IPv6.
pub(super) fn mapped(to: SocketAddr, is_v6: bool) -> SocketAddr {
    match to.ip() {
        IpAddr::V4(ip) if is_v6 => (ip.to_ipv6_mapped(), to.port()).into(),
        _ => to,
    }
}
