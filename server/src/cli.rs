//! The command line: what `strowger` can be told.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

/// A multi-tenant telephony engine for contact centres: SIP trunks in, agents out, in one binary.
#[derive(Debug, Parser)]
#[command(name = "strowger", version, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve calls until SIGTERM; without a file on embedded defaults in ./data
    Serve(Serve),
    /// One whole call on real sockets, shown live and checked: the product in a minute
    Demo(Demo),
    /// Send a provisioning file to a running server; doing it twice changes nothing
    Apply(Apply),
    /// Check a strowger.toml or a provisioning file without using it
    Check(Check),
    /// Work with recordings
    #[command(subcommand)]
    Recording(Recording),
}

/// `strowger serve`
#[derive(Debug, Args)]
pub struct Serve {
    /// The configuration
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// A provisioning file to apply before the first call
    #[arg(long, value_name = "FILE")]
    pub apply: Option<PathBuf>,
    /// Print one JSON line on standard output when ready, with the bound addresses
    #[arg(long)]
    pub json: bool,
}

/// `strowger demo`
#[derive(Debug, Args)]
pub struct Demo {
    /// Print one JSON object last, and nothing else on standard output
    #[arg(long)]
    pub json: bool,
    /// Go on serving afterwards, on the default ports, for a softphone of your own
    #[arg(long)]
    pub keep: bool,
    /// Where to keep the demo's files; a new folder in the system's temporary one unless told
    #[arg(long, value_name = "FOLDER")]
    pub data: Option<PathBuf>,
}

/// `strowger apply`
#[derive(Debug, Args)]
pub struct Apply {
    /// The provisioning file
    pub file: PathBuf,
    /// The running server
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    pub url: String,
    /// An API key of the platform role; STROWGER_KEY unless told
    #[arg(long)]
    pub key: Option<String>,
    /// Print the server's answer as one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `strowger check`
#[derive(Debug, Args)]
pub struct Check {
    /// A strowger.toml or a provisioning file
    pub file: PathBuf,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// `strowger recording ...`
#[derive(Debug, Subcommand)]
pub enum Recording {
    /// Decrypt a recording into a WAV file
    Decrypt(Decrypt),
}

/// `strowger recording decrypt`
#[derive(Debug, Args)]
pub struct Decrypt {
    /// The encrypted recording; its manifest (.json) lies beside it
    pub file: PathBuf,
    /// The key ring that wrapped the recording's key
    #[arg(long, value_name = "FILE", default_value = "data/keyring.json")]
    pub keyring: PathBuf,
    /// The WAV file to write
    #[arg(short, long, value_name = "FILE")]
    pub output: PathBuf,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent_with_itself() {
        Cli::command().debug_assert();
    }

    #[test]
    fn serve_takes_a_configuration_and_a_provisioning_file() {
        let cli = Cli::try_parse_from(["strowger", "serve", "--config", "a", "--apply", "b"]);
        let Command::Serve(serve) = cli.unwrap().command else { panic!("not serve") };
        assert_eq!(serve.config, Some(PathBuf::from("a")));
        assert_eq!(serve.apply, Some(PathBuf::from("b")));
        assert!(!serve.json);
    }

    #[test]
    fn an_unknown_option_is_refused() {
        assert!(Cli::try_parse_from(["strowger", "serve", "--confg", "a"]).is_err());
    }
}
