//! Signing the caller's number of a call that goes out (RFC 8224 §6.1, RFC 8588 §6).

use std::fmt;

use base::UnixTime;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;

use super::identity_header::is_fit_url;
use super::passport::{Protected, encoded};
use super::{Attestation, Passport, canonical};

/// Why nothing is signed: our own user's mistake.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SignError {
    /// The key is no P-256 private key, PKCS #8 in PEM or DER.
    #[error("not a P-256 private key in PKCS #8")]
    Key,
    /// Others cannot fetch the certificate there.
    #[error("not an https URL that a certificate can be fetched from")]
    Url,
    /// Caller or called is no number.
    #[error("not a telephone number")]
    Number,
    /// The system gave no randomness.
    #[error("the signature could not be made")]
    Signature,
}

/// Signs for one certificate.
pub struct Signer {
    key: EcdsaKeyPair,
    random: SystemRandom,
    url: String,
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signer({})", self.url)
    }
}

impl Signer {
    /// With that private key (PKCS #8, PEM or DER), whose certificate others find at `url`.
    ///
    /// # Errors
    /// When key or URL cannot be used.
    pub fn new(key: &[u8], url: &str) -> Result<Self, SignError> {
        if !is_fit_url(url) {
            return Err(SignError::Url);
        }
        let random = SystemRandom::new();
        let from_pem = PrivatePkcs8KeyDer::from_pem_slice(key).ok();
        let der = from_pem.as_ref().map_or(key, |key| key.secret_pkcs8_der());
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der, &random)
            .map_err(|_| SignError::Key)?;
        Ok(Self { key, random, url: url.to_owned() })
    }

    /// The value of Identity. `orig` and `dest` are in E.164; `origid` is a UUID that tells where
    /// the call came from, the same for all calls of a customer or a trunk.
    ///
    /// # Errors
    /// When one is no number, or the system has no randomness.
    pub fn sign(
        &self,
        now: UnixTime,
        (orig, dest): (&str, &str),
        attestation: Attestation,
        origid: &str,
    ) -> Result<String, SignError> {
        let passport = Passport {
            attestation: Some(attestation),
            orig: canonical(orig).ok_or(SignError::Number)?,
            dest: vec![canonical(dest).ok_or(SignError::Number)?],
            iat: now,
            origid: Some(origid.to_owned()),
        };
        let protected = Protected {
            alg: "ES256".to_owned(),
            ppt: Some("shaken".to_owned()),
            typ: "passport".to_owned(),
            x5u: self.url.clone(),
        };
        let header = serde_json::to_string(&protected).map_err(|_| SignError::Signature)?;
        let claims = passport.to_json().ok_or(SignError::Signature)?;
        let mut token = format!("{}.{}", encoded(header.as_bytes()), encoded(claims.as_bytes()));
        let signature = self.key.sign(&self.random, token.as_bytes());
        let signature = signature.map_err(|_| SignError::Signature)?;
        token.push('.');
        token.push_str(&encoded(signature.as_ref()));
        Ok(format!("{token};info=<{}>;alg=ES256;ppt=shaken", self.url))
    }
}
