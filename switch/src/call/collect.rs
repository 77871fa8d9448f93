//! Asking a caller for digits: a prompt that a key stops, patience, tries; what is collected the
//! call keeps, what is chosen it follows.

use std::fmt;
use std::sync::Arc;

use base::{Duration, FlowId, Instant, PromptId};
use media::PlayId;
use routing::{Choice, Collect, Menu, Patience, Step};

use super::{Call, Stage};
use crate::event::{DigitsEnd, EventKind};
use crate::node::{Alarm, Node};
use crate::record::Decided;
use crate::{Cause, EndedBy};

/// Attributes that a call keeps; a flow has no use for more.
const MOST_ATTRIBUTES: usize = 64;
/// Keys that are kept until they are asked for.
const MOST_TYPED: usize = 64;

/// What a step asks for.
#[derive(Clone)]
pub(super) enum Ask {
    Collect(Collect),
    Menu(Menu),
}

/// Digits being asked for.
pub(super) struct Collecting {
    step: usize,
    ask: Ask,
    /// What plays, and whether it is the prompt itself.
    plays: Option<(PlayId, bool)>,
    digits: String,
    tries: u32,
    /// When it has been waited long enough.
    until: Option<Instant>,
}

impl Collecting {
    /// The step of the flow that asks.
    pub(super) fn step(&self) -> usize {
        self.step
    }
}

/// What was collected under a name. It is a secret: `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Attribute {
    pub(super) name: String,
    pub(super) value: String,
}

impl fmt::Debug for Attribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Attribute({})", self.name)
    }
}

/// What the digits so far amount to.
enum Verdict {
    More,
    Complete,
    Chosen(Choice),
    /// An extension, if it is one.
    Dialled(String),
    Wrong(DigitsEnd),
}

impl Ask {
    fn prompt(&self) -> Option<&PromptId> {
        match self {
            Self::Collect(Collect { prompt, .. }) | Self::Menu(Menu { prompt, .. }) => {
                prompt.as_ref()
            }
        }
    }

    fn invalid(&self) -> Option<&PromptId> {
        match self {
            Self::Collect(Collect { invalid, .. }) | Self::Menu(Menu { invalid, .. }) => {
                invalid.as_ref()
            }
        }
    }

    fn wait(&self) -> &Patience {
        match self {
            Self::Collect(Collect { wait, .. }) | Self::Menu(Menu { wait, .. }) => wait,
        }
    }

    fn is_interruptible(&self) -> bool {
        match self {
            Self::Collect(asked) => !asked.uninterruptible,
            Self::Menu(menu) => !menu.uninterruptible,
        }
    }

    /// Whether keys count that are pressed before it asks.
    fn takes_type_ahead(&self) -> bool {
        match self {
            Self::Collect(asked) => asked.type_ahead,
            Self::Menu(menu) => menu.type_ahead,
        }
    }

    /// What another key makes of the digits.
    /// `extends` says whether an extension may come of it yet.
    fn take(&self, digits: &mut String, key: char, extends: impl Fn(&str) -> bool) -> Verdict {
        match self {
            Self::Collect(asked) if asked.end.starts_with(key) => self.after(digits),
            Self::Collect(asked) => {
                digits.push(key);
                if digits.len() >= asked.max as usize { Verdict::Complete } else { Verdict::More }
            }
            Self::Menu(menu) => {
                digits.push(key);
                let may_follow = |choice: &&Choice| choice.digits.starts_with(digits.as_str());
                let more = menu.choices.iter().filter(may_follow);
                let longer = more.filter(|choice| choice.digits.len() > digits.len()).count() > 0;
                let extends = menu.extensions && extends(digits);
                let ends = menu.extensions && key == '#' && digits.len() > 1;
                if ends && !longer {
                    digits.pop();
                    return self.after(digits);
                }
                if longer || extends { Verdict::More } else { self.after(digits) }
            }
        }
    }

