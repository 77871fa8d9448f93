//! `[tls]`: the certificates we show and the authorities we believe, over SIP and HTTP.

use std::path::PathBuf;

use serde::Deserialize;

/// Certificates of ours, and whom we trust.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// The first is shown to whoever asks for a name that none of them has.
    pub certificates: Vec<Certificate>,
    /// PEM bundle of the authorities whose client certificates are believed (mutual TLS over SIP).
    /// Without it no client is asked for a certificate.
    pub client_ca: Option<PathBuf>,
    /// PEM bundle of the authorities that a server we connect to must be certified by; by default
    /// those of the system.
    pub server_ca: Option<PathBuf>,
    /// The oldest version that is spoken.
    pub minimum: TlsVersion,
}

/// A certificate of ours.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// PEM: the certificate, then its intermediates.
    pub chain: PathBuf,
    /// PEM: its private key (PKCS#8, PKCS#1 or SEC1).
    pub key: PathBuf,
    /// Trunks that are shown this certificate when we connect to them; the others are shown the
    /// first one that names no trunk.
    #[serde(default)]
    pub trunks: Vec<String>,
}

/// A version of TLS.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
pub enum TlsVersion {
    /// RFC 5246.
    #[default]
    #[serde(rename = "1.2")]
    V1_2,
    /// RFC 8446.
    #[serde(rename = "1.3")]
    V1_3,
}
