//! The client's memory: one user's credentials, the challenges that were met, and how often each
//! nonce was used (RFC 3261 §22.2, §22.3, RFC 7616 §3.4, RFC 8760 §2.4).

use std::fmt;

use base::Rng;

use super::client::{Answer, Challenge, ChallengeError, strongest};
use super::hash::Algorithm;
use crate::{Message, Name, Request};

/// A user's name and password, and where they may be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    /// The user's name.
    pub user: String,
    /// The password.
    pub password: String,
    /// The only realm they are for; none: whoever gets our request and challenges is answered.
    pub realm: Option<String>,
    /// Nothing weaker is answered.
    pub weakest: Algorithm,
}

impl Credentials {
    /// For any realm, with any algorithm.
    #[must_use]
    pub fn new(user: &str, password: &str) -> Self {
        Self {
            user: user.to_owned(),
            password: password.to_owned(),
            realm: None,
            weakest: Algorithm::Md5,
        }
    }

    /// For that realm alone.
    #[must_use]
    pub fn for_realm(mut self, realm: &str) -> Self {
        self.realm = Some(realm.to_owned());
        self
    }

    /// With that algorithm or one as strong.
    #[must_use]
    pub const fn at_least(mut self, weakest: Algorithm) -> Self {
        self.weakest = weakest;
        self
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials(***, realm {:?})", self.realm)
    }
}

/// Who challenges: a server (401) or a proxy (407), and its realm.
type Challenger = (bool, String);

/// Whose challenges a request has answered already, and whether a stale nonce was excused.
#[derive(Clone, Debug, Default)]
pub(crate) struct Answered(Vec<(Challenger, bool)>);

/// More challengers than these on one way are not answered.
const MOST: usize = 4;

/// A challenge in use.
#[derive(Clone, Debug)]
struct Known {
    challenger: Challenger,
    challenge: String,
    cnonce: String,
    uses: u32,
}

/// Signs requests for one user.
#[derive(Clone, Debug)]
pub struct Authorizer {
    credentials: Credentials,
    known: Vec<Known>,
    rng: Rng,
}

/// Answers the challenges of a 401 or 407 in the request that got it, for sending it again with
/// the next CSeq ([`Request::next_cseq`], in a dialog [`crate::Dialog::again`]). All challengers
/// are answered, each by the strongest algorithm it offers; a request that carried an answer is
/// only answered again if its nonce was stale, and that once.
///
/// # Errors
/// When nothing could be answered; the request is unchanged.
pub fn authorize(
    request: &mut Request,
    response: &Message,
    credentials: &Credentials,
    rng: &mut Rng,
) -> Result<(), ChallengeError> {
    Authorizer::new(credentials.clone(), rng.fork()).challenged(request, response)
}

impl Authorizer {
    /// Knows no challenge yet.
    #[must_use]
    pub const fn new(credentials: Credentials, rng: Rng) -> Self {
        Self { credentials, known: Vec::new(), rng }
    }

    /// Signs a new request for whoever has challenged before, so that it need not be sent twice
    /// (RFC 3261 §22.3). For requests to the same peer only.
    pub fn sign(&mut self, request: &mut Request) {
        request.remove(Name::AUTHORIZATION);
        request.remove(Name::PROXY_AUTHORIZATION);
        let (method, uri) = (request.method().clone(), request.uri().clone());
        for known in &mut self.known {
            let Ok(challenge) = Challenge::read(&known.challenge) else { continue };
            known.uses = known.uses.saturating_add(1);
            let answer = Answer {
                method: &method,
                uri: uri.as_str(),
                user: &self.credentials.user,
                password: &self.credentials.password,
                cnonce: &known.cnonce,
                nc: known.uses,
            };
            let is_proxy = known.challenger.0;
            let name = if is_proxy { Name::PROXY_AUTHORIZATION } else { Name::AUTHORIZATION };
            if let Ok(value) = challenge.answer(&answer, Some(request.content())) {
                request.add_header(name, &value);
            }
        }
    }

