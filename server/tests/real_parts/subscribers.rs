//! Subscribers over SSE and WebSocket while calls go on: every event once, in order, soon, also
//! for one who was cut off in the middle.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use crate::parts::{ACME_SALES, CARRIER_A, LIMIT, PATIENT, agent, carrier};
use crate::scenario::Step;
use crate::strowger::{ACME, Folder, Strowger};

const DAY_US: i64 = 86_400_000_000;

/// An event as a subscriber got it, and how long after it happened.
#[derive(Clone, Debug)]
struct Heard {
    event: Value,
    latency_us: i64,
}

impl Heard {
    fn now(text: &str) -> Self {
        let event: Value = serde_json::from_str(text).expect("a CloudEvent");
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the time").as_micros();
        let at = micros_of_day(event["time"].as_str().expect("its time"));
        let latency_us = (now as i64 % DAY_US - at).rem_euclid(DAY_US);
        Self { event, latency_us }
    }

    fn sequence(&self) -> u64 {
        self.event["sequence"].as_u64().expect("its number")
    }
}

/// `...T09:30:00.000000Z`
fn micros_of_day(time: &str) -> i64 {
    let clock = time.split('T').nth(1).expect("a time").trim_end_matches('Z');
    let mut parts = clock.split([':', '.']).map(|part| part.parse::<i64>().expect("a number"));
    let mut next = || parts.next().expect("hours, minutes, seconds, microseconds");
    ((next() * 60 + next()) * 60 + next()) * 1_000_000 + next()
}

/// What a subscription has brought so far.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<Heard>>>);

impl Log {
    fn all(&self) -> Vec<Heard> {
        self.0.lock().expect("the log").clone()
    }

    pub(crate) fn sequences(&self) -> Vec<u64> {
        self.all().iter().map(Heard::sequence).collect()
    }

    pub(crate) fn has(&self, kind: &str, times: usize) -> bool {
        self.all().iter().filter(|heard| heard.event["type"] == kind).count() >= times
    }

