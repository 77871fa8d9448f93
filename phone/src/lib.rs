//! Two SIP phones, sans-IO. A [`Phone`] registers, dials or is called, talks, hangs up: one call at
//! a time, with its audio. A [`Desk`] has many calls at once, and all that SIP lets one do with
//! them, without audio.
//!
//! The callers and agents of the demo, the simulation and the load harness. They are our own parts,
//! so they share our own misreadings; the tests with foreign phones stand beside them.

mod desk;
mod signals;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use base::{Duration, Instant, Rng};
use bytes::Bytes;
pub use desk::{
    Desk, DeskConfig, DeskEvent, DeskOutput, Dial, LineId, LineState, Pickup, Rings, Then,
};

use media::sdp::{self, Capabilities, Encryption, LocalKeys, Settled};
use media::softphone::{Softphone, Transmit};

use sip::{
    ClientTx, Dialog, Endpoint, EndpointConfig, Flow, HeaderError, Message, Method, Name, Request,
    Response, ServerTx, StatusCode, UriBuf,
};

/// How long a registration holds, seconds.
const EXPIRES: u32 = 300;
/// How long what comes waits for what was overtaken.
const PLAYOUT: Duration = Duration::from_millis(60);

/// Who a phone is.
#[derive(Clone, Debug)]
pub struct PhoneConfig {
    /// Its SIP socket.
    pub sip: SocketAddr,
    /// Its RTP socket; RTCP has the port above.
    pub rtp: SocketAddr,
    /// The server's SIP socket, UDP.
    pub server: SocketAddr,
    /// The user part of its address.
    pub user: String,
    /// The domain of its address.
    pub domain: String,
    /// What it registers with; carriers have none.
    pub password: Option<String>,
    /// What it says as soon as it talks, 8 kHz, again and again; empty is silence.
    pub speech: Arc<[i16]>,
    /// What it does when it is called.
    pub manner: Manner,
    /// Whether it keeps what it hears.
    pub listens: bool,
    /// Whether its audio is encrypted.
    pub encryption: Encryption,
}

/// What a phone does when it is called.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Manner {
    /// It rings for a time, then answers.
    Answer(Duration),
    /// It lets its speech be heard for a time before it answers (183 with SDP).
    Early(Duration),
    /// It rings for a time, then refuses with this status.
    Refuse(Duration, StatusCode),
    /// It rings for ever.
    Ring,
    /// It says nothing at all.
    Mute,
}

/// What happened to a phone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PhoneEvent {
    /// The server knows it.
    Registered,
    /// The server does not take it, with this status (0: no answer).
    NotRegistered(u16),
    /// It rings.
    Ringing,
    /// The far end is heard before it answers.
    Early,
    /// It talks.
    Connected,
    /// Its call was refused, with this status (0: no answer).
    Refused(u16),
    /// Its call is over.
    Ended,
}

/// What a phone wants of its driver.
#[derive(Clone, Debug)]
pub enum PhoneOutput {
    /// Send a SIP datagram.
    Sip {
        /// To whom.
        to: SocketAddr,
        /// What.
        bytes: Bytes,
    },
    /// Send an RTP or RTCP datagram.
    Media(Transmit),
    /// Tell whoever watches.
    Event(PhoneEvent),
}

/// One call's audio and our half of its description.
struct Audio {
    offer: Bytes,
    softphone: Option<Box<Softphone>>,
}

/// Where a phone's call stands.
enum Call {
    None,
    /// We called; the dialog will be made of this INVITE.
    Dialling {
        tx: ClientTx,
        invite: Box<Request>,
        audio: Audio,
    },
    /// We are called and ring until `until`, if that ever comes.
    Ringing {
        tx: ServerTx,
        invite: Message,
        until: Option<Instant>,
    },
    /// We are called, and heard already; we answer at `until`.
    Early {
        tx: ServerTx,
        until: Instant,
        /// The final response.
        response: Box<Response>,
        dialog: Box<Dialog>,
        audio: Audio,
    },
    /// We answered and wait for the ACK.
    Answered {
        tx: ServerTx,
        dialog: Box<Dialog>,
        audio: Audio,
    },
    /// Both talk.
    Talking {
        dialog: Box<Dialog>,
        audio: Audio,
    },
    /// Our BYE is on its way.
    HangingUp {
        tx: ClientTx,
        audio: Audio,
    },
}

/// A phone.
pub struct Phone {
    config: PhoneConfig,
    endpoint: Endpoint,
    rng: Rng,
    keys: LocalKeys,
    flow: Flow,
    call: Call,
    /// The REGISTER on its way, and whether it carries credentials already.
    registering: Option<(ClientTx, bool)>,
    registration: Registration,
    outputs: VecDeque<PhoneOutput>,
    /// What the last call was like, kept after its end.
    last: Option<Box<Softphone>>,
}

