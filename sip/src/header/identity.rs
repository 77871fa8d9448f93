//! P-Asserted-Identity and P-Preferred-Identity: who a trusted element says is calling, and who a
//! user asks to be shown as (RFC 3325 §9.1, §9.2).

use super::NameAddr;
use crate::{HeaderError, Message, Name};

/// One identity as a `sip:` or `sips:` URI, one as `tel:`, at least one of them.
///
/// What it is worth depends on who sent it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct Identity {
    /// The one with a SIP URI.
    pub sip: Option<NameAddr>,
    /// The one with a telephone number.
    pub tel: Option<NameAddr>,
}

impl Identity {
    /// P-Asserted-Identity: none if there is none.
    ///
    /// # Errors
    /// When there are two of a kind, another scheme, or one that does not parse.
    pub fn asserted(message: &Message) -> Result<Option<Self>, HeaderError> {
        Self::read(message, Name::P_ASSERTED_IDENTITY, "P-Asserted-Identity")
    }

    /// P-Preferred-Identity.
    ///
    /// # Errors
    /// As [`Identity::asserted`].
    pub fn preferred(message: &Message) -> Result<Option<Self>, HeaderError> {
        Self::read(message, Name::P_PREFERRED_IDENTITY, "P-Preferred-Identity")
    }

    fn read(
        message: &Message,
        name: Name<'static>,
        text: &'static str,
    ) -> Result<Option<Self>, HeaderError> {
        let mut identity = Self::default();
        let mut some = false;
        for value in message.list(name) {
            let one = NameAddr::parse(value).map_err(|error| error.of(text))?;
            let uri = one.uri.as_uri();
            let place = if uri.is_sip() {
                &mut identity.sip
            } else if uri.is_tel() {
                &mut identity.tel
            } else {
                return Err(HeaderError::new(text, "neither a SIP URI nor a number"));
            };
            if place.replace(one).is_some() {
                return Err(HeaderError::new(text, "two of a kind"));
            }
            some = true;
        }
        Ok(some.then_some(identity))
    }

    /// The values, one a header field.
    pub fn values(&self) -> impl Iterator<Item = &NameAddr> {
        self.sip.iter().chain(&self.tel)
    }

    /// The number or user: of the telephone number first, which says it plainest.
    #[must_use]
    pub fn user(&self) -> Option<String> {
        self.tel.iter().chain(&self.sip).find_map(NameAddr::user)
    }

    /// The display name.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.values().find_map(|one| one.name.as_deref())
    }
}
