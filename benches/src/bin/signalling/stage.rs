//! A target, the generator's sockets around it, and agents that are registered.

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use crate::calls::{CALLER, Calls, Plan};
use crate::messages::{Audio, tenant_number};
use crate::phones::Phones;
use crate::targets::{Kind, Provision, Target};
use crate::wire::Wire;

/// Where all calls come from: the trunk.
const CARRIER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
/// Agents are behind so many addresses: what one source may do is limited.
const OFFICES: u8 = 16;

/// Everything a part needs.
pub(crate) struct Stage {
    pub(crate) target: Target,
    pub(crate) wire: Wire,
    pub(crate) calls: Calls,
    pub(crate) phones: Phones,
}

impl Stage {
    /// Starts a target; agents are not registered yet.
    pub(crate) fn set(
        kind: Kind,
        strowger: &Path,
        provision: &Provision,
        audio: Audio,
    ) -> Result<Self, String> {
        let mut wire = Wire::new();
        wire.add(CARRIER)?;
        let offices = if kind == Kind::Strowger { OFFICES } else { 1 };
        let offices = (1..=offices).map(|last| wire.add(Ipv4Addr::new(127, 0, 1, last).into()));
        let offices = offices.collect::<Result<Vec<_>, _>>()?;
        let callee = wire.local(offices[0]);
        let target = Target::start(kind, strowger, provision, callee)?;
        wire.connect(CALLER, target.sip)?;
        let callees_peer = if kind == Kind::Direct { wire.local(CALLER) } else { target.sip };
        for office in &offices {
            wire.connect(*office, callees_peer)?;
        }
        let plan = Plan {
            server: target.sip,
            numbers: (0..provision.tenants).map(tenant_number).collect(),
            own_callees: kind != Kind::Sipp,
            audio,
        };
        let phones = Phones::new(provision.agents, provision.tenants, &offices);
        Ok(Self { target, wire, calls: Calls::new(plan), phones })
    }

    /// Registers every agent, once; what must not fail here fails everything.
    pub(crate) fn register_all(&mut self, agents: usize) -> Result<(), String> {
        let outcome = self.phones.register(&mut self.wire, 0, agents, f64::INFINITY);
        if outcome.succeeded == agents {
            return Ok(());
        }
        Err(format!("{} of {agents} agents could not register", agents - outcome.succeeded))
    }
}
