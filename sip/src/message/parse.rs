//! The parser: one pass that indexes the lines, one that looks for odd bytes, then the checks every
//! message must pass (RFC 3261 §7, §8.1.1, §18.3). Strict where leniency smuggles, lenient where
//! the RFC is.

use std::sync::Arc;

use bytes::Bytes;

use super::error::{HeaderError, ParseError, Problem};
use super::index::{Entry, Index, Span, Start};
use super::mend::{has_control, is_plain, mend};
use super::name::{self, Name};
use super::{
    Address, MAX_HEAD, MAX_HEADER, MAX_HEADERS, MAX_MESSAGE, MAX_VIAS, Message, Method, StatusCode,
    Uri, Via, scan, split_list,
};

/// The first thing wrong with a message, and at which byte.
type Fault = (Problem, usize);

pub(super) fn parse(wire: Bytes) -> Result<Message, ParseError> {
    let unread = |(problem, at)| ParseError { problem, at, salvaged: None };
    let mut index = Index::new();
    let mut lines = Lines::new(&wire, false);
    lines.read(&mut index).map_err(unread)?;
    let mut fault = lines.fault;
    let mut head = lines.plain_text();
    let mended;
    if head.is_none() {
        mended = mend(&wire);
        index = Index { mended: Some(mended.clone()), ..Index::new() };
        let mut lines = Lines::new(&mended, true);
        lines.read(&mut index).map_err(unread)?;
        fault = lines.fault;
        head = std::str::from_utf8(&mended[..index.body.0 as usize]).ok();
    }
    if wire.len() > MAX_MESSAGE {
        fault = Some((Problem::MessageTooLong, 0));
    }
    let mut checks = Checks { head: head.unwrap_or(""), fault };
    checks.request_uri(&index);
    checks.fields(&mut index);
    checks.addresses(&mut index);
    let fault = checks.fault;
    let message = Message { wire, index: Arc::new(index) };
    let Some((problem, at)) = fault else { return Ok(message) };
    let answerable =
        message.is_request() && *message.method_ref() != Method::Ack && message.via().is_ok();
    let salvaged = answerable.then(|| Box::new(message));
    Err(ParseError { problem, at, salvaged })
}

fn to_u32(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

struct StartLine {
    start: Start,
    method: Method,
    fault: Option<Fault>,
}

/// Walks the lines of the head.
struct Lines<'a> {
    /// As far as a head may reach.
    text: &'a [u8],
    /// The length of the message.
    length: usize,
    at: usize,
    /// Whether to look for odd bytes line by line, and to take folds for mistakes.
    careful: bool,
    folded: bool,
    /// How many lines there were, empty ones included.
    count: usize,
    fault: Option<Fault>,
}

impl<'a> Lines<'a> {
    fn new(text: &'a [u8], careful: bool) -> Self {
        let length = text.len();
        let text = &text[..length.min(MAX_HEAD)];
        Self { text, length, at: 0, careful, folded: false, count: 0, fault: None }
    }

    /// The next line without its CR LF; `None` where the head breaks off.
    #[inline]
    fn line(&mut self) -> Option<(usize, &'a [u8])> {
        let from = self.at;
        let window = &self.text[from..];
        let Some(end) = memchr::memchr(b'\n', window) else {
            let too_long = self.length > MAX_HEAD;
            let problem = if too_long { Problem::HeadTooLong } else { Problem::NoEndOfHead };
            self.note(problem, from);
            return None;
        };
        self.at = from + end + 1;
        self.count += 1;
        let line = &window[..end];
        let Some((b'\r', line)) = line.split_last() else {
            self.note(Problem::ControlCharacter, from);
            return Some((from, line));
        };
        if self.careful && has_control(line) {
            self.note(Problem::ControlCharacter, from);
        }
        Some((from, line))
    }

    fn note(&mut self, problem: Problem, at: usize) {
        self.fault.get_or_insert((problem, at));
    }

