//! Binding requests: those that check us, read, verified and answered (RFC 8445 §7.3), and our own
//! checks, written (§7.2.2).

use std::net::SocketAddr;

use super::stun::{
    BINDING_ERROR, BINDING_REQUEST, BINDING_SUCCESS, ERROR_CODE, FINGERPRINT, HEADER,
    ICE_CONTROLLED, ICE_CONTROLLING, INTEGRITY, MESSAGE_INTEGRITY, PRIORITY, Transaction,
    UNKNOWN_ATTRIBUTES, USE_CANDIDATE, USERNAME, XOR_MAPPED_ADDRESS, attribute, begin, finish,
    header, is_by, is_fingerprint, push, push_address,
};

/// Attributes that are not understood, of those that are named in the answer.
const UNKNOWN: usize = 4;

/// A Binding request, well formed; nothing of it is proven yet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Request<'a> {
    bytes: &'a [u8],
    transaction: Transaction,
    /// Our fragment, as the far end writes it, and its own.
    pub(crate) fragments: (&'a [u8], &'a [u8]),
    /// Of the candidate pair, as the far end sees it.
    pub(crate) priority: u32,
    /// Whether it nominates the pair.
    pub(crate) nominates: bool,
    /// Whether the far end takes itself for the controlled one.
    pub(crate) controlled: bool,
    /// What decides when both take themselves for the same.
    pub(crate) tie_breaker: u64,
    /// Attributes that must be understood, and are not; zeros behind them.
    unknown: [u16; UNKNOWN],
    /// Where MESSAGE-INTEGRITY begins.
    integrity: usize,
}

impl<'a> Request<'a> {
    /// Reads one. `None` of anything else, also of a request without user name or integrity: it is
    /// not answered at all, so that nobody learns or amplifies anything.
    pub(crate) fn read(bytes: &'a [u8]) -> Option<Self> {
        let (kind, transaction) = header(bytes)?;
        if kind != BINDING_REQUEST {
            return None;
        }
        let mut request = Self {
            bytes,
            transaction,
            fragments: (&[], &[]),
            priority: 0,
            nominates: false,
            controlled: false,
            tie_breaker: 0,
            unknown: [0; UNKNOWN],
            integrity: 0,
        };
        let (mut at, mut is_stun) = (HEADER, false);
        while at < bytes.len() {
            let (kind, value, next) = attribute(bytes, at)?;
            if request.integrity == 0 {
                request.take(kind, value, at)?;
            } else if kind == FINGERPRINT {
                is_stun = is_fingerprint(bytes.get(..at)?, value);
            }
            at = next;
        }
        // A check has a fingerprint (RFC 8445 §7.1.1); after it nothing counts.
        (request.integrity > 0 && is_stun).then_some(request)
    }

    /// What stands before the integrity counts; `None` ends the reading.
    fn take(&mut self, kind: u16, value: &'a [u8], at: usize) -> Option<()> {
        match kind {
            USERNAME => {
                let colon = value.iter().position(|byte| *byte == b':')?;
                self.fragments = (value.get(..colon)?, value.get(colon + 1..)?);
            }
            PRIORITY => self.priority = u32::from_be_bytes(*value.first_chunk()?),
            USE_CANDIDATE => self.nominates = true,
            ICE_CONTROLLED | ICE_CONTROLLING => {
                self.controlled = kind == ICE_CONTROLLED;
                self.tie_breaker = u64::from_be_bytes(*value.first_chunk()?);
            }
            MESSAGE_INTEGRITY if value.len() == INTEGRITY => self.integrity = at,
            other if other < 0x8000 => {
                if let Some(place) = self.unknown.iter_mut().find(|place| **place == 0) {
                    *place = other;
                }
            }
            _ => {}
        }
        Some(())
    }

    /// Whether its writer knows our password.
    pub(crate) fn is_by(&self, password: &str) -> bool {
        is_by(self.bytes, self.integrity, password)
    }

    /// Whether it asks for something that we do not know, and must know.
    pub(crate) fn is_beyond_us(&self) -> bool {
        self.unknown.iter().any(|kind| *kind != 0)
    }

