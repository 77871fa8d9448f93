//! What keeps password guessing and floods cheap for us and harmless for everybody else: who may
//! try again, by source and by user ([`Throttle`]), and how fast a source may ask ([`Pace`]). Both
//! tables are bounded and need no timers: what has run out gives way as others come.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv6Addr};

use base::{Duration, Instant};

/// Whoever sends, as far as the network tells: an IPv4 address, or the /64 of an IPv6 address,
/// which is what one customer has at least.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Source(IpAddr);

impl Source {
    /// The source of a packet from there; an IPv4-mapped address counts as IPv4.
    #[must_use]
    pub fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(v6) => {
                let [a, b, c, d, ..] = v6.segments();
                Self(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into())
            }
            v4 @ IpAddr::V4(_) => Self(v4),
        }
    }

    /// The address, or the first of the /64.
    #[must_use]
    pub const fn ip(self) -> IpAddr {
        self.0
    }
}

/// How many at once, and how soon the next one.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Allowance {
    /// At once.
    pub burst: u32,
    /// The time after which there may be one more.
    pub each: Duration,
}

/// Buckets that fill evenly (GCRA, ITU-T I.371), one a key; a key whose bucket is full is not
/// kept. When there are too many, the one that is fullest gives way.
#[derive(Debug)]
struct Buckets<K> {
    allowance: Allowance,
    most: usize,
    full_at: BTreeMap<K, Instant>,
    order: BTreeSet<(Instant, K)>,
}

impl<K: Ord + Clone> Buckets<K> {
    fn new(allowance: Allowance, most: usize) -> Self {
        Self { allowance, most: most.max(1), full_at: BTreeMap::new(), order: BTreeSet::new() }
    }

    /// How many there are still to be had; the burst, for a key that is not kept.
    fn left(&self, now: Instant, key: &K) -> u32 {
        let Some(full_at) = self.full_at.get(key) else { return self.allowance.burst };
        let taken = full_at.since(now).as_nanos().div_ceil(self.allowance.each.as_nanos().max(1));
        self.allowance.burst.saturating_sub(u32::try_from(taken).unwrap_or(u32::MAX))
    }

    /// Takes one. False if there was none.
    fn take(&mut self, now: Instant, key: &K) -> bool {
        self.prune(now);
        if self.left(now, key) == 0 {
            return false;
        }
        let before = self.full_at.remove(key);
        if let Some(before) = before {
            self.order.remove(&(before, key.clone()));
        }
        while self.full_at.len() >= self.most
            && let Some((_, fullest)) = self.order.pop_first()
        {
            self.full_at.remove(&fullest);
        }
        let full_at = before.map_or(now, |before| before.max(now)) + self.allowance.each;
        self.full_at.insert(key.clone(), full_at);
        self.order.insert((full_at, key.clone()));
        true
    }

    fn forget(&mut self, key: &K) {
        if let Some(full_at) = self.full_at.remove(key) {
            self.order.remove(&(full_at, key.clone()));
        }
    }

    /// Full buckets need not be kept; two an input are more than one input can add.
    fn prune(&mut self, now: Instant) {
        for _ in 0..2 {
            let Some((full_at, _)) = self.order.first() else { return };
            if *full_at > now {
                return;
            }
            if let Some((_, key)) = self.order.pop_first() {
                self.full_at.remove(&key);
            }
        }
    }

    fn len(&self) -> usize {
        self.full_at.len()
    }
}

/// How fast somebody may ask, by source or by whatever else tells askers apart.
#[derive(Debug)]
pub struct Pace<K = Source>(Buckets<K>);

impl<K: Ord + Clone> Pace<K> {
    /// A second's allowance, a burst of that many, at most `most` askers remembered: then the one
    /// that asked least is forgotten.
    #[must_use]
    pub fn new(per_second: u32, burst: u32, most: usize) -> Self {
        let each = Duration::from_secs(1) / per_second.max(1);
        Self(Buckets::new(Allowance { burst: burst.max(1), each }, most))
    }

    /// Counts one more; false when that is too fast.
    pub fn allows(&mut self, now: Instant, who: &K) -> bool {
        self.0.take(now, who)
    }

