//! Whom we believe: a bundle of authorities in PEM, or those of the system.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::TlsFault;

/// The authorities that certify servers we connect to.
#[derive(Debug)]
pub(super) enum Trust {
    /// Those of `tls.server_ca`.
    Bundle(Arc<RootCertStore>),
    /// Those of the system, read when they are needed first.
    System(OnceLock<Result<Arc<RootCertStore>, TlsFault>>),
}

impl Trust {
    pub(super) fn of(file: Option<&Path>) -> Result<Self, TlsFault> {
        Ok(match file {
            Some(file) => Self::Bundle(Arc::new(bundle(file)?)),
            None => Self::System(OnceLock::new()),
        })
    }

    pub(super) fn roots(&self) -> Result<Arc<RootCertStore>, TlsFault> {
        match self {
            Self::Bundle(roots) => Ok(roots.clone()),
            Self::System(roots) => roots.get_or_init(of_system).clone(),
        }
    }
}

fn of_system() -> Result<Arc<RootCertStore>, TlsFault> {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    // Systems have certificates that nobody can read; the others do.
    roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let problem = "the system has no authorities; set tls.server_ca";
        return Err(TlsFault::new(Path::new("/etc/ssl/certs"), problem));
    }
    Ok(Arc::new(roots))
}

/// The authorities in a file.
pub(super) fn bundle(file: &Path) -> Result<RootCertStore, TlsFault> {
    let wrong = |error| TlsFault::new(file, format!("no certificates in PEM: {error}"));
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(wrong)? {
        let certificate = certificate.map_err(wrong)?;
        roots.add(certificate).map_err(|error| TlsFault::new(file, error))?;
    }
    if roots.is_empty() {
        return Err(TlsFault::new(file, "no certificate in it"));
    }
    Ok(roots)
}
