//! One key of a telephone: event 0 to 15 (RFC 4733 §3.2).

use std::fmt;

const KEYS: &[u8; 16] = b"0123456789*#ABCD";

/// A key. What was pressed may be a secret: `Debug` does not show it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digit(u8);

impl Digit {
    /// All sixteen, in the order of their event codes.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..16).map(Self)
    }

    /// The key of an event code; `None` for other events (flash, fax tones).
    #[must_use]
    pub const fn from_event(event: u8) -> Option<Self> {
        if event < 16 { Some(Self(event)) } else { None }
    }

    /// Its event code, 0 to 15.
    #[must_use]
    pub const fn event(self) -> u8 {
        self.0
    }

    /// The key of `0`-`9`, `*`, `#`, `A`-`D` (in any case).
    #[must_use]
    pub fn from_char(key: char) -> Option<Self> {
        let key = key.to_ascii_uppercase();
        let at = KEYS.iter().position(|known| char::from(*known) == key)?;
        u8::try_from(at).ok().map(Self)
    }

    /// Its character.
    #[must_use]
    pub fn as_char(self) -> char {
        KEYS.get(usize::from(self.0)).map_or('?', |key| char::from(*key))
    }
}

impl fmt::Debug for Digit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digit(*)")
    }
}

/// How a key was told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DigitSource {
    /// By an RFC 4733 event.
    Event,
    /// By its tones.
    Tone,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by it")]
    use super::*;

    #[test]
    fn keys_are_numbered_as_rfc_4733_does_and_not_shown() {
        let all: String = Digit::all().map(Digit::as_char).collect();
        assert_eq!(all, "0123456789*#ABCD");
        assert_eq!(Digit::from_char('#').unwrap().event(), 11);
        assert_eq!(Digit::from_char('d'), Digit::from_event(15));
        assert_eq!((Digit::from_char('E'), Digit::from_event(16)), (None, None));
        assert_eq!(format!("{:?}", Digit::from_char('7').unwrap()), "Digit(*)");
    }
}
