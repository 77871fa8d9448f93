//! Scanning of header values: tokens, quoted strings, parameters, comma lists (RFC 3261 §25.1).

use std::borrow::Cow;

/// Whether every byte is a `token` byte and there is at least one.
pub(crate) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|&b| is_token_byte(b))
}

/// Whether the byte may stand in a `token`.
pub(crate) const fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~')
}

/// Strips spaces and tabs off both ends.
pub(crate) fn trim(text: &str) -> &str {
    text.trim_matches([' ', '\t'])
}

/// Where the quoted string that starts at byte 0 ends, just past its closing quote.
pub(crate) fn quoted_end(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'"' => return Some(at + 1),
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    None
}

/// The first byte for which `stop` holds, outside quoted strings and angle brackets.
pub(crate) fn find_outside(text: &str, stop: impl Fn(u8) -> bool) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut at, mut bracketed) = (0, false);
    while at < bytes.len() {
        match bytes[at] {
            b'"' if !bracketed => {
                at += quoted_end(&text[at..])?;
                continue;
            }
            b'<' => bracketed = true,
            b'>' => bracketed = false,
            b if !bracketed && stop(b) => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

/// The elements of a comma-separated list, trimmed; commas in quotes or brackets do not count.
pub(crate) fn split_list(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let (element, after) = match find_outside(text, |b| b == b',') {
            Some(at) => (&text[..at], Some(&text[at + 1..])),
            None => (text, None),
        };
        rest = after;
        Some(trim(element))
    })
}

/// A quoted string's or token's text without quotes and escapes.
pub(crate) fn unquote(text: &str) -> Cow<'_, str> {
    let Some(inner) = text.strip_prefix('"').and_then(|t| t.strip_suffix('"')) else {
        return Cow::Borrowed(text);
    };
    if !inner.contains('\\') {
        return Cow::Borrowed(inner);
    }
    let mut plain = String::with_capacity(inner.len());
    let mut escaped = false;
    for c in inner.chars() {
        if c == '\\' && !escaped {
            escaped = true;
        } else {
            plain.push(c);
            escaped = false;
        }
    }
    Cow::Owned(plain)
}

/// Parameters after a value: `;name=value;flag`. Values may be quoted strings.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Params<'a>(&'a str);

impl<'a> Params<'a> {
    /// From text that starts with `;` or is empty.
    pub(crate) const fn new(text: &'a str) -> Self {
        Self(text)
    }

    /// The text they were parsed from.
    #[must_use]
    pub const fn as_str(&self) -> &'a str {
        self.0
    }

    /// Each parameter with its value, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, Option<&'a str>)> + use<'a> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            loop {
                rest = rest.strip_prefix(';').unwrap_or(rest);
                if rest.is_empty() {
                    return None;
                }
                let end = find_outside(rest, |b| b == b';').unwrap_or(rest.len());
                let one = trim(&rest[..end]);
                rest = &rest[end..];
                if one.is_empty() {
                    continue;
                }
                return Some(match one.split_once('=') {
                    Some((name, value)) => (trim(name), Some(trim(value))),
                    None => (one, None),
                });
            }
        })
    }

    /// The parameter of that name, in any case: `Some(None)` if it has no value.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<Option<&'a str>> {
        self.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    /// The value of the parameter of that name, if it has one.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&'a str> {
        self.get(name).flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_in_quotes_and_brackets_do_not_split() {
        let list: Vec<_> =
            split_list(r#""Bell, A. \"G\"" <sip:a@b>;x="1,2", <sip:c,d@e> ,sip:f@g"#).collect();
        assert_eq!(list, [r#""Bell, A. \"G\"" <sip:a@b>;x="1,2""#, "<sip:c,d@e>", "sip:f@g"]);
    }

    #[test]
    fn parameters_keep_quoted_semicolons_and_flags() {
        let params = Params::new(r#"; branch = z9 ;rport;x="a;b";;last=1"#);
        assert_eq!(params.value("BRANCH"), Some("z9"));
        assert_eq!(params.get("rport"), Some(None));
        assert_eq!(params.value("x"), Some(r#""a;b""#));
        assert_eq!(params.value("last"), Some("1"));
        assert_eq!(unquote(r#""a\"b\\""#), r#"a"b\"#);
    }
}
