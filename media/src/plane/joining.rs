//! Orders that join streams: bridges, mixes, copies. Whatever they change is changed at one instant,
//! and nothing that was said to few is ever heard by more.

use std::collections::HashMap;

use base::Instant;

use super::Plane;
use super::feed::Joint;
use super::mix::{Mix, Seat};
use super::stream::Stream;
use crate::{Event, MAX_MEMBERS, Member, MixId, Slot, StreamId};

/// All mixes of a plane.
#[derive(Default)]
pub(super) struct Mixes {
    slab: Vec<Option<Box<Mix>>>,
    by_id: HashMap<MixId, u32>,
}

/// Who hears a stream.
struct Audience {
    slot: Slot,
    /// It speaks to all it is joined with.
    open: bool,
    hearers: Vec<Slot>,
}

impl Mixes {
    pub(super) fn get(&self, index: u32) -> Option<&Mix> {
        self.slab.get(index as usize)?.as_deref()
    }

    pub(super) fn get_mut(&mut self, index: u32) -> Option<&mut Mix> {
        self.slab.get_mut(index as usize)?.as_deref_mut()
    }

    fn find_or_add(&mut self, id: MixId) -> u32 {
        if let Some(index) = self.by_id.get(&id) {
            return *index;
        }
        let free = self.slab.iter().position(Option::is_none);
        let index = free.unwrap_or_else(|| {
            self.slab.push(None);
            self.slab.len() - 1
        });
        if let Some(place) = self.slab.get_mut(index) {
            *place = Some(Box::new(Mix::new(id)));
        }
        self.by_id.insert(id, index as u32);
        index as u32
    }

    pub(super) fn remove(&mut self, index: u32) {
        let mix = self.slab.get_mut(index as usize).and_then(Option::take);
        if let Some(mix) = mix {
            self.by_id.remove(&mix.id);
        }
    }
}

impl Audience {
    /// What was said to this audience may be heard by that one: all of it heard it anyway, or
    /// somebody joins who spoke openly to some of it.
    fn may_become(&self, next: &Self) -> bool {
        let knows = |slot: &Slot| self.hearers.contains(slot);
        next.hearers.iter().all(knows) || (self.open && next.hearers.iter().any(knows))
    }
}

impl Plane {
    pub(super) fn bridge(&mut self, now: Instant, a: StreamId, b: StreamId) {
        let (Some(a), Some(b)) = (self.by_id.get(&a).copied(), self.by_id.get(&b).copied()) else {
            return;
        };
        if a == b {
            return;
        }
        self.rejoin(now, &[a, b], |plane| {
            for (one, other) in [(a, b), (b, a)] {
                plane.leave(one);
                plane.set_joint(one, Joint::Bridge(other));
            }
        });
        self.watch(now, &[a, b]);
    }

    pub(super) fn unbridge(&mut self, now: Instant, a: StreamId, b: StreamId) {
        let (Some(a), Some(b)) = (self.by_id.get(&a).copied(), self.by_id.get(&b).copied()) else {
            return;
        };
        if self.stream_mut(a).is_some_and(|stream| stream.joint == Joint::Bridge(b)) {
            self.rejoin(now, &[a], |plane| plane.leave(a));
        }
    }

    pub(super) fn mix(&mut self, now: Instant, id: MixId, members: &[Member]) {
        if let [first, ..] = members
            && members.len() > MAX_MEMBERS
        {
            let stream = first.stream;
            self.events.push_back(Event::MixRefused { stream, mix: id });
            return;
        }
        let index = self.mixes.find_or_add(id);
        let mut seats: Vec<(Slot, Member)> = Vec::with_capacity(members.len());
        for member in members {
            if let Some(slot) = self.by_id.get(&member.stream)
                && !seats.iter().any(|(known, _)| known == slot)
            {
                seats.push((*slot, *member));
            }
        }
        let old = self.mixes.get(index).map(|mix| mix.seats.iter().map(|seat| seat.slot));
        let old: Vec<Slot> = old.into_iter().flatten().collect();
        let mut roots: Vec<Slot> = seats.iter().map(|(slot, _)| *slot).collect();
        roots.extend(&old);
        self.rejoin(now, &roots, |plane| plane.seat(index, &old, &seats));
        self.watch(now, &roots);
        if seats.is_empty() {
            self.close_mix(index);
        }
    }

    pub(super) fn unmix(&mut self, now: Instant, id: MixId) {
        if self.mixes.by_id.contains_key(&id) {
            self.mix(now, id, &[]);
        }
    }

    pub(super) fn copy(&mut self, now: Instant, from: StreamId, to: Option<StreamId>) {
        let Some(from) = self.by_id.get(&from).copied() else { return };
        let to = to.and_then(|to| self.by_id.get(&to).copied()).filter(|to| *to != from);
        let roots: Vec<Slot> = [from].into_iter().chain(to).collect();
        self.rejoin(now, &roots, |plane| {
            plane.end_copy(from);
            if let Some(to) = to {
                plane.leave(to);
                plane.end_copy(to);
                if let Some(stream) = plane.stream_mut(from) {
                    stream.rare.copy_to = Some(to);
                }
                if let Some(stream) = plane.stream_mut(to) {
                    stream.rare.copy_of = Some(from);
                }
            }
        });
    }

    /// Takes a stream out of everything it is joined with.
    pub(super) fn part(&mut self, now: Instant, slot: Slot) {
        self.rejoin(now, &[slot], |plane| {
            plane.leave(slot);
            plane.end_copy(slot);
        });
    }

