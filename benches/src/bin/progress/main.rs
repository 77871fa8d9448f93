//! How often call progress is mistaken: tones of all networks, people and answering machines, beeps;
//! over lines that are noisy, soft, and lose packets.
//!
//! `benches/progress-corpus.py` makes the corpus. Thresholds were chosen on its half `tune`; what
//! counts is the half `test`.

mod answers;
mod corpus;
mod line;
mod tones;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

/// How often call progress is mistaken
#[derive(Parser)]
struct Args {
    /// The folder that progress-corpus.py has made; without, only tones are measured
    #[arg(long)]
    corpus: Option<PathBuf>,
    /// Which half of it
    #[arg(long, default_value = "test")]
    half: String,
    /// Names every sample that is mistaken
    #[arg(long)]
    names: bool,
    /// Tells of each sample when somebody speaks, as digits for each 20 ms, and nothing else
    #[arg(long)]
    speech: bool,
    /// Without the tones
    #[arg(long)]
    no_tones: bool,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<(), String> {
    if let Some(folder) = &args.corpus {
        let samples = corpus::read(folder, &args.half)?;
        if args.speech {
            answers::print_speech(&samples);
            return Ok(());
        }
        for line in line::LINES {
            answers::measure(&samples, line, args.names);
        }
    }
    if !args.no_tones {
        tones::measure(args.names);
    }
    Ok(())
}
