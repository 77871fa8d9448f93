//! What SDP says between a browser and us (RFC 8829, RFC 8839, RFC 8842): ICE, DTLS, and that RTP
//! and RTCP, and all sections, share one port. Candidates of browsers are of no use while we are
//! lite: they check us.

use std::fmt::Write;
use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::NegotiationError;
use super::lines::Attribute;
use super::parse::{attribute, values};
use crate::dtls::{DtlsRole, Fingerprint};
use crate::ice::{Candidate, Credentials, Origins, Reach, host_priority};
use crate::{Direction, Peer};

/// The protocol of browsers' sections.
pub(super) const PROTO: &str = "UDP/TLS/RTP/SAVPF";
/// How long a fragment and a password may be (RFC 8839 §5.4).
const FRAGMENTS: RangeInclusive<usize> = 4..=256;
const PASSWORDS: RangeInclusive<usize> = 22..=256;
/// Fingerprints of one section that are looked at.
const MAX_FINGERPRINTS: usize = 8;
/// Priority of a host candidate over TCP, less liked than over UDP (RFC 8445 §5.1.2.1, RFC 6544
/// §4.2), without the local preference.
const TCP_PRIORITY: u32 = (90 << 24) + 255;

/// Whether a section is a browser's, by its protocol. Some gateways write that of keys in SDP
/// (RFC 8829 §5.1.2), and have none in it.
pub(super) fn is_web(proto: &str, section: &[Attribute<'_>], whole: &[Attribute<'_>]) -> bool {
    let has = |all: &[Attribute<'_>], name| all.iter().any(|a| a.attribute == name);
    match proto {
        PROTO | "UDP/TLS/RTP/SAVP" | "TCP/DTLS/RTP/SAVPF" | "TCP/DTLS/RTP/SAVP" => true,
        "RTP/SAVPF" | "RTP/SAVP" => {
            let is_dtls = has(section, "fingerprint") || has(whole, "fingerprint");
            is_dtls && !has(section, "crypto")
        }
        _ => false,
    }
}

/// `a=setup` (RFC 8842 §5.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Setup {
    /// Begins the handshake.
    Active,
    /// Waits for it.
    Passive,
    /// Either; also when nothing was said.
    #[default]
    ActPass,
}

impl Setup {
    fn from_name(name: &str) -> Option<Self> {
        [Self::Active, Self::Passive, Self::ActPass].into_iter().find(|setup| setup.name() == name)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Passive => "passive",
            Self::ActPass => "actpass",
        }
    }

    /// What an answer of ours says that we do.
    pub(super) fn answering(role: DtlsRole) -> Self {
        match role {
            DtlsRole::Active => Self::Active,
            DtlsRole::Passive => Self::Passive,
        }
    }
}

/// What a browser's section says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WebTerms {
    /// `a=ice-ufrag`.
    pub fragment: Option<Box<str>>,
    /// `a=ice-pwd`.
    pub password: Option<Box<str>>,
    /// `a=candidate`, those that can be checked, the best first.
    pub candidates: Vec<Candidate>,
    /// `a=fingerprint`, the first of a hash that is good enough.
    pub fingerprint: Option<Fingerprint>,
    /// `a=setup`.
    pub setup: Setup,
    /// `a=rtcp-mux`.
    pub rtcp_mux: bool,
    /// Whether its `a=mid` is in an `a=group:BUNDLE`.
    pub bundled: bool,
    /// `a=ice-lite`.
    pub lite: bool,
}