struct Registration {
    call_id: String,
    tag: String,
    cseq: u32,
    /// 0 while the phone takes its binding away.
    expires: u32,
}

impl Phone {
    /// A phone that does nothing yet.
    #[must_use]
    pub fn new(config: PhoneConfig, mut rng: Rng) -> Self {
        let settings =
            EndpointConfig { user_agent: "Strowger phone".to_owned(), ..EndpointConfig::default() };
        let endpoint = Endpoint::new(settings, rng.fork());
        let flow = Flow::udp(config.sip, config.server);
        let (call_id, tag) = (rng.hex::<12>(), rng.hex::<6>());
        let registration = Registration { call_id, tag, cseq: 0, expires: EXPIRES };
        Self {
            config,
            endpoint,
            keys: LocalKeys::draw(&mut rng),
            rng,
            flow,
            call: Call::None,
            registering: None,
            registration,
            outputs: VecDeque::new(),
            last: None,
        }
    }

    /// Registers its address.
    ///
    /// # Errors
    /// When the domain makes no URI.
    pub fn register(&mut self, now: Instant) -> Result<(), HeaderError> {
        self.registration.expires = EXPIRES;
        self.send_register(now, None)?;
        self.drain(now);
        Ok(())
    }

    /// Takes its binding away; [`PhoneEvent::Registered`] says that the server has done it.
    ///
    /// # Errors
    /// When the domain makes no URI.
    pub fn unregister(&mut self, now: Instant) -> Result<(), HeaderError> {
        self.registration.expires = 0;
        self.send_register(now, None)?;
        self.drain(now);
        Ok(())
    }

    /// Calls a number.
    ///
    /// # Errors
    /// When the number makes no URI.
    pub fn dial(&mut self, now: Instant, number: &str) -> Result<(), HeaderError> {
        let (server, own) = (self.config.server, self.config.sip);
        let local = self.local();
        let offer = sdp::offer(&local, &self.capabilities(), None);
        let (tag, call_id) = (self.rng.hex::<6>(), self.rng.hex::<12>());
        // An agent calls in the domain it registers in, a carrier from its own address.
        let (host, home) = match self.config.password {
            Some(_) => (self.config.domain.clone(), self.config.domain.clone()),
            None => (server.to_string(), own.ip().to_string()),
        };
        let user = &self.config.user;
        let request = Request::new(Method::Invite, UriBuf::parse(&format!("sip:{number}@{host}"))?)
            .header(Name::FROM, format_args!("<sip:{user}@{home}>;tag={tag}"))
            .header(Name::TO, format_args!("<sip:{number}@{host}>"))
            .header(Name::CALL_ID, format_args!("{call_id}@{}", own.ip()))
            .header(Name::CSEQ, "1 INVITE")
            .header(Name::CONTACT, self.contact())
            .header(Name::ALLOW, "INVITE, ACK, BYE, CANCEL, OPTIONS")
            .body("application/sdp", offer.clone());
        let tx = self.endpoint.request(now, self.flow, request.clone());
        let audio = Audio { offer, softphone: None };
        self.call = Call::Dialling { tx, invite: Box::new(request), audio };
        self.drain(now);
        Ok(())
    }

    /// Ends its call, whatever state it is in.
    pub fn hang_up(&mut self, now: Instant) {
        match std::mem::replace(&mut self.call, Call::None) {
            Call::None => {}
            Call::Dialling { tx, invite, audio } => {
                self.endpoint.cancel(now, tx);
                self.call = Call::Dialling { tx, invite, audio };
            }
            Call::Ringing { tx, .. } | Call::Early { tx, .. } => {
                self.endpoint.respond(now, tx, Response::new(StatusCode::DECLINE));
                self.tell(PhoneEvent::Ended);
            }
            Call::Answered { mut dialog, audio, .. } | Call::Talking { mut dialog, audio } => {
                let bye = dialog.request(Method::Bye);
                let tx = self.endpoint.request(now, self.flow, bye);
                self.call = Call::HangingUp { tx, audio };
            }
            call @ Call::HangingUp { .. } => self.call = call,
        }
        self.drain(now);
    }

    /// A SIP datagram came.
    pub fn handle_sip(&mut self, now: Instant, source: SocketAddr, bytes: Bytes) {
        let flow = Flow::udp(self.config.sip, source);
        self.endpoint.handle_input(now, sip::Input::Received { flow, bytes });
        self.drain(now);
    }

