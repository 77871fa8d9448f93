//! Who calls: by From, or by what a trusted trunk asserts (RFC 3325 §5), read as the trunk writes
//! numbers.

use std::ops::RangeInclusive;

use routing::{Direction, Directory, E164, Trunk};
use sip::header::Privacy;
use sip::identity::{CallerIdentity, IdentitySource};
use sip::{Message, Name};

use super::sent_on::SentOn;
use super::{Origin, Party};

/// Fields that go on at most, however often a peer repeats one: they live as long as the call.
const MOST_PASSED_ON: usize = 32;

/// The number of one who wants to be hidden.
pub(super) const ANONYMOUS: &str = "anonymous";

/// A display name is cut after so many characters.
const LONGEST_NAME: usize = 80;

/// What is known of a caller besides what everybody sees.
#[derive(Default)]
pub(super) struct WhoCalls {
    /// The number, even if it is to stay hidden; of somebody outside.
    pub(super) number: Option<E164>,
    /// Whether a trusted trunk vouches for it.
    pub(super) asserted: bool,
    /// What the caller wants hidden.
    pub(super) privacy: Privacy,
}

/// Characters that are not seen themselves: zero-width ones and those that turn the direction.
const UNSEEN: [RangeInclusive<char>; 4] = [
    '\u{200b}'..='\u{200f}',
    '\u{202a}'..='\u{202e}',
    '\u{2060}'..='\u{206f}',
    '\u{feff}'..='\u{feff}',
];

/// All that an INVITE tells of its caller.
pub(super) struct Caller {
    pub(super) party: Party,
    pub(super) who: WhoCalls,
    pub(super) sent_on: SentOn,
    /// Header fields that agents are to see, by the trunk's rules.
    pub(super) passed_on: Vec<(String, String)>,
}

/// Reads who calls; `known` where that is known better than From says.
pub(super) fn caller(
    directory: &Directory,
    origin: &Origin,
    invite: &Message,
    known: Option<Party>,
) -> Caller {
    let trunk = origin.trunk().and_then(|trunk| directory.trunk(trunk));
    let trusted = trunk.is_some_and(|trunk| trunk.trusts_identity);
    let identity = CallerIdentity::read(invite, trusted);
    let who = WhoCalls {
        number: trunk.and_then(|_| number_of(&identity, trunk)),
        asserted: identity.source == IdentitySource::Asserted,
        privacy: identity.privacy,
    };
    Caller {
        party: known.unwrap_or_else(|| caller_of(&identity, trunk)),
        who,
        sent_on: SentOn::before(identity.diversions, identity.history, &|user| {
            number(user_part(user), trunk)
        }),
        passed_on: trunk.map_or_else(Vec::new, |trunk| passed_on(invite, trunk)),
    }
}

impl WhoCalls {
    /// Whether those called must not learn who it is.
    pub(super) fn is_hidden(&self) -> bool {
        self.privacy.hides_caller()
    }
}

/// Who calls. Somebody who wants to be hidden (RFC 3323) is anonymous to us too.
fn caller_of(identity: &CallerIdentity, trunk: Option<&Trunk>) -> Party {
    let anonymous = || Party { number: ANONYMOUS.to_owned(), display: String::new() };
    if identity.is_hidden() {
        return anonymous();
    }
    let Some(address) = &identity.address else { return anonymous() };
    let user = identity.user().unwrap_or_else(|| address.uri.as_uri().host().to_owned());
    let display = display_name(identity.name().unwrap_or_default());
    Party { number: number(user_part(&user), trunk), display }
}

/// What follows `;` in a user part are `tel:` parameters.
fn user_part(user: &str) -> &str {
    user.split(';').next().unwrap_or_default()
}

fn number_of(identity: &CallerIdentity, trunk: Option<&Trunk>) -> Option<E164> {
    let text = number(user_part(&identity.user()?), trunk);
    text.starts_with('+').then(|| E164::normalise(&text).ok()).flatten()
}

/// A name as people may see it: one line, no characters that turn or hide what stands beside them
/// (Unicode's bidirectional and zero-width controls), and not too long.
pub(super) fn display_name(name: &str) -> String {
    let is_shown = |c: &char| !c.is_control() && !UNSEEN.iter().any(|range| range.contains(c));
    name.trim().chars().filter(is_shown).take(LONGEST_NAME).collect()
}

/// The header fields that a trunk's rules for its INVITEs set or let pass to agents.
fn passed_on(invite: &Message, trunk: &Trunk) -> Vec<(String, String)> {
    let arriving = |name: &str| invite.headers(Name::new(name)).map(str::to_owned).collect();
    let mut fields = routing::header_changes(trunk, Direction::Inbound, &arriving).set;
    fields.truncate(MOST_PASSED_ON);
    fields
}

/// As E.164 if it says itself that it is, or if the trunk says how it writes numbers; else as it
/// came.
fn number(user: &str, trunk: Option<&Trunk>) -> String {
    let says_how = |trunk: &&Trunk| {
        trunk.country.is_some()
            || trunk.numbers.iter().any(|rule| rule.which == routing::NumberPlace::Caller)
    };
    let is_global = user.starts_with('+') || user.starts_with("00");
    match trunk.filter(|trunk| is_global || says_how(trunk)) {
        Some(trunk) => routing::read_caller(trunk, user)
            .map_or_else(|_| user.to_owned(), |number| number.to_string()),
        None => user.to_owned(),
    }
}
