//! The web console: one page of plain HTML, CSS and ES modules, embedded in the binary. It shows
//! live calls, agents, queues and events, and explains any call; it talks to the API alone.
//!
//! The page is `/`, all it loads is under `/console/`. Nothing is built, nothing comes from
//! elsewhere: what stands in `assets/` is what a browser gets.

mod assets;
#[cfg(test)]
mod tests;

use std::fmt;

/// The policy that the page is written for, to be sent with every asset as
/// `Content-Security-Policy`: only our own files, no inline script or style, no markup from
/// strings (Trusted Types), no frame around us, and no form that could carry a key away.
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; \
     style-src 'self'; img-src 'self'; connect-src 'self'; media-src blob:; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
     trusted-types 'none'";

/// How an asset may be cached, as `Cache-Control` says it: kept, but asked for by its entity tag
/// each time, so that a page never mixes two versions of the engine.
pub const CACHE_CONTROL: &str = "no-cache";

/// One file of the console.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Asset {
    /// As `Content-Type` says it.
    pub content_type: &'static str,
    /// The file, byte for byte.
    pub bytes: &'static [u8],
    /// Names this content, as `ETag` and `If-None-Match` say it.
    pub etag: Etag,
}

/// A strong entity tag (RFC 9110 §8.8.3), in its quotes: 64 bits of the content's hash.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Etag(&'static str);

impl Etag {
    /// The tag as `ETag` says it, quotes included.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        self.0
    }

    /// Whether an `If-None-Match` value names this content, so that 304 is the answer
    /// (RFC 9110 §13.1.2: weak comparison, a list, or `*`).
    #[must_use]
    pub fn matches(self, if_none_match: &str) -> bool {
        if_none_match
            .split(',')
            .map(str::trim)
            .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == self.0)
    }
}

impl fmt::Display for Etag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// The asset that a request for `path` (of the request target, without its query) gets: the page
/// for `/`, `/console` and `/console/`, its files under `/console/`. Anything else is `None`.
#[must_use]
pub fn asset(path: &str) -> Option<Asset> {
    let name = match path {
        "/" | "/console" | "/console/" => "index.html",
        _ => path.strip_prefix("/console/")?,
    };
    assets::ALL.iter().find(|(known, _)| *known == name).map(|(_, asset)| *asset)
}
