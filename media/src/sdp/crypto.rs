//! `a=crypto`: keys of SRTP in SDP (RFC 4568), and what we insist on.

use std::fmt::Write;

use base::Rng;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::srtp::{MASTER_BYTES, MasterKey, Mki, Profile};

/// The longest base64 text of a key and salt that is looked at.
const MAX_KEY_TEXT: usize = 128;
/// The `a=crypto` lines of one section that are looked at.
const MAX_LINES: usize = 16;
/// What we offer, the best first. The others are taken when they are offered to us; more of them
/// here would only make an INVITE larger than a datagram should be.
const OFFERED: [Profile; 3] =
    [Profile::AeadAes256Gcm, Profile::AeadAes128Gcm, Profile::AesCm128HmacSha1_80];

/// Whether audio is to be encrypted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum Encryption {
    /// Never; who insists on it is refused.
    #[default]
    Off,
    /// When the far end offers keys; we offer none.
    Accepted,
    /// When the far end can: keys are offered for plain RTP, and taken or not (RFC 8643).
    Preferred,
    /// Always; who cannot is refused.
    Required,
}

/// A line that we understand.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Crypto {
    /// Its number: an answer has the one of the offer that it takes.
    pub tag: u32,
    /// The key of what its writer sends.
    pub key: MasterKey,
}

/// Our own keys on one leg: one a profile, the same for the leg's whole life. It is secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct LocalKeys([u8; 32]);

impl LocalKeys {
    /// Drawn anew, for each leg.
    #[must_use]
    pub fn draw(rng: &mut Rng) -> Self {
        let mut secret = [0; 32];
        rng.fill(&mut secret);
        Self(secret)
    }

    /// The key of a profile.
    pub(super) fn key(&self, profile: Profile) -> Option<MasterKey> {
        let mut rng = Rng::from_secret(self.0);
        let mut bytes = [0; MASTER_BYTES];
        for other in Profile::ALL {
            rng.fill(&mut bytes);
            if other == profile {
                break;
            }
        }
        MasterKey::new(profile, bytes.get(..profile.key_bytes() + profile.salt_bytes())?)
    }

    /// The lines of our offer.
    pub(super) fn offered(&self) -> Vec<Crypto> {
        let keys = OFFERED.into_iter().filter_map(|profile| self.key(profile));
        (1..).zip(keys).map(|(tag, key)| Crypto { tag, key }).collect()
    }
}

impl std::fmt::Debug for LocalKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("LocalKeys")
    }
}

/// The lines of a section that we understand, in their order.
pub(super) fn lines<'a>(values: impl Iterator<Item = &'a str>) -> Vec<Crypto> {
    values.take(MAX_LINES).filter_map(line).collect()
}

/// `1 AES_CM_128_HMAC_SHA1_80 inline:<key and salt>|2^20|1:4 WSH=64`: lifetime and MKI may each be
/// missing (§6.1). A line with several keys, of which any may be used at any time, or with a
/// parameter that we do not know, is none that may be taken (§6.3).
fn line(value: &str) -> Option<Crypto> {
    let mut words = value.split_ascii_whitespace();
    let tag: u32 = words.next()?.parse().ok()?;
    let profile = Profile::from_name(words.next()?)?;
    let inline = words.next()?;
    let (method, key) = inline.split_once(':')?;
    let mut parts = key.split('|');
    let text = parts.next().filter(|text| text.len() <= MAX_KEY_TEXT)?;
    let mut part = parts.next();
    if part.is_some_and(|part| !part.contains(':')) {
        // The lifetime: what we send with one key never lasts as long.
        part = parts.next();
    }
    let mki = match part {
        Some(part) => Some(mki(part)?),
        None => None,
    };
    let is_one = parts.next().is_none() && !key.contains(';');
    if !method.eq_ignore_ascii_case("inline") || !is_one || !words.all(is_harmless) {
        return None;
    }
    let bytes = STANDARD.decode(text).ok()?;
    Some(Crypto { tag, key: MasterKey::new(profile, &bytes)?.with_mki(mki) })
}

