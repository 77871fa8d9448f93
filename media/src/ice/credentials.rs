//! The user name fragment and the password that we give a far end in SDP (RFC 8445 §5.3).

use std::fmt;

use base::Rng;

use crate::WorkerId;

/// Characters of a fragment's beginning: which worker the leg is at. Workers that share a port tell
/// by it whose a check is.
const WORKER: usize = 3;
/// Characters of a fragment (48 bits behind the worker), and of a password (at least 128 bits are
/// asked for: 144).
pub(crate) const FRAGMENT: usize = WORKER + 8;
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

    /// The same for a leg at that worker.
    #[must_use]
    pub fn at(mut self, worker: WorkerId) -> Self {
        let digits = [worker.0 >> 12, worker.0 >> 6, worker.0];
        for (to, digit) in self.fragment.iter_mut().zip(digits) {
            *to = character((digit & 63) as u8);
        }
        self
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
    bytes.map(|byte| character(byte & 63))
}

fn character(digit: u8) -> u8 {
    CHARACTERS.get(usize::from(digit)).copied().unwrap_or(b'A')
}

/// Which worker a fragment of ours is of; none of one that cannot be ours.
pub(crate) fn worker_of(fragment: &[u8]) -> Option<WorkerId> {
    let digits = fragment.first_chunk::<WORKER>()?;
    let number = digits.iter().try_fold(0_u32, |number, digit| {
        let value = CHARACTERS.iter().position(|one| one == digit)?;
        Some(number << 6 | u32::try_from(value).ok()?)
    })?;
    u16::try_from(number).ok().map(WorkerId)
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

    #[test]
    fn a_fragment_says_at_which_worker_its_leg_is() {
        let drawn = Credentials::draw(&mut Rng::from_seed(2));
        for number in [0, 1, 63, 64, 4_095, 4_096, u16::MAX] {
            let at = drawn.at(WorkerId(number));
            assert_eq!(worker_of(at.fragment().as_bytes()), Some(WorkerId(number)));
            assert_eq!(at.fragment()[WORKER..], drawn.fragment()[WORKER..]);
            assert_eq!(at.password(), drawn.password());
        }
        for none in [&b"AB"[..], b"", b"A-Bxxxxxxxx", b"///xxxxxxxx"] {
            assert_eq!(worker_of(none), None, "{none:?}");
        }
    }
}
