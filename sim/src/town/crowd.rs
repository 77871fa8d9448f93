//! Who lives in the town, how they reach the switch, and how they take calls.

use std::net::SocketAddr;

use base::{Duration, Rng, TenantId};
use phone::{Desk, DeskConfig, Pickup, Rings, Then};
use sip::{StatusCode, Transport};

use super::{DeskId, Place, Role, SWITCH, Town, up_to};

/// How long registrations and subscriptions hold.
const EXPIRES_S: u32 = 120;

/// Agents: tenant, name, transport. The first two are behind one translator of addresses; one has
/// two phones.
const AGENTS: [(&str, &str, Transport); 7] = [
    ("acme", "alice", Transport::Udp),
    ("acme", "bobby", Transport::Udp),
    ("acme", "alice", Transport::Tcp),
    ("acme", "tomas", Transport::Tcp),
    ("acme", "zoltan", Transport::Wss),
    ("globex", "georgina", Transport::Udp),
    ("globex", "hubert", Transport::Tls),
];

/// Callers: number, address, transport.
const CALLERS: [(&str, [u8; 4], Transport); 4] = [
    ("+15559001", [198, 51, 100, 10], Transport::Udp),
    ("+15559002", [198, 51, 100, 11], Transport::Udp),
    ("+15559003", [198, 51, 101, 12], Transport::Udp),
    ("+15559004", [198, 51, 102, 13], Transport::Tcp),
];

/// Carriers' servers: address, transport.
const CARRIERS: [([u8; 4], Transport); 5] = [
    ([198, 51, 100, 2], Transport::Udp),
    ([198, 51, 101, 2], Transport::Udp),
    ([198, 51, 101, 3], Transport::Udp),
    ([198, 51, 102, 2], Transport::Tcp),
    ([198, 51, 103, 2], Transport::Udp),
];

/// Who there is, by what they do.
#[derive(Clone, Debug, Default)]
pub(super) struct Crowd {
    pub(super) agents: Vec<DeskId>,
    pub(super) callers: Vec<DeskId>,
    pub(super) carriers: Vec<DeskId>,
}

impl Crowd {
    pub(super) fn all(&self) -> Vec<DeskId> {
        [&self.agents[..], &self.callers[..], &self.carriers[..]].concat()
    }
}

/// One of them, or the first.
pub(super) fn pick<T: Copy>(rng: &mut Rng, of: &[T], otherwise: T) -> T {
    let at = usize::try_from(rng.below(of.len() as u64)).unwrap_or(0);
    of.get(at).copied().unwrap_or(otherwise)
}

impl Town {
    /// Everybody moves in, and the agents register.
    pub(super) fn settle_in(&mut self) -> Crowd {
        let mut crowd = Crowd::default();
        for (at, (tenant, name, transport)) in (0_u8..).zip(AGENTS) {
            let Ok(tenant_id) = TenantId::new(tenant) else { continue };
            let inner = SocketAddr::from(([192, 168, 1, 11 + at], 5060));
            let house = if at < 2 { 11 } else { 11 + at };
            let outer = SocketAddr::from(([203, 0, 113, house], 20_000 + u16::from(at)));
            let domain = format!("{tenant}.example");
            let password = Some(format!("{name}-secret"));
            let config = self.config(inner, transport, name, &domain, password);
            crowd.agents.push(self.move_in(config, outer, Role::Agent(tenant_id), name));
        }
        for (number, ip, transport) in CALLERS {
            let home = SocketAddr::from((ip, 5060));
            let config = self.config(home, transport, number, "carrier.example", None);
            crowd.callers.push(self.move_in(config, home, Role::Caller, number));
        }
        for (ip, transport) in CARRIERS {
            let home = SocketAddr::from((ip, 5060));
            let config = self.config(home, transport, "customer", "carrier.example", None);
            let name = format!("carrier {home}");
            crowd.carriers.push(self.move_in(config, home, Role::Carrier, &name));
        }
        for id in [&crowd.agents[..], &crowd.callers[..]].concat() {
            self.connect(id);
        }
        self.run_for(Duration::from_secs(1));
        crowd
    }

    fn config(
        &mut self,
        own: SocketAddr,
        transport: Transport,
        user: &str,
        domain: &str,
        password: Option<String>,
    ) -> DeskConfig {
        DeskConfig {
            own,
            server: SWITCH.into(),
            transport,
            user: user.to_owned(),
            domain: domain.to_owned(),
            password,
            pickups: vec![Pickup::answers(Duration::from_secs(1))],
            timers: self.rng.below(3) == 0,
            expires_s: EXPIRES_S,
        }
    }

    fn move_in(&mut self, config: DeskConfig, outer: SocketAddr, role: Role, name: &str) -> DeskId {
        let id = DeskId(self.places.len());
        let listens = role == Role::Carrier && config.transport != Transport::Udp;
        self.wire.add(id, config.own, outer, listens);
        let desk = Desk::new(config, self.rng.fork());
        let name = name.to_owned();
        self.places.push(Place { desk, role, name, was_cut: false, reconnect: None });
        id
    }
}

/// Some ways to take calls, most of which answer.
pub(super) fn pickups(rng: &mut Rng) -> Vec<Pickup> {
    (0..3).map(|_| pickup(rng)).collect()
}

fn pickup(rng: &mut Rng) -> Pickup {
    let rings = [
        Rings::Nothing,
        Rings::Rings,
        Rings::Rings,
        Rings::Early,
        Rings::Reliably,
        Rings::EarlyReliably,
    ];
    let refusals = [
        StatusCode::BUSY_HERE,
        StatusCode::DECLINE,
        StatusCode::SERVICE_UNAVAILABLE,
        StatusCode::TEMPORARILY_UNAVAILABLE,
        StatusCode::NOT_FOUND,
        StatusCode::SERVER_INTERNAL_ERROR,
        StatusCode::MOVED_TEMPORARILY,
    ];
    let then = match rng.below(10) {
        0 => Then::Never,
        1 | 2 => Then::Refuse(pick(rng, &refusals, StatusCode::BUSY_HERE)),
        _ => Then::Answer,
    };
    let after = match rng.below(4) {
        0 => Duration::from_millis(rng.below(20)),
        _ => up_to(rng, Duration::from_secs(4)),
    };
    Pickup { rings: pick(rng, &rings, Rings::Rings), after, then, forks: rng.below(8) == 0 }
}
