//! Digest authentication (RFC 3261 §22, RFC 7616, RFC 8760): MD5, SHA-256 and SHA-512-256, each also
//! as `-sess`, `qop` `auth` and `auth-int`. The server's half is [`Authenticator`], the client's
//! [`Authorizer`] and, for one answer, [`authorize`] or [`answer`].

mod authenticator;
mod authorizer;
mod client;
mod hash;
mod kept;
mod nonce;
mod params;
mod policy;
mod token;

pub use authenticator::{Authenticator, Verdict};
pub use authorizer::{Authorizer, Credentials, authorize};
pub use client::{Answer, ChallengeError, answer, choose};
pub use hash::Algorithm;
pub use kept::{is_kept, keep};
pub use policy::{Accepted, Integrity, Policy};
pub use token::{Token, TokenKey, token_of};

pub(crate) use authorizer::Answered;
