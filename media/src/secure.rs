//! The keys of a stream: what comes in is opened before anybody looks at it, what goes out is
//! sealed last. Without keys everything passes as it is.

use crate::srtp::{Opener, Sealer, SrtpKeys};

/// A stream's keys, both directions.
pub(crate) struct Secure {
    keys: SrtpKeys,
    sealer: Sealer,
    opener: Opener,
}

impl std::fmt::Debug for Secure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Secure({:?})", self.keys)
    }
}

/// What was agreed on, first or anew. Keys that stay the same go on counting (RFC 4568 §7.1.4: an
/// unchanged key is no new one), and so do the numbers of packets when a key is replaced (RFC 3711
/// §3.3.1).
pub(crate) fn agree(secure: &mut Option<Box<Secure>>, keys: Option<&SrtpKeys>) {
    let Some(keys) = keys else {
        *secure = None;
        return;
    };
    let Some(old) = secure else {
        let (sealer, opener) = (Sealer::new(&keys.ours), Opener::new(&keys.theirs));
        *secure = Some(Box::new(Secure { keys: *keys, sealer, opener }));
        return;
    };
    if old.keys.ours != keys.ours {
        old.sealer.rekey(&keys.ours);
    }
    if old.keys.theirs != keys.theirs {
        old.opener.rekey(&keys.theirs);
    }
    old.keys = *keys;
}

/// An RTP packet in the clear, if it is the far end's.
pub(crate) fn open_rtp<'a>(
    secure: Option<&mut Secure>,
    packet: &'a mut [u8],
) -> Option<&'a mut [u8]> {
    let Some(secure) = secure else { return Some(packet) };
    let length = secure.opener.open_rtp(packet).ok()?;
    packet.get_mut(..length)
}

/// An RTCP compound in the clear, if it is the far end's.
pub(crate) fn open_rtcp<'a>(secure: Option<&mut Secure>, packet: &'a mut [u8]) -> Option<&'a [u8]> {
    let Some(secure) = secure else { return Some(packet) };
    let length = secure.opener.open_rtcp(packet).ok()?;
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
