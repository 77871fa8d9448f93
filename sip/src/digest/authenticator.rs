//! The server's half: challenges, and the check of what comes back (RFC 7616 §3.3 to §3.6).

use base::{Duration, Instant, Rng};
use subtle::ConstantTimeEq as _;

use super::hash::{Algorithm, Terms};
use super::nonce::{NonceState, Nonces};
use super::params::{DigestParams, quoted};
use crate::{Message, Method, Name, Uri};

/// What the credentials of a request are worth.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// They are right.
    Ok {
        /// The user they are for.
        user: String,
    },
    /// There are none for the realm, or not of a kind we challenged for: challenge.
    Challenge,
    /// The password is right but the nonce is too old or was used: challenge with `stale=true`
    /// ([`Authenticator::stale_challenges`]).
    Stale,
    /// They are wrong; the user may exist or not, nothing tells.
    Wrong,
}

/// The algorithms that a realm takes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Accepted {
    /// Either, challenged in this order: many phones in use give up when the first challenge, or
    /// any, names an algorithm they do not know.
    #[default]
    Md5AndSha256,
    /// MD5 alone.
    Md5,
    /// SHA-256 alone: nothing to downgrade to.
    Sha256,
}

impl Accepted {
    const fn algorithms(self) -> &'static [Algorithm] {
        match self {
            Self::Md5AndSha256 => &[Algorithm::Md5, Algorithm::Sha256],
            Self::Md5 => &[Algorithm::Md5],
            Self::Sha256 => &[Algorithm::Sha256],
        }
    }
}

/// Makes challenges and checks credentials.
#[derive(Debug)]
pub struct Authenticator {
    nonces: Nonces,
}

/// How long a nonce may be used.
const LIFETIME: Duration = Duration::from_secs(300);
/// How many nonces in use are remembered.
const NONCES: usize = 100_000;

impl Authenticator {
    /// With nonces that live for five minutes. `rng` must be secret.
    #[must_use]
    pub fn new(rng: Rng) -> Self {
        Self::with_limits(rng, LIFETIME, NONCES)
    }

    /// With nonces of that lifetime, remembering that many. The oldest give way and become stale.
    #[must_use]
    pub fn with_limits(rng: Rng, lifetime: Duration, nonces: usize) -> Self {
        Self { nonces: Nonces::new(rng, lifetime, nonces.max(1)) }
    }

    /// The values of WWW-Authenticate (or Proxy-Authenticate), one an algorithm (RFC 8760 §2.3).
    pub fn challenges(&mut self, now: Instant, realm: &str, accepted: Accepted) -> Vec<String> {
        self.build(now, realm, accepted, false)
    }

    /// The same with `stale=true`: the client tries again without asking its user.
    pub fn stale_challenges(
        &mut self,
        now: Instant,
        realm: &str,
        accepted: Accepted,
    ) -> Vec<String> {
        self.build(now, realm, accepted, true)
    }

    fn build(&mut self, now: Instant, realm: &str, accepted: Accepted, stale: bool) -> Vec<String> {
        let nonce = self.nonces.issue(now, realm);
        let realm = quoted(realm);
        let stale = if stale { ", stale=true" } else { "" };
        let algorithms = accepted.algorithms().iter();
        algorithms
            .map(|algorithm| {
                let name = algorithm.as_str();
                format!(
                    r#"Digest realm={realm}, nonce="{nonce}", algorithm={name}, qop="auth"{stale}"#
                )
            })
            .collect()
    }

    /// User and realm that a request claims, for looking the password up. Nothing is checked yet.
    #[must_use]
    pub fn claimed_user(request: &Message) -> Option<(String, String)> {
        credentials(request).find_map(|params| {
            Some((params.get("username")?.into_owned(), params.get("realm")?.into_owned()))
        })
    }

    /// Checks a request's credentials for the realm against the user's password; `None` for a user
    /// that does not exist takes the same time and gets the same verdict as a wrong password. An
    /// algorithm that the realm does not take is challenged again.
    pub fn verify(
        &mut self,
        now: Instant,
        request: &Message,
        realm: &str,
        accepted: Accepted,
        password: Option<&str>,
    ) -> Verdict {
        let Some(params) = credentials(request)
            .find(|params| params.get("realm").is_some_and(|given| given == realm))
            .filter(|params| {
                let name = params.get("algorithm");
                Algorithm::by_name(name.as_deref())
                    .is_some_and(|algorithm| accepted.algorithms().contains(&algorithm))
            })
        else {
            return Verdict::Challenge;
        };
        self.verify_params(now, request, realm, password, params).unwrap_or(Verdict::Challenge)
    }

    /// `None` if a parameter is missing.
    fn verify_params(
        &mut self,
        now: Instant,
        request: &Message,
        realm: &str,
        password: Option<&str>,
        params: DigestParams<'_>,
    ) -> Option<Verdict> {
        let get = |name| params.get(name);
        let algorithm = Algorithm::by_name(get("algorithm").as_deref())?;
        // Without qop there is no nc, and without nc a replay cannot be told.
        if !get("qop")?.eq_ignore_ascii_case("auth") {
            return None;
        }
        let (user, uri, nonce) = (get("username")?, get("uri")?, get("nonce")?);
        let (nc, cnonce, given) = (get("nc")?, get("cnonce")?, get("response")?);
        let count = u32::from_str_radix(&nc, 16).ok().filter(|_| nc.len() == 8)?;
        let state = self.nonces.check(now, realm, &nonce);
        if state == NonceState::Foreign {
            return Some(Verdict::Challenge);
        }
        let method: &Method = request.method_ref();
        let terms = Terms {
            user: &user,
            realm,
            method: method.as_str(),
            uri: &uri,
            nonce: &nonce,
            auth: Some((&nc, &cnonce)),
        };
        let expected = terms.response(algorithm, password.unwrap_or("no such user"));
        let given = given.to_ascii_lowercase();
        let right = bool::from(expected.as_bytes().ct_eq(given.as_bytes()));
        if !(right && password.is_some() && same_uri(&uri, request.uri_text())) {
            return Some(Verdict::Wrong);
        }
        Some(match state {
            NonceState::Good(issue) if self.nonces.spend(now, issue, count) => {
                Verdict::Ok { user: user.into_owned() }
            }
            _ => Verdict::Stale,
        })
    }
}

/// The Digest credentials of a request, of either header.
fn credentials(request: &Message) -> impl Iterator<Item = DigestParams<'_>> {
    request
        .headers(Name::AUTHORIZATION)
        .chain(request.headers(Name::PROXY_AUTHORIZATION))
        .filter_map(DigestParams::parse)
}

fn same_uri(a: &str, b: &str) -> bool {
    a == b || matches!((Uri::parse(a), Uri::parse(b)), (Ok(a), Ok(b)) if a.is_equivalent(&b))
}
