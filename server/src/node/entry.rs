//! Where browsers come in: the ports that their audio shares, and the certificate that we show.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use media::WorkerId;
use media::dtls::Identity;
use switch::WebConfig;

use super::StartFault;
use crate::clock::Clock;
use crate::config::Config;
use crate::media_io::Door;

/// Where browsers come in: what the switch is told of it, and what the workers are.
pub(super) struct Entry {
    pub(super) web: Arc<WebConfig>,
    address: IpAddr,
    identity: Identity,
}

impl Entry {
    pub(super) fn of(
        config: &Config,
        clock: Clock,
        workers: usize,
    ) -> Result<Option<Self>, StartFault> {
        let first = config.webrtc_ports(workers);
        let Some(first) = first.map_err(|e| StartFault::System(e.to_string()))? else {
            return Ok(None);
        };
        let identity = Identity::draw(clock.wall_at_zero(), clock.origin());
        let identity = identity.map_err(|error| StartFault::System(error.to_string()))?;
        let web = WebConfig {
            first_port: first.port(),
            advertised: config.webrtc_advertised(),
            tcp: config.webrtc.tcp,
            fingerprint: identity.fingerprint(),
        };
        Ok(Some(Self { web: Arc::new(web), address: first.ip(), identity }))
    }

    /// A worker's.
    pub(super) fn door(&self, worker: WorkerId) -> Door {
        Door {
            at: SocketAddr::new(self.address, self.web.port(worker)),
            tcp: self.web.tcp,
            identity: self.identity.clone(),
        }
    }
}
