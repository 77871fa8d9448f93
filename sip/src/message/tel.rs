//! When two `tel:` URIs name the same resource (RFC 3966 §4): digits without what separates them
//! for the eye, parameters in any order and in any case.

use super::scan::Params;
use super::uri::{Uri, unescape};

/// Whether both are `tel:` URIs of one number.
pub(super) fn is_equivalent(a: &Uri<'_>, b: &Uri<'_>) -> bool {
    let numbers = a.user().map(digits) == b.user().map(digits);
    numbers && agree(a.params(), b.params()) && agree(b.params(), a.params())
}

/// Whether all that the one says the other says too.
fn agree(a: Params<'_>, b: Params<'_>) -> bool {
    a.iter().all(|(name, value)| match (value, b.get(name)) {
        (None, Some(None)) => true,
        (Some(value), Some(Some(theirs))) => is_same(name, value, theirs),
        _ => false,
    })
}

fn is_same(name: &str, a: &str, b: &str) -> bool {
    let (a, b) = (unescape(a), unescape(b));
    let is_number = name.eq_ignore_ascii_case("ext")
        || name.eq_ignore_ascii_case("phone-context") && a.starts_with('+');
    if is_number { digits(&a) == digits(&b) } else { a.eq_ignore_ascii_case(&b) }
}

/// Without visual separators, hexadecimal digits in lower case.
fn digits(text: &str) -> String {
    let kept = text.chars().filter(|c| !matches!(c, '-' | '.' | '(' | ')'));
    kept.map(|c| c.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by it")]
    use super::*;

    fn same(a: &str, b: &str) -> bool {
        Uri::parse(a).unwrap().is_equivalent(&Uri::parse(b).unwrap())
    }

    #[test]
    fn numbers_are_the_same_whatever_separates_their_digits() {
        assert!(same("tel:+1-201-555-0123", "TEL:+1(201)555.0123"));
        assert!(!same("tel:+12015550123", "tel:+12015550124"));
        assert!(!same("tel:+12015550123", "tel:12015550123"), "a global number and a local one");
        assert!(!same("tel:+12015550123", "sip:+12015550123@a"), "another scheme");
    }

    #[test]
    fn parameters_count_in_any_order_and_case() {
        assert!(same(
            "tel:7042;phone-context=Example.com;ext=1-2",
            "tel:7042;EXT=12;phone-context=example.com"
        ));
        assert!(same("tel:863;phone-context=+1-914-555", "tel:863;phone-context=+1914555"));
        assert!(!same("tel:863;phone-context=+1914555", "tel:863;phone-context=+1914556"));
        assert!(!same("tel:7042;phone-context=a.com", "tel:7042"));
        assert!(!same("tel:+1;isub=1", "tel:+1;isub=2"));
    }
}
