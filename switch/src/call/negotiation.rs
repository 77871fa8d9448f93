//! What a leg's SDP says and settles (RFC 3264): offers, answers, and what the plane is told.

use bytes::Bytes;
use media::sdp::{self, Capabilities, Description, Encryption, Local, LocalWeb, Numbers, Settled};
use media::{Codec, Command, XrWanted};
use sip::{Body, Flow, Message, Part};

use super::leg::Leg;
use crate::Cause;
use crate::node::Node;

/// The one type of body we negotiate with.
pub(super) const SDP: &str = "application/sdp";

/// What a request or response says of its sender's media.
pub(super) enum Media {
    /// Nothing: there is no body.
    Absent,
    /// This.
    Described(Description),
    /// A body of another type, or a part of one that must be understood and is not.
    OtherType,
    /// A body that is compressed, or the like.
    Encoded,
    /// A body that is no SDP.
    Unreadable,
}

/// Reads a message's body: the SDP in it, whatever a carrier puts beside it.
pub(super) fn media_of(message: &Message) -> Media {
    let Ok(body) = Body::of(message) else { return Media::Unreadable };
    // A body that says no type is taken for the one we know.
    let is_sdp = |part: &&Part| part.is(SDP) || part.kind().is_empty();
    if body.parts().iter().any(|part| part.must_be_understood() && !is_sdp(&part)) {
        return Media::OtherType;
    }
    match body.parts().iter().filter(is_sdp).find(|part| part.is_session()) {
        None => Media::Absent,
        Some(part) if part.is_encoded() => Media::Encoded,
        Some(part) => sdp::parse(part.content()).map_or(Media::Unreadable, Media::Described),
    }
}

impl Leg {
    /// Our end, for a new description that goes out over `flow`.
    fn local(&mut self, flow: Flow) -> Option<Local> {
        let (_, place) = self.stream.open()?;
        self.version += 1;
        let web = self.local_web(flow, place);
        let own = (place.address.unwrap_or(flow.local.ip()), place.port);
        let (address, port) = web.as_ref().and_then(LocalWeb::default_address).unwrap_or(own);
        Some(Local {
            address,
            port,
            origin_id: self.origin_id,
            version: self.version,
            keys: self.keys,
            numbers: self.remote.as_ref().map_or_else(Numbers::default, Numbers::used_with),
            web,
        })
    }

    /// Our offer to the peer.
    pub(super) fn offer(&mut self, prefer: Option<Codec>) -> Option<Bytes> {
        self.offer_over(self.signalling.flow()?, prefer)
    }

    /// Our offer to whoever is at the other end of a flow.
    pub(super) fn offer_over(&mut self, flow: Flow, prefer: Option<Codec>) -> Option<Bytes> {
        Some(sdp::offer(&self.local(flow)?, &self.offered(), prefer))
    }

    /// Our offer of one codec alone.
    pub(super) fn offer_of(&mut self, codec: Codec) -> Option<Bytes> {
        let capabilities = Capabilities { codecs: vec![codec], ..self.offered() };
        Some(sdp::offer(&self.local(self.signalling.flow()?)?, &capabilities, None))
    }

    /// What we offer; audio that is encrypted stays so, by the same protocol.
    fn offered(&self) -> Capabilities {
        let mut all = self.terms.capabilities();
        if self.srtp.is_some() {
            let is_savp = self.far_codecs.is_savp;
            all.encryption = if is_savp { Encryption::Required } else { Encryption::Preferred };
        }
        all
    }

    /// Our answer, and what it settles; nothing is settled if it fails.
    pub(super) fn answer_to(&mut self, offer: &Description) -> Result<sdp::Answer, Cause> {
        let flow = self.signalling.flow().ok_or(Cause::InternalError)?;
        self.answer_over(flow, offer)
    }

    /// The same to whoever is at the other end of a flow.
    pub(super) fn answer_over(
        &mut self,
        flow: Flow,
        offer: &Description,
    ) -> Result<sdp::Answer, Cause> {
        self.meet_offer(offer);
        let local = self.local(flow).ok_or(Cause::MediaFailed)?;
        let prefer = self.codec();
        let answer = sdp::answer(offer, &local, &self.terms.capabilities(), prefer)
            .map_err(|_| Cause::IncompatibleMedia)?;
        self.far_codecs.note(offer);
        Ok(answer)
    }

    /// What was negotiated holds from now on.
    pub(super) fn settle(&mut self, node: &mut Node, settled: Settled) {
        if let Some((stream, place)) = self.stream.open() {
            let Settled { mut remote, srtp, peer } = settled;
            if !self.terms.extended_reports {
                remote.xr = XrWanted::default();
            }
            let is_web = peer.is_some();
            self.settle_web(node, (stream, place), peer);
            // A phone behind NAT writes an address of its own network.
            let host = self.signalling.flow().map(|flow| flow.remote.ip());
            let host = host
                .filter(|host| !is_web && self.role.agent().is_some() && *host != remote.rtp.ip());
            if let Some(host) = host {
                node.media(place.worker, Command::ExpectHost { stream, host });
            }
            (self.remote, self.srtp) = (Some(remote), srtp.clone());
            node.media(place.worker, Command::SetRemote { stream, remote, srtp });
            self.update_ways(node, self.ways.listen);
        }
    }

    /// The answer to our offer, as a message brings it.
    pub(super) fn accept_answer(
        &mut self,
        node: &mut Node,
        offer: &[u8],
        message: &Message,
    ) -> Result<(), Cause> {
        let Media::Described(answer) = media_of(message) else {
            return Err(Cause::IncompatibleMedia);
        };
        let settled = sdp::accept(offer, &answer).map_err(|_| Cause::IncompatibleMedia)?;
        self.far_codecs.note(&answer);
        self.settle(node, settled);
        Ok(())
    }
}
