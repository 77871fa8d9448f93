//! Provisional responses that arrive: 100rel and PRACK (RFC 3262). [`ReliableUas`] sends them again
//! until they are acknowledged, [`ReliableUac`] says which to acknowledge.

mod uac;
mod uas;

pub use uac::{Provisional, ReliableUac};
pub use uas::{ReliableOutput, ReliableUas, ReliableWish};

/// The option tag.
pub const TAG: &str = "100rel";
