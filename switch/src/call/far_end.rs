//! What the far end says of why it does not take a call, or why it hangs up, carried from one leg
//! to the other (RFC 3326, RFC 3398 §7.2.4.1 and §8.2.6.1).

use sip::header::{Q850, Reason, ReasonProtocol};
use sip::{Message, StatusCode};

use crate::Cause;

/// The far end's own word.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct FarEnd {
    /// The final response, if there was one.
    pub(super) status: Option<StatusCode>,
    /// The cause that it gave itself.
    pub(super) q850: Option<Q850>,
    /// The SIP status that a request of its gave as its reason, such as 200 for a call that was
    /// completed elsewhere.
    pub(super) sip: Option<StatusCode>,
}

/// Other phones of one who has answered are cancelled with it, so that they show no missed call.
pub(super) const COMPLETED_ELSEWHERE: &str = "SIP;cause=200;text=\"Call completed elsewhere\"";

/// Of a Reason that is kept, so many values and characters at most.
const MOST_REASONS: usize = 3;
const LONGEST_REASON: usize = 200;

impl FarEnd {
    /// Of a response, or of a BYE.
    pub(super) fn of(message: &Message) -> Self {
        let status = message.status().filter(|status| status.is_final());
        let is_sip = |reason: Reason| match reason.protocol {
            ReasonProtocol::Sip => reason.cause.and_then(StatusCode::new),
            _ => None,
        };
        let sip = Reason::all(message).find_map(is_sip).filter(|_| status.is_none());
        Self { status, q850: Reason::cause_of(message), sip }
    }

    /// Why the call ends by it.
    pub(super) fn cause(self) -> Cause {
        let by_status = match self.status.map(StatusCode::as_u16) {
            Some(486 | 600) => Cause::Busy,
            Some(404 | 410 | 484 | 485 | 604) => Cause::NoRoute,
            Some(403 | 603 | 607 | 608) => Cause::Rejected,
            Some(408 | 480 | 487) => Cause::NoAnswer,
            Some(406 | 415 | 488 | 606) => Cause::IncompatibleMedia,
            Some(300..=399) => Cause::Rejected,
            None => return Cause::Unavailable,
            Some(_) => Cause::Unavailable,
        };
        match self.q850.map(Q850::as_u8) {
            Some(17) => Cause::Busy,
            Some(18 | 19) => Cause::NoAnswer,
            Some(1 | 22 | 28) => Cause::NoRoute,
            Some(21) => Cause::Rejected,
            _ => by_status,
        }
    }

    /// Whether it speaks for whoever was called: no other way there would say anything else.
    pub(super) fn speaks_for_callee(self) -> bool {
        let by_cause = matches!(self.q850.map(Q850::as_u8), Some(1 | 17..=19 | 21 | 22 | 28));
        let by_status = matches!(
            self.status.map(StatusCode::as_u16),
            Some(300..=399 | 404 | 410 | 480 | 484..=487 | 600..=699)
        );
        by_cause || by_status
    }

    /// What the caller's INVITE is refused with: the far end's status where it means the same to
    /// the caller, never one that is about us and the trunk.
    pub(super) fn status_for_caller(self, cause: Cause) -> StatusCode {
        let same = |status: &StatusCode| {
            matches!(status.as_u16(), 404 | 410 | 480 | 484 | 486 | 488 | 600 | 603 | 604 | 606)
        };
        self.status.filter(same).unwrap_or_else(|| cause.sip_status())
    }

    /// Its cause in Q.850, as far as it gave one or its status stands for one.
    pub(super) fn q850(self) -> Option<u8> {
        let of_status = || self.status.filter(|s| !s.is_success()).map(Q850::of_status);
        self.q850.or_else(of_status).map(Q850::as_u8)
    }
}

/// What a peer's Reason says, for the record: what of it can be read, parameters that are not
/// known (such as `location`, RFC 8606) left out.
pub(super) fn reason_of(message: &Message) -> Option<String> {
    let all: Vec<String> =
        Reason::all(message).take(MOST_REASONS).map(|reason| reason.to_string()).collect();
    let text: String = all.join(", ").chars().take(LONGEST_REASON).collect();
    (!text.is_empty()).then_some(text)
}

/// Why the other phones of an agent stop ringing when one of them has refused for all.
pub(super) fn refused_elsewhere(status: Option<StatusCode>) -> String {
    Reason::sip(status.unwrap_or(StatusCode::DECLINE), None).to_string()
}

/// A Reason in our words, with the far end's cause if it gave one.
pub(super) fn reason(cause: Cause, q850: Option<u8>) -> String {
    let number = q850.unwrap_or_else(|| cause.q850());
    let cause_text = cause.to_string();
    match Q850::new(u16::from(number)) {
        Some(q850) => Reason::q850(q850, Some(&cause_text)).to_string(),
        None => format!("Q.850;cause={number};text=\"{cause_text}\""),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn far(status: u16, q850: Option<u16>) -> FarEnd {
        FarEnd { status: StatusCode::new(status), q850: q850.and_then(Q850::new), sip: None }
    }

    #[test]
    fn a_busy_callee_is_busy_whatever_the_carrier_wraps_it_in() {
        assert_eq!(far(486, None).cause(), Cause::Busy);
        assert_eq!(far(503, Some(17)).cause(), Cause::Busy);
        assert!(far(503, Some(17)).speaks_for_callee());
        assert!(!far(503, None).speaks_for_callee());
        assert!(!far(403, None).speaks_for_callee());
        assert!(far(603, None).speaks_for_callee());
    }

    #[test]
    fn a_callers_refusal_never_shows_what_is_between_us_and_the_trunk() {
        for status in [401, 407, 403, 500, 503, 302, 483] {
            let end = far(status, None);
            let shown = end.status_for_caller(end.cause()).as_u16();
            assert!(![401, 407, 302, 483].contains(&shown), "{status} was shown as {shown}");
        }
        assert_eq!(far(404, None).status_for_caller(Cause::NoRoute).as_u16(), 404);
        assert_eq!(far(410, None).q850(), Some(22));
    }
}
