//! Calls at one rate after another: what each costs, and what failed.

use std::path::Path;

use serde_json::{Value, json};

use crate::calls::Outcome;
use crate::messages::Audio;
use crate::stage::Stage;
use crate::targets::{Kind, Provision};
use benches::clock::{self, MILLISECOND, Nanos, SECOND};
use benches::usage::Usage;

/// Long enough for records to be written and transactions to end.
const SETTLES: Nanos = 3 * SECOND;
#[derive(clap::Args)]
pub(crate) struct Args {
    /// What the calls go through
    #[arg(long, value_enum, default_value = "strowger")]
    target: Kind,
    /// Calls started in a second, one after another
    #[arg(long, value_delimiter = ',', default_value = "100,300,500,1000")]
    rates: Vec<f64>,
    /// How long calls are started at each rate, seconds
    #[arg(long, default_value_t = 10.0)]
    seconds: f64,
    /// How long a call stays up, seconds
    #[arg(long, default_value_t = 1.0)]
    talk: f64,
    /// Calls before anything is counted: pools, caches and pages are filled
    #[arg(long, default_value_t = 200)]
    warm: usize,
    /// Tenants that the calls are spread over
    #[arg(long, default_value_t = 10)]
    tenants: usize,
    /// Record the (silent) audio too
    #[arg(long)]
    record: bool,
    /// Rest before each rate, seconds
    #[arg(long, default_value_t = 1.0)]
    rest: f64,
}

pub(crate) fn run(strowger: &Path, args: &Args) -> Result<bool, String> {
    let highest = args.rates.iter().copied().fold(0.0, f64::max);
    // Twice as many as talk at once.
    let agents = (highest * (args.talk + 0.5) * 2.0) as usize + args.tenants;
    let tenants = args.tenants.max(1);
    let provision = Provision { agents, tenants, record: args.record, workers: 0 };
    let mut stage = Stage::set(args.target, strowger, &provision, Audio::Expected)?;
    if args.target == Kind::Strowger {
        stage.register_all(agents)?;
    }
    let talk = Some(clock::seconds(args.talk));
    stage.calls.start(&mut stage.wire, args.warm, 100.0, talk);
    stage.calls.live(&mut stage.wire, SETTLES);
    let warm = stage.calls.take_outcome();
    if warm.failed() > 0 {
        return Err(format!("calls failed before anything was counted: {:?}", warm.failures));
    }
    let mut is_well = true;
    for rate in &args.rates {
        stage.calls.live(&mut stage.wire, clock::seconds(args.rest));
        let (server, own) = (stage.target.usage(), Usage::own());
        let count = (rate * args.seconds) as usize;
        let began = clock::now();
        stage.calls.start(&mut stage.wire, count, *rate, talk);
        let took = clock::now() - began;
        stage.calls.live(&mut stage.wire, SETTLES);
        let outcome = stage.calls.take_outcome();
        is_well &= outcome.failed() == 0;
        let calls = count.max(1) as f64;
        let mut row = row(&outcome);
        row["part"] = json!("calls");
        row["target"] = json!(args.target.name());
        row["rate"] = json!(rate);
        row["took_s"] = json!(took as f64 / SECOND as f64);
        row["cpu_ms"] = json!(stage.target.usage().cpu_ms_since(&server) / calls);
        row["by_thread_ms"] = json!(stage.target.usage().by_thread(&server, calls));
        row["generator_ms"] = json!(Usage::own().cpu_ms_since(&own) / calls);
        row["resident_kib"] = json!(stage.target.usage().resident_kib);
        println!("{row}");
    }
    let (complaints, last) = stage.target.complaints();
    if complaints > 0 {
        eprintln!("signalling: {complaints} warnings in the log, the last: {last}");
    }
    Ok(is_well)
}

/// What became of the calls.
pub(crate) fn row(outcome: &Outcome) -> Value {
    let mut setups = outcome.setups.clone();
    setups.sort_unstable();
    let at = |share: f64| {
        let place = (setups.len() as f64 * share) as usize;
        let place = place.min(setups.len().saturating_sub(1));
        setups.get(place).map(|nanos| *nanos as f64 / MILLISECOND as f64)
    };
    json!({
        "started": outcome.started, "completed": outcome.completed, "failed": outcome.failed(),
        "failures": outcome.failures, "resent": outcome.resent,
        "setup_ms": { "median": at(0.5), "p99": at(0.99), "most": at(1.0) },
    })
}
