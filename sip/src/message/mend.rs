//! Heads that are not plain: header fields that go on on the next line, bytes that are not UTF-8,
//! and control characters (RFC 3261 §7.3.1, RFC 4475 §3.1.1).

use bytes::{Bytes, BytesMut};

use super::MAX_HEAD;
use super::parse::blank_lines;

/// Whether a head has no more CRs than lines, each of which ends with one, and no NUL.
pub(super) fn is_plain(head: &[u8], lines: usize) -> bool {
    let (mut returns, mut nul) = (0, false);
    // So short that a count in a byte does not overflow, and whole words for the compiler.
    for piece in head.chunks(128) {
        let (mut count, mut nuls) = (0_u8, 0_u8);
        for &byte in piece {
            count += u8::from(byte == b'\r');
            nuls |= u8::from(byte == 0);
        }
        returns += usize::from(count);
        nul |= nuls != 0;
    }
    returns == lines && !nul
}

/// Whether a line holds a CR, or a NUL that is not quoted (RFC 4475 §3.1.1.2 quotes one).
pub(super) fn has_control(line: &[u8]) -> bool {
    memchr::memchr2_iter(b'\r', 0, line)
        .any(|at| line[at] == b'\r' || at == 0 || line[at - 1] != b'\\')
}

/// The same length with each fold (CR LF before white space) blanked, and each byte that is not
/// UTF-8 shown as `?`.
pub(super) fn mend(wire: &Bytes) -> Bytes {
    let start = blank_lines(wire);
    let end = head_end(wire, start);
    let mut text = BytesMut::from(&wire[..]);
    // The start line cannot go on on the next one: its line end must stand.
    let first = memchr::memchr(b'\n', &wire[start..end]).map_or(end, |at| start + at + 1);
    for at in first..end.saturating_sub(2) {
        if text[at] == b'\r' && text[at + 1] == b'\n' && matches!(wire[at + 2], b' ' | b'\t') {
            text[at] = b' ';
            text[at + 1] = b' ';
        }
    }
    let mut at = 0;
    while let Err(error) = std::str::from_utf8(&text[at..end]) {
        let bad = at + error.valid_up_to();
        text[bad] = b'?';
        at = bad + 1;
    }
    text.freeze()
}

/// Where the empty line that ends the head begins, or the end of what may be a head.
fn head_end(bytes: &[u8], start: usize) -> usize {
    let limit = bytes.len().min(MAX_HEAD).max(start);
    memchr::memmem::find(&bytes[start..limit], b"\r\n\r\n").map_or(limit, |at| start + at + 2)
}
