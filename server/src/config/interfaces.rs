//! Addresses of ours for the audio of some peers: which ports, and for whom.

use std::net::IpAddr;
use std::ops::RangeInclusive;

use routing::Network;
use serde::Deserialize;

use super::{ConfigFault, Place, Rtp};

/// An address for the audio of peers whose signalling comes from some networks.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Interface {
    /// The address that sockets bind.
    pub address: IpAddr,
    /// What SDP tells these peers; without, `address`.
    pub advertised: Option<IpAddr>,
    /// Ports of its own: `"30000-34999"`.
    pub ports: String,
    /// Where the signalling of these peers comes from: addresses and blocks.
    pub networks: Vec<String>,
}

impl Interface {
    /// Its ports, if they were checked.
    pub(crate) fn range(&self) -> Option<RangeInclusive<u16>> {
        super::rules::range(&self.ports).ok()
    }

    /// Its networks, those that can be read.
    pub(crate) fn blocks(&self) -> Vec<Network> {
        self.networks.iter().filter_map(|text| text.parse().ok()).collect()
    }
}

/// The longest that packets may gather, in microseconds: a quarter of a packet of 20 ms.
const LONGEST_GATHERING: u16 = 5_000;
/// Those of setpriority(2).
const NICE_LEVELS: RangeInclusive<i8> = -20..=19;
/// The highest class of service: six bits.
const HIGHEST_DSCP: u8 = 63;

pub(super) fn check(rtp: &Rtp, place: &Place<'_>) -> Result<(), ConfigFault> {
    let fault = |key: &str, problem: String, cure: &str| {
        Err(ConfigFault::of_key(place, key, problem, cure))
    };
    if rtp.dscp > HIGHEST_DSCP {
        let problem = format!("{} is no class of service", rtp.dscp);
        return fault("rtp.dscp", problem, "write 0 to 63; 46 is expedited forwarding");
    }
    if rtp.gather_us > LONGEST_GATHERING {
        let problem = format!("{} is too long: every packet may be as late", rtp.gather_us);
        return fault("rtp.gather_us", problem, "write 0 to 5000; 0 is never");
    }
    if !NICE_LEVELS.contains(&rtp.nice) {
        let problem = format!("{} is no nice level", rtp.nice);
        return fault(
            "rtp.nice",
            problem,
            "write -20 to 19; less goes before more, 0 is as others",
        );
    }
    let key = "rtp.interfaces";
    let mut taken = Vec::new();
    match rtp.range() {
        Ok(Some(range)) => taken.push(range),
        Ok(None) if !rtp.interfaces.is_empty() => {
            let problem = "interfaces need to know which ports are not theirs".to_owned();
            return fault("rtp.ports", problem, "write a range such as \"20000-29999\"");
        }
        _ => {}
    }
    for interface in &rtp.interfaces {
        let address = interface.address;
        if address.is_unspecified() {
            let problem = format!("{address} is every address");
            return fault(key, problem, "write one of this machine's own addresses");
        }
        let range = match super::rules::range(&interface.ports) {
            Ok(range) => range,
            Err(problem) => return fault(key, problem, "write \"30000-34999\""),
        };
        if taken.iter().any(|other| other.start() <= range.end() && range.start() <= other.end()) {
            let problem = format!("{} are ports of another address, too", interface.ports);
            return fault(key, problem, "give each address ports of its own");
        }
        taken.push(range);
        if interface.networks.is_empty() {
            let problem = format!("nobody is to use {address}");
            return fault(key, problem, "write the peers' networks = [\"10.0.0.0/8\"]");
        }
        for text in &interface.networks {
            if let Err(error) = text.parse::<Network>() {
                return fault(key, error.to_string(), "write a block such as \"10.0.0.0/8\"");
            }
        }
    }
    Ok(())
}
