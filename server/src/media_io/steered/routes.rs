//! Which of our addresses packets to somebody leave from, when all of them are bound.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Packets after which the kernel is asked again: ten seconds of audio. Routes change.
const LASTS: u16 = 500;
/// Any port: nothing is sent there.
const DISCARD: u16 = 9;

/// An answer of the kernel's.
#[derive(Debug)]
pub(super) struct Route {
    to: IpAddr,
    from: IpAddr,
    left: u16,
}

impl Route {
    /// Asks the kernel; none when there is no way to `to`.
    pub(super) fn find(to: SocketAddr) -> Option<Self> {
        let any: IpAddr = match to {
            SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
            SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
        };
        let socket = UdpSocket::bind((any, 0)).ok()?;
        let mut there = to;
        there.set_port(DISCARD);
        socket.connect(there).ok()?;
        let from = socket.local_addr().ok()?.ip();
        Some(Self { to: to.ip(), from, left: LASTS })
    }

    pub(super) fn from(&self) -> IpAddr {
        self.from
    }

    /// The same answer again, while it is about the same peer and not too old.
    pub(super) fn towards(&mut self, to: SocketAddr) -> Option<IpAddr> {
        self.left = self.left.checked_sub(1)?;
        (self.to == to.ip()).then_some(self.from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_names_the_address_and_is_asked_again_for_others_and_after_a_while() {
        let to: SocketAddr = "127.0.0.1:4000".parse().unwrap();
        let mut route = Route::find(to).unwrap();
        assert_eq!(route.from(), to.ip());
        assert_eq!(route.towards("127.0.0.1:5000".parse().unwrap()), Some(to.ip()));
        assert_eq!(route.towards("127.0.0.2:4000".parse().unwrap()), None);
        let more = (0..2 * LASTS).filter(|_| route.towards(to).is_some()).count();
        assert_eq!(more, usize::from(LASTS) - 2);
    }
}
