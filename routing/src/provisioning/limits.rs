//! What a provisioning file says of limits: what a tenant may use, and how parents narrow it.

use serde::{Deserialize, Serialize};

/// What a tenant may use. Absent means no limit of its own: the parent's holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Calls at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub concurrent_calls: Option<u32>,
    /// Calls started in a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub calls_per_second: Option<u32>,
    /// Calls to outside numbers at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outbound_concurrent_calls: Option<u32>,
    /// Calls to outside numbers started in a second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub outbound_calls_per_second: Option<u32>,
    /// Whether numbers of other countries may be dialled; not if nobody above says so either.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub international: Option<bool>,
    /// Whether premium-rate numbers may be dialled; not if nobody above says so either.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub premium: Option<bool>,
    /// Agents provisioned.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agents: Option<u32>,
    /// Whether calls may be recorded at all.
    pub recording: bool,
    /// Whether captures of calls may hold audio.
    pub capture_audio: bool,
    /// Days a recording is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retention_days: Option<u32>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            concurrent_calls: None,
            calls_per_second: None,
            outbound_concurrent_calls: None,
            outbound_calls_per_second: None,
            international: None,
            premium: None,
            agents: None,
            recording: true,
            capture_audio: true,
            retention_days: None,
        }
    }
}

impl Limits {
    /// These limits under a parent's: of each pair the narrower.
    #[must_use]
    pub fn within(&self, parent: &Self) -> Self {
        let narrower = |own: Option<u32>, above: Option<u32>| match (own, above) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        let allowed = |own: Option<bool>, above: Option<bool>| match (own, above) {
            (Some(a), Some(b)) => Some(a && b),
            (a, b) => a.or(b),
        };
        Self {
            concurrent_calls: narrower(self.concurrent_calls, parent.concurrent_calls),
            calls_per_second: narrower(self.calls_per_second, parent.calls_per_second),
            outbound_concurrent_calls: narrower(
                self.outbound_concurrent_calls,
                parent.outbound_concurrent_calls,
            ),
            outbound_calls_per_second: narrower(
                self.outbound_calls_per_second,
                parent.outbound_calls_per_second,
            ),
            international: allowed(self.international, parent.international),
            premium: allowed(self.premium, parent.premium),
            agents: narrower(self.agents, parent.agents),
            recording: self.recording && parent.recording,
            capture_audio: self.capture_audio && parent.capture_audio,
            retention_days: narrower(self.retention_days, parent.retention_days),
        }
    }
}
