//! The client's half: an answer to a challenge (RFC 7616 §3.4, RFC 8760 §2.4).

use std::fmt::Write as _;

use super::hash::{Algorithm, Qop, Terms};
use super::params::DigestParams;
use crate::Method;
use crate::header::quoted;

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
    /// A fresh random text (`rng.hex::<8>()`), the same for every request with a nonce.
    pub cnonce: &'a str,
    /// How many requests this nonce has been used for, this one included: from 1 up.
    pub nc: u32,
}

/// Why a challenge cannot be answered: the peer's doing, or the password's.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ChallengeError {
    /// No challenge of the scheme Digest.
    #[error("not a Digest challenge")]
    Scheme,
    /// An algorithm that is not known.
    #[error("an algorithm that is not known")]
    Algorithm,
    /// An algorithm weaker than the least that may be answered with.
    #[error("an algorithm that is too weak")]
    Weak,
    /// No qop value that can be answered.
    #[error("neither qop=auth nor one that can be used here")]
    Qop,
    /// No realm or no nonce.
    #[error("no realm or no nonce")]
    Missing,
    /// Another realm than the credentials are for.
    #[error("a challenge of a foreign realm")]
    Foreign,
    /// The answer to this realm's challenge was not taken: the password is wrong.
    #[error("the credentials were refused")]
    Refused,
}

/// The strongest of several challenges that can be answered, of equals the first. (The RFC's
/// default is the first one, "unless a local policy dictates otherwise": ours is that no one on the
/// way gets an MD5 answer by moving or adding a challenge.)
#[must_use]
pub fn choose<'a>(challenges: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let usable = challenges.filter_map(|text| {
        let challenge = Challenge::read(text).ok()?;
        (challenge.qop.is_ok()).then_some((text, challenge.algorithm))
    });
    strongest(usable).map(|(text, _)| text)
}

/// Of equals the first; one that is no `-sess` before one that is.
pub(super) fn strongest<T>(all: impl Iterator<Item = (T, Algorithm)>) -> Option<(T, Algorithm)> {
    let rank = |algorithm: Algorithm| (algorithm.strength(), !algorithm.is_sess());
    all.reduce(|best, next| if rank(next.1) > rank(best.1) { next } else { best })
}

/// A challenge taken apart.
pub(super) struct Challenge<'a> {
    params: DigestParams<'a>,
    pub(super) algorithm: Algorithm,
    /// Whether with a count and, if so, with the body; an error if with neither.
    qop: Result<Protection, ChallengeError>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Protection {
    /// No qop at all: RFC 2069.
    Plain,
    Auth,
    /// `auth-int` alone is offered.
    Body,
}

impl<'a> Challenge<'a> {
    pub(super) fn read(text: &'a str) -> Result<Self, ChallengeError> {
        let params = DigestParams::parse(text).ok_or(ChallengeError::Scheme)?;
        let algorithm = Algorithm::by_name(params.get("algorithm").as_deref())
            .ok_or(ChallengeError::Algorithm)?;
        let qop = match params.get("qop") {
            None if algorithm.is_sess() => Err(ChallengeError::Qop),
            None => Ok(Protection::Plain),
            Some(list) => {
                let has = |word: &str| list.split(',').any(|q| q.trim().eq_ignore_ascii_case(word));
                match (has("auth"), has("auth-int")) {
                    (true, _) => Ok(Protection::Auth),
                    (false, true) => Ok(Protection::Body),
                    (false, false) => Err(ChallengeError::Qop),
                }
            }
        };
        Ok(Self { params, algorithm, qop })
    }

    pub(super) fn realm(&self) -> Option<String> {
        self.params.get("realm").map(std::borrow::Cow::into_owned)
    }

    /// Whether our last answer's nonce was all that was wrong with it.
    pub(super) fn is_stale(&self) -> bool {
        self.params.get("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true"))
    }

    /// The value of Authorization; without a body `auth-int` cannot be answered.
    pub(super) fn answer(
        &self,
        answer: &Answer<'_>,
        body: Option<&[u8]>,
    ) -> Result<String, ChallengeError> {
        let protection = match (self.qop?, body) {
            (Protection::Body, None) => return Err(ChallengeError::Qop),
            (protection, _) => protection,
        };
        let (algorithm, get) = (self.algorithm, |name| self.params.get(name));
        let realm = get("realm").ok_or(ChallengeError::Missing)?;
        let nonce = get("nonce").ok_or(ChallengeError::Missing)?;
        let nc = format!("{:08x}", answer.nc);
        let body = body.filter(|_| protection == Protection::Body);
        let qop = Qop { nc: &nc, cnonce: answer.cnonce, body };
        let terms = Terms {
            user: answer.user,
            realm: &realm,
            method: answer.method.as_str(),
            uri: answer.uri,
            nonce: &nonce,
            qop: (protection != Protection::Plain).then_some(qop),
        };
        let response = terms.response(algorithm, answer.password);
        let hides_user = get("userhash").is_some_and(|wish| wish.eq_ignore_ascii_case("true"));
        let user = if hides_user {
            algorithm.hash_parts(&[answer.user, &realm])
        } else {
            answer.user.to_owned()
        };
        let mut out = format!(
            "Digest username={}, realm={}, nonce={}, uri={}, response=\"{response}\", algorithm={}",
            quoted(&user),
            quoted(&realm),
            quoted(&nonce),
            quoted(answer.uri),
            algorithm.as_str(),
        );
        let qop = match protection {
            Protection::Plain => None,
            Protection::Auth => Some("auth"),
            Protection::Body => Some("auth-int"),
        };
        if let Some(qop) = qop {
            _ = write!(out, ", qop={qop}, nc={nc}, cnonce={}", quoted(answer.cnonce));
        }
        if let Some(opaque) = get("opaque") {
            _ = write!(out, ", opaque={}", quoted(&opaque));
        }
        if hides_user {
            out.push_str(", userhash=true");
        }
        Ok(out)
    }
}

/// The value of Authorization (or Proxy-Authorization) that answers a challenge.
///
/// # Errors
/// When the challenge is of a kind that cannot be answered; `auth-int` alone needs the body, see
/// [`super::authorize`].
pub fn answer(challenge: &str, answer: &Answer<'_>) -> Result<String, ChallengeError> {
    Challenge::read(challenge)?.answer(answer, None)
}
