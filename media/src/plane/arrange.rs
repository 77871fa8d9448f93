//! How everybody concerned by an order is heard: the way of each direction, ears, mouths, ticks.

use base::Instant;

use super::Plane;
use super::feed::{self, Choice, Feed, Joint, Source};
use super::ticks::{TICK, Ticker};
use crate::codec::Glance;
use crate::pcm::Rate;
use crate::{RemoteMedia, Slot};

impl Plane {
    /// Sees to it that all these streams are heard as they are joined. Call it with the whole
    /// company of whatever has changed. It may allocate; what it makes lasts until the next order.
    pub(super) fn arrange(&mut self, now: Instant, touched: &[Slot]) {
        let mut mixes: Vec<u32> = touched.iter().filter_map(|slot| self.mix_index(*slot)).collect();
        mixes.sort_unstable();
        mixes.dedup();
        for mix in &mixes {
            self.settle_mix(*mix);
        }
        for slot in touched {
            if let Some(choice) = self.choose(*slot)
                && let Some(stream) = self.stream_mut(*slot)
            {
                stream.choose_feed(now, choice);
            }
        }
        for slot in touched {
            self.settle_ear(*slot);
        }
        for slot in touched {
            self.settle_mouth(*slot);
        }
        for mix in mixes {
            self.settle_mix_ticks(now, mix);
        }
        for slot in touched {
            self.settle_ticks(now, *slot);
        }
    }

    /// The mix a stream is in, also if that is no more than a bridge.
    pub(super) fn mix_index(&self, slot: Slot) -> Option<u32> {
        match self.stream(slot)?.joint {
            Joint::Mix(mix) => Some(mix),
            _ => None,
        }
    }

    /// The true mix a stream is in.
    pub(super) fn true_mix(&self, slot: Slot) -> Option<u32> {
        let index = self.mix_index(slot)?;
        self.mixes.get(index)?.pair().is_none().then_some(index)
    }

    /// The other side of a stream's bridge, or of a mix that is no more than one.
    fn bridged_with(&self, slot: Slot) -> Option<Slot> {
        match self.stream(slot)?.joint {
            Joint::Alone => None,
            Joint::Bridge(peer) => Some(peer),
            Joint::Mix(mix) => {
                let pair = self.mixes.get(mix)?.pair()?;
                pair.into_iter().find(|other| *other != slot)
            }
        }
    }

    fn source(&self, slot: Slot) -> Source {
        let Some(stream) = self.stream(slot) else { return Source::Nobody };
        let peer = stream.rare.copy_of.or_else(|| self.bridged_with(slot));
        match (peer, stream.joint) {
            (Some(peer), _) => Source::Stream(peer),
            (None, Joint::Mix(_)) => Source::Mix,
            (None, _) => Source::Nobody,
        }
    }

    fn choose(&self, slot: Slot) -> Option<Choice> {
        let stream = self.stream(slot)?;
        let source = self.source(slot);
        let mut choice = Choice { source, relayable: true, goes_on: false, still_heard: false };
        if let Source::Stream(from) = source
            && let Some(from) = self.stream(from)
        {
            choice.goes_on = from.voice.as_ref().is_some_and(|voice| voice.goes_on());
            if let (Some(theirs), Some(ours)) = (&from.remote, &stream.remote) {
                let theirs = (theirs, from.longest, from.sends_noise);
                choice.relayable = !from.needs_samples() && feed::is_relayable(theirs, ours);
            }
        }
        if let (Source::Mix, Feed::Relay(from), Joint::Mix(mix)) =
            (source, stream.feed, stream.joint)
        {
            let seat = self.mixes.get(mix).and_then(|mix| mix.seat(from));
            choice.still_heard = seat.is_some_and(|seat| seat.member.is_heard_by(stream.id));
        }
        Some(choice)
    }

