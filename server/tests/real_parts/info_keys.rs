//! Keys that a foreign phone tells by INFO in mid-call, in both ways that are usual, whatever codec
//! its leg has and though it has agreed to no events: SIPp is the phone, as a carrier's or as an
//! agent's. The other side gets them as RFC 4733 events, and a menu takes them.

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use crate::parts::{AGENTS, LIMIT, agent, carrier};
use crate::provisioning::{acme, trunk};
use crate::scenario::{Info, Step};
use crate::strowger::{ACME, Folder, Strowger};
use crate::ua::{Ua, body};
use crate::voice::Voice;

const CALLERS: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 68));
/// A menu that leads to sales; and sales at once.
const MENU: &str = "+15550100";
const SALES: &str = "+15550101";

const OPUS: &str = "m=audio [media_port] RTP/AVP 96\na=rtpmap:96 opus/48000/2\n";
const G722: &str = "m=audio [media_port] RTP/AVP 9\na=rtpmap:9 G722/8000\n";
const PCMU: &str = "m=audio [media_port] RTP/AVP 0\na=rtpmap:0 PCMU/8000\n";

const RELAY: &str = "application/dtmf-relay";
const BARE: &str = "application/dtmf";

fn server(folder: &Folder) -> Strowger {
    let lines = format!(
        r#"
prompts = [{{ id = "ask", tone = "dial" }}]
agents = [{{ id = "alice", name = "Alice", password = "alice-secret", loopback_only = true,
    available_on_register = true, codecs = ["opus", "G722", "PCMU"] }}]
queues = [{{ id = "sales", music = "ask", agents = ["alice"] }}]
flows = [
    {{ id = "choice", steps = [
        {{ do = "menu", prompt = "ask", wait = {{ first_s = 60 }}, choices = [
            {{ digits = "2", queue = "sales" }} ] }},
        {{ do = "hangup", cause = "unavailable" }} ] }},
    {{ id = "sales", steps = [{{ do = "queue", queue = "sales" }}] }},
]
numbers = [{{ number = "{MENU}", flow = "choice" }}, {{ number = "{SALES}", flow = "sales" }}]
"#
    );
    let trunk = trunk("callers", CALLERS, r#"codecs = ["opus", "G722", "PCMU"]"#);
    Strowger::provisioned(folder.path(), acme(folder.path(), &trunk, &lines))
}

const fn told(cseq: u32, kind: &'static str, body: &'static str) -> Info {
    Info { cseq, kind, body }
}

/// Waits until these keys have come, and looks at the packets of each: they last longer and longer,
/// and the last three say that it is over.
#[track_caller]
fn is_pressed(voice: &Voice, keys: &str) {
    let deadline = Instant::now() + LIMIT;
    while voice.keys() != keys || voice.presses().last().is_none_or(|last| last.ends < 3) {
        assert!(Instant::now() < deadline, "{:?} and not {keys}", voice.presses());
        std::thread::sleep(Duration::from_millis(20));
    }
    for press in voice.presses() {
        let lasts = press.lengths.last().copied().unwrap_or_default();
        let ended = press.lengths.iter().filter(|length| **length == lasts).count();
        assert!(press.lengths.is_sorted() && press.ends == 3 && ended >= 3, "{press:?}");
        assert!((8 * 100..=8 * 300).contains(&lasts), "{press:?}");
    }
}

/// The codec of a leg of the one call that there was.
fn codec_of(server: &Strowger, kind: &str) -> String {
    let call = server.ended_calls(ACME, 1, LIMIT).remove(0);
    let legs = call["legs"].as_array().expect("its legs");
    let leg = legs.iter().find(|leg| leg["kind"] == kind).expect("the leg");
    leg["codec"].as_str().expect("its codec").to_owned()
}

/// An agent's phone with that codec alone: what it tells by INFO its caller gets as events.
fn an_agent_presses(name: &str, audio: &'static str, codec: &str) {
    let folder = Folder::new(name);
    let server = server(&folder);
    let steps = [
        Step::ExpectInvite,
        Step::Answer(180),
        Step::AcceptOf(audio),
        Step::AgentTell(told(1, RELAY, "Signal=4\nDuration=160\n")),
        Step::AgentTell(told(2, BARE, "9")),
        Step::AgentTell(told(3, RELAY, "Signal=*\nDuration=250\n")),
        Step::AgentTell(told(4, BARE, "11\n")),
        Step::ExpectBye,
    ];
    let phone = agent(folder.path(), &server, "alice", "acme.example", 1, &steps);
    server.agent_is(ACME, "alice", "available");
    let mut caller = Ua::new(CALLERS, server.sip, 440.0);
    let offer = caller.sdp_with_keys();
    let mut call = caller.calls_in(SALES, &offer);
    caller.talks(&mut call);
    is_pressed(&caller.voice, "49*#");
    caller.hangs_up(&mut call);
    phone.succeed(LIMIT);
    assert_eq!(codec_of(&server, "agent"), codec);
}

#[test]
fn what_an_agents_phone_with_opus_tells_by_info_its_caller_gets_as_events() {
    an_agent_presses("info-agent-opus", OPUS, "opus");
}

#[test]
fn what_an_agents_phone_with_g722_tells_by_info_its_caller_gets_as_events() {
    an_agent_presses("info-agent-g722", G722, "G722");
}

#[test]
fn what_an_agents_phone_with_pcmu_and_no_events_tells_by_info_its_caller_gets_as_events() {
    an_agent_presses("info-agent-pcmu", PCMU, "PCMU");
}

/// A carrier with that codec alone: a menu takes what it tells by INFO, the event says the key, and
/// the agent who takes the call gets the keys that follow as events.
fn a_carrier_presses(name: &str, audio: &'static str, codec: &str, choice: Info) {
    let folder = Folder::new(name);
    let server = server(&folder);
    let mut alice = Ua::new(AGENTS, server.sip, 1000.0);
    alice.registers("alice");
    server.agent_is(ACME, "alice", "available");
    let steps = [
        Step::InviteOf(audio),
        Step::MayCome(100),
        Step::MayCome(180),
        Step::Expect(200),
        Step::Ack,
        Step::Tell(choice),
        Step::Told,
        Step::Tell(told(3, BARE, "4")),
        Step::Tell(told(4, RELAY, "Signal=9\nDuration=160\n")),
        Step::Tell(told(5, BARE, "#\n")),
        Step::Told,
        Step::Bye,
    ];
    let caller = carrier(folder.path(), &server, CALLERS, MENU, 1, &steps);
    let invite = alice.expect("INVITE ");
    let answer = alice.sdp_with_keys();
    alice.respond(&invite, "200 OK", "", &answer);
    alice.expect("ACK ");
    alice.voice.talks_to(body(&invite));
    caller.hang_up();
    is_pressed(&alice.voice, "49#");
    caller.hang_up();
    alice.hears_bye();
    caller.succeed(LIMIT);
    assert_eq!(codec_of(&server, "caller"), codec);
    let call = server.ended_calls(ACME, 1, LIMIT).remove(0);
    let id = call["id"].as_str().expect("its id");
    let events = server.data(&format!("/api/v1/calls/{id}/events?per_page=200"), ACME);
    let digits = events.as_array().expect("events").iter();
    let digits: Vec<_> = digits.filter(|event| event["type"] == "call.digits").collect();
    assert_eq!(digits.len(), 1, "{digits:?}");
    assert_eq!(digits[0]["data"]["digits"], "2", "{digits:?}");
}

#[test]
fn what_a_carrier_with_opus_tells_by_info_a_menu_takes_and_an_agent_gets_as_events() {
    let choice = told(2, RELAY, "Signal=2\nDuration=160\n");
    a_carrier_presses("info-carrier-opus", OPUS, "opus", choice);
}

#[test]
fn what_a_carrier_with_g722_tells_by_info_a_menu_takes_and_an_agent_gets_as_events() {
    a_carrier_presses("info-carrier-g722", G722, "G722", told(2, BARE, "2"));
}

#[test]
fn what_a_carrier_with_pcmu_and_no_events_tells_by_info_a_menu_takes_and_an_agent_gets_as_events() {
    a_carrier_presses("info-carrier-pcmu", PCMU, "PCMU", told(2, BARE, "2\r\n"));
}
