//! The streaming encryption: every way of writing reads back, every way of tampering fails.

use base::{RecordingId, TenantId};
use proptest::prelude::*;
use recorder::aead::{AeadError, HEADER_BYTES, Header, Layout, Reader, Writer};
use recorder::keys::{DataKey, stream_binding};

const SEGMENT: u32 = 128;

fn seal(key: u8, binding: &[u8], salt: u8, pieces: &[&[u8]]) -> Vec<u8> {
    let mut out = Vec::new();
    let (key, header) = (DataKey::from_bytes([key; 32]), Header::from_random([salt; 39]));
    let mut writer = Writer::new(&key, binding, SEGMENT, header, &mut out).unwrap();
    for piece in pieces {
        writer.write(piece, &mut out).unwrap();
    }
    writer.finish(&mut out).unwrap();
    out
}

fn open(key: u8, binding: &[u8], stream: &[u8]) -> Result<Vec<u8>, AeadError> {
    let layout = Layout::new(SEGMENT, stream.len() as u64)?;
    let header = stream.get(..HEADER_BYTES).unwrap_or(stream);
    let reader = Reader::new(&DataKey::from_bytes([key; 32]), binding, header)?;
    let all = 0..layout.plaintext_bytes();
    if all.is_empty() {
        let mut segment = stream[HEADER_BYTES..].to_vec();
        return reader.open(0, true, &mut segment).map(|plain| plain.to_vec());
    }
    reader.read(&layout, &all, &mut stream[HEADER_BYTES..].to_vec())
}

fn plain(length: usize) -> Vec<u8> {
    (0..length).map(|n| (n * 7 + n / 256) as u8).collect()
}

#[test]
fn every_length_around_the_segments_ends_reads_back() {
    for length in (0..=3).chain(70..75).chain(180..188).chain(290..300).chain([1000, 5000]) {
        let text = plain(length);
        let stream = seal(1, b"who", 2, &[&text]);
        assert_eq!(open(1, b"who", &stream).unwrap(), text, "{length}");
        let layout = Layout::new(SEGMENT, stream.len() as u64).unwrap();
        assert_eq!(layout.plaintext_bytes(), length as u64);
    }
}

proptest! {
    #[test]
    fn any_range_of_any_stream_written_in_any_pieces_is_what_was_written(
        length in 1_usize..2000, cuts in prop::collection::vec(0_usize..2000, 0..8),
        from in 0_u64..2100, long in 0_u64..2100,
    ) {
        let text = plain(length);
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(length)).collect();
        cuts.extend([0, length]);
        cuts.sort_unstable();
        let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &text[cut[0]..cut[1]]).collect();
        let stream = seal(1, b"who", 2, &pieces);
        prop_assert_eq!(&stream, &seal(1, b"who", 2, &[&text]));
        let layout = Layout::new(SEGMENT, stream.len() as u64).unwrap();
        let key = DataKey::from_bytes([1; 32]);
        let reader = Reader::new(&key, b"who", &stream[..HEADER_BYTES]).unwrap();
        let range = from..from + long;
        let needed = layout.segments_of(&range);
        let bytes = if needed.is_empty() { 0..0 } else {
            layout.ciphertext(needed.start).start as usize
                ..layout.ciphertext(needed.end - 1).end as usize
        };
        let got = reader.read(&layout, &range, &mut stream[bytes].to_vec()).unwrap();
        let (start, end) = ((from as usize).min(length), ((from + long) as usize).min(length));
        prop_assert_eq!(&got, &text[start..end.max(start)]);
    }
}

#[test]
fn a_flipped_bit_anywhere_fails() {
    let stream = seal(1, b"who", 2, &[&plain(300)]);
    for at in 0..stream.len() {
        let mut bad = stream.clone();
        bad[at] ^= 1;
        assert!(open(1, b"who", &bad).is_err(), "byte {at}");
    }
}

#[test]
fn a_stream_cut_anywhere_fails_also_at_a_segments_end() {
    let stream = seal(1, b"who", 2, &[&plain(300)]);
    for length in 0..stream.len() {
        assert!(open(1, b"who", &stream[..length]).is_err(), "{length} bytes");
    }
    assert_eq!(open(1, b"who", &stream[..256]), Err(AeadError::Segment(1)));
}

#[test]
fn segments_that_change_places_or_come_from_another_stream_fail() {
    let stream = seal(1, b"who", 2, &[&plain(500)]);
    let mut swapped = stream.clone();
    swapped.copy_within(256..384, 128);
    swapped[256..384].copy_from_slice(&stream[128..256]);
    assert_eq!(open(1, b"who", &swapped), Err(AeadError::Segment(1)));
    // The same key, but another salt and prefix.
    let other = seal(1, b"who", 3, &[&plain(500)]);
    let mut spliced = stream.clone();
    spliced[128..256].copy_from_slice(&other[128..256]);
    assert_eq!(open(1, b"who", &spliced), Err(AeadError::Segment(1)));
}

#[test]
fn another_key_tenant_or_recording_fails() {
    let (acme, globex) = (TenantId::new("acme").unwrap(), TenantId::new("globex").unwrap());
    let (one, two) = (RecordingId::from_u128(1), RecordingId::from_u128(2));
    let stream = seal(1, &stream_binding(&acme, one), 2, &[&plain(300)]);
    assert!(open(1, &stream_binding(&acme, one), &stream).is_ok());
    assert_eq!(open(2, &stream_binding(&acme, one), &stream), Err(AeadError::Segment(0)));
    assert_eq!(open(1, &stream_binding(&globex, one), &stream), Err(AeadError::Segment(0)));
    assert_eq!(open(1, &stream_binding(&acme, two), &stream), Err(AeadError::Segment(0)));
}
