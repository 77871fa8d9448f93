//! What a resolver asks its driver, what it is answered, and the hops that come of it (RFC 3263,
//! RFC 2782, RFC 3403).

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use base::Duration;

use crate::Transport;

/// A question to the domain name system. Names have no trailing dot.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Question {
    /// The NAPTR records of a domain (RFC 3403).
    Naptr(Box<str>),
    /// The SRV records of a service, such as `_sip._udp.example.com` (RFC 2782).
    Srv(Box<str>),
    /// The A and AAAA records of a host.
    Address(Box<str>),
}

/// A NAPTR record, as far as RFC 3263 reads it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Naptr {
    /// Lower ones come first.
    pub order: u16,
    /// Among equal orders, lower ones come first.
    pub preference: u16,
    /// `s` when the replacement is a name for SRV.
    pub flags: Box<str>,
    /// The service, such as `SIPS+D2T`.
    pub service: Box<str>,
    /// The name to ask next.
    pub replacement: Box<str>,
}

/// An SRV record.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Srv {
    /// Lower ones come first.
    pub priority: u16,
    /// Among equal priorities, its share.
    pub weight: u16,
    /// The port.
    pub port: u16,
    /// The host.
    pub target: Box<str>,
}

/// Records that were found: at least one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Records {
    /// To [`Question::Naptr`].
    Naptr(Vec<Naptr>),
    /// To [`Question::Srv`].
    Srv(Vec<Srv>),
    /// To [`Question::Address`].
    Address(Vec<IpAddr>),
}

/// Why there are no records.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum NoAnswer {
    /// The name does not exist, or has no such records: certain, for as long as the answer holds.
    NoRecords,
    /// Nobody could be asked, or they would not say: another time it may be otherwise.
    Failed(Box<str>),
}

/// The answer to a question.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// What was asked.
    pub question: Question,
    /// What there is.
    pub records: Result<Records, NoAnswer>,
    /// How long it holds.
    pub ttl: Duration,
}

/// One place to send a request to.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Hop {
    /// By which transport.
    pub transport: Transport,
    /// Where.
    pub remote: SocketAddr,
    /// Whom its certificate must be for (RFC 5922 §7.2): the name that was asked for, not one that
    /// the domain name system gave. `None` for transports without one.
    pub server_name: Option<Box<str>>,
}

impl fmt::Display for Hop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.transport, self.remote)
    }
}
