//! Media of the engine, sans-IO: SDP offer/answer, G.711, RTP, RTCP, latch, prompts, bridge, tap.
//!
//! [`Plane`] is the data plane of one worker. Its driver owns the sockets: it hands packets in,
//! sends what the [`Batch`] holds, opens and closes ports as [`PlaneOutput`] says. Nothing here
//! knows SIP or tenants, reads a clock or touches a socket, and nothing allocates per packet.

mod account;
mod batch;
pub mod capture;
pub mod codec;
mod command;
mod conceal;
pub mod dtls;
pub mod dtmf;
pub mod ear;
mod egress;
pub mod g711;
pub mod ice;
mod latch;
mod meter;
mod mix;
pub mod pcm;
mod pitch;
mod plane;
mod port_pool;
pub mod progress;
mod prompt;
mod prompt_rate;
pub mod quality;
mod reception;
mod remote;
mod resample;
pub mod rtcp;
pub mod rtp;
pub mod say;
pub mod sdp;
mod secure;
pub mod softphone;
pub mod srtp;
mod stats;
pub mod tap;
mod tones;
pub mod wav;
mod web;

use std::net::IpAddr;

pub use batch::{Batch, Datagram, MAX_DATAGRAM};
pub use capture::{CaptureId, CaptureOrder, CaptureReceiver, CaptureSender, Captured};
pub use codec::{Codec, Decoder, Effort, Encoder, OpusSettings};
pub use command::{Command, Event, PlaneOutput};
pub use dtmf::{Digit, DigitOut, DigitSource, DigitWays, Masking};
pub use g711::G711;
pub use mix::{MAX_MEMBERS, Member, MixId, Role};
pub use pcm::Rate;
pub use plane::{Plane, Shortcut, Timer};
pub use port_pool::PortPool;
pub use prompt::{Prompt, PromptError};
pub use remote::{Direction, RemoteMedia, XrWanted};
pub use resample::Resampler;
pub use stats::{FarReport, StreamStats};
pub use tap::{Channel, TapId, TapReceiver, TapSender};
pub use tones::Tone;
pub use web::{Peer, WebFailure};

/// Samples a second of everything here: narrow-band telephony.
pub const CLOCK_RATE: u32 = 8000;

/// A stream: one RTP port pair of ours and the far end behind it. The owner of the calls chooses
/// the number and never uses one twice.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct StreamId(pub u64);

/// A media worker: a thread with a [`Plane`] of its own.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct WorkerId(pub u16);

/// One order to play something; told back when it has finished.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct PlayId(pub u64);

/// One order to confirm that all orders before it have been obeyed; told back at once.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct OrderId(pub u64);

/// Where a stream lives in its plane: what the driver ties to the stream's two sockets.
///
/// `index` is small and reused after [`PlaneOutput::ClosePort`]; `generation` tells the uses apart,
/// so that a packet read just before the close never reaches the next stream.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Slot {
    /// Place in the slab: `0..` number of streams alive at once.
    pub index: u32,
    /// How often the place was reused.
    pub generation: u32,
}

impl Slot {
    /// As one number, for an event queue's user word.
    #[must_use]
    pub const fn as_u64(self) -> u64 {
        ((self.generation as u64) << 32) | self.index as u64
    }

    /// From [`Slot::as_u64`].
    #[must_use]
    pub const fn from_u64(word: u64) -> Self {
        Self { index: (word & 0xffff_ffff) as u32, generation: (word >> 32) as u32 }
    }
}

/// Which of a stream's sockets.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Port {
    /// The even port.
    Rtp,
    /// The odd port above it.
    Rtcp,
    /// The UDP port that all of a worker's WebRTC streams share; at which address of ours, where its
    /// socket is bound to all of them and it is known. What came in by it is answered from there
    /// (RFC 8445 §7.2.5.2.1: else a check has failed); with none the system chooses.
    Shared(Option<IpAddr>),
    /// A TCP connection to that port's number (RFC 6544).
    Stream,
}
