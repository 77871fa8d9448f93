//! `[captures]`: captures of calls' RTP, which are held in memory.

use std::time::Duration;

use serde::Deserialize;

/// Captures of calls' RTP.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Captures {
    /// Memory for all of them, in MiB; half of it is the most for one tenant. 0: none can be made.
    pub memory_mib: u32,
    /// How long one is kept after its end, in seconds.
    pub keep_s: u32,
}

impl Default for Captures {
    fn default() -> Self {
        Self { memory_mib: 64, keep_s: 600 }
    }
}

impl Captures {
    /// The place where they are held.
    pub(crate) fn shelf(&self) -> control_api::Captures {
        let memory = usize::try_from(u64::from(self.memory_mib) << 20).unwrap_or(usize::MAX);
        control_api::Captures::new(memory, Duration::from_secs(self.keep_s.into()))
    }
}
