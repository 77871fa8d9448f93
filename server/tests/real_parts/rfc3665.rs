//! The flows of RFC 3665 on the wire, each under its section: we are the registrar and, as a
//! back-to-back user agent between a carrier and agents' phones, what the RFC's proxies are. Each
//! test checks what crosses the wire at both ends, and where they talk, that they hear each other.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde_json::Value;

use crate::net::free_port;
use crate::parts::{AGENTS, LIMIT};
use crate::provisioning::{acme, trunk};
use crate::sip_client::reply;
use crate::strowger::{ACME, Folder, Strowger};
use crate::ua::{Dialog, Ua, body, field, fields, proof};
use crate::voice::media_address;

/// Where the carrier sends from and is called at.
pub(crate) const CARRIER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 61));
/// Where a phone is after it has moved.
const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 65));

/// Alice speaks, Bob speaks, the carrier's side speaks.
pub(crate) const ALICE_HZ: f64 = 1000.0;
pub(crate) const BOB_HZ: f64 = 700.0;
pub(crate) const CARRIER_HZ: f64 = 440.0;
/// So long each must hear the other.
const TALK_S: f64 = 0.5;

/// Acme's number, and one outside.
pub(crate) const ACME_MAIN: &str = "+15550100";
pub(crate) const OUTSIDE: &str = "+12125550123";

pub(crate) struct Stage {
    pub(crate) server: Strowger,
    // Goes after the server, which writes into it to its last.
    _folder: Folder,
}

/// Acme has alice, bob, a number that rings bob, and a trunk with these targets and keys.
pub(crate) fn stage(name: &str, targets: &[SocketAddr], more: &str) -> Stage {
    // A trunk of a route has a target; where no call goes out, it is nobody.
    let nobody = [SocketAddr::new(CARRIER, 9)];
    let targets = if targets.is_empty() { &nobody } else { targets }.iter().enumerate();
    let targets: Vec<String> = targets
        .map(|(priority, at)| format!("{{ uri = \"sip:{at}\", priority = {priority} }}"))
        .collect();
    let keys = format!("targets = [{}]\nprobe_s = 0\ncountry = \"US\"\n{more}", targets.join(", "));
    let lines = format!(
        r#"
country = "US"
caller_id = "{ACME_MAIN}"
pickup_code = "*8"
routes = [{{ trunk = "outside" }}]
agents = [
    {{ id = "alice", password = "alice-secret", extension = "101", {desk} }},
    {{ id = "bob", password = "bob-secret", extension = "102", {desk} }},
]
flows = [{{ id = "main", steps = [{{ do = "dial", to = "bob" }}] }}]
numbers = [{{ number = "{ACME_MAIN}", flow = "main" }}]
"#,
        desk = r#"loopback_only = true, pickup_groups = ["desk"]"#,
    );
    let folder = Folder::new(name);
    let provisioning = acme(folder.path(), &trunk("outside", CARRIER, &keys), &lines);
    let server = Strowger::provisioned(folder.path(), provisioning);
    Stage { _folder: folder, server }
}

impl Stage {
    pub(crate) fn phone(&self, user: &str, hertz: f64) -> Ua {
        let mut phone = Ua::new(AGENTS, self.server.sip, hertz);
        phone.registers(user);
        phone
    }

    pub(crate) fn carrier(&self) -> Ua {
        Ua::new(CARRIER, self.server.sip, CARRIER_HZ)
    }

    /// The record of the only call, once it is over.
    pub(crate) fn record(&self) -> Value {
        self.server.ended_calls(ACME, 1, LIMIT).remove(0)
    }
}

/// A carrier that is a target of the trunk exists before the server does.
fn target() -> Ua {
    Ua::new(CARRIER, SocketAddr::new(CARRIER, 9), CARRIER_HZ)
}

