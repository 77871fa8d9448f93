//! A copy for a recording server (SIPREC, RFC 7866): SIPp takes it, and what comes to its ports is
//! kept and listened to. One that refuses costs nobody anything.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use media::{G711, rtp};

use crate::audio::Sound;
use crate::baresip::AMPLITUDE;
use crate::net::{free_port, http};
use crate::parts::{ACME_SALES, LIMIT, speaking_agent, speaking_carrier};
use crate::provisioning::{demo, trunk};
use crate::scenario::Step;
use crate::sipp::{Part, Sipp};
use crate::strowger::{ACME, Folder, Strowger};
use crate::talking::recorded;

const CALLER_HZ: f64 = 440.0;
const AGENT_HZ: f64 = 1000.0;
/// Where the recording server is.
const SRS: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 61));

/// A port that keeps the G.711 that comes to it.
struct Ear {
    port: u16,
    heard: Arc<Mutex<Vec<i16>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Ear {
    fn open() -> Self {
        let socket = UdpSocket::bind((SRS, 0)).expect("a port");
        socket.set_read_timeout(Some(Duration::from_millis(100))).expect("a limit");
        let port = socket.local_addr().expect("its address").port();
        let (heard, stop) = (Arc::<Mutex<Vec<i16>>>::default(), Arc::<AtomicBool>::default());
        let (kept, stopped) = (Arc::clone(&heard), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            let mut packet = [0; 2048];
            while !stopped.load(Ordering::Relaxed) {
                let Ok(length) = socket.recv(&mut packet) else { continue };
                let Some(parsed) = rtp::parse(&packet[..length]) else { continue };
                assert_eq!(parsed.header.payload_type, 0, "PCMU, as was agreed");
                let codes = &packet[parsed.payload_start..parsed.payload_end];
                let samples = codes.iter().map(|code| G711::Pcmu.decode(*code));
                kept.lock().expect("the samples").extend(samples);
            }
        });
        Self { port, heard, stop, thread: Some(thread) }
    }

    fn sound(&self) -> Sound {
        Sound { samples: self.heard.lock().expect("the samples").clone(), rate: 8000.0 }
    }

    fn hears(&self, hertz: f64, seconds: f64) {
        let deadline = Instant::now() + LIMIT;
        while self.sound().seconds_with_tone(hertz, AMPLITUDE) < seconds {
            assert!(Instant::now() < deadline, "{hertz} Hz was never heard for {seconds} s");
            std::thread::sleep(Duration::from_millis(100));
        }
    }
}

