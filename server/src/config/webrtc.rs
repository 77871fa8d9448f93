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
    /// The UDP port that all browsers' legs share. 0 takes a free one. By default 8189, or the one
    /// above `rtp.ports` if they hold that; a free one if those are.
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

/// The port, unless it is said or `rtp.ports` has it.
const PORT: u16 = 8189;
/// Ports tried before it is given up to find a free one.
const TRIES: usize = 50;

impl Config {
    /// The address and the port that all workers bind; none if browsers are not served.
    ///
    /// # Errors
    /// When somebody else has it. The workers would not notice each other's: they share it.
    pub(crate) fn webrtc_port(&self) -> std::io::Result<Option<SocketAddr>> {
        if !self.webrtc.enabled {
            return Ok(None);
        }
        let (address, tcp) = (self.rtp.address, self.webrtc.tcp);
        let at = SocketAddr::new(address, self.webrtc.port.unwrap_or_else(|| self.usual_port()));
        if at.port() != 0 {
            let named = |error: std::io::Error| {
                let text = format!("webrtc.port: {at} cannot be had: {error}");
                std::io::Error::new(error.kind(), text)
            };
            return look_at(at, tcp).map(|()| Some(at)).map_err(named);
        }
        for _ in 0..TRIES {
            let free = UdpSocket::bind(at)?.local_addr()?;
            if look_at(free, tcp).is_ok() {
                return Ok(Some(free));
            }
        }
        Err(std::io::Error::other("webrtc.port: there is no free port"))
    }

    /// Where nothing is said; 0, a free one, if those for RTP are free ones.
    fn usual_port(&self) -> u16 {
        match self.rtp.range() {
            Ok(Some(ports)) if ports.contains(&PORT) => ports.end().saturating_add(1),
            Ok(None) => 0,
            _ => PORT,
        }
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

/// Whether nobody has it.
fn look_at(at: SocketAddr, tcp: bool) -> std::io::Result<()> {
    UdpSocket::bind(at)?;
    if tcp {
        TcpListener::bind(at)?;
    }
    Ok(())
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
