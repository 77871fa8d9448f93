//! A tick of a mix: all are heard, mixed and spoken to; then what fills packets is sent.

use std::collections::VecDeque;

use base::Instant;

use super::desk::Desk;
use super::mix::{MANY, Mix, Seat};
use super::play::Played;
use super::stillness::LOUD_IN_MIX;
use super::stream::Stream;
use super::talker::{Presence, power};
use super::ticks::{TICK, TICK_MS};
use super::{CATCH_UP, MAX_WAITING, Place, Plane, ROOM, late_ticks};
use crate::ear::Heard;
use crate::{Batch, Event, Slot};

impl Plane {
    /// All ticks of a mix that are due. False when the batch became full: call again.
    pub(super) fn tick_mix(&mut self, now: Instant, index: u32, out: &mut Batch) -> bool {
        loop {
            let Some(mix) = self.mixes.get_mut(index) else { return true };
            if mix.unsent.is_none() {
                mix.next_tick += TICK * late_ticks(now, mix.next_tick, CATCH_UP);
                if mix.next_tick > now {
                    return true;
                }
                self.mix_tick(index);
            }
            if !self.send_mixed(now, index, out) {
                return false;
            }
        }
    }

    /// Hears, mixes and speaks one tick.
    fn mix_tick(&mut self, index: u32) {
        let Self { mixes, streams, desk, events, .. } = self;
        let Some(mix) = mixes.get_mut(index) else { return };
        let due = mix.next_tick;
        desk.begin(&mix.seats);
        let sources = mix.seats.iter().filter(|seat| seat.is_source()).count();
        let mut is_spoken = false;
        for (n, seat) in mix.seats.iter_mut().enumerate() {
            let Some(stream) = stream_at(streams, seat.slot) else { continue };
            let told = hear(desk, n, seat, (stream, events), due, sources >= MANY);
            is_spoken |= seat.speaks;
            if seat.is_source() {
                stream.watch(desk.place(n, seat.rate), events);
            }
            if let Some(talking) = told
                && events.len() < MAX_WAITING
            {
                events.push_back(Event::Talking { stream: stream.id, talking });
            }
            let copy =
                stream.voice.as_ref().and_then(|voice| voice.hearers.iter().flatten().next());
            if let Some(copy) = copy.copied() {
                let heard = desk.place(n, seat.rate);
                say_copy(streams, copy, due, heard);
            }
        }
        if is_spoken {
            mix.spoken_ms = mix.spoken_ms.wrapping_add(TICK_MS);
            let parties = mix.seats.iter().filter(|seat| seat.is_source() && seat.is_party());
            for seat in parties {
                if let Some(stream) = stream_at(streams, seat.slot) {
                    stream.note_spoken_to_in(due, (index, mix.spoken_ms), events);
                }
            }
        }
        self.speak_mixed(index, due);
    }

    /// Says the tick to every seat.
    fn speak_mixed(&mut self, index: u32, due: Instant) {
        let Self { mixes, streams, desk, scratch, payload, .. } = self;
        let Some(mix) = mixes.get_mut(index) else { return };
        for n in 0..mix.seats.len() {
            let Some(slot) = mix.seats.get(n).map(|seat| seat.slot) else { continue };
            let awaited = stream_at(streams, slot)
                .filter(|stream| stream.is_awaiting)
                .and_then(|stream| stream.rare.awaits);
            let begun = awaited.is_none_or(|(from, until)| {
                let voice = stream_at(streams, from).and_then(|from| from.voice.as_ref());
                due >= until || voice.is_some_and(|voice| voice.begun)
            });
            let Some(stream) = stream_at(streams, slot) else { continue };
            if stream.playing.is_some() {
                if let Played::Over(play) = stream.play_tick(due, scratch, payload) {
                    self.finished.push((slot, play));
                }
            } else if begun {
                stream.is_awaiting = false;
                speak_to(desk, mix, n, stream, due);
            }
        }
        mix.next_tick = due + TICK;
        mix.unsent = Some(0);
    }

