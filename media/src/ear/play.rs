//! What is heard at a tick: the next packet, or what stands for it.

use base::Instant;

use super::shelf::{Content, Waiting};
use super::{Ear, Heard, NOTHING, samples};
use crate::codec::opus;
use crate::{Codec, pcm};

/// Steps one tick may take: a flood of tiny packets must not hold up the others.
const MAX_STEPS: usize = 64;
/// A gap up to this is a sender's rounding, not missing sound.
const SNAP_US: i64 = 2000;
/// Nothing there for this long: the talkspurt is taken to be over.
const DRY_MS: usize = 120;
/// Missing sound longer than this is not waited out.
const MAX_GAP_MS: i64 = 500;
/// How far the wait may grow beyond what is aimed at, to hear late packets all the same.
const GROWTH_MS: i64 = 60;
/// Most overlap of made-up sound and what comes after it.
const OVERLAP_MS: usize = 10;
/// From noise into speech and out of it.
const SOFT_MS: usize = 2;
/// A packet of a pause so long after the one before it is one of a silence that is not sent.
const UNSENT_MS: i64 = 60;
/// How long a silence that is not sent is filled: a sender tells of its noise every 400 ms.
const REST_MS: usize = 1000;
/// Samples of the longest overlap at the highest rate.
const MAX_OVERLAP: usize = pcm::Rate::Full.samples(OVERLAP_MS);

impl Ear {
    /// Hears 20 ms: fills `out`, which is [`crate::pcm::Rate::per_tick`] long.
    pub fn hear(&mut self, now: Instant, out: &mut [i16]) -> Heard {
        let t = samples(self.rate, now);
        self.regulate(t);
        let mut made: Option<Heard> = None;
        for _ in 0..MAX_STEPS {
            let Some(missing) = out.len().checked_sub(self.sound.ahead()).filter(|n| *n > 0) else {
                break;
            };
            let step = self.step(t, missing);
            made = Some(made.map_or(step, |before| before.max(step)));
        }
        if self.playing {
            let front = self.next - self.sound.ahead() as i64;
            self.counts.note_delay(t - front - self.lateness.fastest());
        }
        let heard = self.sound.hear(out);
        out.get_mut(heard..).unwrap_or_default().fill(0);
        // What was decoded before is heard without a step.
        made.unwrap_or(Heard::Speech)
    }

    /// Takes out what waits, as much as fits, as it was said: nothing is made up and no time is
    /// scaled. How much it was; 0 when nothing waits any more.
    pub fn drain(&mut self, out: &mut [i16]) -> usize {
        while self.sound.ahead() < out.len() {
            let Some(first) = self.shelf.first() else { break };
            self.shelf_pop(&first);
            let over = self.playing && first.end() <= self.next;
            if over || first.content == Content::Noise {
                continue;
            }
            if !self.playing || first.position > self.next {
                (self.playing, self.next) = (true, first.position);
            }
            self.decode(&first);
        }
        let count = self.sound.ahead().min(out.len());
        self.sound.hear(out.get_mut(..count).unwrap_or_default());
        count
    }

    /// Makes some sound: decodes a packet, or makes up at most `missing` samples.
    fn step(&mut self, t: i64, missing: usize) -> Heard {
        if self.playing {
            self.drop_late();
        }
        let Some(first) = self.shelf.first() else { return self.run_dry(t, missing) };
        if !self.playing {
            if t - first.position < self.lateness.target() {
                return self.idle(t, missing).0;
            }
            self.playing = true;
            self.next = first.position;
            self.last_sequence = first.sequence - 1;
        }
        self.settle(t, &first);
        let gap = first.position - self.next;
        if gap <= SNAP_US * self.rate.samples(1) as i64 / 1000 {
            return self.take(&first, t, missing);
        }
        let one_more = self.last_sequence + 1;
        let spoken = (one_more..first.sequence).take(64).all(|n| self.has_come(n));
        if spoken || gap > MAX_GAP_MS * self.rate.samples(1) as i64 {
            // Nothing is lost: the far end was silent, or pressed a key.
            self.pause();
            return self.idle(t, missing).0;
        }
        self.make_up_gap(&first, t, (gap, missing))
    }

    fn has_come(&self, sequence: i64) -> bool {
        self.line.as_ref().is_some_and(|line| line.has_come(sequence))
    }

