//! What a relay with a socket a port cannot do without: wait, receive, send. It looks at nothing, so
//! that no relay of that kind can cost less on the same machine: the floor to read the others by.
//!
//! It is driven over its standard streams: two addresses a line, `caller callee`, and as answer the
//! two ports at which it waits for them.

use std::io::{BufRead as _, Write as _};
use std::mem::MaybeUninit;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::event::epoll;
use rustix::net::{RecvFlags, SendFlags, recvfrom, sendto};

/// Datagrams are no longer.
const MOST: usize = 1600;
/// Ready sockets of one wait.
const READY: usize = 256;
/// Who served more than these at once does not rest.
const SERVED: usize = 128;
/// The standard input's number; no socket comes near it.
const INPUT: u64 = u64::MAX;

/// What comes in here goes on to there, from the other one.
struct Port {
    socket: UdpSocket,
    to: SocketAddr,
}

/// Relays until its standard input ends. It lets packets gather for `gather` between awakenings.
pub(crate) fn run(gather: Duration) -> Result<(), String> {
    let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(text)?;
    let mut ports: Vec<Port> = Vec::new();
    let input = std::io::stdin();
    let data = epoll::EventData::new_u64(INPUT);
    epoll::add(&epoll, &input, data, epoll::EventFlags::IN).map_err(text)?;
    let mut bytes = [0; MOST];
    loop {
        let mut events = [const { MaybeUninit::uninit() }; READY];
        let (events, _) = match epoll::wait(&epoll, &mut events, None) {
            Ok(events) => events,
            Err(rustix::io::Errno::INTR) => continue,
            Err(error) => return Err(text(error)),
        };
        for event in events.iter() {
            match event.data.u64() {
                INPUT => {
                    let mut line = String::new();
                    if input.lock().read_line(&mut line).map_err(text)? == 0 {
                        return Ok(());
                    }
                    println!("{}", open(&epoll, &mut ports, &line)?);
                    std::io::stdout().flush().map_err(text)?;
                }
                number => pass_on(&ports, number, &mut bytes),
            }
        }
        if events.len() < SERVED && !gather.is_zero() && !ports.is_empty() {
            std::thread::sleep(gather);
        }
    }
}

/// Two sockets for the two ends of a line: their ports, in that order.
fn open(epoll: &OwnedFd, ports: &mut Vec<Port>, line: &str) -> Result<String, String> {
    let mut opened = Vec::new();
    for to in line.split_whitespace() {
        let to: SocketAddr = to.parse().map_err(text)?;
        let socket = UdpSocket::bind((super::relays::ADDRESS, 0)).map_err(text)?;
        socket.set_nonblocking(true).map_err(text)?;
        let data = epoll::EventData::new_u64(ports.len() as u64);
        epoll::add(epoll, &socket, data, epoll::EventFlags::IN).map_err(text)?;
        opened.push(socket.local_addr().map_err(text)?.port().to_string());
        ports.push(Port { socket, to });
    }
    Ok(opened.join(" "))
}

/// A call's two sockets stand side by side.
fn pass_on(ports: &[Port], number: u64, bytes: &mut [u8]) {
    let Ok(number) = usize::try_from(number) else { return };
    let (Some(here), Some(there)) = (ports.get(number), ports.get(number ^ 1)) else { return };
    let Ok((length, _, _)) = recvfrom(&here.socket, &mut *bytes, RecvFlags::DONTWAIT) else {
        return;
    };
    if let Some(packet) = bytes.get(..length) {
        let _ = sendto(&there.socket, packet, SendFlags::DONTWAIT, &there.to);
    }
}

fn text(error: impl ToString) -> String {
    error.to_string()
}
