//! Identifiers. Provisioned things are named by slugs an operator can read; calls and recordings by
//! 128-bit numbers that sort by time.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::{Rng, UnixTime};

/// Why a text is not an identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum IdError {
    /// Empty or longer than 63 bytes.
    Length(usize),
    /// A byte outside `a-z 0-9 - _ .`, or a first byte that is not a letter or digit.
    Character(char),
    /// Not 32 hexadecimal digits (dashes are allowed between them).
    NotHex,
}

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length(n) => write!(f, "an identifier has 1 to 63 characters, this one has {n}"),
            Self::Character(c) => write!(
                f,
                "an identifier holds a-z, 0-9, '-', '_' and '.', and starts with a letter or digit; \
                 {c:?} does not fit"
            ),
            Self::NotHex => write!(f, "expected 32 hexadecimal digits"),
        }
    }
}

impl std::error::Error for IdError {}

fn check_slug(text: &str) -> Result<(), IdError> {
    if text.is_empty() || text.len() > 63 {
        return Err(IdError::Length(text.len()));
    }
    for (at, c) in text.char_indices() {
        let fits = c.is_ascii_lowercase()
            || c.is_ascii_digit()
            || (at > 0 && matches!(c, '-' | '_' | '.'));
        if !fits {
            return Err(IdError::Character(c));
        }
    }
    Ok(())
}

macro_rules! slug {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// A slug: 1 to 63 of `a-z 0-9 - _ .`, starting with a letter or digit. Cloning counts a
        /// reference; comparing compares text.
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Checks the text and makes it an identifier.
            ///
            /// # Errors
            /// When the text is not a slug.
            pub fn new(text: &str) -> Result<Self, IdError> {
                check_slug(text)?;
                Ok(Self(Arc::from(text)))
            }

            /// The identifier as it was written.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = String::deserialize(from)?;
                Self::new(&text).map_err(serde::de::Error::custom)
            }
        }
    )*};
}

slug! {
    /// A tenant: the unit of order, isolation and capacity.
    TenantId;
    /// A carrier's trunk.
    TrunkId;
    /// A queue, unique in its tenant.
    QueueId;
    /// An agent, unique in its tenant; also the user part of the agent's address of record.
    AgentId;
    /// A call flow, unique in its tenant.
    FlowId;
    /// A prompt, unique in its tenant.
    PromptId;
    /// A skill, unique in its tenant.
    SkillId;
}

macro_rules! number128 {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        ///
        /// 128 bits: 48 of Unix milliseconds, then 80 random ones (the layout of RFC 9562 §5.7
        /// without its version digits), so that they sort by time. Shown as 32 hexadecimal digits.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(u128);

        impl $name {
            /// A new identifier for something that begins at `at`.
            pub fn generate(at: UnixTime, rng: &mut Rng) -> Self {
                let millis = u128::from(at.as_millis().cast_unsigned()) & 0xffff_ffff_ffff;
                let low = (u128::from(rng.next_u64()) << 16) | u128::from(rng.next_u64() & 0xffff);
                Self((millis << 80) | low)
            }

            /// From its number.
            #[must_use]
            pub fn from_u128(number: u128) -> Self {
                Self(number)
            }

            /// Its number.
            #[must_use]
            pub fn as_u128(self) -> u128 {
                self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:032x}", self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:032x}", self.0)
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                let mut number: u128 = 0;
                let mut digits = 0;
                for c in text.chars() {
                    if c == '-' {
                        continue;
                    }
                    let digit = c.to_digit(16).ok_or(IdError::NotHex)?;
                    digits += 1;
                    if digits > 32 {
                        return Err(IdError::NotHex);
                    }
                    number = (number << 4) | u128::from(digit);
                }
                if digits == 32 { Ok(Self(number)) } else { Err(IdError::NotHex) }
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = String::deserialize(from)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

number128! {
    /// A call.
    CallId;
    /// A recording of a call.
    RecordingId;
}

/// A leg of a call: a number that one switch never uses twice while it runs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LegId(pub u64);

impl fmt::Display for LegId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slug_with_a_space_or_a_capital_is_refused_with_the_character() {
        assert_eq!(TenantId::new("acme corp"), Err(IdError::Character(' ')));
        assert_eq!(TenantId::new("Acme"), Err(IdError::Character('A')));
        assert_eq!(TenantId::new("-acme"), Err(IdError::Character('-')));
        assert_eq!(TenantId::new(""), Err(IdError::Length(0)));
    }

    #[test]
    fn call_ids_sort_by_time_and_survive_their_text() {
        let mut rng = Rng::from_seed(1);
        let early = CallId::generate(UnixTime::from_micros(1_000_000), &mut rng);
        let late = CallId::generate(UnixTime::from_micros(2_000_000), &mut rng);
        assert!(early < late);
        assert_eq!(early.to_string().parse::<CallId>(), Ok(early));
        assert_eq!("12".parse::<CallId>(), Err(IdError::NotHex));
    }
}
