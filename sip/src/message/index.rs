//! What the parser keeps of a message: where things are in its bytes, in one allocation.

use std::ops::Range;

use bytes::Bytes;

use super::name::{self, Name};
use super::{Method, StatusCode};

/// A place in the head, which is shorter than 64 kB.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Span {
    from: u16,
    to: u16,
}

impl Span {
    pub(super) fn new(from: usize, to: usize) -> Self {
        debug_assert!(from <= to && to <= super::MAX_HEAD);
        #[allow(clippy::cast_possible_truncation, reason = "no head is longer than 32 kB")]
        Self { from: from as u16, to: to as u16 }
    }

    pub(super) const fn start(self) -> usize {
        self.from as usize
    }

    pub(super) const fn is_empty(self) -> bool {
        self.from == self.to
    }

    pub(super) fn range(self) -> Range<usize> {
        usize::from(self.from)..usize::from(self.to)
    }

    pub(super) fn of(self, head: &[u8]) -> &[u8] {
        head.get(self.range()).unwrap_or(&[])
    }
}

#[derive(Clone, Copy)]
pub(super) enum Start {
    Request { uri: Span },
    Response { status: StatusCode, reason: Span },
}

/// One header field.
#[derive(Clone, Copy, Default)]
pub(super) struct Entry {
    pub(super) code: u8,
    pub(super) name: Span,
    pub(super) value: Span,
}

/// The codes below this one, of names that every message's way needs and of names without a
/// constant: their first field is found without a search.
const HOT: usize = Name::CONTENT_LENGTH.code() as usize + 1;
/// More header fields than most messages have.
const FEW: usize = 22;

/// The header fields in order.
pub(super) struct Headers {
    few: [Entry; FEW],
    /// All of them, when they are more than a few.
    many: Vec<Entry>,
    count: u16,
    /// One more than the place of the first field of each hot code.
    first: [u16; HOT],
}

impl Headers {
    pub(super) const fn new() -> Self {
        let nothing = Span { from: 0, to: 0 };
        let empty = Entry { code: name::OTHER, name: nothing, value: nothing };
        Self { few: [empty; FEW], many: Vec::new(), count: 0, first: [0; HOT] }
    }

    /// Adds one; says whether there was one of its code (if that is a hot one) before.
    #[inline]
    pub(super) fn push(&mut self, entry: Entry) -> bool {
        let count = usize::from(self.count);
        if let Some(place) = self.few.get_mut(count) {
            *place = entry;
        } else {
            if self.many.is_empty() {
                self.many.extend_from_slice(&self.few);
            }
            self.many.push(entry);
        }
        self.count += 1;
        match self.first.get_mut(usize::from(entry.code)) {
            Some(first) if *first == 0 => {
                *first = self.count;
                false
            }
            Some(_) => true,
            None => false,
        }
    }

    pub(super) fn len(&self) -> usize {
        usize::from(self.count)
    }

    pub(super) fn all(&self) -> &[Entry] {
        if self.many.is_empty() { &self.few[..usize::from(self.count)] } else { &self.many }
    }

    /// The fields from the first one of that code on; all of them if the code is not a hot one.
    pub(super) fn from(&self, code: u8) -> &[Entry] {
        match self.first.get(usize::from(code)) {
            Some(0) => &[],
            Some(first) => &self.all()[usize::from(first - 1)..],
            None => self.all(),
        }
    }

    /// The first field of a hot code.
    pub(super) fn hot(&self, name: Name<'static>) -> Option<Entry> {
        self.from(name.code()).first().copied()
    }
}

pub(super) struct Index {
    /// The head with folds and bytes that are no UTF-8 blanked out, if there were any; as long as
    /// the wire's.
    pub(super) mended: Option<Bytes>,
    pub(super) start: Start,
    pub(super) method: Method,
    pub(super) cseq: Option<u32>,
    pub(super) from_tag: Option<Span>,
    pub(super) to_tag: Option<Span>,
    pub(super) headers: Headers,
    /// Where the body begins and ends.
    pub(super) body: (u32, u32),
}

impl Index {
    pub(super) const fn new() -> Self {
        Self {
            mended: None,
            start: Start::Request { uri: Span { from: 0, to: 0 } },
            method: Method::Invite,
            cseq: None,
            from_tag: None,
            to_tag: None,
            headers: Headers::new(),
            body: (0, 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_and_many_fields_are_kept_in_order_and_hot_ones_found_at_once() {
        let mut headers = Headers::new();
        for n in 0..60 {
            let code = if n == 3 || n == 40 { Name::VIA.code() } else { Name::ACCEPT.code() };
            let again = headers.push(Entry { code, name: Span::new(n, n + 1), ..Entry::default() });
            assert_eq!(again, n == 40);
            assert_eq!(headers.len(), n + 1);
            let places: Vec<_> = headers.all().iter().map(|entry| entry.name.start()).collect();
            assert_eq!(places, (0..=n).collect::<Vec<_>>());
        }
        assert_eq!(headers.hot(Name::VIA).unwrap().name.start(), 3);
        assert_eq!(headers.from(Name::VIA.code()).len(), 57);
        assert!(headers.hot(Name::TO).is_none());
        assert_eq!(headers.from(Name::ACCEPT.code()).len(), 60);
    }
}
