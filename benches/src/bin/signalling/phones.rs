//! Agents' phones that register with a password, and refresh: a window of them at once, so that the
//! server is as busy as it can be and nothing is lost.

use std::collections::VecDeque;

use sip::Method;
use sip::digest::{Answer, answer};

use crate::messages::{self, Agent};
use crate::wire::{Queue, Wire};
use benches::clock::{self, MILLISECOND, Nanos};
use benches::text::{Start, Text, number, number_after};

/// An unanswered REGISTER is sent again.
const RESEND: Nanos = 500 * MILLISECOND;
/// So many times; then it has failed.
const TRIES: u32 = 20;
/// Registrations at once.
const WINDOW: usize = 32;

/// One agent.
struct Phone {
    user: String,
    domain: String,
    password: String,
    end: usize,
    cseq: u32,
    challenge: String,
    /// Uses of the challenge.
    count: u32,
    tries: u32,
    is_waiting: bool,
}

/// What became of registrations.
#[derive(Clone, Copy, Default)]
pub(crate) struct Registered {
    pub(crate) succeeded: usize,
    pub(crate) failed: usize,
    /// REGISTER requests: those that were challenged too.
    pub(crate) requests: usize,
    pub(crate) resent: usize,
    pub(crate) took: Nanos,
}

/// All phones.
pub(crate) struct Phones {
    phones: Vec<Phone>,
    waiting: VecDeque<(Nanos, usize, u32)>,
    open: usize,
    outcome: Registered,
}

impl Phones {
    /// `count` agents: agent `n` is of tenant `n % tenants` and has the `n`th socket in turn.
    pub(crate) fn new(count: usize, tenants: usize, ends: &[usize]) -> Self {
        let phone = |number: usize| Phone {
            user: format!("agent-{number}"),
            domain: format!("load-{}.example", number % tenants),
            password: format!("load-secret-{number}"),
            end: ends[number % ends.len()],
            cseq: 0,
            challenge: String::new(),
            count: 0,
            tries: 0,
            is_waiting: false,
        };
        Self {
            phones: (0..count).map(phone).collect(),
            waiting: VecDeque::new(),
            open: 0,
            outcome: Registered::default(),
        }
    }

    /// Registers `count` phones in turn beginning with `from`, at most so many a second.
    pub(crate) fn register(
        &mut self,
        wire: &mut Wire,
        from: usize,
        count: usize,
        rate: f64,
    ) -> Registered {
        self.outcome = Registered::default();
        let began = clock::now();
        let mut started = 0;
        while started < count || self.open > 0 {
            let now = clock::now();
            let due = clock::due(now - began, rate);
            while started < due.min(count) && self.open < WINDOW {
                let phone = (from + started) % self.phones.len();
                started += 1;
                self.open += 1;
                (self.phones[phone].is_waiting, self.phones[phone].tries) = (true, 0);
                self.request(&mut wire.queue(), phone);
            }
            self.resend(wire, now);
            wire.flush();
            wire.receive(MILLISECOND, |queue, _, _, bytes| self.take(queue, &Text(bytes)));
            wire.flush();
        }
        self.outcome.took = clock::now() - began;
        self.outcome
    }

    fn resend(&mut self, wire: &mut Wire, now: Nanos) {
        while let Some((_, phone, cseq)) = self.waiting.pop_front_if(|(at, ..)| *at <= now) {
            let at = &mut self.phones[phone];
            if !at.is_waiting || at.cseq != cseq {
                continue;
            }
            at.tries += 1;
            if at.tries < TRIES {
                self.outcome.resent += 1;
                self.request(&mut wire.queue(), phone);
            } else {
                at.is_waiting = false;
                self.open -= 1;
                self.outcome.failed += 1;
            }
        }
    }

    fn request(&mut self, queue: &mut Queue<'_>, number: usize) {
        let phone = &mut self.phones[number];
        phone.cseq += 1;
        let mut authorization = String::new();
        if !phone.challenge.is_empty() {
            phone.count += 1;
            let terms = Answer {
                method: &Method::Register,
                uri: &format!("sip:{}", phone.domain),
                user: &phone.user,
                password: &phone.password,
                cnonce: "0a4f113b",
                nc: phone.count,
            };
            if let Ok(value) = answer(&phone.challenge, &terms) {
                authorization = format!("Authorization: {value}\r\n");
            }
        }
        let agent = Agent { number, user: &phone.user, domain: &phone.domain };
        queue.send(phone.end, |own, out| {
            messages::register(own, &agent, phone.cseq, &authorization, out);
        });
        self.outcome.requests += 1;
        self.waiting.push_back((clock::now() + RESEND, number, phone.cseq));
    }

    fn take(&mut self, queue: &mut Queue<'_>, text: &Text<'_>) {
        let Some(Start::Response(status @ 200..)) = text.start() else { return };
        let at = text.value("From").and_then(|from| number_after(from, ";tag=r"));
        let Some(at) = at.filter(|at| *at < self.phones.len()) else { return };
        let phone = &mut self.phones[at];
        let cseq = text.value("CSeq").and_then(number);
        if !phone.is_waiting || cseq != Some(phone.cseq as usize) {
            return;
        }
        let challenge = text.value("WWW-Authenticate").map(String::from_utf8_lossy);
        if let (401, Some(challenge)) = (status, challenge) {
            let is_new = phone.challenge != challenge;
            phone.challenge = challenge.into_owned();
            phone.count = 0;
            if is_new {
                return self.request(queue, at);
            }
        }
        phone.is_waiting = false;
        self.open -= 1;
        if status == 200 {
            self.outcome.succeeded += 1;
        } else {
            self.outcome.failed += 1;
        }
    }
}
