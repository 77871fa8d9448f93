//! The end that is checked: which addresses the far end has checked, which one it wants audio at,
//! and whether it still consents to being sent any (RFC 7675). Of a lite end it is all there is;
//! a full one knows by its own checks too (`end.rs`).

use base::{Duration, Instant};

use super::checker::Checker;
use super::{Credentials, Request, TransportAddress};

/// Addresses of one far end that are remembered.
const ADDRESSES: usize = 8;
/// Without a check for so long the far end is not there any more (RFC 7675 §5.1).
const CONSENT: Duration = Duration::from_secs(30);
/// An address that was not checked for so long may be left for one of a lower priority: browsers
/// check every few seconds.
const STALE: Duration = Duration::from_secs(6);
/// A far end that sends from another checked address has moved when nothing came from where it was
/// for so long.
const MOVED: Duration = Duration::from_millis(200);

/// The lite end.
#[derive(Debug)]
pub(crate) struct Lite {
    current: Credentials,
    /// Those before the last restart: checks with them are under way.
    previous: Option<Credentials>,
    /// The far end's fragment, once its SDP is there.
    theirs: Option<Box<str>>,
    addresses: [Option<Address>; ADDRESSES],
    chosen: Option<Chosen>,
    /// Nothing was nominated since our credentials are these.
    restarted: bool,
    /// The last check; before any, since when one is waited for.
    consent: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Address {
    at: TransportAddress,
    checked: Instant,
}

/// Where the far end wants its audio.
#[derive(Clone, Copy, Debug)]
struct Chosen {
    at: TransportAddress,
    priority: u32,
    /// The last check or packet from there.
    heard: Instant,
}

/// What a request, or a response, came to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Checked {
    /// Nothing: its writer does not know the password, or means another leg.
    Ignored,
    /// It was the far end's, which takes itself for the same end as we do, asks for something that
    /// we do not know, and has been told so; or has something against a check of ours.
    Refused,
    /// It is the far end's, from an address that is known from now on.
    Known {
        /// An address that was forgotten for it.
        forgotten: Option<TransportAddress>,
    },
}

impl Lite {
    pub(crate) fn new(ours: Credentials) -> Self {
        Self {
            current: ours,
            previous: None,
            theirs: None,
            addresses: [None; ADDRESSES],
            chosen: None,
            restarted: false,
            consent: None,
        }
    }

    /// Other credentials from now on (RFC 8445 §9); the ones before them
    /// hold beside them. What was chosen stays chosen. Those that are of no use any more.
    pub(crate) fn restart(&mut self, ours: Credentials) -> Option<Credentials> {
        if ours == self.current {
            return None;
        }
        let forgotten = self.previous.replace(self.current);
        self.current = ours;
        self.theirs = None;
        self.restarted = true;
        forgotten
    }

    /// The far end's SDP is there: from now on it is waited for, if it is for it to find us.
    pub(crate) fn set_peer(&mut self, now: Instant, fragment: &str, is_awaited: bool) {
        self.theirs = Some(fragment.into());
        if is_awaited {
            self.consent.get_or_insert(now);
        }
    }

    /// A check of ours was answered from there.
    pub(crate) fn consented(
        &mut self,
        now: Instant,
        from: TransportAddress,
    ) -> Option<TransportAddress> {
        self.consent = Some(now);
        self.note(now, from)
    }

    /// Our checks have found where audio goes.
    pub(crate) fn choose(&mut self, now: Instant, at: TransportAddress) {
        if self.chosen.is_none_or(|chosen| chosen.at != at) {
            self.chosen = Some(Chosen { at, priority: 0, heard: now });
        }
    }

    /// It is as if nothing had been nominated, nor consented to.
    pub(crate) fn forget_choice(&mut self) {
        (self.chosen, self.consent) = (None, None);
    }

    /// Our credentials.
    pub(crate) fn current(&self) -> Credentials {
        self.current
    }

    /// Our credentials that somebody may still use.
    pub(crate) fn credentials(&self) -> impl Iterator<Item = Credentials> {
        [Some(self.current), self.previous].into_iter().flatten()
    }

