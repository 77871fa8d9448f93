//! Keys of a telephone (DTMF): as RTP events (RFC 4733), as tones within the audio (ITU-T Q.23,
//! Q.24), and what one becomes where the far end knows only the other.

mod detector;
mod digit;
mod listener;
mod receiver;
mod sender;
mod tone;

pub use detector::Detector;
pub use digit::{Digit, DigitSource};
pub(crate) use listener::Listener;
pub use receiver::Heard;
pub(crate) use receiver::Receiver;
pub(crate) use sender::{Sender, Step, Way};
pub(crate) use tone::sample as tone_sample;

/// How a far end is told of keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum DigitOut {
    /// By RFC 4733 events if they were negotiated, else by tones.
    #[default]
    Best,
    /// By events or not at all.
    Events,
    /// By tones within the audio.
    Tones,
    /// Not in the media: somebody else tells it (SIP INFO).
    Elsewhere,
}

/// How a stream's far end and we tell each other of keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DigitWays {
    /// How it is told.
    pub out: DigitOut,
    /// Whether to listen for tones in what it says.
    pub listen: bool,
}

/// What nobody may hear of what a far end sends.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Masking {
    /// Everything may be heard.
    #[default]
    Off,
    /// Its keys are kept back: events go to nobody, tones are silence.
    Digits,
    /// So is all it says.
    All,
}
