//! A full end against a far end that is lite, and against one that is full: two planes over a
//! network that loses, delays and has dead ends.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod rig;

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use base::{Duration, Instant, Rng};
use media::dtls::{DtlsRole, Identity};
use media::ice::{Candidate, Credentials, Origins, Reach};
use media::srtp::Profile;
use media::{Codec, Command, Event, Peer, Port, StreamId, WebFailure};
use rig::browser::identity;
use rig::{A, B, Rig, Sent, audio, far, remote};

const OURS: &str = "198.51.100.1:8189";
const THEIRS: &str = "203.0.113.2:8189";

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn candidate(text: &str, priority: u32) -> Candidate {
    let foundation = format!("{priority}").into();
    Candidate { address: address(text), priority, foundation }
}

/// One end: stream A towards the other end, stream B a phone.
struct End {
    rig: Rig,
    at: SocketAddr,
    /// Another address of its, if its socket is bound to all; it sends from `at` if it is left to
    /// the system.
    other: Option<IpAddr>,
    identity: Identity,
    ice: Credentials,
    full: bool,
    /// Where it says that it is.
    candidates: Vec<Candidate>,
    /// What reached it, by first byte: messages of ICE.
    checks: Vec<(Instant, SocketAddr)>,
}

impl End {
    fn new(at: &str, full: bool, rng: &mut Rng) -> Self {
        let mut rig = Rig::of_seed(rng.next_u64());
        let identity = identity();
        rig.plane.set_identity(identity.clone());
        rig.order(Command::OpenShared { stream: A, ssrc: 0x1001, cname: Arc::from("web") });
        let ice = Credentials::draw(rng);
        rig.order(Command::SetIce { stream: A, ice, full });
        rig.open(B, Codec::Pcmu);
        rig.bridge();
        rig.take_events();
        let candidates = vec![candidate(at, 100)];
        let (at, other, checks) = (address(at), None, Vec::new());
        Self { rig, at, other, identity, ice, full, candidates, checks }
    }

    /// Whether it is reached there.
    fn is_at(&self, at: SocketAddr) -> bool {
        at == self.at || self.other.is_some_and(|other| at == (other, self.at.port()).into())
    }

    /// From where something leaves.
    fn leaves_from(&self, own: Option<IpAddr>) -> SocketAddr {
        let from = own.map_or(self.at, |own| (own, self.at.port()).into());
        assert!(self.is_at(from), "{from} is not its own");
        from
    }

    /// Where it says that it is, of what is its own; and something over IPv6.
    fn origins(&self) -> Origins {
        let mut named = self.candidates.iter().map(|one| one.address);
        let own = named.find(|at| self.is_at(*at)).unwrap_or(self.at);
        Origins::of(&[own, address("[2001:db8::9]:8189")])
    }

    fn hear(&mut self, from: SocketAddr, to: SocketAddr, bytes: &[u8]) -> Vec<Sent> {
        let own = self.other.map(|_| to.ip());
        self.rig.shared(Port::Shared(own), from, bytes)
    }

    /// What its SDP says, to one who is there and has this part in the handshake.
    fn peer(&self, from: Origins, role: DtlsRole) -> Box<Peer> {
        let reach = Reach {
            password: self.ice.password().into(),
            lite: !self.full,
            candidates: self.candidates.clone(),
            from,
        };
        let fragment = self.ice.fragment().into();
        let fingerprint = self.identity.fingerprint();
        Box::new(Peer { fragment, reach: Some(reach), fingerprint, role })
    }

    fn describe(&mut self, peer: Box<Peer>) {
        self.rig.order(Command::SetPeer { stream: A, peer });
        let remote = remote(A, Codec::Pcmu);
        self.rig.order(Command::SetRemote { stream: A, remote, srtp: None });
    }

    fn restart(&mut self, rng: &mut Rng) {
        self.ice = Credentials::draw(rng);
        let (ice, full) = (self.ice, self.full);
        self.rig.order(Command::SetIce { stream: A, ice, full });
    }

    fn is_secured(&self) -> bool {
        self.rig.events.iter().any(|event| matches!(event, Event::Secured { stream: A, .. }))
    }
}

