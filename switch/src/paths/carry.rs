//! What the paths say, carried to whoever asked.

use base::Instant;

use super::words::{PathEvent, PathFor, PathOutput};
use crate::call::Signal;
use crate::index::LegRef;
use crate::port::Output;
use crate::switch::Switch;

impl Switch {
    pub(crate) fn on_path(&mut self, now: Instant, output: PathOutput) {
        match output {
            PathOutput::Ask(question) => self.node.outbox.push_back(Output::Dns { question }),
            PathOutput::Connect { id, hop, identity } => {
                self.node.outbox.push_back(Output::Connect { id, hop, identity });
            }
            PathOutput::Event(purpose, event) => self.on_path_event(now, purpose, event),
            PathOutput::Server { trunk, address } => {
                self.node.trunk_states.learn_server(&trunk, address);
            }
            PathOutput::Outcome { trunk, uri, outcome } => {
                self.node.on_trunk_outcome(now, &trunk, &uri, outcome);
            }
        }
    }

    fn on_path_event(&mut self, now: Instant, purpose: PathFor, event: PathEvent) {
        let path = event.path();
        let is_open = self.node.paths.is_open(path);
        match purpose {
            // Closed since it was said.
            PathFor::Leg(_) | PathFor::Trunk(_) if !is_open && !event.is_last() => {}
            PathFor::Trunk(errand) => self.node.on_errand_path(now, errand, event),
            PathFor::Leg(LegRef { call, leg }) => {
                if self.calls.get_mut(call).is_some() {
                    self.signal(now, call, Signal::Path(leg, event));
                } else {
                    self.node.paths.close(path);
                }
            }
            PathFor::Dialog(LegRef { call, leg }) => {
                self.signal(now, call, Signal::NextHop(leg, event));
            }
        }
    }
}
