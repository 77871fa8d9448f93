//! Receiving RFC 4733 events (§2.5.2): each key once, whatever is lost, doubled or overtaken.
//!
//! An event is known by its timestamp. It is told of twice: [`Heard::Down`] with its first packet,
//! [`Heard::Digit`] when it is over: by an end bit, by the next event, or when nothing more comes.

use base::{Duration, Instant};

use super::Digit;
use crate::rtp::Header;

/// Without a packet for so long, an event whose end was lost is over: five of the usual updates.
const MISSING_END: Duration = Duration::from_millis(250);
/// Events told within a second: more than any finger or dialler makes. Others are dropped.
const MOST: u8 = 20;
/// The longest key told of.
const LONGEST: Duration = Duration::from_secs(30);
/// Events remembered after they were told, so that late and repeated packets begin none.
const TOLD: usize = 8;
/// Events in one packet that are looked at (§2.5.1.4).
const BLOCKS: usize = 4;
/// A segment of a long event is as long as its field can say (§2.5.1.3).
const FULL_SEGMENT: u32 = 0xffff;

/// What a packet or a pause tells.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Heard {
    /// A key goes down.
    Down,
    /// It is over.
    Digit(Digit, Duration),
}

/// The events of one far end.
#[derive(Clone, Debug)]
pub(crate) struct Receiver {
    /// Units of the timestamp in a second.
    clock: u32,
    ssrc: u32,
    current: Option<Current>,
    told: [u32; TOLD],
    told_count: usize,
    /// The budget of [`MOST`]: when its second began, and what is spent.
    since: Instant,
    spent: u8,
}

/// An event under way.
#[derive(Clone, Copy, Debug)]
struct Current {
    digit: Digit,
    /// The timestamp of its present segment.
    timestamp: u32,
    /// How long the segments before that were.
    before: u32,
    /// The longest that was said of the present one.
    duration: u32,
    heard_at: Instant,
}

/// One block of a payload (§2.3).
#[derive(Clone, Copy)]
struct Block {
    digit: Digit,
    timestamp: u32,
    is_end: bool,
    duration: u32,
}

impl Default for Receiver {
    fn default() -> Self {
        Self {
            clock: crate::CLOCK_RATE,
            ssrc: 0,
            current: None,
            told: [0; TOLD],
            told_count: 0,
            since: Instant::ZERO,
            spent: 0,
        }
    }
}

impl Receiver {
    /// Says how many units of the timestamp make a second.
    pub(crate) fn set_clock(&mut self, clock: u32) {
        self.clock = clock.max(1);
    }

    /// Takes a packet in; tells what follows from it, in order.
    pub(crate) fn handle_packet(
        &mut self,
        now: Instant,
        header: &Header,
        payload: &[u8],
        tell: &mut impl FnMut(Heard),
    ) {
        if header.ssrc != self.ssrc {
            self.finish(tell);
            (self.ssrc, self.told_count) = (header.ssrc, 0);
        }
        let mut timestamp = header.timestamp;
        for block in payload.chunks_exact(4).take(BLOCKS) {
            let [event, flags, high, low] = *block else { return };
            let duration = u32::from(u16::from_be_bytes([high, low]));
            if let Some(digit) = Digit::from_event(event) {
                let block = Block { digit, timestamp, is_end: flags & 0x80 != 0, duration };
                self.handle_block(now, header.marker, &block, tell);
            }
            timestamp = timestamp.wrapping_add(duration);
        }
    }

