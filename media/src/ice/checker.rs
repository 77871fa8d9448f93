//! The checks that a full end makes (RFC 8445 §6, §7.2, §8): of each pair in turn, paced, until
//! one is nominated; from then on that the far end still consents to be sent anything (RFC 7675).
//!
//! Towards a far end that is lite we control. A full one may control as well as we may: whoever
//! has the higher tie-breaker does, when both want to.

use base::{Duration, Instant, Rng};

use super::candidate::{Origins, Reach, reflexive_priority};
use super::pair::{Attempt, Pair, Role, State, Turn};
use super::request::{Outgoing, Request};
use super::response::{Outcome, ROLE_CONFLICT, Response};
use super::stun::Transaction;
use super::{Credentials, TransportAddress, candidate};

/// A new check goes out so often (RFC 8445 §14.2, Ta).
const PACE: Duration = Duration::from_millis(50);
/// A pair that works is the one when no better one has come to work for so long.
const GRACE: Duration = Duration::from_millis(200);
/// Checks of the far end's that came before its SDP, of those that are remembered.
const EARLY: usize = 8;
/// So long a way is looked for (RFC 8863 §4).
const PATIENCE: Duration = Duration::from_millis(39_500);
/// Consent is asked for so often, less or more by up to a fifth (RFC 7675 §5.1).
const ASK: Duration = Duration::from_secs(5);
/// Questions whose answers are waited for: those of 30 s.
const ASKED: usize = 8;

/// What transactions of a leg begin with: whose their answers are.
pub(crate) type Tag = [u8; 5];

/// The checks of one leg.
#[derive(Debug)]
pub(crate) struct Checker {
    tag: Tag,
    rng: Rng,
    ours: Credentials,
    theirs: Option<Theirs>,
    role: Role,
    /// The far end's addresses, paired with ours; at most 32.
    pairs: Vec<Pair>,
    /// Who checked us before its SDP was there.
    early: Vec<Early>,
    /// The one; after a restart that of before, until there is another.
    selected: Option<Selected>,
    /// Whether it is of the present credentials.
    is_settled: bool,
    /// When the next check may go out.
    next_check: Instant,
    /// Since when something works.
    first_valid: Option<Instant>,
    /// Which of our addresses checks go out from.
    origins: Origins,
    /// Until when a way is looked for, and whether that has passed.
    until: Option<Instant>,
    is_late: bool,
}

/// The far end's credentials.
#[derive(Clone, PartialEq, Eq)]
struct Theirs {
    fragment: Box<str>,
    password: Box<str>,
    lite: bool,
}

#[derive(Clone, Copy, Debug)]
struct Early {
    from: TransportAddress,
    priority: u32,
    nominates: bool,
}

/// The pair that is used, by the credentials that it was found with.
#[derive(Debug)]
struct Selected {
    at: TransportAddress,
    from: u32,
    ours: Credentials,
    theirs: Theirs,
    next: Instant,
    asked: [Option<Transaction>; ASKED],
    last: usize,
}

impl std::fmt::Debug for Theirs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Theirs({})", self.fragment)
    }
}

impl Checker {
    pub(crate) fn new(ours: Credentials, tag: Tag, rng: &mut Rng) -> Self {
        let mut rng = rng.fork();
        Self {
            tag,
            role: Role { controls: true, tie_breaker: rng.next_u64() },
            rng,
            ours,
            theirs: None,
            pairs: Vec::new(),
            early: Vec::new(),
            selected: None,
            is_settled: false,
            next_check: Instant::ZERO,
            first_valid: None,
            origins: Origins::default(),
            until: None,
            is_late: false,
        }
    }

    /// Other credentials from now on; what is selected stays so until there is another.
    pub(crate) fn restart(&mut self, ours: Credentials) {
        if ours != self.ours {
            self.ours = ours;
            self.theirs = None;
            self.begin_anew();
        }
    }

    fn begin_anew(&mut self) {
        self.pairs.clear();
        self.early.clear();
        self.is_settled = false;
        (self.first_valid, self.until, self.is_late) = (None, None, false);
    }

    /// The far end's SDP is there; again with other candidates they are checked besides.
    pub(crate) fn set_peer(&mut self, now: Instant, fragment: &str, reach: &Reach) {
        let Reach { password, lite, candidates, from } = reach;
        let theirs = Theirs { fragment: fragment.into(), password: password.clone(), lite: *lite };
        if self.theirs.as_ref() != Some(&theirs) {
            let early = std::mem::take(&mut self.early);
            self.begin_anew();
            (self.early, self.theirs) = (early, Some(theirs));
            self.until = Some(now + PATIENCE);
        }
        if self.is_settled {
            return;
        }
        self.role.controls |= *lite;
        self.origins = *from;
        for candidate in candidates {
            let Some(origin) = from.towards(candidate.address) else { continue };
            self.add(Pair::told(candidate, origin));
        }
        self.thaw();
        for check in std::mem::take(&mut self.early) {
            self.note_check(now, check.from, check.priority, check.nominates);
        }
    }