    /// Takes a 401 or 407 and signs the request that got it anew. See [`authorize`].
    ///
    /// # Errors
    /// When nothing could be answered; the request is unchanged.
    pub fn challenged(
        &mut self,
        request: &mut Request,
        response: &Message,
    ) -> Result<(), ChallengeError> {
        let mut learnt = Vec::new();
        let mut problem = ChallengeError::Scheme;
        for (is_proxy, name) in [(false, Name::WWW_AUTHENTICATE), (true, Name::PROXY_AUTHENTICATE)]
        {
            for realm in realms(response, name) {
                let challenger = (is_proxy, realm);
                match self.pick(request.answered(), &challenger, response, name) {
                    Ok((challenge, stale)) => learnt.push((challenger, challenge, stale)),
                    Err(error) => problem = worse(problem, error),
                }
            }
        }
        if learnt.is_empty() {
            return Err(problem);
        }
        // One who refused our answer will do so again, whatever the others are told.
        if problem == ChallengeError::Refused {
            return Err(problem);
        }
        for (challenger, challenge, stale) in learnt {
            request.answered_mut().note(&challenger, stale);
            self.known.retain(|known| known.challenger != challenger);
            if self.known.len() >= MOST {
                self.known.remove(0);
            }
            let cnonce = self.rng.hex::<8>();
            self.known.push(Known { challenger, challenge, cnonce, uses: 0 });
        }
        self.sign(request);
        Ok(())
    }

    /// The challenge of one challenger to answer, and whether it says that ours was stale.
    fn pick(
        &self,
        answered: &Answered,
        challenger: &Challenger,
        response: &Message,
        name: Name<'static>,
    ) -> Result<(String, bool), ChallengeError> {
        let (_, realm) = challenger;
        if self.credentials.realm.as_ref().is_some_and(|ours| ours != realm) {
            return Err(ChallengeError::Foreign);
        }
        let mut problem = ChallengeError::Scheme;
        let theirs = response.headers(name).filter_map(|text| match Challenge::read(text) {
            Ok(challenge) if challenge.realm().as_ref() == Some(realm) => Some((text, challenge)),
            Ok(_) => None,
            Err(error) => {
                problem = worse(problem, error);
                None
            }
        });
        let usable: Vec<_> = theirs
            .filter(|(text, challenge)| challenge.answer(&PROBE, Some(text.as_bytes())).is_ok())
            .map(|(text, challenge)| ((text, challenge.is_stale()), challenge.algorithm))
            .collect();
        let ((text, stale), algorithm) =
            strongest(usable.into_iter()).ok_or(worse(problem, ChallengeError::Algorithm))?;
        if algorithm.strength() < self.credentials.weakest.strength() {
            return Err(ChallengeError::Weak);
        }
        if !answered.may_answer(challenger, stale) {
            return Err(ChallengeError::Refused);
        }
        Ok((text.to_owned(), stale))
    }
}

/// For asking whether a challenge can be answered at all.
const PROBE: Answer<'static> =
    Answer { method: &crate::Method::Options, uri: "", user: "", password: "", cnonce: "", nc: 1 };

/// The realms that a response names, each once.
fn realms(response: &Message, name: Name<'static>) -> Vec<String> {
    let mut realms = Vec::new();
    for text in response.headers(name) {
        let realm = Challenge::read(text).ok().and_then(|challenge| challenge.realm());
        if let Some(realm) = realm.filter(|realm| !realms.contains(realm))
            && realms.len() < MOST
        {
            realms.push(realm);
        }
    }
    realms
}

/// Which of two problems says more.
fn worse(one: ChallengeError, other: ChallengeError) -> ChallengeError {
    if one == ChallengeError::Refused || other == ChallengeError::Scheme { one } else { other }
}

impl Answered {
    fn may_answer(&self, challenger: &Challenger, stale: bool) -> bool {
        match self.0.iter().find(|(one, _)| one == challenger) {
            None => self.0.len() < 2 * MOST,
            Some((_, excused)) => stale && !excused,
        }
    }

    fn note(&mut self, challenger: &Challenger, stale: bool) {
        match self.0.iter_mut().find(|(one, _)| one == challenger) {
            Some((_, excused)) => *excused |= stale,
            None => self.0.push((challenger.clone(), false)),
        }
    }
}
