//! The check of a call's signature: all that needs no certificate at once, the rest when the driver
//! has brought it (RFC 8224 §6.2). A call that was sent on is for somebody else than its caller has
//! signed for: each who sent it on has to have signed for that (RFC 8946 §4.2).

use base::{Duration, UnixTime};

use super::certificates::{self, Roots};
use super::chain::{Parsed, chain, same};
use super::identity_header::{IdentityHeader, is_fit_url};
use super::passport::Token;
use super::{Diverted, Failure, Verdict};
use crate::{Message, Name};

/// How far the signer's clock and ours, and the way between, may be apart (RFC 8224 §4.1).
const FRESH: Duration = Duration::from_secs(60);
/// More Identity header fields than these are not looked at.
const MOST: usize = 8;

/// How far a check has come.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Verification {
    /// No certificate was needed.
    Done(Verdict),
    /// Fetch this URL (over https, from no forbidden network, bounded in size and time; what it
    /// gives may be kept as long as HTTP says) and call [`Pending::finish`].
    Ask(Pending),
}

/// A check that waits for a certificate.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Pending {
    first: Part,
    /// Those behind it, the next one last.
    rest: Vec<Part>,
    /// What was found so far.
    found: Option<Found>,
}

/// A token whose signer's certificate is needed.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Part {
    url: String,
    token: String,
}

/// What the first token says, and who has signed for a diversion.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Found {
    attestation: super::Attestation,
    origid: String,
    provider: Option<String>,
    diverted: Vec<Diverted>,
}

/// Begins the check of an INVITE that shows `orig` as its caller and goes to `dest` (numbers in
/// E.164, or URIs).
#[must_use]
pub fn verify(invite: &Message, now: UnixTime, orig: &str, dest: &str) -> Verification {
    let mut all = invite.headers(Name::IDENTITY).take(MOST).peekable();
    if all.peek().is_none() {
        return Verification::Done(Verdict::Absent);
    }
    // Tokens of other extensions (`rph`) may stand beside it; they say other things.
    let values: Vec<&str> = all.collect();
    let Some(signed) = values.iter().find_map(|value| Parsed::of(value, "shaken")) else {
        return Verification::Done(Verdict::Failed(why_none(&values)));
    };
    let diversions: Vec<_> = values.iter().filter_map(|value| Parsed::of(value, "div")).collect();
    match check_all(&signed, &diversions, now, (orig, dest)) {
        Ok(links) => {
            let part = |parsed: &Parsed<'_>| Part {
                url: parsed.header.info.to_owned(),
                token: parsed.header.token.to_owned(),
            };
            let rest = links.into_iter().rev().map(part).collect();
            Verification::Ask(Pending { first: part(&signed), rest, found: None })
        }
        Err(failure) => Verification::Done(Verdict::Failed(failure)),
    }
}

/// Why none of them can be read as SHAKEN's.
fn why_none(values: &[&str]) -> Failure {
    let parsed: Vec<_> = values.iter().filter_map(|value| IdentityHeader::parse(value)).collect();
    let is_shaken = parsed.iter().any(|header| header.ppt == Some("shaken"));
    if parsed.is_empty() || is_shaken { Failure::Syntax } else { Failure::Unsupported }
}

/// Checks the caller's token and those that lead from whom it was for to whom the call is for;
/// gives the latter.
fn check_all<'d, 'a>(
    signed: &Parsed<'_>,
    diversions: &'d [Parsed<'a>],
    now: UnixTime,
    (orig, dest): (&str, &str),
) -> Result<Vec<&'d Parsed<'a>>, Failure> {
    check(signed, "shaken", now)?;
    let claims = &signed.token.claims;
    if claims.attestation.is_none() || claims.origid.is_none() {
        return Err(Failure::Syntax);
    }
    if !same(&claims.orig, orig) {
        return Err(Failure::OtherCaller);
    }
    let links = chain(claims, diversions, dest).ok_or(Failure::OtherCalled)?;
    for link in &links {
        check(link, "div", now)?;
    }
    Ok(links)
}

/// What holds for each token.
fn check(parsed: &Parsed<'_>, ppt: &str, now: UnixTime) -> Result<(), Failure> {
    let Parsed { header, token } = parsed;
    let protected = &token.protected;
    let is_es256 = protected.alg == "ES256" && header.alg.is_none_or(|alg| alg == "ES256");
    if !is_es256 || protected.ppt.as_deref() != Some(ppt) {
        return Err(Failure::Unsupported);
    }
    if !protected.typ.eq_ignore_ascii_case("passport") {
        return Err(Failure::Syntax);
    }
    if protected.x5u != header.info || !is_fit_url(header.info) {
        return Err(Failure::Url);
    }
    if is_fresh(now, token.claims.iat) { Ok(()) } else { Err(Failure::Stale) }
}

/// Whether what was signed then is still believed.
pub(super) fn is_fresh(now: UnixTime, iat: UnixTime) -> bool {
    let age = now.as_micros().saturating_sub(iat.as_micros());
    u128::from(age.unsigned_abs()) <= FRESH.as_micros()
}

impl Pending {
    /// Where the certificates are: the signer's first, then those it was signed with.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.first.url
    }

    /// Goes on with what the driver has fetched (PEM or DER; `None`: it could not): to the end, or
    /// to the certificate of the next one who has sent the call on.
    #[must_use]
    pub fn finish(
        mut self,
        now: UnixTime,
        certificates: Option<&[u8]>,
        roots: &Roots,
    ) -> Verification {
        let found = match self.checked(now, certificates, roots) {
            Ok(found) => found,
            Err(failure) => return Verification::Done(Verdict::Failed(failure)),
        };
        match self.rest.pop() {
            Some(first) => Verification::Ask(Self { first, found: Some(found), rest: self.rest }),
            None => {
                let Found { attestation, origid, provider, diverted } = found;
                let verdict = Verdict::Passed { attestation, origid, provider, diverted };
                Verification::Done(verdict)
            }
        }
    }

    /// The caller's token is signed by one who may for the caller's number, each other one by one
    /// who may for the number that sends the call on.
    fn checked(
        &mut self,
        now: UnixTime,
        certificates: Option<&[u8]>,
        roots: &Roots,
    ) -> Result<Found, Failure> {
        let certificates = certificates.ok_or(Failure::NotFetched)?;
        let token = Token::parse(&self.first.token).ok_or(Failure::Syntax)?;
        let claims = token.claims;
        let owner = claims.div.as_ref().unwrap_or(&claims.orig);
        let proof = (token.signed.as_bytes(), &token.signature);
        let (is_good, authority) = certificates::check(certificates, roots, now, owner, proof)?;
        if !is_good {
            return Err(Failure::Signature);
        }
        match (self.found.take(), claims.div) {
            (None, None) => Ok(Found {
                attestation: claims.attestation.ok_or(Failure::Syntax)?,
                origid: claims.origid.ok_or(Failure::Syntax)?,
                provider: authority.provider,
                diverted: Vec::new(),
            }),
            (Some(mut found), Some(by)) => {
                found.diverted.push(Diverted { by, provider: authority.provider });
                Ok(found)
            }
            _ => Err(Failure::Syntax),
        }
    }
}
