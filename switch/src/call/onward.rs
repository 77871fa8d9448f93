//! Semi-attended transfers: an agent sends a call on to whom a second call of theirs has not
//! reached yet (RFC 5589 §7.2, with Replaces of an early dialog). Who rings for the agent goes on
//! ringing, for the one who is sent on; a queue is joined anew.

use base::{Instant, LegId};
use routing::Dialled;
use sip::StatusCode;

use super::Call;
use super::Stage;
use super::join::{Parted, Refer};
use super::leg::Signalling;
use super::model::{Dial, Goal, Then};
use super::refusal::Refusal;
use crate::node::Node;
use crate::{Cause, EndedBy};

/// What an agent's second call gives to the first one.
pub(crate) struct Onward(What);

enum What {
    /// Whoever rings, and whether that counts as a call to outside.
    Ringing(Box<(Parted, Dial, bool)>),
    /// Whom it was to reach, when nobody rings.
    Again(Dialled),
}

impl Call {
    /// Gives away whom the agent on that leg waits for; the call ends.
    pub(crate) fn give_onward(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
    ) -> Option<Onward> {
        if !self.is_caller(leg) {
            return None;
        }
        let onward = match &self.stage {
            Stage::Dialling => self.give_dial(node)?,
            Stage::Queued { queue, .. } | Stage::Ringing { queue, .. } => {
                What::Again(Dialled::Queue(queue.clone()))
            }
            _ => return None,
        };
        if self.is_unanswered() {
            let over =
                Refusal::new(Cause::Transferred, "").with_status(StatusCode::REQUEST_TERMINATED);
            self.refuse_invite(node, now, over.response());
        }
        self.finish(node, now, Cause::Transferred, EndedBy::Agent);
        self.settle_if_done(node);
        Some(Onward(onward))
    }

    fn give_dial(&mut self, node: &mut Node) -> Option<What> {
        let dial = self.dialling.as_ref()?;
        let rings =
            |leg| matches!(self.leg(leg).map(|leg| &leg.signalling), Some(Signalling::Ringing(_)));
        let leg = dial.leg.filter(|leg| dial.alerting && rings(*leg));
        let Some(leg) = leg.filter(|_| matches!(dial.then, Then::Join)) else {
            return Some(What::Again(match dial.goal.clone() {
                Goal::Agent(agent) => Dialled::Agent(agent),
                Goal::Outside(to) => Dialled::Outside(to),
            }));
        };
        let (until, is_outside) = (dial.until, matches!(dial.goal, Goal::Outside(_)));
        let mut dial = self.stop_dialling(node)?;
        dial.until = until;
        let parted = self.take_out(node, leg)?;
        let outbound = is_outside && std::mem::take(&mut self.admitted_outbound);
        Some(What::Ringing(Box::new((parted, *dial, outbound))))
    }

    /// Sends whoever talks with the agent on to whom the agent's second call was to reach.
    pub(crate) fn take_onward(
        &mut self,
        node: &mut Node,
        now: Instant,
        refer: &Refer,
        onward: Onward,
    ) {
        let (by, notify) = (refer.by.leg, refer.notify);
        match onward.0 {
            What::Again(dialled) => {
                if notify {
                    self.notify(node, now, by, StatusCode::TRYING);
                }
                let text = match &dialled {
                    Dialled::Agent(agent) => agent.to_string(),
                    Dialled::Queue(queue) => queue.to_string(),
                    Dialled::OwnNumber { number, .. } => number.to_string(),
                    Dialled::Outside(to) => to.to_string(),
                };
                self.begin_transfer(node, now, by, dialled, text, notify);
            }
            What::Ringing(ringing) => {
                let (parted, dial, outbound) = *ringing;
                if notify {
                    self.notify(node, now, by, StatusCode::RINGING);
                }
                let leg = self.welcome(node, parted);
                self.count_outbound(node, outbound);
                let from = self.part_for(node, now, by, dial.goal.to_string(), notify);
                let until = dial.until;
                let dial = Dial { then: Then::Beside, from, leg: Some(leg), until: None, ..dial };
                self.dialling = Some(Box::new(dial));
                if let Some(until) = until {
                    self.give_up_at(node, until);
                }
            }
        }
        self.arrange(node, now);
        self.settle_if_done(node);
    }
}