    /// When an event whose end does not come is over.
    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.current.map(|current| current.heard_at + MISSING_END)
    }

    /// Time passed.
    pub(crate) fn handle_timeout(&mut self, now: Instant, tell: &mut impl FnMut(Heard)) {
        if self.poll_timeout().is_some_and(|due| due <= now) {
            self.finish(tell);
        }
    }

    fn handle_block(
        &mut self,
        now: Instant,
        marker: bool,
        block: &Block,
        tell: &mut impl FnMut(Heard),
    ) {
        match self.current {
            Some(mut current) if current.is_continued_by(block, marker) => {
                current.take(now, block);
                self.current = Some(current);
            }
            _ if self.was_told(block.timestamp) => return,
            Some(current) if self.clock_before(block.timestamp, current.timestamp) => {
                // All of it was overtaken by the event under way: it came first.
                return self.tell_overtaken(now, block, tell);
            }
            _ => {
                self.finish(tell);
                if !self.may_begin(now) {
                    return self.remember(block.timestamp);
                }
                tell(Heard::Down);
                self.current = Some(Current::begin(now, block));
            }
        }
        if block.is_end {
            self.finish(tell);
        }
    }

    /// Whether a timestamp lies before another one, by no more than a second: beyond, the far end
    /// has begun to count anew.
    fn clock_before(&self, timestamp: u32, other: u32) -> bool {
        let behind = other.wrapping_sub(timestamp);
        behind > 0 && behind < self.clock
    }

    fn tell_overtaken(&mut self, now: Instant, block: &Block, tell: &mut impl FnMut(Heard)) {
        self.remember(block.timestamp);
        if self.may_begin(now) {
            tell(Heard::Digit(block.digit, self.length(block.duration)));
        }
    }

    fn finish(&mut self, tell: &mut impl FnMut(Heard)) {
        let Some(current) = self.current.take() else { return };
        self.remember(current.timestamp);
        let units = current.before.saturating_add(current.duration);
        tell(Heard::Digit(current.digit, self.length(units)));
    }

    fn length(&self, units: u32) -> Duration {
        let micros = u64::from(units) * 1_000_000 / u64::from(self.clock);
        Duration::from_micros(micros).min(LONGEST)
    }

    fn may_begin(&mut self, now: Instant) -> bool {
        if self.spent == 0 || now >= self.since + Duration::from_secs(1) {
            (self.since, self.spent) = (now, 0);
        }
        self.spent = self.spent.saturating_add(1);
        self.spent <= MOST
    }

    fn remember(&mut self, timestamp: u32) {
        if let Some(place) = self.told.get_mut(self.told_count % TOLD) {
            *place = timestamp;
        }
        // Only its remainder and whether it has reached TOLD matter.
        self.told_count = if self.told_count >= 2 * TOLD - 1 { TOLD } else { self.told_count + 1 };
    }

    fn was_told(&self, timestamp: u32) -> bool {
        self.told.iter().take(self.told_count).any(|told| *told == timestamp)
    }
}

impl Current {
    fn begin(now: Instant, block: &Block) -> Self {
        let Block { digit, timestamp, duration, .. } = *block;
        Self { digit, timestamp, before: 0, duration, heard_at: now }
    }

    /// Whether a block is of this event: an update, or its next segment.
    fn is_continued_by(&self, block: &Block, marker: bool) -> bool {
        self.digit == block.digit
            && (self.timestamp == block.timestamp || {
                let segment = block.timestamp.wrapping_sub(self.timestamp);
                !marker && segment == FULL_SEGMENT && self.duration > FULL_SEGMENT / 2
            })
    }

