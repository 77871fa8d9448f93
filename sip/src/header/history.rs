//! History-Info: every target a request was sent to on its way, and why it went on (RFC 7044).

use std::fmt::{self, Write as _};

use super::text::{escaped, uri_headers};
use super::{Diversion, NameAddr, Privacy, Reason};
use crate::message::trim;
use crate::{Address, HeaderError, Message, Name, UriBuf};

/// How a target came to be (§10.3): the tag and the index of the entry it came from.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Retarget {
    /// `rc`: the same user, by registration or routing.
    SameUser(String),
    /// `mp`: another user.
    OtherUser(String),
    /// `np`: no change.
    Unchanged(String),
}

/// One target.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct HistoryEntry {
    /// The target, without its URI's header fields.
    pub target: NameAddr,
    /// `1`, `1.1`, `1.2.1`.
    pub index: String,
    /// Why the request did not stay there.
    pub reason: Option<Reason>,
    /// Whether it must not be shown.
    pub privacy: Privacy,
    /// How it came to be.
    pub retarget: Option<Retarget>,
}

/// All of them, the first target first.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct HistoryInfo(pub Vec<HistoryEntry>);

/// More than these in one message are not looked at.
const MOST: usize = 32;
/// `1.1.1.1...` deeper than this is not looked at.
const LONGEST_INDEX: usize = 64;

const fn bad(problem: &'static str) -> HeaderError {
    HeaderError::new("History-Info", problem)
}

fn is_index(text: &str) -> bool {
    text.len() <= LONGEST_INDEX
        && text.split('.').all(|part| {
            !part.is_empty() && part.len() <= 9 && part.bytes().all(|byte| byte.is_ascii_digit())
        })
}

impl HistoryInfo {
    /// The entries of a message that can be read.
    #[must_use]
    pub fn of(message: &Message) -> Self {
        let all = message.list(Name::HISTORY_INFO).take(MOST);
        Self(all.filter_map(|text| HistoryEntry::parse(text).ok()).collect())
    }

    /// Notes that the request now goes to another user, because of `reason`, which the entry
    /// before gets. The first target is added if there was no history.
    pub fn retarget(&mut self, first: &NameAddr, reason: Option<Reason>, target: NameAddr) {
        if self.0.is_empty() {
            self.0.push(HistoryEntry::new(first.clone(), "1".to_owned()));
        }
        let Some(last) = self.0.last_mut() else { return };
        if last.reason.is_none() {
            last.reason = reason;
        }
        let before = last.index.clone();
        if self.0.len() >= MOST || before.len() + 2 > LONGEST_INDEX {
            return;
        }
        let mut entry = HistoryEntry::new(target, format!("{before}.1"));
        entry.retarget = Some(Retarget::OtherUser(before));
        self.0.push(entry);
    }

    /// The same story as Diversion tells it, for peers that know no history: the latest first
    /// (RFC 7544 §3).
    #[must_use]
    pub fn diversions(&self) -> Vec<Diversion> {
        let left = self.0.iter().zip(self.0.iter().skip(1)).filter(|(_, next)| {
            !matches!(next.retarget, Some(Retarget::SameUser(_) | Retarget::Unchanged(_)))
        });
        let mut all: Vec<Diversion> = left
            .map(|(entry, _)| {
                let cause = entry.reason.as_ref().and_then(|reason| reason.cause);
                let mut diversion = Diversion::new(entry.target.clone(), why(cause));
                diversion.private = entry.privacy.has(Privacy::HISTORY);
                diversion
            })
            .collect();
        all.reverse();
        all
    }
}

/// The word of RFC 5806 for a status (RFC 7544 §4, after RFC 4458).
const fn why(cause: Option<u16>) -> &'static str {
    match cause {
        Some(486) => "user-busy",
        Some(408) => "no-answer",
        Some(302) => "unconditional",
        Some(487 | 480) => "deflection",
        Some(503 | 404) => "unavailable",
        _ => "unknown",
    }
}

impl HistoryEntry {
    /// Without a reason.
    #[must_use]
    pub const fn new(target: NameAddr, index: String) -> Self {
        Self { target, index, reason: None, privacy: Privacy::EMPTY, retarget: None }
    }

