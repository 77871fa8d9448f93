//! Who calls: read from a request by how far its sender is trusted, and written into one by how
//! far its receiver is (RFC 3323, RFC 3325, RFC 5806, RFC 7044). The one place for both.

use crate::header::{Diversion, HistoryInfo, Identity, NameAddr, Privacy, RemoteParty};
use crate::{Message, Name, Request, UriBuf};

/// Where an identity was read from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IdentitySource {
    /// P-Asserted-Identity of a trusted peer, or its older kin Remote-Party-ID.
    Asserted,
    /// From: what anyone may write.
    From,
}

/// Who calls, as far as the request and the trust in its sender say.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallerIdentity {
    /// Name and URI; none for one who is anonymous to us too.
    pub address: Option<NameAddr>,
    /// Where it was read from.
    pub source: IdentitySource,
    /// What the caller wants hidden.
    pub privacy: Privacy,
    /// Who sent the call on, the latest first; of a trusted peer only.
    pub diversions: Vec<Diversion>,
    /// The same as History-Info tells it.
    pub history: HistoryInfo,
}

/// The host of an anonymous From (RFC 3323 §4.1.1.3).
const ANONYMOUS_HOST: &str = "anonymous.invalid";

impl CallerIdentity {
    /// One of our own: an agent, or the API.
    #[must_use]
    pub fn own(address: NameAddr, privacy: Privacy) -> Self {
        Self {
            address: Some(address),
            source: IdentitySource::Asserted,
            privacy,
            diversions: Vec::new(),
            history: HistoryInfo::default(),
        }
    }

    /// Reads it from a request. Of a sender that is not trusted only From counts, and Privacy: a
    /// wish to hide is granted to everyone. An asserted identity that does not parse is none; where
    /// there is none, a Remote-Party-ID that says it was screened counts like one.
    #[must_use]
    pub fn read(request: &Message, trusted: bool) -> Self {
        let asserted = if trusted { Identity::asserted(request).ok().flatten() } else { None };
        let from = request.from().ok().map(|from| NameAddr::from(&from));
        let mut privacy = Privacy::of(request);
        if from.as_ref().is_some_and(is_anonymous) && !privacy.has(Privacy::NONE) {
            privacy = privacy | Privacy::ID;
        }
        let (address, source) = match asserted {
            Some(identity) => {
                // The number says it plainest; the name may stand beside the other URI.
                let name = identity.name().map(str::to_owned);
                let best = identity.tel.or(identity.sip);
                let named = best.map(|one| NameAddr { name: one.name.or(name), ..one });
                (named, IdentitySource::Asserted)
            }
            None => match RemoteParty::calling(request).filter(|party| trusted && party.screened) {
                Some(party) => {
                    privacy = privacy | party.privacy;
                    (Some(party.address), IdentitySource::Asserted)
                }
                None => (from.filter(|from| !is_anonymous(from)), IdentitySource::From),
            },
        };
        let (diversions, history) = if trusted {
            (Diversion::all(request).collect(), HistoryInfo::of(request))
        } else {
            (Vec::new(), HistoryInfo::default())
        };
        Self { address, source, privacy, diversions, history }
    }

    /// The number or user, without escapes.
    #[must_use]
    pub fn user(&self) -> Option<String> {
        self.address.as_ref().and_then(NameAddr::user)
    }

    /// The display name.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.address.as_ref().and_then(|address| address.name.as_deref())
    }

    /// Whether the one called must not learn who it is.
    #[must_use]
    pub const fn is_hidden(&self) -> bool {
        self.privacy.hides_caller()
    }

    /// Who sent the call on, the latest first, by whichever header tells it; Diversion first.
    #[must_use]
    pub fn sent_on_by(&self) -> Vec<Diversion> {
        if self.diversions.is_empty() { self.history.diversions() } else { self.diversions.clone() }
    }
}

