//! What a call's caller number is worth, told to the tenant (RFC 8224, RFC 8588).

use base::Instant;
use sip::stir::Verdict;

use super::Call;
use crate::event::EventKind;
use crate::node::Node;

impl Call {
    /// Tells the verdict on the signature of the INVITE that began the call.
    pub(crate) fn tell_verdict(&mut self, node: &mut Node, now: Instant, verdict: &Verdict) {
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
