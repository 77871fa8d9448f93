//! Strowger: a carrier calls a number, its queue rings an agent who registered, and the two are
//! bridged. One call is made after the other.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::Child;
use std::time::{Duration, Instant};

use benches::text::{Start, Text, field, number_after, uri};
use benches::{child, http};
use sip::Method;
use sip::digest::{Answer, answer};

use super::{ADDRESS, PORTS, Targets, free_port};
use crate::describe::{self, Kind, Side};

const CARRIER: &str = "127.0.0.2:5060";
const OFFICE: &str = "127.0.0.3:5060";
/// A call that takes longer to make has failed.
const PATIENCE: Duration = Duration::from_secs(5);

/// The SIP ends of all calls.
pub(super) struct Phones {
    carrier: UdpSocket,
    office: UdpSocket,
    server: SocketAddr,
    api: SocketAddr,
    /// Agents in no call.
    free: BTreeSet<usize>,
}

/// How it runs.
pub(super) struct Settings {
    /// `rtp.kernel`.
    pub(super) kernel: &'static str,
    /// `rtp.workers`.
    pub(super) workers: u16,
    /// All of it on this one.
    pub(super) core: usize,
}

pub(super) fn start(
    folder: &Path,
    binary: &Path,
    kind: Kind,
    calls: usize,
    &Settings { kernel, workers, core }: &Settings,
) -> Result<(Child, Phones), String> {
    let server = SocketAddr::new(ADDRESS, free_port()?);
    let [first, last] = PORTS;
    let config = format!(
        "drain_deadline_s = 1\n[sip]\nudp = [\"{server}\"]\ntcp = []\n\
         [http]\nlisten = \"127.0.0.1:0\"\n\
         [rtp]\nports = \"{first}-{last}\"\naddress = \"{ADDRESS}\"\n\
         workers = {workers}\n\
         kernel = \"{kernel}\"\n\
         [limits]\nsource_requests_per_second = 100000\nsource_burst = 200000\n\
         [log]\nlevel = \"warn\"\n"
    );
    let provisioned = document(kind, calls);
    let (child, ready) = child::strowger(folder, (binary, Some(core)), &config, &provisioned)?;
    let api = child::address(&ready, "http")?;
    let end = |at: &str| -> std::io::Result<UdpSocket> {
        let socket = UdpSocket::bind(at)?;
        socket.connect(server)?;
        socket.set_read_timeout(Some(Duration::from_millis(1)))?;
        Ok(socket)
    };
    let end = |at| end(at).map_err(|error| format!("{at}: {error}"));
    let (carrier, office) = (end(CARRIER)?, end(OFFICE)?);
    let mut phones = Phones { carrier, office, server, api, free: (0..calls).collect() };
    for agent in 0..calls {
        phones.register(agent)?;
    }
    Ok((child, phones))
}

fn document(kind: Kind, calls: usize) -> String {
    let trunk = "[[trunks]]\nid = \"load\"\nsources = [\"127.0.0.2\"]\nprobe_s = 0\n\
                 codecs = [\"PCMU\", \"PCMA\", \"opus\"]\n";
    let record = kind == Kind::Recorded;
    trunk.to_owned() + &child::tenant("load", "+15550100001", record, 0..calls)
}

