//! A jitter buffer of fixed delay: samples by timestamp, played a fixed time after the first came.

use std::collections::VecDeque;

use base::{Duration, Instant};

use crate::{CLOCK_RATE, Codec};

/// A packet this far ahead of what is played is another timeline: start anew there.
const MAX_AHEAD: i32 = 2 * CLOCK_RATE as i32;
/// What is kept of what was heard: an hour.
const MAX_HEARD: usize = 3600 * CLOCK_RATE as usize;

#[derive(Debug)]
pub(super) struct JitterBuffer {
    delay: Duration,
    keep: bool,
    /// When the sample `next` is heard; `None` before the first packet.
    clock: Option<(Instant, u32)>,
    waiting: VecDeque<Option<i16>>,
    heard: Vec<i16>,
    late: u64,
}

impl JitterBuffer {
    pub(super) fn new(delay: Duration, keep: bool) -> Self {
        let (waiting, heard) = (VecDeque::new(), Vec::new());
        Self { delay, keep, clock: None, waiting, heard, late: 0 }
    }

    pub(super) fn push(&mut self, now: Instant, timestamp: u32, codec: Codec, payload: &[u8]) {
        self.play(now);
        let (_, next) = *self.clock.get_or_insert((now + self.delay, timestamp));
        let mut ahead = timestamp.wrapping_sub(next).cast_signed();
        if ahead.abs() > MAX_AHEAD {
            self.waiting.clear();
            self.clock = Some((now + self.delay, timestamp));
            ahead = 0;
        }
        let Ok(ahead) = usize::try_from(ahead) else {
            self.late += 1;
            return;
        };
        let end = ahead + payload.len();
        if self.waiting.len() < end {
            self.waiting.resize(end, None);
        }
        for (to, code) in self.waiting.iter_mut().skip(ahead).zip(payload) {
            *to = codec.law().map(|law| law.decode(*code));
        }
    }

    /// Hears what is due; silence where nothing came.
    pub(super) fn play(&mut self, now: Instant) {
        let Some((at, next)) = self.clock else { return };
        let due = now.since(at).as_nanos() / 125_000;
        let due = usize::try_from(due).unwrap_or(MAX_HEARD).min(MAX_HEARD);
        let length = Duration::from_nanos(due as u64 * 125_000);
        self.clock = Some((at + length, next.wrapping_add(due as u32)));
        let there = due.min(self.waiting.len());
        let played = self.waiting.drain(..there).map(Option::unwrap_or_default);
        if self.keep {
            self.heard.extend(played);
            let length = (self.heard.len() + due - there).min(MAX_HEARD);
            self.heard.resize(length, 0);
        }
    }

    pub(super) fn take_heard(&mut self) -> Vec<i16> {
        std::mem::take(&mut self.heard)
    }

    pub(super) fn late(&self) -> u64 {
        self.late
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::G711;

    #[test]
    fn packets_out_of_order_are_heard_in_order_and_a_lost_one_as_silence() {
        let mut buffer = JitterBuffer::new(Duration::from_millis(60), true);
        let code = |n: u8| [G711::Pcma.encode(i16::from(n) * 1000); 160];
        for (ms, n) in [(0, 1), (30, 3), (35, 2), (85, 5), (200, 4)] {
            let timestamp = u32::from(n) * 160;
            buffer.push(Instant::from_millis(ms), timestamp, Codec::Pcma, &code(n));
        }
        buffer.play(Instant::from_millis(400));
        let heard = buffer.take_heard();
        let expected = |n| G711::Pcma.decode(code(n)[0]);
        assert_eq!(heard[80], expected(1));
        assert_eq!(heard[240], expected(2));
        assert_eq!(heard[400], expected(3));
        assert_eq!(heard[560], 0, "number 4 came too late");
        assert_eq!(heard[720], expected(5));
        assert_eq!((buffer.late(), heard.len()), (1, 340 * 8));
    }
}
