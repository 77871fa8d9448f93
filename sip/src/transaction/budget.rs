//! How many bytes the transactions hold, all together and for each source of requests. Beyond its
//! bounds new requests are refused with 503 and without keeping anything; those that are open go on.

use std::net::IpAddr;

use super::EndpointConfig;
use super::key::Table;
use crate::Flow;

/// The sum of what is held.
#[derive(Debug, Default)]
pub(super) struct Budget {
    held: usize,
    /// Holds as many entries as sources have transactions open.
    by_source: Table<u64, usize>,
}

/// What one transaction has been counted with, to be given back.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Charge(usize);

/// Who is one source: an IPv4 address, or an IPv6 network of 64 bits, which one host may own.
fn source(flow: &Flow) -> u64 {
    match flow.remote.ip().to_canonical() {
        IpAddr::V4(v4) => v4.to_bits().into(),
        #[allow(clippy::cast_possible_truncation, reason = "the upper half is all there is")]
        IpAddr::V6(v6) => (v6.to_bits() >> 64) as u64,
    }
}

impl Budget {
    /// Whether a request of that size still finds room.
    pub(super) fn admits(&self, config: &EndpointConfig, flow: &Flow, bytes: usize) -> bool {
        let of_source = self.by_source.get(&source(flow)).copied().unwrap_or(0);
        self.held + bytes <= config.max_bytes && of_source + bytes <= config.max_bytes_per_source
    }

    /// Counts a server transaction anew.
    pub(super) fn recharge(&mut self, flow: &Flow, charge: &mut Charge, bytes: usize) {
        let old = std::mem::replace(&mut charge.0, bytes);
        self.held = self.held - old + bytes;
        let key = source(flow);
        let of_source = self.by_source.entry(key).or_insert(0);
        *of_source = *of_source - old + bytes;
        if *of_source == 0 {
            self.by_source.remove(&key);
        }
    }

    /// Counts a client transaction: our own doing, which no source answers for.
    pub(super) const fn open_client(&mut self, bytes: usize) {
        self.held += bytes;
    }

    /// It is over.
    pub(super) const fn close_client(&mut self, bytes: usize) {
        self.held -= bytes;
    }

    pub(super) const fn held(&self) -> usize {
        self.held
    }

    pub(super) fn sources(&self) -> usize {
        self.by_source.len()
    }
}
