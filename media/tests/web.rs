//! Browsers' streams: ICE, DTLS and SRTP over the shared port, against a browser of our own and
//! against those who pretend to be one.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod rig;

use std::net::SocketAddr;
use std::sync::Arc;

use base::{Duration, Instant, Rng};
use media::dtls::{DtlsRole, Fingerprint};
use media::ice::{Credentials, is_success_for};
use media::srtp::Profile;
use media::{Codec, Command, Event, PlaneOutput, Port, StreamId, WebFailure};
use rig::browser::{Browser, identity};
use rig::{A, B, Rig, Sent, audio, far, remote};

const HOME: &str = "198.51.100.7:50000";
const AWAY: &str = "203.0.113.9:60000";

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// A browser's stream A beside a phone's stream B; the browser has not been heard of yet.
struct World {
    rig: Rig,
    browser: Browser,
    rng: Rng,
    /// Of 100 datagrams so many of DTLS are lost.
    loss: u64,
}

impl World {
    fn new(role: DtlsRole) -> Self {
        let mut rng = Rng::from_seed(11);
        let mut rig = Rig::new();
        rig.plane.set_identity(identity());
        let ice = Credentials::draw(&mut rng);
        rig.order(Command::OpenShared { stream: A, ssrc: 0x1001, cname: Arc::from("web") });
        rig.order(Command::SetIce { stream: A, ice, full: false });
        assert_eq!(rig.take_events(), [Event::Opened { stream: A }]);
        rig.open(B, Codec::Pcmu);
        let browser = Browser::new(rig.now, address(HOME), ice, role);
        Self { rig, browser, rng, loss: 0 }
    }

    /// A browser that was found, has its keys, and may talk with the other stream.
    fn bridged() -> Self {
        let mut world = Self::new(DtlsRole::Active);
        world.describe();
        world.rig.bridge();
        world.check();
        world.shake_hands(Duration::from_secs(2)).unwrap();
        world
    }

    /// Its SDP is there.
    fn describe(&mut self) {
        let peer = self.browser.peer();
        self.rig.order(Command::SetPeer { stream: A, peer });
        let remote = remote(A, Codec::Pcmu);
        self.rig.order(Command::SetRemote { stream: A, remote, srtp: None });
    }

    fn send(&mut self, bytes: &[u8]) -> Vec<Sent> {
        self.rig.shared(self.browser.port, self.browser.at, bytes)
    }

    fn check(&mut self) -> Vec<Sent> {
        let check = self.browser.check(true);
        self.send(&check)
    }

    fn is_lost(&mut self) -> bool {
        self.rng.below(100) < self.loss
    }

    /// Both talk DTLS until the browser has its keys and we have ours, or time is up; how long it
    /// took.
    fn shake_hands(&mut self, most: Duration) -> Option<Duration> {
        let began = self.rig.now;
        let mut to_us: Vec<Vec<u8>> = self.browser.dtls(began, None);
        let mut to_browser: Vec<Vec<u8>> = Vec::new();
        while self.rig.now.since(began) < most {
            for packet in std::mem::take(&mut to_us) {
                if !self.is_lost() {
                    let sent = self.send(&packet);
                    to_browser.extend(sent.into_iter().map(|sent| sent.bytes));
                }
            }
            let now = self.rig.now;
            for packet in std::mem::take(&mut to_browser) {
                let is_dtls = (20..=63).contains(&packet[0]);
                if is_dtls && !self.is_lost() {
                    to_us.extend(self.browser.dtls(now, Some(&packet)));
                }
            }
            let secured = self.rig.events.iter().any(|e| matches!(e, Event::Secured { .. }));
            if secured && self.browser.is_up() && to_us.is_empty() {
                return Some(now.since(began));
            }
            if to_us.is_empty() {
                to_browser.extend(self.rig.millis(10).into_iter().map(|sent| sent.bytes));
                if self.browser.due.is_some_and(|due| due <= self.rig.now) {
                    to_us.extend(self.browser.dtls(self.rig.now, None));
                }
                if self.rig.now.since(began).as_millis().is_multiple_of(500) {
                    let check = self.browser.check(true);
                    self.send(&check);
                }
            }
        }
        None
    }

