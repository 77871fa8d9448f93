//! One file a command; each gives the process its exit code: 0 done, 1 failed, 2 wrongly asked.

mod apply;
mod check;
mod decrypt;
mod serve;

use std::process::ExitCode;

use crate::cli::{Cli, Command, Recording};

/// The exit code for a file or an option that is wrong.
const WRONGLY_ASKED: u8 = 2;

/// Does what the command line says.
#[must_use]
pub fn run(cli: &Cli) -> ExitCode {
    match &cli.command {
        Command::Serve(args) => serve::run(args),
        Command::Demo(args) => crate::demo::run(args),
        Command::Apply(args) => apply::run(args),
        Command::Check(args) => check::run(args),
        Command::Recording(Recording::Decrypt(args)) => decrypt::run(args),
    }
}

/// Says what is wrong with what was asked.
fn wrongly_asked(fault: &impl std::fmt::Display) -> ExitCode {
    eprintln!("strowger: {fault}");
    ExitCode::from(WRONGLY_ASKED)
}

/// Says why it did not work.
fn failed(fault: &impl std::fmt::Display) -> ExitCode {
    eprintln!("strowger: {fault}");
    ExitCode::FAILURE
}

/// A tokio runtime for a command that only asks something.
fn small_runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()
}
