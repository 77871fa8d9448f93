//! Reason: why a request is sent, in SIP's or Q.850's numbers (RFC 3326), and the translation
//! between the two (RFC 3398 §7.2.4.1 and §8.2.6.1).

use std::fmt;

use super::text::{plain, quoted};
use crate::message::{Params, is_token, number, trim};
use crate::{HeaderError, Message, Name, StatusCode};

/// Whose numbers a cause is in.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum ReasonProtocol {
    /// A SIP status.
    Sip,
    /// A cause of Q.850, 1 to 127.
    Q850,
    /// Another token.
    Other(String),
}

impl ReasonProtocol {
    fn as_str(&self) -> &str {
        match self {
            Self::Sip => "SIP",
            Self::Q850 => "Q.850",
            Self::Other(token) => token,
        }
    }
}

/// `Q.850;cause=16;text="Normal call clearing"`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Reason {
    /// Whose number it is.
    pub protocol: ReasonProtocol,
    /// The number.
    pub cause: Option<u16>,
    /// In words.
    pub text: Option<String>,
}

/// More than these in one message are not looked at.
const MOST: usize = 16;

impl Reason {
    /// A Q.850 cause.
    #[must_use]
    pub fn q850(cause: Q850, text: Option<&str>) -> Self {
        let protocol = ReasonProtocol::Q850;
        Self { protocol, cause: Some(u16::from(cause.0)), text: text.map(str::to_owned) }
    }

    /// A SIP status, such as the 200 that tells the other branches of a fork that one has answered.
    #[must_use]
    pub fn sip(status: StatusCode, text: Option<&str>) -> Self {
        let text = text.unwrap_or(status.reason()).to_owned();
        Self { protocol: ReasonProtocol::Sip, cause: Some(status.as_u16()), text: Some(text) }
    }

    /// Those of a message that can be read, in order.
    pub fn all(message: &Message) -> impl Iterator<Item = Self> {
        message.list(Name::REASON).take(MOST).filter_map(|text| Self::parse(text).ok())
    }

    /// The Q.850 cause of a message, or the one its SIP cause stands for.
    #[must_use]
    pub fn cause_of(message: &Message) -> Option<Q850> {
        let q850 = Self::all(message).find_map(|reason| match reason.protocol {
            ReasonProtocol::Q850 => reason.cause.and_then(Q850::new),
            _ => None,
        });
        q850.or_else(|| {
            Self::all(message).find_map(|reason| match reason.protocol {
                ReasonProtocol::Sip => Some(Q850::of_status(StatusCode::new(reason.cause?)?)),
                _ => None,
            })
        })
    }

    /// Reads one value.
    ///
    /// # Errors
    /// When the protocol is no token or the cause no number.
    pub fn parse(text: &str) -> Result<Self, HeaderError> {
        let bad = |problem| HeaderError::new("Reason", problem);
        let end = text.find(';').unwrap_or(text.len());
        let protocol = trim(&text[..end]);
        if !is_token(protocol.as_bytes()) {
            return Err(bad("no protocol"));
        }
        let params = Params::new(&text[end..]);
        let cause = match params.value("cause") {
            None => None,
            Some(text) => {
                let cause = number(text.as_bytes()).and_then(|cause| u16::try_from(cause).ok());
                Some(cause.ok_or(bad("a cause that is no number"))?)
            }
        };
        let protocol = match protocol {
            _ if protocol.eq_ignore_ascii_case("SIP") => ReasonProtocol::Sip,
            _ if protocol.eq_ignore_ascii_case("Q.850") => ReasonProtocol::Q850,
            other => ReasonProtocol::Other(other.to_owned()),
        };
        Ok(Self { protocol, cause, text: params.value("text").map(plain) })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.protocol.as_str())?;
        if let Some(cause) = self.cause {
            write!(f, ";cause={cause}")?;
        }
        match &self.text {
            Some(text) => write!(f, ";text={}", quoted(text)),
            None => Ok(()),
        }
    }
}

/// A cause value of Q.850, 1 to 127.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Q850(u8);

impl Q850 {
    /// Normal call clearing.
    pub const NORMAL: Self = Self(16);

