//! The INVITE that a trunk gets: the number as it wants it, who is shown to it (see `outgoing`),
//! and the trunk's header rules. All of it is ours: no Via, Contact,
//! Call-ID, address or name of the caller's side is in it.

use bytes::Bytes;
use routing::Trunk;
use sip::{Flow, Method, Name, Request, UriBuf};

use super::Call;
use super::leg::Signalling;
use super::model::Goal;
use super::negotiation::SDP;
use crate::node::{ALLOW, Node};

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
        let is_emergency = to.is_emergency();
        let shown = self.shown(trunk, to);
        let identity = self.identity_for(trunk, &shown, &domain, &uri)?;
        let (tag, call_id) = (node.rng.hex::<8>(), node.rng.hex::<16>());
        let to = UriBuf::sip(Some(&called), uri.as_uri().host()).ok()?;
        let invite = identity
            .put(Request::new(Method::Invite, uri), &tag)
            .header(Name::TO, format_args!("<{to}>"))
            .header(Name::CALL_ID, call_id)
            .header(Name::CSEQ, "1 INVITE")
            .header(Name::CONTACT, format_args!("<{contact}>"))
            .header(Name::ALLOW, ALLOW)
            .header(Name::MAX_FORWARDS, self.hops);
        let invite = self.by_the_rules(trunk, invite);
        let invite = match is_emergency {
            true => self.with_location(invite, offer),
            false => invite.body(SDP, offer),
        };
        invite.refused().is_none().then_some(invite)
    }

    /// The trunk's rules for header fields.
    pub(super) fn by_the_rules(&self, trunk: &Trunk, invite: Request) -> Request {
        let of_caller = |name: &str| match &self.caller.signalling {
            Signalling::Invited { invite, .. } => {
                invite.headers(Name::new(name)).map(str::to_owned).collect()
            }
            // A caller who has been answered: what went on to agents goes on here too.
            _ => {
                let same = self.passed_on.iter().filter(|(of, _)| of.eq_ignore_ascii_case(name));
                same.map(|(_, value)| value.clone()).collect()
            }
        };
        let changes = routing::header_changes(trunk, routing::Direction::Outbound, &of_caller);
        let mut invite = invite;
        for name in &changes.remove {
            invite.remove(Name::new(name));
        }
        with_fields(invite, &changes.set)
    }
}

/// An INVITE with these fields, which stand instead of any of their names. What came from outside
/// and is no header value is left out.
pub(super) fn with_fields(mut invite: Request, fields: &[(String, String)]) -> Request {
    for (name, _) in fields {
        invite.remove(Name::new(name));
    }
    for (name, value) in fields {
        let with = invite.clone().header(Name::new(name), value);
        if with.refused().is_none() {
            invite = with;
        }
    }
    invite
}

/// The target with the number as its user.
pub(super) fn request_uri(target: &UriBuf, called: &str) -> Option<UriBuf> {
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
pub(super) fn contact(node: &Node, trunk: &Trunk, flow: &Flow) -> Option<UriBuf> {
    match node.trunk_states.contact_user(&trunk.id) {
        Some(user) => node.contact_as(user, flow),
        None => node.contact(flow),
    }
}

/// The domain that we are to the trunk: the one we registered in, else our own address.
pub(super) fn domain(trunk: &Trunk, contact: &UriBuf) -> String {
    let registered = trunk.register.as_ref().and_then(|register| {
        let aor = sip::Uri::parse(&register.aor).ok()?;
        Some(aor.host().to_owned())
    });
    registered.unwrap_or_else(|| contact.as_uri().host().to_owned())
}
