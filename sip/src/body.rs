//! What is in a message's body: one part, or those of a multipart one (RFC 2046 §5.1, RFC 5621),
//! each with its type and what is to be done with it (RFC 3261 §20.11, §20.12). Carriers put ISUP,
//! locations and more beside an SDP.

use std::borrow::Cow;

use bytes::Bytes;

use crate::message::{Params, trim, unquote};
use crate::{HeaderError, Message, Name};

/// More parts than any message's are an attack.
const MOST: usize = 16;
/// Parts within parts within the body.
const DEEPEST: usize = 3;
/// The longest boundary (RFC 2046 §5.1.1).
const LONGEST_BOUNDARY: usize = 70;

/// The parts of a message's body, those that are to be preferred first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Body(Vec<Part>);

/// One part.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Part {
    /// `type/subtype` in lower case; empty if nothing is said.
    kind: String,
    /// The disposition in lower case; empty if nothing is said.
    disposition: String,
    handling: Handling,
    is_encoded: bool,
    /// Content-ID without its brackets; empty if there is none.
    id: String,
    content: Bytes,
}

/// What the handling parameter says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Handling {
    /// Nothing, in a body of one part.
    Alone,
    /// Nothing, beside others.
    Beside,
    Required,
    Optional,
}

impl Part {
    /// Whether it is of that type, such as `application/sdp`. A body that says no type is none.
    #[must_use]
    pub fn is(&self, kind: &str) -> bool {
        self.kind.eq_ignore_ascii_case(kind)
    }

    /// `type/subtype` in lower case; empty if nothing is said.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Whether it describes the session (§20.11), as everything does that says nothing else; an
    /// `early-session` (RFC 3959) does not.
    #[must_use]
    pub fn is_session(&self) -> bool {
        matches!(&*self.disposition, "" | "session" | "render")
    }

    /// Whether its content is compressed or otherwise encoded.
    #[must_use]
    pub const fn is_encoded(&self) -> bool {
        self.is_encoded
    }

    /// Whether a request must be refused with 415 by those who do not understand it. By the letter
    /// that is what silence means; but what stands beside other parts and does not insist is
    /// passed over, because carriers add parts of their own to every INVITE.
    #[must_use]
    pub const fn must_be_understood(&self) -> bool {
        matches!(self.handling, Handling::Alone | Handling::Required)
    }

    /// What other parts and header fields call it: Content-ID without its brackets (RFC 2392).
    #[must_use]
    pub fn id(&self) -> Option<&str> {
        Some(&*self.id).filter(|id| !id.is_empty())
    }

    /// The content.
    #[must_use]
    pub const fn content(&self) -> &Bytes {
        &self.content
    }
}

impl Body {
    /// The parts of that message's body; none if it is empty.
    ///
    /// # Errors
    /// When a multipart body has no boundary, or more parts than any has.
    pub fn of(message: &Message) -> Result<Self, HeaderError> {
        let content = message.body();
        let mut body = Self::default();
        if content.is_empty() {
            return Ok(body);
        }
        let fields = Fields {
            kind: message.content_type().unwrap_or("").into(),
            disposition: message.header(Name::CONTENT_DISPOSITION).unwrap_or("").into(),
            encoding: message.header(Name::CONTENT_ENCODING).unwrap_or("").into(),
            transfer: "".into(),
            id: "".into(),
        };
        body.add(&fields, content, Handling::Alone, 0)?;
        Ok(body)
    }

    /// Those parts, one after the other.
    #[must_use]
    pub fn parts(&self) -> &[Part] {
        &self.0
    }

    /// The first part of that type, which describes the session.
    #[must_use]
    pub fn session(&self, kind: &str) -> Option<&Part> {
        self.0.iter().find(|part| part.is(kind) && part.is_session())
    }

    fn add(
        &mut self,
        fields: &Fields<'_>,
        content: Bytes,
        silence: Handling,
        depth: usize,
    ) -> Result<(), HeaderError> {
        let (kind, params) = split(&fields.kind);
        if let Some(subtype) = kind.strip_prefix("multipart/") {
            return self.add_parts(subtype, params, &content, depth);
        }
        if self.0.len() == MOST {
            return Err(HeaderError::new("Content-Type", "too many parts"));
        }
        let (disposition, params) = split(&fields.disposition);
        let handling = match params.value("handling").map(str::to_ascii_lowercase).as_deref() {
            Some("required") => Handling::Required,
            Some("optional") => Handling::Optional,
            _ => silence,
        };
        let is_encoded = is_encoded(&fields.encoding, &["identity"])
            || is_encoded(&fields.transfer, &["7bit", "8bit", "binary"]);
        let id = fields.id.trim().trim_start_matches('<').trim_end_matches('>').to_owned();
        self.0.push(Part { kind, disposition, handling, is_encoded, id, content });
        Ok(())
    }

