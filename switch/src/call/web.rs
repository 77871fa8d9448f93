//! A leg whose far end does WebRTC, a browser most often: what we say for ICE (RFC 8839) and DTLS
//! (RFC 8842), what of it stays for the dialog's life, and whom we take for a browser before it says
//! anything.
//!
//! Browsers are full ends, and we are lite towards them. A trunk may be a gateway or a media server
//! that is lite itself: towards those we are full, and check the way to them.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use base::{Instant, LegId, Rng};
use media::dtls::DtlsRole;
use media::ice::Credentials;
use media::sdp::{Description, LocalWeb};
use media::srtp::Profile;
use media::{Command, Peer, StreamId, WebFailure};
use sip::{Flow, Transport, UriBuf};

use super::Call;
use super::leg::{Ack, Leg, Signalling};
use crate::config::WebConfig;
use crate::node::Node;
use crate::ports::Place;

/// What a leg has for browsers.
pub(super) struct Web {
    config: Arc<WebConfig>,
    /// Ours, at whichever worker the stream is, and whether the plane knows them.
    ice: Credentials,
    is_told: bool,
    pub(super) ssrc: u32,
    pub(super) cname: Arc<str>,
    /// The browser's fragment: with another one it has restarted ICE, and so must we.
    theirs: Option<Box<str>>,
    /// Whether we do not say that we are lite.
    full: bool,
    /// Our part in the handshake.
    role: Option<DtlsRole>,
    /// What the handshake agreed on.
    pub(super) profile: Option<Profile>,
    /// It has no ports of its own: nobody but a browser can be at its other end.
    pub(super) only: bool,
    /// Of the phones that are rung those that are browsers.
    browsers: Vec<Flow>,
    rng: Rng,
}

impl Web {
    fn new(node: &mut Node, only: bool) -> Option<Box<Self>> {
        let config = node.config.web.clone()?;
        let mut rng = node.rng.fork();
        let ice = Credentials::draw(&mut rng);
        Some(Box::new(Self {
            config,
            ice,
            is_told: false,
            ssrc: node.rng.next_u32(),
            cname: node.rng.hex::<8>().into(),
            theirs: None,
            full: false,
            role: None,
            profile: None,
            only,
            browsers: Vec::new(),
            rng,
        }))
    }

    /// Our end towards whoever is at the other end of a flow.
    fn local(&self, flow: Flow, place: Place) -> LocalWeb {
        let port = self.config.port;
        let mut addresses: Vec<SocketAddr> =
            self.config.advertised.iter().map(|ip| SocketAddr::new(*ip, port)).collect();
        if addresses.is_empty() {
            addresses.push(SocketAddr::new(flow.local.ip().to_canonical(), port));
        }
        LocalWeb {
            ice: self.ice.at(place.worker),
            full: self.full,
            fingerprint: self.config.fingerprint,
            role: self.role,
            addresses: addresses.into(),
            tcp: self.config.tcp,
            ssrc: self.ssrc,
            cname: Arc::clone(&self.cname),
        }
    }

    /// An offer of the browser's: if it restarts ICE we do the same (RFC 8839 §4.4.1.1.1).
    fn meet(&mut self, offer: &Description) {
        let theirs = offer.media.iter().find_map(|section| section.web.as_ref()?.fragment.clone());
        let is_other = self.theirs.is_some() && theirs.is_some() && self.theirs != theirs;
        if is_other {
            self.theirs = theirs;
            self.restart();
        }
    }

    /// Other credentials from now on.
    fn restart(&mut self) {
        self.ice = Credentials::draw(&mut self.rng);
        self.is_told = false;
    }
}

/// Whether a phone that is reached so is taken for a browser: one that speaks SIP over WebSocket and
/// does not know its own address. Pages make up a name in place of it (RFC 7118 §5), or have one
/// that is nobody's (SIP.js, on request); a phone that is no page knows its address and says it.
pub(crate) fn is_browser(flow: &Flow, contact: &UriBuf) -> bool {
    let is_anybodys = |ip: IpAddr| !matches!(ip, IpAddr::V4(ip) if ip.is_documentation());
    is_websocket(flow) && !contact.as_uri().ip().is_some_and(is_anybodys)
}

fn is_websocket(flow: &Flow) -> bool {
    matches!(flow.transport, Transport::Ws | Transport::Wss)
}

