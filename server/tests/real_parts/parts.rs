//! The cast that most tests need: carriers of SIPp or baresip, and agents' phones.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::baresip::{Baresip, Phone, agent_account, carrier_account};
use crate::net::{free_port, register};
use crate::scenario::Step;
use crate::sipp::{Part, Sipp};
use crate::strowger::{Strowger, repository};

/// The address of `carrier-a` in the demo's provisioning.
pub(crate) const CARRIER_A: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
/// The address of `carrier-b`.
pub(crate) const CARRIER_B: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3));
/// An address that no trunk has.
pub(crate) const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 99));
/// Where agents' phones live.
pub(crate) const AGENTS: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 4));

pub(crate) const ACME_SALES: &str = "+15550100";
pub(crate) const ACME_SUPPORT: &str = "+15550101";
pub(crate) const GLOBEX_SALES: &str = "+15550200";

/// Longer than anything here takes, even on a machine that does ten things at once. What is told
/// by it, is told only when it fails: nothing waits longer than it must.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);

/// An agent who rings, answers and talks until the other end hangs up.
pub(crate) const TALK: [Step; 4] =
    [Step::ExpectInvite, Step::Answer(180), Step::Accept, Step::ExpectBye];

/// A caller who stays on the line until [`Sipp::hang_up`].
pub(crate) const PATIENT: [Step; 7] = [
    Step::Invite,
    Step::MayCome(100),
    Step::MayCome(180),
    Step::Expect(200),
    Step::Ack,
    Step::Told,
    Step::Bye,
];

/// A SIPp carrier that makes `calls` calls to a number, all at once.
pub(crate) fn carrier(
    folder: &Path,
    server: &Strowger,
    from: IpAddr,
    number: &str,
    calls: u32,
    steps: &[Step],
) -> Sipp {
    let part = Part {
        name: "carrier",
        steps,
        local: SocketAddr::new(from, free_port(from)),
        server: Some(server.sip),
        number,
        calls,
        rate: calls.max(10),
        more: &[],
    };
    Sipp::start(folder, &part)
}

/// The same over TCP, one call.
pub(crate) fn carrier_over_tcp(
    folder: &Path,
    server: &Strowger,
    number: &str,
    steps: &[Step],
) -> Sipp {
    let part = Part {
        name: "carrier-tcp",
        steps,
        local: SocketAddr::new(CARRIER_A, free_port(CARRIER_A)),
        server: Some(server.sip_tcp),
        number,
        calls: 1,
        rate: 10,
        more: &["-t", "t1"],
    };
    Sipp::start(folder, &part)
}

/// A SIPp phone registered as an agent, that takes `calls` calls as the steps say.
pub(crate) fn agent(
    folder: &Path,
    server: &Strowger,
    agent: &str,
    domain: &str,
    calls: u32,
    steps: &[Step],
) -> Sipp {
    let phone = SocketAddr::new(AGENTS, free_port(AGENTS));
    let password = format!("{agent}-secret");
    let statuses = register(server.sip, phone, agent, domain, &password);
    assert_eq!(statuses, [401, 200], "{agent} registers");
    let part = Part {
        name: agent,
        steps,
        local: phone,
        server: None,
        number: agent,
        calls,
        rate: 10,
        more: &[],
    };
    Sipp::start(folder, &part)
}

/// A baresip registered as an agent of acme that answers at once and speaks a tone.
pub(crate) fn speaking_agent(folder: &Path, server: &Strowger, agent: &str, hertz: f64) -> Baresip {
    let phone = Phone {
        address: AGENTS,
        accounts: vec![agent_account(agent, "acme.example", server.sip, "auto")],
        tone: hertz,
        dial: None,
    };
    let baresip = Baresip::start(&folder.join(agent), &phone);
    baresip.wait_for("200 OK", LIMIT);
    baresip
}

/// A baresip behind `carrier-a` that dials a number at once and speaks a tone.
pub(crate) fn speaking_carrier(
    folder: &Path,
    server: &Strowger,
    number: &str,
    hertz: f64,
) -> Baresip {
    let phone = Phone {
        address: CARRIER_A,
        accounts: vec![carrier_account(CARRIER_A)],
        tone: hertz,
        dial: Some(format!("sip:{number}@{}", server.sip)),
    };
    Baresip::start(&folder.join("carrier"), &phone)
}

/// A provisioning file like the demo's whose tenant acme has `count` agents `a0`, `a1`, ... that
/// all take sales calls.
pub(crate) fn many_agents(folder: &Path, count: usize) -> PathBuf {
    let fixtures = repository().join("fixtures");
    let demo = std::fs::read_to_string(fixtures.join("demo.toml")).expect("the demo");
    // Prompts lie beside the provisioning file or below it.
    std::fs::create_dir_all(folder.join("audio")).expect("a folder");
    for file in std::fs::read_dir(fixtures.join("audio")).expect("the demo's audio") {
        let file = file.expect("an entry");
        std::fs::copy(file.path(), folder.join("audio").join(file.file_name())).expect("a copy");
    }
    let mut text = demo;
    let agents: String = (0..count)
        .map(|n| {
            format!(
                "    {{ id = \"a{n}\", name = \"Agent {n}\", password = \"a{n}-secret\", \
                 skills = [\"sales\"], available_on_register = true }},\n"
            )
        })
        .collect();
    let first = text.find("agents = [\n").expect("acme's agents") + "agents = [\n".len();
    text.insert_str(first, &agents);
    let path = folder.join("many.toml");
    std::fs::write(&path, text).expect("the provisioning");
    path
}

/// One SIPp that is the phone of the agents `a0`, `a1`, ...; each takes one call.
pub(crate) fn agents_phone(folder: &Path, server: &Strowger, count: u32, steps: &[Step]) -> Sipp {
    let phone = SocketAddr::new(AGENTS, free_port(AGENTS));
    for n in 0..count {
        let agent = format!("a{n}");
        let statuses =
            register(server.sip, phone, &agent, "acme.example", &format!("{agent}-secret"));
        assert_eq!(statuses, [401, 200], "{agent} registers");
    }
    let part = Part {
        name: "agents",
        steps,
        local: phone,
        server: None,
        number: "agents",
        calls: count,
        rate: 10,
        more: &[],
    };
    Sipp::start(folder, &part)
}
