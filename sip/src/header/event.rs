//! Event: which package, and which of several subscriptions in a dialog (RFC 6665 §8.2.1).

use std::fmt;

use super::only;
use super::text::plain;
use crate::message::{Params, is_token, trim};
use crate::{HeaderError, Message, Name};

/// `dialog;id=1`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Event {
    /// The package with its templates, such as `dialog` or `presence.winfo`.
    pub package: String,
    /// Which subscription of the dialog.
    pub id: Option<String>,
}

impl Event {
    /// Of a request: none if it has none (answer a SUBSCRIBE 489 then).
    ///
    /// # Errors
    /// When it does not parse or is there twice: answer 400.
    pub fn of(message: &Message) -> Result<Option<Self>, HeaderError> {
        only(message, Name::EVENT, "Event")?.map(Self::parse).transpose()
    }

    /// Of that package, without an id.
    #[must_use]
    pub fn new(package: &'static str) -> Self {
        Self { package: package.to_owned(), id: None }
    }

    /// Reads the value; other parameters than `id` are left out.
    ///
    /// # Errors
    /// When package or id is no token.
    pub fn parse(text: &str) -> Result<Self, HeaderError> {
        let end = text.find(';').unwrap_or(text.len());
        let package = trim(&text[..end]);
        let id = Params::new(&text[end..]).value("id").map(plain);
        let is_good = |text: &str| is_token(text.as_bytes());
        if !is_good(package) || id.as_deref().is_some_and(|id| !is_good(id)) {
            return Err(HeaderError::new("Event", "not a package"));
        }
        Ok(Self { package: package.to_owned(), id })
    }

    /// Whether it is of that package (packages have case, RFC 6665 §8.2.1; phones do not know).
    #[must_use]
    pub fn is(&self, package: &str) -> bool {
        self.package.eq_ignore_ascii_case(package)
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.package)?;
        match &self.id {
            Some(id) => write!(f, ";id={id}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_and_ids_come_back_and_broken_ones_are_refused() {
        let event = Event::parse("Dialog ; sla;id=a7").unwrap();
        assert!(event.is("dialog") && event.id.as_deref() == Some("a7"));
        assert_eq!(Event::parse("refer;id=93809824").unwrap().to_string(), "refer;id=93809824");
        for text in ["", "a b", "x;id=a b", ";id=1"] {
            assert!(Event::parse(text).is_err(), "{text}");
        }
    }
}