    /// The head as text, if nothing in it is odd.
    fn plain_text(&self) -> Option<&'a str> {
        let head = &self.text[..self.at];
        let plain = !self.folded && is_plain(head, self.count);
        plain.then(|| std::str::from_utf8(head).ok()).flatten()
    }

    /// Indexes the head. A start line that is not one ends it all.
    fn read(&mut self, index: &mut Index) -> Result<(), Fault> {
        let start = self.start_line()?;
        (index.start, index.method) = (start.start, start.method);
        self.fault = start.fault;
        self.header_lines(index);
        index.body = (to_u32(self.at), to_u32(self.length));
        Ok(())
    }

    fn start_line(&mut self) -> Result<StartLine, Fault> {
        self.at = blank_lines(self.text);
        self.count = self.at / 2;
        let Some((at, line)) = self.line() else {
            return Err((Problem::NoEndOfHead, 0));
        };
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        if line.len() >= 8 && line[..4].eq_ignore_ascii_case(b"SIP/") {
            status_line(at, line)
        } else {
            request_line(at, line)
        }
    }

    /// Indexes the header fields; stops behind the empty line, or at a fold.
    fn header_lines(&mut self, index: &mut Index) {
        while let Some((at, line)) = self.line() {
            let Some(&first) = line.first() else { return };
            if matches!(first, b' ' | b'\t') && !self.careful {
                self.folded = true;
                return;
            }
            if index.headers.len() == MAX_HEADERS {
                return self.note(Problem::TooManyHeaders, at);
            }
            if line.len() > MAX_HEADER {
                self.note(Problem::HeaderTooLong, at);
                continue;
            }
            let Some(entry) = field(at, line) else {
                self.note(Problem::HeaderSyntax, at);
                continue;
            };
            let again = index.headers.push(entry);
            if again && ONCE.iter().any(|name| name.code() == entry.code) {
                self.note(Problem::Repeated(Name::by_code(entry.code).as_str()), at);
            }
        }
    }
}

