//! A user agent over UDP that a test leads message by message, and the list of what crossed its
//! wire. It repeats what is not answered and overlooks what is repeated, as RFC 3261 §17 wants.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use crate::net::{digest_of, free_port};
use crate::parts::LIMIT;
use crate::sip_client::reply;
use crate::voice::{EVENTS, Voice};

/// Between two transmissions of a request that nothing answers.
const AGAIN: Duration = Duration::from_secs(2);

pub(crate) struct Ua {
    socket: UdpSocket,
    pub(crate) at: SocketAddr,
    /// Where all it says goes.
    pub(crate) server: SocketAddr,
    /// What came, each message once.
    seen: Vec<String>,
    /// How many of those were asked for.
    taken: usize,
    /// How many messages came once more.
    pub(crate) repeated: usize,
    /// `> INVITE` is what it sent, `< 180` what it got; repetitions are left out.
    pub(crate) flow: Vec<String>,
    pub(crate) voice: Voice,
    /// The version of its description.
    version: u32,
    number: u32,
    /// The request that no response came to yet.
    open: Option<(String, Instant)>,
}

/// Its side of a dialog (RFC 3261 §12).
#[derive(Clone, Debug)]
pub(crate) struct Dialog {
    pub(crate) call_id: String,
    /// From of its requests, with the tag.
    pub(crate) local: String,
    /// To of its requests.
    pub(crate) remote: String,
    pub(crate) target: String,
    pub(crate) cseq: u32,
}

impl Ua {
    /// At an address, with a tone for a voice.
    pub(crate) fn new(address: IpAddr, server: SocketAddr, hertz: f64) -> Self {
        let at = SocketAddr::new(address, free_port(address));
        let socket = UdpSocket::bind(at).expect("a port");
        socket.set_read_timeout(Some(Duration::from_millis(100))).expect("a limit");
        Self {
            socket,
            at,
            server,
            seen: Vec::new(),
            taken: 0,
            repeated: 0,
            flow: Vec::new(),
            voice: Voice::new(address, hertz),
            version: 0,
            number: 0,
            open: None,
        }
    }

    /// Takes what rings.
    pub(crate) fn takes(&mut self) -> Dialog {
        let invite = self.expect("INVITE ");
        self.takes_call(&invite)
    }

    /// Takes the call of that INVITE, and talks.
    pub(crate) fn takes_call(&mut self, invite: &str) -> Dialog {
        let sdp = self.sdp();
        self.respond(invite, "200 OK", "", &sdp);
        self.expect("ACK ");
        self.voice.talks_to(body(invite));
        self.dialog_of(invite)
    }

    /// Its description, the next version of it, as the voice is reached.
    pub(crate) fn sdp(&mut self) -> String {
        let at = self.voice.at;
        self.sdp_at(&at.ip().to_string(), at.port())
    }

    /// The same, but with keys as events.
    pub(crate) fn sdp_with_keys(&mut self) -> String {
        let sdp = self.sdp().replace("RTP/AVP 0\r\n", &format!("RTP/AVP 0 {EVENTS}\r\n"));
        format!("{sdp}a=rtpmap:{EVENTS} telephone-event/8000\r\na=fmtp:{EVENTS} 0-15\r\n")
    }

    /// The same, but naming another address.
    pub(crate) fn sdp_at(&mut self, address: &str, port: u16) -> String {
        self.version += 1;
        format!(
            "v=0\r\no=- {number} {version} IN IP4 {address}\r\ns=-\r\nc=IN IP4 {address}\r\n\
             t=0 0\r\nm=audio {port} RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n",
            number = self.voice.at.port(),
            version = self.version,
        )
    }

    /// A dialog that it begins.
    pub(crate) fn calls(&mut self, from: &str, to: &str) -> Dialog {
        self.number += 1;
        let (number, port) = (self.number, self.at.port());
        Dialog {
            call_id: format!("ua-{port}-{number}@{}", self.at.ip()),
            local: format!("<{from}>;tag=ua{port}-{number}"),
            remote: format!("<{to}>"),
            target: to.to_owned(),
            cseq: 0,
        }
    }

    /// Calls, with that description.
    pub(crate) fn invites(&mut self, from: &str, to: &str, sdp: &str) -> Dialog {
        let mut dialog = self.calls(from, to);
        self.ask(&mut dialog, "INVITE", "", sdp);
        dialog
    }

    /// Calls a number of acme's from outside.
    pub(crate) fn calls_in(&mut self, number: &str, sdp: &str) -> Dialog {
        let to = format!("sip:{number}@acme.example");
        self.invites("sip:+12125550199@carrier.example", &to, sdp)
    }

    /// Hears that its INVITE was taken, and confirms it; the answer.
    #[track_caller]
    pub(crate) fn is_answered(&mut self, dialog: &mut Dialog) -> String {
        let ok = self.expect("SIP/2.0 200");
        self.ack(dialog, &ok, "");
        ok
    }

