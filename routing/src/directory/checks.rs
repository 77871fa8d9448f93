//! The checks on one tenant: its agents, queues, flows, prompts and limits.

use std::collections::BTreeSet;

use base::{PromptId, SkillId};

use super::TenantIndex;
use super::names::{Findings, within};
use super::trunk_checks::codecs;
use crate::{Queue, Tenant};

/// Codes of a wrap-up that one queue has, and how long each and its name may be.
const MOST_CODES: usize = 200;
const LONGEST_CODE: usize = 32;
const LONGEST_NAME: usize = 60;

/// What one tenant may name: its own things and what it inherits.
pub(super) struct Names<'a> {
    pub(super) tenant: &'a Tenant,
    pub(super) index: &'a TenantIndex,
    skills: BTreeSet<&'a SkillId>,
    prompts: BTreeSet<&'a PromptId>,
    pub(super) playlists: BTreeSet<&'a PromptId>,
}

pub(super) fn tenant(
    tenants: &[Tenant],
    tenant: &Tenant,
    index: &TenantIndex,
    found: &mut Findings,
) {
    let line = || index.line.iter().map(|at| &tenants[*at]);
    let names = Names {
        tenant,
        index,
        skills: line().flat_map(|t| &t.skills).map(|s| &s.id).collect(),
        prompts: line().flat_map(|t| &t.prompts).map(|p| &p.id).collect(),
        playlists: line()
            .flat_map(|t| &t.prompts)
            .filter(|p| !p.playlist.is_empty())
            .map(|p| &p.id)
            .collect(),
    };
    names.limits(found);
    names.agents(found);
    for prompt in &tenant.prompts {
        names.prompt_file(prompt, found);
    }
    for queue in &tenant.queues {
        names.queue(queue, found);
    }
    if let Some(music) = &tenant.hold_music {
        names.prompt(&names.path("hold_music"), music, found);
    }
    names.language(names.path("language"), tenant.language.as_deref(), found);
    names.flows(found);
    for (at, number) in tenant.numbers.iter().enumerate() {
        if !index.flows.contains_key(&number.flow) {
            let path = names.path(format_args!("numbers[{at}].flow"));
            let place = names.place("flows");
            found.unknown(path, "flow", &number.flow, index.flows.keys(), &place);
        }
    }
}

