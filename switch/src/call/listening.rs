//! Listening to how a call outside comes along: tones before the answer, who has answered, and a
//! message after an answering machine's beep. The media plane hears it; what follows is decided
//! here.

use base::{Duration, Instant, LegId};
use media::progress::{
    Answer, AnswerTimes, AnsweredBy, Information, Listening as Order, ProgressTone, Verdict,
};
use media::{Command, PlayId};
use routing::{Destination, Dialled, OnMachine};

use super::dial::Failure;
use super::leg::Role;
use super::model::Goal;
use super::{Call, Stage};
use crate::api::{AnsweringMachine, MachineAction};
use crate::event::EventKind;
use crate::node::{Alarm, Node};
use crate::record::{Decided, millis};
use crate::{Cause, EndedBy};

/// What an API's call wants to know of who answers, and what it knows.
pub(super) struct Listening {
    wish: AnsweringMachine,
    /// The leg that leads outside, once it has answered.
    leg: Option<LegId>,
    by: Option<AnsweredBy>,
    /// The step of a flow that dials it, if the next one is to follow when it is a machine.
    step: Option<usize>,
}

/// A call that waits to know who has answered, or leaves a message.
pub(super) struct Waiting {
    /// Who is to be dialled when a person has answered; nobody any more when it was a machine.
    second: Option<Dialled>,
    /// The message that is being left.
    play: Option<PlayId>,
    /// When it has waited long enough.
    until: Instant,
}

impl Listening {
    pub(super) fn new(wish: AnsweringMachine) -> Self {
        Self { wish, leg: None, by: None, step: None }
    }

    /// What a step of a flow wants to know of whom it dials.
    pub(super) fn of_step(wish: OnMachine, step: usize) -> Self {
        let (action, times) = (MachineAction::Detect, AnswerTimes::default());
        let wish_of_api = AnsweringMachine { action, wait: false, times, longest: Duration::ZERO };
        let step = (wish == OnMachine::Next).then_some(step);
        Self { step, ..Self::new(wish_of_api) }
    }
}

impl Call {
    /// A trunk lets be heard what comes before the answer: tones are listened for where somebody
    /// wants to know of them.
    pub(super) fn listen_early(&self, node: &mut Node, leg: LegId) {
        if self.listening.is_some() || self.ends_by_tones(leg) {
            self.order(node, leg, false);
        }
    }

    fn ends_by_tones(&self, leg: LegId) -> bool {
        let Some(Role::Trunk(trunk)) = self.leg(leg).map(|leg| &leg.role) else { return false };
        self.directory.trunk(trunk).is_some_and(|trunk| trunk.tones_end_calls)
    }

    fn order(&self, node: &mut Node, leg: LegId, answered: bool) {
        let Some((stream, place)) = self.leg(leg).and_then(|leg| leg.stream.open()) else { return };
        let times = self.listening.as_ref().map(|known| known.wish.times);
        let order = Order { country: self.far_country(), answer: times.filter(|_| answered) };
        let listening = Some(Box::new(order));
        node.media(place.worker, Command::Progress { stream, listening });
    }

    fn stop_listening(&self, node: &mut Node, leg: LegId) {
        if let Some((stream, place)) = self.leg(leg).and_then(|leg| leg.stream.open()) {
            node.media(place.worker, Command::Progress { stream, listening: None });
        }
    }

    /// The country of the number that is called, whose tones are likely; else the tenant's own.
    fn far_country(&self) -> Option<[u8; 2]> {
        let number = match self.dialling.as_ref().map(|dial| &dial.goal) {
            Some(Goal::Outside(Destination::Number(number))) => number.country(),
            _ => None,
        };
        let country = number.or_else(|| self.directory.country(&self.tenant))?;
        country.as_str().as_bytes().try_into().ok()
    }

    /// The leg outside has answered: from now on it counts who it is. Call it while it is known who
    /// was dialled.
    pub(super) fn listen_to_answer(&mut self, node: &mut Node, leg: LegId) {
        let is_outside = self.is_to_trunk(leg);
        if let Some(listening) = &mut self.listening {
            if is_outside && listening.leg.is_none() {
                listening.leg = Some(leg);
                self.order(node, leg, true);
            }
        } else if self.ends_by_tones(leg) {
            // Nobody wants to know any more whether it rings.
            self.stop_listening(node, leg);
        }
    }