/// Alice, and a carrier whom the trunk tries after those others.
fn alice_and_a_carrier(name: &str, before: &[SocketAddr], more: &str) -> (Stage, Ua, Ua) {
    let mut carrier = target();
    let targets = [before, &[carrier.at]].concat();
    let stage = stage(name, &targets, more);
    carrier.server = stage.server.sip;
    let alice = stage.phone("alice", ALICE_HZ);
    (stage, alice, carrier)
}

fn alice_and_bob(name: &str) -> (Stage, Ua, Ua) {
    let stage = stage(name, &[], "");
    let bob = stage.phone("bob", BOB_HZ);
    let alice = stage.phone("alice", ALICE_HZ);
    (stage, alice, bob)
}

/// Who was invited rings, as the caller hears.
fn rings(callee: &mut Ua, invite: &str, caller: &mut Ua) {
    callee.respond(invite, "180 Ringing", "", "");
    caller.expect("SIP/2.0 180");
}

/// Who was invited takes the call; the answer that the caller has.
pub(crate) fn answers(
    callee: &mut Ua,
    invite: &str,
    (caller, call): (&mut Ua, &mut Dialog),
) -> String {
    let answer = callee.sdp();
    callee.respond(invite, "200 OK", "", &answer);
    let ok = caller.is_answered(call);
    callee.expect("ACK ");
    ok
}

/// Two ends, each told by the other's last description where to talk to, hear each other.
pub(crate) fn talk(one: (&Ua, &str, f64), other: (&Ua, &str, f64)) {
    one.0.voice.talks_to(body(one.1));
    other.0.voice.talks_to(body(other.1));
    one.0.voice.hears(other.2, TALK_S);
    other.0.voice.hears(one.2, TALK_S);
}

// ------------------------------------------------------------------------- 2, registration

/// A REGISTER for bob with these header fields, asked for its password or not; the last answer.
fn register(phone: &mut Ua, call: &mut Dialog, extra: &str, secret: &str) -> String {
    let strip = |request: String| {
        let contact = request.lines().find(|line| line.starts_with("Contact:")).expect("a line");
        request.replace(&format!("{contact}\r\n"), "")
    };
    call.cseq += 1;
    let request = strip(phone.request(call, "REGISTER", extra, ""));
    phone.send(&request);
    let challenged = phone.expect("SIP/2.0 ");
    if !challenged.starts_with("SIP/2.0 401") {
        return challenged;
    }
    let proof = proof(&challenged, ("bob", secret), "REGISTER", &call.target);
    call.cseq += 1;
    let request = strip(phone.request(call, "REGISTER", &format!("{extra}{proof}"), ""));
    phone.send(&request);
    phone.expect("SIP/2.0 ")
}

/// Bob's phone, not registered, and the dialog-like thing that its REGISTERs share.
fn bobs_phone(stage: &Stage) -> (Ua, Dialog) {
    let mut phone = Ua::new(AGENTS, stage.server.sip, BOB_HZ);
    let mut call = phone.calls("sip:bob@acme.example", "sip:acme.example");
    call.remote = "<sip:bob@acme.example>".to_owned();
    (phone, call)
}

#[test]
fn s2_1_successful_new_registration() {
    let stage = stage("rfc3665-2-1", &[], "");
    let (mut bob, mut call) = bobs_phone(&stage);
    let contact = format!("Contact: <sip:bob@{}>\r\n", bob.at);
    let ok = register(&mut bob, &mut call, &contact, "bob-secret");
    bob.saw("> REGISTER  < 401  > REGISTER  < 200");
    let bindings = fields(&ok, "Contact");
    assert_eq!(bindings.len(), 1, "{ok}");
    assert!(bindings[0].contains(&format!("sip:bob@{}", bob.at)), "{ok}");
    assert!(bindings[0].contains("expires="), "{ok}");
}

