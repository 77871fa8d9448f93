//! What each end of a call does with a message that comes.

use super::{CALLER, Callee, Caller, Calls, RESEND, Resent};
use crate::messages::{self, Answered, CALLEE_TAG, CALLER_TAG, CALLERS};
use crate::wire::Queue;
use benches::clock::{self, Nanos};
use benches::text::{Start, Text, number_after};

impl Calls {
    /// One message came.
    pub(super) fn take(
        &mut self,
        queue: &mut Queue<'_>,
        end: usize,
        stamp: Nanos,
        text: &Text<'_>,
    ) {
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
        let call = known.or_else(from).filter(|call| *call < self.calls.len());
        match (method, call) {
            (b"ACK", Some(call)) => self.acknowledged(end, call),
            (b"ACK", None) => {}
            (b"INVITE", Some(call)) if known.is_none() && end != CALLER => {
                self.offered(queue, end, stamp, call, text);
            }
            _ => {
                let tag = known.is_none().then_some(0);
                let audio = (method == b"INVITE").then_some(self.plan.audio);
                queue.send(end, |own, out| {
                    messages::response(own, text, "200 OK", tag, audio, out);
                });
            }
        }
        if let (b"BYE", Some(call)) = (method, call) {
            self.left(end, call);
        }
    }

    fn acknowledged(&mut self, end: usize, call: usize) {
        let at = &mut self.calls[call];
        if end != CALLER && at.callee == Callee::Answering {
            at.callee = Callee::Up;
            at.ok = Box::default();
            self.connects(call);
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
        let (tag, audio) = (Some(call), Some(self.plan.audio));
        queue.send(end, |own, out| {
            messages::response(own, invite, "180 Ringing", tag, None, out);
        });
        queue.send(end, |own, out| {
            let from = out.len();
            messages::response(own, invite, "200 OK", tag, audio, out);
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

    pub(super) fn fail(&mut self, call: usize, why: &str) {
        let at = &mut self.calls[call];
        if !at.settled {
            at.settled = true;
            self.open -= 1;
            *self.outcome.failures.entry(why.to_owned()).or_default() += 1;
        }
    }
}
