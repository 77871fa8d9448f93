//! Which tone of which network a row of bursts is (ITU-T E.180 and its supplement 2): every cadence
//! that could still be it is kept in view, and it is told when only one meaning is left.

use super::burst::Burst;
use super::{Information, ProgressTone};
use crate::tones::{Part, Tone, cadences};

/// Bursts remembered, each with the pause after it.
const MEMORY: usize = 8;
/// Bursts and pauses in one cadence at most.
const PARTS: usize = 3;
/// How far the frequencies may be off, in hertz.
const OFF: f32 = 14.0;
/// A pause after which a burst belongs to another tone, in milliseconds.
const LONGEST: u32 = 7000;
/// The quiet that ends a ring, so that it is told before the next, in milliseconds.
const RANG: u32 = 400;

/// A burst and the pause after it, in milliseconds.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
struct Pair {
    on: u32,
    off: u32,
}

#[derive(Clone, Debug)]
struct Template {
    tone: ProgressTone,
    /// It is of the country that the line is in.
    is_home: bool,
    centre: f32,
    spread: f32,
    pairs: [Pair; PARTS],
    count: usize,
}

/// The tones of all networks, and the bursts of one line.
#[derive(Debug)]
pub(super) struct Cadences {
    templates: Box<[Template]>,
    /// One burst is no ring: a machine may have beeped.
    is_answered: bool,
    bursts: [Pair; MEMORY],
    count: usize,
    /// Earlier bursts were forgotten, so that the first is a whole one.
    cut: bool,
    centre: f32,
    spread: f32,
    /// The last burst's end, in frames.
    ended: u32,
    sounding: bool,
    /// The notes of an information tone, and what the last had.
    notes: [(f32, u32); 3],
    noted: usize,
}

/// What speaks for a template.
#[derive(Clone, Copy, Default)]
struct Match {
    /// Bursts and pauses that are as they should be, both ends heard.
    ons: u32,
    offs: u32,
}

/// How far a length may be off, in milliseconds.
fn slack(millis: u32) -> u32 {
    35 + millis / 10
}

impl Cadences {
    /// For a line that leads to that country; has somebody answered on it?
    pub(super) fn new(country: Option<&str>, is_answered: bool) -> Self {
        let kinds = [
            (Tone::Ringing, ProgressTone::Ringing),
            (Tone::Busy, ProgressTone::Busy),
            (Tone::Congestion, ProgressTone::Congestion),
        ];
        let mut templates: Vec<Template> = Vec::new();
        for (tone, told) in kinds {
            for (code, parts) in cadences(tone) {
                let is_home = country.is_some_and(|country| code.eq_ignore_ascii_case(country));
                templates.extend(Template::new(told, is_home, parts));
            }
        }
        Self {
            templates: templates.into_boxed_slice(),
            is_answered,
            bursts: [Pair::default(); MEMORY],
            count: 0,
            cut: false,
            centre: 0.0,
            spread: 0.0,
            ended: 0,
            sounding: false,
            notes: [(0.0, 0); 3],
            noted: 0,
        }
    }

    /// A burst begins.
    pub(super) fn on_began(&mut self, at: u32) {
        let pause = at.saturating_sub(self.ended) * 10;
        if let Some(last) = self.count.checked_sub(1).and_then(|last| self.bursts.get_mut(last)) {
            last.off = pause;
        }
        if pause > 120 {
            self.noted = 0;
        }
        self.sounding = true;
    }

    /// A burst is over.
    pub(super) fn on_ended(&mut self, burst: &Burst) -> Option<ProgressTone> {
        self.sounding = false;
        let (centre, spread) = (burst.centre(), burst.spread());
        let last = self.count.checked_sub(1).and_then(|last| self.bursts.get(last));
        let is_other = (centre - self.centre).abs() > OFF
            || (spread - self.spread).abs() > OFF
            || last.is_some_and(|last| last.off > LONGEST);
        if is_other {
            (self.count, self.cut) = (0, false);
        }
        if self.count == MEMORY {
            self.bursts.copy_within(1.., 0);
            self.count -= 1;
            self.cut = true;
        }
        if let Some(place) = self.bursts.get_mut(self.count) {
            *place = Pair { on: burst.millis(), off: 0 };
            self.count += 1;
        }
        (self.centre, self.spread) = (centre, spread);
        self.ended = burst.ended();
        self.note(burst).or_else(|| self.judge(0))
    }

