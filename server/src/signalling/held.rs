//! What the switch holds, as gauges: a number that only ever grows is a leak.

use metrics::{Gauge, gauge};

/// Registered once.
pub(super) struct Held {
    server: Gauge,
    client: Gauge,
    bytes: Gauge,
    streams: Gauge,
}

impl Held {
    pub(super) fn new() -> Self {
        let side = |side: &'static str| gauge!("strowger_sip_transactions", "side" => side);
        Self {
            server: side("server"),
            client: side("client"),
            bytes: gauge!("strowger_sip_transaction_bytes"),
            streams: gauge!("strowger_media_streams"),
        }
    }

    pub(super) fn show(&self, sizes: &switch::Sizes) {
        self.server.set(sizes.server_transactions as f64);
        self.client.set(sizes.client_transactions as f64);
        self.bytes.set(sizes.transaction_bytes as f64);
        self.streams.set(sizes.streams as f64);
    }
}
