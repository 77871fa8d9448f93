//! One call of a desk: where it stands, and what it waits for.

use base::Instant;
use sip::reliable::{ReliableUac, ReliableUas};
use sip::{ClientTx, Dialog, Flow, Forks, Message, Request, ServerTx, SessionTimer};

use super::Pickup;

/// A call.
pub(super) struct Line {
    /// The way its requests take.
    pub(super) flow: Flow,
    pub(super) state: State,
    /// Once there is one, early or not.
    pub(super) dialog: Option<Box<Dialog>>,
    /// Whether we sent the first INVITE.
    pub(super) calls: bool,
    /// The version of our description.
    pub(super) version: u64,
    /// Whether we hold the far end.
    pub(super) holds: bool,
    /// An offer of ours that waits for its answer.
    pub(super) offer: Option<ClientTx>,
    /// The CSeq of a re-INVITE of theirs that waits for its ACK.
    pub(super) offered: Option<ServerTx>,
    /// When an offer that met theirs is made again, and whether it holds.
    pub(super) again: Option<(Instant, bool)>,
    pub(super) timer: Option<SessionTimer>,
    /// Hang up as soon as that is allowed.
    pub(super) is_wanted_down: bool,
}

/// Where a call stands.
pub(super) enum State {
    /// We called.
    Dialling(Box<Dialling>),
    /// We are called.
    Ringing(Box<Ringing>),
    /// We answered and wait for the ACK.
    Answered(ServerTx),
    /// It stands.
    Up,
    /// Our BYE is on its way.
    Ending(ClientTx),
}

pub(super) struct Dialling {
    pub(super) tx: ClientTx,
    pub(super) invite: Request,
    pub(super) forks: Forks,
    pub(super) provisional: ReliableUac,
    pub(super) is_cancelled: bool,
    /// Whether offer and answer have been exchanged.
    pub(super) is_agreed: bool,
}

pub(super) struct Ringing {
    pub(super) tx: ServerTx,
    pub(super) invite: Message,
    pub(super) pickup: Pickup,
    /// When what follows the ringing does.
    pub(super) due: Option<Instant>,
    pub(super) tag: String,
    pub(super) reliable: Option<ReliableUas>,
    /// Whether our description has gone out.
    pub(super) is_described: bool,
}

/// Where a call stands, for who watches.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LineState {
    /// It calls.
    Dialling,
    /// It is called.
    Ringing,
    /// It has answered; the ACK has not come.
    Answered,
    /// The call stands.
    Up,
    /// The call stands, and the far end is on hold.
    Holding,
    /// It has hung up; the far end has not confirmed.
    Ending,
}

impl Line {
    pub(super) fn new(flow: Flow, state: State, calls: bool, timer: Option<SessionTimer>) -> Self {
        Self {
            flow,
            state,
            dialog: None,
            calls,
            version: 1,
            holds: false,
            offer: None,
            offered: None,
            again: None,
            timer,
            is_wanted_down: false,
        }
    }

    pub(super) fn state(&self) -> LineState {
        match self.state {
            State::Dialling(_) => LineState::Dialling,
            State::Ringing(_) => LineState::Ringing,
            State::Answered(_) => LineState::Answered,
            State::Up if self.holds => LineState::Holding,
            State::Up => LineState::Up,
            State::Ending(_) => LineState::Ending,
        }
    }

    /// Whether audio comes from here.
    pub(super) fn speaks(&self) -> bool {
        match &self.state {
            State::Dialling(_) | State::Ringing(_) => self.dialog.is_some(),
            State::Answered(_) | State::Up => true,
            State::Ending(_) => false,
        }
    }

    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let (due, reliable) = match &self.state {
            State::Ringing(ringing) => {
                let reliable = ringing.reliable.as_ref().and_then(ReliableUas::poll_timeout);
                (ringing.due, reliable)
            }
            _ => (None, None),
        };
        let again = self.again.map(|(at, _)| at);
        let timer = self.timer.as_ref().and_then(SessionTimer::poll_timeout);
        [due, reliable, again, timer].into_iter().flatten().min()
    }
}
