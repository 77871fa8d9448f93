//! A call: its legs, where it stands, and which procedure takes what happens to it. Each procedure
//! is a file of its own beside this one.

mod abandon;
mod adrift;
mod agent_call;
mod announce;
mod answering;
mod attempt;
mod beginning;
mod bridge;
mod caller;
mod capturing;
mod collect;
mod deflect;
mod dial;
mod digits;
mod early;
mod ending;
mod far_end;
mod guests;
mod hangup;
mod help;
mod hold;
mod in_dialog;

mod join;
mod keys;
mod leg;
mod listening;
mod mixing;
mod model;
mod moving;
mod narrative;
mod negotiation;
mod next_hop;
mod one_codec;
mod onward;
mod originate;
mod outgoing;
mod outside;
mod participants;
mod passing;
mod pausing;
mod peer;
mod presence;
mod progress;
mod promise;
mod quality;
mod refresh;
mod refusal;
mod relay;
mod reliable;
mod returning;
mod sent_on;
mod setup;
mod sign;
mod signature;
mod siprec;
mod steps;
mod stream;
mod supervise;
mod takeover;
mod taps;
mod terms;
mod timeouts;
mod transfer;
mod trunk_invite;
mod view;
mod watchdog;
mod web;

use std::collections::VecDeque;
use std::sync::Arc;

use base::{AgentId, CallId, Instant, QueueId, TenantId, TrunkId};
use routing::{CancelReason, Decision, Directory, E164, Refusal as QueueRefusal, WorkId};
use sip::stir::Verdict;
use sip::{ClientTx, Message, ServerTx};

use self::adrift::Adrift;
pub(crate) use self::adrift::is_page;
pub(crate) use self::agent_call::AgentInvitation;
use self::caller::WhoCalls;
use self::capturing::Capturing;
use self::collect::Attribute;
use self::guests::Guest;
pub(crate) use self::join::{Join, Refer};
use self::leg::{Leg, Role};
use self::listening::Listening;
use self::mixing::Mixing;
pub(crate) use self::model::Inviter;
use self::model::{Dial, Origin, Party, Recording, Ring, Stage, Talk};
pub(crate) use self::narrative::Narrative;
pub(crate) use self::originate::Origination;
use self::pausing::Pausing;
use self::promise::Promise;
pub(crate) use self::refusal::{Refusal, SUSPENDED};
use self::relay::Relay;
pub(crate) use self::returning::is_same_page;
use self::sent_on::SentOn;
pub(crate) use self::setup::{Destination, Invitation};
use self::siprec::Siprec;
pub(crate) use self::takeover::{Named, Purpose, Target};
use self::taps::Tapped;
use self::transfer::Transfer;
pub(crate) use self::web::is_browser;
use crate::config::Prompts;
use crate::event::EventKind;
use crate::index::LegRef;
use crate::node::Node;
use crate::paths::PathEvent;
use crate::record::CallDirection;
use crate::{Cause, EndedBy};

/// A call, until its record is written.
pub(crate) struct Call {
    pub(crate) id: CallId,
    pub(crate) tenant: TenantId,
    /// The provisioning it started with; a newer one changes nothing for it.
    directory: Arc<Directory>,
    prompts: Arc<Prompts>,
    origin: Origin,
    direction: CallDirection,
    /// The trunk it came in on, or went out over in the end.
    trunk: Option<TrunkId>,
    /// The provisioned number, when the tenant has it.
    number: Option<String>,
    from: Party,
    /// What else is known of the caller.
    who: WhoCalls,
    /// Who has sent it on.
    sent_on: SentOn,
    /// What the signature of the caller's number is worth, if it was looked at.
    verdict: Option<Verdict>,
    /// The signatures it came with, if they are good.
    identities: Vec<String>,
    /// How often it may still be passed on (Max-Forwards).
    hops: u8,
    /// Header fields of the trunk's INVITE that go on to agents, by the trunk's rules.
    passed_on: Vec<(String, String)>,
    to: String,
    /// The number that those outside are shown, if it was asked for.
    caller_id: Option<E164>,
    /// Where it goes, step by step.
    steps: Vec<routing::Step>,
    /// How many flows it has been in.
    flows: u8,
    /// What flows have collected.
    attributes: Vec<Attribute>,
    /// Whoever called; for a call of the API's, whom it rang first.
    caller: Leg,
    /// Whoever was called and rings or talks, and such legs that are being closed.
    far: Vec<Leg>,
    stage: Stage,
    /// Keys that the caller has pressed before they were asked for. They may be a secret.
    typed: VecDeque<char>,
    /// Who is being called directly, if somebody is.
    dialling: Option<Box<Dial>>,
    /// What the API wants to know of who answers, if it does.
    listening: Option<Box<Listening>>,
    /// The recording server that gets a copy of it, if one does.
    siprec: Option<Box<Siprec>>,
    /// The leg whose conversation with the caller was last asked about for that.
    siprec_asked: Option<base::LegId>,
    /// Those who are in it besides the two who talk.
    guests: Vec<Guest>,
    /// With whom the call ends, if it is to.
    host: Option<base::LegId>,
    /// The mix they are in, if a bridge would not do.
    mixing: Option<Mixing>,
    /// The streams that are recorded.
    tapped: Vec<Tapped>,
    /// The capture that runs, if one does.
    capturing: Option<Box<Capturing>>,
    /// What carries audio between the media workers of those in it, if they have several.
    relays: Vec<Relay>,
    /// The transfer under way, if one is.
    transfer: Option<Transfer>,
    /// Those agents whose pages are gone.
    adrift: Vec<Adrift>,
    /// Since when nothing of the conversation is recorded, if it was asked not to be.
    pausing: Option<Pausing>,
    /// Whether it is the next one in the queue that it comes to.
    goes_first: bool,
    /// How often it has been sent on.
    transfers: u8,
    /// Whether it counts towards its tenant's calls.
    admitted: bool,
    /// Whether it counts towards its tenant's calls to outside.
    admitted_outbound: bool,
    /// The trunks towards whose calls it counts.
    on_trunks: Vec<TrunkId>,
    /// The agents who are in it without a queue's doing.
    engaged: Vec<AgentId>,
    /// When one of the two who talk is offered the other's codec.
    one_codec_due: Option<Instant>,
    /// Requests of the API that wait for the media workers.
    promises: Vec<Promise>,
    /// What the request at work has done, to be told when the media have obeyed.
    untold: Vec<EventKind>,
    /// When the caller's INVITE is good no longer, if it says so.
    expires: Option<Instant>,
    /// What has happened so far, for the record.
    pub(crate) narrative: Narrative,
}

