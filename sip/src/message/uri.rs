//! URIs: `sip:` and `sips:` taken apart, `tel:`, `urn:` and others kept whole
//! (RFC 3261 §19.1, RFC 3966, RFC 5118 for IPv6 hosts).

use std::borrow::Cow;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use super::error::HeaderError;
use super::scan::{self, Params};
use super::tel;

/// A URI, borrowed from its text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Uri<'a> {
    text: &'a str,
    scheme: &'a str,
    user: Option<&'a str>,
    password: Option<&'a str>,
    host: &'a str,
    port: Option<u16>,
    params: &'a str,
    headers: Option<&'a str>,
}

const fn bad(problem: &'static str) -> HeaderError {
    HeaderError::new("URI", problem)
}

fn is_scheme(text: &str) -> bool {
    text.as_bytes().first().is_some_and(u8::is_ascii_alphabetic)
        && scan::all(text.as_bytes(), scan::SCHEME)
}

/// Checks a host and its port, as in `example.com:5060` or `[::1]`; blanks may stand around the
/// colon.
pub(crate) fn host_port(text: &str) -> Result<(&str, Option<u16>), HeaderError> {
    let (host, rest) = if text.starts_with('[') {
        let end = text.find(']').ok_or(bad("an IPv6 address without ]"))?;
        ipv6(&text[1..end]).ok_or(bad("not an IPv6 address"))?;
        text.split_at(end + 1)
    } else {
        let end = scan::position(text.as_bytes(), b':').unwrap_or(text.len());
        let host = &text[..scan::trim_end(&text.as_bytes()[..end]).len()];
        if !scan::all(host.as_bytes(), scan::HOST) {
            return Err(bad("a character that no host has"));
        }
        (host, &text[end..])
    };
    if host.is_empty() {
        return Err(bad("no host"));
    }
    if rest.is_empty() {
        return Ok((host, None));
    }
    let digits = scan::skip_blanks(rest).strip_prefix(':').ok_or(bad("text after the host"))?;
    let port =
        scan::number(digits.as_bytes()).or_else(|| scan::number(scan::trim(digits).as_bytes()));
    let port = port.and_then(|port| u16::try_from(port).ok()).ok_or(bad("not a port"))?;
    Ok((host, Some(port)))
}

/// An IPv6 address. Three colons before an IPv4 address at its end, which the grammar of RFC 3261
/// makes peers write, count as two (RFC 5118 §4.10).
fn ipv6(text: &str) -> Option<Ipv6Addr> {
    let mended = || {
        let (before, v4) = text.rsplit_once(':')?;
        let is_v4 = v4.parse::<Ipv4Addr>().is_ok() && before.ends_with("::");
        is_v4.then(|| format!("{before}{v4}").parse().ok()).flatten()
    };
    text.parse().ok().or_else(mended)
}

/// The address that a host is, brackets or not.
pub(crate) fn host_ip(host: &str) -> Option<IpAddr> {
    let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let Some(text) = bare else { return host.parse().ok() };
    ipv6(text).map(IpAddr::V6)
}

impl<'a> Uri<'a> {
    /// Parses a URI.
    ///
    /// # Errors
    /// When it has no scheme, holds spaces, control characters or angle brackets, or when a `sip:`
    /// URI's host or port is not one.
    pub fn parse(text: &'a str) -> Result<Self, HeaderError> {
        let classes = scan::classes_in(text.as_bytes());
        if classes & scan::NOT_URI != 0 {
            return Err(bad("a character that no URI has"));
        }
        let colon = scan::position(text.as_bytes(), b':').ok_or(bad("no scheme"))?;
        let (scheme, rest) = (&text[..colon], &text[colon + 1..]);
        if scheme != "sip" && !is_scheme(scheme) {
            return Err(bad("no scheme"));
        }
        let mut uri = Self::without_parts(text, scheme);
        if uri.is_sip() {
            uri.parse_sip(rest, classes)?;
        } else {
            let end = rest.find(';').unwrap_or(rest.len());
            uri.user = Some(&rest[..end]);
            uri.params = &rest[end..];
            if end == 0 {
                return Err(bad("nothing after the scheme"));
            }
        }
        Ok(uri)
    }

