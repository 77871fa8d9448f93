//! The ladder of a call: every SIP message of it as it went over the wire, retransmissions too,
//! secrets masked, bounded.

use base::UnixTime;
use bytes::Bytes;

use crate::record::{Direction, LadderEntry};

/// Messages held back while one input is handled, before it is known whose call they are.
const PENDING: usize = 16;

/// One call's ladder. Keeps the first messages up to its bounds: how a call was set up explains
/// most, and a storm of repetitions must not push that out. What does not fit is counted.
#[derive(Debug)]
pub(crate) struct Ladder {
    entries: Vec<LadderEntry>,
    bytes: usize,
    cut: u32,
    max_entries: usize,
    max_bytes: usize,
}

impl Ladder {
    pub(crate) fn new(max_entries: usize, max_bytes: usize) -> Self {
        Self { entries: Vec::with_capacity(8), bytes: 0, cut: 0, max_entries, max_bytes }
    }

    /// Adds a message, or counts it if there is no room.
    pub(crate) fn push(&mut self, mut entry: LadderEntry) {
        if self.cut > 0
            || self.entries.len() >= self.max_entries
            || self.bytes + entry.bytes.len() > self.max_bytes
        {
            self.cut = self.cut.saturating_add(1);
            return;
        }
        entry.bytes = masked(entry.bytes);
        self.bytes += entry.bytes.len();
        self.entries.push(entry);
    }

    pub(crate) fn entries(&self) -> &[LadderEntry] {
        &self.entries
    }

    /// The messages, and how many more there were.
    pub(crate) fn take(&mut self) -> (Vec<LadderEntry>, u32) {
        (std::mem::take(&mut self.entries), self.cut)
    }
}

/// The messages of the input being handled whose call does not exist (yet): an INVITE and the
/// `100 Trying` that precede their call.
#[derive(Debug, Default)]
pub(crate) struct Pending(Vec<(Box<str>, LadderEntry)>);

impl Pending {
    pub(crate) fn push(&mut self, sip_call_id: &str, entry: LadderEntry) {
        if self.0.len() < PENDING {
            self.0.push((sip_call_id.into(), entry));
        }
    }

    /// Moves what belongs to a new call into its ladder.
    pub(crate) fn claim(&mut self, sip_call_id: &str, ladder: &mut Ladder) {
        for (_, entry) in self.0.extract_if(.., |(id, _)| **id == *sip_call_id) {
            ladder.push(entry);
        }
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

/// A ladder's line.
pub(crate) fn entry(
    at: UnixTime,
    direction: Direction,
    flow: sip::Flow,
    bytes: &Bytes,
) -> LadderEntry {
    LadderEntry { at, direction, flow, bytes: bytes.clone() }
}

/// The lines of a message's head, without their line ends.
fn header_lines(message: &[u8]) -> impl Iterator<Item = &[u8]> {
    message
        .split(|&byte| byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .take_while(|line| !line.is_empty())
}

fn value_of<'a>(line: &'a [u8], name: &str) -> Option<&'a [u8]> {
    if line.len() <= name.len() || !line[..name.len()].eq_ignore_ascii_case(name.as_bytes()) {
        return None;
    }
    let rest = line[name.len()..].trim_ascii_start();
    rest.strip_prefix(b":")
}

/// The message with the answers of `Authorization` and `Proxy-Authorization` replaced: with the
/// nonce and enough patience they would give the password away.
fn masked(message: Bytes) -> Bytes {
    let secret = |line: &[u8]| {
        value_of(line, "authorization").is_some() || value_of(line, "proxy-authorization").is_some()
    };
    if !header_lines(&message).any(secret) {
        return message;
    }
    let mut text = Vec::with_capacity(message.len());
    let mut in_head = true;
    let mut in_secret = false;
    for line in message.split_inclusive(|&byte| byte == b'\n') {
        in_head = in_head && !line.trim_ascii().is_empty();
        let folded = line.first().is_some_and(|byte| matches!(byte, b' ' | b'\t'));
        in_secret = in_head && if folded { in_secret } else { secret(line) };
        if in_secret {
            mask_answers(line, &mut text);
        } else {
            text.extend_from_slice(line);
        }
    }
    Bytes::from(text)
}

/// Copies a line, with each `response=` value as `***`.
fn mask_answers(line: &[u8], to: &mut Vec<u8>) {
    const KEY: &[u8] = b"response";
    let mut rest = line;
    while let Some(at) = find_ignoring_case(rest, KEY) {
        let after = &rest[at + KEY.len()..];
        let spaced = after.trim_ascii_start();
        let Some(value) = spaced.strip_prefix(b"=") else {
            to.extend_from_slice(&rest[..at + KEY.len()]);
            rest = after;
            continue;
        };
        to.extend_from_slice(&rest[..at + KEY.len()]);
        to.extend_from_slice(b"=\"***\"");
        let value = value.trim_ascii_start();
        rest = match value.strip_prefix(b"\"") {
            Some(quoted) => {
                let end = quoted.iter().position(|&byte| byte == b'"').map(|end| end + 1);
                &quoted[end.unwrap_or(quoted.len())..]
            }
            None => {
                let ends = |byte: &u8| matches!(byte, b',' | b'\r' | b'\n' | b' ');
                &value[value.iter().position(ends).unwrap_or(value.len())..]
            }
        };
    }
    to.extend_from_slice(rest);
}

fn find_ignoring_case(text: &[u8], key: &[u8]) -> Option<usize> {
    text.windows(key.len()).position(|window| window.eq_ignore_ascii_case(key))
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    fn line(bytes: &str) -> LadderEntry {
        let address = SocketAddr::from(([127, 0, 0, 1], 5060));
        let flow = sip::Flow::udp(address, address);
        let bytes = Bytes::copy_from_slice(bytes.as_bytes());
        entry(UnixTime::default(), Direction::In, flow, &bytes)
    }

    #[test]
    fn the_answer_of_a_digest_is_masked_and_all_else_is_kept() {
        let mut ladder = Ladder::new(10, 10_000);
        ladder.push(line(
            "REGISTER sip:a SIP/2.0\r\nCall-ID: x\r\nAuthorization: Digest username=\"alice\",\r\n \
             Response = \"0123abcd\", nc=1\r\n\r\nresponse=\"body\"",
        ));
        let text = String::from_utf8(ladder.entries()[0].bytes.to_vec()).unwrap();
        assert!(!text.contains("0123abcd"));
        assert!(text.contains("username=\"alice\""));
        assert!(text.contains("Response=\"***\", nc=1\r\n\r\nresponse=\"body\""));
    }

    #[test]
    fn a_ladder_keeps_the_first_messages_and_counts_the_others() {
        let mut ladder = Ladder::new(2, 10_000);
        for _ in 0..5 {
            ladder.push(line("ACK sip:a SIP/2.0\r\n\r\n"));
        }
        let (entries, cut) = ladder.take();
        assert_eq!((entries.len(), cut), (2, 3));
        let mut ladder = Ladder::new(10, 30);
        ladder.push(line("ACK sip:a SIP/2.0\r\n\r\n"));
        ladder.push(line("ACK sip:a SIP/2.0\r\n\r\n"));
        assert_eq!(ladder.take().1, 1);
    }

    #[test]
    fn messages_from_before_the_call_are_claimed_by_their_call_id_only() {
        let mut pending = Pending::default();
        pending.push("a", line("INVITE"));
        pending.push("b", line("OPTIONS"));
        let mut ladder = Ladder::new(10, 1000);
        pending.claim("a", &mut ladder);
        assert_eq!(ladder.entries().len(), 1);
    }
}
