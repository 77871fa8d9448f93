//! `application/simple-message-summary` (RFC 3842 §5.2): how many messages wait for an agent.

use serde::{Deserialize, Serialize};

/// How many messages wait.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Waiting {
    /// Not heard yet.
    pub new: u32,
    /// Heard, and kept.
    pub old: u32,
}

/// The document.
pub(super) fn document(account: &str, waiting: Waiting) -> String {
    let Waiting { new, old } = waiting;
    let any = if new > 0 { "yes" } else { "no" };
    format!(
        "Messages-Waiting: {any}\r\nMessage-Account: {account}\r\n\
         Voice-Message: {new}/{old} (0/0)\r\n"
    )
}
