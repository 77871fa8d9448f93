//! What the calls go through: a child process in a folder of its own, or nothing at all.

mod kamailio;
mod sipp;
mod strowger;

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::{Duration, Instant};

pub(crate) use self::strowger::Provision;
use benches::child;
use benches::usage::Usage;

/// Where every target listens.
const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// How long a target may take to start; 50,000 agents take a while.
const PATIENCE: Duration = Duration::from_secs(120);

/// The kinds there are.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// Trunk, queue, agent, bridge
    Strowger,
    /// A plain stateful proxy that stays in the dialog
    Kamailio,
    /// SIPp answers by itself
    Sipp,
    /// Caller and callee of the generator, without anything between
    Direct,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Strowger => "strowger",
            Self::Kamailio => "kamailio",
            Self::Sipp => "sipp",
            Self::Direct => "direct",
        }
    }
}

/// A running target.
pub(crate) struct Target {
    /// Where calls are sent.
    pub(crate) sip: SocketAddr,
    /// The HTTP API, if there is one.
    pub(crate) api: Option<SocketAddr>,
    process: Option<Process>,
}

struct Process {
    child: Child,
    folder: PathBuf,
}

impl Target {
    /// Starts one; `callee` is where a proxy is to send calls.
    pub(crate) fn start(
        kind: Kind,
        strowger: &Path,
        provision: &Provision,
        callee: SocketAddr,
    ) -> Result<Self, String> {
        if kind == Kind::Direct {
            return Ok(Self { sip: callee, api: None, process: None });
        }
        let folder = child::folder("signalling")?;
        let started = match kind {
            Kind::Strowger => strowger::start(&folder, strowger, provision),
            Kind::Kamailio => kamailio::start(&folder, callee),
            Kind::Sipp | Kind::Direct => sipp::start(&folder),
        };
        let (child, sip, api) =
            child::or_why(started, &folder).map_err(|fault| format!("{}: {fault}", kind.name()))?;
        Ok(Self { sip, api, process: Some(Process { child, folder }) })
    }

    pub(crate) fn usage(&self) -> Usage {
        self.process.as_ref().map(|of| Usage::of_group(of.child.id())).unwrap_or_default()
    }

    /// Lines of its log that say that something is wrong: how many, and the last.
    pub(crate) fn complaints(&self) -> (usize, String) {
        let folder = self.process.as_ref().map(|process| process.folder.join("log"));
        let log = folder.and_then(|path| fs::read_to_string(path).ok()).unwrap_or_default();
        let all = log.lines().filter(|line| line.contains("WARN") || line.contains("ERROR"));
        let all: Vec<&str> = all.collect();
        (all.len(), all.last().copied().unwrap_or_default().to_owned())
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        let Some(process) = &mut self.process else { return };
        child::end(&mut process.child, &process.folder);
    }
}

/// Waits until a SIP peer answers an OPTIONS; any answer will do.
fn until_it_answers(child: &mut Child, sip: SocketAddr) -> Result<(), String> {
    let socket = UdpSocket::bind((ADDRESS, 0)).map_err(|error| error.to_string())?;
    let wait = Some(Duration::from_millis(200));
    socket.set_read_timeout(wait).map_err(|error| error.to_string())?;
    let own = socket.local_addr().map_err(|error| error.to_string())?;
    let options = format!(
        "OPTIONS sip:{sip} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK-up;rport\r\n\
         Max-Forwards: 0\r\nFrom: <sip:up@{own}>;tag=up\r\nTo: <sip:{sip}>\r\nCall-ID: up\r\n\
         CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    );
    let until = Instant::now() + PATIENCE;
    let mut answer = [0; 2048];
    while Instant::now() < until {
        if let Ok(Some(status)) = child.try_wait() {
            return Err(format!("it ended: {status}"));
        }
        let _ = socket.send_to(options.as_bytes(), sip);
        if socket.recv(&mut answer).is_ok() {
            return Ok(());
        }
    }
    Err("it does not answer".to_owned())
}
