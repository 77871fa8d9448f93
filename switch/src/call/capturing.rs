//! A capture of a call's RTP and RTCP, for whoever looks for a fault: which streams it takes in
//! follows who is in the call. The datagrams go from the media workers to the one who keeps them;
//! here is only who wished for it, and that it is told when it begins and ends.

use std::net::SocketAddr;

use base::{Instant, LegId};
use media::{CaptureId, CaptureOrder, Command, StreamId, WorkerId};

use super::leg::Leg;
use super::{Call, Stage};
use crate::api::{ApiError, CaptureWish, CapturedLeg};
use crate::event::{CaptureEnd, EventKind};
use crate::node::Node;

/// A capture that runs.
pub(super) struct Capturing {
    capture: CaptureId,
    /// One leg alone.
    leg: Option<LegId>,
    received: bool,
    sent: bool,
    payload: bool,
    streams: Vec<Captured>,
}

/// A stream that it takes in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Captured {
    stream: StreamId,
    worker: WorkerId,
    local: SocketAddr,
}

impl Call {
    /// Begins to capture.
    ///
    /// # Errors
    /// When it is captured already, it is over, or nobody is on the side that was named.
    pub(crate) fn capture(
        &mut self,
        node: &mut Node,
        now: Instant,
        wish: CaptureWish,
    ) -> Result<Vec<CapturedLeg>, ApiError> {
        if matches!(self.stage, Stage::Ending(_)) {
            return Err(ApiError::Conflict("the call is over".to_owned()));
        }
        if self.capturing.is_some() {
            return Err(ApiError::Conflict("the call is being captured already".to_owned()));
        }
        let CaptureWish { capture, leg: side, received, sent, payload, by } = wish;
        let leg = side.map(|side| self.leg_of(side)).transpose()?;
        let streams = Vec::new();
        let capturing = Capturing { capture, leg, received, sent, payload, streams };
        self.capturing = Some(Box::new(capturing));
        self.review_capture(node);
        let started = EventKind::CaptureStarted {
            capture: capture.0,
            by,
            leg: leg.map(|leg| leg.0),
            payload: if payload { "audio" } else { "headers" },
        };
        self.tell(node, now, started);
        Ok(self.captured_legs(node))
    }

    /// Ends that capture; nothing if it is over.
    pub(crate) fn end_capture(
        &mut self,
        node: &mut Node,
        now: Instant,
        (capture, why): (CaptureId, CaptureEnd),
    ) {
        if self.capturing.as_ref().is_some_and(|known| known.capture == capture) {
            self.stop_capture(node, now, why);
        }
    }

    /// Ends whatever capture runs.
    pub(super) fn stop_capture(&mut self, node: &mut Node, now: Instant, why: CaptureEnd) {
        let Some(capturing) = self.capturing.take() else { return };
        for Captured { stream, worker, .. } in capturing.streams {
            node.media(worker, Command::Capture { stream, order: None });
        }
        let capture = capturing.capture.0;
        self.tell(node, now, EventKind::CaptureStopped { capture, why });
    }

    /// Has the capture follow who is in the call.
    pub(super) fn review_capture(&mut self, node: &mut Node) {
        let Some(capturing) = &self.capturing else { return };
        let Capturing { capture, received, sent, payload, .. } = **capturing;
        let legs = self.legs().filter(|leg| capturing.leg.is_none_or(|only| leg.id == only));
        let wanted: Vec<Captured> = legs.filter_map(|leg| captured(node, leg)).collect();
        let Some(capturing) = &mut self.capturing else { return };
        if capturing.streams == wanted {
            return;
        }
        let before = std::mem::replace(&mut capturing.streams, wanted.clone());
        for Captured { stream, worker, .. } in before.iter().filter(|old| !wanted.contains(old)) {
            node.media(*worker, Command::Capture { stream: *stream, order: None });
        }
        for new in wanted.into_iter().filter(|new| !before.contains(new)) {
            let Captured { stream, worker, local } = new;
            let order = CaptureOrder { capture, local, received, sent, payload };
            node.media(worker, Command::Capture { stream, order: Some(order) });
        }
    }

    fn captured_legs(&self, node: &Node) -> Vec<CapturedLeg> {
        let Some(capturing) = &self.capturing else { return Vec::new() };
        let legs = self.legs().filter(|leg| capturing.leg.is_none_or(|only| leg.id == only));
        let shown = |leg: &Leg| {
            let Captured { local, .. } = captured(node, leg)?;
            Some(CapturedLeg { leg: leg.id, kind: leg.kind(), local })
        };
        legs.filter_map(shown).collect()
    }
}

/// A leg's stream, at the address that its far end knows.
fn captured(node: &Node, leg: &Leg) -> Option<Captured> {
    let (stream, place) = leg.stream.open()?;
    let by_flow = || leg.signalling.flow().map(|flow| flow.local.ip());
    let address = place.address.or_else(by_flow);
    let address = address.unwrap_or_else(|| node.ports.inside(place.worker));
    let local = SocketAddr::new(address, place.port);
    Some(Captured { stream, worker: place.worker, local })
}
