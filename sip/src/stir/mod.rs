//! Signed caller numbers: STIR (RFC 8224, RFC 8225, RFC 8226), SHAKEN (RFC 8588), and calls that
//! are sent on (RFC 8946).
//!
//! [`Signer`] writes the Identity header field of a call that goes out. [`verify`] reads that of one
//! that came in; it asks its driver for the certificates behind a URL ([`Verification::Ask`]) and
//! ends in a [`Verdict`] that says why. Nothing here reads a clock or a socket. (`ring` takes the
//! randomness of a signature from the operating system, so signatures are the one thing in this
//! crate that differs between two runs with the same seed.)

mod authority;
mod certificates;
mod chain;
mod der;
mod identity_header;
mod number;
mod passport;
mod signer;
mod verdict;
mod verification;

pub use authority::NumberAuthority;
pub use certificates::{CertificateError, Roots};
pub use number::canonical;
pub use passport::{Attestation, Passport};
pub use signer::{SignError, Signer};
pub use verdict::{Diverted, Failure, Verdict};
pub use verification::{Pending, Verification, verify};
