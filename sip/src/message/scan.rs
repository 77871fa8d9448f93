//! Scanning of header values: tokens, quoted strings, parameters, comma lists (RFC 3261 §25.1).

use std::borrow::Cow;

/// May stand in a `token`.
pub(crate) const TOKEN: u8 = 1;
/// May stand in a host's name or IPv4 address.
pub(crate) const HOST: u8 = 1 << 1;
/// Never stands in a URI.
pub(crate) const NOT_URI: u8 = 1 << 2;
/// May stand in a display name without quotes.
pub(crate) const NAME: u8 = 1 << 3;
/// May stand in a URI's scheme.
pub(crate) const SCHEME: u8 = 1 << 4;
/// `?`, before a URI's header fields.
pub(crate) const QUESTION: u8 = 1 << 5;
/// `%`, before two hexadecimal digits.
pub(crate) const PERCENT: u8 = 1 << 6;

/// What each byte may be part of.
static CLASSES: [u8; 256] = classes();

const fn classes() -> [u8; 256] {
    let mut classes = [0; 256];
    let mut at = 0;
    while at < 256 {
        #[allow(clippy::cast_possible_truncation, reason = "below 256")]
        let byte = at as u8;
        let letter = byte.is_ascii_alphanumeric();
        let token = letter
            || matches!(byte, b'-' | b'.' | b'!' | b'%' | b'*' | b'_' | b'+' | b'`' | b'\'' | b'~');
        let never_in_uri = byte <= b' ' || matches!(byte, b'<' | b'>' | b'"' | 0x7f);
        let name = token || matches!(byte, b' ' | b'\t') || byte >= 0x80;
        let mut class = 0;
        class |= if token { TOKEN } else { 0 };
        class |= if letter || matches!(byte, b'-' | b'.' | b'_') { HOST } else { 0 };
        class |= if never_in_uri { NOT_URI } else { 0 };
        class |= if name { NAME } else { 0 };
        class |= if letter || matches!(byte, b'+' | b'-' | b'.') { SCHEME } else { 0 };
        class |= match byte {
            b'?' => QUESTION,
            b'%' => PERCENT,
            _ => 0,
        };
        classes[at] = class;
        at += 1;
    }
    classes
}

/// Whether every byte is of that class. Does not stop early: the texts are short, and good.
pub(crate) fn all(text: &[u8], class: u8) -> bool {
    let of = |byte: u8| CLASSES[usize::from(byte)];
    let (words, rest) = text.as_chunks::<4>();
    let left = words.iter().fold(class, |left, &[a, b, c, d]| left & of(a) & of(b) & of(c) & of(d));
    rest.iter().fold(left, |left, &byte| left & of(byte)) != 0
}

/// Every class that some byte has.
pub(crate) fn classes_in(text: &[u8]) -> u8 {
    let of = |byte: u8| CLASSES[usize::from(byte)];
    let (words, rest) = text.as_chunks::<4>();
    let some = words.iter().fold(0, |some, &[a, b, c, d]| some | of(a) | of(b) | of(c) | of(d));
    rest.iter().fold(some, |some, &byte| some | of(byte))
}

/// How many bytes of that class the text begins with.
pub(crate) fn run(text: &[u8], class: u8) -> usize {
    let other = text.iter().position(|&byte| CLASSES[usize::from(byte)] & class == 0);
    other.unwrap_or(text.len())
}

/// Whether every byte is a `token` byte and there is at least one.
pub(crate) fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && all(text, TOKEN)
}

/// Where that byte is first.
#[inline]
pub(crate) fn position(text: &[u8], byte: u8) -> Option<usize> {
    first_of(text, [byte])
}

/// Where one of those bytes is first. Looks at eight bytes at once, which for texts of a few words
/// beats `memchr`.
#[inline]
fn first_of<const N: usize>(text: &[u8], bytes: [u8; N]) -> Option<usize> {
    const ONES: u64 = 0x0101_0101_0101_0101;
    // The lowest bit that is set is the top bit of the first byte found; higher ones may lie.
    let found = |word: [u8; 8]| {
        bytes.iter().fold(0, |found, &byte| {
            let zero_where_found = u64::from_le_bytes(word) ^ ONES.wrapping_mul(u64::from(byte));
            found | (zero_where_found.wrapping_sub(ONES) & !zero_where_found & (ONES << 7))
        })
    };
    let (words, rest) = text.as_chunks::<8>();
    for (at, &word) in words.iter().enumerate() {
        let found = found(word);
        if found != 0 {
            return Some(8 * at + (found.trailing_zeros() / 8) as usize);
        }
    }
    let start = text.len() - rest.len();
    match text.last_chunk() {
        // The last word overlaps with one in which there was none.
        Some(&word) if !rest.is_empty() => {
            let found = found(word);
            (found != 0).then(|| text.len() - 8 + (found.trailing_zeros() / 8) as usize)
        }
        Some(_) => None,
        None => rest.iter().position(|byte| bytes.contains(byte)).map(|at| start + at),
    }
}