#[test]
fn s2_2_update_of_contact_list() {
    let stage = stage("rfc3665-2-2", &[], "");
    let (mut bob, mut call) = bobs_phone(&stage);
    let first = format!("Contact: <sip:bob@{}>\r\n", bob.at);
    register(&mut bob, &mut call, &first, "bob-secret");
    bob.flow.clear();
    let more = format!("Contact: <sip:bob@{AGENTS}:5999>;expires=600\r\n");
    let ok = register(&mut bob, &mut call, &more, "bob-secret");
    assert!(bob.flow.ends_with(&["< 200".to_owned()]), "{:?}", bob.flow);
    let bindings = fields(&ok, "Contact").join("\n");
    assert!(bindings.contains(&bob.at.to_string()), "the first stays: {ok}");
    assert!(bindings.contains(&format!("sip:bob@{AGENTS}:5999")), "the second is there: {ok}");
}

#[test]
fn s2_3_request_for_the_current_contact_list() {
    let stage = stage("rfc3665-2-3", &[], "");
    let (mut bob, mut call) = bobs_phone(&stage);
    let contact = format!("Contact: <sip:bob@{}>\r\n", bob.at);
    register(&mut bob, &mut call, &contact, "bob-secret");
    let ok = register(&mut bob, &mut call, "", "bob-secret");
    assert!(ok.starts_with("SIP/2.0 200"), "{ok}");
    let bindings = fields(&ok, "Contact");
    assert!(bindings.len() == 1 && bindings[0].contains(&bob.at.to_string()), "{ok}");
}

#[test]
fn s2_4_cancellation_of_registration() {
    let stage = stage("rfc3665-2-4", &[], "");
    let (mut bob, mut call) = bobs_phone(&stage);
    let contact = format!("Contact: <sip:bob@{}>\r\n", bob.at);
    register(&mut bob, &mut call, &contact, "bob-secret");
    let ok = register(&mut bob, &mut call, "Contact: *\r\nExpires: 0\r\n", "bob-secret");
    assert!(ok.starts_with("SIP/2.0 200"), "{ok}");
    assert!(fields(&ok, "Contact").is_empty(), "nothing is left: {ok}");
    stage.server.agent_is(ACME, "bob", "offline");
}

/// The RFC asks again (401); we say 403, so that a phone with a wrong password stops asking.
#[test]
fn s2_5_unsuccessful_registration() {
    let stage = stage("rfc3665-2-5", &[], "");
    let (mut bob, mut call) = bobs_phone(&stage);
    let contact = format!("Contact: <sip:bob@{}>\r\n", bob.at);
    let refused = register(&mut bob, &mut call, &contact, "mallory-secret");
    assert!(refused.starts_with("SIP/2.0 403"), "{refused}");
    bob.saw("> REGISTER  < 401  > REGISTER  < 403");
    stage.server.agent_is(ACME, "bob", "offline");
}

// --------------------------------------------------------------------- 3, session establishment

#[test]
fn s3_1_successful_session_establishment() {
    let (stage, mut alice, mut bob) = alice_and_bob("rfc3665-3-1");
    let mut call = alice.dials("alice", "bob");
    let invite = bob.expect("INVITE ");
    rings(&mut bob, &invite, &mut alice);
    let ok = answers(&mut bob, &invite, (&mut alice, &mut call));
    talk((&alice, &ok, ALICE_HZ), (&bob, &invite, BOB_HZ));
    // As in the RFC, the callee hangs up.
    let mut leg = bob.dialog_of(&invite);
    bob.hangs_up(&mut leg);
    alice.hears_bye();
    alice.saw("> INVITE  < 407  > ACK  > INVITE  < 180  < 200  > ACK  < BYE  > 200");
    bob.saw("< INVITE  > 180  > 200  < ACK  > BYE  < 200");
    assert_eq!(stage.record()["cause"], "normal");
}

