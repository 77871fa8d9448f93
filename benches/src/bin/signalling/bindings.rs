//! Bindings: agents that register with a password, each of its own, and refresh in time.

use std::path::Path;

use serde_json::{Value, json};

use crate::http;
use crate::messages::Audio;
use crate::phones::Registered;
use crate::stage::Stage;
use crate::targets::{Kind, Provision};
use benches::clock::SECOND;
use benches::usage::Usage;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Agents, a binding each
    #[arg(long, default_value_t = 50_000)]
    bindings: usize,
    /// Refreshes a second, when all are there
    #[arg(long, default_value_t = 1_000.0)]
    rate: f64,
    /// How long they refresh, seconds
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// Tenants that the agents are spread over
    #[arg(long, default_value_t = 50)]
    tenants: usize,
}

pub(crate) fn run(strowger: &Path, args: &Args) -> Result<bool, String> {
    let (agents, tenants) = (args.bindings, args.tenants.max(1));
    let provision = Provision { agents, tenants, record: false, workers: 0 };
    let mut stage = Stage::set(Kind::Strowger, strowger, &provision, Audio::OnHold)?;
    let (before, own) = (stage.target.usage(), Usage::own());
    let first = stage.phones.register(&mut stage.wire, 0, agents, f64::INFINITY);
    let full = stage.target.usage();
    let generator = Usage::own().cpu_ms_since(&own);

    let count = (args.rate * args.seconds) as usize;
    let again = stage.phones.register(&mut stage.wire, 0, count, args.rate);
    let later = stage.target.usage();
    let api = stage.target.api.ok_or("no HTTP API")?;
    let (ready, ready_ms) = http::get(api, "/readyz", "")?;
    let (listed, listed_ms) = http::get(api, "/api/v1/agents", "load-0")?;

    let each = |kib: u64, base: u64| kib.saturating_sub(base) as f64 / agents.max(1) as f64;
    let report = json!({
        "part": "bindings", "asked": agents, "first": row(&first), "refreshed": row(&again),
        "kib_each": each(full.resident_kib, before.resident_kib),
        "allocated_kib_each": each(full.anonymous_kib, before.anonymous_kib),
        "cpu_ms_each": full.cpu_ms_since(&before) / agents.max(1) as f64,
        "cpu_ms_a_refresh": later.cpu_ms_since(&full) / count.max(1) as f64,
        "by_thread_ms": full.by_thread(&before, agents.max(1) as f64),
        "generator_ms_each": generator / agents.max(1) as f64,
        "resident_mib_without": before.resident_kib / 1024,
        "resident_mib": full.resident_kib / 1024,
        "api": { "ready": ready, "ready_ms": ready_ms, "agents": listed, "agents_ms": listed_ms },
    });
    println!("{report}");
    let (complaints, last) = stage.target.complaints();
    if complaints > 0 {
        eprintln!("signalling: {complaints} warnings in the log, the last: {last}");
    }
    let failed = first.failed + again.failed;
    Ok(failed == 0 && first.succeeded == agents && ready == 200 && listed == 200)
}

fn row(outcome: &Registered) -> Value {
    let took = outcome.took as f64 / SECOND as f64;
    json!({
        "succeeded": outcome.succeeded, "failed": outcome.failed, "requests": outcome.requests,
        "resent": outcome.resent, "took_s": took,
        "a_second": outcome.succeeded as f64 / took.max(0.001),
    })
}
