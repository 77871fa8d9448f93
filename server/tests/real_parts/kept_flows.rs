//! Keep-alives over UDP (RFC 5626 §4.4.2, RFC 6223): a trunk's registrar that wants them is asked
//! by STUN, and is registered with anew as soon as it sees us elsewhere; phones get theirs answered.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use crate::net::free_port;
use crate::parts::{AGENTS, LIMIT};
use crate::provisioning::{demo, outside};
use crate::sip_client::reply;
use crate::strowger::{Folder, PLATFORM, Strowger};
use crate::ua::{Ua, field};

const CARRIER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 61));
const COOKIE: [u8; 4] = [0x21, 0x12, 0xa4, 0x42];

/// What comes to a registrar.
enum Came {
    Register(String, SocketAddr),
    /// A STUN Binding request, and its transaction.
    Ping([u8; 12], SocketAddr),
}

fn next(registrar: &UdpSocket) -> Came {
    let mut buffer = [0; 4096];
    loop {
        let (length, from) = registrar.recv_from(&mut buffer).expect("something in time");
        let bytes = &buffer[..length];
        match bytes.get(..8) {
            Some([0, 1, 0, 0, cookie @ ..]) if *cookie == COOKIE => {
                return Came::Ping(bytes[8..20].try_into().expect("a transaction"), from);
            }
            _ => {}
        }
        let text = String::from_utf8_lossy(bytes).into_owned();
        if text.starts_with("REGISTER ") {
            return Came::Register(text, from);
        }
    }
}

/// The next ping; a REGISTER that was answered already, but not soon enough, is answered again.
#[track_caller]
fn ping(registrar: &UdpSocket, answered: &str) -> ([u8; 12], SocketAddr) {
    loop {
        match next(registrar) {
            Came::Ping(transaction, from) => return (transaction, from),
            Came::Register(again, from) => {
                assert_eq!(field(&again, "CSeq"), field(answered, "CSeq"), "nothing new comes");
                take(registrar, &again, from);
            }
        }
    }
}

/// A STUN answer that says where the asker is seen (RFC 5389 §15.2).
fn seen_at(transaction: [u8; 12], at: SocketAddr) -> Vec<u8> {
    let IpAddr::V4(ip) = at.ip() else { panic!("IPv4") };
    let masked: Vec<u8> = ip.octets().iter().zip(COOKIE).map(|(one, mask)| one ^ mask).collect();
    let port = (at.port() ^ 0x2112).to_be_bytes();
    [&[1, 1, 0, 12], &COOKIE, &transaction[..], &[0, 0x20, 0, 8, 0, 1], &port, &masked].concat()
}

fn take(registrar: &UdpSocket, register: &str, from: SocketAddr) {
    let contact = field(register, "Contact");
    let contact = contact.trim_start_matches('<').split('>').next().unwrap_or_default().to_owned();
    let ok = reply(register, "200 OK", &contact, "").replacen(";keep", ";keep=5", 1);
    registrar.send_to(ok.as_bytes(), from).expect("to send");
}

#[test]
fn a_registrar_that_wants_keep_alives_is_asked_and_one_that_sees_us_move_is_told_at_once() {
    let folder = Folder::new("kept-flow");
    let at = SocketAddr::new(CARRIER, free_port(CARRIER));
    let registrar = UdpSocket::bind(at).expect("a port");
    registrar.set_read_timeout(Some(LIMIT)).expect("a limit");
    let keys = format!(
        "register = {{ registrar = \"sip:{at}\", aor = \"sip:4930123@carrier.example\", \
         contact_user = \"strowger-1\", expires_s = 600 }}\n"
    );
    let provisioning = demo(folder.path(), &outside(&keys), &[]);
    let server = Strowger::provisioned(folder.path(), provisioning);
    let Came::Register(first, from) = next(&registrar) else { panic!("a REGISTER first") };
    assert!(field(&first, "Via").ends_with(";keep"), "{first}");
    let began = Instant::now();
    take(&registrar, &first, from);
    server.eventually("registered", "/api/v1/trunks", PLATFORM, LIMIT, |trunks| {
        let outside = trunks.as_array()?.iter().find(|row| row["id"] == "outside")?;
        (outside["registration"]["state"] == "registered").then_some(())
    });
    let mut moved = from;
    // Seen where it is, and as long as that is so, nothing but pings comes.
    for _ in 0..2 {
        let (transaction, from) = ping(&registrar, &first);
        registrar.send_to(&seen_at(transaction, from), from).expect("to send");
        moved = SocketAddr::new(from.ip(), from.port() ^ 1);
    }
    assert!(began.elapsed() > Duration::from_secs(7), "twice within 4 to 5 s: {began:?}");
    let (transaction, from) = ping(&registrar, &first);
    registrar.send_to(&seen_at(transaction, moved), from).expect("to send");
    let Came::Register(again, from) = next(&registrar) else { panic!("a REGISTER at once") };
    assert_eq!(field(&again, "Call-ID"), field(&first, "Call-ID"));
    assert_eq!(field(&again, "CSeq"), "2 REGISTER");
    take(&registrar, &again, from);
}

#[test]
fn a_phones_keep_alives_are_answered_and_it_is_told_how_often_they_are_wanted() {
    let folder = Folder::new("kept-phone");
    let server = Strowger::start(folder.path());
    let mut alice = Ua::new(AGENTS, server.sip, 1000.0);
    let mut call = alice.calls("sip:alice@acme.example", "sip:acme.example");
    call.remote = "<sip:alice@acme.example>".to_owned();
    let with_keep = |request: String| request.replacen(";rport", ";rport;keep", 1);
    call.cseq += 1;
    let register = with_keep(alice.request(&call, "REGISTER", "", ""));
    alice.send(&register);
    let challenged = alice.expect("SIP/2.0 401");
    assert!(!field(&challenged, "Via").contains("keep="), "not before it is known: {challenged}");
    let who = ("alice", "alice-secret");
    let proof = crate::ua::proof(&challenged, who, "REGISTER", &call.target);
    call.cseq += 1;
    let register = with_keep(alice.request(&call, "REGISTER", &proof, ""));
    alice.send(&register);
    let ok = alice.expect("SIP/2.0 200");
    assert!(field(&ok, "Via").contains(";keep=25"), "{ok}");
    let ping = [&[0, 1, 0, 0][..], &COOKIE, b"twelve bytes"].concat();
    let socket = UdpSocket::bind((AGENTS, 0)).expect("a port");
    socket.set_read_timeout(Some(LIMIT)).expect("a limit");
    socket.send_to(&ping, server.sip).expect("to send");
    let mut answer = [0; 128];
    let (length, from) = socket.recv_from(&mut answer).expect("an answer");
    assert_eq!(from, server.sip);
    let own = socket.local_addr().expect("its address");
    assert_eq!(answer[..length], seen_at(*b"twelve bytes", own));
}
