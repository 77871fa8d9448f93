//! `[stir]`: who certifies those that sign caller numbers.

use std::path::PathBuf;

use serde::Deserialize;

/// Signatures of caller numbers (STIR/SHAKEN).
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Stir {
    /// PEM bundle of the authorities that certify signers. Without it nothing is verified.
    pub roots: Option<PathBuf>,
    /// Whether certificates are fetched from private networks too. Their URLs come with calls.
    pub private_networks: bool,
}
