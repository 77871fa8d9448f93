//! What a call's signature is worth, and why (RFC 8224 §6.2.2, RFC 8588, ATIS-1000074 §5.3).

use super::{Attestation, CertificateError};
use crate::StatusCode;

/// Why a signature does not count.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Failure {
    /// The header field or its token does not parse, or lacks what SHAKEN asks for.
    #[error("the Identity header field cannot be read")]
    Syntax,
    /// Another algorithm or extension than ES256 and `shaken`.
    #[error("an algorithm or extension that is not known")]
    Unsupported,
    /// The URL is not one that is fetched, or not the one that was signed.
    #[error("the certificate's URL cannot be used")]
    Url,
    /// The driver could not fetch the certificate.
    #[error("the certificate could not be fetched")]
    NotFetched,
    /// Signed more than a minute ago, or ahead of time: an old signature is used again.
    #[error("signed at another time")]
    Stale,
    /// Signed for another caller than the call shows.
    #[error("signed for another caller")]
    OtherCaller,
    /// Signed for a call to somebody else.
    #[error("signed for another called number")]
    OtherCalled,
    /// The certificate is not good.
    #[error("{0}")]
    Certificate(#[from] CertificateError),
    /// The signature is not that of the certificate.
    #[error("the signature is wrong")]
    Signature,
}

impl Failure {
    /// The status for a call that must be signed (RFC 8224 §6.2.2).
    #[must_use]
    pub const fn status(self) -> StatusCode {
        match self {
            Self::Stale => StatusCode::FORBIDDEN,
            Self::Url | Self::NotFetched => StatusCode::BAD_IDENTITY_INFO,
            Self::Unsupported | Self::Certificate(_) => StatusCode::UNSUPPORTED_CREDENTIAL,
            Self::Syntax | Self::OtherCaller | Self::OtherCalled | Self::Signature => {
                StatusCode::INVALID_IDENTITY_HEADER
            }
        }
    }

    /// The phrase that goes with it: the RFC names one for a stale signature.
    #[must_use]
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Stale => "Stale Date",
            _ => self.status().reason(),
        }
    }
}

/// One who has sent a call on, and signed for it (RFC 8946).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Diverted {
    /// The number that was called: canonical digits, or a URI.
    pub by: String,
    /// The provider code of whoever signed for it, if the certificate has one.
    pub provider: Option<String>,
}

/// What the caller's number is worth.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Somebody trusted has signed for it.
    Passed {
        /// How much the signer knows.
        attestation: Attestation,
        /// Where the call came from, as the signer names it.
        origid: String,
        /// The signer's provider code, if its certificate has one.
        provider: Option<String>,
        /// Those who have sent the call on and signed for it, the first one called first.
        diverted: Vec<Diverted>,
    },
    /// Somebody has signed something else, or nobody trusted has.
    Failed(Failure),
    /// Nobody has signed.
    Absent,
}

impl Verdict {
    /// The value of `verstat` (3GPP TS 24.229, ATIS-1000074 §5.3.2).
    #[must_use]
    pub const fn verstat(&self) -> &'static str {
        match self {
            Self::Passed { .. } => "TN-Validation-Passed",
            Self::Failed(_) => "TN-Validation-Failed",
            Self::Absent => "No-TN-Validation",
        }
    }

    /// How much is known of the caller; none unless the signature is good.
    #[must_use]
    pub const fn attestation(&self) -> Option<Attestation> {
        match self {
            Self::Passed { attestation, .. } => Some(*attestation),
            Self::Failed(_) | Self::Absent => None,
        }
    }

    /// Status and phrase that refuse the call where calls must be signed; none if it is.
    #[must_use]
    pub const fn refusal(&self) -> Option<(StatusCode, &'static str)> {
        match self {
            Self::Passed { .. } => None,
            Self::Failed(failure) => Some((failure.status(), failure.reason())),
            Self::Absent => {
                let status = StatusCode::USE_IDENTITY_HEADER;
                Some((status, status.reason()))
            }
        }
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Passed { attestation, provider: Some(provider), .. } => {
                write!(f, "{}, attestation {attestation} by {provider}", self.verstat())
            }
            Self::Passed { attestation, .. } => {
                write!(f, "{}, attestation {attestation}", self.verstat())
            }
            Self::Failed(failure) => write!(f, "{}: {failure}", self.verstat()),
            Self::Absent => f.write_str(self.verstat()),
        }
    }
}
