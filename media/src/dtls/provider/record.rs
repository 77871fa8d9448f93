//! What records are encrypted with: AES-GCM, in the suites of DTLS 1.2 (RFC 5289) and of DTLS 1.3
//! (RFC 8446 §B.4), whose record numbers are masked as well (RFC 9147 §4.2.3).

use aes::cipher::{BlockCipherEncrypt, KeyInit};
use aes::{Aes128Enc, Aes256Enc};
use dimpl::crypto::{
    Aad, Buf, Cipher, Dtls12CipherSuite, Dtls13CipherSuite, HashAlgorithm, Nonce,
    SupportedDtls12CipherSuite, SupportedDtls13CipherSuite, TmpBuf,
};
use dimpl::{CryptoError, CryptoOperation};
use ring::aead::{self, AES_128_GCM, AES_256_GCM, LessSafeKey, UnboundKey};

use super::failed;

/// Bytes of the tag, of the nonce, and of its explicit part in DTLS 1.2.
const TAG: usize = 16;
const NONCE: usize = 12;
const EXPLICIT_NONCE: usize = 8;

pub(super) static SUITES_12: &[&dyn SupportedDtls12CipherSuite] = &[
    &Suite12(Dtls12CipherSuite::ECDHE_ECDSA_AES128_GCM_SHA256),
    &Suite12(Dtls12CipherSuite::ECDHE_ECDSA_AES256_GCM_SHA384),
];

pub(super) static SUITES_13: &[&dyn SupportedDtls13CipherSuite] = &[
    &Suite13(Dtls13CipherSuite::AES_128_GCM_SHA256),
    &Suite13(Dtls13CipherSuite::AES_256_GCM_SHA384),
];

/// A record cipher of 128 or 256 bits.
struct AesGcm(LessSafeKey);

impl AesGcm {
    fn boxed(key: &[u8]) -> Result<Box<dyn Cipher>, CryptoError> {
        let algorithm = if key.len() == 32 { &AES_256_GCM } else { &AES_128_GCM };
        let key =
            UnboundKey::new(algorithm, key).map_err(|_| failed(CryptoOperation::CreateCipher))?;
        Ok(Box::new(Self(LessSafeKey::new(key))))
    }
}

impl std::fmt::Debug for AesGcm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("AesGcm")
    }
}

impl Cipher for AesGcm {
    fn encrypt(&mut self, record: &mut Buf, aad: Aad, nonce: Nonce) -> Result<(), CryptoError> {
        let nonce = aead::Nonce::assume_unique_for_key(nonce.0);
        let tag = self
            .0
            .seal_in_place_separate_tag(nonce, aead::Aad::from(&*aad), record.as_mut())
            .map_err(|_| failed(CryptoOperation::Encrypt))?;
        record.extend_from_slice(tag.as_ref());
        Ok(())
    }

    fn decrypt(
        &mut self,
        record: &mut TmpBuf<'_>,
        aad: Aad,
        nonce: Nonce,
    ) -> Result<(), CryptoError> {
        let nonce = aead::Nonce::assume_unique_for_key(nonce.0);
        let clear = self
            .0
            .open_in_place(nonce, aead::Aad::from(&*aad), record.as_mut())
            .map_err(|_| failed(CryptoOperation::Decrypt))?
            .len();
        record.truncate(clear);
        Ok(())
    }
}

#[derive(Debug)]
struct Suite12(Dtls12CipherSuite);

impl SupportedDtls12CipherSuite for Suite12 {
    fn suite(&self) -> Dtls12CipherSuite {
        self.0
    }

    fn hash_algorithm(&self) -> HashAlgorithm {
        self.0.hash_algorithm()
    }

    /// Of the key for authentication, of the one for encryption, of the fixed part of the nonce.
    fn key_lengths(&self) -> (usize, usize, usize) {
        let key = match self.0 {
            Dtls12CipherSuite::ECDHE_ECDSA_AES256_GCM_SHA384 => 32,
            _ => 16,
        };
        (0, key, NONCE - EXPLICIT_NONCE)
    }

    fn explicit_nonce_len(&self) -> usize {
        EXPLICIT_NONCE
    }

    fn tag_len(&self) -> usize {
        TAG
    }

    fn create_cipher(&self, key: &[u8]) -> Result<Box<dyn Cipher>, CryptoError> {
        AesGcm::boxed(key)
    }
}

#[derive(Debug)]
struct Suite13(Dtls13CipherSuite);

impl SupportedDtls13CipherSuite for Suite13 {
    fn suite(&self) -> Dtls13CipherSuite {
        self.0
    }

    fn hash_algorithm(&self) -> HashAlgorithm {
        match self.0 {
            Dtls13CipherSuite::AES_256_GCM_SHA384 => HashAlgorithm::SHA384,
            _ => HashAlgorithm::SHA256,
        }
    }

    fn key_len(&self) -> usize {
        match self.0 {
            Dtls13CipherSuite::AES_256_GCM_SHA384 => 32,
            _ => 16,
        }
    }

    fn iv_len(&self) -> usize {
        NONCE
    }

    fn tag_len(&self) -> usize {
        TAG
    }

    fn create_cipher(&self, key: &[u8]) -> Result<Box<dyn Cipher>, CryptoError> {
        AesGcm::boxed(key)
    }

    fn encrypt_sn(&self, key: &[u8], sample: &[u8; 16]) -> [u8; 16] {
        let mut block = (*sample).into();
        if let Some(key) = key.first_chunk::<32>() {
            Aes256Enc::new(key.into()).encrypt_block(&mut block);
        } else if let Some(key) = key.first_chunk::<16>() {
            Aes128Enc::new(key.into()).encrypt_block(&mut block);
        }
        block.into()
    }
}