    /// An RTP or RTCP datagram came.
    pub fn handle_media(&mut self, now: Instant, port: media::Port, bytes: &[u8]) {
        if let Some(softphone) = self.softphone() {
            softphone.handle_packet(now, port, bytes);
        }
    }

    /// Behaves otherwise from the next call on.
    pub fn set_manner(&mut self, manner: Manner) {
        self.config.manner = manner;
    }

    /// Whether it has a call, in whatever state.
    #[must_use]
    pub fn is_in_use(&self) -> bool {
        !matches!(self.call, Call::None)
    }

    /// Who it is.
    #[must_use]
    pub fn config(&self) -> &PhoneConfig {
        &self.config
    }

    /// Says something else from now on, once.
    pub fn speak(&mut self, speech: Arc<[i16]>) {
        if let Some(softphone) = self.softphone() {
            softphone.speak(speech, false);
        }
    }

    /// What it heard since the last call of this, with silence where nothing came.
    pub fn take_heard(&mut self) -> Vec<i16> {
        match &mut self.call {
            Call::Answered { audio, .. }
            | Call::Talking { audio, .. }
            | Call::HangingUp { audio, .. } => audio.softphone.as_deref_mut(),
            _ => self.last.as_deref_mut(),
        }
        .map(Softphone::take_heard)
        .unwrap_or_default()
    }

    /// Time passed.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.endpoint.poll_timeout().is_some_and(|(at, _)| at <= now) {
            self.endpoint.handle_timeout(now);
        }
        if let Call::Ringing { tx, until: Some(until), .. } = self.call
            && until <= now
        {
            match self.config.manner {
                Manner::Refuse(_, status) => {
                    self.endpoint.respond(now, tx, Response::new(status));
                    self.over(PhoneEvent::Ended);
                }
                _ => self.answer(now),
            }
        }
        if matches!(&self.call, Call::Early { until, .. } if *until <= now) {
            self.answer_early(now);
        }
        if let Some(softphone) = self.softphone() {
            softphone.handle_timeout(now);
        }
        self.drain(now);
    }

    /// The next deadline.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        let endpoint = self.endpoint.poll_timeout().map(|(at, _)| at);
        let (answer, audio) = match &self.call {
            Call::Ringing { until, .. } => (*until, None),
            Call::Early { until, audio, .. } => (Some(*until), audio.softphone.as_ref()),
            Call::Dialling { audio, .. } => (None, audio.softphone.as_ref()),
            Call::Answered { audio, .. } | Call::Talking { audio, .. } => {
                (None, audio.softphone.as_ref())
            }
            Call::None | Call::HangingUp { .. } => (None, None),
        };
        let audio = audio.map(|softphone| softphone.poll_timeout());
        [endpoint, answer, audio].into_iter().flatten().min()
    }

    /// The next thing to do.
    pub fn poll_output(&mut self) -> Option<PhoneOutput> {
        self.outputs.pop_front()
    }

    /// The audio of the call, or of the last one.
    #[must_use]
    pub fn audio(&self) -> Option<&Softphone> {
        match &self.call {
            Call::Dialling { audio, .. }
            | Call::Early { audio, .. }
            | Call::Answered { audio, .. }
            | Call::Talking { audio, .. }
            | Call::HangingUp { audio, .. } => audio.softphone.as_deref(),
            _ => self.last.as_deref(),
        }
    }

    /// The audio of a call that begins.
    fn capabilities(&self) -> Capabilities {
        Capabilities { encryption: self.config.encryption, ..Capabilities::default() }
    }

    fn talk(&mut self, now: Instant, settled: &Settled) -> Box<Softphone> {
        let ssrc = self.rng.next_u32();
        let mut softphone = Softphone::new(ssrc, settled.remote, PLAYOUT, self.config.listens);
        softphone.set_keys(settled.srtp.as_deref());
        if !self.config.speech.is_empty() {
            softphone.speak(self.config.speech.clone(), true);
        }
        softphone.handle_timeout(now);
        Box::new(softphone)
    }

    fn softphone(&mut self) -> Option<&mut Softphone> {
        match &mut self.call {
            Call::Dialling { audio, .. }
            | Call::Early { audio, .. }
            | Call::Answered { audio, .. }
            | Call::Talking { audio, .. } => audio.softphone.as_deref_mut(),
            _ => None,
        }
    }

    fn tell(&mut self, event: PhoneEvent) {
        self.outputs.push_back(PhoneOutput::Event(event));
    }

    fn contact(&self) -> String {
        format!("<sip:{}@{}>", self.config.user, self.config.sip)
    }
}
