//! As much DER as it takes to find one extension of a certificate (X.690, RFC 5280 §4.1).

/// One element: its tag and its content.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Element<'a> {
    pub(super) tag: u8,
    pub(super) content: &'a [u8],
}

pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(super) const OCTET_STRING: u8 = 0x04;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const IA5_STRING: u8 = 0x16;

/// The element at the front, and what stands behind it. None if it is cut off, or longer than any
/// certificate.
pub(super) fn element(bytes: &[u8]) -> Option<(Element<'_>, &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x83 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
            (digits.iter().fold(0, |length, &byte| length << 8 | usize::from(byte)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((Element { tag, content }, rest))
}

/// The elements one after another, up to the first that is broken.
pub(super) fn elements(bytes: &[u8]) -> impl Iterator<Item = Element<'_>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (element, after) = element(rest)?;
        rest = after;
        Some(element)
    })
}

/// The content of a certificate's extension, by the content of its object identifier.
pub(super) fn extension<'a>(certificate: &'a [u8], id: &[u8]) -> Option<&'a [u8]> {
    /// `extensions [3]` of TBSCertificate.
    const EXTENSIONS: u8 = 0xa3;
    let (certificate, _) = element(certificate)?;
    let (to_be_signed, _) = element(certificate.content)?;
    let wrapped = elements(to_be_signed.content).find(|part| part.tag == EXTENSIONS)?;
    let (list, _) = element(wrapped.content)?;
    let wanted = elements(list.content).find(|extension| {
        elements(extension.content)
            .next()
            .is_some_and(|name| name.tag == OBJECT_IDENTIFIER && name.content == id)
    })?;
    // The identifier, perhaps `critical`, then the value.
    let value = elements(wanted.content).find(|part| part.tag == OCTET_STRING)?;
    Some(value.content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn elements_that_are_cut_off_or_endless_are_none() {
        assert_eq!(element(&[0x02, 1, 5, 9]).unwrap().1, [9]);
        assert_eq!(element(&[0x04, 0x81, 2, 1, 2]).unwrap().0.content, [1, 2]);
        for bad in [&[][..], &[0x30], &[0x30, 5, 1], &[0x30, 0x80, 0, 0], &[0x30, 0x84, 1, 1, 1, 1]]
        {
            assert_eq!(element(bad), None);
        }
        assert_eq!(element(&[0x30, 0x83, 0xff, 0xff, 0xff, 0]), None);
        assert_eq!(elements(&[2, 1, 1, 2, 1, 2, 2, 9]).count(), 2);
    }
}
