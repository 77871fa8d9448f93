//! The program in the kernel that hands all datagrams for our ports to one socket a worker
//! (sk_lookup, `server/bpf/steer.c`), and its tables.

use std::fs::File;
use std::net::IpAddr;
use std::os::fd::{AsFd as _, AsRawFd};

use aya::maps::{Array, Map, MapData, SockMap};
use aya::programs::SkLookup;
use aya::{Ebpf, EbpfLoader, VerifierLogLevel};
use media::WorkerId;

/// `server/bpf/build.sh` makes it of `steer.c`.
static STEER: &[u8] = aya::include_bytes_aligned!("../../../bpf/steer.o");

/// A place as the program reads it: IPv4 or not, IPv6 or not, all addresses or one, that one.
type Row = [u32; 7];

/// The program at work; when this goes, it stops.
pub(crate) struct Steering {
    ebpf: Ebpf,
}

impl Steering {
    /// Loads the program for ports at these addresses. No port is steered yet.
    ///
    /// # Errors
    /// What the kernel did not allow.
    pub(crate) fn start(addresses: &[IpAddr]) -> Result<Self, String> {
        Self::load(addresses).map_err(|error| in_full(&*error))
    }

    fn load(addresses: &[IpAddr]) -> Result<Self, Box<dyn std::error::Error>> {
        // It needs to know no type of the kernel's: these take long to read.
        let mut loader = EbpfLoader::new();
        let loader = loader.btf(None).verifier_log_level(VerifierLogLevel::DISABLE);
        let mut ebpf = loader.load(STEER)?;
        let map = ebpf.map_mut("places").ok_or("the program has no table of places")?;
        let mut places: Array<_, Row> = Array::try_from(map)?;
        for (index, address) in (0..).zip(addresses) {
            places.set(index, row(*address), 0)?;
        }
        let program = ebpf.program_mut("steer").ok_or("the program has no entry")?;
        let program: &mut SkLookup = program.try_into()?;
        program.load()?;
        program.attach(File::open("/proc/thread-self/ns/net")?)?;
        Ok(Self { ebpf })
    }

    /// A worker's way to the tables; its files are the calling thread's.
    ///
    /// # Errors
    /// When the thread has no file descriptor left.
    pub(super) fn lane(&self, worker: WorkerId) -> Result<Lane, String> {
        self.open_lane(worker).map_err(|error| in_full(&*error))
    }

    fn open_lane(&self, worker: WorkerId) -> Result<Lane, Box<dyn std::error::Error>> {
        let own = |name: &str| -> Result<MapData, Box<dyn std::error::Error>> {
            let data = match self.ebpf.map(name) {
                Some(Map::Array(data) | Map::SockMap(data)) => data,
                _ => return Err("the program lacks a table".into()),
            };
            Ok(MapData::from_fd(data.fd().as_fd().try_clone_to_owned()?)?)
        };
        let ports = Array::try_from(Map::Array(own("ports")?))?;
        let sockets = SockMap::try_from(Map::SockMap(own("sockets")?))?;
        Ok(Lane { worker, ports, sockets })
    }
}

/// One worker's entries in the tables.
pub(super) struct Lane {
    worker: WorkerId,
    ports: Array<MapData, u32>,
    sockets: SockMap<MapData>,
}

impl Lane {
    /// Makes the socket the worker's for all datagrams of its family.
    pub(super) fn receive_by(&mut self, socket: &impl AsRawFd, is_v6: bool) -> Result<(), String> {
        let index = 2 * u32::from(self.worker.0) + u32::from(is_v6);
        self.sockets.set(index, socket, 0).map_err(|error| in_full(&error))
    }

    /// From now on the port's datagrams come to the worker, if they are for the place's address.
    pub(super) fn claim(&mut self, port: u16, place: u16) -> std::io::Result<()> {
        self.set(port, u32::from(place) << 16 | (u32::from(self.worker.0) + 1))
    }

    /// The port's datagrams are looked up as ever.
    pub(super) fn release(&mut self, port: u16) -> std::io::Result<()> {
        self.set(port, 0)
    }

    fn set(&mut self, port: u16, owner: u32) -> std::io::Result<()> {
        let set = self.ports.set(u32::from(port), owner, 0);
        set.map_err(|error| std::io::Error::other(in_full(&error)))
    }
}

fn row(address: IpAddr) -> Row {
    let any = u32::from(address.is_unspecified());
    match address {
        IpAddr::V4(ip) => [1, 0, any, u32::from_ne_bytes(ip.octets()), 0, 0, 0],
        IpAddr::V6(ip) => {
            // All addresses of IPv6 are all of IPv4, too.
            let mut row = [any, 1, any, 0, 0, 0, 0];
            for (into, word) in row.iter_mut().skip(3).zip(ip.octets().as_chunks::<4>().0) {
                *into = u32::from_ne_bytes(*word);
            }
            row
        }
    }
}

/// An error with all its causes.
fn in_full(error: &(dyn std::error::Error + 'static)) -> String {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !told.contains(&next) {
            told = format!("{told}: {next}");
        }
        cause = error.source();
    }
    told
}
