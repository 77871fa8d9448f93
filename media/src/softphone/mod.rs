//! A small audio endpoint: speaks given PCM, hears what comes. For demo, simulation and load.

use std::net::SocketAddr;
use std::sync::Arc;

use base::{Duration, Instant};
use bytes::Bytes;

use crate::{Codec, Port, RemoteMedia};

/// What a softphone sends.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transmit {
    /// From which of its sockets.
    pub port: Port,
    /// To whom.
    pub to: SocketAddr,
    /// The datagram.
    pub bytes: Bytes,
}
