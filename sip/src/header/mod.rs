//! Header fields as types: read from a message, written by `Display`. Each refuses what it cannot
//! read with a [`HeaderError`]; none of them believes what it read.

mod diversion;
mod event;
mod history;
mod identity;
mod name_addr;
mod options;
mod privacy;
mod rack;
mod reason;
mod refer;
mod remote_party;
mod replaces;
mod session_expires;
mod subscription_state;
mod text;

pub use diversion::{Diversion, Screened};
pub use event::Event;
pub use history::{HistoryEntry, HistoryInfo, Retarget};
pub use identity::Identity;
pub use name_addr::NameAddr;
pub use options::OptionTags;
pub use privacy::Privacy;
pub use rack::{RAck, RSeq};
pub use reason::{Q850, Reason, ReasonProtocol};
pub use refer::{ReferTo, ReferredBy};
pub use remote_party::RemoteParty;
pub use replaces::Replaces;
pub use session_expires::{MinSe, Refresher, SessionExpires};
pub use subscription_state::{SubscriptionState, Substate};

pub(crate) use refer::bare;
pub(crate) use text::quoted;

use crate::{HeaderError, Message, Name};

/// The one field of that name: none if there is none, an error if there are several.
fn only<'a>(
    message: &'a Message,
    name: Name<'static>,
    text: &'static str,
) -> Result<Option<&'a str>, HeaderError> {
    let mut all = message.headers(name);
    let first = all.next();
    if all.next().is_some() {
        return Err(HeaderError::new(text, "there more than once"));
    }
    Ok(first)
}