    /// Who relays the stream's packets, who hears its ear, and at what rate.
    fn settle_ear(&mut self, slot: Slot) {
        let peer = self.bridged_with(slot);
        let Some(stream) = self.stream(slot) else { return };
        let candidates = [peer, stream.rare.copy_to];
        let mut relays = [None; 2];
        let mut hearers = [None; 2];
        let mut rate = self.true_mix(slot).and_then(|mix| {
            let seat = self.mixes.get(mix)?.seat(slot)?;
            seat.is_source().then_some(seat.rate)
        });
        let mixed = rate.is_some();
        for ((to, relay), hearer) in candidates.into_iter().zip(&mut relays).zip(&mut hearers) {
            let Some(other) = to.and_then(|to| self.stream(to)) else { continue };
            match other.feed {
                Feed::Relay(from) if from == slot => *relay = to,
                Feed::Convert { of, .. } if of == slot => {
                    *hearer = to;
                    if let (Some(ours), Some(theirs), false) =
                        (&stream.remote, &other.remote, mixed)
                    {
                        rate = rate.max(Some(feed::rate_between(ours, theirs)));
                    }
                }
                _ => {}
            }
        }
        if !mixed && stream.is_watched() {
            rate = rate.max(Some(Rate::Narrow));
        }
        self.set_ear(slot, rate, hearers);
        if let Some(stream) = self.stream_mut(slot) {
            (stream.rare.peer, stream.relays) = (peer, relays);
            stream.settle_looks(rate.is_some());
            if stream.is_looked_at() {
                self.glance.get_or_insert_with(Glance::new);
            }
        }
    }

    fn set_ear(&mut self, slot: Slot, rate: Option<Rate>, hearers: [Option<Slot>; 2]) {
        // Who had its packets relayed until now has kept the last of them.
        let relays = self.stream(slot).map(|stream| stream.relays).unwrap_or_default();
        let mut heard = relays.into_iter().flatten();
        let keeper = heard.find(|to| self.stream(*to).is_some_and(|to| to.recent.is_some()));
        let keeper = keeper.filter(|_| rate.is_some());
        let recent = keeper.and_then(|to| self.stream_mut(to)?.recent.take());
        if let Some(stream) = self.stream_mut(slot)
            && (rate.is_some() || stream.voice.is_some())
        {
            let wanted = rate.zip(stream.remote.map(|remote| remote.codec));
            let voice = stream.voice.get_or_insert_default();
            voice.hearers = hearers;
            voice.set_ear(wanted, recent.as_deref());
            if let (Some(rate), Some(watched)) = (rate, &mut stream.rare.watched) {
                watched.tune(rate);
            }
        }
        if let Some(keeper) = keeper.and_then(|to| self.stream_mut(to)) {
            keeper.recent = recent;
        }
    }

    fn settle_mouth(&mut self, slot: Slot) {
        let Some(stream) = self.stream(slot) else { return };
        let rate = match stream.feed {
            Feed::Convert { of, .. } => {
                let voice = self.stream(of).and_then(|of| of.voice.as_ref());
                voice.and_then(|voice| voice.ear.as_ref()).map(|ear| ear.rate())
            }
            Feed::Mix => self
                .true_mix(slot)
                .and_then(|mix| self.mixes.get(mix)?.seat(slot).map(|seat| seat.rate)),
            Feed::Nothing | Feed::Relay(_) => None,
        };
        let effort = self.exertion.effort();
        let Some(stream) = self.stream_mut(slot) else { return };
        let playing = stream.plays_on().map(|playing| playing.rate());
        if playing.is_none() && stream.is_played_to() {
            // When it goes on, it begins anew in the far end's time.
            stream.egress.change_feed();
        }
        let rate = rate.or(playing.filter(|_| stream.remote.is_some()));
        if rate.is_some() || stream.voice.is_some() {
            let wanted = stream.remote.as_ref().zip(rate);
            let voice = stream.voice.get_or_insert_default();
            voice.set_mouth(wanted, stream.recent.as_deref());
            if let Some(mouth) = &mut voice.mouth {
                mouth.set_effort(effort);
            }
            if voice.is_idle() {
                stream.voice = None;
            }
        }
        if let (Some(playing), Some(rate)) = (&mut stream.playing, rate) {
            playing.tune(rate);
        }
    }

    fn settle_mix(&mut self, index: u32) {
        let Self { mixes, streams, .. } = self;
        let Some(mix) = mixes.get_mut(index) else { return };
        let remote = |slot: Slot| -> Option<&RemoteMedia> {
            streams.get(slot.index as usize)?.stream.as_ref()?.remote.as_ref()
        };
        mix.settle(|slot| remote(slot).map_or(Rate::Narrow, feed::listening_rate));
        self.desk.make_room(mix.seats.len());
    }

