//! The 44-byte head of a PCM WAV stream (RIFF, 16 bits a sample).

/// The head for `bytes` of 16-bit PCM in `channels` interleaved channels at `rate` Hz. Give
/// `u32::MAX` while the length is not known yet: readers then read to the end.
#[must_use]
pub fn header(channels: u16, rate: u32, bytes: u32) -> [u8; 44] {
    let frame = channels.saturating_mul(2);
    let mut head = [0; 44];
    let mut fill = |at: usize, part: &[u8]| {
        for (to, from) in head.iter_mut().skip(at).zip(part) {
            *to = *from;
        }
    };
    fill(0, b"RIFF");
    fill(4, &bytes.saturating_add(36).to_le_bytes());
    fill(8, b"WAVEfmt ");
    fill(16, &16_u32.to_le_bytes());
    fill(20, &1_u16.to_le_bytes());
    fill(22, &channels.to_le_bytes());
    fill(24, &rate.to_le_bytes());
    fill(28, &rate.saturating_mul(u32::from(frame)).to_le_bytes());
    fill(32, &frame.to_le_bytes());
    fill(34, &16_u16.to_le_bytes());
    fill(36, b"data");
    fill(40, &bytes.to_le_bytes());
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_understands_the_head() {
        let mut file = header(2, 8000, 8).to_vec();
        file.extend_from_slice(&[1, 0, 2, 0, 3, 0, 4, 0]);
        let reader = hound::WavReader::new(file.as_slice()).unwrap();
        assert_eq!((reader.spec().channels, reader.spec().sample_rate), (2, 8000));
        let samples: Vec<i16> = reader.into_samples().map(Result::unwrap).collect();
        assert_eq!(samples, [1, 2, 3, 4]);
    }
}