    /// The first of the two has answered. Keeps the second back until it is known who that was, if
    /// the API wants it so. Gives it back if not.
    pub(super) fn keep_back(
        &mut self,
        node: &mut Node,
        now: Instant,
        second: Dialled,
    ) -> Option<Dialled> {
        let listening = self.listening.as_ref().filter(|known| known.leg == Some(self.caller.id));
        let Some(wish) = listening.map(|listening| &listening.wish).filter(|wish| wish.wait) else {
            return Some(second);
        };
        let until = now + wish.longest;
        self.await_answer(node, Some(second), until);
        None
    }

    fn await_answer(&mut self, node: &mut Node, second: Option<Dialled>, until: Instant) {
        self.stage = Stage::Listening(Waiting { second, play: None, until });
        node.alarms.insert((until, Alarm::Dial(self.id)));
    }

    /// Leaves the waiting behind, for something else.
    pub(super) fn forget_waiting(&self, node: &mut Node) {
        if let Stage::Listening(waiting) = &self.stage {
            node.alarms.remove(&(waiting.until, Alarm::Dial(self.id)));
        }
    }

    /// A machine that never ends: whoever it is, nobody waits for it any longer. `false` if that
    /// is not what was waited for.
    pub(super) fn on_waited_long(&mut self, node: &mut Node, now: Instant) -> bool {
        let is_waiting = matches!(self.stage, Stage::Listening(_));
        if is_waiting {
            self.end(node, now, Cause::AnsweringMachine, EndedBy::Engine);
        }
        is_waiting
    }

    /// The media plane has heard something.
    pub(super) fn on_heard(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
        (verdict, after): (Verdict, Duration),
    ) {
        if matches!(self.stage, Stage::Ending(_)) {
            return;
        }
        let tell = |call: &Self, node: &mut Node, heard, which| {
            let after_ms = millis(after);
            call.tell(node, now, EventKind::CallProgress { leg: leg.0, heard, which, after_ms });
        };
        match verdict {
            Verdict::Tone(tone) => {
                let which = match tone {
                    ProgressTone::Information(which) => Some(which.as_str()),
                    _ => None,
                };
                tell(self, node, tone.as_str(), which);
                self.on_tone(node, now, leg, tone);
            }
            Verdict::Beep => {
                tell(self, node, "beep", None);
                self.leave_message(node, now, true);
            }
            Verdict::GreetingOver => {
                tell(self, node, "greeting_over", None);
                self.leave_message(node, now, false);
            }
            Verdict::Answered(answer) => self.on_answerer(node, now, leg, &answer, after),
        }
        // What is said in the conversation is nobody's concern.
        let is_known = self.listening.as_ref().is_some_and(|known| known.by.is_some());
        let is_over = matches!(verdict, Verdict::Beep | Verdict::GreetingOver)
            || self.listening.as_ref().is_some_and(|l| l.by != Some(AnsweredBy::Machine));
        if is_known && is_over && matches!(self.stage, Stage::Connected { .. }) {
            self.stop_listening(node, leg);
        }
    }

    /// A tone before the answer ends the attempt, where the trunk's tones may.
    fn on_tone(&mut self, node: &mut Node, now: Instant, leg: LegId, tone: ProgressTone) {
        if !self.is_dialling(leg) || !self.ends_by_tones(leg) {
            return;
        }
        let (cause, what) = match tone {
            ProgressTone::Ringing | ProgressTone::Fax => return,
            ProgressTone::Busy => (Cause::Busy, "busy"),
            ProgressTone::Congestion => (Cause::Unavailable, "congestion"),
            ProgressTone::Information(Information::NoCircuit | Information::Reorder) => {
                (Cause::Unavailable, "that there is no way there")
            }
            ProgressTone::Information(_) => (Cause::NoRoute, "that the number cannot be reached"),
        };
        let reason = format!("the trunk's tone says {what}");
        self.dial_failed(node, now, Failure::new(cause, reason));
    }

