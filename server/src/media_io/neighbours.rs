//! Workers that share a port: a packet that came to one and is another's is handed over.
//!
//! The kernel spreads browsers over the workers' sockets by their addresses (`SO_REUSEPORT`), and
//! knows nothing of legs. Whose a check is its fragment says. Everything else is its source's: where
//! a check of it was found good, which that worker tells whoever handed it over, and with each
//! further check again. So nothing that a stranger sends makes anybody remember anything, and what
//! is lost is known again with the next check.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use base::{Duration, Instant};
use crossbeam_queue::ArrayQueue;
use media::ice::{TransportAddress, worker_of_check};
use media::{MAX_DATAGRAM, Port, WorkerId};
use metrics::Counter;

use crate::wake::Bell;

/// Packets that may wait to be taken over by one worker; one that finds no room is lost.
const INBOX: usize = 1024;
/// Sources that one worker knows as others': more than the legs of all of them.
const HOMES: usize = 65_536;
/// What was not told of for so long is not there any more: browsers check every few seconds.
const STALE: Duration = Duration::from_secs(35);
/// How often that is looked for, when new ones come.
const SWEEP: Duration = Duration::from_secs(5);

type Room = Box<[u8; MAX_DATAGRAM]>;

/// What all workers of a port are to each other.
#[derive(Clone)]
pub(crate) struct Neighbourhood(Arc<[Inbox]>);

/// What others have for one worker.
struct Inbox {
    waiting: ArrayQueue<Passed>,
    /// Rooms that are not on their way.
    empty: ArrayQueue<Room>,
    bell: Bell,
}

/// What one worker has for another.
enum Passed {
    /// A packet that came in over the port.
    In { by: WorkerId, from: TransportAddress, length: usize, room: Room },
    /// A packet that is to leave by a TCP connection.
    Out { to: SocketAddr, length: usize, room: Room },
    /// What comes from there is that worker's.
    Home { of: WorkerId, from: TransportAddress },
}

impl Neighbourhood {
    /// Of the workers with these bells, in the order of their numbers; none if there is but one.
    pub(crate) fn of(bells: Vec<Bell>) -> Option<Self> {
        let inbox = |bell| {
            let (waiting, empty) = (ArrayQueue::new(2 * INBOX), ArrayQueue::new(INBOX));
            for _ in 0..INBOX {
                let _ = empty.push(Box::new([0; MAX_DATAGRAM]));
            }
            Inbox { waiting, empty, bell }
        };
        (bells.len() > 1).then(|| Self(bells.into_iter().map(inbox).collect()))
    }

    fn inbox(&self, of: WorkerId) -> Option<&Inbox> {
        self.0.get(usize::from(of.0))
    }
}

/// What is another worker's, and where.
struct Home {
    of: WorkerId,
    told: Instant,
}

/// One worker's view of the others.
pub(super) struct Neighbours {
    own: WorkerId,
    all: Neighbourhood,
    homes: HashMap<TransportAddress, Home>,
    swept: Instant,
    /// Whose TCP connections browsers of ours come over, if they are not ours.
    ways: HashMap<SocketAddr, Home>,
    /// Whom there is something for that they have not been told of.
    to_ring: Vec<WorkerId>,
    handed_over: Counter,
    lost: Counter,
}

