//! Builders for messages that go out. A value with CR, LF or NUL is refused, so that no text from
//! outside can add a header field or a message of its own.

use std::borrow::Cow;
use std::fmt::{self, Write as _};

use bytes::Bytes;

use super::{Method, Name, StatusCode, UriBuf, scan};
use crate::digest::Answered;

/// Why a header field was refused: our own user's mistake, not a peer's.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BuildError {
    /// The name is not a token.
    #[error("{0:?} is not the name of a header field")]
    Name(String),
    /// The value holds a CR, LF, NUL or another control character.
    #[error("the value of {0} holds a control character")]
    Value(String),
}

/// The header fields, as they will stand in the message.
#[derive(Clone, Debug, Default)]
struct Fields {
    lines: String,
    index: Vec<Field>,
    body: Bytes,
    refused: Option<BuildError>,
}

/// Where a field is in the lines.
#[derive(Clone, Copy, Debug)]
struct Field {
    code: u8,
    from: usize,
    /// Where its value begins and ends.
    value: (usize, usize),
}

impl Fields {
    fn add(&mut self, name: Name<'_>, value: &dyn fmt::Display) -> Result<(), BuildError> {
        if name.code() == super::name::OTHER && !scan::is_token(name.as_str().as_bytes()) {
            return Err(BuildError::Name(name.to_string()));
        }
        if self.lines.is_empty() {
            self.lines.reserve(512);
            self.index.reserve(10);
        }
        let from = self.lines.len();
        self.lines.push_str(name.as_str());
        self.lines.push_str(": ");
        let value_from = self.lines.len();
        _ = write!(self.lines, "{value}");
        let value_to = self.lines.len();
        let written = self.lines.as_bytes()[value_from..].iter();
        let control = |b: u8| ((b < b' ') & (b != b'\t')) | (b == 0x7f);
        if written.fold(false, |some, &b| some | control(b)) {
            self.lines.truncate(from);
            return Err(BuildError::Value(name.to_string()));
        }
        self.lines.push_str("\r\n");
        self.index.push(Field { code: name.code(), from, value: (value_from, value_to) });
        Ok(())
    }

    fn add_or_note(&mut self, name: Name<'_>, value: &dyn fmt::Display) {
        if let Err(error) = self.add(name, value) {
            self.refused.get_or_insert(error);
        }
    }

    fn get(&self, name: Name<'_>) -> Option<&str> {
        let (from, to) = self.index.iter().find(|field| self.is(field, name))?.value;
        Some(&self.lines[from..to])
    }

    fn is(&self, field: &Field, name: Name<'_>) -> bool {
        let Field { code, from, .. } = *field;
        code == name.code()
            && (code != super::name::OTHER
                || self.lines[from..field.value.0 - 2].eq_ignore_ascii_case(name.as_str()))
    }

    fn remove(&mut self, name: Name<'_>) {
        if self.get(name).is_none() {
            return;
        }
        let kept: Vec<Field> =
            self.index.iter().filter(|field| !self.is(field, name)).copied().collect();
        let mut lines = String::with_capacity(self.lines.len());
        self.index.clear();
        for Field { code, from, value } in kept {
            let start = lines.len();
            lines.push_str(&self.lines[from..value.1]);
            lines.push_str("\r\n");
            let value = (start + value.0 - from, start + value.1 - from);
            self.index.push(Field { code, from: start, value });
        }
        self.lines = lines;
    }

    /// The whole message behind that start and those first lines.
    fn finish(&self, start: &[&str]) -> Bytes {
        const LENGTH: &str = "Content-Length: ";
        let start_length: usize = start.iter().map(|piece| piece.len()).sum();
        let digits = scan::Digits::of(self.body.len() as u64);
        let length = start_length + self.lines.len() + LENGTH.len() + digits.as_str().len() + 4;
        // Exactly so long: transactions keep it for half a minute.
        let mut bytes = Vec::with_capacity(length + self.body.len());
        for piece in start.iter().copied().chain([&*self.lines, LENGTH, digits.as_str()]) {
            bytes.extend_from_slice(piece.as_bytes());
        }
        bytes.extend_from_slice(b"\r\n\r\n");
        bytes.extend_from_slice(&self.body);
        Bytes::from(bytes)
    }
}

macro_rules! fields {
    () => {
        /// Adds a header field. A refused one (see [`BuildError`]) is left out and remembered;
        /// for values from outside use [`Self::try_header`].
        #[must_use]
        pub fn header(mut self, name: Name<'_>, value: impl fmt::Display) -> Self {
            self.fields.add_or_note(name, &value);
            self
        }

        /// Adds a header field whose name or value comes from outside.
        ///
        /// # Errors
        /// When the name is no token, or the value holds CR, LF, NUL or another control character.
        pub fn try_header(
            mut self,
            name: Name<'_>,
            value: impl fmt::Display,
        ) -> Result<Self, BuildError> {
            self.fields.add(name, &value)?;
            Ok(self)
        }

        /// The body and its type. Content-Length is written for you.
        #[must_use]
        pub fn body(mut self, content_type: &str, body: impl Into<Bytes>) -> Self {
            self.fields.add_or_note(Name::CONTENT_TYPE, &content_type);
            self.fields.body = body.into();
            self
        }

        /// The first field of that name that was added.
        #[must_use]
        pub fn get(&self, name: Name<'_>) -> Option<&str> {
            self.fields.get(name)
        }

        /// The body.
        #[must_use]
        pub const fn content(&self) -> &Bytes {
            &self.fields.body
        }

        /// What [`Self::header`] left out, if anything.
        #[must_use]
        pub const fn refused(&self) -> Option<&BuildError> {
            self.fields.refused.as_ref()
        }
    };
}

