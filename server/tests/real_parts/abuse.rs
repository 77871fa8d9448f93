//! Abuse on the wire: floods, crowds of idle connections, slow senders, garbage, guessed
//! passwords. Beside each a call goes on and is recorded, and those who may call get through.

use std::fs;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use crate::canary::Canary;
use crate::net::{digest, free_port, register};
use crate::parts::{
    ACME_SALES, AGENTS, CARRIER_A, LIMIT, PATIENT, STRANGER, TALK, agent, carrier, carrier_over_tcp,
};
use crate::scenario::Step;
use crate::strowger::{ACME, Folder, Setup, Strowger};
use crate::wire::connect;

/// Resident memory in KiB.
pub(crate) fn memory(server: &Strowger) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("status");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS");
    line.split_whitespace().nth(1).and_then(|text| text.parse().ok()).expect("KiB")
}

pub(crate) fn descriptors(server: &Strowger) -> usize {
    fs::read_dir(format!("/proc/{}/fd", server.pid())).expect("its descriptors").count()
}

pub(crate) fn until(what: &str, mut so: impl FnMut() -> bool) {
    let deadline = Instant::now() + LIMIT;
    while !so() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A request of a flood, unlike all others.
fn request(method: &str, from: SocketAddr, number: u32) -> String {
    let body = "v=0\r\no=- 1 1 IN IP4 127.0.0.99\r\ns=-\r\nc=IN IP4 127.0.0.99\r\nt=0 0\r\n\
                m=audio 40000 RTP/AVP 0\r\n";
    let (kind, body) = match method {
        "INVITE" => ("Content-Type: application/sdp\r\n", body),
        "MESSAGE" => ("Content-Type: text/plain\r\n", "hello"),
        _ => ("", ""),
    };
    format!(
        "{method} sip:{ACME_SALES}@acme.example SIP/2.0\r\n\
         Via: SIP/2.0/UDP {from};branch=z9hG4bK-flood-{method}-{number};rport\r\n\
         Max-Forwards: 70\r\nFrom: <sip:x{number}@acme.example>;tag={number}\r\n\
         To: <sip:{ACME_SALES}@acme.example>\r\nCall-ID: flood-{method}-{number}\r\n\
         CSeq: 1 {method}\r\nContact: <sip:x@{from}>\r\n{kind}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Thousands of requests a second for a while; nobody listens to what is answered.
fn flood(server: SocketAddr, method: &str, seconds: u64, first: u32) -> u32 {
    let socket = UdpSocket::bind((STRANGER, 0)).expect("a socket");
    let from = socket.local_addr().expect("its address");
    let (end, mut number) = (Instant::now() + Duration::from_secs(seconds), first);
    while Instant::now() < end {
        for _ in 0..20 {
            let _ = socket.send_to(request(method, from, number).as_bytes(), server);
            number += 1;
        }
        std::thread::sleep(Duration::from_millis(4));
    }
    number
}

#[test]
fn floods_of_a_stranger_harm_no_call_and_those_who_may_call_get_through() {
    let folder = Folder::new("floods");
    let server = Strowger::start(folder.path());
    let canary = Canary::sing(folder.path(), &server);
    let bob = agent(folder.path(), &server, "bob", "acme.example", 4, &TALK);
    server.agent_is(ACME, "bob", "available");
    let mut peaks = Vec::new();
    let mut number = 0;
    for _ in 0..2 {
        for method in ["INVITE", "REGISTER", "OPTIONS", "MESSAGE"] {
            number = flood(server.sip, method, 2, number);
        }
        // One more, and meanwhile a carrier's caller comes through to bob.
        let sip = server.sip;
        let flood = std::thread::spawn(move || flood(sip, "INVITE", 6, number));
        let caller = carrier(folder.path(), &server, CARRIER_A, ACME_SALES, 1, &PATIENT);
        server.agent_is(ACME, "bob", "busy");
        caller.hang_up();
        caller.succeed(LIMIT);
        number = flood.join().expect("the flood");
        server.agent_is(ACME, "bob", "available");
        peaks.push(memory(&server));
    }
    println!("{number} requests; memory after each round: {peaks:?} KiB");
    assert!(number > 20_000, "only {number} requests: no flood");
    canary.ends_unharmed(&server);
    drop(bob);
    until("memory is what it was after the first round, give or take a twentieth", || {
        memory(&server) <= peaks[0] + peaks[0] / 20 + 2048
    });
    assert!(server.log().contains("security event"), "{}", server.log());
    assert_eq!(server.data("/api/v1/calls?per_page=200", ACME).as_array().map(Vec::len), Some(3));
    assert_eq!(server.stop(), 0);
}

/// Connections that this process and the server may both have.
fn affordable(most: usize) -> usize {
    let limits = fs::read_to_string("/proc/self/limits").expect("limits");
    let line = limits.lines().find(|line| line.starts_with("Max open files")).expect("files");
    let files: usize = line.split_whitespace().nth(3).and_then(|n| n.parse().ok()).unwrap_or(most);
    most.min(files.saturating_sub(files / 8 + 300))
}

#[test]
fn a_crowd_of_idle_connections_costs_little_and_goes_without_a_trace() {
    let folder = Folder::new("idle-crowd");
    let config = "[limits]\ntcp_connections = 30000\ntcp_connections_per_source = 500\n";
    let setup = Setup { config: config.to_owned(), ..Setup::default() };
    let server = Strowger::start_with(folder.path(), &setup);
    let canary = Canary::sing(folder.path(), &server);
    let (descriptors_before, before) = (descriptors(&server), memory(&server));
    let crowd = affordable(20_000);
    let source = |n: usize| IpAddr::V4(Ipv4Addr::new(127, 0, 6, (n / 400) as u8 + 1));
    let idle: Vec<TcpStream> = (0..crowd)
        .map(|n| {
            let mut stream = connect(source(n), server.sip_tcp);
            // Half of them have begun to say something.
            if n % 2 == 0 {
                let _ = stream.write_all(b"INVITE sip:x@acme.example SIP/2.0\r\nVia: SIP/2");
            }
            stream
        })
        .collect();
    until("all are served", || descriptors(&server) >= descriptors_before + crowd);
    let each = memory(&server).saturating_sub(before) as f64 / crowd as f64;
    println!("{crowd} idle connections, {each:.1} KiB each");
    assert!(each < 16.0, "{each} KiB for each of {crowd}");

    let bob = agent(folder.path(), &server, "bob", "acme.example", 1, &TALK);
    server.agent_is(ACME, "bob", "available");
    let [invite, trying, ringing, accepted, ack, _, bye] = PATIENT;
    let steps = [invite, trying, ringing, accepted, ack, Step::Pause(15_000), bye];
    carrier_over_tcp(folder.path(), &server, ACME_SALES, &steps).succeed(LIMIT);
    bob.succeed(LIMIT);
    drop(idle);
    until("all are gone", || descriptors(&server) <= descriptors_before + 8);
    canary.ends_unharmed(&server);
    assert_eq!(server.stop(), 0);
}

/// Bytes that mean nothing, the same in each run.
pub(crate) fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut byte = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 24) as u8
    };
    (0..length).map(|_| byte()).collect()
}

