//! Calls that stay up without audio: what one costs in memory, and whether the server still serves.

use std::path::Path;

use serde_json::json;

use crate::clock::{self, SECOND};
use crate::http;
use crate::rates::row;
use crate::stage::Stage;
use crate::target::{Kind, Provision};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Calls to hold
    #[arg(long, default_value_t = 10_000)]
    calls: usize,
    /// Calls started in a second
    #[arg(long, default_value_t = 250.0)]
    rate: f64,
    /// How long all of them are held, seconds
    #[arg(long, default_value_t = 20.0)]
    seconds: f64,
    /// New calls beside those that are held, 50 a second
    #[arg(long, default_value_t = 200)]
    more: usize,
    /// Tenants that the calls are spread over
    #[arg(long, default_value_t = 10)]
    tenants: usize,
    /// The server's threads for audio; 0 is one a core
    #[arg(long, default_value_t = 0)]
    workers: usize,
}

pub(crate) fn run(strowger: &Path, args: &Args) -> Result<bool, String> {
    let tenants = args.tenants.max(1);
    let agents = args.calls + 2 * args.more + tenants;
    let provision = Provision { agents, tenants, record: false, workers: args.workers };
    let mut stage = Stage::set(Kind::Strowger, strowger, &provision)?;
    stage.register_all(agents)?;
    // Something has been called: what is allocated once is not counted as a call's.
    stage.calls.start(&mut stage.wire, 100, 50.0, Some(clock::SECOND));
    stage.calls.live(&mut stage.wire, 5 * SECOND);
    stage.calls.take_outcome();

    let before = stage.target.usage();
    stage.calls.start(&mut stage.wire, args.calls, args.rate, None);
    stage.calls.live(&mut stage.wire, 5 * SECOND);
    let (raised, up) = (stage.calls.take_outcome(), stage.calls.up());
    let full = stage.target.usage();
    stage.calls.live(&mut stage.wire, clock::seconds(args.seconds));
    let later = stage.target.usage();
    let held = stage.calls.up();

    stage.calls.start(&mut stage.wire, args.more, 50.0, Some(clock::SECOND));
    let more = stage.calls.take_outcome();
    let api = stage.target.api.ok_or("no HTTP API")?;
    let (ready, ready_ms) = http::get(api, "/readyz", "")?;
    let (listed, listed_ms) = http::get(api, "/api/v1/calls?per_page=50", "load-0")?;
    stage.calls.end_all(&mut stage.wire, args.rate * 2.0);
    let ended = stage.calls.take_outcome();

    let each = |kib: u64, base: u64| kib.saturating_sub(base) as f64 / up.max(1) as f64;
    let report = json!({
        "part": "held", "asked": args.calls, "up": up, "held": held, "raised": row(&raised),
        "kib_each": each(full.resident_kib, before.resident_kib),
        "allocated_kib_each": each(full.anonymous_kib, before.anonymous_kib),
        "cpu_ms_a_second": later.cpu_ms_since(&full) / args.seconds,
        "cpu_by_thread": later.by_thread(&full, args.seconds),
        "descriptors": full.descriptors, "resident_mib": full.resident_kib / 1024,
        "api": { "ready": ready, "ready_ms": ready_ms, "calls": listed, "calls_ms": listed_ms },
        "more": row(&more), "ended": row(&ended),
    });
    println!("{report}");
    let (complaints, last) = stage.target.complaints();
    if complaints > 0 {
        eprintln!("signalling: {complaints} warnings in the log, the last: {last}");
    }
    let failed = raised.failed() + more.failed() + ended.failed();
    Ok(failed == 0 && held == args.calls && ready == 200 && listed == 200)
}
