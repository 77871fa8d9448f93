//! The Identity header field: a token and where its certificate is (RFC 8224 §4).

use crate::message::{Params, trim};

/// `token;info=<url>;alg=ES256;ppt="shaken"`.
#[derive(Clone, Copy, Debug)]
pub(super) struct IdentityHeader<'a> {
    pub(super) token: &'a str,
    pub(super) info: &'a str,
    pub(super) alg: Option<&'a str>,
    pub(super) ppt: Option<&'a str>,
}

impl<'a> IdentityHeader<'a> {
    pub(super) fn parse(text: &'a str) -> Option<Self> {
        let end = text.find(';')?;
        let params = Params::new(&text[end..]);
        let plain = |name| params.value(name).map(|value| trim(value).trim_matches('"'));
        let info = params.value("info").map(trim)?;
        Some(Self {
            token: trim(&text[..end]),
            info: trim(info.strip_prefix('<')?.strip_suffix('>')?),
            alg: plain("alg"),
            ppt: plain("ppt"),
        })
    }
}

/// Whether a driver may be asked for the certificate there: https, a host with a name, the usual
/// ports, no user, no query and no fragment (ATIS-1000074 §5.3.1). Whether that name leads
/// somewhere it must not is for the driver to see when it resolves it.
pub(super) fn is_fit_url(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("https://") else { return false };
    let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
    let (host, port) = authority.split_once(':').map_or((authority, None), |(h, p)| (h, Some(p)));
    let is_name = host.contains('.')
        && host.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'.')
        && host.bytes().any(|b| b.is_ascii_alphabetic());
    let fit_path = path.bytes().all(|b| b.is_ascii_graphic() && !b"?#\"<>\\".contains(&b));
    url.len() <= 1_024 && is_name && matches!(port, None | Some("443" | "8443")) && fit_path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_come_out_with_quotes_or_without() {
        let text = "a.b.c;info=<https://cert.example.org/p.cer>;alg=ES256;ppt=\"shaken\"";
        let header = IdentityHeader::parse(text).unwrap();
        assert_eq!((header.token, header.info), ("a.b.c", "https://cert.example.org/p.cer"));
        assert_eq!((header.alg, header.ppt), (Some("ES256"), Some("shaken")));
        for bad in ["", "a.b.c", "a.b.c;info=https://x.y/z", "a.b.c;info=<x"] {
            assert!(IdentityHeader::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn only_plain_https_urls_with_a_name_are_fetched() {
        for good in ["https://cert.example.org/p.cer", "https://a.b:8443/x/y", "https://a.b"] {
            assert!(is_fit_url(good), "{good}");
        }
        for bad in [
            "http://cert.example.org/p.cer",
            "https://127.0.0.1/x",
            "https://[::1]/x",
            "https://localhost/x",
            "https://u:p@a.b/x",
            "https://a.b:22/x",
            "https://a.b/x?y",
            "https://a.b/x#y",
            "https://a.b/x y",
            "file:///etc/passwd",
            "",
        ] {
            assert!(!is_fit_url(bad), "{bad}");
        }
    }
}
