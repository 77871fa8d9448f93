//! Which number a call to our own contact is for.

use base::TrunkId;
use sip::{Address, Message, Name, UriBuf};

use super::Trunks;

impl Trunks {
    /// Of several trunks that a request may come from, the one whose registrar has the contact it
    /// is for.
    pub(crate) fn of_contact(&self, trunks: &[TrunkId], request: &Message) -> Option<TrunkId> {
        let uri = request.uri().ok()?;
        let called = uri.user_unescaped()?;
        let is_its = |trunk: &&TrunkId| self.contact_user(trunk) == Some(&*called);
        trunks.iter().find(is_its).cloned()
    }

    /// What was dialled, when the Request-URI is the contact that we registered: the registrar put
    /// it there in place of the number, which To still has (RFC 3261 §16.5), and
    /// P-Called-Party-ID for certain (RFC 7315 §4.2). `None` for any other Request-URI.
    pub(crate) fn called(&self, trunk: &TrunkId, invite: &Message) -> Option<UriBuf> {
        let own = self.all.get(trunk)?.binding.as_ref()?.user.as_str();
        let uri = invite.uri().ok()?;
        if uri.user_unescaped().as_deref() != Some(own) {
            return None;
        }
        let told = invite.header(Name::new("P-Called-Party-ID"));
        let told = told.and_then(|text| Address::parse(text).ok());
        let to = told.or_else(|| invite.to().ok())?;
        Some(to.uri().to_buf())
    }
}
