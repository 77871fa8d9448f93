//! Opening what comes in: authenticated first, and never twice.

use super::cipher::{PacketNumber, Transform};
use super::sealer::{clear_rtcp, rollovers};
use super::window::Window;
use super::{
    ENCRYPTED, INDEX_BYTES, Lifetime, MasterKey, MasterKeys, RTCP_CLEAR, SrtpError, identity,
    rtcp_ssrc,
};
use crate::rtp;

/// Sources of one far end that are remembered: it changes its SSRC now and then.
const SOURCES: usize = 4;

/// Opens the packets of one far end with its key, or with that of its keys that they name. Each SSRC
/// has its own numbers, whichever key they are sealed with.
pub struct Opener {
    keys: Vec<Key>,
    sources: Sources,
}

/// One of a far end's keys.
struct Key {
    master: MasterKey,
    rtp: Transform,
    rtcp: Transform,
    /// What was sealed with it, so far.
    packets: u64,
    reports: u64,
}

/// The sources heard: the last one is first; the one silent longest makes room.
#[derive(Clone, Copy, Default)]
struct Sources([Option<Source>; SOURCES]);

#[derive(Clone, Copy)]
struct Source {
    ssrc: u32,
    rtp: Window,
    rtcp: Window,
}

impl Opener {
    /// Nothing heard yet; there is one key.
    #[must_use]
    pub fn new(key: &MasterKey) -> Self {
        Self { keys: vec![Key::new(key)], sources: Sources::default() }
    }

    /// Nothing heard yet; there may be several keys.
    #[must_use]
    pub fn of(keys: &MasterKeys) -> Self {
        Self { keys: keys.iter().map(Key::new).collect(), sources: Sources::default() }
    }

    /// Opens with the next keys from now on. Packets are counted on (RFC 3711 §3.3.1), those of a
    /// key that stays as well; reports anew when none stays. What comes back opens what is still
    /// under way of the keys that have gone.
    pub fn replace(&mut self, keys: &MasterKeys) -> Option<Self> {
        let mut gone = std::mem::take(&mut self.keys);
        let before = gone.len();
        for master in keys.iter() {
            let stays = gone.iter().position(|key| key.master.is(master));
            let key = stays.map(|at| Key { master: *master, ..gone.swap_remove(at) });
            self.keys.push(key.unwrap_or_else(|| Key::new(master)));
        }
        let sources = self.sources;
        if gone.len() == before {
            self.sources.0.iter_mut().flatten().for_each(|one| one.rtcp = Window::default());
        }
        (!gone.is_empty()).then_some(Self { keys: gone, sources })
    }

    /// Opens an RTP packet in place: its length without the tag.
    ///
    /// # Errors
    /// What is wrong with it; then it is changed and not to be read.
    pub fn open_rtp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let (sequence, ssrc) = identity(packet).ok_or(SrtpError::Malformed)?;
        let clear = rtp::header_bytes(packet).ok_or(SrtpError::Malformed)?;
        let Self { keys, sources } = self;
        let (key, packet) = named(keys, |key| &key.rtp, packet)?;
        let tag = key.rtp.tag_bytes();
        let length = packet.len().checked_sub(tag).ok_or(SrtpError::Malformed)?;
        if length < clear {
            return Err(SrtpError::Malformed);
        }
        let window = sources.find(ssrc).map(|source| source.rtp).unwrap_or_default();
        let index = window.index_of(sequence);
        if window.was_there(index) {
            return Err(SrtpError::Replayed);
        }
        if key.packets >= key.lifetime().packets() {
            return Err(SrtpError::Exhausted);
        }
        let number = PacketNumber { ssrc, index };
        if key.rtp.is_aead() {
            let (header, secret) = packet.split_at_mut(clear);
            key.rtp.open(key.rtp.rtp_nonce(number), header, secret)?;
        } else {
            let (body, told) = packet.split_at_mut(length);
            if !key.rtp.is_tag([body, &rollovers(index)], told) {
                return Err(SrtpError::Forged);
            }
            key.rtp.crypt(number, body.get_mut(clear..).unwrap_or_default());
        }
        key.packets += 1;
        sources.heard(ssrc).rtp.note(index);
        Ok(length)
    }

    /// Opens an RTCP compound in place: its length without index and tag.
    ///
    /// # Errors
    /// What is wrong with it; then it is changed and not to be read.
    pub fn open_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let ssrc = rtcp_ssrc(packet).ok_or(SrtpError::Malformed)?;
        let Self { keys, sources } = self;
        let (key, packet) = named(keys, |key| &key.rtcp, packet)?;
        let behind = key.rtcp.tag_bytes() + INDEX_BYTES;
        let length = packet.len().checked_sub(behind).ok_or(SrtpError::Malformed)?;
        if length < RTCP_CLEAR {
            return Err(SrtpError::Malformed);
        }
        // The index stands before the tag, but behind the tag of AES-GCM (RFC 7714 §9.3).
        let at = if key.rtcp.is_aead() { packet.len() - INDEX_BYTES } else { length };
        let index = packet.get(at..).and_then(|rest| rest.first_chunk::<INDEX_BYTES>()).copied();
        let index = index.ok_or(SrtpError::Malformed)?;
        let word = u32::from_be_bytes(index);
        if word & ENCRYPTED == 0 {
            return Err(SrtpError::Unencrypted);
        }
        let number = PacketNumber { ssrc, index: u64::from(word & !ENCRYPTED) };
        let window = sources.find(ssrc).map(|source| source.rtcp).unwrap_or_default();
        if window.was_there(number.index) {
            return Err(SrtpError::Replayed);
        }
        if key.reports >= key.lifetime().reports() {
            return Err(SrtpError::Exhausted);
        }
        if key.rtcp.is_aead() {
            let (clear, secret) = packet.split_at_mut(RTCP_CLEAR);
            let tagged = at - RTCP_CLEAR;
            let secret = secret.get_mut(..tagged).ok_or(SrtpError::Malformed)?;
            let clear = clear_rtcp(clear, index);
            key.rtcp.open(key.rtcp.rtcp_nonce(number), &clear, secret)?;
        } else {
            let (body, rest) = packet.split_at_mut(length);
            let told = rest.get(INDEX_BYTES..).unwrap_or_default();
            if !key.rtcp.is_tag([body, &index], told) {
                return Err(SrtpError::Forged);
            }
            key.rtcp.crypt(number, body.get_mut(RTCP_CLEAR..).unwrap_or_default());
        }
        key.reports += 1;
        sources.heard(ssrc).rtcp.note(number.index);
        Ok(length)
    }
}

