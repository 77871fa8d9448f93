//! One codec for both who talk. Where they settled on two between which the media would have to
//! convert, though one of them can do the other's, that one is sent an offer of it alone, once
//! (RFC 3264 §8.3.2). A refusal leaves all as it was.

use base::{Instant, LegId};
use media::Codec;
use media::sdp::Description;
use sip::{Method, StatusCode, glare_pause};

use super::hold::Held;
use super::leg::{Ack, Leg, Signalling};
use super::{Call, Stage};
use crate::node::{Alarm, Node};
use crate::record::Decided;

/// Phones send offers of their own just after an answer; ours comes when those are through.
const PAUSE: base::Duration = base::Duration::from_secs(1);

/// What is known of the codecs of a leg's far end.
#[derive(Debug, Default)]
pub(super) struct FarCodecs {
    /// Those of its last description.
    can: Vec<Codec>,
    /// Whether that was of `RTP/SAVP`, which an offer of ours keeps.
    pub(super) is_savp: bool,
    /// Offers of one codec that it has been sent: one, and one more after glare.
    asked: u8,
    /// Whether the last one met an offer of its own.
    glare: bool,
    /// The one it took.
    only: Option<Codec>,
}

impl FarCodecs {
    /// Its last description is this one.
    pub(super) fn note(&mut self, described: &Description) {
        self.can = described.codecs().collect();
        self.is_savp = described.is_secure();
    }

    fn may_be_asked(&self) -> bool {
        self.asked == 0 || self.asked == 1 && self.glare
    }
}

impl Leg {
    /// The one codec of later offers, if an offer of ours has settled it.
    pub(super) fn only_codec(&self) -> Option<Codec> {
        let spoken = self.remote.map(|remote| remote.codec);
        self.far_codecs.only.filter(|only| spoken == Some(*only))
    }

    /// Whether it could be sent an offer now; pages have their reasons for the codec they speak.
    fn may_be_reoffered(&self) -> bool {
        let Signalling::Up(up) = &self.signalling else { return false };
        matches!(up.ack, Ack::Confirmed)
            && self.refreshing.is_none()
            && self.web.is_none()
            && self.terms.one_codec
            && self.far_codecs.may_be_asked()
    }

    /// The codec that both legs would have if this one took it: the other's, or one that is as good
    /// as the same.
    fn could_speak(&self, other: Codec) -> Option<Codec> {
        if !self.may_be_reoffered() {
            return None;
        }
        let ours = self.terms.capabilities().codecs;
        let can = |codec: &Codec| self.far_codecs.can.contains(codec) && ours.contains(codec);
        let all = [other, Codec::Pcma, Codec::Pcmu];
        all.into_iter().filter(|codec| !is_converted(*codec, other)).find(can)
    }
}

/// Whether the media plane decodes and encodes between the two: both laws of G.711 are relayed.
fn is_converted(one: Codec, other: Codec) -> bool {
    one != other && (one.law().is_none() || other.law().is_none())
}

impl Call {
    /// Has an offer wait where one codec could do for both.
    pub(super) fn review_codecs(&mut self, node: &mut Node, now: Instant) {
        let is_wanted = self.one_codec().is_some();
        match (self.one_codec_due, is_wanted) {
            (None, true) => self.wait_for_one_codec(node, now + PAUSE),
            (Some(_), false) => self.forget_one_codec(node),
            _ => {}
        }
    }

    fn wait_for_one_codec(&mut self, node: &mut Node, due: Instant) {
        self.forget_one_codec(node);
        self.one_codec_due = Some(due);
        node.alarms.insert((due, Alarm::OneCodec(self.id)));
    }

    pub(super) fn forget_one_codec(&mut self, node: &mut Node) {
        if let Some(due) = self.one_codec_due.take() {
            node.alarms.remove(&(due, Alarm::OneCodec(self.id)));
        }
    }

    /// The leg to be sent an offer, and of which codec: of two plain talkers whose audio is
    /// converted. If either could change, the better of the two codecs stays.
    fn one_codec(&self) -> Option<(LegId, Codec)> {
        let Stage::Connected { talk } = &self.stage else { return None };
        let is_plain = talk.held == Held::default()
            && self.mixing.is_none()
            && self.guests.is_empty()
            && self.transfer.is_none()
            && self.adrift.is_empty()
            && self.relays.is_empty();
        let far = self.leg(talk.leg).filter(|_| is_plain)?;
        let (one, other) = (self.caller.remote?.codec, far.remote?.codec);
        if !is_converted(one, other) {
            return None;
        }
        let to_caller = self.caller.could_speak(other).map(|codec| (self.caller.id, codec));
        let to_far = far.could_speak(one).map(|codec| (far.id, codec));
        to_caller
            .into_iter()
            .chain(to_far)
            .max_by_key(|(_, codec)| (codec.rate().hz(), codec.law().is_none()))
    }

    /// It has waited long enough.
    pub(super) fn on_one_codec_due(&mut self, node: &mut Node, now: Instant) {
        self.one_codec_due = None;
        let Some((leg, codec)) = self.one_codec() else { return };
        let Some(known) = self.leg_mut(leg) else { return };
        known.far_codecs.asked += 1;
        known.far_codecs.glare = false;
        let Some(offer) = known.offer_of(codec) else { return };
        self.send_refresh(node, now, leg, Method::Invite, Some(offer), Some(codec));
    }

    /// What a peer says to an offer of one codec, other than a 2xx.
    pub(super) fn on_codec_refused(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
        codec: Option<Codec>,
        status: u16,
    ) {
        let is_callers = self.is_caller(leg);
        let Some(known) = self.leg_mut(leg) else { return };
        if status == StatusCode::REQUEST_PENDING.as_u16() && known.far_codecs.asked == 1 {
            known.far_codecs.glare = true;
            // The owner of the Call-ID waits longer (RFC 3261 §14.1).
            let pause = glare_pause(!is_callers, &mut node.rng);
            return self.wait_for_one_codec(node, now + pause);
        }
        if let Some(codec) = codec {
            self.note_one_codec(node, now, leg, codec, false);
        }
    }

    /// A peer has answered it.
    pub(super) fn on_codec_answered(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
        codec: Codec,
    ) {
        let Some(known) = self.leg_mut(leg) else { return };
        let is_taken = known.remote.is_some_and(|remote| remote.codec == codec);
        known.far_codecs.only = is_taken.then_some(codec);
        self.note_one_codec(node, now, leg, codec, is_taken);
    }

    fn note_one_codec(
        &mut self,
        node: &mut Node,
        now: Instant,
        leg: LegId,
        codec: Codec,
        taken: bool,
    ) {
        let told = Decided::OneCodec { to: self.who(leg).to_string(), codec: codec.name(), taken };
        self.narrative.decide(node, now, told);
    }
}