#[test]
fn s3_2_session_establishment_through_two_proxies() {
    let (stage, mut alice, mut carrier) = alice_and_a_carrier("rfc3665-3-2", &[], "");
    let mut call = alice.dials("alice", OUTSIDE);
    let invite = carrier.expect("INVITE ");
    assert!(invite.contains(&format!("INVITE sip:{OUTSIDE}@{}", carrier.at)), "{invite}");
    // Two proxies of the carrier stay in the dialog, the nearer one last in the list.
    let (far, near) =
        (format!("<sip:{}:5999;lr>", "127.0.0.68"), format!("<sip:{};lr>", carrier.at));
    let route = format!("Record-Route: {far}\r\nRecord-Route: {near}\r\n");
    carrier.respond(&invite, "180 Ringing", &route, "");
    alice.expect("SIP/2.0 180");
    let answer = carrier.sdp();
    carrier.respond(&invite, "200 OK", &route, &answer);
    let ok = alice.expect("SIP/2.0 200");
    assert!(fields(&ok, "Record-Route").is_empty(), "the carrier's proxies are its own: {ok}");
    alice.ack(&mut call, &ok, "");
    let ack = carrier.expect("ACK ");
    talk((&alice, &ok, ALICE_HZ), (&carrier, &invite, CARRIER_HZ));
    alice.hangs_up(&mut call);
    let bye = carrier.hears_bye();
    for request in [ack, bye] {
        assert!(request.contains(&format!(" sip:ua@{} SIP/2.0", carrier.at)), "{request}");
        let routes = fields(&request, "Route").join(", ").replace(",<", ", <");
        assert_eq!(routes, format!("{near}, {far}"), "nearest first: {request}");
    }
    alice.saw("> INVITE  < 407  > ACK  > INVITE  < 180  < 200  > ACK  > BYE  < 200");
    carrier.saw("< INVITE  > 180  > 200  < ACK  < BYE  > 200");
    assert_eq!(stage.record()["cause"], "normal");
}

#[test]
fn s3_3_session_with_multiple_proxy_authentication() {
    let login = "authenticate = { user = \"4930123\", password = \"4930123-secret\" }";
    let (stage, mut alice, mut carrier) = alice_and_a_carrier("rfc3665-3-3", &[], login);
    let mut call = alice.dials("alice", OUTSIDE);
    let first = carrier.expect("INVITE ");
    assert!(!first.contains("Proxy-Authorization"), "alice's proof is for us alone: {first}");
    let challenge = "Proxy-Authenticate: Digest realm=\"carrier.example\", nonce=\"f84f1cec\", \
                     algorithm=MD5, qop=\"auth\"\r\n";
    carrier.respond(&first, "407 Proxy Authentication Required", challenge, "");
    carrier.expect("ACK ");
    let invite = carrier.expect("INVITE ");
    let shown = field(&invite, "Proxy-Authorization");
    assert!(shown.contains("username=\"4930123\""), "{invite}");
    proves(&shown, "4930123", "4930123-secret", "INVITE");
    assert_eq!(field(&invite, "Call-ID"), field(&first, "Call-ID"));
    rings(&mut carrier, &invite, &mut alice);
    let ok = answers(&mut carrier, &invite, (&mut alice, &mut call));
    talk((&alice, &ok, ALICE_HZ), (&carrier, &invite, CARRIER_HZ));
    alice.hangs_up(&mut call);
    carrier.hears_bye();
    alice.saw("> INVITE  < 407  > ACK  > INVITE  < 180  < 200  > ACK  > BYE  < 200");
    carrier.saw("< INVITE  > 407  < ACK  < INVITE  > 180  > 200  < ACK  < BYE  > 200");
    assert_eq!(stage.record()["cause"], "normal");
}

/// Reckons a digest again from what it says of itself (RFC 7616 §3.4.1).
fn proves(shown: &str, user: &str, password: &str, method: &str) {
    let value = |name: &str| {
        let parts = shown.trim_start_matches("Digest ").split(',').map(str::trim);
        let found = parts.filter_map(|part| part.strip_prefix(&format!("{name}="))).next();
        found.unwrap_or_else(|| panic!("no {name} in {shown}")).trim_matches('"').to_owned()
    };
    let md5 = |text: String| {
        use md5::Digest;
        md5::Md5::digest(text.as_bytes()).iter().map(|b| format!("{b:02x}")).collect::<String>()
    };
    let ha1 = md5(format!("{user}:{}:{password}", value("realm")));
    let ha2 = md5(format!("{method}:{}", value("uri")));
    let (nonce, nc, cnonce) = (value("nonce"), value("nc"), value("cnonce"));
    assert_eq!(value("response"), md5(format!("{ha1}:{nonce}:{nc}:{cnonce}:auth:{ha2}")));
}

