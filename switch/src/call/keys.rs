//! Keys that a leg's far end presses, however they came: to the step that asks for them, to the
//! secure store, or on to whoever talks with it; and keys that the API presses.

use std::sync::Arc;

use base::{Duration, Instant, LegId};
use media::{Command, DigitOut, DigitWays, Masking};
use routing::Dtmf;

use super::digits::Digit;
use super::hold::Held;
use super::leg::{Ack, Leg, Signalling};
use super::{Call, Stage};
use crate::api::{ApiError, CallDigits, SecuredDigits, Side};
use crate::event::EventKind;
use crate::node::Node;

/// Digits kept of a leg that is secured.
const MOST_SECURED: usize = 64;
/// The pause after a key that goes on.
const GAP: Duration = Duration::from_millis(60);

/// What a leg keeps to itself, and has since the API said so.
#[derive(Default)]
pub(super) struct Secured {
    is_on: bool,
    speech: bool,
    /// A secret: it leaves the engine through the API alone.
    digits: String,
}

impl Leg {
    /// Whether its far end is told of keys by INFO.
    pub(super) fn is_told_by_info(&self) -> bool {
        let has_events = self.remote.is_some_and(|remote| remote.telephone_event.is_some());
        match self.terms.dtmf {
            Dtmf::Info => true,
            Dtmf::Auto => !has_events && self.sends_info,
            Dtmf::Rfc4733 | Dtmf::Inband => false,
        }
    }

    /// How the plane exchanges keys with it. Tones are listened for where somebody waits for them.
    fn digit_ways(&self, waits: bool) -> DigitWays {
        let out = match self.terms.dtmf {
            _ if self.is_told_by_info() => DigitOut::Elsewhere,
            Dtmf::Auto | Dtmf::Info => DigitOut::Best,
            Dtmf::Rfc4733 => DigitOut::Events,
            Dtmf::Inband => DigitOut::Tones,
        };
        let has_events = self.remote.is_none_or(|remote| remote.telephone_event.is_some());
        let listen = match self.terms.dtmf {
            Dtmf::Inband => true,
            Dtmf::Auto | Dtmf::Info => waits,
            Dtmf::Rfc4733 => false,
        };
        DigitWays { out, listen: listen && !has_events }
    }

    /// Tells the plane how keys are exchanged with it, if that has changed.
    pub(super) fn update_ways(&mut self, node: &mut Node, waits: bool) {
        let ways = self.digit_ways(waits || self.secured.is_on);
        let Some((stream, place)) = self.stream.open().filter(|_| ways != self.ways) else {
            return;
        };
        self.ways = ways;
        node.media(place.worker, Command::DigitWays { stream, ways });
    }

    /// What nobody may hear of it.
    fn update_mask(&mut self, node: &mut Node, asked: bool) {
        let masking = match &self.secured {
            Secured { is_on: true, speech: true, .. } => Masking::All,
            Secured { is_on: true, .. } => Masking::Digits,
            _ if asked => Masking::Digits,
            _ => Masking::Off,
        };
        let Some((stream, place)) = self.stream.open().filter(|_| masking != self.masking) else {
            return;
        };
        self.masking = masking;
        node.media(place.worker, Command::Mask { stream, masking });
    }
}

impl Call {
    /// A leg's tones are listened for, and kept to itself, as its call wants it now.
    pub(super) fn update_listening(&mut self, node: &mut Node, leg: LegId) {
        let ask = match &self.stage {
            Stage::Collecting(collecting) if self.is_caller(leg) => Some(collecting.is_secret()),
            Stage::Prompt { .. } if self.is_caller(leg) => self.asked_ahead(),
            _ => None,
        };
        let Some(leg) = self.leg_mut(leg) else { return };
        leg.update_ways(node, ask.is_some());
        leg.update_mask(node, ask == Some(true));
    }

    /// Somebody begins to press a key.
    pub(super) fn on_pressing(&mut self, node: &mut Node, now: Instant, leg: LegId) {
        if self.is_caller(leg) {
            self.on_key_down(node, now);
        }
    }

    /// Somebody has pressed a key, in the media or by INFO.
    pub(super) fn on_key(&mut self, node: &mut Node, now: Instant, leg: LegId, digit: Digit) {
        let Some(known) = self.leg_mut(leg) else { return };
        if known.secured.is_on {
            if known.secured.digits.len() < MOST_SECURED {
                known.secured.digits.push(digit.key);
            }
            return;
        }
        if self.is_caller(leg) && matches!(self.stage, Stage::Collecting(_)) {
            return self.on_collected_key(node, now, digit.key);
        }
        if self.is_caller(leg) && self.asked_ahead().is_some() {
            return self.type_ahead(digit.key);
        }
        self.pass_key(node, now, leg, digit);
    }