/// Both, and what lies between them.
struct World {
    ends: [End; 2],
    rng: Rng,
    /// Of 100 datagrams so many are lost.
    loss: u64,
    delay: Duration,
    /// Under way: when it arrives, at which end, from where and to where, and what.
    wire: Vec<(Instant, usize, [SocketAddr; 2], Vec<u8>)>,
    /// All that the first end sent, to whom.
    sent: Vec<(Instant, SocketAddr, u8)>,
    /// Nothing goes through.
    is_cut: bool,
}

impl World {
    /// The first end is full; the second one is lite, or full as well.
    fn new(is_second_full: bool) -> Self {
        Self::of_seed(11, is_second_full)
    }

    fn of_seed(seed: u64, is_second_full: bool) -> Self {
        let mut rng = Rng::from_seed(seed);
        let ends = [End::new(OURS, true, &mut rng), End::new(THEIRS, is_second_full, &mut rng)];
        let (delay, wire, sent) = (Duration::from_millis(10), Vec::new(), Vec::new());
        Self { ends, rng, loss: 0, delay, wire, sent, is_cut: false }
    }

    /// Each has the other's SDP; the first one has this part in the handshake.
    fn describe(&mut self, role: DtlsRole) {
        let other = match role {
            DtlsRole::Active => DtlsRole::Passive,
            DtlsRole::Passive => DtlsRole::Active,
        };
        let [one, two] = &self.ends;
        let (first, second) = (one.peer(two.origins(), other), two.peer(one.origins(), role));
        self.ends[1].describe(first);
        self.ends[0].describe(second);
    }

    fn carry(&mut self, from: usize, sent: Vec<Sent>) {
        for Sent { port, to, bytes, at, .. } in sent {
            let Port::Shared(own) = port else { continue };
            if from == 0 {
                self.sent.push((at, to, bytes[0]));
            }
            let other = 1 - from;
            let is_lost = self.is_cut || self.rng.below(100) < self.loss;
            if self.ends[other].is_at(to) && !is_lost {
                let way = [self.ends[from].leaves_from(own), to];
                self.wire.push((at + self.delay, other, way, bytes));
            }
        }
    }

    fn step(&mut self, ms: u64) {
        for end in 0..2 {
            let sent = self.ends[end].rig.millis(ms);
            self.carry(end, sent);
        }
        let now = self.now();
        let (due, later) = std::mem::take(&mut self.wire).into_iter().partition(|one| one.0 <= now);
        self.wire = later;
        let mut due: Vec<_> = due;
        due.sort_by_key(|one| one.0);
        for (_, to, [from, at], bytes) in due {
            if bytes[0] < 4 {
                self.ends[to].checks.push((now, from));
            }
            let sent = self.ends[to].hear(from, at, &bytes);
            self.carry(to, sent);
        }
    }

    fn now(&self) -> Instant {
        self.ends[0].rig.now
    }

    /// Until both have keys; how long it took.
    fn connect(&mut self, most: Duration) -> Option<Duration> {
        let began = self.now();
        while self.now().since(began) < most {
            self.step(5);
            if self.ends.iter().all(End::is_secured) {
                return Some(self.now().since(began));
            }
        }
        None
    }

    fn run(&mut self, length: Duration) {
        let end = self.now() + length;
        while self.now() < end {
            self.step(10);
        }
    }

    /// What one phone says the other one hears, both ways.
    fn assert_talks(&mut self, sequence: u16) {
        for from in 0..2 {
            let (to, word) = (1 - from, 0x50 + from as u8);
            let header = audio(sequence, 160 * u32::from(sequence));
            let spoken = self.ends[from].rig.rtp(B, header, &[word; 160]);
            assert_eq!(spoken.len(), 1, "{from} says nothing");
            assert!(self.ends[to].is_at(spoken[0].to));
            let Port::Shared(own) = spoken[0].port else { panic!("over another port") };
            let source = self.ends[from].leaves_from(own);
            let heard = self.ends[to].hear(source, spoken[0].to, &spoken[0].bytes);
            let heard: Vec<_> = heard.iter().filter(|sent| sent.to == far(B)).collect();
            assert_eq!(heard.len(), 1, "{to} hears nothing");
            assert_eq!(heard[0].payload(), [word; 160]);
        }
    }

    fn unreachable(&self) -> Option<WebFailure> {
        self.ends[0].rig.events.iter().find_map(|event| match event {
            Event::Unreachable { stream: A, why } => Some(*why),
            _ => None,
        })
    }
}

