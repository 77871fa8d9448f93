//! The ordinary sockets that keep a pair of ports ours. Nothing comes in through them: the kernel's
//! program is asked first.

use std::io::Result;
use std::net::{IpAddr, SocketAddr, UdpSocket};

use media::Port;
use rustix::net::{SendFlags, sendto};

use crate::media_io::family::mapped;
use crate::media_io::sockets::bind;

/// Nothing waits here; the kernel makes it as small as it likes.
const SMALLEST: usize = 0;

/// RTP's and RTCP's.
pub(super) struct Reserved {
    is_v6: bool,
    rtp: UdpSocket,
    rtcp: UdpSocket,
}

impl Reserved {
    /// # Errors
    /// When another process has one of the ports, or there is no file descriptor left.
    pub(super) fn bind(address: IpAddr, port: u16, class: u32) -> Result<Self> {
        let rtp = bind(SocketAddr::new(address, port), class, SMALLEST)?;
        let rtcp = bind(SocketAddr::new(address, port | 1), class, SMALLEST)?;
        Ok(Self { is_v6: address.is_ipv6(), rtp, rtcp })
    }

    /// Sends what no raw socket takes. False when this one does not, either.
    pub(super) fn send(&self, port: Port, to: SocketAddr, bytes: &[u8]) -> bool {
        let socket = match port {
            Port::Rtp => &self.rtp,
            Port::Rtcp => &self.rtcp,
            Port::Shared(_) | Port::Stream => return false,
        };
        sendto(socket, bytes, SendFlags::empty(), &mapped(to, self.is_v6)).is_ok()
    }
}
