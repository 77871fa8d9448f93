//! SIPp, a foreign traffic generator, as carrier or agents.

use std::fs;
use std::net::{SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::scenario::{self, Step};

/// What SIPp plays.
pub(crate) struct Part<'a> {
    /// A name for its folder and for messages.
    pub(crate) name: &'a str,
    /// What it does, step by step.
    pub(crate) steps: &'a [Step],
    /// Its own address and port.
    pub(crate) local: SocketAddr,
    /// Where it calls; agents wait instead.
    pub(crate) server: Option<SocketAddr>,
    /// The number it dials.
    pub(crate) number: &'a str,
    /// How many calls it makes or takes.
    pub(crate) calls: u32,
    /// Calls it begins in a second.
    pub(crate) rate: u32,
    /// More arguments.
    pub(crate) more: &'a [&'a str],
}

/// A running SIPp; killed when dropped.
pub(crate) struct Sipp {
    child: Child,
    dir: PathBuf,
    name: String,
    local: SocketAddr,
    calls: u32,
}

/// So many calls leave a log of all their messages.
const READABLE: u32 = 100;

impl Sipp {
    pub(crate) fn start(dir: &Path, part: &Part<'_>) -> Self {
        let dir = dir.join(format!("sipp-{}-{}", part.name, part.local.port()));
        fs::create_dir_all(&dir).expect("a folder for SIPp");
        fs::write(dir.join("scenario.xml"), scenario::xml(part.name, part.steps))
            .expect("the scenario");
        let mut command = Command::new("sipp");
        command
            .current_dir(&dir)
            .args(["-sf", "scenario.xml"])
            .args(["-i", &part.local.ip().to_string()])
            .args(["-p", &part.local.port().to_string()])
            .args(["-s", part.number])
            .args(["-m", &part.calls.to_string()])
            .args(["-r", &part.rate.to_string()])
            // It takes four, which are nobody's: above the ports that the system hands out.
            .args(["-mp", &(63_000 + u32::from(part.local.port() / 2 % 600) * 4).to_string()])
            .args(["-cid_str", &format!("%u-{}-{}", part.name, part.local.port())])
            .args(["-max_invite_retrans", "10", "-max_non_invite_retrans", "12"])
            .args(["-timeout", "240s", "-timeout_error"])
            .args(["-trace_err", "-error_file", "errors.log"])
            .args(["-nostdin", "-recv_timeout", "120000"])
            .args(part.more);
        // The messages of a flood would fill a disk, and nobody reads them.
        if part.calls <= READABLE {
            command.args(["-trace_msg", "-message_file", "messages.log"]);
        }
        if let Some(server) = part.server {
            command.arg(server.to_string());
        }
        let screen = fs::File::create(dir.join("screen.log")).expect("a log");
        let child = command
            .stdin(Stdio::null())
            .stdout(screen.try_clone().expect("a log"))
            .stderr(screen)
            .spawn()
            .expect("sipp: run scripts/install test");
        Self { child, dir, name: part.name.to_owned(), local: part.local, calls: part.calls }
    }

    /// Lets every call go on that waits at [`Step::Told`]: an INFO with its Call-ID, which never
    /// reaches the server. Over UDP only.
    pub(crate) fn hang_up(&self) {
        let socket = UdpSocket::bind((self.local.ip(), 0)).expect("a socket");
        let from = socket.local_addr().expect("its address");
        for call in 1..=self.calls {
            let port = self.local.port();
            let info = format!(
                "INFO sip:{to} SIP/2.0\r\nVia: SIP/2.0/UDP {from};branch=z9hG4bK-told-{call}\r\n\
                 From: <sip:test@{from}>;tag=test\r\nTo: <sip:{to}>\r\n\
                 Call-ID: {call}-{name}-{port}\r\nCSeq: 1 INFO\r\nContent-Length: 0\r\n\r\n",
                to = self.local,
                name = self.name,
            );
            socket.send_to(info.as_bytes(), self.local).expect("to tell SIPp");
        }
    }

    /// Waits until SIPp has played all its calls, every one as the scenario says.
    pub(crate) fn succeed(mut self, limit: Duration) {
        let deadline = Instant::now() + limit;
        loop {
            if let Some(status) = self.child.try_wait().expect("its status") {
                assert!(status.success(), "{} failed ({status}):\n{}", self.name, self.said());
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{} still runs after {limit:?}:\n{}",
                self.name,
                self.said()
            );
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// Errors and messages so far.
    pub(crate) fn said(&self) -> String {
        let read = |name: &str| fs::read_to_string(self.dir.join(name)).unwrap_or_default();
        let messages = read("messages.log");
        let tail = messages.len().saturating_sub(6000);
        let tail = (tail..messages.len()).find(|at| messages.is_char_boundary(*at)).unwrap_or(0);
        format!("{}\n...{}", read("errors.log"), &messages[tail..])
    }
}

impl Drop for Sipp {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
