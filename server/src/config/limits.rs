//! `[limits]`: what strangers, agents and a slow database can make the server hold or do.

use serde::Deserialize;

use super::{ConfigFault, Place};

/// Bounds. All but the first four are of the signalling shard.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// SIP over TCP, TLS and WebSocket: connections at once, all sources.
    pub tcp_connections: usize,
    /// The same from one address (IPv6: from one /64).
    pub tcp_connections_per_source: usize,
    /// SIP over TCP and TLS: a connection that sent no whole message and no keep-alive for this
    /// long is closed, seconds.
    pub tcp_idle_s: u64,
    /// Events, records and recordings that may wait for the database before the journal takes them.
    pub store_queue: usize,
    /// Requests a second from a source that has proven nothing; ten times that from one that has.
    pub source_requests_per_second: u32,
    /// How many of them at once.
    pub source_burst: u32,
    /// New calls a second, over all tenants, before each gets its share alone.
    pub calls_per_second: Option<u32>,
    /// A tenant's share when there is too much to do: new calls a second.
    pub share_calls_per_second: u32,
    /// New calls a second that are let in however much there is to do.
    pub few_calls_per_second: u32,
    /// Requests of peers that are being answered, before new calls get their share alone. None: as
    /// many as an eighth of the memory has room for.
    pub open_requests: Option<usize>,
    /// Subscriptions, over all tenants.
    pub subscriptions: usize,
    /// Subscriptions of one agent.
    pub subscriptions_per_agent: usize,
    /// MESSAGE requests on their way to phones, over all tenants.
    pub messages: usize,
    /// Phones of one agent that a call rings at once.
    pub phones_rung: usize,
    /// SIP messages kept of one call.
    pub ladder_messages: usize,
    /// KiB of them.
    pub ladder_kib: usize,
}

impl Default for Limits {
    fn default() -> Self {
        let shard = switch::Limits::default();
        Self {
            tcp_connections: 10_000,
            tcp_connections_per_source: 1_000,
            tcp_idle_s: 3_600,
            store_queue: 65_536,
            source_requests_per_second: shard.source_requests_per_second,
            source_burst: shard.source_burst,
            calls_per_second: shard.calls_per_second,
            share_calls_per_second: shard.share_calls_per_second,
            few_calls_per_second: shard.few_calls_per_second,
            open_requests: None,
            subscriptions: shard.subscriptions,
            subscriptions_per_agent: shard.subscriptions_per_agent,
            messages: shard.messages,
            phones_rung: shard.bindings_rung,
            ladder_messages: shard.ladder_messages,
            ladder_kib: shard.ladder_bytes / 1024,
        }
    }
}

impl Limits {
    /// The bounds of the signalling shard; `calls` is `sip.calls`, `memory` what the process may
    /// have, bytes.
    pub(crate) fn of_shard(&self, calls: usize, memory: Option<u64>) -> switch::Limits {
        let requests = usize::try_from(memory.unwrap_or(0) / 8 / OPEN_REQUEST);
        let requests = requests.unwrap_or(usize::MAX).clamp(OPEN_REQUESTS.0, OPEN_REQUESTS.1);
        switch::Limits {
            calls,
            ladder_messages: self.ladder_messages,
            ladder_bytes: self.ladder_kib * 1024,
            bindings_rung: self.phones_rung,
            source_requests_per_second: self.source_requests_per_second,
            source_burst: self.source_burst,
            calls_per_second: self.calls_per_second,
            share_calls_per_second: self.share_calls_per_second,
            few_calls_per_second: self.few_calls_per_second,
            transactions: self.open_requests.unwrap_or(requests),
            subscriptions: self.subscriptions,
            subscriptions_per_agent: self.subscriptions_per_agent,
            messages: self.messages,
            ..switch::Limits::default()
        }
    }

    /// What the types cannot say.
    pub(super) fn check(&self, place: &Place<'_>) -> Result<(), ConfigFault> {
        let fault = |key: &str, problem: String, cure: String| {
            Err(ConfigFault::of_key(place, &format!("limits.{key}"), problem, &cure))
        };
        if let Some(key) = self.zero() {
            let problem = "0 means never here, and never is not allowed";
            return fault(key, problem.into(), "write 1 or more".into());
        }
        let (rate, burst) = (self.source_requests_per_second, self.source_burst);
        if burst < rate {
            let problem = format!("{burst} at once is less than a second's {rate}");
            return fault("source_burst", problem, format!("write {rate} or more"));
        }
        let share = self.share_calls_per_second;
        if let Some(all) = self.calls_per_second.filter(|all| share > *all) {
            let problem = format!("one tenant's share, {share}, is more than the {all} of all");
            let cure = format!("write {all} or less, or raise limits.calls_per_second");
            return fault("share_calls_per_second", problem, cure);
        }
        if self.subscriptions_per_agent > self.subscriptions {
            let all = self.subscriptions;
            let problem = format!("one agent's are more than the {all} of all");
            let cure = format!("write {all} or less, or raise limits.subscriptions");
            return fault("subscriptions_per_agent", problem, cure);
        }
        if self.ladder_kib > LADDER_KIB {
            let problem = format!("{} KiB a call are more than memory is for", self.ladder_kib);
            return fault("ladder_kib", problem, format!("write {LADDER_KIB} or less"));
        }
        Ok(())
    }

