//! The media harness: all far ends of many calls in one thread, and between them Strowger,
//! rtpengine or a bare relay on a core of its own. Each load prints a line of JSON; `table` makes
//! a table of them.
//!
//! It measures and asserts no time. It fails when a call cannot be made.

mod bare;
mod bencode;
mod describe;
mod figures;
mod generator;
mod load;
mod relays;
mod speech;
mod table;
mod web;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

/// What a relayed packet costs, side by side
#[derive(Parser)]
struct Args {
    /// Strowger's binary
    #[arg(long, global = true, default_value = "target/release/strowger")]
    strowger: PathBuf,
    #[command(subcommand)]
    part: Part,
}

#[derive(clap::Subcommand)]
enum Part {
    /// Calls through a relay, more and more of them
    Load(load::Args),
    /// The floor: what the others are read by
    Bare {
        /// How long packets may gather, microseconds, as `rtp.gather_us`
        #[arg(long, default_value_t = 1000)]
        gather_us: u64,
    },
    /// The table of a file that holds what the loads printed
    Table {
        /// Lines of JSON
        results: PathBuf,
    },
}

fn main() -> ExitCode {
    let args = Args::parse();
    let is_well = match &args.part {
        Part::Load(part) => load::run(&args.strowger, part),
        Part::Bare { gather_us } => bare::run(Duration::from_micros(*gather_us)).map(|()| true),
        Part::Table { results } => table::print(results).map(|()| true),
    };
    match is_well {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(fault) => {
            eprintln!("media: {fault}");
            ExitCode::FAILURE
        }
    }
}
