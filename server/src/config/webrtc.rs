//! `[webrtc]`: how browsers reach our audio.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, UdpSocket};

use serde::Deserialize;

use super::{Config, ConfigFault, Place};

/// How browsers reach our audio.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Webrtc {
    /// Whether phones that come over WebSocket are taken for browsers.
    pub enabled: bool,
    /// The UDP port that all browsers' legs of a media worker share; each further worker has the
    /// next one. 0 takes free ones. By default the one above `rtp.ports`, or free ones if those
    /// are.
    pub port: Option<u16>,
    /// What browsers are told to send to (NAT), the best first. By default `rtp.advertised`, or
    /// the address of ours that the browser's signalling reached.
    pub advertised: Vec<IpAddr>,
    /// Whether browsers in networks that block UDP may come over TCP to the same port.
    pub tcp: bool,
}

impl Default for Webrtc {
    fn default() -> Self {
        Self { enabled: true, port: None, advertised: Vec::new(), tcp: true }
    }
}

/// Ports tried before it is given up to find free ones.
const TRIES: usize = 50;

impl Config {
    /// The address that the shared ports bind, with the first of them; none if browsers are not
    /// served.
    ///
    /// # Errors
    /// When there are not so many free ports side by side.
    pub(crate) fn webrtc_ports(&self, workers: usize) -> std::io::Result<Option<SocketAddr>> {
        if !self.webrtc.enabled {
            return Ok(None);
        }
        let address = self.rtp.address;
        let above = || self.rtp.range().ok()??.end().checked_add(1);
        let port = self.webrtc.port.or_else(above).unwrap_or(0);
        if port != 0 {
            return Ok(Some(SocketAddr::new(address, port)));
        }
        for _ in 0..TRIES {
            let probe = UdpSocket::bind(SocketAddr::new(address, 0))?;
            let first = probe.local_addr()?;
            drop(probe);
            let is_free = |n: usize| {
                let port = u16::try_from(n).ok().and_then(|n| first.port().checked_add(n));
                let at = port.map(|port| SocketAddr::new(address, port));
                at.is_some_and(|at| UdpSocket::bind(at).is_ok() && TcpListener::bind(at).is_ok())
            };
            if (0..workers).all(is_free) {
                return Ok(Some(first));
            }
        }
        Err(std::io::Error::other("no free ports for webrtc side by side"))
    }

    /// What candidates name; nothing: our own end of the signalling.
    pub(crate) fn webrtc_advertised(&self) -> Vec<IpAddr> {
        if self.webrtc.advertised.is_empty() {
            self.rtp.shown(self.sip.advertised).into_iter().collect()
        } else {
            self.webrtc.advertised.clone()
        }
    }
}

pub(super) fn check(config: &Config, place: &Place<'_>) -> Result<(), ConfigFault> {
    let nowhere = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
    if config.webrtc.advertised.iter().any(|ip| nowhere.contains(ip)) {
        let problem = "no browser can send to all addresses at once".to_owned();
        let cure = "write the address that browsers reach, or leave it out";
        return Err(ConfigFault::of_key(place, "webrtc.advertised", problem, cure));
    }
    Ok(())
}
