//! An agent's phone sends a call on by itself: 3xx (RFC 3261 §8.1.3.4, §21.3), as call forwarding
//! that is set at the phone. Where to, the agent's own dial policy decides; never straight to a host
//! that only the phone names.

use base::{Instant, LegId};
use sip::{Address, ClientTx, Message};

use super::Call;
use super::early::forget_early;
use super::far_end::{FarEnd, refused_elsewhere};
use super::leg::Role;
use crate::Cause;
use crate::node::Node;

/// The word of RFC 5806 for it.
const DEFLECTION: &str = "deflection";

impl Call {
    /// A refusal of an agent's phone that names somebody else: the call goes there, and the
    /// agent's other phones ring no more. `false` if it does not: only direct calls do, since a
    /// queue has other agents.
    pub(super) fn deflect(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
        tx: ClientTx,
        response: &Message,
    ) -> bool {
        let is_redirection =
            response.status().is_some_and(|status| (300..400).contains(&status.as_u16()));
        if !is_redirection || !self.is_dialling(leg) || self.is_dialling_first() {
            return false;
        }
        let Some(Role::Agent(agent)) = self.leg_mut(leg).map(|known| known.role.clone()) else {
            return false;
        };
        let Some(to) = self.target_of(response) else { return false };
        let Some(fork) = self.take_fork(leg, tx) else { return false };
        let owner = self.leg_ref(leg);
        node.index.unbind_connection(&fork.flow, owner);
        forget_early(node, &fork);
        let why = refused_elsewhere(FarEnd::of(response).status);
        let others = self.take_forks(leg).unwrap_or_default();
        self.cancel_forks(node, now, leg, others, &why);
        if let Some(dial) = &mut self.dialling {
            dial.leg = None;
        }
        self.hang_up(node, now, leg, Cause::Normal);
        self.silence(node);
        self.forward(node, now, &agent, &to, DEFLECTION);
        true
    }

    /// The first Contact, the most wanted first, that is somebody of the tenant's or a number.
    fn target_of(&self, response: &Message) -> Option<String> {
        let mut contacts: Vec<_> = response.contacts().filter_map(Result::ok).collect();
        contacts.sort_by_key(|contact| std::cmp::Reverse(wanted(contact)));
        contacts.into_iter().find_map(|contact| {
            let uri = contact.uri();
            let user = uri.user_unescaped().filter(|user| !user.is_empty())?.into_owned();
            self.is_own_host(&uri).then_some(user)
        })
    }
}

/// Its `q`, in thousandths (RFC 3261 §20.10); 1 if it says none.
fn wanted(contact: &Address<'_>) -> u16 {
    let q = contact.params().value("q").and_then(|q| q.trim().parse::<f32>().ok());
    let q = q.filter(|q| (0.0..=1.0).contains(q)).unwrap_or(1.0);
    // Between 0 and 1000.
    (q * 1000.0) as u16
}
