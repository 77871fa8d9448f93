//! What must hold of the port that browsers share, whatever comes in over it: no panic, and not a
//! byte to anybody who has not proven to know a leg's password, nor more than he sent for a check;
//! but for our own checks, which go where the far end's SDP says that it is and nowhere else.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use base::{Duration, Instant, Rng, UnixTime};
use media::dtls::{Association, DtlsRole, Identity, Progress, ROOM};
use media::ice::{
    Candidate, Check, Credentials, Origins, Reach, answer_check, worker_of_check, write_check,
};
use media::{Batch, Command, Peer, Plane, PlaneOutput, Port, StreamId, WorkerId, tap};

const LEG: StreamId = StreamId(1);
const THEIRS: &str = "them";
const PASSWORD: &str = "a password of 22 chars";
/// Our address, as the far end sees it.
const OURS: ([u8; 4], u16) = ([198, 51, 100, 1], 8189);

/// The first byte says who begins the handshake, whether we check the far end, and whether that is
/// lite; then for each handful of bytes what happens, from where, and what it is spoilt by.
pub fn ice(data: &[u8]) {
    let Some((first, mut rest)) = data.split_first() else { return };
    let role = if first & 1 == 0 { DtlsRole::Active } else { DtlsRole::Passive };
    let mut world = World::new(role, first & 2 != 0, first & 4 != 0);
    while let Some(([what, from, length], after)) = rest.split_first_chunk::<3>() {
        let (own, left) = after.split_at(usize::from(*length).min(after.len()));
        rest = left;
        world.step(*what, *from, own);
    }
    for _ in 0..40 {
        world.wait(1000);
    }
}

struct World {
    plane: Plane,
    now: Instant,
    batch: Batch,
    rng: Rng,
    ice: Credentials,
    /// The browser's end of the handshake, and what it has to send.
    dtls: Association,
    /// Ours, as the browser sees it.
    role: DtlsRole,
    identity: Identity,
    flight: Vec<Vec<u8>>,
    transactions: u64,
    /// Who has proven to know the password.
    proven: BTreeSet<(bool, SocketAddr)>,
    full: bool,
    lite: bool,
    /// Checks of ours that are not answered yet, and where they went.
    checks: Vec<(SocketAddr, Vec<u8>)>,
}

#[allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "any origin will do")]
fn identity() -> Identity {
    let wall = UnixTime::from_micros(1_700_000_000_000_000);
    Identity::draw(wall, std::time::Instant::now()).expect("randomness")
}

impl World {
    fn new(role: DtlsRole, full: bool, lite: bool) -> Self {
        let (taps, _) = tap::ring(16);
        let wall = UnixTime::from_micros(1_700_000_000_000_000);
        let mut plane = Plane::new(WorkerId(0), taps, Rng::from_seed(1), wall);
        plane.set_identity(identity());
        let (mut rng, now) = (Rng::from_seed(2), Instant::from_millis(1000));
        let ice = Credentials::draw(&mut rng).at(WorkerId(0));
        let cname = Arc::from("fuzz");
        plane.handle_command(now, Command::OpenShared { stream: LEG, ssrc: 1, cname });
        plane.handle_command(now, Command::SetIce { stream: LEG, ice, full });
        let identity = identity();
        let dtls = Association::new(&identity, role, now);
        let (batch, flight, proven) = (Batch::new(64), Vec::new(), BTreeSet::new());
        let mut world = Self {
            plane,
            now,
            batch,
            rng,
            ice,
            dtls,
            role,
            identity,
            flight,
            transactions: 0,
            proven,
            full,
            lite,
            checks: Vec::new(),
        };
        world.hear(None);
        world
    }

    fn step(&mut self, what: u8, from: u8, own: &[u8]) {
        let port = if what & 0x80 == 0 { Port::Shared(None) } else { Port::Stream };
        let from_at = SocketAddr::from(([192, 0, 2, from & 7], 4000 + u16::from(from)));
        match what % 7 {
            0 => self.send(port, from_at, own.to_vec(), false),
            1 | 2 => {
                let good = self.check(what % 7 == 1);
                let spoilt = spoilt(good.clone(), own);
                let is_good = spoilt == good;
                self.send(port, from_at, spoilt, is_good);
            }
            3 => {
                let packet = self.flight.pop().unwrap_or_default();
                self.send(port, from_at, spoilt(packet, own), false);
            }
            4 => self.wait(u64::from(from) * 20),
            5 => self.answer(port, from_at, what & 0x40 != 0, own),
            _ => self.order(from),
        }
    }

    /// A check of ours is answered: from where it went to, or from elsewhere.
    fn answer(&mut self, port: Port, elsewhere: SocketAddr, is_elsewhere: bool, own: &[u8]) {
        let Some((to, check)) = self.checks.pop() else { return };
        let mut good = Vec::new();
        assert!(answer_check(&mut good, &check, OURS.into(), PASSWORD), "our own check");
        let spoilt = spoilt(good.clone(), own);
        let from = if is_elsewhere { elsewhere } else { to };
        // One of a pair that is out of use meanwhile proves nothing; nor does one over TCP.
        let may_prove = spoilt == good && from == to && port == Port::Shared(None);
        if may_prove {
            self.proven.insert((false, from));
        }
        let _ = worker_of_check(&spoilt);
        let mut bytes = spoilt;
        let proves = self.plane.handle_shared(self.now, port, from, &mut bytes, &mut self.batch);
        assert!(!proves || may_prove, "proven without the password");
        self.collect(Some(bytes.len()));
    }

