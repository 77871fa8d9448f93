//! Who sent a call on before it came to us, and who does here: told in events and records, and to
//! those the call goes on to (Diversion, RFC 5806; History-Info, RFC 7044 and RFC 7544).

use base::AgentId;
use sip::header::{Diversion, HistoryInfo, NameAddr, Reason};
use sip::{StatusCode, UriBuf};

use super::caller::display_name;
use crate::record::Diverter;

/// All of a call's story.
#[derive(Default)]
pub(super) struct SentOn {
    /// As a trusted peer tells it, the latest first.
    before: Vec<Diversion>,
    /// The same as History-Info tells it.
    history: HistoryInfo,
    /// Here, the earliest first.
    here: Vec<(By, &'static str)>,
}

/// Who sends a call on here.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum By {
    /// An agent.
    Agent(AgentId),
    /// A number of the tenant's, by its flow.
    Number(String),
}

/// A call is sent on here a few times at most; what is beyond is not told.
const MOST: usize = 16;

/// How long one Diversion or entry of History-Info is, about.
const ENTRY: usize = 100;

/// The words of RFC 5806 §4 for those of ours that are not among them.
const AFTER_ANSWER: &str = "deflection";

impl SentOn {
    /// What a trusted peer tells; `read` takes numbers as that peer writes them.
    pub(super) fn before(
        mut diversions: Vec<Diversion>,
        mut history: HistoryInfo,
        read: &dyn Fn(&str) -> String,
    ) -> Self {
        let said = diversions.iter_mut().map(|diversion| &mut diversion.from);
        for address in said.chain(history.0.iter_mut().map(|entry| &mut entry.target)) {
            let user = address.user().filter(|user| !user.is_empty());
            let host = address.uri.as_uri().host().to_owned();
            let uri = user.and_then(|user| UriBuf::sip(Some(&read(&user)), &host).ok());
            address.uri = uri.unwrap_or_else(|| address.uri.clone());
            address.name = address.name.take().map(|name| display_name(&name));
        }
        Self { before: diversions, history, here: Vec::new() }
    }

    /// Somebody sends the call on; `why` as RFC 5806 §4 names it.
    pub(super) fn add(&mut self, by: By, why: &'static str) {
        if self.here.len() < MOST {
            self.here.push((by, why));
        }
    }

    /// Somebody who talks sends the other one on.
    pub(super) fn add_transfer(&mut self, by: AgentId) {
        self.add(By::Agent(by), AFTER_ANSWER);
    }

    /// Nobody took it: neither that nor what followed from it counts.
    pub(super) fn take_transfer_back(&mut self) {
        if let Some(at) = self.here.iter().rposition(|(_, why)| *why == AFTER_ANSWER) {
            self.here.truncate(at);
        }
    }

    /// For events and records, the earliest first. Who wants not to be shown is anonymous.
    pub(super) fn told(&self) -> Vec<Diverter> {
        let known = |diversion: &Diversion| match diversion.from.user().filter(|u| !u.is_empty()) {
            Some(user) if !diversion.private => user,
            _ => "anonymous".to_owned(),
        };
        let story = self.story();
        let before = story.iter().rev().map(|diversion| {
            let reason = match diversion.reason.as_str() {
                "" => "unknown".to_owned(),
                reason => reason.to_owned(),
            };
            Diverter { by: known(diversion), reason }
        });
        let here = self.here.iter().map(|(by, why)| {
            let by = match by {
                By::Agent(agent) => agent.to_string(),
                By::Number(number) => number.clone(),
            };
            Diverter { by, reason: (*why).to_owned() }
        });
        before.chain(here).collect()
    }

    /// How much longer it makes an INVITE that tells all of it, about.
    pub(super) fn size(&self) -> usize {
        let before = self.before.len().max(self.history.0.len());
        (before + self.here.len()) * 2 * ENTRY
    }

    /// What was told before, by whichever header; the latest first.
    fn story(&self) -> Vec<Diversion> {
        if self.before.is_empty() { self.history.diversions() } else { self.before.clone() }
    }

