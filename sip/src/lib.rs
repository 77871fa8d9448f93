//! SIP without sockets or clocks: messages, stream framing, transactions, dialogs, digest
//! authentication and registration. It knows no tenant, no call and no SDP.

pub mod digest;
pub mod framing;
pub mod header;
pub mod identity;
pub mod registration;
pub mod reliable;
pub mod resolve;
pub mod sipfrag;
pub mod stir;
pub mod stun;

mod body;
mod datagram;
mod dialog;
mod flow;
mod forks;
mod glare;
mod keep_alive;
mod message;
mod registrar;
mod session_timer;
mod throttle;
mod transaction;

pub use body::{Body, Part};
pub use datagram::{Datagram, datagram, websocket};
pub use dialog::{Dialog, DialogError, DialogId};
pub use flow::{Flow, MTU_LIMIT, Transport, wants_stream};
pub use forks::Forks;
pub use glare::glare_pause;
pub use keep_alive::{KeepAlive, KeepAliveOutput, Lost};
pub use message::{
    Address, BuildError, HeaderError, MAX_HEAD, MAX_HEADER, MAX_HEADERS, MAX_MESSAGE, MAX_VIAS,
    Message, Method, Name, Params, ParseError, Problem, Request, Response, StatusCode, Uri, UriBuf,
    Via, peek_call_id,
};
pub use registrar::{
    Binding, BindingInfo, Device, Registered, Registrar, RegistrarConfig, RegistrarEvent,
};
pub use registration::{Registration, RegistrationConfig, RegistrationFailure, RegistrationState};
pub use session_timer::{
    Granted, SessionTimer, SessionTimerConfig, SessionTimerError, SessionTimerOutput, TooSmall,
};
pub use throttle::{Allowance, Pace, Patience, Source, Throttle};
pub use transaction::{
    Advertised, ClientTx, Endpoint, EndpointConfig, Event, Input, Output, ServerTx, Timer, TxRef,
};
