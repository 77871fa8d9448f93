//! On what terms a leg has its media: what provisioning allows to a trunk, or to an agent's phones.

use base::TenantId;
use media::Codec;
use media::sdp::{Capabilities, Encryption};
use routing::{Directory, Dtmf, Trunk};

use super::leg::Role;

/// What may be negotiated with a leg's peer.
#[derive(Clone, Debug, Default)]
pub(super) struct Terms {
    /// The codecs it may have, best first; all of ours if empty.
    codecs: Vec<Codec>,
    encryption: Encryption,
    /// How keys are exchanged with it.
    pub(super) dtmf: Dtmf,
}

impl Terms {
    /// What is provisioned for a side of a tenant's call.
    pub(super) fn of(directory: &Directory, tenant: &TenantId, role: &Role) -> Self {
        match role {
            Role::Agent(agent) => {
                let encryption = insisted(directory.encryption(tenant, agent));
                let dtmf = directory.agent(tenant, agent).map(|agent| agent.dtmf);
                Self { codecs: Vec::new(), encryption, dtmf: dtmf.unwrap_or_default() }
            }
            Role::Caller(trunk) | Role::Trunk(trunk) => {
                directory.trunk(trunk).map(Self::of_trunk).unwrap_or_default()
            }
        }
    }

    fn of_trunk(trunk: &Trunk) -> Self {
        let all = [Codec::Pcmu, Codec::Pcma];
        let known = |name: &String| all.into_iter().find(|c| c.name().eq_ignore_ascii_case(name));
        let codecs = trunk.codecs.iter().filter_map(known).collect();
        Self { codecs, encryption: insisted(trunk.encryption), dtmf: trunk.dtmf }
    }

    /// What we can do, as far as the peer is to get it.
    pub(super) fn capabilities(&self) -> Capabilities {
        let telephone_event = matches!(self.dtmf, Dtmf::Auto | Dtmf::Rfc4733);
        let encryption = self.encryption;
        let all = Capabilities { encryption, telephone_event, ..Capabilities::default() };
        if self.codecs.is_empty() {
            all
        } else {
            Capabilities { codecs: self.codecs.clone(), ..all }
        }
    }
}

/// As negotiation says it: the two rooms know nothing of each other.
fn insisted(provisioned: routing::Encryption) -> Encryption {
    match provisioned {
        routing::Encryption::Off => Encryption::Off,
        routing::Encryption::Accepted => Encryption::Accepted,
        routing::Encryption::Preferred => Encryption::Preferred,
        routing::Encryption::Required => Encryption::Required,
    }
}
