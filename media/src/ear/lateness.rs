//! How late packets come: a distribution that forgets, and what it says about how long to wait.
//!
//! A packet's transit is its arrival less its first sample's time, both in samples; the clocks'
//! origins differ, so only differences of transits mean anything. Waiting until the transit that
//! all but a hundredth stayed under needs no notion of "the fastest packet", follows the drift of
//! the clocks by itself, and one wild packet cannot move it.

use crate::pcm::Rate;

const BUCKETS: usize = 128;
/// Width of a bucket.
const BUCKET_MS: usize = 4;
/// What part of the packets shall be there in time.
const IN_TIME: f32 = 0.985;
/// What part of them is called fast.
const FAST: f32 = 0.05;
/// What is forgotten with each 20 ms of speech.
const FORGET: f32 = 1.0 / 150.0;
/// What the first packets are taken to differ by, until enough of them are known.
const FIRST_GUESS_MS: i64 = 20;
/// Packets that are enough.
const ENOUGH: i64 = 20;
/// After so many that were like those before it is looked anew what all of them say.
const SETTLED: i64 = 8;
/// Between these is no bucket.
const UNSETTLED: (usize, usize) = (1, 0);
/// So many buckets too early is no surprise.
const SLIGHT: i64 = 16;
/// So many packets in a row that are outside of all buckets are no accident.
const BELIEVED: u32 = 8;
/// The longest wait beyond the fastest packets.
const MAX_SPREAD_MS: usize = 400;

pub(super) struct Lateness {
    rate: Rate,
    buckets: Box<[f32; BUCKETS]>,
    /// The transit where bucket 0 begins.
    origin: i64,
    /// What the next packet weighs: more than the last, which forgets the last.
    weight: f32,
    total: f32,
    seen: i64,
    /// Packets in a row that were outside of all buckets.
    outside: u32,
    /// What is asked at every tick and known since the last packet.
    target: i64,
    fastest: i64,
    /// The buckets those two are of.
    between: (usize, usize),
}

impl Lateness {
    pub(super) fn new(rate: Rate) -> Self {
        let buckets = Box::new([0.0; BUCKETS]);
        let mut lateness = Self {
            rate,
            buckets,
            origin: 0,
            weight: 1.0,
            total: 0.0,
            seen: 0,
            outside: 0,
            target: 0,
            fastest: 0,
            between: (0, 0),
        };
        lateness.settle();
        lateness
    }

    /// A line begins with a packet of this transit: its clock has nothing to do with the last
    /// one's, but the way it takes is likely the same.
    pub(super) fn begin(&mut self, transit: i64) {
        let middle = self.quantile(0.5).unwrap_or(4);
        self.origin = transit - middle as i64 * self.bucket();
        // What is known counts, but less than what comes.
        self.seen = self.seen.min(ENOUGH / 2);
        self.settle();
    }

    /// A packet came.
    pub(super) fn note(&mut self, transit: i64, length: usize) {
        let mut place = (transit - self.origin).div_euclid(self.bucket());
        let outside = !(0..BUCKETS as i64).contains(&place);
        self.outside = if outside { self.outside + 1 } else { 0 };
        if place < 0 && (place > -SLIGHT || self.outside >= BELIEVED) {
            self.shift_up(usize::try_from(-place).unwrap_or(BUCKETS));
            place = 0;
        } else if place >= BUCKETS as i64 * 3 / 4 {
            // Room above, by what lies below and is all but forgotten.
            let wanted = usize::try_from(place - BUCKETS as i64 / 2).unwrap_or(0);
            let idle = self.quantile(0.02).unwrap_or(0).saturating_sub(2);
            let by = if self.outside >= BELIEVED { wanted } else { wanted.min(idle) };
            self.shift_down(by);
            place -= by as i64;
        }
        let place = usize::try_from(place).unwrap_or(0).min(BUCKETS - 1);
        let part = (length as f32 / self.rate.per_tick() as f32).clamp(0.25, 3.0);
        if let Some(here) = self.buckets.get_mut(place) {
            *here += self.weight * part;
            self.total += self.weight * part;
        }
        self.weight *= 1.0 + FORGET * part;
        self.seen += 1;
        if self.weight > 1e6 {
            let scale = 1.0 / self.weight;
            self.buckets.iter_mut().for_each(|bucket| *bucket *= scale);
            self.total = self.buckets.iter().sum();
            self.weight = 1.0;
        }
        // Most packets are like those before: what they change can wait for a few more.
        let (fast, slow) = self.between;
        if self.seen < ENOUGH || self.seen % SETTLED == 0 || !(fast..=slow).contains(&place) {
            self.settle();
        }
    }

    /// The transit to wait for.
    pub(super) fn target(&self) -> i64 {
        self.target
    }