    /// Audio goes both ways.
    fn assert_talks(&mut self, sequence: u16) {
        let header = audio(sequence, 160 * u32::from(sequence));
        let spoken = self.browser.seal(header, &[0x55; 160]);
        let heard = self.send(&spoken);
        assert_eq!(heard.len(), 1, "the phone hears the browser");
        assert_eq!((heard[0].to, heard[0].port), (far(B), Port::Rtp));
        assert_eq!(heard[0].payload(), [0x55; 160]);
        let spoken = self.rig.rtp(B, header, &[0x66; 160]);
        assert_eq!(spoken.len(), 1, "the browser hears the phone");
        assert_eq!((spoken[0].to, spoken[0].port), (self.browser.at, self.browser.port));
        assert_eq!(self.browser.open(&spoken[0].bytes), [0x66; 160]);
    }
}

#[test]
fn a_browser_that_offers_checks_shakes_hands_and_talks() {
    for port in [Port::Shared(None), Port::Stream] {
        let mut world = World::new(DtlsRole::Active);
        world.browser.port = port;
        world.describe();
        world.rig.bridge();
        let answer = world.check();
        assert!(answer[0].bytes[..2] == [1, 1] && answer[0].to == address(HOME));
        assert_eq!(answer[0].port, port);
        assert!(world.shake_hands(Duration::from_secs(2)).is_some());
        assert!(matches!(world.rig.take_events()[..], [Event::Secured { stream: A, .. }]));
        for n in 1..50 {
            world.assert_talks(n);
        }
    }
}

#[test]
fn what_goes_to_a_browser_leaves_from_the_address_of_ours_that_it_checked_and_sends_to() {
    let at = |ip: &str| Port::Shared(Some(ip.parse().unwrap()));
    let [first, second, third] = ["192.0.2.5", "192.0.2.6", "2001:db8::5"].map(at);
    for role in [DtlsRole::Active, DtlsRole::Passive] {
        let mut world = World::new(role);
        world.describe();
        world.rig.bridge();
        // It tries both that it was told of, and takes the first.
        for port in [first, second] {
            let check = world.browser.check(port == first);
            let sent = world.rig.shared(port, address(HOME), &check);
            assert_eq!(sent[0].bytes[..2], [1, 1]);
            assert!(sent.iter().all(|sent| (sent.port, sent.to) == (port, address(HOME))));
        }
        world.browser.port = first;
        assert!(world.shake_hands(Duration::from_secs(2)).is_some());
        world.assert_talks(1);
        world.browser.port = second;
        world.rig.millis(300);
        world.assert_talks(2);
        // Which is not left because the first one is checked again, from the same port of its.
        let check = world.browser.check(true);
        assert_eq!(world.rig.shared(first, address(HOME), &check)[0].port, first);
        world.assert_talks(3);
        let audio = world.browser.seal(audio(4, 640), &[0x55; 160]);
        assert!(world.rig.shared(third, address(HOME), &audio).is_empty(), "it checked no third");
    }
}

#[test]
fn a_browser_that_waits_for_us_is_greeted_as_soon_as_it_is_reachable() {
    let mut world = World::new(DtlsRole::Passive);
    world.describe();
    world.rig.bridge();
    let sent = world.check();
    let hello: Vec<_> = sent.iter().filter(|sent| sent.bytes[0] == 22).collect();
    assert!(!hello.is_empty(), "the check is answered, and the handshake begins");
    let now = world.rig.now;
    let mut to_us = Vec::new();
    for sent in hello {
        to_us.extend(world.browser.dtls(now, Some(&sent.bytes)));
    }
    while let Some(packet) = to_us.pop() {
        let sent = world.send(&packet);
        to_us.extend(sent.iter().flat_map(|sent| world.browser.dtls(now, Some(&sent.bytes))));
    }
    assert!(matches!(world.rig.take_events()[..], [Event::Secured { stream: A, .. }]));
    assert_eq!(world.browser.profile, Some(Profile::AeadAes256Gcm), "we offer AES-GCM first");
    world.assert_talks(1);
}

