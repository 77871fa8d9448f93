//! The two kinds of transform: AES in counter mode with HMAC-SHA1, and AES-GCM.

use aes::cipher::{Block, BlockCipherEncrypt, KeyInit};
use aes::{Aes128Enc, Aes256Enc};
use ring::aead::{AES_128_GCM, AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::hmac;
use subtle::ConstantTimeEq;

use super::SrtpError;

/// Blocks that are encrypted side by side.
const BLOCKS: usize = 8;
/// Bytes of an AES block.
const BLOCK: usize = 16;
/// Bytes of the tag of AES-GCM.
const GCM_TAG: usize = 16;

/// AES as a pseudo-random function of blocks.
pub(super) enum BlockCipher {
    Aes128(Aes128Enc),
    Aes256(Box<Aes256Enc>),
}

impl BlockCipher {
    /// Keyed with 16 or 32 bytes.
    pub(super) fn new(key: &[u8]) -> Self {
        if let Some(key) = key.first_chunk::<32>() {
            return Self::Aes256(Box::new(Aes256Enc::new(key.into())));
        }
        let key = key.first_chunk::<16>().copied().unwrap_or_default();
        Self::Aes128(Aes128Enc::new(&key.into()))
    }

    /// Adds the key stream that begins at `counter` (RFC 3711 §4.1.1): the last 16 bits count.
    pub(super) fn apply(&self, counter: [u8; BLOCK], bytes: &mut [u8]) {
        let mut number = u128::from_be_bytes(counter);
        for part in bytes.chunks_mut(BLOCKS * BLOCK) {
            let mut stream = [[0_u8; BLOCK]; BLOCKS];
            let blocks = part.len().div_ceil(BLOCK).min(BLOCKS);
            let used = stream.get_mut(..blocks).unwrap_or_default();
            for block in &mut *used {
                *block = number.to_be_bytes();
                number = number.wrapping_add(1);
            }
            match self {
                Self::Aes128(aes) => {
                    aes.encrypt_blocks(Block::<Aes128Enc>::cast_slice_from_core_mut(used))
                }
                Self::Aes256(aes) => {
                    aes.encrypt_blocks(Block::<Aes256Enc>::cast_slice_from_core_mut(used))
                }
            }
            for (byte, key) in part.iter_mut().zip(used.iter().flatten()) {
                *byte ^= key;
            }
        }
    }
}

/// What seals and opens the packets of one kind.
pub(super) enum Transform {
    Counter { cipher: BlockCipher, salt: [u8; 14], auth: hmac::Key, tag: usize },
    Aead { key: Option<LessSafeKey>, salt: [u8; 12] },
}

/// What tells one packet's key stream from all others.
#[derive(Clone, Copy)]
pub(super) struct PacketNumber {
    pub(super) ssrc: u32,
    /// 48 bits of an RTP packet's index, or 31 of an RTCP packet's.
    pub(super) index: u64,
}

impl Transform {
    pub(super) fn counter(key: &[u8], salt: [u8; 14], auth: &[u8], tag: usize) -> Self {
        let auth = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, auth);
        Self::Counter { cipher: BlockCipher::new(key), salt, auth, tag }
    }

    pub(super) fn aead(key: &[u8], salt: &[u8; 14]) -> Self {
        let algorithm = if key.len() == 32 { &AES_256_GCM } else { &AES_128_GCM };
        let key = UnboundKey::new(algorithm, key).ok().map(LessSafeKey::new);
        Self::Aead { key, salt: salt.first_chunk().copied().unwrap_or_default() }
    }

    /// Bytes of its tag.
    pub(super) fn tag_bytes(&self) -> usize {
        match self {
            Self::Counter { tag, .. } => *tag,
            Self::Aead { .. } => GCM_TAG,
        }
    }

    /// Bytes of the tag that follow the identifier of the key: that of AES-GCM is a part of what is
    /// encrypted, and stands before it (RFC 7714 §8.2, §9.2).
    pub(super) fn tag_behind_mki(&self) -> usize {
        match self {
            Self::Counter { tag, .. } => *tag,
            Self::Aead { .. } => 0,
        }
    }

    /// Whether its tag lies over what is encrypted, and not over the whole packet.
    pub(super) fn is_aead(&self) -> bool {
        matches!(self, Self::Aead { .. })
    }

    /// Encrypts, or decrypts, in counter mode.
    pub(super) fn crypt(&self, number: PacketNumber, bytes: &mut [u8]) {
        if let Self::Counter { cipher, salt, .. } = self {
            cipher.apply(counter_block(salt, number), bytes);
        }
    }

    /// The tag over a packet in pieces, in counter mode.
    pub(super) fn tag(&self, pieces: [&[u8]; 2]) -> [u8; 20] {
        let mut tag = [0; 20];
        if let Self::Counter { auth, .. } = self {
            let mut mac = hmac::Context::with_key(auth);
            pieces.iter().for_each(|piece| mac.update(piece));
            tag.copy_from_slice(mac.sign().as_ref());
        }
        tag
    }

    /// Whether `told` is the tag over a packet in pieces, in counter mode and in constant time.
    pub(super) fn is_tag(&self, pieces: [&[u8]; 2], told: &[u8]) -> bool {
        let tag = self.tag(pieces);
        tag.get(..told.len()).is_some_and(|tag| tag.ct_eq(told).into())
    }

    /// Encrypts in place; the tag is to be put behind.
    pub(super) fn seal(
        &self,
        nonce: [u8; 12],
        clear: &[u8],
        secret: &mut [u8],
    ) -> Result<[u8; GCM_TAG], SrtpError> {
        let Self::Aead { key: Some(key), .. } = self else { return Err(SrtpError::Malformed) };
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = key
            .seal_in_place_separate_tag(nonce, Aad::from(clear), secret)
            .map_err(|_| SrtpError::Malformed)?;
        let mut bytes = [0; GCM_TAG];
        bytes.copy_from_slice(tag.as_ref());
        Ok(bytes)
    }

    /// Decrypts in place what is followed by its tag.
    pub(super) fn open(
        &self,
        nonce: [u8; 12],
        clear: &[u8],
        secret_and_tag: &mut [u8],
    ) -> Result<(), SrtpError> {
        let Self::Aead { key: Some(key), .. } = self else { return Err(SrtpError::Forged) };
        let nonce = Nonce::assume_unique_for_key(nonce);
        key.open_in_place(nonce, Aad::from(clear), secret_and_tag)
            .map_err(|_| SrtpError::Forged)?;
        Ok(())
    }

    /// The nonce of an RTP packet (RFC 7714 §8.1).
    pub(super) fn rtp_nonce(&self, number: PacketNumber) -> [u8; 12] {
        let [_, _, r0, r1, r2, r3, s0, s1] = number.index.to_be_bytes();
        let [c0, c1, c2, c3] = number.ssrc.to_be_bytes();
        self.salted([0, 0, c0, c1, c2, c3, r0, r1, r2, r3, s0, s1])
    }

    /// The nonce of an RTCP packet (RFC 7714 §9.1).
    pub(super) fn rtcp_nonce(&self, number: PacketNumber) -> [u8; 12] {
        let [_, _, _, _, i0, i1, i2, i3] = number.index.to_be_bytes();
        let [c0, c1, c2, c3] = number.ssrc.to_be_bytes();
        self.salted([0, 0, c0, c1, c2, c3, 0, 0, i0, i1, i2, i3])
    }

    fn salted(&self, mut nonce: [u8; 12]) -> [u8; 12] {
        if let Self::Aead { salt, .. } = self {
            nonce.iter_mut().zip(salt).for_each(|(byte, salt)| *byte ^= salt);
        }
        nonce
    }
}

/// `(salt << 16) ^ (ssrc << 64) ^ (index << 16)` (RFC 3711 §4.1.1).
fn counter_block(salt: &[u8; 14], number: PacketNumber) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    block.iter_mut().zip(salt).for_each(|(byte, salt)| *byte = *salt);
    let number = (u128::from(number.ssrc) << 64) ^ (u128::from(number.index) << 16);
    (u128::from_be_bytes(block) ^ number).to_be_bytes()
}
