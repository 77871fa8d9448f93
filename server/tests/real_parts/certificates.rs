//! An authority of the test's own, and certificates by it.

use std::fs;
use std::path::{Path, PathBuf};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

/// Who certifies the ends of a test.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// Its certificate, in PEM.
    pub(crate) file: PathBuf,
}

/// The files of a certificate and its key.
#[derive(Clone)]
pub(crate) struct Files {
    pub(crate) chain: PathBuf,
    pub(crate) key: PathBuf,
}

impl Authority {
    pub(crate) fn new(folder: &Path, name: &str) -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("a certificate");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).expect("a certificate");
        let file = folder.join(format!("{name}.pem"));
        fs::write(&file, certificate.pem()).expect("its file");
        Self { issuer: Issuer::new(params, key), file }
    }

    pub(crate) fn certify(&self, folder: &Path, file: &str, names: &[&str]) -> Files {
        let key = KeyPair::generate().expect("a key");
        let names = names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let params = CertificateParams::new(names).expect("a certificate");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let files = Files {
            chain: folder.join(format!("{file}.pem")),
            key: folder.join(format!("{file}.key")),
        };
        fs::write(&files.key, key.serialize_pem()).expect("its key");
        fs::write(&files.chain, certificate.pem()).expect("its file");
        files
    }
}

impl Files {
    /// `[[tls.certificates]]` of `strowger.toml`.
    pub(crate) fn table(&self) -> String {
        let (chain, key) = (self.chain.display(), self.key.display());
        format!("[[tls.certificates]]\nchain = \"{chain}\"\nkey = \"{key}\"\n")
    }
}
