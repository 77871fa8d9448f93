//! The transaction layer: four machines, their matching and their timers (RFC 3261 §17,
//! RFC 6026, RFC 3581).
//!
//! Each machine is a pure table of states and deadlines in a file of its own; [`endpoint`] joins
//! them to messages and flows.

mod budget;
mod client;
mod client_invite;
mod client_non_invite;
mod config;
mod endpoint;
mod key;
mod reply;
mod schedule;
mod server;
mod server_invite;
mod server_non_invite;
mod stateless;

use bytes::Bytes;

pub use config::{Advertised, EndpointConfig};
pub use endpoint::Endpoint;

use crate::{Flow, Message};

/// A server transaction (a request that came in). Never used twice.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ServerTx(pub(crate) u64);

/// A client transaction (a request that went out). Never used twice.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ClientTx(pub(crate) u64);

/// The transaction that a message on the wire belongs to. A CANCEL and its responses belong to
/// their INVITE's, an ACK to its INVITE's.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum TxRef {
    /// One of the peer's requests.
    Server(ServerTx),
    /// One of our requests.
    Client(ClientTx),
    /// None: answered statelessly, or stray.
    None,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Input {
    /// A datagram's content, or one message framed from a stream.
    Received {
        /// Where it came from.
        flow: Flow,
        /// The bytes.
        bytes: Bytes,
    },
    /// Sending failed, or the connection closed.
    FlowFailed {
        /// The path that is gone.
        flow: Flow,
    },
}

/// What is to be done, in order.
#[derive(Clone, Debug)]
pub enum Output {
    /// Send these bytes.
    Transmit {
        /// Over this path.
        flow: Flow,
        /// One whole message ([`crate::peek_call_id`] reads its Call-ID).
        bytes: Bytes,
        /// The transaction it belongs to.
        of: TxRef,
    },
    /// Something for the transaction user.
    Event(Event),
    /// A message came in that is no event: a retransmission, a 100, an ACK for a refusal, a stray
    /// response. With this and the events every message can be shown.
    Absorbed {
        /// Where it came from.
        flow: Flow,
        /// The message.
        message: Message,
        /// The transaction it belongs to.
        of: TxRef,
    },
    /// Bytes came in that are no message, or a broken one (then it may just have been refused).
    Rejected {
        /// Where they came from.
        flow: Flow,
        /// The bytes.
        bytes: Bytes,
        /// What is wrong with them.
        problem: crate::Problem,
    },
}

/// What the transaction user hears.
#[derive(Clone, Debug)]
pub enum Event {
    /// A new request; not ACK, not CANCEL. An INVITE's 100 Trying is already in the outbox.
    Request {
        /// Respond to this.
        tx: ServerTx,
        /// Where it came from.
        flow: Flow,
        /// The request.
        request: Message,
    },
    /// The ACK for our 2xx.
    Ack {
        /// The INVITE's transaction.
        tx: ServerTx,
        /// Where it came from.
        flow: Flow,
        /// The ACK.
        ack: Message,
    },
    /// No ACK for our 2xx within 64*T1: hang up with a BYE (§13.3.1.4).
    AckMissing {
        /// The INVITE's transaction.
        tx: ServerTx,
    },
    /// A CANCEL for an INVITE that has no final response yet. It has been answered with 200; the
    /// user answers the INVITE with 487.
    Cancelled {
        /// The INVITE's transaction.
        tx: ServerTx,
        /// Where it came from.
        flow: Flow,
        /// The CANCEL.
        cancel: Message,
    },
    /// The user left an INVITE without a response for too long
    /// ([`EndpointConfig::unanswered`]): it has been refused with 408, and the call is over.
    Unanswered {
        /// The INVITE's transaction.
        tx: ServerTx,
    },
    /// A response: each provisional but 100, the final one, and further 2xx of forks.
    Response {
        /// The request's transaction.
        tx: ClientTx,
        /// Where it came from.
        flow: Flow,
        /// The response.
        response: Message,
    },
    /// No final response in time (Timer B or F, or 64*T1 after a CANCEL).
    TimedOut {
        /// The request's transaction.
        tx: ClientTx,
    },
    /// The request could not be sent, or there was no room for one more transaction.
    TransportFailed {
        /// The request's transaction.
        tx: ClientTx,
    },
}

/// The timers of RFC 3261 §17 (table 4) and RFC 6026.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Timer {
    /// When to send an INVITE again.
    A,
    /// When to give an INVITE up.
    B,
    /// When to refuse an INVITE that the user leaves unanswered, or to forget another request.
    C,
    /// When to give up an INVITE that was cancelled and never answered (§9.1).
    Cancel,
    /// When to stop absorbing final responses to an INVITE.
    D,
    /// When to send another request again.
    E,
    /// When to give another request up.
    F,
    /// When to send a final response to an INVITE again: Timer G, and §13.3.1.4 for 2xx.
    G,
    /// When to stop waiting for the ACK of a refusal.
    H,
    /// When to stop absorbing ACKs.
    I,
    /// When to stop absorbing another request.
    J,
    /// When to stop absorbing responses to another request.
    K,
    /// When to stop waiting for the ACK of a 2xx, and absorbing the INVITE.
    L,
    /// When to stop taking 2xx of forks and re-sending their ACKs.
    M,
}
