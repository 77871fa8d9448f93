//! Whom a certificate is for (RFC 5922 §7.1): the domains in its subject alternative names.

use rustls::pki_types::CertificateDer;
use webpki::EndEntityCert;

/// Names believed of one certificate; it has no use for more.
const NAMES: usize = 32;

/// The domains of a verified certificate, in lower case: those of its `sip:` and `sips:` URIs, then
/// its DNS names. A common name is no identity here (RFC 6125 §6.4.4).
pub(crate) fn names_of(certificate: &CertificateDer<'_>) -> Vec<String> {
    let Ok(parsed) = EndEntityCert::try_from(certificate) else { return Vec::new() };
    let of_uris = parsed.valid_uri_names().filter_map(domain);
    let of_dns = parsed.valid_dns_names().map(str::to_ascii_lowercase);
    let mut names: Vec<String> = Vec::new();
    for name in of_uris.chain(of_dns).take(NAMES) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// The domain of a URI that names a domain and nothing else: `sip:example.net`.
fn domain(uri: &str) -> Option<String> {
    let (scheme, rest) = uri.split_once(':')?;
    let is_sip = scheme.eq_ignore_ascii_case("sip") || scheme.eq_ignore_ascii_case("sips");
    // A user part would be a person's certificate, not a domain's (RFC 5922 §7.1).
    let plain = !rest.is_empty() && !rest.contains(['@', ':', ';', '?', '/']);
    (is_sip && plain).then(|| rest.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sip_uri_names_its_domain_and_a_persons_uri_names_none() {
        assert_eq!(domain("sip:Carrier.example").as_deref(), Some("carrier.example"));
        assert_eq!(domain("sips:carrier.example").as_deref(), Some("carrier.example"));
        assert_eq!(domain("sip:alice@carrier.example"), None);
        assert_eq!(domain("https:carrier.example"), None);
        assert_eq!(domain("sip:"), None);
    }
}