    fn take(&mut self, now: Instant, block: &Block) {
        if block.timestamp != self.timestamp {
            self.before = self.before.saturating_add(FULL_SEGMENT);
            (self.timestamp, self.duration) = (block.timestamp, 0);
        }
        self.duration = self.duration.max(block.duration);
        self.heard_at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A packet of a far end: sequence does not matter to the receiver.
    fn packet(timestamp: u32, marker: bool) -> Header {
        Header { payload_type: 101, marker, sequence: 0, timestamp, ssrc: 7 }
    }

    fn payload(event: u8, is_end: bool, duration: u16) -> [u8; 4] {
        let [high, low] = duration.to_be_bytes();
        [event, 10 | if is_end { 0x80 } else { 0 }, high, low]
    }

    /// All packets of a key of `ms` milliseconds at 20 ms: rising durations, three ends.
    fn key(event: u8, timestamp: u32, ms: u16) -> Vec<(Header, [u8; 4])> {
        let steps = ms / 20;
        let updates =
            (1..=steps).map(|n| (packet(timestamp, n == 1), payload(event, false, n * 160)));
        let ends = (0..3).map(|_| (packet(timestamp, false), payload(event, true, ms * 8)));
        updates.chain(ends).collect()
    }

    struct Ear {
        receiver: Receiver,
        now: Instant,
        told: Vec<(char, u128)>,
        downs: usize,
    }

    impl Ear {
        fn new() -> Self {
            let (now, told) = (Instant::from_millis(1000), Vec::new());
            Self { receiver: Receiver::default(), now, told, downs: 0 }
        }

        fn hear(&mut self, packets: &[(Header, [u8; 4])]) {
            for (header, payload) in packets {
                self.now += Duration::from_millis(20);
                let (told, downs) = (&mut self.told, &mut self.downs);
                self.receiver.handle_timeout(self.now, &mut |heard| note(told, downs, heard));
                self.receiver.handle_packet(self.now, header, payload, &mut |heard| {
                    note(told, downs, heard);
                });
            }
        }

        fn wait(&mut self, ms: u64) {
            self.now += Duration::from_millis(ms);
            let (told, downs) = (&mut self.told, &mut self.downs);
            self.receiver.handle_timeout(self.now, &mut |heard| note(told, downs, heard));
        }

        fn digits(&self) -> String {
            self.told.iter().map(|(key, _)| *key).collect()
        }
    }

    fn note(told: &mut Vec<(char, u128)>, downs: &mut usize, heard: Heard) {
        match heard {
            Heard::Down => *downs += 1,
            Heard::Digit(digit, length) => told.push((digit.as_char(), length.as_millis())),
        }
    }

    #[test]
    fn a_key_is_told_once_with_its_length_at_its_first_end() {
        let mut ear = Ear::new();
        let packets = key(5, 8000, 100);
        ear.hear(&packets[..1]);
        assert_eq!((ear.downs, ear.told.len()), (1, 0), "barge-in need not wait for the end");
        ear.hear(&packets[1..6]);
        assert_eq!(ear.told, [('5', 100)]);
        ear.hear(&packets[6..]);
        ear.wait(1000);
        assert_eq!((ear.told.len(), ear.downs), (1, 1));
    }

    #[test]
    fn whichever_packets_of_a_key_are_lost_and_doubled_it_is_one_key() {
        let all = key(9, 8000, 100);
        for lost in 0..(1_u32 << all.len()) - 1 {
            let mut ear = Ear::new();
            let kept = all.iter().enumerate().filter(|(n, _)| lost & (1 << n) == 0);
            let twice: Vec<_> = kept.flat_map(|(_, one)| [*one, *one]).collect();
            ear.hear(&twice);
            ear.wait(300);
            assert_eq!((ear.digits().as_str(), ear.downs), ("9", 1), "lost {lost:b}");
        }
    }

    #[test]
    fn two_equal_keys_of_50_ms_stay_two_however_their_packets_are_shuffled() {
        let mut rng = base::Rng::from_seed(4);
        for _ in 0..500 {
            let mut packets = key(1, 8000, 60);
            packets.extend(key(1, 8000 + 960, 60));
            packets.extend(key(2, 8000 + 1920, 60));
            // Each packet is late by up to three of its like.
            let mut order: Vec<(u64, usize)> =
                (0..packets.len()).map(|n| (n as u64 * 10 + rng.below(35), n)).collect();
            order.sort_unstable();
            let shuffled: Vec<_> = order.iter().map(|(_, n)| packets[*n]).collect();
            let mut ear = Ear::new();
            ear.hear(&shuffled);
            ear.wait(300);
            assert_eq!(ear.digits(), "112");
        }
    }

    #[test]
    fn a_missing_end_is_made_up_for_after_250_ms_or_by_the_next_key() {
        let mut ear = Ear::new();
        ear.hear(&key(3, 8000, 100)[..5]);
        ear.wait(249);
        assert!(ear.told.is_empty());
        ear.wait(1);
        assert_eq!(ear.told, [('3', 100)]);
        ear.hear(&key(4, 20_000, 100)[..5]);
        ear.hear(&key(4, 22_000, 100)[..1]);
        assert_eq!(ear.digits(), "34");
    }

    #[test]
    fn a_key_held_for_a_minute_is_one_key_over_its_segments() {
        let mut ear = Ear::new();
        let mut timestamp = 0xffff_0000_u32;
        for segment in 0..7 {
            for n in (1..=0xffff_u32 / 160).chain([410]) {
                let duration = (n * 160).min(0xffff) as u16;
                let head = packet(timestamp, segment == 0 && n == 1);
                ear.hear(&[(head, payload(6, false, duration))]);
            }
            timestamp = timestamp.wrapping_add(0xffff);
        }
        ear.hear(&[(packet(timestamp, false), payload(6, true, 160))]);
        assert_eq!((ear.told.as_slice(), ear.downs), ([('6', 30_000)].as_slice(), 1));
    }

    #[test]
    fn a_bomb_of_events_is_twenty_a_second() {
        let mut ear = Ear::new();
        for n in 0..1000_u32 {
            ear.hear(&[(packet(n * 7919, true), payload((n % 16) as u8, n % 2 == 0, 65_535))]);
        }
        ear.wait(300);
        assert!((390..=420).contains(&ear.told.len()), "{} in 20 s", ear.told.len());
    }

    #[test]
    fn a_new_source_or_clock_and_48_khz_are_understood() {
        let mut ear = Ear::new();
        ear.receiver.set_clock(48_000);
        ear.hear(&[(packet(1, true), payload(0, true, 4800))]);
        let other = Header { ssrc: 8, ..packet(1, true) };
        ear.hear(&[(other, payload(0, true, 9600))]);
        let again = Header { ssrc: 8, ..packet(0x9000_0000, true) };
        ear.hear(&[(again, payload(10, true, 2400)), (again, payload(16, true, 2400))]);
        assert_eq!(ear.told, [('0', 100), ('0', 200), ('*', 50)]);
    }
}