/// `1:4`: the identifier as a number, and the bytes that it has in packets.
fn mki(part: &str) -> Option<Mki> {
    let (value, length) = part.split_once(':')?;
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !is_number(value) || !is_number(length) {
        return None;
    }
    Mki::new(value.parse().ok()?, length.parse().ok()?)
}

/// A session parameter that changes nothing for us (RFC 4568 §6.3).
fn is_harmless(parameter: &str) -> bool {
    parameter.starts_with('-') || parameter.starts_with("WSH=") || parameter == "KDR=0"
}

/// Appends a line.
pub(super) fn write(text: &mut String, crypto: &Crypto) {
    let key = STANDARD.encode(crypto.key.key_and_salt());
    let name = crypto.key.profile().name();
    let _ = write!(text, "a=crypto:{} {name} inline:{key}", crypto.tag);
    if let Some(mki) = crypto.key.mki() {
        let _ = write!(text, "|{}:{}", mki.value(), mki.as_bytes().len());
    }
    text.push_str("\r\n");
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const KEY: &str = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";

    fn is_taken(rest: &str) -> bool {
        line(&format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}{rest}")).is_some()
    }

    #[test]
    fn lifetime_and_window_change_nothing_and_several_keys_or_less_protection_are_not_taken() {
        for rest in ["", "|2^20", "|1048576", " WSH=128", "|2^31 KDR=0 -private"] {
            assert!(is_taken(rest), "{rest}");
        }
        let more = format!("|2^20|1:4;inline:{KEY}|2^20|2:4");
        for rest in [
            "|2^20|1:0",
            "|2^20|1:17",
            "|256:1",
            "|x:4",
            "|+1:4",
            "|1:4|2^20",
            "|2^20|2^20",
            &more,
            " UNENCRYPTED_SRTP",
            " UNAUTHENTICATED_SRTP",
            " KDR=4",
        ] {
            assert!(!is_taken(rest), "{rest}");
        }
    }

    #[test]
    fn a_keys_identifier_is_read_and_written() {
        for (rest, bytes) in [("|2^20|1:4", &[0, 0, 0, 1][..]), ("|66051:3", &[1, 2, 3])] {
            let text = format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}{rest}");
            let line = line(&text).unwrap();
            assert_eq!(line.key.mki().unwrap().as_bytes(), bytes);
            let mut written = String::new();
            write(&mut written, &line);
            assert_eq!(written, format!("a=crypto:{}\r\n", text.replace("|2^20", "")));
        }
    }

    #[test]
    fn lines_with_faults_are_left_out() {
        for text in [
            "",
            "x AES_CM_128_HMAC_SHA1_80 inline:AAAA",
            "1 F8_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj",
            "1 AES_CM_128_HMAC_SHA1_80 inline:d0Rm",
            "1 AES_CM_128_HMAC_SHA1_80 inline:?",
            "1 AES_CM_128_HMAC_SHA1_80 uri:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj",
        ] {
            assert_eq!(line(text), None, "{text}");
        }
    }

    #[test]
    fn each_profile_has_a_key_of_its_own_and_keeps_it() {
        let keys = LocalKeys::draw(&mut Rng::from_seed(1));
        let all: Vec<_> = Profile::ALL.into_iter().map(|p| keys.key(p).unwrap()).collect();
        for (n, one) in all.iter().enumerate() {
            let first = |key: &MasterKey| key.key_and_salt()[..16].to_vec();
            assert_eq!(Some(*one), keys.key(one.profile()));
            assert!(all.iter().skip(n + 1).all(|other| first(other) != first(one)));
        }
        let mut text = String::new();
        write(&mut text, &keys.offered()[0]);
        let value = text.strip_prefix("a=crypto:").unwrap().trim_end();
        assert_eq!(line(value), Some(keys.offered()[0]));
    }
}
