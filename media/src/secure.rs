//! The keys of a stream: what comes in is opened before anybody looks at it, what goes out is
//! sealed last. Without keys everything passes as it is.

use base::{Duration, Instant};

use crate::MAX_DATAGRAM;
use crate::srtp::{Opener, Sealer, SrtpError, SrtpKeys};

/// How long what the far end had sealed with its last key is still taken: packets are under way
/// while keys are agreed on, and the far end changes when it has heard our answer.
const OVERLAP: Duration = Duration::from_secs(2);

/// A stream's keys, both directions.
pub(crate) struct Secure {
    keys: SrtpKeys,
    sealer: Sealer,
    opener: Opener,
    /// The keys before that are no more among them, until when.
    last: Option<(Instant, Box<Opener>)>,
}

type Open = fn(&mut Opener, &mut [u8]) -> Result<usize, SrtpError>;

impl Secure {
    /// Opens a packet with a key that was agreed on, or for a moment with one of those before.
    fn open(&mut self, now: Instant, packet: &mut [u8], open: Open) -> Option<usize> {
        if self.last.as_ref().is_some_and(|(until, _)| *until <= now) {
            self.last = None;
        }
        let Some((_, last)) = &mut self.last else { return open(&mut self.opener, packet).ok() };
        // Trying a key may spoil the packet for the next.
        let mut copy = [0; MAX_DATAGRAM];
        let copy = copy.get_mut(..packet.len())?;
        copy.copy_from_slice(packet);
        if let Ok(length) = open(&mut self.opener, packet) {
            return Some(length);
        }
        packet.copy_from_slice(copy);
        open(last, packet).ok()
    }
}

impl std::fmt::Debug for Secure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secure({:?})", self.keys)
    }
}

/// What was agreed on, first or anew. Keys that stay the same go on counting (RFC 4568 §7.1.4: an
/// unchanged key is no new one), and so do the numbers of packets when a key is replaced (RFC 3711
/// §3.3.1). The far end's last keys stay good for a moment.
pub(crate) fn agree(now: Instant, secure: &mut Option<Box<Secure>>, keys: Option<&SrtpKeys>) {
    let Some(keys) = keys else {
        *secure = None;
        return;
    };
    let Some(old) = secure else {
        let (sealer, opener) = (Sealer::new(&keys.ours), Opener::of(&keys.theirs));
        *secure = Some(Box::new(Secure { keys: keys.clone(), sealer, opener, last: None }));
        return;
    };
    if old.keys.ours != keys.ours {
        old.sealer.rekey(&keys.ours);
    }
    if old.keys.theirs != keys.theirs
        && let Some(last) = old.opener.replace(&keys.theirs)
    {
        old.last = Some((now + OVERLAP, Box::new(last)));
    }
    old.keys = keys.clone();
}

/// An RTP packet in the clear, if it is the far end's.
pub(crate) fn open_rtp<'a>(
    now: Instant,
    secure: Option<&mut Secure>,
    packet: &'a mut [u8],
) -> Option<&'a mut [u8]> {
    let Some(secure) = secure else { return Some(packet) };
    let length = secure.open(now, packet, Opener::open_rtp)?;
    packet.get_mut(..length)
}

/// An RTCP compound in the clear, if it is the far end's.
pub(crate) fn open_rtcp<'a>(
    now: Instant,
    secure: Option<&mut Secure>,
    packet: &'a mut [u8],
) -> Option<&'a [u8]> {
    let Some(secure) = secure else { return Some(packet) };
    let length = secure.open(now, packet, Opener::open_rtcp)?;
    packet.get(..length)
}

/// Seals the RTP packet that `into` holds from `start` on. False: it is not to be sent.
pub(crate) fn seal_rtp(secure: Option<&mut Secure>, into: &mut Vec<u8>, start: usize) -> bool {
    secure.is_none_or(|secure| secure.sealer.seal_rtp(into, start).is_ok())
}

/// Seals the RTCP compound that `into` holds from `start` on. False: it is not to be sent.
pub(crate) fn seal_rtcp(secure: Option<&mut Secure>, into: &mut Vec<u8>, start: usize) -> bool {
    secure.is_none_or(|secure| secure.sealer.seal_rtcp(into, start).is_ok())
}
