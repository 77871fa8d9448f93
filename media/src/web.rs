//! A browser as the far end of a stream: who it is, and what can go wrong with it.

use crate::dtls::{DtlsRole, Fingerprint};

/// What a browser's SDP says of itself, for ICE and DTLS.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Peer {
    /// Its `a=ice-ufrag`: another one, and it has restarted ICE. Its password is of no use to us,
    /// who check nothing.
    pub fragment: Box<str>,
    /// The certificate it will show.
    pub fingerprint: Fingerprint,
    /// Our part in the handshake.
    pub role: DtlsRole,
}

/// Why a browser cannot be talked to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum WebFailure {
    /// It has not checked the way to us for 30 s: its network is gone, or its page is.
    ConsentLost,
    /// It showed another certificate than its SDP names.
    WrongCertificate,
    /// The handshake failed, or gave no keys for encryption that we have.
    Handshake,
    /// It says goodbye: the page ended the conversation, or was closed.
    Closed,
}