    /// Nothing sounds, at that frame.
    pub(super) fn on_quiet(&mut self, at: u32) -> Option<ProgressTone> {
        if self.sounding || self.count == 0 {
            return None;
        }
        self.judge(at.saturating_sub(self.ended) * 10)
    }

    /// Whether the last burst may be a ring or the beginning of another tone of the network, so long
    /// as the pause after it is no longer than that of one.
    pub(super) fn may_go_on(&self, burst: &Burst, quiet: u32) -> bool {
        let home = self.templates.iter().any(|template| template.is_home);
        let known = self.templates.iter().filter(|template| template.is_home || !home);
        let on = burst.millis();
        known.into_iter().any(|template| {
            let same = template.sounds_like(burst.centre(), burst.spread(), 8.0);
            let mut pairs = template.pairs.iter().take(template.count);
            same && pairs.any(|pair| {
                on.abs_diff(pair.on) <= slack(pair.on) && quiet <= pair.off + slack(pair.off)
            })
        })
    }

    /// The three rising notes (E.180 §3.5.1; their lengths and the lower or higher pitch say more,
    /// Bellcore SR-2275).
    fn note(&mut self, burst: &Burst) -> Option<ProgressTone> {
        let (hertz, millis) = (burst.peak().0, burst.millis());
        let expected = [950.0_f32, 1400.0, 1780.0].get(self.noted).copied()?;
        if (hertz - expected).abs() > 62.0 || !(200..=460).contains(&millis) {
            let is_first = (hertz - 950.0).abs() <= 62.0 && (200..=460).contains(&millis);
            self.noted = usize::from(is_first);
            self.notes = [(hertz, millis); 3];
            return None;
        }
        if let Some(place) = self.notes.get_mut(self.noted) {
            *place = (hertz, millis);
        }
        self.noted += 1;
        if self.noted < self.notes.len() {
            return None;
        }
        self.noted = 0;
        Some(ProgressTone::Information(self.information()))
    }

    fn information(&self) -> Information {
        let [(first, one), (second, two), (_, _)] = self.notes;
        // The American ones are at 913.8 or 985.2 Hz and at 1370.6 or 1428.5 Hz, 274 or 380 ms long.
        let high = |hertz: f32, low: f32, above: f32| match hertz {
            _ if (hertz - low).abs() < 12.0 => Some(false),
            _ if (hertz - above).abs() < 12.0 => Some(true),
            _ => None,
        };
        let long = |millis: u32| millis > 335;
        let heard = (high(first, 913.8, 985.2), long(one), high(second, 1370.6, 1428.5), long(two));
        match heard {
            (Some(false), false, Some(false), false) => Information::Intercept,
            (Some(true), true, Some(false), false) => Information::VacantNumber,
            (Some(true), true, Some(true), true) => Information::NoCircuit,
            (Some(false), false, Some(true), true) => Information::Reorder,
            _ => Information::Other,
        }
    }