#[test]
fn a_far_end_that_is_lite_is_checked_nominated_and_talked_with_whoever_begins_the_handshake() {
    for role in [DtlsRole::Active, DtlsRole::Passive] {
        let mut world = World::new(false);
        world.describe(role);
        let took = world.connect(Duration::from_secs(5)).unwrap();
        eprintln!("{role:?}: {took:?}");
        assert!(took <= Duration::from_millis(300), "{took:?}");
        let checks = world.ends[1].checks.len();
        assert_eq!(checks, 2, "one that finds out, one that nominates");
        for n in 1..50 {
            world.assert_talks(n);
        }
        let is_gcm =
            |event: &Event| matches!(event, Event::Secured { profile: Profile::AeadAes256Gcm, .. });
        assert!(world.ends[0].rig.events.iter().any(is_gcm));
    }
}

#[test]
fn of_several_addresses_the_best_that_works_is_taken_and_those_that_do_not_are_left() {
    let mut world = World::new(false);
    world.ends[1].candidates = vec![
        candidate("192.0.2.50:8189", 900),
        candidate("192.0.2.51:8189", 800),
        candidate("[2001:db8::1]:8189", 700),
        candidate(THEIRS, 600),
    ];
    world.describe(DtlsRole::Active);
    let took = world.connect(Duration::from_secs(5)).unwrap();
    assert!(took <= Duration::from_millis(700), "{took:?}");
    world.assert_talks(1);
    let checked: Vec<_> = world.sent.iter().filter(|sent| sent.2 < 4).collect();
    let gaps = checked.windows(2).map(|two| two[1].0.since(two[0].0));
    assert!(gaps.min().unwrap() >= Duration::from_millis(50), "they are paced: {checked:?}");
    let before = world.sent.len();
    world.run(Duration::from_secs(40));
    let dead = |sent: &&(Instant, SocketAddr, u8)| sent.1 != address(THEIRS);
    assert_eq!(world.sent[before..].iter().filter(dead).count(), 0, "the dead are left alone");
}

#[test]
fn ways_are_found_while_a_tenth_and_a_fifth_of_all_is_lost() {
    for (loss, most) in [(10, 8), (20, 20)] {
        let (mut longest, mut failed) = (Duration::ZERO, 0);
        for seed in 0..40 {
            let mut world = World::of_seed(seed, false);
            world.loss = loss;
            let role = if seed % 2 == 0 { DtlsRole::Active } else { DtlsRole::Passive };
            world.describe(role);
            match world.connect(Duration::from_secs(39)) {
                Some(took) => longest = longest.max(took),
                None => failed += 1,
            }
        }
        eprintln!("{loss} %: {failed} of 40 failed, longest {longest:?}");
        assert!(failed == 0, "{loss} %: {failed}");
        assert!(longest < Duration::from_secs(most), "{loss} %: {longest:?}");
    }
}

#[test]
fn where_nobody_answers_it_is_told_after_17_5_s_and_each_address_has_been_sent_seven_checks() {
    let mut world = World::new(false);
    world.ends[1].candidates =
        vec![candidate("192.0.2.50:8189", 900), candidate("192.0.2.51:8189", 800)];
    world.describe(DtlsRole::Active);
    world.run(Duration::from_millis(17_400));
    assert_eq!(world.unreachable(), None);
    world.run(Duration::from_millis(300));
    assert_eq!(world.unreachable(), Some(WebFailure::NoWay));
    world.run(Duration::from_secs(60));
    assert_eq!(world.sent.len(), 14, "{:?}", world.sent);
    assert!(world.sent.iter().all(|sent| sent.2 < 4));
}

#[test]
fn a_full_far_end_is_waited_for_39_5_s_for_it_may_still_find_us_itself() {
    let mut world = World::new(true);
    world.ends[1].candidates = vec![candidate("192.0.2.50:8189", 900)];
    let peer = world.ends[1].peer(world.ends[0].origins(), DtlsRole::Active);
    world.ends[0].describe(peer);
    world.run(Duration::from_millis(39_400));
    assert_eq!(world.unreachable(), None);
    world.run(Duration::from_millis(300));
    assert_eq!(world.unreachable(), Some(WebFailure::NoWay));
}

#[test]
fn without_an_address_that_may_be_checked_it_is_told_at_once() {
    let mut world = World::new(false);
    world.ends[1].candidates.clear();
    world.describe(DtlsRole::Active);
    world.step(5);
    assert_eq!(world.unreachable(), Some(WebFailure::NoWay));
    assert!(world.sent.is_empty());
}

