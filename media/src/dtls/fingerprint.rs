//! `a=fingerprint` (RFC 8122 §5): the hash by which an end says in SDP which certificate it will
//! show.

use std::fmt;

use ring::digest;

/// The hash of a certificate. What we say ourselves is SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint {
    kind: Kind,
    /// As many as the kind has.
    bytes: [u8; digest::MAX_OUTPUT_LEN],
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    Sha256,
    Sha384,
    Sha512,
}

impl Kind {
    fn from_name(name: &str) -> Option<Self> {
        [Self::Sha256, Self::Sha384, Self::Sha512]
            .into_iter()
            .find(|kind| kind.name().eq_ignore_ascii_case(name))
    }

    fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha-256",
            Self::Sha384 => "sha-384",
            Self::Sha512 => "sha-512",
        }
    }

    fn algorithm(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        }
    }
}

impl Fingerprint {
    /// SHA-256 of a certificate.
    #[must_use]
    pub fn of(certificate: &[u8]) -> Self {
        Self::by(Kind::Sha256, certificate)
    }

    /// The value of an attribute. None of a hash that proves nothing any more (SHA-1), or that has
    /// not as many bytes as its kind.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let (name, hex) = value.trim().split_once(' ')?;
        let kind = Kind::from_name(name)?;
        let mut bytes = [0; digest::MAX_OUTPUT_LEN];
        let mut places = bytes.iter_mut();
        let mut count = 0;
        for pair in hex.trim().split(':') {
            let is_pair = pair.len() == 2 && pair.bytes().all(|digit| digit.is_ascii_hexdigit());
            let byte = u8::from_str_radix(pair, 16).ok().filter(|_| is_pair)?;
            *places.next()? = byte;
            count += 1;
        }
        (count == kind.algorithm().output_len()).then_some(Self { kind, bytes })
    }

    /// Whether it is this certificate's.
    #[must_use]
    pub fn is_of(&self, certificate: &[u8]) -> bool {
        *self == Self::by(self.kind, certificate)
    }

    fn by(kind: Kind, certificate: &[u8]) -> Self {
        let hash = digest::digest(kind.algorithm(), certificate);
        let mut bytes = [0; digest::MAX_OUTPUT_LEN];
        bytes.iter_mut().zip(hash.as_ref()).for_each(|(to, from)| *to = *from);
        Self { kind, bytes }
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.kind.name())?;
        let bytes = self.bytes.iter().take(self.kind.algorithm().output_len());
        for (n, byte) in bytes.enumerate() {
            write!(f, "{}{byte:02X}", if n == 0 { "" } else { ":" })?;
        }
        Ok(())
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_as_it_is_written_and_fits_its_certificate_alone() {
        let ours = Fingerprint::of(b"certificate");
        let text = ours.to_string();
        assert!(text.starts_with("sha-256 "));
        assert_eq!(Fingerprint::parse(&text), Some(ours));
        assert_eq!(Fingerprint::parse(&text.to_lowercase()), Some(ours));
        assert!(ours.is_of(b"certificate") && !ours.is_of(b"another"));
        for bad in ["", "sha-256", "sha-1 00", "sha-256 00:11", "sha-256 +1", "md5 00"] {
            assert_eq!(Fingerprint::parse(bad), None, "{bad}");
        }
        assert_eq!(Fingerprint::parse(&format!("{text}:00")), None);
        assert_eq!(Fingerprint::parse(&text.replace("sha-256", "sha-512")), None);
    }
}
