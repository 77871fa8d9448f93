//! A call's SIP messages as one compact blob: a version byte, then each message with the time
//! since the one before and a flow that is spelled out once and then named by its place. The
//! messages of a call repeat each other, so all but the shortest blobs are squeezed by LZ4: a call
//! of the demo from 6.2 kB to 1.7.

use std::sync::Arc;

use base::UnixTime;

use crate::rows::LadderRow;
use crate::{Result, StoreError};

const VERSION: u8 = 1;
/// The version byte of a squeezed blob: then the length of the plain one, and an LZ4 block of it.
const SQUEEZED: u8 = 2;
/// A shorter blob stays as it is.
const WORTH: usize = 256;
/// More messages or a longer text than any call has: a blob that says so is damaged.
const MAX_LENGTH: u64 = 1 << 24;

type Path<'a> = (&'a str, &'a str, &'a str);

pub(crate) fn encode(ladder: &[LadderRow]) -> Vec<u8> {
    squeezed(plain(ladder))
}

fn squeezed(plain: Vec<u8>) -> Vec<u8> {
    if plain.len() < WORTH {
        return plain;
    }
    let mut blob = vec![SQUEEZED];
    put_number(&mut blob, plain.len() as u64);
    blob.extend_from_slice(&lz4_flex::block::compress(&plain));
    if blob.len() < plain.len() { blob } else { plain }
}

fn plain(ladder: &[LadderRow]) -> Vec<u8> {
    let mut blob = vec![VERSION];
    let mut paths: Vec<Path<'_>> = Vec::new();
    let mut before = 0_i64;
    put_number(&mut blob, ladder.len() as u64);
    for row in ladder {
        put_signed(&mut blob, row.at.as_micros().wrapping_sub(before));
        before = row.at.as_micros();
        let path = (&*row.transport, &*row.local, &*row.remote);
        let place = paths.iter().position(|known| *known == path).unwrap_or(paths.len());
        put_number(&mut blob, ((place as u64) << 1) | u64::from(row.sent));
        if place == paths.len() {
            paths.push(path);
            for text in [path.0, path.1, path.2] {
                put_bytes(&mut blob, text.as_bytes());
            }
        }
        put_bytes(&mut blob, &row.bytes);
    }
    blob
}

pub(crate) fn decode(blob: &[u8]) -> Result<Vec<LadderRow>> {
    read(blob).ok_or_else(|| StoreError::Damaged(format!("a ladder of {} bytes", blob.len())))
}

fn read(blob: &[u8]) -> Option<Vec<LadderRow>> {
    let Some((&SQUEEZED, mut rest)) = blob.split_first() else { return read_plain(blob) };
    let length = take_number(&mut rest).filter(|length| *length < MAX_LENGTH)?;
    let length = usize::try_from(length).ok()?;
    let plain = lz4_flex::block::decompress(rest, length).ok()?;
    (plain.len() == length).then(|| read_plain(&plain))?
}

fn read_plain(blob: &[u8]) -> Option<Vec<LadderRow>> {
    let (&VERSION, mut rest) = blob.split_first()? else { return None };
    let from = &mut rest;
    let count = take_number(from).filter(|count| *count < MAX_LENGTH)?;
    let mut ladder: Vec<LadderRow> = Vec::new();
    let mut paths: Vec<(Arc<str>, Arc<str>, Arc<str>)> = Vec::new();
    let mut at = 0_i64;
    for _ in 0..count {
        at = at.wrapping_add(take_signed(from)?);
        let place_and_way = take_number(from)?;
        let place = usize::try_from(place_and_way >> 1).ok()?;
        if place == paths.len() {
            paths.push((take_text(from)?, take_text(from)?, take_text(from)?));
        }
        let (transport, local, remote) = paths.get(place)?.clone();
        ladder.push(LadderRow {
            at: UnixTime::from_micros(at),
            sent: place_and_way & 1 == 1,
            transport,
            local,
            remote,
            bytes: take_bytes(from)?.to_vec(),
        });
    }
    from.is_empty().then_some(ladder)
}

/// LEB128: seven bits a byte, the lowest first.
fn put_number(blob: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        blob.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    blob.push(number as u8);
}