    /// A Binding request. The answer, if there is one, is appended. With checks of our own it is
    /// by them that we know of consent, and of what is nominated.
    pub(crate) fn handle_check(
        &mut self,
        now: Instant,
        from: TransportAddress,
        request: &Request<'_>,
        checker: Option<&mut Checker>,
        into: &mut Vec<u8>,
    ) -> Checked {
        let (ours, theirs) = request.fragments;
        let of = |known: &Credentials| known.fragment().as_bytes() == ours;
        let Some(known) = self.credentials().find(of) else { return Checked::Ignored };
        let is_current = known == self.current;
        let is_theirs = self.theirs.as_ref().is_none_or(|known| known.as_bytes() == theirs);
        if !request.is_by(known.password()) || (is_current && !is_theirs) {
            return Checked::Ignored;
        }
        if request.is_beyond_us() {
            request.write_unknown(into, known.password());
            return Checked::Refused;
        }
        let mut checker = checker;
        let is_refused = match &mut checker {
            Some(checker) => checker.is_refused(request),
            None => request.controlled,
        };
        if is_refused {
            request.write_role_conflict(into, known.password());
            return Checked::Refused;
        }
        request.write_success(into, from.address, known.password());
        let forgotten = self.note(now, from);
        if let Some(checker) = checker {
            if is_current {
                checker.note_check(now, from, request.priority, request.nominates);
            }
            return Checked::Known { forgotten };
        }
        self.consent = Some(now);
        if let Some(chosen) = self.chosen.as_mut().filter(|chosen| chosen.at == from) {
            chosen.heard = now;
        }
        if request.nominates {
            self.nominate(now, from, request.priority, is_current);
        }
        Checked::Known { forgotten }
    }

    /// The far end wants its audio there. Browsers nominate every pair when we are lite: the best
    /// counts, not the last.
    fn nominate(&mut self, now: Instant, at: TransportAddress, priority: u32, is_current: bool) {
        let begins_anew = self.restarted && is_current;
        let is_better = self.chosen.is_none_or(|chosen| {
            chosen.at == at || priority > chosen.priority || now.since(chosen.heard) >= STALE
        });
        if begins_anew || is_better {
            self.chosen = Some(Chosen { at, priority, heard: now });
        }
        if is_current {
            self.restarted = false;
        }
    }

    /// A packet of the far end's, authentic, from an address that it has checked: it goes there
    /// from now on, if it is silent elsewhere.
    pub(crate) fn hear(&mut self, now: Instant, from: TransportAddress) {
        let Some(chosen) = &mut self.chosen else { return };
        if chosen.at == from {
            chosen.heard = now;
        } else if now.since(chosen.heard) >= MOVED {
            // Another path's priority is its own: the next nomination says it. From another address
            // of ours it is the same, as it is of the far end's (RFC 8445 §7.1.1).
            let priority = if chosen.at.is_towards(from) { chosen.priority } else { 0 };
            if self.knows(from) {
                self.chosen = Some(Chosen { at: from, priority, heard: now });
            }
        }
    }

    /// Where the far end wants its audio, while it consents.
    pub(crate) fn destination(&self, now: Instant) -> Option<TransportAddress> {
        self.chosen.map(|chosen| chosen.at).filter(|_| !self.is_lost(now))
    }

    /// Whether it comes from an address that the far end has checked.
    pub(crate) fn knows(&self, from: TransportAddress) -> bool {
        self.addresses().any(|known| known == from)
    }

