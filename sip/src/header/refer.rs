//! Refer-To and Referred-By: where a transfer goes, and who asked for it (RFC 3515, RFC 3892).

use std::fmt;

use super::text::{quoted, uri_headers};
use super::{NameAddr, Replaces, only};
use crate::message::Params;
use crate::{Address, HeaderError, Message, Method, Name, Uri, UriBuf};

/// `<sip:target?Replaces=...>`.
///
/// Of the header fields in its URI only Replaces is kept: any other would let the peer write into
/// a request that we send in our own name.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ReferTo {
    /// Who is to be called, without the URI's `method` and header fields.
    pub target: NameAddr,
    /// What is to be sent there; INVITE if nothing is said.
    pub method: Method,
    /// The dialog that the call is to take the place of.
    pub replaces: Option<Replaces>,
}

const fn bad(problem: &'static str) -> HeaderError {
    HeaderError::new("Refer-To", problem)
}

impl ReferTo {
    /// Of a REFER, which has exactly one (§2.4.1).
    ///
    /// # Errors
    /// When there is none, more than one, or one that does not parse: answer 400.
    pub fn of(message: &Message) -> Result<Self, HeaderError> {
        let text = only(message, Name::REFER_TO, "Refer-To")?.ok_or(bad("not there"))?;
        if message.list(Name::REFER_TO).count() > 1 {
            return Err(bad("there more than once"));
        }
        Self::parse(text)
    }

    /// Reads the value. A URI with header fields but without brackets is taken too: phones send it.
    ///
    /// # Errors
    /// When it is no address, or its Replaces is none.
    pub fn parse(text: &str) -> Result<Self, HeaderError> {
        let (name, uri) = match Address::parse(text) {
            Ok(address) => (address.display_name().map(|n| n.into_owned()), address.uri()),
            Err(_) if text.contains('?') => (None, Uri::parse(text).map_err(|e| e.of("Refer-To"))?),
            Err(error) => return Err(error.of("Refer-To")),
        };
        let mut replaces = None;
        for (header, value) in uri_headers(uri.headers()) {
            if Name::new(&header) == Name::REPLACES
                && replaces.replace(Replaces::parse(&value)?).is_some()
            {
                return Err(bad("Replaces twice"));
            }
        }
        let method = uri.is_sip().then(|| uri.param("method")).flatten();
        Ok(Self {
            target: NameAddr::named(name.as_deref(), bare(uri)?),
            method: method.map_or(Method::Invite, Method::new),
            replaces,
        })
    }

    /// A call to that target.
    #[must_use]
    pub const fn call(target: NameAddr) -> Self {
        Self { target, method: Method::Invite, replaces: None }
    }
}

/// The URI without `method` and without header fields: as it may stand in a Request-URI
/// (RFC 3261 §19.1.1, table 1).
pub(crate) fn bare(uri: Uri<'_>) -> Result<UriBuf, HeaderError> {
    if !uri.is_sip() {
        return Ok(uri.to_buf());
    }
    let text = uri.as_str();
    let text = match uri.headers() {
        // The headers are what stands behind the first `?` after the host.
        Some(headers) => &text[..text.len() - headers.len() - 1],
        None => text,
    };
    let params: Params<'_> = uri.params();
    let mut out = text[..text.len() - params.as_str().len()].to_owned();
    for (name, value) in params.iter().filter(|(name, _)| !name.eq_ignore_ascii_case("method")) {
        out.push(';');
        out.push_str(name);
        if let Some(value) = value {
            out.push('=');
            out.push_str(value);
        }
    }
    UriBuf::parse(&out)
}

impl fmt::Display for ReferTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(name) = &self.target.name {
            write!(f, "{} ", quoted(name))?;
        }
        write!(f, "<{}", self.target.uri)?;
        if self.method != Method::Invite {
            write!(f, ";method={}", self.method)?;
        }
        if let Some(replaces) = &self.replaces {
            write!(f, "?Replaces={}", replaces.in_uri())?;
        }
        f.write_str(">")
    }
}

/// Who asks for a transfer. Its signed token (`cid`) is not checked and not passed on.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ReferredBy(pub NameAddr);

impl ReferredBy {
    /// Of a request: none if it has none.
    ///
    /// # Errors
    /// When it does not parse or is there twice: answer 400.
    pub fn of(message: &Message) -> Result<Option<Self>, HeaderError> {
        let text = only(message, Name::REFERRED_BY, "Referred-By")?;
        text.map(|text| NameAddr::parse(text).map(Self).map_err(|e| e.of("Referred-By")))
            .transpose()
    }
}

impl fmt::Display for ReferredBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attended_transfer_names_the_dialog_in_the_uri() {
        let text = "\"Bob\" <sip:bob@b.example;transport=tcp?Replaces=12345%40192.168.118.3%3B\
                    to-tag%3D12345%3Bfrom-tag%3D5FFE-3994&Route=%3Csip:evil%3E>";
        let refer = ReferTo::parse(text).unwrap();
        assert_eq!(refer.target.uri.as_str(), "sip:bob@b.example;transport=tcp");
        let replaces = refer.replaces.as_ref().unwrap();
        assert_eq!(replaces.call_id, "12345@192.168.118.3");
        assert_eq!((&*replaces.to_tag, &*replaces.from_tag), ("12345", "5FFE-3994"));
        assert_eq!(refer.method, Method::Invite);
        let again = refer.to_string();
        assert!(!again.contains("evil"), "{again}");
        assert_eq!(ReferTo::parse(&again), Ok(refer));
    }

    #[test]
    fn blind_transfers_in_the_forms_that_phones_send() {
        let refer = ReferTo::parse("tel:+15550100").unwrap();
        assert_eq!(refer.target.user().as_deref(), Some("+15550100"));
        let bare = ReferTo::parse("sip:a@b?Replaces=c%3Bto-tag=1%3Bfrom-tag=2").unwrap();
        assert_eq!(bare.replaces.unwrap().call_id, "c");
        let method = ReferTo::parse("<sip:a@b;method=SUBSCRIBE;x=y>").unwrap();
        assert_eq!(
            (method.method.as_str(), method.target.uri.as_str()),
            ("SUBSCRIBE", "sip:a@b;x=y")
        );
        assert_eq!(method.to_string(), "<sip:a@b;x=y;method=SUBSCRIBE>");
        let question = ReferTo::parse("<sip:who?me@b>").unwrap();
        assert_eq!(question.target.uri.as_str(), "sip:who?me@b");
    }

    #[test]
    fn broken_ones_are_refused() {
        for text in [
            "",
            "<sip:a@b",
            "<sip:a@b?Replaces=c>",
            "<sip:a@b?Replaces=c%3Bto-tag=1%3Bfrom-tag=2&Replaces=d%3Bto-tag=1%3Bfrom-tag=2>",
        ] {
            assert!(ReferTo::parse(text).is_err(), "{text}");
        }
    }
}
