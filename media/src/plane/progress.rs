//! Listening to how a call that goes out comes along: the stream's ear hears, whoever else does.

use base::{Duration, Instant};

use super::stream::Stream;
use super::{MAX_WAITING, Plane};
use crate::pcm::Rate;
use crate::progress::{Listener, Listening, Verdict};
use crate::{Event, Resampler, StreamId};

/// Samples of a tick of the listener.
const TICK: usize = Rate::Narrow.per_tick();
/// Verdicts that one tick can bring.
const MOST: usize = 8;

/// Who listens to a stream's far end.
pub(super) struct Watched {
    listener: Listener,
    /// From the ear's rate, where that is another.
    resampler: Option<(Rate, Resampler)>,
    /// What is no whole tick yet; room for a tick more.
    samples: [i16; 2 * TICK],
    filled: usize,
}

impl Watched {
    fn new(listening: &Listening) -> Box<Self> {
        let listener = Listener::new(listening);
        Box::new(Self { listener, resampler: None, samples: [0; 2 * TICK], filled: 0 })
    }

    /// The ear will hear at that rate.
    pub(super) fn tune(&mut self, rate: Rate) {
        if rate == Rate::Narrow {
            self.resampler = None;
        } else if self.resampler.as_ref().is_none_or(|(known, _)| *known != rate) {
            self.resampler = Some((rate, Resampler::new(rate, Rate::Narrow)));
        }
    }

    /// What the ear has heard: a tick of it, or less.
    fn hear(&mut self, heard: &[i16], tell: &mut impl FnMut(Verdict, Duration)) {
        let Some(room) = self.samples.get_mut(self.filled..) else { return };
        self.filled += match &mut self.resampler {
            Some((_, resampler)) => resampler.process(heard, room),
            None => {
                let count = heard.len().min(room.len());
                room.iter_mut().zip(heard).for_each(|(to, from)| *to = *from);
                count
            }
        };
        while self.filled >= TICK {
            let Self { listener, samples, .. } = self;
            let tick = samples.get(..TICK).unwrap_or_default();
            let mut told = [None; MOST];
            listener.hear(tick, &mut |verdict| {
                if let Some(place) = told.iter_mut().find(|place| place.is_none()) {
                    *place = Some(verdict);
                }
            });
            let age = listener.age();
            told.into_iter().flatten().for_each(|verdict| tell(verdict, age));
            self.samples.copy_within(TICK.., 0);
            self.filled -= TICK;
        }
    }
}

impl Plane {
    pub(super) fn listen(&mut self, now: Instant, id: StreamId, listening: Option<&Listening>) {
        let Some(stream) = self.by_id_mut(id) else { return };
        stream.rare.watched = listening.map(Watched::new);
        stream.is_watched = stream.rare.watched.is_some();
        let slot = stream.slot;
        let company = self.company(slot);
        self.arrange(now, &company);
    }
}

impl Stream {
    /// Whether its ear is to hear though nobody may be joined with it.
    pub(super) fn is_watched(&self) -> bool {
        self.is_watched
    }

    /// Whether somebody hears its ear outside of a mix.
    pub(super) fn is_heard(&self) -> bool {
        let joined = |voice: &super::voice::Voice| voice.hearers.iter().any(Option::is_some);
        self.is_watched() || self.voice.as_ref().is_some_and(|voice| joined(voice))
    }

    /// What its ear has heard, to who listens.
    pub(super) fn watch(&mut self, heard: &[i16], events: &mut std::collections::VecDeque<Event>) {
        if !self.is_watched {
            return;
        }
        let stream = self.id;
        let Some(watched) = &mut self.rare.watched else { return };
        watched.hear(heard, &mut |verdict, after| {
            if events.len() < MAX_WAITING {
                events.push_back(Event::Progress { stream, verdict, after });
            }
        });
    }
}
