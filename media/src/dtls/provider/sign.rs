//! Signatures: ECDSA (RFC 8422 §5.4, RFC 8446 §4.4.3), with our key on P-256.

use dimpl::crypto::{
    Buf, HashAlgorithm, KeyProvider, NamedGroup, SignatureAlgorithm, SignatureVerifier, SigningKey,
    check_verify_scheme,
};
use dimpl::{CryptoError, CryptoOperation};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P256_SHA384_ASN1,
    ECDSA_P384_SHA256_ASN1, ECDSA_P384_SHA384_ASN1, EcdsaKeyPair, EcdsaVerificationAlgorithm,
    UnparsedPublicKey,
};

use super::failed;
use crate::dtls::der::{self, Curve};

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

#[derive(Debug)]
pub(super) struct Verifier;

impl SignatureVerifier for Verifier {
    fn verify_signature(
        &self,
        certificate: &[u8],
        bytes: &[u8],
        signature: &[u8],
        hash: HashAlgorithm,
        algorithm: SignatureAlgorithm,
    ) -> Result<(), CryptoError> {
        let (curve, point) = der::public_key(certificate).ok_or(CryptoError::UnsupportedEcCurve)?;
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
        UnparsedPublicKey::new(scheme, point).verify(bytes, signature).map_err(|_| {
            CryptoError::SignatureVerificationFailed { signature: algorithm, hash, group }
        })
    }
}