    fn add(&mut self, pair: Pair) -> Option<usize> {
        if let Some(known) = self.pairs.iter().position(|known| known.at.is_towards(pair.at)) {
            return Some(known);
        }
        if self.pairs.len() >= 2 * candidate::MOST {
            return None;
        }
        self.pairs.push(pair);
        Some(self.pairs.len() - 1)
    }

    /// Of each foundation of which nothing is checked the best pair waits (§6.1.2.6).
    fn thaw(&mut self) {
        let controls = self.role.controls;
        let mut order: Vec<usize> = (0..self.pairs.len()).collect();
        order.sort_by_key(|at| std::cmp::Reverse(self.pairs.get(*at).map(|p| p.rank(controls))));
        for at in order {
            let Some(pair) = self.pairs.get(at).filter(|p| matches!(p.state, State::Frozen)) else {
                continue;
            };
            let same = |one: &&Pair| one.foundation == pair.foundation && one.is_active();
            if !self.pairs.iter().any(|one| same(&one))
                && let Some(pair) = self.pairs.get_mut(at)
            {
                pair.state = State::Waiting;
            }
        }
    }

    /// Whether a check of the far end's is to be refused because it has our role (§7.3.1.1); if it
    /// has the better claim to it, it gets it.
    pub(crate) fn is_refused(&mut self, request: &Request<'_>) -> bool {
        if request.controlled == self.role.controls {
            return false;
        }
        let is_ours = self.role.tie_breaker >= request.tie_breaker;
        if self.role.controls == is_ours {
            return true;
        }
        self.take_role(!self.role.controls);
        false
    }

    /// What was nominated by whoever controlled until now counts no more.
    fn take_role(&mut self, controls: bool) {
        self.role.controls = controls;
        self.pairs.iter_mut().for_each(|pair| pair.is_nominated = false);
    }

    /// A good check of the far end's came: the way back is checked too (§7.3.1.3 to §7.3.1.5).
    pub(crate) fn note_check(
        &mut self,
        now: Instant,
        from: TransportAddress,
        priority: u32,
        nominates: bool,
    ) {
        let Some(theirs) = &self.theirs else {
            if let Some(known) = self.early.iter_mut().find(|early| early.from == from) {
                known.nominates |= nominates;
            } else if self.early.len() < EARLY {
                self.early.push(Early { from, priority, nominates });
            }
            return;
        };
        if theirs.lite || (self.is_settled && (self.role.controls || !nominates)) {
            return;
        }
        let place = self.origins.towards(from.address).map_or(0, |origin| origin.place);
        let Some(at) = self.add(Pair::found(from, place, priority)) else { return };
        let Some(pair) = self.pairs.get_mut(at) else { return };
        let is_wanted = nominates && !self.role.controls;
        pair.learn(from, is_wanted);
        pair.is_nominated |= is_wanted;
        match pair.state {
            State::Succeeded if pair.is_nominated => self.select(now, at),
            State::Succeeded | State::Underway(_) => {}
            State::Frozen | State::Waiting | State::Failed => pair.trigger(),
        }
    }

    /// A response: whether it says that a check of ours has done well; `None`: it is to none.
    pub(crate) fn handle_response(
        &mut self,
        now: Instant,
        from: TransportAddress,
        response: &Response<'_>,
    ) -> Option<bool> {
        if let Some(is_good) = self.selected.as_mut().and_then(|one| one.answered(from, response)) {
            return Some(is_good);
        }
        let is_its =
            |pair: &Pair| pair.attempt().is_some_and(|one| one.transaction == response.transaction);
        let at = self.pairs.iter().position(is_its)?;
        let theirs = self.theirs.as_ref().filter(|one| response.is_by(&one.password))?;
        let is_lite = theirs.lite;
        let pair = self.pairs.get_mut(at)?;
        let State::Underway(attempt) = &pair.state else { return None };
        let (nominates, controlled) = (attempt.nominates, attempt.role.controls);
        match response.outcome {
            Outcome::Success(_) if pair.at.is_towards(from) => {
                pair.learn(from, false);
                (pair.state, pair.is_valid) = (State::Succeeded, true);
                self.first_valid.get_or_insert(now);
                // Those that work alike may be checked now (§7.2.5.3.3).
                let foundation = pair.foundation.clone();
                let is_alike = |one: &&mut Pair| one.foundation == foundation;
                for one in self.pairs.iter_mut().filter(is_alike) {
                    if matches!(one.state, State::Frozen) {
                        one.state = State::Waiting;
                    }
                }
                let is_wanted = self.pairs.get(at).is_some_and(|pair| pair.is_nominated);
                if nominates || (!self.role.controls && is_wanted) {
                    self.select(now, at);
                }
                self.consider(now);
                return Some(true);
            }
            Outcome::Error(ROLE_CONFLICT) if !is_lite => {
                // §7.2.5.1: by the role that it was sent in; it may have changed since.
                pair.trigger();
                if self.role.controls == controlled {
                    self.take_role(!controlled);
                }
                self.role.tie_breaker = self.rng.next_u64();
            }
            // The way back is another one (§7.2.5.2.1), or it was refused.
            Outcome::Success(_) | Outcome::Error(_) => self.fail(now, at),
        }
        Some(false)
    }