    const fn without_parts(text: &'a str, scheme: &'a str) -> Self {
        let (user, password, port, headers) = (None, None, None, None);
        Self { text, scheme, user, password, host: "", port, params: "", headers }
    }

    fn parse_sip(&mut self, rest: &'a str, classes: u8) -> Result<(), HeaderError> {
        // A user part may hold `;` and `?`, so the last `@` decides; `@` itself must be escaped.
        let hosted = match memchr::memrchr(b'@', rest.as_bytes()) {
            Some(at) => {
                let user = &rest[..at];
                let (user, password) = match scan::position(user.as_bytes(), b':') {
                    Some(colon) => (&user[..colon], Some(&user[colon + 1..])),
                    None => (user, None),
                };
                if user.is_empty() {
                    return Err(bad("an empty user"));
                }
                if scan::position(user.as_bytes(), b'@').is_some() {
                    return Err(bad("a user part with a second @"));
                }
                if classes & scan::PERCENT != 0 && !escapes_are_whole(user.as_bytes()) {
                    return Err(bad("a user part with a broken escape"));
                }
                (self.user, self.password) = (Some(user), password);
                &rest[at + 1..]
            }
            None => rest,
        };
        let question = (classes & scan::QUESTION != 0).then(|| hosted.split_once('?')).flatten();
        let (hosted, headers) = question.map_or((hosted, None), |(h, headers)| (h, Some(headers)));
        let end = scan::position(hosted.as_bytes(), b';').unwrap_or(hosted.len());
        (self.host, self.port) = host_port(&hosted[..end])?;
        self.params = &hosted[end..];
        self.headers = headers;
        Ok(())
    }

    /// The URI's text.
    #[must_use]
    pub const fn as_str(&self) -> &'a str {
        self.text
    }

    /// The scheme as written, such as `sip` or `tel`.
    #[must_use]
    pub const fn scheme(&self) -> &'a str {
        self.scheme
    }

    /// Whether the scheme is `sip` or `sips`.
    #[must_use]
    pub fn is_sip(&self) -> bool {
        self.scheme == "sip" || self.scheme.eq_ignore_ascii_case("sip") || self.is_secure()
    }

    /// Whether the scheme is `tel`.
    #[must_use]
    pub fn is_tel(&self) -> bool {
        self.scheme.eq_ignore_ascii_case("tel")
    }

    /// Whether the scheme is `sips`.
    #[must_use]
    pub fn is_secure(&self) -> bool {
        self.scheme.eq_ignore_ascii_case("sips")
    }

    /// The user part, with its escapes; of other schemes what stands before the first `;`
    /// (a `tel:` URI's number).
    #[must_use]
    pub const fn user(&self) -> Option<&'a str> {
        self.user
    }

    /// The user part with `%41` turned into `A`.
    #[must_use]
    pub fn user_unescaped(&self) -> Option<Cow<'a, str>> {
        self.user.map(unescape)
    }

    /// The password in the user part (deprecated; never act on it).
    #[must_use]
    pub const fn password(&self) -> Option<&'a str> {
        self.password
    }

    /// The host, IPv6 in brackets; empty for schemes other than `sip` and `sips`.
    #[must_use]
    pub const fn host(&self) -> &'a str {
        self.host
    }

    /// The host as an address, if it is one.
    #[must_use]
    pub fn ip(&self) -> Option<IpAddr> {
        host_ip(self.host)
    }

    /// The port, if given.
    #[must_use]
    pub const fn port(&self) -> Option<u16> {
        self.port
    }

    /// The URI's parameters (`;transport=tcp`).
    #[must_use]
    pub const fn params(&self) -> Params<'a> {
        Params::new(self.params)
    }

    /// The value of one parameter.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&'a str> {
        self.params().value(name)
    }

    /// What stands after `?`, as written.
    #[must_use]
    pub const fn headers(&self) -> Option<&'a str> {
        self.headers
    }

    /// An owned copy.
    #[must_use]
    pub fn to_buf(&self) -> UriBuf {
        UriBuf(Arc::from(self.text))
    }

    /// Whether both name the same resource (RFC 3261 §19.1.4, RFC 3966 §4): user with case, host
    /// without; `user`, `ttl`, `method`, `maddr` and `transport` must be the same on both sides,
    /// other parameters only where both have them.
    #[must_use]
    pub fn is_equivalent(&self, other: &Uri<'_>) -> bool {
        if self.text == other.text {
            return true; // even if it contradicts itself, by a parameter given twice
        }
        if self.is_tel() && other.is_tel() {
            return tel::is_equivalent(self, other);
        }
        if !self.is_sip() || !other.is_sip() {
            return self.text.eq_ignore_ascii_case(other.text);
        }
        let same_part = |a: Option<&str>, b: Option<&str>| a.map(unescape) == b.map(unescape);
        self.scheme.eq_ignore_ascii_case(other.scheme)
            && same_part(self.user, other.user)
            && same_part(self.password, other.password)
            && (self.host.eq_ignore_ascii_case(other.host)
                || self.ip().is_some_and(|ip| Some(ip) == other.ip()))
            && self.port == other.port
            && params_agree(self.params(), other.params())
            && params_agree(other.params(), self.params())
            && headers_agree(self.headers, other.headers)
    }
}

