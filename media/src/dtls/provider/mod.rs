//! The cryptography that DTLS needs, over the one stack we have: `ring`, and the `aes` that SRTP
//! uses. AES-GCM, X25519 and the NIST curves, ECDSA: what browsers speak; and RSA certificates of
//! others, which gateways show.

mod exchange;
mod record;
mod sign;

use dimpl::crypto::{
    Buf, CryptoProvider, HashAlgorithm, HashContext, HashProvider, HmacProvider, SecureRandom,
};
use dimpl::{CryptoError, CryptoOperation};
use ring::rand::SystemRandom;
use ring::{digest, hmac};

use super::DtlsRole;
use super::request::Transcript;

/// All of it, for the end with that part in the handshake: who waits for the other to begin asks
/// for its certificate.
pub(super) fn provider(role: DtlsRole) -> CryptoProvider {
    let (verifier, hashes): (&sign::Verifier, &Hashes) = match role {
        DtlsRole::Active => (&sign::Verifier(Transcript::AsItIs), &Hashes(Transcript::AsItIs)),
        DtlsRole::Passive => (&sign::Verifier(Transcript::Widened), &Hashes(Transcript::Widened)),
    };
    CryptoProvider {
        kx_groups: exchange::GROUPS,
        signature_verification: verifier,
        key_provider: &sign::Keys,
        secure_random: &Random,
        hash_provider: hashes,
        hmac_provider: &Macs,
        cipher_suites: record::SUITES_12,
        dtls13_cipher_suites: record::SUITES_13,
    }
}

/// What could not be done.
fn failed(operation: CryptoOperation) -> CryptoError {
    CryptoError::OperationFailed(operation)
}

#[derive(Debug)]
struct Random;

impl SecureRandom for Random {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), CryptoError> {
        let random = SystemRandom::new();
        ring::rand::SecureRandom::fill(&random, bytes)
            .map_err(|_| failed(CryptoOperation::FillRandom))
    }
}

/// What is hashed is the transcript, all of it at once.
#[derive(Debug)]
struct Hashes(Transcript);

impl HashProvider for Hashes {
    fn create_hash(&self, algorithm: HashAlgorithm) -> Box<dyn HashContext> {
        // Nothing but these two is ever asked for: they are those of our suites.
        let algorithm = match algorithm {
            HashAlgorithm::SHA384 => &digest::SHA384,
            _ => &digest::SHA256,
        };
        Box::new(Hash { sum: digest::Context::new(algorithm), transcript: self.0 })
    }
}

struct Hash {
    sum: digest::Context,
    transcript: Transcript,
}

impl std::fmt::Debug for Hash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hash")
    }
}

impl HashContext for Hash {
    fn update(&mut self, bytes: &[u8]) {
        self.sum.update(&self.transcript.read(bytes));
    }

    fn clone_and_finalize(&self, out: &mut Buf) {
        out.clear();
        out.extend_from_slice(self.sum.clone().finish().as_ref());
    }
}

#[derive(Debug)]
struct Macs;

impl HmacProvider for Macs {
    fn hmac(
        &self,
        hash: HashAlgorithm,
        key: &[u8],
        bytes: &[u8],
        out: &mut [u8],
    ) -> Result<usize, CryptoError> {
        let algorithm = match hash {
            HashAlgorithm::SHA256 => hmac::HMAC_SHA256,
            HashAlgorithm::SHA384 => hmac::HMAC_SHA384,
            other => return Err(CryptoError::UnsupportedHmacHash(other)),
        };
        let tag = hmac::sign(&hmac::Key::new(algorithm, key), bytes);
        let tag = tag.as_ref();
        let into = out.get_mut(..tag.len()).ok_or(failed(CryptoOperation::ComputeHmac))?;
        into.copy_from_slice(tag);
        Ok(tag.len())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    #[test]
    fn it_does_what_the_test_vectors_of_dtls_ask_for() {
        for role in [DtlsRole::Active, DtlsRole::Passive] {
            provider(role).validate().unwrap();
        }
    }
}