/// What can happen to a call.
pub(crate) enum Signal {
    /// A media worker reports on a leg's stream.
    Media(base::LegId, media::Event),
    /// A media worker has ended that has a stream of the call's.
    MediaGone(media::WorkerId),
    /// The ACK to a 2xx of ours.
    Ack(base::LegId, ServerTx, Message),
    /// It did not come.
    AckMissing(base::LegId, ServerTx),
    /// The peer cancelled its INVITE, with this if it said so itself.
    Cancelled(base::LegId, ServerTx, Option<Message>),
    /// A request within a leg's dialog.
    Request(base::LegId, ServerTx, Message),
    /// A response to a request of ours.
    Response(base::LegId, ClientTx, Message),
    /// No final response came.
    TimedOut(base::LegId, ClientTx),
    /// The request could not be sent.
    TransportFailed(base::LegId, ClientTx),
    /// A connection that a leg came over, or was rung over, closed.
    ConnectionClosed(base::LegId, u64),
    /// There is a way for the later requests of a leg's dialog, or none.
    NextHop(base::LegId, PathEvent),
    /// The ACK to our refusal came by.
    RefusalAcknowledged,
    /// An INVITE that had been given up is over.
    StrayOver(ClientTx),
    /// It was answered all the same; this BYE is out.
    StrayAnswered(base::LegId, ClientTx, ClientTx),
    /// The router wants this agent to ring.
    Attempt { queue: QueueId, agent: AgentId, decision: Decision },
    /// The router takes that back.
    CancelAttempt { agent: AgentId, why: CancelReason },
    /// The router has nobody.
    Waiting { queue: QueueId, position: u32, decision: Decision },
    /// The call waited long enough.
    Expired { queue: QueueId },
    /// The queue does not take it.
    Refused { queue: QueueId, why: QueueRefusal },
    /// What became of looking for a way to a trunk.
    Path(base::LegId, PathEvent),
    /// A direct call has rung long enough.
    RangOut,
    /// A supervisor's phone has, or a page that is to take a call back.
    GuestRangOut(base::LegId),
    /// An offer of one codec for both has waited long enough.
    OneCodecDue,
    /// Its media workers have had the time to confirm.
    PromiseDue,
    /// What a leg's talking came to may be told now.
    TalkingDue(base::LegId),
    /// The agent whose page is gone has registered one.
    AgentBack(AgentId),
    /// The page of that leg has another connection in place of that one.
    PageMoved(base::LegId, u64),
    /// The page of that leg has been waited for long enough.
    AdriftTooLong(base::LegId),
    /// A recording was paused for as long as it was to be.
    PausedLongEnough,
    /// Digits have been waited for long enough.
    CollectedNone,
    /// The caller's INVITE is good no longer.
    InviteExpired,
    /// The API ends it.
    End,
    /// The engine stops and waits no longer.
    Drained,
    /// A provisional response of ours has not been acknowledged yet.
    Unacknowledged,
    /// What a leg's session timer waited for has come.
    Timer(base::LegId),
    /// It has waited long enough for its last messages.
    Settle,
}

