//! The keys of one end: one, or several that its packets name (RFC 4568 §6.1).

use super::{MasterKey, Profile};

/// The most keys of one end that are taken.
pub const MAX_KEYS: usize = 8;

/// What one end may seal with: at least one key. Several are of one profile, and each packet names
/// its own by identifiers of one length.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MasterKeys {
    first: MasterKey,
    others: Box<[MasterKey]>,
}

impl MasterKeys {
    /// `None` of no key, of more than [`MAX_KEYS`], and of several that packets would not tell
    /// apart: one without an identifier, two with the same, lengths or profiles that differ.
    #[must_use]
    pub fn new(keys: &[MasterKey]) -> Option<Self> {
        let (first, others) = keys.split_first()?;
        let length = |key: &MasterKey| key.mki().map(|mki| mki.length());
        let fits = |at: usize, key: &MasterKey| {
            let is_alike = key.profile() == first.profile() && length(key) == length(first);
            is_alike && keys.iter().take(at).all(|before| before.mki() != key.mki())
        };
        let are_told_apart = keys.iter().enumerate().all(|(at, key)| fits(at, key));
        let is_taken = keys.len() <= MAX_KEYS && are_told_apart;
        is_taken.then(|| Self { first: *first, others: others.into() })
    }

    /// The one to seal with.
    #[must_use]
    pub fn first(&self) -> &MasterKey {
        &self.first
    }

    /// What all of them are for.
    #[must_use]
    pub fn profile(&self) -> Profile {
        self.first.profile()
    }

    /// All of them, in their order.
    pub fn iter(&self) -> impl Iterator<Item = &MasterKey> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

impl From<MasterKey> for MasterKeys {
    fn from(first: MasterKey) -> Self {
        Self { first, others: Box::default() }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::srtp::Mki;

    fn key(profile: Profile, mki: Option<Mki>) -> MasterKey {
        let bytes = [7; crate::srtp::MASTER_BYTES];
        let length = profile.key_bytes() + profile.salt_bytes();
        MasterKey::new(profile, &bytes[..length]).unwrap().with_mki(mki)
    }

    #[test]
    fn several_keys_are_those_that_packets_can_tell_apart() {
        let profile = Profile::AesCm128HmacSha1_80;
        let named = |value, length| key(profile, Mki::new(value, length));
        let unnamed = key(profile, None);
        let eight: Vec<MasterKey> = (1..=8).map(|value| named(value, 2)).collect();
        for taken in [&[unnamed][..], &[named(1, 1)], &[named(1, 4), named(2, 4)], &eight] {
            let keys = MasterKeys::new(taken).unwrap();
            assert!(keys.iter().eq(taken) && keys.first() == &taken[0]);
        }
        let nine = [&eight[..], &[named(9, 2)]].concat();
        let other = key(Profile::AesCm128HmacSha1_32, Mki::new(2, 4));
        for refused in [
            &[][..],
            &[unnamed, unnamed],
            &[named(1, 4), unnamed],
            &[unnamed, named(1, 4)],
            &[named(1, 4), named(1, 4)],
            &[named(1, 4), named(2, 3)],
            &[named(1, 4), other],
            &nine,
        ] {
            assert_eq!(MasterKeys::new(refused), None, "{refused:?}");
        }
    }
}