    /// Drops packets whose time is over.
    fn drop_late(&mut self) {
        while let Some(first) = self.shelf.first() {
            let over = first.end() <= self.next && first.content != Content::Noise;
            if !over {
                break;
            }
            self.counts.late += 1;
            self.shelf.pop();
        }
    }

    /// Nothing is there. What is made up now may stand for a packet on its way.
    fn run_dry(&mut self, t: i64, missing: usize) -> Heard {
        if self.playing && self.debt as usize >= self.rate.samples(DRY_MS) {
            self.pause();
        }
        let (heard, made) = self.idle(t, missing);
        if self.playing {
            self.debt += made as i64;
        }
        heard
    }

    /// Nothing is to be heard that was sent: what stands for it, and how much that is.
    fn idle(&mut self, t: i64, missing: usize) -> (Heard, usize) {
        match self.rest(missing) {
            Some(made) => (Heard::Noise, made),
            None => (self.stand_in(t, missing), missing),
        }
    }

    /// After having run dry: what was made up stands for what is missing; beyond that, the wait
    /// has become longer, as far as it may.
    fn settle(&mut self, t: i64, first: &Waiting) {
        if self.debt == 0 {
            return;
        }
        let stood = self.debt.min(first.position - self.next).max(0);
        self.next += stood;
        let ms = self.rate.samples(1) as i64;
        let wait = t - (self.next - self.sound.ahead() as i64);
        let over = wait - self.lateness.target() - GROWTH_MS * ms;
        self.next += over.clamp(0, self.debt - stood);
        self.debt = 0;
    }

    /// The packet whose turn it is.
    fn take(&mut self, first: &Waiting, t: i64, missing: usize) -> Heard {
        self.shelf_pop(first);
        match first.content {
            Content::Noise => {
                self.noise.describe(self.shelf.payload(first));
                self.next = self.next.max(first.position);
                self.pause();
                self.stand_in(t, missing)
            }
            Content::Speech(_) => self.decode(first),
        }
    }

    pub(super) fn shelf_pop(&mut self, first: &Waiting) {
        self.last_sequence = first.sequence;
        self.shelf.pop();
    }

    pub(super) fn decode(&mut self, first: &Waiting) -> Heard {
        let Some((codec, decoder)) = &mut self.decoder else { return Heard::Silence };
        let room = self.sound.room(first.length);
        let payload = self.shelf.payload(first);
        let is_pause = *codec == Codec::Opus && opus::has_voice(payload) == Some(false);
        let is_brief = payload.len() <= 2;
        let made = decoder.decode(payload, room);
        if made == 0 {
            self.counts.unreadable += 1;
            self.next = self.next.max(first.end());
            return Heard::Silence;
        }
        // What stands for its beginning was heard already.
        let stood = usize::try_from(self.next - first.position).unwrap_or(0).min(made);
        if stood > 0 {
            room.copy_within(stood..made, 0);
        }
        let fresh = made - stood;
        let said = room.get(..fresh).unwrap_or_default();
        let power = self.meter.note_samples(said);
        // Of a pause, at its end: it begins with what its decoder remembers.
        let end = said.get(said.len() / 4 * 3..).filter(|_| is_pause).unwrap_or_default();
        self.is_still = !end.is_empty() && end.iter().all(|said| said.unsigned_abs() <= NOTHING);
        let part = fresh as f32 / self.rate.hz() as f32;
        self.level += (power - self.level) * part.min(1.0);
        self.overlap(fresh);
        self.sound.keep(fresh);
        self.next = first.position + made as i64;
        self.packet = made;
        self.counts.speech += fresh as u64;
        self.noise.hush();
        self.pause = if is_pause { self.paused(first, is_brief, made) } else { None };
        self.ended = Some((self.next, first.sequence));
        if self.pause.is_some() { Heard::Noise } else { Heard::Speech }
    }

    /// A packet in which nobody speaks: whether it is one of a pause after which nothing need come.
    /// Who sends no pauses says so by a packet of nothing, or sends one of them now and then.
    fn paused(&self, packet: &Waiting, is_brief: bool, made: usize) -> Option<usize> {
        let unsent = UNSENT_MS * self.rate.samples(1) as i64;
        let is_rare = self.ended.is_some_and(|(end, number)| {
            packet.sequence == number + 1 && packet.position - end > unsent
        });
        if is_brief || is_rare {
            return Some(0);
        }
        // A second one behind it.
        self.pause.map(|rested| rested + made).filter(|all| *all < self.rate.samples(REST_MS))
    }