/// An anonymous From, in the forms of RFC 3323, of 3GPP and of what is seen.
fn is_anonymous(from: &NameAddr) -> bool {
    let uri = from.uri.as_uri();
    let host = uri.host();
    let user = uri.user().unwrap_or("");
    host.eq_ignore_ascii_case(ANONYMOUS_HOST)
        || host.eq_ignore_ascii_case("unknown.invalid")
        || ["anonymous", "restricted", "unavailable"].iter().any(|u| u.eq_ignore_ascii_case(user))
}

/// What a receiver may be told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct IdentityPolicy {
    /// Whether it is trusted: it gets the asserted identity, also of callers who hide, and keeps
    /// it to itself.
    pub trusted: bool,
    /// Whether it is told by Diversion who sent the call on.
    pub diversion: bool,
    /// Whether it is told by History-Info.
    pub history: bool,
    /// Whether one that is trusted gets the asserted identity as Remote-Party-ID too.
    pub remote_party: bool,
}

impl IdentityPolicy {
    /// An agent's phone or a carrier that hides what is to be hidden.
    pub const TRUSTED: Self =
        Self { trusted: true, diversion: true, history: true, remote_party: false };
    /// Anyone else: what the called person may see, and no more.
    pub const UNTRUSTED: Self =
        Self { trusted: false, diversion: false, history: false, remote_party: false };
}

/// From (without a tag) and further header fields of a request that goes out.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OutgoingIdentity {
    /// From.
    pub from: NameAddr,
    /// P-Asserted-Identity, Privacy, Diversion, History-Info, as far as the policy goes.
    pub headers: Vec<(Name<'static>, String)>,
}

impl OutgoingIdentity {
    /// For a receiver of that policy. The address of `caller` is to be as the receiver wants to see
    /// it (the number's format, our own domain as host): topology is hidden before this.
    #[must_use]
    pub fn new(caller: &CallerIdentity, policy: IdentityPolicy) -> Self {
        let hidden = caller.is_hidden();
        let from = match &caller.address {
            Some(address) if !hidden => address.clone(),
            Some(_) => nobody("Anonymous", "sip:anonymous@anonymous.invalid"),
            None if hidden => nobody("Anonymous", "sip:anonymous@anonymous.invalid"),
            None => nobody("", "sip:unavailable@unknown.invalid"),
        };
        let mut headers = Vec::new();
        if policy.trusted {
            // What nobody has vouched for we do not vouch for either.
            let asserted = caller.source == IdentitySource::Asserted;
            if let Some(address) = caller.address.as_ref().filter(|_| asserted) {
                headers.push((Name::P_ASSERTED_IDENTITY, address.to_string()));
                if policy.remote_party {
                    let party = RemoteParty::of_caller(address.clone(), caller.privacy);
                    headers.push((RemoteParty::NAME, party.to_string()));
                }
            }
            if !caller.privacy.is_empty() {
                headers.push((Name::PRIVACY, caller.privacy.to_string()));
            }
        }
        // A diverting number is as personal as the caller's: of those who hide theirs an
        // untrusted receiver hears nothing.
        let tells_history = policy.trusted || !caller.privacy.has(Privacy::HISTORY);
        if policy.diversion {
            let shown = caller.sent_on_by().into_iter().filter(|d| policy.trusted || !d.private);
            headers.extend(
                shown
                    .filter(|_| tells_history)
                    .map(|diversion| (Name::DIVERSION, diversion.to_string())),
            );
        }
        if policy.history && tells_history && !caller.history.0.is_empty() {
            let mut history = caller.history.clone();
            if !policy.trusted {
                history.0.retain(|entry| entry.privacy.is_empty());
            }
            headers.extend(history.0.iter().map(|e| (Name::HISTORY_INFO, e.to_string())));
        }
        Self { from, headers }
    }

    /// Puts it into a request that has none of it yet: From with that tag, and the rest.
    #[must_use]
    pub fn put(&self, request: Request, tag: &str) -> Request {
        let request = request.header(Name::FROM, format_args!("{};tag={tag}", self.from));
        self.headers.iter().fold(request, |request, (name, value)| request.header(*name, value))
    }
}

fn nobody(name: &str, uri: &'static str) -> NameAddr {
    NameAddr::named(Some(name), UriBuf::known(uri))
}
