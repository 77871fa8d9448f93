//! rtpengine of the distribution, in user space, one thread for packets: driven by its control
//! protocol ("ng": a cookie and a dictionary in bencode, over UDP).

use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use benches::child::command;

use super::{ADDRESS, PATIENCE, PORTS, Targets, free_port};
use crate::bencode::Value;
use crate::describe::{self, Kind, Side};

pub(super) struct Control {
    socket: UdpSocket,
    cookie: u64,
}

pub(super) fn start(folder: &Path, core: usize) -> Result<(Child, Control), String> {
    let at = SocketAddr::new(ADDRESS, free_port()?);
    let [first, last] = PORTS;
    let child = command(folder, Path::new("rtpengine"), Some(core))?
        .args(["--table=-1", "--num-threads=1", "--media-num-threads=1", "--foreground"])
        .args(["--log-stderr", "--log-level=3", "--config-file=none"])
        .arg(format!("--interface={ADDRESS}"))
        .arg(format!("--listen-ng={at}"))
        .arg(format!("--port-min={first}"))
        .arg(format!("--port-max={last}"))
        .stdout(Stdio::null())
        .spawn()
        .map_err(|error| error.to_string())?;
    let socket = UdpSocket::bind((ADDRESS, 0)).map_err(|error| error.to_string())?;
    socket.connect(at).map_err(|error| error.to_string())?;
    let wait = Some(Duration::from_millis(200));
    socket.set_read_timeout(wait).map_err(|error| error.to_string())?;
    let mut control = Control { socket, cookie: 0 };
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        let pong = control.ask(&Value::dictionary([("command", "ping".into())]));
        if pong.is_ok_and(|pong| pong.text("result") == Some("pong")) {
            return Ok((child, control));
        }
    }
    Err("it does not answer".to_owned())
}

impl Control {
    pub(super) fn call(
        &mut self,
        kind: Kind,
        number: usize,
        offer: &str,
        callee: SocketAddr,
    ) -> Result<Targets, String> {
        if kind.is_web() {
            return Err("its browsers are not measured".to_owned());
        }
        let id = format!("call-{number}");
        let common = |command, sdp: &str| {
            vec![
                ("command", Value::from(command)),
                ("call-id", Value::from(id.as_str())),
                ("from-tag", Value::from("caller")),
                ("sdp", Value::from(sdp)),
                ("ICE", Value::from("remove")),
            ]
        };
        let mut offer = common("offer", offer);
        if kind == Kind::Srtp {
            offer.push(("transport-protocol", "RTP/AVP".into()));
        }
        if kind == Kind::Opus {
            let lists = [("transcode", Value::list(&["opus"])), ("mask", Value::list(&["PCMU"]))];
            offer.push(("codec", Value::dictionary(lists)));
        }
        let offered = self.ask(&Value::dictionary(offer))?;
        let opus = describe::opus_number(offered.text("sdp").unwrap_or_default());
        let description = describe::description(kind, Side::Callee, callee, opus);
        let mut answer = common("answer", &description);
        answer.push(("to-tag", "callee".into()));
        let answered = self.ask(&Value::dictionary(answer))?;
        let port = |value: &Value| {
            let target = value.text("sdp").and_then(describe::target);
            target.ok_or_else(|| format!("no description in {value:?}"))
        };
        let answer = answered.text("sdp").unwrap_or_default().to_owned();
        Ok(Targets { callee: port(&offered)?, caller: port(&answered)?, opus, answer })
    }

    fn ask(&mut self, question: &Value) -> Result<Value, String> {
        self.cookie += 1;
        let cookie = format!("{} ", self.cookie);
        let mut bytes = cookie.clone().into_bytes();
        question.write(&mut bytes);
        self.socket.send(&bytes).map_err(|error| error.to_string())?;
        let mut buffer = [0; 8192];
        loop {
            let length = self.socket.recv(&mut buffer).map_err(|error| error.to_string())?;
            let Some(mut rest) = buffer[..length].strip_prefix(cookie.as_bytes()) else { continue };
            let answer = Value::read(&mut rest).ok_or("no bencode")?;
            return match answer.text("result") {
                Some("ok" | "pong") => Ok(answer),
                _ => Err(format!("{answer:?}")),
            };
        }
    }
}
