//! Profiles, master keys, and the keys derived from them (RFC 3711 §4.3, RFC 6188 §2, RFC 7714 §11).

use std::fmt;

use super::cipher::{BlockCipher, Transform};
use super::{Lifetime, MasterKeys, Mki};

/// Bytes of the longest master key with its salt: AES-256 in counter mode.
pub const MASTER_BYTES: usize = 46;

/// How packets are encrypted and authenticated.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Profile {
    /// AES-128 in counter mode, HMAC-SHA1 of 80 bits (RFC 4568 §6.2.1).
    AesCm128HmacSha1_80,
    /// The same with 32 bits for RTP; RTCP keeps 80 (RFC 4568 §6.2.2).
    AesCm128HmacSha1_32,
    /// AES-256 in counter mode, HMAC-SHA1 of 80 bits (RFC 6188 §3.1).
    AesCm256HmacSha1_80,
    /// The same with 32 bits for RTP (RFC 6188 §3.1).
    AesCm256HmacSha1_32,
    /// AES-128-GCM with a tag of 128 bits (RFC 7714 §12).
    AeadAes128Gcm,
    /// AES-256-GCM with a tag of 128 bits (RFC 7714 §12).
    AeadAes256Gcm,
}

impl Profile {
    /// All of them, the one to prefer first: strongest tag, then least work.
    pub const ALL: [Self; 6] = [
        Self::AeadAes256Gcm,
        Self::AeadAes128Gcm,
        Self::AesCm256HmacSha1_80,
        Self::AesCm128HmacSha1_80,
        Self::AesCm256HmacSha1_32,
        Self::AesCm128HmacSha1_32,
    ];

    /// The crypto-suite's name in SDP (RFC 4568 §10.3.2.1, RFC 6188 §6.2, RFC 7714 §14.2).
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AesCm128HmacSha1_80 => "AES_CM_128_HMAC_SHA1_80",
            Self::AesCm128HmacSha1_32 => "AES_CM_128_HMAC_SHA1_32",
            Self::AesCm256HmacSha1_80 => "AES_256_CM_HMAC_SHA1_80",
            Self::AesCm256HmacSha1_32 => "AES_256_CM_HMAC_SHA1_32",
            Self::AeadAes128Gcm => "AEAD_AES_128_GCM",
            Self::AeadAes256Gcm => "AEAD_AES_256_GCM",
        }
    }

    /// The profile of a crypto-suite's name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|profile| profile.name().eq_ignore_ascii_case(name))
    }

    /// Bytes of the master key, without its salt.
    #[must_use]
    pub const fn key_bytes(self) -> usize {
        match self {
            Self::AesCm128HmacSha1_80 | Self::AesCm128HmacSha1_32 | Self::AeadAes128Gcm => 16,
            Self::AesCm256HmacSha1_80 | Self::AesCm256HmacSha1_32 | Self::AeadAes256Gcm => 32,
        }
    }

    /// Bytes of the master salt.
    #[must_use]
    pub const fn salt_bytes(self) -> usize {
        if self.is_aead() { 12 } else { 14 }
    }

    /// Whether encryption authenticates as well.
    pub(super) const fn is_aead(self) -> bool {
        matches!(self, Self::AeadAes128Gcm | Self::AeadAes256Gcm)
    }

    /// Bytes of the tag of an RTP packet.
    pub(super) const fn rtp_tag(self) -> usize {
        match self {
            Self::AesCm128HmacSha1_32 | Self::AesCm256HmacSha1_32 => 4,
            Self::AesCm128HmacSha1_80 | Self::AesCm256HmacSha1_80 => 10,
            Self::AeadAes128Gcm | Self::AeadAes256Gcm => 16,
        }
    }

    /// Bytes of the tag of an RTCP packet: the short tags are for RTP alone.
    pub(super) const fn rtcp_tag(self) -> usize {
        if self.is_aead() { 16 } else { 10 }
    }
}

/// A master key, its salt, how packets name it and how many there may be of them: what two ends
/// agreed on, for one direction.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct MasterKey {
    profile: Profile,
    bytes: [u8; MASTER_BYTES],
    mki: Option<Mki>,
    lifetime: Option<Lifetime>,
}

impl MasterKey {
    /// The key followed by the salt, as SDES writes them. `None` when the length is not the
    /// profile's.
    #[must_use]
    pub fn new(profile: Profile, key_and_salt: &[u8]) -> Option<Self> {
        if key_and_salt.len() != profile.key_bytes() + profile.salt_bytes() {
            return None;
        }
        let mut bytes = [0; MASTER_BYTES];
        bytes.get_mut(..key_and_salt.len())?.copy_from_slice(key_and_salt);
        Some(Self { profile, bytes, mki: None, lifetime: None })
    }

    /// The same key, which each packet names by `mki` (RFC 3711 §3.1); by nothing with `None`.
    #[must_use]
    pub fn with_mki(self, mki: Option<Mki>) -> Self {
        Self { mki, ..self }
    }

    /// How packets name it, if they do.
    #[must_use]
    pub fn mki(&self) -> Option<Mki> {
        self.mki
    }

    /// The same key, for so many packets; for as many as any key may seal with `None`.
    #[must_use]
    pub fn with_lifetime(self, lifetime: Option<Lifetime>) -> Self {
        Self { lifetime, ..self }
    }

