//! The signalling harness: both ends of SIP calls in one light thread, and between them Strowger,
//! Kamailio, SIPp or nothing. Each part prints one line of JSON; `table` makes a table of them.
//!
//! It measures and asserts no time. It fails when a call, a registration or a request does.

mod bindings;
mod calls;
mod held;
mod http;
mod messages;
mod phones;
mod rates;
mod stage;
mod table;
mod targets;
mod wire;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// What calls and registrations cost, side by side
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
    /// Calls at a rate: CPU a call, failures, setup time added
    Calls(rates::Args),
    /// Calls that stay up without audio: memory each, and whether the server still answers
    Held(held::Args),
    /// Agents that register with a password and refresh
    Bindings(bindings::Args),
    /// The table of a file that holds what the other parts printed
    Table {
        /// Lines of JSON
        results: PathBuf,
        /// Where criterion keeps its estimates: for the time that parsing takes
        #[arg(long)]
        criterion: Option<PathBuf>,
    },
}

fn main() -> ExitCode {
    let args = Args::parse();
    let is_well = match &args.part {
        Part::Calls(part) => rates::run(&args.strowger, part),
        Part::Held(part) => held::run(&args.strowger, part),
        Part::Bindings(part) => bindings::run(&args.strowger, part),
        Part::Table { results, criterion } => {
            table::print(results, criterion.as_deref()).map(|()| true)
        }
    };
    match is_well {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(fault) => {
            eprintln!("signalling: {fault}");
            ExitCode::FAILURE
        }
    }
}
