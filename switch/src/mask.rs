//! What of a SIP message nobody may read afterwards: digest answers, media keys and pressed keys.

use bytes::Bytes;
use memchr::{memchr, memchr_iter, memmem};

/// Of a body's line, the value behind this is a key: SDES (RFC 4568 §6.1) and ICE (RFC 8839 §5.4).
const BODY_SECRETS: [&[u8]; 2] = [b"inline:", b"a=ice-pwd:"];
const STARS: &[u8] = b"***";

/// What a message has to hide.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct Secrets {
    /// An answer to a digest challenge: with the nonce and enough patience it gives the password
    /// away.
    answer: bool,
    /// Keys that were pressed (`application/dtmf-relay`): card numbers, PINs.
    digits: bool,
    /// Keys of the media.
    keys: bool,
}

/// The message as it may be kept and shown: the `response` of `Authorization` and
/// `Proxy-Authorization`, the media keys of SDP and the digits of INFO are `***`; all else is as
/// it was on the wire.
#[must_use]
pub fn masked(message: Bytes) -> Bytes {
    let (head, secrets) = look_through(&message);
    if secrets == Secrets::default() {
        return message;
    }
    let mut text = Vec::with_capacity(message.len());
    let (head, body) = message.split_at(head);
    if secrets.answer {
        mask_head(head, &mut text);
    } else {
        text.extend_from_slice(head);
    }
    if secrets.digits {
        mask_digits(body, &mut text);
    } else if secrets.keys {
        mask_keys(body, &mut text);
    } else {
        text.extend_from_slice(body);
    }
    Bytes::from(text)
}

/// The length of the head, with the empty line at its end, and what the message has to hide.
fn look_through(message: &[u8]) -> (usize, Secrets) {
    let mut secrets = Secrets::default();
    // A head without an end is all of the message.
    let (mut start, mut head) = (0, message.len());
    for end in memchr_iter(b'\n', message) {
        let line = &message[start..end];
        start = end + 1;
        match line.first() {
            Some(b'a' | b'A' | b'p' | b'P') => secrets.answer |= is_answer(line),
            Some(b'c' | b'C') => secrets.digits |= is_of_digits(line),
            Some(byte) if !byte.is_ascii_whitespace() => {}
            _ if line.trim_ascii_end().is_empty() => {
                head = start;
                break;
            }
            _ => {}
        }
    }
    let body = &message[head..];
    secrets.digits &= !body.is_empty();
    secrets.keys =
        !body.is_empty() && BODY_SECRETS.iter().any(|mark| memmem::find(body, mark).is_some());
    (head, secrets)
}

fn is_of_digits(line: &[u8]) -> bool {
    let kind = value_of(line, b"content-type").or_else(|| value_of(line, b"c"));
    kind.is_some_and(|kind| find_ignoring_case(kind, b"dtmf").is_some())
}

fn is_answer(line: &[u8]) -> bool {
    value_of(line, b"authorization").or_else(|| value_of(line, b"proxy-authorization")).is_some()
}

fn value_of<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (found, rest) = line.split_at_checked(name.len())?;
    if !found.eq_ignore_ascii_case(name) {
        return None;
    }
    rest.trim_ascii_start().strip_prefix(b":")
}

