//! What a user may ask and do before a request becomes a transaction: whether it already is one,
//! and answering it without keeping anything (RFC 3261 §8.2.7). With it a stranger's requests cost
//! no memory, however many come.

use base::Instant;

use super::{Endpoint, TxRef};
use crate::{Flow, Message, Method, Response};

impl Endpoint {
    /// Whether the request belongs to a transaction that is open: a retransmission, or an ACK or
    /// CANCEL of an INVITE.
    #[must_use]
    pub fn knows(&mut self, request: &Message) -> bool {
        let method = match request.method_ref() {
            Method::Ack | Method::Cancel => &Method::Invite,
            method => method,
        };
        let key = self.core.keyring.server(request, method);
        key.is_some_and(|key| self.servers.has(key))
    }

    /// Takes a message that the user has parsed already.
    pub fn handle_message(&mut self, now: Instant, flow: Flow, message: Message) {
        self.on_message(now, flow, message);
    }

    /// Answers a request without a transaction: nothing is kept, a retransmission of the request
    /// is a request like the first, and the ACK of a refusal is absorbed. The response must be a
    /// final one.
    pub fn refuse(&mut self, flow: Flow, request: &Message, response: &Response) {
        debug_assert!(response.status().is_final() && request.method_ref() != &Method::Ack);
        self.core.refuse(flow, request, response, TxRef::None);
    }
}
