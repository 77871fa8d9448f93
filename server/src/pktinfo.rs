//! Sockets that are bound to all addresses: which of ours a datagram came to, and from which one
//! leaves what is sent (`IP_PKTINFO`, ip(7); `IPV6_PKTINFO`, RFC 3542 §6).

use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsFd;

use nix::libc::{in_addr, in_pktinfo, in6_addr, in6_pktinfo};
use nix::sys::socket::sockopt::{Ipv4PacketInfo, Ipv6RecvPacketInfo};
use nix::sys::socket::{ControlMessage, ControlMessageOwned, setsockopt};

/// Lets a socket say with each datagram which address of ours it came to.
///
/// # Errors
/// The system's, if it cannot.
pub(crate) fn ask(socket: &impl AsFd, of: SocketAddr) -> std::io::Result<()> {
    match of {
        SocketAddr::V4(_) => setsockopt(socket, Ipv4PacketInfo, &true)?,
        // Of IPv4 too, if it carries that.
        SocketAddr::V6(_) => setsockopt(socket, Ipv6RecvPacketInfo, &true)?,
    }
    Ok(())
}

/// Our address that a datagram came to, if that is what the kernel says.
pub(crate) fn came_to(said: &ControlMessageOwned) -> Option<IpAddr> {
    match said {
        ControlMessageOwned::Ipv4PacketInfo(to) => {
            Some(IpAddr::from(to.ipi_spec_dst.s_addr.to_ne_bytes()))
        }
        ControlMessageOwned::Ipv6PacketInfo(to) => {
            Some(IpAddr::from(to.ipi6_addr.s6_addr).to_canonical())
        }
        _ => None,
    }
}

/// From which address of ours something leaves, by whichever interface.
pub(crate) enum LeavesFrom {
    V4(in_pktinfo),
    V6(in6_pktinfo),
}

impl LeavesFrom {
    /// Over a socket of IPv6 IPv4's addresses are mapped.
    pub(crate) fn address(own: IpAddr, is_v6: bool) -> Self {
        let own = match own {
            IpAddr::V4(own) if is_v6 => own.to_ipv6_mapped().into(),
            own => own,
        };
        match own {
            IpAddr::V4(own) => Self::V4(in_pktinfo {
                ipi_ifindex: 0,
                ipi_spec_dst: in_addr { s_addr: u32::from_ne_bytes(own.octets()) },
                ipi_addr: in_addr { s_addr: 0 },
            }),
            IpAddr::V6(own) => Self::V6(in6_pktinfo {
                ipi6_addr: in6_addr { s6_addr: own.octets() },
                ipi6_ifindex: 0,
            }),
        }
    }

    /// As the kernel is told.
    pub(crate) fn told(&self) -> ControlMessage<'_> {
        match self {
            Self::V4(from) => ControlMessage::Ipv4PacketInfo(from),
            Self::V6(from) => ControlMessage::Ipv6PacketInfo(from),
        }
    }
}