    /// Appends the answer to one that came from there.
    pub(crate) fn write_success(&self, into: &mut Vec<u8>, from: SocketAddr, password: &str) {
        let start = begin(into, BINDING_SUCCESS, self.transaction);
        push_address(into, XOR_MAPPED_ADDRESS, from, self.transaction);
        finish(into, start, password);
    }

    /// Appends 487: the far end has our role (RFC 8445 §7.3.1.1).
    pub(crate) fn write_role_conflict(&self, into: &mut Vec<u8>, password: &str) {
        let start = begin(into, BINDING_ERROR, self.transaction);
        push(into, ERROR_CODE, &[&[0, 0, 4, 87]]);
        finish(into, start, password);
    }

    /// Appends 420, and what it is that we do not know (RFC 8489 §6.3.1).
    pub(crate) fn write_unknown(&self, into: &mut Vec<u8>, password: &str) {
        let start = begin(into, BINDING_ERROR, self.transaction);
        push(into, ERROR_CODE, &[&[0, 0, 4, 20]]);
        let [a, b, c, d] = self.unknown.map(u16::to_be_bytes);
        let count = self.unknown.iter().filter(|kind| **kind != 0).count();
        let named = [&a[..], &b, &c, &d];
        push(into, UNKNOWN_ATTRIBUTES, named.get(..count).unwrap_or_default());
        finish(into, start, password);
    }
}

/// A check of ours.
pub(crate) struct Outgoing<'a> {
    pub(crate) transaction: Transaction,
    /// Their fragment, and ours.
    pub(crate) fragments: (&'a str, &'a str),
    /// Theirs.
    pub(crate) password: &'a str,
    /// What the pair's address of ours would have as a candidate that the far end learns of by
    /// this (§7.1.1).
    pub(crate) priority: u32,
    pub(crate) nominates: bool,
    /// Whether we control.
    pub(crate) controls: bool,
    pub(crate) tie_breaker: u64,
}

impl Outgoing<'_> {
    /// Appends it.
    pub(crate) fn write(&self, into: &mut Vec<u8>) {
        let start = begin(into, BINDING_REQUEST, self.transaction);
        let (theirs, ours) = self.fragments;
        push(into, USERNAME, &[theirs.as_bytes(), b":", ours.as_bytes()]);
        let role = if self.controls { ICE_CONTROLLING } else { ICE_CONTROLLED };
        push(into, role, &[&self.tie_breaker.to_be_bytes()]);
        if self.nominates {
            push(into, USE_CANDIDATE, &[]);
        }
        push(into, PRIORITY, &[&self.priority.to_be_bytes()]);
        finish(into, start, self.password);
    }
}

/// A check as a far end makes it; for virtual far ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Check<'a> {
    /// Tells its answer from others.
    pub transaction: [u8; 12],
    /// `<our fragment>:<theirs>`.
    pub username: &'a str,
    /// The key of its integrity.
    pub password: &'a str,
    /// Of the pair.
    pub priority: u32,
    /// USE-CANDIDATE.
    pub nominates: bool,
    /// ICE-CONTROLLING, as a browser towards a lite end; else ICE-CONTROLLED.
    pub controls: bool,
}

/// Appends a check.
pub fn write_check(into: &mut Vec<u8>, check: &Check<'_>) {
    let outgoing = Outgoing {
        transaction: check.transaction,
        fragments: check.username.split_once(':').unwrap_or((check.username, "")),
        password: check.password,
        priority: check.priority,
        nominates: check.nominates,
        controls: check.controls,
        tie_breaker: u64::from_be_bytes([7; 8]),
    };
    outgoing.write(into);
}