    #[track_caller]
    pub(crate) fn wait_for(&self, kind: &str, times: usize) {
        let deadline = Instant::now() + LIMIT;
        while !self.has(kind, times) {
            assert!(Instant::now() < deadline, "never {times} {kind}: {:?}", self.sequences());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Log {
    /// Waits until it has brought the event with this number.
    #[track_caller]
    fn wait_until(&self, sequence: u64) {
        let deadline = Instant::now() + LIMIT;
        while self.sequences().last().is_none_or(|last| *last < sequence) {
            assert!(Instant::now() < deadline, "never {sequence}: {:?}", self.sequences());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

fn ask(server: SocketAddr, path: &str, headers: &str) -> (TcpStream, BufReader<TcpStream>) {
    let mut stream = TcpStream::connect(server).expect("the API");
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {server}\r\nAuthorization: Bearer {ACME}\r\n{headers}\r\n"
    );
    stream.write_all(request.as_bytes()).expect("to ask");
    let mut reader = BufReader::new(stream.try_clone().expect("the socket"));
    let mut line = String::new();
    let mut status = String::new();
    while line != "\r\n" {
        line.clear();
        assert!(reader.read_line(&mut line).expect("the headers") > 0);
        if status.is_empty() {
            status.clone_from(&line);
        }
    }
    assert!(status.contains(" 200 ") || status.contains(" 101 "), "{status}");
    (stream, reader)
}

/// Subscribes over SSE, after an event or from now on. Shut the socket down to be cut off.
pub(crate) fn sse(server: SocketAddr, after: Option<u64>) -> (TcpStream, Log) {
    let last = after.map(|last| format!("Last-Event-ID: {last}\r\n")).unwrap_or_default();
    let (stream, reader) = ask(server, "/api/v1/events", &last);
    let log = Log::default();
    let sink = log.clone();
    std::thread::spawn(move || {
        // Chunk sizes are lines of their own; only `data:` lines matter.
        for line in reader.lines().map_while(Result::ok) {
            if let Some(text) = line.strip_prefix("data: ") {
                sink.0.lock().expect("the log").push(Heard::now(text));
            }
        }
    });
    (stream, log)
}

fn websocket(server: SocketAddr) -> (TcpStream, Log) {
    let headers = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                   Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let (stream, mut reader) = ask(server, "/api/v1/events/ws", headers);
    let log = Log::default();
    let sink = log.clone();
    std::thread::spawn(move || {
        while let Some((opcode, payload)) = frame(&mut reader) {
            if opcode == 1 {
                let text = String::from_utf8(payload).expect("text");
                sink.0.lock().expect("the log").push(Heard::now(&text));
            }
        }
    });
    (stream, log)
}

/// One frame of a server (RFC 6455 §5.2): never masked, here never in fragments.
fn frame(reader: &mut impl Read) -> Option<(u8, Vec<u8>)> {
    let mut head = [0; 2];
    reader.read_exact(&mut head).ok()?;
    assert_eq!(head[0] & 0x80, 0x80, "a whole message");
    let length = match head[1] {
        126 => {
            let mut long = [0; 2];
            reader.read_exact(&mut long).ok()?;
            usize::from(u16::from_be_bytes(long))
        }
        length => usize::from(length),
    };
    let mut payload = vec![0; length];
    reader.read_exact(&mut payload).ok()?;
    Some((head[0] & 0x0f, payload))
}

fn one_call(folder: &Folder, server: &Strowger) {
    let caller = carrier(folder.path(), server, CARRIER_A, ACME_SALES, 1, &PATIENT);
    server.agent_is(ACME, "alice", "busy");
    caller.hang_up();
    caller.succeed(LIMIT);
}

fn report(name: &str, log: &Log) {
    let mut latencies: Vec<i64> = log.all().iter().map(|heard| heard.latency_us).collect();
    latencies.sort_unstable();
    let (count, most) = (latencies.len(), latencies.last().copied().unwrap_or(0));
    let median = latencies.get(count / 2).copied().unwrap_or(0);
    println!("{name}: {count} events, event.at -> received: median {median} us, most {most} us");
}

#[test]
fn subscribers_get_every_event_once_and_in_order_also_after_being_cut_off() {
    let folder = Folder::new("subscribers");
    let server = Strowger::start(folder.path());
    let (_sse, steady) = sse(server.http, Some(0));
    let (_socket, socket) = websocket(server.http);
    let (cut, before) = sse(server.http, Some(0));
    let talk =
        [Step::ExpectInvite, Step::Answer(180), Step::Pause(1500), Step::Accept, Step::ExpectBye];
    let phone = agent(folder.path(), &server, "alice", "acme.example", 1, &talk);
    server.agent_is(ACME, "alice", "available");

    // In the middle of the call the third subscriber is cut off; it comes again after a while.
    let again = std::thread::scope(|scope| {
        let call = scope.spawn(|| one_call(&folder, &server));
        before.wait_for("call.queued", 1);
        cut.shutdown(std::net::Shutdown::Both).expect("to cut it off");
        let last = before.sequences().pop().expect("a last event");
        steady.wait_for("call.connected", 1);
        let (stream, again) = sse(server.http, Some(last));
        call.join().expect("the call");
        (stream, again)
    });
    phone.succeed(LIMIT);
    server.ended_calls(ACME, 1, LIMIT);
    for log in [&steady, &socket, &again.1] {
        log.wait_for("recording.completed", 1);
    }
    // What one has heard by now, all must hear.
    let all = steady.sequences();
    let last = all.last().copied().expect("events");
    for log in [&socket, &again.1] {
        log.wait_until(last);
    }
    assert_eq!(all, (1..=all.len() as u64).collect::<Vec<_>>(), "dense, once, in order");
    let up_to_last = |log: &Log| {
        log.sequences().into_iter().filter(|number| *number <= last).collect::<Vec<_>>()
    };
    let over_socket = up_to_last(&socket);
    let first = over_socket.first().copied().expect("events over the WebSocket");
    assert_eq!(over_socket, (first..=all.len() as u64).collect::<Vec<_>>());
    let resumed: Vec<u64> = before.sequences().into_iter().chain(up_to_last(&again.1)).collect();
    assert_eq!(resumed, all, "neither a gap nor a repetition where it was cut");
    assert!(again.1.has("call.connected", 1), "it missed something while it was away");
    for heard in socket.all().iter().filter(|heard| heard.sequence() <= last) {
        let same = steady.all().into_iter().find(|other| other.sequence() == heard.sequence());
        assert_eq!(same.map(|other| other.event).as_ref(), Some(&heard.event), "the same");
    }
    report("SSE", &steady);
    report("WebSocket", &socket);
}
