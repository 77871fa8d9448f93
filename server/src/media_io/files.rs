//! Open files: as many as the system allows, and a table of them for each media worker.
//!
//! A leg takes two sockets, and the limit of open files holds for a table. A worker with a table
//! of its own (unshare(2), `CLONE_FILES`) has the whole limit for its legs, and the kernel finds a
//! socket in a table of one thread without counting its users.

use std::fs;
use std::os::fd::RawFd;

use nix::sched::{CloneFlags, unshare};
use nix::sys::socket::{AddressFamily, SockaddrLike, SockaddrStorage, getsockname};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What else a table holds: the bells, the database, the connections of the API.
const OTHERS: u64 = 200;

/// Lifts the process's own limit to what the system allows it (`ulimit -Hn`), and says so if the
/// workers cannot open all their ports with it.
pub(crate) fn raise_limit(ports_of_a_worker: usize) {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
        if let Err(error) = setrlimit(Resource::Nofile, raised) {
            tracing::warn!(%error, "the limit of open files stays as it is");
        }
    }
    let most = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let wanted = OTHERS + ports_of_a_worker as u64;
    if most < wanted {
        tracing::warn!(
            limit = most,
            wanted,
            "not all of rtp.ports can be open at once: raise the limit of open files (ulimit -n), \
             or have more rtp.workers"
        );
    }
}

/// Parts this thread's table from the process's. What goes over the network and what is on a disk
/// stays the process's alone, so that it ends when the process closes it. Gives how many pairs of
/// sockets may rest here: two fifths of a table of its own, and none in one that it shares.
pub(super) fn part() -> usize {
    if let Err(error) = unshare(CloneFlags::CLONE_FILES) {
        tracing::info!(%error, "all media workers share one limit of open files");
        return 0;
    }
    close_copies();
    let most = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(most / 5).unwrap_or(usize::MAX)
}

fn close_copies() {
    let Ok(entries) = fs::read_dir("/proc/thread-self/fd") else { return };
    let numbers = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let numbers: Vec<RawFd> = numbers.collect();
    for number in numbers.into_iter().filter(|number| *number > 2 && is_of_process(*number)) {
        // It is a copy of ours alone; nobody in this thread has it.
        let _ = nix::unistd::close(number);
    }
}

/// A network's socket, or a file; not a bell, a poller or a pipe.
fn is_of_process(number: RawFd) -> bool {
    let Ok(target) = fs::read_link(format!("/proc/thread-self/fd/{number}")) else { return false };
    let is_file = target.is_absolute() && !target.starts_with("/dev");
    let family = || getsockname::<SockaddrStorage>(number).ok()?.family();
    is_file || matches!(family(), Some(AddressFamily::Inet | AddressFamily::Inet6))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream, UdpSocket};
    use std::os::fd::AsRawFd as _;

    #[test]
    fn a_worker_keeps_no_copy_of_the_processs_sockets_and_opens_its_own_beside_them() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (at, number) = (listener.local_addr().unwrap(), listener.as_raw_fd());
        let (parted, is_parted) = std::sync::mpsc::channel();
        let (end, ends) = std::sync::mpsc::channel::<()>();
        let worker = std::thread::spawn(move || {
            part();
            let own = UdpSocket::bind("127.0.0.1:0").unwrap();
            parted.send(own.as_raw_fd()).unwrap();
            let _ = ends.recv();
        });
        let own = is_parted.recv().unwrap();
        assert!(own <= number, "the listener's number, or a lower one, was free: {own}");
        drop(listener);
        assert!(TcpStream::connect(at).is_err(), "it ended with its owner");
        drop(end);
        worker.join().unwrap();
    }
}
