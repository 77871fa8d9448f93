//! Between the media workers' rings and the captures that the API shows: a task that drains the
//! rings while something is captured, and has the engine end what has enough.

use std::time::Duration;

use base::Instant;
use control_api::{CaptureOver, CapturedDatagram, Captures, EngineRequest};
use media::CaptureReceiver;
use switch::ApiRequest;
use tokio::sync::{mpsc, oneshot};

use crate::clock::Clock;

/// Datagrams that wait in one worker's ring, and their bytes: half a second of twenty calls.
const DATAGRAMS: usize = 4_096;
const BYTES: usize = 1 << 20;
/// How often the rings are drained.
const TURN: Duration = Duration::from_millis(20);

/// A worker's ring.
pub(crate) fn ring() -> (media::CaptureSender, CaptureReceiver) {
    media::capture::ring(DATAGRAMS, BYTES)
}

/// What takes the datagrams from the rings to where captures are held.
pub(crate) struct Collector {
    rings: Vec<CaptureReceiver>,
    captures: Captures,
    clock: Clock,
}

impl Collector {
    pub(crate) fn new(rings: Vec<CaptureReceiver>, captures: Captures, clock: Clock) -> Self {
        Self { rings, captures, clock }
    }

    /// Where they are held.
    pub(crate) fn captures(&self) -> Captures {
        self.captures.clone()
    }

    /// Drains the rings for as long as it is let.
    pub(crate) async fn collect(self, requests: mpsc::Sender<EngineRequest>) {
        let Self { mut rings, captures, clock } = self;
        let mut bytes = Vec::with_capacity(media::MAX_DATAGRAM);
        loop {
            for ring in &mut rings {
                drain(ring, &captures, clock, &mut bytes);
            }
            for over in captures.review() {
                end(over, &requests).await;
            }
            if captures.is_idle() {
                // What was kept long enough is forgotten also while nothing is captured.
                let _ = tokio::time::timeout(Duration::from_secs(10), captures.begun()).await;
            } else {
                tokio::time::sleep(TURN).await;
            }
        }
    }
}

fn drain(ring: &mut CaptureReceiver, captures: &Captures, clock: Clock, bytes: &mut Vec<u8>) {
    while let Some(head) = ring.pop(bytes) {
        let (capture, stream) = (head.capture, head.stream.0);
        if head.dropped > 0 {
            captures.note_dropped(capture, stream, head.dropped);
        }
        if head.is_end {
            continue;
        }
        let at = clock.wall_at_zero().after(head.at.since(Instant::ZERO));
        let (from, to, length) = (head.from, head.to, head.length);
        captures.put(&CapturedDatagram { capture, at, stream, from, to, bytes, length });
    }
}

async fn end(over: CaptureOver, requests: &mpsc::Sender<EngineRequest>) {
    let CaptureOver { tenant, call, capture, why } = over;
    let request = ApiRequest::EndCapture { call, capture, why };
    // The answer tells nothing new: the call may be over.
    let (reply, _) = oneshot::channel();
    let _ = requests.send(EngineRequest { tenant, request, reply }).await;
}
