//! Signing the caller's number of a call that goes out over a trunk (RFC 8224 §4.1, RFC 8588), and
//! that a signed call from outside is sent on (RFC 8946 §4.1).

use base::{Instant, TenantId, TrunkId};
use routing::{Destination, Trunk};
use sip::stir::{Attestation, Signer, Verdict};
use sip::{Message, Name, Request};

use super::Call;
use super::model::Goal;
use crate::node::Node;

/// More signatures than these of one call are not passed on, nor longer ones.
const MOST_IDENTITIES: usize = 8;
const LONGEST_IDENTITY: usize = 2_048;

impl Call {
    /// The INVITE with its Identity, if the trunk has a key for that. A caller who is to stay
    /// unknown is not named in a signature either, and a call for help does not wait for one.
    pub(super) fn signed(&self, node: &Node, now: Instant, invite: Request) -> Request {
        if invite.get(Name::PRIVACY).is_some() {
            return invite;
        }
        let identities = self.identities_for(node, now).unwrap_or_default();
        identities.into_iter().fold(invite, |invite, one| invite.header(Name::IDENTITY, one))
    }

    /// How much longer the signatures that came with the call make an INVITE to a trunk that they
    /// are passed on to.
    pub(super) fn size_of_signatures(&self, trunk: &TrunkId) -> usize {
        let signs = |trunk: &Trunk| trunk.stir.as_ref().is_some_and(|stir| stir.sign.is_some());
        let passes = self.directory.trunk(trunk).is_some_and(|one| one.shows_caller && signs(one));
        if passes { self.identities.iter().map(|one| one.len() + 12).sum() } else { 0 }
    }

    fn identities_for(&self, node: &Node, now: Instant) -> Option<Vec<String>> {
        let dial = self.dialling.as_ref()?;
        let Goal::Outside(to @ Destination::Number(dest)) = &dial.goal else { return None };
        let trunk = self.directory.trunk(dial.trunk.as_ref()?)?;
        let key = trunk.stir.as_ref()?.sign.as_ref()?;
        let shown = self.shown(trunk, to);
        let orig = shown.number?;
        // A key that is none was refused with the provisioning it came in.
        let signer = Signer::new(key.private_key.as_bytes(), &key.certificate_url).ok()?;
        let wall = node.wall(now);
        // A caller whom somebody has signed for stays signed for by that one; we sign that we send
        // the call on.
        if shown.is_foreign {
            let from = self.number.as_deref().unwrap_or(&self.to);
            let numbers = (orig.as_str(), from, dest.as_str());
            if let Ok(diverted) = signer.sign_diversion(wall, &self.identities, numbers) {
                return Some(self.identities.iter().cloned().chain([diverted]).collect());
            }
        }
        let attestation = match routing::attestation(&self.directory, &self.tenant, &orig) {
            // Somebody else's call that is sent on: all that we know is where it came from.
            _ if shown.is_foreign => Attestation::C,
            routing::Attestation::A => Attestation::A,
            routing::Attestation::B => Attestation::B,
            routing::Attestation::C => Attestation::C,
        };
        let numbers = (orig.as_str(), dest.as_str());
        let own = signer.sign(wall, numbers, attestation, &origin_of(&self.tenant)).ok()?;
        Some(vec![own])
    }
}

/// The values of Identity of an INVITE whose signature is good, to be passed on with the call.
pub(super) fn identities_of(invite: &Message, verdict: Option<&Verdict>) -> Vec<String> {
    let is_good = matches!(verdict, Some(Verdict::Passed { .. }));
    let all = invite.headers(Name::IDENTITY).take(MOST_IDENTITIES);
    all.filter(|one| is_good && one.len() <= LONGEST_IDENTITY).map(str::to_owned).collect()
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
