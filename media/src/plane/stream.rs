//! One stream: what the packet path touches first, what is rare in a box behind it.

use std::net::SocketAddr;
use std::sync::Arc;

use base::{Duration, Instant, Rng};

use super::capturing::Capturing;
use super::extended::Extended;
use super::feed::{Feed, Joint};
use super::figures::Live;
use super::glimpse::Glimpse;
use super::keys::Keys;
use super::play::Playing;
use super::progress::Watched;
use super::recent::Recent;
use super::stillness::Stillness;
use super::ticks::Place;
use super::vigil::Vigil;
use super::voice::Voice;
use super::web::Web;
use crate::egress::Egress;
use crate::latch::Latch;
use crate::reception::Reception;
use crate::secure::Secure;
use crate::{CLOCK_RATE, Channel, Codec, G711, Port, RemoteMedia, Slot, StreamId, TapId, sdp};

pub(super) struct Stream {
    pub(super) id: StreamId,
    pub(super) slot: Slot,
    /// The ports are bound.
    pub(super) open: bool,
    /// What comes and goes is captured.
    pub(super) is_captured: bool,
    /// Somebody listens to how the call comes along (`rare.watched`).
    pub(super) is_watched: bool,
    /// In a mix somebody's speech is to go on first (`rare.awaits`).
    pub(super) is_awaiting: bool,
    /// It has sounded and sounds still (`rare.stillness`).
    pub(super) is_lively: bool,
    /// Keys are listened for in what comes, or kept from somebody (`keys`).
    pub(super) minds_keys: bool,
    /// Keys are being pressed towards the far end, so that it is not spoken to (`keys`).
    pub(super) presses_keys: bool,
    pub(super) remote: Option<RemoteMedia>,
    /// The keys; without, all is in the clear.
    pub(super) secure: Option<Box<Secure>>,
    /// ICE and DTLS, if it is a browser's; without keys nothing of it is heard or said.
    pub(super) web: Option<Box<Web>>,
    pub(super) joint: Joint,
    pub(super) feed: Feed,
    /// To whom its packets go on as they are.
    pub(super) relays: [Option<Slot>; 2],
    /// It has sent comfort noise in place of silence: nothing need come in one.
    pub(super) sends_noise: bool,
    /// The longest packet that came, in milliseconds.
    pub(super) longest: u32,
    pub(super) tapping: Option<Tapping>,
    pub(super) playing: Option<Box<Playing>>,
    /// Ear and mouth, while samples are needed.
    pub(super) voice: Option<Box<Voice>>,
    /// What its far end's decoder got last, of a codec where that matters.
    pub(super) recent: Option<Box<Recent>>,
    pub(super) latch: Latch,
    pub(super) egress: Egress,
    pub(super) reception: Reception,
    pub(super) packets_received: u64,
    pub(super) bytes_received: u64,
    pub(super) heard_at: Instant,
    /// So many packets on, one is looked at (`rare.glimpse`); 0 while none is to be.
    pub(super) look_in: u16,
    pub(super) keys: Box<Keys>,
    pub(super) rare: Box<Rare>,
}

/// What only orders, reports and strangers touch.
pub(super) struct Rare {
    pub(super) cname: Arc<str>,
    /// The other side of its bridge, or of its mix if that is no more than one.
    pub(super) peer: Option<Slot>,
    /// Where it ticks.
    pub(super) place: Option<Place>,
    /// The next tick's moment on the grid it ticked on last.
    pub(super) next_tick: Instant,
    /// Who hears a copy of what its far end says, and of whom its own far end hears one.
    pub(super) copy_to: Option<Slot>,
    pub(super) copy_of: Option<Slot>,
    /// In a mix: whose speech is to go on without a gap, and until when that is waited for.
    pub(super) awaits: Option<(Slot, Instant)>,
    pub(super) reports_begun: bool,
    /// From where RTCP comes, once it comes from the far end's host.
    pub(super) rtcp_source: Option<SocketAddr>,
    /// The far end's last sender report: the middle of its NTP time, and when it came.
    pub(super) last_sr: Option<(u32, Instant)>,
    /// The middles of our last two sender reports, the only ones that an answer may name.
    pub(super) sent_srs: [u32; 2],
    pub(super) round_trip: Option<Duration>,
    pub(super) live: Box<Live>,
    pub(super) extended: Box<Extended>,
    pub(super) packets_at_report: u64,
    /// The silence that was told already, by when it began.
    pub(super) silence_told: Option<Instant>,
    pub(super) refused: u64,
    pub(super) refused_untold: u64,
    pub(super) refusal_told: Option<Instant>,
    pub(super) tap_dropped: u64,
    pub(super) vigil: Vigil,
    /// Who listens to how the call comes along.
    pub(super) watched: Option<Box<Watched>>,
    pub(super) stillness: Stillness,
    pub(super) glimpse: Option<Box<Glimpse>>,
    pub(super) capturing: Option<Box<Capturing>>,
}

pub(super) struct Tapping {
    pub(super) tap: TapId,
    pub(super) channel: Channel,
    pub(super) dropped: u32,
}

/// What a payload type means on a stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Payload {
    Audio(Codec),
    Event,
    /// Comfort noise (RFC 3389).
    Noise,
    Unknown,
}

