//! What a provisioning file says of a queue's alarms: from which figures on somebody is to know.

use serde::{Deserialize, Serialize};

/// When a queue is not as it should be. A threshold of 0 is not watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct QueueAlarms {
    /// Somebody has waited for so many seconds.
    pub longest_wait_s: u32,
    /// So many callers wait.
    pub waiting: u32,
    /// Less than so many percent of the last 30 minutes' callers were answered in time.
    pub service_level_percent: u8,
    /// Somebody waits, and no agent of the queue is there: all are offline or on a break.
    pub no_agent: bool,
}

impl Default for QueueAlarms {
    fn default() -> Self {
        Self { longest_wait_s: 120, waiting: 0, service_level_percent: 0, no_agent: true }
    }
}
