//! Subscription-State: what a NOTIFY says of its subscription (RFC 6665 §8.2.3).

use std::fmt;

use super::text::plain;
use crate::message::{Params, is_token, seconds, trim};
use crate::{HeaderError, Message, Name};

/// How a subscription stands.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Substate {
    /// Taken, and authorised.
    Active,
    /// Taken, not yet authorised.
    Pending,
    /// Over.
    Terminated,
}

/// `active;expires=3600`, `terminated;reason=timeout`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SubscriptionState {
    /// The state.
    pub state: Substate,
    /// Why it is over: `deactivated`, `probation`, `rejected`, `timeout`, `giveup`, `noresource`,
    /// `invariant`.
    pub reason: Option<String>,
    /// How many seconds are left.
    pub expires: Option<u32>,
    /// When to subscribe again, in seconds.
    pub retry_after: Option<u32>,
}

impl SubscriptionState {
    /// Of a NOTIFY.
    ///
    /// # Errors
    /// When there is none or it does not parse: answer 400.
    pub fn of(notify: &Message) -> Result<Self, HeaderError> {
        let missing = HeaderError::new("Subscription-State", "not there");
        Self::parse(notify.header(Name::SUBSCRIPTION_STATE).ok_or(missing)?)
    }

    /// In that state for so many more seconds.
    #[must_use]
    pub const fn lasting(state: Substate, expires: u32) -> Self {
        Self { state, reason: None, expires: Some(expires), retry_after: None }
    }

    /// Over.
    #[must_use]
    pub fn terminated(reason: &'static str) -> Self {
        let reason = Some(reason.to_owned());
        Self { state: Substate::Terminated, reason, expires: None, retry_after: None }
    }

    /// Reads the value.
    ///
    /// # Errors
    /// When the state is none of the three.
    pub fn parse(text: &str) -> Result<Self, HeaderError> {
        let end = text.find(';').unwrap_or(text.len());
        let word = trim(&text[..end]);
        let states = [
            ("active", Substate::Active),
            ("pending", Substate::Pending),
            ("terminated", Substate::Terminated),
        ];
        let state = states.iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
        let (_, state) = state.ok_or(HeaderError::new("Subscription-State", "not a state"))?;
        let params = Params::new(&text[end..]);
        Ok(Self {
            state: *state,
            reason: params.value("reason").map(plain).filter(|r| is_token(r.as_bytes())),
            expires: params.value("expires").and_then(seconds),
            retry_after: params.value("retry-after").and_then(seconds),
        })
    }
}

impl fmt::Display for SubscriptionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.state {
            Substate::Active => "active",
            Substate::Pending => "pending",
            Substate::Terminated => "terminated",
        })?;
        if let Some(reason) = &self.reason {
            write!(f, ";reason={reason}")?;
        }
        if let Some(expires) = self.expires {
            write!(f, ";expires={expires}")?;
        }
        match self.retry_after {
            Some(after) => write!(f, ";retry-after={after}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_come_back_as_written() {
        for text in ["active;expires=3600", "pending", "terminated;reason=probation;retry-after=36"]
        {
            assert_eq!(SubscriptionState::parse(text).unwrap().to_string(), text);
        }
        assert!(SubscriptionState::parse("resting").is_err());
        let odd = SubscriptionState::parse("ACTIVE;expires=-3;reason=\"a b\"").unwrap();
        assert_eq!((odd.expires, odd.reason), (None, None));
    }
}
