//! Replaces: the dialog that an INVITE takes the place of (RFC 3891).

use std::fmt;

use super::only;
use super::text::escaped;
use crate::message::{Params, is_token, trim};
use crate::{DialogId, HeaderError, Message, Name};

/// `call-id;to-tag=x;from-tag=y;early-only`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Replaces {
    /// The dialog's Call-ID.
    pub call_id: String,
    /// The tag of the one who gets the INVITE.
    pub to_tag: String,
    /// The tag of that one's peer.
    pub from_tag: String,
    /// Only while the dialog is early.
    pub early_only: bool,
}

const fn bad(problem: &'static str) -> HeaderError {
    HeaderError::new("Replaces", problem)
}

impl Replaces {
    /// Of a request: none if it has none.
    ///
    /// # Errors
    /// When it does not parse, is there twice, or stands beside Join (§3): answer 400.
    pub fn of(message: &Message) -> Result<Option<Self>, HeaderError> {
        let Some(text) = only(message, Name::REPLACES, "Replaces")? else { return Ok(None) };
        if message.header(Name::JOIN).is_some() {
            return Err(bad("beside Join"));
        }
        Self::parse(text).map(Some)
    }

    /// Reads the value.
    ///
    /// # Errors
    /// When the Call-ID or a tag is missing, twice there or no token.
    pub fn parse(text: &str) -> Result<Self, HeaderError> {
        let end = text.find(';').unwrap_or(text.len());
        let call_id = trim(&text[..end]);
        let word = |byte: u8| byte > b' ' && byte < 0x7f && byte != b',';
        if call_id.is_empty() || !call_id.bytes().all(word) {
            return Err(bad("no Call-ID"));
        }
        let params = Params::new(&text[end..]);
        let tag = |wanted: &str| {
            let mut found = params.iter().filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
            let tag = found.next().and_then(|(_, value)| value).ok_or(bad("no tag"))?;
            if found.next().is_some() || !is_token(tag.as_bytes()) {
                return Err(bad("a tag that is not one"));
            }
            Ok(tag.to_owned())
        };
        Ok(Self {
            call_id: call_id.to_owned(),
            to_tag: tag("to-tag")?,
            from_tag: tag("from-tag")?,
            early_only: params.get("early-only").is_some(),
        })
    }

    /// For the dialog that our end knows under that name, to be sent to the peer of it.
    #[must_use]
    pub fn at_peer(dialog: &DialogId) -> Self {
        Self {
            call_id: dialog.call_id.clone(),
            to_tag: zero_if_empty(&dialog.remote_tag),
            from_tag: zero_if_empty(&dialog.local_tag),
            early_only: false,
        }
    }

    /// The dialog of ours that it names, when it came to us (§3).
    #[must_use]
    pub fn dialog(&self) -> DialogId {
        DialogId {
            call_id: self.call_id.clone(),
            local_tag: self.to_tag.clone(),
            remote_tag: self.from_tag.clone(),
        }
    }

    /// Whether it names that dialog of ours. A tag of `0` is also no tag (§3).
    #[must_use]
    pub fn names(&self, dialog: &DialogId) -> bool {
        let same = |given: &str, ours: &str| given == ours || (given == "0" && ours.is_empty());
        self.call_id == dialog.call_id
            && same(&self.to_tag, &dialog.local_tag)
            && same(&self.from_tag, &dialog.remote_tag)
    }

    /// As it stands in the URI of a Refer-To: `Replaces=` and this.
    #[must_use]
    pub fn in_uri(&self) -> String {
        escaped(&self.to_string())
    }
}

fn zero_if_empty(tag: &str) -> String {
    if tag.is_empty() { "0".to_owned() } else { tag.to_owned() }
}

impl fmt::Display for Replaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{};to-tag={};from-tag={}", self.call_id, self.to_tag, self.from_tag)?;
        if self.early_only { f.write_str(";early-only") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaces_names_the_dialog_of_the_one_who_gets_it() {
        let text = "98732@sip.example.com ;from-tag=r33th4x0r;to-tag=ff87ff;early-only";
        let replaces = Replaces::parse(text).unwrap();
        let ours = DialogId {
            call_id: "98732@sip.example.com".to_owned(),
            local_tag: "ff87ff".to_owned(),
            remote_tag: "r33th4x0r".to_owned(),
        };
        assert!(replaces.early_only && replaces.names(&ours));
        assert_eq!(replaces.dialog(), ours);
        let theirs = Replaces::at_peer(&ours);
        assert_eq!((&*theirs.to_tag, &*theirs.from_tag), ("r33th4x0r", "ff87ff"));
        assert_eq!(Replaces::parse(&replaces.to_string()), Ok(replaces));
    }

    #[test]
    fn a_tag_of_zero_is_also_no_tag() {
        let zero = Replaces::parse("c;to-tag=t;from-tag=0").unwrap();
        let old = DialogId {
            call_id: "c".to_owned(),
            local_tag: "t".to_owned(),
            remote_tag: String::new(),
        };
        assert!(zero.names(&old));
        assert_eq!(Replaces::at_peer(&old).to_tag, "0");
    }

    #[test]
    fn what_lacks_a_part_or_has_one_twice_is_refused() {
        for text in [
            "",
            ";to-tag=a;from-tag=b",
            "c;to-tag=a",
            "c;from-tag=b",
            "c;to-tag=a;to-tag=b;from-tag=c",
            "c;to-tag=;from-tag=c",
            "c;to-tag=a\"b;from-tag=c",
            "c d;to-tag=a;from-tag=b",
            "c,d;to-tag=a;from-tag=b",
        ] {
            assert!(Replaces::parse(text).is_err(), "{text}");
        }
    }
}
