//! A tick of one stream: what its far end said goes to who hears it in another codec, and what plays
//! goes to its far end.

use base::Instant;

use super::feed::Feed;
use super::mixing::stream_at;
use super::play::Played;
use super::stillness::Sound;
use super::stream::Stream;
use super::ticks::{TICK, Ticker};
use super::{CATCH_UP, Plane, ROOM, late_ticks};
use crate::ear::Heard;
use crate::{Batch, Event, PlayId, Slot};

/// Ticks of an ear that are said at once when packets are to be relayed again.
const AT_ONCE: usize = 3;

impl Plane {
    /// Lets all tickers of a phase do what is due. Stops short when the batch is full; what was not
    /// reached is still due then.
    pub(super) fn tick(&mut self, now: Instant, phase: u8, out: &mut Batch) {
        for place in (0..self.ticks.count(phase)).rev() {
            let done = match self.ticks.ticker(phase, place) {
                None => true,
                Some(Ticker::Stream(index)) => self.tick_stream(now, index, out),
                Some(Ticker::Mix(index)) => self.tick_mix(now, index, out),
            };
            self.finish(now);
            if !done {
                return;
            }
        }
        self.ticks.done(phase, now);
    }

    /// All ticks of a stream that are due. False when the batch became full.
    fn tick_stream(&mut self, now: Instant, index: u32, out: &mut Batch) -> bool {
        loop {
            if out.room() < ROOM {
                return false;
            }
            let place = self.streams.get_mut(index as usize);
            let Some(stream) = place.and_then(|place| place.stream.as_mut()) else { return true };
            stream.rare.next_tick += TICK * late_ticks(now, stream.rare.next_tick, CATCH_UP);
            let due = stream.rare.next_tick;
            if due > now || stream.rare.place.is_none() {
                return true;
            }
            stream.rare.next_tick = due + TICK;
            let slot = stream.slot;
            if stream.is_heard() {
                self.convert(now, due, slot, out);
            }
            let Self { streams, scratch, payload, captures, .. } = self;
            let Some(stream) = stream_at(streams, slot) else { return true };
            if stream.playing.is_some() {
                let played = stream.play_tick(due, scratch, payload);
                stream.send_said(now, payload, captures, out);
                if let Played::Over(play) = played {
                    // Nothing was said: what comes next may still say something in this tick.
                    stream.rare.next_tick = due;
                    self.finished.push((slot, play));
                    return true;
                }
            }
        }
    }

    /// What a far end said in this tick, to those who hear it in another codec. Where packets are to
    /// be relayed again, what waits in the ear is said first, faster than it is heard otherwise.
    fn convert(&mut self, now: Instant, due: Instant, slot: Slot, out: &mut Batch) {
        for n in 0..AT_ONCE {
            let Self { streams, scratch, payload, captures, events, .. } = self;
            let Some(hearers) = stream_at(streams, slot).map(|stream| stream.hearers()) else {
                return;
            };
            let ending = hearers.into_iter().flatten().any(|to| {
                let feed = stream_at(streams, to).map(|other| other.feed);
                feed == Some(Feed::Convert { of: slot, ending: true })
            });
            let Some(stream) = stream_at(streams, slot) else { return };
            let masked = stream.needs_samples();
            let Some(voice) = stream.voice.as_mut() else { return };
            let Some(rate) = voice.ear.as_ref().map(|ear| ear.rate()) else { return };
            let heard = scratch.get_mut(..rate.per_tick()).unwrap_or_default();
            let (kind, there) = if ending {
                (Heard::Speech, voice.drain(heard))
            } else {
                (voice.hear(due, heard), heard.len())
            };
            let begun = voice.begun;
            if let Some(heard) = scratch.get(..there) {
                stream.watch(heard, events);
            }
            if !begun && !masked {
                return;
            }
            let heard = scratch.get_mut(..rate.per_tick()).unwrap_or_default();
            let ends = ending && there < heard.len();
            let heard = heard.get(..there).unwrap_or_default();
            for to in hearers.into_iter().flatten() {
                if let Some(other) = stream_at(streams, to) {
                    let is_steady = other.feed == (Feed::Convert { of: slot, ending: false });
                    if !is_steady || !other.hush(due, kind, heard) {
                        other.hear_converted(due + TICK * n as u32, slot, heard, ends);
                    }
                    other.send_said(now, payload, captures, out);
                    other.end_converting(now, slot, ends);
                }
            }
            let sound = Sound::of_samples(kind, heard);
            self.note_decoded(now, slot, kind, sound);
            if ends {
                let company = self.company(slot);
                self.arrange(now, &company);
            }
            if !ending || ends {
                return;
            }
        }
    }

    /// Tells what has been played out.
    fn finish(&mut self, now: Instant) {
        while let Some((slot, play)) = self.finished.pop() {
            self.end_play(now, slot, play);
        }
    }

    fn end_play(&mut self, now: Instant, slot: Slot, play: PlayId) {
        let Some(stream) = self.stream_mut(slot) else { return };
        if stream.playing.as_ref().is_none_or(|playing| playing.play != play) {
            return;
        }
        stream.playing = None;
        stream.egress.change_feed();
        let id = stream.id;
        self.events.push_back(Event::PlayFinished { stream: id, play });
        let company = self.company(slot);
        self.arrange(now, &company);
    }
}

impl Stream {
    fn hearers(&self) -> [Option<Slot>; 2] {
        self.voice.as_ref().map_or([None; 2], |voice| voice.hearers)
    }

    /// Says what was heard of another far end, unless something plays.
    fn hear_converted(&mut self, due: Instant, from: Slot, heard: &[i16], last: bool) {
        let Feed::Convert { of, ending } = self.feed else { return };
        if of != from || self.playing.is_some() {
            return;
        }
        if let Some(mouth) = self.mouth() {
            mouth.say(due, heard);
            if ending && last {
                mouth.flush();
            }
        }
    }

    /// From now on its packets are relayed, if that was waited for.
    fn end_converting(&mut self, now: Instant, from: Slot, last: bool) {
        if last && self.feed == (Feed::Convert { of: from, ending: true }) {
            self.feed = Feed::Relay(from);
            if self.playing.is_none() {
                self.egress.reroute(now);
            }
        }
    }
}
