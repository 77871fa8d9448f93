//! The server's half: challenges, and the check of what comes back (RFC 7616 §3.3 to §3.6).

use std::borrow::Cow;

use base::{Duration, Instant, Rng};
use subtle::ConstantTimeEq as _;

use super::hash::{Algorithm, Qop, Terms};
use super::nonce::{NonceState, Nonces};
use super::params::DigestParams;
use super::policy::{Integrity, Policy};
use crate::header::quoted;
use crate::{Message, Name, Uri};

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

    /// The values of WWW-Authenticate (in a 401) or Proxy-Authenticate (in a 407), one an
    /// algorithm (RFC 8760 §2.3).
    pub fn challenges(
        &mut self,
        now: Instant,
        realm: &str,
        policy: impl Into<Policy>,
    ) -> Vec<String> {
        self.build(now, realm, policy.into(), "")
    }

    /// The same with `stale=true`: the client tries again without asking its user.
    pub fn stale_challenges(
        &mut self,
        now: Instant,
        realm: &str,
        policy: impl Into<Policy>,
    ) -> Vec<String> {
        self.build(now, realm, policy.into(), ", stale=true")
    }

    fn build(&mut self, now: Instant, realm: &str, policy: Policy, stale: &str) -> Vec<String> {
        let nonce = self.nonces.issue(now, realm);
        let (realm, qop) = (quoted(realm), policy.integrity.qop());
        let challenge = |algorithm: &Algorithm| {
            let name = algorithm.as_str();
            format!(
                r#"Digest realm={realm}, nonce="{nonce}", algorithm={name}, qop="{qop}"{stale}"#
            )
        };
        policy.accepted.algorithms().iter().map(challenge).collect()
    }

    /// User and realm that a request claims, for looking the password up. Nothing is checked yet.
    #[must_use]
    pub fn claimed_user(request: &Message) -> Option<(String, String)> {
        credentials(request).find_map(|params| {
            Some((params.get("username")?.into_owned(), params.get("realm")?.into_owned()))
        })
    }

    /// The user that a request claims to be in that realm: of credentials for several realms (ours
    /// and a proxy's behind us) those for ours.
    #[must_use]
    pub fn claimed_in(request: &Message, realm: &str) -> Option<String> {
        let mut ours = credentials(request)
            .filter(|params| params.get("realm").is_some_and(|given| given == realm));
        ours.find_map(|params| params.get("username").map(std::borrow::Cow::into_owned))
    }

    /// Checks a request's credentials for the realm against the user's password, or what is
    /// [kept](super::keep) of it; `None` for a user
    /// that does not exist takes the same work and gets the same verdict as a wrong password. An
    /// algorithm or qop that the realm does not take is challenged again: nothing weaker than what
    /// was asked for gets in.
    pub fn verify(
        &mut self,
        now: Instant,
        request: &Message,
        realm: &str,
        policy: impl Into<Policy>,
        password: Option<&str>,
    ) -> Verdict {
        let policy = policy.into();
        let accepted = policy.accepted.algorithms();
        let ours = credentials(request)
            .filter(|params| params.get("realm").is_some_and(|given| given == realm))
            .filter_map(|params| {
                let algorithm = Algorithm::by_name(params.get("algorithm").as_deref())?;
                accepted.contains(&algorithm).then_some((params, algorithm))
            });
        let Some((params, algorithm)) = ours.max_by_key(|(_, algorithm)| algorithm.strength())
        else {
            return Verdict::Challenge;
        };
        let Some(proof) = Proof::read(&params, algorithm, policy.integrity) else {
            return Verdict::Challenge;
        };
        self.verify_proof(now, request, realm, password, &proof)
    }

    fn verify_proof(
        &mut self,
        now: Instant,
        request: &Message,
        realm: &str,
        password: Option<&str>,
        proof: &Proof<'_>,
    ) -> Verdict {
        let state = self.nonces.check(now, realm, &proof.nonce);
        if state == NonceState::Foreign {
            return Verdict::Challenge;
        }
        let body = proof.with_body.then(|| request.body());
        let terms = Terms {
            user: &proof.user,
            realm,
            method: request.method_ref().as_str(),
            uri: &proof.uri,
            nonce: &proof.nonce,
            qop: Some(Qop { nc: &proof.nc, cnonce: &proof.cnonce, body: body.as_deref() }),
        };
        let expected = terms.response(proof.algorithm, password.unwrap_or("no such user"));
        let right = bool::from(expected.as_bytes().ct_eq(proof.response.as_bytes()));
        if !(right && password.is_some() && same_uri(&proof.uri, request.uri_text())) {
            return Verdict::Wrong;
        }
        match state {
            NonceState::Good(issue) if self.nonces.spend(now, issue, proof.count) => {
                Verdict::Ok { user: proof.user.clone().into_owned() }
            }
            _ => Verdict::Stale,
        }
    }
}

/// Credentials as a request has them.
struct Proof<'a> {
    algorithm: Algorithm,
    user: Cow<'a, str>,
    uri: Cow<'a, str>,
    nonce: Cow<'a, str>,
    nc: Cow<'a, str>,
    count: u32,
    cnonce: Cow<'a, str>,
    response: String,
    with_body: bool,
}

impl<'a> Proof<'a> {
    /// `None` if a parameter is missing or not of the kind that was asked for.
    fn read(params: &DigestParams<'a>, algorithm: Algorithm, wish: Integrity) -> Option<Self> {
        let get = |name| params.get(name);
        // Without qop there is no nc, and without nc a replay cannot be told.
        let with_body = match get("qop")? {
            qop if qop.eq_ignore_ascii_case("auth") => false,
            qop if qop.eq_ignore_ascii_case("auth-int") => true,
            _ => return None,
        };
        let nc = get("nc").filter(|nc| nc.len() == 8)?;
        Some(Self {
            algorithm,
            user: get("username")?,
            uri: get("uri")?,
            nonce: get("nonce")?,
            count: u32::from_str_radix(&nc, 16).ok()?,
            nc,
            cnonce: get("cnonce")?,
            response: get("response")?.to_ascii_lowercase(),
            with_body,
        })
        .filter(|proof| wish.takes(proof.with_body))
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