#[test]
fn s3_4_successful_session_with_proxy_failure() {
    let dead = SocketAddr::new(CARRIER, free_port(CARRIER));
    let (stage, mut alice, mut carrier) = alice_and_a_carrier("rfc3665-3-4", &[dead], "");
    let mut call = alice.dials("alice", OUTSIDE);
    let invite = carrier.expect("INVITE ");
    rings(&mut carrier, &invite, &mut alice);
    let ok = answers(&mut carrier, &invite, (&mut alice, &mut call));
    talk((&alice, &ok, ALICE_HZ), (&carrier, &invite, CARRIER_HZ));
    alice.hangs_up(&mut call);
    carrier.hears_bye();
    alice.saw("> INVITE  < 407  > ACK  > INVITE  < 180  < 200  > ACK  > BYE  < 200");
    carrier.saw("< INVITE  > 180  > 200  < ACK  < BYE  > 200");
    let record = stage.record();
    assert_eq!(record["cause"], "normal");
    let ladder = format!("/api/v1/calls/{}/ladder", record["id"].as_str().expect("its id"));
    let ladder = stage.server.data(&ladder, ACME).to_string();
    assert!(ladder.contains(&dead.to_string()), "the dead one was asked first: {ladder}");
}

#[test]
fn s3_5_session_through_a_sip_alg() {
    let stage = stage("rfc3665-3-5", &[], "");
    let mut bob = stage.phone("bob", BOB_HZ);
    let mut carrier = stage.carrier();
    let to = format!("sip:{ACME_MAIN}@acme.example");
    let offer = carrier.sdp();
    let mut call = carrier.invites("sip:+12125550123@carrier.example", &to, &offer);
    let invite = bob.expect("INVITE ");
    // Bob is behind NAT: he names an address that nobody outside reaches, and speaks from another.
    let answer = bob.sdp_at("192.168.77.20", 40_004);
    bob.respond(&invite, "200 OK", "", &answer);
    let ok = carrier.is_answered(&mut call);
    bob.expect("ACK ");
    for (message, other) in [(&invite, &carrier), (&ok, &bob)] {
        assert!(!message.contains(&other.at.to_string()), "{message}");
        assert!(!message.contains("192.168.77.20"), "{message}");
        let media = media_address(body(message));
        assert_eq!(media.ip(), stage.server.sip.ip(), "media is anchored here: {message}");
        assert_ne!(media, other.voice.at);
    }
    talk((&carrier, &ok, CARRIER_HZ), (&bob, &invite, BOB_HZ));
    carrier.hangs_up(&mut call);
    bob.hears_bye();
    carrier.saw("> INVITE  < 200  > ACK  > BYE  < 200");
    bob.saw("< INVITE  > 200  < ACK  < BYE  > 200");
    assert_eq!(stage.record()["cause"], "normal");
}

