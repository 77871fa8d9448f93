//! PASSporT: who calls whom, when, and what the signer knows of it, as a signed token
//! (RFC 8225, RFC 8588).

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

/// The claims, in the order of their names.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Claims {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    attest: Option<Attestation>,
    dest: Dest,
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
        let orig = if is_number(&self.orig) {
            Orig { tn: Some(self.orig.clone()), uri: None }
        } else {
            Orig { tn: None, uri: Some(self.orig.clone()) }
        };
        let claims = Claims {
            attest: self.attestation,
            dest: Dest { tn, uri },
            iat: self.iat.as_micros().div_euclid(1_000_000),
            orig,
            origid: self.origid.clone(),
        };
        serde_json::to_string(&claims).ok()
    }

    /// Reads the JSON of a token.
    pub(super) fn from_json(json: &[u8]) -> Option<Self> {
        let claims: Claims = serde_json::from_slice(json).ok()?;
        let Orig { tn, uri } = claims.orig;
        let Dest { tn: numbers, uri: uris } = claims.dest;
        let dest: Vec<String> = numbers.into_iter().chain(uris).take(MOST_DEST).collect();
        if dest.is_empty() || (tn.is_some() == uri.is_some()) {
            return None;
        }
        Some(Self {
            attestation: claims.attest,
            orig: tn.or(uri)?,
            dest,
            iat: UnixTime::from_micros(claims.iat.checked_mul(1_000_000)?),
            origid: claims.origid,
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
        };
        let json = passport.to_json().unwrap();
        assert_eq!(
            json,
            r#"{"attest":"A","dest":{"tn":["12125551213"]},"iat":1443208345,"#.to_owned()
                + r#""orig":{"tn":"12155551212"},"origid":"123e4567-e89b-12d3-a456-426655440000"}"#
        );
        assert_eq!(Passport::from_json(json.as_bytes()), Some(passport));
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
