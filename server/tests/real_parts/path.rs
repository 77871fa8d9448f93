//! A bad network between browsers and the server's port for them: a relay of our own that loses
//! packets, keeps some back, and from one moment to the next sends from another address.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use base::Rng;

use crate::net::free_port;

/// Where browsers find it, at the server's own port.
pub(crate) const DOOR: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9));
/// Where the server sees browsers: one network after the other.
const NETWORKS: [[u8; 4]; 3] = [[127, 0, 0, 10], [127, 0, 0, 11], [127, 0, 0, 12]];
const SERVER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// The path; it is good until it is made worse.
pub(crate) struct Path {
    pub(crate) port: u16,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    /// Of 100 packets each way.
    loss: AtomicU64,
    /// A packet is kept back for up to so many milliseconds; so they overtake each other.
    jitter_ms: AtomicU64,
    /// How often browsers have moved.
    moves: AtomicU64,
    passed: AtomicU64,
    lost: AtomicU64,
    over: AtomicBool,
}

impl Path {
    pub(crate) fn new() -> Self {
        let port = free_port(SERVER);
        let front = UdpSocket::bind((DOOR, port)).expect("the path's door");
        front.set_nonblocking(true).expect("a socket");
        let shared = Arc::new(Shared::default());
        let own = Arc::clone(&shared);
        let thread = Some(std::thread::spawn(move || Relay::new(front, port, own).run()));
        Self { port, shared, thread }
    }

    /// `[webrtc]` for a server behind it.
    pub(crate) fn config(&self) -> String {
        format!("[webrtc]\nport = {}\nadvertised = [\"{DOOR}\"]\ntcp = false\n", self.port)
    }

    /// From now on so many of 100 packets are lost, and others come up to so much later.
    pub(crate) fn is_bad(&self, loss: u64, jitter_ms: u64) {
        self.shared.loss.store(loss, Ordering::Relaxed);
        self.shared.jitter_ms.store(jitter_ms, Ordering::Relaxed);
    }

    /// From now on all browsers are seen at other addresses; what is sent to those they had is
    /// lost.
    pub(crate) fn moves(&self) {
        self.shared.moves.fetch_add(1, Ordering::Relaxed);
    }

    /// How many packets it has passed on and how many it has lost.
    pub(crate) fn counts(&self) -> (u64, u64) {
        (self.shared.passed.load(Ordering::Relaxed), self.shared.lost.load(Ordering::Relaxed))
    }
}

impl Drop for Path {
    fn drop(&mut self) {
        self.shared.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Relay {
    front: UdpSocket,
    port: u16,
    shared: Arc<Shared>,
    /// What the server sees of each browser.
    backs: HashMap<SocketAddr, UdpSocket>,
    moved: u64,
    rng: Rng,
    /// What is kept back: until when, in the order it came, and where it goes: to the server for
    /// that browser, or to it.
    kept: BTreeMap<(Instant, u64), (bool, SocketAddr, Vec<u8>)>,
    number: u64,
}

impl Relay {
    fn new(front: UdpSocket, port: u16, shared: Arc<Shared>) -> Self {
        let (backs, kept) = (HashMap::new(), BTreeMap::new());
        let rng = Rng::from_seed(7);
        Self { front, port, shared, backs, moved: 0, rng, kept, number: 0 }
    }

    fn run(mut self) {
        let mut buffer = [0; 2048];
        while !self.shared.over.load(Ordering::Relaxed) {
            let moves = self.shared.moves.load(Ordering::Relaxed);
            if std::mem::replace(&mut self.moved, moves) != moves {
                self.backs.clear();
            }
            while let Ok((length, browser)) = self.front.recv_from(&mut buffer) {
                self.take(true, browser, &buffer[..length]);
            }
            let browsers: Vec<SocketAddr> = self.backs.keys().copied().collect();
            for browser in browsers {
                while let Some(Ok(length)) =
                    self.backs.get(&browser).map(|back| back.recv(&mut buffer))
                {
                    self.take(false, browser, &buffer[..length]);
                }
            }
            while let Some(first) = self.kept.first_entry() {
                if first.key().0 > Instant::now() {
                    break;
                }
                let (to_server, browser, packet) = first.remove();
                self.pass(to_server, browser, &packet);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    fn take(&mut self, to_server: bool, browser: SocketAddr, packet: &[u8]) {
        if self.rng.below(100) < self.shared.loss.load(Ordering::Relaxed) {
            self.shared.lost.fetch_add(1, Ordering::Relaxed);
            return;
        }
        let jitter = self.shared.jitter_ms.load(Ordering::Relaxed);
        let kept = Duration::from_millis(self.rng.below(jitter + 1));
        self.number += 1;
        let place = (Instant::now() + kept, self.number);
        self.kept.insert(place, (to_server, browser, packet.to_vec()));
    }

    fn pass(&mut self, to_server: bool, browser: SocketAddr, packet: &[u8]) {
        self.shared.passed.fetch_add(1, Ordering::Relaxed);
        if !to_server {
            let _ = self.front.send_to(packet, browser);
            return;
        }
        let network = NETWORKS[self.moved as usize % NETWORKS.len()];
        let server = SocketAddr::new(SERVER, self.port);
        let back = self.backs.entry(browser).or_insert_with(|| {
            let back = UdpSocket::bind((IpAddr::from(network), 0)).expect("a socket");
            back.set_nonblocking(true).expect("a socket");
            back.connect(server).expect("a socket");
            back
        });
        let _ = back.send(packet);
    }
}
