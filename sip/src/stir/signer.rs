//! Signing the caller's number of a call that goes out (RFC 8224 §6.1, RFC 8588 §6), and that a
//! signed call is sent on (RFC 8946 §4.1).

use std::fmt;

use base::UnixTime;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;

use super::chain::{Parsed, chain, same};
use super::identity_header::is_fit_url;
use super::passport::{Protected, encoded};
use super::verification::is_fresh;
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
    /// What came with the call was not signed for that caller and that called one, or too long ago
    /// for anybody to believe it still.
    #[error("no signature that a diversion can follow")]
    Unsigned,
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
            div: None,
        };
        self.token("shaken", &passport)
    }

    /// The value of the Identity that says: the call of `orig` to `from` goes on to `dest`. It
    /// stands beside those that came with the call, `before`, whose signatures were good.
    ///
    /// # Errors
    /// When nothing good came, one is no number, or the system has no randomness.
    pub fn sign_diversion(
        &self,
        now: UnixTime,
        before: &[String],
        (orig, from, dest): (&str, &str, &str),
    ) -> Result<String, SignError> {
        let of = |ppt| before.iter().filter_map(move |value| Parsed::of(value, ppt));
        let diversions: Vec<_> = of("div").collect();
        let signed = of("shaken").map(|parsed| parsed.token.claims).find(|claims| {
            same(&claims.orig, orig)
                && is_fresh(now, claims.iat)
                && chain(claims, &diversions, from).is_some()
        });
        let signed = signed.ok_or(SignError::Unsigned)?;
        let passport = Passport {
            attestation: None,
            orig: signed.orig,
            dest: vec![canonical(dest).ok_or(SignError::Number)?],
            iat: signed.iat,
            origid: None,
            div: Some(canonical(from).ok_or(SignError::Number)?),
        };
        self.token("div", &passport)
    }

    /// The value of Identity with that token.
    fn token(&self, ppt: &str, passport: &Passport) -> Result<String, SignError> {
        let protected = Protected {
            alg: "ES256".to_owned(),
            ppt: Some(ppt.to_owned()),
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
        Ok(format!("{token};info=<{}>;alg=ES256;ppt={ppt}", self.url))
    }
}
