//! From what SIP and media name things by to the leg that owns them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use base::{CallId, LegId};
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
    /// Agents' legs by the connection they came over: it closes, they end.
    connections: BTreeMap<u64, BTreeSet<LegRef>>,
}

impl Index {
    /// The leg depends on the flow's connection, if the flow has one.
    pub(crate) fn bind_connection(&mut self, flow: &sip::Flow, leg: LegRef) {
        if flow.connection != 0 {
            self.connections.entry(flow.connection).or_default().insert(leg);
        }
    }

    /// It does no longer.
    pub(crate) fn unbind_connection(&mut self, flow: &sip::Flow, leg: LegRef) {
        if let Some(legs) = self.connections.get_mut(&flow.connection) {
            legs.remove(&leg);
            if legs.is_empty() {
                self.connections.remove(&flow.connection);
            }
        }
    }

    /// Another leg depends on it in place of one that did.
    pub(crate) fn rebind_connection(&mut self, flow: &sip::Flow, before: LegRef, leg: LegRef) {
        if let Some(legs) = self.connections.get_mut(&flow.connection)
            && legs.remove(&before)
        {
            legs.insert(leg);
        }
    }

    /// The legs that depended on a connection that closed.
    pub(crate) fn connection_closed(&mut self, flow: &sip::Flow) -> BTreeSet<LegRef> {
        self.connections.remove(&flow.connection).unwrap_or_default()
    }

    pub(crate) fn len(&self) -> usize {
        self.servers.len()
            + self.clients.len()
            + self.dialogs.len()
            + self.sip_calls.len()
            + self.connections.len()
    }
}