#[test]
fn slow_senders_and_garbage_harm_nobody() {
    let folder = Folder::new("garbage");
    let server = Strowger::start(folder.path());
    let canary = Canary::sing(folder.path(), &server);
    let descriptors_before = descriptors(&server);
    let source = |n: u64| IpAddr::V4(Ipv4Addr::new(127, 0, 7, (n / 20) as u8 + 1));

    let mut slow: Vec<_> = (0..100).map(|n| connect(source(n), server.sip_tcp)).collect();
    let message = request("OPTIONS", server.sip, 1);
    for byte in message.as_bytes().iter().take(40) {
        for stream in &mut slow {
            let _ = stream.write_all(&[*byte]);
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let socket = UdpSocket::bind((STRANGER, 0)).expect("a socket");
    for seed in 0..5000 {
        let length = 1 + (seed as usize * 37) % 1400;
        let _ = socket.send_to(&noise(seed, length), server.sip);
        if seed % 50 == 0 {
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    let mut loud: Vec<_> = (0..100).map(|n| connect(source(n), server.sip_tcp)).collect();
    for (seed, stream) in loud.iter_mut().enumerate() {
        stream.set_write_timeout(Some(Duration::from_secs(1))).expect("a limit");
        let _ = stream.write_all(&noise(seed as u64, 200_000));
    }
    // A true message behind the slow beginning of one is still understood.
    for stream in &mut slow {
        let _ = stream.write_all(&message.as_bytes()[40..]);
    }
    drop((slow, loud));
    until("all are gone", || descriptors(&server) <= descriptors_before + 8);
    canary.ends_unharmed(&server);
    assert_eq!(server.stop(), 0);
}

#[test]
fn who_guesses_passwords_gets_few_verdicts_and_the_true_user_gets_in() {
    let folder = Folder::new("guesses");
    let server = Strowger::start(folder.path());
    let canary = Canary::sing(folder.path(), &server);
    let socket = UdpSocket::bind((STRANGER, free_port(STRANGER))).expect("a socket");
    socket.set_read_timeout(Some(Duration::from_millis(3))).expect("a limit");
    let from = socket.local_addr().expect("its address");
    let mut statuses = std::collections::BTreeMap::new();
    let (mut authorization, mut buffer) = (String::new(), [0; 4096]);
    let guesses = 1500;
    for number in 0..guesses {
        let guess = format!(
            "REGISTER sip:acme.example SIP/2.0\r\n\
             Via: SIP/2.0/UDP {from};branch=z9hG4bK-guess-{number};rport\r\nMax-Forwards: 70\r\n\
             From: <sip:bob@acme.example>;tag=g\r\nTo: <sip:bob@acme.example>\r\n\
             Call-ID: guess-{number}\r\nCSeq: 1 REGISTER\r\nContact: <sip:bob@{from}>\r\n\
             {authorization}Content-Length: 0\r\n\r\n"
        );
        socket.send_to(guess.as_bytes(), server.sip).expect("to send");
        while let Ok(length) = socket.recv(&mut buffer) {
            let answer = String::from_utf8_lossy(&buffer[..length]).into_owned();
            *statuses.entry(answer[8..11].to_owned()).or_insert(0) += 1;
            let challenges = answer.lines().filter_map(|l| l.strip_prefix("WWW-Authenticate: "));
            if let Some(challenge) = challenges.clone().find(|c| c.contains("algorithm=MD5")) {
                let secret = format!("guess-{number}");
                let value = digest(challenge, "bob", &secret, "acme.example");
                authorization = format!("Authorization: {value}\r\n");
            }
        }
    }
    println!("{guesses} guesses were answered {statuses:?}");
    assert!(!statuses.contains_key("200"), "{statuses:?}");
    let wrong = statuses.get("403").copied().unwrap_or(0);
    assert!(wrong < guesses / 5, "{statuses:?}");
    // Bob himself, from where nobody has guessed.
    let phone = SocketAddr::new(AGENTS, free_port(AGENTS));
    assert_eq!(register(server.sip, phone, "bob", "acme.example", "bob-secret"), [401, 200]);
    server.agent_is(ACME, "bob", "available");
    canary.ends_unharmed(&server);
    assert!(server.log().contains("security event"), "{}", server.log());
    assert_eq!(server.stop(), 0);
}
