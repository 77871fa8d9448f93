//! The comma-separated parameters of challenges and credentials (RFC 7616 §3.3, §3.4).

use std::borrow::Cow;

use crate::message::{split_list, trim, unquote};

/// `Digest a=b, c="d"`, taken apart when asked.
#[derive(Clone, Copy)]
pub(super) struct DigestParams<'a>(&'a str);

impl<'a> DigestParams<'a> {
    /// The parameters, if the scheme is Digest.
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let text = trim(text);
        let (scheme, rest) = text.split_once([' ', '\t'])?;
        scheme.eq_ignore_ascii_case("Digest").then_some(Self(rest))
    }

    /// A parameter without quotes; one that is there twice counts as not there.
    pub(super) fn get(&self, name: &str) -> Option<Cow<'a, str>> {
        let mut found = split_list(self.0).filter_map(|one| {
            let (key, value) = one.split_once('=')?;
            trim(key).eq_ignore_ascii_case(name).then(|| unquote(trim(value)))
        });
        let value = found.next()?;
        found.next().is_none().then_some(value)
    }
}
