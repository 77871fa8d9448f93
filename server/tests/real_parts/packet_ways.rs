//! Packets come and go by a socket a port, or with the kernel's help: nobody hears the difference.

use crate::overload::metric;
use crate::parts::{ACME_SALES, LIMIT, speaking_agent, speaking_carrier};
use crate::strowger::{ACME, Folder, Listen, Setup, Strowger};
use crate::wildcard::talk_and_listen;

const CALLER_HZ: f64 = 440.0;
const AGENT_HZ: f64 = 1000.0;
const KERNEL: &str = "strowger_rtp_kernel_path{worker=\"0\"}";

/// A caller and an agent hear each other. Whether it was with the kernel's help.
fn call(kernel: &str, listen: Listen) -> bool {
    let folder = Folder::new("packets");
    let config = format!("kernel = \"{kernel}\"\n");
    let server = Strowger::start_with(folder.path(), &Setup { config, listen, ..Setup::default() });
    let alice = speaking_agent(folder.path(), &server, "alice", AGENT_HZ);
    server.agent_is(ACME, "alice", "available");
    let caller = speaking_carrier(folder.path(), &server, ACME_SALES, CALLER_HZ);
    alice.wait_for("Call established", LIMIT);
    talk_and_listen(&server, caller, alice);
    assert!(metric(&server, "strowger_rtp_packets_sent_total{worker=\"0\"}") > 200);
    assert_eq!(metric(&server, "strowger_rtp_packets_unsent_total{worker=\"0\"}"), 0);
    metric(&server, KERNEL) == 1
}

#[test]
fn with_a_socket_a_port_both_hear_each_other() {
    assert!(!call("off", Listen::Loopback));
    assert!(!call("off", Listen::AllIpv4));
}

#[test]
fn with_the_kernels_help_both_hear_each_other() {
    if !call("auto", Listen::Loopback) {
        return eprintln!("the kernel did not help here: nothing more to try");
    }
    assert!(call("require", Listen::AllIpv4));
}
