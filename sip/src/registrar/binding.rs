//! One binding of an address of record to a contact, and what the 200 says of it.

use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use base::{Duration, Instant};

use crate::{Flow, UriBuf};

/// A contact, how it is reached and until when.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Binding {
    /// Where requests for the address go (their Request-URI).
    pub contact: UriBuf,
    /// The path the REGISTER came over: requests go back over it.
    pub flow: Flow,
    /// When it ends.
    pub expires: Instant,
    /// Preference, 0 to 1000.
    pub q: u16,
    /// User-Agent of the REGISTER, cut to what names a phone.
    pub user_agent: Option<Box<str>>,
    /// The value of the Route header that requests over it carry: the proxies between us and the
    /// phone (RFC 3327 §5.3).
    pub path: Option<Box<str>>,
    /// Which device it is, if the phone says so (`+sip.instance`, RFC 5626 §4.1).
    pub device: Option<Device>,
    pub(super) order: Order,
}

/// One device, and which of its flows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Device {
    /// The device's name for itself, mostly a `urn:uuid:`; without its brackets.
    pub instance: Box<str>,
    /// The number of the flow; none if the phone does not do RFC 5626.
    pub reg_id: Option<u32>,
}

/// Which REGISTER it was: within one Call-ID the CSeq counts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Order {
    /// Of the Call-ID: two that share one only make their owner's REGISTERs keep their order.
    call: u64,
    cseq: u32,
}

impl Order {
    pub(super) fn new(call_id: &str, cseq: u32) -> Self {
        let mut hasher = DefaultHasher::new();
        call_id.hash(&mut hasher);
        Self { call: hasher.finish(), cseq }
    }

    /// Whether this one came late, or again.
    pub(super) const fn is_behind(self, bound: Self) -> bool {
        self.call == bound.call && self.cseq <= bound.cseq
    }
}

impl Binding {
    /// Whether it is a flow of RFC 5626: known by its device and number, not by its contact.
    pub(super) fn is_outbound(&self) -> bool {
        self.device.as_ref().is_some_and(|device| device.reg_id.is_some())
    }

    pub(super) fn info(&self, now: Instant) -> BindingInfo {
        BindingInfo {
            contact: self.contact.clone(),
            expires: self.expires.since(now),
            q: self.q,
            device: self.device.clone(),
        }
    }
}

/// A binding as a 200 shows it. `Display` is the value of its Contact.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BindingInfo {
    /// The contact.
    pub contact: UriBuf,
    /// How much longer it lasts.
    pub expires: Duration,
    /// Preference, 0 to 1000.
    pub q: u16,
    /// Which device it is, if the phone said so.
    pub device: Option<Device>,
}

impl fmt::Display for BindingInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Rounded up, so that no binding is shown to end before it does... or at once.
        let seconds = self.expires.as_millis().div_ceil(1000);
        write!(f, "<{}>;expires={seconds}", self.contact)?;
        if self.q != 1000 {
            write!(f, ";q=0.{:03}", self.q)?;
        }
        let Some(Device { instance, reg_id }) = &self.device else { return Ok(()) };
        write!(f, ";+sip.instance=\"<{instance}>\"")?;
        reg_id.map_or(Ok(()), |number| write!(f, ";reg-id={number}"))
    }
}
