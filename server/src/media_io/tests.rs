//! A worker on real sockets: what floods one call does to its neighbours, and what is known when it
//! ends.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration as Pause;

use media::rtp::Header;
use media::{Codec, Command, Direction, Event, OpusSettings, RemoteMedia, StreamId, capture, tap};

use super::*;
use crate::config::KernelPath;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 1));

/// A worker, and what it tells.
struct Rig {
    queue: wake::Sender<Command>,
    events: mpsc::Receiver<(WorkerId, Event)>,
    running: Option<Running>,
}

impl Rig {
    fn start() -> Self {
        let rtp = Rtp { address: HERE, kernel: KernelPath::Off, ..Rtp::default() };
        let worker = Worker::new(WorkerId(0), Duration::from_micros(500)).unwrap();
        let queue = worker.queue();
        let bell = Bell::new().unwrap();
        let (tell, events) = wake::queue(4096, &bell);
        let way = Way::choose(&rtp).unwrap();
        let (taps, captures) = (tap::ring(16).0, capture::ring(16, 4096).0);
        let clock = Clock::start();
        let rng = Rng::from_seed(1);
        let running = worker.start(clock, (&rtp, way, None), (taps, captures), rng, tell).unwrap();
        Self { queue, events, running: Some(running) }
    }

    fn order(&self, command: Command) {
        self.queue.try_send(command).unwrap();
    }

    /// A stream on a port of its own, whose far end is that socket.
    fn open(&mut self, id: u64, far: &UdpSocket) -> SocketAddr {
        let stream = StreamId(id);
        let port = loop {
            let port = UdpSocket::bind((HERE, 0)).unwrap().local_addr().unwrap().port() & !1;
            let cname = Arc::from("strowger");
            self.order(Command::Open { stream, port, ssrc: id as u32, cname });
            match self.events.blocking_recv().unwrap().1 {
                Event::Opened { .. } => break port,
                told => assert!(matches!(told, Event::OpenFailed { .. }), "{told:?}"),
            }
        };
        let rtp = far.local_addr().unwrap();
        let remote = RemoteMedia {
            rtp,
            rtcp: SocketAddr::new(HERE, rtp.port() + 1),
            codec: Codec::Pcmu,
            payload_type: 0,
            opus: OpusSettings::default(),
            telephone_event: None,
            events_rate: 8000,
            comfort_noise: None,
            ptime: Duration::from_millis(20),
            maxptime: None,
            xr: Default::default(),
            direction: Direction::SendRecv,
        };
        self.order(Command::SetRemote { stream, remote, srtp: None });
        SocketAddr::new(HERE, port)
    }

    /// Two streams that are bridged, and where their far ends send.
    fn pair(&mut self, first: u64) -> [(UdpSocket, SocketAddr); 2] {
        let ends = [first, first + 1].map(|id| {
            let socket = UdpSocket::bind((HERE, 0)).unwrap();
            socket.set_read_timeout(Some(Pause::from_secs(2))).unwrap();
            let to = self.open(id, &socket);
            (socket, to)
        });
        self.order(Command::Bridge { a: StreamId(first), b: StreamId(first + 1) });
        ends
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        let (queue, _) = wake::queue(1, &Bell::new().unwrap());
        self.queue = queue;
        self.running.take().unwrap().join();
    }
}

fn packet(sequence: u16, ssrc: u32) -> Vec<u8> {
    let timestamp = u32::from(sequence) * 160;
    let header = Header { payload_type: 0, marker: false, sequence, timestamp, ssrc };
    [header.to_bytes().as_slice(), &[0x55; 160]].concat()
}

/// Sends as fast as it can until it is told to stop; how many.
fn flood(to: SocketAddr, socket: UdpSocket, ssrcs: u32, over: Arc<AtomicBool>) -> u64 {
    let mut sent = 0_u64;
    while !over.load(Ordering::Relaxed) {
        for _ in 0..20 {
            let ssrc = 0xbad + (sent as u32) % ssrcs;
            sent += u64::from(socket.send_to(&packet(sent as u16, ssrc), to).is_ok());
        }
        // Some 20,000 a second, a hundred times what a call sends; all of a core would be the
        // machine's test and not ours.
        std::thread::sleep(Pause::from_millis(1));
    }
    sent
}

/// How long packets of a call take through the worker, one each 5 ms: the times in order. Each of
/// them has to come.
fn delays(
    from: &(UdpSocket, SocketAddr),
    to: &(UdpSocket, SocketAddr),
    numbers: std::ops::Range<u16>,
) -> Vec<Pause> {
    let mut room = [0; 400];
    let mut delays: Vec<Pause> = numbers
        .map(|sequence| {
            std::thread::sleep(Pause::from_millis(5));
            let sent = std::time::Instant::now();
            from.0.send_to(&packet(sequence, 7), from.1).unwrap();
            let (length, _) = to.0.recv_from(&mut room).expect("it is relayed");
            assert_eq!(length, 172);
            sent.elapsed()
        })
        .collect();
    delays.sort();
    delays
}

#[test]
fn floods_of_one_calls_port_cost_its_neighbours_no_packet() {
    let mut rig = Rig::start();
    let victim = rig.pair(1);
    let neighbour = rig.pair(3);
    delays(&victim[0], &victim[1], 0..5);
    let calm = delays(&neighbour[0], &neighbour[1], 0..100);
    // A stranger, and the far end itself with ten thousand sources.
    let strange = UdpSocket::bind((HERE, 0)).unwrap();
    let own = victim[0].0.try_clone().unwrap();
    for (socket, ssrcs, first) in [(strange, 1, 100), (own, 10_000, 300)] {
        let over = Arc::new(AtomicBool::new(false));
        let (to, told) = (victim[0].1, Arc::clone(&over));
        let flooding = std::thread::spawn(move || flood(to, socket, ssrcs, told));
        let flooded = delays(&neighbour[0], &neighbour[1], first..first + 200);
        over.store(true, Ordering::Relaxed);
        let sent = flooding.join().unwrap();
        assert!(sent > 1000, "{sent} packets are no flood");
        eprintln!(
            "{sent} packets: {:?} before, {:?} beside, at the median",
            calm[50], flooded[100]
        );
    }
}

#[test]
fn a_worker_that_ends_however_it_does_closes_its_queue_and_rings() {
    let bell = Bell::new().unwrap();
    let (queue, commands) = wake::queue::<u8>(4, &Bell::new().unwrap());
    let poller = Poller::new().unwrap();
    poller.add(&bell, 9).unwrap();
    let rings = bell.clone();
    let thread = std::thread::spawn(move || {
        let _obituary = Obituary(rings);
        let _commands = commands;
        std::panic::resume_unwind(Box::new("as a fault of ours would"));
    });
    assert!(thread.join().is_err());
    let mut ready = Vec::new();
    poller.wait(Instant::ZERO, Some(Instant::from_millis(1000)), &mut ready).unwrap();
    assert_eq!(ready, [9]);
    assert!(queue.is_closed());
}
