//! SIP messages: parsed without copying into an index over the received bytes; header fields are
//! looked at when asked for (RFC 3261 §7).

mod address;
mod build;
mod error;
mod index;
mod mend;
mod method;
mod name;
mod parse;
mod scan;
mod status;
mod tel;
mod uri;
mod via;

use std::fmt;
use std::sync::Arc;

use base::Duration;
use bytes::Bytes;

pub use address::Address;
pub use build::{BuildError, Request, Response};
pub use error::{HeaderError, ParseError, Problem};
pub use method::Method;
pub use name::Name;
pub use scan::Params;
pub use status::StatusCode;
pub use uri::{Uri, UriBuf};
pub use via::Via;

pub(crate) use parse::content_length;
pub(crate) use scan::{Digits, is_token, number, split_list, trim, unquote};
pub(crate) use uri::unescape;

use index::{Entry, Index, Span, Start};

/// The longest message taken in, in bytes.
pub const MAX_MESSAGE: usize = 65_535;
/// The longest start line and header fields together, in bytes.
pub const MAX_HEAD: usize = 32_768;
/// The longest header field, folding included, in bytes.
pub const MAX_HEADER: usize = 8_192;
/// The most header fields in one message.
pub const MAX_HEADERS: usize = 256;

/// The most Vias in one message: more than requests have hops (Max-Forwards begins at 70).
pub const MAX_VIAS: usize = 100;

/// A parsed message. Cloning counts references.
///
/// Parsing has checked the start line, the limits, and that Via, From, To, Call-ID and CSeq are
/// there once and make sense; everything else is parsed when asked for.
#[derive(Clone)]
pub struct Message {
    wire: Bytes,
    index: Arc<Index>,
}

impl Message {
    /// Parses one message: a datagram's content, or what [`crate::framing`] cut out of a stream.
    ///
    /// # Errors
    /// When it is over a limit, not SIP/2.0, or lacks what every message has. The error knows the
    /// status to answer with.
    pub fn parse(bytes: Bytes) -> Result<Self, ParseError> {
        parse::parse(bytes)
    }

    /// The bytes as received.
    #[must_use]
    pub const fn bytes(&self) -> &Bytes {
        &self.wire
    }

    /// Whether it is a request.
    #[must_use]
    pub fn is_request(&self) -> bool {
        matches!(self.index.start, Start::Request { .. })
    }

    /// The method of a request, or of the CSeq of a response.
    #[must_use]
    pub fn method(&self) -> Method {
        self.index.method.clone()
    }

    pub(crate) fn method_ref(&self) -> &Method {
        &self.index.method
    }

