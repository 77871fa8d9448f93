//! The ways between the desks and the switch: datagrams that are lost, repeated, overtaken and
//! sent from other addresses than they were yesterday; connections that stall and break.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use base::{Duration, Instant, Rng};
use bytes::Bytes;
use sip::{Flow, Transport};

use super::DeskId;
use crate::network::Conditions;

/// The least distance of two messages on one connection.
const STEP: Duration = Duration::from_micros(1);
/// How long an end of a connection may take to learn that the other is gone without a word.
const SILENT: Duration = Duration::from_secs(60);

/// Something that arrives.
#[derive(Clone, Debug)]
pub(super) enum Arrival {
    /// A message for the switch, over the flow as it sees it.
    ToSwitch(Flow, Bytes),
    /// A message for a desk, over the flow as it sees it.
    ToDesk(DeskId, Flow, Bytes),
    /// The switch learns that a connection is gone.
    ClosedAtSwitch(Flow),
    /// A desk learns that.
    ClosedAtDesk(DeskId, Flow),
}

/// The way between one desk and the switch.
#[derive(Debug)]
struct Way {
    /// The desk's own address.
    inner: SocketAddr,
    /// The address that the switch sees.
    outer: SocketAddr,
    conditions: Conditions,
    /// Nothing leaves the desk, nothing reaches it, until then.
    deaf: (Instant, Instant),
    /// Whether it takes connections.
    listens: bool,
}

#[derive(Debug)]
struct Connection {
    desk: DeskId,
    at_desk: Flow,
    at_switch: Flow,
    /// When the last message arrives at the switch, and at the desk.
    last: (Instant, Instant),
}

/// All ways.
#[derive(Debug)]
pub(super) struct Wire {
    switch: SocketAddr,
    ways: BTreeMap<DeskId, Way>,
    outer: BTreeMap<SocketAddr, DeskId>,
    connections: BTreeMap<u64, Connection>,
    under_way: BTreeMap<(Instant, u64), Arrival>,
    sent: u64,
    rng: Rng,
}

impl Wire {
    pub(super) fn new(switch: SocketAddr, rng: Rng) -> Self {
        Self {
            switch,
            ways: BTreeMap::new(),
            outer: BTreeMap::new(),
            connections: BTreeMap::new(),
            under_way: BTreeMap::new(),
            sent: 0,
            rng,
        }
    }

    /// A desk at `inner`, which the switch sees at `outer`.
    pub(super) fn add(
        &mut self,
        desk: DeskId,
        inner: SocketAddr,
        outer: SocketAddr,
        listens: bool,
    ) {
        let conditions = Conditions::default();
        let deaf = (Instant::ZERO, Instant::ZERO);
        self.ways.insert(desk, Way { inner, outer, conditions, deaf, listens });
        self.outer.insert(outer, desk);
    }

    pub(super) fn set_conditions(&mut self, desk: DeskId, conditions: Conditions) {
        if let Some(way) = self.ways.get_mut(&desk) {
            way.conditions = conditions;
        }
    }

    /// Nothing leaves the desk, or reaches it, or both, until then.
    pub(super) fn deafen(&mut self, desk: DeskId, out: Instant, back: Instant) {
        if let Some(way) = self.ways.get_mut(&desk) {
            way.deaf = (way.deaf.0.max(out), way.deaf.1.max(back));
        }
    }

    /// All is well again.
    pub(super) fn calm(&mut self) {
        for way in self.ways.values_mut() {
            way.conditions = Conditions::default();
            way.deaf = (Instant::ZERO, Instant::ZERO);
        }
    }

    /// The address translator before a desk forgets it: what it sends comes from another port, and
    /// the old one leads nowhere.
    pub(super) fn rebind(&mut self, desk: DeskId) {
        let Some(way) = self.ways.get_mut(&desk) else { return };
        self.outer.remove(&way.outer);
        loop {
            let port = 10_000 + u16::try_from(self.rng.below(50_000)).unwrap_or(0);
            way.outer.set_port(port);
            if !self.outer.contains_key(&way.outer) {
                break;
            }
        }
        self.outer.insert(way.outer, desk);
    }

    /// A new connection of a desk to the switch; the desk's end.
    pub(super) fn connect(&mut self, now: Instant, desk: DeskId, transport: Transport) -> Flow {
        let switch = self.switch;
        self.sent += 1;
        let connection = self.sent;
        let port = 10_000 + u16::try_from(connection % 50_000).unwrap_or(0);
        let (inner, outer) =
            self.ways.get(&desk).map_or((switch, switch), |way| (way.inner, way.outer));
        let at_desk = Flow { transport, local: inner, remote: switch, connection };
        let remote = SocketAddr::new(outer.ip(), port);
        let at_switch = Flow { transport, local: switch, remote, connection };
        let last = (now, now);
        self.connections.insert(connection, Connection { desk, at_desk, at_switch, last });
        at_desk
    }

    /// A new connection of the switch to a desk, if one listens there and can be reached; the
    /// switch's end.
    pub(super) fn connect_out(
        &mut self,
        now: Instant,
        to: SocketAddr,
        transport: Transport,
    ) -> Option<Flow> {
        let desk = *self.outer.get(&to)?;
        let way = self.ways.get(&desk)?;
        if !way.listens || way.deaf.0 > now || way.deaf.1 > now {
            return None;
        }
        if let Some(open) = self.connections.values().find(|one| one.desk == desk) {
            return Some(open.at_switch);
        }
        self.sent += 1;
        let connection = self.sent;
        let local = SocketAddr::new(self.switch.ip(), 5060);
        let at_switch = Flow { transport, local, remote: to, connection };
        let at_desk = Flow { transport, local: way.inner, remote: self.switch, connection };
        let last = (now, now);
        self.connections.insert(connection, Connection { desk, at_desk, at_switch, last });
        Some(at_switch)
    }

