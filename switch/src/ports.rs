//! The media ports of all workers: which stream has which, and when one is given back.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::RangeInclusive;

use base::{AgentId, CallId, Instant, LegId, TenantId};
use media::{PortPool, StreamId, WorkerId};
use routing::Network;

use crate::config::WorkerPorts;

/// Where a stream lives, and whose it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Place {
    pub(crate) worker: WorkerId,
    /// What the SDP is to say, when not our own end of the signalling's flow.
    pub(crate) address: Option<IpAddr>,
    pub(crate) port: u16,
    pub(crate) call: CallId,
    pub(crate) leg: LegId,
    /// It has no port of its own: it shares the worker's with all browsers' legs.
    pub(crate) is_shared: bool,
}

/// All workers' ports. A stream holds its port until its worker says that it is closed, even when
/// its call is long gone.
#[derive(Debug)]
pub(crate) struct Ports {
    workers: Vec<Worker>,
    streams: HashMap<StreamId, Place>,
    /// Agents' streams, by agent and by stream.
    agents: BTreeMap<(TenantId, AgentId), BTreeMap<StreamId, WorkerId>>,
    owners: HashMap<StreamId, (TenantId, AgentId)>,
    last_stream: u64,
}

#[derive(Debug)]
struct Worker {
    id: WorkerId,
    address: Option<IpAddr>,
    bound: IpAddr,
    networks: Vec<Network>,
    ports: RangeInclusive<u16>,
    pool: PortPool,
    streams: usize,
    is_gone: bool,
}

impl Ports {
    pub(crate) fn new(workers: &[WorkerPorts]) -> Self {
        let worker = |of: &WorkerPorts| Worker {
            id: of.worker,
            address: of.address,
            bound: of.bound,
            networks: of.networks.clone(),
            ports: of.ports.clone(),
            pool: PortPool::new(of.ports.clone()),
            streams: 0,
            is_gone: false,
        };
        Self {
            workers: workers.iter().map(worker).collect(),
            streams: HashMap::new(),
            agents: BTreeMap::new(),
            owners: HashMap::new(),
            last_stream: 0,
        }
    }

    /// Each worker's ports are given out from another place in its range on.
    pub(crate) fn turn(&mut self, mut by: impl FnMut() -> u64) {
        for worker in &mut self.workers {
            worker.pool.turn(by());
        }
    }

    /// A new stream for a leg: on the worker named, or on the one with the fewest streams; at the
    /// address that is for this peer. `None` if there is no port left.
    pub(crate) fn take(
        &mut self,
        now: Instant,
        on: Option<WorkerId>,
        peer: Option<IpAddr>,
        (call, leg): (CallId, LegId),
    ) -> Option<(StreamId, Place)> {
        let is_own = |of: &Worker| {
            peer.is_some_and(|peer| of.networks.iter().any(|network| network.contains(peer)))
        };
        let has_own = self.workers.iter().any(is_own);
        let suits = |of: &Worker| if has_own { is_own(of) } else { of.networks.is_empty() };
        let suiting = self.workers.iter_mut().filter(|of| suits(of) && !of.is_gone);
        let worker = match on {
            Some(id) => suiting.into_iter().find(|worker| worker.id == id)?,
            None => suiting.min_by_key(|worker| worker.streams)?,
        };
        let port = worker.pool.take(now)?;
        worker.streams += 1;
        self.last_stream += 1;
        let stream = StreamId(self.last_stream);
        let (address, is_shared) = (worker.address, false);
        let place = Place { worker: worker.id, address, port, call, leg, is_shared };
        self.streams.insert(stream, place);
        Some((stream, place))
    }

