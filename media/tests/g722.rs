//! G.722 against other implementations, bit by bit: the sums below are those of ffmpeg 7 and of
//! libg722 (`pip install av G722`), which agree with each other, for the same signal.

use media::{Codec, Decoder, Encoder, OpusSettings, Rate};

/// Two seconds at 16 kHz: a triangle that sweeps, loud and soft by turns, and noise.
fn signal() -> Vec<i16> {
    let (mut seed, mut phase) = (1_u64, 0_u64);
    (0..32_000_u64)
        .map(|n| {
            seed = (seed * 1_103_515_245 + 12_345) & 0x7fff_ffff;
            let noise = ((seed >> 15) & 0xffff) as i64 - 32_768;
            phase = (phase + 200 + n / 4) & 0xffff;
            let triangle = (phase as i64 - 32_768).abs() * 2 - 32_768;
            let loud = [16, 2, 8, 0, 31, 1][(n / 1600 % 6) as usize];
            let mixed = (triangle * loud + (noise * (31 - loud)).div_euclid(4)).div_euclid(32);
            mixed.clamp(-32_768, 32_767) as i16
        })
        .collect()
}

/// FNV-1a.
fn sum(bytes: &[u8]) -> u64 {
    let step = |sum: u64, byte: &u8| (sum ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// Decodes in packets of 20 ms; the sum of the samples, lower byte first.
fn decoded_sum(codes: &[u8]) -> u64 {
    let mut decoder = Decoder::new(Codec::G722, Rate::Wide);
    let mut bytes = Vec::new();
    for payload in codes.chunks(160) {
        let mut out = [0; 320];
        assert_eq!(decoder.decode(payload, &mut out), 2 * payload.len());
        bytes.extend(out.iter().take(2 * payload.len()).flat_map(|sample| sample.to_le_bytes()));
    }
    sum(&bytes)
}

#[test]
fn codes_and_samples_are_those_of_ffmpeg_and_libg722_to_the_bit() {
    let mut encoder = Encoder::new(Codec::G722, Rate::Wide, OpusSettings::default());
    let mut codes = Vec::new();
    for tick in signal().chunks(320) {
        assert_eq!(encoder.encode(tick, &mut codes), 160);
    }
    assert_eq!(sum(&codes), 0xe7e3_f568_5578_cfbc);
    assert_eq!(decoded_sum(&codes), 0xc4ec_509b_0f3a_55ec);
}

#[test]
fn codes_that_no_encoder_makes_are_decoded_as_ffmpeg_does() {
    let codes: Vec<u8> = (0..8000_u64).map(|n| ((n * 2_654_435_761) >> 13) as u8).collect();
    assert_eq!(decoded_sum(&codes), 0x0e7d_51a8_5185_3f5b);
}
