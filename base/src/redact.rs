//! Masking of personal data (numbers, names, digits) for logs above debug.

use std::fmt;

/// Personal data on its way into a log line: shown masked. The text itself is the field, for
/// `debug!` and `trace!` only.
#[derive(Clone, Copy)]
pub struct Pii<'a>(pub &'a str);

impl fmt::Display for Pii<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&mask(self.0))
    }
}

/// Keeps the first two and the last two characters of texts of eight and more, one character of
/// shorter ones: enough to tell two calls apart, too little to dial.
#[must_use]
pub fn mask(text: &str) -> String {
    let count = text.chars().count();
    let (head, tail) = if count >= 8 { (2, 2) } else { (count.min(1), 0) };
    let mut masked: String = text.chars().take(head).collect();
    masked.push_str("***");
    masked.extend(text.chars().skip(count - tail));
    masked
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_cannot_be_read_back_from_its_mask() {
        assert_eq!(mask("+15550100"), "+1***00");
        assert_eq!(mask("alice"), "a***");
        assert_eq!(mask(""), "***");
        assert_eq!(format!("{}", Pii("+4930123456")), "+4***56");
    }
}
