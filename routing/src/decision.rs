//! Why the work went to this agent and not to another: the reasons every routing decision carries,
//! and the sentence that tells them to a person.

use std::fmt;

use base::{AgentId, Duration, SkillId};
use serde::Serialize;

use crate::{AgentState, AttemptFailure};

/// A decision about one work item, made at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// The agent who rings; nobody if the work waits.
    pub chosen: Option<AgentId>,
    /// The agents looked at and what was found, at most [`Decision::MAX_CONSIDERED`]: first those
    /// who are free, longest idle first; then the queue's other agents; then agents who cannot
    /// take its work.
    pub considered: Vec<Candidate>,
    /// How many more agents the tenant has.
    pub not_listed: u32,
    /// The skills that the queue needs.
    pub needs: Vec<SkillId>,
    /// The rule that decided.
    pub rule: &'static str,
}

/// One agent in a decision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Candidate {
    /// Who.
    pub agent: AgentId,
    /// What was found.
    pub verdict: Verdict,
}

/// What a decision found about an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "verdict", rename_all = "snake_case")]
pub enum Verdict {
    /// Rings: free, skilled, and idle the longest.
    Chosen {
        /// How long they have been idle.
        #[serde(rename = "idle_ms", serialize_with = "as_millis")]
        idle: Duration,
    },
    /// Could ring too, but somebody has been idle longer.
    LessIdle {
        /// How long they have been idle.
        #[serde(rename = "idle_ms", serialize_with = "as_millis")]
        idle: Duration,
    },
    /// Lacks a skill that the queue needs.
    MissingSkill {
        /// The first one lacking.
        skill: SkillId,
    },
    /// Is not among the queue's agents.
    NotInQueue,
    /// Is in a state in which nobody rings.
    State {
        /// Which.
        state: AgentState,
        /// What they gave as the reason, for a break.
        reason: Option<String>,
    },
    /// Would be available, but no phone of theirs is registered.
    Unreachable,
    /// Was tried for this work a moment ago.
    TriedAlready {
        /// How that ended.
        why: AttemptFailure,
    },
    /// Had this work and passed it on a moment ago.
    PassedOn,
    /// Refused an attempt a moment ago; every work waits that moment.
    Resting,
    /// Wants no calls.
    DoNotDisturb,
}

impl Decision {
    /// The most candidates a decision lists.
    pub const MAX_CONSIDERED: usize = 20;
    /// The rule by which an agent is chosen.
    pub const LONGEST_IDLE: &'static str =
        "of the queue's reachable, available agents with every needed skill, the longest idle";
    /// The rule by which work waits.
    pub const NOBODY_FREE: &'static str =
        "nobody who may take it is free, so it waits: higher priority first, then first come";

    /// What was found about this agent, if they are listed.
    #[must_use]
    pub fn verdict(&self, agent: &AgentId) -> Option<&Verdict> {
        self.considered.iter().find(|c| c.agent == *agent).map(|c| &c.verdict)
    }
}

/// One sentence: `bob rings: needs billing; idle longest (3 m 10 s); alice lacks billing`.
impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.chosen {
            Some(agent) => write!(f, "{agent} rings")?,
            None => write!(f, "nobody rings yet")?,
        }
        f.write_str(": ")?;
        let mut parts = Parts { f, first: true };
        if let [first, rest @ ..] = self.needs.as_slice() {
            let mut needs = format!("needs {first}");
            for skill in rest {
                needs.push_str(" and ");
                needs.push_str(skill.as_str());
            }
            parts.add(format_args!("{needs}"))?;
        }
        for Candidate { agent, verdict } in &self.considered {
            match verdict {
                Verdict::Chosen { idle } => {
                    parts.add(format_args!("idle longest ({})", Spoken(*idle)))
                }
                Verdict::LessIdle { idle } => {
                    parts.add(format_args!("{agent} idle only {}", Spoken(*idle)))
                }
                Verdict::MissingSkill { skill } => parts.add(format_args!("{agent} lacks {skill}")),
                Verdict::NotInQueue => parts.add(format_args!("{agent} is not in the queue")),
                Verdict::State { state, reason: Some(reason) } => {
                    parts.add(format_args!("{agent} {state} ({reason})"))
                }
                Verdict::State { state, reason: None } => {
                    parts.add(format_args!("{agent} {state}"))
                }
                Verdict::Unreachable => parts.add(format_args!("{agent} is not registered")),
                Verdict::TriedAlready { why } => parts.add(format_args!("{agent} {why} just now")),
                Verdict::PassedOn => parts.add(format_args!("{agent} passed it on just now")),
                Verdict::DoNotDisturb => parts.add(format_args!("{agent} wants no calls")),
                Verdict::Resting => parts.add(format_args!("{agent} refused a call just now")),
            }?;
        }
        match self.not_listed {
            0 if self.considered.is_empty() => parts.add(format_args!("the tenant has no agents")),
            0 => Ok(()),
            n => parts.add(format_args!("{n} more not listed")),
        }
    }
}