    /// A limit that must not be 0 and is.
    fn zero(&self) -> Option<&'static str> {
        let all = [
            ("tcp_idle_s", self.tcp_idle_s),
            ("store_queue", self.store_queue as u64),
            ("tcp_connections", self.tcp_connections as u64),
            ("tcp_connections_per_source", self.tcp_connections_per_source as u64),
            ("source_requests_per_second", self.source_requests_per_second.into()),
            ("source_burst", self.source_burst.into()),
            ("calls_per_second", self.calls_per_second.unwrap_or(1).into()),
            ("share_calls_per_second", self.share_calls_per_second.into()),
            ("open_requests", self.open_requests.unwrap_or(1) as u64),
            ("subscriptions", self.subscriptions as u64),
            ("subscriptions_per_agent", self.subscriptions_per_agent as u64),
            ("messages", self.messages as u64),
            ("phones_rung", self.phones_rung as u64),
            ("ladder_messages", self.ladder_messages as u64),
            ("ladder_kib", self.ladder_kib as u64),
        ];
        all.into_iter().find(|(_, value)| *value == 0).map(|(key, _)| key)
    }
}

/// What a peer's request holds, with ours that it led to: bytes, rounded up.
const OPEN_REQUEST: u64 = 5 * 1024;
/// The fewest, which small machines have room for too, and the most that follow from the memory.
const OPEN_REQUESTS: (usize, usize) = (80_000, 1_000_000);

/// The most KiB of one call's messages: 16 MiB, a blob that the store still takes back.
const LADDER_KIB: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::Config;

    fn fault(text: &str) -> String {
        match Config::parse(Path::new("strowger.toml"), &format!("[limits]\n{text}\n")) {
            Ok(_) => panic!("accepted: {text}"),
            Err(fault) => fault.to_string(),
        }
    }

    #[test]
    fn a_limit_of_zero_is_refused_whichever_limit_it_is() {
        let keys = [
            "tcp_connections",
            "tcp_connections_per_source",
            "tcp_idle_s",
            "store_queue",
            "source_requests_per_second",
            "source_burst",
            "calls_per_second",
            "share_calls_per_second",
            "open_requests",
            "subscriptions",
            "subscriptions_per_agent",
            "messages",
            "phones_rung",
            "ladder_messages",
            "ladder_kib",
        ];
        for key in keys {
            let told = fault(&format!("{key} = 0"));
            assert!(told.starts_with(&format!("strowger.toml:2: limits.{key}: ")), "{told}");
            assert!(told.ends_with("write 1 or more"), "{told}");
        }
    }

    #[test]
    fn limits_that_contradict_each_other_are_told_with_what_would_do() {
        let told = fault("source_requests_per_second = 50\nsource_burst = 20");
        let expected = "strowger.toml:3: limits.source_burst: 20 at once is less than a second's \
                        50; write 50 or more";
        assert_eq!(told, expected);
        let told = fault("calls_per_second = 5");
        assert!(told.contains("limits.share_calls_per_second"), "{told}");
        assert!(told.contains("raise limits.calls_per_second"), "{told}");
        let told = fault("subscriptions = 100");
        assert!(told.contains("limits.subscriptions_per_agent"), "{told}");
        let told = fault("source_requests_per_second = -1");
        assert!(told.starts_with("strowger.toml:2: limits.source_requests_per_second"), "{told}");
    }

    #[test]
    fn the_defaults_are_those_of_the_engine_and_a_written_limit_reaches_it() {
        let of = |text: &str| Config::parse(Path::new("x"), text).unwrap();
        let engine = switch::Limits::default();
        assert_eq!(of("").limits.of_shard(engine.calls, None), engine);
        let written = "[sip]\ncalls = 7\n[limits]\ncalls_per_second = 300\nladder_kib = 64\n\
                       few_calls_per_second = 0\nmessages = 5\nphones_rung = 2\n";
        let config = of(written);
        let limits = config.limits.of_shard(config.sip.calls, None);
        assert_eq!((limits.calls, limits.calls_per_second), (7, Some(300)));
        assert_eq!((limits.ladder_bytes, limits.few_calls_per_second), (65_536, 0));
        assert_eq!((limits.messages, limits.bindings_rung), (5, 2));
    }

    #[test]
    fn open_requests_follow_the_memory_unless_they_are_written() {
        let of = |text: &str, gib: u64| {
            let limits = Config::parse(Path::new("x"), text).unwrap().limits;
            limits.of_shard(1, Some(gib << 30)).transactions
        };
        assert_eq!((of("", 1), of("", 4)), (80_000, 104_857));
        assert_eq!((of("", 16), of("", 1 << 20)), (419_430, 1_000_000));
        assert_eq!(of("[limits]\nopen_requests = 9\n", 16), 9);
    }
}
