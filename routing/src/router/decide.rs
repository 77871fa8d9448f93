//! The reasons of a decision, gathered at the moment it is made. At most
//! [`Decision::MAX_CONSIDERED`] agents are looked at, however many the tenant has.

use base::{AgentId, Instant};

use super::WorkId;
use super::floor::Floor;
use super::line::Line;
use super::seat::Seat;
use super::work::{Tried, Work};
use crate::{Candidate, Decision, Verdict};

impl Floor {
    /// Why `chosen` rings for this work, or why nobody does.
    pub(super) fn decide(
        &self,
        now: Instant,
        id: WorkId,
        chosen: Option<&AgentId>,
    ) -> Option<Decision> {
        let work = self.work.get(&id)?;
        let line = self.lines.get(&work.queue)?;
        let idle = self.idle(now, work, line, chosen);
        let others = line
            .members
            .iter()
            .filter_map(|agent| Some((agent, self.seats.get(agent)?)))
            .filter(|(_, seat)| seat.free_since.is_none())
            .map(|(agent, seat)| Candidate {
                agent: agent.clone(),
                verdict: not_free(work, agent, seat),
            });
        let considered: Vec<Candidate> = idle
            .chain(others)
            .chain(line.outsiders.iter().cloned())
            .take(Decision::MAX_CONSIDERED)
            .collect();
        let not_listed = self.seats.len().saturating_sub(considered.len());
        Some(Decision {
            chosen: chosen.cloned(),
            considered,
            not_listed: u32::try_from(not_listed).unwrap_or(u32::MAX),
            needs: line.queue.needs.clone(),
            rule: if chosen.is_some() { Decision::LONGEST_IDLE } else { Decision::NOBODY_FREE },
        })
    }

    /// The chosen one, then the others who are free, longest idle first.
    fn idle<'a>(
        &self,
        now: Instant,
        work: &'a Work,
        line: &'a Line,
        chosen: Option<&'a AgentId>,
    ) -> impl Iterator<Item = Candidate> + use<'a> {
        let since = chosen.and_then(|agent| self.seats.get(agent)?.free_since);
        let first = chosen.zip(since).map(|(agent, since)| Candidate {
            agent: agent.clone(),
            verdict: Verdict::Chosen { idle: now.since(since) },
        });
        let rest = line.idle.iter().filter(move |(_, agent)| chosen != Some(agent));
        first.into_iter().chain(rest.map(move |(since, agent)| Candidate {
            agent: agent.clone(),
            verdict: match work.tried(agent) {
                Some(tried) => tried.verdict(),
                None => Verdict::LessIdle { idle: now.since(*since) },
            },
        }))
    }
}

fn not_free(work: &Work, agent: &AgentId, seat: &Seat) -> Verdict {
    if seat.resting {
        return work.tried(agent).map_or(Verdict::Resting, Tried::verdict);
    }
    if seat.refuses_all() {
        return Verdict::DoNotDisturb;
    }
    if seat.is_missed() {
        return Verdict::Unreachable;
    }
    Verdict::State { state: seat.shown, reason: seat.shown_reason.clone() }
}