/// Names of which a message may have one field at most.
const ONCE: [Name<'static>; 6] =
    [Name::FROM, Name::TO, Name::CALL_ID, Name::CSEQ, Name::CONTENT_LENGTH, Name::MAX_FORWARDS];

/// The length of the empty lines that may come before a message (§7.5).
pub(super) fn blank_lines(text: &[u8]) -> usize {
    2 * text.chunks_exact(2).take_while(|pair| *pair == b"\r\n").count()
}

/// `Name: value`, blanks allowed around the colon.
fn field(at: usize, line: &[u8]) -> Option<Entry> {
    let colon = scan::position(line, b':')?;
    let name = scan::trim_end(&line[..colon]);
    let code = name::code_of(name);
    if code == name::OTHER && !scan::is_token(name) {
        return None;
    }
    let (from, to) = scan::trimmed(&line[colon + 1..]);
    let value = Span::new(at + colon + 1 + from, at + colon + 1 + to);
    Some(Entry { code, name: Span::new(at, at + name.len()), value })
}

/// `SIP/2.0 200 OK`; the phrase may be empty, its space even missing.
fn status_line(at: usize, line: &[u8]) -> Result<StartLine, Fault> {
    let wrong = (Problem::StatusLine, at);
    if !line[..7].eq_ignore_ascii_case(b"SIP/2.0") || line[7] != b' ' {
        return Err((Problem::Version, at));
    }
    let digits = line.get(8..11).filter(|d| d.iter().all(u8::is_ascii_digit)).ok_or(wrong)?;
    let number = digits.iter().fold(0, |n, d| n * 10 + u16::from(d - b'0'));
    let status = StatusCode::new(number).ok_or(wrong)?;
    if !matches!(line.get(11), None | Some(b' ')) {
        return Err(wrong);
    }
    let reason = Span::new((at + 12).min(at + line.len()), at + line.len());
    Ok(StartLine {
        start: Start::Response { status, reason },
        method: Method::Invite, // CSeq will say
        fault: None,
    })
}

/// `METHOD uri SIP/2.0`, single spaces. A line that is only wrong in its URI or version is still a
/// request that can be answered.
fn request_line(at: usize, line: &[u8]) -> Result<StartLine, Fault> {
    let wrong = (Problem::RequestLine, at);
    let first = scan::position(line, b' ').ok_or(wrong)?;
    let method = Method::from_token(&line[..first]).ok_or(wrong)?;
    let (last, fault) = match line.strip_suffix(b" SIP/2.0") {
        Some(rest) if rest.len() > first => (rest.len(), None),
        _ => odd_version(at, line, first)?,
    };
    let uri = Span::new(at + first + 1, at + last);
    Ok(StartLine { start: Start::Request { uri }, method, fault })
}

/// Where the URI of a request line without ` SIP/2.0` at its end ends, and what is wrong with it.
fn odd_version(at: usize, line: &[u8], first: usize) -> Result<(usize, Option<Fault>), Fault> {
    let wrong = (Problem::RequestLine, at);
    let trimmed = line.trim_ascii_end();
    let last = memchr::memrchr(b' ', trimmed).filter(|&last| last > first).ok_or(wrong)?;
    let version = &trimmed[last + 1..];
    if !version.get(..4).is_some_and(|start| start.eq_ignore_ascii_case(b"SIP/")) {
        return Err(wrong);
    }
    let fault = if !version.eq_ignore_ascii_case(b"SIP/2.0") {
        Some((Problem::Version, at))
    } else {
        (trimmed.len() != line.len()).then_some(wrong)
    };
    Ok((last, fault))
}

/// A Request-URI must parse and have no headers (§19.1.1).
fn request_uri(text: &str) -> Result<(), HeaderError> {
    let uri = Uri::parse(text).map_err(|error| error.of("Request-URI"))?;
    if uri.headers().is_some() {
        return Err(HeaderError::new("Request-URI", "header fields in it"));
    }
    Ok(())
}

/// What every message must have, and what every message's way through the engine reads anyway.
struct Checks<'a> {
    head: &'a str,
    fault: Option<Fault>,
}

impl<'a> Checks<'a> {
    fn note(&mut self, problem: Problem, at: usize) {
        self.fault.get_or_insert((problem, at));
    }

