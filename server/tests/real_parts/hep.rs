//! Copies of the signalling for Homer, read by the published layout of HEP3.

use std::collections::BTreeMap;
use std::net::{SocketAddr, UdpSocket};
use std::time::Instant;

use crate::net::{free_port, register};
use crate::parts::{AGENTS, LIMIT};
use crate::sip_client::{Client, tcp, websocket};
use crate::strowger::{Folder, Setup, Strowger};

/// The chunks of one packet, by type.
fn decoded(packet: &[u8]) -> BTreeMap<u16, Vec<u8>> {
    assert!(packet.starts_with(b"HEP3"));
    assert_eq!(usize::from(u16::from_be_bytes([packet[4], packet[5]])), packet.len());
    let (mut rest, mut chunks) = (&packet[6..], BTreeMap::new());
    while !rest.is_empty() {
        let number = |at: usize| u16::from_be_bytes([rest[at], rest[at + 1]]);
        assert_eq!(number(0), 0, "the generic vendor");
        chunks.insert(number(2), rest[6..usize::from(number(4))].to_vec());
        rest = &rest[usize::from(number(4))..];
    }
    chunks
}

#[test]
fn homer_sees_every_message_of_each_transport_and_no_secret() {
    let folder = Folder::new("hep");
    let homer = UdpSocket::bind("127.0.0.1:0").expect("a port");
    homer.set_read_timeout(Some(LIMIT)).expect("a limit");
    let at = homer.local_addr().expect("its address");
    let config = format!("[hep]\nserver = \"{at}\"\ncapture_id = 2001\n");
    let environment = vec![("STROWGER_HEP_PASSWORD", "let-me-in".to_owned())];
    let server =
        Strowger::start_with(folder.path(), &Setup { config, environment, ..Setup::default() });
    let phone = SocketAddr::new(AGENTS, free_port(AGENTS));
    let statuses = register(server.sip, phone, "alice", "acme.example", "alice-secret");
    assert_eq!(statuses, [401, 200]);
    let url = format!("ws://{}/sip", server.http);
    let wire = websocket(tcp(server.http), &url, &[("sec-websocket-protocol", "sip")]);
    let contact = "sip:x@y.invalid;transport=ws".to_owned();
    let mut bob = Client { wire: wire.expect("a socket"), transport: "WS", contact };
    assert_eq!(bob.register("bob"), [401, 200]);

    let (mut seen, deadline) = (Vec::new(), Instant::now() + LIMIT);
    while seen.len() < 8 && Instant::now() < deadline {
        let mut buffer = vec![0; 65_536];
        let length = homer.recv(&mut buffer).expect("a copy");
        seen.push(decoded(&buffer[..length]));
    }
    let text = |chunks: &BTreeMap<u16, Vec<u8>>, kind: u16| {
        String::from_utf8(chunks[&kind].clone()).expect("text")
    };
    let calls: Vec<_> = seen.iter().map(|chunks| text(chunks, 17)).collect();
    let of_alice = format!("reg-alice-{}@test", phone.port());
    let expected = [vec![of_alice; 4], vec!["register-bob".to_owned(); 4]].concat();
    assert_eq!(calls, expected, "the question, the challenge, the answer, the end; twice");
    for (place, chunks) in seen.iter().enumerate() {
        assert_eq!(chunks[&1], [2], "IPv4");
        assert_eq!(chunks[&2], [if place < 4 { 17 } else { 6 }], "UDP, then TCP");
        assert_eq!(chunks[&11], [1], "SIP");
        assert_eq!(chunks[&12], 2001_u32.to_be_bytes());
        assert_eq!(text(chunks, 14), "let-me-in");
    }
    let first = &seen[0];
    assert_eq!(first[&3], [127, 0, 0, 4], "from the phone");
    assert_eq!(first[&7], phone.port().to_be_bytes());
    assert_eq!(first[&8], server.sip.port().to_be_bytes(), "to us");
    assert_eq!(seen[1][&7], first[&8], "and back");
    let answer = text(&seen[2], 15);
    assert!(answer.contains("username=\"alice\"") && answer.contains("nonce="), "{answer}");
    assert!(answer.contains("response=\"***\""), "{answer}");
}
