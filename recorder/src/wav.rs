//! The WAV header (RIFF, PCM) of a recording: 44 bytes before 16-bit stereo samples at 8 kHz.
//!
//! A stream's header stands before its length is known, so it carries the largest length, as
//! streaming writers do; whoever reads the recording puts the true length in its place.

use crate::timeline::RATE;

/// Bytes of the header.
pub const HEADER_BYTES: usize = 44;
/// Bytes of one sample of both channels.
pub const FRAME_BYTES: u64 = 4;

/// The header for `samples` bytes of audio; `None` while they are not known.
#[must_use]
pub fn header(samples: Option<u64>) -> [u8; HEADER_BYTES] {
    let rate = u32::try_from(RATE).unwrap_or(8000);
    let body = samples.and_then(|bytes| u32::try_from(bytes).ok()).unwrap_or(u32::MAX);
    let mut header = [0; HEADER_BYTES];
    let mut at = 0;
    let mut put = |bytes: &[u8]| {
        header[at..at + bytes.len()].copy_from_slice(bytes);
        at += bytes.len();
    };
    put(b"RIFF");
    put(&body.saturating_add(36).to_le_bytes());
    put(b"WAVEfmt ");
    put(&16_u32.to_le_bytes());
    put(&1_u16.to_le_bytes()); // PCM
    put(&2_u16.to_le_bytes()); // channels
    put(&rate.to_le_bytes());
    put(&(rate * 4).to_le_bytes()); // bytes a second
    put(&4_u16.to_le_bytes()); // bytes a frame
    put(&16_u16.to_le_bytes()); // bits a sample
    put(b"data");
    put(&body.to_le_bytes());
    header
}

/// Puts the true header over a plaintext piece that begins `offset` bytes into a recording of
/// `total` plaintext bytes.
pub fn correct(piece: &mut [u8], offset: u64, total: u64) {
    let Ok(offset) = usize::try_from(offset) else { return };
    let audio = total.saturating_sub(HEADER_BYTES as u64);
    let header = header(Some(audio - audio % FRAME_BYTES));
    for (byte, right) in piece.iter_mut().zip(header.iter().skip(offset)) {
        *byte = *right;
    }
}

/// Milliseconds of audio in a recording of `total` plaintext bytes.
#[must_use]
pub fn duration_ms(total: u64) -> u64 {
    total.saturating_sub(HEADER_BYTES as u64) / FRAME_BYTES * 1000 / RATE
}
