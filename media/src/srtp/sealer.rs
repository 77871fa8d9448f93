//! Sealing what is sent.

use super::cipher::{PacketNumber, Transform};
use super::window::Window;
use super::{ENCRYPTED, INDEX_BYTES, MasterKey, Mki, RTCP_CLEAR, SrtpError, identity, rtcp_ssrc};
use crate::rtp;

/// The last index of an RTP packet and of an RTCP packet with one key (RFC 3711 §9.2).
const LAST_RTP: u64 = (1 << 48) - 1;
const LAST_RTCP: u32 = ENCRYPTED - 1;

/// Seals the packets of one stream of ours (one SSRC) with one key.
pub struct Sealer {
    rtp: Transform,
    rtcp: Transform,
    /// What each packet has behind what is encrypted, if that was agreed on.
    mki: Option<Mki>,
    /// No number is used twice: it would give away what both packets hold.
    sent: Window,
    next_report: u32,
}

impl Sealer {
    /// Nothing sent yet.
    #[must_use]
    pub fn new(key: &MasterKey) -> Self {
        let (rtp, rtcp, mki) = (key.rtp(), key.rtcp(), key.mki());
        Self { rtp, rtcp, mki, sent: Window::default(), next_report: 0 }
    }

    /// Another key from now on; packets and reports are counted on (RFC 3711 §3.3.1, §3.4).
    pub fn rekey(&mut self, key: &MasterKey) {
        (self.rtp, self.rtcp, self.mki) = (key.rtp(), key.rtcp(), key.mki());
    }

    /// Seals the RTP packet that `packet` holds from `start` on, and appends its tag.
    ///
    /// # Errors
    /// [`SrtpError::Malformed`] is no RTP; [`SrtpError::Replayed`] is a number that was sent
    /// before, which is not to be sent; [`SrtpError::Exhausted`] is for another key.
    pub fn seal_rtp(&mut self, packet: &mut Vec<u8>, start: usize) -> Result<(), SrtpError> {
        let bytes = packet.get_mut(start..).ok_or(SrtpError::Malformed)?;
        let clear = rtp::header_bytes(bytes).ok_or(SrtpError::Malformed)?;
        let (sequence, ssrc) = identity(bytes).ok_or(SrtpError::Malformed)?;
        let index = self.sent.index_of(sequence);
        if index > LAST_RTP {
            return Err(SrtpError::Exhausted);
        }
        if self.sent.was_there(index) {
            return Err(SrtpError::Replayed);
        }
        let number = PacketNumber { ssrc, index };
        let (header, payload) = bytes.split_at_mut(clear);
        if self.rtp.is_aead() {
            let tag = self.rtp.seal(self.rtp.rtp_nonce(number), header, payload)?;
            packet.extend_from_slice(&tag);
            packet.extend(self.mki_bytes());
        } else {
            self.rtp.crypt(number, payload);
            let tag = self.rtp.tag([bytes, &rollovers(index)]);
            packet.extend(self.mki_bytes());
            packet.extend_from_slice(tag.get(..self.rtp.tag_bytes()).unwrap_or_default());
        }
        self.sent.note(index);
        Ok(())
    }

    /// Seals the RTCP compound that `packet` holds from `start` on, appends its index and its tag.
    ///
    /// # Errors
    /// [`SrtpError::Malformed`] is no RTCP; [`SrtpError::Exhausted`] is for another key.
    pub fn seal_rtcp(&mut self, packet: &mut Vec<u8>, start: usize) -> Result<(), SrtpError> {
        if self.next_report > LAST_RTCP {
            return Err(SrtpError::Exhausted);
        }
        let bytes = packet.get_mut(start..).ok_or(SrtpError::Malformed)?;
        let ssrc = rtcp_ssrc(bytes).ok_or(SrtpError::Malformed)?;
        let number = PacketNumber { ssrc, index: u64::from(self.next_report) };
        let index = (self.next_report | ENCRYPTED).to_be_bytes();
        let (clear, secret) = bytes.split_at_mut(RTCP_CLEAR);
        if self.rtcp.is_aead() {
            let clear = clear_rtcp(clear, index);
            let tag = self.rtcp.seal(self.rtcp.rtcp_nonce(number), &clear, secret)?;
            packet.extend_from_slice(&tag);
            packet.extend_from_slice(&index);
            packet.extend(self.mki_bytes());
        } else {
            self.rtcp.crypt(number, secret);
            let tag = self.rtcp.tag([bytes, &index]);
            packet.extend_from_slice(&index);
            packet.extend(self.mki_bytes());
            packet.extend_from_slice(tag.get(..self.rtcp.tag_bytes()).unwrap_or_default());
        }
        self.next_report += 1;
        Ok(())
    }

    fn mki_bytes(&self) -> impl Iterator<Item = u8> {
        self.mki.iter().flat_map(Mki::bytes)
    }
}

/// The rollover counter, as it is authenticated (RFC 3711 §4.2).
pub(super) fn rollovers(index: u64) -> [u8; 4] {
    ((index >> 16) as u32).to_be_bytes()
}

/// What AES-GCM authenticates of RTCP besides what it encrypts (RFC 7714 §9.2).
pub(super) fn clear_rtcp(
    header: &[u8],
    index: [u8; INDEX_BYTES],
) -> [u8; RTCP_CLEAR + INDEX_BYTES] {
    let mut clear = [0; RTCP_CLEAR + INDEX_BYTES];
    let all = header.iter().chain(&index);
    clear.iter_mut().zip(all).for_each(|(to, from)| *to = *from);
    clear
}