fn params_agree(a: Params<'_>, b: Params<'_>) -> bool {
    a.iter().all(|(name, value)| match b.get(name) {
        Some(theirs) => match (value, theirs) {
            (Some(x), Some(y)) => unescape(x).eq_ignore_ascii_case(&unescape(y)),
            (x, y) => x == y,
        },
        None => !["user", "ttl", "method", "maddr", "transport"]
            .iter()
            .any(|must| name.eq_ignore_ascii_case(must)),
    })
}

fn headers_agree(a: Option<&str>, b: Option<&str>) -> bool {
    let sorted = |text: Option<&str>| {
        let mut parts: Vec<String> =
            text.unwrap_or("").split('&').map(|p| unescape(p).into_owned()).collect();
        parts.sort_unstable();
        parts
    };
    a == b || sorted(a) == sorted(b)
}

/// Whether two hexadecimal digits stand behind each `%`.
fn escapes_are_whole(text: &[u8]) -> bool {
    memchr::memchr_iter(b'%', text).all(|at| {
        let digits = text.get(at + 1..at + 3).unwrap_or(b"-");
        digits.iter().all(u8::is_ascii_hexdigit)
    })
}

/// Turns `%41` into `A`; leaves text alone that would not be UTF-8 afterwards.
pub(crate) fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let bytes = text.as_bytes();
    let mut plain = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let code = (bytes[at] == b'%')
            .then(|| text.get(at + 1..at + 3))
            .flatten()
            .and_then(|hex| u8::from_str_radix(hex, 16).ok());
        plain.push(code.unwrap_or(bytes[at]));
        at += if code.is_some() { 3 } else { 1 };
    }
    String::from_utf8(plain).map_or(Cow::Borrowed(text), Cow::Owned)
}

/// An owned URI, known to parse. Cheap to clone; equal when its text is.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UriBuf(Arc<str>);

impl UriBuf {
    /// Checks the text and keeps it.
    ///
    /// # Errors
    /// Those of [`Uri::parse`].
    pub fn parse(text: &str) -> Result<Self, HeaderError> {
        Uri::parse(text).map(|uri| uri.to_buf())
    }

    /// A constant of ours that is known to parse.
    pub(crate) fn known(text: &'static str) -> Self {
        debug_assert!(Uri::parse(text).is_ok());
        Self(Arc::from(text))
    }

    /// `sip:user@host`, the user's special characters escaped; `host` may hold a port, and an
    /// IPv6 address must be in brackets.
    ///
    /// # Errors
    /// When `host` is not one.
    pub fn sip(user: Option<&str>, host: &str) -> Result<Self, HeaderError> {
        match user.filter(|user| !user.is_empty()) {
            Some(user) => Self::parse(&format!("sip:{}@{host}", escape_user(user))),
            None => Self::parse(&format!("sip:{host}")),
        }
    }

    /// The URI with one more parameter.
    ///
    /// # Errors
    /// When name or value hold a character that no URI has.
    pub fn with_param(&self, name: &str, value: Option<&str>) -> Result<Self, HeaderError> {
        // A `?` may stand in the user part too: what is behind the host decides.
        let headers = self.as_uri().headers().map_or(0, |headers| headers.len() + 1);
        let (base, headers) = self.0.split_at(self.0.len() - headers);
        let value = value.map(|value| ["=", value]).unwrap_or_default();
        let text = [base, ";", name, value[0], value[1], headers].concat();
        Self::parse(&text)
    }

