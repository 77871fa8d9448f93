//! Where one tick of a mix is mixed: what each seat says, the sums, and what each seat hears.
//!
//! A seat hears the sum of all present parties, less itself, and its own coaches besides. Who adds
//! nothing and has no coach hears the sum as it is, which is coded once for all of them.

use super::limit::{is_bent, limit};
use super::mix::{RATES, Seat};
use super::mouth::CODES_PER_TICK;
use crate::G711;
use crate::pcm::{MAX_PER_TICK, Rate};

/// Room for the ticks of one mix at a time, used by all of a plane in turns.
pub(super) struct Desk {
    /// What each seat says, at each of the rates.
    said: Vec<[[i16; MAX_PER_TICK]; 3]>,
    sums: [[i32; MAX_PER_TICK]; 3],
    /// The sums in 16 bits, and in codes; whether they are, as somebody has asked for them.
    whole: [(bool, [i16; MAX_PER_TICK]); 3],
    codes: [(bool, [u8; CODES_PER_TICK]); 2],
    own: [i32; MAX_PER_TICK],
    mixed: [i16; MAX_PER_TICK],
}

impl Default for Desk {
    fn default() -> Self {
        Self {
            said: Vec::new(),
            sums: [[0; MAX_PER_TICK]; 3],
            whole: [(false, [0; MAX_PER_TICK]); 3],
            codes: [(false, [0; CODES_PER_TICK]); 2],
            own: [0; MAX_PER_TICK],
            mixed: [0; MAX_PER_TICK],
        }
    }
}

/// The place of a rate in [`RATES`].
pub(super) fn layer(rate: Rate) -> usize {
    RATES.iter().position(|known| *known == rate).unwrap_or(0)
}

impl Desk {
    /// Room for a mix of so many seats; the only thing here that allocates.
    pub(super) fn make_room(&mut self, seats: usize) {
        if self.said.len() < seats {
            self.said.resize(seats, [[0; MAX_PER_TICK]; 3]);
        }
    }

    /// Begins a tick of a mix that has these seats.
    pub(super) fn begin(&mut self, seats: &[Seat]) {
        for seat in seats {
            if let Some(sum) = self.sums.get_mut(layer(seat.rate)) {
                sum.iter_mut().take(seat.rate.per_tick()).for_each(|sum| *sum = 0);
            }
        }
        self.whole.iter_mut().for_each(|(is_known, _)| *is_known = false);
        self.codes.iter_mut().for_each(|(is_known, _)| *is_known = false);
    }

    /// Where a seat's tick goes before it is added.
    pub(super) fn place(&mut self, seat: usize, rate: Rate) -> &mut [i16] {
        let layers = self.said.get_mut(seat);
        let place = layers.and_then(|layers| layers.get_mut(layer(rate)));
        place.and_then(|place| place.get_mut(..rate.per_tick())).unwrap_or_default()
    }

    /// Takes what a seat says to the rates that others hear, and adds it to the sums if it says it
    /// to all.
    pub(super) fn add(&mut self, at: usize, seat: &mut Seat, to_all: bool) {
        let Some(layers) = self.said.get_mut(at) else { return };
        let from = layer(seat.rate);
        for (to, lift) in seat.lifts.iter_mut().enumerate() {
            if let Some(lift) = lift
                && let Ok([source, target]) = layers.get_disjoint_mut([from, to])
            {
                let source = source.get(..seat.rate.per_tick()).unwrap_or_default();
                lift.process(source, target);
            }
        }
        if !to_all {
            return;
        }
        for (n, (said, sum)) in layers.iter().zip(&mut self.sums).enumerate() {
            if n == from || seat.lifts.get(n).is_some_and(Option::is_some) {
                let length = RATES.get(n).map_or(0, |rate| rate.per_tick());
                let pairs = sum.iter_mut().zip(said).take(length);
                pairs.for_each(|(sum, said)| *sum += i32::from(*said));
            }
        }
    }

    /// What everybody hears who adds nothing to it and has no coach.
    pub(super) fn whole(&mut self, rate: Rate) -> &[i16] {
        let n = layer(rate);
        let (Some((is_known, whole)), Some(sum)) = (self.whole.get_mut(n), self.sums.get(n)) else {
            return &[];
        };
        if !std::mem::replace(is_known, true) {
            limit_all(sum.get(..rate.per_tick()).unwrap_or_default(), whole);
        }
        whole.get(..rate.per_tick()).unwrap_or_default()
    }