    /// It is known who has answered.
    fn on_answerer(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
        answer: &Answer,
        after: Duration,
    ) {
        let Some(listening) = self.listening.as_mut().filter(|known| known.leg == Some(leg)) else {
            return;
        };
        let is_revised = listening.by.replace(answer.by).is_some();
        let action = listening.wish.action.clone();
        let reason = answer.reason.as_str();
        let told = EventKind::AnsweredBy {
            leg: leg.0,
            by: answer.by.as_str(),
            reason,
            revised: is_revised,
            machine_percent: answer.machine_percent,
            initial_silence_ms: millis(answer.initial_silence),
            greeting_ms: millis(answer.greeting),
            words: answer.words,
            pause_ms: millis(answer.pause),
            after_ms: millis(after),
        };
        self.tell(node, now, told);
        let by = answer.by.as_str();
        self.narrative.decide(node, now, Decided::AnsweredBy { by, reason, revised: is_revised });
        let is_machine = matches!(answer.by, AnsweredBy::Machine | AnsweredBy::Fax);
        if is_machine && !is_revised && self.goes_past_machine(node, now, leg) {
            return;
        }
        match (&self.stage, action, is_machine) {
            (Stage::Listening(_), MachineAction::Detect, _) | (Stage::Listening(_), _, false) => {
                self.ring_second(node, now)
            }
            // Who talks with a machine by now may well want to.
            (Stage::Connected { .. }, _, _) if is_revised => {}
            (_, MachineAction::Detect, _) | (_, _, false) => {}
            (Stage::Connected { .. }, MachineAction::LeaveMessage { .. }, _) => {}
            (_, MachineAction::LeaveMessage { .. }, _) if answer.by == AnsweredBy::Machine => {
                self.await_beep(node, now);
            }
            _ => self.end(node, now, Cause::AnsweringMachine, EndedBy::Engine),
        }
    }

    /// Hangs up on a machine that a step of the flow has dialled: the next step follows. `false` if
    /// it is not that which was wished for, or others are in the call by now.
    fn goes_past_machine(&mut self, node: &mut Node, now: Instant, leg: LegId) -> bool {
        let Stage::Connected { talk } = &self.stage else { return false };
        let is_plain = talk.leg == leg && self.transfer.is_none() && self.guests.is_empty();
        let step = self.listening.as_ref().and_then(|listening| listening.step);
        let Some(step) = step.filter(|_| is_plain) else { return false };
        let trunk = self.leg(leg).and_then(|known| known.role.trunk()).cloned();
        let Some(talk) = self.part_talk(node, now, leg) else { return false };
        self.listening = None;
        self.stop_music(node, self.caller.id);
        self.hang_up(node, now, leg, Cause::AnsweringMachine);
        if let Some(trunk) = &trunk {
            self.release_trunk(node, trunk);
        }
        self.release_talker(node, now, talk.of_queue, None);
        self.go_to_step(node, now, step + 1, Cause::AnsweringMachine);
        true
    }

    /// A person has answered, or nobody knows better: now the other one.
    fn ring_second(&mut self, node: &mut Node, now: Instant) {
        self.forget_waiting(node);
        let Stage::Listening(waiting) = &mut self.stage else { return };
        let Some(second) = waiting.second.take() else { return };
        self.dial_second(node, now, second);
    }

    /// A machine has answered that is to get a message: nobody else is rung, and its beep is waited
    /// for.
    fn await_beep(&mut self, node: &mut Node, now: Instant) {
        if let Stage::Listening(waiting) = &mut self.stage {
            waiting.second = None;
            return;
        }
        // A person, it had been thought: whoever is being rung is let go.
        let leg = self.dialling.as_ref().and_then(|dial| dial.leg);
        self.silence(node);
        self.stop_dialling(node);
        if let Some(leg) = leg {
            self.hang_up(node, now, leg, Cause::AnsweringMachine);
        }
        let longest = self.listening.as_ref().map_or(Duration::ZERO, |known| known.wish.longest);
        self.await_answer(node, None, now + longest);
    }

    /// The machine records, or may do so. A beep begins a message anew that began too early.
    fn leave_message(&mut self, node: &mut Node, now: Instant, is_beep: bool) {
        let action = self.listening.as_ref().map(|known| known.wish.action.clone());
        let Some(MachineAction::LeaveMessage { prompt }) = action else { return };
        let Stage::Listening(waiting) = &self.stage else { return };
        if waiting.second.is_some() || waiting.play.is_some() && !is_beep {
            return;
        }
        let begun = self.play(node, &prompt, false);
        let Some(begun) = begun else {
            return self.end(node, now, Cause::AnsweringMachine, EndedBy::Engine);
        };
        if let Stage::Listening(waiting) = &mut self.stage {
            waiting.play = Some(begun);
        }
        self.tell(node, now, EventKind::PromptStarted { prompt });
    }

    /// The message has been left.
    pub(super) fn on_message_left(&mut self, node: &mut Node, now: Instant, play: PlayId) -> bool {
        let is_mine = matches!(&self.stage, Stage::Listening(w) if w.play == Some(play));
        if is_mine {
            let action = self.listening.as_ref().map(|known| known.wish.action.clone());
            if let Some(MachineAction::LeaveMessage { prompt }) = action {
                self.tell(node, now, EventKind::MessageLeft { prompt });
            }
            self.end(node, now, Cause::AnsweringMachine, EndedBy::Engine);
        }
        is_mine
    }
}