/// What another worker had for this one.
pub(super) enum Taken<'a> {
    /// A packet for the plane. If it was a good check, say so ([`Neighbours::settle`]).
    In { by: WorkerId, from: TransportAddress, bytes: &'a mut [u8] },
    /// A packet for a TCP connection.
    Out { to: SocketAddr, bytes: &'a [u8] },
}

impl Neighbours {
    pub(super) fn new(own: WorkerId, all: Neighbourhood) -> Self {
        let counter = |name: &'static str| metrics::counter!(name, "worker" => own.0.to_string());
        Self {
            own,
            all,
            homes: HashMap::new(),
            swept: Instant::ZERO,
            ways: HashMap::new(),
            to_ring: Vec::new(),
            handed_over: counter("strowger_webrtc_packets_handed_over_total"),
            lost: counter("strowger_webrtc_packets_lost_total"),
        }
    }

    /// Hands a packet over that came in here, if it is another worker's.
    pub(super) fn hand_over(&mut self, from: TransportAddress, bytes: &[u8]) -> bool {
        let owner = match bytes.first() {
            Some(0..=3) => worker_of_check(bytes),
            _ => self.homes.get(&from).map(|home| home.of),
        };
        let is_anothers = |owner: &WorkerId| *owner != self.own && self.all.inbox(*owner).is_some();
        let Some(owner) = owner.filter(is_anothers) else { return false };
        let by = self.own;
        self.pass(owner, bytes, |length, room| Passed::In { by, from, length, room });
        true
    }

    /// Hands a packet over that is to leave by another worker's TCP connection; false if no other
    /// has one.
    pub(super) fn hand_out(&mut self, to: SocketAddr, bytes: &[u8]) -> bool {
        let Some(way) = self.ways.get(&to).map(|way| way.of) else { return false };
        self.pass(way, bytes, |length, room| Passed::Out { to, length, room })
    }

    fn pass(&mut self, to: WorkerId, bytes: &[u8], of: impl FnOnce(usize, Room) -> Passed) -> bool {
        let Some(inbox) = self.all.inbox(to) else { return false };
        let room = inbox.empty.pop().filter(|_| bytes.len() <= MAX_DATAGRAM);
        let Some(mut room) = room else {
            self.lost.increment(1);
            return false;
        };
        room.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        if inbox.waiting.push(of(bytes.len(), room)).is_err() {
            self.lost.increment(1);
            return false;
        }
        self.handed_over.increment(1);
        self.note_ring(to);
        true
    }

    fn note_ring(&mut self, to: WorkerId) {
        if !self.to_ring.contains(&to) {
            self.to_ring.push(to);
        }
    }

    /// Wakes those whom something was handed over to.
    pub(super) fn ring(&mut self) {
        for worker in self.to_ring.drain(..) {
            if let Some(inbox) = self.all.inbox(worker) {
                inbox.bell.ring();
            }
        }
    }

    /// A check that came in here, or was handed over by another, was good: what comes from there is
    /// ours. Call it before the check is answered: who is answered may go on at once.
    pub(super) fn settle(&mut self, now: Instant, by: Option<WorkerId>, from: TransportAddress) {
        self.homes.remove(&from);
        let Some(by) = by else {
            self.ways.remove(&from.address);
            return;
        };
        if from.port == Port::Stream {
            note(&mut self.ways, &mut self.swept, now, (from.address, by));
        }
        let told = Passed::Home { of: self.own, from };
        let inbox = self.all.inbox(by);
        if inbox.is_some_and(|inbox| inbox.waiting.push(told).is_ok()) {
            self.note_ring(by);
        }
    }

    /// How much others have for this one.
    pub(super) fn waiting(&self) -> usize {
        self.all.inbox(self.own).map_or(0, |inbox| inbox.waiting.len())
    }

    /// Takes over the next of what others have for this one. Do it after the socket was read, so
    /// that a source is known whose check was answered before.
    pub(super) fn take_over(
        &mut self,
        now: Instant,
        take: impl FnOnce(&mut Self, Taken<'_>),
    ) -> Option<()> {
        let all = self.all.clone();
        let inbox = all.inbox(self.own)?;
        let room = match inbox.waiting.pop()? {
            Passed::In { by, from, length, mut room } => {
                let bytes = room.get_mut(..length).unwrap_or_default();
                take(self, Taken::In { by, from, bytes });
                room
            }
            Passed::Out { to, length, room } => {
                let bytes = room.get(..length).unwrap_or_default();
                take(self, Taken::Out { to, bytes });
                room
            }
            Passed::Home { of, from } => {
                note(&mut self.homes, &mut self.swept, now, (from, of));
                return Some(());
            }
        };
        let _ = inbox.empty.push(room);
        Some(())
    }
}

/// Remembers whose something is; what was not told of for long is forgotten first.
fn note<K: std::hash::Hash + Eq>(
    homes: &mut HashMap<K, Home>,
    swept: &mut Instant,
    now: Instant,
    (key, of): (K, WorkerId),
) {
    if now.since(*swept) >= SWEEP {
        *swept = now;
        homes.retain(|_, home| now.since(home.told) < STALE);
    }
    if homes.len() < HOMES || homes.contains_key(&key) {
        homes.insert(key, Home { of, told: now });
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
pub(super) mod tests {
    use base::Rng;
    use media::ice::{Check, Credentials, write_check};

    use super::*;

    fn two() -> [Neighbours; 2] {
        let bells = vec![Bell::new().unwrap(), Bell::new().unwrap()];
        let all = Neighbourhood::of(bells).unwrap();
        [0, 1].map(|n| Neighbours::new(WorkerId(n), all.clone()))
    }

    fn from(port: u16) -> TransportAddress {
        let address = SocketAddr::from(([192, 0, 2, 1], port));
        TransportAddress { port: Port::Shared(None), address }
    }

    /// A check for a leg at that worker.
    pub(in crate::media_io) fn check(worker: u16) -> Vec<u8> {
        let ice = Credentials::draw(&mut Rng::from_seed(1)).at(WorkerId(worker));
        let mut bytes = Vec::new();
        let check = Check {
            transaction: [1; 12],
            username: &format!("{}:them", ice.fragment()),
            password: ice.password(),
            priority: 1,
            nominates: true,
            controls: true,
        };
        write_check(&mut bytes, &check);
        bytes
    }

    /// All that others have for one; what it takes for the plane is a good check, or not.
    fn take_all(of: &mut Neighbours, now: Instant, is_good: bool) -> Vec<Vec<u8>> {
        let mut taken = Vec::new();
        while let Some(()) = of.take_over(now, |of, what| match what {
            Taken::In { by, from, bytes } => {
                if is_good {
                    of.settle(now, Some(by), from);
                }
                taken.push(bytes.to_vec());
            }
            Taken::Out { bytes, .. } => taken.push(bytes.to_vec()),
        }) {}
        taken
    }

    #[test]
    fn a_check_goes_to_the_worker_that_its_fragment_names_and_one_of_ones_own_stays() {
        let [mut one, mut other] = two();
        assert!(one.hand_over(from(1), &check(1)) && !one.hand_over(from(1), &check(0)));
        assert_eq!(take_all(&mut other, Instant::ZERO, false), [check(1)]);
        assert!(!one.hand_over(from(1), &check(2)), "there is no third worker");
        assert!(!one.hand_over(from(1), &[0; 20]) && one.waiting() + other.waiting() == 0);
    }

    #[test]
    fn what_a_browser_sends_is_handed_over_once_its_check_was_good_and_before_that_nothing_is() {
        let [mut one, mut other] = two();
        let now = Instant::from_millis(1000);
        let audio = [128; 172];
        assert!(one.hand_over(from(1), &check(1)));
        take_all(&mut other, now, false);
        assert!(one.waiting() == 0 && !one.hand_over(from(1), &audio), "it proved nothing");
        assert!(one.hand_over(from(1), &check(1)));
        take_all(&mut other, now, true);
        take_all(&mut one, now, false);
        assert!(one.hand_over(from(1), &audio) && !one.hand_over(from(2), &audio));
        assert_eq!(take_all(&mut other, now, false), [audio]);
        // The browser's next leg, from the same address, is at the other worker.
        one.settle(now, None, from(1));
        assert!(!one.hand_over(from(1), &audio));
    }

    #[test]
    fn a_source_that_is_told_of_no_more_is_forgotten() {
        let [mut one, mut other] = two();
        let mut tell = |one: &mut Neighbours, port, ms| {
            other.settle(Instant::from_millis(ms), Some(WorkerId(0)), from(port));
            take_all(one, Instant::from_millis(ms), false);
        };
        tell(&mut one, 1, 10_000);
        tell(&mut one, 2, 40_000);
        assert!(one.hand_over(from(1), &[128; 20]), "it checks every few seconds");
        tell(&mut one, 2, 46_000);
        assert!(!one.hand_over(from(1), &[128; 20]) && one.hand_over(from(2), &[128; 20]));
    }

    #[test]
    fn a_worker_that_does_not_come_round_is_handed_no_more_than_it_has_room_for() {
        let [mut one, mut other] = two();
        let taken = (0..2 * INBOX).filter(|_| {
            one.hand_over(from(1), &check(1));
            true
        });
        assert_eq!(taken.count(), 2 * INBOX);
        assert_eq!(take_all(&mut other, Instant::ZERO, false).len(), INBOX);
        assert!(one.hand_over(from(1), &check(1)));
        assert_eq!(take_all(&mut other, Instant::ZERO, false).len(), 1, "rooms come back");
    }

    #[test]
    fn the_answer_to_one_who_came_by_tcp_leaves_by_the_connection_it_came_over() {
        let [mut one, mut other] = two();
        let from = TransportAddress { port: Port::Stream, ..from(1) };
        assert!(!other.hand_out(from.address, b"lost"));
        assert!(one.hand_over(from, &check(1)));
        take_all(&mut other, Instant::ZERO, true);
        assert!(other.hand_out(from.address, b"answer"));
        assert_eq!(take_all(&mut one, Instant::ZERO, false), [b"answer"]);
    }
}