#[test]
fn checks_and_handshake_may_come_before_the_answer_and_no_audio_does() {
    let mut world = World::new(DtlsRole::Active);
    world.rig.bridge();
    assert_eq!(world.check().len(), 1);
    let mut to_us = world.browser.dtls(world.rig.now, None);
    while let Some(packet) = to_us.pop() {
        let sent = world.send(&packet);
        let now = world.rig.now;
        to_us.extend(sent.iter().flat_map(|sent| world.browser.dtls(now, Some(&sent.bytes))));
    }
    assert!(world.browser.is_up() && world.rig.take_events().is_empty());
    let early = world.browser.seal(audio(1, 160), &[1; 160]);
    assert!(world.send(&early).is_empty());
    assert!(world.rig.rtp(B, audio(1, 160), &[2; 160]).is_empty());
    world.describe();
    let events = world.rig.take_events();
    assert!(matches!(events.last(), Some(Event::Secured { stream: A, .. })), "{events:?}");
    world.assert_talks(2);
}

#[test]
fn another_certificate_than_the_sdp_names_is_refused_and_nothing_flows() {
    for before in [false, true] {
        let mut world = World::new(DtlsRole::Active);
        world.rig.bridge();
        let mut peer = world.browser.peer();
        peer.fingerprint = Fingerprint::of(b"somebody else's");
        let order = [
            Command::SetPeer { stream: A, peer },
            Command::SetRemote { stream: A, remote: remote(A, Codec::Pcmu), srtp: None },
        ];
        if before {
            order.clone().into_iter().for_each(|order| world.rig.order(order));
        }
        world.check();
        assert_eq!(world.shake_hands(Duration::from_millis(500)), None);
        if !before {
            order.into_iter().for_each(|order| world.rig.order(order));
        }
        let why = WebFailure::WrongCertificate;
        assert_eq!(world.rig.take_events(), [Event::Unreachable { stream: A, why }]);
        if world.browser.is_up() {
            let audio = world.browser.seal(audio(1, 160), &[1; 160]);
            assert!(world.send(&audio).is_empty());
        }
        let sent = world.rig.rtp(B, audio(1, 160), &[2; 160]);
        assert!(sent.is_empty(), "not even encrypted");
        assert!(world.rig.millis(10_000).iter().all(|sent| sent.to != address(HOME)));
    }
}

#[test]
fn who_does_not_know_the_password_gets_no_byte_back() {
    let mut world = World::new(DtlsRole::Active);
    world.describe();
    let forged = world.browser.check_with("a guess of twenty-four ch", true, u32::MAX);
    assert!(world.send(&forged).is_empty());
    let hello = world.browser.dtls(world.rig.now, None);
    for packet in &hello {
        assert!(world.send(packet).is_empty(), "a hello from an address that is not checked");
    }
    let mut elsewhere = world.browser.check(true);
    elsewhere[28] ^= 1;
    assert!(world.send(&elsewhere).is_empty(), "a check for a leg that is not there");
    let check = world.browser.check(true);
    let mut answered = 0;
    for bit in 0..check.len() * 8 {
        let mut bytes = check.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        answered += world.send(&bytes).len();
    }
    assert_eq!(answered, 0);
    assert!(world.rig.millis(40_000).iter().all(|sent| sent.to != address(HOME)));
}

#[test]
fn no_answer_is_longer_than_what_it_answers() {
    for at in [HOME, "[2001:db8::7]:50000"] {
        let mut world = World::new(DtlsRole::Active);
        world.browser.at = address(at);
        world.describe();
        let check = world.browser.check(true);
        let answer = world.send(&check);
        assert!(answer.len() == 1 && answer[0].bytes.len() <= check.len(), "{at}");
        let mut transaction = [0; 12];
        transaction.copy_from_slice(&check[8..20]);
        assert!(is_success_for(&answer[0].bytes, transaction));
    }
}

