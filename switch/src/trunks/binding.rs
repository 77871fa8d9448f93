//! Our own binding at a trunk's registrar: the contact under which its calls reach us.

use base::{Duration, Instant, Rng};
use routing::TrunkRegistration;
use sip::digest::Credentials;
use sip::resolve::Hop;
use sip::{Flow, Registration, RegistrationConfig, RegistrationState, Transport, UriBuf};

use crate::paths::PathId;

/// How often something is sent to where we are registered by datagrams, so that address
/// translators keep the way open (RFC 5626 §4.4): at least so many seconds, and what chance adds.
/// A connection is kept by the driver that has made it.
const KEEP_DATAGRAMS: (u64, u64) = (24, 5);

/// A binding of ours, or the attempt at one.
#[derive(Debug)]
pub(crate) struct OwnBinding {
    pub(super) machine: Registration,
    pub(super) registrar: UriBuf,
    /// The user of our contact.
    pub(super) user: String,
    provisioned: (TrunkRegistration, Option<routing::Credentials>),
    /// The way of the attempt that is being made, and its hop once there is one.
    pub(super) path: Option<PathId>,
    pub(super) trying: Option<(Hop, Flow)>,
    /// Where the registrar that has our contact is.
    pub(super) over: Option<(Hop, Flow)>,
    pub(super) keep_alive: Option<Instant>,
}

impl OwnBinding {
    /// The binding that a trunk is to have, if it has a registrar.
    pub(super) fn of(now: Instant, trunk: &routing::Trunk, rng: &mut Rng) -> Option<Self> {
        let wanted = trunk.register.clone()?;
        let registrar = UriBuf::parse(&wanted.registrar).ok()?;
        let aor = UriBuf::parse(&wanted.aor).ok()?;
        let own_user = aor.as_uri().user_unescaped().map(std::borrow::Cow::into_owned);
        let user = wanted.contact_user.clone().or(own_user).unwrap_or_else(|| "strowger".into());
        let credentials = trunk.authenticate.as_ref().map(|known| {
            let credentials = Credentials::new(&known.user, known.password.as_str());
            match &known.realm {
                Some(realm) => credentials.for_realm(realm),
                None => credentials,
            }
        });
        let expires = Duration::from_secs(wanted.expires_s.into());
        let config = RegistrationConfig { registrar: registrar.clone(), aor, expires, credentials };
        Some(Self {
            machine: Registration::new(now, config, rng.fork()),
            registrar,
            user,
            provisioned: (wanted, trunk.authenticate.clone()),
            path: None,
            trying: None,
            over: None,
            keep_alive: None,
        })
    }

    /// Whether it is still what the trunk is to have.
    pub(super) fn is_of(&self, trunk: &routing::Trunk) -> bool {
        let (wanted, credentials) = &self.provisioned;
        trunk.register.as_ref() == Some(wanted) && trunk.authenticate == *credentials
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.machine.poll_timeout().into_iter().chain(self.keep_alive).min()
    }

    pub(super) fn is_registered(&self) -> bool {
        self.machine.is_registered()
    }

    pub(super) fn has_failed(&self) -> bool {
        self.machine.failure().is_some() || self.is_gone()
    }

    pub(super) fn is_gone(&self) -> bool {
        self.machine.state() == RegistrationState::Gone
    }

    /// The attempt is over: where the binding leads now.
    pub(super) fn settle(&mut self, now: Instant, rng: &mut Rng) {
        self.path = None;
        if let Some(trying) = self.trying.take()
            && self.is_registered()
        {
            self.over = Some(trying);
        }
        if !self.is_registered() {
            self.over = None;
        }
        self.plan_keep_alive(now, rng);
    }

    pub(super) fn plan_keep_alive(&mut self, now: Instant, rng: &mut Rng) {
        let (least, more) = KEEP_DATAGRAMS;
        let over = self.over.as_ref().filter(|(hop, _)| hop.transport == Transport::Udp);
        self.keep_alive =
            over.map(|_| now + Duration::from_millis(least * 1000 + rng.below(more * 1000)));
    }

    /// Whether a request over that flow comes from the registrar: over the connection that was
    /// registered, or for datagrams from its address.
    pub(super) fn is_reached_over(&self, flow: &Flow) -> bool {
        self.over.as_ref().is_some_and(|(_, own)| match own.transport {
            Transport::Udp => {
                flow.transport == Transport::Udp && own.remote.ip() == flow.remote.ip()
            }
            _ => own.connection == flow.connection || own.remote.ip() == flow.remote.ip(),
        })
    }
}
