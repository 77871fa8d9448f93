//! The source description with a canonical name (RFC 3550 §6.5).

use super::{packet_type, write_packet};

/// The longest canonical name, in bytes.
pub const CNAME_MAX: usize = 255;

/// Appends an SDES with one chunk of one item; a name over [`CNAME_MAX`] is cut.
pub fn write_cname(into: &mut Vec<u8>, ssrc: u32, cname: &str) {
    let name = cname.as_bytes();
    let name = name.get(..name.len().min(CNAME_MAX)).unwrap_or_default();
    write_packet(into, 1, packet_type::SDES, |into| {
        into.extend_from_slice(&ssrc.to_be_bytes());
        into.push(1);
        into.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
        into.extend_from_slice(name);
        // The list ends with at least one zero byte; the writer pads to a word.
        into.push(0);
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chunk_ends_with_a_zero_on_a_word_boundary() {
        for length in 0..9 {
            let mut bytes = Vec::new();
            write_cname(&mut bytes, 1, &"abcdefghi"[..length]);
            assert_eq!(bytes.len() % 4, 0);
            assert_eq!(bytes.last(), Some(&0));
            assert_eq!(super::super::packets(&bytes).count(), 1);
        }
    }
}