    /// Whoever talks with that leg gets the key, if the media does not bring it; nobody does who is
    /// held.
    fn pass_key(&mut self, node: &mut Node, now: Instant, leg: LegId, digit: Digit) {
        let Stage::Connected { talk } = &self.stage else { return };
        let is_held = talk.held != Held::default();
        let Some(other) = self.opposite(leg).filter(|_| !is_held && !digit.is_masked) else {
            return;
        };
        if !self.leg_mut(leg).is_some_and(|leg| leg.digits.may_go_on(now)) {
            return;
        }
        let owner = self.leg_ref(other);
        let Some(known) = self.leg_mut(other) else { return };
        let lasts = Duration::from_millis(u64::from(digit.lasts_ms));
        if known.is_told_by_info() {
            let Signalling::Up(up) = &mut known.signalling else { return };
            if matches!(up.ack, Ack::Confirmed) {
                let tx = node.endpoint.request(now, up.flow, digit.info(&mut up.dialog));
                node.index.clients.insert(tx, owner);
            }
        } else if digit.by_info
            && let Some((stream, place)) = known.stream.open()
        {
            let digits = Arc::from(digit.key.to_string());
            let command = Command::SendDigits { stream, digits, each: lasts, gap: GAP };
            node.media(place.worker, command);
        }
    }

    /// The API presses keys towards one side.
    ///
    /// # Errors
    /// When nobody is there, or the far end is told by INFO and too many are pressed.
    pub(crate) fn press(
        &mut self,
        node: &mut Node,
        now: Instant,
        side: Side,
        digits: &str,
        (each, gap): (Duration, Duration),
    ) -> Result<(), ApiError> {
        let leg = self.leg_of(side)?;
        let owner = self.leg_ref(leg);
        let known = self.leg_mut(leg).ok_or(ApiError::NotFound)?;
        if known.is_told_by_info() {
            let Signalling::Up(up) = &mut known.signalling else {
                return Err(ApiError::Conflict("it has not been answered".to_owned()));
            };
            let lasts_ms = u32::try_from(each.as_millis()).unwrap_or(u32::MAX);
            for key in digits.chars().filter(|key| *key != ',') {
                let digit = Digit { key, lasts_ms, by_info: false, is_masked: false };
                let tx = node.endpoint.request(now, up.flow, digit.info(&mut up.dialog));
                node.index.clients.insert(tx, owner);
            }
            return Ok(());
        }
        let (stream, place) = known.stream.open().ok_or(ApiError::NotFound)?;
        let digits = Arc::from(digits);
        node.media(place.worker, Command::SendDigits { stream, digits, each, gap });
        Ok(())
    }

    /// The API keeps what one side presses, and says, from everybody; or lets it be heard again.
    ///
    /// # Errors
    /// When nobody is there.
    pub(crate) fn secure(
        &mut self,
        node: &mut Node,
        side: Side,
        wanted: Option<bool>,
    ) -> Result<(), ApiError> {
        let leg = self.leg_of(side)?;
        let known = self.leg_mut(leg).ok_or(ApiError::NotFound)?;
        let was_on = known.secured.is_on;
        match wanted {
            Some(speech) => {
                let digits =
                    if was_on { std::mem::take(&mut known.secured.digits) } else { String::new() };
                known.secured = Secured { is_on: true, speech, digits };
            }
            None => known.secured.is_on = false,
        }
        let count = u32::try_from(known.secured.digits.len()).unwrap_or(u32::MAX);
        self.update_listening(node, leg);
        match wanted {
            Some(speech) => self.tell_when_obeyed(EventKind::CallSecured { leg: leg.0, speech }),
            None if was_on => {
                self.tell_when_obeyed(EventKind::CallUnsecured { leg: leg.0, count });
            }
            None => {}
        }
        Ok(())
    }

    /// What has been collected and kept: for those alone who may know it.
    pub(crate) fn kept_digits(&self) -> CallDigits {
        let attributes = self.attributes.iter();
        let attributes = attributes.map(|kept| (kept.name.clone(), kept.value.clone())).collect();
        let legs = std::iter::once(&self.caller).chain(&self.far);
        let secured = legs.filter_map(|leg| {
            let Secured { is_on, digits, .. } = &leg.secured;
            let (leg, is_on, digits) = (leg.id, *is_on, digits.clone());
            (is_on || !digits.is_empty()).then_some(SecuredDigits { leg, is_on, digits })
        });
        CallDigits { attributes, secured: secured.collect() }
    }

    /// The leg of one side of a conversation, or of a caller who is alone.
    pub(super) fn leg_of(&self, side: Side) -> Result<LegId, ApiError> {
        let nobody = || ApiError::Conflict("nobody is on that side of this call".to_owned());
        let caller_is_agent = self.caller.role.agent().is_some();
        if let Side::Leg(id) = side {
            let known = self.leg(id).filter(|leg| leg.stream.open().is_some());
            return known.map(|leg| leg.id).ok_or(ApiError::NotFound);
        }
        match &self.stage {
            Stage::Ending(_) => Err(nobody()),
            Stage::Connected { talk } => {
                let is_caller = (side == Side::Agent) == caller_is_agent;
                Ok(if is_caller { self.caller.id } else { talk.leg })
            }
            _ if (side == Side::Agent) == caller_is_agent => Ok(self.caller.id),
            _ => Err(nobody()),
        }
    }
}
