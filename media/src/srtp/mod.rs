//! SRTP and SRTCP (RFC 3711), AES-256 (RFC 6188), AEAD AES-GCM (RFC 7714): packets sealed and
//! opened in place, without an allocation.
//!
//! One [`Sealer`] and one [`Opener`] a stream: each direction has a key of its own, whoever agreed
//! on it (SDES in SDP, or DTLS).

mod cipher;
mod keys;
mod lifetime;
mod mki;
mod opener;
mod sealer;
mod several;
mod window;

pub use keys::{MASTER_BYTES, MasterKey, Profile, SrtpKeys};
pub use lifetime::Lifetime;
pub use mki::{MAX_MKI, Mki};
pub use opener::Opener;
pub use sealer::Sealer;
pub use several::{MAX_KEYS, MasterKeys};

/// The most bytes that sealing adds to a packet: SRTCP with AES-GCM, its tag and its index, and the
/// longest identifier of a key.
pub const MAX_OVERHEAD: usize = 20 + MAX_MKI;

/// Why a packet was not opened, or not sealed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SrtpError {
    /// Too short, or no RTP or RTCP of version 2.
    #[error("no SRTP packet")]
    Malformed,
    /// The tag is wrong: another key, or a forged packet.
    #[error("the authentication tag is wrong")]
    Forged,
    /// It names none of the keys agreed on.
    #[error("the packet is of another key")]
    OtherKey,
    /// A packet of this number was there already, or it is too old to tell.
    #[error("a packet of this number was there before")]
    Replayed,
    /// SRTCP in the clear, which nobody agreed on.
    #[error("SRTCP that is not encrypted")]
    Unencrypted,
    /// A key was used for as many packets or reports as its lifetime says, or for 2^48 or 2^31 (RFC
    /// 3711 §9.2).
    #[error("the key has been used for as many packets as it may be")]
    Exhausted,
}

/// The fixed part of RTCP that stays in the clear: the first header and the sender's SSRC.
const RTCP_CLEAR: usize = 8;
/// Bytes of the SRTCP index, with its E flag.
const INDEX_BYTES: usize = 4;
/// The flag that says that an SRTCP packet is encrypted.
const ENCRYPTED: u32 = 1 << 31;

/// Sequence number and SSRC of an RTP packet.
fn identity(packet: &[u8]) -> Option<(u16, u32)> {
    let [_, _, s0, s1, _, _, _, _, c0, c1, c2, c3] = *packet.first_chunk()?;
    Some((u16::from_be_bytes([s0, s1]), u32::from_be_bytes([c0, c1, c2, c3])))
}

/// The SSRC of the first packet of an RTCP compound, if it is RTCP at all.
fn rtcp_ssrc(packet: &[u8]) -> Option<u32> {
    let [first, _, _, _, c0, c1, c2, c3] = *packet.first_chunk()?;
    (first >> 6 == 2).then_some(u32::from_be_bytes([c0, c1, c2, c3]))
}
