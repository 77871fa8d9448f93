//! Where a SIP request goes: a URI's hops by NAPTR, SRV and address records (RFC 3263), as a
//! machine that asks its driver.

mod words;

pub use words::{Answer, Hop, Naptr, NoAnswer, Question, Records, Srv};
