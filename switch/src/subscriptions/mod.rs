//! Subscriptions to what agents do (RFC 6665): `dialog` for the lamp beside a colleague's name
//! (RFC 4235), `message-summary` for the lamp of one's own mailbox (RFC 3842). Within a tenant
//! alone, each for its time, at most so many of an agent's and of all; this is their table.

mod dialog_info;
mod message_summary;
mod notifier;
mod presence;

use std::collections::{BTreeMap, BTreeSet, HashMap};

use base::{AgentId, CallId, Duration, Instant, TenantId};
use sip::{ClientTx, Dialog, DialogId, Flow};

pub(crate) use self::dialog_info::{AgentDialog, AgentDialogState};
pub use self::message_summary::Waiting;
use crate::config::Limits;
use crate::gate::Peer;

/// The longest life of a subscription, and the one of those that ask for none.
const LONGEST: Duration = Duration::from_secs(3_600);
/// A shorter life is refused: 423.
const SHORTEST: Duration = Duration::from_secs(60);

/// What can be subscribed to.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Package {
    Dialog,
    MessageSummary,
}

impl Package {
    fn named(name: &str) -> Option<Self> {
        [Self::Dialog, Self::MessageSummary]
            .into_iter()
            .find(|package| package.as_str().eq_ignore_ascii_case(name))
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Dialog => "dialog",
            Self::MessageSummary => "message-summary",
        }
    }

    const fn content_type(self) -> &'static str {
        match self {
            Self::Dialog => "application/dialog-info+xml",
            Self::MessageSummary => "application/simple-message-summary",
        }
    }
}

/// One of them.
#[derive(Debug)]
struct Subscription {
    tenant: TenantId,
    watcher: AgentId,
    target: AgentId,
    package: Package,
    /// The Event that was asked for, with its id.
    event: String,
    dialog: Dialog,
    flow: Flow,
    until: Instant,
    /// Counts the documents that were sent.
    version: u32,
    /// The dialogs that the last document showed as up.
    shown: Vec<AgentDialog>,
    /// The NOTIFY that waits for its answer; there is one at a time.
    out: Option<ClientTx>,
    /// Something has changed since.
    is_stale: bool,
}

/// All of them, and what they show.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    all: BTreeMap<u64, Subscription>,
    by_dialog: HashMap<DialogId, u64>,
    by_target: BTreeMap<(TenantId, AgentId, Package), BTreeSet<u64>>,
    by_watcher: BTreeMap<(TenantId, AgentId), usize>,
    /// Subscriptions to dialogs, by tenant.
    watching: BTreeMap<TenantId, usize>,
    by_connection: BTreeSet<(u64, u64)>,
    deadlines: BTreeSet<(Instant, u64)>,
    clients: HashMap<ClientTx, u64>,
    last: u64,
    /// Dialogs of agents by call, of tenants of whom somebody watches dialogs.
    live: BTreeMap<TenantId, BTreeMap<CallId, Vec<AgentDialog>>>,
    /// Calls that something has happened to, to be looked at when the input has been handled.
    touched: BTreeSet<(TenantId, CallId)>,
    /// Messages that wait for agents; whoever has none is not in it.
    waiting: BTreeMap<(TenantId, AgentId), Waiting>,
}

impl Subscriptions {
    /// With whom a subscription's dialog was made.
    pub(crate) fn peer(&self, dialog: &DialogId) -> Option<Peer> {
        let known = self.all.get(self.by_dialog.get(dialog)?)?;
        let (tenant, agent) = (known.tenant.clone(), Some(known.watcher.clone()));
        Some(Peer { flow: Some(known.flow), tenant, agent, trunk: None })
    }

    /// Something has happened to a call; whether that shows is looked at later.
    pub(crate) fn touch(&mut self, tenant: &TenantId, call: CallId) {
        if self.live.contains_key(tenant) {
            self.touched.insert((tenant.clone(), call));
        }
    }