/// Writes parts with `; ` between them.
struct Parts<'f, 'b> {
    f: &'f mut fmt::Formatter<'b>,
    first: bool,
}

impl Parts<'_, '_> {
    fn add(&mut self, part: fmt::Arguments<'_>) -> fmt::Result {
        if !std::mem::replace(&mut self.first, false) {
            self.f.write_str("; ")?;
        }
        self.f.write_fmt(part)
    }
}

/// A duration as it is said: `3 m 10 s`, `2 h 5 m`, `8 s`.
struct Spoken(Duration);

impl fmt::Display for Spoken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match (seconds / 3600, seconds / 60 % 60, seconds % 60) {
            (0, 0, s) => write!(f, "{s} s"),
            (0, m, s) => write!(f, "{m} m {s} s"),
            (h, m, _) => write!(f, "{h} h {m} m"),
        }
    }
}

fn as_millis<S: serde::Serializer>(length: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(u64::try_from(length.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(name: &str) -> AgentId {
        AgentId::new(name).unwrap()
    }

    fn skill(name: &str) -> SkillId {
        SkillId::new(name).unwrap()
    }

    #[test]
    fn a_decision_reads_as_one_sentence() {
        let decision = Decision {
            chosen: Some(id("bob")),
            considered: vec![
                Candidate {
                    agent: id("bob"),
                    verdict: Verdict::Chosen { idle: Duration::from_secs(190) },
                },
                Candidate {
                    agent: id("alice"),
                    verdict: Verdict::MissingSkill { skill: skill("billing") },
                },
            ],
            not_listed: 0,
            needs: vec![skill("billing")],
            rule: Decision::LONGEST_IDLE,
        };
        assert_eq!(
            decision.to_string(),
            "bob rings: needs billing; idle longest (3 m 10 s); alice lacks billing"
        );
    }

    #[test]
    fn a_wait_names_everyone_who_is_not_free() {
        let state = |state, reason: Option<&str>| Verdict::State {
            state,
            reason: reason.map(str::to_owned),
        };
        let decision = Decision {
            chosen: None,
            considered: vec![
                Candidate { agent: id("alice"), verdict: state(AgentState::Busy, None) },
                Candidate { agent: id("bob"), verdict: state(AgentState::Break, Some("lunch")) },
                Candidate {
                    agent: id("carol"),
                    verdict: Verdict::TriedAlready { why: AttemptFailure::NoAnswer },
                },
                Candidate { agent: id("dave"), verdict: Verdict::Unreachable },
            ],
            not_listed: 3,
            needs: vec![skill("sales"), skill("french")],
            rule: Decision::NOBODY_FREE,
        };
        assert_eq!(
            decision.to_string(),
            "nobody rings yet: needs sales and french; alice is on a call; bob is on a break \
             (lunch); carol did not answer just now; dave is not registered; 3 more not listed"
        );
    }

    #[test]
    fn a_tenant_without_agents_says_so() {
        let decision = Decision {
            chosen: None,
            considered: vec![],
            not_listed: 0,
            needs: vec![],
            rule: Decision::NOBODY_FREE,
        };
        assert_eq!(decision.to_string(), "nobody rings yet: the tenant has no agents");
    }
}
