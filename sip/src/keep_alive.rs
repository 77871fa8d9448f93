//! Keep-alives of ours over one flow of datagrams (RFC 5626 §4.4.2, RFC 6223): STUN requests to a
//! far end that has said it answers them, so that a dead flow is noticed; else CR LF CR LF, which
//! keeps an address translator's door open and which a server passes over.
//!
//! ```text
//! KeepAlive::new(now, Transport::Udp, &response to our REGISTER, rng)
//! poll_timeout() is due -> handle_timeout(now) -> poll_output(): send these bytes, or it is lost
//! handle_answer(now, answer)
//! ```

use std::collections::VecDeque;
use std::net::SocketAddr;

use base::{Duration, Instant, Rng};
use bytes::Bytes;

use crate::stun::{self, Answer, Transaction};
use crate::{Message, Name};

const FILLER: &[u8] = b"\r\n\r\n";
/// How often, if the far end does not say: between 24 and 29 s (RFC 5626 §4.4.2).
const USUAL: Duration = Duration::from_secs(29);
/// What a far end may ask for; outside of it, it is not followed.
const SHORTEST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_secs(3600);
/// The first wait for an answer, which doubles with each request (RFC 5389 §7.2.1: RTO)...
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// ... for so many requests (Rc)...
const REQUESTS: u32 = 7;
/// ... and after the last one so many times the first (Rm).
const LAST_WAIT: u32 = 16;

/// The keep-alives of one flow.
#[derive(Debug)]
pub struct KeepAlive {
    /// How long the far end is to go without at the most.
    within: Duration,
    asks: bool,
    /// When the next one begins; none while one waits for its answer.
    next: Option<Instant>,
    asked: Option<Asked>,
    /// Where the far end saw us first.
    mapped: Option<SocketAddr>,
    outbox: VecDeque<KeepAliveOutput>,
    rng: Rng,
}

/// A request without an answer so far.
#[derive(Debug)]
struct Asked {
    transaction: Transaction,
    sent: u32,
    wait: Duration,
    until: Instant,
}

/// What is to be done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KeepAliveOutput {
    /// Send this over the flow.
    Send(Bytes),
    /// The flow is no more what it was: nothing follows.
    Lost(Lost),
}

/// Why a flow counts as failed (RFC 5626 §4.4.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lost {
    /// Seven requests had no answer, over 39.5 s.
    Silent,
    /// The far end sees us elsewhere than before, or refused: it is there, but what it has of ours
    /// leads nowhere.
    Moved,
}

impl KeepAlive {
    /// The keep-alives that a registrar wants, as its 2xx to our REGISTER tells: the number of
    /// `keep` in our Via (RFC 6223 §4.3), or Flow-Timer (RFC 5626 §4.4). One that says neither
    /// may not know what STUN is, and is not asked.
    #[must_use]
    pub fn new(now: Instant, registered: &Message, rng: Rng) -> Self {
        let wanted = wanted(registered);
        let within = wanted.flatten().unwrap_or(USUAL).clamp(SHORTEST, LONGEST);
        let mut new = Self {
            within,
            asks: wanted.is_some(),
            next: None,
            asked: None,
            mapped: None,
            outbox: VecDeque::new(),
            rng,
        };
        new.plan(now);
        new
    }

    /// The flow has been registered over anew: what is known of it stays, what the far end wants
    /// may be another.
    #[must_use]
    pub fn renewed(mut self, now: Instant, registered: &Message) -> Self {
        let rng = self.rng.fork();
        Self { mapped: self.mapped, ..Self::new(now, registered, rng) }
    }

    /// Whether the far end is asked, so that its silence is noticed.
    #[must_use]
    pub const fn asks(&self) -> bool {
        self.asks
    }

    /// When the next thing is to be done; none once the flow is lost.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.asked.as_ref().map(|asked| asked.until).or(self.next)
    }

    /// What is to be done, in order.
    pub fn poll_output(&mut self) -> Option<KeepAliveOutput> {
        self.outbox.pop_front()
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        if let Some(asked) = self.asked.take_if(|asked| asked.until <= now) {
            return self.ask_again(now, asked);
        }
        if self.next.is_none_or(|next| next > now) {
            return;
        }
        if !self.asks {
            self.outbox.push_back(KeepAliveOutput::Send(Bytes::from_static(FILLER)));
            return self.plan(now);
        }
        self.next = None;
        let mut transaction = Transaction::default();
        self.rng.fill(&mut transaction);
        let wait = FIRST_WAIT;
        self.outbox.push_back(KeepAliveOutput::Send(stun::request(transaction)));
        self.asked = Some(Asked { transaction, sent: 1, wait, until: now + wait });
    }

    fn ask_again(&mut self, now: Instant, mut asked: Asked) {
        if asked.sent == REQUESTS {
            return self.lose(Lost::Silent);
        }
        asked.sent += 1;
        asked.wait *= 2;
        let wait = if asked.sent == REQUESTS { FIRST_WAIT * LAST_WAIT } else { asked.wait };
        asked.until = now + wait;
        self.outbox.push_back(KeepAliveOutput::Send(stun::request(asked.transaction)));
        self.asked = Some(asked);
    }

    /// An answer came over the flow; one to something else is passed over.
    pub fn handle_answer(&mut self, now: Instant, answer: &Answer) {
        let ours = |asked: &mut Asked| asked.transaction == answer.transaction;
        if self.asked.take_if(ours).is_none() {
            return;
        }
        match (answer.mapped, self.mapped) {
            (None, _) => self.lose(Lost::Moved),
            (Some(seen), Some(before)) if seen != before => self.lose(Lost::Moved),
            (seen, _) => {
                self.mapped = seen;
                self.plan(now);
            }
        }
    }

    fn lose(&mut self, why: Lost) {
        (self.asked, self.next, self.mapped) = (None, None, None);
        self.outbox.push_back(KeepAliveOutput::Lost(why));
    }

    /// The next one comes after four fifths of the time, or a little later (RFC 5626 §4.4.2).
    fn plan(&mut self, now: Instant) {
        let fifth = u64::try_from(self.within.as_millis() / 5).unwrap_or(u64::MAX);
        let wait = Duration::from_millis(4 * fifth + self.rng.below(fifth));
        self.next = Some(now + wait);
    }
}

/// Whether the far end answers keep-alives, and how often it wants them if it says so.
fn wanted(registered: &Message) -> Option<Option<Duration>> {
    let seconds = |text: &str| text.trim().parse().ok().filter(|n| *n > 0).map(Duration::from_secs);
    let via = registered.via().ok();
    let keep = via.as_ref().and_then(|via| via.params().value("keep")).map(seconds);
    let timer = registered.header(Name::FLOW_TIMER).map(seconds);
    timer.or(keep)
}
