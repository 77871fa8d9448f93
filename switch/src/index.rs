//! From what SIP and media name things by to the leg that owns them.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use base::{CallId, LegId, TenantId};
use sip::header::Replaces;
use sip::{ClientTx, DialogId, ServerTx};

/// One leg of one call.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub(crate) struct LegRef {
    pub(crate) call: CallId,
    pub(crate) leg: LegId,
}

/// Who owns which transaction, dialog, Call-ID and connection. Never iterated; every entry is
/// removed by the leg that made it.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// INVITEs of peers that wait for a final response or an ACK.
    pub(crate) servers: HashMap<ServerTx, LegRef>,
    /// Our requests that wait for a final response.
    pub(crate) clients: HashMap<ClientTx, LegRef>,
    /// Dialogs that are up.
    pub(crate) dialogs: HashMap<DialogId, LegRef>,
    /// Call-IDs (of SIP), for the ladder and for merged requests.
    pub(crate) sip_calls: HashMap<Box<str>, CallId>,
    /// Legs by the connection they came over: it closes, they end or find another way.
    connections: BTreeMap<u64, BTreeSet<LegRef>>,
    /// The same the other way round.
    bound: HashMap<LegRef, BTreeSet<u64>>,
    /// The last dialogs that are over, for those who would take them over too late.
    ended: VecDeque<(TenantId, DialogId)>,
}

/// As many dialogs are remembered after their end.
const ENDED: usize = 1_024;

impl Index {
    /// The leg depends on the flow's connection, if the flow has one.
    pub(crate) fn bind_connection(&mut self, flow: &sip::Flow, leg: LegRef) {
        if flow.connection != 0 {
            self.connections.entry(flow.connection).or_default().insert(leg);
            self.bound.entry(leg).or_default().insert(flow.connection);
        }
    }

    /// Whether it does, and the connection is still there.
    pub(crate) fn is_bound(&self, flow: &sip::Flow, leg: LegRef) -> bool {
        self.bound.get(&leg).is_some_and(|of| of.contains(&flow.connection))
    }

    /// The legs that depend on a connection.
    pub(crate) fn legs_of(&self, connection: u64) -> BTreeSet<LegRef> {
        self.connections.get(&connection).cloned().unwrap_or_default()
    }

    /// It does no longer.
    pub(crate) fn unbind_connection(&mut self, flow: &sip::Flow, leg: LegRef) {
        self.unbind(flow.connection, leg);
        if let Some(bound) = self.bound.get_mut(&leg) {
            bound.remove(&flow.connection);
            if bound.is_empty() {
                self.bound.remove(&leg);
            }
        }
    }

    /// The leg is no more: it depends on no connection, whatever became of its INVITEs.
    pub(crate) fn forget_leg(&mut self, leg: LegRef) {
        for connection in self.bound.remove(&leg).unwrap_or_default() {
            self.unbind(connection, leg);
        }
    }

    fn unbind(&mut self, connection: u64, leg: LegRef) {
        if let Some(legs) = self.connections.get_mut(&connection) {
            legs.remove(&leg);
            if legs.is_empty() {
                self.connections.remove(&connection);
            }
        }
    }

    /// Another leg depends on it in place of one that did.
    pub(crate) fn rebind_connection(&mut self, flow: &sip::Flow, before: LegRef, leg: LegRef) {
        let is_bound = self.bound.get(&before).is_some_and(|of| of.contains(&flow.connection));
        self.forget_leg(before);
        if is_bound {
            self.bind_connection(flow, leg);
        }
    }

    /// The legs that depended on a connection that closed.
    pub(crate) fn connection_closed(&mut self, flow: &sip::Flow) -> BTreeSet<LegRef> {
        let legs = self.connections.remove(&flow.connection).unwrap_or_default();
        for leg in &legs {
            self.unbind_connection(flow, *leg);
        }
        legs
    }

    /// A dialog of a tenant's is over.
    pub(crate) fn end_dialog(&mut self, tenant: &TenantId, dialog: DialogId) {
        self.dialogs.remove(&dialog);
        if self.ended.len() == ENDED {
            self.ended.pop_front();
        }
        self.ended.push_back((tenant.clone(), dialog));
    }

    /// Whether a tenant's dialog was up, and ended not long ago.
    pub(crate) fn has_ended(&self, tenant: &TenantId, replaces: &Replaces) -> bool {
        let is_it = |(of, dialog): &(TenantId, DialogId)| of == tenant && replaces.names(dialog);
        self.ended.iter().any(is_it)
    }

    pub(crate) fn len(&self) -> usize {
        self.servers.len()
            + self.clients.len()
            + self.dialogs.len()
            + self.sip_calls.len()
            + self.connections.len()
            + self.bound.len()
    }
}
