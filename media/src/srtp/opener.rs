//! Opening what comes in: authenticated first, and never twice.

use super::cipher::{PacketNumber, Transform};
use super::sealer::{clear_rtcp, rollovers};
use super::window::Window;
use super::{ENCRYPTED, INDEX_BYTES, MasterKey, Mki, RTCP_CLEAR, SrtpError, identity, rtcp_ssrc};
use crate::rtp;

/// Sources of one far end that are remembered: it changes its SSRC now and then.
const SOURCES: usize = 4;

/// Opens the packets of one far end with one key. Each SSRC has its own numbers.
pub struct Opener {
    rtp: Transform,
    rtcp: Transform,
    /// What each packet has behind what is encrypted, if that was agreed on.
    mki: Option<Mki>,
    /// The one heard last is first; the one silent longest makes room.
    sources: [Option<Source>; SOURCES],
}

#[derive(Clone, Copy)]
struct Source {
    ssrc: u32,
    rtp: Window,
    rtcp: Window,
}

impl Opener {
    /// Nothing heard yet.
    #[must_use]
    pub fn new(key: &MasterKey) -> Self {
        let (rtp, rtcp, mki) = (key.rtp(), key.rtcp(), key.mki());
        Self { rtp, rtcp, mki, sources: [None; SOURCES] }
    }

    /// An opener with the next key: packets are counted on (RFC 3711 §3.3.1), reports anew.
    #[must_use]
    pub fn successor(&self, key: &MasterKey) -> Self {
        let mut next = Self { sources: self.sources, ..Self::new(key) };
        for source in next.sources.iter_mut().flatten() {
            source.rtcp = Window::default();
        }
        next
    }

    /// Opens an RTP packet in place: its length without the tag.
    ///
    /// # Errors
    /// What is wrong with it; then it is changed and not to be read.
    pub fn open_rtp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let (sequence, ssrc) = identity(packet).ok_or(SrtpError::Malformed)?;
        let clear = rtp::header_bytes(packet).ok_or(SrtpError::Malformed)?;
        let packet = self.without_mki(packet, self.rtp.tag_behind_mki())?;
        let tag = self.rtp.tag_bytes();
        let length = packet.len().checked_sub(tag).ok_or(SrtpError::Malformed)?;
        if length < clear {
            return Err(SrtpError::Malformed);
        }
        let window = self.find(ssrc).map(|source| source.rtp).unwrap_or_default();
        let index = window.index_of(sequence);
        if window.was_there(index) {
            return Err(SrtpError::Replayed);
        }
        let number = PacketNumber { ssrc, index };
        if self.rtp.is_aead() {
            let (header, secret) = packet.split_at_mut(clear);
            self.rtp.open(self.rtp.rtp_nonce(number), header, secret)?;
        } else {
            let (body, told) = packet.split_at_mut(length);
            if !self.rtp.is_tag([body, &rollovers(index)], told) {
                return Err(SrtpError::Forged);
            }
            self.rtp.crypt(number, body.get_mut(clear..).unwrap_or_default());
        }
        self.source(ssrc).rtp.note(index);
        Ok(length)
    }

    /// Opens an RTCP compound in place: its length without index and tag.
    ///
    /// # Errors
    /// What is wrong with it; then it is changed and not to be read.
    pub fn open_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, SrtpError> {
        let ssrc = rtcp_ssrc(packet).ok_or(SrtpError::Malformed)?;
        let packet = self.without_mki(packet, self.rtcp.tag_behind_mki())?;
        let behind = self.rtcp.tag_bytes() + INDEX_BYTES;
        let length = packet.len().checked_sub(behind).ok_or(SrtpError::Malformed)?;
        if length < RTCP_CLEAR {
            return Err(SrtpError::Malformed);
        }
        // The index stands before the tag, but behind the tag of AES-GCM (RFC 7714 §9.3).
        let at = if self.rtcp.is_aead() { packet.len() - INDEX_BYTES } else { length };
        let index = packet.get(at..).and_then(|rest| rest.first_chunk::<INDEX_BYTES>()).copied();
        let index = index.ok_or(SrtpError::Malformed)?;
        let word = u32::from_be_bytes(index);
        if word & ENCRYPTED == 0 {
            return Err(SrtpError::Unencrypted);
        }
        let number = PacketNumber { ssrc, index: u64::from(word & !ENCRYPTED) };
        let window = self.find(ssrc).map(|source| source.rtcp).unwrap_or_default();
        if window.was_there(number.index) {
            return Err(SrtpError::Replayed);
        }
        if self.rtcp.is_aead() {
            let (clear, secret) = packet.split_at_mut(RTCP_CLEAR);
            let tagged = at - RTCP_CLEAR;
            let secret = secret.get_mut(..tagged).ok_or(SrtpError::Malformed)?;
            let clear = clear_rtcp(clear, index);
            self.rtcp.open(self.rtcp.rtcp_nonce(number), &clear, secret)?;
        } else {
            let (body, rest) = packet.split_at_mut(length);
            let told = rest.get(INDEX_BYTES..).unwrap_or_default();
            if !self.rtcp.is_tag([body, &index], told) {
                return Err(SrtpError::Forged);
            }
            self.rtcp.crypt(number, body.get_mut(RTCP_CLEAR..).unwrap_or_default());
        }
        self.source(ssrc).rtcp.note(number.index);
        Ok(length)
    }

    /// The packet without the identifier of its key, which stands before the last `tag` bytes: the
    /// tag takes its place. It is not authenticated (RFC 3711 §3.1): another one is no packet of
    /// this key's.
    fn without_mki<'a>(&self, packet: &'a mut [u8], tag: usize) -> Result<&'a mut [u8], SrtpError> {
        let Some(mki) = &self.mki else { return Ok(packet) };
        let mki = mki.as_bytes();
        let tag_at = packet.len().checked_sub(tag).ok_or(SrtpError::Malformed)?;
        let at = tag_at.checked_sub(mki.len()).ok_or(SrtpError::Malformed)?;
        if packet.get(at..tag_at) != Some(mki) {
            return Err(SrtpError::OtherKey);
        }
        packet.copy_within(tag_at.., at);
        packet.get_mut(..at + tag).ok_or(SrtpError::Malformed)
    }

    fn find(&self, ssrc: u32) -> Option<&Source> {
        self.sources.iter().flatten().find(|source| source.ssrc == ssrc)
    }

    /// The source of an authentic packet; it is the one heard last now.
    fn source(&mut self, ssrc: u32) -> &mut Source {
        let known = self.sources.iter().position(|at| at.is_some_and(|at| at.ssrc == ssrc));
        let end = known.unwrap_or(SOURCES - 1);
        if let Some(moved) = self.sources.get_mut(..=end) {
            moved.rotate_right(1);
        }
        let [first, ..] = &mut self.sources;
        let fresh = Source { ssrc, rtp: Window::default(), rtcp: Window::default() };
        if known.is_none() {
            *first = Some(fresh);
        }
        first.get_or_insert(fresh)
    }
}
