//! Digest authentication with MD5 and SHA-256 (RFC 3261 §22, RFC 7616, RFC 8760): the server's
//! half in [`Authenticator`], the client's in [`answer`].

mod authenticator;
mod client;
mod hash;
mod nonce;
mod params;

pub use authenticator::{Accepted, Authenticator, Verdict};
pub use client::{Answer, ChallengeError, answer, choose};
