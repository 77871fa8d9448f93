//! The watch over conversations: whether what should come from a far end comes.

use base::{Duration, Instant};

use super::Plane;
use super::deadlines::Kind;
use super::feed::Joint;
use super::stream::Stream;
use crate::{Event, Slot, StreamId};

/// Nothing for this long, and the far end is looked for.
const QUIET: Duration = Duration::from_secs(3);
/// Still nothing: it is told once more.
const STILL_QUIET: Duration = Duration::from_secs(5);
/// How often a far end that is searched for is looked at: at first so often, then the more seldom
/// the longer it has been quiet, so that thousands of silent ones cost nothing.
const SEARCH: Duration = Duration::from_millis(200);
const SELDOM: Duration = Duration::from_secs(5);

/// What the watch knows of a stream.
#[derive(Debug, Default)]
pub(super) struct Vigil {
    /// Whether a deadline of ours is set.
    is_set: bool,
    /// Since when somebody listens.
    from: Instant,
    /// What was told of the silence since the last packet.
    told: Told,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Told {
    #[default]
    Nothing,
    Quiet,
    StillQuiet,
}

impl Plane {
    /// Somebody listens to these streams from now on.
    pub(super) fn watch(&mut self, now: Instant, slots: &[Slot]) {
        for slot in slots {
            let Some(stream) = self.stream_mut(*slot) else { continue };
            let vigil = &mut stream.rare.vigil;
            vigil.from = now;
            if !std::mem::replace(&mut vigil.is_set, true) {
                self.deadlines.set(now + QUIET, *slot, Kind::Vigil);
            }
        }
    }

    /// The deadline: is the far end heard?
    pub(super) fn look_after(&mut self, now: Instant, slot: Slot) {
        let Some(stream) = self.stream_mut(slot) else { return };
        if !has_listener(stream) {
            stream.rare.vigil.is_set = false;
            return;
        }
        let stream_id = stream.id;
        let (should_send, heard_at) = (should_send(stream), stream.heard_at);
        let heard = stream.packets_received > 0;
        let vigil = &mut stream.rare.vigil;
        let quiet = now.since(heard_at.max(vigil.from));
        let search = now + (quiet / 10).clamp(SEARCH, SELDOM);
        let (told, next, event) = match vigil.told {
            _ if !should_send => (Told::Nothing, now + QUIET, None),
            Told::Nothing if quiet >= QUIET => {
                let event = Event::Unheard { stream: stream_id, quiet, heard };
                (Told::Quiet, search, Some(event))
            }
            Told::Nothing => (Told::Nothing, now + (QUIET - quiet), None),
            Told::Quiet | Told::StillQuiet if quiet < QUIET => {
                (Told::Nothing, now + QUIET, Some(Event::HeardAgain { stream: stream_id }))
            }
            Told::Quiet if quiet >= STILL_QUIET => {
                let event = Event::Unheard { stream: stream_id, quiet, heard };
                (Told::StillQuiet, search, Some(event))
            }
            told => (told, search, None),
        };
        vigil.told = told;
        self.events.extend(event);
        self.deadlines.set(next, slot, Kind::Vigil);
    }

    /// Looks for the far end on its hosts.
    pub(super) fn relatch(&mut self, id: StreamId) {
        if let Some(stream) = self.by_id_mut(id) {
            stream.latch.search();
        }
    }
}

fn has_listener(stream: &Stream) -> bool {
    stream.joint != Joint::Alone
}

/// Whether packets must come all the time: not from one who holds, or who may be silent by
/// agreement (RFC 3389). Opus sends something at least every 400 ms.
fn should_send(stream: &Stream) -> bool {
    let sends =
        |remote: crate::RemoteMedia| remote.direction.sends() && remote.comfort_noise.is_none();
    stream.open && !stream.sends_noise && stream.remote.is_some_and(sends)
}