    /// For somebody the call goes on to: every URI is one of `host`'s, so that nothing is told of
    /// whose network a diverter is in. `user` names those here, `None` for one who is not to be
    /// named; `target` is whom the call goes to now.
    pub(super) fn for_peer(
        &self,
        host: &str,
        user: &dyn Fn(&By) -> Option<String>,
        target: &UriBuf,
    ) -> (Vec<Diversion>, HistoryInfo) {
        let at = |user: &str| UriBuf::sip(Some(user), host).ok().map(NameAddr::new);
        let here: Vec<(NameAddr, &'static str)> =
            (self.here.iter()).filter_map(|(by, why)| Some((at(&user(by)?)?, *why))).collect();
        let moved = |from: &NameAddr| match from.user().filter(|known| !known.is_empty()) {
            Some(number) => {
                let written = user(&By::Number(number.clone())).unwrap_or(number);
                at(&written).map(|at| NameAddr { name: from.name.clone(), ..at })
            }
            None => None,
        };
        let before = self
            .story()
            .into_iter()
            .filter_map(|diversion| Some(Diversion { from: moved(&diversion.from)?, ..diversion }));
        let ours = here.iter().rev().map(|(from, why)| Diversion::new(from.clone(), why));
        let diversions = ours.chain(before).collect();

        let mut history = HistoryInfo::default();
        for entry in &self.history.0 {
            let Some(target) = moved(&entry.target) else { continue };
            history.0.push(sip::header::HistoryEntry { target, ..entry.clone() });
        }
        let targets = here.iter().skip(1).map(|(next, _)| next.clone());
        let last = NameAddr::new(target.clone());
        for ((from, why), to) in here.iter().zip(targets.chain([last])) {
            history.retarget(from, Some(Reason::sip(status_of(why), None)), to);
        }
        (diversions, history)
    }
}

/// The status that stands for a word of RFC 5806 (RFC 7544 §4).
fn status_of(why: &str) -> StatusCode {
    match why {
        "user-busy" => StatusCode::BUSY_HERE,
        "no-answer" => StatusCode::REQUEST_TIMEOUT,
        "unconditional" => StatusCode::MOVED_TEMPORARILY,
        AFTER_ANSWER => StatusCode::TEMPORARILY_UNAVAILABLE,
        "unavailable" => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::NOT_FOUND,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn story() -> SentOn {
        let texts = [
            "<sip:+4930222@carrier.example>;reason=no-answer;privacy=full",
            "\"Carla\" <sip:+4930111@pbx.example>;reason=user-busy;counter=2",
        ];
        let before = texts.map(|text| Diversion::parse(text).unwrap()).to_vec();
        let mut story = SentOn::before(before, HistoryInfo::default(), &str::to_owned);
        story.add(By::Number("+15550100".to_owned()), "unconditional");
        story.add(By::Agent("alice".parse().unwrap()), "no-answer");
        story
    }

    #[test]
    fn a_record_tells_it_from_the_beginning_and_names_nobody_who_hides() {
        let told: Vec<_> = story().told().into_iter().map(|one| (one.by, one.reason)).collect();
        let want = [
            ("+4930111", "user-busy"),
            ("anonymous", "no-answer"),
            ("+15550100", "unconditional"),
            ("alice", "no-answer"),
        ];
        assert_eq!(told, want.map(|(by, why)| (by.to_owned(), why.to_owned())));
    }

    #[test]
    fn a_peer_is_told_the_latest_first_and_no_host_of_others() {
        let target = UriBuf::parse("sip:+49171@carrier.example").unwrap();
        let user = |by: &By| match by {
            By::Agent(_) => Some("+15550111".to_owned()),
            By::Number(number) => Some(number.clone()),
        };
        let (diversions, history) = story().for_peer("192.0.2.1", &user, &target);
        let told: Vec<String> = diversions.iter().map(ToString::to_string).collect();
        assert!(told[0].starts_with("<sip:+15550111@192.0.2.1>;reason=no-answer"), "{told:?}");
        assert!(told[1].starts_with("<sip:+15550100@192.0.2.1>;reason=unconditional"));
        assert!(told[2].starts_with("<sip:+4930222@192.0.2.1>;reason=no-answer"));
        assert!(told[2].contains("privacy=full") && told[3].contains("counter=2"));
        assert!(told.iter().all(|one| !one.contains("example")), "{told:?}");
        let entries: Vec<String> = history.0.iter().map(ToString::to_string).collect();
        assert!(entries[0].starts_with("<sip:+15550100@192.0.2.1?Reason=SIP%3Bcause%3D302"));
        assert!(entries[1].starts_with("<sip:+15550111@192.0.2.1?Reason=SIP%3Bcause%3D408"));
        assert_eq!(entries[2], "<sip:+49171@carrier.example>;index=1.1.1;mp=1.1");
    }
}