    /// The transit of the fast packets.
    pub(super) fn fastest(&self) -> i64 {
        self.fastest
    }

    fn settle(&mut self) {
        let (low, top) = self.spread();
        self.between = (low, top);
        let top = top.min(low + MAX_SPREAD_MS / BUCKET_MS);
        let measured = self.origin + (top as i64 + 1) * self.bucket();
        let guess = FIRST_GUESS_MS * (ENOUGH - self.seen).max(0) / ENOUGH;
        self.fastest = self.origin + low as i64 * self.bucket();
        let guessed = self.fastest + guess * self.rate.samples(1) as i64;
        self.target = measured.max(guessed);
    }

    fn bucket(&self) -> i64 {
        self.rate.samples(BUCKET_MS) as i64
    }

    /// The buckets of the fast packets, and of the slowest that are waited for.
    fn spread(&self) -> (usize, usize) {
        let (fast, slow) = (self.total * FAST, self.total * IN_TIME);
        let (mut sum, mut low) = (0.0, None);
        if self.total <= 0.0 {
            return (0, 0);
        }
        for (n, weight) in self.buckets.iter().enumerate() {
            sum += weight;
            if sum >= fast {
                low.get_or_insert(n);
            }
            if sum >= slow {
                return (low.unwrap_or(n), n);
            }
        }
        // Sums of floating point may stay a little under their total.
        (low.unwrap_or(0), 0)
    }

    /// The bucket in which a part of all packets is reached.
    fn quantile(&self, part: f32) -> Option<usize> {
        let wanted = self.total * part;
        let mut sum = 0.0;
        if self.total <= 0.0 {
            return None;
        }
        self.buckets.iter().position(|weight| {
            sum += weight;
            sum >= wanted
        })
    }

    fn shift_up(&mut self, by: usize) {
        if by >= BUCKETS {
            self.buckets.fill(0.0);
            self.total = 0.0;
        } else {
            let lost: f32 = self.buckets.iter().skip(BUCKETS - by).sum();
            self.buckets.copy_within(..BUCKETS - by, by);
            self.buckets.iter_mut().take(by).for_each(|bucket| *bucket = 0.0);
            if let Some(last) = self.buckets.last_mut() {
                *last += lost;
            }
        }
        self.origin -= by as i64 * self.bucket();
        self.between = UNSETTLED;
    }

    fn shift_down(&mut self, by: usize) {
        self.origin += by as i64 * self.bucket();
        self.between = UNSETTLED;
        let by = by.min(BUCKETS);
        let lost: f32 = self.buckets.iter().take(by).sum();
        self.total = (self.total - lost).max(0.0);
        self.buckets.copy_within(by.., 0);
        self.buckets.iter_mut().skip(BUCKETS - by).for_each(|bucket| *bucket = 0.0);
    }
}

#[cfg(test)]
mod tests {
    use base::Rng;

    use super::*;

    fn feed(lateness: &mut Lateness, transits: impl IntoIterator<Item = i64>) {
        for transit in transits {
            lateness.note(transit * 8, 160);
        }
    }

    #[test]
    fn the_wait_is_what_all_but_a_hundredth_need() {
        let mut lateness = Lateness::new(Rate::Narrow);
        lateness.begin(77_000 * 8);
        let mut rng = Rng::from_seed(1);
        feed(&mut lateness, (0..1000).map(|_| 77_000 + rng.below(50) as i64));
        let wait = lateness.target() - 77_000 * 8;
        assert!((49 * 8..=56 * 8).contains(&wait), "{wait}");
    }

    #[test]
    fn it_follows_a_way_that_became_longer_or_shorter_and_a_drifting_clock() {
        let mut lateness = Lateness::new(Rate::Narrow);
        lateness.begin(0);
        feed(&mut lateness, [0; 500]);
        feed(&mut lateness, [900; 2000]);
        let wait = lateness.target() - 900 * 8;
        assert!((0..=64).contains(&wait), "{wait}");
        feed(&mut lateness, [-3000; 2000]);
        let wait = lateness.target() + 3000 * 8;
        assert!((0..=64).contains(&wait), "{wait}");
        feed(&mut lateness, (0..100_000).map(|n| n / 50 - 3000));
        let wait = lateness.target() - (100_000 / 50 - 3000) * 8;
        assert!((-64..=64).contains(&wait), "{wait}");
    }

    #[test]
    fn one_wild_packet_moves_nothing() {
        let mut lateness = Lateness::new(Rate::Narrow);
        lateness.begin(0);
        feed(&mut lateness, [10; 500]);
        let before = lateness.target();
        feed(&mut lateness, [380]);
        assert_eq!(lateness.target(), before);
        feed(&mut lateness, [-1_000_000, 1_000_000_000]);
        feed(&mut lateness, [10; 3000]);
        assert!((lateness.target() - before).abs() <= 64);
    }
}
