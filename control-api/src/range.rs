//! The `Range` header of one byte range (RFC 9110 §14.1.2 and §14.2).

use std::ops::Range;

/// What a `Range` header asks of a representation.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// All of it: no header, one that is malformed, of another unit, or of many ranges, all of
    /// which a server may ignore.
    Whole,
    /// These bytes; never empty.
    Part(Range<u64>),
    /// Bytes that it does not have: 416.
    Unsatisfiable,
}

pub(crate) fn asked(header: Option<&str>, length: u64) -> Asked {
    let Some((unit, set)) = header.and_then(|header| header.split_once('=')) else {
        return Asked::Whole;
    };
    let Some((first, last)) = set.trim().split_once('-') else { return Asked::Whole };
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return Asked::Whole;
    }
    match (number(first), number(last)) {
        (Number::Is(first), Number::Is(last)) if first > last => Asked::Whole,
        (Number::Is(first), Number::Is(last)) => part(first, last.saturating_add(1), length),
        (Number::Is(first), Number::Absent) => part(first, length, length),
        (Number::Absent, Number::Is(0)) => Asked::Unsatisfiable,
        (Number::Absent, Number::Is(count)) => part(length.saturating_sub(count), length, length),
        _ => Asked::Whole,
    }
}

fn part(from: u64, until: u64, length: u64) -> Asked {
    if from < length { Asked::Part(from..until.min(length)) } else { Asked::Unsatisfiable }
}

enum Number {
    Is(u64),
    Absent,
    Wrong,
}

fn number(text: &str) -> Number {
    let text = text.trim();
    match text.parse() {
        _ if text.is_empty() => Number::Absent,
        Ok(number) if text.bytes().all(|byte| byte.is_ascii_digit()) => Number::Is(number),
        _ => Number::Wrong,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_read_as_rfc_9110_says() {
        for (header, expected) in [
            ("bytes=0-0", Asked::Part(0..1)),
            ("bytes=10-19", Asked::Part(10..20)),
            ("bytes=90-", Asked::Part(90..100)),
            ("bytes=-10", Asked::Part(90..100)),
            ("bytes=-1000", Asked::Part(0..100)),
            ("bytes=50-18446744073709551615", Asked::Part(50..100)),
            ("Bytes= 1-2", Asked::Part(1..3)),
            ("bytes=100-", Asked::Unsatisfiable),
            ("bytes=-0", Asked::Unsatisfiable),
            ("bytes=9-1", Asked::Whole),
            ("bytes=0-1,5-6", Asked::Whole),
            ("bytes=+1-2", Asked::Whole),
            ("bytes=-", Asked::Whole),
            ("seconds=1-2", Asked::Whole),
            ("nonsense", Asked::Whole),
        ] {
            assert_eq!(asked(Some(header), 100), expected, "{header}");
        }
        assert_eq!(asked(None, 100), Asked::Whole);
        assert_eq!(asked(Some("bytes=0-"), 0), Asked::Unsatisfiable);
    }
}