    fn fail(&mut self, now: Instant, at: usize) {
        if let Some(pair) = self.pairs.get_mut(at) {
            pair.fail();
        }
        self.thaw();
        self.consider(now);
    }

    /// Whether to nominate one, if that is for us to do (§8.1.1): the best of all, or the best that
    /// works when that has been so for a while.
    fn consider(&mut self, now: Instant) {
        if !self.role.controls || self.is_settled || self.pairs.iter().any(|pair| pair.is_nominated)
        {
            return;
        }
        let valid = self.pairs.iter_mut().filter(|pair| pair.is_valid);
        let Some(best) = valid.max_by_key(|pair| pair.rank(true)) else { return };
        let rank = best.rank(true);
        let is_late = self.first_valid.is_some_and(|since| now.since(since) >= GRACE);
        if is_late || !self.pairs.iter().any(|pair| pair.is_open() && pair.rank(true) > rank) {
            let best = self.pairs.iter_mut().find(|pair| pair.is_valid && pair.rank(true) == rank);
            if let Some(best) = best {
                best.is_nominated = true;
                best.trigger();
            }
        }
    }

    fn select(&mut self, now: Instant, at: usize) {
        let (Some(pair), Some(theirs)) = (self.pairs.get(at), &self.theirs) else { return };
        self.selected = Some(Selected {
            at: pair.at,
            from: pair.from,
            ours: self.ours,
            theirs: theirs.clone(),
            next: now + asking_after(&mut self.rng),
            asked: [None; ASKED],
            last: 0,
        });
        self.is_settled = true;
        self.until = None;
        // Nothing else is checked any more (§8.1.2).
        self.pairs.retain(|pair| pair.is_valid);
        for pair in &mut self.pairs {
            (pair.state, pair.is_triggered) = (State::Succeeded, false);
        }
    }

    /// The next message that is due: appended, and where it goes.
    pub(crate) fn poll_transmit(
        &mut self,
        now: Instant,
        into: &mut Vec<u8>,
    ) -> Option<TransportAddress> {
        if self.until.is_some_and(|until| until <= now) {
            (self.until, self.is_late) = (None, true);
        }
        self.consider(now);
        self.repeat(now, into)
            .or_else(|| self.ask(now, into))
            .or_else(|| self.check_next(now, into))
    }

    /// A check whose answer has not come in time is sent again.
    fn repeat(&mut self, now: Instant, into: &mut Vec<u8>) -> Option<TransportAddress> {
        loop {
            let is_due = |pair: &Pair| pair.attempt().is_some_and(|one| one.next <= now);
            let at = self.pairs.iter().position(is_due)?;
            let State::Underway(attempt) = &mut self.pairs.get_mut(at)?.state else { return None };
            match attempt.turn(now) {
                Turn::Again => return self.write(at, into),
                Turn::GiveUp => self.fail(now, at),
            }
        }
    }

    /// Asks whether the far end still consents.
    fn ask(&mut self, now: Instant, into: &mut Vec<u8>) -> Option<TransportAddress> {
        if self.selected.as_ref()?.next > now {
            return None;
        }
        let transaction = self.draw();
        let role = self.role;
        let selected = self.selected.as_mut()?;
        selected.next = now + asking_after(&mut self.rng);
        selected.last = (selected.last + 1) % ASKED;
        *selected.asked.get_mut(selected.last)? = Some(transaction);
        let outgoing = Outgoing {
            transaction,
            fragments: (&selected.theirs.fragment, selected.ours.fragment()),
            password: &selected.theirs.password,
            priority: reflexive_priority(selected.from),
            nominates: false,
            controls: role.controls,
            tie_breaker: role.tie_breaker,
        };
        outgoing.write(into);
        Some(selected.at)
    }

