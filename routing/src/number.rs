//! Telephone numbers: the one place where what was dialled becomes E.164 (ITU-T E.164 §6,
//! RFC 3966 §3 and §5.1, RFC 3261 §19.1.6).

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

/// A number in E.164 form: `+` and 3 to 15 digits, the first not 0.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct E164(String);

/// Why a text is not a number that can be routed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// A character that is neither digit nor visual separator.
    #[error("{0:?} does not belong in a telephone number")]
    Character(char),
    /// Not 3 to 15 digits.
    #[error("an E.164 number has 3 to 15 digits, this one has {0}")]
    Length(usize),
    /// A single leading 0: a number of some country, but of which?
    #[error("the number is national (it starts with 0 and has no country code)")]
    National,
    /// A `phone-context` that is not a global number prefix.
    #[error("the phone-context is not a global prefix")]
    Context,
    /// A `%` without two hexadecimal digits of an ASCII character behind it.
    #[error("a percent sign must be followed by two hexadecimal digits of an ASCII character")]
    Escape,
}

/// The longest text worth looking at: a number with separators and parameters is far shorter.
const MAX_TEXT: usize = 256;

impl E164 {
    /// Reads a number as a person, a carrier or a phone writes it: `+1 (555) 010-0`, `0015550100`,
    /// `15550100`, `tel:+1-555-0100;ext=4`, `tel:0100;phone-context=+1555`,
    /// `sip:%2b15550100;npdi@carrier.example;user=phone`.
    ///
    /// Digits without `+` or `00` are taken as international, the way most carriers send them.
    ///
    /// # Errors
    /// When what remains without scheme, parameters and separators is not a number in E.164 form.
    pub fn normalise(dialled: &str) -> Result<Self, NumberError> {
        if dialled.len() > MAX_TEXT {
            return Err(NumberError::Length(dialled.len()));
        }
        let (subscriber, parameters) = subscriber_part(dialled.trim());
        let written = unescape(subscriber)?;
        let mut digits = String::with_capacity(16);
        let global = push_digits(&written, &mut digits)?;
        if !global {
            if let Some(prefix) = phone_context(parameters)? {
                digits.insert_str(0, &prefix);
            } else if let Some(rest) = digits.strip_prefix("00") {
                digits = rest.to_owned();
            }
        }
        if digits.starts_with('0') {
            return Err(NumberError::National);
        }
        if !(3..=15).contains(&digits.len()) {
            return Err(NumberError::Length(digits.len()));
        }
        digits.insert(0, '+');
        Ok(Self(digits))
    }

    /// The number with its `+`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The subscriber of a `tel:`, `sip:` or bare number, and the parameters behind it.
fn subscriber_part(text: &str) -> (&str, &str) {
    let has_scheme =
        |scheme: &str| text.get(..scheme.len()).is_some_and(|s| s.eq_ignore_ascii_case(scheme));
    let rest = if has_scheme("tel:") {
        &text[4..]
    } else if has_scheme("sips:") {
        user_part(&text[5..])
    } else if has_scheme("sip:") {
        user_part(&text[4..])
    } else {
        user_part(text)
    };
    rest.split_once(';').unwrap_or((rest, ""))
}

/// The user of `user:password@host;parameters`; a text without a host is all user.
fn user_part(text: &str) -> &str {
    let user = text.split_once('@').map_or(text, |(user, _host)| user);
    user.split_once(':').map_or(user, |(user, _password)| user)
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

/// The digits of `phone-context=+1555` (RFC 3966 §5.1.5), if there is one.
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

impl FromStr for E164 {
    type Err = NumberError;
    fn from_str(text: &str) -> Result<Self, NumberError> {
        Self::normalise(text)
    }
}

impl Borrow<str> for E164 {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A number is personal data: `Debug` masks it.
impl fmt::Debug for E164 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&base::Pii(&self.0), f)
    }
}

impl Serialize for E164 {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_write_a_number_gives_the_same_number() {
        for written in [
            "+15550100",
            "15550100",
            "0015550100",
            "+1 (555) 01-00",
            "+1.555.0100",
            "tel:+1-555-0100",
            "TEL:+1-555-0100;ext=4",
            "tel:0100;phone-context=+1555",
            "tel:0100;isub=1;Phone-Context=%2b1-555",
            "sip:+15550100@carrier.example;user=phone",
            "sips:%2B15550100@carrier.example",
            "sip:%2b15550100;npdi;rn=+1@carrier.example",
            "sip:15550100:secret@carrier.example",
            "+15550100@carrier.example",
            "%2b15550100",
            "%31%35550100",
            "  +15550100 ",
        ] {
            assert_eq!(E164::normalise(written).unwrap().as_str(), "+15550100", "{written}");
        }
    }

    #[test]
    fn what_is_not_a_number_is_refused_with_the_cause() {
        use NumberError::{Character, Context, Escape, Length, National};
        for (written, error) in [
            ("", Length(0)),
            ("+", Length(0)),
            ("+12", Length(2)),
            ("+1234567890123456", Length(16)),
            ("0301234567", National),
            ("000301234567", National),
            ("+0301234567", National),
            ("alice", Character('a')),
            ("++15550100", Character('+')),
            ("1+5550100", Character('+')),
            ("+1555010a", Character('a')),
            ("+１５５５０１００", Character('１')),
            ("%252b15550100", Character('%')),
            ("%2", Escape),
            ("%zz15550100", Escape),
            ("%+115550100", Escape),
            ("%ff15550100", Escape),
            ("tel:0100;phone-context=example.com", Context),
            ("*31#+15550100", Character('*')),
            ("+15550100,,1", Character(',')),
            ("+15550100\r\nVia: x", Character('\r')),
        ] {
            assert_eq!(E164::normalise(written).unwrap_err(), error, "{written:?}");
        }
        assert_eq!(E164::normalise(&"1".repeat(300)).unwrap_err(), Length(300));
    }

    #[test]
    fn a_number_is_masked_in_debug_output() {
        assert_eq!(format!("{:?}", E164::normalise("+15550100").unwrap()), "+1***00");
    }
}
