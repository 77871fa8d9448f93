//! A media worker that has ended: its calls end with their cause, what the API was promised of them
//! is an error at once, and no call is given to it any more.

use std::collections::BTreeSet;

use base::{CallId, Instant};
use media::{Event, WorkerId};

use crate::call::Signal;
use crate::switch::Switch;

impl Switch {
    pub(crate) fn on_media_gone(&mut self, now: Instant, worker: WorkerId) {
        let streams = self.node.ports.worker_gone(worker);
        let calls: BTreeSet<CallId> = streams.iter().map(|(_, call)| *call).collect();
        for call in calls {
            self.signal(now, call, Signal::MediaGone(worker));
        }
        for (stream, _) in streams {
            // Nobody tells any more what went over it.
            let reason = "its media worker has ended".to_owned();
            self.on_media(now, Event::OpenFailed { stream, reason });
        }
    }
}
