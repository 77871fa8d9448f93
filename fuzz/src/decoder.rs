//! What must hold of `media::Decoder` whatever payloads come in, as reception and the recorder use
//! it: no panic, no more samples than there is room for, none of what cannot be read, and after a
//! reset the same as from the beginning.

use base::Rng;
use media::pcm::MAX_PER_PACKET;
use media::{Codec, Decoder, Encoder, OpusSettings, Rate};

const RATES: [Rate; 3] = [Rate::Narrow, Rate::Wide, Rate::Full];

/// The first byte says codec and rate; then for each handful of bytes a payload, as it stands or
/// as a spoilt one of our own encoder's, and what is done with it.
pub fn decoder(data: &[u8]) {
    let Some((first, mut rest)) = data.split_first() else { return };
    let codec = Codec::ALL[usize::from(*first) % Codec::ALL.len()];
    let rate = RATES[usize::from(first >> 4) % RATES.len()];
    let mut decoder = Decoder::new(codec, rate);
    let mut encoder = None;
    let mut out = vec![0; MAX_PER_PACKET];
    let mut payloads = Vec::new();
    while let Some(([what, length], after)) = rest.split_first_chunk::<2>() {
        let bytes = usize::from(*length).min(after.len());
        let (own, left) = after.split_at(bytes);
        rest = left;
        let payload = match what & 1 {
            0 => own.to_vec(),
            _ => {
                let new = || Encoder::new(codec, rate, OpusSettings::default());
                spoilt(encoder.get_or_insert_with(new), rate, own)
            }
        };
        match what >> 1 & 3 {
            0 => {
                let lost = rate.per_tick() * (1 + usize::from(what >> 5));
                let written = decoder.recover(&payload, &mut out[..lost.min(MAX_PER_PACKET)]);
                assert!(written <= lost);
            }
            1 => _ = decoder.conceal(&mut out[..rate.per_tick()]),
            2 => {
                // Where there is too little room nothing is written.
                let room = usize::from(what >> 3);
                assert!(decoder.decode(&payload, &mut out[..room]) <= room);
            }
            _ => {}
        }
        let written = decoder.decode(&payload, &mut out);
        assert!(written <= MAX_PER_PACKET);
        assert!(codec.ticks(&payload) > 0 || written == 0, "samples of no time");
        payloads.push(payload);
    }
    begins_anew(decoder, codec, rate, &payloads);
}

/// A frame of ours with some of its bytes changed.
fn spoilt(encoder: &mut Encoder, rate: Rate, changes: &[u8]) -> Vec<u8> {
    let mut rng = Rng::from_seed(changes.len() as u64);
    let loud = 1 + rng.below(8_000);
    let pcm: Vec<i16> = (0..rate.per_tick())
        .map(|_| i16::try_from(rng.below(2 * loud)).unwrap_or(0) - i16::try_from(loud).unwrap_or(0))
        .collect();
    let mut payload = Vec::with_capacity(1_500);
    encoder.encode(&pcm, &mut payload);
    for change in changes.chunks_exact(2) {
        let at = usize::from(change[0]) % payload.len().max(1);
        if let Some(byte) = payload.get_mut(at) {
            *byte ^= change[1];
        }
    }
    payload
}

fn begins_anew(mut used: Decoder, codec: Codec, rate: Rate, payloads: &[Vec<u8>]) {
    used.reset();
    let mut new = Decoder::new(codec, rate);
    let (mut one, mut other) = (vec![0; MAX_PER_PACKET], vec![0; MAX_PER_PACKET]);
    for payload in payloads.iter().take(8) {
        let (of_used, of_new) = (used.decode(payload, &mut one), new.decode(payload, &mut other));
        assert_eq!(one[..of_used], other[..of_new], "it remembers what was before the reset");
    }
}