    /// For how many packets it is, if that was said.
    #[must_use]
    pub fn lifetime(&self) -> Option<Lifetime> {
        self.lifetime
    }

    /// Whether it is the same key under the same name, for however many packets.
    pub(super) fn is(&self, other: &Self) -> bool {
        Self { lifetime: other.lifetime, ..*self } == *other
    }

    /// What it is for.
    #[must_use]
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// The key followed by the salt.
    #[must_use]
    pub fn key_and_salt(&self) -> &[u8] {
        let length = self.profile.key_bytes() + self.profile.salt_bytes();
        self.bytes.get(..length).unwrap_or_default()
    }

    /// What RTP packets are sealed and opened with.
    pub(super) fn rtp(&self) -> Transform {
        self.transform([0, 1, 2], self.profile.rtp_tag())
    }

    /// What RTCP packets are sealed and opened with.
    pub(super) fn rtcp(&self) -> Transform {
        self.transform([3, 4, 5], self.profile.rtcp_tag())
    }

    /// The keys for encryption, authentication and salting, by their labels (RFC 3711 §4.3.2).
    fn transform(&self, [encryption, authentication, salting]: [u8; 3], tag: usize) -> Transform {
        let (mut key, mut auth, mut salt) = ([0; 32], [0; 20], [0; 14]);
        let key = key.get_mut(..self.profile.key_bytes()).unwrap_or_default();
        self.derive(encryption, key);
        self.derive(salting, salt.get_mut(..self.profile.salt_bytes()).unwrap_or_default());
        if self.profile.is_aead() {
            return Transform::aead(key, &salt);
        }
        self.derive(authentication, &mut auth);
        Transform::counter(key, salt, &auth, tag)
    }

    /// AES in counter mode over nothing, keyed by the master key; a key is derived once and for
    /// all (a key derivation rate of 0, as everybody has it).
    fn derive(&self, label: u8, into: &mut [u8]) {
        let (key, salt) = self.key_and_salt().split_at(self.profile.key_bytes());
        // The label meets the byte before the 48 bits of the index; salts of 12 bytes are padded
        // behind (RFC 7714 §11).
        let mut counter = [0; 16];
        for (to, from) in counter.iter_mut().zip(salt) {
            *to = *from;
        }
        if let Some(byte) = counter.get_mut(7) {
            *byte ^= label;
        }
        BlockCipher::new(key).apply(counter, into);
    }
}

/// What two ends agreed on, for each direction.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SrtpKeys {
    /// Of what we send.
    pub ours: MasterKey,
    /// Of what the far end sends: any of them, at any time.
    pub theirs: MasterKeys,
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({})", self.profile.name())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn bytes(hex: &str) -> Vec<u8> {
        let digits: Vec<char> = hex.chars().filter(char::is_ascii_hexdigit).collect();
        digits
            .chunks(2)
            .map(|pair| u8::from_str_radix(&pair.iter().collect::<String>(), 16).unwrap())
            .collect()
    }

    fn derived(key: &MasterKey, label: u8, length: usize) -> Vec<u8> {
        let mut into = vec![0; length];
        key.derive(label, &mut into);
        into
    }

    #[test]
    fn keys_are_derived_as_rfc_3711_b_3_says() {
        let master = bytes("E1F97A0D3E018BE0D64FA32C06DE4139 0EC675AD498AFEEBB6960B3AABE6");
        let key = MasterKey::new(Profile::AesCm128HmacSha1_80, &master).unwrap();
        assert_eq!(derived(&key, 0, 16), bytes("C61E7A93744F39EE10734AFE3FF7A087"));
        assert_eq!(derived(&key, 2, 14), bytes("30CBBC08863D8C85D49DB34A9AE1"));
        let auth = "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA4";
        assert_eq!(derived(&key, 1, 20), bytes(auth));
    }

    #[test]
    fn keys_of_256_bits_are_derived_as_rfc_6188_7_4_says() {
        let master = bytes(
            "f0f04914b513f2763a1b1fa130f10e2998f6f6e43e4309d1e622a0e332b9f1b6
             3b04803de51ee7c96423ab5b78d2",
        );
        let key = MasterKey::new(Profile::AesCm256HmacSha1_80, &master).unwrap();
        let cipher = "5ba1064e30ec51613cad926c5a28ef731ec7fb397f70a960653caf06554cd8c4";
        assert_eq!(derived(&key, 0, 32), bytes(cipher));
        assert_eq!(derived(&key, 2, 14), bytes("fa31791685ca444a9e07c6c64e93"));
        assert_eq!(derived(&key, 1, 20), bytes("fd9c32d39ed5fbb5a9dc96b30818454d1313dc05"));
    }

    #[test]
    fn a_key_of_another_length_is_none_and_none_is_ever_printed() {
        assert_eq!(MasterKey::new(Profile::AeadAes128Gcm, &[7; 30]), None);
        let key = MasterKey::new(Profile::AeadAes128Gcm, &[7; 28]).unwrap();
        assert_eq!(format!("{key:?}"), "MasterKey(AEAD_AES_128_GCM)");
        assert_eq!(Profile::from_name("aead_aes_128_gcm"), Some(Profile::AeadAes128Gcm));
    }
}