fn mask_head(head: &[u8], to: &mut Vec<u8>) {
    let mut in_answer = false;
    for line in head.split_inclusive(|&byte| byte == b'\n') {
        let folded = matches!(line.first(), Some(b' ' | b'\t'));
        in_answer = if folded { in_answer } else { is_answer(line) };
        if in_answer {
            mask_answers(line, to);
        } else {
            to.extend_from_slice(line);
        }
    }
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
                let end = memchr(b'"', quoted).map(|end| end + 1);
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

/// Copies a body of pressed keys: a bare digit, or `Signal=5` beside other lines.
fn mask_digits(body: &[u8], to: &mut Vec<u8>) {
    for line in body.split_inclusive(|&byte| byte == b'\n') {
        let text = line.trim_ascii_end();
        let name = memchr(b'=', text).map(|at| &text[..=at]);
        let is_signal =
            |name: &[u8]| name[..name.len() - 1].trim_ascii().eq_ignore_ascii_case(b"signal");
        match name {
            _ if text.is_empty() => to.extend_from_slice(line),
            Some(name) if !is_signal(name) => to.extend_from_slice(line),
            name => {
                to.extend_from_slice(name.unwrap_or_default());
                to.extend_from_slice(STARS);
                to.extend_from_slice(&line[text.len()..]);
            }
        }
    }
}

/// Copies a body, each key in it as `***`; its lifetime and index stay.
fn mask_keys(body: &[u8], to: &mut Vec<u8>) {
    let mut rest = body;
    loop {
        let marks = BODY_SECRETS.iter();
        let next = marks.filter_map(|mark| memmem::find(rest, mark).map(|at| at + mark.len()));
        let Some(key) = next.min() else { break };
        to.extend_from_slice(&rest[..key]);
        to.extend_from_slice(STARS);
        let ends = |byte: &u8| matches!(byte, b'|' | b' ' | b';' | b'\r' | b'\n');
        let length = rest[key..].iter().position(ends).unwrap_or(rest.len() - key);
        rest = &rest[key + length..];
    }
    to.extend_from_slice(rest);
}

fn find_ignoring_case(text: &[u8], key: &[u8]) -> Option<usize> {
    text.windows(key.len()).position(|window| window.eq_ignore_ascii_case(key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(message: &str) -> String {
        String::from_utf8(masked(Bytes::copy_from_slice(message.as_bytes())).to_vec()).unwrap()
    }

    #[test]
    fn the_answer_of_a_digest_is_masked_and_all_else_is_kept() {
        let text = shown(
            "REGISTER sip:a SIP/2.0\r\nCall-ID: x\r\nAuthorization: Digest username=\"alice\",\r\n \
             Response = \"0123abcd\", nc=1\r\n\r\nresponse=\"body\"",
        );
        assert!(!text.contains("0123abcd"));
        assert!(text.contains("username=\"alice\""));
        assert!(text.contains("Response=\"***\", nc=1\r\n\r\nresponse=\"body\""));
        let text =
            shown("INVITE sip:a SIP/2.0\nproxy-authorization : Digest response=ab12, a=b\n\n");
        assert_eq!(
            text,
            "INVITE sip:a SIP/2.0\nproxy-authorization : Digest response=\"***\", a=b\n\n"
        );
    }

    #[test]
    fn pressed_keys_are_masked_in_both_of_their_forms() {
        let relay = "INFO sip:a SIP/2.0\r\nContent-Type: application/dtmf-relay\r\n\r\n";
        assert_eq!(
            shown(&format!("{relay}Signal= 5\r\nDuration=160\r\n")),
            format!("{relay}Signal=***\r\nDuration=160\r\n")
        );
        let bare = "INFO sip:a SIP/2.0\r\nc: application/dtmf\r\n\r\n";
        assert_eq!(shown(&format!("{bare}7")), format!("{bare}***"));
        assert_eq!(shown(&format!("{bare}7\r\n")), format!("{bare}***\r\n"));
    }

    #[test]
    fn keys_of_the_media_are_masked_and_their_parameters_kept() {
        let head = "INVITE sip:a SIP/2.0\r\nContent-Type: application/sdp\r\n\r\n";
        let body = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 \
                    inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20|1:4\r\n\
                    a=ice-pwd:asd88fgpdd777uzjYhagZg\r\na=rtpmap:0 PCMU/8000\r\n";
        let text = shown(&format!("{head}{body}"));
        assert_eq!(
            text,
            format!(
                "{head}a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:***|2^20|1:4\r\n\
                 a=ice-pwd:***\r\na=rtpmap:0 PCMU/8000\r\n"
            )
        );
    }

    #[test]
    fn a_message_without_secrets_is_not_even_copied() {
        let message =
            Bytes::from_static(b"OPTIONS sip:a SIP/2.0\r\nAccept: application/sdp\r\n\r\n");
        assert_eq!(masked(message.clone()).as_ptr(), message.as_ptr());
    }
}
