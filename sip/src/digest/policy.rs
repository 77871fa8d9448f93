//! What a realm takes: algorithms, and whether bodies are protected too.

use super::hash::Algorithm;

/// The algorithms that a realm takes, in the order in which they are challenged for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Accepted {
    /// Either, MD5 first: many phones in use give up when the first challenge, or any, names an
    /// algorithm they do not know.
    #[default]
    Md5AndSha256,
    /// MD5 alone.
    Md5,
    /// SHA-256 alone: nothing to downgrade to.
    Sha256,
    /// SHA-512-256 alone.
    Sha512_256,
    /// SHA-512-256, then SHA-256.
    Sha2,
    /// These, in this order.
    These(&'static [Algorithm]),
}

impl Accepted {
    pub(super) const fn algorithms(self) -> &'static [Algorithm] {
        match self {
            Self::Md5AndSha256 => &[Algorithm::Md5, Algorithm::Sha256],
            Self::Md5 => &[Algorithm::Md5],
            Self::Sha256 => &[Algorithm::Sha256],
            Self::Sha512_256 => &[Algorithm::Sha512_256],
            Self::Sha2 => &[Algorithm::Sha512_256, Algorithm::Sha256],
            Self::These(algorithms) => algorithms,
        }
    }
}

/// Whether the body is part of what is proven (`qop=auth-int`). Middleboxes that rewrite SDP
/// break it, so it is a wish of those who know that there are none.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Integrity {
    /// `qop="auth"`: never.
    #[default]
    Off,
    /// `qop="auth,auth-int"`: the client chooses.
    Offered,
    /// `qop="auth-int"`: always.
    Required,
}

impl Integrity {
    pub(super) const fn qop(self) -> &'static str {
        match self {
            Self::Off => "auth",
            Self::Offered => "auth,auth-int",
            Self::Required => "auth-int",
        }
    }

    /// Whether a request with the body in the proof, or without, may come in.
    pub(super) const fn takes(self, with_body: bool) -> bool {
        match self {
            Self::Off => !with_body,
            Self::Offered => true,
            Self::Required => with_body,
        }
    }
}

/// What a realm takes. Of the algorithms alone it is made by `into()`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Policy {
    /// Which algorithms.
    pub accepted: Accepted,
    /// Whether bodies too.
    pub integrity: Integrity,
}

impl From<Accepted> for Policy {
    fn from(accepted: Accepted) -> Self {
        Self { accepted, integrity: Integrity::Off }
    }
}