impl Drop for Ear {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

/// The demo, whose acme has calls recorded by a server at that address.
fn provisioned(folder: &Folder, server: SocketAddr) -> PathBuf {
    let acme = "domain = \"acme.example\"";
    let recorded = format!("{acme}\nsiprec = [\"recorder\"]");
    let keys = format!("probe_s = 0\ntargets = [{{ uri = \"sip:{server}\" }}]");
    demo(folder.path(), &trunk("recorder", SRS, &keys), &[(acme, &recorded)])
}

/// The INVITE is one of a recording client, with metadata.
const ASKED: &str = r#"
<recv request="INVITE"><action>
  <ereg regexp="siprec" search_in="hdr" header="Require:" check_it="true" assign_to="required"/>
  <ereg regexp="[+]sip[.]src" search_in="hdr" header="Contact:" check_it="true" assign_to="src"/>
  <ereg regexp="multipart/mixed" search_in="hdr" header="Content-Type:" check_it="true"
    assign_to="kind"/>
  <ereg regexp="rs-metadata[+]xml" search_in="msg" check_it="true" assign_to="metadata"/>
  <ereg regexp="sip:alice@acme.example" search_in="msg" check_it="true" assign_to="agent"/>
</action></recv>
<Reference variables="required,src,kind,metadata,agent"/>
"#;

/// It takes the copies at those ports, or says by the direction that it wants nothing for now.
fn takes([first, second]: [u16; 2], direction: &str) -> String {
    format!(
        r#"
<send retrans="500"><![CDATA[

SIP/2.0 200 OK
[last_Via:]
[last_From:]
[last_To:];tag=srs
[last_Call-ID:]
[last_CSeq:]
Contact: <sip:srs@[local_ip]:[local_port];transport=[transport]>
Content-Type: application/sdp
Content-Length: [len]

v=0
o=srs 9 9 IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
m=audio {first} RTP/AVP 0
a=rtpmap:0 PCMU/8000
a={direction}
m=audio {second} RTP/AVP 0
a=rtpmap:0 PCMU/8000
a={direction}

]]></send>
<recv request="ACK"></recv>
"#
    )
}

fn raw(text: String) -> Step {
    Step::Raw(Box::leak(text.into_boxed_str()))
}

fn recorder(folder: &Folder, local: SocketAddr, transport: &'static str, steps: &[Step]) -> Sipp {
    let more = &["-t", transport];
    let (name, server, number) = ("recorder", None, "recorder");
    let part = Part { name, steps, local, server, number, calls: 1, rate: 10, more };
    Sipp::start(folder.path(), &part)
}

fn post(server: &Strowger, path: &str) {
    assert_eq!(http(server.http, "POST", path, ACME, None).status, 202, "{path}");
}

/// A conversation is held, and its recording paused: the recording server gets nothing meanwhile.
#[test]
fn a_recording_server_hears_each_side_in_its_own_stream_and_nothing_while_held_or_paused() {
    let folder = Folder::new("siprec");
    let at = SocketAddr::new(SRS, free_port(SRS));
    let ears = [Ear::open(), Ear::open()];
    let ports = [ears[0].port, ears[1].port];
    let again = "<recv request=\"INVITE\"></recv>".to_owned();
    let steps = [
        Step::Raw(ASKED),
        raw(takes(ports, "recvonly")),
        raw(again.clone()),
        raw(takes(ports, "inactive")),
        raw(again.clone()),
        raw(takes(ports, "recvonly")),
        raw(again.clone()),
        raw(takes(ports, "inactive")),
        raw(again),
        raw(takes(ports, "recvonly")),
        Step::ExpectBye,
    ];
    let srs = recorder(&folder, at, "t1", &steps);
    let server = Strowger::provisioned(folder.path(), provisioned(&folder, at));
    let alice = speaking_agent(folder.path(), &server, "alice", AGENT_HZ);
    server.agent_is(ACME, "alice", "available");
    let caller = speaking_carrier(folder.path(), &server, ACME_SALES, CALLER_HZ);
    alice.wait_for("Call established", LIMIT);
    ears[0].hears(CALLER_HZ, 3.0);
    ears[1].hears(AGENT_HZ, 3.0);

    let live = server.data("/api/v1/calls?state=connected", ACME);
    let id = live[0]["id"].as_str().expect("the call").to_owned();
    for (nothing, again, seconds) in
        [("hold", "resume", 5.0), ("recording/pause", "recording/resume", 7.0)]
    {
        post(&server, &format!("/api/v1/calls/{id}/{nothing}"));
        std::thread::sleep(Duration::from_millis(500)); // what was on its way
        let before = [0, 1].map(|side: usize| ears[side].sound().samples.len());
        std::thread::sleep(Duration::from_secs(2));
        let after = [0, 1].map(|side: usize| ears[side].sound().samples.len());
        assert_eq!(before, after, "nothing is copied after {nothing}");
        post(&server, &format!("/api/v1/calls/{id}/{again}"));
        ears[0].hears(CALLER_HZ, seconds);
        ears[1].hears(AGENT_HZ, seconds);
    }

    let at_caller = caller.hang_up_and_listen();
    srs.succeed(LIMIT);
    server.ended_calls(ACME, 1, LIMIT);
    drop(alice);
    assert!(at_caller.seconds_with_tone(AGENT_HZ, AMPLITUDE) >= 3.0, "they heard each other");
    for (side, (own, other)) in [(CALLER_HZ, AGENT_HZ), (AGENT_HZ, CALLER_HZ)].iter().enumerate() {
        let sound = ears[side].sound();
        assert!(sound.seconds_of_tone(*own, AMPLITUDE) >= 3.0, "{own} Hz at its level");
        assert!(sound.loudest(*other) < 0.02, "{other} Hz is not in the stream of {own} Hz");
    }
    // Our own recording is complete when its last part is stored, which may be a moment later.
    recorded(&server, &id);
    for kind in ["siprec.started", "siprec.ended", "recording.completed"] {
        server.told(ACME, &id, kind, 1);
    }
    assert_eq!(server.stop(), 0);
}

#[test]
fn a_recording_server_that_refuses_is_told_of_and_the_callers_hear_each_other() {
    let folder = Folder::new("siprec-refuses");
    let at = SocketAddr::new(SRS, free_port(SRS));
    let srs = recorder(&folder, at, "u1", &[Step::ExpectInvite, Step::Answer(488)]);
    let server = Strowger::provisioned(folder.path(), provisioned(&folder, at));
    let alice = speaking_agent(folder.path(), &server, "alice", AGENT_HZ);
    server.agent_is(ACME, "alice", "available");
    let caller = speaking_carrier(folder.path(), &server, ACME_SALES, CALLER_HZ);
    alice.wait_for("Call established", LIMIT);
    srs.succeed(LIMIT);
    caller.hears(AGENT_HZ, 3.0);
    alice.hears(CALLER_HZ, 3.0);
    drop(caller);
    let call = server.ended_calls(ACME, 1, LIMIT).remove(0);
    let types = server.event_types(ACME, call["id"].as_str().expect("its id"));
    assert!(types.contains(&"siprec.failed".to_owned()), "{types:?}");
    drop(alice);
    assert_eq!(server.stop(), 0);
}
