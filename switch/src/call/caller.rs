//! Who calls: by From, or by what a trusted trunk asserts (RFC 3325 §5), read as the trunk writes
//! numbers.

use routing::{Direction, Directory, Trunk};
use sip::identity::CallerIdentity;
use sip::{Message, Name};

use super::{Origin, Party};

/// Fields that go on at most, however often a peer repeats one: they live as long as the call.
const MOST_PASSED_ON: usize = 32;

/// Who calls, unless that is `known` better, and what else of a trunk's INVITE agents are to see.
pub(super) fn caller(
    directory: &Directory,
    origin: &Origin,
    invite: &Message,
    known: Option<Party>,
) -> (Party, Vec<(String, String)>) {
    let trunk = origin.trunk().and_then(|trunk| directory.trunk(trunk));
    let from = known.unwrap_or_else(|| caller_of(invite, trunk));
    (from, trunk.map_or_else(Vec::new, |trunk| passed_on(invite, trunk)))
}

/// Who calls. Somebody who wants to be hidden (RFC 3323) is anonymous to us too.
fn caller_of(invite: &Message, trunk: Option<&Trunk>) -> Party {
    let trusted = trunk.is_some_and(|trunk| trunk.trusts_identity);
    let identity = CallerIdentity::read(invite, trusted);
    let anonymous = || Party { number: "anonymous".to_owned(), display: String::new() };
    if identity.is_hidden() {
        return anonymous();
    }
    let Some(address) = &identity.address else { return anonymous() };
    let user = identity.user().unwrap_or_else(|| address.uri.as_uri().host().to_owned());
    // What follows `;` in a user part are `tel:` parameters.
    let user = user.split(';').next().unwrap_or_default();
    Party { number: number(user, trunk), display: identity.name().unwrap_or_default().to_owned() }
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
