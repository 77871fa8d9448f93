//! What we vouch for when we sign a call (RFC 8588 §4, ATIS-1000074 §5.2.3).

use std::fmt;

use base::TenantId;

use crate::{Directory, E164};

/// How far the origin of a call is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Attestation {
    /// The caller is known, and the number is theirs.
    A,
    /// The caller is known; the number may not be theirs.
    B,
    /// Only where it came from is known.
    C,
}

impl Attestation {
    /// As in a PASSporT: `A`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::A => "A",
            Self::B => "B",
            Self::C => "C",
        }
    }
}

impl fmt::Display for Attestation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What may be attested of a call of this tenant that shows this number: `A` for a number of the
/// tenant's or a parent's, else `B`. A call that only passes through, from trunk to trunk, is `C`.
#[must_use]
pub fn attestation(directory: &Directory, tenant: &TenantId, caller: &E164) -> Attestation {
    if directory.owns(tenant, caller) { Attestation::A } else { Attestation::B }
}