impl Phones {
    pub(super) fn call(
        &mut self,
        kind: Kind,
        number: usize,
        offer: &str,
        callee: SocketAddr,
    ) -> Result<Targets, String> {
        send(&self.carrier, &self.invite(number, offer))?;
        let (mut to_callee, mut to_caller, mut is_acknowledged) = (None, None, false);
        let mut answer = String::new();
        let mut opus = 0;
        let until = Instant::now() + PATIENCE;
        let mut buffer = [0; 8192];
        while to_callee.is_none() || to_caller.is_none() || !is_acknowledged {
            if Instant::now() > until {
                let heard = (to_callee.is_some(), to_caller.is_some());
                return Err(format!("callee invited, caller answered: {heard:?}"));
            }
            if let Ok(length) = self.office.recv(&mut buffer) {
                let text = Text(&buffer[..length]);
                let call = text.value("From").and_then(|from| number_after(from, "+1212"));
                let is_ours = call == Some(number);
                match text.start() {
                    Some(Start::Request(b"INVITE")) if is_ours => {
                        to_callee = describe::target(body(text));
                        self.free.retain(|agent| Some(*agent) != called(&text));
                        opus = describe::opus_number(body(text));
                        let own = describe::description(kind, Side::Callee, callee, opus);
                        send(&self.office, &response(&text, OFFICE, number, &own))?;
                    }
                    Some(Start::Request(b"ACK")) if is_ours => is_acknowledged = true,
                    Some(Start::Request(b"OPTIONS" | b"NOTIFY")) => {
                        send(&self.office, &response(&text, OFFICE, number, ""))?;
                    }
                    _ => {}
                }
            }
            if let Ok(length) = self.carrier.recv(&mut buffer) {
                let text = Text(&buffer[..length]);
                match text.start() {
                    Some(Start::Response(status @ 300..)) if text.answers("INVITE") => {
                        return Err(format!("{status}"));
                    }
                    Some(Start::Response(200)) if text.answers("INVITE") => {
                        let call = text.value("From").and_then(|from| number_after(from, "+1212"));
                        if call == Some(number) {
                            to_caller = describe::target(body(text));
                            body(text).clone_into(&mut answer);
                        }
                        send(&self.carrier, &ack(&text))?;
                    }
                    _ => {}
                }
            }
        }
        Ok(Targets {
            caller: to_caller.ok_or("no answer for the caller")?,
            callee: to_callee.ok_or("no offer for the callee")?,
            opus,
            answer,
        })
    }

    /// Brings another agent into a call by the API: where that one is to send its audio.
    pub(super) fn bring(&mut self, number: usize, at: SocketAddr) -> Result<SocketAddr, String> {
        let agent = self.free.pop_last().ok_or("no agent is free")?;
        let until = Instant::now() + PATIENCE;
        let path = format!("/api/v1/calls/{}/participants", self.id_of(number, until)?);
        let wish = format!("{{\"to\":\"agent-{agent}\"}}");
        loop {
            match http::ask(self.api, "POST", &path, "load", &wish)? {
                (202, _) => break,
                // The one before has not quite come in.
                (409, _) if Instant::now() < until => {}
                (status, body) => return Err(format!("{status} {body}")),
            }
        }
        let (mut wanted, mut call) = (None, Vec::new());
        let mut buffer = [0; 8192];
        while Instant::now() < until {
            let Ok(length) = self.office.recv(&mut buffer) else { continue };
            let text = Text(&buffer[..length]);
            match text.start() {
                Some(Start::Request(b"INVITE")) if called(&text) == Some(agent) => {
                    wanted = describe::target(body(text));
                    call = text.value("Call-ID").unwrap_or_default().to_vec();
                    let own = describe::description(Kind::Conference, Side::Callee, at, 0);
                    send(&self.office, &response(&text, OFFICE, agent, &own))?;
                }
                Some(Start::Request(b"ACK")) if text.value("Call-ID") == Some(&call) => {
                    return wanted.ok_or_else(|| format!("agent {agent} got no description"));
                }
                Some(Start::Request(b"OPTIONS" | b"NOTIFY" | b"UPDATE" | b"INFO")) => {
                    send(&self.office, &response(&text, OFFICE, agent, ""))?;
                }
                _ => {}
            }
        }
        Err(format!("agent {agent} is not called, or gets no ACK"))
    }

