//! What a provisioning file says of keys that callers press: how a far end tells them, menus, and
//! digits that a flow asks for.

use base::{FlowId, PromptId, QueueId};
use serde::{Deserialize, Serialize};

use super::{is_default, is_false};

/// How keys are exchanged with a far end (DTMF).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Dtmf {
    /// By RFC 4733 events if it agrees to them; else by INFO if it has sent keys so itself, else by
    /// tones within the audio.
    #[default]
    Auto,
    /// By RFC 4733 events or not at all.
    Rfc4733,
    /// By SIP INFO.
    Info,
    /// By tones within the audio.
    Inband,
}

/// How long digits are waited for, and how often they are asked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Patience {
    /// Seconds from the end of the prompt to the first digit, 1 to 60.
    pub first_s: u32,
    /// Seconds from one digit to the next, 1 to 60.
    pub next_s: u32,
    /// How often it is asked, 1 to 10.
    pub tries: u32,
}

impl Default for Patience {
    fn default() -> Self {
        Self { first_s: 5, next_s: 3, tries: 3 }
    }
}

/// Asks for digits. When none come that do, the next step follows all the same, and the call has
/// no such attribute.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Collect {
    /// What is played to ask for them; silence if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<PromptId>,
    /// The call's attribute that keeps them: letters, digits, `_` and `-`, 32 at most.
    pub into: String,
    /// The fewest, 1 to 64.
    #[serde(default = "one")]
    pub min: u32,
    /// The most, `min` to 64: with the last of them it is complete.
    pub max: u32,
    /// The key that ends them before; none with an empty text.
    #[serde(default = "hash")]
    pub end: String,
    /// How long they are waited for.
    #[serde(default, skip_serializing_if = "is_default")]
    pub wait: Patience,
    /// What is played before it is asked again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invalid: Option<PromptId>,
    /// Whether the prompt has to be heard to its end; else a key stops it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub uninterruptible: bool,
    /// Whether keys count that are pressed while prompts before the step are heard.
    #[serde(default, skip_serializing_if = "is_false")]
    pub type_ahead: bool,
    /// Whether nobody else may hear them: they are masked in the audio meanwhile.
    #[serde(default, skip_serializing_if = "is_false")]
    pub secret: bool,
    /// Whether they may stand in the event `call.digits`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub show: bool,
}

/// Asks where the caller wants to go. When no choice is made, the next step follows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Menu {
    /// What is played to ask; silence if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt: Option<PromptId>,
    /// What can be chosen.
    pub choices: Vec<Choice>,
    /// Whether what is no choice is dialled, if it is an extension of the tenant's.
    #[serde(default, skip_serializing_if = "is_false")]
    pub extensions: bool,
    /// How long a choice is waited for.
    #[serde(default, skip_serializing_if = "is_default")]
    pub wait: Patience,
    /// What is played before it is asked again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invalid: Option<PromptId>,
    /// Whether the prompt has to be heard to its end; else a key stops it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub uninterruptible: bool,
    /// Whether keys count that are pressed while prompts before the step are heard.
    #[serde(default, skip_serializing_if = "is_false")]
    pub type_ahead: bool,
}

/// One choice of a menu: with none of `flow`, `queue` and `dial` the next step follows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// What is pressed: 1 to 8 keys.
    pub digits: String,
    /// The flow that the call goes on in, for good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow: Option<FlowId>,
    /// The queue that it waits in; the step after the menu follows then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queue: Option<QueueId>,
    /// Whom it rings, as the step `dial` does; the step after the menu follows then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dial: Option<String>,
}

fn one() -> u32 {
    1
}

fn hash() -> String {
    "#".to_owned()
}
