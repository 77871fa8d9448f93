//! The calling end: which provisional responses to acknowledge (RFC 3262 §4).

use super::TAG;
use crate::header::{OptionTags, RAck, RSeq};
use crate::{Message, Method};

/// What a provisional response is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Provisional {
    /// Not reliable: work with it.
    Unreliable,
    /// Reliable and in order: work with it, and send a PRACK in its early dialog
    /// (`dialog.request(Method::Prack).header(Name::RACK, rack)`).
    Acknowledge(RAck),
    /// Seen before: its PRACK is on the way or was answered. Drop it.
    Repeated,
    /// Came before the one before it did: drop it, it comes again.
    TooEarly,
    /// Of more forks than are followed, or with a number that cannot be.
    Refused,
}

/// Those of one INVITE of ours, over all its forks.
#[derive(Clone, Debug, Default)]
pub struct ReliableUac {
    /// The last number by the To tag of the early dialog.
    last: Vec<(String, RSeq)>,
}

/// More forks than these are not followed.
const FORKS: usize = 8;

impl ReliableUac {
    /// None has come yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes a provisional response.
    pub fn on_provisional(&mut self, response: &Message) -> Provisional {
        let reliable = response
            .status()
            .is_some_and(|status| status.is_provisional() && status.as_u16() > 100)
            && OptionTags::required(response).has(TAG);
        if !reliable {
            return Provisional::Unreliable;
        }
        let (Some(rseq), Ok(cseq), Some(tag)) =
            (RSeq::of(response), response.cseq(), response.to_tag())
        else {
            return Provisional::Refused;
        };
        let full = self.last.len() >= FORKS;
        match self.last.iter_mut().find(|(fork, _)| fork == tag) {
            Some((_, last)) if rseq <= *last => return Provisional::Repeated,
            Some((_, last)) if Some(rseq.0) != last.0.checked_add(1) => {
                return Provisional::TooEarly;
            }
            Some((_, last)) => *last = rseq,
            None if full => return Provisional::Refused,
            None => self.last.push((tag.to_owned(), rseq)),
        }
        Provisional::Acknowledge(RAck { rseq, cseq, method: Method::Invite })
    }
}