    /// A desk's connections break. Both ends hear of it; or the desk is gone without a word, and
    /// the switch finds out when its pings go unanswered.
    pub(super) fn break_connections(&mut self, now: Instant, desk: DeskId, silently: bool) {
        let gone: Vec<u64> = self
            .connections
            .iter()
            .filter(|(_, connection)| connection.desk == desk)
            .map(|(number, _)| *number)
            .collect();
        for number in gone {
            let Some(connection) = self.connections.remove(&number) else { continue };
            let (desk, at_desk, at_switch) =
                (connection.desk, connection.at_desk, connection.at_switch);
            let soon = Duration::from_millis(1 + self.rng.below(50));
            let late = if silently { SILENT } else { soon };
            self.put(now + soon, Arrival::ClosedAtDesk(desk, at_desk));
            self.put(now + late, Arrival::ClosedAtSwitch(at_switch));
        }
    }

    fn put(&mut self, at: Instant, arrival: Arrival) {
        self.sent += 1;
        self.under_way.insert((at, self.sent), arrival);
    }

    /// When copies of a datagram arrive.
    fn copies(&mut self, now: Instant, conditions: Conditions) -> Vec<Instant> {
        let roll = self.rng.below(1000);
        let copies = if roll < conditions.lost {
            0
        } else if roll < conditions.lost + conditions.repeated {
            2
        } else {
            1
        };
        (0..copies).map(|_| now + self.delay(conditions)).collect()
    }

    fn delay(&mut self, conditions: Conditions) -> Duration {
        let jitter = u64::try_from(conditions.jitter.as_micros()).unwrap_or(0);
        conditions.delay + Duration::from_micros(self.rng.below(jitter.max(1)))
    }

    /// A desk sends.
    pub(super) fn take_from_desk(&mut self, now: Instant, desk: DeskId, flow: Flow, bytes: &Bytes) {
        let Some(way) = self.ways.get(&desk) else { return };
        let (conditions, deaf, outer) = (way.conditions, way.deaf.0, way.outer);
        if flow.transport == Transport::Udp {
            if deaf > now || flow.remote != self.switch {
                return;
            }
            let seen = Flow::udp(self.switch, outer);
            for at in self.copies(now, conditions) {
                self.put(at, Arrival::ToSwitch(seen, bytes.clone()));
            }
            return;
        }
        let delay = self.delay(conditions);
        let Some(connection) = self.connections.get_mut(&flow.connection) else {
            return self.put(now + STEP, Arrival::ClosedAtDesk(desk, flow));
        };
        // What a stream loses it sends again: it only comes later, and in order.
        let at = (now.max(deaf) + delay).max(connection.last.0 + STEP);
        connection.last.0 = at;
        let seen = connection.at_switch;
        self.put(at, Arrival::ToSwitch(seen, bytes.clone()));
    }

    /// The switch sends.
    pub(super) fn take_from_switch(&mut self, now: Instant, flow: Flow, bytes: &Bytes) {
        if flow.transport == Transport::Udp {
            let Some(&desk) = self.outer.get(&flow.remote) else { return };
            let Some(way) = self.ways.get(&desk) else { return };
            if way.deaf.1 > now {
                return;
            }
            let seen = Flow::udp(way.inner, self.switch);
            for at in self.copies(now, way.conditions) {
                self.put(at, Arrival::ToDesk(desk, seen, bytes.clone()));
            }
            return;
        }
        let way = self.connections.get(&flow.connection).and_then(|one| self.ways.get(&one.desk));
        let Some((conditions, deaf)) = way.map(|way| (way.conditions, way.deaf.1)) else {
            return self.put(now + STEP, Arrival::ClosedAtSwitch(flow));
        };
        let delay = self.delay(conditions);
        let Some(connection) = self.connections.get_mut(&flow.connection) else { return };
        let at = (now.max(deaf) + delay).max(connection.last.1 + STEP);
        connection.last.1 = at;
        let (desk, seen) = (connection.desk, connection.at_desk);
        self.put(at, Arrival::ToDesk(desk, seen, bytes.clone()));
    }

    /// Whose address that is, as the switch sees it.
    pub(super) fn desk_of(&self, flow: Flow) -> Option<DeskId> {
        match flow.transport {
            Transport::Udp => self.outer.get(&flow.remote).copied(),
            _ => self.connections.get(&flow.connection).map(|connection| connection.desk),
        }
    }

    /// When the next thing arrives.
    pub(super) fn next(&self) -> Option<Instant> {
        self.under_way.first_key_value().map(|((at, _), _)| *at)
    }

    /// The next thing that has arrived by now. What was under way on a connection that broke is
    /// lost with it.
    pub(super) fn arrived(&mut self, now: Instant) -> Option<Arrival> {
        loop {
            let entry = self.under_way.first_entry()?;
            if entry.key().0 > now {
                return None;
            }
            let arrival = entry.remove();
            let number = match &arrival {
                Arrival::ToSwitch(flow, _) | Arrival::ToDesk(_, flow, _) => flow.connection,
                _ => 0,
            };
            if number == 0 || self.connections.contains_key(&number) {
                return Some(arrival);
            }
        }
    }
}
