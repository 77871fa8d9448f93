//! Addresses in From, To, Contact, Route and their kin: a display name, a URI and parameters
//! (RFC 3261 §20.10).

use std::borrow::Cow;

use super::error::HeaderError;
use super::scan::{self, Params};
use super::uri::Uri;

/// `"Name" <uri>;params`, or `uri;params`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Address<'a> {
    text: &'a str,
    display: &'a str,
    uri: Uri<'a>,
    params: Params<'a>,
}

const fn bad(problem: &'static str) -> HeaderError {
    HeaderError::new("address", problem)
}

impl<'a> Address<'a> {
    /// Parses one address (not a list).
    ///
    /// # Errors
    /// When quotes or brackets do not close, the name is not one, or the URI is not one.
    pub fn parse(text: &'a str) -> Result<Self, HeaderError> {
        let text = scan::trim(text);
        let name_end = if text.starts_with('"') {
            scan::quoted_end(text).ok_or(bad("a quoted name without an end"))?
        } else {
            0
        };
        let rest = &text[name_end..];
        let open = scan::position(rest.as_bytes(), b'<').filter(|&at| {
            // `sip:a@b;x="<"` has no brackets: what stands before them is a name, not a URI.
            name_end > 0 || scan::all(&rest.as_bytes()[..at], scan::NAME)
        });
        let Some(open) = open else {
            if name_end > 0 {
                return Err(bad("a name without a bracketed URI"));
            }
            return Self::parse_bare(text);
        };
        if name_end > 0 && !scan::trim(&rest[..open]).is_empty() {
            return Err(bad("text between the name and the URI"));
        }
        let display = scan::trim(&text[..name_end + open]);
        let rest = &rest[open + 1..];
        let close = scan::position(rest.as_bytes(), b'>').ok_or(bad("< without >"))?;
        let params = scan::trim(&rest[close + 1..]);
        if !(params.is_empty() || params.starts_with(';')) {
            return Err(bad("text after the URI"));
        }
        let uri = Uri::parse(&rest[..close])?;
        Ok(Self { text, display, uri, params: Params::new(params) })
    }

    /// Without brackets: `;` starts the header's parameters, and `?` or `,` must not stand in the
    /// URI.
    fn parse_bare(text: &'a str) -> Result<Self, HeaderError> {
        let end = scan::position(text.as_bytes(), b';').unwrap_or(text.len());
        let uri = scan::trim(&text[..end]);
        if memchr::memchr2(b'?', b',', uri.as_bytes()).is_some() {
            return Err(bad("a URI with ? or , must stand in brackets"));
        }
        let uri = Uri::parse(uri)?;
        Ok(Self { text, display: "", uri, params: Params::new(&text[end..]) })
    }

    /// The whole text.
    #[must_use]
    pub const fn as_str(&self) -> &'a str {
        self.text
    }

    /// The display name without quotes and escapes, if there is one.
    #[must_use]
    pub fn display_name(&self) -> Option<Cow<'a, str>> {
        if self.display.is_empty() { None } else { Some(scan::unquote(self.display)) }
    }

    /// The URI.
    #[must_use]
    pub const fn uri(&self) -> Uri<'a> {
        self.uri
    }

    /// The parameters of the header field, not of the URI.
    #[must_use]
    pub const fn params(&self) -> Params<'a> {
        self.params
    }

    /// The `tag` parameter.
    #[must_use]
    pub fn tag(&self) -> Option<&'a str> {
        self.params.value("tag")
    }

    /// The text without the `tag` parameter: what a dialog keeps of From and To.
    #[must_use]
    pub fn without_tag(&self) -> String {
        let head = self.text.len() - self.params.as_str().len();
        let mut text = scan::trim(&self.text[..head]).to_owned();
        for (name, value) in self.params.iter().filter(|(n, _)| !n.eq_ignore_ascii_case("tag")) {
            text.push(';');
            text.push_str(name);
            if let Some(value) = value {
                text.push('=');
                text.push_str(value);
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_in_all_their_forms() {
        let a = Address::parse(r#""J. \"<x>\" Ros;en" <sip:a@b;lr>;tag=1;q=0.5"#).unwrap();
        assert_eq!(a.display_name().unwrap(), r#"J. "<x>" Ros;en"#);
        assert_eq!(a.uri().as_str(), "sip:a@b;lr");
        assert_eq!(a.tag(), Some("1"));
        assert_eq!(a.without_tag(), r#""J. \"<x>\" Ros;en" <sip:a@b;lr>;q=0.5"#);

        let bare = Address::parse("sip:a@b;tag=88sja8x").unwrap();
        assert_eq!((bare.uri().as_str(), bare.tag()), ("sip:a@b", Some("88sja8x")));
        assert_eq!(bare.display_name(), None);

        let name = Address::parse("Grüße an <sip:a@b>").unwrap();
        assert_eq!(name.display_name().unwrap(), "Grüße an");
        assert!(Address::parse("tel:+1555").is_ok());
        assert!(Address::parse("<urn:service:sos>").is_ok());
    }

    #[test]
    fn broken_addresses_are_refused() {
        for text in [
            r#""Mr. J. User <sip:a@b>"#,
            "Bell, Alexander <sip:a@b>;tag=43",
            "<sip:a@b",
            "<sip:a@b> x",
            "sip:a@b?Route=x",
            "\"only a name\"",
            "< sip:a@b>",
        ] {
            assert!(Address::parse(text).is_err(), "{text}");
        }
    }
}