/// Most bytes are above both, which one comparison finds out.
const fn is_blank(byte: u8) -> bool {
    byte <= b' ' && (byte == b' ' || byte == b'\t')
}

/// Strips spaces and tabs off both ends.
#[inline]
pub(crate) fn trim(text: &str) -> &str {
    match text.as_bytes() {
        [first, .., last] if !is_blank(*first) && !is_blank(*last) => text,
        bytes => {
            let (from, to) = trimmed(bytes);
            &text[from..to]
        }
    }
}

/// The text without spaces and tabs at its end.
pub(crate) fn trim_end(mut text: &[u8]) -> &[u8] {
    while let [rest @ .., last] = text
        && is_blank(*last)
    {
        text = rest;
    }
    text
}

/// Strips spaces and tabs off the front.
pub(crate) fn skip_blanks(text: &str) -> &str {
    let blanks = text.bytes().take_while(|&byte| is_blank(byte)).count();
    &text[blanks..]
}

/// Where the text without spaces and tabs at its ends begins and ends.
#[inline]
pub(crate) fn trimmed(text: &[u8]) -> (usize, usize) {
    let (mut from, mut to) = (0, text.len());
    while from < to && is_blank(text[from]) {
        from += 1;
    }
    while from < to && is_blank(text[to - 1]) {
        to -= 1;
    }
    (from, to)
}

/// A decimal number without a sign, of at most 18 digits.
pub(crate) fn number(text: &[u8]) -> Option<u64> {
    if text.is_empty() || text.len() > 18 {
        return None;
    }
    let mut number = 0;
    for &byte in text {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        number = number * 10 + u64::from(digit);
    }
    Some(number)
}

/// A number in decimal digits, without the formatter.
pub(crate) struct Digits {
    digits: [u8; 20],
    from: usize,
}

impl Digits {
    pub(crate) fn of(mut number: u64) -> Self {
        let (mut digits, mut from) = ([b'0'; 20], 20);
        loop {
            from -= 1;
            #[allow(clippy::cast_possible_truncation, reason = "one digit")]
            let digit = (number % 10) as u8;
            digits[from] = b'0' + digit;
            number /= 10;
            if number == 0 {
                return Self { digits, from };
            }
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.digits[self.from..]).unwrap_or("")
    }
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

/// Where that comma or semicolon is first, outside quoted strings and angle brackets.
fn find_outside(text: &str, stop: u8) -> Option<usize> {
    let mut from = 0;
    loop {
        let at = from + first_of(&text.as_bytes()[from..], [stop, b'"', b'<'])?;
        from = match text.as_bytes()[at] {
            b'"' => at + quoted_end(&text[at..])?,
            b'<' => at + position(&text.as_bytes()[at..], b'>')? + 1,
            _ => return Some(at),
        };
    }
}

/// The elements of a comma-separated list, trimmed; commas in quotes or brackets do not count.
pub(crate) fn split_list(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let (element, after) = match find_outside(text, b',') {
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
                let end = find_outside(rest, b';').unwrap_or(rest.len());
                let one = trim(&rest[..end]);
                rest = &rest[end..];
                if one.is_empty() {
                    continue;
                }
                return Some(match position(one.as_bytes(), b'=') {
                    Some(at) => (trim(&one[..at]), Some(trim(&one[at + 1..]))),
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

    #[test]
    fn digits_are_the_formatters() {
        for number in [0, 7, 10, 99, 100, 5060, 65_535, u64::MAX] {
            assert_eq!(Digits::of(number).as_str(), number.to_string());
        }
    }

    #[test]
    fn a_byte_is_found_wherever_it_is() {
        for length in 0..40 {
            let mut text = vec![b'9'; length]; // one below ':'
            assert_eq!(position(&text, b':'), None);
            for at in (0..length).rev() {
                text[at] = b':';
                assert_eq!(position(&text, b':'), Some(at));
                assert_eq!(first_of(&text, [b'x', b':', b';']), Some(at));
            }
        }
    }
}