impl Call {
    /// Takes one thing that happened to its procedure.
    pub(crate) fn handle(&mut self, node: &mut Node, now: Instant, signal: Signal) {
        if self.is_of_siprec(&signal) {
            self.on_siprec(node, now, signal);
            return self.settle_if_done(node);
        }
        match signal {
            Signal::Media(leg, event) => self.on_media(node, now, leg, event),
            Signal::MediaGone(worker) => self.on_media_gone(node, now, worker),
            Signal::Ack(leg, tx, ack) => self.on_ack(node, now, leg, tx, &ack),
            Signal::AckMissing(leg, tx) => self.on_ack_missing(node, now, leg, tx),
            Signal::Cancelled(leg, tx, cancel) => {
                self.on_cancelled(node, now, leg, tx, cancel.as_ref());
            }
            Signal::Request(leg, tx, request) => self.on_request(node, now, leg, tx, &request),
            Signal::Response(leg, tx, response) => {
                self.on_response(node, now, leg, tx, &response);
            }
            Signal::TimedOut(leg, tx) => self.on_timed_out(node, now, leg, tx),
            Signal::TransportFailed(leg, tx) => self.on_transport_failed(node, now, leg, tx),
            Signal::ConnectionClosed(leg, connection) => {
                self.on_connection_closed(node, now, leg, connection);
            }
            Signal::NextHop(leg, event) => self.on_next_hop(node, now, leg, event),
            Signal::RefusalAcknowledged => self.on_refusal_acknowledged(),
            Signal::StrayOver(tx) => self.on_stray_over(tx),
            Signal::StrayAnswered(leg, tx, bye) => self.on_stray_answered(leg, tx, bye),
            Signal::Attempt { queue, agent, decision } => {
                self.ring(node, now, queue, agent, decision);
            }
            Signal::CancelAttempt { agent, why } => self.stop_ringing(node, now, &agent, why),
            Signal::Waiting { queue, position, decision } => {
                self.on_waiting(node, now, queue, position, decision);
            }
            Signal::Expired { queue } => self.on_expired(node, now, &queue),
            Signal::Refused { queue, why } => self.on_queue_refused(node, now, &queue, why),
            Signal::Path(leg, event) => self.on_path(node, now, leg, event),
            Signal::RangOut => self.on_rang_out(node, now),
            Signal::GuestRangOut(leg) => self.on_guest_rang_out(node, now, leg),
            Signal::TalkingDue(leg) => self.on_talking_due(node, now, leg),
            Signal::OneCodecDue => self.on_one_codec_due(node, now),
            Signal::PromiseDue => self.on_promise_due(node, now),
            Signal::AgentBack(agent) => self.on_agent_back(node, now, &agent),
            Signal::PageMoved(leg, before) => self.on_page_moved(node, now, leg, before),
            Signal::PausedLongEnough => self.on_paused_long_enough(node, now),
            Signal::AdriftTooLong(leg) => self.on_adrift_too_long(node, now, leg),
            Signal::CollectedNone => self.on_collect_timeout(node, now),
            Signal::InviteExpired => self.on_invite_expired(node, now),
            Signal::End => self.end(node, now, Cause::ApiRequest, EndedBy::Api),
            Signal::Drained => self.end(node, now, Cause::Drained, EndedBy::Engine),
            Signal::Unacknowledged => self.on_reliable_timer(node, now),
            Signal::Timer(leg) => self.on_timer(node, now, leg),
            Signal::Settle => self.on_settle_timeout(node),
        }
        self.arrange(node, now);
        self.settle_if_done(node);
    }

    /// Tells the world.
    fn tell(&self, node: &mut Node, now: Instant, kind: EventKind) {
        node.emit(now, &self.tenant, Some(self.id), kind);
    }

    /// What the router calls it.
    fn work(&self) -> WorkId {
        WorkId(self.id.as_u128())
    }

    fn leg_ref(&self, leg: base::LegId) -> LegRef {
        LegRef { call: self.id, leg }
    }

    /// The caller's leg or another one.
    fn leg_mut(&mut self, leg: base::LegId) -> Option<&mut Leg> {
        if self.caller.id == leg {
            return Some(&mut self.caller);
        }
        self.far_mut(leg)
    }

    fn leg(&self, leg: base::LegId) -> Option<&Leg> {
        self.legs().find(|known| known.id == leg)
    }

    fn legs(&self) -> impl Iterator<Item = &Leg> {
        std::iter::once(&self.caller).chain(&self.far)
    }

    /// Most calls have one other leg, and a leg is large: room is made for that one alone.
    fn add_far(&mut self, leg: Leg) {
        self.far.reserve_exact(1);
        self.far.push(leg);
    }

    /// Who talks with whoever is on that leg.
    fn opposite(&self, leg: base::LegId) -> Option<base::LegId> {
        match &self.stage {
            Stage::Connected { talk } if self.is_caller(leg) => Some(talk.leg),
            Stage::Connected { talk } if talk.leg == leg => Some(self.caller.id),
            _ => None,
        }
    }

    fn far_mut(&mut self, leg: base::LegId) -> Option<&mut Leg> {
        self.far.iter_mut().find(|far| far.id == leg)
    }

    /// Whether a leg is one that we call a number outside with.
    fn is_to_trunk(&self, leg: base::LegId) -> bool {
        let legs = std::iter::once(&self.caller).chain(&self.far);
        legs.filter(|known| known.id == leg).any(|known| matches!(known.role, Role::Trunk(_)))
    }

    fn is_caller(&self, leg: base::LegId) -> bool {
        self.caller.id == leg
    }
}