    fn value(&self, entry: Entry) -> &'a str {
        self.head.get(entry.value.range()).unwrap_or("")
    }

    /// Reads CSeq, Content-Length and Max-Forwards, and looks for what is missing.
    fn fields(&mut self, index: &mut Index) {
        for name in [Name::VIA, Name::FROM, Name::TO, Name::CALL_ID, Name::CSEQ] {
            let found = index.headers.hot(name);
            let empty = name == Name::CALL_ID && found.is_some_and(|entry| entry.value.is_empty());
            if found.is_none() || empty {
                self.note(Problem::Missing(name.as_str()), 0);
            }
        }
        if let Some(entry) = index.headers.hot(Name::CALL_ID)
            && holds_control(self.value(entry))
        {
            let error = HeaderError::new("Call-ID", "a control character");
            self.note(Problem::Header(error), entry.name.start());
        }
        if let Some(entry) = index.headers.hot(Name::CSEQ) {
            match cseq(self.value(entry), index) {
                Ok((number, method)) => {
                    index.cseq = Some(number);
                    if let Some(method) = method {
                        index.method = method;
                    }
                }
                Err(problem) => self.note(problem, entry.name.start()),
            }
        }
        if let Some(entry) = index.headers.hot(Name::MAX_FORWARDS)
            && scan::number(self.value(entry).as_bytes()).is_none_or(|n| n > 255)
        {
            let error = HeaderError::new("Max-Forwards", "not a number from 0 to 255");
            self.note(Problem::Header(error), entry.name.start());
        }
        if let Some(entry) = index.headers.hot(Name::CONTENT_LENGTH)
            && let Err(problem) = body_end(self.value(entry), &mut index.body)
        {
            self.note(problem, entry.name.start());
        }
    }

    /// Parses the Request-URI.
    fn request_uri(&mut self, index: &Index) {
        if let Start::Request { uri } = index.start
            && let Err(error) = request_uri(self.head.get(uri.range()).unwrap_or(""))
        {
            self.note(Problem::Header(error), uri.start());
        }
    }

    /// Parses From, To and each Via; keeps where the tags are.
    fn addresses(&mut self, index: &mut Index) {
        index.from_tag = self.tag(index, Name::FROM);
        index.to_tag = self.tag(index, Name::TO);
        let mut vias = 0;
        for entry in index.headers.from(Name::VIA.code()) {
            if entry.code != Name::VIA.code() {
                continue;
            }
            for one in split_list(self.value(*entry)) {
                vias += 1;
                if vias > MAX_VIAS {
                    return self.note(Problem::TooManyVias, entry.name.start());
                }
                if let Err(error) = Via::parse(one) {
                    self.note(Problem::Header(error), entry.name.start());
                }
            }
        }
    }

    fn tag(&mut self, index: &Index, name: Name<'static>) -> Option<Span> {
        let entry = index.headers.hot(name)?;
        let value = self.value(entry);
        match Address::parse(value) {
            Ok(address) => {
                let tag = address.tag()?;
                if holds_control(tag) {
                    let error = HeaderError::new(name.as_str(), "a control character in its tag");
                    self.note(Problem::Header(error), entry.name.start());
                }
                // The tag is a part of the value, which is a part of the head.
                let from = tag.as_ptr().addr() - self.head.as_ptr().addr();
                Some(Span::new(from, from + tag.len()))
            }
            Err(error) => {
                self.note(Problem::Header(error.of(name.as_str())), entry.name.start());
                None
            }
        }
    }
}

/// What a dialog is known by stands in our own requests too, which hold no control character.
fn holds_control(text: &str) -> bool {
    text.bytes().fold(false, |some, byte| some | (byte < b' ') | (byte == 0x7f))
}

/// The number of CSeq and, for a response, its method.
fn cseq(text: &str, index: &Index) -> Result<(u32, Option<Method>), Problem> {
    let bad = |problem| Problem::Header(HeaderError::new("CSeq", problem));
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, rest) = text.split_at(digits);
    let sequence = scan::number(digits.as_bytes())
        .and_then(|n| u32::try_from(n).ok())
        .filter(|&n| n < 1 << 31)
        .ok_or(bad("not a number below 2^31"))?;
    let method = scan::skip_blanks(rest);
    if method.len() == rest.len() {
        return Err(bad("no method"));
    }
    match index.start {
        Start::Request { .. } if method != index.method.as_str() => Err(Problem::CseqMethod),
        Start::Request { .. } => Ok((sequence, None)),
        Start::Response { .. } => {
            let method = Method::from_token(method.as_bytes()).ok_or(bad("no method"))?;
            Ok((sequence, Some(method)))
        }
    }
}

/// The value of a Content-Length.
pub(crate) fn content_length(text: &[u8]) -> Option<usize> {
    scan::number(text).and_then(|n| usize::try_from(n).ok())
}

/// A datagram may hold more than the body (dropped) but not less (§18.3).
fn body_end(text: &str, (from, to): &mut (u32, u32)) -> Result<(), Problem> {
    let bad = Problem::Header(HeaderError::new("Content-Length", "not a number"));
    let length = to_u32(content_length(text.as_bytes()).ok_or(bad)?);
    let end = from.checked_add(length).filter(|&end| end as usize <= MAX_MESSAGE);
    let end = end.ok_or(Problem::MessageTooLong)?;
    if end > *to {
        return Err(Problem::BodyTooShort);
    }
    *to = end;
    Ok(())
}