#[test]
fn audio_follows_a_browser_that_moves_and_nobody_who_copies_it() {
    let mut world = World::bridged();
    world.assert_talks(1);
    // A copy from elsewhere, also of a packet that never arrived.
    let copied = world.browser.seal(audio(2, 320), &[1; 160]);
    world.browser.at = address(AWAY);
    assert!(world.send(&copied).is_empty());
    world.browser.at = address(HOME);
    world.assert_talks(3);
    // The browser itself has moved: its network changed without a restart.
    world.rig.millis(500);
    world.browser.at = address(AWAY);
    let lost = world.browser.seal(audio(4, 640), &[1; 160]);
    assert!(world.send(&lost).is_empty(), "before its check");
    world.check();
    world.assert_talks(5);
    let is_fine = |e: &Event| matches!(e, Event::Secured { .. } | Event::Latched { .. });
    assert!(world.rig.take_events().iter().all(is_fine));
}

#[test]
fn an_ice_restart_by_either_side_keeps_keys_and_audio() {
    let mut world = World::bridged();
    world.assert_talks(1);
    for round in 0..3_u16 {
        let ice = Credentials::draw(&mut world.rng);
        world.rig.order(Command::SetIce { stream: A, ice, full: false });
        world.check();
        world.assert_talks(10 * round + 2);
        world.browser.fragment = format!("them{round}");
        world.describe();
        world.browser.far = ice;
        world.browser.at = SocketAddr::from(([203, 0, 113, 9], 61_000 + round));
        assert_eq!(world.check().len(), 1);
        world.assert_talks(10 * round + 3);
    }
    let mut secured = world.rig.take_events();
    secured.retain(|event| !matches!(event, Event::Latched { .. }));
    assert_eq!(secured.len(), 1, "{secured:?}");
}

#[test]
fn a_browser_whose_checks_cease_is_lost_after_thirty_seconds_and_is_sent_nothing_more() {
    let mut world = World::bridged();
    world.rig.take_events();
    let checked = world.rig.now;
    for n in 1..=29 {
        world.rig.millis(1000);
        assert_eq!(world.rig.rtp(B, audio(n, 160 * u32::from(n)), &[0; 160]).len(), 1);
    }
    world.rig.millis(1100);
    let why = WebFailure::ConsentLost;
    let lost = Event::Unreachable { stream: A, why };
    assert!(world.rig.take_events().contains(&lost));
    assert!(world.rig.now.since(checked) < Duration::from_secs(31));
    assert!(world.rig.rtp(B, audio(31, 31 * 160), &[0; 160]).is_empty());
    let reports = world.rig.millis(20_000);
    assert!(reports.iter().all(|sent| sent.to != address(HOME)));
    world.check();
    assert_eq!(world.rig.rtp(B, audio(32, 32 * 160), &[0; 160]).len(), 1, "it is there again");
}

#[test]
fn a_page_that_is_closed_is_told_at_once_and_so_is_the_browser() {
    let mut world = World::new(DtlsRole::Active);
    world.describe();
    world.check();
    world.shake_hands(Duration::from_secs(2)).unwrap();
    world.rig.take_events();
    let mut other = World::new(DtlsRole::Active);
    other.describe();
    other.check();
    other.shake_hands(Duration::from_secs(2)).unwrap();
    other.rig.outputs.clear();
    other.rig.order(Command::Close { stream: A });
    let goodbye: Vec<_> = std::mem::take(&mut other.rig.outputs);
    let now = other.rig.now;
    for output in goodbye {
        if let PlaneOutput::Send { bytes, to, .. } = output {
            assert_eq!(to, address(HOME));
            if (20..=63).contains(&bytes[0]) {
                other.browser.dtls(now, Some(&bytes));
            }
        }
    }
    assert!(other.browser.closed);
    world.browser.dtls.close();
    let now = world.rig.now;
    for packet in world.browser.dtls(now, None) {
        world.send(&packet);
    }
    let why = WebFailure::Closed;
    assert_eq!(world.rig.take_events(), [Event::Unreachable { stream: A, why }]);
}

