//! What was dialled, taken apart once: scheme, user, host and parameters go, digits and a name
//! remain (RFC 3966 §3 and §5.1, RFC 3261 §19.1.6, RFC 5031).

use std::borrow::Cow;

use super::NumberError;

/// The longest text worth looking at: a number with separators and parameters is far shorter.
const MAX_TEXT: usize = 256;

/// A dialled text, read.
pub(crate) enum Written<'a> {
    /// `urn:service:sos` and what is below it: a call for help that names no number (RFC 5031).
    Help,
    /// Anything else.
    Address {
        /// The user part or the whole text, unescaped, without parameters.
        name: Cow<'a, str>,
        /// The host behind an `@`.
        host: Option<&'a str>,
        /// The number that the name is, or why it is none.
        number: Result<Digits, NumberError>,
    },
}

/// The digits of a number as they were written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Digits {
    /// Without separators and without `+`.
    pub(crate) digits: String,
    /// Whether a `+` led them.
    pub(crate) global: bool,
    /// The digits of `phone-context=+1555` (RFC 3966 §5.1.5), if there is one.
    pub(crate) context: Option<String>,
}

impl<'a> Written<'a> {
    pub(crate) fn read(dialled: &'a str) -> Self {
        if dialled.len() > MAX_TEXT {
            let number = Err(NumberError::Length(dialled.len()));
            return Self::Address { name: Cow::Borrowed(""), host: None, number };
        }
        let text = dialled.trim();
        if starts_with(text, "urn:service:sos")
            && text.as_bytes().get(15).is_none_or(|next| *next == b'.')
        {
            return Self::Help;
        }
        let (rest, has_host) = without_scheme(text);
        let (user, host) = match rest.split_once('@').filter(|_| has_host) {
            Some((user, host)) => (user, Some(bare_host(host))),
            None => (rest, None),
        };
        let (subscriber, parameters) = user.split_once(';').unwrap_or((user, ""));
        // What stands behind a colon is a password, except in `tel:`, which has none.
        let subscriber = match subscriber.split_once(':').filter(|_| has_host) {
            Some((user, _password)) => user,
            None => subscriber,
        };
        match unescape(subscriber) {
            Ok(name) => {
                let number = Digits::read(&name, parameters);
                Self::Address { name, host, number }
            }
            Err(error) => {
                Self::Address { name: Cow::Borrowed(subscriber), host, number: Err(error) }
            }
        }
    }

    /// The host it names, without port and parameters.
    pub(crate) fn host(&self) -> Option<&'a str> {
        match self {
            Self::Help => None,
            Self::Address { host, .. } => *host,
        }
    }

    /// The user part, or the whole text if it has none.
    pub(crate) fn name(&self) -> Cow<'a, str> {
        match self {
            Self::Help => Cow::Borrowed(""),
            Self::Address { name, .. } => name.clone(),
        }
    }

    /// The number it is.
    pub(crate) fn number(&self) -> Result<&Digits, NumberError> {
        match self {
            Self::Help => Err(NumberError::Length(0)),
            Self::Address { number, .. } => number.as_ref().map_err(Clone::clone),
        }
    }

    /// The digits of the number it is.
    pub(crate) fn digits(&self) -> Option<&str> {
        self.number().ok().map(|number| number.digits.as_str()).filter(|d| !d.is_empty())
    }

    /// The digits of the number it is, if nothing says where in the world it is.
    pub(crate) fn local_digits(&self) -> Option<&str> {
        let local = self.number().is_ok_and(|number| !number.global && number.context.is_none());
        self.digits().filter(|_| local)
    }
}

impl Digits {
    fn read(written: &str, parameters: &str) -> Result<Self, NumberError> {
        let mut digits = String::with_capacity(16);
        let global = push_digits(written, &mut digits)?;
        let context = if global { None } else { phone_context(parameters)? };
        Ok(Self { digits, global, context })
    }
}