    /// All of those.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = TransportAddress> {
        self.addresses.iter().flatten().map(|known| known.at)
    }

    /// When its consent ends, if no check comes.
    pub(crate) fn consent_until(&self) -> Option<Instant> {
        self.consent.map(|since| since + CONSENT)
    }

    pub(crate) fn is_lost(&self, now: Instant) -> bool {
        self.consent_until().is_some_and(|until| until <= now)
    }

    /// The address is known; the one not checked for longest makes room.
    fn note(&mut self, now: Instant, at: TransportAddress) -> Option<TransportAddress> {
        let known = self.addresses.iter_mut().flatten().find(|known| known.at == at);
        if let Some(known) = known {
            known.checked = now;
            return None;
        }
        let chosen = self.chosen.map(|chosen| chosen.at);
        let rank =
            |place: &Option<Address>| place.map(|known| (Some(known.at) == chosen, known.checked));
        let place = self.addresses.iter_mut().min_by_key(|place| rank(place))?;
        let forgotten = place.replace(Address { at, checked: now });
        forgotten.map(|known| known.at)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::net::SocketAddr;

    use base::Rng;

    use super::*;
    use crate::Port;
    use crate::ice::{Check, write_check};

    fn at(n: u16) -> TransportAddress {
        TransportAddress {
            port: Port::Shared(None),
            address: SocketAddr::from(([192, 0, 2, 1], n)),
        }
    }

    struct Browser {
        lite: Lite,
        ours: Credentials,
        rng: Rng,
    }

    impl Browser {
        fn new() -> Self {
            let mut rng = Rng::from_seed(3);
            let ours = Credentials::draw(&mut rng);
            let mut lite = Lite::new(ours);
            lite.set_peer(Instant::ZERO, "them", true);
            Self { lite, ours, rng }
        }

        fn check(&mut self, ms: u64, from: u16, priority: u32, nominates: bool) -> Checked {
            let mut bytes = Vec::new();
            let username = format!("{}:them", self.ours.fragment());
            let check = Check {
                transaction: [1; 12],
                username: &username,
                password: self.ours.password(),
                priority,
                nominates,
                controls: true,
            };
            write_check(&mut bytes, &check);
            let (now, mut answer) = (Instant::from_millis(ms), Vec::new());
            let request = Request::read(&bytes).unwrap();
            let checked = self.lite.handle_check(now, at(from), &request, None, &mut answer);
            assert_eq!(answer.is_empty(), checked == Checked::Ignored);
            checked
        }

        fn goes_to(&self, ms: u64) -> Option<u16> {
            self.lite.destination(Instant::from_millis(ms)).map(|at| at.address.port())
        }
    }

    #[test]
    fn of_all_nominated_pairs_the_best_counts_and_not_the_last() {
        let mut browser = Browser::new();
        browser.check(0, 1, 100, false);
        assert_eq!(browser.goes_to(0), None, "nothing is nominated");
        browser.check(10, 1, 100, true);
        browser.check(20, 2, 200, true);
        browser.check(30, 3, 50, true);
        assert_eq!(browser.goes_to(30), Some(2));
        browser.check(5000, 3, 50, true);
        assert_eq!(browser.goes_to(5000), Some(2));
        browser.check(6030, 3, 50, true);
        assert_eq!(browser.goes_to(6030), Some(3), "the better one is not checked any more");
    }

    #[test]
    fn audio_follows_packets_from_a_checked_address_and_from_no_other() {
        let mut browser = Browser::new();
        browser.check(0, 1, 100, true);
        browser.check(0, 2, 50, false);
        browser.lite.hear(Instant::from_millis(1000), at(9));
        assert_eq!(browser.goes_to(1000), Some(1));
        browser.lite.hear(Instant::from_millis(1000), at(2));
        assert_eq!(browser.goes_to(1000), Some(2));
    }

    #[test]
    fn consent_ends_thirty_seconds_after_the_last_check_and_comes_back_with_the_next() {
        let mut browser = Browser::new();
        browser.check(0, 1, 100, true);
        browser.check(4000, 1, 100, false);
        assert_eq!(browser.goes_to(33_999), Some(1));
        assert_eq!(browser.goes_to(34_000), None);
        browser.check(40_000, 1, 100, false);
        assert_eq!(browser.goes_to(40_000), Some(1));
    }

    #[test]
    fn after_a_restart_both_passwords_hold_until_the_new_one_nominates() {
        let mut browser = Browser::new();
        browser.check(0, 1, 900, true);
        let (old, new) = (browser.ours, Credentials::draw(&mut browser.rng));
        assert_eq!(browser.lite.restart(new), None);
        browser.lite.set_peer(Instant::ZERO, "them", true);
        browser.check(100, 1, 900, true);
        assert_eq!(browser.goes_to(100), Some(1));
        browser.ours = new;
        browser.check(200, 2, 10, true);
        assert_eq!(browser.goes_to(200), Some(2), "the first after the restart");
        browser.check(300, 3, 5, true);
        assert_eq!(browser.goes_to(300), Some(2));
        assert_eq!(browser.lite.restart(Credentials::draw(&mut browser.rng)), Some(old));
    }

    #[test]
    fn who_does_not_know_the_password_or_is_controlled_moves_nothing() {
        let mut browser = Browser::new();
        let (mut bytes, mut answer) = (Vec::new(), Vec::new());
        let username = format!("{}:them", browser.ours.fragment());
        let wrong = Check {
            transaction: [1; 12],
            username: &username,
            password: "guess",
            priority: 1,
            nominates: true,
            controls: true,
        };
        write_check(&mut bytes, &wrong);
        let request = Request::read(&bytes).unwrap();
        let checked = browser.lite.handle_check(Instant::ZERO, at(1), &request, None, &mut answer);
        assert!(checked == Checked::Ignored && answer.is_empty());
        let mut bytes = Vec::new();
        let controlled = Check { password: browser.ours.password(), controls: false, ..wrong };
        write_check(&mut bytes, &controlled);
        let request = Request::read(&bytes).unwrap();
        let checked = browser.lite.handle_check(Instant::ZERO, at(1), &request, None, &mut answer);
        assert!(checked == Checked::Refused && answer[..2] == [1, 0x11]);
        assert!(!browser.lite.knows(at(1)));
    }

    #[test]
    fn no_more_than_eight_addresses_are_remembered_and_the_chosen_one_is_among_them() {
        let mut browser = Browser::new();
        browser.check(0, 1, 100, true);
        for n in 2..=8 {
            assert_eq!(
                browser.check(u64::from(n), n, 1, false),
                Checked::Known { forgotten: None }
            );
        }
        let forgotten = Some(at(2));
        assert_eq!(browser.check(9, 9, 1, false), Checked::Known { forgotten });
        assert!(
            browser.lite.knows(at(1)) && browser.lite.knows(at(9)) && !browser.lite.knows(at(2))
        );
    }
}
