//! Which streams need nobody here: what a driver may let the kernel relay.

use std::net::SocketAddr;

use super::Plane;
use super::feed::Feed;
use super::stream::Stream;
use crate::{Port, Slot};

/// A way that packets may take past us: nobody needs their samples, and each is sent on as it is
/// but for its header.
///
/// It holds until the next call of the plane that takes `&mut self`; a driver asks again after
/// each order and takes the stream back when the answer is another. What goes this way is missing
/// in the stream's figures, so a driver lets a packet through now and then, and those of another
/// source, length or payload type always.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Shortcut {
    /// Whence packets come; those of others are nobody's.
    pub source: SocketAddr,
    /// Their payload type: of others we know nothing.
    pub payload_type: u8,
    /// From whose RTP port they leave, and to whom.
    pub to: (Slot, SocketAddr),
}

impl Plane {
    /// The way of a stream's audio if nobody needs its samples now: it is bridged with one other
    /// in the same codec, both in the clear and known by their sources; nobody records,
    /// captures, copies, masks or listens to it, and nothing plays or is pressed towards the other.
    #[must_use]
    pub fn shortcut(&self, slot: Slot) -> Option<Shortcut> {
        let stream = self.stream(slot).filter(|stream| stream.is_plain())?;
        let ([Some(to), None] | [None, Some(to)]) = stream.relays else { return None };
        let other = self.stream(to).filter(|other| other.is_plain())?;
        let is_silent = other.playing.is_none() && !other.presses_keys;
        if other.feed != Feed::Relay(slot) || !is_silent {
            return None;
        }
        let (theirs, ours) = (stream.remote?, other.remote?);
        let same = theirs.codec == ours.codec && theirs.payload_type == ours.payload_type;
        let (Port::Rtp, target) = other.rtp_target()? else { return None };
        same.then_some(Shortcut {
            source: stream.latch.source()?,
            payload_type: theirs.payload_type,
            to: (to, target),
        })
    }
}

impl Stream {
    /// Whether its packets are its bridge's alone and in the clear.
    fn is_plain(&self) -> bool {
        let is_heard = self.tapping.is_some() || self.voice.is_some() || self.is_captured;
        let is_watched = self.rare.watched.is_some();
        self.open
            && self.secure.is_none()
            && self.web.is_none()
            && !is_heard
            && !is_watched
            && !self.minds_keys
    }
}
