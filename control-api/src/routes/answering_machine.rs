//! What a call that the API makes does when a machine answers it.

use std::ops::RangeInclusive;

use base::Duration;
use serde::Deserialize;
use switch::{AnswerTimes, AnsweringMachine, MachineAction};
use utoipa::ToSchema;

use crate::fault::Fault;

/// How long a machine is waited for, if nothing is said.
const LONGEST_S: u32 = 90;

/// What is done when a machine answers outside.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct MachineWish {
    /// `detect`: it is told; `hang_up`: the call is ended; `leave_message`: it hears `prompt` after
    /// its beep.
    #[schema(example = "detect")]
    action: String,
    /// The message, with `leave_message`.
    prompt: Option<String>,
    /// Whether the agent is rung only when it is known who has answered, where the customer is
    /// called first; not with `detect` if absent, else so.
    wait: Option<bool>,
    /// How certain it must be, 50 to 99 percent; 95 if absent.
    certainty: Option<u8>,
    /// Nothing said for so long is `unknown`, 1,000 to 30,000 ms; 5,000 if absent.
    silence_ms: Option<u32>,
    /// Speech of that length is a machine's, 1,000 to 15,000 ms; 4,500 if absent.
    greeting_ms: Option<u32>,
    /// A pause of that length is a person's, 300 to 5,000 ms; 1,600 if absent.
    pause_ms: Option<u32>,
    /// When it is `unknown` at the latest, 2,000 to 60,000 ms; 15,000 if absent.
    timeout_ms: Option<u32>,
    /// The silence after a greeting without a beep, 500 to 10,000 ms; 2,500 if absent.
    after_greeting_ms: Option<u32>,
    /// How long a machine is waited for, 10 to 600 seconds; 90 if absent.
    longest_s: Option<u32>,
}

impl MachineWish {
    /// As the engine takes it.
    pub(crate) fn checked(self) -> Result<AnsweringMachine, Fault> {
        let action = match (self.action.as_str(), &self.prompt) {
            ("detect", None) => MachineAction::Detect,
            ("hang_up", None) => MachineAction::HangUp,
            ("leave_message", Some(prompt)) => {
                let name = "answering_machine.prompt";
                let prompt =
                    prompt.parse().map_err(|_| Fault::invalid(name, "is no name of a prompt"))?;
                MachineAction::LeaveMessage { prompt }
            }
            ("leave_message", None) => {
                return Err(Fault::invalid("answering_machine.prompt", "must be given"));
            }
            ("detect" | "hang_up", Some(_)) => {
                let problem = "is for leave_message alone";
                return Err(Fault::invalid("answering_machine.prompt", problem));
            }
            _ => {
                let problem = "must be detect, hang_up or leave_message";
                return Err(Fault::invalid("answering_machine.action", problem));
            }
        };
        let usual = AnswerTimes::default();
        let certainty = self.certainty.unwrap_or(usual.certainty);
        if !(50..=99).contains(&certainty) {
            return Err(Fault::invalid("answering_machine.certainty", "must be 50 to 99"));
        }
        let times = AnswerTimes {
            certainty,
            silence: millis("silence_ms", self.silence_ms, 1000..=30_000, usual.silence)?,
            greeting: millis("greeting_ms", self.greeting_ms, 1000..=15_000, usual.greeting)?,
            pause: millis("pause_ms", self.pause_ms, 300..=5000, usual.pause)?,
            timeout: millis("timeout_ms", self.timeout_ms, 2000..=60_000, usual.timeout)?,
            after_greeting: millis(
                "after_greeting_ms",
                self.after_greeting_ms,
                500..=10_000,
                usual.after_greeting,
            )?,
        };
        let longest = self.longest_s.unwrap_or(LONGEST_S);
        if !(10..=600).contains(&longest) {
            return Err(Fault::invalid("answering_machine.longest_s", "must be 10 to 600"));
        }
        let wait = self.wait.unwrap_or(action != MachineAction::Detect);
        let longest = Duration::from_secs(u64::from(longest));
        Ok(AnsweringMachine { action, wait, times, longest })
    }
}

fn millis(
    name: &str,
    asked: Option<u32>,
    range: RangeInclusive<u32>,
    usual: Duration,
) -> Result<Duration, Fault> {
    match asked {
        None => Ok(usual),
        Some(asked) if range.contains(&asked) => Ok(Duration::from_millis(u64::from(asked))),
        Some(_) => {
            let problem = format!("must be {} to {}", range.start(), range.end());
            Err(Fault::invalid(&format!("answering_machine.{name}"), &problem))
        }
    }
}
