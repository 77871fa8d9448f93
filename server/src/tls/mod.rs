//! TLS (RFC 5246, RFC 8446) for SIP and HTTP: certificates chosen by name, clients' certificates
//! verified, and all of it loaded anew without a restart.

mod certificates;
mod names;
mod trust;
mod watch;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::crypto::{CryptoProvider, ring};
use rustls::server::{NoClientAuth, WebPkiClientVerifier, danger::ClientCertVerifier};
use rustls::{ClientConfig, ServerConfig, SupportedProtocolVersion, version};

use self::certificates::{ByName, Loaded};
pub(crate) use self::names::names_of;
use self::trust::Trust;
pub(crate) use self::watch::{Keeper, keep};
use crate::config::{self, TlsVersion};

/// Why TLS cannot be set up with these files.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("tls: {}: {problem}", file.display())]
pub(crate) struct TlsFault {
    /// The file.
    pub file: PathBuf,
    /// What is wrong with it.
    pub problem: String,
}

impl TlsFault {
    fn new(file: &Path, problem: impl std::fmt::Display) -> Self {
        Self { file: file.to_owned(), problem: problem.to_string() }
    }
}

/// What the files held when they were read last: all of it good, or it would not be here.
#[derive(Debug)]
pub(crate) struct Tls {
    sip: Arc<ServerConfig>,
    http: Arc<ServerConfig>,
    certificates: Loaded,
    trust: Trust,
    minimum: TlsVersion,
}

impl Tls {
    /// Reads every file.
    ///
    /// # Errors
    /// The first file that cannot be used.
    pub(crate) fn load(config: &config::Tls) -> Result<Self, TlsFault> {
        let certificates = Loaded::read(&config.certificates)?;
        let clients: Arc<dyn ClientCertVerifier> = match &config.client_ca {
            None => Arc::new(NoClientAuth),
            Some(file) => {
                let roots = Arc::new(trust::bundle(file)?);
                // A client without one is let in as far as its digest or its address takes it.
                WebPkiClientVerifier::builder_with_provider(roots, provider())
                    .allow_unauthenticated()
                    .build()
                    .map_err(|error| TlsFault::new(file, error))?
            }
        };
        let names = Arc::new(ByName::of(&certificates));
        let minimum = config.minimum;
        let sip = server(minimum, clients, names.clone(), &[])?;
        let http = server(minimum, Arc::new(NoClientAuth), names, &[b"http/1.1"])?;
        let trust = Trust::of(config.server_ca.as_deref())?;
        Ok(Self { sip, http, certificates, trust, minimum })
    }

    /// For peers that connect to us over SIP.
    pub(crate) fn sip(&self) -> Arc<ServerConfig> {
        self.sip.clone()
    }

    /// For browsers.
    pub(crate) fn http(&self) -> Arc<ServerConfig> {
        self.http.clone()
    }

    /// For servers that we connect to, as that trunk or as nobody in particular. Reads the
    /// system's authorities at its first use: not for the signalling thread.
    ///
    /// # Errors
    /// When there is no authority to believe.
    pub(crate) fn client(&self, trunk: Option<&str>) -> Result<ClientConfig, TlsFault> {
        let builder = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(versions(self.minimum))
            .map_err(|error| TlsFault::new(Path::new("tls.minimum"), error))?
            .with_root_certificates(self.trust.roots()?);
        Ok(match self.certificates.shown_to(trunk) {
            None => builder.with_no_client_auth(),
            Some(own) => {
                let own = rustls::sign::SingleCertAndKey::from(own);
                builder.with_client_cert_resolver(Arc::new(own))
            }
        })
    }
}

fn server(
    minimum: TlsVersion,
    clients: Arc<dyn ClientCertVerifier>,
    names: Arc<ByName>,
    protocols: &[&[u8]],
) -> Result<Arc<ServerConfig>, TlsFault> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(versions(minimum))
        .map_err(|error| TlsFault::new(Path::new("tls.minimum"), error))?
        .with_client_cert_verifier(clients)
        .with_cert_resolver(names);
    config.alpn_protocols = protocols.iter().map(|name| name.to_vec()).collect();
    Ok(Arc::new(config))
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

fn versions(minimum: TlsVersion) -> &'static [&'static SupportedProtocolVersion] {
    const FROM_1_2: &[&SupportedProtocolVersion] = &[&version::TLS13, &version::TLS12];
    const FROM_1_3: &[&SupportedProtocolVersion] = &[&version::TLS13];
    match minimum {
        TlsVersion::V1_2 => FROM_1_2,
        TlsVersion::V1_3 => FROM_1_3,
    }
}

#[cfg(test)]
mod tests;
