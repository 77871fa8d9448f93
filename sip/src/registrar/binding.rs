//! One binding of an address of record to a contact.

use std::fmt;

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
    /// User-Agent of the REGISTER.
    pub user_agent: Option<String>,
    /// Call-ID of the REGISTER: the order of CSeq counts within it.
    pub call_id: String,
    /// CSeq of the REGISTER.
    pub cseq: u32,
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
}

impl Binding {
    pub(super) fn info(&self, now: Instant) -> BindingInfo {
        BindingInfo { contact: self.contact.clone(), expires: self.expires.since(now), q: self.q }
    }
}

impl fmt::Display for BindingInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Rounded up, so that no binding is shown to end before it does... or at once.
        let seconds = self.expires.as_millis().div_ceil(1000);
        write!(f, "<{}>;expires={seconds}", self.contact)?;
        match self.q {
            1000 => Ok(()),
            q => write!(f, ";q=0.{q:03}"),
        }
    }
}