    fn order(&mut self, what: u8) {
        let stream = LEG;
        let command = match what % 3 {
            0 => {
                self.ice = Credentials::draw(&mut self.rng).at(WorkerId(0));
                Command::SetIce { stream, ice: self.ice, full: self.full }
            }
            1 => Command::Close { stream },
            _ => {
                let role = match self.role {
                    DtlsRole::Active => DtlsRole::Passive,
                    DtlsRole::Passive => DtlsRole::Active,
                };
                let fingerprint = self.identity.fingerprint();
                let from = Origins::of(&[SocketAddr::from(([192, 0, 2, 1], 8189))]);
                let (password, lite) = (PASSWORD.into(), self.lite);
                let reach = Some(Reach { password, lite, candidates: candidates(), from });
                let peer = Peer { fragment: THEIRS.into(), reach, fingerprint, role };
                Command::SetPeer { stream, peer: Box::new(peer) }
            }
        };
        self.plane.handle_command(self.now, command);
        self.collect(None);
    }

    /// A good check.
    fn check(&mut self, nominates: bool) -> Vec<u8> {
        self.transactions += 1;
        let mut transaction = [9; 12];
        transaction[..8].copy_from_slice(&self.transactions.to_be_bytes());
        let check = Check {
            transaction,
            username: &format!("{}:{THEIRS}", self.ice.fragment()),
            password: self.ice.password(),
            priority: 100,
            nominates,
            controls: true,
        };
        let mut bytes = Vec::new();
        write_check(&mut bytes, &check);
        bytes
    }

    fn send(&mut self, port: Port, from: SocketAddr, mut bytes: Vec<u8>, is_good: bool) {
        if is_good {
            self.proven.insert((port == Port::Stream, from));
            assert_eq!(worker_of_check(&bytes), Some(WorkerId(0)));
        }
        let length = bytes.len();
        let _ = worker_of_check(&bytes);
        let proves = self.plane.handle_shared(self.now, port, from, &mut bytes, &mut self.batch);
        assert!(!proves || is_good, "proven without the password");
        self.collect(Some(length));
    }

    fn wait(&mut self, ms: u64) {
        self.now += Duration::from_millis(ms);
        if self.plane.poll_timeout().is_some_and(|(at, _)| at <= self.now) {
            self.plane.handle_timeout(self.now, &mut self.batch);
        }
        self.collect(None);
        self.hear(None);
    }

    /// What the plane sends; for a datagram of so many bytes, if for any.
    fn collect(&mut self, length: Option<usize>) {
        let sent: Vec<(bool, SocketAddr, Vec<u8>)> = self
            .batch
            .iter()
            .map(|one| (one.port == Port::Stream, one.to, one.bytes.to_vec()))
            .collect();
        self.batch.clear();
        while self.plane.poll_event().is_some() {}
        while let Some(output) = self.plane.poll_output() {
            if let PlaneOutput::Send { port, to, .. } = output {
                assert!(self.proven.contains(&(port == Port::Stream, to)), "{to} is said goodbye");
            }
        }
        for (by_stream, to, bytes) in sent {
            if bytes.first() == Some(&0) && candidates().iter().any(|one| one.address == to) {
                assert!(self.full || self.lite, "a lite end checks nobody");
                self.checks.push((to, bytes));
                continue;
            }
            assert!(self.proven.contains(&(by_stream, to)), "{to} has proven nothing");
            match bytes.first() {
                Some(0) => {}
                Some(1..=3) => assert!(length.is_some_and(|length| bytes.len() <= length)),
                Some(20..=63) => self.hear(Some(&bytes)),
                _ => {}
            }
        }
    }

    /// The browser's end of the handshake goes on.
    fn hear(&mut self, packet: Option<&[u8]>) {
        let result = match packet {
            Some(packet) => self.dtls.handle_packet(self.now, packet),
            None => self.dtls.handle_timeout(self.now),
        };
        if result.is_err() {
            return;
        }
        let (mut room, flight) = (vec![0; ROOM], &mut self.flight);
        self.dtls.drain(&mut room, |progress| {
            if let Progress::Send(bytes) = progress {
                flight.insert(0, bytes.to_vec());
            }
        });
        self.flight.truncate(32);
    }
}

/// Where its SDP says that the far end is.
fn candidates() -> Vec<Candidate> {
    let candidate = |n: u8| Candidate {
        address: SocketAddr::from(([192, 0, 2, n], 4000 + u16::from(n))),
        priority: u32::from(n),
        foundation: "1".into(),
    };
    (1..=3).map(candidate).collect()
}

/// Some bytes changed; the last of the changes may cut it short.
fn spoilt(mut packet: Vec<u8>, changes: &[u8]) -> Vec<u8> {
    for change in changes.chunks(2) {
        let at = usize::from(change[0]) % packet.len().max(1);
        match change.get(1) {
            Some(by) => {
                if let Some(byte) = packet.get_mut(at) {
                    *byte ^= by;
                }
            }
            None => packet.truncate(at),
        }
    }
    packet
}
