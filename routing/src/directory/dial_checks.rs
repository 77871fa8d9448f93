//! The checks on what a tenant's people dial: extensions, forwards, policies, routes, caller ids.

use std::collections::{BTreeMap, BTreeSet};

use base::TrunkId;

use super::Directory;
use super::names::{Findings, within};
use super::trunk_checks::check_country;
use crate::{Agent, DialPolicy, DialRefused, Dialled, E164, Tenant, dial};

pub(super) fn dialling(directory: &Directory, found: &mut Findings) {
    for tenant in &directory.provisioning.tenants {
        let checked = Checked { directory, tenant };
        check_country(&checked.at("country"), tenant.country.as_deref(), found);
        checked.routes(found);
        checked.recording_servers(found);
        checked.shown(&checked.at("caller_id"), tenant.caller_id.as_deref(), found);
        checked.emergency_numbers(found);
        checked.codes(found);
        checked.extensions(found);
        for agent in &tenant.agents {
            checked.agent(agent, found);
        }
    }
}

struct Checked<'a> {
    directory: &'a Directory,
    tenant: &'a Tenant,
}

impl Checked<'_> {
    fn at(&self, rest: impl std::fmt::Display) -> String {
        format!("tenants.{}.{rest}", self.tenant.id)
    }

    fn routes(&self, found: &mut Findings) {
        let mut seen = BTreeSet::new();
        for (place, route) in self.tenant.routes.iter().enumerate() {
            let path = self.at(format_args!("routes[{place}]"));
            check_prefix(&format!("{path}.prefix"), &route.prefix, found);
            if !seen.insert((&route.prefix, &route.trunk)) {
                found.add(
                    &path,
                    format_args!("{:?} over \"{}\" is listed already", route.prefix, route.trunk),
                    "list it once",
                );
            }
            self.way_out(format!("{path}.trunk"), &route.trunk, found);
        }
    }

    /// A trunk that calls of the tenant's go out over.
    fn way_out(&self, path: String, trunk: &TrunkId, found: &mut Findings) {
        match self.directory.trunk(trunk) {
            None => {
                let known = self.directory.provisioning.trunks.iter().map(|trunk| &trunk.id);
                found.unknown(path, "trunk", trunk, known, "[[trunks]]");
            }
            Some(trunk) if !trunk.takes_calls() => found.add(
                path,
                format_args!("calls cannot go out over \"{}\": it has no targets", trunk.id),
                format_args!("add targets to trunks.{}, or register with it", trunk.id),
            ),
            Some(trunk) if !self.directory.trunk_serves(trunk, &self.tenant.id) => found.add(
                path,
                format_args!("the trunk \"{}\" is not for this tenant", trunk.id),
                format_args!("add the tenant to trunks.{}.tenants, or take another", trunk.id),
            ),
            Some(_) => {}
        }
    }

    /// The recording servers of the tenant and of its queues.
    fn recording_servers(&self, found: &mut Findings) {
        for (place, server) in self.tenant.siprec.iter().enumerate() {
            self.way_out(self.at(format_args!("siprec[{place}]")), server, found);
        }
        for queue in &self.tenant.queues {
            for (place, server) in queue.siprec.iter().flatten().enumerate() {
                let path = self.at(format_args!("queues.{}.siprec[{place}]", queue.id));
                self.way_out(path, server, found);
            }
        }
    }

    /// A number that others are shown.
    fn shown(&self, path: &str, number: Option<&str>, found: &mut Findings) {
        let Some(text) = number else { return };
        match E164::normalise(text) {
            Ok(_) if text.trim_start().starts_with('+') => {}
            Ok(number) => found.add(
                path,
                format_args!("{text:?} is not in E.164 form"),
                format_args!("write {:?} if that is what is meant", number.as_str()),
            ),
            Err(error) => found.add(
                path,
                format_args!("{text:?} is not in E.164 form: {error}"),
                "write \"+\", the country code and the number, such as \"+15550100\"",
            ),
        }
    }

    fn emergency_numbers(&self, found: &mut Findings) {
        for (place, digits) in self.tenant.emergency_numbers.iter().enumerate() {
            if !is_digits(digits, 2, 6) {
                found.add(
                    self.at(format_args!("emergency_numbers[{place}]")),
                    format_args!("{digits:?} is not a short number"),
                    "write 2 to 6 digits, such as \"112\"",
                );
            }
        }
    }

    fn codes(&self, found: &mut Findings) {
        let of = self.tenant;
        let mut seen: Vec<(&str, &str)> = Vec::new();
        for (key, code) in [
            ("pickup_code", &of.pickup_code),
            ("listen_code", &of.listen_code),
            ("whisper_code", &of.whisper_code),
            ("barge_code", &of.barge_code),
        ] {
            let Some(code) = code.as_deref() else { continue };
            let marked = code.starts_with(['*', '#']);
            let dialable = code.chars().all(|c| c.is_ascii_digit() || matches!(c, '*' | '#'));
            if !marked || !dialable || !(2..=4).contains(&code.len()) {
                found.add(
                    self.at(key),
                    format_args!(
                        "{code:?} is no code that a keypad dials and no number begins with"
                    ),
                    "write \"*\" or \"#\" and one to three digits, such as \"*8\"",
                );
            }
            let clashes =
                |(other, _): &&(&str, &str)| other.starts_with(code) || code.starts_with(*other);
            if let Some((_, other)) = seen.iter().find(clashes) {
                found.add(
                    self.at(key),
                    format_args!("{code:?} and the {other} begin alike"),
                    "choose codes of which none begins another",
                );
            }
            seen.push((code, key));
        }
    }

    /// Agents and queues share one plan, in which names go before extensions.
    fn extensions(&self, found: &mut Findings) {
        let agents = self.tenant.agents.iter();
        let queues = self.tenant.queues.iter();
        let names = agents.clone().map(|agent| agent.id.as_str());
        let names: BTreeSet<&str> = names.chain(queues.clone().map(|q| q.id.as_str())).collect();
        for name in names.iter().filter(|name| self.directory.is_emergency(&self.tenant.id, name)) {
            found.add(
                self.at(format_args!("{}.id", self.list_of(name))),
                format_args!("{name} is an emergency number, so nobody could dial the name"),
                "give it another name",
            );
        }
        let agents = agents.map(|a| (format!("agents.{}", a.id), a.extension.as_deref()));
        let queues = queues.map(|q| (format!("queues.{}", q.id), q.extension.as_deref()));
        let mut owners: BTreeMap<&str, String> = BTreeMap::new();
        for (owner, extension) in agents.chain(queues) {
            let Some(digits) = extension else { continue };
            let path = self.at(format_args!("{owner}.extension"));
            if !is_digits(digits, 2, 8) {
                found.add(
                    &path,
                    format_args!("{digits:?} is not an extension"),
                    "write 2 to 8 digits, such as \"101\"",
                );
            } else if self.directory.is_emergency(&self.tenant.id, digits) {
                found.add(
                    &path,
                    format_args!("{digits} is an emergency number, so nobody could dial it"),
                    "choose another extension",
                );
            } else if names.contains(digits) && !owner.ends_with(&format!(".{digits}")) {
                found.add(
                    &path,
                    format_args!("{digits} is a name already, and names go before extensions"),
                    "choose another extension",
                );
            }
            if let Some(other) = owners.get(digits) {
                found.add(
                    path,
                    format_args!("{digits} is the extension of {other} already"),
                    "choose another extension",
                );
            } else {
                owners.insert(digits, owner);
            }
        }
    }

    fn list_of(&self, name: &str) -> String {
        let agent = self.tenant.agents.iter().any(|agent| agent.id.as_str() == name);
        format!("{}.{name}", if agent { "agents" } else { "queues" })
    }

    fn agent(&self, agent: &Agent, found: &mut Findings) {
        let path = self.at(format_args!("agents.{}", agent.id));
        self.shown(&format!("{path}.caller_id"), agent.caller_id.as_deref(), found);
        if let DialPolicy::Prefixes(prefixes) = &agent.may_dial {
            for (place, prefix) in prefixes.iter().enumerate() {
                check_prefix(&format!("{path}.may_dial[{place}]"), prefix, found);
                if prefix.is_empty() {
                    found.add(
                        format_args!("{path}.may_dial[{place}]"),
                        "every number begins so",
                        "write may_dial = \"everything\" if that is what is meant",
                    );
                }
            }
        }
        let forward = &agent.forward;
        within(&format!("{path}.forward.no_answer_s"), forward.no_answer_s, 5..=120, found);
        for (key, target) in [
            ("always", &forward.always),
            ("busy", &forward.busy),
            ("no_answer", &forward.no_answer),
        ] {
            if let Some(target) = target {
                self.forward(&format!("{path}.forward.{key}"), agent, target, found);
            }
        }
    }

    fn forward(&self, path: &str, agent: &Agent, target: &str, found: &mut Findings) {
        match dial(self.directory, &self.tenant.id, Some(&agent.id), target) {
            Ok(Dialled::Agent(other)) if other == agent.id => found.add(
                path,
                format_args!("{target:?} is the agent whose calls are forwarded"),
                "write another agent, a queue or a number",
            ),
            Ok(_) | Err(DialRefused::NoCaller) => {}
            Err(refused) if refused.is_forbidden() => found.add(
                path,
                format_args!("calls cannot be forwarded to {target:?}: {refused}"),
                "let the agent dial it (may_dial, limits), or write another target",
            ),
            Err(refused) => found.add(
                path,
                format_args!("calls cannot be forwarded to {target:?}: {refused}"),
                "write an agent, an extension, a queue or a number",
            ),
        }
    }
}

/// `+49`, or `116` for short numbers.
fn check_prefix(path: &str, prefix: &str, found: &mut Findings) {
    let digits = prefix.strip_prefix('+').unwrap_or(prefix);
    let fits = if prefix.starts_with('+') { is_digits(digits, 1, 15) } else { digits.len() <= 6 };
    if !fits || !digits.bytes().all(|b| b.is_ascii_digit()) || digits.starts_with("00") {
        found.add(
            path,
            format_args!("{prefix:?} does not begin a number"),
            "write \"+\" and digits, such as \"+49\", or the digits of a short number",
        );
    }
}

fn is_digits(text: &str, least: usize, most: usize) -> bool {
    (least..=most).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
}
