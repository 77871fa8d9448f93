//! A worker on real sockets: what floods one call does to its neighbours, and what is known when it
//! ends.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration as Pause;

use base::UnixTime;
use media::dtls::{DtlsRole, Identity};
use media::ice::{
    Candidate, Check, Credentials, Origins, Reach, answer_check, is_success_for, write_check,
};
use media::rtp::Header;
use media::{
    Codec, Command, Direction, Event, OpusSettings, Peer, RemoteMedia, StreamId, capture, tap,
};

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
            match next(&mut self.events).1 {
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

/// What a worker tells next.
fn next(events: &mut mpsc::Receiver<(WorkerId, Event)>) -> (WorkerId, Event) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let told = async { tokio::time::timeout(Pause::from_secs(30), events.recv()).await };
    runtime.block_on(told).expect("something within 30 s").expect("the worker's end")
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

/// Two workers at one port for browsers, bound to all addresses there are.
struct Everywhere {
    port: u16,
    queues: Vec<wake::Sender<Command>>,
    events: mpsc::Receiver<(WorkerId, Event)>,
    running: Vec<Running>,
    identity: Identity,
}

impl Everywhere {
    fn start(all: IpAddr) -> Self {
        let rtp = Rtp { address: all, kernel: KernelPath::Off, ..Rtp::default() };
        let identity = Identity::draw(UnixTime::from_micros(0), std::time::Instant::now()).unwrap();
        let port = UdpSocket::bind((all, 0)).unwrap().local_addr().unwrap().port();
        let own = |id| Worker::new(WorkerId(id), Duration::from_micros(500)).unwrap();
        let workers = [own(0), own(1)];
        let queues = workers.iter().map(Worker::queue).collect();
        let neighbours = Neighbourhood::of(workers.iter().map(Worker::bell).collect());
        let (tell, events) = wake::queue(4096, &Bell::new().unwrap());
        let running = workers.into_iter().map(|worker| {
            let at = SocketAddr::new(all, port);
            let (identity, neighbours) = (identity.clone(), neighbours.clone());
            let door = Door { at, tcp: false, identity, elsewhere: Arc::default(), neighbours };
            let way = Way::choose(&rtp).unwrap();
            let (taps, captures) = (tap::ring(16).0, capture::ring(16, 4096).0);
            let (clock, rng) = (Clock::start(), Rng::from_seed(1));
            let sinks = (taps, captures);
            worker.start(clock, (&rtp, way, Some(door)), sinks, rng, tell.clone()).unwrap()
        });
        let running = running.collect();
        Self { port, queues, events, running, identity }
    }

    /// A leg at that worker, which greets its browser as soon as that is found.
    fn open(&mut self, worker: u16) -> Credentials {
        let stream = StreamId(u64::from(worker));
        let ice = Credentials::draw(&mut Rng::from_seed(worker.into())).at(WorkerId(worker));
        let fingerprint = self.identity.fingerprint();
        let role = DtlsRole::Active;
        let peer = Box::new(Peer { fragment: "them".into(), reach: None, fingerprint, role });
        let queue = &self.queues[usize::from(worker)];
        for command in [
            Command::OpenShared { stream, ssrc: 1, cname: Arc::from("strowger") },
            Command::SetIce { stream, ice, full: false },
            Command::SetPeer { stream, peer },
        ] {
            queue.try_send(command).unwrap();
        }
        let told = next(&mut self.events);
        assert_eq!(told, (WorkerId(worker), Event::Opened { stream }));
        ice
    }
}

impl Drop for Everywhere {
    fn drop(&mut self) {
        self.queues.clear();
        self.running.drain(..).for_each(Running::join);
    }
}

/// A browser checks a leg at that address of ours: from there comes the answer and, if it nominates,
/// the beginning of the handshake.
fn checks(browser: &UdpSocket, to: SocketAddr, ice: &Credentials, nominates: bool, number: u8) {
    let username = format!("{}:them", ice.fragment());
    let password = ice.password();
    let transaction = [number; 12];
    let (priority, controls) = (1, true);
    let (mut bytes, mut room) = (Vec::new(), [0; 1500]);
    let of = Check { transaction, username: &username, password, priority, nominates, controls };
    write_check(&mut bytes, &of);
    browser.send_to(&bytes, to).unwrap();
    let mut hello = !nominates;
    let mut answered = false;
    while !(hello && answered) {
        let (length, from) = browser.recv_from(&mut room).expect("it is answered");
        assert_eq!(from, to, "{:?}", &room[..length]);
        answered |= is_success_for(&room[..length], transaction);
        hello |= room[0] == 22;
    }
}

#[test]
fn a_browser_hears_us_from_the_address_that_it_sends_to_whichever_worker_is_its_own() {
    let v4 = [1, 5, 6].map(|n| IpAddr::from([127, 0, 0, n]));
    let ways = [
        (IpAddr::V4(Ipv4Addr::UNSPECIFIED), &v4[..]),
        (IpAddr::V6(Ipv6Addr::UNSPECIFIED), &[v4[1], Ipv6Addr::LOCALHOST.into(), v4[2]]),
    ];
    for (all, ours) in ways {
        let mut workers = Everywhere::start(all);
        let legs = [0, 1].map(|worker| workers.open(worker));
        // Enough of them for the kernel to give some to the worker whose they are not.
        for number in 0..24_u8 {
            let own = ours[usize::from(number) % ours.len()];
            let here = if own.is_ipv6() { own } else { HERE };
            let browser = UdpSocket::bind((here, 0)).unwrap();
            browser.set_read_timeout(Some(Pause::from_secs(20))).unwrap();
            let leg = &legs[usize::from(number / 3) % 2];
            let to = SocketAddr::new(own, workers.port);
            checks(&browser, to, leg, false, number);
        }
        // One for each leg that stays.
        for (worker, leg) in (0..).zip(&legs) {
            let own = ours[1];
            let here = if own.is_ipv6() { own } else { HERE };
            let browser = UdpSocket::bind((here, 0)).unwrap();
            browser.set_read_timeout(Some(Pause::from_secs(20))).unwrap();
            checks(&browser, SocketAddr::new(own, workers.port), leg, true, 100 + worker);
        }
    }
}

/// A lite end at 127.0.0.1 was told 127.0.0.5: the system would check it from 127.0.0.1.
#[test]
fn a_lite_end_is_checked_from_the_address_that_it_was_told_from_the_first_check_on() {
    let told = IpAddr::from([127, 0, 0, 5]);
    for all in [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)] {
        let workers = Everywhere::start(all);
        let lite = UdpSocket::bind((HERE, 0)).unwrap();
        lite.set_read_timeout(Some(Pause::from_secs(20))).unwrap();
        let from = SocketAddr::new(told, workers.port);
        let password = "a password of 22 chars";
        let (priority, foundation) = (1, "1".into());
        let at = Candidate { address: lite.local_addr().unwrap(), priority, foundation };
        let (origins, candidates) = (Origins::of(&[from]), vec![at]);
        let reach = Reach { password: password.into(), lite: true, candidates, from: origins };
        let peer = Box::new(Peer {
            fragment: "them".into(),
            reach: Some(reach),
            fingerprint: workers.identity.fingerprint(),
            role: DtlsRole::Active,
        });
        let stream = StreamId(1);
        let ice = Credentials::draw(&mut Rng::from_seed(1)).at(WorkerId(1));
        for command in [
            Command::OpenShared { stream, ssrc: 1, cname: Arc::from("strowger") },
            Command::SetIce { stream, ice, full: true },
            Command::SetPeer { stream, peer },
        ] {
            workers.queues[1].try_send(command).unwrap();
        }
        let (mut room, mut answer, mut checks) = ([0; 1500], Vec::new(), 0);
        // Until it is greeted: then one was good, and one has nominated.
        loop {
            let (length, came) = lite.recv_from(&mut room).expect("it is checked");
            assert_eq!(came, from, "{:?}", &room[..length]);
            if room[0] == 22 {
                break;
            }
            answer.clear();
            assert!(answer_check(&mut answer, &room[..length], came, password));
            lite.send_to(&answer, came).unwrap();
            checks += 1;
        }
        assert!(checks >= 2, "{checks}");
    }
}
