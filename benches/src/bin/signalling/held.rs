//! Calls that stay up without audio: what one costs in memory, and whether the server still serves.
//! They are on hold, since a call whose audio is expected and never comes is ended after a minute.

use std::path::Path;

use rustix::process::{Resource, getrlimit};
use serde_json::json;

use crate::http;
use crate::messages::Audio;
use crate::rates::row;
use crate::stage::Stage;
use crate::targets::{Kind, Provision};
use benches::clock::{self, SECOND};

/// Files that a worker has open besides its sockets, and room for uneven shares.
const OTHERS: usize = 500;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Calls to hold
    #[arg(long, default_value_t = 10_000)]
    calls: usize,
    /// Calls started in a second
    #[arg(long, default_value_t = 400.0)]
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
    /// The server's threads for audio: each may have as many files open as `ulimit -Hn` says, and
    /// a call takes four; 0 is as many as it takes
    #[arg(long, default_value_t = 0)]
    workers: usize,
}

pub(crate) fn run(strowger: &Path, args: &Args) -> Result<bool, String> {
    let tenants = args.tenants.max(1);
    let agents = args.calls + 2 * args.more + tenants;
    let workers = if args.workers == 0 { enough(args.calls + args.more) } else { args.workers };
    let provision = Provision { agents, tenants, record: false, workers };
    let mut stage = Stage::set(Kind::Strowger, strowger, &provision, Audio::OnHold)?;
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
        "workers": workers, "resident_mib": full.resident_kib / 1024,
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

/// Workers for so many calls at once under the system's limit of open files; at least one a core.
fn enough(calls: usize) -> usize {
    let most = getrlimit(Resource::Nofile).maximum.unwrap_or(u64::MAX);
    let each = usize::try_from(most).unwrap_or(usize::MAX).saturating_sub(OTHERS).max(1);
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    (calls * 4).div_ceil(each).max(cores)
}
