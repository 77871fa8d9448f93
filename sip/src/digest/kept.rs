//! A password as it is kept: not itself, but what each algorithm makes of it with the user's name
//! and the realm (the first hash of RFC 7616 §3.4.2). Whoever reads that can answer challenges of
//! the realm, but learns no password that may be in use elsewhere.

use super::hash::Algorithm;

/// Before the three hashes.
const SCHEME: &str = "ha1:";
/// Hexadecimal digits of MD5, SHA-256 and SHA-512-256.
const LENGTHS: [usize; 3] = [32, 64, 64];

/// What is to be kept of a user's password in a realm: `ha1:` and the hashes of MD5, SHA-256 and
/// SHA-512-256 with colons between. What is of that form already comes back as it is.
#[must_use]
pub fn keep(user: &str, realm: &str, password: &str) -> String {
    if is_kept(password) {
        return password.to_owned();
    }
    let hash = |algorithm: Algorithm| algorithm.hash_parts(&[user, realm, password]);
    let [md5, sha256, sha512] =
        [Algorithm::Md5, Algorithm::Sha256, Algorithm::Sha512_256].map(hash);
    format!("{SCHEME}{md5}:{sha256}:{sha512}")
}

/// Whether a text is what is kept of a password, and not one.
#[must_use]
pub fn is_kept(text: &str) -> bool {
    hashes(text).is_some()
}

/// The hash of a kept password for an algorithm; none of a password itself.
pub(super) fn kept_for(text: &str, algorithm: Algorithm) -> Option<&str> {
    hashes(text)?.get(usize::from(algorithm.strength())).copied()
}

fn hashes(text: &str) -> Option<[&str; 3]> {
    let mut parts = text.strip_prefix(SCHEME)?.split(':');
    let hashes = [parts.next()?, parts.next()?, parts.next()?];
    let is_hex = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let fits =
        hashes.iter().zip(LENGTHS).all(|(hash, length)| hash.len() == length && is_hex(hash));
    (fits && parts.next().is_none()).then_some(hashes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Computed with Python's hashlib.
    #[test]
    fn the_hashes_are_those_of_rfc_7616() {
        let kept = keep("Mufasa", "http-auth@example.org", "Circle of Life");
        assert_eq!(kept_for(&kept, Algorithm::Md5), Some("3d78807defe7de2157e2b0b6573a855f"));
        assert_eq!(
            kept_for(&kept, Algorithm::Sha256Sess),
            Some("7987c64c30e25f1b74be53f966b49b90f2808aa92faf9a00262392d7b4794232")
        );
        assert_eq!(
            kept_for(&kept, Algorithm::Sha512_256),
            Some("fb174f5c3c7802721517cae13b98e2b8dae2e0118cb705d94ee29946319204ce")
        );
        assert_eq!(keep("Mufasa", "http-auth@example.org", &kept), kept);
        assert!(!kept.contains("Circle"));
    }

    #[test]
    fn what_only_looks_like_it_is_a_password() {
        let kept = keep("a", "b", "c");
        assert!(is_kept(&kept));
        for text in ["", "ha1:", "ha1:abc", "sha256:00", &kept[4..], &kept.to_uppercase()] {
            assert!(!is_kept(text), "{text}");
        }
        assert!(!is_kept(&format!("{kept}:")) && !is_kept(&kept[..kept.len() - 1]));
    }
}
