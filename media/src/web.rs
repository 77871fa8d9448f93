//! A far end that does WebRTC, most often a browser: who it is, and what can go wrong with it.

use crate::dtls::{DtlsRole, Fingerprint};
use crate::ice::Reach;

/// What a browser's SDP says of itself, for ICE and DTLS.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Peer {
    /// Its `a=ice-ufrag`: another one, and it has restarted ICE.
    pub fragment: Box<str>,
    /// What it takes to check the way to it; of no use to a lite end, which checks nothing.
    pub reach: Option<Reach>,
    /// The certificate it will show.
    pub fingerprint: Fingerprint,
    /// Our part in the handshake.
    pub role: DtlsRole,
}

/// Why a browser cannot be talked to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum WebFailure {
    /// It has not checked the way to us for 30 s, or answered no check of ours: its network is gone,
    /// or its page is.
    ConsentLost,
    /// There is no way to any of its addresses that we may check.
    NoWay,
    /// It showed another certificate than its SDP names.
    WrongCertificate,
    /// The handshake failed, or gave no keys for encryption that we have.
    Handshake,
    /// It says goodbye: the page ended the conversation, or was closed.
    Closed,
}