#[test]
fn consent_is_asked_for_every_five_seconds_and_without_it_nothing_is_sent_after_thirty() {
    let mut world = World::new(false);
    world.describe(DtlsRole::Active);
    world.connect(Duration::from_secs(5)).unwrap();
    let before = world.ends[1].checks.len();
    world.run(Duration::from_secs(100));
    let asked = world.ends[1].checks.len() - before;
    assert!((16..=25).contains(&asked), "{asked}");
    let times: Vec<Instant> = world.ends[1].checks[before..].iter().map(|one| one.0).collect();
    let gaps: Vec<Duration> = times.windows(2).map(|two| two[1].since(two[0])).collect();
    assert!(gaps.iter().any(|gap| *gap != gaps[0]), "not in step with others");
    world.assert_talks(1);
    world.is_cut = true;
    world.run(Duration::from_secs(24));
    assert_eq!(world.unreachable(), None);
    world.run(Duration::from_millis(6_500));
    assert_eq!(world.unreachable(), Some(WebFailure::ConsentLost));
    let before = world.sent.len();
    assert!(world.ends[0].rig.rtp(B, audio(9, 9), &[1; 160]).is_empty());
    world.run(Duration::from_secs(30));
    assert_eq!(world.sent.len(), before, "not even questions");
    // It is found again by a restart, with the keys that there are.
    world.is_cut = false;
    world.run(Duration::from_secs(10));
    assert_eq!(world.sent.len(), before, "and by nothing else");
    let World { ends: [one, other], rng, .. } = &mut world;
    one.restart(rng);
    other.restart(rng);
    world.describe(DtlsRole::Active);
    world.run(Duration::from_millis(500));
    world.assert_talks(10);
    let secured = |event: &&Event| matches!(event, Event::Secured { .. });
    assert_eq!(world.ends[0].rig.events.iter().filter(secured).count(), 1);
}

#[test]
fn an_ice_restart_goes_over_to_the_new_pair_without_a_gap() {
    let mut world = World::new(false);
    world.describe(DtlsRole::Passive);
    world.connect(Duration::from_secs(5)).unwrap();
    for round in 1..4_u16 {
        let World { ends: [one, _], rng, .. } = &mut world;
        one.restart(rng);
        // Ours is out, and its answer is not there yet.
        for n in 1..5 {
            world.step(20);
            world.assert_talks(round * 100 + n);
        }
        let World { ends: [_, other], rng, .. } = &mut world;
        other.restart(rng);
        world.describe(DtlsRole::Passive);
        for n in 5..30 {
            world.step(20);
            world.assert_talks(round * 100 + n);
        }
    }
    assert_eq!(world.unreachable(), None);
}

#[test]
fn the_old_pair_is_kept_while_a_restart_finds_nothing() {
    let mut world = World::new(false);
    world.describe(DtlsRole::Active);
    world.connect(Duration::from_secs(5)).unwrap();
    let World { ends: [one, other], rng, .. } = &mut world;
    one.restart(rng);
    other.restart(rng);
    other.candidates = vec![candidate("192.0.2.50:8189", 900)];
    world.describe(DtlsRole::Active);
    for n in 1..100 {
        world.run(Duration::from_secs(1));
        world.assert_talks(n);
    }
    assert_eq!(world.unreachable(), None);
}

#[test]
fn two_full_ends_agree_on_who_controls_and_talk() {
    let mut roles = [0; 2];
    for seed in 0..12 {
        let mut world = World::of_seed(seed, true);
        world.loss = if seed < 6 { 0 } else { 10 };
        world.describe(DtlsRole::Active);
        let took = world.connect(Duration::from_secs(20));
        let took = took.unwrap_or_else(|| panic!("seed {seed}: no way"));
        assert!(world.loss > 0 || took < Duration::from_secs(1), "{took:?}");
        world.loss = 0;
        world.assert_talks(1);
        world.run(Duration::from_secs(60));
        world.assert_talks(2);
        assert_eq!(world.unreachable(), None);
        roles[usize::from(world.ends[0].checks.len() > world.ends[1].checks.len())] += 1;
    }
    eprintln!("{roles:?}");
}