    /// Reads one entry.
    ///
    /// # Errors
    /// When it is no address or has no index.
    pub fn parse(text: &str) -> Result<Self, HeaderError> {
        let address = Address::parse(text).map_err(|error| error.of("History-Info"))?;
        let params = address.params();
        let index = params.value("index").map(trim).filter(|index| is_index(index));
        let (mut reason, mut privacy) = (None, Privacy::default());
        let uri = address.uri();
        for (name, value) in uri_headers(uri.headers()) {
            match Name::new(&name) {
                name if name == Name::REASON => reason = Reason::parse(&value).ok(),
                name if name == Name::PRIVACY => privacy = Privacy::parse(&value),
                _ => {}
            }
        }
        let tag = |name: &str| params.value(name).filter(|i| is_index(i)).map(str::to_owned);
        let retarget = (tag("rc").map(Retarget::SameUser))
            .or_else(|| tag("mp").map(Retarget::OtherUser))
            .or_else(|| tag("np").map(Retarget::Unchanged));
        let plain = match uri.headers() {
            Some(headers) if uri.is_sip() => {
                let end = uri.as_str().len() - headers.len() - 1;
                UriBuf::parse(&uri.as_str()[..end])?
            }
            _ => uri.to_buf(),
        };
        Ok(Self {
            target: NameAddr::named(address.display_name().as_deref(), plain),
            index: index.ok_or(bad("no index"))?.to_owned(),
            reason,
            privacy,
            retarget,
        })
    }
}

impl fmt::Display for HistoryEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut query = String::new();
        let is_sip = self.target.uri.as_uri().is_sip();
        if let Some(reason) = self.reason.as_ref().filter(|_| is_sip) {
            _ = write!(query, "?Reason={}", escaped(&reason.to_string()));
        }
        if is_sip && !self.privacy.is_empty() {
            let sign = if query.is_empty() { '?' } else { '&' };
            _ = write!(query, "{sign}Privacy={}", escaped(&self.privacy.to_string()));
        }
        if let Some(name) = &self.target.name {
            write!(f, "{} ", super::quoted(name))?;
        }
        write!(f, "<{}{query}>;index={}", self.target.uri, self.index)?;
        match &self.retarget {
            Some(Retarget::SameUser(from)) => write!(f, ";rc={from}"),
            Some(Retarget::OtherUser(from)) => write!(f, ";mp={from}"),
            Some(Retarget::Unchanged(from)) => write!(f, ";np={from}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for HistoryInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut between = "";
        for entry in &self.0 {
            write!(f, "{between}{entry}")?;
            between = ", ";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StatusCode;

    fn target(user: &str) -> NameAddr {
        NameAddr::new(UriBuf::sip(Some(user), "b.example").unwrap())
    }

    #[test]
    fn an_entry_comes_back_with_reason_and_privacy_out_of_its_uri() {
        let text = "\"Bob\" <sip:bob@b.example;user=phone?Reason=SIP%3Bcause%3D302&\
                    Privacy=history>;index=1.2;mp=1";
        let entry = HistoryEntry::parse(text).unwrap();
        assert_eq!(entry.target.uri.as_str(), "sip:bob@b.example;user=phone");
        assert_eq!(entry.reason.as_ref().unwrap().cause, Some(302));
        assert!(entry.privacy.has(Privacy::HISTORY));
        assert_eq!(entry.retarget, Some(Retarget::OtherUser("1".to_owned())));
        assert_eq!(HistoryEntry::parse(&entry.to_string()), Ok(entry));
        for text in ["<sip:a@b>", "<sip:a@b>;index=", "<sip:a@b>;index=1..2", "x;index=1"] {
            assert!(HistoryEntry::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_call_sent_on_twice_tells_both_stories() {
        let mut history = HistoryInfo::default();
        let busy = Reason::sip(StatusCode::BUSY_HERE, None);
        history.retarget(&target("a"), Some(busy), target("b"));
        let silent = Reason::sip(StatusCode::REQUEST_TIMEOUT, None);
        history.retarget(&target("a"), Some(silent), target("c"));
        let indexes: Vec<_> = history.0.iter().map(|entry| &*entry.index).collect();
        assert_eq!(indexes, ["1", "1.1", "1.1.1"]);
        let all = history.diversions();
        let told: Vec<_> = all.iter().map(|d| (d.from.user().unwrap(), &*d.reason)).collect();
        let want = [("b".to_owned(), "no-answer"), ("a".to_owned(), "user-busy")];
        assert_eq!(told, want, "the latest first");
        for _ in 0..100 {
            history.retarget(&target("a"), None, target("d"));
        }
        assert!(history.0.len() <= MOST, "a loop does not grow for ever");
    }
}
