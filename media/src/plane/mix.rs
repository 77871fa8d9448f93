//! One mix: its seats, the rates they hear and speak at, and the desk where a tick is mixed.

use base::Instant;

use super::talker::Talker;
use super::ticks::Place;
use crate::pcm::Rate;
use crate::resample::Resampler;
use crate::{Member, MixId, Role, Slot};

/// From so many sources on only those that talk are mixed.
pub(super) const MANY: usize = 4;
pub(super) const RATES: [Rate; 3] = [Rate::Narrow, Rate::Wide, Rate::Full];

pub(super) struct Mix {
    pub(super) id: MixId,
    pub(super) seats: Vec<Seat>,
    /// Where it ticks, unless a bridge does.
    pub(super) place: Option<Place>,
    pub(super) next_tick: Instant,
    /// The tick is mixed, and the seats from this one on have not been sent theirs yet.
    pub(super) unsent: Option<usize>,
    /// Ticks in which somebody talked to all, in milliseconds.
    pub(super) spoken_ms: u32,
}

/// A member's seat.
pub(super) struct Seat {
    pub(super) member: Member,
    pub(super) slot: Slot,
    /// What it is heard at, and what it hears.
    pub(super) rate: Rate,
    pub(super) talker: Talker,
    /// To the other rates that somebody hears, in the order of [`RATES`].
    pub(super) lifts: [Option<Box<Resampler>>; 3],
    /// Whom it coaches, by the seat.
    pub(super) coaches: Option<usize>,
    /// Its sound of this tick is in the sum, or is what a coach says to one.
    pub(super) is_present: bool,
    /// And it is no mere noise in place of a silence.
    pub(super) sounds: bool,
    /// And it is loud enough for speech to all.
    pub(super) speaks: bool,
}

impl Seat {
    pub(super) fn new(member: Member, slot: Slot) -> Self {
        Self {
            member,
            slot,
            rate: Rate::Narrow,
            talker: Talker::default(),
            lifts: [const { None }; 3],
            coaches: None,
            is_present: false,
            sounds: false,
            speaks: false,
        }
    }

    /// Whether it speaks to all, if it may speak.
    pub(super) fn is_party(&self) -> bool {
        self.member.role == Role::Party
    }

    /// Whether anybody could hear it.
    pub(super) fn is_source(&self) -> bool {
        !self.member.muted
            && match self.member.role {
                Role::Party => true,
                Role::Listener => false,
                Role::Coach { .. } => self.coaches.is_some(),
            }
    }
}

impl Mix {
    pub(super) fn new(id: MixId) -> Self {
        Self {
            id,
            seats: Vec::new(),
            place: None,
            next_tick: Instant::ZERO,
            unsent: None,
            spoken_ms: 0,
        }
    }

    /// The two streams of a mix that is no more than a bridge.
    pub(super) fn pair(&self) -> Option<[Slot; 2]> {
        let [one, other] = self.seats.as_slice() else { return None };
        let plain = |seat: &Seat| seat.member.role == Role::Party && !seat.member.muted;
        (plain(one) && plain(other)).then_some([one.slot, other.slot])
    }

    pub(super) fn seat(&self, slot: Slot) -> Option<&Seat> {
        self.seats.iter().find(|seat| seat.slot == slot)
    }

    /// Settles who coaches whom, and at what rate each seat is heard: no higher than its own codec
    /// and the best of the others carry. `natural` tells a codec's rate.
    pub(super) fn settle(&mut self, natural: impl Fn(Slot) -> Rate) {
        let best = |n: usize| {
            let others = self.seats.iter().enumerate().filter(|(other, _)| *other != n);
            others.map(|(_, seat)| natural(seat.slot)).max().unwrap_or(Rate::Narrow)
        };
        let rates: Vec<Rate> = self
            .seats
            .iter()
            .enumerate()
            .map(|(n, seat)| natural(seat.slot).min(best(n)))
            .collect();
        let ids: Vec<_> = self.seats.iter().map(|seat| seat.member.stream).collect();
        for (seat, rate) in self.seats.iter_mut().zip(&rates) {
            if seat.rate != *rate {
                seat.lifts = [const { None }; 3];
            }
            seat.rate = *rate;
            seat.coaches = match seat.member.role {
                Role::Coach { of } if of != seat.member.stream => {
                    ids.iter().position(|id| *id == of)
                }
                _ => None,
            };
            for (other, lift) in RATES.into_iter().zip(&mut seat.lifts) {
                if other == *rate || !rates.contains(&other) {
                    *lift = None;
                } else if lift.is_none() {
                    *lift = Some(Box::new(Resampler::new(*rate, other)));
                }
            }
        }
    }
}
