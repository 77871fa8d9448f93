//! Our own binding at a trunk's registrar: the contact under which its calls reach us.

use base::{Duration, Instant, Rng};
use routing::TrunkRegistration;
use sip::digest::Credentials;
use sip::resolve::Hop;
use sip::{
    Flow, KeepAlive, Message, Registration, RegistrationConfig, RegistrationState, Transport,
    UriBuf,
};

use crate::paths::PathId;

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
    /// What keeps the way there open, if that is one of datagrams. A connection is kept by the
    /// driver that has made it.
    pub(super) keep_alive: Option<KeepAlive>,
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
        let keep_alive = self.keep_alive.as_ref().and_then(KeepAlive::poll_timeout);
        self.machine.poll_timeout().into_iter().chain(keep_alive).min()
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

    /// The attempt is over, by that response or without any: where the binding leads now.
    pub(super) fn settle(&mut self, now: Instant, rng: &mut Rng, response: Option<&Message>) {
        self.path = None;
        let trying = self.trying.take();
        if !self.is_registered() {
            return self.is_lost();
        }
        let (Some((hop, flow)), Some(response)) = (trying, response) else { return };
        if !response.status().is_some_and(sip::StatusCode::is_success) {
            return; // the binding still leads where it led
        }
        let before = self.over.replace((hop, flow));
        let known = self.keep_alive.take().filter(|_| before.is_some_and(|(_, old)| old == flow));
        self.keep_alive = (flow.transport == Transport::Udp).then(|| match known {
            Some(known) => known.renewed(now, response),
            None => KeepAlive::new(now, response, rng.fork()),
        });
    }

    /// There is no way to it any more.
    pub(super) fn is_lost(&mut self) {
        (self.over, self.keep_alive) = (None, None);
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
