//! The chain from the one who was called first to the one who is called now: each link is a token
//! of whoever sent the call on (RFC 8946 §3, §4.2).

use super::canonical;
use super::identity_header::IdentityHeader;
use super::passport::{Passport, Token};

/// An Identity header field taken apart.
pub(super) struct Parsed<'a> {
    pub(super) header: IdentityHeader<'a>,
    pub(super) token: Token<'a>,
}

impl<'a> Parsed<'a> {
    /// Of that extension (`ppt`), if it can be read.
    pub(super) fn of(value: &'a str, ppt: &str) -> Option<Self> {
        let header = IdentityHeader::parse(value)?;
        let token = Token::parse(header.token).filter(|_| header.ppt == Some(ppt))?;
        Some(Self { header, token })
    }
}

/// The links that lead from those whom `signed` was for to `dest`, the first one first; none are
/// needed if it was for `dest`. `None` if the chain is broken.
pub(super) fn chain<'d, 'a>(
    signed: &Passport,
    diversions: &'d [Parsed<'a>],
    dest: &str,
) -> Option<Vec<&'d Parsed<'a>>> {
    let mut left: Vec<&Parsed<'a>> = diversions.iter().collect();
    let (mut links, mut wanted) = (Vec::new(), dest);
    while !names(signed, wanted) {
        let leads_there = |link: &&Parsed<'_>| {
            let claims = &link.token.claims;
            claims.div.is_some() && names(claims, wanted) && same(&claims.orig, &signed.orig)
        };
        let link = left.remove(left.iter().position(leads_there)?);
        wanted = link.token.claims.div.as_deref()?;
        links.push(link);
    }
    links.reverse();
    Some(links)
}

fn names(signed: &Passport, dest: &str) -> bool {
    signed.dest.iter().any(|one| same(one, dest))
}

/// Whether what was signed is what the call shows: as numbers if both are, else to the letter.
pub(super) fn same(signed: &str, shown: &str) -> bool {
    match (canonical(signed), canonical(shown)) {
        (Some(signed), Some(shown)) => signed == shown,
        (None, None) => signed.eq_ignore_ascii_case(shown),
        _ => false,
    }
}