    /// Sends what the members' mouths have ready.
    fn send_mixed(&mut self, now: Instant, index: u32, out: &mut Batch) -> bool {
        let Self { mixes, streams, payload, captures, .. } = self;
        let Some(mix) = mixes.get_mut(index) else { return true };
        let from = mix.unsent.unwrap_or(0);
        for (n, seat) in mix.seats.iter().enumerate().skip(from) {
            if out.room() < ROOM {
                mix.unsent = Some(n);
                return false;
            }
            let Some(stream) = stream_at(streams, seat.slot) else { continue };
            stream.send_said(now, payload, captures, out);
            let copy =
                stream.voice.as_ref().and_then(|voice| voice.hearers.iter().flatten().next());
            if let Some(copy) = copy.copied().and_then(|copy| stream_at(streams, copy)) {
                copy.send_said(now, payload, captures, out);
            }
        }
        mix.unsent = None;
        true
    }
}

pub(super) fn stream_at(streams: &mut [Place], slot: Slot) -> Option<&mut Stream> {
    let place = streams.get_mut(slot.index as usize)?;
    if place.generation == slot.generation { place.stream.as_mut() } else { None }
}

/// Hears a seat's far end, and adds it to the mix if it is present. What is to be told of it.
fn hear(
    desk: &mut Desk,
    n: usize,
    seat: &mut Seat,
    (stream, events): (&mut Stream, &mut VecDeque<Event>),
    due: Instant,
    many: bool,
) -> Option<bool> {
    (seat.is_present, seat.sounds, seat.speaks) = (false, false, false);
    let source = seat.is_source();
    let place = desk.place(n, seat.rate);
    let heard = match &mut stream.voice {
        Some(voice) => voice.hear(due, place),
        None => Heard::Silence,
    };
    if !source {
        return seat.talker.hush().then_some(false);
    }
    let loudness = if heard == Heard::Silence { 0 } else { power(place) };
    let (presence, told) = if heard == Heard::Noise {
        seat.talker.hear_noise(loudness)
    } else {
        seat.talker.hear(loudness)
    };
    if many {
        fade(place, presence);
    }
    seat.is_present = loudness > 0 && (!many || presence != Presence::Away);
    seat.sounds = seat.is_present && matches!(heard, Heard::Speech | Heard::Concealed);
    seat.speaks = seat.sounds && seat.is_party() && loudness > LOUD_IN_MIX;
    stream.note_mixed(heard, loudness, events);
    if seat.is_present {
        desk.add(n, seat, seat.is_party());
    }
    told
}

/// Speech begins and ends without a click.
fn fade(samples: &mut [i16], presence: Presence) {
    let (length, rises) = match presence {
        Presence::Begins => (samples.len() / 8, true),
        Presence::Ends => (samples.len(), false),
        Presence::Away | Presence::Talks => return,
    };
    let whole = length.max(1) as i32;
    for (n, sample) in samples.iter_mut().take(length).enumerate() {
        let part = if rises { n as i32 } else { whole - n as i32 };
        *sample = (i32::from(*sample) * part / whole) as i16;
    }
}

/// Says to a member what its seat hears.
fn speak_to(desk: &mut Desk, mix: &Mix, n: usize, stream: &mut Stream, due: Instant) {
    let Some(seat) = mix.seats.get(n) else { return };
    let coaches = || {
        let coaches = |coach: &Seat| coach.is_present && coach.coaches == Some(n);
        let seats = mix.seats.iter().enumerate();
        seats.filter(move |(_, coach)| coaches(coach)).map(|(at, _)| at)
    };
    let adds = seat.is_present && seat.is_party();
    if stream.takes_noise() {
        // Its noise is its own to make while nobody says anything to it.
        let says = |(at, other): (usize, &Seat)| {
            at != n && other.sounds && (other.is_party() || other.coaches == Some(n))
        };
        let says = mix.seats.iter().enumerate().any(says);
        let heard = if says { Heard::Speech } else { Heard::Noise };
        let alone = desk.for_one(seat.rate, adds.then_some(n), coaches());
        if stream.hush(due, heard, alone) {
            return;
        }
    }
    let Some(mouth) = stream.mouth() else { return };
    if adds || coaches().next().is_some() {
        return mouth.say(due, desk.for_one(seat.rate, adds.then_some(n), coaches()));
    }
    match mouth.law() {
        Some(law) => mouth.say_codes(due, desk.whole_in_codes(law)),
        None => mouth.say(due, desk.whole(seat.rate)),
    }
}

/// A copy of a member goes to somebody outside.
fn say_copy(streams: &mut [Place], to: Slot, due: Instant, heard: &[i16]) {
    let Some(stream) = stream_at(streams, to) else { return };
    if stream.playing.is_none()
        && let Some(mouth) = stream.mouth()
    {
        mouth.say(due, heard);
    }
}
