//! The parser: one pass that indexes the lines, then the checks every message must pass
//! (RFC 3261 §7, §8.1.1, §18.3). Strict where leniency smuggles, lenient where the RFC is.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::error::{HeaderError, ParseError, Problem};
use super::name::{self, Name};
use super::{
    Address, Entry, Index, MAX_HEAD, MAX_HEADER, MAX_HEADERS, MAX_MESSAGE, Message, Method, Span,
    Span32, Start, StatusCode, Uri, Via, scan, split_list,
};

/// The first thing wrong with a message, and at which byte.
type Fault = (Problem, usize);

pub(super) fn parse(wire: Bytes) -> Result<Message, ParseError> {
    let mended = needs_mending(&wire).then(|| mend(&wire));
    let mut lines = Lines::new(mended.as_ref().unwrap_or(&wire));
    let start = match lines.start_line() {
        Ok(start) => start,
        Err((problem, at)) => return Err(ParseError { problem, at, salvaged: None }),
    };
    lines.header_lines();
    let Lines { at: body, headers, fault, .. } = lines;
    let mut fault = start.fault.or(fault);
    let mut index = Index {
        mended,
        start: start.start,
        method: start.method,
        cseq: None,
        headers,
        body: Span32 { from: to_u32(body), to: to_u32(wire.len()) },
    };
    if wire.len() > MAX_MESSAGE {
        fault = Some((Problem::MessageTooLong, 0));
    }
    let found = check(&wire, &mut index);
    let message = Message { wire, index: Arc::new(index) };
    match fault.or(found.err()).or_else(|| check_addresses(&message).err()) {
        None => Ok(message),
        Some((problem, at)) => {
            let answerable = message.is_request()
                && *message.method_ref() != Method::Ack
                && message.via().is_ok();
            let salvaged = answerable.then(|| Box::new(message));
            Err(ParseError { problem, at, salvaged })
        }
    }
}

fn to_u32(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

fn to_u16(n: usize) -> u16 {
    u16::try_from(n).unwrap_or(u16::MAX)
}

fn span(from: usize, to: usize) -> Span {
    Span { from: to_u16(from), to: to_u16(to) }
}

/// Where the empty line that ends the head begins, or the end of what may be a head.
fn head_end(bytes: &[u8]) -> usize {
    let limit = bytes.len().min(MAX_HEAD);
    let start = bytes.iter().take(limit).take_while(|&&b| b == b'\r' || b == b'\n').count();
    memchr::memmem::find(&bytes[start..limit], b"\r\n\r\n").map_or(limit, |at| start + at + 2)
}

/// Whether a header field goes on on the next line, or the head is not UTF-8.
fn needs_mending(wire: &[u8]) -> bool {
    let head = &wire[..head_end(wire)];
    std::str::from_utf8(head).is_err()
        || memchr::memchr_iter(b'\n', head).any(|at| matches!(head.get(at + 1), Some(b' ' | b'\t')))
}

/// The same length with each fold (CR LF before white space) blanked, and each byte that is not
/// UTF-8 shown as `?`.
fn mend(wire: &Bytes) -> Bytes {
    let end = head_end(wire);
    let mut text = BytesMut::from(&wire[..]);
    // The start line cannot go on on the next one: its line end must stand.
    let from = memchr::memchr(b'\n', &wire[..end]).map_or(end, |at| at + 1);
    for at in from..end.saturating_sub(2) {
        if text[at] == b'\r' && text[at + 1] == b'\n' && matches!(wire[at + 2], b' ' | b'\t') {
            text[at] = b' ';
            text[at + 1] = b' ';
        }
    }
    let mut at = 0;
    while let Err(error) = std::str::from_utf8(&text[at..end]) {
        let bad = at + error.valid_up_to();
        text[bad] = b'?';
        at = bad + 1;
    }
    text.freeze()
}

/// Whether a line holds a CR, or a NUL that is not quoted (RFC 4475 §3.1.1.2 quotes one).
fn has_control(line: &[u8]) -> bool {
    memchr::memchr2_iter(b'\r', 0, line)
        .any(|at| line[at] == b'\r' || at == 0 || line[at - 1] != b'\\')
}

struct StartLine {
    start: Start,
    method: Method,
    fault: Option<Fault>,
}

/// Walks the lines of the head.
struct Lines<'a> {
    text: &'a [u8],
    at: usize,
    headers: Vec<Entry>,
    fault: Option<Fault>,
}

