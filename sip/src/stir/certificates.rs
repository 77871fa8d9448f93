//! Whose signature it is: the chain from the signer's certificate to a root we trust
//! (RFC 8224 §6.2, RFC 8226, RFC 5280).

use base::UnixTime;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, TrustAnchor};
use webpki::{EndEntityCert, ExtendedKeyUsageValidator, KeyPurposeIdIter};

use super::NumberAuthority;

/// What is wrong with certificates.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CertificateError {
    /// Neither PEM nor DER.
    #[error("no certificate")]
    Syntax,
    /// Not yet, or no more valid.
    #[error("a certificate that is not valid now")]
    Expired,
    /// No chain to a root we trust.
    #[error("no chain to a root that is trusted")]
    Untrusted,
    /// It says nothing of telephone numbers (RFC 8226 §9).
    #[error("a certificate that is not for telephone numbers")]
    NotForNumbers,
    /// It is for other numbers.
    #[error("a certificate for other numbers")]
    OtherNumbers,
}

/// The roots that are trusted: those of the STI certification authorities.
#[derive(Clone, Debug, Default)]
pub struct Roots(Vec<TrustAnchor<'static>>);

/// A chain longer than this is not followed.
const LONGEST_CHAIN: usize = 8;

/// Certificates out of PEM (one or several) or DER (one).
fn read(bytes: &[u8]) -> Vec<CertificateDer<'static>> {
    let from_pem: Vec<_> =
        CertificateDer::pem_slice_iter(bytes).map_while(Result::ok).take(10_000).collect();
    if from_pem.is_empty() && !bytes.is_empty() {
        return vec![CertificateDer::from(bytes.to_vec())];
    }
    from_pem
}

impl Roots {
    /// Out of PEM, one certificate after another.
    ///
    /// # Errors
    /// When there is none, or one that cannot be a root.
    pub fn from_pem(pem: &[u8]) -> Result<Self, CertificateError> {
        let mut roots = Vec::new();
        for certificate in read(pem) {
            let anchor = webpki::anchor_from_trusted_cert(&certificate);
            roots.push(anchor.map_err(|_| CertificateError::Syntax)?.to_owned());
        }
        if roots.is_empty() { Err(CertificateError::Syntax) } else { Ok(Self(roots)) }
    }

    /// How many there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nobody is trusted.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// These certificates are not for TLS: what else they may be used for does not matter.
struct AnyUse;

impl ExtendedKeyUsageValidator for AnyUse {
    fn validate(&self, _: KeyPurposeIdIter<'_, '_>) -> Result<(), webpki::Error> {
        Ok(())
    }
}

/// Checks the chain, that its first certificate may sign for the number, and the signature (r and
/// s) of the text. `Ok(false)`: the signature is another's.
pub(super) fn check(
    bytes: &[u8],
    roots: &Roots,
    now: UnixTime,
    orig: &str,
    (signed, signature): (&[u8], &[u8; 64]),
) -> Result<(bool, NumberAuthority), CertificateError> {
    let chain = read(bytes);
    let (first, rest) = chain.split_first().ok_or(CertificateError::Syntax)?;
    let rest = &rest[..rest.len().min(LONGEST_CHAIN)];
    let signer = EndEntityCert::try_from(first).map_err(|_| CertificateError::Syntax)?;
    let seconds = u64::try_from(now.as_micros().div_euclid(1_000_000)).unwrap_or(0);
    let time = rustls_pki_types::UnixTime::since_unix_epoch(base::Duration::from_secs(seconds));
    let algorithms =
        &[webpki::ring::ECDSA_P256_SHA256, webpki::ring::ECDSA_P384_SHA384, webpki::ring::ED25519];
    signer.verify_for_usage(algorithms, &roots.0, rest, time, AnyUse, None, None).map_err(
        |error| match error {
            webpki::Error::CertExpired { .. } | webpki::Error::CertNotValidYet { .. } => {
                CertificateError::Expired
            }
            _ => CertificateError::Untrusted,
        },
    )?;
    let authority = NumberAuthority::of(first).ok_or(CertificateError::NotForNumbers)?;
    if !authority.covers(orig) {
        return Err(CertificateError::OtherNumbers);
    }
    let good = signer
        .verify_signature(webpki::ring::ECDSA_P256_SHA256, signed, &to_der(signature))
        .is_ok();
    Ok((good, authority))
}

/// r and s as ASN.1 has them, which is what certificates' algorithms read.
fn to_der(signature: &[u8; 64]) -> Vec<u8> {
    let (r, s) = signature.split_at(32);
    let mut inner = Vec::with_capacity(70);
    for number in [r, s] {
        let zeros = number.iter().take_while(|&&byte| byte == 0).count().min(31);
        let digits = &number[zeros..];
        let negative = digits.first().is_some_and(|byte| byte & 0x80 != 0);
        let length = digits.len() + usize::from(negative);
        inner.extend([0x02, u8::try_from(length).unwrap_or(33)]);
        inner.extend(negative.then_some(0));
        inner.extend_from_slice(digits);
    }
    let mut der = vec![0x30, u8::try_from(inner.len()).unwrap_or(70)];
    der.append(&mut inner);
    der
}
