//! Privacy: what a caller asks to have hidden (RFC 3323 §4.2, RFC 3325 §9.3, RFC 7044 §10.1).

use std::fmt;

use crate::message::trim;
use crate::{Message, Name};

/// The levels asked for; none of them is no wish.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct Privacy(u8);

const NAMES: [(Privacy, &str); 7] = [
    (Privacy::HEADER, "header"),
    (Privacy::SESSION, "session"),
    (Privacy::USER, "user"),
    (Privacy::ID, "id"),
    (Privacy::HISTORY, "history"),
    (Privacy::NONE, "none"),
    (Privacy::CRITICAL, "critical"),
];

impl Privacy {
    /// No wish.
    pub const EMPTY: Self = Self(0);
    /// Hide what the headers tell of the caller's network.
    pub const HEADER: Self = Self(1);
    /// Hide the caller's media addresses.
    pub const SESSION: Self = Self(2);
    /// Hide who is calling from From and its kin.
    pub const USER: Self = Self(4);
    /// Do not show the asserted identity outside the trusted network.
    pub const ID: Self = Self(8);
    /// Hide the call's history.
    pub const HISTORY: Self = Self(16);
    /// Hide nothing, even if a rule says otherwise.
    pub const NONE: Self = Self(32);
    /// Better no call than one without this.
    pub const CRITICAL: Self = Self(64);

    /// Of a message. What is not known is passed over, as is `none` beside others.
    #[must_use]
    pub fn of(message: &Message) -> Self {
        message.headers(Name::PRIVACY).fold(Self::default(), |all, text| all | Self::parse(text))
    }

    /// Reads values joined by semicolons (or commas, which some send).
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let known = text.split([';', ',']).filter_map(|word| {
            let word = trim(word);
            NAMES.iter().find(|(_, name)| name.eq_ignore_ascii_case(word)).map(|(level, _)| *level)
        });
        let all = known.fold(Self::default(), |all, level| all | level);
        let hides = Self::HEADER | Self::SESSION | Self::USER | Self::ID | Self::HISTORY;
        if all.0 & hides.0 == 0 { all } else { Self(all.0 & !Self::NONE.0) }
    }

    /// Whether every level of `other` is asked for.
    #[must_use]
    pub const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0 && other.0 != 0
    }

    /// Whether the one called must not learn who calls.
    #[must_use]
    pub const fn hides_caller(self) -> bool {
        self.0 & (Self::ID.0 | Self::USER.0 | Self::HEADER.0) != 0
    }

    /// What of it is about those who sent the call on.
    #[must_use]
    pub const fn of_history(self) -> Self {
        Self(self.0 & Self::HISTORY.0)
    }

    /// Whether nothing is said.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl std::ops::BitOr for Privacy {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl fmt::Display for Privacy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        for (_, name) in NAMES.iter().filter(|(level, _)| self.has(*level)) {
            write!(f, "{between}{name}")?;
            between = ";";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_come_back_and_none_beside_others_means_nothing() {
        let both = Privacy::parse("ID; user ;critical;unheard-of");
        assert_eq!(both, Privacy::ID | Privacy::USER | Privacy::CRITICAL);
        assert_eq!(both.to_string(), "user;id;critical");
        assert!(both.hides_caller() && both.has(Privacy::ID) && !both.has(Privacy::HISTORY));
        assert_eq!(Privacy::parse("none;id"), Privacy::ID);
        assert_eq!(Privacy::parse("none").to_string(), "none");
        assert!(!Privacy::parse("none").hides_caller());
        assert!(Privacy::parse("").is_empty());
    }
}
