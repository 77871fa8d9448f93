//! Where browsers come in: the port that their audio shares, and the certificate that we show.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::Arc;

use media::dtls::Identity;
use switch::WebConfig;

use super::StartFault;
use crate::clock::Clock;
use crate::config::Config;
use crate::media_io::{Door, Neighbourhood};

/// Where browsers come in: what the switch is told of it, and what the workers are.
pub(super) struct Entry {
    pub(super) web: Arc<WebConfig>,
    at: SocketAddr,
    identity: Identity,
    elsewhere: Arc<[IpAddr]>,
}

impl Entry {
    pub(super) fn of(config: &Config, clock: Clock) -> Result<Option<Self>, StartFault> {
        let at = config.webrtc_port();
        let Some(at) = at.map_err(|e| StartFault::System(e.to_string()))? else {
            return Ok(None);
        };
        let identity = Identity::draw(clock.wall_at_zero(), clock.origin());
        let identity = identity.map_err(|error| StartFault::System(error.to_string()))?;
        let web = WebConfig {
            port: at.port(),
            advertised: config.webrtc_advertised(),
            tcp: config.webrtc.tcp,
            fingerprint: identity.fingerprint(),
        };
        let elsewhere = web.advertised.iter().copied().filter(|ip| !is_ours(*ip)).collect();
        Ok(Some(Self { web: Arc::new(web), at, identity, elsewhere }))
    }

    /// A worker's.
    pub(super) fn door(&self, neighbours: Option<Neighbourhood>) -> Door {
        let (tcp, identity) = (self.web.tcp, self.identity.clone());
        Door { at: self.at, tcp, identity, elsewhere: Arc::clone(&self.elsewhere), neighbours }
    }
}

/// Whether an address is this host's.
fn is_ours(ip: IpAddr) -> bool {
    UdpSocket::bind((ip, 0)).is_ok()
}
