//! An end of RTP (RFC 3550) that speaks a tone in PCMU and keeps what it hears.

use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use media::G711;

use crate::audio::Sound;
use crate::baresip::AMPLITUDE;
use crate::net::free_port;
use crate::parts::LIMIT;

/// Samples in a packet of 20 ms.
const PACKET: usize = 160;
/// The number of events, where a description offers them.
pub(crate) const EVENTS: u8 = 101;
/// A minute is more than any test listens for.
const KEPT: usize = 8000 * 60;

/// A mouth and an ear; silent until it is told whom to talk to.
pub(crate) struct Voice {
    pub(crate) at: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    target: Mutex<Option<SocketAddr>>,
    heard: Mutex<Vec<i16>>,
    /// Keys that came as events (RFC 4733).
    presses: Mutex<Vec<Press>>,
    over: AtomicBool,
}

/// A key that came as an event: all packets of one timestamp.
#[derive(Clone, Debug)]
pub(crate) struct Press {
    /// When it began.
    at: u32,
    pub(crate) key: char,
    /// What each packet said of how long it has lasted, in ticks.
    pub(crate) lengths: Vec<u16>,
    /// Packets that said that it was over.
    pub(crate) ends: usize,
}

impl Voice {
    pub(crate) fn new(address: IpAddr, hertz: f64) -> Self {
        let at = SocketAddr::new(address, free_port(address));
        let socket = UdpSocket::bind(at).expect("a port for RTP");
        socket.set_read_timeout(Some(Duration::from_millis(5))).expect("a limit");
        let shared = Arc::new(Shared {
            target: Mutex::new(None),
            heard: Mutex::new(Vec::new()),
            presses: Mutex::new(Vec::new()),
            over: AtomicBool::new(false),
        });
        let own = Arc::clone(&shared);
        std::thread::spawn(move || own.live(&socket, hertz));
        Self { at, shared }
    }

    /// Speaks to the address that a description names.
    pub(crate) fn talks_to(&self, sdp: &str) {
        *self.shared.target.lock().expect("the target") = Some(media_address(sdp));
    }

    /// What it has heard so far.
    pub(crate) fn heard(&self) -> Sound {
        Sound { samples: self.shared.heard.lock().expect("what it heard").clone(), rate: 8000.0 }
    }

    /// The keys that have been pressed to it so far.
    pub(crate) fn keys(&self) -> String {
        self.presses().iter().map(|press| press.key).collect()
    }

    /// The same, packet by packet.
    pub(crate) fn presses(&self) -> Vec<Press> {
        self.shared.presses.lock().expect("the keys").clone()
    }

    /// What it hears in so many seconds from now on.
    pub(crate) fn heard_for(&self, seconds: f64) -> Sound {
        self.shared.heard.lock().expect("what it heard").clear();
        std::thread::sleep(Duration::from_secs_f64(seconds));
        self.heard()
    }

    /// Waits until it has heard that tone for so many seconds, from now on.
    #[track_caller]
    pub(crate) fn hears(&self, hertz: f64, seconds: f64) {
        self.shared.heard.lock().expect("what it heard").clear();
        let deadline = Instant::now() + LIMIT;
        loop {
            let heard = self.heard().seconds_with_tone(hertz, AMPLITUDE);
            if heard >= seconds {
                return;
            }
            assert!(Instant::now() < deadline, "{heard} s of {hertz} Hz at {}", self.at);
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Waits until a whole second goes by with next to nothing of that tone; gives that second.
    #[track_caller]
    pub(crate) fn hears_no_more(&self, hertz: f64) -> Sound {
        let deadline = Instant::now() + LIMIT / 4;
        loop {
            let second = self.heard_for(1.0);
            let heard = second.seconds_with_tone(hertz, AMPLITUDE);
            if heard < 0.3 {
                return second;
            }
            assert!(Instant::now() < deadline, "still {heard} s of {hertz} Hz at {}", self.at);
        }
    }
}

impl Shared {
    fn live(&self, socket: &UdpSocket, hertz: f64) {
        let (mut spoken, mut since) = (0_usize, Instant::now());
        let mut buffer = [0; 2048];
        while !self.over.load(Ordering::Relaxed) {
            while let Ok(length) = socket.recv(&mut buffer) {
                self.hear(&buffer[..length]);
            }
            let Some(target) = *self.target.lock().expect("the target") else {
                since = Instant::now();
                spoken = 0;
                continue;
            };
            let due = (since.elapsed().as_millis() / 20) as usize;
            // After a long sleep what should have been said is left out, as a sound card does.
            if due > spoken + 8 {
                spoken = due - 2;
            }
            while spoken < due {
                let _ = socket.send_to(&packet(spoken, hertz), target);
                spoken += 1;
            }
        }
    }

    fn hear(&self, packet: &[u8]) {
        if let [0x80, kind, _, _, t0, t1, t2, t3, _, _, _, _, key, end, l0, l1] = packet
            && kind & 0x7f == EVENTS
        {
            let at = u32::from_be_bytes([*t0, *t1, *t2, *t3]);
            let key = "0123456789*#ABCD".chars().nth((*key).into()).unwrap_or('?');
            let mut presses = self.presses.lock().expect("the keys");
            if presses.last().is_none_or(|last| last.at != at) {
                presses.push(Press { at, key, lengths: Vec::new(), ends: 0 });
            }
            if let Some(press) = presses.last_mut() {
                press.lengths.push(u16::from_be_bytes([*l0, *l1]));
                press.ends += usize::from(end & 0x80 != 0);
            }
            return;
        }
        // PCMU without extensions or sources: what an engine sends that was offered nothing else.
        let is_voice = packet.len() > 12 && packet[0] == 0x80 && packet[1] & 0x7f == 0;
        if !is_voice {
            return;
        }
        let mut heard = self.heard.lock().expect("what it heard");
        if heard.len() < KEPT {
            heard.extend(packet[12..].iter().map(|code| G711::Pcmu.decode(*code)));
        }
    }
}

impl Drop for Voice {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
    }
}

fn packet(number: usize, hertz: f64) -> Vec<u8> {
    let mut packet = vec![0x80, 0];
    packet.extend((number as u16).to_be_bytes());
    packet.extend(((number * PACKET) as u32).to_be_bytes());
    packet.extend(0x5eed_0001_u32.to_be_bytes());
    packet.extend((number * PACKET..(number + 1) * PACKET).map(|n| {
        let phase = 2.0 * std::f64::consts::PI * hertz * n as f64 / 8000.0;
        G711::Pcmu.encode((phase.sin() * AMPLITUDE * 32767.0) as i16)
    }));
    packet
}

/// Where a description (with one medium) wants to be sent to.
pub(crate) fn media_address(sdp: &str) -> SocketAddr {
    let value = |start: &str| {
        let line = sdp.lines().find_map(|line| line.strip_prefix(start));
        let word = line.and_then(|line| line.split_whitespace().next());
        word.unwrap_or_else(|| panic!("no {start} in\n{sdp}")).to_owned()
    };
    let ip: IpAddr = value("c=IN IP4 ").parse().expect("an address");
    SocketAddr::new(ip, value("m=audio ").parse().expect("a port"))
}