    /// A true mix ticks, in the phase of a member that ticked already; a bridge's streams tick
    /// themselves, and nobody ticks for an empty one.
    fn settle_mix_ticks(&mut self, now: Instant, index: u32) {
        let Some(mix) = self.mixes.get(index) else { return };
        let ticks = mix.pair().is_none() && !mix.seats.is_empty();
        let weight = mix.seats.len() as u32;
        match (mix.place, ticks) {
            (Some(place), true) => self.ticks.weigh(place, weight),
            (None, false) => {}
            (Some(_), false) => self.stop_mix(index),
            (None, true) => {
                let streams = mix.seats.iter().filter_map(|seat| self.stream(seat.slot));
                let soon = |due: &Instant| *due != Instant::ZERO && now < *due + TICK;
                let known = streams.map(|stream| stream.rare.next_tick).find(soon);
                let ticker = Ticker::Mix(index);
                let (place, due) = match known {
                    Some(due) => (self.ticks.add_at(due, ticker, weight), due),
                    None => self.ticks.add(now, ticker, weight),
                };
                if let Some(mix) = self.mixes.get_mut(index) {
                    (mix.place, mix.next_tick) = (Some(place), due);
                }
            }
        }
    }

    fn stop_mix(&mut self, index: u32) {
        let Some(mix) = self.mixes.get_mut(index) else { return };
        mix.unsent = None;
        let due = mix.next_tick;
        let Some(place) = mix.place.take() else { return };
        let slots: Vec<Slot> = mix.seats.iter().map(|seat| seat.slot).collect();
        let told: Vec<_> = mix
            .seats
            .iter_mut()
            .filter_map(|seat| seat.talker.hush().then_some(seat.member.stream))
            .collect();
        self.remove_ticker(place);
        for stream in told {
            self.events.push_back(crate::Event::Talking { stream, talking: false });
        }
        for slot in slots {
            if let Some(stream) = self.stream_mut(slot) {
                stream.rare.next_tick = due;
            }
        }
    }

    /// Ends a mix without members.
    pub(super) fn close_mix(&mut self, index: u32) {
        self.stop_mix(index);
        self.mixes.remove(index);
    }

    fn settle_ticks(&mut self, now: Instant, slot: Slot) {
        let mixed = self.true_mix(slot).is_some();
        let Some(stream) = self.stream(slot) else { return };
        let ticks = !mixed && (stream.plays_on().is_some() || stream.is_heard());
        match (stream.rare.place, ticks) {
            (Some(_), true) | (None, false) => {}
            (Some(_), false) => self.stop_ticking(slot),
            (None, true) => self.start_ticking(now, slot),
        }
    }

    /// A stream ticks on the grid it ticked on last or, if that is past, on its peer's.
    fn start_ticking(&mut self, now: Instant, slot: Slot) {
        let Some(stream) = self.stream(slot) else { return };
        let ticker = Ticker::Stream(slot.index);
        let soon = |due: &Instant| *due != Instant::ZERO && now < *due + TICK;
        let peer = stream.rare.peer.and_then(|peer| self.stream(peer));
        let peers = peer.filter(|peer| peer.rare.place.is_some()).map(|peer| peer.rare.next_tick);
        let known = Some(stream.rare.next_tick).filter(soon).or(peers.filter(soon));
        let (place, due) = match known {
            Some(due) => (self.ticks.add_at(due, ticker, 1), due),
            None => self.ticks.add(now, ticker, 1),
        };
        if let Some(stream) = self.stream_mut(slot) {
            stream.rare.place = Some(place);
            stream.rare.next_tick = due;
        }
    }

    pub(super) fn stop_ticking(&mut self, slot: Slot) {
        let place = self.stream_mut(slot).and_then(|stream| stream.rare.place.take());
        if let Some(place) = place {
            self.remove_ticker(place);
        }
    }

    /// Takes a ticker out of its phase; who takes its place is told.
    fn remove_ticker(&mut self, place: super::ticks::Place) {
        match self.ticks.remove(place) {
            None => {}
            Some(Ticker::Stream(index)) => {
                let moved = self.streams.get_mut(index as usize).and_then(|p| p.stream.as_mut());
                if let Some(stream) = moved {
                    stream.rare.place = Some(place);
                }
            }
            Some(Ticker::Mix(index)) => {
                if let Some(mix) = self.mixes.get_mut(index) {
                    mix.place = Some(place);
                }
            }
        }
    }
}
