//! What a call's caller number is worth, told to the tenant (RFC 8224, RFC 8588).

use base::Instant;
use routing::Signature;
use sip::stir::{Attestation, Verdict};

use super::Call;
use crate::event::EventKind;
use crate::node::Node;

impl Call {
    /// What the signature of the INVITE that began the call is worth, as flows ask for it.
    pub(super) fn signature(&self) -> Signature {
        match &self.verdict {
            None => Signature::Unchecked,
            Some(Verdict::Absent) => Signature::None,
            Some(Verdict::Failed(_)) => Signature::Failed,
            Some(Verdict::Passed { attestation, .. }) => match attestation {
                Attestation::A => Signature::A,
                Attestation::B => Signature::B,
                Attestation::C => Signature::C,
            },
        }
    }

    /// Tells it, if it was looked at.
    pub(super) fn tell_verdict(&self, node: &mut Node, now: Instant) {
        let Some(verdict) = &self.verdict else { return };
        let (attestation, origid, provider, why) = match verdict {
            Verdict::Passed { attestation, origid, provider } => {
                (Some(attestation.to_string()), Some(origid.clone()), provider.clone(), None)
            }
            Verdict::Failed(failure) => (None, None, None, Some(failure.to_string())),
            Verdict::Absent => (None, None, None, None),
        };
        let verdict = verdict.verstat();
        let told = EventKind::CallerVerified { verdict, attestation, origid, provider, why };
        self.tell(node, now, told);
    }
}
