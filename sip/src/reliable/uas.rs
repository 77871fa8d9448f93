//! The answering end: numbers its provisional responses, sends each again until its PRACK comes,
//! and holds the next one back meanwhile (RFC 3262 §3).

use std::collections::VecDeque;

use base::{Duration, Instant, Rng};

use super::TAG;
use crate::header::{OptionTags, RAck, RSeq};
use crate::{DialogError, HeaderError, Message, Method, Name, Response, StatusCode};

/// What a caller says about reliable provisional responses.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReliableWish {
    /// It does not know them.
    Unknown,
    /// It knows them: use them where it matters, for a response with an SDP.
    Supported,
    /// All but 100 must be reliable; who cannot answers 420.
    Required,
}

impl ReliableWish {
    /// Of an INVITE.
    #[must_use]
    pub fn of(invite: &Message) -> Self {
        if OptionTags::required(invite).has(TAG) {
            Self::Required
        } else if OptionTags::supported(invite).has(TAG) {
            Self::Supported
        } else {
            Self::Unknown
        }
    }
}

/// What is to be done.
#[derive(Clone, Debug)]
pub enum ReliableOutput {
    /// Give this to [`crate::Endpoint::respond`]: for the first time or again.
    Respond(Response),
    /// No PRACK came for 64*T1: refuse the INVITE with a 5xx (§3).
    GaveUp,
}

/// A response on its way.
#[derive(Clone, Debug)]
struct Pending {
    response: Response,
    number: RSeq,
    has_offer_or_answer: bool,
    resend: Instant,
    interval: Duration,
    give_up: Instant,
}

/// Those of one INVITE.
#[derive(Debug)]
pub struct ReliableUas {
    cseq: u32,
    t1: Duration,
    last: RSeq,
    pending: Option<Pending>,
    /// Waits for the PRACK of the one before.
    queue: VecDeque<Response>,
    /// A final response went out: PRACKs are still answered, nothing is sent again.
    ended: bool,
    outbox: VecDeque<ReliableOutput>,
}

/// More than these do not wait; a later one without a body takes the last one's place.
const LONGEST_QUEUE: usize = 8;

impl ReliableUas {
    /// For an INVITE that supports it; `t1` as the transaction layer has it.
    ///
    /// # Errors
    /// When the INVITE has no CSeq, which none has that was taken in.
    pub fn new(invite: &Message, t1: Duration, rng: &mut Rng) -> Result<Self, HeaderError> {
        Ok(Self {
            cseq: invite.cseq()?,
            t1,
            // The next one is from 1 to 2^31 - 1.
            last: RSeq(u32::try_from(rng.below((1 << 31) - 2)).unwrap_or(0)),
            pending: None,
            queue: VecDeque::new(),
            ended: false,
            outbox: VecDeque::new(),
        })
    }

    /// Sends a provisional response (not 100) reliably: now, or when those before it have been
    /// acknowledged. RSeq and Require are added. False if too many wait, or all is over.
    pub fn respond(&mut self, now: Instant, response: Response) -> bool {
        if self.ended || response.status() == StatusCode::TRYING || response.status().is_final() {
            return false;
        }
        if self.pending.is_some() {
            if self.queue.len() >= LONGEST_QUEUE {
                match self.queue.back_mut() {
                    Some(last) if last.content().is_empty() => *last = response,
                    _ => return false,
                }
            } else {
                self.queue.push_back(response);
            }
            return true;
        }
        self.send(now, response);
        true
    }

    fn send(&mut self, now: Instant, response: Response) {
        self.last = RSeq(self.last.0 + 1);
        let has_offer_or_answer = !response.content().is_empty();
        let response = response.header(Name::REQUIRE, TAG).header(Name::RSEQ, self.last);
        self.outbox.push_back(ReliableOutput::Respond(response.clone()));
        self.pending = Some(Pending {
            response,
            number: self.last,
            has_offer_or_answer,
            resend: now + self.t1,
            interval: self.t1,
            give_up: now + self.t1 * 64,
        });
    }

    /// Takes a PRACK of the dialog. Answer it 200 when it is good (with the answer to its offer,
    /// if it has one); drain the outbox after that.
    ///
    /// # Errors
    /// The status to answer with: 400 without a RAck, 481 for one that acknowledges nothing
    /// that is waiting (§3).
    pub fn on_prack(&mut self, now: Instant, prack: &Message) -> Result<(), StatusCode> {
        let rack = RAck::of(prack).map_err(|error| DialogError::from(error).status())?;
        let waiting = self.pending.as_ref().map(|pending| pending.number);
        let is_ours = rack.cseq == self.cseq && rack.method == Method::Invite;
        if !is_ours || waiting != Some(rack.rseq) {
            return Err(StatusCode::CALL_DOES_NOT_EXIST);
        }
        self.pending = None;
        if let Some(next) = self.queue.pop_front() {
            self.send(now, next);
        }
        Ok(())
    }

    /// Whether a 2xx may be sent now: not while a response with an SDP waits for its PRACK (§5).
    #[must_use]
    pub fn may_succeed(&self) -> bool {
        !self.pending.as_ref().is_some_and(|pending| pending.has_offer_or_answer)
            && self.queue.iter().all(|response| response.content().is_empty())
    }

    /// Whether a response waits for its PRACK.
    #[must_use]
    pub const fn is_waiting(&self) -> bool {
        self.pending.is_some() && !self.ended
    }

    /// The INVITE has its final response: nothing is sent again.
    pub fn end(&mut self) {
        self.ended = true;
        self.queue.clear();
        self.outbox.clear();
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        let Some(pending) = self.pending.as_mut().filter(|_| !self.ended) else { return };
        if now >= pending.give_up {
            self.end();
            self.pending = None;
            self.outbox.push_back(ReliableOutput::GaveUp);
        } else if now >= pending.resend {
            pending.interval *= 2;
            pending.resend = now + pending.interval;
            self.outbox.push_back(ReliableOutput::Respond(pending.response.clone()));
        }
    }

    /// The next deadline.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let pending = self.pending.as_ref().filter(|_| !self.ended)?;
        Some(pending.resend.min(pending.give_up))
    }

    /// What is to be done next.
    pub fn poll_output(&mut self) -> Option<ReliableOutput> {
        self.outbox.pop_front()
    }
}
