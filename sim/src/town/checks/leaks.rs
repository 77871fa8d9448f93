//! Nothing of one tenant is in what another's people get, and nothing of any tenant's people in
//! what the outside gets.

use base::TenantId;
use sip::Flow;

use crate::town::{Role, Town};

/// Words that are a tenant's own.
const WORDS: [(&str, &[&str]); 2] = [
    ("acme", &["acme", "alice", "bobby", "tomas", "zoltan"]),
    ("globex", &["globex", "georgina", "hubert"]),
];

impl Town {
    /// Looks for what a message that the switch sends must not say.
    pub(in crate::town) fn check_leak(&mut self, flow: Flow, bytes: &[u8]) {
        let Some(place) = self.wire.desk_of(flow).and_then(|desk| self.places.get(desk.0)) else {
            return;
        };
        let reader = match &place.role {
            Role::Agent(tenant) => Some(tenant),
            Role::Caller | Role::Carrier => None,
        };
        if let Some(word) = leaked(reader, &String::from_utf8_lossy(bytes)) {
            let name = place.name.clone();
            self.complain(format!("{name} reads of {word}"));
        }
    }
}

/// A word that is not for that reader.
fn leaked(reader: Option<&TenantId>, text: &str) -> Option<&'static str> {
    let lower = text.to_ascii_lowercase();
    WORDS
        .iter()
        .filter(|(tenant, _)| reader.is_none_or(|own| own.as_str() != *tenant))
        .flat_map(|(_, words)| words.iter().copied())
        .find(|word| has_word(&lower, word))
}

fn has_word(text: &str, word: &str) -> bool {
    let is_end = |c: Option<char>| !c.is_some_and(|c| c.is_ascii_alphanumeric());
    text.match_indices(word).any(|(at, _)| {
        is_end(text[..at].chars().next_back()) && is_end(text[at + word.len()..].chars().next())
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_foreign_name_is_seen_and_ones_own_is_not() {
        let acme = TenantId::new("acme").unwrap();
        assert_eq!(leaked(Some(&acme), "From: <sip:alice@acme.example>"), None);
        assert_eq!(leaked(Some(&acme), "From: <sip:Hubert@x>"), Some("hubert"));
        assert_eq!(leaked(None, "From: <sip:alice@x>"), Some("alice"));
        assert_eq!(leaked(None, "tag=malice7"), None);
    }
}
