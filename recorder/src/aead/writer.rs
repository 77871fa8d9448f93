//! The writing end of a stream: plaintext in pieces of any size, whole ciphertext segments out.

use ring::aead::Aad;

use super::{AeadError, HEADER_BYTES, Header, Segments, TAG_BYTES, check_segment_size};
use crate::keys::DataKey;

/// Encrypts one stream as its plaintext comes.
///
/// It holds back at most one segment of plaintext, because only the next byte or the end tells
/// whether a full segment is the last. Bytes once handed out are never made again: each segment
/// index is sealed once, and [`Writer::finish`] takes the writer away.
pub struct Writer {
    segments: Segments,
    segment_bytes: usize,
    /// Plaintext that waits for its segment to fill.
    pending: Vec<u8>,
    index: u32,
}

impl Writer {
    /// Begins a stream and puts its header into `out`. `associated` must be given again, the same,
    /// to read; `header` must be fresh randomness.
    ///
    /// # Errors
    /// When the segment size is out of bounds.
    pub fn new(
        key: &DataKey,
        associated: &[u8],
        segment_bytes: u32,
        header: Header,
        out: &mut Vec<u8>,
    ) -> Result<Self, AeadError> {
        let segment_bytes = check_segment_size(segment_bytes)?;
        let segments = Segments::derive(key, associated, &header)?;
        out.extend_from_slice(&header.to_bytes());
        Ok(Self { segments, segment_bytes, pending: Vec::with_capacity(segment_bytes), index: 0 })
    }

    /// Takes plaintext; puts the segments that it fills into `out`.
    ///
    /// # Errors
    /// When the stream would exceed 2^32 segments.
    pub fn write(&mut self, mut plain: &[u8], out: &mut Vec<u8>) -> Result<(), AeadError> {
        while !plain.is_empty() {
            let room = self.room();
            if room == 0 {
                self.seal(false, out)?;
                continue;
            }
            let (now, later) = plain.split_at(room.min(plain.len()));
            self.pending.extend_from_slice(now);
            plain = later;
        }
        Ok(())
    }

    /// Ends the stream with its last segment.
    ///
    /// # Errors
    /// When the stream would exceed 2^32 segments.
    pub fn finish(mut self, out: &mut Vec<u8>) -> Result<(), AeadError> {
        self.seal(true, out)
    }

    /// Plaintext bytes that the segment being filled still takes.
    fn room(&self) -> usize {
        let header = if self.index == 0 { HEADER_BYTES } else { 0 };
        (self.segment_bytes - header - TAG_BYTES).saturating_sub(self.pending.len())
    }

    fn seal(&mut self, last: bool, out: &mut Vec<u8>) -> Result<(), AeadError> {
        let nonce = self.segments.nonce(self.index, last);
        let tag = self
            .segments
            .key
            .seal_in_place_separate_tag(nonce, Aad::empty(), &mut self.pending)
            .map_err(|_| AeadError::TooLong)?;
        out.extend_from_slice(&self.pending);
        out.extend_from_slice(tag.as_ref());
        self.pending.clear();
        // The largest index is left unused, so that it can never wrap to one that was used.
        self.index = self.index.checked_add(1).ok_or(AeadError::TooLong)?;
        Ok(())
    }
}
