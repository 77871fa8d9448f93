//! Pressing keys towards a far end (RFC 4733 §2.5.1): one packet each 20 ms with a rising duration,
//! the end three times, a pause after each key. The same orders can be sounded as tones.

use base::{Duration, Instant};

use super::Digit;

/// Between two packets of a key.
const STEP: Duration = Duration::from_millis(20);
/// How often an end is said.
const ENDS: u8 = 3;
/// Keys and pauses that may wait.
pub(crate) const MOST: usize = 64;
/// What a comma stands for.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a key, and a pause after it, may be.
const SHORTEST: Duration = Duration::from_millis(40);
const LONGEST: Duration = Duration::from_secs(5);

/// One key to press, or a pause. Every stream has room for [`MOST`] of them.
#[derive(Clone, Copy, Debug)]
struct Order {
    digit: Option<Digit>,
    each: Length,
    gap: Length,
}

/// So many 8000ths of a second, which is what events count by; up to eight seconds.
#[derive(Clone, Copy, Debug)]
struct Length(u16);

impl Length {
    fn of(length: Duration) -> Self {
        Self(u16::try_from(length.as_micros() / 125).unwrap_or(u16::MAX))
    }

    fn duration(self) -> Duration {
        Duration::from_micros(u64::from(self.0) * 125)
    }
}

/// What is due now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Step {
    /// An event's packet.
    Event {
        digit: Digit,
        /// It is the event's first.
        begins: bool,
        is_end: bool,
        /// How long the key has been held.
        held: Duration,
    },
    /// 20 ms of a key's tones.
    Tone {
        digit: Digit,
        /// How long it has sounded before.
        sounded: Duration,
        /// How much of the 20 ms it sounds.
        length: Duration,
    },
    /// Nothing is sent.
    Quiet,
}

/// Which way a key goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    Event,
    Tone,
    /// There is none: orders pass without being heard.
    None,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Idle,
    Pressing { digit: Digit, way: Way, held: Duration, each: Duration, gap: Duration, ends: u8 },
    Pause { until: Instant },
}

/// The keys that wait to be pressed towards one far end.
#[derive(Clone, Debug)]
pub(crate) struct Sender {
    orders: [Option<Order>; MOST],
    first: usize,
    count: usize,
    state: State,
    due: Instant,
}

impl Default for Sender {
    fn default() -> Self {
        let (orders, state) = ([None; MOST], State::Idle);
        Self { orders, first: 0, count: 0, state, due: Instant::ZERO }
    }
}

impl Sender {
    /// Whether keys are being pressed: speech is kept back meanwhile.
    pub(crate) fn is_busy(&self) -> bool {
        !matches!(self.state, State::Idle)
    }

    /// Adds keys as [`crate::Command::SendDigits`] spells them.
    pub(crate) fn press_all(&mut self, now: Instant, keys: &str, each: Duration, gap: Duration) {
        for key in keys.chars() {
            match (key, Digit::from_char(key)) {
                (_, Some(digit)) => self.press(now, digit, each, gap),
                (',', None) => self.add(now, None, PAUSE, PAUSE),
                _ => {}
            }
        }
    }

    /// Adds a key. With [`MOST`] waiting it is left out.
    pub(crate) fn press(&mut self, now: Instant, digit: Digit, each: Duration, gap: Duration) {
        let (each, gap) = (each.clamp(SHORTEST, LONGEST), gap.clamp(SHORTEST, LONGEST));
        self.add(now, Some(digit), each, gap);
    }

