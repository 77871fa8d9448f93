//! Where a URI's requests go: transport, address and port, in the order to try them
//! (RFC 3263 §4, RFC 2782, RFC 7984), as a machine that asks its driver for DNS records.
//!
//! ```text
//! Resolver::new(uri, allowed, rng)
//!     poll_output() -> Question        the driver (or a Cache) looks it up
//!     handle_input(now, Answer)
//!     hops() -> Ok([Hop, ...])         first to last resort
//! ```
//!
//! On purpose not done: `maddr` is not followed (it would aim our requests at anyone), NAPTR
//! records are taken only in the one form that RFC 3263 uses (flag `s`, no regular expression).

mod cache;
mod machine;
mod order;

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use base::Duration;

pub use cache::Cache;
pub use machine::Resolver;

use crate::{StatusCode, Transport};

/// What the driver is to look up. Names are lower-case, without a dot at the end.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Question {
    /// The NAPTR records of a domain.
    Naptr(Box<str>),
    /// The SRV records of a service, such as `_sip._udp.example.com`.
    Srv(Box<str>),
    /// The A and AAAA records of a host, aliases followed.
    Address(Box<str>),
}

impl Question {
    /// The name asked for.
    #[must_use]
    pub const fn name(&self) -> &str {
        match self {
            Self::Naptr(name) | Self::Srv(name) | Self::Address(name) => name,
        }
    }
}

/// A NAPTR record (RFC 3403 §4).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Naptr {
    /// Records of a higher order count only if none of a lower one is of use.
    pub order: u16,
    /// Within one order: lower first.
    pub preference: u16,
    /// Such as `s`: the replacement is an SRV name.
    pub flags: Box<str>,
    /// Such as `SIP+D2U`.
    pub service: Box<str>,
    /// A substitution; records with one are passed over.
    pub regexp: Box<str>,
    /// The name to ask for next.
    pub replacement: Box<str>,
}

/// An SRV record (RFC 2782).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Srv {
    /// Lower first.
    pub priority: u16,
    /// The share of requests within one priority.
    pub weight: u16,
    /// The port.
    pub port: u16,
    /// The host; `.` (or empty) says that the service is not offered.
    pub target: Box<str>,
}

/// What a question brought.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Records {
    /// For [`Question::Naptr`].
    Naptr(Vec<Naptr>),
    /// For [`Question::Srv`].
    Srv(Vec<Srv>),
    /// For [`Question::Address`], in the order the driver prefers (RFC 6724: it knows our own
    /// addresses). Of both families they are tried in turns (RFC 7984, RFC 8305 §4).
    Address(Vec<IpAddr>),
}

/// Why a question brought no records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NoAnswer {
    /// There are none: the name does not exist, or has none of that type.
    NotFound,
    /// Nobody answered, or not sensibly: it may be better another time.
    Failed,
}

/// The answer to a question.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// The question as it was asked.
    pub question: Question,
    /// What was found.
    pub records: Result<Records, NoAnswer>,
    /// How long it holds.
    pub ttl: Duration,
}

/// One place to send to.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Hop {
    /// Over this transport.
    pub transport: Transport,
    /// To this address.
    pub remote: SocketAddr,
    /// With TLS: the name that the certificate must be for. It is the URI's own host, not what
    /// DNS made of it (RFC 5922 §4).
    pub server_name: Option<Box<str>>,
}

impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.transport, self.remote)
    }
}

/// Why a URI leads nowhere.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ResolveError {
    /// Not a `sip:` or `sips:` URI.
    #[error("not a SIP URI")]
    NotSip,
    /// It names a transport that is not among the allowed ones, or `sips` one that is not secure.
    #[error("a transport that is not allowed here")]
    Transport,
    /// The domain says that it offers no such service (an SRV target of `.`).
    #[error("the domain does not offer this service")]
    NotOffered,
    /// DNS knows no address for it.
    #[error("no address is known")]
    NotFound,
    /// DNS did not answer: another time it may.
    #[error("the name servers did not answer")]
    Failed,
}

impl ResolveError {
    /// What the request that was to go there gets for an answer (RFC 3261 §8.1.3.1, §21.4.17).
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::NotSip => StatusCode::UNSUPPORTED_URI_SCHEME,
            Self::NotFound | Self::NotOffered => StatusCode::NOT_FOUND,
            Self::Transport | Self::Failed => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}