#[test]
fn a_stream_with_ports_of_its_own_is_a_browsers_or_a_phones_as_the_answer_says() {
    let mut world = World::new(DtlsRole::Active);
    let ice = Credentials::draw(&mut world.rng);
    world.rig.order(Command::SetIce { stream: B, ice, full: false });
    world.browser.far = ice;
    assert_eq!(world.check().len(), 1);
    world.rig.order(Command::SetRemote { stream: B, remote: remote(B, Codec::Pcmu), srtp: None });
    assert!(world.check().is_empty(), "a phone has answered");
    let mut prompt = world.rig.rtp(B, audio(1, 160), &[1; 160]);
    assert!(prompt.pop().is_none());
}

#[test]
fn handshakes_come_about_while_a_tenth_and_a_fifth_of_all_is_lost() {
    for (loss, most) in [(10, 5), (20, 12)] {
        let (mut longest, mut failed, mut sum) = (Duration::ZERO, 0, Duration::ZERO);
        let rounds = 60;
        for seed in 0..rounds {
            let role = if seed % 2 == 0 { DtlsRole::Active } else { DtlsRole::Passive };
            let mut world = World::new(role);
            (world.loss, world.rng) = (loss, Rng::from_seed(seed));
            world.describe();
            world.check();
            match world.shake_hands(Duration::from_secs(25)) {
                Some(took) => (longest, sum) = (longest.max(took), sum + took),
                None => failed += 1,
            }
        }
        eprintln!(
            "{loss} %: {failed} of {rounds} failed, mean {:?}, longest {longest:?}",
            sum / 60
        );
        assert!(
            failed == 0 && longest < Duration::from_secs(most),
            "{loss} %: {failed}, {longest:?}"
        );
    }
}

#[test]
fn whatever_comes_over_the_shared_port_nothing_panics_and_nobody_else_is_sent_anything() {
    let rounds: u64 =
        std::env::var("STROWGER_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(20_000);
    let mut rng = Rng::from_seed(5);
    let mut world = World::new(DtlsRole::Active);
    world.describe();
    world.check();
    let mut seen = vec![world.browser.check(true)];
    seen.extend(world.browser.dtls(world.rig.now, None));
    for n in 0..rounds {
        if n % 500 == 0 {
            // A new leg, somewhere within its handshake or behind it.
            world = World::new(DtlsRole::Active);
            world.describe();
            world.check();
            let mut to_us = world.browser.dtls(world.rig.now, None);
            for _ in 0..rng.below(8) {
                let Some(packet) = to_us.pop() else { break };
                seen.push(packet.clone());
                let (now, sent) = (world.rig.now, world.send(&packet));
                to_us.extend(sent.iter().flat_map(|s| world.browser.dtls(now, Some(&s.bytes))));
            }
            seen.truncate(64);
            seen.push(world.browser.check(true));
        }
        let mut bytes = seen[rng.below(seen.len() as u64) as usize].clone();
        for _ in 0..rng.below(4) {
            let place = rng.below(bytes.len().max(1) as u64) as usize;
            match rng.below(4) {
                0 => bytes.truncate(place),
                1 => bytes.insert(place.min(bytes.len()), rng.next_u32() as u8),
                _ => bytes[place] = rng.next_u32() as u8,
            }
            if bytes.is_empty() {
                bytes.push(20);
            }
        }
        let from = if rng.below(4) == 0 { address(AWAY) } else { address(HOME) };
        let sent = world.rig.shared(Port::Shared(None), from, &bytes);
        assert!(sent.iter().all(|sent| sent.to == from || sent.to == address(HOME)));
        if n % 50 == 0 {
            world.rig.millis(20);
        }
    }
}

#[test]
fn a_plane_without_a_shared_port_opens_no_browsers_stream() {
    let mut rig = Rig::new();
    let stream = StreamId(9);
    rig.order(Command::OpenShared { stream, ssrc: 1, cname: Arc::from("web") });
    assert!(matches!(rig.take_events()[..], [Event::OpenFailed { .. }]));
    assert!(rig.plane.is_empty() && rig.now > Instant::ZERO);
}