#[test]
fn s3_6_session_via_redirect_and_proxy_servers_with_sdp_in_ack() {
    let mut redirecting = target();
    let (stage, mut alice, mut carrier) = alice_and_a_carrier("rfc3665-3-6", &[redirecting.at], "");
    redirecting.server = stage.server.sip;
    let mut call = alice.dials_with("alice", OUTSIDE, "");
    let asked = redirecting.expect("INVITE ");
    let elsewhere = format!("Contact: <sip:{OUTSIDE}@{}>\r\n", carrier.at);
    let moved = reply(&asked, "302 Moved Temporarily", "sip:x", "");
    redirecting.send(&moved.replace("Contact: <sip:x>\r\n", &elsewhere));
    redirecting.expect("ACK ");
    let invite = carrier.expect("INVITE ");
    rings(&mut carrier, &invite, &mut alice);
    let answer = carrier.sdp();
    carrier.respond(&invite, "200 OK", "", &answer);
    let ok = alice.expect("SIP/2.0 200");
    assert!(body(&ok).starts_with("v=0"), "the offer is ours: {ok}");
    let late = alice.sdp();
    alice.ack(&mut call, &ok, &late);
    carrier.expect("ACK ");
    talk((&alice, &ok, ALICE_HZ), (&carrier, &invite, CARRIER_HZ));
    alice.hangs_up(&mut call);
    carrier.hears_bye();
    redirecting.saw("< INVITE  > 302  < ACK");
    carrier.saw("< INVITE  > 180  > 200  < ACK  < BYE  > 200");
    alice.saw("> INVITE  < 407  > ACK  > INVITE  < 180  < 200  > ACK  > BYE  < 200");
    assert_eq!(stage.record()["cause"], "normal");
}

#[test]
fn s3_7_session_with_reinvite_ip_address_change() {
    let stage = stage("rfc3665-3-7", &[], "");
    let mut bob = stage.phone("bob", BOB_HZ);
    let mut carrier = stage.carrier();
    let to = format!("sip:{ACME_MAIN}@acme.example");
    let offer = carrier.sdp();
    let mut call = carrier.invites("sip:+12125550123@carrier.example", &to, &offer);
    let invite = bob.expect("INVITE ");
    let ok = answers(&mut bob, &invite, (&mut carrier, &mut call));
    talk((&carrier, &ok, CARRIER_HZ), (&bob, &invite, BOB_HZ));

    // Bob is somewhere else now, and shows that it is he.
    let mut moved = Ua::new(ELSEWHERE, stage.server.sip, ALICE_HZ);
    let mut leg = bob.dialog_of(&invite);
    let offer = moved.sdp();
    moved.ask_as("bob", &mut leg, "INVITE", "", &offer);
    let taken = moved.is_answered(&mut leg);
    talk((&carrier, &ok, CARRIER_HZ), (&moved, &taken, ALICE_HZ));

    // The carrier moves too, within its network, and is not asked for anything.
    let mut other = stage.carrier();
    let offer = other.sdp();
    other.ask(&mut call, "INVITE", "", &offer);
    other.talks(&mut call);
    other.voice.hears(ALICE_HZ, TALK_S);
    moved.voice.hears(CARRIER_HZ, TALK_S);
    moved.hangs_up(&mut leg);
    other.hears_bye();
    moved.saw("> INVITE  < 407  > ACK  > INVITE  < 200  > ACK  > BYE  < 200");
    other.saw("> INVITE  < 200  > ACK  < BYE  > 200");
    bob.saw("< INVITE  > 200  < ACK");
    carrier.saw("> INVITE  < 200  > ACK");
    assert_eq!(stage.record()["cause"], "normal");
}

#[test]
fn s3_8_unsuccessful_no_answer() {
    let (stage, mut alice, mut bob) = alice_and_bob("rfc3665-3-8");
    let call = alice.dials("alice", "bob");
    let invite = bob.expect("INVITE ");
    rings(&mut bob, &invite, &mut alice);
    alice.cancel(&call);
    let refused = alice.expect("SIP/2.0 487");
    alice.ack_refusal(&call, &refused);
    let cancel = bob.expect("CANCEL ");
    bob.respond(&cancel, "200 OK", "", "");
    bob.respond(&invite, "487 Request Terminated", "", "");
    bob.expect("ACK ");
    alice.saw("> INVITE  < 407  > ACK  > INVITE  < 180  > CANCEL  < 200  < 487  > ACK");
    bob.saw("< INVITE  > 180  < CANCEL  > 200  > 487  < ACK");
    assert_eq!(stage.record()["cause"], "caller_abandoned");
}