    /// The status of a response; none of a request.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        match self.index.start {
            Start::Response { status, .. } => Some(status),
            Start::Request { .. } => None,
        }
    }

    /// The phrase of a response; empty for a request.
    #[must_use]
    pub fn reason(&self) -> &str {
        match self.index.start {
            Start::Response { reason, .. } => self.text(reason),
            Start::Request { .. } => "",
        }
    }

    /// The Request-URI as written; empty for a response.
    #[must_use]
    pub fn uri_text(&self) -> &str {
        match self.index.start {
            Start::Request { uri } => self.text(uri),
            Start::Response { .. } => "",
        }
    }

    /// The Request-URI.
    ///
    /// # Errors
    /// When the message is a response. (A request whose URI does not parse is not taken in.)
    pub fn uri(&self) -> Result<Uri<'_>, HeaderError> {
        Uri::parse(self.uri_text()).map_err(|error| error.of("Request-URI"))
    }

    /// The first header field of that name, unfolded and trimmed.
    #[must_use]
    pub fn header(&self, name: Name<'_>) -> Option<&str> {
        self.entries(name).next().map(|entry| self.text(entry.value))
    }

    /// Every header field of that name, unfolded and trimmed, lists not split.
    pub fn headers<'a>(&'a self, name: Name<'a>) -> impl Iterator<Item = &'a str> {
        self.entries(name).map(|entry| self.text(entry.value))
    }

    /// The elements of a comma-separated header over all its lines.
    pub fn list<'a>(&'a self, name: Name<'a>) -> impl Iterator<Item = &'a str> {
        self.headers(name).flat_map(split_list).filter(|element| !element.is_empty())
    }

    /// Every header field in order: name as written, value unfolded.
    pub fn all_headers(&self) -> impl Iterator<Item = (&str, &str)> {
        let entries = self.index.headers.all().iter();
        entries.map(|entry| (self.text(entry.name), self.text(entry.value)))
    }

    fn entries<'a>(&'a self, name: Name<'a>) -> impl Iterator<Item = &'a Entry> {
        let code = name.code();
        self.index.headers.from(code).iter().filter(move |entry| {
            entry.code == code
                && (code != name::OTHER
                    || self.text(entry.name).eq_ignore_ascii_case(name.as_str()))
        })
    }

    /// The topmost Via.
    ///
    /// # Errors
    /// When it does not parse, which only happens to messages salvaged from a [`ParseError`].
    pub fn via(&self) -> Result<Via<'_>, HeaderError> {
        let top = self.list(Name::VIA).next();
        Via::parse(top.ok_or(HeaderError::new("Via", "not there"))?)
    }

    /// Every Via, topmost first.
    pub fn vias(&self) -> impl Iterator<Item = Result<Via<'_>, HeaderError>> {
        self.list(Name::VIA).map(Via::parse)
    }

    /// From.
    ///
    /// # Errors
    /// As [`Message::via`].
    pub fn from(&self) -> Result<Address<'_>, HeaderError> {
        self.address(Name::FROM, "From")
    }

    /// To.
    ///
    /// # Errors
    /// As [`Message::via`].
    pub fn to(&self) -> Result<Address<'_>, HeaderError> {
        self.address(Name::TO, "To")
    }

    /// The first Contact; none if there is no Contact.
    ///
    /// # Errors
    /// When it does not parse; `*` does not.
    pub fn contact(&self) -> Result<Option<Address<'_>>, HeaderError> {
        self.contacts().next().transpose()
    }

    /// Every Contact.
    pub fn contacts(&self) -> impl Iterator<Item = Result<Address<'_>, HeaderError>> {
        self.list(Name::CONTACT).map(|one| Address::parse(one).map_err(|e| e.of("Contact")))
    }

    fn address(&self, name: Name<'static>, text: &'static str) -> Result<Address<'_>, HeaderError> {
        let value = self.header(name).ok_or(HeaderError::new(text, "not there"))?;
        Address::parse(value).map_err(|error| error.of(text))
    }

    /// The number of CSeq; its method is [`Message::method`].
    ///
    /// # Errors
    /// As [`Message::via`].
    pub fn cseq(&self) -> Result<u32, HeaderError> {
        self.index.cseq.ok_or(HeaderError::new("CSeq", "not there"))
    }

    /// Call-ID; empty only in messages salvaged from a [`ParseError`].
    #[must_use]
    pub fn call_id(&self) -> &str {
        self.header(Name::CALL_ID).unwrap_or("")
    }

    /// The tag of From, if there is one (RFC 2543 peers send none).
    #[must_use]
    pub fn from_tag(&self) -> Option<&str> {
        self.index.from_tag.map(|tag| self.text(tag))
    }

    /// The tag of To, if there is one: the message belongs to a dialog.
    #[must_use]
    pub fn to_tag(&self) -> Option<&str> {
        self.index.to_tag.map(|tag| self.text(tag))
    }

    /// Max-Forwards.
    #[must_use]
    pub fn max_forwards(&self) -> Option<u8> {
        self.header(Name::MAX_FORWARDS)?.parse().ok()
    }

    /// Expires in seconds; a number too large to hold is the largest that can be held.
    #[must_use]
    pub fn expires(&self) -> Option<u32> {
        seconds(self.header(Name::EXPIRES)?)
    }

    /// The pause that Retry-After asks for (§20.33), without its comment and parameters.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        let text = self.header(Name::RETRY_AFTER)?.trim_start();
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        Some(Duration::from_secs(seconds(text.get(..end)?)?.into()))
    }

    /// The body; empty if there is none.
    #[must_use]
    pub fn body(&self) -> Bytes {
        let (from, to) = self.index.body;
        self.wire.slice(from as usize..to as usize)
    }

    /// Content-Type.
    #[must_use]
    pub fn content_type(&self) -> Option<&str> {
        self.header(Name::CONTENT_TYPE)
    }

    fn text(&self, span: Span) -> &str {
        let head = self.index.mended.as_ref().unwrap_or(&self.wire);
        // The whole head was checked when it was parsed.
        std::str::from_utf8(span.of(head)).unwrap_or("")
    }
}

/// Delta-seconds; too large a number is the largest that can be held (RFC 4475 §3.1.2.4).
pub(crate) fn seconds(text: &str) -> Option<u32> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(u32::MAX))
}

/// The Call-ID of a message in bytes that need not be parsed (of one that this crate made, say).
#[must_use]
pub fn peek_call_id(bytes: &[u8]) -> Option<&str> {
    let mut rest = bytes;
    while let Some(end) = memchr::memchr(b'\n', rest) {
        let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
        if line.is_empty() {
            return None;
        }
        if let Some(colon) = memchr::memchr(b':', line)
            && name::code_of(line[..colon].trim_ascii()) == Name::CALL_ID.code()
        {
            return std::str::from_utf8(line[colon + 1..].trim_ascii()).ok();
        }
        rest = &rest[end + 1..];
    }
    None
}

/// The bytes as text, for tests and debug logs only: it holds personal data.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message({:?})", String::from_utf8_lossy(&self.wire))
    }
}

impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        self.wire == other.wire
    }
}