    /// The same in codes.
    pub(super) fn whole_in_codes(&mut self, law: G711) -> &[u8] {
        let n = usize::from(law == G711::Pcma);
        if self.codes.get(n).is_some_and(|(is_known, _)| !is_known) {
            let mut codes = [law.silence(); CODES_PER_TICK];
            let whole = self.whole(Rate::Narrow);
            codes.iter_mut().zip(whole).for_each(|(code, sample)| *code = law.encode(*sample));
            if let Some(place) = self.codes.get_mut(n) {
                *place = (true, codes);
            }
        }
        self.codes.get(n).map_or(&[], |(_, codes)| codes.as_slice())
    }

    /// What one seat hears that adds to the sum itself, or that others say something to alone:
    /// `less` is itself, `besides` are its coaches.
    pub(super) fn for_one(
        &mut self,
        rate: Rate,
        less: Option<usize>,
        besides: impl Iterator<Item = usize>,
    ) -> &[i16] {
        let (n, length) = (layer(rate), rate.per_tick());
        let Self { said, sums, own, mixed, .. } = self;
        let of = |seat: usize| said.get(seat).and_then(|layers| layers.get(n));
        let own = own.get_mut(..length).unwrap_or_default();
        let sum = sums.get(n).map(|sum| sum.as_slice()).unwrap_or_default();
        match less.and_then(of) {
            Some(said) => {
                let parts = own.iter_mut().zip(sum).zip(said);
                parts.for_each(|((own, sum), said)| *own = sum - i32::from(*said));
            }
            None => own.iter_mut().zip(sum).for_each(|(own, sum)| *own = *sum),
        }
        for said in besides.filter_map(of) {
            own.iter_mut().zip(said).for_each(|(own, said)| *own += i32::from(*said));
        }
        limit_all(own, mixed);
        mixed.get(..length).unwrap_or_default()
    }
}

fn limit_all(sums: &[i32], out: &mut [i16]) {
    // Nearly always they are quiet: as if they were, many at a time, and looked at in passing.
    let mut bent = false;
    for (out, sum) in out.iter_mut().zip(sums) {
        // What is cut off here is bent as well.
        *out = (*sum).clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16;
        bent |= is_bent(*out);
    }
    if bent {
        out.iter_mut().zip(sums).for_each(|(out, sum)| *out = limit(*sum));
    }
}

#[cfg(test)]
mod tests {
    use base::Rng;

    use super::*;

    #[test]
    fn sums_of_any_loudness_are_limited_as_each_is_by_itself() {
        let mut rng = Rng::from_seed(9);
        for loudest in [100, 24_999, 25_000, 25_001, 40_000, 70_000, 2_000_000] {
            for length in [0, 1, 7, 160, 161, MAX_PER_TICK] {
                let mut sums: Vec<i32> = (0..length)
                    .map(|_| rng.below(2 * loudest + 1) as i32 - loudest as i32)
                    .collect();
                // One alone at either end.
                if let Some(last) = sums.last_mut() {
                    *last = -(loudest as i32);
                }
                let mut limited = vec![0; length];
                limit_all(&sums, &mut limited);
                let each: Vec<i16> = sums.iter().map(|sum| limit(*sum)).collect();
                assert_eq!(limited, each, "{loudest}, {length} samples");
            }
        }
    }

    #[test]
    fn one_hears_the_sum_less_itself_and_its_coaches_besides() {
        let mut desk = Desk::default();
        desk.make_room(3);
        let length = Rate::Narrow.per_tick();
        for seat in 0..3 {
            desk.place(seat, Rate::Narrow).fill(100 << (4 * seat) as i16);
        }
        desk.sums[0][..length].fill(100 + 1600);
        let mut hears = |less, besides: &[usize]| {
            let heard = desk.for_one(Rate::Narrow, less, besides.iter().copied());
            assert!(heard.len() == length && heard.iter().all(|sample| *sample == heard[0]));
            heard[0]
        };
        assert_eq!(hears(Some(0), &[]), 1600);
        assert_eq!(hears(Some(1), &[2]), limit(100 + 25_600));
        assert_eq!(hears(None, &[2, 2]), limit(1700 + 51_200));
        assert_eq!(hears(None, &[]), 1700);
    }
}
