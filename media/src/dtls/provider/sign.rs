//! Signatures: ECDSA (RFC 8422 §5.4, RFC 8446 §4.4.3), with our key on P-256. Of others' also RSA
//! with PKCS #1 (RFC 5246 §7.4.1.4.1), from 2048 bits up.

use dimpl::crypto::{
    Buf, HashAlgorithm, KeyProvider, NamedGroup, SignatureAlgorithm, SignatureVerifier, SigningKey,
    check_verify_scheme,
};
use dimpl::{CryptoError, CryptoOperation};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA384_ASN1,
    ECDSA_P384_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, EcdsaKeyPair, EcdsaVerificationAlgorithm,
    RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_2048_8192_SHA384, RSA_PKCS1_2048_8192_SHA512,
    RsaParameters, UnparsedPublicKey,
};

use super::failed;
use crate::dtls::der::{self, Curve, PublicKey};
use crate::dtls::request::Transcript;

#[derive(Debug)]
pub(super) struct Keys;

impl KeyProvider for Keys {
    fn load_private_key(&self, pkcs8: &[u8]) -> Result<Box<dyn SigningKey>, CryptoError> {
        let random = SystemRandom::new();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8, &random)
            .map_err(|_| failed(CryptoOperation::LoadPrivateKey))?;
        Ok(Box::new(Key(pair)))
    }
}

#[derive(Debug)]
struct Key(EcdsaKeyPair);

impl SigningKey for Key {
    fn sign(
        &mut self,
        bytes: &[u8],
        hash: HashAlgorithm,
        out: &mut Buf,
    ) -> Result<(), CryptoError> {
        if hash != HashAlgorithm::SHA256 {
            let key_hash = HashAlgorithm::SHA256;
            return Err(CryptoError::SigningKeyHashMismatch { key_hash, requested: hash });
        }
        let signature = self.0.sign(&SystemRandom::new(), bytes);
        let signature = signature.map_err(|_| failed(CryptoOperation::Sign))?;
        out.clear();
        out.extend_from_slice(signature.as_ref());
        Ok(())
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }

    fn hash_algorithm(&self) -> HashAlgorithm {
        HashAlgorithm::SHA256
    }

    fn supported_hash_algorithms(&self) -> &[HashAlgorithm] {
        &[HashAlgorithm::SHA256]
    }
}

/// What is signed in DTLS 1.2 may be the transcript.
#[derive(Debug)]
pub(super) struct Verifier(pub(super) Transcript);

impl SignatureVerifier for Verifier {
    fn verify_signature(
        &self,
        certificate: &[u8],
        bytes: &[u8],
        signature: &[u8],
        hash: HashAlgorithm,
        algorithm: SignatureAlgorithm,
    ) -> Result<(), CryptoError> {
        let bytes = &self.0.read(bytes);
        match der::public_key(certificate).ok_or(CryptoError::UnsupportedPublicKeyAlgorithm)? {
            PublicKey::Ec(curve, point) => {
                verify_ecdsa((curve, point), bytes, signature, hash, algorithm)
            }
            PublicKey::Rsa(key) => verify_rsa(key, bytes, signature, hash, algorithm),
        }
    }
}

fn verify_ecdsa(
    (curve, point): (Curve, &[u8]),
    bytes: &[u8],
    signature: &[u8],
    hash: HashAlgorithm,
    algorithm: SignatureAlgorithm,
) -> Result<(), CryptoError> {
    let group = match curve {
        Curve::P256 => NamedGroup::Secp256r1,
        Curve::P384 => NamedGroup::Secp384r1,
    };
    check_verify_scheme(algorithm, hash, group)?;
    let scheme: &EcdsaVerificationAlgorithm = match (curve, hash) {
        (Curve::P256, HashAlgorithm::SHA384) => &ECDSA_P256_SHA384_ASN1,
        (Curve::P256, _) => &ECDSA_P256_SHA256_ASN1,
        (Curve::P384, HashAlgorithm::SHA384) => &ECDSA_P384_SHA384_ASN1,
        (Curve::P384, _) => &ECDSA_P384_SHA256_ASN1,
    };
    UnparsedPublicKey::new(scheme, point)
        .verify(bytes, signature)
        .map_err(|_| CryptoError::SignatureVerificationFailed { signature: algorithm, hash, group })
}

fn verify_rsa(
    key: &[u8],
    bytes: &[u8],
    signature: &[u8],
    hash: HashAlgorithm,
    algorithm: SignatureAlgorithm,
) -> Result<(), CryptoError> {
    let scheme: &RsaParameters = match (algorithm, hash) {
        (SignatureAlgorithm::RSA, HashAlgorithm::SHA256) => &RSA_PKCS1_2048_8192_SHA256,
        (SignatureAlgorithm::RSA, HashAlgorithm::SHA384) => &RSA_PKCS1_2048_8192_SHA384,
        (SignatureAlgorithm::RSA, HashAlgorithm::SHA512) => &RSA_PKCS1_2048_8192_SHA512,
        _ => return Err(CryptoError::UnsupportedSignatureAlgorithm(algorithm)),
    };
    let verified = UnparsedPublicKey::new(scheme, key).verify(bytes, signature);
    verified.map_err(|_| CryptoError::InvalidSignatureFormat)
}
