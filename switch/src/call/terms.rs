//! On what terms a leg has its media: what provisioning allows to a trunk, or to an agent's phones.

use base::TenantId;
use media::Codec;
use media::sdp::{Capabilities, Encryption};
use routing::{Directory, Trunk};

use super::leg::Role;

/// What may be negotiated with a leg's peer.
#[derive(Clone, Debug, Default)]
pub(super) struct Terms {
    /// The codecs it may have, best first; all of ours if empty.
    codecs: Vec<Codec>,
    encryption: Encryption,
}

impl Terms {
    /// What is provisioned for a side of a tenant's call.
    pub(super) fn of(directory: &Directory, tenant: &TenantId, role: &Role) -> Self {
        match role {
            Role::Agent(agent) => {
                let encryption = insisted(directory.encryption(tenant, agent));
                Self { codecs: Vec::new(), encryption }
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
        Self { codecs, encryption: insisted(trunk.encryption) }
    }

    /// What we can do, as far as the peer is to get it.
    pub(super) fn capabilities(&self) -> Capabilities {
        let all = Capabilities { encryption: self.encryption, ..Capabilities::default() };
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
