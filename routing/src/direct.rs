//! A call to one agent, by name or extension: ring them, send the call elsewhere, or say why not.

use crate::{Agent, AgentState};

/// What is known of an agent at this moment; [`Router::presence`](crate::Router::presence) tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Presence {
    /// Whether a phone of theirs is registered.
    pub reachable: bool,
    /// Their calls now: the one of a queue, and direct ones.
    pub calls: u32,
    /// Whether a queue's call rings them now.
    pub rings: bool,
    /// Whether they want no direct calls.
    pub do_not_disturb: bool,
    /// What everybody sees.
    pub state: AgentState,
}

/// What becomes of a direct call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Direct {
    /// Their phones ring, for at most so many seconds; [`Direct::unanswered`] says what follows.
    Ring {
        /// How long.
        seconds: u32,
    },
    /// It goes where the agent would dial this, by the agent's own dial policy.
    Forward {
        /// What is dialled.
        to: String,
        /// Why.
        why: ForwardReason,
    },
    /// They are on a call, or want no calls (486).
    Busy,
    /// No phone of theirs is registered, or they did not answer (480).
    Unavailable,
}

/// Why a call is forwarded (RFC 5806 §4 names the same).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ForwardReason {
    /// Every call is.
    Unconditional,
    /// They were busy.
    UserBusy,
    /// They want no calls.
    DoNotDisturb,
    /// They did not answer.
    NoAnswer,
    /// No phone of theirs is registered.
    Unavailable,
}

impl ForwardReason {
    /// As in a Diversion header: `user-busy`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unconditional => "unconditional",
            Self::UserBusy => "user-busy",
            Self::DoNotDisturb => "do-not-disturb",
            Self::NoAnswer => "no-answer",
            Self::Unavailable => "unavailable",
        }
    }
}

impl Direct {
    /// What becomes of a call to this agent.
    #[must_use]
    pub fn begin(agent: &Agent, presence: Presence) -> Self {
        if let Some(to) = &agent.forward.always {
            return Self::forward(to, ForwardReason::Unconditional);
        }
        if presence.do_not_disturb {
            return Self::busy(agent, ForwardReason::DoNotDisturb);
        }
        let engaged = presence.calls > 0 || presence.rings;
        if engaged && !agent.call_waiting {
            return Self::busy(agent, ForwardReason::UserBusy);
        }
        if !presence.reachable {
            return Self::unanswered(agent, ForwardReason::Unavailable);
        }
        Self::Ring { seconds: agent.forward.rings_s() }
    }

    /// What becomes of a call to them that their phones refused as busy.
    #[must_use]
    pub fn busy(agent: &Agent, why: ForwardReason) -> Self {
        agent.forward.busy.as_ref().map_or(Self::Busy, |to| Self::forward(to, why))
    }

    /// What becomes of a call to them that was not answered in time, or could not ring.
    #[must_use]
    pub fn unanswered(agent: &Agent, why: ForwardReason) -> Self {
        agent.forward.no_answer.as_ref().map_or(Self::Unavailable, |to| Self::forward(to, why))
    }

    fn forward(to: &str, why: ForwardReason) -> Self {
        Self::Forward { to: to.to_owned(), why }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE: Presence = Presence {
        reachable: true,
        calls: 0,
        rings: false,
        do_not_disturb: false,
        state: AgentState::Available,
    };

    fn agent(keys: &str) -> Agent {
        toml::from_str(&format!("id = \"alice\"\npassword = \"p\"\n{keys}")).unwrap()
    }

    #[test]
    fn an_agent_rings_unless_engaged_and_call_waiting_rings_them_then_too() {
        let plain = agent("");
        let on_a_call = Presence { calls: 1, ..IDLE };
        assert_eq!(Direct::begin(&plain, IDLE), Direct::Ring { seconds: 60 });
        assert_eq!(Direct::begin(&plain, on_a_call), Direct::Busy);
        assert_eq!(Direct::begin(&plain, Presence { rings: true, ..IDLE }), Direct::Busy);
        assert_eq!(
            Direct::begin(&agent("call_waiting = true"), on_a_call),
            Direct::Ring { seconds: 60 }
        );
        assert_eq!(
            Direct::begin(&agent("call_waiting = true"), Presence { do_not_disturb: true, ..IDLE }),
            Direct::Busy
        );
        assert_eq!(
            Direct::begin(&plain, Presence { reachable: false, ..IDLE }),
            Direct::Unavailable
        );
    }

    #[test]
    fn a_call_is_forwarded_for_the_reason_that_holds() {
        let alice = agent("forward = { busy = \"102\", no_answer = \"+4930\", no_answer_s = 25 }");
        let to = |to: &str, why| Direct::Forward { to: to.to_owned(), why };
        assert_eq!(Direct::begin(&alice, IDLE), Direct::Ring { seconds: 25 });
        for (presence, to) in [
            (Presence { calls: 1, ..IDLE }, to("102", ForwardReason::UserBusy)),
            (Presence { do_not_disturb: true, ..IDLE }, to("102", ForwardReason::DoNotDisturb)),
            (Presence { reachable: false, ..IDLE }, to("+4930", ForwardReason::Unavailable)),
        ] {
            assert_eq!(Direct::begin(&alice, presence), to);
        }
        let away = agent("forward = { always = \"sales\", busy = \"102\" }");
        let gone = Presence { reachable: false, do_not_disturb: true, ..IDLE };
        assert_eq!(Direct::begin(&away, gone), to("sales", ForwardReason::Unconditional));
        assert_eq!(
            Direct::unanswered(&alice, ForwardReason::NoAnswer),
            to("+4930", ForwardReason::NoAnswer)
        );
    }
}
