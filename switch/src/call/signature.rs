//! What a call's caller number is worth, told to the tenant (RFC 8224, RFC 8588).

use base::Instant;
use routing::Signature;
use sip::stir::{Attestation, Diverted, Verdict};

use super::Call;
use crate::event::{EventKind, SignedDiversion};
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
            Verdict::Passed { attestation, origid, provider, .. } => {
                (Some(attestation.to_string()), Some(origid.clone()), provider.clone(), None)
            }
            Verdict::Failed(failure) => (None, None, None, Some(failure.to_string())),
            Verdict::Absent => (None, None, None, None),
        };
        let diverted = match verdict {
            Verdict::Passed { diverted, .. } => diverted.iter().map(diversion).collect(),
            Verdict::Failed(_) | Verdict::Absent => Vec::new(),
        };
        let verdict = verdict.verstat();
        let told =
            EventKind::CallerVerified { verdict, attestation, origid, provider, why, diverted };
        self.tell(node, now, told);
    }
}

fn diversion(one: &Diverted) -> SignedDiversion {
    // Signed as digits alone; elsewhere a number has its plus.
    let is_number = one.by.starts_with(|first: char| first.is_ascii_digit());
    let by = if is_number { format!("+{}", one.by) } else { one.by.clone() };
    SignedDiversion { by, provider: one.provider.clone() }
}
