//! What audio goes through: a child process on one core, in a folder of its own.

mod bare;
mod rtpengine;
mod strowger;

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

use benches::child;
use benches::usage::Usage;

use self::strowger::Settings;
use crate::describe::{Kind, Side};

/// Where every relay listens.
pub(crate) const ADDRESS: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// How long one may take to start, and to answer.
const PATIENCE: Duration = Duration::from_secs(60);
/// Ports for audio: below those that the system gives by itself, and above.
const PORTS: [u16; 2] = [6_000, 65_000];

/// Those there are.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Name {
    /// Through a trunk, a queue and an agent's phone; with a socket a port
    Strowger,
    /// The same with the kernel's help (`rtp.kernel`)
    StrowgerKernel,
    /// By its control protocol, in user space
    Rtpengine,
    /// Wait, receive, send, and nothing else
    Bare,
}

impl Name {
    pub(crate) fn text(self) -> &'static str {
        match self {
            Self::Strowger => "strowger",
            Self::StrowgerKernel => "strowger-kernel",
            Self::Rtpengine => "rtpengine",
            Self::Bare => "bare",
        }
    }
}

/// How it makes calls.
enum Control {
    Strowger(strowger::Phones),
    Rtpengine(rtpengine::Control),
    Bare(bare::Control),
}

/// A running relay.
pub(crate) struct Relay {
    child: Child,
    folder: PathBuf,
    control: Control,
}

/// Where the relay wants the audio of a call's two ends.
pub(crate) struct Targets {
    pub(crate) caller: SocketAddr,
    pub(crate) callee: SocketAddr,
    /// The number that Opus has on the callee's side.
    pub(crate) opus: u8,
    /// The whole answer to the caller.
    pub(crate) answer: String,
}

impl Targets {
    pub(crate) fn of(&self, side: Side) -> SocketAddr {
        if side == Side::Caller { self.caller } else { self.callee }
    }
}

impl Relay {
    /// Starts one on a core, for so many calls of a kind.
    pub(crate) fn start(
        name: Name,
        strowger: &Path,
        kind: Kind,
        calls: usize,
        (core, workers): (usize, u16),
    ) -> Result<Self, String> {
        let folder = child::folder("media")?;
        let started = match name {
            Name::Strowger | Name::StrowgerKernel => {
                let kernel = if name == Name::Strowger { "off" } else { "require" };
                let settings = Settings { kernel, workers, core };
                strowger::start(&folder, strowger, kind, calls, &settings)
                    .map(|(child, phones)| (child, Control::Strowger(phones)))
            }
            Name::Rtpengine => rtpengine::start(&folder, core)
                .map(|(child, control)| (child, Control::Rtpengine(control))),
            Name::Bare => {
                bare::start(&folder, core).map(|(child, control)| (child, Control::Bare(control)))
            }
        };
        let (child, control) =
            child::or_why(started, &folder).map_err(|fault| format!("{}: {fault}", name.text()))?;
        Ok(Self { child, folder, control })
    }

    /// Makes a call between two far ends, the caller as his offer says.
    pub(crate) fn call(
        &mut self,
        kind: Kind,
        number: usize,
        offer: &str,
        callee: SocketAddr,
    ) -> Result<Targets, String> {
        let made = match &mut self.control {
            Control::Strowger(phones) => phones.call(kind, number, offer, callee),
            Control::Rtpengine(control) => control.call(kind, number, offer, callee),
            Control::Bare(control) => control.call(kind, offer, callee),
        };
        made.map_err(|fault| format!("call {number}: {fault}\n{}", child::last_lines(&self.folder)))
    }

    /// Brings another far end into a call: where that one is to send its audio.
    pub(crate) fn bring(&mut self, number: usize, at: SocketAddr) -> Result<SocketAddr, String> {
        let brought = match &mut self.control {
            Control::Strowger(phones) => phones.bring(number, at),
            Control::Rtpengine(_) | Control::Bare(_) => Err("it mixes nothing".to_owned()),
        };
        brought
            .map_err(|fault| format!("call {number}: {fault}\n{}", child::last_lines(&self.folder)))
    }

    pub(crate) fn usage(&self) -> Usage {
        Usage::of_group(self.child.id())
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        child::end(&mut self.child, &self.folder);
    }
}

/// A free port on loopback for a relay that must be told its own.
fn free_port() -> Result<u16, String> {
    (5_100..5_999)
        .find(|port| UdpSocket::bind((ADDRESS, *port)).is_ok())
        .ok_or_else(|| "no free port from 5100 to 5998".to_owned())
}
