//! Ways to hops (RFC 3261 §18.1.1, RFC 5923): which socket and address of ours for datagrams, which
//! live or new connection for streams.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;

use base::TrunkId;
use sip::resolve::Hop;
use sip::{Flow, Transport};
use switch::{ConnectId, Input};
use tokio::runtime::Handle;

use super::paths::Paths;
use super::streams::{Streams, Way, connect};
use super::udp::UdpPort;
use crate::tls::Keeper;

/// Connections being made at once.
const PENDING: usize = 256;
/// Connections of ours that are up.
const LIVE: usize = 4_096;

/// What the signalling thread knows of connections that it has asked for.
pub(super) struct Ways {
    runtime: Handle,
    streams: Streams,
    keeper: Keeper,
    listeners: Arc<Listeners>,
    ports: Rc<[UdpPort]>,
    live: BTreeMap<Way, Flow>,
    by_connection: BTreeMap<u64, Way>,
    pending: BTreeMap<Way, Vec<ConnectId>>,
    paths: Paths,
}

/// What [`Ways`] needs from outside the signalling thread.
pub(super) struct Out {
    pub(super) runtime: Handle,
    pub(super) streams: Streams,
    pub(super) keeper: Keeper,
    pub(super) listeners: Listeners,
}

/// Where peers can connect to us.
pub(super) struct Listeners {
    pub(super) tcp: Vec<SocketAddr>,
    pub(super) tls: Vec<SocketAddr>,
}

impl Listeners {
    /// The end of a connection that we made, as its peer is to know it: with the port that we
    /// listen on, not the passing one of the connection (RFC 3261 §18.1.1, the sent-by).
    fn shown(&self, flow: Flow) -> Flow {
        let listeners = match flow.transport {
            Transport::Tcp => &self.tcp,
            Transport::Tls => &self.tls,
            Transport::Udp | Transport::Ws | Transport::Wss => return flow,
        };
        let own = flow.local;
        let is_own = |at: &&SocketAddr| {
            at.ip() == own.ip() || (at.ip().is_unspecified() && at.is_ipv4() == own.is_ipv4())
        };
        let listener = listeners.iter().find(is_own);
        let local = listener.map_or(own, |at| SocketAddr::new(own.ip(), at.port()));
        Flow { local, ..flow }
    }
}

impl Ways {
    pub(super) fn new(out: Out, ports: Rc<[UdpPort]>) -> Self {
        let Out { runtime, streams, keeper, listeners } = out;
        Self {
            runtime,
            streams,
            keeper,
            listeners: Arc::new(listeners),
            ports,
            live: BTreeMap::new(),
            by_connection: BTreeMap::new(),
            pending: BTreeMap::new(),
            paths: Paths::new(),
        }
    }

    /// Finds a way; it is here already, or comes with [`Ways::opened`] or [`Ways::unreached`].
    pub(super) fn find(
        &mut self,
        id: ConnectId,
        hop: Hop,
        identity: Option<TrunkId>,
    ) -> Option<Input> {
        if hop.transport == Transport::Udp {
            let result = self.datagrams(hop.remote);
            return Some(Input::Connected { id, result });
        }
        // Only a certificate tells one of us from another.
        let identity = identity.filter(|_| hop.transport.is_secure());
        let way = Way { hop, identity };
        if let Some(flow) = self.live.get(&way) {
            return Some(Input::Connected { id, result: Ok(*flow) });
        }
        if let Some(waiting) = self.pending.get_mut(&way) {
            waiting.push(id);
            return None;
        }
        if self.pending.len() >= PENDING || self.live.len() >= LIVE {
            let result = Err("too many connections".to_owned());
            return Some(Input::Connected { id, result });
        }
        let from = self.source_to(way.hop.remote);
        self.pending.insert(way.clone(), vec![id]);
        let listeners = self.listeners.clone();
        let shown = move |flow| listeners.shown(flow);
        self.runtime.spawn(connect(self.streams.clone(), self.keeper.clone(), way, from, shown));
        None
    }

    /// A connection that was asked for is there.
    pub(super) fn opened(&mut self, way: Way, flow: Flow) -> Vec<Input> {
        let waiting = self.pending.remove(&way).unwrap_or_default();
        self.by_connection.insert(flow.connection, way.clone());
        self.live.insert(way, flow);
        let answer = |id| Input::Connected { id, result: Ok(flow) };
        waiting.into_iter().map(answer).collect()
    }

    /// A connection that was asked for cannot be had.
    pub(super) fn unreached(&mut self, way: &Way, why: &str) -> Vec<Input> {
        let waiting = self.pending.remove(way).unwrap_or_default();
        let answer = |id| Input::Connected { id, result: Err(why.to_owned()) };
        waiting.into_iter().map(answer).collect()
    }

    /// A connection is gone: the next one to its peer is a new one.
    pub(super) fn closed(&mut self, flow: &Flow) {
        if let Some(way) = self.by_connection.remove(&flow.connection) {
            self.live.remove(&way);
        }
    }

    /// From the socket that is bound to the address the kernel would send from, or to all of them,
    /// or else from any of that family.
    fn datagrams(&mut self, remote: SocketAddr) -> Result<Flow, String> {
        let own = self.paths.toward(remote.ip()).ok_or("the kernel knows no way there")?;
        let of_family = || self.ports.iter().filter(|port| port.local().is_ipv4() == own.is_ipv4());
        let exact = of_family().find(|port| port.local().ip() == own);
        let any = || of_family().find(|port| port.local().ip().is_unspecified());
        // A socket on loopback reaches nobody else, and the other way round.
        let is_near = own.is_loopback();
        let other = || of_family().find(|port| port.local().ip().is_loopback() == is_near);
        let port = exact.or_else(any).or_else(other);
        let port = port.ok_or_else(|| format!("no UDP socket of ours reaches {remote}"))?;
        let local = port.local();
        let ip = if local.ip().is_unspecified() { own } else { local.ip() };
        Ok(Flow::udp(SocketAddr::new(ip, local.port()), remote))
    }

    /// Our address on a connection, where our sockets are bound to some of ours only: a peer knows
    /// us by it.
    fn source_to(&mut self, remote: SocketAddr) -> Option<IpAddr> {
        let flow = self.datagrams(remote).ok()?;
        let is_bound = self.ports.iter().any(|port| port.local().ip() == flow.local.ip());
        is_bound.then(|| flow.local.ip())
    }
}

#[cfg(test)]
mod tests;
