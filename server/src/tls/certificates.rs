//! Certificates of ours: read from PEM files, and chosen by the name that a client asks for (SNI,
//! RFC 6066 §3).

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use webpki::EndEntityCert;

use super::{TlsFault, provider};
use crate::config::Certificate;

/// All that `tls.certificates` names, in that order.
#[derive(Debug)]
pub(super) struct Loaded(Vec<Own>);

#[derive(Debug)]
struct Own {
    certified: Arc<CertifiedKey>,
    /// DNS names it is for, in lower case; may begin with `*.`.
    names: Vec<String>,
    trunks: Vec<String>,
}

impl Loaded {
    pub(super) fn read(certificates: &[Certificate]) -> Result<Self, TlsFault> {
        certificates.iter().map(Own::read).collect::<Result<_, _>>().map(Self)
    }

    /// What a server is shown that we connect to as this trunk.
    pub(super) fn shown_to(&self, trunk: Option<&str>) -> Option<CertifiedKey> {
        let trunk = trunk?;
        let is_its_own = |own: &&Own| own.trunks.iter().any(|name| name == trunk);
        let of_all = || self.0.iter().find(|own| own.trunks.is_empty());
        let own = self.0.iter().find(is_its_own).or_else(of_all)?;
        Some(CertifiedKey::clone(&own.certified))
    }
}

impl Own {
    fn read(certificate: &Certificate) -> Result<Self, TlsFault> {
        let Certificate { chain: chain_file, key: key_file, trunks } = certificate;
        let chain = chain(chain_file)?;
        let key = PrivateKeyDer::from_pem_file(key_file)
            .map_err(|error| TlsFault::new(key_file, format!("no private key in PEM: {error}")))?;
        let names = names(&chain).map_err(|problem| TlsFault::new(chain_file, problem))?;
        let certified = CertifiedKey::from_der(chain, key, &provider()).map_err(|error| {
            let chain = chain_file.display();
            TlsFault::new(key_file, format!("cannot be used with {chain}: {error}"))
        })?;
        Ok(Self { certified: Arc::new(certified), names, trunks: trunks.clone() })
    }
}

fn chain(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsFault> {
    let wrong = |error| TlsFault::new(file, format!("no certificates in PEM: {error}"));
    let all = CertificateDer::pem_file_iter(file).map_err(wrong)?;
    let chain: Vec<_> = all.collect::<Result<_, _>>().map_err(wrong)?;
    if chain.is_empty() {
        return Err(TlsFault::new(file, "no certificate in it"));
    }
    Ok(chain)
}

fn names(chain: &[CertificateDer<'_>]) -> Result<Vec<String>, String> {
    let Some(first) = chain.first() else { return Ok(Vec::new()) };
    let parsed = EndEntityCert::try_from(first).map_err(|error| error.to_string())?;
    Ok(parsed.valid_dns_names().map(str::to_ascii_lowercase).collect())
}

/// Chooses by SNI: the exact name, then a wildcard for its first label, then the first of all.
#[derive(Debug)]
pub(super) struct ByName {
    first: Option<Arc<CertifiedKey>>,
    names: BTreeMap<String, Arc<CertifiedKey>>,
}

impl ByName {
    pub(super) fn of(loaded: &Loaded) -> Self {
        let mut names = BTreeMap::new();
        for own in &loaded.0 {
            for name in &own.names {
                names.entry(name.clone()).or_insert_with(|| own.certified.clone());
            }
        }
        let first = loaded.0.iter().find(|own| own.trunks.is_empty()).or(loaded.0.first());
        Self { first: first.map(|own| own.certified.clone()), names }
    }

    fn choose(&self, name: Option<&str>) -> Option<Arc<CertifiedKey>> {
        let of_name = name.and_then(|name| {
            let name = name.to_ascii_lowercase();
            let wildcard = || {
                let (_, domain) = name.split_once('.')?;
                self.names.get(&format!("*.{domain}"))
            };
            self.names.get(&name).or_else(wildcard)
        });
        of_name.or(self.first.as_ref()).cloned()
    }
}

impl ResolvesServerCert for ByName {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.choose(hello.server_name())
    }
}