    /// A new stream for a browser's leg, on the worker named or on the one with the fewest streams.
    pub(crate) fn take_shared(
        &mut self,
        on: Option<WorkerId>,
        (call, leg): (CallId, LegId),
    ) -> Option<(StreamId, Place)> {
        let alive = || self.workers.iter().filter(|worker| !worker.is_gone);
        let idlest = || alive().min_by_key(|worker| worker.streams);
        let id = on.or_else(|| Some(idlest()?.id))?;
        let worker = self.workers.iter_mut().find(|worker| worker.id == id && !worker.is_gone)?;
        worker.streams += 1;
        self.last_stream += 1;
        let stream = StreamId(self.last_stream);
        let (worker, address, port) = (worker.id, worker.address, 0);
        let place = Place { worker, address, port, call, leg, is_shared: true };
        self.streams.insert(stream, place);
        Some((stream, place))
    }

    /// Where the other workers reach one.
    pub(crate) fn inside(&self, worker: WorkerId) -> IpAddr {
        let known = self.workers.iter().find(|known| known.id == worker);
        match known.map(|known| known.bound) {
            Some(IpAddr::V6(ip)) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
            Some(bound) if !bound.is_unspecified() => bound,
            _ => IpAddr::V4(Ipv4Addr::LOCALHOST),
        }
    }

    /// The stream is one of this agent's.
    pub(crate) fn belongs_to(&mut self, stream: StreamId, tenant: TenantId, agent: AgentId) {
        let Some(place) = self.streams.get(&stream) else { return };
        let owner = (tenant, agent);
        self.agents.entry(owner.clone()).or_default().insert(stream, place.worker);
        self.owners.insert(stream, owner);
    }

    /// The worker that an agent's newest stream lives on.
    pub(crate) fn worker_of(&self, tenant: &TenantId, agent: &AgentId) -> Option<WorkerId> {
        let streams = self.agents.get(&(tenant.clone(), agent.clone()))?;
        streams.values().next_back().copied()
    }

    /// The stream's leg is another call's from here on.
    pub(crate) fn rehome(&mut self, stream: StreamId, call: CallId) {
        if let Some(place) = self.streams.get_mut(&stream) {
            place.call = call;
        }
    }

    pub(crate) fn place(&self, stream: StreamId) -> Option<Place> {
        self.streams.get(&stream).copied()
    }

    /// A worker has ended: it gets no streams any more. Those that it had, and whose they are.
    pub(crate) fn worker_gone(&mut self, worker: WorkerId) -> Vec<(StreamId, CallId)> {
        let known = self.workers.iter_mut().filter(|known| known.id == worker);
        known.for_each(|known| known.is_gone = true);
        let its = self.streams.iter().filter(|(_, place)| place.worker == worker);
        let mut its: Vec<_> = its.map(|(stream, place)| (*stream, place.call)).collect();
        its.sort_unstable();
        its
    }

    /// The stream is closed: its port may be used again after a quarantine.
    pub(crate) fn closed(&mut self, now: Instant, stream: StreamId) {
        if let Some((worker, Some(port))) = self.release(stream) {
            worker.pool.give_back(now, port);
        }
    }

    /// The stream's port could not be opened: somebody else has it.
    pub(crate) fn failed(&mut self, now: Instant, stream: StreamId) {
        if let Some((worker, Some(port))) = self.release(stream) {
            worker.pool.mark_bad(now, port);
        }
    }

    pub(crate) fn in_use(&self) -> usize {
        self.streams.len()
    }

    fn release(&mut self, stream: StreamId) -> Option<(&mut Worker, Option<u16>)> {
        let place = self.streams.remove(&stream)?;
        if let Some(owner) = self.owners.remove(&stream)
            && let Some(streams) = self.agents.get_mut(&owner)
        {
            streams.remove(&stream);
            if streams.is_empty() {
                self.agents.remove(&owner);
            }
        }
        let is_its = |of: &&mut Worker| {
            of.id == place.worker && (place.is_shared || of.ports.contains(&place.port))
        };
        let worker = self.workers.iter_mut().find(is_its)?;
        worker.streams = worker.streams.saturating_sub(1);
        Some((worker, (!place.is_shared).then_some(place.port)))
    }
}

