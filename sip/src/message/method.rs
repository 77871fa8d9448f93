//! Request methods: an open set (RFC 3261 §7.1).

use std::fmt;
use std::sync::Arc;

use super::scan;

/// A request method. Compared with regard to case, as the RFC has it.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
#[allow(missing_docs, reason = "the variants are the methods they spell")]
pub enum Method {
    Invite,
    Ack,
    Bye,
    Cancel,
    Options,
    Register,
    Info,
    Message,
    Subscribe,
    Notify,
    Refer,
    Update,
    Prack,
    Publish,
    /// Any other token.
    Other(Arc<str>),
}

impl Method {
    /// The method of that name; the text is not checked to be a token.
    #[must_use]
    pub fn new(text: &str) -> Self {
        match text {
            "INVITE" => Self::Invite,
            "ACK" => Self::Ack,
            "BYE" => Self::Bye,
            "CANCEL" => Self::Cancel,
            "OPTIONS" => Self::Options,
            "REGISTER" => Self::Register,
            "INFO" => Self::Info,
            "MESSAGE" => Self::Message,
            "SUBSCRIBE" => Self::Subscribe,
            "NOTIFY" => Self::Notify,
            "REFER" => Self::Refer,
            "UPDATE" => Self::Update,
            "PRACK" => Self::Prack,
            "PUBLISH" => Self::Publish,
            other => Self::Other(Arc::from(other)),
        }
    }

    /// The method of that name, if it is a token.
    pub(crate) fn from_token(text: &[u8]) -> Option<Self> {
        match text {
            b"INVITE" => Some(Self::Invite),
            b"ACK" => Some(Self::Ack),
            b"BYE" => Some(Self::Bye),
            _ if scan::is_token(text) => std::str::from_utf8(text).ok().map(Self::new),
            _ => None,
        }
    }

    /// The method's name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Invite => "INVITE",
            Self::Ack => "ACK",
            Self::Bye => "BYE",
            Self::Cancel => "CANCEL",
            Self::Options => "OPTIONS",
            Self::Register => "REGISTER",
            Self::Info => "INFO",
            Self::Message => "MESSAGE",
            Self::Subscribe => "SUBSCRIBE",
            Self::Notify => "NOTIFY",
            Self::Refer => "REFER",
            Self::Update => "UPDATE",
            Self::Prack => "PRACK",
            Self::Publish => "PUBLISH",
            Self::Other(text) => text,
        }
    }

    /// Whether a request of this method refreshes the remote target with its Contact
    /// (RFC 3261 §12.2.1.1, RFC 3311, RFC 6665).
    #[must_use]
    pub const fn refreshes_target(&self) -> bool {
        matches!(self, Self::Invite | Self::Update | Self::Subscribe | Self::Notify | Self::Refer)
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