impl Payload {
    /// Ticks a second of its timestamps; none if they stand still.
    pub(super) const fn clock(self) -> Option<u32> {
        match self {
            Self::Audio(codec) => Some(codec.clock_rate()),
            Self::Noise => Some(CLOCK_RATE),
            Self::Event | Self::Unknown => None,
        }
    }

    /// Its law, if its level can be read off its codes.
    pub(super) const fn law(self) -> Option<G711> {
        match self {
            Self::Audio(codec) => codec.law(),
            _ => None,
        }
    }
}

impl Stream {
    pub(super) fn new(
        id: StreamId,
        slot: Slot,
        (ssrc, cname): (u32, Arc<str>),
        now: Instant,
        rng: &mut Rng,
    ) -> Self {
        Self {
            id,
            slot,
            open: false,
            is_captured: false,
            is_watched: false,
            is_awaiting: false,
            is_lively: false,
            minds_keys: false,
            presses_keys: false,
            remote: None,
            secure: None,
            web: None,
            joint: Joint::Alone,
            feed: Feed::Nothing,
            relays: [None; 2],
            sends_noise: false,
            longest: 0,
            tapping: None,
            playing: None,
            voice: None,
            recent: None,
            latch: Latch::default(),
            egress: Egress::new(ssrc, now, rng),
            reception: Reception::default(),
            packets_received: 0,
            bytes_received: 0,
            heard_at: now,
            look_in: 0,
            keys: Box::default(),
            rare: Box::new(Rare {
                cname,
                peer: None,
                place: None,
                next_tick: Instant::ZERO,
                copy_to: None,
                copy_of: None,
                awaits: None,
                reports_begun: false,
                rtcp_source: None,
                last_sr: None,
                sent_srs: [0; 2],
                round_trip: None,
                live: Box::default(),
                extended: Box::default(),
                packets_at_report: 0,
                silence_told: None,
                refused: 0,
                refused_untold: 0,
                refusal_told: None,
                tap_dropped: 0,
                vigil: Vigil::default(),
                watched: None,
                stillness: Stillness::default(),
                glimpse: None,
                capturing: None,
            }),
        }
    }

    /// Where audio goes now, if the far end wants any.
    pub(super) fn rtp_target(&self) -> Option<(Port, SocketAddr)> {
        let remote = self.remote.as_ref()?;
        if !self.open || !remote.direction.receives() {
            return None;
        }
        if let Some(web) = &self.web {
            return web.target().filter(|_| self.secure.is_some());
        }
        let target = self.latch.target().filter(|_| !remote.rtp.ip().is_unspecified());
        Some((Port::Rtp, target.filter(sendable)?))
    }

    /// Where reports go: whence the far end's come, else where its SDP wants them.
    pub(super) fn rtcp_target(&self) -> Option<(Port, SocketAddr)> {
        let signalled = self.remote.as_ref()?.rtcp;
        if let Some(web) = &self.web {
            return web.target().filter(|_| self.secure.is_some());
        }
        let target = self.rare.rtcp_source.or(Some(signalled)).filter(sendable);
        Some((Port::Rtcp, target.filter(|_| self.open)?))
    }

    /// Whether RTCP from there is the far end's: its signalled address, or its latched host.
    pub(super) fn is_rtcp_source(&self, source: SocketAddr) -> bool {
        let Some(remote) = &self.remote else { return false };
        if self.web.is_some() {
            // What comes over the shared port is from a checked address.
            return true;
        }
        match self.latch.source() {
            Some(latched) => latched.ip() == source.ip(),
            None => source == remote.rtcp,
        }
    }

    pub(super) fn payload(&self, payload_type: u8) -> Payload {
        let Some(remote) = &self.remote else { return Payload::Unknown };
        if payload_type == remote.payload_type {
            return Payload::Audio(remote.codec);
        }
        // An answerer may number events as it likes and still send them by our offer's number.
        if let Some(event) = remote.telephone_event
            && (payload_type == event || sdp::OFFERED_EVENTS.contains(&payload_type))
        {
            return Payload::Event;
        }
        // The static number means the same whether or not it was agreed on.
        let has_noise = remote.codec.clock_rate() == CLOCK_RATE;
        let is_static = payload_type == sdp::COMFORT_NOISE_PAYLOAD_TYPE;
        if remote.comfort_noise == Some(payload_type) || (has_noise && is_static) {
            return Payload::Noise;
        }
        // The same holds for a codec of a dynamic number.
        if payload_type == remote.codec.offered_payload_type() {
            return Payload::Audio(remote.codec);
        }
        Codec::from_static_payload_type(payload_type).map_or(Payload::Unknown, Payload::Audio)
    }
}

fn sendable(address: &SocketAddr) -> bool {
    address.port() != 0 && !address.ip().is_unspecified() && !address.ip().is_multicast()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_fits_in_ten_cache_lines_and_what_is_rare_lies_behind_it() {
        let (hot, rare) = (size_of::<Stream>(), size_of::<Rare>());
        assert!(hot <= 640 && rare <= 328, "{hot} and {rare} bytes");
        eprintln!("a stream: {hot} + {rare} bytes");
    }
}