    /// How many askers are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What to do with credentials before looking at them.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Patience {
    /// Check them.
    Check,
    /// Do not: challenge again, whatever they are. A true user's phone tries again by itself.
    Challenge,
    /// Do not even answer: the source goes on and on.
    Silence,
}

/// Who has been wrong too often. A user who was right lately from that source is always checked,
/// so that nobody can lock a user out; a user who was never wrong from there is checked as well.
#[derive(Debug)]
pub struct Throttle {
    by_user: Buckets<(Source, Box<str>)>,
    by_source: Buckets<Source>,
    /// Until when a user who was right is known, by source.
    known: BTreeMap<(Source, Box<str>), Instant>,
    known_order: BTreeSet<(Instant, (Source, Box<str>))>,
    most: usize,
}

/// How long a user who was right is known: longer than a night without the phone.
const KNOWN: Duration = Duration::from_secs(48 * 3600);
/// A longer name than this is no user's; its beginning tells names apart well enough.
const LONGEST_USER: usize = 64;

impl Throttle {
    /// Five wrong passwords a user and source at once, then one each 12 s; thirty a source, then
    /// one each 2 s. `most`: entries of each table.
    #[must_use]
    pub fn new(most: usize) -> Self {
        let by_user = Allowance { burst: 5, each: Duration::from_secs(12) };
        let by_source = Allowance { burst: 30, each: Duration::from_secs(2) };
        Self {
            by_user: Buckets::new(by_user, most),
            by_source: Buckets::new(by_source, most),
            known: BTreeMap::new(),
            known_order: BTreeSet::new(),
            most: most.max(1),
        }
    }

    /// What to do with credentials for that user from that source.
    #[must_use]
    pub fn verdict(&self, now: Instant, source: Source, user: &str) -> Patience {
        let key = key(source, user);
        if self.known.get(&key).is_some_and(|until| *until > now) {
            return Patience::Check;
        }
        let (user_left, source_left) =
            (self.by_user.left(now, &key), self.by_source.left(now, &source));
        match (user_left, source_left) {
            // A source that guesses many names gets one go a name; silence when that fails too.
            (left, 0) if left == self.by_user.allowance.burst => Patience::Check,
            (_, 0) => Patience::Silence,
            (0, _) => Patience::Challenge,
            _ => Patience::Check,
        }
    }

    /// Whether the source has been wrong so often that it is not worth a challenge.
    #[must_use]
    pub fn is_exhausted(&self, now: Instant, source: Source) -> bool {
        self.by_source.left(now, &source) == 0
    }

    /// The credentials were wrong.
    pub fn failed(&mut self, now: Instant, source: Source, user: &str) {
        self.by_user.take(now, &key(source, user));
        self.by_source.take(now, &source);
    }

    /// They were right: earlier failures of that user are forgiven.
    pub fn succeeded(&mut self, now: Instant, source: Source, user: &str) {
        let key = key(source, user);
        self.by_user.forget(&key);
        if let Some(until) = self.known.remove(&key) {
            self.known_order.remove(&(until, key.clone()));
        }
        while self.known.len() >= self.most
            && let Some((_, oldest)) = self.known_order.pop_first()
        {
            self.known.remove(&oldest);
        }
        let until = now + KNOWN;
        self.known_order.insert((until, key.clone()));
        self.known.insert(key, until);
    }

    /// Whether any user was right lately from that source.
    #[must_use]
    pub fn knows(&self, now: Instant, source: Source) -> bool {
        let first = (source, Box::from(""));
        let of_source = self.known.range(first..).take_while(|((from, _), _)| *from == source);
        of_source.take(LOOKED_AT).any(|(_, until)| *until > now)
    }

    /// Entries of all tables.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_user.len() + self.by_source.len() + self.known.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// Of a source with very many users some are enough to know it.
const LOOKED_AT: usize = 16;

fn key(source: Source, user: &str) -> (Source, Box<str>) {
    let end = user.char_indices().nth(LONGEST_USER).map_or(user.len(), |(at, _)| at);
    (source, user[..end].into())
}
