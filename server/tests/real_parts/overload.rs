//! A carrier that sends more calls than the server can take: those that it takes are served,
//! the others hear so at once, and whoever talks notices nothing.

use std::net::SocketAddr;
use std::time::Duration;

use crate::canary::Canary;
use crate::net::free_port;
use crate::parts::{
    ACME_SALES, CARRIER_A, CARRIER_B, GLOBEX_SALES, LIMIT, PATIENT, TALK, agent, carrier,
};
use crate::provisioning::demo;
use crate::scenario::Step;
use crate::sipp::{Part, Sipp};
use crate::strowger::{ACME, Folder, Strowger};

/// A caller who is answered and hangs up, is refused because the tenant has as many calls as it may
/// have, or is told when to try again.
const SERVED_OR_REFUSED: [Step; 8] = [
    Step::Invite,
    Step::MayCome(100),
    Step::MayCome(180),
    Step::Raw(
        r#"<recv response="486" optional="true" next="1"></recv>
<recv response="503" optional="true" next="1"><action>
  <ereg regexp="[0-9]+" search_in="hdr" header="Retry-After:" check_it="true" assign_to="wait"/>
</action></recv>
<Reference variables="wait"/>
"#,
    ),
    Step::Expect(200),
    Step::Ack,
    Step::Bye,
    Step::Raw(
        r#"<nop next="2"/>
<label id="1"/>
<send><![CDATA[

ACK sip:[service]@[remote_ip]:[remote_port] SIP/2.0
Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch-10]
[last_From:]
[last_To:]
[last_Call-ID:]
CSeq: 1 ACK
Max-Forwards: 70
Content-Length: 0

]]></send>
<label id="2"/>
<nop/>
"#,
    ),
];

fn flood(folder: &Folder, server: &Strowger, rate: u32, calls: u32) -> Sipp {
    let part = Part {
        name: "flood",
        steps: &SERVED_OR_REFUSED,
        local: SocketAddr::new(CARRIER_B, free_port(CARRIER_B)),
        server: Some(server.sip),
        number: GLOBEX_SALES,
        calls,
        rate,
        // An answer that is sent again, because this SIPp is slow, ends no call of its.
        more: &["-l", "15000", "-default_behaviors", "all,-abortunexp"],
    };
    Sipp::start(folder.path(), &part)
}

/// A metric's value; 0 until it counts.
pub(crate) fn metric(server: &Strowger, name: &str) -> u64 {
    let text = String::from_utf8_lossy(&server.get("/metrics", "").body).into_owned();
    let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    line.and_then(|value| value.parse::<f64>().ok()).map_or(0, |value| value as u64)
}

/// For how long a media port is left alone after a call (`media::PortPool`), and a little more.
const PORTS_REST: Duration = Duration::from_secs(11);
const TURNED_AWAY: &str = "strowger_security_events_total{kind=\"overload\"}";

#[test]
fn more_calls_than_it_can_take_are_served_or_told_so_and_harm_none_that_is_up() {
    let folder = Folder::new("overload");
    // Fewer than there are ports: what is to run out is time.
    let bounded = ("concurrent_calls = 500, calls_per_second = 100", "concurrent_calls = 300");
    let server = Strowger::provisioned(folder.path(), demo(folder.path(), "", &[bounded]));
    let canary = Canary::sing(folder.path(), &server);
    let bob = agent(folder.path(), &server, "bob", "acme.example", 1, &TALK);
    server.agent_is(ACME, "bob", "available");

    // Faster and faster, until it is too much for this machine, whichever it is. One SIPp is not
    // always fast enough, and it is not for its slowness that this waits.
    let (mut rate, mut sent) = (250, 0);
    while metric(&server, TURNED_AWAY) == 0 {
        assert!(rate <= 64_000, "{sent} calls, and none was too many");
        let calls = (rate * 4).clamp(4000, 8000);
        let floods = (0..(rate / 2000).clamp(1, 4)).map(|_| flood(&folder, &server, rate, calls));
        let floods: Vec<_> = floods.collect();
        // The API answers meanwhile.
        let answer = server.get("/api/v1/agents", ACME);
        assert_eq!(answer.status, 200);
        for flood in floods {
            flood.succeed(LIMIT);
            sent += u64::from(calls);
        }
        rate *= 2;
    }
    server.eventually("the end of its calls", "/api/v1/calls?state=ended", ACME, LIMIT, |_| {
        (metric(&server, "strowger_calls_live") <= 1).then_some(())
    });
    let served = metric(&server, "strowger_call_setup_seconds_count");
    println!("{sent} calls, up to {} a second: {served} served", rate / 2);
    assert!(served >= 100, "{served} of {sent} calls were served: that is a collapse");

    // The ports of all those calls rest: no late packet of one is to be heard in another.
    std::thread::sleep(PORTS_REST);

    // Who calls now is served again, and who talked all the while has heard everything.
    let caller = carrier(folder.path(), &server, CARRIER_A, ACME_SALES, 1, &PATIENT);
    server.agent_is(ACME, "bob", "busy");
    caller.hang_up();
    caller.succeed(LIMIT);
    bob.succeed(LIMIT);
    canary.ends_unharmed(&server);
    assert_eq!(server.stop(), 0);
}
