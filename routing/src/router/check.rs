//! The router's invariants, for tests and the simulator: slow, and never called in service.

use super::floor::Floor;
use super::seat::Doing;
use super::timers::Timer;
use super::work::Stage;
use super::{AgentState, Router, WorkId};
use base::{AgentId, TenantId};

impl Router {
    /// Checks that nothing is lost, stuck or in two places: every agent being rung or talking has
    /// live work that says the same, and the reverse; every wait has its place in one line; every
    /// deadline has an owner and every owner its deadline; and no work waits for an agent who is
    /// free to take it.
    ///
    /// # Errors
    /// The first invariant found broken.
    pub fn check(&self) -> Result<(), String> {
        let (by_time, by_owner) = self.timers.counts();
        demand(by_time == by_owner, || format!("{by_time} deadlines for {by_owner} owners"))?;
        for (tenant, floor) in &self.floors {
            let of_tenant = Of { router: self, tenant, floor };
            of_tenant.seats()?;
            of_tenant.work()?;
            of_tenant.lines()?;
        }
        self.timers.owners().try_for_each(|timer| self.check_owner(timer))
    }

    fn check_owner(&self, timer: &Timer) -> Result<(), String> {
        let (Timer::RingTimeout(tenant, _)
        | Timer::MaxWait(tenant, _)
        | Timer::RetryPause(tenant, _)
        | Timer::WrapUp(tenant, _)
        | Timer::Rest(tenant, _)
        | Timer::QueueStats(tenant, _)
        | Timer::QueueAlarms(tenant, _)) = timer;
        let owned = self.floors.get(tenant).is_some_and(|floor| match timer {
            Timer::RingTimeout(_, id) => {
                floor.work.get(id).is_some_and(|w| matches!(w.stage, Stage::Ringing(_)))
            }
            Timer::MaxWait(_, id) => {
                floor.work.get(id).is_some_and(|w| !matches!(w.stage, Stage::Talking(_)))
            }
            Timer::RetryPause(_, id) => {
                floor.work.get(id).is_some_and(|w| w.stage == Stage::Waiting)
            }
            Timer::WrapUp(_, agent) => floor.seats.get(agent).is_some_and(|s| s.doing.is_wrap_up()),
            Timer::Rest(_, agent) => floor.seats.get(agent).is_some_and(|s| s.resting),
            // The figures of a queue that is gone are simply not told.
            Timer::QueueStats(..) | Timer::QueueAlarms(..) => true,
        });
        let figures = matches!(timer, Timer::QueueStats(..) | Timer::QueueAlarms(..));
        demand(owned || figures, || format!("{timer:?} has no owner"))
    }
}

struct Of<'a> {
    router: &'a Router,
    tenant: &'a TenantId,
    floor: &'a Floor,
}

