//! A run of a town, from the first registration until nothing is left, and the weather in it.

use std::collections::BTreeMap;

use base::{Duration, Rng};
use phone::{Desk, Dial, Pickup};
use sip::StatusCode;
use switch::{Event, EventKind, Input};

use super::crowd::{pick, pickups};
use super::deeds::is_up;
use super::{DeskId, Fault, Role, Town, up_to};
use crate::checks::Complaint;
use crate::network::Conditions;

/// What a run was like.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TownRun {
    /// Its seed.
    pub seed: u64,
    /// Calls that reached a tenant.
    pub calls: usize,
    /// Calls in which two people talked.
    pub connected: usize,
    /// Calls that another phone took over.
    pub taken_over: usize,
    /// How often each method and status crossed the wire: `<` to the switch, `>` from it.
    pub crossed: BTreeMap<String, usize>,
    /// What must not have been.
    pub complaints: Vec<Complaint>,
}

/// What a seed makes of the town's ways.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Mood {
    /// Nothing is lost; only people do as they like.
    Calm,
    /// Messages are lost, repeated and overtaken.
    Lossy,
    /// And ways are cut, addresses change, connections break, desks lose their power.
    Rough,
    /// And media ports cannot be opened now and then.
    Ruinous,
}

/// A run of so many deeds. `fault` breaks the switch on purpose.
#[must_use]
pub fn town_run(seed: u64, deeds: u32, fault: Option<Fault>) -> TownRun {
    let town = live(seed, deeds, fault, false);
    let connected = town.records.iter().filter(|record| record.connected_at.is_some()).count();
    let is_takeover = |event: &&Event| matches!(event.kind, EventKind::CallPickedUp { .. });
    let taken_over = town.events.iter().filter(is_takeover).count();
    let (calls, crossed) = (town.records.len(), town.crossed);
    TownRun { seed, calls, connected, taken_over, crossed, complaints: town.complaints }
}

/// The story of such a run, with every SIP message of it: what everybody did, and when.
#[must_use]
pub fn town_story(seed: u64, deeds: u32) -> String {
    live(seed, deeds, None, true).story.print()
}

fn live(seed: u64, deeds: u32, fault: Option<Fault>, tells: bool) -> Town {
    let mut town = Town::new(seed, fault);
    town.story.keeps_messages = tells;
    town.crowd = town.settle_in();
    let moods = [Mood::Calm, Mood::Lossy, Mood::Rough, Mood::Ruinous];
    let mood = pick(&mut town.rng, &moods, Mood::Calm);
    let drains = town.rng.below(5) == 0;
    town.tell(format!("the mood is {mood:?}"));
    for desk in town.crowd.all() {
        let ways = pickups(&mut town.rng);
        town.at(desk, |desk, _| desk.set_pickups(ways));
    }
    if mood == Mood::Ruinous {
        town.has_bad_ports = true;
        town.studio.failing = 60;
    }
    for deed in 0..deeds {
        if drains && deed == deeds / 3 * 2 {
            town.tell("the drain begins");
            town.drain();
        }
        town.deed();
        if mood != Mood::Calm && town.rng.below(4) == 0 {
            town.weather(mood);
        }
        let pause = up_to(&mut town.rng, Duration::from_millis(2500));
        town.run_for(pause);
        town.check_presence();
    }
    town.die_down();
    town
}

impl Town {
    fn drain(&mut self) {
        self.drains = true;
        self.tell_switch(Input::Drain);
    }

    /// The ways of a desk become better or worse.
    fn weather(&mut self, mood: Mood) {
        let all = self.crowd.all();
        let desk = pick(&mut self.rng, &all, DeskId(0));
        if mood == Mood::Lossy || self.rng.below(2) == 0 {
            let conditions = conditions(&mut self.rng);
            self.is_troubled = true;
            return self.set_weather(desk, conditions);
        }
        self.trouble(desk);
    }

