//! RSeq and RAck: the numbers of reliable provisional responses (RFC 3262 §7.1, §7.2).

use std::fmt;

use crate::message::number;
use crate::{HeaderError, Message, Method, Name};

/// The number of a reliable provisional response.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct RSeq(pub u32);

impl RSeq {
    /// Of a response: none if it has none, or none that is a number from 1 up.
    #[must_use]
    pub fn of(response: &Message) -> Option<Self> {
        read(response.header(Name::RSEQ)?).filter(|&number| number > 0).map(Self)
    }
}

impl fmt::Display for RSeq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Which response a PRACK acknowledges: its RSeq, and the CSeq of what it responds to.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct RAck {
    /// The response's number.
    pub rseq: RSeq,
    /// The request's number.
    pub cseq: u32,
    /// The request's method.
    pub method: Method,
}

fn read(text: &str) -> Option<u32> {
    u32::try_from(number(text.as_bytes())?).ok()
}

impl RAck {
    /// Of a PRACK.
    ///
    /// # Errors
    /// When there is none, or it does not parse: answer 400.
    pub fn of(prack: &Message) -> Result<Self, HeaderError> {
        Self::parse(prack.header(Name::RACK).ok_or(HeaderError::new("RAck", "not there"))?)
    }

    /// Reads the value.
    ///
    /// # Errors
    /// When it is not two numbers and a method.
    pub fn parse(text: &str) -> Result<Self, HeaderError> {
        let mut words = text.split_ascii_whitespace();
        let parsed = (|| {
            let (rseq, cseq) = (read(words.next()?)?, read(words.next()?)?);
            let method = Method::from_token(words.next()?.as_bytes())?;
            words.next().is_none().then_some(Self { rseq: RSeq(rseq), cseq, method })
        })();
        parsed.ok_or(HeaderError::new("RAck", "not two numbers and a method"))
    }
}

impl fmt::Display for RAck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.rseq, self.cseq, self.method)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rack_comes_back_as_written_and_broken_ones_are_refused() {
        let rack = RAck::parse("776656 1 \tINVITE").unwrap();
        assert_eq!((rack.rseq, rack.cseq, rack.method.as_str()), (RSeq(776_656), 1, "INVITE"));
        assert_eq!(rack.to_string(), "776656 1 INVITE");
        for text in ["", "1", "1 2", "1 2 IN VITE", "-1 2 INVITE", "1 4294967296 INVITE", "a 1 X"] {
            assert!(RAck::parse(text).is_err(), "{text}");
        }
    }
}
