//! The user name fragment and the password that we give a far end in SDP (RFC 8445 §5.3).

use std::fmt;

use base::Rng;

/// Characters of a fragment (48 bits), and of a password (at least 128 are asked for: 144).
const FRAGMENT: usize = 8;
const PASSWORD: usize = 24;
/// `ice-char` (RFC 8839 §5.4): 64 of them.
const CHARACTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Ours on one leg until ICE is restarted. The password is secret.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Credentials {
    fragment: [u8; FRAGMENT],
    password: [u8; PASSWORD],
}

impl Credentials {
    /// Drawn anew.
    #[must_use]
    pub fn draw(rng: &mut Rng) -> Self {
        Self { fragment: characters(rng), password: characters(rng) }
    }

    /// `a=ice-ufrag`: it says whose a check is.
    #[must_use]
    pub fn fragment(&self) -> &str {
        text(&self.fragment)
    }

    /// `a=ice-pwd`.
    #[must_use]
    pub fn password(&self) -> &str {
        text(&self.password)
    }

    /// The fragment as a key.
    pub(crate) fn key(&self) -> [u8; FRAGMENT] {
        self.fragment
    }
}

/// Bytes that are all of [`CHARACTERS`].
fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

fn characters<const N: usize>(rng: &mut Rng) -> [u8; N] {
    let mut bytes = [0; N];
    rng.fill(&mut bytes);
    bytes.map(|byte| CHARACTERS.get(usize::from(byte & 63)).copied().unwrap_or(b'A'))
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({})", self.fragment())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_ice_characters_differ_and_keep_their_secret() {
        let mut rng = Rng::from_seed(1);
        let (one, other) = (Credentials::draw(&mut rng), Credentials::draw(&mut rng));
        let all = |text: &str| text.bytes().all(|byte| CHARACTERS.contains(&byte));
        assert!(one.fragment().len() == FRAGMENT && all(one.fragment()));
        assert!(one.password().len() == PASSWORD && all(one.password()));
        assert!(one.fragment() != other.fragment() && one.password() != other.password());
        assert!(!format!("{one:?}").contains(one.password()));
    }
}
