//! Streaming authenticated encryption in the wire format of Tink's `AesGcmHkdfStreaming`
//! (AES256-GCM, HKDF-SHA256), so that independent readers open what this one wrote.
//!
//! Wire format (developers.google.com/tink/wire-format, "Streaming AEAD"):
//!
//! ```text
//! header    1 byte: the header's length (40) | 32 bytes salt | 7 bytes nonce prefix
//! segment 0 ciphertext of segment_size - 40 - 16 bytes of plaintext | 16 bytes tag
//! segment i ciphertext of segment_size - 16 bytes of plaintext      | 16 bytes tag
//! last      the same, shorter or as long; never empty unless the whole plaintext is
//! ```
//!
//! The AES key is HKDF-SHA256 (RFC 5869) of the data key with that salt and the associated data as
//! its info. A segment's nonce is the prefix, its big-endian 32-bit index and one byte that is 1 on
//! the last segment alone: a segment that was moved, or a stream that was cut at a segment's end,
//! does not authenticate.

mod reader;
mod writer;

use ring::aead::{AES_256_GCM, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf;

pub use reader::{Layout, Reader};
pub use writer::Writer;

use crate::keys::DataKey;

/// Bytes of one ciphertext segment as this engine writes them: 127.5 ms of two channels, so that
/// little audio waits in memory for its segment to fill.
pub const SEGMENT_BYTES: u32 = 4096;
/// Bytes of the stream's header.
pub const HEADER_BYTES: usize = 1 + SALT_BYTES + PREFIX_BYTES;
/// Bytes that each segment is longer than its plaintext.
pub const TAG_BYTES: usize = 16;

const SALT_BYTES: usize = 32;
const PREFIX_BYTES: usize = 7;

/// Why a stream could not be written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AeadError {
    /// The first bytes are not this format's header.
    #[error("not a Tink AES256-GCM-HKDF stream: {0}")]
    Header(&'static str),
    /// A segment does not authenticate: wrong key or associated data, or it was changed, moved or
    /// cut.
    #[error("segment {0} does not authenticate: wrong key, or it was changed, moved or cut")]
    Segment(u32),
    /// The stream's length cannot be that of a whole stream.
    #[error("a stream of {0} bytes cannot be whole")]
    Length(u64),
    /// More than 2^32 segments.
    #[error("the stream is too long for its segment counter")]
    TooLong,
    /// The segment size is outside 128 bytes to 16 MiB.
    #[error("segment size {0} is outside 128 bytes to 16 MiB")]
    SegmentSize(u32),
}

/// The random part of a stream's header. Never used for two streams under one data key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Header {
    salt: [u8; SALT_BYTES],
    prefix: [u8; PREFIX_BYTES],
}

impl Header {
    /// From 39 bytes of the operating system's randomness.
    #[must_use]
    pub fn from_random(random: [u8; SALT_BYTES + PREFIX_BYTES]) -> Self {
        let mut header = Self { salt: [0; SALT_BYTES], prefix: [0; PREFIX_BYTES] };
        header.salt.copy_from_slice(&random[..SALT_BYTES]);
        header.prefix.copy_from_slice(&random[SALT_BYTES..]);
        header
    }

    /// Reads the stream's first [`HEADER_BYTES`].
    ///
    /// # Errors
    /// When they are too few, or their length byte is not 40.
    pub fn parse(bytes: &[u8]) -> Result<Self, AeadError> {
        let Some(bytes) = bytes.get(..HEADER_BYTES) else {
            return Err(AeadError::Header("shorter than its header"));
        };
        if usize::from(bytes[0]) != HEADER_BYTES {
            return Err(AeadError::Header("its length byte is not 40"));
        }
        let mut random = [0; SALT_BYTES + PREFIX_BYTES];
        random.copy_from_slice(&bytes[1..]);
        Ok(Self::from_random(random))
    }

    /// The header as it stands in the stream.
    #[must_use]
    pub fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[0] = 40;
        bytes[1..=SALT_BYTES].copy_from_slice(&self.salt);
        bytes[1 + SALT_BYTES..].copy_from_slice(&self.prefix);
        bytes
    }
}

/// One stream's derived key and nonces.
struct Segments {
    key: LessSafeKey,
    prefix: [u8; PREFIX_BYTES],
}

impl Segments {
    fn derive(data_key: &DataKey, associated: &[u8], header: &Header) -> Result<Self, AeadError> {
        let extracted =
            hkdf::Salt::new(hkdf::HKDF_SHA256, &header.salt).extract(data_key.as_bytes());
        let info = [associated];
        let derived = extracted.expand(&info, &AES_256_GCM).map_err(|_| AeadError::TooLong)?;
        Ok(Self { key: LessSafeKey::new(UnboundKey::from(derived)), prefix: header.prefix })
    }

    fn nonce(&self, index: u32, last: bool) -> Nonce {
        let mut nonce = [0; 12];
        nonce[..PREFIX_BYTES].copy_from_slice(&self.prefix);
        nonce[PREFIX_BYTES..11].copy_from_slice(&index.to_be_bytes());
        nonce[11] = u8::from(last);
        Nonce::assume_unique_for_key(nonce)
    }
}

fn check_segment_size(bytes: u32) -> Result<usize, AeadError> {
    if (128..=16 << 20).contains(&bytes) {
        Ok(bytes as usize)
    } else {
        Err(AeadError::SegmentSize(bytes))
    }
}
