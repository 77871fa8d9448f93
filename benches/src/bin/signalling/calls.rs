//! Callers and callees: who invites when, who answers, who hangs up, and what became of each call.
//!
//! All delays are the same for every call, so each kind waits in a queue in the order of its time:
//! there is nothing to scan and nothing to sort.

mod ends;

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;

use crate::messages::{self, Answered, Audio};
use crate::wire::Wire;
use benches::clock::{self, MILLISECOND, Nanos, SECOND};
use benches::text::Text;

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
    pub(crate) audio: Audio,
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
        let (server, number, audio) = (self.plan.server, self.number(call), self.plan.audio);
        wire.queue().send(CALLER, |own, out| {
            messages::invite(own, server, number, call, audio, out);
        });
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
}
