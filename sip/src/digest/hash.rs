//! The hashes of RFC 7616 §3.4 and RFC 8760 §2.

use md5::{Digest as _, Md5};
use sha2::{Sha256, Sha512_256};

use super::kept::kept_for;

/// A digest algorithm.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Algorithm {
    /// `MD5`
    Md5,
    /// `MD5-sess`
    Md5Sess,
    /// `SHA-256`
    Sha256,
    /// `SHA-256-sess`
    Sha256Sess,
    /// `SHA-512-256`
    Sha512_256,
    /// `SHA-512-256-sess`
    Sha512_256Sess,
}

impl Algorithm {
    const ALL: [Self; 6] = [
        Self::Md5,
        Self::Md5Sess,
        Self::Sha256,
        Self::Sha256Sess,
        Self::Sha512_256,
        Self::Sha512_256Sess,
    ];

    /// The name in challenges and credentials.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Md5Sess => "MD5-sess",
            Self::Sha256 => "SHA-256",
            Self::Sha256Sess => "SHA-256-sess",
            Self::Sha512_256 => "SHA-512-256",
            Self::Sha512_256Sess => "SHA-512-256-sess",
        }
    }

    /// By its name; none given is MD5 (RFC 7616 §3.3).
    pub(super) fn by_name(name: Option<&str>) -> Option<Self> {
        let Some(name) = name else { return Some(Self::Md5) };
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str().eq_ignore_ascii_case(name))
    }

    /// Higher is stronger; a `-sess` is as strong as what it is made of.
    #[must_use]
    pub const fn strength(self) -> u8 {
        match self {
            Self::Md5 | Self::Md5Sess => 0,
            Self::Sha256 | Self::Sha256Sess => 1,
            Self::Sha512_256 | Self::Sha512_256Sess => 2,
        }
    }

    /// Whether nonce and cnonce go into the first hash too.
    pub(super) const fn is_sess(self) -> bool {
        matches!(self, Self::Md5Sess | Self::Sha256Sess | Self::Sha512_256Sess)
    }

    /// Lower-case hexadecimal hash of the bytes.
    pub(super) fn hash(self, bytes: &[u8]) -> String {
        match self {
            Self::Md5 | Self::Md5Sess => hex(&Md5::digest(bytes)),
            Self::Sha256 | Self::Sha256Sess => hex(&Sha256::digest(bytes)),
            Self::Sha512_256 | Self::Sha512_256Sess => hex(&Sha512_256::digest(bytes)),
        }
    }

    /// The same of the parts joined by colons.
    pub(super) fn hash_parts(self, parts: &[&str]) -> String {
        self.hash(parts.join(":").as_bytes())
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
    /// With qop; without it the peer is of RFC 2069.
    pub(super) qop: Option<Qop<'a>>,
}

/// What qop adds.
pub(super) struct Qop<'a> {
    pub(super) nc: &'a str,
    pub(super) cnonce: &'a str,
    /// The body with `auth-int`; none with `auth`.
    pub(super) body: Option<&'a [u8]>,
}

impl Terms<'_> {
    /// `password` is one, or what is [kept](super::keep) of one. Either takes the same work.
    pub(super) fn response(&self, algorithm: Algorithm, password: &str) -> String {
        let mut a1 = algorithm.hash_parts(&[self.user, self.realm, password]);
        if let Some(kept) = kept_for(password, algorithm) {
            kept.clone_into(&mut a1);
        }
        let Some(Qop { nc, cnonce, body }) = &self.qop else {
            let a2 = algorithm.hash_parts(&[self.method, self.uri]);
            return algorithm.hash_parts(&[&a1, self.nonce, &a2]);
        };
        if algorithm.is_sess() {
            a1 = algorithm.hash_parts(&[&a1, self.nonce, cnonce]);
        }
        let (qop, a2) = match body {
            Some(body) => {
                let body = algorithm.hash(body);
                ("auth-int", algorithm.hash_parts(&[self.method, self.uri, &body]))
            }
            None => ("auth", algorithm.hash_parts(&[self.method, self.uri])),
        };
        algorithm.hash_parts(&[&a1, self.nonce, nc, cnonce, qop, &a2])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rfc_7616(user: &'static str, body: Option<&'static [u8]>) -> Terms<'static> {
        Terms {
            user,
            realm: "http-auth@example.org",
            method: "GET",
            uri: "/dir/index.html",
            nonce: "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v",
            qop: Some(Qop {
                nc: "00000001",
                cnonce: "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
                body,
            }),
        }
    }

    /// RFC 7616 §3.9.1.
    #[test]
    fn the_vectors_of_rfc_7616_come_out() {
        let terms = rfc_7616("Mufasa", None);
        assert_eq!(
            terms.response(Algorithm::Md5, "Circle of Life"),
            "8ca523f5e9506fed4657c9700eebdbec"
        );
        assert_eq!(
            terms.response(Algorithm::Sha256, "Circle of Life"),
            "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"
        );
    }

    #[test]
    fn what_is_kept_of_a_password_answers_as_it_does() {
        for user in ["Mufasa", "Scar"] {
            let terms = rfc_7616(user, Some(b"v=0"));
            let kept = super::super::keep(user, terms.realm, "Circle of Life");
            for algorithm in Algorithm::ALL {
                let expected = terms.response(algorithm, "Circle of Life");
                assert_eq!(terms.response(algorithm, &kept), expected, "{algorithm:?}");
            }
        }
    }

    /// Computed with Python's hashlib from the formulas of RFC 7616 §3.4.
    #[test]
    fn sess_and_auth_int_come_out_as_another_implementation_has_them() {
        let auth = rfc_7616("Mufasa", None);
        let int = rfc_7616("Mufasa", Some(b"v=0"));
        for (terms, algorithm, expected) in [
            (
                &auth,
                Algorithm::Sha512_256,
                "430d05014cecc49cab6fbe03176d41a1da86cbfe24a16580e22aaad928d960d0",
            ),
            (
                &int,
                Algorithm::Sha512_256,
                "631be824ac300042f70f9fd3050e439eb706f91ec48c3bacb8c102a628f68cd4",
            ),
            (&auth, Algorithm::Md5Sess, "e783283f46242139c486a698fec7211d"),
            (
                &auth,
                Algorithm::Sha256Sess,
                "2fd51b3a77ad75bad6afad6003e818d767133c46d9e2749e7f5232ae1ea3efd7",
            ),
            (
                &int,
                Algorithm::Sha256Sess,
                "f58ef7e67e5cd19cae4211da1f053c267649b0cd717561fc99ad03fccbe0152f",
            ),
            (
                &auth,
                Algorithm::Sha512_256Sess,
                "3f2a34f923c38b0fb26dce2fdfc2ce326c23cecf86fbb1444f3e51fbbc2cb92e",
            ),
            (
                &int,
                Algorithm::Sha512_256Sess,
                "b0298a54e3165e9a68059b5199519de0c413ba1009fe63cbadc6467c348ed236",
            ),
            (&int, Algorithm::Md5, "3835b139d1606d821f6f96713d044ded"),
        ] {
            assert_eq!(terms.response(algorithm, "Circle of Life"), expected, "{algorithm:?}");
        }
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
            qop: Some(Qop { nc: "00000001", cnonce: "0a4f113b", body: None }),
        };
        assert_eq!(
            terms.response(Algorithm::Md5, "Circle Of Life"),
            "6629fae49393a05397450978507c4ef1"
        );
    }
}
