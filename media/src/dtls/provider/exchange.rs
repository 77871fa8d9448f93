//! Agreeing on a secret (RFC 8446 §4.2.8): X25519 and the NIST curves, the cheapest first.

use dimpl::crypto::{ActiveKeyExchange, Buf, NamedGroup, SupportedKxGroup};
use dimpl::{CryptoError, CryptoOperation};
use ring::agreement::{
    Algorithm, ECDH_P256, ECDH_P384, EphemeralPrivateKey, UnparsedPublicKey, X25519,
    agree_ephemeral,
};
use ring::rand::SystemRandom;

use super::failed;

/// In the order of our preference.
pub(super) static GROUPS: &[&dyn SupportedKxGroup] = &[
    &Group { name: NamedGroup::X25519, algorithm: &X25519 },
    &Group { name: NamedGroup::Secp256r1, algorithm: &ECDH_P256 },
    &Group { name: NamedGroup::Secp384r1, algorithm: &ECDH_P384 },
];

#[derive(Debug)]
struct Group {
    name: NamedGroup,
    algorithm: &'static Algorithm,
}

impl SupportedKxGroup for Group {
    fn name(&self) -> NamedGroup {
        self.name
    }

    fn start_exchange(&self, mut public: Buf) -> Result<Box<dyn ActiveKeyExchange>, CryptoError> {
        let secret = EphemeralPrivateKey::generate(self.algorithm, &SystemRandom::new())
            .map_err(|_| failed(CryptoOperation::GenerateEphemeralKey))?;
        let key =
            secret.compute_public_key().map_err(|_| failed(CryptoOperation::ComputePublicKey))?;
        public.clear();
        public.extend_from_slice(key.as_ref());
        Ok(Box::new(Exchange { name: self.name, algorithm: self.algorithm, secret, public }))
    }
}

/// Our half.
#[derive(Debug)]
struct Exchange {
    name: NamedGroup,
    algorithm: &'static Algorithm,
    secret: EphemeralPrivateKey,
    public: Buf,
}

impl ActiveKeyExchange for Exchange {
    fn pub_key(&self) -> &[u8] {
        &self.public
    }

    fn complete(self: Box<Self>, theirs: &[u8], out: &mut Buf) -> Result<(), CryptoError> {
        let theirs = UnparsedPublicKey::new(self.algorithm, theirs);
        agree_ephemeral(self.secret, &theirs, |shared| {
            out.clear();
            out.extend_from_slice(shared);
        })
        .map_err(|_| failed(CryptoOperation::CompleteKeyExchange))
    }

    fn group(&self) -> NamedGroup {
        self.name
    }
}
