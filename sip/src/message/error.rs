//! What is wrong with a peer's message, where, and which status answers it.

use super::{Message, StatusCode};

/// A header field (or URI) whose value does not parse: the peer's mistake.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{header}: {problem}")]
pub struct HeaderError {
    /// The header's name.
    pub header: &'static str,
    /// What is wrong with it.
    pub problem: &'static str,
}

impl HeaderError {
    pub(crate) const fn new(header: &'static str, problem: &'static str) -> Self {
        Self { header, problem }
    }

    pub(crate) const fn of(self, header: &'static str) -> Self {
        Self { header, problem: self.problem }
    }
}

/// What is wrong with a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[allow(missing_docs, reason = "the message of each says it")]
pub enum Problem {
    #[error("the message is longer than {} bytes", super::MAX_MESSAGE)]
    MessageTooLong,
    #[error("the header fields are longer than {} bytes", super::MAX_HEAD)]
    HeadTooLong,
    #[error("a header field is longer than {} bytes", super::MAX_HEADER)]
    HeaderTooLong,
    #[error("there are more than {} header fields", super::MAX_HEADERS)]
    TooManyHeaders,
    #[error("there are more than {} Vias", super::MAX_VIAS)]
    TooManyVias,
    #[error("the header fields have no end")]
    NoEndOfHead,
    #[error("a line end that is not CR LF, or a NUL")]
    ControlCharacter,
    #[error("not a request line")]
    RequestLine,
    #[error("not a status line")]
    StatusLine,
    #[error("not SIP/2.0")]
    Version,
    #[error("a header field without a name or a colon")]
    HeaderSyntax,
    #[error("no {0}")]
    Missing(&'static str),
    #[error("more than one {0}")]
    Repeated(&'static str),
    #[error("{0}")]
    Header(HeaderError),
    #[error("the method of CSeq is not the request's")]
    CseqMethod,
    #[error("Content-Length says more bytes than there are")]
    BodyTooShort,
}

impl Problem {
    /// The status that answers a request with this problem (RFC 3261 §8.2, §18.3, §21.4).
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::MessageTooLong => StatusCode::MESSAGE_TOO_LARGE,
            Self::Version => StatusCode::VERSION_NOT_SUPPORTED,
            _ => StatusCode::BAD_REQUEST,
        }
    }
}

/// Why bytes are not a SIP message that can be worked with.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{problem} (at byte {at})")]
pub struct ParseError {
    /// What is wrong.
    pub problem: Problem,
    /// The offset of the line that is wrong.
    pub at: usize,
    /// The request as far as it could be read, if it was one and could be answered.
    pub(crate) salvaged: Option<Box<Message>>,
}

impl ParseError {
    /// The status to answer with; none if the bytes were no request, an ACK, or have no Via to
    /// send an answer to.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        self.salvaged.as_ref().map(|_| self.problem.status())
    }

    /// The request as far as it could be read, for answering it.
    #[must_use]
    pub fn salvaged(&self) -> Option<&Message> {
        self.salvaged.as_deref()
    }
}
