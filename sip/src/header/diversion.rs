//! Diversion: who sent a call on, and why (RFC 5806), as trunks of today still say it.

use std::fmt;

use super::NameAddr;
use super::text::{plain, quoted};
use crate::message::{is_token, seconds};
use crate::{Address, HeaderError, Message, Name};

/// Whether a diverting number was checked.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Screened {
    /// `screen=yes`.
    Yes,
    /// `screen=no`.
    No,
}

/// One diversion, the latest first in a message.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Diversion {
    /// Who sent the call on.
    pub from: NameAddr,
    /// `user-busy`, `no-answer`, `unconditional`, `deflection`, `unavailable`, `away` ...; empty:
    /// not said.
    pub reason: String,
    /// How many diversions this stands for; 1 if not said.
    pub counter: u32,
    /// Whether the number must not be shown: `privacy=` other than `off`.
    pub private: bool,
    /// Whether it was checked.
    pub screened: Option<Screened>,
}

/// More than these in one message are not looked at: a call sent on so often is a loop.
const MOST: usize = 32;

impl Diversion {
    /// Those of a message that can be read, the latest first.
    pub fn all(message: &Message) -> impl Iterator<Item = Self> {
        message.list(Name::DIVERSION).take(MOST).filter_map(|text| Self::parse(text).ok())
    }

    /// How often the call was sent on by what its Diversion header fields say.
    #[must_use]
    pub fn count(message: &Message) -> u32 {
        Self::all(message).fold(0, |sum, one| sum.saturating_add(one.counter.max(1)))
    }

    /// One more, of a call that we send on.
    #[must_use]
    pub fn new(from: NameAddr, reason: &'static str) -> Self {
        Self { from, reason: reason.to_owned(), counter: 1, private: false, screened: None }
    }

    /// Reads one value.
    ///
    /// # Errors
    /// When it is no address.
    pub fn parse(text: &str) -> Result<Self, HeaderError> {
        let address = Address::parse(text).map_err(|error| error.of("Diversion"))?;
        let params = address.params();
        let screened = params.value("screen").and_then(|screen| match screen {
            _ if screen.eq_ignore_ascii_case("yes") => Some(Screened::Yes),
            _ if screen.eq_ignore_ascii_case("no") => Some(Screened::No),
            _ => None,
        });
        Ok(Self {
            from: NameAddr::from(&address),
            reason: params.value("reason").map(plain).unwrap_or_default(),
            counter: params.value("counter").and_then(seconds).unwrap_or(1),
            private: params.value("privacy").is_some_and(|p| !plain(p).eq_ignore_ascii_case("off")),
            screened,
        })
    }
}

impl fmt::Display for Diversion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.from.fmt(f)?;
        if is_token(self.reason.as_bytes()) {
            write!(f, ";reason={}", self.reason)?;
        } else if !self.reason.is_empty() {
            write!(f, ";reason={}", quoted(&self.reason))?;
        }
        write!(f, ";counter={}", self.counter)?;
        if self.private {
            f.write_str(";privacy=full")?;
        }
        match self.screened {
            Some(Screened::Yes) => f.write_str(";screen=yes"),
            Some(Screened::No) => f.write_str(";screen=no"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diversion_comes_back_as_written() {
        let text = r#""Bob" <sip:+15550100@b>;reason=user-busy;counter=2;privacy=full;screen=yes"#;
        let diversion = Diversion::parse(text).unwrap();
        assert_eq!(diversion.to_string(), text);
        assert_eq!(diversion.from.user().as_deref(), Some("+15550100"));
        let plain = Diversion::parse("<tel:+15550100>;privacy=\"off\";counter=x").unwrap();
        assert_eq!((plain.counter, plain.private, &*plain.reason), (1, false, ""));
        let hostile = Diversion::parse("<sip:a@b>;reason=\"x\\\";y=z\"").unwrap();
        assert_eq!(hostile.to_string(), r#"<sip:a@b>;reason="x\";y=z";counter=1"#);
        assert!(Diversion::parse("nobody").is_err());
    }
}