    /// A call's id, once the API knows of it.
    fn id_of(&self, number: usize, until: Instant) -> Result<String, String> {
        let caller = format!("+1212{number:07}");
        while Instant::now() < until {
            let path = "/api/v1/calls?state=connected";
            let (_, body) = http::ask(self.api, "GET", path, "load", "")?;
            let page: serde_json::Value = serde_json::from_str(&body).unwrap_or_default();
            let rows = page["data"].as_array().into_iter().flatten();
            let mut own = rows.filter(|row| row["from"] == caller.as_str());
            if let Some(id) = own.find_map(|row| row["id"].as_str()) {
                return Ok(id.to_owned());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Err("the API does not know of it".to_owned())
    }

    fn register(&mut self, agent: usize) -> Result<(), String> {
        let mut authorization = String::new();
        let mut buffer = [0; 8192];
        for cseq in 1..=2 {
            let request = format!(
                "REGISTER sip:load.example SIP/2.0\r\n\
                 Via: SIP/2.0/UDP {OFFICE};branch=z9hG4bK-r{agent}-{cseq};rport\r\n\
                 Max-Forwards: 70\r\nFrom: <sip:agent-{agent}@load.example>;tag=r{agent}\r\n\
                 To: <sip:agent-{agent}@load.example>\r\nCall-ID: {agent}-register\r\n\
                 CSeq: {cseq} REGISTER\r\nContact: <sip:agent-{agent}@{OFFICE}>\r\n\
                 Expires: 3600\r\n{authorization}Content-Length: 0\r\n\r\n"
            );
            send(&self.office, request.as_bytes())?;
            let until = Instant::now() + PATIENCE;
            let challenge = loop {
                if Instant::now() > until {
                    return Err(format!("agent {agent} gets no answer"));
                }
                let Ok(length) = self.office.recv(&mut buffer) else { continue };
                let text = Text(&buffer[..length]);
                if !text.answers("REGISTER") {
                    continue;
                }
                match text.start() {
                    Some(Start::Response(200)) => return Ok(()),
                    Some(Start::Response(401)) => {
                        let value = text.value("WWW-Authenticate").unwrap_or_default();
                        break String::from_utf8_lossy(value).into_owned();
                    }
                    other => return Err(format!("agent {agent}: {other:?}")),
                }
            };
            let terms = Answer {
                method: &Method::Register,
                uri: "sip:load.example",
                user: &format!("agent-{agent}"),
                password: &format!("load-secret-{agent}"),
                cnonce: "0a4f113b",
                nc: 1,
            };
            let value = answer(&challenge, &terms).map_err(|fault| format!("{fault:?}"))?;
            authorization = format!("Authorization: {value}\r\n");
        }
        Err(format!("agent {agent} is challenged twice"))
    }

    fn invite(&self, call: usize, offer: &str) -> Vec<u8> {
        let server = self.server;
        format!(
            "INVITE sip:+15550100001@{server};user=phone SIP/2.0\r\n\
             Via: SIP/2.0/UDP {CARRIER};branch=z9hG4bK-i{call};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:+1212{call:07}@{CARRIER}>;tag=c{call}\r\n\
             To: <sip:+15550100001@{server};user=phone>\r\nCall-ID: {call}-load\r\n\
             CSeq: 1 INVITE\r\nContact: <sip:carrier@{CARRIER}>\r\n\
             Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{offer}",
            offer.len()
        )
        .into_bytes()
    }
}

fn send(socket: &UdpSocket, bytes: &[u8]) -> Result<(), String> {
    socket.send(bytes).map(|_| ()).map_err(|error| error.to_string())
}

/// The agent whom a request is for.
fn called(request: &Text<'_>) -> Option<usize> {
    number_after(request.lines().next()?, "sip:agent-")
}

/// What follows the empty line.
fn body<'a>(text: Text<'a>) -> &'a str {
    let whole = std::str::from_utf8(text.0).unwrap_or_default();
    whole.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

/// A 200 with our tag, and a description if it is not empty.
fn response(request: &Text<'_>, own: &str, tag: usize, body: &str) -> Vec<u8> {
    const COPIED: [&str; 5] = ["Via", "From", "To", "Call-ID", "CSeq"];
    let mut out = "SIP/2.0 200 OK\r\n".to_owned();
    for line in request.lines().skip(1) {
        if !COPIED.iter().any(|name| field(line, name).is_some()) {
            continue;
        }
        out.push_str(&String::from_utf8_lossy(line));
        if field(line, "To").is_some_and(|to| number_after(to, ";tag=").is_none()) {
            let _ = write!(out, ";tag=9{tag}");
        }
        out.push_str("\r\n");
    }
    let _ = write!(out, "Contact: <sip:phone@{own}>\r\n");
    if !body.is_empty() {
        out.push_str("Content-Type: application/sdp\r\n");
    }
    let _ = write!(out, "Content-Length: {}\r\n\r\n{body}", body.len());
    out.into_bytes()
}

/// The ACK of a 200.
fn ack(ok: &Text<'_>) -> Vec<u8> {
    let shown = |name| String::from_utf8_lossy(ok.value(name).unwrap_or_default()).into_owned();
    let target = String::from_utf8_lossy(uri(ok.value("Contact").unwrap_or_default())).into_owned();
    let call = shown("Call-ID");
    format!(
        "ACK {target} SIP/2.0\r\nVia: SIP/2.0/UDP {CARRIER};branch=z9hG4bK-a{call};rport\r\n\
         Max-Forwards: 70\r\nFrom: {}\r\nTo: {}\r\nCall-ID: {call}\r\nCSeq: 1 ACK\r\n\
         Content-Length: 0\r\n\r\n",
        shown("From"),
        shown("To"),
    )
    .into_bytes()
}