impl Key {
    fn new(master: &MasterKey) -> Self {
        let (rtp, rtcp) = (master.rtp(), master.rtcp());
        Self { master: *master, rtp, rtcp, packets: 0, reports: 0 }
    }

    fn lifetime(&self) -> Lifetime {
        self.master.lifetime().unwrap_or_default()
    }

    fn is_named(&self, name: &[u8]) -> bool {
        self.master.mki().is_some_and(|mki| mki.bytes().eq(name.iter().copied()))
    }
}

/// The key that a packet names, and the packet without that name: it stands before the tag of this
/// kind, which takes its place. It is not authenticated (RFC 3711 §3.1): a name that nobody has is
/// none of ours. All of the keys are of one profile, and have names of one length or none.
fn named<'k, 'p>(
    keys: &'k mut [Key],
    kind: fn(&Key) -> &Transform,
    packet: &'p mut [u8],
) -> Result<(&'k mut Key, &'p mut [u8]), SrtpError> {
    let first = keys.first().ok_or(SrtpError::OtherKey)?;
    let tag = kind(first).tag_behind_mki();
    let Some(mki) = first.master.mki() else {
        return Ok((keys.first_mut().ok_or(SrtpError::OtherKey)?, packet));
    };
    let tag_at = packet.len().checked_sub(tag).ok_or(SrtpError::Malformed)?;
    let at = tag_at.checked_sub(mki.length()).ok_or(SrtpError::Malformed)?;
    let name = packet.get(at..tag_at).ok_or(SrtpError::Malformed)?;
    let key = keys.iter_mut().find(|key| key.is_named(name)).ok_or(SrtpError::OtherKey)?;
    packet.copy_within(tag_at.., at);
    Ok((key, packet.get_mut(..at + tag).ok_or(SrtpError::Malformed)?))
}

impl Sources {
    fn find(&self, ssrc: u32) -> Option<&Source> {
        self.0.iter().flatten().find(|source| source.ssrc == ssrc)
    }

    /// The source of an authentic packet; it is the one heard last now.
    fn heard(&mut self, ssrc: u32) -> &mut Source {
        let known = self.0.iter().position(|at| at.is_some_and(|at| at.ssrc == ssrc));
        let end = known.unwrap_or(SOURCES - 1);
        if let Some(moved) = self.0.get_mut(..=end) {
            moved.rotate_right(1);
        }
        let [first, ..] = &mut self.0;
        let fresh = Source { ssrc, rtp: Window::default(), rtcp: Window::default() };
        if known.is_none() {
            *first = Some(fresh);
        }
        first.get_or_insert(fresh)
    }
}