    fn add_parts(
        &mut self,
        subtype: &str,
        params: Params<'_>,
        content: &Bytes,
        depth: usize,
    ) -> Result<(), HeaderError> {
        let boundary = params.value("boundary").map(unquote).unwrap_or_default();
        if boundary.is_empty() || boundary.len() > LONGEST_BOUNDARY || depth == DEEPEST {
            return Err(HeaderError::new("Content-Type", "no usable boundary"));
        }
        let first = self.0.len();
        for part in cut(content, boundary.as_bytes()) {
            let (fields, content) = Fields::read(&part);
            self.add(&fields, content, Handling::Beside, depth + 1)?;
        }
        // Of alternatives the last is the best (RFC 2046 §5.1.4).
        if subtype == "alternative" {
            self.0[first..].reverse();
        }
        Ok(())
    }
}

/// `type/subtype` or a disposition in lower case, and the parameters behind it.
fn split(text: &str) -> (String, Params<'_>) {
    let end = text.find(';').unwrap_or(text.len());
    let (value, params) = text.split_at(end);
    (trim(value).to_ascii_lowercase(), Params::new(params))
}

fn is_encoded(text: &str, plain: &[&str]) -> bool {
    let mut codings = text.split(',').map(trim).filter(|coding| !coding.is_empty());
    codings.any(|coding| !plain.iter().any(|plain| coding.eq_ignore_ascii_case(plain)))
}

/// What stands between the boundary's lines. What comes before the first is dropped; the end may
/// be missing.
fn cut(content: &Bytes, boundary: &[u8]) -> Vec<Bytes> {
    let mut parts = Vec::new();
    let mut open: Option<usize> = None;
    let mut at = 0;
    loop {
        let end = line_end(content, at);
        let line = content[at..end].trim_ascii_end();
        let rest = line.strip_prefix(b"--").and_then(|rest| rest.strip_prefix(boundary));
        let is_last = rest == Some(b"--");
        if is_last || rest.is_some_and(<[u8]>::is_empty) {
            if let Some(from) = open {
                parts.push(content.slice(from..before_line_end(content, from, at)));
            }
            open = (!is_last).then_some(end);
            if is_last || parts.len() > MOST {
                return parts;
            }
        }
        if end == content.len() {
            break;
        }
        at = end;
    }
    if let Some(from) = open.filter(|from| *from < content.len()) {
        parts.push(content.slice(from..));
    }
    parts
}

/// Where a part ends: the line end before a boundary belongs to the boundary.
fn before_line_end(content: &[u8], from: usize, at: usize) -> usize {
    let text = &content[from..at.max(from)];
    let text = text.strip_suffix(b"\n").map_or(text, |t| t.strip_suffix(b"\r").unwrap_or(t));
    from + text.len()
}

/// The header fields of a part that matter here.
#[derive(Default)]
struct Fields<'a> {
    kind: Cow<'a, str>,
    disposition: Cow<'a, str>,
    encoding: Cow<'a, str>,
    transfer: Cow<'a, str>,
    id: Cow<'a, str>,
}

impl<'a> Fields<'a> {
    /// The header fields of a part, and its content.
    fn read(part: &'a Bytes) -> (Self, Bytes) {
        let mut fields = Self::default();
        let mut at = 0;
        while at < part.len() {
            let end = field_end(part, at);
            let line = part[at..end].trim_ascii_end();
            at = end;
            if line.is_empty() {
                return (fields, part.slice(at..));
            }
            let Some(colon) = memchr::memchr(b':', line) else { continue };
            let value = String::from_utf8_lossy(line[colon + 1..].trim_ascii());
            let value = value.replace(['\r', '\n'], " ").into();
            match line[..colon].trim_ascii().to_ascii_lowercase().as_slice() {
                b"content-type" | b"c" => fields.kind = value,
                b"content-disposition" => fields.disposition = value,
                b"content-encoding" | b"e" => fields.encoding = value,
                b"content-transfer-encoding" => fields.transfer = value,
                b"content-id" => fields.id = value,
                _ => {}
            }
        }
        (fields, Bytes::new())
    }
}

/// Where a field ends that begins there, lines that go on included; an empty line ends at once.
fn field_end(part: &[u8], from: usize) -> usize {
    let mut end = line_end(part, from);
    if part[from..end].trim_ascii_end().is_empty() {
        return end;
    }
    while matches!(part.get(end), Some(b' ' | b'\t')) {
        end = line_end(part, end);
    }
    end
}

fn line_end(text: &[u8], from: usize) -> usize {
    memchr::memchr(b'\n', &text[from..]).map_or(text.len(), |at| from + at + 1)
}
