//! Option tags: what a peer supports, requires, and lacks (RFC 3261 §19.2, §20.32, §20.37, §20.40).

use std::fmt;

use crate::message::is_token;
use crate::{Message, Name};

/// A list of option tags, such as `100rel, timer`.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct OptionTags(Vec<String>);

/// More than these in one message are not looked at.
const MOST: usize = 64;

impl OptionTags {
    /// What Supported says.
    #[must_use]
    pub fn supported(message: &Message) -> Self {
        Self::of(message, Name::SUPPORTED)
    }

    /// What Require says.
    #[must_use]
    pub fn required(message: &Message) -> Self {
        Self::of(message, Name::REQUIRE)
    }

    /// Those of that header; what is no token is passed over.
    #[must_use]
    pub fn of(message: &Message, name: Name<'_>) -> Self {
        let tags = message.list(name).filter(|tag| is_token(tag.as_bytes()));
        Self(tags.take(MOST).map(str::to_owned).collect())
    }

    /// Whether the tag is there.
    #[must_use]
    pub fn has(&self, tag: &str) -> bool {
        self.0.iter().any(|one| one.eq_ignore_ascii_case(tag))
    }

    /// Those that are not among `known`: with any in Require answer 420, with these as Unsupported
    /// (§8.2.2.3).
    #[must_use]
    pub fn beyond(&self, known: &[&str]) -> Self {
        let unknown =
            self.0.iter().filter(|tag| !known.iter().any(|one| one.eq_ignore_ascii_case(tag)));
        Self(unknown.cloned().collect())
    }

    /// Whether the list is empty.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The tags in order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }
}

impl fmt::Display for OptionTags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join(", "))
    }
}