    /// Checks another pair, if it is time to.
    fn check_next(&mut self, now: Instant, into: &mut Vec<u8>) -> Option<TransportAddress> {
        if self.next_check > now {
            return None;
        }
        let at = self.next_pair()?;
        let transaction = self.draw();
        let pairs = self.pairs.iter().filter(|pair| pair.is_active()).count();
        let pairs = u32::try_from(pairs).unwrap_or(u32::MAX);
        let role = self.role;
        let pair = self.pairs.get_mut(at)?;
        let nominates = role.controls && pair.is_nominated;
        let attempt = Attempt::new(now, transaction, (nominates, role), (PACE, pairs));
        (pair.state, pair.is_triggered) = (State::Underway(attempt), false);
        self.next_check = now + PACE;
        self.write(at, into)
    }

    /// The pair to check next (§6.1.4.2).
    fn next_pair(&self) -> Option<usize> {
        let waiting = self.pairs.iter().enumerate();
        let waiting = waiting.filter(|(_, pair)| matches!(pair.state, State::Waiting));
        let rank = |pair: &Pair| (pair.is_triggered, pair.rank(self.role.controls));
        waiting.max_by_key(|(_, pair)| rank(pair)).map(|(at, _)| at)
    }

    /// Writes the check that is under way on a pair.
    fn write(&self, at: usize, into: &mut Vec<u8>) -> Option<TransportAddress> {
        let (pair, theirs) = (self.pairs.get(at)?, self.theirs.as_ref()?);
        let attempt = pair.attempt()?;
        let outgoing = Outgoing {
            transaction: attempt.transaction,
            fragments: (&theirs.fragment, self.ours.fragment()),
            password: &theirs.password,
            priority: reflexive_priority(pair.from),
            nominates: attempt.nominates,
            controls: attempt.role.controls,
            tie_breaker: attempt.role.tie_breaker,
        };
        outgoing.write(into);
        Some(pair.at)
    }

    /// A transaction of this leg's.
    fn draw(&mut self) -> Transaction {
        let mut transaction = [0; 12];
        let (tag, rest) = transaction.split_at_mut(self.tag.len());
        tag.copy_from_slice(&self.tag);
        self.rng.fill(rest);
        transaction
    }

    /// When to call [`Checker::poll_transmit`] next.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        let repeats = self.pairs.iter().filter_map(|pair| Some(pair.attempt()?.next)).min();
        let next = self.next_pair().map(|_| self.next_check);
        let is_undecided = self.role.controls && !self.is_settled;
        let is_undecided = is_undecided
            && self.pairs.iter().any(|pair| pair.is_valid)
            && !self.pairs.iter().any(|pair| pair.is_nominated);
        let grace = self.first_valid.filter(|_| is_undecided).map(|since| since + GRACE);
        let ask = self.selected.as_ref().map(|selected| selected.next);
        [repeats, next, grace, ask, self.until].into_iter().flatten().min()
    }

    /// Where things go.
    pub(crate) fn selected(&self) -> Option<TransportAddress> {
        self.selected.as_ref().map(|selected| selected.at)
    }

    /// Nothing is selected any more, until something is found.
    pub(crate) fn deselect(&mut self) {
        self.selected = None;
    }

    /// Whether there is no way to the far end: each was tried, and a full one, which may still
    /// find one itself, has had its time (RFC 8863).
    pub(crate) fn is_stuck(&self) -> bool {
        let Some(theirs) = self.theirs.as_ref().filter(|_| self.selected.is_none()) else {
            return false;
        };
        self.is_late
            || (theirs.lite && !self.pairs.iter().any(|pair| pair.is_open() || pair.is_valid))
    }
}

impl Selected {
    /// Whether a response to a question of ours is good; `None`: it is to no question.
    fn answered(&mut self, from: TransportAddress, response: &Response<'_>) -> Option<bool> {
        let is_it = |one: &&mut Option<Transaction>| **one == Some(response.transaction);
        let asked = self.asked.iter_mut().find(is_it)?;
        let is_success = matches!(response.outcome, Outcome::Success(_));
        let is_good =
            is_success && self.at.is_towards(from) && response.is_by(&self.theirs.password);
        if is_good {
            *asked = None;
        }
        Some(is_good)
    }
}

/// When to ask next.
fn asking_after(rng: &mut Rng) -> Duration {
    ASK * 4 / 5 + Duration::from_millis(rng.below(2 * ASK.as_millis() as u64 / 5))
}
