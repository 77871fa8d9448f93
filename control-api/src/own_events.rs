//! Which of a tenant's events an agent's own key is told: those about its agent, and those of the
//! calls that its agent is in, from when it is rung until it has left.

use std::collections::BTreeSet;

use base::{AgentId, CallId};
use serde::Deserialize;
use store::EventRow;
use switch::{ApiReply, ApiRequest};

use crate::auth::Scoped;
use crate::fault::Fault;
use crate::routes::Discretion;
use crate::state::Shared;

/// Calls that an agent is in at once; of more, the one that began first is told no longer.
const MOST: usize = 64;

/// An agent's view of the log.
pub(crate) struct OwnEvents {
    agent: AgentId,
    /// How an event names the agent, if it does.
    mark: String,
    /// The calls that the agent is in. Their numbers are in the order of time.
    calls: BTreeSet<CallId>,
    discretion: Discretion,
}

/// Whom an event is about.
#[derive(Deserialize, Default)]
#[serde(default)]
struct About {
    agent: Option<String>,
    by: Option<String>,
    from: Option<String>,
}

/// Whether an event is about an agent: rung, or in the call.
pub(crate) fn names(event: &EventRow, agent: &AgentId) -> bool {
    let about: About = serde_json::from_str(&event.data).unwrap_or_default();
    about.agent.as_deref() == Some(agent.as_str()) && !is_supervision(&event.kind)
}

/// A supervisor is no party of the call.
fn is_supervision(kind: &str) -> bool {
    kind.starts_with("call.supervis")
}

impl OwnEvents {
    /// The view of whom a key is limited to; `None` sees all.
    pub(crate) async fn of(api: &Shared, scoped: &Scoped) -> Result<Option<Self>, Fault> {
        let Some(agent) = scoped.only_agent().cloned() else { return Ok(None) };
        let reply = api.engine.ask(&scoped.tenant, "tenant", ApiRequest::Agents).await?;
        let ApiReply::Agents(rows) = reply else {
            return Err(Fault::internal("asking the engine", &"unexpected reply"));
        };
        let own = rows.into_iter().find(|row| row.id == agent);
        let calls = own.into_iter().flat_map(|row| row.work.into_iter().chain(row.direct_calls));
        let calls = calls.map(|work| CallId::from_u128(work.0)).collect();
        let discretion = Discretion::of(api, scoped);
        Ok(Some(Self::new(agent, calls, discretion)))
    }

    fn new(agent: AgentId, calls: BTreeSet<CallId>, discretion: Discretion) -> Self {
        let mark = format!("\"{agent}\"");
        Self { agent, mark, calls, discretion }
    }

    /// Whether the agent is told the event.
    pub(crate) fn tells(&mut self, event: &EventRow) -> bool {
        // Most events name others: those are not even parsed.
        let about = if event.data.contains(&self.mark) {
            serde_json::from_str(&event.data).unwrap_or_default()
        } else {
            About::default()
        };
        let is_own = |name: &Option<String>| name.as_deref() == Some(self.agent.as_str());
        let Some(call) = event.call else {
            return event.kind.starts_with("agent.") && is_own(&about.agent);
        };
        let (agent, sent_on, taken) =
            (is_own(&about.agent), is_own(&about.by), is_own(&about.from));
        let shown = self.discretion.shows_event(event);
        let knew = self.calls.contains(&call);
        match event.kind.as_ref() {
            "call.ended" => {
                self.calls.remove(&call);
                return shown && (knew || agent);
            }
            // What comes later is of others.
            "call.transferred" if sent_on => {
                self.calls.remove(&call);
            }
            "call.picked_up" if taken => {
                self.calls.remove(&call);
            }
            "call.attempt_failed" | "call.dial_failed" | "call.participant_left" if agent => {
                self.calls.remove(&call);
            }
            // A supervisor is told by the answer of the request.
            kind if is_supervision(kind) => return shown && knew,
            // Written down when the call is over: it opens nothing.
            "call.wrapped_up" => return shown && (knew || agent),
            _ if agent || (sent_on && event.kind == "call.picked_up") => {
                self.calls.insert(call);
                if self.calls.len() > MOST {
                    self.calls.pop_first();
                }
                return shown;
            }
            _ => {}
        }
        shown && knew
    }
}

#[cfg(test)]
mod tests {
    use base::{TenantId, UnixTime};

    use super::*;

    fn event(of: u128, kind: &'static str, data: &str) -> EventRow {
        EventRow {
            tenant: TenantId::new("acme").unwrap(),
            sequence: 1,
            call: (of > 0).then(|| CallId::from_u128(of)),
            at: UnixTime::from_micros(0),
            kind: kind.into(),
            data: data.to_owned(),
        }
    }

    fn alice() -> OwnEvents {
        let agent = AgentId::new("alice").unwrap();
        OwnEvents::new(agent, BTreeSet::new(), Discretion::hiding())
    }

    #[test]
    fn an_agent_is_told_of_a_call_from_when_it_rings_her_until_it_is_over() {
        let mut own = alice();
        let mut told = |kind, data| own.tells(&event(7, kind, data));
        assert!(!told("call.started", r#"{"from":"+4930"}"#), "it waits: nobody knows for whom");
        let considered = r#"{"agent":"bob","decision":{"considered":[{"agent":"alice"}]}}"#;
        assert!(!told("call.offered", considered), "she was considered, and bob rings");
        assert!(told("call.offered", r#"{"agent":"alice","decision":{}}"#));
        assert!(told("call.held", r#"{"by":"caller"}"#));
        assert!(!told("call.supervised", r#"{"agent":"sue","of":"alice"}"#), "a secret");
        assert!(told("call.ended", r#"{"agent":"alice"}"#));
        assert!(!told("recording.completed", "{}"), "it is no call of hers any more");
        assert!(told("call.wrapped_up", r#"{"agent":"alice","code":"x"}"#));
        assert!(!told("recording.completed", "{}"));
    }

    #[test]
    fn what_comes_after_she_has_sent_a_call_on_or_did_not_take_it_is_of_others() {
        for (kind, data) in [
            ("call.transferred", r#"{"by":"alice","to":"bob"}"#),
            ("call.attempt_failed", r#"{"agent":"alice","why":"no_answer"}"#),
            ("call.picked_up", r#"{"by":"bob","from":"alice"}"#),
        ] {
            let mut own = alice();
            assert!(own.tells(&event(7, "call.ringing", r#"{"agent":"alice"}"#)));
            assert!(own.tells(&event(7, kind, data)), "{kind}");
            assert!(!own.tells(&event(7, "call.held", r#"{"by":"agent"}"#)), "after {kind}");
        }
    }

    #[test]
    fn of_agents_she_is_told_of_herself_alone_and_of_queues_nothing() {
        let mut own = alice();
        assert!(own.tells(&event(0, "agent.state_changed", r#"{"agent":"alice"}"#)));
        assert!(!own.tells(&event(0, "agent.state_changed", r#"{"agent":"bob"}"#)));
        assert!(!own.tells(&event(0, "queue.stats", r#"{"queue":"alice","agent":"alice"}"#)));
    }
}
