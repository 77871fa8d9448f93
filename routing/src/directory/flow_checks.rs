//! The checks on one tenant's flows: what their steps name is there, each can be reached, and none
//! leads back to itself.

use std::collections::BTreeSet;

use base::FlowId;

use super::checks::Names;
use super::names::Findings;
use crate::{Flow, Signature, Step};

impl Names<'_> {
    pub(super) fn flows(&self, found: &mut Findings) {
        for flow in &self.tenant.flows {
            let path = self.path(format_args!("flows.{}.steps", flow.id));
            if flow.steps.is_empty() {
                found.add(
                    &path,
                    "a flow without steps only hangs up",
                    "add a step, such as { do = \"queue\", queue = \"...\" }",
                );
            }
            let mut ended = false;
            for (at, step) in flow.steps.iter().enumerate() {
                let path = format!("{path}[{at}]");
                if ended {
                    found.add(
                        &path,
                        "the step before it hangs up, so it is never reached",
                        "remove it, or move the hangup to the end",
                    );
                }
                ended |= matches!(step, Step::Hangup { .. });
                self.step(&path, step, found);
            }
            self.circle(&path, flow, found);
        }
    }

    fn step(&self, path: &str, step: &Step, found: &mut Findings) {
        match step {
            Step::Play { prompt } => self.prompt(&format!("{path}.prompt"), prompt, found),
            Step::Say { value, language, .. } => {
                self.language(format!("{path}.language"), language.as_deref(), found);
                if value.trim().is_empty() {
                    let cure = "write what to say, such as \"2026-07-14\" or \"$caller\"";
                    found.add(format!("{path}.value"), "there is nothing to say", cure);
                }
            }
            Step::Collect(asked) => self.collect(path, asked, found),
            Step::Menu(menu) => self.menu(path, menu, found),
            Step::Queue { queue } if !self.index.queues.contains_key(queue) => {
                let known = self.index.queues.keys();
                let place = self.place("queues");
                found.unknown(format!("{path}.queue"), "queue", queue, known, &place);
            }
            Step::Queue { .. } => {}
            Step::Dial { to, ring_s, .. } => {
                if to.trim().is_empty() {
                    let cure = "name an agent, an extension or a number";
                    found.add(format!("{path}.to"), "nobody is named", cure);
                }
                if ring_s.is_some_and(|seconds| !(5..=120).contains(&seconds)) {
                    let problem = "a ring time out of range";
                    found.add(format!("{path}.ring_s"), problem, "write 5 to 120");
                }
            }
            Step::Branch { signature, flow } => self.branch(path, signature, flow, found),
            Step::Hangup { .. } => {}
        }
    }

    fn branch(&self, path: &str, signature: &[Signature], flow: &FlowId, found: &mut Findings) {
        if signature.is_empty() {
            let cure = "write some of \"A\", \"B\", \"C\", \"failed\", \"none\", \"unchecked\"";
            found.add(format!("{path}.signature"), "no call ever goes that way", cure);
        }
        if !self.index.flows.contains_key(flow) {
            let (known, place) = (self.index.flows.keys(), self.place("flows"));
            found.unknown(format!("{path}.flow"), "flow", flow, known, &place);
        }
    }

    /// A flow that branches back to itself, through whichever others, never ends.
    fn circle(&self, path: &str, flow: &Flow, found: &mut Findings) {
        let mut seen = BTreeSet::new();
        let mut ahead: Vec<&FlowId> = branches(flow).collect();
        while let Some(next) = ahead.pop() {
            if *next == flow.id {
                let problem = "the flow branches back to itself";
                return found.add(path, problem, "remove one of the branches");
            }
            if seen.insert(next) {
                let known = self.tenant.flows.iter().find(|flow| flow.id == *next);
                ahead.extend(known.into_iter().flat_map(branches));
            }
        }
    }
}

fn branches(flow: &Flow) -> impl Iterator<Item = &FlowId> {
    flow.steps.iter().filter_map(|step| match step {
        Step::Branch { flow, .. } => Some(flow),
        _ => None,
    })
}
