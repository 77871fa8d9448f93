//! Signing the caller's number of a call that goes out over a trunk (RFC 8224 §4.1, RFC 8588).

use base::{Instant, TenantId};
use routing::Destination;
use sip::stir::{Attestation, Signer};
use sip::{Name, Request};

use super::Call;
use super::model::Goal;
use crate::node::Node;

impl Call {
    /// The INVITE with its Identity, if the trunk has a key for that. A caller who is to stay
    /// unknown is not named in a signature either, and a call for help does not wait for one.
    pub(super) fn signed(&self, node: &Node, now: Instant, invite: Request) -> Request {
        match self.identity(node, now) {
            Some(identity) if invite.get(Name::PRIVACY).is_none() => {
                invite.header(Name::IDENTITY, identity)
            }
            _ => invite,
        }
    }

    fn identity(&self, node: &Node, now: Instant) -> Option<String> {
        let dial = self.dialling.as_ref()?;
        let Goal::Outside(to @ Destination::Number(dest)) = &dial.goal else { return None };
        let trunk = self.directory.trunk(dial.trunk.as_ref()?)?;
        let key = trunk.stir.as_ref()?.sign.as_ref()?;
        let shown = self.shown(trunk, to);
        let orig = shown.number?;
        let attestation = match routing::attestation(&self.directory, &self.tenant, &orig) {
            // Somebody else's call that is sent on: all that we know is where it came from.
            _ if shown.is_foreign => Attestation::C,
            routing::Attestation::A => Attestation::A,
            routing::Attestation::B => Attestation::B,
            routing::Attestation::C => Attestation::C,
        };
        // A key that is none was refused with the provisioning it came in.
        let signer = Signer::new(key.private_key.as_bytes(), &key.certificate_url).ok()?;
        let numbers = (orig.as_str(), dest.as_str());
        signer.sign(node.wall(now), numbers, attestation, &origin_of(&self.tenant)).ok()
    }
}

/// Where the call came from, for whoever traces it: a UUID that is the tenant's in all its calls
/// and tells strangers nothing (RFC 8588 §5, version 8 of RFC 9562).
fn origin_of(tenant: &TenantId) -> String {
    let halves = [0xcbf2_9ce4_8422_2325_u64, 0x6c62_272e_07bb_0142].map(|basis| {
        tenant
            .as_str()
            .bytes()
            .fold(basis, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3))
    });
    let (high, low) = (halves[0], halves[1]);
    format!(
        "{:08x}-{:04x}-8{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        (low >> 48) & 0x3fff | 0x8000,
        low & 0xffff_ffff_ffff
    )
}