    /// Goes on with the far end's noise while it sends nothing because nobody speaks: its decoder
    /// knows it. How much that is; `None` when it is not so.
    fn rest(&mut self, count: usize) -> Option<usize> {
        let longest = self.rate.samples(REST_MS);
        let rested = self.pause.filter(|rested| *rested < longest)?;
        let (_, decoder) = self.decoder.as_mut().filter(|_| !self.concealer.is_active())?;
        // A decoder makes sound by 2.5 ms.
        let count = count.next_multiple_of(self.rate.hz() as usize / 400);
        let room = self.sound.room(count);
        if room.len() < count || !decoder.conceal(room) {
            return None;
        }
        self.sound.keep(count);
        self.pause = Some(rested + count);
        Some(count)
    }

    /// Lets what was made up flow into what came: the first samples of the room.
    fn overlap(&mut self, fresh: usize) {
        if !self.concealer.is_active() {
            return;
        }
        let rate = self.rate;
        let beyond = self.concealer.made().saturating_sub(rate.samples(10));
        let length = (rate.samples(4) + beyond * 2 / 5).min(rate.samples(OVERLAP_MS)).min(fresh);
        let length = if self.playing { length } else { length.min(rate.samples(SOFT_MS)) };
        let mut before = [0; MAX_OVERLAP];
        let Some(before) = before.get_mut(..length) else { return };
        self.imagine(before);
        let room = self.sound.room(length);
        for (n, (sample, before)) in room.iter_mut().zip(before.iter()).enumerate() {
            let (part, whole) = (n as i32 + 1, length as i32 + 1);
            let mixed = i32::from(*before) * (whole - part) + i32::from(*sample) * part;
            *sample = (mixed / whole) as i16;
        }
        self.concealer.end();
    }

    /// Packets are missing, and what comes after them is there.
    fn make_up_gap(&mut self, next: &Waiting, t: i64, (gap, missing): (i64, usize)) -> Heard {
        let gap = usize::try_from(gap).unwrap_or(0);
        if let Some(heard) = self.recover(next, gap) {
            return heard;
        }
        let count = gap.min(missing);
        let heard = self.stand_in(t, count);
        self.next += count as i64;
        heard
    }

    /// The packet before `next` out of `next`, if its codec sent it twice.
    fn recover(&mut self, next: &Waiting, gap: usize) -> Option<Heard> {
        let (_, decoder) = self.decoder.as_mut()?;
        if next.content == Content::Noise || gap > next.length {
            return None;
        }
        let room = self.sound.room(gap);
        let made = decoder.recover(self.shelf.payload(next), room);
        if made == 0 {
            return None;
        }
        self.overlap(made);
        self.sound.keep(made);
        self.next += made as i64;
        self.counts.recovered += made as u64;
        Some(Heard::Speech)
    }

    /// Makes up `count` samples: what was heard goes on for a while, then noise, then silence.
    fn stand_in(&mut self, t: i64, count: usize) -> Heard {
        let faded = self.rate.samples(60);
        if self.counts.speech == 0 {
            // Nothing was heard yet that could go on: speech begins with its first sample.
            let room = self.sound.room(count);
            room.fill(0);
            self.noise.add(room, 1, 1);
            let count = room.len();
            self.sound.keep(count);
            return if self.noise.is_silent() { Heard::Silence } else { Heard::Noise };
        }
        if !self.concealer.is_active() {
            self.concealer.begin(self.sound.newest());
        }
        let mut scratch = [0; pcm::MAX_PER_TICK];
        let Some(made) = scratch.get_mut(..count.min(pcm::MAX_PER_TICK)) else {
            return Heard::Silence;
        };
        let before = self.concealer.made();
        self.imagine(made);
        let room = self.sound.room(made.len());
        room.copy_from_slice(made);
        let count = room.len();
        self.sound.keep(count);
        if self.pause.is_none() && before < faded && t >= self.event_until {
            self.counts.concealed += count as u64;
            return Heard::Concealed;
        }
        if self.noise.is_silent() { Heard::Silence } else { Heard::Noise }
    }

    /// What might have been said, with the far end's noise under it.
    fn imagine(&mut self, out: &mut [i16]) {
        let made = self.concealer.made();
        self.concealer.fill(out);
        self.noise.add(out, made, self.rate.samples(60));
    }
}
