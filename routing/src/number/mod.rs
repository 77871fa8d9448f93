//! Telephone numbers: the one place where what was dialled becomes E.164 (ITU-T E.164 §6,
//! RFC 3966 §3 and §5.1, RFC 3261 §19.1.6).

pub(crate) mod emergency;
mod format;
mod plan;
mod written;

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use serde::{Serialize, Serializer};

pub use format::{called_for, caller_for, read_called, read_caller};
pub use plan::Country;
pub(crate) use written::Written;

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
        Self::normalise_in(dialled, None)
    }

    /// The same, where digits without `+` are a number as it is dialled in this country:
    /// `030 123456` in Germany is `+4930123456`, `011 49 30 123456` in the United States too.
    ///
    /// # Errors
    /// When what remains without scheme, parameters and separators is not a number in E.164 form.
    pub fn normalise_in(dialled: &str, country: Option<Country>) -> Result<Self, NumberError> {
        Self::of_written(&Written::read(dialled), country)
    }

    /// The number that was written, if it is one.
    pub(crate) fn of_written(
        written: &Written<'_>,
        country: Option<Country>,
    ) -> Result<Self, NumberError> {
        let number = written.number()?;
        let global = match (number.global, &number.context) {
            (true, _) => number.digits.clone(),
            (false, Some(prefix)) => format!("{prefix}{}", number.digits),
            (false, None) => match (number.digits.strip_prefix("00"), country) {
                (Some(rest), _) => rest.to_owned(),
                (None, Some(country)) => country.international(&number.digits),
                (None, None) => number.digits.clone(),
            },
        };
        if global.starts_with('0') {
            return Err(NumberError::National);
        }
        let global = plan::without_trunk_zero(global);
        if !(3..=15).contains(&global.len()) {
            return Err(NumberError::Length(global.len()));
        }
        Ok(Self(format!("+{global}")))
    }

    /// The number with its `+`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The number without its `+`.
    #[must_use]
    pub fn digits(&self) -> &str {
        self.0.trim_start_matches('+')
    }
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
