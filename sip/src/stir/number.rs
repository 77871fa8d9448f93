//! Telephone numbers as a signature covers them (RFC 8224 §8.3).

/// The digits (and `*`, `#`) of a number without its separators and its `+`, country code first;
/// none if it is no number: a name is signed as a URI. The number is to be in E.164 before.
#[must_use]
pub fn canonical(text: &str) -> Option<String> {
    /// E.164 has 15; the syntax allows as many for codes.
    const LONGEST: usize = 15;
    let mut digits = String::with_capacity(LONGEST);
    for (at, c) in text.char_indices() {
        match c {
            '0'..='9' | '*' | '#' if digits.len() < LONGEST => digits.push(c),
            '+' if at == 0 => {}
            '-' | '.' | '(' | ')' | ' ' => {}
            _ => return None,
        }
    }
    (!digits.is_empty()).then_some(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separators_go_and_names_are_no_numbers() {
        assert_eq!(canonical("+1 (555) 010-0.0").as_deref(), Some("155501000"));
        assert_eq!(canonical("15550100").as_deref(), Some("15550100"));
        assert_eq!(canonical("*72#").as_deref(), Some("*72#"));
        for text in ["", "+", "alice", "1555+0100", "12345678901234567", "1555;ext=1", "١٢٣"] {
            assert_eq!(canonical(text), None, "{text}");
        }
    }
}
