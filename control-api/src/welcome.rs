//! What a newcomer to the demo finds: a link that signs in once, and people to have a call with.
//! There is nothing of it on a server that no demo runs on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base::AgentId;
use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::mpsc;

use crate::state::hex;

/// How long a link waits for its newcomer.
const LIFETIME: Duration = Duration::from_secs(12 * 3600);
const MOST: usize = 16;

/// The door of newcomers; whoever runs the demo keeps a copy.
#[derive(Clone, Default)]
pub struct Welcome(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    codes: BTreeMap<String, (String, Instant)>,
    stage: Option<Stage>,
}

/// Who is there to be called with.
#[derive(Debug, Clone)]
pub struct Stage {
    /// The number that leads to the queue.
    pub number: String,
    /// The agent that the newcomer is.
    pub agent: AgentId,
    /// The agent who takes the newcomer's call.
    pub colleague: AgentId,
    /// Where a phone of one's own registers: address and port of SIP over UDP.
    pub sip: String,
    /// To whoever plays them.
    pub scenes: mpsc::Sender<Scene>,
}

/// What can be played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scene {
    /// A customer calls the number: the newcomer's page rings.
    CustomerCalls,
    /// The colleague is there for the next call of the queue: that of the newcomer.
    ColleagueAnswers,
}

impl Welcome {
    /// A code that signs in with that key, once, from this machine.
    ///
    /// # Errors
    /// When the system has no randomness.
    pub fn invite(&self, key: &str) -> Result<String, String> {
        let mut bytes = [0; 16];
        let random = SystemRandom::new();
        random.fill(&mut bytes).map_err(|_| "the system has no randomness".to_owned())?;
        let code = hex(&bytes);
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        inner.codes.retain(|_, (_, issued)| issued.elapsed() < LIFETIME);
        if inner.codes.len() >= MOST {
            inner.codes.clear();
        }
        inner.codes.insert(code.clone(), (key.to_owned(), Instant::now()));
        Ok(code)
    }

    /// From here on there are people to have a call with.
    pub fn open(&self, stage: Stage) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).stage = Some(stage);
    }

    /// The key that the code stands for; the code is void from here on.
    pub(crate) fn redeem(&self, code: &str) -> Option<String> {
        let mut inner = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (key, issued) = inner.codes.remove(code)?;
        (issued.elapsed() < LIFETIME).then_some(key)
    }

    pub(crate) fn stage(&self) -> Option<Stage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).stage.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invitation_is_for_one_and_they_do_not_pile_up() {
        let welcome = Welcome::default();
        let code = welcome.invite("a key").expect("randomness");
        assert_eq!(code.len(), 32);
        assert_eq!(welcome.redeem(&code).as_deref(), Some("a key"));
        assert_eq!(welcome.redeem(&code), None);
        for _ in 0..100 {
            welcome.invite("a key").expect("randomness");
        }
        assert!(welcome.0.lock().expect("the lock").codes.len() <= MOST);
    }
}