    /// What it is, if only one meaning is left. `quiet` is how long nothing has sounded, in ms.
    fn judge(&self, quiet: u32) -> Option<ProgressTone> {
        let bursts = self.bursts.get(..self.count)?;
        let home = self.meanings(bursts, quiet, true);
        let (ringing, busy, congestion) =
            if home == (None, None, None) { self.meanings(bursts, quiet, false) } else { home };
        match (ringing, busy, congestion) {
            (Some(seen), None, None)
                if seen.ons > u32::from(self.is_answered) && (seen.offs >= 1 || quiet >= RANG) =>
            {
                Some(ProgressTone::Ringing)
            }
            (None, Some(seen), None) if seen.ons >= 2 && seen.offs >= 2 => Some(ProgressTone::Busy),
            (None, None, Some(seen)) if seen.ons >= 2 && seen.offs >= 2 => {
                Some(ProgressTone::Congestion)
            }
            // Where both sound alike, the slower is what most networks mean by busy.
            (None, Some(seen), Some(_)) if seen.ons >= 3 && seen.offs >= 3 => {
                let first = bursts.last()?;
                let slow = first.on >= 300;
                Some(if slow { ProgressTone::Busy } else { ProgressTone::Congestion })
            }
            _ => None,
        }
    }

    /// What speaks best for each of the three, of the networks that could be it.
    fn meanings(
        &self,
        bursts: &[Pair],
        quiet: u32,
        home: bool,
    ) -> (Option<Match>, Option<Match>, Option<Match>) {
        let (mut ringing, mut busy, mut congestion) = (None, None, None);
        for template in self.templates.iter().filter(|template| template.is_home || !home) {
            if !template.sounds_like(self.centre, self.spread, OFF) {
                continue;
            }
            let phases = 0..template.count;
            let seen = phases.filter_map(|phase| template.fit(bursts, phase, quiet, self.cut));
            let Some(best) = seen.max_by_key(|seen| seen.ons + seen.offs) else { continue };
            let place = match template.tone {
                ProgressTone::Ringing => &mut ringing,
                ProgressTone::Busy => &mut busy,
                _ => &mut congestion,
            };
            let better = |known: Match| best.ons + best.offs > known.ons + known.offs;
            if place.is_none_or(better) {
                *place = Some(best);
            }
        }
        (ringing, busy, congestion)
    }
}

impl PartialEq for Match {
    fn eq(&self, other: &Self) -> bool {
        (self.ons, self.offs) == (other.ons, other.offs)
    }
}

impl Template {
    fn new(tone: ProgressTone, is_home: bool, parts: &[Part]) -> Option<Self> {
        let mut pairs = [Pair::default(); PARTS];
        let (mut count, mut hertz) = (0, [0.0; 2]);
        for part in parts {
            match part.hertz.map(f32::from) {
                [0.0, _] => {
                    let last: usize = count;
                    pairs.get_mut(last.checked_sub(1)?)?.off += u32::from(part.millis);
                }
                [one, two] => {
                    hertz = [one, if two == 0.0 { one } else { two }];
                    pairs.get_mut(count)?.on = u32::from(part.millis);
                    count += 1;
                }
            }
        }
        let [one, two] = hertz;
        let (centre, spread) = ((one + two) / 2.0, (one - two).abs() / 2.0);
        Some(Self { tone, is_home, centre, spread, pairs, count })
    }

    fn sounds_like(&self, centre: f32, spread: f32, off: f32) -> bool {
        (self.centre - centre).abs() <= off && (self.spread - spread).abs() <= off + 4.0
    }

    /// Whether the bursts can be these, beginning with the one at `phase`.
    fn fit(&self, bursts: &[Pair], phase: usize, quiet: u32, cut: bool) -> Option<Match> {
        let mut seen = Match::default();
        for (n, burst) in bursts.iter().enumerate() {
            let own = self.pairs.get((phase + n) % self.count)?;
            let (is_first, is_last) = (n == 0 && !cut, n + 1 == bursts.len());
            match burst.on.abs_diff(own.on) <= slack(own.on) {
                true => seen.ons += 1,
                // It had begun before anybody listened.
                false if is_first && burst.on < own.on => {}
                false => return None,
            }
            if is_last {
                (quiet <= own.off + slack(own.off)).then_some(())?;
            } else {
                (burst.off.abs_diff(own.off) <= slack(own.off)).then_some(())?;
                seen.offs += 1;
            }
        }
        Some(seen)
    }
}
