//! The names and the servers that the rig's world has: what is not in here does not exist.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use base::Duration;
use sip::resolve::{Answer, Hop, NoAnswer, Question, Records, Srv};
use sip::{Flow, Transport};
use switch::{ConnectId, Input};

use super::Rig;

#[derive(Default)]
pub struct World {
    names: BTreeMap<Question, Records>,
    /// Servers that take connections.
    listening: BTreeSet<(Transport, SocketAddr)>,
    /// Servers whose connections never come about, nor fail.
    hanging: BTreeSet<SocketAddr>,
    /// Whether the name servers say nothing at all.
    pub mute_names: bool,
    connections: u64,
}

impl World {
    /// A host with those addresses.
    pub fn host(&mut self, name: &str, addresses: &[SocketAddr]) {
        let ips: Vec<IpAddr> = addresses.iter().map(SocketAddr::ip).collect();
        self.names.insert(Question::Address(name.into()), Records::Address(ips));
    }

    /// Targets of a service: priority, port, host.
    pub fn service(&mut self, name: &str, targets: &[(u16, u16, &str)]) {
        let record = |&(priority, port, target): &(u16, u16, &str)| {
            let weight = 1;
            Srv { priority, weight, port, target: target.into() }
        };
        let records = Records::Srv(targets.iter().map(record).collect());
        self.names.insert(Question::Srv(name.into()), records);
    }

    pub fn listens(&mut self, transport: Transport, at: SocketAddr) {
        self.listening.insert((transport, at));
    }

    pub fn no_longer_listens(&mut self, transport: Transport, at: SocketAddr) {
        self.listening.remove(&(transport, at));
    }

    pub fn hangs(&mut self, at: SocketAddr) {
        self.hanging.insert(at);
    }
}

impl Rig {
    pub(super) fn look_up(&mut self, question: Question) {
        self.questions.push(question.clone());
        if self.world.mute_names {
            return;
        }
        let found = self.world.names.get(&question).cloned();
        let records = found.ok_or(NoAnswer::NotFound);
        let ttl = Duration::from_secs(60);
        self.input(Input::Dns(Answer { question, records, ttl }));
    }

    /// Datagrams always have a way; connections need a listener.
    pub(super) fn connect(&mut self, id: ConnectId, hop: &Hop) {
        if self.world.hanging.contains(&hop.remote) {
            return;
        }
        let local = self.flow(hop.remote).local;
        let result = if hop.transport == Transport::Udp {
            Ok(Flow::udp(local, hop.remote))
        } else if self.world.listening.contains(&(hop.transport, hop.remote)) {
            self.world.connections += 1;
            let connection = 1000 + self.world.connections;
            let (transport, remote) = (hop.transport, hop.remote);
            Ok(Flow { transport, local, remote, connection })
        } else {
            Err("connection refused".to_owned())
        };
        self.input(Input::Connected { id, result });
    }
}