impl WebTerms {
    pub(super) fn read(section: &[Attribute<'_>], whole: &[Attribute<'_>]) -> Self {
        let either = |name| attribute(section, name).or_else(|| attribute(whole, name));
        let has = |all: &[Attribute<'_>], name| all.iter().any(|a| a.attribute == name);
        let fingerprints = || values(section, "fingerprint").chain(values(whole, "fingerprint"));
        let mid = attribute(section, "mid");
        let groups = values(whole, "group").filter_map(|group| group.strip_prefix("BUNDLE"));
        let bundled = groups.flat_map(str::split_ascii_whitespace).any(|of| Some(of) == mid);
        let fragment = either("ice-ufrag").filter(|text| FRAGMENTS.contains(&text.len()));
        let password = either("ice-pwd").filter(|text| PASSWORDS.contains(&text.len()));
        Self {
            fragment: fragment.map(Into::into),
            password: password.map(Into::into),
            candidates: Candidate::read_all(values(section, "candidate")),
            fingerprint: fingerprints().take(MAX_FINGERPRINTS).find_map(Fingerprint::parse),
            setup: either("setup").and_then(Setup::from_name).unwrap_or_default(),
            rtcp_mux: has(section, "rtcp-mux"),
            bundled,
            lite: has(whole, "ice-lite"),
        }
    }

    /// Whether it says all that we need, also of where it is if it is for us to look for it.
    pub(super) fn is_usable(&self) -> bool {
        let is_described = self.fragment.is_some() && self.password.is_some();
        let is_found = !self.lite || !self.candidates.is_empty();
        is_described && self.fingerprint.is_some() && self.rtcp_mux && is_found
    }

    /// Who has written it, as an offer to us: unless it insists, or the parts are cast already, the
    /// handshake is for the browser to begin.
    pub(super) fn peer(&self, ours: &LocalWeb) -> Result<Peer, NegotiationError> {
        let role = match self.setup {
            Setup::Active => DtlsRole::Passive,
            Setup::Passive => DtlsRole::Active,
            Setup::ActPass => ours.role.unwrap_or(DtlsRole::Passive),
        };
        self.peer_as(role, Origins::of(&ours.addresses))
    }

    /// Who has written it, as an answer to our offer of `actpass`.
    pub(super) fn answering_peer(&self, ours: &Self) -> Result<Peer, NegotiationError> {
        let role = match self.setup {
            Setup::Passive => DtlsRole::Active,
            Setup::Active | Setup::ActPass => DtlsRole::Passive,
        };
        let addresses: Vec<SocketAddr> = ours.candidates.iter().map(|one| one.address).collect();
        self.peer_as(role, Origins::of(&addresses))
    }

    fn peer_as(&self, role: DtlsRole, from: Origins) -> Result<Peer, NegotiationError> {
        let (Some(fragment), Some(password)) = (&self.fragment, &self.password) else {
            return Err(NegotiationError::Web);
        };
        let fingerprint = self.fingerprint.ok_or(NegotiationError::Web)?;
        let (password, candidates) = (password.clone(), self.candidates.clone());
        let reach = Some(Reach { password, lite: self.lite, candidates, from });
        Ok(Peer { fragment: fragment.clone(), reach, fingerprint, role })
    }
}

/// Our side of a leg that a browser is at the other end of.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LocalWeb {
    /// For ICE.
    pub ice: Credentials,
    /// Whether we check the way to the far end ourselves; else we are lite.
    pub full: bool,
    /// Of our certificate.
    pub fingerprint: Fingerprint,
    /// Our part in the handshake that was made; it is kept.
    pub role: Option<DtlsRole>,
    /// Where we are reached, the best first.
    pub addresses: Arc<[SocketAddr]>,
    /// Whether also over TCP, at the same ports (RFC 6544).
    pub tcp: bool,
    /// Our synchronisation source.
    pub ssrc: u32,
    /// Our canonical name.
    pub cname: Arc<str>,
}

impl LocalWeb {
    /// Appends what holds for the whole description. `mid` is the section that is bundled.
    pub(super) fn write_head(&self, text: &mut String, mid: Option<&str>) {
        if let Some(mid) = mid {
            let _ = write!(text, "a=group:BUNDLE {mid}\r\n");
        }
        if !self.full {
            text.push_str("a=ice-lite\r\n");
        }
        text.push_str("a=ice-options:ice2\r\na=msid-semantic: WMS *\r\n");
    }

    /// Appends what the audio section says besides its formats.
    pub(super) fn write_section(
        &self,
        text: &mut String,
        mid: Option<&str>,
        setup: Setup,
        direction: Direction,
    ) {
        if let Some(mid) = mid {
            let _ = write!(text, "a=mid:{mid}\r\n");
        }
        let (fragment, password) = (self.ice.fragment(), self.ice.password());
        // Only an offer says that there is nothing else (RFC 8858 §3).
        if setup == Setup::ActPass {
            text.push_str("a=rtcp-mux-only\r\n");
        }
        let (fingerprint, setup) = (self.fingerprint, setup.name());
        let _ = write!(
            text,
            "a=rtcp-mux\r\na=ice-ufrag:{fragment}\r\na=ice-pwd:{password}\r\n\
             a=fingerprint:{fingerprint}\r\na=setup:{setup}\r\n"
        );
        self.write_candidates(text);
        if direction.sends() {
            let Self { ssrc, cname, .. } = self;
            let _ = write!(text, "a=msid:{cname} audio\r\na=ssrc:{ssrc} cname:{cname}\r\n");
        }
    }

    fn write_candidates(&self, text: &mut String) {
        for (n, at) in (0_u32..).zip(self.addresses.iter()) {
            let preference = 65_535_u32.saturating_sub(n) << 8;
            let (ip, port, priority) = (at.ip(), at.port(), host_priority(n));
            let foundation = 2 * n + 1;
            let _ =
                write!(text, "a=candidate:{foundation} 1 udp {priority} {ip} {port} typ host\r\n");
            if self.tcp {
                let (foundation, priority) = (foundation + 1, TCP_PRIORITY + preference);
                let _ = write!(
                    text,
                    "a=candidate:{foundation} 1 tcp {priority} {ip} {port} typ host \
                     tcptype passive\r\n"
                );
            }
        }
        text.push_str("a=end-of-candidates\r\n");
    }

    /// What `c=` and `m=` say: the candidate that is most likely to work.
    #[must_use]
    pub fn default_address(&self) -> Option<(IpAddr, u16)> {
        self.addresses.first().map(|at| (at.ip(), at.port()))
    }
}
