//! The INVITE that a trunk gets: the number as it wants it, the caller's identity as the tenant
//! shows it (RFC 3325, RFC 3323), and the trunk's header rules. All of it is ours: no Via, Contact,
//! Call-ID, address or name of the caller's side is in it.

use bytes::Bytes;
use routing::{Destination, E164, Trunk};
use sip::header::Privacy;
use sip::{Flow, Method, Name, Request, UriBuf};

use super::leg::Signalling;
use super::model::Goal;
use super::negotiation::SDP;
use super::{Call, Origin};
use crate::node::{ALLOW, Node};

/// Who the one called is shown.
struct Shown {
    /// As the trunk wants it; `None` when there is no number to show.
    number: Option<String>,
    /// Whether the caller asks to stay unknown.
    hidden: bool,
}

impl Call {
    /// The INVITE to a target of the trunk that is tried, with our offer. `None` if it cannot be
    /// written, which provisioning was checked for.
    pub(super) fn trunk_invite(
        &self,
        node: &mut Node,
        target: &UriBuf,
        flow: Flow,
        offer: Bytes,
    ) -> Option<Request> {
        let Some(dial) = &self.dialling else { return None };
        let Goal::Outside(to) = &dial.goal else { return None };
        let trunk = self.directory.trunk(dial.trunk.as_ref()?)?;
        let called = routing::called_for(trunk, to);
        let uri = request_uri(target, &called)?;
        let contact = contact(node, trunk, &flow)?;
        let domain = domain(trunk, &contact);
        let shown = self.shown(trunk, to);
        let (from, asserted) = identities(&shown, &domain)?;
        let (tag, call_id) = (node.rng.hex::<8>(), node.rng.hex::<16>());
        let to = UriBuf::sip(Some(&called), uri.as_uri().host()).ok()?;
        let mut invite = Request::new(Method::Invite, uri)
            .header(Name::FROM, format_args!("{from};tag={tag}"))
            .header(Name::TO, format_args!("<{to}>"))
            .header(Name::CALL_ID, call_id)
            .header(Name::CSEQ, "1 INVITE")
            .header(Name::CONTACT, format_args!("<{contact}>"))
            .header(Name::ALLOW, ALLOW)
            .header(Name::MAX_FORWARDS, self.hops_left());
        if let Some(asserted) = asserted.filter(|_| trunk.trusts_identity) {
            invite = invite.header(Name::P_ASSERTED_IDENTITY, format_args!("<{asserted}>"));
        }
        if shown.hidden {
            invite = invite.header(Name::PRIVACY, "id");
        }
        let invite = self.by_the_rules(trunk, invite).body(SDP, offer);
        invite.refused().is_none().then_some(invite)
    }

    /// Which number the one called sees. A call for help hides nothing.
    fn shown(&self, trunk: &Trunk, to: &Destination) -> Shown {
        let number = self.caller_id.clone().or_else(|| {
            let agent = self.origin.agent().or(self.narrative.agent.as_ref());
            self.directory.caller_number(&self.tenant, agent)
        });
        let written = |number: &E164| routing::caller_for(trunk, number);
        let hidden = !to.is_emergency() && self.wants_privacy();
        Shown { number: number.as_ref().map(written), hidden }
    }

    /// Whether the agent's phone asks to hide who calls.
    fn wants_privacy(&self) -> bool {
        match (&self.origin, &self.caller.signalling) {
            (Origin::Agent { .. }, Signalling::Invited { invite, .. }) => {
                let anonymous = invite.from().is_ok_and(|from| {
                    from.uri().user().is_some_and(|user| user.eq_ignore_ascii_case("anonymous"))
                });
                anonymous || Privacy::of(invite).hides_caller()
            }
            _ => false,
        }
    }

    /// Max-Forwards (RFC 3261 §8.1.1.6): a call that goes in circles comes to its end.
    fn hops_left(&self) -> u8 {
        match &self.caller.signalling {
            Signalling::Invited { invite, .. } => {
                invite.max_forwards().unwrap_or(70).saturating_sub(1).min(70)
            }
            _ => 70,
        }
    }

    /// The trunk's rules for header fields.
    fn by_the_rules(&self, trunk: &Trunk, invite: Request) -> Request {
        let of_caller = |name: &str| match &self.caller.signalling {
            Signalling::Invited { invite, .. } => {
                invite.headers(Name::new(name)).map(str::to_owned).collect()
            }
            _ => Vec::new(),
        };
        let changes = routing::header_changes(trunk, routing::Direction::Outbound, &of_caller);
        let mut invite = invite;
        for name in &changes.remove {
            invite.remove(Name::new(name));
        }
        for (name, value) in &changes.set {
            // What came from outside and is no header value is left out.
            let with = invite.clone().header(Name::new(name), value);
            if with.refused().is_none() {
                invite = with;
            }
        }
        invite
    }
}

/// The target with the number as its user.
fn request_uri(target: &UriBuf, called: &str) -> Option<UriBuf> {
    let at = target.as_uri();
    let host = match at.port() {
        Some(port) => format!("{}:{port}", at.host()),
        None => at.host().to_owned(),
    };
    let uri = UriBuf::sip(Some(called), &host).ok()?;
    match at.param("transport") {
        Some(transport) => uri.with_param("transport", Some(transport)).ok(),
        None => Some(uri),
    }
}

/// Our Contact: for a trunk we register with, the user we registered.
fn contact(node: &Node, trunk: &Trunk, flow: &Flow) -> Option<UriBuf> {
    match node.trunk_states.contact_user(&trunk.id) {
        Some(user) => node.contact_as(user, flow),
        None => node.contact(flow),
    }
}

/// The domain that we are to the trunk: the one we registered in, else our own address.
fn domain(trunk: &Trunk, contact: &UriBuf) -> String {
    let registered = trunk.register.as_ref().and_then(|register| {
        let aor = sip::Uri::parse(&register.aor).ok()?;
        Some(aor.host().to_owned())
    });
    registered.unwrap_or_else(|| contact.as_uri().host().to_owned())
}

/// From, without its tag, and who is asserted.
fn identities(shown: &Shown, domain: &str) -> Option<(String, Option<UriBuf>)> {
    let own = match &shown.number {
        Some(number) => Some(UriBuf::sip(Some(number), domain).ok()?),
        None => None,
    };
    let from = match &own {
        Some(own) if !shown.hidden => format!("<{own}>"),
        // RFC 3323 §4.1.1.3.
        _ => "\"Anonymous\" <sip:anonymous@anonymous.invalid>".to_owned(),
    };
    Some((from, own))
}
