//! Texts made fit to stand in a header field: quoted strings, and the escapes of a URI's header
//! part (RFC 3261 §25.1).

use crate::message::{trim, unescape, unquote};

/// A text as a quoted string. Control characters are left out.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars().filter(|c| !c.is_control()) {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}

/// A token or quoted string as plain text.
pub(super) fn plain(text: &str) -> String {
    unquote(trim(text)).into_owned()
}

/// A text with everything escaped that may not stand in the value of a URI's header.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.!~*'()[]/:+$".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// The header fields that a URI carries (`?a=b&c=d`), names and values without escapes. A value
/// with a control character is left out: it would be a header field of its own.
pub(super) fn uri_headers(text: Option<&str>) -> impl Iterator<Item = (String, String)> {
    let parts = text.unwrap_or("").split('&').filter_map(|part| part.split_once('='));
    parts.map(|(name, value)| (unescape(name).into_owned(), unescape(value).into_owned())).filter(
        |(name, value)| !(name.contains(char::is_control) || value.contains(char::is_control)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_escaped_comes_back_and_smuggled_lines_do_not() {
        let text = "a@b;to-tag=1;from-tag=\"2\" &=%";
        assert_eq!(unescape(&escaped(text)), text);
        let query = format!("Replaces={}&X=a%0d%0aVia:%20x&y", escaped(text));
        let all: Vec<_> = uri_headers(Some(&query)).collect();
        assert_eq!(all, [("Replaces".to_owned(), text.to_owned())]);
        assert_eq!(uri_headers(None).count(), 0);
        assert_eq!(quoted("a\"b\\\r\n"), r#""a\"b\\""#);
        assert_eq!(plain(r#" "a\"b" "#), "a\"b");
    }
}
