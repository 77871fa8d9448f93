//! `strowger demo`: one whole call on real sockets, shown live, then explained and checked.

mod bank;
mod check;
mod company;
mod embedded;
pub mod likeness;
mod scene;
mod show;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use base::Duration;

pub use self::bank::{Bank, Order, PhoneId, Sockets};
use crate::cli::Demo;
use crate::config::Config;
use crate::node::{Node, StartFault};
use crate::provision::Bundle;
pub use crate::wake::Ended;

/// Where a softphone of the user's own would look.
const DEFAULT_SIP: SocketAddr = SocketAddr::new(LOOPBACK, 5060);
const DEFAULT_HTTP: SocketAddr = SocketAddr::new(LOOPBACK, 8080);
const LOOPBACK: std::net::IpAddr = std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
/// A call that hangs is ended after this when the demo ends.
const DRAIN: Duration = Duration::from_secs(3);

/// Runs the demo.
#[must_use]
pub fn run(args: &Demo) -> ExitCode {
    let folder = match folder(args.data.as_deref()) {
        Ok(folder) => folder,
        Err(why) => return failed(&why),
    };
    let log = crate::config::Log { level: "warn".to_owned(), ..crate::config::Log::default() };
    if let Err(error) = crate::logs::start(&log) {
        return failed(&error);
    }
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(demo(args, &folder)),
        Err(error) => failed(&error),
    }
}

fn failed(why: &impl std::fmt::Display) -> ExitCode {
    eprintln!("strowger demo: {why}");
    ExitCode::FAILURE
}

async fn demo(args: &Demo, folder: &Path) -> ExitCode {
    let show = show::Show::new(args.json);
    let node = match start(args.keep, folder, &show).await {
        Ok(node) => node,
        Err(why) => return failed(&why),
    };
    let outcome = scene::play(&node, folder, &show).await;
    let ok = match &outcome {
        Ok(outcome) => {
            let faults = check::faults(outcome);
            show.result(&node, folder, outcome, &faults);
            faults.is_empty()
        }
        Err(why) => {
            show.failure(why);
            false
        }
    };
    if args.keep && ok {
        let invited = company::enter(&node).and_then(|()| node.welcome().invite(scene::KEY));
        let code = match invited {
            Ok(code) => code,
            Err(why) => return failed(&why),
        };
        show.kept(node.addresses(), &code);
        // Without the signal there is nothing to wait for.
        let _ = tokio::signal::ctrl_c().await;
    }
    node.drain(DRAIN).await;
    if ok { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// A node of its own: on free ports, or with `--keep` on the default ones if they are free.
async fn start(keep: bool, folder: &Path, show: &show::Show) -> Result<Node, String> {
    if keep {
        match Node::start(config(folder, DEFAULT_SIP, DEFAULT_HTTP), Some(bundle()?)).await {
            Ok(node) => return Ok(node),
            Err(StartFault::System(why)) => show.say(&format!("{why}; taking free ports")),
            Err(fault) => return Err(fault.to_string()),
        }
    }
    let free = SocketAddr::new(LOOPBACK, 0);
    let node = Node::start(config(folder, free, free), Some(bundle()?)).await;
    node.map_err(|fault| fault.to_string())
}

fn bundle() -> Result<Bundle, String> {
    embedded::bundle().map_err(|fault| fault.to_string())
}

fn config(folder: &Path, sip: SocketAddr, http: SocketAddr) -> Config {
    let mut config = Config { data_dir: folder.join("data"), ..Config::default() };
    (config.sip.udp, config.sip.tcp) = (vec![sip], vec![sip]);
    config.http.listen = http;
    config.rtp.address = LOOPBACK;
    config.rtp.ports = "0".to_owned();
    config
}

/// The folder that was asked for, or a new one that only its owner can read.
fn folder(asked: Option<&Path>) -> Result<PathBuf, String> {
    use std::os::unix::fs::DirBuilderExt;
    let folder = match asked {
        Some(folder) => folder.to_owned(),
        None => std::env::temp_dir()
            .join(format!("strowger-demo-{:08x}", crate::random::number() >> 32)),
    };
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
        .map_err(|error| format!("{}: {error}", folder.display()))?;
    folder.canonicalize().map_err(|error| format!("{}: {error}", folder.display()))
}