    /// What the digits are worth when no more come.
    fn after(&self, digits: &str) -> Verdict {
        if digits.is_empty() {
            return Verdict::Wrong(DigitsEnd::Timeout);
        }
        match self {
            Self::Collect(asked) if digits.len() >= asked.min as usize => Verdict::Complete,
            Self::Collect(_) => Verdict::Wrong(DigitsEnd::Invalid),
            Self::Menu(menu) => match menu.choices.iter().find(|choice| choice.digits == digits) {
                Some(choice) => Verdict::Chosen(choice.clone()),
                None if menu.extensions => Verdict::Dialled(digits.to_owned()),
                None => Verdict::Wrong(DigitsEnd::Invalid),
            },
        }
    }
}

impl Collecting {
    /// Whether nobody else may hear what is asked for.
    pub(super) fn is_secret(&self) -> bool {
        matches!(self.ask, Ask::Collect(Collect { secret: true, .. }))
    }
}

impl Call {
    /// Begins to ask the caller.
    pub(super) fn collect(&mut self, node: &mut Node, now: Instant, step: usize, ask: Ask) {
        let (plays, digits, until) = (None, String::new(), None);
        let collecting = Collecting { step, ask, plays, digits, tries: 0, until };
        if !collecting.ask.takes_type_ahead() {
            self.typed.clear();
        }
        self.stage = Stage::Collecting(Box::new(collecting));
        self.update_listening(node, self.caller.id);
        if self.typed.is_empty() {
            return self.ask(node, now);
        }
        if let Some(collecting) = self.collecting() {
            collecting.tries = 1;
        }
        self.take_typed(node, now);
    }

    /// Keys that were pressed before they were asked for, as if they were pressed now.
    fn take_typed(&mut self, node: &mut Node, now: Instant) {
        while self.collecting().is_some()
            && let Some(key) = self.typed.pop_front()
        {
            self.on_collected_key(node, now, key);
        }
    }

    /// What the next step that asks for keys may get of those pressed during the prompts before it:
    /// whether they are secret. `None` if they do not count.
    pub(super) fn asked_ahead(&self) -> Option<bool> {
        let Stage::Prompt { step, .. } = self.stage else { return None };
        let ahead = self.steps.iter().skip(step + 1);
        let mut asking = ahead.skip_while(|s| matches!(s, Step::Play { .. } | Step::Say { .. }));
        match asking.next()? {
            Step::Collect(asked) => asked.type_ahead.then_some(asked.secret),
            Step::Menu(menu) => menu.type_ahead.then_some(false),
            _ => None,
        }
    }

    /// A key that comes before it is asked for.
    pub(super) fn type_ahead(&mut self, key: char) {
        if self.typed.len() < MOST_TYPED {
            self.typed.push_back(key);
        }
    }

    fn collecting(&mut self) -> Option<&mut Collecting> {
        match &mut self.stage {
            Stage::Collecting(collecting) => Some(collecting),
            _ => None,
        }
    }

    /// Asks, once more.
    fn ask(&mut self, node: &mut Node, now: Instant) {
        let Some(collecting) = self.collecting() else { return };
        collecting.tries += 1;
        collecting.digits.clear();
        let prompt = collecting.ask.prompt().cloned();
        let play = prompt.as_ref().and_then(|prompt| self.play(node, prompt, false));
        if let (Some(prompt), Some(_)) = (prompt, play) {
            self.tell(node, now, EventKind::PromptStarted { prompt });
        }
        let Some(collecting) = self.collecting() else { return };
        collecting.plays = play.map(|play| (play, true));
        let first = u64::from(collecting.ask.wait().first_s);
        let until = play.is_none().then(|| now + Duration::from_secs(first));
        self.wait_until(node, until);
    }

    /// A prompt has been heard to its end. `false` if it is none of these.
    pub(super) fn on_asked(&mut self, node: &mut Node, now: Instant, finished: PlayId) -> bool {
        let Some(collecting) = self.collecting() else { return false };
        let Some((_, is_prompt)) = collecting.plays.filter(|(play, _)| *play == finished) else {
            return false;
        };
        collecting.plays = None;
        if is_prompt {
            let first = u64::from(collecting.ask.wait().first_s);
            self.wait_until(node, Some(now + Duration::from_secs(first)));
            self.take_typed(node, now);
        } else {
            self.ask(node, now);
        }
        true
    }