/// Appends the answer of a far end that was checked from there, with its own password; for virtual
/// far ends. False if it was no check.
pub fn answer_check(into: &mut Vec<u8>, check: &[u8], from: SocketAddr, password: &str) -> bool {
    let Some(request) = Request::read(check).filter(|request| request.is_by(password)) else {
        return false;
    };
    request.write_success(into, from, password);
    true
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;
    use crate::ice::is_success_for;
    use crate::ice::stun::tests::bytes;

    /// RFC 5769 §2.1.
    const SAMPLE: &str = "000100582112a442b7e7a701bc34d686fa87dfae802200105354554e207465737420636c\
        69656e74002400046e0001ff80290008932ff9b151263b36000600096576746a3a68367659202020000800149a\
        eaa70cbfd8cb56781ef2b5b2d3f249c1b571a280280004e57a3bcf";

    fn sample() -> Vec<u8> {
        bytes(SAMPLE)
    }

    #[test]
    fn the_sample_request_of_rfc_5769_is_read_and_its_password_is_known() {
        let bytes = sample();
        let request = Request::read(&bytes).unwrap();
        assert_eq!(request.fragments, (&b"evtj"[..], &b"h6vY"[..]));
        assert_eq!((request.priority, request.nominates), (0x6e00_01ff, false));
        assert!(request.controlled);
        assert!(request.is_by("VOkJxbRl1RmTxUk/WvJxBt"));
        assert!(!request.is_by("VOkJxbRl1RmTxUk/WvJxBu"));
    }

    #[test]
    fn whatever_bit_is_turned_the_request_is_nobodys() {
        let good = sample();
        for bit in 0..good.len() * 8 {
            let mut bytes = good.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let read = Request::read(&bytes);
            assert!(read.is_none_or(|read| !read.is_by("VOkJxbRl1RmTxUk/WvJxBt")), "{bit}");
        }
        for length in 0..good.len() {
            assert_eq!(Request::read(&good[..length]), None);
        }
    }

    #[test]
    fn the_sample_answers_of_rfc_5769_say_the_same_addresses() {
        let bytes = sample();
        let request = Request::read(&bytes).unwrap();
        let mut v4 = Vec::new();
        request.write_success(&mut v4, "192.0.2.1:32853".parse().unwrap(), "secret");
        assert!(
            v4.windows(12)
                .any(|at| at == [0, 0x20, 0, 8, 0, 1, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43])
        );
        let mut v6 = Vec::new();
        let from = "[2001:db8:1234:5678:11:2233:4455:6677]:32853".parse().unwrap();
        request.write_success(&mut v6, from, "secret");
        let masked = [0, 0x20, 0, 20, 0, 2, 0xa1, 0x47, 0x01, 0x13, 0xa9, 0xfa, 0xa5, 0xd3, 0xf1];
        assert!(v6.windows(masked.len()).any(|at| at == masked));
        assert!(is_success_for(&v4, request.transaction) && !is_success_for(&v4, [0; 12]));
        assert!(v6.len() < bytes.len(), "no longer than what was asked");
    }

    #[test]
    fn a_check_of_ours_is_read_as_it_was_written() {
        let mut bytes = Vec::new();
        let check = Check {
            transaction: [5; 12],
            username: "ours:theirs",
            password: "password",
            priority: 77,
            nominates: true,
            controls: true,
        };
        write_check(&mut bytes, &check);
        let request = Request::read(&bytes).unwrap();
        assert!(request.is_by("password") && request.nominates && !request.controlled);
        assert_eq!((request.fragments, request.priority), ((&b"ours"[..], &b"theirs"[..]), 77));
    }

    #[test]
    fn what_must_be_understood_and_is_not_is_named_in_a_420_to_who_knows_the_password() {
        let mut bytes = Vec::new();
        let start = begin(&mut bytes, BINDING_REQUEST, [5; 12]);
        push(&mut bytes, USERNAME, &[b"ours:theirs"]);
        push(&mut bytes, 0x0055, &[]);
        push(&mut bytes, 0xc057, &[&[0, 1, 0, 10]]);
        push(&mut bytes, 0x0056, &[&[1]]);
        finish(&mut bytes, start, "password");
        let request = Request::read(&bytes).unwrap();
        assert!(request.is_by("password") && request.is_beyond_us());
        let mut answer = Vec::new();
        request.write_unknown(&mut answer, "password");
        let named = [0, 9, 0, 4, 0, 0, 4, 20, 0, 10, 0, 4, 0, 0x55, 0, 0x56];
        assert_eq!(answer[HEADER..HEADER + named.len()], named);
        assert!(answer.len() <= bytes.len() + 4);
    }
}
