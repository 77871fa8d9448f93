//! The early dialogs of one INVITE: each fork that answers provisionally makes one, and the first
//! 2xx confirms one of them or makes yet another (RFC 3261 §13.2.2).

use std::collections::BTreeMap;

use crate::{Dialog, DialogError, DialogId, HeaderError, Message, Request};

/// More forks than these are not followed: provisional responses of further ones are dropped.
const MOST: usize = 8;

/// All early dialogs of one INVITE of ours, by the peer's tag.
#[derive(Clone, Debug, Default)]
pub struct Forks {
    early: BTreeMap<String, Dialog>,
}

impl Forks {
    /// None has answered yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The early dialog of a provisional response, made if it is new. A reliable one or any with
    /// a Contact may move its target. None for a response without a To tag, which makes none.
    ///
    /// # Errors
    /// When the response makes no dialog: work with it as one without.
    pub fn on_provisional(
        &mut self,
        invite: &Request,
        response: &Message,
    ) -> Result<Option<&mut Dialog>, DialogError> {
        let Some(tag) = response.to_tag().filter(|tag| !tag.is_empty()) else { return Ok(None) };
        if let Some(known) = self.early.get_mut(tag) {
            known.refresh(response)?;
        } else if self.early.len() >= MOST {
            return Err(HeaderError::new("To", "too many forks").into());
        } else {
            self.early.insert(tag.to_owned(), Dialog::uac(invite, response)?);
        }
        Ok(self.early.get_mut(tag))
    }

    /// The dialog of a 2xx: its early dialog, confirmed, with the route set and target of the 2xx,
    /// or a new one.
    ///
    /// # Errors
    /// When the 2xx makes no dialog and none was early: there is nothing to send a BYE in.
    pub fn confirm(&mut self, invite: &Request, response: &Message) -> Result<Dialog, DialogError> {
        match self.early.remove(response.to_tag().unwrap_or("")) {
            Some(mut dialog) => {
                // A 2xx without a Contact leaves the target that the 1xx gave.
                dialog.confirm(response)?;
                Ok(dialog)
            }
            None => Dialog::uac(invite, response),
        }
    }

    /// The early dialog of that name, for PRACK and UPDATE either way.
    pub fn get_mut(&mut self, id: &DialogId) -> Option<&mut Dialog> {
        self.early.get_mut(&id.remote_tag).filter(|dialog| dialog.id() == *id)
    }

    /// The names of all early dialogs.
    pub fn ids(&self) -> impl Iterator<Item = DialogId> {
        self.early.values().map(Dialog::id)
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.early.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.early.is_empty()
    }
}