    /// Something worse than loss.
    fn trouble(&mut self, desk: DeskId) {
        self.is_troubled = true;
        let kind = self.rng.below(5);
        let name = self.name(desk).to_owned();
        self.tell(format!("trouble {kind} for {name}"));
        if let Some(place) = self.places.get_mut(desk.0) {
            place.was_cut = true;
        }
        let is_phone = !matches!(self.places.get(desk.0).map(|p| &p.role), Some(Role::Carrier));
        match kind {
            0 => {
                let length = up_to(&mut self.rng, Duration::from_secs(25));
                let until = self.now + length;
                let (out, back) = match self.rng.below(3) {
                    0 => (until, self.now),
                    1 => (self.now, until),
                    _ => (until, until),
                };
                self.wire.deafen(desk, out, back);
            }
            1 if is_phone => self.wire.rebind(desk),
            2 | 3 => {
                let silently = self.rng.below(3) == 0;
                self.wire.break_connections(self.now, desk, silently);
            }
            _ => {
                self.wire.break_connections(self.now, desk, true);
                self.at(desk, |desk, _| Desk::restart(desk));
                let pause = up_to(&mut self.rng, Duration::from_secs(20));
                if is_phone && let Some(place) = self.places.get_mut(desk.0) {
                    place.reconnect = Some(self.now + pause);
                }
            }
        }
    }

    /// The weather clears, everybody goes home, all timers run out.
    fn die_down(&mut self) {
        self.tell("the weather clears");
        self.calm();
        for desk in self.crowd.all() {
            let busy = Pickup::refuses(Duration::ZERO, StatusCode::BUSY_HERE);
            self.at(desk, |desk, _| desk.set_pickups(vec![busy]));
        }
        if self.rng.below(2) == 0 {
            self.tell("the switch ends all calls");
            self.all_ended = true;
            self.drain();
            self.tell_switch(Input::EndCalls);
            self.run_for(Duration::from_secs(75));
            self.check_agreement();
        }
        for _ in 0..3 {
            // Whoever is in a race with the other end tries again.
            for desk in self.crowd.all() {
                for (desk, line) in self.lines_of(desk, |_| true) {
                    self.hangs_up(desk, line);
                }
            }
            self.run_for(Duration::from_secs(40));
        }
        for agent in self.crowd.agents.clone() {
            self.at(agent, |desk, _| desk.stop_registering());
        }
        // Registrations expire; what strangers did is remembered for two minutes.
        self.run_for(Duration::from_secs(260));
        self.go_quiet();
        self.check_quiet();
        self.check_room();
    }

    /// No limit is used up by calls that are over: as many as one tenant may have come about.
    /// While it drains none does, and nothing is left to be drained.
    fn check_room(&mut self) {
        let callers = self.crowd.callers.clone();
        for caller in &callers {
            self.at(*caller, |desk, now| desk.dial(now, "+15550200", &Dial::default()).ok());
        }
        self.run_for(Duration::from_secs(2));
        let up = callers.iter().flat_map(|caller| self.lines_of(*caller, is_up)).count();
        let expected = if self.drains { 0 } else { callers.len() };
        if up != expected {
            self.complain(format!("{up} calls of {expected} came about when all was over"));
        }
        for caller in callers {
            for (desk, line) in self.lines_of(caller, |_| true) {
                self.hangs_up(desk, line);
            }
        }
        self.run_for(Duration::from_secs(50));
        if self.drains && !self.switch.is_drained() {
            self.complain("all is over, and it is not drained");
        }
    }

    /// Trunks are probed and registered with for as long as there are any: what is under way at
    /// this instant for that is waited for.
    fn go_quiet(&mut self) {
        for _ in 0..60 {
            let sizes = self.switch.sizes();
            if sizes == switch::Sizes::default() {
                return;
            }
            self.run_for(Duration::from_millis(1500));
        }
    }
}

fn conditions(rng: &mut Rng) -> Conditions {
    let lost = if rng.below(2) == 0 { rng.below(80) } else { rng.below(300) };
    Conditions {
        lost,
        repeated: rng.below(150),
        delay: Duration::from_millis(1 + rng.below(100)),
        jitter: Duration::from_millis(rng.below(200)),
    }
}