    pub(crate) fn poll_timeout(&self) -> Option<Instant> {
        self.deadlines.first().map(|(due, _)| *due)
    }

    pub(crate) fn len(&self) -> usize {
        self.all.len() + self.clients.len()
    }

    /// Whether there is room for one more of that agent's.
    fn has_room(&self, limits: &Limits, tenant: &TenantId, watcher: &AgentId) -> bool {
        let own = self.by_watcher.get(&(tenant.clone(), watcher.clone())).copied().unwrap_or(0);
        own < limits.subscriptions_per_agent && self.all.len() < limits.subscriptions
    }

    fn add(&mut self, subscription: Subscription) -> u64 {
        self.last += 1;
        let (id, new) = (self.last, &subscription);
        self.by_dialog.insert(new.dialog.id(), id);
        let target = (new.tenant.clone(), new.target.clone(), new.package);
        self.by_target.entry(target).or_default().insert(id);
        *self.by_watcher.entry((new.tenant.clone(), new.watcher.clone())).or_default() += 1;
        if new.package == Package::Dialog {
            *self.watching.entry(new.tenant.clone()).or_default() += 1;
        }
        if new.flow.connection != 0 {
            self.by_connection.insert((new.flow.connection, id));
        }
        self.deadlines.insert((new.until, id));
        self.all.insert(id, subscription);
        id
    }

    fn remove(&mut self, id: u64) -> Option<Subscription> {
        let old = self.all.remove(&id)?;
        self.by_dialog.remove(&old.dialog.id());
        let target = (old.tenant.clone(), old.target.clone(), old.package);
        if let Some(of_target) = self.by_target.get_mut(&target) {
            of_target.remove(&id);
            if of_target.is_empty() {
                self.by_target.remove(&target);
            }
        }
        let watcher = (old.tenant.clone(), old.watcher.clone());
        if let Some(count) = self.by_watcher.get_mut(&watcher) {
            *count -= 1;
            if *count == 0 {
                self.by_watcher.remove(&watcher);
            }
        }
        self.by_connection.remove(&(old.flow.connection, id));
        self.deadlines.remove(&(old.until, id));
        if let Some(tx) = old.out {
            self.clients.remove(&tx);
        }
        if old.package == Package::Dialog
            && let Some(count) = self.watching.get_mut(&old.tenant)
        {
            *count -= 1;
            if *count == 0 {
                self.watching.remove(&old.tenant);
                self.live.remove(&old.tenant);
            }
        }
        Some(old)
    }

    /// The watcher has said that it is still there, over that flow.
    fn extend(&mut self, id: u64, until: Instant, flow: Flow) {
        let Some(known) = self.all.get_mut(&id) else { return };
        self.deadlines.remove(&(known.until, id));
        self.deadlines.insert((until, id));
        self.by_connection.remove(&(known.flow.connection, id));
        if flow.connection != 0 {
            self.by_connection.insert((flow.connection, id));
        }
        (known.until, known.flow) = (until, flow);
    }

    /// Marks what shows something of that agent as no longer right.
    fn mark(&mut self, tenant: &TenantId, agent: &AgentId, package: Package) {
        let target = (tenant.clone(), agent.clone(), package);
        for id in self.by_target.get(&target).into_iter().flatten() {
            if let Some(known) = self.all.get_mut(id) {
                known.is_stale = true;
            }
        }
    }

    /// What to show of an agent's dialogs.
    fn dialogs_of(&self, tenant: &TenantId, agent: &AgentId) -> Vec<AgentDialog> {
        let of_tenant = self.live.get(tenant).into_iter().flat_map(BTreeMap::values).flatten();
        of_tenant.filter(|dialog| dialog.agent == *agent).cloned().collect()
    }

    fn waiting_for(&self, tenant: &TenantId, agent: &AgentId) -> Waiting {
        self.waiting.get(&(tenant.clone(), agent.clone())).copied().unwrap_or_default()
    }
}