    /// The streams that a stream hears, or that hear it, with itself.
    pub(super) fn company(&self, slot: Slot) -> Vec<Slot> {
        let mut company = vec![slot];
        let Some(stream) = self.stream(slot) else { return company };
        match stream.joint {
            Joint::Alone => {}
            Joint::Bridge(peer) => company.push(peer),
            Joint::Mix(mix) => {
                let mix = self.mixes.get(mix);
                company.extend(mix.into_iter().flat_map(|mix| &mix.seats).map(|seat| seat.slot));
            }
        }
        company.extend(stream.rare.copy_to);
        company.extend(stream.rare.copy_of);
        company
    }

    /// Changes who is joined with whom, then how everybody concerned is heard. What still waits to
    /// be heard of a stream is forgotten where it was not meant for who hears it from now on.
    fn rejoin(&mut self, now: Instant, roots: &[Slot], change: impl FnOnce(&mut Self)) {
        let mut touched: Vec<Slot> = roots.iter().flat_map(|root| self.company(*root)).collect();
        touched.sort_unstable();
        touched.dedup();
        let mixes: Vec<u32> = touched.iter().filter_map(|slot| self.mix_index(*slot)).collect();
        let before: Vec<Audience> =
            touched.iter().filter_map(|slot| self.audience(*slot)).collect();
        change(self);
        for old in &before {
            let next = self.audience(old.slot);
            if next.is_some_and(|next| !old.may_become(&next))
                && let Some(stream) = self.stream_mut(old.slot)
                && let Some(voice) = &mut stream.voice
            {
                voice.set_ear(None, None);
            }
        }
        self.arrange(now, &touched);
        for mix in mixes {
            if self.mixes.get(mix).is_some_and(|mix| mix.seats.is_empty()) {
                self.close_mix(mix);
            }
        }
    }

    fn audience(&self, slot: Slot) -> Option<Audience> {
        let stream = self.stream(slot)?;
        let (open, mut hearers) = match stream.joint {
            Joint::Alone => (false, Vec::new()),
            Joint::Bridge(peer) => (true, vec![peer]),
            Joint::Mix(mix) => {
                let mix = self.mixes.get(mix)?;
                let member = mix.seat(slot)?.member;
                let heard = |other: &&Seat| member.is_heard_by(other.member.stream);
                let hearers = mix.seats.iter().filter(heard).map(|seat| seat.slot).collect();
                (member.role == crate::Role::Party && !member.muted, hearers)
            }
        };
        hearers.extend(stream.rare.copy_to);
        Some(Audience { slot, open, hearers })
    }

    /// Gives a mix its members, and no others.
    fn seat(&mut self, index: u32, old: &[Slot], members: &[(Slot, Member)]) {
        for slot in old {
            if !members.iter().any(|(member, _)| member == slot) {
                self.leave(*slot);
            }
        }
        for (slot, member) in members {
            if !old.contains(slot) {
                self.leave(*slot);
                self.set_joint(*slot, Joint::Mix(index));
            }
            let Some(mix) = self.mixes.get_mut(index) else { return };
            match mix.seats.iter_mut().find(|seat| seat.slot == *slot) {
                Some(seat) => seat.member = *member,
                None => mix.seats.push(Seat::new(*member, *slot)),
            }
        }
    }

    /// Takes a stream out of its bridge or mix, and out of the copy it hears.
    fn leave(&mut self, slot: Slot) {
        let Some(stream) = self.stream_mut(slot) else { return };
        let copied = stream.rare.copy_of.take();
        match std::mem::take(&mut stream.joint) {
            Joint::Alone => {}
            Joint::Bridge(peer) => {
                if let Some(other) =
                    self.stream_mut(peer).filter(|o| o.joint == Joint::Bridge(slot))
                {
                    other.joint = Joint::Alone;
                }
            }
            Joint::Mix(index) => self.leave_mix(slot, index),
        }
        if let Some(from) = copied.and_then(|from| self.stream_mut(from)) {
            from.rare.copy_to = None;
        }
    }

    fn leave_mix(&mut self, slot: Slot, index: u32) {
        let Some(mix) = self.mixes.get_mut(index) else { return };
        let Some(at) = mix.seats.iter().position(|seat| seat.slot == slot) else { return };
        let mut seat = mix.seats.remove(at);
        // What is mixed but not sent yet waits in the mouths; the walk over the seats begins anew.
        mix.unsent = mix.unsent.map(|_| 0);
        let next_tick = mix.next_tick;
        if let Some(stream) = self.stream_mut(slot) {
            stream.rare.next_tick = next_tick;
            let id = stream.id;
            if seat.talker.hush() {
                self.events.push_back(Event::Talking { stream: id, talking: false });
            }
        }
    }

    /// Nobody hears a copy of the stream any more.
    fn end_copy(&mut self, from: Slot) {
        let to = self.stream_mut(from).and_then(|stream| stream.rare.copy_to.take());
        if let Some(to) = to.and_then(|to| self.stream_mut(to)) {
            to.rare.copy_of = None;
        }
    }

    fn set_joint(&mut self, slot: Slot, joint: Joint) {
        if let Some(stream) = self.stream_mut(slot) {
            stream.joint = joint;
        }
    }

    pub(super) fn stream(&self, slot: Slot) -> Option<&Stream> {
        let place = self.streams.get(slot.index as usize)?;
        if place.generation == slot.generation { place.stream.as_ref() } else { None }
    }
}
