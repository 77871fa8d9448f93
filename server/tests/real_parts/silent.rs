//! Carriers that fail in the middle: that answer 100 or 180 and never more, and whose connection
//! is torn down while the call is up.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::time::Instant;

use socket2::SockRef;

use crate::parts::{AGENTS, LIMIT};
use crate::provisioning::{acme, trunk};
use crate::sip_client::{Framed, Wire, reply};
use crate::strowger::{ACME, Folder, Strowger};
use crate::ua::{Dialog, Ua, body, field};
use crate::voice::Voice;

const CARRIER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 63));
/// Where acme's callers come from.
const CALLERS: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 64));
const ACME_MAIN: &str = "+15550100";
const OUTSIDE: &str = "+12125550123";
const ALICE_HZ: f64 = 1000.0;
const CARRIER_HZ: f64 = 440.0;

/// Acme calls out over a trunk with that target; its own number calls there for five seconds.
fn server(folder: &Folder, target: &str) -> Strowger {
    let keys = format!("targets = [{{ uri = \"{target}\" }}]\nprobe_s = 0\n");
    let lines = format!(
        r#"
country = "US"
caller_id = "{ACME_MAIN}"
routes = [{{ trunk = "outside" }}]
agents = [{{ id = "alice", password = "alice-secret", loopback_only = true }}]
flows = [{{ id = "main", steps = [
    {{ do = "dial", to = "{OUTSIDE}", ring_s = 5 }},
    {{ do = "hangup", cause = "unavailable" }},
] }}]
numbers = [{{ number = "{ACME_MAIN}", flow = "main" }}]
"#
    );
    let trunks = trunk("outside", CARRIER, &keys) + &trunk("callers", CALLERS, "");
    Strowger::provisioned(folder.path(), acme(folder.path(), &trunks, &lines))
}

/// A caller is sent to the carrier, who begins and says no more, not even to the CANCEL. The caller
/// is told in time all the same; that is in five seconds here, and 150 where nobody says otherwise
/// (`switch/tests/silent_trunks.rs`).
fn begins_and_says_no_more(name: &str, begun: &str) {
    let folder = Folder::new(name);
    let mut carrier = Ua::new(CARRIER, SocketAddr::new(CARRIER, 9), CARRIER_HZ);
    let server = server(&folder, &format!("sip:{}", carrier.at));
    carrier.server = server.sip;
    let mut caller = Ua::new(CALLERS, server.sip, CARRIER_HZ);
    let offer = caller.sdp();
    let mut call = caller.calls_in(ACME_MAIN, &offer);
    let invite = carrier.expect("INVITE ");
    carrier.respond(&invite, begun, "", "");
    // The flow has answered the caller, so that he hears it ring.
    caller.is_answered(&mut call);
    let cancel = carrier.expect("CANCEL ");
    assert_eq!(field(&cancel, "Call-ID"), field(&invite, "Call-ID"));
    caller.hears_bye();
    let record = server.ended_calls(ACME, 1, LIMIT).remove(0);
    assert_eq!((&record["cause"], &record["ended_by"]), (&"no_answer".into(), &"engine".into()));
    carrier.saw(&format!("< INVITE  > {}  < CANCEL", &begun[..3]));
    assert_eq!(server.stop(), 0, "nothing of it keeps the server");
}

#[test]
fn a_carrier_that_answers_100_and_never_more_is_cancelled_and_the_caller_told() {
    begins_and_says_no_more("silent-100", "100 Trying");
}

#[test]
fn a_carrier_that_answers_180_and_never_more_is_cancelled_and_the_caller_told() {
    begins_and_says_no_more("silent-180", "180 Ringing");
}

/// A carrier's end over TCP.
struct Line {
    wire: Framed<TcpStream>,
    contact: String,
}

impl Line {
    fn accept(listener: &TcpListener) -> Self {
        let (stream, _) = listener.accept().expect("a connection");
        stream.set_read_timeout(Some(LIMIT)).expect("a limit");
        let at = listener.local_addr().expect("its address");
        Self { wire: Framed::new(stream), contact: format!("sip:carrier@{at};transport=tcp") }
    }

    fn expect(&mut self, method: &str) -> String {
        let deadline = Instant::now() + LIMIT;
        while Instant::now() < deadline {
            let message = self.wire.receive().expect(method);
            if message.starts_with(&format!("{method} ")) {
                return message;
            }
        }
        panic!("no {method}");
    }

    fn answer(&mut self, request: &str, status: &str, sdp: &str) {
        self.wire.send(&reply(request, status, &self.contact, sdp)).expect("to send");
    }

    /// Tears the connection down: RST.
    fn tear(self) {
        let socket = SockRef::from(&self.wire.stream);
        socket.set_linger(Some(std::time::Duration::ZERO)).expect("an option");
    }
}

/// Alice talks with somebody outside over TCP, whose connection is torn down. They hear each other
/// all the same. Gives the phone, its dialog and who listens for connections.
fn torn(folder: &Folder, listener: &TcpListener) -> (Strowger, Ua, Dialog, Voice) {
    let at = listener.local_addr().expect("its address");
    let server = server(folder, &format!("sip:{at};transport=tcp"));
    let mut alice = Ua::new(AGENTS, server.sip, ALICE_HZ);
    alice.registers("alice");
    let mut call = alice.dials("alice", OUTSIDE);
    let mut line = Line::accept(listener);
    let invite = line.expect("INVITE");
    let voice = Voice::new(CARRIER, CARRIER_HZ);
    let sdp = format!(
        "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\n\
         m=audio {port} RTP/AVP 0\r\n",
        ip = voice.at.ip(),
        port = voice.at.port()
    );
    line.answer(&invite, "180 Ringing", "");
    line.answer(&invite, "200 OK", &sdp);
    line.expect("ACK");
    alice.talks(&mut call);
    voice.talks_to(body(&invite));
    alice.voice.hears(CARRIER_HZ, 0.5);
    line.tear();
    alice.voice.hears(CARRIER_HZ, 1.0);
    voice.hears(ALICE_HZ, 0.5);
    server.calls_are(ACME, 1, "connected");
    (server, alice, call, voice)
}

#[test]
fn a_call_outlives_its_carriers_connection_and_is_ended_over_another() {
    let folder = Folder::new("torn");
    let listener = TcpListener::bind((CARRIER, 0)).expect("a port");
    let (server, mut alice, mut call, _voice) = torn(&folder, &listener);
    let bye = std::thread::scope(|scope| {
        let line = scope.spawn(|| {
            let mut line = Line::accept(&listener);
            let bye = line.expect("BYE");
            line.answer(&bye, "200 OK", "");
            bye
        });
        alice.hangs_up(&mut call);
        line.join().expect("the BYE")
    });
    assert!(bye.starts_with("BYE sip:carrier@"), "{bye}");
    let record = server.ended_calls(ACME, 1, LIMIT).remove(0);
    assert_eq!((&record["cause"], &record["ended_by"]), (&"normal".into(), &"caller".into()));
    assert_eq!(server.stop(), 0);
}

#[test]
fn a_carrier_that_is_gone_for_good_keeps_no_call_from_ending() {
    let folder = Folder::new("torn-gone");
    let listener = TcpListener::bind((CARRIER, 0)).expect("a port");
    let (server, mut alice, mut call, voice) = torn(&folder, &listener);
    drop((listener, voice));
    alice.hangs_up(&mut call);
    let record = server.ended_calls(ACME, 1, LIMIT).remove(0);
    assert_eq!((&record["cause"], &record["ended_by"]), (&"normal".into(), &"caller".into()));
    assert_eq!(server.stop(), 0);
}