    /// When the next step is due.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.is_busy().then_some(self.due)
    }

    /// The step that is due; a key that begins goes the way given.
    pub(crate) fn step(&mut self, now: Instant, way: Way) -> Option<Step> {
        if !self.is_busy() || self.due > now {
            return None;
        }
        self.due = if now > self.due + STEP * 5 { now } else { self.due } + STEP;
        if let State::Pause { until } = self.state {
            if until > now {
                return Some(Step::Quiet);
            }
            let Some(order) = self.take() else {
                self.state = State::Idle;
                return Some(Step::Quiet);
            };
            self.state = match order.digit {
                None => State::Pause { until: now + order.each.duration() },
                Some(digit) => State::Pressing {
                    digit,
                    way,
                    held: Duration::ZERO,
                    each: order.each.duration(),
                    gap: order.gap.duration(),
                    ends: 0,
                },
            };
        }
        Some(self.go_on(now))
    }

    fn go_on(&mut self, now: Instant) -> Step {
        let State::Pressing { digit, way, held, each, gap, ends } = &mut self.state else {
            return Step::Quiet;
        };
        let begins = *held == Duration::ZERO;
        let (digit, way, sounded) = (*digit, *way, *held);
        *held = (sounded + STEP).min(*each);
        let (held, is_end) = (*held, *held >= *each);
        *ends += u8::from(is_end);
        let (last, until) = (if way == Way::Event { ENDS } else { 1 }, now + *gap);
        if *ends >= last {
            self.state = State::Pause { until };
        }
        match way {
            Way::Event => Step::Event { digit, begins, is_end: is_end && !begins, held },
            Way::Tone => Step::Tone { digit, sounded, length: held - sounded },
            Way::None => Step::Quiet,
        }
    }

    fn add(&mut self, now: Instant, digit: Option<Digit>, each: Duration, gap: Duration) {
        if self.count >= MOST {
            return;
        }
        let order = Order { digit, each: Length::of(each), gap: Length::of(gap) };
        if let Some(place) = self.orders.get_mut((self.first + self.count) % MOST) {
            (*place, self.count) = (Some(order), self.count + 1);
        }
        if !self.is_busy() {
            (self.state, self.due) = (State::Pause { until: now }, now);
        }
    }

    fn take(&mut self) -> Option<Order> {
        if self.count == 0 {
            return None;
        }
        let order = self.orders.get_mut(self.first)?.take();
        (self.first, self.count) = ((self.first + 1) % MOST, self.count - 1);
        order
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by it")]
    use super::*;

    fn run(sender: &mut Sender, way: Way, ms: u64) -> Vec<(u64, Step)> {
        let mut steps = Vec::new();
        while let Some(due) = sender.poll_timeout().filter(|due| *due < Instant::from_millis(ms)) {
            let step = sender.step(due, way).unwrap();
            if step != Step::Quiet {
                steps.push(((due.as_nanos() / 1_000_000), step));
            }
        }
        steps
    }

    fn ms(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    #[test]
    fn a_key_is_a_marker_rising_durations_and_three_ends_and_a_pause_follows() {
        let mut sender = Sender::default();
        sender.press_all(Instant::from_millis(100), "1,#", ms(90), ms(60));
        let told: Vec<_> = run(&mut sender, Way::Event, 5000)
            .into_iter()
            .map(|(at, step)| match step {
                Step::Event { digit, begins, is_end, held } => {
                    (at, digit.as_char(), begins, is_end, held.as_millis())
                }
                other => panic!("{other:?}"),
            })
            .collect();
        let key = |at: u64, key| {
            let held = [20, 40, 60, 80, 90, 90, 90];
            (0_u64..).zip(held).map(move |(n, h)| (at + 20 * n, key, n == 0, n >= 4, h))
        };
        // The pause after a key counts from its last end; that of a comma comes on top.
        let expected: Vec<_> = key(100, '1').chain(key(100 + 120 + 60 + 1000, '#')).collect();
        assert_eq!(told, expected);
        assert!(!sender.is_busy());
    }

    #[test]
    fn tones_sound_exactly_as_long_as_asked() {
        let mut sender = Sender::default();
        sender.press_all(Instant::ZERO, "7", ms(50), ms(40));
        let tones: u128 = run(&mut sender, Way::Tone, 1000)
            .into_iter()
            .map(|(_, step)| match step {
                Step::Tone { length, .. } => length.as_millis(),
                other => panic!("{other:?}"),
            })
            .sum();
        assert_eq!(tones, 50);
    }

    #[test]
    fn sixty_four_keys_wait_and_no_more() {
        let mut sender = Sender::default();
        sender.press_all(Instant::ZERO, &"5".repeat(100), ms(40), ms(40));
        let begun = run(&mut sender, Way::Tone, 60_000).len() / 2;
        assert_eq!(begun, MOST);
        assert_eq!((sender.is_busy(), sender.poll_timeout()), (false, None));
    }
}
