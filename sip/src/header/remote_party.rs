//! Remote-Party-ID (draft-ietf-sip-privacy-04): what carriers assert callers with that know nothing
//! of RFC 3325.

use std::fmt;

use super::{NameAddr, Privacy};
use crate::{Address, Message, Name};

/// The calling party as such a carrier tells it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RemoteParty {
    /// Name and URI.
    pub address: NameAddr,
    /// Whether the sender has looked: `screen=yes`.
    pub screened: bool,
    /// What the caller wants hidden.
    pub privacy: Privacy,
}

impl RemoteParty {
    /// The field's name.
    pub const NAME: Name<'static> = Name::unlisted("Remote-Party-ID");

    /// That of a request's caller: the first that is of nobody else. One that does not parse is
    /// none.
    #[must_use]
    pub fn calling(request: &Message) -> Option<Self> {
        request.list(Self::NAME).filter_map(|text| Address::parse(text).ok()).find_map(|party| {
            let of = party.params().value("party").unwrap_or("calling");
            of.eq_ignore_ascii_case("calling").then(|| Self::read(&party))
        })
    }

    /// One of our own, for a caller we answer for.
    #[must_use]
    pub fn of_caller(address: NameAddr, privacy: Privacy) -> Self {
        Self { address, screened: true, privacy }
    }

    fn read(party: &Address<'_>) -> Self {
        let says = |name: &str, word: &str| {
            party.params().value(name).is_some_and(|value| value.eq_ignore_ascii_case(word))
        };
        let hides = ["full", "name", "uri"].iter().any(|word| says("privacy", word));
        let privacy = if hides { Privacy::ID } else { Privacy::EMPTY };
        Self { address: NameAddr::from(party), screened: says("screen", "yes"), privacy }
    }
}

impl fmt::Display for RemoteParty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, screened, privacy } = self;
        let screen = if *screened { "yes" } else { "no" };
        let hides = if privacy.hides_caller() { "full" } else { "off" };
        write!(f, "{address};party=calling;screen={screen};privacy={hides}")
    }
}
