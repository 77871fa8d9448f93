//! The load harness: a real server as a child, calls from built-in carriers to built-in agents over
//! UDP with RTP both ways; reports calls a second, CPU and memory of the server.
//!
//! CPU is read per thread (`schedstat`, nanoseconds): media workers for the price of a packet,
//! all others for the price of a call.

mod crowd;
mod figures;
mod target;

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use serde_json::json;
use tokio::time::{Instant, sleep};

use crate::crowd::Crowd;
use crate::figures::Reading;
use crate::target::Target;

/// Calls from a trunk through a queue to an agent, with audio both ways.
#[derive(Parser)]
struct Args {
    /// The server's binary
    #[arg(long, default_value = "target/release/strowger")]
    strowger: PathBuf,
    /// Calls started in a second, first part
    #[arg(long, default_value_t = 20.0)]
    rate: f64,
    /// How long calls are started, first part, seconds
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// How long caller and agent talk, first part, seconds
    #[arg(long, default_value_t = 2)]
    talk: u64,
    /// Calls at once, second part
    #[arg(long, default_value_t = 500)]
    calls: usize,
    /// How long they are measured, seconds
    #[arg(long, default_value_t = 20)]
    steady: u64,
    /// Record every call
    #[arg(long)]
    record: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

fn main() -> Result<(), String> {
    let args = Args::parse();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    runtime.block_on(run(&args))
}

async fn run(args: &Args) -> Result<(), String> {
    let at_once = (args.rate * (args.talk as f64 + 2.0)).ceil();
    // Truncation is meant: a number of phones.
    let agents = args.calls.max(at_once as usize);
    let target = Target::start(&args.strowger, agents, args.record)?;
    let mut crowd = Crowd::start(target.sip, agents)?;
    crowd.register().await?;

    let before = Reading::take(target.pid)?;
    let began = Instant::now();
    crowd.call_at(args.rate, args.seconds, Duration::from_secs(args.talk)).await?;
    let took = began.elapsed().as_secs_f64();
    sleep(Duration::from_secs(3)).await;
    let calls = Reading::take(target.pid)?.since(&before);
    let first = crowd.counts();

    let idle = Reading::take(target.pid)?;
    crowd.fill(args.calls).await?;
    sleep(Duration::from_secs(5)).await;
    let full = Reading::take(target.pid)?;
    sleep(Duration::from_secs(args.steady)).await;
    let steady = Reading::take(target.pid)?;
    let window = steady.since(&full);
    let up = crowd.up();
    // Each call relays 50 packets a second each way.
    let packets = up as f64 * 100.0 * args.steady as f64;
    crowd.empty().await?;
    target.stop();

    let report = json!({
        "calls": first.connected, "refused": first.refused, "not_made": first.not_made,
        "calls_per_second": first.connected as f64 / took,
        "setup_ms_median": first.median_setup_ms,
        "cpu_ms_per_call_without_media": calls.other_ms / first.connected.max(1) as f64,
        "cpu_ms_per_call_by_thread": calls.by_thread(first.connected.max(1) as f64),
        "calls_at_once": up,
        "cpu_us_per_relayed_packet": window.media_ms * 1000.0 / packets.max(1.0),
        "other_cpu_ms_per_second": window.other_ms / args.steady as f64,
        "kib_per_call": (steady.resident_kib.saturating_sub(idle.resident_kib)) as f64
            / up.max(1) as f64,
        "resident_mib": steady.resident_kib / 1024,
    });
    if args.json {
        println!("{report}");
    } else if let Some(report) = report.as_object() {
        for (name, value) in report {
            println!("{name:32} {value}");
        }
    }
    Ok(())
}