impl Leg {
    /// The caller's offer says what it is; without one, how it came.
    pub(super) fn meet_caller(&mut self, node: &mut Node, offer: Option<&Description>) {
        let by_flow = || self.signalling.flow().is_some_and(|flow| is_websocket(&flow));
        if self.terms.webrtc || offer.map_or_else(by_flow, Description::is_web) {
            self.web = Web::new(node, true);
        }
        // Whom we make an offer may be lite, if it is a trunk.
        if let Some(web) = self.web.as_mut().filter(|_| self.terms.webrtc && offer.is_none()) {
            web.full = true;
        }
    }

    /// The phones to be rung say what they are by how they are reached; of a trunk it is
    /// provisioned.
    pub(super) fn meet_targets(&mut self, node: &mut Node) {
        if self.terms.webrtc {
            self.web = Web::new(node, true).map(|web| Box::new(Web { full: true, ..*web }));
            return;
        }
        let Signalling::Preparing { targets } = &self.signalling else { return };
        let browsers = targets.iter().filter(|one| is_browser(&one.flow, &one.contact));
        let browsers: Vec<Flow> = browsers.map(|one| one.flow).collect();
        let only = browsers.len() == targets.len();
        if browsers.is_empty() {
            return;
        }
        self.web = Web::new(node, only);
        if let Some(web) = &mut self.web {
            web.browsers = browsers;
        }
    }

    /// Our end for whoever is at the other end of a flow, if that is a browser.
    pub(super) fn local_web(&self, flow: Flow, place: Place) -> Option<LocalWeb> {
        let web = self.web.as_ref()?;
        let is_settled = self.remote.is_some();
        let is_browsers = web.browsers.contains(&flow);
        (web.only || is_settled || is_browsers).then(|| web.local(flow, place))
    }

    /// Before an offer of the peer's is answered.
    pub(super) fn meet_offer(&mut self, offer: &Description) {
        if let Some(web) = &mut self.web {
            web.meet(offer);
        }
    }

    /// The plane is told what our description says for ICE, before anybody can check it.
    pub(super) fn tell_ice(&mut self, node: &mut Node, stream: StreamId, place: Place) {
        let Some(web) = &mut self.web else { return };
        if !std::mem::replace(&mut web.is_told, true) {
            let (ice, full) = (web.ice.at(place.worker), web.full);
            node.media(place.worker, Command::SetIce { stream, ice, full });
        }
    }

    /// What was negotiated says who is at the other end.
    pub(super) fn settle_web(
        &mut self,
        node: &mut Node,
        (stream, place): (StreamId, Place),
        peer: Option<Box<Peer>>,
    ) {
        let Some(mut peer) = peer else {
            self.web = None;
            return;
        };
        self.tell_ice(node, stream, place);
        let host = self.signalling.flow().map(|flow| flow.remote.ip());
        let Some(web) = &mut self.web else { return };
        if let (Some(reach), Some(host)) = (&mut peer.reach, host) {
            reach.keep_within(host);
            web.full |= reach.lite;
        }
        (web.theirs, web.role) = (Some(peer.fragment.clone()), Some(peer.role));
        node.media(place.worker, Command::SetPeer { stream, peer });
    }
}

impl Call {
    /// A far end that we check has not answered for too long: it may be reached another way (RFC
    /// 7675 §5.1 wants ICE restarted first). `false` if nobody can be asked.
    pub(super) fn restart_ice(&mut self, node: &mut Node, now: Instant, leg: LegId) -> bool {
        let Some(known) = self.leg_mut(leg) else { return false };
        let is_up = matches!(&known.signalling, Signalling::Up(up)
            if matches!(up.ack, Ack::Confirmed));
        let is_free = is_up && known.refreshing.is_none();
        let (Some(web), Some((stream, place))) = (&mut known.web, known.stream.open()) else {
            return false;
        };
        if !web.full || !is_free {
            return false;
        }
        web.restart();
        known.tell_ice(node, stream, place);
        self.refresh(node, now, leg, false);
        true
    }
}

/// Why a leg whose browser cannot be talked to is over; `None`: it goes on. A page that says
/// goodbye may be about to hang up, or to be loaded again: its silence will tell.
pub(super) fn cause_of(why: WebFailure) -> Option<crate::Cause> {
    match why {
        WebFailure::ConsentLost => Some(crate::Cause::MediaTimeout),
        WebFailure::NoWay | WebFailure::WrongCertificate | WebFailure::Handshake => {
            Some(crate::Cause::MediaFailed)
        }
        WebFailure::Closed => None,
    }
}

/// Whether the leg has no ports of its own.
pub(super) fn is_only_web(leg: &Leg) -> bool {
    leg.web.as_ref().is_some_and(|web| web.only)
}
