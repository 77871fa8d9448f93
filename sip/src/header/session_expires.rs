//! Session-Expires and Min-SE (RFC 4028 §4, §5).

use std::fmt;

use super::only;
use crate::message::{Params, seconds, trim};
use crate::{HeaderError, Message, Name};

/// Who sends the refreshes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Refresher {
    /// Who sent the request that this stands in or answers.
    Uac,
    /// Who answers it.
    Uas,
}

/// How long what was agreed lasts without a refresh, in seconds, and who refreshes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct SessionExpires {
    /// Seconds.
    pub interval: u32,
    /// Who refreshes; not said in many requests.
    pub refresher: Option<Refresher>,
}

impl SessionExpires {
    /// Of a message: none if it has none.
    ///
    /// # Errors
    /// When it does not parse or is there twice: answer 400.
    pub fn of(message: &Message) -> Result<Option<Self>, HeaderError> {
        only(message, Name::SESSION_EXPIRES, "Session-Expires")?.map(Self::parse).transpose()
    }

    /// Reads the value.
    ///
    /// # Errors
    /// When it is no number of seconds, or the refresher is neither `uac` nor `uas`.
    pub fn parse(text: &str) -> Result<Self, HeaderError> {
        let bad = |problem| HeaderError::new("Session-Expires", problem);
        let end = text.find(';').unwrap_or(text.len());
        let interval = seconds(trim(&text[..end])).ok_or(bad("not a number of seconds"))?;
        let refresher = match Params::new(&text[end..]).value("refresher") {
            None => None,
            Some(who) if who.eq_ignore_ascii_case("uac") => Some(Refresher::Uac),
            Some(who) if who.eq_ignore_ascii_case("uas") => Some(Refresher::Uas),
            Some(_) => return Err(bad("a refresher that is neither uac nor uas")),
        };
        Ok(Self { interval, refresher })
    }
}

impl fmt::Display for SessionExpires {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.interval)?;
        match self.refresher {
            Some(Refresher::Uac) => f.write_str(";refresher=uac"),
            Some(Refresher::Uas) => f.write_str(";refresher=uas"),
            None => Ok(()),
        }
    }
}

/// The shortest interval that someone on the way takes, in seconds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct MinSe(pub u32);

impl MinSe {
    /// The least there may be, and what holds where none is given (§5).
    pub const LEAST: Self = Self(90);

    /// Of a message: none if it has none; below 90 is 90.
    ///
    /// # Errors
    /// When it does not parse or is there twice.
    pub fn of(message: &Message) -> Result<Option<Self>, HeaderError> {
        let Some(text) = only(message, Name::MIN_SE, "Min-SE")? else { return Ok(None) };
        let end = text.find(';').unwrap_or(text.len());
        let least = seconds(trim(&text[..end]));
        let least = least.ok_or(HeaderError::new("Min-SE", "not a number of seconds"))?;
        Ok(Some(Self(least).max(Self::LEAST)))
    }
}

impl fmt::Display for MinSe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_come_back_as_written_and_broken_ones_are_refused() {
        for text in ["1800", "90;refresher=uac", "4294967295;refresher=uas"] {
            assert_eq!(SessionExpires::parse(text).unwrap().to_string(), text);
        }
        let long = SessionExpires::parse("99999999999 ; refresher=UAC;x=y").unwrap();
        assert_eq!((long.interval, long.refresher), (u32::MAX, Some(Refresher::Uac)));
        for text in ["", "-1", "x", "90;refresher=me", ";refresher=uac"] {
            assert!(SessionExpires::parse(text).is_err(), "{text}");
        }
    }
}