impl Of<'_> {
    fn has(&self, timer: impl FnOnce(TenantId) -> Timer) -> bool {
        self.router.timers.is_set(&timer(self.tenant.clone()))
    }

    fn seats(&self) -> Result<(), String> {
        for (agent, seat) in &self.floor.seats {
            let stage = seat.doing.work().and_then(|id| self.floor.work.get(&id)).map(|w| &w.stage);
            let live = match seat.doing {
                Doing::Nothing => true,
                Doing::Ringing(_) => stage == Some(&Stage::Ringing(agent.clone())),
                Doing::Talking { .. } => stage == Some(&Stage::Talking(agent.clone())),
                Doing::WrapUp { .. } => self.has(|tenant| Timer::WrapUp(tenant, agent.clone())),
            };
            demand(live, || format!("{agent}: {:?}, but the work is {stage:?}", seat.doing))?;
            let shown = match seat.doing {
                Doing::Talking { .. } => seat.shown == AgentState::Busy,
                Doing::Ringing(_) => seat.shown == AgentState::Ringing && seat.direct.is_empty(),
                _ if !seat.direct.is_empty() => seat.shown == AgentState::Busy,
                Doing::Nothing => seat.shown == seat.at_rest(),
                Doing::WrapUp { .. } => seat.shown == AgentState::WrapUp,
            };
            demand(shown, || format!("{agent}: {:?}, shown {:?}", seat.doing, seat.shown))?;
            demand(seat.free_since.is_some() == seat.is_free(), || {
                format!("{agent}: free since {:?}, free {}", seat.free_since, seat.is_free())
            })?;
            let rests = self.has(|tenant| Timer::Rest(tenant, agent.clone()));
            demand(rests == seat.resting, || format!("{agent}: rests, with no end to it"))?;
            let stays = !seat.removed || seat.talks();
            demand(stays, || format!("{agent}: removed, but still there"))?;
        }
        Ok(())
    }

    fn work(&self) -> Result<(), String> {
        for (id, work) in &self.floor.work {
            match &work.stage {
                Stage::Waiting => {
                    let line = self.floor.lines.get(&work.queue);
                    demand(line.is_some_and(|line| line.holds(*id, work)), || {
                        format!("{id} waits, but has no place in {}", work.queue)
                    })?;
                    let retries = self.has(|tenant| Timer::RetryPause(tenant, *id));
                    demand(retries != work.tried.is_empty(), || {
                        format!("{id}: tried {:?}, deadline {retries}", work.tried)
                    })?;
                    let gives_up = self.has(|tenant| Timer::MaxWait(tenant, *id));
                    demand(gives_up == work.gives_up_at.is_some(), || {
                        format!("{id} gives up at {:?}, deadline {gives_up}", work.gives_up_at)
                    })?;
                }
                Stage::Ringing(agent) => {
                    self.linked(*id, agent, Doing::Ringing(*id))?;
                    let ends = self.has(|tenant| Timer::RingTimeout(tenant, *id));
                    demand(ends, || format!("{id} rings {agent} for ever"))?;
                }
                Stage::Talking(agent) => {
                    let doing = self.floor.seats.get(agent).map(|seat| seat.doing);
                    let talks = matches!(doing, Some(Doing::Talking { work, .. }) if work == *id);
                    demand(talks, || format!("{id} talks with {agent}, who does {doing:?}"))?;
                }
            }
        }
        Ok(())
    }

    fn linked(&self, id: WorkId, agent: &AgentId, doing: Doing) -> Result<(), String> {
        let found = self.floor.seats.get(agent).map(|seat| seat.doing);
        demand(found == Some(doing), || format!("{id} rings {agent}, who does {found:?}"))
    }

    fn lines(&self) -> Result<(), String> {
        for (queue, line) in &self.floor.lines {
            let waiting: Vec<WorkId> = line.waiting().map(|(_, id)| id).collect();
            let counted = usize::try_from(line.waiting_count()) == Ok(waiting.len());
            demand(counted, || format!("{queue}: {} wait", waiting.len()))?;
            let of_line = |w: &&super::work::Work| w.queue == *queue;
            let ringing = self.floor.work.values().filter(of_line);
            let ringing = ringing.filter(|w| matches!(w.stage, Stage::Ringing(_))).count();
            demand(usize::try_from(line.ringing) == Ok(ringing), || {
                format!("{queue}: {ringing} ring, {} counted", line.ringing)
            })?;
            let free = line.members.iter().filter_map(|agent| {
                Some((self.floor.seats.get(agent)?.free_since?, agent.clone()))
            });
            demand(free.collect::<std::collections::BTreeSet<_>>() == line.idle, || {
                format!("{queue}: the idle ones are not the free ones")
            })?;
            for id in waiting {
                let Some(work) = self.floor.work.get(&id) else {
                    return Err(format!("{queue}: {id} waits, but is gone"));
                };
                demand(work.stage == Stage::Waiting && work.queue == *queue, || {
                    format!("{queue}: {id} has a place, but is {:?}", work.stage)
                })?;
                let taker = line.idle.iter().find(|(_, agent)| work.tried(agent).is_none());
                demand(taker.is_none(), || format!("{queue}: {id} waits, {taker:?} is free"))?;
            }
        }
        Ok(())
    }
}

fn demand(holds: bool, broken: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(broken()) }
}
