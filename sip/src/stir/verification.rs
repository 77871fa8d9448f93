//! The check of a call's signature: all that needs no certificate at once, the rest when the driver
//! has brought it (RFC 8224 §6.2).

use base::{Duration, UnixTime};

use super::certificates::{self, Roots};
use super::identity_header::{IdentityHeader, is_fit_url};
use super::passport::Token;
use super::{Failure, Verdict, canonical};
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
    url: String,
    token: String,
}

/// Begins the check of an INVITE that shows `orig` as its caller and goes to `dest` (numbers in
/// E.164, or URIs).
#[must_use]
pub fn verify(invite: &Message, now: UnixTime, orig: &str, dest: &str) -> Verification {
    let mut all = invite.headers(Name::IDENTITY).take(MOST).peekable();
    if all.peek().is_none() {
        return Verification::Done(Verdict::Absent);
    }
    // Tokens of other extensions (`div`, `rph`) may stand beside it; they say other things.
    let parsed: Vec<_> = all.map(IdentityHeader::parse).collect();
    let shaken = parsed.iter().flatten().find(|header| header.ppt == Some("shaken"));
    let Some(header) = shaken else {
        let known = parsed.iter().any(Option::is_some);
        let failure = if known { Failure::Unsupported } else { Failure::Syntax };
        return Verification::Done(Verdict::Failed(failure));
    };
    match check(header, now, orig, dest) {
        Ok(()) => Verification::Ask(Pending {
            url: header.info.to_owned(),
            token: header.token.to_owned(),
        }),
        Err(failure) => Verification::Done(Verdict::Failed(failure)),
    }
}

fn check(
    header: &IdentityHeader<'_>,
    now: UnixTime,
    orig: &str,
    dest: &str,
) -> Result<(), Failure> {
    let token = Token::parse(header.token).ok_or(Failure::Syntax)?;
    let protected = &token.protected;
    if protected.alg != "ES256" || header.alg.is_some_and(|alg| alg != "ES256") {
        return Err(Failure::Unsupported);
    }
    if protected.ppt.as_deref() != Some("shaken") {
        return Err(Failure::Unsupported);
    }
    let claims = &token.claims;
    let whole = claims.attestation.is_some() && claims.origid.is_some();
    if !protected.typ.eq_ignore_ascii_case("passport") || !whole {
        return Err(Failure::Syntax);
    }
    if protected.x5u != header.info || !is_fit_url(header.info) {
        return Err(Failure::Url);
    }
    let age = now.as_micros().saturating_sub(claims.iat.as_micros());
    if u128::from(age.unsigned_abs()) > FRESH.as_micros() {
        return Err(Failure::Stale);
    }
    if !same(&claims.orig, orig) {
        return Err(Failure::OtherCaller);
    }
    if !claims.dest.iter().any(|one| same(one, dest)) {
        return Err(Failure::OtherCalled);
    }
    Ok(())
}

/// Whether what was signed is what the call shows: as numbers if both are, else to the letter.
fn same(signed: &str, shown: &str) -> bool {
    match (canonical(signed), canonical(shown)) {
        (Some(signed), Some(shown)) => signed == shown,
        (None, None) => signed.eq_ignore_ascii_case(shown),
        _ => false,
    }
}

impl Pending {
    /// Where the certificates are: the signer's first, then those it was signed with.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Ends the check with what the driver has fetched (PEM or DER; `None`: it could not).
    #[must_use]
    pub fn finish(&self, now: UnixTime, certificates: Option<&[u8]>, roots: &Roots) -> Verdict {
        let Some(certificates) = certificates else { return Verdict::Failed(Failure::NotFetched) };
        let Some(token) = Token::parse(&self.token) else {
            return Verdict::Failed(Failure::Syntax);
        };
        let proof = (token.signed.as_bytes(), &token.signature);
        let checked = certificates::check(certificates, roots, now, &token.claims.orig, proof);
        match (checked, token.claims.attestation, token.claims.origid) {
            (Err(error), ..) => Verdict::Failed(error.into()),
            (Ok((true, authority)), Some(attestation), Some(origid)) => {
                Verdict::Passed { attestation, origid, provider: authority.provider }
            }
            (Ok(_), ..) => Verdict::Failed(Failure::Signature),
        }
    }
}