    /// The caller presses a key, which will be told when it is let go.
    pub(super) fn on_key_down(&mut self, node: &mut Node, now: Instant) {
        if self.interrupt(node) {
            // As long as it is held, nothing is missed.
            self.wait_until(node, Some(now + Duration::from_secs(60)));
        }
    }

    /// Stops what asks, if it may be stopped. Whether keys count now.
    fn interrupt(&mut self, node: &mut Node) -> bool {
        let Some(collecting) = self.collecting() else { return false };
        match collecting.plays {
            None => true,
            Some((_, true)) if !collecting.ask.is_interruptible() => false,
            Some((_, is_prompt)) => {
                if !is_prompt {
                    // The digit answers what is asked next.
                    collecting.tries += 1;
                    collecting.digits.clear();
                }
                collecting.plays = None;
                self.stop_playing(node);
                true
            }
        }
    }

    /// The caller has pressed a key.
    pub(super) fn on_collected_key(&mut self, node: &mut Node, now: Instant, key: char) {
        if !self.interrupt(node) {
            if self.collecting().is_some_and(|asked| asked.ask.takes_type_ahead()) {
                self.type_ahead(key);
            }
            return;
        }
        let Some(collecting) = self.collecting() else { return };
        let next = u64::from(collecting.ask.wait().next_s);
        let (directory, tenant) = (Arc::clone(&self.directory), self.tenant.clone());
        let extends = |digits: &str| directory.has_longer_extension(&tenant, digits);
        let Some(collecting) = self.collecting() else { return };
        match collecting.ask.take(&mut collecting.digits, key, extends) {
            Verdict::More => self.wait_until(node, Some(now + Duration::from_secs(next))),
            verdict => self.conclude(node, now, verdict),
        }
    }

    /// No key came for long enough.
    pub(super) fn on_collect_timeout(&mut self, node: &mut Node, now: Instant) {
        let Some(collecting) = self.collecting() else { return };
        if collecting.until.is_none_or(|until| until > now) {
            return;
        }
        let verdict = collecting.ask.after(&collecting.digits);
        self.conclude(node, now, verdict);
    }

    fn conclude(&mut self, node: &mut Node, now: Instant, verdict: Verdict) {
        let Some(Collecting { step, ask, digits, .. }) = self.collecting() else { return };
        let (step, ask, digits) = (*step, ask.clone(), digits.clone());
        match (verdict, &ask) {
            (Verdict::More, _) => {}
            (Verdict::Wrong(why), _) => self.ask_again(node, now, why),
            (Verdict::Complete, Ask::Collect(asked)) => {
                self.tell_digits(node, now, &ask, DigitsEnd::Collected, &digits);
                self.keep(&asked.into, digits);
                self.stop_collecting(node);
                self.go_to_step(node, now, step + 1, Cause::Normal);
            }
            (Verdict::Complete, Ask::Menu(_)) => {}
            (Verdict::Chosen(choice), _) => {
                self.tell_digits(node, now, &ask, DigitsEnd::Collected, &digits);
                self.stop_collecting(node);
                self.take_choice(node, now, step, choice);
            }
            (Verdict::Dialled(extension), _) => {
                // Nobody dials out of a menu: what is reached is the tenant's own.
                if self.directory.extension(&self.tenant, &extension).is_none() {
                    return self.ask_again(node, now, DigitsEnd::Invalid);
                }
                self.tell_digits(node, now, &ask, DigitsEnd::Collected, &digits);
                self.stop_collecting(node);
                self.dial_step(node, now, step, &extension, (None, None));
            }
        }
    }

