//! `a=crypto`: keys of SRTP in SDP (RFC 4568), and what we insist on.

use std::fmt::Write;

use base::Rng;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::srtp::{Lifetime, MASTER_BYTES, MAX_KEYS, MasterKey, MasterKeys, Mki, Profile};

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
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Crypto {
    /// Its number: an answer has the one of the offer that it takes.
    pub tag: u32,
    /// The keys of what its writer sends.
    pub keys: MasterKeys,
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
        (1..).zip(keys).map(|(tag, key)| Crypto { tag, keys: key.into() }).collect()
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

/// `1 AES_CM_128_HMAC_SHA1_80 inline:<key and salt>|2^20|1:4;inline:... WSH=64`: of a line with one
/// key, lifetime and MKI may each be missing; several are told apart by their MKIs (§6.1). A line
/// with more keys than we take, or with a parameter that we do not know, is none that may be taken
/// (§6.3).
fn line(value: &str) -> Option<Crypto> {
    let mut words = value.split_ascii_whitespace();
    let tag: u32 = words.next()?.parse().ok()?;
    let profile = Profile::from_name(words.next()?)?;
    // One more than may be is enough to see that there are too many.
    let keys = words.next()?.split(';').take(MAX_KEYS + 1);
    let keys: Option<Vec<MasterKey>> = keys.map(|text| key(profile, text)).collect();
    let keys = MasterKeys::new(&keys?)?;
    words.all(is_harmless).then_some(Crypto { tag, keys })
}

/// `inline:<key and salt>|2^20|1:4`.
fn key(profile: Profile, text: &str) -> Option<MasterKey> {
    let (method, parts) = text.split_once(':')?;
    let mut parts = parts.split('|');
    let text = parts.next().filter(|text| text.len() <= MAX_KEY_TEXT)?;
    let bytes = STANDARD.decode(text).ok()?;
    let mut key = MasterKey::new(profile, &bytes)?;
    let mut part = parts.next();
    if let Some(text) = part.filter(|part| !part.contains(':')) {
        key = key.with_lifetime(Some(lifetime(text)?));
        part = parts.next();
    }
    if let Some(part) = part {
        key = key.with_mki(Some(mki(part)?));
    }
    let is_whole = parts.next().is_none() && method.eq_ignore_ascii_case("inline");
    is_whole.then_some(key)
}

/// `2^20` or `1048576`.
fn lifetime(part: &str) -> Option<Lifetime> {
    let packets = match part.strip_prefix("2^") {
        Some(exponent) => 1_u64.checked_shl(number(exponent)?)?,
        None => number(part)?,
    };
    Lifetime::new(packets)
}

/// `1:4`: the identifier as a number, and the bytes that it has in packets.
fn mki(part: &str) -> Option<Mki> {
    let (value, length) = part.split_once(':')?;
    Mki::new(number(value)?, number(length)?)
}

/// A number in digits alone.
fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

/// A session parameter that changes nothing for us (RFC 4568 §6.3).
fn is_harmless(parameter: &str) -> bool {
    parameter.starts_with('-') || parameter.starts_with("WSH=") || parameter == "KDR=0"
}

/// Appends a line.
pub(super) fn write(text: &mut String, crypto: &Crypto) {
    let _ = write!(text, "a=crypto:{} {}", crypto.tag, crypto.keys.profile().name());
    for (at, key) in crypto.keys.iter().enumerate() {
        let before = if at == 0 { ' ' } else { ';' };
        let _ = write!(text, "{before}inline:{}", STANDARD.encode(key.key_and_salt()));
        if let Some(lifetime) = key.lifetime() {
            write_lifetime(text, lifetime.packets());
        }
        if let Some(mki) = key.mki() {
            let _ = write!(text, "|{}:{}", mki.value(), mki.length());
        }
    }
    text.push_str("\r\n");
}

/// The shorter way of the two.
fn write_lifetime(text: &mut String, packets: u64) {
    let _ = if packets.is_power_of_two() {
        write!(text, "|2^{}", packets.trailing_zeros())
    } else {
        write!(text, "|{packets}")
    };
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
    fn lifetime_and_window_change_nothing_and_less_protection_is_not_taken() {
        for rest in ["", "|2^20", "|1048576", "|2^48", " WSH=128", "|2^31 KDR=0 -private", "|1:128"]
        {
            assert!(is_taken(rest), "{rest}");
        }
        for rest in [
            "|2^20|1:0",
            "|2^20|1:129",
            "|256:1",
            "|x:4",
            "|+1:4",
            "|:4",
            "|1:4|2^20",
            "|2^20|2^20",
            "|",
            "|0",
            "|2^",
            "|2^49",
            "|2^64",
            "|+2",
            "|281474976710657",
            " UNENCRYPTED_SRTP",
            " UNAUTHENTICATED_SRTP",
            " KDR=4",
        ] {
            assert!(!is_taken(rest), "{rest}");
        }
    }

    #[test]
    fn several_keys_are_taken_where_each_has_a_name_of_its_own() {
        let many = |count: usize| -> String {
            (2..=count).map(|n| format!(";inline:{KEY}|2^20|{n}:4")).collect()
        };
        assert!(is_taken(&format!("|1:4{}", many(2))) && is_taken(&format!("|1:4{}", many(8))));
        for rest in [
            format!("|1:4{}", many(9)),
            format!("|2:4{}", many(2)),
            format!("|1:3{}", many(2)),
            many(2),
            format!("|1:4;inline:{KEY}"),
            format!(";inline:{KEY}"),
            format!("|1:4;uri:{KEY}|2:4"),
            format!("|1:4;{KEY}|2:4"),
            "|1:4;".to_owned(),
            "|1:4;inline:d0Rm|2:4".to_owned(),
        ] {
            assert!(!is_taken(&rest), "{rest}");
        }
    }

    #[test]
    fn a_line_is_written_as_it_was_read() {
        const OTHER: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd";
        let highest = format!("|{}:128", u128::MAX);
        for rest in [
            "",
            "|2^20",
            "|1000000",
            "|1:32",
            "|2^48|66051:3",
            &highest,
            &format!("|2^20|1:4;inline:{OTHER}|3|2:4;inline:{KEY}|4294967295:4"),
        ] {
            let text = format!("1 AES_CM_128_HMAC_SHA1_80 inline:{KEY}{rest}");
            let mut written = String::new();
            write(&mut written, &line(&text).unwrap());
            assert_eq!(written, format!("a=crypto:{text}\r\n"));
        }
        let text =
            format!("9 AES_CM_128_HMAC_SHA1_80 inline:{KEY}|2^20|1:4;inline:{OTHER}|3|258:4");
        let keys = line(&text).unwrap().keys;
        let told = |key: &MasterKey| {
            let lifetime = key.lifetime().map(Lifetime::packets);
            (lifetime, key.mki().unwrap().bytes().collect::<Vec<u8>>())
        };
        let told: Vec<_> = keys.iter().map(told).collect();
        assert_eq!(told, [(Some(1 << 20), vec![0, 0, 0, 1]), (Some(3), vec![0, 0, 1, 2])]);
        let second = keys.iter().nth(1).unwrap().key_and_salt();
        assert_eq!(second, (0..30).collect::<Vec<u8>>());
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
        assert_eq!(line(value), keys.offered().into_iter().next());
    }
}
