//! Call control: a back-to-back user agent (RFC 7092) that joins SIP, media and routing.
//!
//! One [`Switch`] is one shard: it owns its tenants' calls, bindings, queues and agents, and is
//! driven as every machine here is: [`Switch::handle_input`] for one thing that happened,
//! [`Switch::handle_timeout`] for time that passed, then [`Switch::poll_output`] until it is empty
//! and [`Switch::poll_timeout`] for the next deadline. It reads no clock and owns no socket.

mod api;
mod call;
mod calling;
mod calls;
mod carry;
mod cause;
mod config;
mod desk;
mod event;
mod gate;
mod history;
mod incoming;
mod index;
mod joins;
mod ladder;
mod mask;
mod media_gone;
mod messages;
mod node;
mod pages;
mod paths;
mod pickup;
mod port;
mod ports;
mod record;
mod refused;
mod register;
mod requests;
mod settings;
mod stir;
mod strays;
mod subscriptions;
mod supervision;
mod switch;
mod tenants;
mod trunks;
mod watch;

pub use api::{
    AnsweringMachine, ApiError, ApiReply, ApiRequest, CallDigits, CaptureWish, CapturedLeg, First,
    Keys, LiveCall, LiveLeg, LiveState, MachineAction, Originate, RefusedCall, RequestId,
    SecuredDigits, Side, SipToken, WrapUp,
};
pub use cause::{Cause, EndedBy};
pub use config::{Limits, Prompts, Sounds, SwitchConfig, WebConfig, WorkerPorts};
pub use event::{
    CaptureEnd, DigitsEnd, Event, EventKind, HoldSide, Quality, QueueExit, ResumeWhy,
    SignedDiversion, Who,
};
pub use history::QualitySample;
pub use mask::masked;
pub use media::progress::AnswerTimes;
pub use media::{CaptureId, StreamStats};
pub use port::{
    ConnectId, Input, Output, RecordCommand, RecordingOutcome, RecordingReport, SecurityEvent,
    SecurityKind, Timer,
};
pub use record::{
    AttemptEnd, AttemptOutcome, CallDirection, CallRecord, Decided, DecisionEntry, Direction,
    Diverter, LadderEntry, LegKind, LegRecord,
};
pub use settings::{AgentSettings, SetForward};
pub use sip::Advertised;
pub use subscriptions::Waiting;
pub use switch::{Sizes, Switch};
pub use trunks::{OwnBindingView, TargetView, TrunkState, TrunkView};