impl Names<'_> {
    pub(super) fn path(&self, rest: impl std::fmt::Display) -> String {
        format!("tenants.{}.{rest}", self.tenant.id)
    }

    pub(super) fn place(&self, list: &str) -> String {
        format!("[[tenants.{list}]] of {}", self.tenant.id)
    }

    fn limits(&self, found: &mut Findings) {
        let limits = &self.index.limits;
        let agents = self.tenant.agents.len();
        if let Some(most) = limits.agents
            && agents > usize::try_from(most).unwrap_or(usize::MAX)
        {
            found.add(
                self.path("agents"),
                format_args!("{agents} agents, but limits.agents allows {most}"),
                "raise the limit (its parents' too) or remove agents",
            );
        }
        if limits.retention_days == Some(0) {
            found.add(
                self.path("limits.retention_days"),
                "recordings would be deleted as soon as they are made",
                "write 1 or more, or recording = false",
            );
        }
    }

    fn agents(&self, found: &mut Findings) {
        codecs(&self.tenant.codecs, self.path("codecs"), found);
        for agent in &self.tenant.agents {
            let path = self.path(format_args!("agents.{}", agent.id));
            codecs(&agent.codecs, format_args!("{path}.codecs"), found);
            if agent.password.is_empty() {
                found.add(
                    format_args!("{path}.password"),
                    "the password is empty",
                    "write a long random one",
                );
            } else if agent.password.as_str() == agent.id.as_str() {
                found.add(
                    format_args!("{path}.password"),
                    "the password is the agent's name",
                    "write a long random one",
                );
            }
            self.skills(&format!("{path}.skills"), &agent.skills, found);
            if let crate::Supervises::Queues(queues) = &agent.supervises {
                let known = &self.index.queues;
                for queue in queues.iter().filter(|queue| !known.contains_key(*queue)) {
                    let path = format!("{path}.supervises");
                    found.unknown(path, "queue", queue, known.keys(), &self.place("queues"));
                }
            }
            if let Some(seconds) = agent.wrap_up_s {
                within(&format!("{path}.wrap_up_s"), seconds, 0..=3600, found);
            }
        }
    }

    fn skills(&self, path: &str, skills: &[SkillId], found: &mut Findings) {
        let mut seen = BTreeSet::new();
        for (at, skill) in skills.iter().enumerate() {
            let path = format!("{path}[{at}]");
            if !seen.insert(skill) {
                found.add(&path, format_args!("\"{skill}\" is listed twice"), "list it once");
            }
            if !self.skills.is_empty() && !self.skills.contains(skill) {
                let known = self.skills.iter().copied();
                found.unknown(path, "skill", skill, known, &self.place("skills"));
            }
        }
    }

    fn queue(&self, queue: &Queue, found: &mut Findings) {
        let path = self.path(format_args!("queues.{}", queue.id));
        self.skills(&format!("{path}.needs"), &queue.needs, found);
        self.prompt(&format!("{path}.music"), &queue.music, found);
        let mut seen = BTreeSet::new();
        for (at, agent) in queue.agents.iter().flatten().enumerate() {
            let path = format!("{path}.agents[{at}]");
            if !self.index.agents.contains_key(agent) {
                let place = self.place("agents");
                found.unknown(&path, "agent", agent, self.index.agents.keys(), &place);
            }
            if !seen.insert(agent) {
                found.add(path, format_args!("\"{agent}\" is listed twice"), "list it once");
            }
        }
        within(&format!("{path}.ring_timeout_s"), queue.ring_timeout_s, 1..=300, found);
        within(&format!("{path}.wrap_up_s"), queue.wrap_up_s, 0..=3600, found);
        within(&format!("{path}.wrap_up_extend_s"), queue.wrap_up_extend_s, 0..=3600, found);
        wrap_up_codes(&path, queue, found);
        within(&format!("{path}.retry_pause_s"), queue.retry_pause_s, 1..=3600, found);
        within(&format!("{path}.max_waiting"), queue.max_waiting, 0..=100_000, found);
        within(&format!("{path}.service_level_s"), queue.service_level_s, 1..=86_400, found);
        let (alarms, path_of) = (&queue.alarms, |key| format!("{path}.alarms.{key}"));
        within(&path_of("longest_wait_s"), alarms.longest_wait_s, 0..=86_400, found);
        within(&path_of("waiting"), alarms.waiting, 0..=100_000, found);
        let level = u32::from(alarms.service_level_percent);
        within(&path_of("service_level_percent"), level, 0..=100, found);
        if let Some(seconds) = queue.max_wait_s {
            within(&format!("{path}.max_wait_s"), seconds, 1..=86_400, found);
        }
    }

    pub(super) fn prompt(&self, path: &str, prompt: &PromptId, found: &mut Findings) {
        if !self.prompts.contains(prompt) {
            let known = self.prompts.iter().copied();
            found.unknown(path, "prompt", prompt, known, &self.place("prompts"));
        }
    }
}

/// Codes of one queue: short, and each of another.
fn wrap_up_codes(path: &str, queue: &Queue, found: &mut Findings) {
    if queue.wrap_up_codes.len() > MOST_CODES {
        let cure = format!("leave {MOST_CODES} of them");
        found.add(format_args!("{path}.wrap_up_codes"), "nobody finds one of so many", cure);
    }
    let mut seen = BTreeSet::new();
    for (at, one) in queue.wrap_up_codes.iter().enumerate() {
        let path = format!("{path}.wrap_up_codes[{at}]");
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        let (code, name) = (&one.code, &one.name);
        if code.is_empty() || code.len() > LONGEST_CODE || !code.bytes().all(is_plain) {
            let problem = format!("\"{code}\" is no code");
            let cure = "write 1 to 32 letters, digits, \"-\", \"_\" and \".\"; name says more";
            found.add(format!("{path}.code"), problem, cure);
        } else if !seen.insert(code) {
            found.add(path.clone(), format_args!("\"{code}\" is listed twice"), "list it once");
        }
        if name.chars().count() > LONGEST_NAME {
            found.add(format!("{path}.name"), "it does not fit on a button", "write 60 characters");
        }
    }
}