    /// Where a choice leads.
    fn take_choice(&mut self, node: &mut Node, now: Instant, step: usize, choice: Choice) {
        // Whoever presses keys goes round in no circle of the flows' own making.
        self.flows = self.flows.min(1);
        match choice {
            Choice { flow: Some(flow), digits, .. } => {
                let why = format!("the caller pressed {digits}");
                if self.enter_named(node, now, &flow, why) {
                    self.go_to_step(node, now, 0, Cause::Normal);
                } else {
                    self.end(node, now, Cause::NoRoute, EndedBy::Engine);
                }
            }
            Choice { queue: Some(queue), .. } => self.enqueue(node, now, step, queue),
            Choice { dial: Some(to), .. } => self.dial_step(node, now, step, &to, (None, None)),
            _ => self.go_to_step(node, now, step + 1, Cause::Normal),
        }
    }

    /// Goes on in another flow, for this reason.
    pub(super) fn enter_named(
        &mut self,
        node: &mut Node,
        now: Instant,
        flow: &FlowId,
        why: String,
    ) -> bool {
        let Some(known) = self.directory.flow(&self.tenant, flow) else { return false };
        let steps = known.steps.clone();
        if !self.enter_flow(steps) {
            return false;
        }
        let (flow, reasons) = (flow.clone(), vec![why]);
        let decided = Decided::Route { flow: flow.clone(), reasons: reasons.clone() };
        self.narrative.decide(node, now, decided);
        self.tell(node, now, EventKind::CallRouted { flow, reasons });
        true
    }

    fn ask_again(&mut self, node: &mut Node, now: Instant, why: DigitsEnd) {
        let Some(Collecting { step, ask, digits, tries, .. }) = self.collecting() else { return };
        let (step, ask, digits, tries) = (*step, ask.clone(), digits.clone(), *tries);
        self.typed.clear();
        self.tell_digits(node, now, &ask, why, &digits);
        if tries >= ask.wait().tries {
            self.stop_collecting(node);
            return self.go_to_step(node, now, step + 1, Cause::Normal);
        }
        let play = ask.invalid().and_then(|prompt| self.play(node, prompt, false));
        match play {
            None => self.ask(node, now),
            Some(play) => {
                self.wait_until(node, None);
                if let Some(collecting) = self.collecting() {
                    collecting.plays = Some((play, false));
                }
            }
        }
    }

    /// Nothing is asked any more.
    pub(super) fn stop_collecting(&mut self, node: &mut Node) {
        self.wait_until(node, None);
        if matches!(self.stage, Stage::Collecting(_)) {
            self.stage = Stage::BetweenSteps;
            self.update_listening(node, self.caller.id);
        }
    }

    fn wait_until(&mut self, node: &mut Node, until: Option<Instant>) {
        let call = self.id;
        let Some(collecting) = self.collecting() else { return };
        if let Some(before) = std::mem::replace(&mut collecting.until, until) {
            node.alarms.remove(&(before, Alarm::Collect(call)));
        }
        if let Some(until) = until {
            node.alarms.insert((until, Alarm::Collect(call)));
        }
    }

    fn keep(&mut self, name: &str, value: String) {
        self.attributes.retain(|known| known.name != name);
        if self.attributes.len() < MOST_ATTRIBUTES {
            self.attributes.push(Attribute { name: name.to_owned(), value });
        }
    }

    /// Digits are told of by their number alone, unless provisioning lets them be shown.
    fn tell_digits(
        &self,
        node: &mut Node,
        now: Instant,
        ask: &Ask,
        outcome: DigitsEnd,
        digits: &str,
    ) {
        let (into, shown) = match ask {
            Ask::Collect(asked) => (Some(asked.into.clone()), asked.show && !asked.secret),
            // What stands in provisioning is no secret; what else was pressed may be.
            Ask::Menu(menu) => (None, menu.choices.iter().any(|choice| choice.digits == digits)),
        };
        let count = u32::try_from(digits.len()).unwrap_or(u32::MAX);
        let digits = shown.then(|| digits.to_owned());
        self.tell(node, now, EventKind::CallDigits { into, outcome, count, digits });
    }
}
