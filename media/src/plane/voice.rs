//! What a stream needs of samples: an ear while somebody hears it in another codec or in a mix, a
//! mouth while we speak to its far end ourselves. Made and given up by orders, never by packets.

use base::Instant;

use super::capturing::{Captures, Origin};
use super::hush::Hush;
use super::mouth::Mouth;
use super::recent::Recent;
use super::stream::Stream;
use crate::ear::{Ear, Heard};
use crate::meter::measures;
use crate::pcm::Rate;
use crate::rtcp::ReportBlock;
use crate::{Batch, Codec, RemoteMedia, Slot};

#[derive(Default)]
pub(super) struct Voice {
    pub(super) ear: Option<Box<Ear>>,
    /// The ear has heard speech: from then on every tick of it counts.
    pub(super) begun: bool,
    pub(super) mouth: Option<Box<Mouth>>,
    /// The silence towards its far end.
    pub(super) hush: Hush,
    /// Who hears this ear outside of mixes: the bridge's other side, and a copy.
    pub(super) hearers: [Option<Slot>; 2],
}

impl Voice {
    /// Hears one tick; nothing without an ear.
    pub(super) fn hear(&mut self, at: Instant, out: &mut [i16]) -> Heard {
        let Some(ear) = &mut self.ear else { return Heard::Silence };
        let heard = ear.hear(at, out);
        self.begun |= matches!(heard, Heard::Speech | Heard::Noise);
        heard
    }

    /// Takes out some of what waits in the ear; 0 when nothing does.
    pub(super) fn drain(&mut self, out: &mut [i16]) -> usize {
        self.ear.as_mut().map_or(0, |ear| ear.drain(out))
    }

    /// Whether the ear is in the middle of speech, even if it has just said all that it had.
    pub(super) fn goes_on(&self) -> bool {
        self.begun && self.ear.as_ref().is_some_and(|ear| ear.is_playing() || ear.waiting() > 0)
    }

    /// Sees to an ear of that rate, for that codec, or to none. `recent` is what its far end said
    /// last, if that is known.
    pub(super) fn set_ear(&mut self, wanted: Option<(Rate, Codec)>, recent: Option<&Recent>) {
        if self.ear.as_ref().map(|ear| ear.rate()) == wanted.map(|(rate, _)| rate) {
            return;
        }
        self.begun = false;
        self.ear = wanted.map(|(rate, codec)| {
            let mut ear = Box::new(Ear::new(rate));
            ear.prepare(codec, recent.map_or([&[], &[]], |recent| recent.parts()));
            ear
        });
    }

    /// Sees to a mouth of that rate, or to none.
    pub(super) fn set_mouth(
        &mut self,
        wanted: Option<(&RemoteMedia, Rate)>,
        recent: Option<&Recent>,
    ) {
        match (&mut self.mouth, wanted) {
            (mouth, None) => *mouth = None,
            (Some(mouth), Some((remote, rate))) if mouth.fits(remote, rate) => {
                mouth.set_packet(remote);
            }
            (mouth, Some((remote, rate))) => {
                let mut made = Box::new(Mouth::new(remote, rate));
                if let Some(recent) = recent {
                    made.follow(recent);
                }
                *mouth = Some(made);
            }
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.ear.is_none() && self.mouth.is_none()
    }
}

impl Stream {
    pub(super) fn mouth(&mut self) -> Option<&mut Mouth> {
        self.voice.as_mut()?.mouth.as_deref_mut()
    }

    /// What a report says of the loss of what we send: our codec may do something about it.
    pub(super) fn mind_loss(&mut self, block: &ReportBlock) {
        if block.ssrc == self.egress.ssrc
            && let Some(mouth) = self.mouth()
        {
            mouth.set_loss((u16::from(block.fraction_lost) * 100 / 256) as u8);
        }
    }

    /// Sends what the mouth has said, as far as it fills packets. `payload` is room for one.
    pub(super) fn send_said(
        &mut self,
        now: Instant,
        payload: &mut Vec<u8>,
        captures: &mut Captures,
        out: &mut Batch,
    ) {
        let target = self.rtp_target().filter(|_| !self.presses_keys);
        if self.takes_noise() {
            self.send_described(now, captures, out);
        }
        let Some(mouth) = self.voice.as_mut().and_then(|voice| voice.mouth.as_mut()) else {
            return;
        };
        let (Some(target), Some(remote)) = (target, self.remote) else {
            mouth.clear();
            self.egress.change_feed();
            return;
        };
        let origin = if self.playing.is_some() { Origin::Play } else { Origin::Others };
        loop {
            payload.clear();
            let Some(said) = self.mouth().and_then(|mouth| mouth.write(payload)) else { return };
            if said.bytes == 0 {
                continue;
            }
            let header = self.egress.stamp_own(said.at, said.ticks, remote.payload_type);
            let sent = self.send_rtp(now, target, (&header, payload), origin, captures, out);
            if let Some(recent) = &mut self.recent {
                recent.note(payload);
            }
            if sent {
                self.egress.count(payload.len());
                if let Some(law) = remote.codec.law().filter(|_| measures(header.sequence)) {
                    self.rare.live.said.note_codes(law, header.sequence, payload);
                }
            }
        }
    }
}