    /// The same, and it talks.
    #[track_caller]
    pub(crate) fn talks(&mut self, dialog: &mut Dialog) {
        let ok = self.is_answered(dialog);
        self.voice.talks_to(body(&ok));
    }

    /// A request in the dialog; the CSeq is the dialog's.
    pub(crate) fn request(&self, dialog: &Dialog, method: &str, extra: &str, body: &str) -> String {
        let Dialog { call_id, local, remote, target, cseq } = dialog;
        // An ACK to a refusal belongs to the INVITE's transaction, and so does a CANCEL.
        let branch = if matches!(method, "CANCEL" | "ACK") { "INVITE" } else { method };
        let branch = format!("{}-{cseq}-{branch}", call_id.replace('@', "-"));
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let at = self.at;
        format!(
            "{method} {target} SIP/2.0\r\n\
             Via: SIP/2.0/UDP {at};branch=z9hG4bK-{branch};rport\r\n\
             Max-Forwards: 70\r\nFrom: {local}\r\nTo: {remote}\r\nCall-ID: {call_id}\r\n\
             CSeq: {cseq} {method}\r\nContact: <sip:ua@{at}>\r\n{extra}{kind}\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    }

    pub(crate) fn send(&mut self, message: &str) {
        let first = message.lines().next().unwrap_or_default();
        match first.strip_prefix("SIP/2.0 ") {
            Some(status) => self.flow.push(format!("> {}", &status[..3])),
            None => {
                let method = first.split(' ').next().unwrap_or_default();
                self.flow.push(format!("> {method}"));
                if method != "ACK" {
                    self.open = Some((message.to_owned(), Instant::now()));
                }
            }
        }
        self.socket.send_to(message.as_bytes(), self.server).expect("to send");
    }

    /// Sends the next request of a dialog.
    pub(crate) fn ask(&mut self, dialog: &mut Dialog, method: &str, extra: &str, body: &str) {
        dialog.cseq += 1;
        let request = self.request(dialog, method, extra, body);
        self.send(&request);
    }

    /// The next message that begins with these words; what else came before it is passed over.
    #[track_caller]
    pub(crate) fn expect(&mut self, start: &str) -> String {
        let deadline = Instant::now() + LIMIT;
        loop {
            while self.taken < self.seen.len() {
                self.taken += 1;
                let message = &self.seen[self.taken - 1];
                if message.starts_with(start) {
                    return message.clone();
                }
            }
            assert!(Instant::now() < deadline, "no {start} at {}, but {:#?}", self.at, self.seen);
            self.listen();
        }
    }

    /// Takes what is there, or waits a moment for it; whether there was something.
    fn listen(&mut self) -> bool {
        let mut buffer = [0; 65_536];
        let Ok((length, _)) = self.socket.recv_from(&mut buffer) else {
            if let Some((request, since)) = &mut self.open
                && since.elapsed() > AGAIN
            {
                *since = Instant::now();
                let _ = self.socket.send_to(request.as_bytes(), self.server);
            }
            return false;
        };
        let message = String::from_utf8_lossy(&buffer[..length]).into_owned();
        if self.seen.contains(&message) {
            self.repeated += 1;
            return true;
        }
        let first = message.lines().next().unwrap_or_default();
        match first.strip_prefix("SIP/2.0 ") {
            Some(status) => {
                self.flow.push(format!("< {}", &status[..3]));
                self.open = None;
            }
            None => self.flow.push(format!("< {}", first.split(' ').next().unwrap_or_default())),
        }
        self.seen.push(message);
        true
    }

    /// Answers a request; more header fields end in CR LF each.
    pub(crate) fn respond(&mut self, request: &str, status: &str, extra: &str, sdp: &str) {
        let contact = format!("sip:ua@{}", self.at);
        let answer = reply(request, status, &contact, sdp);
        let answer = answer.replacen("Contact: ", &format!("{extra}Contact: "), 1);
        self.send(&answer);
    }

    /// Its side of the dialog that an INVITE to it makes.
    pub(crate) fn dialog_of(&self, invite: &str) -> Dialog {
        let to = field(invite, "To");
        Dialog {
            call_id: field(invite, "Call-ID"),
            local: format!("{to};tag=phone"),
            remote: field(invite, "From"),
            target: in_brackets(&field(invite, "Contact")),
            cseq: 0,
        }
    }

    /// Confirms a 2xx, and learns from it where the dialog goes.
    pub(crate) fn ack(&mut self, dialog: &mut Dialog, ok: &str, sdp: &str) {
        dialog.remote = field(ok, "To");
        dialog.target = in_brackets(&field(ok, "Contact"));
        // A transaction of its own.
        let ack = self.request(dialog, "ACK", "", sdp).replace("-INVITE;rport", "-ACK;rport");
        self.send(&ack);
    }

    /// Confirms a refusal, in the INVITE's transaction.
    pub(crate) fn ack_refusal(&mut self, dialog: &Dialog, refusal: &str) {
        let mut dialog = dialog.clone();
        dialog.remote = field(refusal, "To");
        let ack = self.request(&dialog, "ACK", "", "");
        self.send(&ack);
    }

    /// Gives up an INVITE that is under way.
    pub(crate) fn cancel(&mut self, dialog: &Dialog) {
        let cancel = self.request(dialog, "CANCEL", "", "");
        self.send(&cancel);
    }

    /// A request as an agent of acme, who is asked for the password first (407).
    pub(crate) fn ask_as(
        &mut self,
        user: &str,
        dialog: &mut Dialog,
        method: &str,
        extra: &str,
        body: &str,
    ) {
        self.ask(dialog, method, extra, body);
        let challenged = self.expect("SIP/2.0 407");
        if method == "INVITE" {
            self.ack_refusal(dialog, &challenged);
        }
        let password = format!("{user}-secret");
        let proof = proof(&challenged, (user, &password), method, &dialog.target);
        self.ask(dialog, method, &format!("{extra}{proof}"), body);
    }

    /// Invites as an agent of acme, with its description.
    pub(crate) fn dials(&mut self, user: &str, to: &str) -> Dialog {
        let sdp = self.sdp();
        self.dials_with(user, to, &sdp)
    }

    /// The same with that description.
    pub(crate) fn dials_with(&mut self, user: &str, to: &str, sdp: &str) -> Dialog {
        let mut dialog =
            self.calls(&format!("sip:{user}@acme.example"), &format!("sip:{to}@acme.example"));
        self.ask_as(user, &mut dialog, "INVITE", "", sdp);
        dialog
    }

    /// Registers as an agent of acme; what it said and heard is not part of the flow.
    pub(crate) fn registers(&mut self, user: &str) {
        self.registers_in(user, "acme.example");
    }

    /// The same in another tenant's domain.
    pub(crate) fn registers_in(&mut self, user: &str, domain: &str) {
        let mut dialog = self.calls(&format!("sip:{user}@{domain}"), &format!("sip:{domain}"));
        dialog.remote = format!("<sip:{user}@{domain}>");
        self.ask(&mut dialog, "REGISTER", "", "");
        let challenged = self.expect("SIP/2.0 401");
        let password = format!("{user}-secret");
        let proof = proof(&challenged, (user, &password), "REGISTER", &dialog.target);
        self.ask(&mut dialog, "REGISTER", &proof, "");
        self.expect("SIP/2.0 200");
        self.flow.clear();
    }

    /// Hangs up and hears that it was understood.
    pub(crate) fn hangs_up(&mut self, dialog: &mut Dialog) {
        self.ask(dialog, "BYE", "", "");
        self.expect("SIP/2.0 200");
    }

    /// Hears the BYE and says so.
    pub(crate) fn hears_bye(&mut self) -> String {
        let bye = self.expect("BYE ");
        self.respond(&bye, "200 OK", "", "");
        bye
    }

    /// What crossed its wire must be this, in this order. Of what it heard, `100` says only that
    /// another answer takes its time.
    #[track_caller]
    pub(crate) fn saw(&mut self, expected: &str) {
        while self.listen() {}
        let flow: Vec<&str> =
            self.flow.iter().map(String::as_str).filter(|one| *one != "< 100").collect();
        assert_eq!(flow.join("  "), expected, "at {}:\n{:#?}", self.at, self.seen);
    }
}

/// What answers a challenge, as a header field with its end.
pub(crate) fn proof(
    challenged: &str,
    (user, password): (&str, &str),
    method: &str,
    uri: &str,
) -> String {
    let (asks, answers) = if challenged.starts_with("SIP/2.0 401") {
        ("WWW-Authenticate: ", "Authorization")
    } else {
        ("Proxy-Authenticate: ", "Proxy-Authorization")
    };
    let challenges = challenged.lines().filter_map(|line| line.strip_prefix(asks));
    let challenge = challenges.clone().find(|one| one.contains("algorithm=MD5"));
    let challenge = challenge.unwrap_or_else(|| panic!("no MD5 challenge in\n{challenged}"));
    format!("{answers}: {}\r\n", digest_of(challenge, user, password, method, uri))
}

/// The value of a header field, of its first line.
pub(crate) fn field(message: &str, name: &str) -> String {
    let head = message.split("\r\n\r\n").next().unwrap_or_default();
    let line = head.lines().find_map(|line| {
        let (this, value) = line.split_once(':')?;
        this.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    });
    line.unwrap_or_else(|| panic!("no {name} in\n{message}"))
}

/// All values of a header field, one for each line.
pub(crate) fn fields(message: &str, name: &str) -> Vec<String> {
    let head = message.split("\r\n\r\n").next().unwrap_or_default();
    let of = |line: &str| {
        let (this, value) = line.split_once(':')?;
        this.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
    };
    head.lines().filter_map(of).collect()
}

pub(crate) fn body(message: &str) -> &str {
    message.split_once("\r\n\r\n").map_or("", |(_, body)| body)
}

fn in_brackets(value: &str) -> String {
    let inside = value.split_once('<').and_then(|(_, rest)| rest.split_once('>'));
    inside.map_or(value, |(uri, _)| uri).to_owned()
}