impl<'a> Lines<'a> {
    fn new(text: &'a [u8]) -> Self {
        Self { text, at: 0, headers: Vec::with_capacity(24), fault: None }
    }

    /// The next line without its CR LF; `None` where the head breaks off.
    fn line(&mut self) -> Option<(usize, &'a [u8])> {
        let from = self.at;
        let window = &self.text[from..self.text.len().min(MAX_HEAD)];
        let Some(end) = memchr::memchr(b'\n', window) else {
            let problem = if self.text.len() > MAX_HEAD {
                Problem::HeadTooLong
            } else {
                Problem::NoEndOfHead
            };
            self.note(problem, from);
            return None;
        };
        self.at = from + end + 1;
        let line = &window[..end];
        match line.split_last() {
            Some((b'\r', line)) => {
                if has_control(line) {
                    self.note(Problem::ControlCharacter, from);
                }
                Some((from, line))
            }
            _ => {
                self.note(Problem::ControlCharacter, from);
                Some((from, line))
            }
        }
    }

    fn note(&mut self, problem: Problem, at: usize) {
        self.fault.get_or_insert((problem, at));
    }

    fn start_line(&mut self) -> Result<StartLine, Fault> {
        while matches!(self.text.get(self.at..self.at + 2), Some(b"\r\n")) {
            self.at += 2;
        }
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

    /// Indexes the header fields; stops behind the empty line.
    fn header_lines(&mut self) {
        while let Some((at, line)) = self.line() {
            if line.is_empty() {
                return;
            }
            if self.headers.len() == MAX_HEADERS {
                return self.note(Problem::TooManyHeaders, at);
            }
            if line.len() > MAX_HEADER {
                self.note(Problem::HeaderTooLong, at);
                continue;
            }
            let Some(colon) = memchr::memchr(b':', line) else {
                self.note(Problem::HeaderSyntax, at);
                continue;
            };
            let name = line[..colon].trim_ascii_end();
            let code = name::code_of(name);
            if code == name::OTHER && !scan::is_token(name) {
                self.note(Problem::HeaderSyntax, at);
                continue;
            }
            let raw = &line[colon + 1..];
            let lead = raw.len() - raw.trim_ascii_start().len();
            let value = raw.trim_ascii();
            let from = at + colon + 1 + lead;
            self.headers.push(Entry {
                code,
                name: span(at, at + name.len()),
                value: span(from, from + value.len()),
            });
        }
    }
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
    let reason = span((at + 12).min(at + line.len()), at + line.len());
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
    let first = memchr::memchr(b' ', line).ok_or(wrong)?;
    let method = &line[..first];
    if !scan::is_token(method) {
        return Err(wrong);
    }
    let trimmed = line.trim_ascii_end();
    let last = memchr::memrchr(b' ', trimmed).filter(|&last| last > first).ok_or(wrong)?;
    let version = &trimmed[last + 1..];
    let looks_like_sip = version.len() >= 4 && version[..4].eq_ignore_ascii_case(b"SIP/");
    if !looks_like_sip {
        return Err(wrong);
    }
    let uri = std::str::from_utf8(&line[first + 1..last]).unwrap_or("");
    let fault = if !version.eq_ignore_ascii_case(b"SIP/2.0") {
        Some((Problem::Version, at))
    } else if trimmed.len() != line.len() {
        Some(wrong)
    } else {
        request_uri(uri).err().map(|error| (Problem::Header(error), at))
    };
    Ok(StartLine {
        start: Start::Request { uri: span(at + first + 1, at + last) },
        method: Method::new(std::str::from_utf8(method).unwrap_or("")),
        fault,
    })
}

/// A Request-URI must parse and have no headers (§19.1.1).
fn request_uri(text: &str) -> Result<(), HeaderError> {
    let uri = Uri::parse(text).map_err(|error| error.of("Request-URI"))?;
    if uri.headers().is_some() {
        return Err(HeaderError::new("Request-URI", "header fields in it"));
    }
    Ok(())
}

/// Checks what must be there exactly once; reads CSeq and Content-Length.
fn check(wire: &[u8], index: &mut Index) -> Result<(), Fault> {
    const ONCE: [(Name<'static>, &str); 6] = [
        (Name::FROM, "From"),
        (Name::TO, "To"),
        (Name::CALL_ID, "Call-ID"),
        (Name::CSEQ, "CSeq"),
        (Name::CONTENT_LENGTH, "Content-Length"),
        (Name::MAX_FORWARDS, "Max-Forwards"),
    ];
    let mut seen: [Option<Entry>; 6] = [None; 6];
    let mut fault = None;
    let mut via = false;
    for entry in &index.headers {
        via |= entry.code == Name::VIA.code();
        let Some(which) = ONCE.iter().position(|(name, _)| name.code() == entry.code) else {
            continue;
        };
        if seen[which].replace(*entry).is_some() {
            fault.get_or_insert((Problem::Repeated(ONCE[which].1), entry.name.from.into()));
        }
    }
    let text = index.mended.as_deref().unwrap_or(wire);
    let value = |entry: Entry| &text[entry.value.from.into()..entry.value.to.into()];
    if let Some(entry) = seen[3] {
        match cseq(value(entry), index) {
            Ok((number, method)) => {
                index.cseq = Some(number);
                if let Some(method) = method {
                    index.method = method;
                }
            }
            Err(problem) => _ = fault.get_or_insert((problem, entry.name.from.into())),
        }
    }
    if !via {
        fault.get_or_insert((Problem::Missing("Via"), 0));
    }
    for (which, (_, name)) in ONCE.iter().enumerate().take(4) {
        if seen[which].is_none() {
            fault.get_or_insert((Problem::Missing(name), 0));
        }
    }
    if seen[2].is_some_and(|entry| entry.value.from == entry.value.to) {
        fault.get_or_insert((Problem::Missing("Call-ID"), 0));
    }
    if let Some(entry) = seen[5]
        && number(value(entry)).is_none_or(|n| n > 255)
    {
        let error = HeaderError::new("Max-Forwards", "not a number from 0 to 255");
        fault.get_or_insert((Problem::Header(error), entry.name.from.into()));
    }
    if let Some(entry) = seen[4]
        && let Err(problem) = body_end(value(entry), &mut index.body)
    {
        fault.get_or_insert((problem, entry.name.from.into()));
    }
    fault.map_or(Ok(()), Err)
}

/// The number of CSeq and, for a response, its method.
fn cseq(text: &[u8], index: &Index) -> Result<(u32, Option<Method>), Problem> {
    let bad = |problem| Problem::Header(HeaderError::new("CSeq", problem));
    let space = memchr::memchr2(b' ', b'\t', text).ok_or(bad("no method"))?;
    let sequence = number(&text[..space])
        .and_then(|n| u32::try_from(n).ok())
        .filter(|&n| n < 1 << 31)
        .ok_or(bad("not a number below 2^31"))?;
    let method = text[space..].trim_ascii();
    match index.start {
        Start::Request { .. } if method != index.method.as_str().as_bytes() => {
            Err(Problem::CseqMethod)
        }
        Start::Request { .. } => Ok((sequence, None)),
        Start::Response { .. } if scan::is_token(method) => {
            let method = Method::new(std::str::from_utf8(method).unwrap_or(""));
            Ok((sequence, Some(method)))
        }
        Start::Response { .. } => Err(bad("no method")),
    }
}

fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 18 || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(text.iter().fold(0, |n, digit| n * 10 + u64::from(digit - b'0')))
}

/// The value of a Content-Length.
pub(crate) fn content_length(text: &[u8]) -> Option<usize> {
    number(text).and_then(|n| usize::try_from(n).ok())
}

/// A datagram may hold more than the body (dropped) but not less (§18.3).
fn body_end(text: &[u8], body: &mut Span32) -> Result<(), Problem> {
    let bad = Problem::Header(HeaderError::new("Content-Length", "not a number"));
    let length = to_u32(content_length(text).ok_or(bad)?);
    let end = body.from.checked_add(length).filter(|&end| end <= body.to);
    body.to = end.ok_or(Problem::BodyTooShort)?;
    Ok(())
}

/// Parses what every message's way through the engine reads anyway.
fn check_addresses(message: &Message) -> Result<(), Fault> {
    let fault = |error| (Problem::Header(error), 0);
    for name in [Name::FROM, Name::TO] {
        let text = if name == Name::FROM { "From" } else { "To" };
        let value = message.header(name).unwrap_or("");
        Address::parse(value).map_err(|error| fault(error.of(text)))?;
    }
    for line in message.headers(Name::VIA) {
        for one in split_list(line) {
            Via::parse(one).map_err(fault)?;
        }
    }
    Ok(())
}
