//! The hashes of RFC 7616 §3.4.

use md5::{Digest as _, Md5};
use sha2::Sha256;

/// A digest algorithm we challenge with and answer to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Algorithm {
    Md5,
    Sha256,
}

impl Algorithm {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
        }
    }

    /// By its name; none given is MD5 (RFC 7616 §3.3).
    pub(super) fn by_name(name: Option<&str>) -> Option<Self> {
        match name {
            None => Some(Self::Md5),
            Some(name) if name.eq_ignore_ascii_case("MD5") => Some(Self::Md5),
            Some(name) if name.eq_ignore_ascii_case("SHA-256") => Some(Self::Sha256),
            Some(_) => None,
        }
    }

    /// Lower-case hexadecimal hash of the parts joined by colons.
    pub(super) fn hash(self, parts: &[&str]) -> String {
        let joined = parts.join(":");
        match self {
            Self::Md5 => hex(&Md5::digest(joined.as_bytes())),
            Self::Sha256 => hex(&Sha256::digest(joined.as_bytes())),
        }
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    bytes
        .iter()
        .flat_map(|byte| [byte >> 4, byte & 15])
        .map(|nibble| char::from(DIGITS[usize::from(nibble)]))
        .collect()
}

/// What `response` is made of besides the password.
pub(super) struct Terms<'a> {
    pub(super) user: &'a str,
    pub(super) realm: &'a str,
    pub(super) method: &'a str,
    pub(super) uri: &'a str,
    pub(super) nonce: &'a str,
    /// nc and cnonce, with qop=auth.
    pub(super) auth: Option<(&'a str, &'a str)>,
}

impl Terms<'_> {
    pub(super) fn response(&self, algorithm: Algorithm, password: &str) -> String {
        let a1 = algorithm.hash(&[self.user, self.realm, password]);
        let a2 = algorithm.hash(&[self.method, self.uri]);
        match self.auth {
            Some((nc, cnonce)) => algorithm.hash(&[&a1, self.nonce, nc, cnonce, "auth", &a2]),
            None => algorithm.hash(&[&a1, self.nonce, &a2]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7616 §3.9.1.
    #[test]
    fn the_vectors_of_rfc_7616_come_out() {
        let terms = Terms {
            user: "Mufasa",
            realm: "http-auth@example.org",
            method: "GET",
            uri: "/dir/index.html",
            nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            auth: Some(("00000001", "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ")),
        };
        assert_eq!(
            terms.response(Algorithm::Md5, "Circle of Life"),
            "8ca523f5e9506fed4657c9700eebdbec"
        );
        assert_eq!(
            terms.response(Algorithm::Sha256, "Circle of Life"),
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
        );
    }

    /// RFC 2617 §3.5, with qop=auth.
    #[test]
    fn the_vector_of_rfc_2617_comes_out() {
        let terms = Terms {
            user: "Mufasa",
            realm: "testrealm@host.com",
            method: "GET",
            uri: "/dir/index.html",
            nonce: "dcd98b7102dd2f0e8b11d0f600bfb0c093",
            auth: Some(("00000001", "0a4f113b")),
        };
        assert_eq!(
            terms.response(Algorithm::Md5, "Circle Of Life"),
            "6629fae49393a05397450978507c4ef1"
        );
    }
}
