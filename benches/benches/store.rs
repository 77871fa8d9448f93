//! What a finished queue call costs in the store: its events, the row they move, its record with
//! ladder and decisions, as the writer hands them over, a batch of many calls at a time. SQLite on
//! disk with a sync each batch. The figure is wall time; syncs included.
#![allow(clippy::expect_used, missing_docs)]

use std::hint::black_box;
use std::time::{Duration as StdDuration, Instant as StdInstant};

use base::{AgentId, CallId, QueueId, Rng, TenantId, TrunkId, UnixTime};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use routing::{Provisioning, Tenant};
use store::{Append, CallRow, CallState, DecisionRow, EventRow, FinalRecord, LadderRow, Store};

const OFFERED: &str = concat!(
    r#"{"queue":"sales","agent":"alice","decision":{"chosen":"alice","considered":["#,
    r#"{"agent":"alice","verdict":{"verdict":"chosen","idle_ms":3188}},"#,
    r#"{"agent":"bob","verdict":{"verdict":"state","state":"offline","reason":null}}],"#,
    r#""not_listed":0,"needs":["sales"],"rule":"of the queue's reachable, available agents"}}"#,
);
const CALL_EVENTS: [(&str, &str); 10] = [
    ("call.started", r#"{"trunk":"carrier-a","from":"+15559000","to":"+15550100"}"#),
    ("call.routed", r#"{"flow":"sales","reasons":["+15550100 belongs to tenant acme"]}"#),
    ("call.answered", "{}"),
    ("call.prompt_started", r#"{"prompt":"greeting"}"#),
    ("call.queued", r#"{"queue":"sales","position":1}"#),
    ("call.offered", OFFERED),
    ("call.ringing", r#"{"agent":"alice"}"#),
    ("call.connected", r#"{"queue":"sales","agent":"alice","wait_ms":3108}"#),
    ("agent.state_changed", r#"{"agent":"alice","state":"wrap_up","reason":null}"#),
    ("call.ended", r#"{"cause":"normal","ended_by":"caller","duration_ms":8133,"agent":"alice"}"#),
];

/// The store, and what comes next into it.
struct Bench {
    runtime: tokio::runtime::Runtime,
    store: Store,
    tenant: TenantId,
    sequence: u64,
    rng: Rng,
}

impl Bench {
    fn new(folder: &std::path::Path) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let url = format!("sqlite:{}", folder.join("bench.db").display());
        let tenant = TenantId::new("acme").expect("a name");
        let document = r#"{"id":"acme","domain":"acme.example"}"#;
        let acme: Tenant = serde_json::from_str(document).expect("a tenant");
        let provisioning = Provisioning { tenants: vec![acme], ..Provisioning::default() };
        let store = runtime.block_on(async {
            let store = Store::open(&url).await.expect("the store");
            store.apply(&provisioning, &[]).await.expect("the tenant");
            store
        });
        Self { runtime, store, tenant, sequence: 0, rng: Rng::from_seed(7) }
    }

    fn batch(&mut self, calls: usize) -> Vec<Append> {
        let at = UnixTime::from_micros(1_795_168_800_000_000);
        let ids: Vec<CallId> = (0..calls).map(|_| CallId::generate(at, &mut self.rng)).collect();
        let mut batch = Vec::with_capacity(calls * 11);
        for (kind, data) in CALL_EVENTS {
            for id in &ids {
                self.sequence += 1;
                let call = kind.starts_with("call.").then_some(*id);
                if kind == "call.ended" {
                    batch.push(Append::Call(Box::new(self.record(*id, at))));
                }
                batch.push(Append::Event(EventRow {
                    tenant: self.tenant.clone(),
                    sequence: self.sequence,
                    call,
                    at,
                    kind: kind.into(),
                    data: data.to_owned(),
                }));
            }
        }
        batch
    }

    fn record(&self, id: CallId, at: UnixTime) -> FinalRecord {
        let call = CallRow {
            tenant: self.tenant.clone(),
            id,
            state: CallState::Ended,
            direction: "inbound".into(),
            trunk: TrunkId::new("carrier-a").ok(),
            from: "+15559000".to_owned(),
            to: "+15550100".to_owned(),
            queue: QueueId::new("sales").ok(),
            agent: AgentId::new("alice").ok(),
            started_at: at,
            answered_at: Some(at),
            connected_at: Some(at),
            ended_at: Some(at),
            duration_ms: Some(8133),
            wait_ms: Some(3108),
            talk_ms: Some(5024),
            cause: Some("normal".to_owned()),
            sip_status: Some(200),
            q850: Some(16),
            ended_by: Some("caller".to_owned()),
            recording: None,
            from_name: None,
            verstat: None,
            attestation: None,
            diversions: "[]".to_owned(),
            reason: None,
            recordings: Vec::new(),
            legs: "[]".to_owned(),
        };
        let message = |number: usize| LadderRow {
            at,
            sent: number % 2 == 1,
            transport: "udp".into(),
            local: "127.0.0.1:5060".into(),
            remote: "127.0.0.2:5060".into(),
            bytes: vec![b'x'; 470],
        };
        let decision = |_| DecisionRow {
            at,
            summary: "queue sales offers the call to alice: the longest idle of two".to_owned(),
            detail: OFFERED.to_owned(),
        };
        let ladder = (0..13).map(message).collect();
        FinalRecord {
            call,
            ladder,
            decisions: (0..4).map(decision).collect(),
            codecs: "pcma".to_owned(),
            lowest_mos: Some(441),
            quality: String::new(),
        }
    }

    fn append(&mut self, batch: &[Append]) -> StdDuration {
        let began = StdInstant::now();
        self.runtime.block_on(self.store.append(black_box(batch))).expect("to append");
        began.elapsed()
    }
}

fn stored_calls(criterion: &mut Criterion) {
    let folder = std::env::temp_dir().join(format!("strowger-bench-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    let mut bench = Bench::new(&folder);
    let mut group = criterion.benchmark_group("store");
    for calls in [1, 10, 40] {
        group.throughput(Throughput::Elements(calls as u64));
        group.bench_function(BenchmarkId::new("queue calls in a batch", calls), |timer| {
            timer.iter_custom(|times| {
                let batches: Vec<_> = (0..times).map(|_| bench.batch(calls)).collect();
                batches.iter().map(|batch| bench.append(batch)).sum()
            });
        });
    }
    group.finish();
    // A folder of a bench that failed stays, for inspection.
    let _ = std::fs::remove_dir_all(&folder);
}

criterion_group!(benches, stored_calls);
criterion_main!(benches);
