//! The reading end of a stream: any range of its plaintext from the segments that hold it.

use std::ops::Range;

use ring::aead::Aad;

use super::{AeadError, HEADER_BYTES, Header, Segments, TAG_BYTES, check_segment_size};
use crate::keys::DataKey;

const HEADER: u64 = HEADER_BYTES as u64;
const TAG: u64 = TAG_BYTES as u64;

/// Where the segments of a whole stream lie, known from its length alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Layout {
    segment: u64,
    total: u64,
    count: u32,
}

impl Layout {
    /// The layout of a stream of `total` ciphertext bytes, header included.
    ///
    /// # Errors
    /// When no whole stream has that length, or the segment size is out of bounds.
    pub fn new(segment_bytes: u32, total: u64) -> Result<Self, AeadError> {
        let segment = check_segment_size(segment_bytes)? as u64;
        let count = u32::try_from(total.div_ceil(segment)).map_err(|_| AeadError::TooLong)?;
        let layout = Self { segment, total, count };
        let whole = match count {
            0 => false,
            1 => total >= HEADER + TAG,
            _ => total - u64::from(count - 1) * segment > TAG,
        };
        if whole { Ok(layout) } else { Err(AeadError::Length(total)) }
    }

    /// Bytes of plaintext in the stream.
    #[must_use]
    pub fn plaintext_bytes(&self) -> u64 {
        self.total - HEADER - u64::from(self.count) * TAG
    }

    /// Number of segments, at least one.
    #[must_use]
    pub fn segments(&self) -> u32 {
        self.count
    }

    /// Where segment `index` lies in the stream.
    #[must_use]
    pub fn ciphertext(&self, index: u32) -> Range<u64> {
        let start = if index == 0 { HEADER } else { u64::from(index) * self.segment };
        start..((u64::from(index) + 1) * self.segment).min(self.total)
    }

    /// Where the plaintext of segment `index` begins.
    #[must_use]
    pub fn plaintext_start(&self, index: u32) -> u64 {
        (u64::from(index) * (self.segment - TAG)).saturating_sub(if index == 0 {
            0
        } else {
            HEADER
        })
    }

    /// The segments that hold plaintext range `range` (cut to the stream's end).
    #[must_use]
    pub fn segments_of(&self, range: &Range<u64>) -> Range<u32> {
        let end = range.end.min(self.plaintext_bytes());
        if range.start >= end {
            return 0..0;
        }
        self.segment_at(range.start)..self.segment_at(end - 1) + 1
    }

    fn segment_at(&self, plain: u64) -> u32 {
        u32::try_from((plain + HEADER) / (self.segment - TAG)).unwrap_or(u32::MAX)
    }
}

/// Opens the segments of one stream, in any order.
pub struct Reader {
    segments: Segments,
}

impl Reader {
    /// For the stream that begins with `header`.
    ///
    /// # Errors
    /// When the header is not this format's.
    pub fn new(key: &DataKey, associated: &[u8], header: &[u8]) -> Result<Self, AeadError> {
        let header = Header::parse(header)?;
        Ok(Self { segments: Segments::derive(key, associated, &header)? })
    }

    /// Decrypts segment `index` in place; `last` must be true for the stream's last one.
    ///
    /// # Errors
    /// [`AeadError::Segment`] when it does not authenticate.
    pub fn open<'a>(
        &self,
        index: u32,
        last: bool,
        segment: &'a mut [u8],
    ) -> Result<&'a mut [u8], AeadError> {
        let nonce = self.segments.nonce(index, last);
        self.segments
            .key
            .open_in_place(nonce, Aad::empty(), segment)
            .map_err(|_| AeadError::Segment(index))
    }

    /// The plaintext `range`, given the ciphertext of exactly the segments that
    /// [`Layout::segments_of`] names, which lie next to each other in the stream.
    ///
    /// # Errors
    /// When a segment does not authenticate or `ciphertext` has another length.
    pub fn read(
        &self,
        layout: &Layout,
        range: &Range<u64>,
        ciphertext: &mut [u8],
    ) -> Result<Vec<u8>, AeadError> {
        let wanted = layout.segments_of(range);
        let mut plain = Vec::with_capacity(ciphertext.len());
        let mut rest = ciphertext;
        for index in wanted.clone() {
            let place = layout.ciphertext(index);
            let length = usize::try_from(place.end - place.start).unwrap_or(usize::MAX);
            if rest.len() < length {
                return Err(AeadError::Segment(index));
            }
            let (segment, after) = rest.split_at_mut(length);
            plain.extend_from_slice(self.open(index, index + 1 == layout.segments(), segment)?);
            rest = after;
        }
        let first = layout.plaintext_start(wanted.start);
        let skip = usize::try_from(range.start.saturating_sub(first)).unwrap_or(usize::MAX);
        plain.drain(..skip.min(plain.len()));
        let length = range.end.min(layout.plaintext_bytes()).saturating_sub(range.start);
        plain.truncate(usize::try_from(length).unwrap_or(usize::MAX));
        Ok(plain)
    }
}
