//! The client's half: an answer to a challenge (RFC 7616 §3.4, RFC 8760 §2.4).

use std::fmt::Write as _;

use super::hash::{Algorithm, Terms};
use super::params::{DigestParams, quoted};
use crate::Method;

/// What an answer is made of.
#[derive(Clone, Copy, Debug)]
pub struct Answer<'a> {
    /// The request's method.
    pub method: &'a Method,
    /// The Request-URI as it will be sent.
    pub uri: &'a str,
    /// User name.
    pub user: &'a str,
    /// Password.
    pub password: &'a str,
    /// A fresh random text (`rng.hex::<8>()`).
    pub cnonce: &'a str,
    /// How many requests this nonce has been used for, this one included: from 1 up.
    pub nc: u32,
}

/// Why a challenge cannot be answered: the peer's doing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ChallengeError {
    /// Another scheme than Digest.
    #[error("not a Digest challenge")]
    Scheme,
    /// An algorithm other than MD5 and SHA-256.
    #[error("an algorithm that is neither MD5 nor SHA-256")]
    Algorithm,
    /// Only qop values other than `auth`.
    #[error("no qop=auth")]
    Qop,
    /// No realm or no nonce.
    #[error("no realm or no nonce")]
    Missing,
}

/// The first of several challenges that can be answered; they come in the server's order of
/// preference.
#[must_use]
pub fn choose<'a>(challenges: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let mut challenges = challenges;
    challenges.find(|challenge| check(challenge).is_ok())
}

fn check(challenge: &str) -> Result<(DigestParams<'_>, Algorithm, bool), ChallengeError> {
    let params = DigestParams::parse(challenge).ok_or(ChallengeError::Scheme)?;
    let algorithm =
        Algorithm::by_name(params.get("algorithm").as_deref()).ok_or(ChallengeError::Algorithm)?;
    let auth = match params.get("qop") {
        None => false,
        Some(qop) if qop.split(',').any(|q| q.trim().eq_ignore_ascii_case("auth")) => true,
        Some(_) => return Err(ChallengeError::Qop),
    };
    Ok((params, algorithm, auth))
}

/// The value of Authorization (or Proxy-Authorization) that answers a challenge.
///
/// # Errors
/// When the challenge is of a kind that cannot be answered.
pub fn answer(challenge: &str, answer: &Answer<'_>) -> Result<String, ChallengeError> {
    let (params, algorithm, auth) = check(challenge)?;
    let realm = params.get("realm").ok_or(ChallengeError::Missing)?;
    let nonce = params.get("nonce").ok_or(ChallengeError::Missing)?;
    let nc = format!("{:08x}", answer.nc);
    let terms = Terms {
        user: answer.user,
        realm: &realm,
        method: answer.method.as_str(),
        uri: answer.uri,
        nonce: &nonce,
        auth: auth.then_some((&*nc, answer.cnonce)),
    };
    let response = terms.response(algorithm, answer.password);
    let mut out = format!(
        "Digest username={}, realm={}, nonce={}, uri={}, response=\"{response}\", algorithm={}",
        quoted(answer.user),
        quoted(&realm),
        quoted(&nonce),
        quoted(answer.uri),
        algorithm.as_str(),
    );
    if auth {
        _ = write!(out, ", qop=auth, nc={nc}, cnonce={}", quoted(answer.cnonce));
    }
    if let Some(opaque) = params.get("opaque") {
        _ = write!(out, ", opaque={}", quoted(&opaque));
    }
    Ok(out)
}