    /// The cause of that number, if it is one.
    #[must_use]
    pub fn new(number: u16) -> Option<Self> {
        u8::try_from(number).ok().filter(|number| (1..=127).contains(number)).map(Self)
    }

    /// The number.
    #[must_use]
    pub const fn as_u8(self) -> u8 {
        self.0
    }

    /// The cause that a call refused with that status ended by (RFC 3398 §8.2.6.1).
    #[must_use]
    pub const fn of_status(status: StatusCode) -> Self {
        Self(match status.as_u16() {
            200..=299 => 16,
            401..=403 | 407 | 603 => 21,
            404 | 604 => 1,
            405 => 63,
            406 | 415 | 416 | 420 | 421 | 423 | 482 | 483 | 505 | 513 => 127,
            408 | 504 => 102,
            410 => 22,
            484 => 28,
            485 => 1,
            486 | 600 => 17,
            488 | 606 => 88,
            480 => 18,
            487 => 16,
            501 => 79,
            502 => 38,
            500 | 503 | 491 => 41,
            _ => 31,
        })
    }

    /// The status that a call with that cause is refused with (RFC 3398 §7.2.4.1).
    #[must_use]
    pub const fn to_status(self) -> StatusCode {
        match self.0 {
            1..=3 => StatusCode::NOT_FOUND,
            17 => StatusCode::BUSY_HERE,
            18 => StatusCode::REQUEST_TIMEOUT,
            19 | 20 | 31 => StatusCode::TEMPORARILY_UNAVAILABLE,
            21 | 55 | 57 | 87 => StatusCode::FORBIDDEN,
            22 | 23 => StatusCode::GONE,
            26 => StatusCode::NOT_FOUND,
            27 => StatusCode::BAD_GATEWAY,
            28 => StatusCode::ADDRESS_INCOMPLETE,
            29 | 79 => StatusCode::NOT_IMPLEMENTED,
            34 | 38 | 41 | 42 | 44 | 47 | 58 => StatusCode::SERVICE_UNAVAILABLE,
            65 | 70 | 88 => StatusCode::NOT_ACCEPTABLE_HERE,
            102 => StatusCode::SERVER_TIMEOUT,
            111 | 127 => StatusCode::SERVER_INTERNAL_ERROR,
            _ => StatusCode::TEMPORARILY_UNAVAILABLE,
        }
    }
}

impl fmt::Display for Q850 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons_come_back_as_written() {
        for text in [
            r#"Q.850;cause=16;text="Normal call clearing""#,
            r#"SIP;cause=200;text="Call completed elsewhere""#,
            "preemption;cause=1",
            "X",
        ] {
            assert_eq!(Reason::parse(text).unwrap().to_string(), text);
        }
        let loose = Reason::parse(" q.850 ; text=hello;cause=17 ").unwrap();
        assert_eq!((loose.protocol, loose.cause), (ReasonProtocol::Q850, Some(17)));
        for text in ["", ";cause=1", "a b;cause=1", "SIP;cause=x", "SIP;cause=70000"] {
            assert!(Reason::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_text_from_outside_cannot_leave_its_quotes() {
        let cause = Q850::new(16).unwrap();
        let reason = Reason::q850(cause, Some("a\";x=\"\r\nVia: y"));
        assert_eq!(reason.to_string(), r#"Q.850;cause=16;text="a\";x=\"Via: y""#);
        assert_eq!(Q850::new(0), None);
        assert_eq!(Q850::new(128), None);
    }

    #[test]
    fn the_causes_callers_meet_translate_both_ways() {
        for status in [404, 486, 484, 501, 488, 504] {
            let status = StatusCode::new(status).unwrap();
            assert_eq!(Q850::of_status(status).to_status(), status);
        }
        assert_eq!(Q850::of_status(StatusCode::TEMPORARILY_UNAVAILABLE).as_u8(), 18);
        assert_eq!(Q850::new(21).unwrap().to_status(), StatusCode::FORBIDDEN);
        assert_eq!(Q850::new(41).unwrap().to_status(), StatusCode::SERVICE_UNAVAILABLE);
    }
}
