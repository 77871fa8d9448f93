//! What a certificate may sign for: the TN Authorization List (RFC 8226 §9).

use super::der::{self, IA5_STRING, INTEGER, SEQUENCE, element, elements};

/// The numbers and providers of a certificate.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct NumberAuthority {
    /// The code of the provider it was given to: for all numbers that are the provider's.
    pub provider: Option<String>,
    /// First number and how many follow from it, this one included; canonical digits.
    pub ranges: Vec<(String, u64)>,
}

/// id-pe-TNAuthList, 1.3.6.1.5.5.7.1.26.
const ID: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 1, 26];
/// A certificate with more entries is not for telephony.
const MOST: usize = 1_000;

impl NumberAuthority {
    /// Of a certificate; none if it has no list, or one that does not parse.
    #[must_use]
    pub fn of(certificate: &[u8]) -> Option<Self> {
        let (list, rest) = element(der::extension(certificate, ID)?)?;
        if list.tag != SEQUENCE || !rest.is_empty() {
            return None;
        }
        let mut authority = Self::default();
        for entry in elements(list.content).take(MOST) {
            let (inner, _) = element(entry.content)?;
            match entry.tag & 0x1f {
                0 => authority.provider = Some(text(inner)?),
                1 => {
                    let mut parts = elements(inner.content);
                    let (start, count) = (text(parts.next()?)?, parts.next()?);
                    if count.tag != INTEGER || count.content.len() > 7 {
                        return None;
                    }
                    let count = count.content.iter().fold(0, |n, &byte| n << 8 | u64::from(byte));
                    authority.ranges.push((start, count));
                }
                2 => authority.ranges.push((text(inner)?, 1)),
                _ => return None,
            }
        }
        Some(authority)
    }

    /// Whether it may sign for that number (canonical digits). A provider's code says nothing of
    /// single numbers, so it covers all.
    #[must_use]
    pub fn covers(&self, number: &str) -> bool {
        self.provider.is_some()
            || self.ranges.iter().any(|(start, count)| {
                let (Ok(first), Ok(asked)) = (start.parse::<u64>(), number.parse::<u64>()) else {
                    return start == number;
                };
                let ahead = asked.checked_sub(first);
                start.len() == number.len() && ahead.is_some_and(|ahead| ahead < *count)
            })
    }
}

fn text(element: der::Element<'_>) -> Option<String> {
    let is_text = element.tag == IA5_STRING && element.content.iter().all(u8::is_ascii_graphic);
    is_text.then(|| String::from_utf8_lossy(element.content).into_owned())
}