/// A request to send. [`crate::Endpoint::request`] adds Via, Max-Forwards, Content-Length and, where
/// missing, From, To, Call-ID and CSeq.
#[derive(Clone, Debug)]
pub struct Request {
    method: Method,
    uri: UriBuf,
    fields: Fields,
    /// Whose challenges its credentials answer.
    answered: Answered,
}

impl Request {
    /// A request without header fields.
    #[must_use]
    pub fn new(method: Method, uri: UriBuf) -> Self {
        Self { method, uri, fields: Fields::default(), answered: Answered::default() }
    }

    fields!();

    /// The method.
    #[must_use]
    pub const fn method(&self) -> &Method {
        &self.method
    }

    /// The Request-URI.
    #[must_use]
    pub const fn uri(&self) -> &UriBuf {
        &self.uri
    }

    /// Takes every field of that name out.
    pub fn remove(&mut self, name: Name<'_>) {
        self.fields.remove(name);
    }

    /// Takes the answers to challenges out, for sending the request again as another one: they were
    /// for the request that it was (RFC 7616 §3.4.5), and whoever challenged does so again.
    pub fn forget_answers(&mut self) {
        self.remove(Name::AUTHORIZATION);
        self.remove(Name::PROXY_AUTHORIZATION);
        self.answered = Answered::default();
    }

    /// Counts CSeq up, for sending the request again outside a dialog (RFC 3261 §22.2). Without a
    /// CSeq nothing is done: the transaction layer makes a new one.
    pub fn next_cseq(&mut self) {
        let number = self.get(Name::CSEQ).and_then(|text| text.split_once(' '));
        let number = number.and_then(|(number, _)| number.parse::<u32>().ok());
        if let Some(number) = number {
            self.set_cseq(number.saturating_add(1));
        }
    }

    pub(crate) fn set_cseq(&mut self, number: u32) {
        self.fields.remove(Name::CSEQ);
        self.fields.add_or_note(Name::CSEQ, &format_args!("{number} {}", self.method));
    }

    /// One more field of that name.
    pub(crate) fn add_header(&mut self, name: Name<'_>, value: &dyn fmt::Display) {
        self.fields.add_or_note(name, value);
    }

    pub(crate) const fn answered(&self) -> &Answered {
        &self.answered
    }

    pub(crate) const fn answered_mut(&mut self) -> &mut Answered {
        &mut self.answered
    }

    /// About how many bytes it will be on the wire, for [`crate::wants_stream`]: what the
    /// transaction layer adds is counted with what it is at most, short of long host names.
    #[must_use]
    pub fn size(&self) -> usize {
        /// Via, Max-Forwards, Content-Length, User-Agent and the line ends.
        const ADDED: usize = 220;
        /// A From, To, Call-ID or CSeq that is not there yet.
        const MISSING: usize = 60;
        let start = self.method.as_str().len() + self.uri.as_str().len() + 10;
        let must = [Name::FROM, Name::TO, Name::CALL_ID, Name::CSEQ];
        let missing = must.into_iter().filter(|&name| self.get(name).is_none()).count();
        let added = ADDED + MISSING * missing;
        start + self.fields.lines.len() + self.fields.body.len() + added
    }

    /// The message, with that Via on top.
    pub(crate) fn encode(&self, via: &str) -> Bytes {
        let (method, uri) = (self.method.as_str(), self.uri.as_str());
        self.fields.finish(&[method, " ", uri, " SIP/2.0\r\nVia: ", via, "\r\n"])
    }
}

/// A response to send. [`crate::Endpoint::respond`] copies Via, From, To, Call-ID and CSeq from the
/// request, and Record-Route where a dialog may come of it.
#[derive(Clone, Debug)]
pub struct Response {
    status: StatusCode,
    reason: Cow<'static, str>,
    to_tag: Option<String>,
    fields: Fields,
}

impl Response {
    /// A response with the RFC's phrase.
    #[must_use]
    pub fn new(status: StatusCode) -> Self {
        let reason = Cow::Borrowed(status.reason());
        Self { status, reason, to_tag: None, fields: Fields::default() }
    }

    fields!();

    /// Another phrase than the RFC's; control characters become spaces.
    #[must_use]
    pub fn reason(mut self, phrase: &str) -> Self {
        self.reason = Cow::Owned(phrase.replace(|c: char| c.is_control(), " "));
        self
    }

    /// The tag to put on To, instead of one the transaction layer makes: the local tag of the
    /// dialog. Not a token: not taken.
    #[must_use]
    pub fn to_tag(mut self, tag: &str) -> Self {
        if scan::is_token(tag.as_bytes()) {
            self.to_tag = Some(tag.to_owned());
        } else {
            self.fields.refused.get_or_insert(BuildError::Value("To".to_owned()));
        }
        self
    }

    /// The status.
    #[must_use]
    pub const fn status(&self) -> StatusCode {
        self.status
    }

    pub(crate) fn chosen_tag(&self) -> Option<&str> {
        self.to_tag.as_deref()
    }

    /// The message; `copied` are the lines that come from the request.
    pub(crate) fn encode(&self, copied: &str) -> Bytes {
        let status = scan::Digits::of(self.status.as_u16().into());
        self.fields.finish(&["SIP/2.0 ", status.as_str(), " ", &self.reason, "\r\n", copied])
    }
}
