//! PASSporT: who calls whom, when, and what the signer knows of it, as a signed token
//! (RFC 8225, RFC 8588), or who has sent a signed call on, and where to (RFC 8946).

use std::fmt;

use base::UnixTime;
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

/// How much the signer knows of the caller (RFC 8588 §4).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
pub enum Attestation {
    /// Full: the caller, and its right to the number.
    A,
    /// Partial: the caller, not the number.
    B,
    /// Gateway: only where the call came in.
    C,
}

impl fmt::Display for Attestation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "A",
            Self::B => "B",
            Self::C => "C",
        })
    }
}

/// The protected header. Fields in the order of their names, as the canonical form has them
/// (RFC 8225 §9).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Protected {
    pub(super) alg: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(super) ppt: Option<String>,
    pub(super) typ: String,
    pub(super) x5u: String,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Dest {
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    tn: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    uri: Vec<String>,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Orig {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    tn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    uri: Option<String>,
}

impl Orig {
    fn of(text: &str) -> Self {
        let text = Some(text.to_owned());
        match text.as_deref().is_some_and(is_number) {
            true => Self { tn: text, uri: None },
            false => Self { tn: None, uri: text },
        }
    }

    /// The one there is.
    fn into_one(self) -> Option<String> {
        match (self.tn, self.uri) {
            (Some(one), None) | (None, Some(one)) => Some(one),
            _ => None,
        }
    }
}

/// The claims, in the order of their names.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Claims {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    attest: Option<Attestation>,
    dest: Dest,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    div: Option<Orig>,
    iat: i64,
    orig: Orig,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    origid: Option<String>,
}

/// What a token says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Passport {
    /// How much the signer knows; SHAKEN's tokens have it.
    pub attestation: Option<Attestation>,
    /// The caller: canonical digits, or a URI.
    pub orig: String,
    /// Those called: canonical digits, or URIs.
    pub dest: Vec<String>,
    /// When it was signed; whole seconds.
    pub iat: UnixTime,
    /// Where the call came from, for tracing it back: a UUID of the signer's.
    pub origid: Option<String>,
    /// Who has sent the call on to `dest`: one of those that an earlier token has there
    /// (RFC 8946 §3). Such a token says nothing else of its own.
    pub div: Option<String>,
}

/// More called ones than these are not looked at.
const MOST_DEST: usize = 16;

fn is_number(text: &str) -> bool {
    super::canonical(text).as_deref() == Some(text)
}

impl Passport {
    /// The JSON in canonical form.
    pub(super) fn to_json(&self) -> Option<String> {
        let (tn, uri) = self.dest.iter().cloned().partition(|dest| is_number(dest));
        let claims = Claims {
            attest: self.attestation,
            dest: Dest { tn, uri },
            div: self.div.as_deref().map(Orig::of),
            iat: self.iat.as_micros().div_euclid(1_000_000),
            orig: Orig::of(&self.orig),
            origid: self.origid.clone(),
        };
        serde_json::to_string(&claims).ok()
    }

    /// Reads the JSON of a token.
    pub(super) fn from_json(json: &[u8]) -> Option<Self> {
        let claims: Claims = serde_json::from_slice(json).ok()?;
        let Dest { tn: numbers, uri: uris } = claims.dest;
        let dest: Vec<String> = numbers.into_iter().chain(uris).take(MOST_DEST).collect();
        if dest.is_empty() {
            return None;
        }
        let div = match claims.div {
            Some(div) => Some(div.into_one()?),
            None => None,
        };
        Some(Self {
            attestation: claims.attest,
            orig: claims.orig.into_one()?,
            dest,
            iat: UnixTime::from_micros(claims.iat.checked_mul(1_000_000)?),
            origid: claims.origid,
            div,
        })
    }
}

