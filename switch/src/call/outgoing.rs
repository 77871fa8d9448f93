//! Who the one called outside is shown, and told to have sent the call on: a number of the tenant's,
//! or whoever called first where the trunk lets that pass (RFC 3323, RFC 3325, RFC 5806, RFC 7044).

use routing::{Destination, E164, Trunk};
use sip::header::{NameAddr, Privacy, RemoteParty};
use sip::identity::{CallerIdentity, IdentityPolicy, IdentitySource, OutgoingIdentity};
use sip::{Name, UriBuf};

use super::caller::ANONYMOUS;
use super::sent_on::By;
use super::{Call, Origin, Party};

/// Who is shown.
pub(super) struct Shown {
    /// The number; `None` when there is none to show.
    pub(super) number: Option<E164>,
    /// The name beside it.
    name: Option<String>,
    /// Whether it is somebody outside whom another carrier or nobody vouches for.
    pub(super) is_foreign: bool,
    /// Whether a trusted trunk vouches for it, or we do.
    asserted: bool,
    /// Whether the caller asks to stay unknown.
    hidden: bool,
}

impl Call {
    /// Who is shown over that trunk. A call for help shows the number to call back and hides
    /// nothing.
    pub(super) fn shown(&self, trunk: &Trunk, to: &Destination) -> Shown {
        if trunk.shows_caller
            && !to.is_emergency()
            && self.caller_id.is_none()
            && let Some(foreign) = self.shown_from_outside()
        {
            return foreign;
        }
        let hidden = !to.is_emergency() && self.who.is_hidden() && self.origin.agent().is_some();
        Shown { number: self.own_number(), name: None, is_foreign: false, asserted: true, hidden }
    }

    /// The number of the tenant's that those outside see.
    fn own_number(&self) -> Option<E164> {
        self.caller_id.clone().or_else(|| {
            let agent = self.origin.agent().or(self.narrative.agent.as_ref());
            self.directory.caller_number(&self.tenant, agent)
        })
    }

    /// Somebody outside who called, or who was called and is sent on now.
    fn shown_from_outside(&self) -> Option<Shown> {
        let dial = self.dialling.as_ref()?;
        let party = dial.from.as_ref().unwrap_or(&self.from);
        let is_caller =
            matches!(self.origin, Origin::Inbound { .. }) && party.number == self.from.number;
        if is_caller && self.who.is_hidden() {
            let number = self.who.number.clone().filter(|_| self.who.asserted);
            let asserted = number.is_some();
            return Some(Shown { number, name: None, is_foreign: true, asserted, hidden: true });
        }
        let number =
            party.number.starts_with('+').then(|| E164::normalise(&party.number).ok())??;
        if self.directory.may_show(&self.tenant, &number) {
            return None;
        }
        let asserted = is_caller && self.who.asserted;
        let (number, name) = (Some(number), party.name());
        Some(Shown { number, name, is_foreign: true, asserted, hidden: false })
    }

    /// From and its kin for an agent's phone: what the agent may see and no more, with everybody in
    /// the tenant's own domain.
    pub(super) fn identity_for_agent(
        &self,
        from: &Party,
        domain: &str,
        target: &UriBuf,
    ) -> Option<OutgoingIdentity> {
        let is_caller = from.number == self.from.number;
        let hidden = from.number == ANONYMOUS || is_caller && self.who.is_hidden();
        let uri = UriBuf::sip(Some(&from.number), domain).ok()?;
        let named = |by: &By| match by {
            By::Agent(agent) => Some(agent.to_string()),
            By::Number(number) => Some(number.clone()),
        };
        let (diversions, history) = self.sent_on.for_peer(domain, &named, target);
        let hides = if hidden { Privacy::ID } else { Privacy::EMPTY };
        let privacy = hides | self.who.privacy.of_history();
        let address = Some(NameAddr::named(from.name().as_deref(), uri));
        let source = IdentitySource::From;
        let caller = CallerIdentity { address, source, privacy, diversions, history };
        let policy = IdentityPolicy { diversion: true, history: true, ..IdentityPolicy::UNTRUSTED };
        Some(OutgoingIdentity::new(&caller, policy))
    }

    /// From and its kin for a trunk that knows us as `domain`.
    pub(super) fn identity_for(
        &self,
        trunk: &Trunk,
        shown: &Shown,
        domain: &str,
        target: &UriBuf,
    ) -> Option<OutgoingIdentity> {
        let written = |number: &E164| routing::caller_for(trunk, number);
        let at = |number: &E164| UriBuf::sip(Some(&written(number)), domain).ok();
        let address = match &shown.number {
            Some(number) => Some(NameAddr::named(shown.name.as_deref(), at(number)?)),
            None => None,
        };
        let named = |by: &By| {
            let number = match by {
                By::Agent(agent) => self.directory.caller_number(&self.tenant, Some(agent)),
                By::Number(number) => {
                    number.starts_with('+').then(|| E164::normalise(number).ok()).flatten()
                }
            };
            number.as_ref().map(written)
        };
        let (diversions, history) = self.sent_on.for_peer(domain, &named, target);
        let source = if shown.asserted { IdentitySource::Asserted } else { IdentitySource::From };
        let hides = if shown.hidden { Privacy::ID } else { Privacy::EMPTY };
        let privacy = hides | self.who.privacy.of_history();
        let caller = CallerIdentity { address, source, privacy, diversions, history };
        let tells = trunk.tells_diversions_by();
        let policy = IdentityPolicy {
            trusted: trunk.trusts_identity,
            diversion: tells.by_diversion(),
            history: tells.by_history(),
            remote_party: trunk.remote_party_id,
        };
        let mut identity = OutgoingIdentity::new(&caller, policy);
        let has = |name| identity.headers.iter().any(|(known, _)| *known == name);
        let (asserts, says) = (has(Name::P_ASSERTED_IDENTITY), has(Name::PRIVACY));
        // A carrier that trusts us is told who answers for the call, if nobody does for the caller.
        if trunk.trusts_identity && !asserts {
            let own = self.own_number().as_ref().and_then(at);
            if let Some(own) = own.as_ref().filter(|_| trunk.remote_party_id) {
                let party = RemoteParty::of_caller(NameAddr::new(own.clone()), privacy);
                identity.headers.push((RemoteParty::NAME, party.to_string()));
            }
            identity.headers.extend(own.map(|own| (Name::P_ASSERTED_IDENTITY, format!("<{own}>"))));
        }
        // One that does not has to know all the same that nobody may learn the number.
        if shown.hidden && !says {
            identity.headers.push((Name::PRIVACY, Privacy::ID.to_string()));
        }
        Some(identity)
    }
}