    /// The parts.
    #[must_use]
    pub fn as_uri(&self) -> Uri<'_> {
        // The text parsed when it was taken in; an opaque URI stands in for the impossible.
        Uri::parse(&self.0).unwrap_or(Uri::without_parts(&self.0, ""))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

fn escape_user(user: &str) -> String {
    let mut text = String::with_capacity(user.len());
    for byte in user.bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"-_.!~*'()&=+$,;?/#".contains(&byte);
        if plain && byte != b'#' {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

impl fmt::Display for UriBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for UriBuf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Uri<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(a: &str, b: &str) -> bool {
        Uri::parse(a).unwrap().is_equivalent(&Uri::parse(b).unwrap())
    }

    #[test]
    fn a_sip_uri_comes_apart() {
        let uri =
            Uri::parse("sips:alice;day=tue:pw@[2001:db8::9]:5061;transport=tcp;lr?a=b").unwrap();
        assert!(uri.is_secure());
        assert_eq!(uri.user(), Some("alice;day=tue"));
        assert_eq!(uri.password(), Some("pw"));
        assert_eq!((uri.host(), uri.port()), ("[2001:db8::9]", Some(5061)));
        assert_eq!(uri.ip(), Some("2001:db8::9".parse().unwrap()));
        assert_eq!(uri.param("transport"), Some("tcp"));
        assert_eq!(uri.params().get("LR"), Some(None));
        assert_eq!(uri.headers(), Some("a=b"));
    }

    #[test]
    fn tel_and_urn_uris_are_kept_whole() {
        let tel = Uri::parse("tel:+1-201-555-0123;phone-context=x").unwrap();
        assert_eq!((tel.scheme(), tel.user()), ("tel", Some("+1-201-555-0123")));
        assert_eq!(Uri::parse("urn:service:sos").unwrap().user(), Some("service:sos"));
    }

    #[test]
    fn what_is_no_uri_is_refused() {
        for text in [
            "",
            "sip:",
            "alice@example.com",
            "<sip:a@b>",
            "sip:a@b c",
            "sip:a@",
            "sip:@b",
            "sip:a@b:99999",
            "sip:a@[::1",
            "sip:%4@b",
            "sip:a@b\u{7f}",
            "1sip:a@b",
            "tel:",
        ] {
            assert!(Uri::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn uris_compare_as_in_section_19_1_4() {
        assert!(same(
            "sip:%61lice@atlanta.com;transport=TCP",
            "sip:alice@AtLanTa.CoM;Transport=tcp"
        ));
        assert!(same("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"));
        assert!(same("sip:carol@chicago.com;newparam=5", "sip:carol@chicago.com;security=on"));
        assert!(same("sip:a@b.com?subject=x&priority=u", "sip:a@b.com?priority=u&subject=x"));
        assert!(same("sip:a@[2001:db8::1]", "sip:a@[2001:DB8:0:0::1]"));
        assert!(same("sip:a@h;x=1;x=2", "sip:a@h;x=1;x=2"));
        assert!(!same("SIP:ALICE@AtLanTa.CoM", "sip:alice@AtLanTa.CoM"));
        assert!(!same("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"));
        assert!(!same("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"));
        assert!(!same("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"));
        assert!(!same("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"));
        assert!(!same("sip:a@b.com", "sip:a@b.com?Subject=next%20meeting"));
    }

    #[test]
    fn a_user_with_punctuation_is_escaped_when_written() {
        let uri = UriBuf::sip(Some("a b@c"), "example.com:5070").unwrap();
        assert_eq!(uri.as_str(), "sip:a%20b%40c@example.com:5070");
        assert_eq!(uri.as_uri().user_unescaped().unwrap(), "a b@c");
        assert!(UriBuf::sip(Some("a"), "x\r\ny").is_err());
        let tcp = uri.with_param("transport", Some("tcp")).unwrap();
        assert_eq!(tcp.as_uri().param("transport"), Some("tcp"));
        let odd = UriBuf::parse("sip:a;b?c@h;x?y=z").unwrap().with_param("lr", None).unwrap();
        assert_eq!(odd.as_str(), "sip:a;b?c@h;x;lr?y=z");
    }
}
