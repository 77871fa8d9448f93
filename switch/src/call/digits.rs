//! INFO (RFC 6086, and the use of it before): digits that a phone sends as signalling, in the two
//! ways that are usual, and as we tell them to a far end that wants them so.

use base::{Duration, Instant, LegId};
use sip::{Body, Dialog, Message, Method, Name, Request, Response, ServerTx, StatusCode};

use super::Call;
use crate::node::{ALLOW, Node};

const DTMF_RELAY: &str = "application/dtmf-relay";
const DTMF: &str = "application/dtmf";

/// Digits that go on within a second: more than any finger or dialler sends.
const MOST: u32 = 20;
/// How long a digit sounds, in milliseconds: when nothing is said, at least and at most.
const USUAL_MS: u32 = 160;
const SHORTEST_MS: u32 = 40;
const LONGEST_MS: u32 = 5_000;

/// How many digits of a leg's have gone on within the second that began then.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Digits {
    since: Option<Instant>,
    count: u32,
}

impl Digits {
    /// Whether one more may.
    pub(super) fn may_go_on(&mut self, now: Instant) -> bool {
        if self.since.is_none_or(|since| now >= since + Duration::from_secs(1)) {
            *self = Self { since: Some(now), count: 0 };
        }
        self.count += 1;
        self.count <= MOST
    }
}

/// A digit, and how long it sounds.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Digit {
    pub(super) key: char,
    pub(super) lasts_ms: u32,
    /// Whether it came by INFO; else the media brings it.
    pub(super) by_info: bool,
    /// Whether the plane has kept it from everybody.
    pub(super) is_masked: bool,
}

impl Digit {
    /// As the plane tells it.
    pub(super) fn of_media(digit: media::Digit, lasts: Duration, is_masked: bool) -> Self {
        let lasts_ms = u32::try_from(lasts.as_millis()).unwrap_or(LONGEST_MS);
        let lasts_ms = lasts_ms.clamp(SHORTEST_MS, LONGEST_MS);
        Self { key: digit.as_char(), lasts_ms, by_info: false, is_masked }
    }

    /// The INFO that tells it.
    pub(super) fn info(self, dialog: &mut Dialog) -> Request {
        let body = format!("Signal={}\r\nDuration={}\r\n", self.key, self.lasts_ms);
        dialog.request(Method::Info).body(DTMF_RELAY, body)
    }
}

impl Call {
    /// An INFO of a leg's.
    pub(super) fn on_info(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
        tx: ServerTx,
        info: &Message,
    ) {
        if info.header(Name::INFO_PACKAGE).is_some() {
            // RFC 6086 §4.2.2: there is no package that we take.
            let response = Response::new(StatusCode::BAD_INFO_PACKAGE);
            return node.endpoint.respond(now, tx, response.header(Name::RECV_INFO, ""));
        }
        let digit = digit_of(info);
        if digit.is_none() && !info.body().is_empty() {
            let response = Response::new(StatusCode::UNSUPPORTED_MEDIA_TYPE)
                .header(Name::ACCEPT, format_args!("{DTMF_RELAY}, {DTMF}"));
            return node.endpoint.respond(now, tx, response);
        }
        let response = Response::new(StatusCode::OK).header(Name::ALLOW, ALLOW);
        node.endpoint.respond(now, tx, response);
        if let Some(digit) = digit {
            if let Some(known) = self.leg_mut(leg) {
                known.sends_info = true;
            }
            self.update_listening(node, leg);
            self.on_key(node, now, leg, digit);
        }
    }
}

/// The digit that an INFO brings: `Signal=5`, `Duration=160`, or the digit alone.
fn digit_of(info: &Message) -> Option<Digit> {
    let body = Body::of(info).ok()?;
    let part = body.parts().iter().find(|part| part.is(DTMF_RELAY) || part.is(DTMF))?;
    let text = std::str::from_utf8(part.content()).ok()?;
    let mut digit = Digit { key: ' ', lasts_ms: USUAL_MS, by_info: true, is_masked: false };
    let mut key = (!text.contains('=')).then(|| text.trim());
    for (name, value) in text.lines().filter_map(|line| line.split_once('=')) {
        if name.trim().eq_ignore_ascii_case("signal") {
            key = Some(value.trim());
        } else if name.trim().eq_ignore_ascii_case("duration") {
            let asked = value.trim().parse().unwrap_or(USUAL_MS);
            digit.lasts_ms = asked.clamp(SHORTEST_MS, LONGEST_MS);
        }
    }
    digit.key = key_of(key?)?;
    Some(digit)
}

/// A key of a telephone, some of which are written as numbers too (RFC 4733 §3.2).
fn key_of(text: &str) -> Option<char> {
    let by_number =
        text.parse().ok().and_then(|number: usize| "0123456789*#ABCD".chars().nth(number));
    let mut chars = text.chars();
    let alone = chars.next().filter(|_| chars.next().is_none()).map(|key| key.to_ascii_uppercase());
    by_number.or(alone.filter(|key| "*#ABCD".contains(*key)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by it")]
    use super::*;

    fn read(kind: &str, body: &str) -> Option<(char, u32)> {
        let text = format!(
            "INFO sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP c;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n\
             To: <sip:c@d>;tag=2\r\nCall-ID: x\r\nCSeq: 2 INFO\r\nContent-Type: {kind}\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let digit = digit_of(&Message::parse(text.into()).unwrap())?;
        Some((digit.key, digit.lasts_ms))
    }

    #[test]
    fn digits_are_read_as_phones_write_them() {
        assert_eq!(read(DTMF_RELAY, "Signal=5\r\nDuration=250\r\n"), Some(('5', 250)));
        assert_eq!(read(DTMF_RELAY, "Signal= 11\nDuration= 1\n"), Some(('#', 40)));
        assert_eq!(read("Application/DTMF-Relay;x=y", "signal=d"), Some(('D', 160)));
        assert_eq!(read(DTMF, "*"), Some(('*', 160)));
        assert_eq!(read(DTMF, "10\r\n"), Some(('*', 160)));
        for (kind, body) in
            [(DTMF_RELAY, "Duration=5"), (DTMF, "99"), (DTMF, "5\r\nX: y"), ("text/plain", "5")]
        {
            assert_eq!(read(kind, body), None, "{body}");
        }
    }

    #[test]
    fn twenty_digits_a_second_go_on() {
        let mut digits = Digits::default();
        let at = Instant::from_millis;
        assert_eq!((0..50).filter(|_| digits.may_go_on(at(1000))).count(), 20);
        assert!(!digits.may_go_on(at(1999)) && digits.may_go_on(at(2000)));
    }
}