/// What is left without `tel:`, `sip:` or `sips:`, and whether that may have a host.
fn without_scheme(text: &str) -> (&str, bool) {
    for (scheme, has_host) in [("tel:", false), ("sips:", true), ("sip:", true)] {
        if starts_with(text, scheme) {
            return (&text[scheme.len()..], has_host);
        }
    }
    (text, true)
}

fn starts_with(text: &str, prefix: &str) -> bool {
    text.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// The host of `host:port;parameters?headers`.
fn bare_host(text: &str) -> &str {
    let end = text.find([':', ';', '?', '>']).unwrap_or(text.len());
    text.get(..end).unwrap_or(text).trim_end_matches('.')
}

/// Decodes `%2b` and the like once; a second round would let `%252b` mean two things.
fn unescape(text: &str) -> Result<Cow<'_, str>, NumberError> {
    if !text.contains('%') {
        return Ok(Cow::Borrowed(text));
    }
    let mut plain = String::with_capacity(text.len());
    let mut pieces = text.split('%');
    plain.push_str(pieces.next().unwrap_or(""));
    for piece in pieces {
        let code = piece
            .get(..2)
            .filter(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()))
            .and_then(|hex| u8::from_str_radix(hex, 16).ok())
            .filter(u8::is_ascii)
            .ok_or(NumberError::Escape)?;
        plain.push(char::from(code));
        plain.push_str(&piece[2..]);
    }
    Ok(Cow::Owned(plain))
}

/// Appends the digits, passing over visual separators; true if a `+` led them.
fn push_digits(written: &str, digits: &mut String) -> Result<bool, NumberError> {
    let mut global = false;
    for c in written.chars() {
        match c {
            '0'..='9' => digits.push(c),
            '+' if digits.is_empty() && !global => global = true,
            '-' | '.' | '(' | ')' | ' ' => {}
            other => return Err(NumberError::Character(other)),
        }
    }
    Ok(global)
}

fn phone_context(parameters: &str) -> Result<Option<String>, NumberError> {
    for parameter in parameters.split(';') {
        let Some((name, value)) = parameter.split_once('=') else { continue };
        if name.eq_ignore_ascii_case("phone-context") {
            let mut digits = String::new();
            let value = unescape(value)?;
            return match push_digits(&value, &mut digits) {
                Ok(true) if !digits.is_empty() => Ok(Some(digits)),
                _ => Err(NumberError::Context),
            };
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_taken_apart_into_name_host_and_digits() {
        for (text, name, host, digits) in [
            ("alice", "alice", None, None),
            ("sip:alice@acme.example", "alice", Some("acme.example"), None),
            ("sip:alice:pw@acme.example:5070;transport=tcp", "alice", Some("acme.example"), None),
            ("SIPS:101@Acme.Example.", "101", Some("Acme.Example"), Some("101")),
            ("sip:+49-30;ext=1@h?x=y", "+49-30", Some("h"), Some("4930")),
            ("tel:1-1-2", "1-1-2", None, Some("112")),
            ("al%69ce@h", "alice", Some("h"), None),
        ] {
            let written = Written::read(text);
            assert_eq!(written.name(), name, "{text}");
            assert_eq!((written.host(), written.digits()), (host, digits), "{text}");
        }
    }

    #[test]
    fn a_call_for_help_needs_no_number() {
        for text in ["urn:service:sos", "URN:service:SOS.fire"] {
            assert!(matches!(Written::read(text), Written::Help), "{text}");
        }
        assert!(!matches!(Written::read("urn:service:sosig"), Written::Help));
    }

    #[test]
    fn a_context_says_where_a_number_is_and_a_plus_needs_none() {
        let written = Written::read("tel:0100;phone-context=+1-555");
        assert_eq!(written.number().unwrap().context.as_deref(), Some("1555"));
        assert_eq!(written.local_digits(), None);
        assert_eq!(Written::read("tel:+1;phone-context=nonsense").number().unwrap().context, None);
        assert_eq!(Written::read("101").local_digits(), Some("101"));
    }
}
