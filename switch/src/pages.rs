//! Of several pages of an agent's (tabs, devices) the newest takes the calls. The one that did until
//! then is told so, and told again when the newer one is gone: by a NOTIFY outside of any dialog,
//! which libraries for pages hand to the page. One that does not understand it says so, and that is
//! all.

use std::collections::{BTreeMap, BTreeSet};

use base::Instant;
use sip::{Flow, Method, Name, Request, UriBuf};

use crate::call::is_browser;
use crate::register::agent_of_aor;
use crate::switch::Switch;

/// What a NOTIFY about it is of.
const EVENT: &str = "strowger-page";

/// The connections of each agent's pages, by its address of record: the last is the newest's.
pub(crate) type NewestPages = BTreeMap<String, BTreeSet<u64>>;

impl Switch {
    /// An agent's phones have changed: whose pages take the calls now is told, if it is others.
    pub(crate) fn review_pages(&mut self, now: Instant, aor: &str) {
        let bindings = self.node.registrar.bindings(now, aor);
        let pages: Vec<(UriBuf, Flow)> = bindings
            .filter(|one| is_browser(&one.flow, &one.contact))
            .map(|one| (one.contact.clone(), one.flow))
            .collect();
        let now_there: BTreeSet<u64> = pages.iter().map(|(_, flow)| flow.connection).collect();
        let Some(newest) = now_there.last().copied() else {
            self.node.newest_pages.remove(aor);
            return;
        };
        let before = self.node.newest_pages.insert(aor.to_owned(), now_there).unwrap_or_default();
        let took_calls = before.last().copied();
        for (contact, flow) in pages {
            let own = flow.connection;
            if own == newest {
                // Whoever is new knows that it takes the calls.
                if took_calls.is_some_and(|before| newest < before) {
                    self.tell_page(now, aor, (contact, flow), true);
                }
            } else if took_calls == Some(own) || !before.contains(&own) {
                self.tell_page(now, aor, (contact, flow), false);
            }
        }
    }

    fn tell_page(&mut self, now: Instant, aor: &str, (contact, flow): (UriBuf, Flow), rings: bool) {
        let Some((tenant, agent)) = agent_of_aor(aor) else { return };
        let directory = self.node.directory.as_ref();
        let Some(tenant) = directory.and_then(|directory| directory.tenant(&tenant)) else {
            return;
        };
        let (domain, tag) = (&tenant.domain, self.node.rng.hex::<8>());
        let notify = Request::new(Method::Notify, contact)
            .header(Name::FROM, format_args!("<sip:{agent}@{domain}>;tag={tag}"))
            .header(Name::TO, format_args!("<sip:{agent}@{domain}>"))
            .header(Name::MAX_FORWARDS, 70)
            .header(Name::EVENT, EVENT)
            .header(Name::SUBSCRIPTION_STATE, "terminated")
            .body("application/json", format!("{{\"rings\":{rings}}}"));
        self.node.endpoint.request(now, flow, notify);
    }
}