/// The stream that an event is about; a worker's confirmation is about none.
pub(crate) fn stream_of(event: &media::Event) -> Option<StreamId> {
    use media::Event;
    match event {
        Event::Opened { stream }
        | Event::OpenFailed { stream, .. }
        | Event::Secured { stream, .. }
        | Event::Unreachable { stream, .. }
        | Event::PlayFinished { stream, .. }
        | Event::Latched { stream, .. }
        | Event::SourceRefused { stream, .. }
        | Event::RtpTimeout { stream }
        | Event::Unheard { stream, .. }
        | Event::HeardAgain { stream, .. }
        | Event::Soundless { stream, .. }
        | Event::SoundAgain { stream }
        | Event::Talking { stream, .. }
        | Event::MixRefused { stream, .. }
        | Event::KeyDown { stream }
        | Event::Digit { stream, .. }
        | Event::Figures { stream, .. }
        | Event::Progress { stream, .. }
        | Event::Closed { stream, .. } => Some(*stream),
        Event::Confirmed { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "they are tests")]
    use super::*;

    #[test]
    fn an_agents_next_leg_goes_where_the_last_one_lives_until_that_is_gone() {
        let workers = [0, 1].map(|id| WorkerPorts {
            worker: WorkerId(id),
            ports: 20_000..=20_099,
            address: None,
            bound: Ipv4Addr::LOCALHOST.into(),
            networks: Vec::new(),
        });
        let mut ports = Ports::new(&workers);
        let (tenant, agent) = (TenantId::new("acme").unwrap(), AgentId::new("alice").unwrap());
        let call = CallId::from_u128(1);
        let take =
            |ports: &mut Ports, on| ports.take(Instant::ZERO, on, None, (call, LegId(1))).unwrap();
        let (other, _) = take(&mut ports, Some(WorkerId(0)));
        assert_eq!(ports.worker_of(&tenant, &agent), None);
        let (own, place) = take(&mut ports, None);
        assert_eq!(place.worker, WorkerId(1), "the one with the fewest streams");
        ports.belongs_to(own, tenant.clone(), agent.clone());
        let home = ports.worker_of(&tenant, &agent);
        assert_eq!(home, Some(WorkerId(1)));
        ports.closed(Instant::ZERO, other);
        // Worker 0 is empty now, and the agent's next leg comes to worker 1 all the same.
        assert_eq!(take(&mut ports, home).1.worker, WorkerId(1));
        ports.closed(Instant::ZERO, own);
        assert_eq!(ports.worker_of(&tenant, &agent), None);
        assert!(ports.agents.is_empty() && ports.owners.is_empty());
    }

    #[test]
    fn a_peer_of_a_network_gets_a_port_at_the_address_that_is_for_it() {
        let range = |ports, last, networks| WorkerPorts {
            worker: WorkerId(0),
            ports,
            address: Some(Ipv4Addr::new(192, 0, 2, last).into()),
            bound: Ipv4Addr::new(192, 0, 2, last).into(),
            networks,
        };
        let inside: Network = "10.0.0.0/8".parse().unwrap();
        let all = [range(20_000..=20_001, 1, Vec::new()), range(30_000..=30_001, 2, vec![inside])];
        let mut ports = Ports::new(&all);
        let call = CallId::from_u128(1);
        let mut take = |peer: Option<&str>| {
            let peer = peer.map(|peer| peer.parse().unwrap());
            ports.take(Instant::ZERO, Some(WorkerId(0)), peer, (call, LegId(1)))
        };
        let (stream, place) = take(Some("10.1.2.3")).unwrap();
        assert_eq!((place.port, place.address), (30_000, Some([192, 0, 2, 2].into())));
        assert_eq!(take(Some("10.1.2.4")), None, "no other address is reached from there");
        assert_eq!(take(Some("198.51.100.1")).unwrap().1.port, 20_000);
        assert_eq!(take(None), None);
        ports.closed(Instant::ZERO, stream);
        assert_eq!(ports.workers[1].streams, 0);
        assert_eq!(ports.workers[0].streams, 1);
    }
}
