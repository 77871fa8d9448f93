//! A browser's media, sans-IO: it checks, does DTLS as its client or server, and sends and hears
//! SRTP. It is the other side of what is tested, with the cryptography in common.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]

use std::net::SocketAddr;

use base::{Instant, UnixTime};
use media::dtls::{Association, DtlsRole, Identity, Progress, ROOM};
use media::ice::{Check, Credentials, write_check};
use media::rtp::Header;
use media::srtp::{Opener, Profile, Sealer};
use media::{Peer, Port};

#[allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "any origin will do")]
pub fn identity() -> Identity {
    let wall = UnixTime::from_micros(1_700_000_000_000_000);
    Identity::draw(wall, std::time::Instant::now()).unwrap()
}

pub struct Browser {
    pub identity: Identity,
    pub at: SocketAddr,
    pub port: Port,
    /// Those of the engine that it uses.
    pub far: Credentials,
    pub fragment: String,
    pub role: DtlsRole,
    pub dtls: Association,
    pub sealer: Option<Sealer>,
    pub opener: Option<Opener>,
    pub profile: Option<Profile>,
    pub closed: bool,
    pub due: Option<Instant>,
    transactions: u64,
}

impl Browser {
    pub fn new(now: Instant, at: SocketAddr, far: Credentials, role: DtlsRole) -> Self {
        let identity = identity();
        Self {
            dtls: Association::new(&identity, role, now),
            identity,
            at,
            port: Port::Shared(None),
            far,
            fragment: "them".to_owned(),
            role,
            sealer: None,
            opener: None,
            profile: None,
            closed: false,
            due: None,
            transactions: 0,
        }
    }

    /// What its SDP says; the engine has the other part in the handshake.
    pub fn peer(&self) -> Box<Peer> {
        let role = match self.role {
            DtlsRole::Active => DtlsRole::Passive,
            DtlsRole::Passive => DtlsRole::Active,
        };
        let fingerprint = self.identity.fingerprint();
        let fragment = self.fragment.as_str().into();
        Box::new(Peer { fragment, reach: None, fingerprint, role })
    }

    pub fn check(&mut self, nominates: bool) -> Vec<u8> {
        let password = self.far.password().to_owned();
        self.check_with(&password, nominates, 100)
    }

    pub fn check_with(&mut self, password: &str, nominates: bool, priority: u32) -> Vec<u8> {
        self.transactions += 1;
        let mut transaction = [9; 12];
        transaction[..8].copy_from_slice(&self.transactions.to_be_bytes());
        let username = format!("{}:{}", self.far.fragment(), self.fragment);
        let mut bytes = Vec::new();
        let check = Check {
            transaction,
            username: &username,
            password,
            priority,
            nominates,
            controls: true,
        };
        write_check(&mut bytes, &check);
        bytes
    }

    /// A datagram of DTLS came, or time passed; what it sends for it.
    pub fn dtls(&mut self, now: Instant, packet: Option<&[u8]>) -> Vec<Vec<u8>> {
        let result = match packet {
            Some(packet) => self.dtls.handle_packet(now, packet),
            None => self.dtls.handle_timeout(now),
        };
        let mut sent = Vec::new();
        if result.is_err() {
            return sent;
        }
        let mut room = vec![0; ROOM];
        let (sealer, opener) = (&mut self.sealer, &mut self.opener);
        let (profile, closed) = (&mut self.profile, &mut self.closed);
        self.due = self.dtls.drain(&mut room, |progress| match progress {
            Progress::Send(bytes) => sent.push(bytes.to_vec()),
            Progress::Keys(keys) => {
                let keys = keys.unwrap();
                *sealer = Some(Sealer::new(&keys.ours));
                *opener = Some(Opener::of(&keys.theirs));
                *profile = Some(keys.ours.profile());
            }
            Progress::Certificate(_) => {}
            Progress::Closed => *closed = true,
        });
        sent
    }

    pub fn is_up(&self) -> bool {
        self.sealer.is_some()
    }

    pub fn seal(&mut self, header: Header, payload: &[u8]) -> Vec<u8> {
        let mut bytes = header.to_bytes().to_vec();
        bytes.extend_from_slice(payload);
        self.sealer.as_mut().unwrap().seal_rtp(&mut bytes, 0).unwrap();
        bytes
    }

    /// The payload of a packet of the engine's.
    pub fn open(&mut self, packet: &[u8]) -> Vec<u8> {
        let mut bytes = packet.to_vec();
        let length = self.opener.as_mut().unwrap().open_rtp(&mut bytes).unwrap();
        bytes[12..length].to_vec()
    }
}
