//! What a provisioning file says of an agent's right to supervise.

use base::QueueId;
use serde::{Deserialize, Serialize};

/// Whose conversations an agent may supervise; always within the tenant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Supervises {
    /// Nobody's.
    #[default]
    Nothing,
    /// Everybody's.
    Everything,
    /// Those that came from these queues, and those of the agents who serve them.
    Queues(Vec<QueueId>),
}

impl Supervises {
    pub(super) fn is_nothing(&self) -> bool {
        *self == Self::Nothing
    }
}

/// The right in the file: a word or a list of queues.
#[derive(Serialize, Deserialize)]
#[serde(untagged, expecting = "`\"nothing\"`, `\"everything\"` or a list of queues")]
enum Written {
    Word(Word),
    Queues(Vec<QueueId>),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Word {
    Nothing,
    Everything,
}

impl Serialize for Supervises {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Nothing => Written::Word(Word::Nothing),
            Self::Everything => Written::Word(Word::Everything),
            Self::Queues(queues) => Written::Queues(queues.clone()),
        }
        .serialize(to)
    }
}

impl<'de> Deserialize<'de> for Supervises {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(match Written::deserialize(from)? {
            Written::Word(Word::Nothing) => Self::Nothing,
            Written::Word(Word::Everything) => Self::Everything,
            Written::Queues(queues) => Self::Queues(queues),
        })
    }
}