#[test]
fn a_full_far_end_may_check_before_its_sdp_is_there_and_is_found_behind_a_nat() {
    let mut world = World::new(true);
    let other = world.ends[0].peer(world.ends[1].origins(), DtlsRole::Passive);
    // It writes an address that nobody reaches; its checks come from another.
    world.ends[1].candidates = vec![candidate("10.9.9.9:5", 900)];
    world.ends[1].describe(other);
    world.run(Duration::from_millis(300));
    assert!(!world.ends[0].checks.is_empty());
    let late = world.ends[1].peer(world.ends[0].origins(), DtlsRole::Active);
    world.ends[0].describe(late);
    world.connect(Duration::from_secs(5)).unwrap();
    world.assert_talks(1);
}

#[test]
fn answers_that_nobody_asked_for_or_that_come_from_elsewhere_change_nothing() {
    let mut world = World::new(false);
    world.describe(DtlsRole::Active);
    let sent = world.ends[0].rig.millis(5);
    let check = &sent.iter().find(|one| one.bytes[0] == 0).unwrap().bytes;
    let answers = world.ends[1].rig.shared(Port::Shared(None), address(OURS), check);
    let answer = &answers[0].bytes;
    assert_eq!(answer[..2], [1, 1]);
    let mut ours = |from: &str, bytes: &[u8]| {
        let mut bytes = bytes.to_vec();
        let mut batch = media::Batch::new(16);
        let rig = &mut world.ends[0].rig;
        rig.plane.handle_shared(rig.now, Port::Shared(None), address(from), &mut bytes, &mut batch)
    };
    for bit in 0..(answer.len() - 8) * 8 {
        let mut bytes = answer.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        assert!(!ours(THEIRS, &bytes), "{bit}");
    }
    assert!(!ours(THEIRS, &answer[..answer.len() - 12]));
    assert!(ours(THEIRS, answer), "the true one is taken all the same");
    assert!(!ours(THEIRS, answer), "and once only");
}

#[test]
fn an_answer_from_another_address_than_was_checked_is_no_way() {
    let mut world = World::new(false);
    world.describe(DtlsRole::Active);
    let sent = world.ends[0].rig.millis(5);
    let check = &sent.iter().find(|one| one.bytes[0] == 0).unwrap().bytes;
    let answers = world.ends[1].rig.shared(Port::Shared(None), address(OURS), check);
    world.ends[0].rig.shared(Port::Shared(None), address("192.0.2.77:1"), &answers[0].bytes);
    world.run(Duration::from_secs(2));
    assert_eq!(world.unreachable(), Some(WebFailure::NoWay));
}

#[test]
fn an_end_with_two_addresses_is_found_at_the_one_that_it_names_and_speaks_from_there() {
    let named = IpAddr::from([192, 0, 2, 200]);
    for (is_second_full, of_two) in [(false, 0), (false, 1), (true, 0), (true, 1)] {
        for seed in 0..8 {
            let mut world = World::of_seed(seed, is_second_full);
            // The system would choose another one than it names.
            let end = &mut world.ends[of_two];
            end.other = Some(named);
            end.candidates = vec![candidate(&format!("{named}:{}", end.at.port()), 100)];
            world.describe(DtlsRole::Active);
            let took = world.connect(Duration::from_secs(2));
            assert!(took.is_some(), "{is_second_full} {of_two} {seed}");
            let mut checks = world.ends[1 - of_two].checks.iter();
            assert!(checks.all(|(_, from)| from.ip() == named), "from the first one on");
            for n in 1..5 {
                world.assert_talks(n);
            }
            // Consent is asked for, and given, by that way.
            world.run(Duration::from_secs(40));
            world.assert_talks(5);
            assert_eq!(world.unreachable(), None);
        }
    }
}

#[test]
fn a_closed_leg_checks_nobody_any_more() {
    let mut world = World::new(false);
    world.describe(DtlsRole::Active);
    world.step(5);
    world.ends[0].rig.order(Command::Close { stream: A });
    let before = world.sent.len();
    world.run(Duration::from_secs(50));
    assert_eq!(world.sent.len(), before);
    let next = StreamId(7);
    world.ends[0].rig.order(Command::OpenShared { stream: next, ssrc: 1, cname: Arc::from("w") });
    world.run(Duration::from_secs(1));
    assert_eq!(world.sent.len(), before, "nor does the next one in its place");
}
