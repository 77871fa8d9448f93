//! Of several pages of an agent's (tabs, devices) the newest takes the calls: the one that came
//! last. It keeps its place when all of them connect again, if they say how old they are. The one
//! that did until then is told so, and told again when the newer one is gone: by a NOTIFY outside
//! of any dialog, which libraries for pages hand to the page. One that does not understand it says
//! so, and that is all.

use std::collections::BTreeMap;

use base::{Duration, Instant};
use sip::{Binding, Flow, Message, Method, Name, Request, UriBuf};

use crate::call::{is_browser, is_page, is_same_page};
use crate::node::Node;
use crate::register::agent_of_aor;
use crate::switch::Switch;

/// What a NOTIFY about it is of.
const EVENT: &str = "strowger-page";

/// In a REGISTER: for how many milliseconds the page has wanted its agent's calls.
const AGE: &str = "X-Strowger-Page-Age";
/// No page is believed to be older: 31 days.
const OLDEST: Duration = Duration::from_secs(31 * 86_400);

/// Each agent's pages by their connections, by its address of record.
pub(crate) type Pages = BTreeMap<String, BTreeMap<u64, Page>>;

/// A page that has registered over a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Page {
    came: Came,
    is_browser: bool,
}

/// When a page came, in milliseconds since the beginning of the switch's clock: before that where
/// the page is older than the switch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Came(i64);

impl Came {
    fn ago(now: Instant, age: Duration) -> Self {
        let millis = |length: Duration| i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
        Self(millis(now.since(Instant::ZERO)) - millis(age.min(OLDEST)))
    }
}

/// How old the page is that sends a REGISTER: one that does not say so has just come.
pub(crate) fn age(register: &Message) -> Duration {
    let millis = register.header(Name::new(AGE)).and_then(|value| value.trim().parse().ok());
    Duration::from_millis(millis.unwrap_or(0))
}

impl Node {
    /// The newest of an agent's pages, other than the one of that connection.
    pub(crate) fn newest_page(
        &self,
        now: Instant,
        aor: &str,
        but: Option<&Flow>,
    ) -> Option<&Binding> {
        let bindings = self.registrar.bindings(now, aor);
        let pages = bindings.filter(|one| is_page(&one.flow) && but != Some(&one.flow));
        pages.max_by_key(|one| self.place(aor, one.flow.connection))
    }

    /// The connection that a page had which registers over another one now: it does so when the
    /// one before is lost, which may show here much later.
    pub(crate) fn connection_left(
        &self,
        now: Instant,
        aor: &str,
        flow: Flow,
        register: &Message,
    ) -> Option<u64> {
        let contact = register.contacts().find_map(Result::ok)?.uri().to_buf();
        let mut pages = self.registrar.bindings(now, aor).filter(|one| is_page(&one.flow));
        let before = pages.find(|one| is_same_page(&contact, &one.contact))?.flow.connection;
        (is_page(&flow) && before != flow.connection).then_some(before)
    }

    /// Of several pages of an agent's the newest takes the calls.
    pub(crate) fn keep_newest_page(&self, aor: &str, bindings: &mut Vec<&Binding>) {
        let pages = bindings.iter().filter(|binding| is_page(&binding.flow));
        let connections = pages.map(|page| page.flow.connection);
        let newest = connections.max_by_key(|connection| self.place(aor, *connection));
        let is_newest = |one: &Binding| newest.is_none_or(|newest| one.flow.connection == newest);
        bindings.retain(|one| !is_page(&one.flow) || is_newest(one));
    }

    /// When the page of a connection came; the later connection where two came at once.
    fn place(&self, aor: &str, connection: u64) -> (Option<Came>, u64) {
        let known = self.pages.get(aor).and_then(|pages| pages.get(&connection));
        (known.map(|page| page.came), connection)
    }
}

impl Switch {
    /// An agent's phones have changed: whose pages take the calls now is told, if it is others.
    /// `registered` is the connection that a REGISTER came over, and how old its page is.
    pub(crate) fn review_pages(
        &mut self,
        now: Instant,
        aor: &str,
        registered: Option<(u64, Duration)>,
    ) {
        let before = self.node.pages.remove(aor).unwrap_or_default();
        let bindings = self.node.registrar.bindings(now, aor).filter(|one| is_page(&one.flow));
        let there: Vec<(UriBuf, Flow)> =
            bindings.map(|one| (one.contact.clone(), one.flow)).collect();
        let mut pages = BTreeMap::new();
        for (contact, flow) in &there {
            let connection = flow.connection;
            let is_new = registered.filter(|(of, _)| *of == connection);
            let age = is_new.map_or(Duration::ZERO, |(_, age)| age);
            let came = before.get(&connection).map_or(Came::ago(now, age), |known| known.came);
            let is_browser = is_browser(flow, contact);
            pages.insert(connection, Page { came, is_browser });
        }
        let (newest, took_calls) = (newest_browser(&pages), newest_browser(&before));
        if !pages.is_empty() {
            self.node.pages.insert(aor.to_owned(), pages);
        }
        for (contact, flow) in there {
            let own = flow.connection;
            let was_there = before.contains_key(&own);
            if !is_browser(&flow, &contact) {
                continue;
            }
            if newest == Some(own) {
                // Whoever is new knows that it takes the calls.
                if was_there && took_calls != newest {
                    self.tell_page(now, aor, (contact, flow), true);
                }
            } else if took_calls == Some(own) || !was_there {
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

/// The connection of the newest page that is a browser's.
fn newest_browser(pages: &BTreeMap<u64, Page>) -> Option<u64> {
    let browsers = pages.iter().filter(|(_, page)| page.is_browser);
    browsers.max_by_key(|(connection, page)| (page.came, **connection)).map(|(own, _)| *own)
}
