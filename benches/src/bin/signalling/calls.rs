//! Callers and callees: who invites when, who answers, who hangs up, and what became of each call.
//!
//! All delays are the same for every call, so each kind waits in a queue in the order of its time:
//! there is nothing to scan and nothing to sort.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use crate::clock::{self, MILLISECOND, Nanos, SECOND};
use crate::messages::{self, Answered, CALLEE_TAG, CALLER_TAG, CALLERS};
use crate::text::{Start, Text, number_after};
use crate::wire::{Queue, Wire};

/// The socket of all callers; callees have those after it.
pub(crate) const CALLER: usize = 0;
/// T1 of RFC 3261: unanswered messages are sent again after it.
const RESEND: Nanos = 500 * MILLISECOND;
/// A call that is not up so long after its INVITE has failed; nor may its end take longer.
const PATIENCE: Nanos = 10 * SECOND;
/// The generator looks at its queues at least so often.
const TICK: Nanos = MILLISECOND;

/// Whom the calls go through.
#[derive(Clone)]
pub(crate) struct Plan {
    pub(crate) server: SocketAddr,
    /// Numbers that are dialled in turn.
    pub(crate) numbers: Vec<String>,
    /// Whether the callees are ours; else the server itself answers.
    pub(crate) own_callees: bool,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Caller {
    Inviting,
    Up,
    Leaving,
    Gone,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Callee {
    Idle,
    Answering,
    Up,
    Gone,
}

/// One call, at both ends.
struct Call {
    caller: Caller,
    callee: Callee,
    /// The socket that the callee has it on.
    callee_end: usize,
    invited: Nanos,
    offered: Option<Nanos>,
    heard: bool,
    connected: bool,
    settled: bool,
    answered: Option<Answered>,
    /// The callee's 200, until it is acknowledged.
    ok: Box<[u8]>,
}

/// What is sent again.
#[derive(Clone, Copy)]
enum Resent {
    Invite,
    Ok,
    Bye,
}

/// What became of the calls.
#[derive(Clone, Default)]
pub(crate) struct Outcome {
    pub(crate) started: usize,
    pub(crate) connected: usize,
    pub(crate) completed: usize,
    /// Calls by what went wrong.
    pub(crate) failures: BTreeMap<String, usize>,
    pub(crate) resent: usize,
    /// From our INVITE's leaving to the callee's INVITE's coming.
    pub(crate) setups: Vec<Nanos>,
}

impl Outcome {
    pub(crate) fn failed(&self) -> usize {
        self.failures.values().sum()
    }
}

/// All calls of one run of the generator.
pub(crate) struct Calls {
    plan: Plan,
    calls: Vec<Call>,
    /// None: calls stay up until they are told to end.
    talk: Option<Nanos>,
    open: usize,
    resends: VecDeque<(Nanos, usize, Resent)>,
    deadlines: VecDeque<(Nanos, usize, bool)>,
    hangups: VecDeque<(Nanos, usize)>,
    outcome: Outcome,
}

impl Calls {
    pub(crate) fn new(plan: Plan) -> Self {
        Self {
            plan,
            calls: Vec::new(),
            talk: None,
            open: 0,
            resends: VecDeque::new(),
            deadlines: VecDeque::new(),
            hangups: VecDeque::new(),
            outcome: Outcome::default(),
        }
    }

    /// What became of the calls since the last time this was asked.
    pub(crate) fn take_outcome(&mut self) -> Outcome {
        std::mem::take(&mut self.outcome)
    }

    /// Calls that are up at both ends.
    pub(crate) fn up(&self) -> usize {
        self.calls.iter().filter(|call| call.connected && !call.settled).count()
    }

    /// Starts so many calls at a rate; each ends after `talk`, or stays. Returns when all have
    /// ended, or are up if they stay.
    pub(crate) fn start(&mut self, wire: &mut Wire, count: usize, rate: f64, talk: Option<Nanos>) {
        self.talk = talk;
        let began = clock::now();
        let mut started = 0;
        loop {
            let now = clock::now();
            let due = clock::due(now - began, rate);
            while started < due.min(count) {
                started += 1;
                self.invite(wire);
            }
            self.turn(wire, now);
            let Outcome { connected, completed, .. } = self.outcome;
            let well = if talk.is_some() { completed } else { connected };
            if started == count && well + self.outcome.failed() >= count {
                return;
            }
            self.listen(wire, TICK);
        }
    }

    /// Lives so long without starting calls.
    pub(crate) fn live(&mut self, wire: &mut Wire, time: Nanos) {
        let until = clock::now() + time;
        while clock::now() < until {
            let now = clock::now();
            self.turn(wire, now);
            self.listen(wire, 10 * TICK);
        }
    }

    /// Ends all calls that are up, at a rate.
    pub(crate) fn end_all(&mut self, wire: &mut Wire, rate: f64) {
        let up = (0..self.calls.len()).filter(|call| !self.calls[*call].settled);
        let began = clock::now();
        let at = |place: usize| began + clock::seconds(place as f64 / rate);
        self.hangups = up.enumerate().map(|(place, call)| (at(place), call)).collect();
        while self.open > 0 {
            let now = clock::now();
            self.turn(wire, now);
            self.listen(wire, TICK);
        }
    }

    fn listen(&mut self, wire: &mut Wire, most: Nanos) {
        wire.receive(most, |queue, end, stamp, bytes| {
            self.take(queue, end, stamp, &Text(bytes));
        });
        wire.flush();
    }

    fn number(&self, call: usize) -> &str {
        &self.plan.numbers[call % self.plan.numbers.len()]
    }

    fn invite(&mut self, wire: &mut Wire) {
        let call = self.calls.len();
        let now = clock::now();
        self.calls.push(Call {
            caller: Caller::Inviting,
            callee: Callee::Idle,
            callee_end: CALLER,
            invited: now,
            offered: None,
            heard: false,
            connected: false,
            settled: false,
            answered: None,
            ok: Box::default(),
        });
        self.outcome.started += 1;
        self.open += 1;
        self.resends.push_back((now + RESEND, call, Resent::Invite));
        self.deadlines.push_back((now + PATIENCE, call, false));
        self.send_invite(wire, call);
    }

    fn send_invite(&self, wire: &mut Wire, call: usize) {
        let (server, number) = (self.plan.server, self.number(call));
        wire.queue().send(CALLER, |own, out| messages::invite(own, server, number, call, out));
    }

    fn send_bye(&self, wire: &mut Wire, call: usize) {
        if let Some(answered) = &self.calls[call].answered {
            wire.queue().send(CALLER, |own, out| messages::bye(own, call, answered, out));
        }
    }

    /// Everything whose time has come.
    fn turn(&mut self, wire: &mut Wire, now: Nanos) {
        while let Some((_, call)) = self.hangups.pop_front_if(|(at, _)| *at <= now) {
            if self.calls[call].caller == Caller::Up {
                self.calls[call].caller = Caller::Leaving;
                self.send_bye(wire, call);
                self.resends.push_back((now + RESEND, call, Resent::Bye));
                self.deadlines.push_back((now + PATIENCE, call, true));
            }
        }
        while let Some((_, call, what)) = self.resends.pop_front_if(|(at, ..)| *at <= now) {
            self.resend(wire, now, call, what);
        }
        while let Some((_, call, at_end)) = self.deadlines.pop_front_if(|(at, ..)| *at <= now) {
            let Call { caller, callee, connected, .. } = self.calls[call];
            if at_end || !connected {
                self.fail(call, &format!("stuck: caller {caller:?}, callee {callee:?}"));
            }
        }
        wire.flush();
    }

    fn resend(&mut self, wire: &mut Wire, now: Nanos, call: usize, what: Resent) {
        let at = &self.calls[call];
        let is_open = match what {
            Resent::Invite => at.caller == Caller::Inviting && !at.heard,
            Resent::Ok => at.callee == Callee::Answering,
            Resent::Bye => at.caller == Caller::Leaving,
        };
        if !is_open || at.settled {
            return;
        }
        match what {
            Resent::Invite => self.send_invite(wire, call),
            Resent::Ok => wire.queue().send(at.callee_end, |_, out| out.extend_from_slice(&at.ok)),
            Resent::Bye => self.send_bye(wire, call),
        }
        self.outcome.resent += 1;
        self.resends.push_back((now + RESEND, call, what));
    }

    /// One message came.
    fn take(&mut self, queue: &mut Queue<'_>, end: usize, stamp: Nanos, text: &Text<'_>) {
        match text.start() {
            Some(Start::Response(status)) if end == CALLER => {
                self.take_response(queue, status, text);
            }
            Some(Start::Request(method)) => self.take_request(queue, end, stamp, method, text),
            _ => {}
        }
    }

    fn take_response(&mut self, queue: &mut Queue<'_>, status: u16, text: &Text<'_>) {
        let number = text.value("From").and_then(|from| number_after(from, CALLER_TAG));
        let Some(call) = number.filter(|call| *call < self.calls.len()) else { return };
        if text.answers("BYE") {
            if status >= 200 && self.calls[call].caller == Caller::Leaving {
                self.calls[call].caller = Caller::Gone;
                self.completes(call);
            }
            return;
        }
        if !text.answers("INVITE") {
            return;
        }
        self.calls[call].heard = true;
        match status {
            ..200 => {}
            200..300 => self.answered(queue, call, text),
            _ => {
                let (server, number) = (self.plan.server, self.number(call));
                queue.send(CALLER, |own, out| {
                    messages::ack_refusal(own, server, number, call, text, out);
                });
                self.fail(call, &status.to_string());
            }
        }
    }

    /// The 200, first or again.
    fn answered(&mut self, queue: &mut Queue<'_>, call: usize, ok: &Text<'_>) {
        let at = &mut self.calls[call];
        if at.caller == Caller::Inviting {
            at.caller = Caller::Up;
            at.answered = Answered::read(ok);
        }
        if let Some(answered) = &at.answered {
            queue.send(CALLER, |own, out| messages::ack(own, call, answered, out));
        }
        self.connects(call);
    }

    fn take_request(
        &mut self,
        queue: &mut Queue<'_>,
        end: usize,
        stamp: Nanos,
        method: &[u8],
        text: &Text<'_>,
    ) {
        let mark = if end == CALLER { CALLER_TAG } else { CALLEE_TAG };
        let known = text.value("To").and_then(|to| number_after(to, mark));
        let from = || text.value("From").and_then(|from| number_after(from, CALLERS));
        let is_new = known.is_none();
        let Some(call) = known.or_else(from).filter(|call| *call < self.calls.len()) else {
            let tag = is_new.then_some(0);
            queue.send(end, |own, out| messages::response(own, text, "200 OK", tag, false, out));
            return;
        };
        match method {
            b"ACK" => {
                if end != CALLER && self.calls[call].callee == Callee::Answering {
                    self.calls[call].callee = Callee::Up;
                    self.calls[call].ok = Box::default();
                    self.connects(call);
                }
            }
            b"INVITE" if is_new && end != CALLER => self.offered(queue, end, stamp, call, text),
            b"INVITE" => {
                queue
                    .send(end, |own, out| messages::response(own, text, "200 OK", None, true, out));
            }
            b"BYE" => {
                queue.send(end, |own, out| {
                    messages::response(own, text, "200 OK", None, false, out)
                });
                self.left(end, call);
            }
            _ => {
                queue.send(end, |own, out| {
                    messages::response(own, text, "200 OK", None, false, out)
                });
            }
        }
    }

    /// A callee's phone rings, and is answered at once.
    fn offered(
        &mut self,
        queue: &mut Queue<'_>,
        end: usize,
        stamp: Nanos,
        call: usize,
        invite: &Text<'_>,
    ) {
        let at = &mut self.calls[call];
        if at.offered.is_none() {
            at.offered = Some(stamp);
            self.outcome.setups.push(stamp.saturating_sub(at.invited));
        }
        let tag = Some(call);
        queue.send(end, |own, out| {
            messages::response(own, invite, "180 Ringing", tag, false, out);
        });
        queue.send(end, |own, out| {
            let from = out.len();
            messages::response(own, invite, "200 OK", tag, true, out);
            at.ok = out[from..].into();
        });
        (at.callee, at.callee_end) = (Callee::Answering, end);
        self.resends.push_back((clock::now() + RESEND, call, Resent::Ok));
    }

    /// The server says that it is over.
    fn left(&mut self, end: usize, call: usize) {
        let at = &mut self.calls[call];
        let was_up = at.caller == Caller::Up;
        if end == CALLER {
            at.caller = Caller::Gone;
        } else {
            at.callee = Callee::Gone;
        }
        if was_up {
            self.fail(call, "ended by the server");
        } else {
            self.completes(call);
        }
    }

    fn connects(&mut self, call: usize) {
        let own_callees = self.plan.own_callees;
        let at = &mut self.calls[call];
        let callee_is_up = at.callee == Callee::Up || !own_callees;
        if at.caller == Caller::Up && callee_is_up && !at.connected {
            at.connected = true;
            self.outcome.connected += 1;
            if let Some(talk) = self.talk {
                self.hangups.push_back((clock::now() + talk, call));
            }
        }
    }

    fn completes(&mut self, call: usize) {
        let at = &mut self.calls[call];
        let callee_is_gone = at.callee == Callee::Gone || !self.plan.own_callees;
        if at.caller == Caller::Gone && callee_is_gone && !at.settled {
            at.settled = true;
            at.answered = None;
            self.open -= 1;
            self.outcome.completed += 1;
        }
    }

    fn fail(&mut self, call: usize, why: &str) {
        let at = &mut self.calls[call];
        if !at.settled {
            at.settled = true;
            self.open -= 1;
            *self.outcome.failures.entry(why.to_owned()).or_default() += 1;
        }
    }
}
