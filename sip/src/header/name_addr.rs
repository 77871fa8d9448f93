//! A display name and a URI of our own, as identities and histories carry them (RFC 3261 §20.10).

use std::fmt;

use super::text::quoted;
use crate::{Address, HeaderError, UriBuf};

/// `"Name" <uri>`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct NameAddr {
    /// The display name, without quotes and escapes.
    pub name: Option<String>,
    /// The URI.
    pub uri: UriBuf,
}

impl NameAddr {
    /// Without a name.
    #[must_use]
    pub const fn new(uri: UriBuf) -> Self {
        Self { name: None, uri }
    }

    /// With a name; an empty one is none.
    #[must_use]
    pub fn named(name: Option<&str>, uri: UriBuf) -> Self {
        Self { name: name.filter(|name| !name.is_empty()).map(str::to_owned), uri }
    }

    /// Reads one address; its header parameters are left out.
    ///
    /// # Errors
    /// Those of [`Address::parse`].
    pub fn parse(text: &str) -> Result<Self, HeaderError> {
        Address::parse(text).map(|address| Self::from(&address))
    }

    /// The user part of a `sip:` URI, or the number of a `tel:` one, without escapes.
    #[must_use]
    pub fn user(&self) -> Option<String> {
        self.uri.as_uri().user_unescaped().map(std::borrow::Cow::into_owned)
    }
}

impl From<&Address<'_>> for NameAddr {
    fn from(address: &Address<'_>) -> Self {
        Self::named(address.display_name().as_deref(), address.uri().to_buf())
    }
}

impl fmt::Display for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{} <{}>", quoted(name), self.uri),
            None => write!(f, "<{}>", self.uri),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_quoted_again_whatever_is_in_them() {
        let read = NameAddr::parse(r#""J. \"<x>\" R" <sip:+1555@b>;tag=9"#).unwrap();
        assert_eq!(read.name.as_deref(), Some(r#"J. "<x>" R"#));
        assert_eq!(read.to_string(), r#""J. \"<x>\" R" <sip:+1555@b>"#);
        assert_eq!(read.user().as_deref(), Some("+1555"));
        assert_eq!(NameAddr::parse("tel:+15550100").unwrap().to_string(), "<tel:+15550100>");
        let uri = UriBuf::parse("sip:a@b").unwrap();
        let hostile = NameAddr::named(Some("x\r\nVia: y"), uri.clone());
        assert_eq!(hostile.to_string(), "\"xVia: y\" <sip:a@b>");
        assert_eq!(NameAddr::named(Some(""), uri).name, None);
    }
}
