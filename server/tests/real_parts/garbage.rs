//! Noise and mutilated messages over TLS, WebSocket and secure WebSocket, below and above what
//! frames them; beside it a call goes on that both ends hear.

use std::fs;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use crate::abuse::{descriptors, memory, noise, until};
use crate::canary::Canary;
use crate::certificates::Authority;
use crate::parts::LIMIT;
use crate::sip_client::{tcp, tls, websocket};
use crate::strowger::{Folder, Setup, Strowger, repository};
use crate::websocket::SIP;
use crate::wire::{Stream, Way, connect};

/// Messages of each kind.
const ROUNDS: u64 = 150;

/// Numbers that are the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % most.max(1)
    }
}

/// All messages of RFC 4475 and RFC 5118.
fn messages() -> Vec<Vec<u8>> {
    let folders = ["torture", "torture-ipv6"];
    let mut files: Vec<PathBuf> = folders
        .iter()
        .flat_map(|folder| fs::read_dir(repository().join("fixtures/sip").join(folder)).unwrap())
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|kind| kind == "dat"))
        .collect();
    files.sort();
    assert!(files.len() >= 61, "{files:?}");
    files.iter().map(|path| fs::read(path).expect("a message")).collect()
}

/// A message with up to eight wounds.
fn mutilated(message: &[u8], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = message.to_vec();
    for _ in 0..=dice.below(8) {
        let at = dice.below(bytes.len());
        let end = (at + 1 + dice.below(40)).min(bytes.len());
        match dice.below(5) {
            0 if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let again = bytes[at..end].to_vec();
                bytes.splice(at..at, again);
            }
            3 => drop(bytes.splice(at..at, noise(dice.0, 1 + dice.below(30)))),
            _ => bytes.truncate(end),
        }
    }
    bytes
}

/// Noise and mutilated messages, over a new way whenever the last may have been closed.
fn pelt(open: &dyn Fn() -> Way) {
    let (messages, mut dice) = (messages(), Dice(0x5eed));
    let mut way = open();
    for round in 0..ROUNDS {
        let bytes = if round % 3 == 0 {
            noise(round, 1 + dice.below(3000))
        } else {
            mutilated(&messages[dice.below(messages.len())], &mut dice)
        };
        way.send(&bytes);
        if round % 2 == 1 {
            way = open();
        }
    }
}

/// Noise where a TLS handshake or a request of HTTP is due, and half of one of those.
fn pelt_below(at: SocketAddr) {
    let source = |n: u64| IpAddr::V4(Ipv4Addr::new(127, 0, 8, (n / 20) as u8 + 1));
    let beginnings: [&[u8]; 3] = [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET /sip HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-",
        b"\x16\x03\x03\xff\xff\x01\xff\xff\xff",
    ];
    let mut open = Vec::new();
    for seed in 0..100 {
        let mut stream = connect(source(seed), at);
        stream.set_write_timeout(Some(Duration::from_secs(1))).expect("a limit");
        let _ = stream.write_all(beginnings[seed as usize % 3]);
        if seed % 4 != 0 {
            let _ = stream.write_all(&noise(seed, 5000));
        }
        open.push(stream);
    }
}

/// What lies between the handshake and a message: noise for frames, frames that never end, that
/// are not masked, that say they are longer than anything.
fn pelt_frames(at: SocketAddr) {
    let url = format!("ws://{at}/sip");
    let frames: [&[u8]; 5] = [
        b"\x01\x80abcd",
        b"\x82\x05hello",
        b"\x82\xff\x7f\xff\xff\xff\xff\xff\xff\xffabcdINVITE",
        b"\xf2\x85abcdhello",
        b"\x89\xfe\x10\x00abcd",
    ];
    for seed in 0..60 {
        let socket = websocket(tcp(at), &url, &[SIP]).expect("a socket");
        let mut stream = socket.into_inner();
        let _ = stream.write_all(frames[seed as usize % frames.len()]);
        let _ = stream.write_all(&noise(seed, 2000));
    }
}

/// The canary sings while all that happens; then nothing is left of it.
fn beside_a_canary(folder: &Folder, server: Strowger, happens: impl Fn(&Strowger)) {
    let canary = Canary::sing(folder.path(), &server);
    let before = descriptors(&server);
    happens(&server);
    let first = memory(&server);
    happens(&server);
    until("all are gone", || descriptors(&server) <= before + 8);
    until("the second round took no more memory than the first", || {
        memory(&server) <= first + first / 10 + 4096
    });
    canary.ends_unharmed(&server);
    assert_eq!(server.stop(), 0);
}

#[test]
fn garbage_over_tls_and_secure_websocket_harms_no_call() {
    let folder = Folder::new("garbage-tls");
    let authority = Authority::new(folder.path(), "authority");
    let own = authority.certify(folder.path(), "own", &["pbx.example"]);
    let setup = Setup { config: own.table(), tls: true, https: true, ..Setup::default() };
    let server = Strowger::start_trusted(folder.path(), &setup, "pbx.example", &authority);
    beside_a_canary(&folder, server, |server| {
        let secure = |at| {
            let deadline = Instant::now() + LIMIT;
            loop {
                // A source with many handshakes under way has to wait.
                match tls(at, "pbx.example", &authority, None) {
                    Ok(stream) => return stream,
                    Err(error) => assert!(Instant::now() < deadline, "{at}: {error}"),
                }
            }
        };
        let at = server.sip_tls.expect("a TLS listener");
        pelt_below(at);
        pelt(&|| Way::Stream(Box::new(secure(at))));
        pelt_below(server.http);
        pelt(&|| {
            let stream = Box::new(secure(server.http)) as Box<dyn Stream>;
            let socket = websocket(stream, "wss://pbx.example/sip", &[SIP]);
            Way::Socket(Box::new(socket.expect("a socket")))
        });
    });
}

#[test]
fn garbage_over_websocket_harms_no_call() {
    let folder = Folder::new("garbage-ws");
    let server = Strowger::start(folder.path());
    beside_a_canary(&folder, server, |server| {
        pelt_below(server.http);
        pelt_frames(server.http);
        let url = format!("ws://{}/sip", server.http);
        pelt(&|| {
            let stream = Box::new(tcp(server.http)) as Box<dyn Stream>;
            let socket = websocket(stream, &url, &[SIP]);
            Way::Socket(Box::new(socket.expect("a socket")))
        });
    });
}