/// A token taken apart, nothing of it checked.
pub(super) struct Token<'a> {
    pub(super) protected: Protected,
    pub(super) claims: Passport,
    /// What was signed: header and claims as they came.
    pub(super) signed: &'a str,
    /// r and s, 32 bytes each.
    pub(super) signature: [u8; 64],
}

impl<'a> Token<'a> {
    /// Reads `header.claims.signature`, the full form; none if it is not that.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let plain = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part).ok();
        Some(Self {
            protected: serde_json::from_slice(&plain(header)?).ok()?,
            claims: Passport::from_json(&plain(claims)?)?,
            signed,
            signature: plain(signature)?.try_into().ok()?,
        })
    }
}

/// As a part of a token.
pub(super) fn encoded(part: &[u8]) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8588 §4, the claims in canonical form.
    #[test]
    fn the_claims_are_written_as_the_rfc_has_them() {
        let passport = Passport {
            attestation: Some(Attestation::A),
            orig: "12155551212".to_owned(),
            dest: vec!["12125551213".to_owned()],
            iat: UnixTime::from_micros(1_443_208_345_000_000),
            origid: Some("123e4567-e89b-12d3-a456-426655440000".to_owned()),
            div: None,
        };
        let json = passport.to_json().unwrap();
        assert_eq!(
            json,
            r#"{"attest":"A","dest":{"tn":["12125551213"]},"iat":1443208345,"#.to_owned()
                + r#""orig":{"tn":"12155551212"},"origid":"123e4567-e89b-12d3-a456-426655440000"}"#
        );
        assert_eq!(Passport::from_json(json.as_bytes()), Some(passport));
    }

    /// The example of RFC 8946 §3, with numbers that are written correctly.
    #[test]
    fn a_diversion_is_written_as_its_rfc_has_it() {
        let passport = Passport {
            attestation: None,
            orig: "12155551212".to_owned(),
            dest: vec!["12155551214".to_owned()],
            iat: UnixTime::from_micros(1_443_208_345_000_000),
            origid: None,
            div: Some("12155551213".to_owned()),
        };
        let json = passport.to_json().unwrap();
        assert_eq!(
            json,
            r#"{"dest":{"tn":["12155551214"]},"div":{"tn":"12155551213"},"#.to_owned()
                + r#""iat":1443208345,"orig":{"tn":"12155551212"}}"#
        );
        assert_eq!(Passport::from_json(json.as_bytes()), Some(passport));
        let two = json.replace(r#"{"tn":"12155551213"}"#, r#"{"tn":"1","uri":"sip:a@b"}"#);
        assert_eq!(Passport::from_json(two.as_bytes()), None);
    }

    #[test]
    fn a_uri_is_signed_as_one_and_nonsense_is_none() {
        let json = br#"{"dest":{"uri":["sip:alice@example.com"]},"iat":1443208345,
            "orig":{"tn":"12155551212"},"more":{"x":1}}"#;
        let read = Passport::from_json(json).unwrap();
        assert_eq!((&*read.dest[0], read.attestation), ("sip:alice@example.com", None));
        assert!(read.to_json().unwrap().contains(r#""dest":{"uri":["sip:alice@example.com"]}"#));
        for bad in [
            "",
            "[]",
            r#"{"dest":{},"iat":1,"orig":{"tn":"1"}}"#,
            r#"{"dest":{"tn":["1"]},"iat":1,"orig":{}}"#,
            r#"{"dest":{"tn":["1"]},"iat":1,"orig":{"tn":"1","uri":"sip:a@b"}}"#,
            r#"{"dest":{"tn":["1"]},"iat":9223372036854775807,"orig":{"tn":"1"}}"#,
            r#"{"attest":"D","dest":{"tn":["1"]},"iat":1,"orig":{"tn":"1"}}"#,
            r#"{"dest":{"tn":"1"},"iat":1,"orig":{"tn":["1"]}}"#,
        ] {
            assert_eq!(Passport::from_json(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(Passport::from_json("[".repeat(100_000).as_bytes()), None);
    }
}