/// Bob's phone refuses with that status; alice hears it, with the cause a telephone network has.
fn refused(name: &str, status: &str, q850: u8, cause: &str) {
    let (stage, mut alice, mut bob) = alice_and_bob(name);
    let call = alice.dials("alice", "bob");
    let invite = bob.expect("INVITE ");
    bob.respond(&invite, status, "", "");
    bob.expect("ACK ");
    let code = &status[..3];
    let heard = alice.expect(&format!("SIP/2.0 {code}"));
    assert!(field(&heard, "Reason").starts_with(&format!("Q.850;cause={q850}")), "{heard}");
    alice.ack_refusal(&call, &heard);
    alice.saw(&format!("> INVITE  < 407  > ACK  > INVITE  < {code}  > ACK"));
    bob.saw(&format!("< INVITE  > {code}  < ACK"));
    assert_eq!(stage.record()["cause"], cause);
}

#[test]
fn s3_9_unsuccessful_busy() {
    refused("rfc3665-3-9", "486 Busy Here", 17, "busy");
}

/// The whole series, seven in 32 s, is shown on a virtual clock (`switch/tests/attempt.rs`); here
/// bob's phones have twenty seconds, as his forwards say.
#[test]
fn s3_10_unsuccessful_no_response_from_user_agent() {
    let (stage, mut alice, mut bob) = alice_and_bob("rfc3665-3-10");
    let call = alice.dials("alice", "bob");
    let refused = alice.expect("SIP/2.0 480");
    alice.ack_refusal(&call, &refused);
    bob.expect("INVITE ");
    alice.saw("> INVITE  < 407  > ACK  > INVITE  < 480  > ACK");
    bob.saw("< INVITE");
    assert!(bob.repeated > 0, "it was asked again");
    assert_eq!(stage.record()["cause"], "no_answer");
}

#[test]
fn s3_11_unsuccessful_temporarily_unavailable() {
    refused("rfc3665-3-11", "480 Temporarily Unavailable", 18, "no_answer");
}

// ------------------------------------------------------ RFC 3666 §3.3, what the network refuses

/// What the carrier says, what alice hears, and what the record says.
const REFUSALS: [(&str, u8, u16, u8, &str); 10] = [
    ("404 Not Found", 1, 404, 1, "no_route"),
    ("410 Gone", 22, 410, 22, "no_route"),
    ("484 Address Incomplete", 28, 484, 28, "no_route"),
    ("486 Busy Here", 17, 486, 17, "busy"),
    ("480 Temporarily Unavailable", 19, 480, 19, "no_answer"),
    ("408 Request Timeout", 18, 480, 18, "no_answer"),
    ("603 Decline", 21, 603, 21, "rejected"),
    // A gateway that wraps a busy callee into a status of its own.
    ("500 Server Internal Error", 17, 486, 17, "busy"),
    ("502 Bad Gateway", 27, 503, 27, "unavailable"),
    ("503 Service Unavailable", 34, 503, 34, "unavailable"),
];

#[test]
fn rfc_3666_causes_of_the_telephone_network_reach_the_caller_and_the_record() {
    let (stage, mut alice, mut carrier) = alice_and_a_carrier("rfc3666-causes", &[], "");
    for (number, (status, given, heard, told, cause)) in REFUSALS.into_iter().enumerate() {
        let call = alice.dials("alice", OUTSIDE);
        let invite = carrier.expect("INVITE ");
        let reason = format!("Reason: Q.850;cause={given}\r\n");
        carrier.respond(&invite, status, &reason, "");
        carrier.expect("ACK ");
        let refused = alice.expect(&format!("SIP/2.0 {heard}"));
        let shown = field(&refused, "Reason");
        assert!(shown.starts_with(&format!("Q.850;cause={told}")), "{status}: {refused}");
        alice.ack_refusal(&call, &refused);
        let calls = stage.server.ended_calls(ACME, number + 1, LIMIT);
        let newest = calls.iter().max_by_key(|call| call["started_at"].to_string());
        assert_eq!(newest.map(|call| &call["cause"]), Some(&Value::from(cause)), "{calls:#?}");
    }
}
