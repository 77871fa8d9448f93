//! On what terms a leg has its media: what provisioning allows to a trunk, or to an agent's phones.

use base::TenantId;
use media::Codec;
use media::sdp::{Capabilities, Encryption};
use routing::{Directory, Dtmf, Trunk};

use super::leg::Role;

/// The codecs of phones for which nothing else is provisioned. Trunks get G.711: what a carrier
/// does beyond it is for its provisioning to say.
const OF_PHONES: [Codec; 4] = [Codec::Opus, Codec::G722, Codec::Pcma, Codec::Pcmu];

/// What may be negotiated with a leg's peer.
#[derive(Clone, Debug, Default)]
pub(super) struct Terms {
    /// The codecs it may have, best first; G.711 if empty.
    codecs: Vec<Codec>,
    encryption: Encryption,
    /// Whether its audio goes by WebRTC, and by nothing else.
    pub(super) webrtc: bool,
    /// How keys are exchanged with it.
    pub(super) dtmf: Dtmf,
    /// Whether comfort noise stands for silence.
    comfort_noise: bool,
    /// Whether it may be sent an offer so that nothing has to be converted.
    pub(super) one_codec: bool,
    /// Whether it gets the extended reports that it asks for.
    pub(super) extended_reports: bool,
}

impl Terms {
    /// What is provisioned for a side of a tenant's call.
    pub(super) fn of(directory: &Directory, tenant: &TenantId, role: &Role) -> Self {
        match role {
            Role::Agent(agent) => {
                let encryption = insisted(directory.encryption(tenant, agent));
                let codecs = known(directory.codecs(tenant, agent)).unwrap_or(OF_PHONES.to_vec());
                let agent = directory.agent(tenant, agent);
                let dtmf = agent.map(|agent| agent.dtmf).unwrap_or_default();
                let comfort_noise = agent.is_some_and(|agent| agent.comfort_noise);
                let one_codec = agent.is_none_or(|agent| agent.avoid_transcoding);
                let extended_reports = true;
                // Phones say what they are themselves, or by how they are reached.
                let webrtc = false;
                Self {
                    codecs,
                    encryption,
                    webrtc,
                    dtmf,
                    comfort_noise,
                    one_codec,
                    extended_reports,
                }
            }
            Role::Caller(trunk) | Role::Trunk(trunk) => {
                directory.trunk(trunk).map(Self::of_trunk).unwrap_or_default()
            }
        }
    }

    fn of_trunk(trunk: &Trunk) -> Self {
        let codecs = known(&trunk.codecs).unwrap_or_default();
        Self {
            codecs,
            encryption: insisted(trunk.encryption),
            webrtc: trunk.webrtc,
            dtmf: trunk.dtmf,
            comfort_noise: trunk.comfort_noise,
            one_codec: trunk.avoid_transcoding,
            extended_reports: trunk.rtcp_xr,
        }
    }

    /// What we can do, as far as the peer is to get it.
    pub(super) fn capabilities(&self) -> Capabilities {
        let telephone_event = matches!(self.dtmf, Dtmf::Auto | Dtmf::Rfc4733);
        let (encryption, comfort_noise) = (self.encryption, self.comfort_noise);
        let all =
            Capabilities { encryption, telephone_event, comfort_noise, ..Capabilities::default() };
        if self.codecs.is_empty() {
            all
        } else {
            Capabilities { codecs: self.codecs.clone(), ..all }
        }
    }
}

/// The codecs of a provisioned list, unless it is empty.
fn known(names: &[String]) -> Option<Vec<Codec>> {
    let codecs: Vec<Codec> = names.iter().filter_map(|name| Codec::from_name(name)).collect();
    (!codecs.is_empty()).then_some(codecs)
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
