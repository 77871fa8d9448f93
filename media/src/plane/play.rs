//! Playing prompts and music: exact to the sample, 20 ms a packet, loops without a gap.

use base::{Duration, Instant};

use super::reel::Reel;
use super::stream::Playing;
use super::ticks::TICK;
use super::{Plane, ROOM};
use crate::{Batch, Event, PlayId, Port, Slot, StreamId, secure};

/// Samples of a packet.
const SAMPLES: usize = 160;
/// Lateness of the driver up to which packets are caught up; beyond, they are left out.
const CATCH_UP: Duration = Duration::from_millis(100);

/// What a tick of a stream came to.
enum Ticked {
    Goes,
    Finished(PlayId),
}

impl Plane {
    pub(super) fn play(&mut self, now: Instant, id: StreamId, play: PlayId, reel: Reel) {
        let Some(&slot) = self.by_id.get(&id) else { return };
        let Some(place) = self.streams.get_mut(slot.index as usize) else { return };
        let Some(stream) = place.stream.as_mut() else { return };
        stream.egress.change_feed();
        if let Some(playing) = &mut stream.playing {
            // It goes on at the next tick of what it replaces.
            *playing = Playing { play, reel, place: playing.place };
            return;
        }
        let previous = stream.rare.next_tick;
        let place = if now < previous + TICK && previous != Instant::ZERO {
            // What played has only just finished: no tick is left out.
            self.ticks.add_at(previous, slot.index)
        } else {
            let (place, due) = self.ticks.add(now, slot.index);
            stream.rare.next_tick = due;
            place
        };
        stream.playing = Some(Playing { play, reel, place });
    }

    pub(super) fn stop_playing(&mut self, id: StreamId) {
        if let Some(&slot) = self.by_id.get(&id) {
            self.stop_ticking(slot);
        }
    }

    pub(super) fn stop_ticking(&mut self, slot: Slot) {
        let Some(stream) = self.stream_mut(slot) else { return };
        let Some(Playing { place, .. }) = stream.playing.take() else { return };
        let Some(moved) = self.ticks.remove(place) else { return };
        let moved = self.streams.get_mut(moved as usize).and_then(|p| p.stream.as_mut());
        if let Some(playing) = moved.and_then(|stream| stream.playing.as_mut()) {
            playing.place = place;
        }
    }

    /// Lets all streams of a phase play what is due. Stops short when the batch is full; what was
    /// not reached is still due then.
    pub(super) fn tick(&mut self, now: Instant, phase: u8, out: &mut Batch) {
        for place in (0..self.ticks.load(phase)).rev() {
            let Some(index) = self.ticks.stream(phase, place) else { continue };
            loop {
                if out.room() < ROOM {
                    return;
                }
                match self.tick_stream(now, index, out) {
                    None => break,
                    Some(Ticked::Goes) => {}
                    Some(Ticked::Finished(play)) => {
                        self.finish(index, play);
                        break;
                    }
                }
            }
        }
        self.ticks.done(phase, now);
    }

    fn finish(&mut self, index: u32, play: PlayId) {
        let place = self.streams.get(index as usize);
        let Some(stream) = place.and_then(|place| place.stream.as_ref()) else { return };
        let (slot, id) = (stream.slot, stream.id);
        self.stop_ticking(slot);
        self.events.push_back(Event::PlayFinished { stream: id, play });
    }

    /// One packet of one stream, if it is due.
    fn tick_stream(&mut self, now: Instant, index: u32, out: &mut Batch) -> Option<Ticked> {
        let place = self.streams.get_mut(index as usize)?;
        let stream = place.stream.as_mut()?;
        let late = now.since(stream.rare.next_tick);
        if late > CATCH_UP {
            let ticks = late.as_nanos() / TICK.as_nanos();
            stream.rare.next_tick += TICK * u32::try_from(ticks).unwrap_or(u32::MAX);
        }
        let due = stream.rare.next_tick;
        if due > now {
            return None;
        }
        let target = stream.rtp_target();
        let playing = stream.playing.as_mut()?;
        let Some(remote) = stream.remote.filter(|_| stream.open) else {
            // Nobody can hear it yet: it waits at its first sample.
            stream.rare.next_tick = due + TICK;
            return Some(Ticked::Goes);
        };
        if playing.reel.is_over() {
            return Some(Ticked::Finished(playing.play));
        }
        stream.rare.next_tick = due + TICK;
        let Some(target) = target else {
            playing.reel.skip(SAMPLES);
            stream.egress.change_feed();
            return Some(Ticked::Goes);
        };
        if stream.keys.is_pressing() {
            playing.reel.skip(SAMPLES);
            return Some(Ticked::Goes);
        }
        let Some(law) = remote.codec.law() else { return Some(Ticked::Goes) };
        let header = stream.egress.stamp_prompt(due, SAMPLES as u32, remote.payload_type);
        let secure = stream.secure.as_deref_mut();
        let sent = out.push_with(stream.slot, Port::Rtp, target, |into| {
            let start = into.len();
            into.extend_from_slice(&header.to_bytes());
            playing.reel.read_codes(law, SAMPLES, into);
            secure::seal_rtp(secure, into, start)
        });
        if sent {
            stream.egress.count(SAMPLES);
        }
        Some(Ticked::Goes)
    }
}