fn take_number(from: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = from.split_first()?;
        *from = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// Zigzag, so that small negative numbers are short too.
fn put_signed(blob: &mut Vec<u8>, number: i64) {
    put_number(blob, ((number << 1) ^ (number >> 63)).cast_unsigned());
}

fn take_signed(from: &mut &[u8]) -> Option<i64> {
    let number = take_number(from)?;
    Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
}

fn put_bytes(blob: &mut Vec<u8>, bytes: &[u8]) {
    put_number(blob, bytes.len() as u64);
    blob.extend_from_slice(bytes);
}

fn take_bytes<'a>(from: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(take_number(from).filter(|length| *length < MAX_LENGTH)?).ok()?;
    let (bytes, rest) = from.split_at_checked(length)?;
    *from = rest;
    Some(bytes)
}

fn take_text(from: &mut &[u8]) -> Option<Arc<str>> {
    std::str::from_utf8(take_bytes(from)?).ok().map(Arc::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ladder() -> Vec<LadderRow> {
        let row = |at, sent, remote: &str, bytes: &[u8]| LadderRow {
            at: UnixTime::from_micros(at),
            sent,
            transport: "udp".into(),
            local: "192.0.2.1:5060".into(),
            remote: remote.into(),
            bytes: bytes.to_vec(),
        };
        vec![
            row(1_795_168_800_123_456, false, "192.0.2.7:5060", b"INVITE sip:a SIP/2.0\r\n\r\n"),
            row(1_795_168_800_123_956, true, "192.0.2.7:5060", b"SIP/2.0 100 Trying\r\n\r\n"),
            row(1_795_168_800_120_000, true, "192.0.2.9:5062", &[0, 255, 13, 10]),
        ]
    }

    #[test]
    fn a_ladder_comes_back_byte_for_byte_even_when_the_wall_clock_was_set_back() {
        let blob = encode(&ladder());
        assert_eq!(decode(&blob).unwrap(), ladder());
        let texts: usize = ladder().iter().map(|row| row.bytes.len()).sum();
        assert!(blob.len() < texts + 100, "{} bytes for {texts}", blob.len());
    }

    /// As long as a real one, with as much that repeats.
    fn long() -> Vec<LadderRow> {
        let text = "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.7:5060;branch=z9hG4bK7\r\n\
                    From: <sip:+15559000@192.0.2.7>;tag=1\r\nTo: <sip:a@192.0.2.1>;tag=2\r\n\r\n";
        (0..20).flat_map(|_| ladder()).map(|row| LadderRow { bytes: text.into(), ..row }).collect()
    }

    #[test]
    fn a_long_ladder_is_squeezed_and_comes_back_and_a_plain_one_of_before_is_still_read() {
        let (long, short) = (long(), ladder());
        let (blob, before) = (encode(&long), plain(&long));
        assert!(blob.len() * 5 < before.len(), "{} of {}", blob.len(), before.len());
        assert_eq!(decode(&blob).unwrap(), long);
        assert_eq!(decode(&before).unwrap(), long);
        assert_eq!(encode(&short), plain(&short), "not worth it");
        let mut noise = 1_u32;
        let mut byte = || {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (noise >> 24) as u8
        };
        let random: Vec<u8> = (0..5000).map(|_| byte()).collect();
        let ladder = vec![LadderRow { bytes: random, ..short[0].clone() }];
        assert_eq!(encode(&ladder), plain(&ladder), "longer than before");
    }

    #[test]
    fn a_squeezed_ladder_that_is_cut_or_lies_about_its_length_is_damaged() {
        let blob = encode(&long());
        for end in 0..blob.len() {
            assert!(decode(&blob[..end]).is_err(), "cut at {end}");
        }
        let mut huge = vec![SQUEEZED];
        put_number(&mut huge, u64::MAX);
        assert!(decode(&huge).is_err());
        let mut lying = vec![SQUEEZED];
        put_number(&mut lying, MAX_LENGTH - 1);
        lying.extend_from_slice(&blob[3..]);
        assert!(decode(&lying).is_err());
    }

    #[test]
    fn a_ladder_that_is_cut_anywhere_is_damaged_and_never_a_shorter_ladder() {
        let blob = encode(&ladder());
        for end in 0..blob.len() {
            assert!(decode(&blob[..end]).is_err(), "cut at {end}");
        }
        assert!(decode(&[VERSION, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]).is_err());
    }
}
