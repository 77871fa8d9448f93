//! Calls to numbers outside: what a trunk gets, early media, failover, passwords, redirections,
//! limits, and calls for help.

use std::net::SocketAddr;

use media::{Channel, Command};
use sip::{Message, Name};
use switch::{CallDirection, Cause, EndedBy, LegKind};

use crate::rig::{ALICE, Asked, BOB, DEMO, Phone, Rig, SDP_PCMU, header, sdp};

/// The carriers' servers.
pub(crate) const ONE: SocketAddr = SocketAddr::new(ip(51), 5060);
const ONE_B: SocketAddr = SocketAddr::new(ip(52), 5060);
pub(crate) const TWO: SocketAddr = SocketAddr::new(ip(53), 5070);

const fn ip(last: u8) -> std::net::IpAddr {
    std::net::IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, last))
}

const TRUNKS: &str = r#"
[[trunks]]
id = "one"
sources = ["127.0.0.51"]
targets = [{ uri = "sip:127.0.0.51" }, { uri = "sip:127.0.0.52", priority = 1 }]
probe_s = 0
concurrent_calls = 2
authenticate = { user = "acme", password = "trunk-secret-of-acme", realm = "one.example" }
trusts_identity = true
headers = [
    { direction = "outbound", action = "set", name = "X-Account", value = "4711" },
    { direction = "outbound", action = "pass", name = "X-Ticket" },
]

[[trunks]]
id = "two"
sources = ["127.0.0.53"]
targets = [{ uri = "sip:127.0.0.53:5070" }]
probe_s = 0
codecs = ["PCMA"]
format = "international00"
"#;

const ROUTES: &str = r#"country = "US"
caller_id = "+15550100"
routes = [
    { prefix = "+1", trunk = "one", priority = 1 },
    { prefix = "+1", trunk = "two", priority = 2 },
]
limits = { international = true }
skills = [{ id = "sales" }, { id = "billing" }]"#;

fn provisioning() -> String {
    let tenant = DEMO.replace(r#"skills = [{ id = "sales" }, { id = "billing" }]"#, ROUTES);
    format!("{TRUNKS}{tenant}")
}

pub(crate) fn rig() -> Rig {
    let mut rig = Rig::with(&provisioning());
    rig.register_both();
    rig
}

/// Alice dials and the first carrier gets the INVITE.
pub(crate) fn dial(rig: &mut Rig) -> (Asked, Phone) {
    let alice =
        rig.agent_dials(ALICE, "alice", "+12125550123", "X-Ticket: 99\r\nX-Pbx: secret\r\n");
    let invite = rig.expect(ONE, "INVITE");
    (alice, Phone::new(ONE, invite))
}

fn text(message: &Message) -> String {
    String::from_utf8_lossy(message.bytes()).into_owned()
}

#[test]
fn an_agent_dials_out_and_nothing_of_the_agents_side_is_shown() {
    let mut rig = rig();
    let (mut alice, carrier) = dial(&mut rig);
    let invite = &carrier.invite;
    assert_eq!(invite.uri_text(), "sip:+12125550123@127.0.0.51");
    assert!(header(invite, "From").starts_with("<sip:+15550100@127.0.0.1>;tag="));
    assert_eq!(header(invite, "P-Asserted-Identity"), "<sip:+15550100@127.0.0.1>");
    assert_eq!(
        (header(invite, "X-Account"), header(invite, "X-Ticket")),
        ("4711".into(), "99".into())
    );
    assert_eq!(header(invite, "Max-Forwards"), "69");
    let shown = text(invite);
    for hidden in ["alice", "127.0.0.11", "acme.example", &alice.call_id, "X-Pbx", "secret"] {
        assert!(!shown.contains(hidden), "{hidden} is in\n{shown}");
    }
    assert_eq!(invite.headers(Name::VIA).count(), 1);
    rig.send(ONE, &carrier.respond("180 Ringing", None));
    rig.expect(ALICE, "SIP/2.0 180");
    rig.advance_ms(4000);
    rig.phone_answers(&carrier);
    let ok = rig.expect(ALICE, "SIP/2.0 200");
    let shown = text(&ok);
    assert!(!shown.contains("127.0.0.51"), "nor the trunk to the agent:\n{shown}");
    rig.agent_acks(&mut alice, &ok);
    let taps: Vec<Channel> = rig.commands.iter().filter_map(tap).collect();
    assert_eq!(taps, [Channel::Left, Channel::Right]);
    rig.advance_ms(6000);
    let mut carrier = carrier;
    rig.send(ONE, &carrier.next("BYE", None));
    rig.expect(ONE, "SIP/2.0 200");
    rig.confirm_bye(ALICE);

    let record = rig.record();
    assert_eq!(record.direction, CallDirection::Outbound);
    assert_eq!(record.trunk.as_ref().unwrap().as_str(), "one");
    assert_eq!(record.ended_by, EndedBy::Callee);
    assert_eq!((record.from.as_str(), record.to.as_str()), ("alice", "+12125550123"));
    assert!(record.recording.is_some(), "the tenant records its calls");
    let kinds: Vec<LegKind> = record.legs.iter().map(|leg| leg.kind).collect();
    assert_eq!(kinds, [LegKind::Agent, LegKind::Trunk]);
    rig.finish();
}

fn tap(command: &Command) -> Option<Channel> {
    match command {
        Command::Tap { channel, .. } => Some(*channel),
        _ => None,
    }
}

#[test]
fn what_the_carrier_plays_before_the_answer_is_heard() {
    let mut rig = rig();
    let (mut alice, carrier) = dial(&mut rig);
    rig.send(ONE, &carrier.respond("183 Session Progress", Some(SDP_PCMU)));
    let early = rig.expect(ALICE, "SIP/2.0 183");
    assert_eq!(early.content_type(), Some("application/sdp"));
    assert!(rig.commands.iter().any(|c| matches!(c, Command::Bridge { .. })));
    rig.send(ONE, &carrier.respond("180 Ringing", None));
    rig.phone_answers(&carrier);
    let ok = rig.expect(ALICE, "SIP/2.0 200");
    assert_eq!((ok.to_tag(), ok.body()), (early.to_tag(), early.body()), "the same answer");
    rig.agent_acks(&mut alice, &ok);
    rig.agent_hangs_up(&mut alice, "");
    rig.confirm_bye(ONE);
    rig.finish();
}

#[test]
fn a_caller_who_sends_nothing_before_the_answer_is_not_given_up() {
    let mut rig = rig();
    let (alice, carrier) = dial(&mut rig);
    rig.send(ONE, &carrier.respond("183 Session Progress", Some(SDP_PCMU)));
    rig.expect(ALICE, "SIP/2.0 183");
    rig.advance_ms(60_000);
    let stream = rig.streams()[0];
    rig.media(media::Event::RtpTimeout { stream });
    assert!(rig.records.is_empty());
    rig.send(ONE, &carrier.respond("480 Temporarily Unavailable", None));
    rig.expect(ONE, "ACK");
    let refused = rig.expect_final(ALICE);
    rig.send(ALICE, &alice.ack(&refused));
    assert_eq!(rig.record().cause, Cause::NoAnswer);
    rig.finish();
}

#[test]
fn a_200_from_another_branch_of_a_fork_brings_its_own_media() {
    let mut rig = rig();
    let (mut alice, carrier) = dial(&mut rig);
    rig.send(ONE, &carrier.respond("183 Session Progress", Some(SDP_PCMU)));
    let mut other = carrier.clone();
    other.tag = "other-branch".to_owned();
    let elsewhere = SDP_PCMU.replace("40000", "41000");
    rig.expect(ALICE, "SIP/2.0 183");
    rig.send(ONE, &other.respond("200 OK", Some(&elsewhere)));
    rig.expect(ONE, "ACK");
    rig.agent_is_answered(&mut alice);
    let ports: Vec<u16> = rig.commands.iter().filter_map(remote_port).collect();
    assert_eq!(ports.last(), Some(&41000));
    // The first branch answers as well: it is hung up, the call goes on.
    rig.phone_answers(&carrier);
    rig.confirm_bye(ONE);
    assert!(rig.records.is_empty());
    rig.agent_hangs_up(&mut alice, "");
    rig.confirm_bye(ONE);
    rig.finish();
}

fn remote_port(command: &Command) -> Option<u16> {
    match command {
        Command::SetRemote { remote, .. } => Some(remote.rtp.port()),
        _ => None,
    }
}

#[test]
fn a_carrier_that_says_nothing_is_left_within_two_seconds_for_its_other_server() {
    let mut rig = rig();
    let (mut alice, _) = dial(&mut rig);
    rig.advance_ms(1900);
    let second = Phone::new(ONE_B, rig.expect(ONE_B, "INVITE"));
    rig.phone_answers(&second);
    rig.agent_is_answered(&mut alice);
    rig.agent_hangs_up(&mut alice, "");
    rig.confirm_bye(ONE_B);
    // The INVITE that nobody answered is waited for a while.
    rig.advance_ms(2000);
    assert_eq!(rig.record().trunk.as_ref().unwrap().as_str(), "one");
    rig.finish();
}

#[test]
fn a_503_leads_to_the_next_server_and_then_to_the_next_trunk() {
    let mut rig = rig();
    let (mut alice, carrier) = dial(&mut rig);
    rig.send(ONE, &carrier.respond("503 Service Unavailable", None));
    rig.expect(ONE, "ACK");
    let second = Phone::new(ONE_B, rig.expect(ONE_B, "INVITE"));
    rig.send(ONE_B, &second.respond("503 Service Unavailable", None));
    rig.expect(ONE_B, "ACK");
    let third = Phone::new(TWO, rig.expect(TWO, "INVITE sip:0012125550123@127.0.0.53:5070"));
    let offer = String::from_utf8(third.invite.body().to_vec()).unwrap();
    assert!(offer.contains("RTP/AVP 8 101"), "its codecs only: {offer}");
    assert!(third.invite.header(Name::P_ASSERTED_IDENTITY).is_none(), "not trusted");
    let pcma = SDP_PCMU.replace("RTP/AVP 0 8 101", "RTP/AVP 8 101");
    rig.send(TWO, &third.respond("200 OK", Some(&pcma)));
    rig.expect(TWO, "ACK");
    rig.agent_is_answered(&mut alice);
    rig.agent_hangs_up(&mut alice, "");
    rig.confirm_bye(TWO);
    let record = rig.record();
    assert_eq!(record.trunk.as_ref().unwrap().as_str(), "two");
    assert_eq!(record.cause, Cause::Normal);
    rig.finish();
}

#[test]
fn once_the_callee_rings_or_has_spoken_no_other_trunk_is_tried() {
    for (first, status, shown) in [
        (Some("180 Ringing"), "503 Service Unavailable", "SIP/2.0 503"),
        (None, "486 Busy Here", "SIP/2.0 486"),
        (None, "404 Not Found", "SIP/2.0 404"),
        (None, "603 Decline", "SIP/2.0 603"),
    ] {
        let mut rig = rig();
        let (alice, carrier) = dial(&mut rig);
        if let Some(first) = first {
            rig.send(ONE, &carrier.respond(first, None));
        }
        rig.send(ONE, &carrier.respond(status, None));
        rig.expect(ONE, "ACK");
        let refused = rig.expect_final(ALICE);
        assert!(text(&refused).starts_with(shown), "{shown}");
        rig.send(ALICE, &alice.ack(&refused));
        rig.advance_ms(5000);
        rig.expect_silence(ONE_B);
        rig.expect_silence(TWO);
        assert_eq!(rig.record().ended_by, EndedBy::Callee);
        rig.finish();
    }
}

#[test]
fn a_challenge_is_answered_with_the_trunks_password_and_a_foreign_realm_is_not() {
    let challenge = |realm: &str| {
        format!("Proxy-Authenticate: Digest realm=\"{realm}\", nonce=\"abc\", qop=\"auth\"\r\n")
    };
    let mut rig = rig();
    let (mut alice, carrier) = dial(&mut rig);
    let refusal = |phone: &Phone, realm: &str| {
        let text = phone.respond("407 Proxy Authentication Required", None);
        text.replace("Content-Length: 0\r\n", &format!("{}Content-Length: 0\r\n", challenge(realm)))
    };
    rig.send(ONE, &refusal(&carrier, "one.example"));
    rig.expect(ONE, "ACK");
    let again = Phone::new(ONE, rig.expect(ONE, "INVITE"));
    assert_eq!(again.invite.call_id(), carrier.invite.call_id());
    assert_eq!(again.invite.cseq().unwrap(), 2);
    assert!(header(&again.invite, "Proxy-Authorization").contains("username=\"acme\""));
    rig.send(ONE, &again.respond("200 OK", Some(SDP_PCMU)));
    let ack = rig.expect(ONE, "ACK");
    assert_eq!(ack.cseq().unwrap(), 2);
    rig.agent_is_answered(&mut alice);
    rig.agent_hangs_up(&mut alice, "");
    rig.confirm_bye(ONE);

    let (alice, carrier) = dial(&mut rig);
    rig.send(ONE, &refusal(&carrier, "evil.example"));
    rig.expect(ONE, "ACK");
    rig.expect_silence(ONE);
    let next = Phone::new(TWO, rig.expect(TWO, "INVITE"));
    rig.send(TWO, &next.respond("486 Busy Here", None));
    let refused = rig.expect(ALICE, "SIP/2.0 486");
    rig.send(ALICE, &alice.ack(&refused));
    assert!(rig.sent.iter().all(|(_, m)| !text(m).contains("trunk-secret")));
    rig.finish();
}

#[test]
fn a_redirection_is_followed_to_the_trunk_itself_and_never_to_another_host() {
    for (status, contact, followed) in [
        ("302 Moved Temporarily", "<sip:+12125550199@127.0.0.51>", true),
        ("302 Moved Temporarily", "<sip:+12125550199@203.0.113.9>", false),
        ("302 Moved Temporarily", "<sip:alice@127.0.0.51>", false),
        ("305 Use Proxy", "<sip:+12125550199@127.0.0.51>", false),
        ("380 Alternative Service", "<sip:+12125550199@127.0.0.51>", false),
    ] {
        let mut rig = rig();
        let (alice, carrier) = dial(&mut rig);
        let moved = carrier.respond(status, None);
        let moved =
            moved.replace("Contact: <sip:phone@127.0.0.51:5060>", &format!("Contact: {contact}"));
        rig.send(ONE, &moved);
        rig.expect(ONE, "ACK");
        if followed {
            let again = Phone::new(ONE, rig.expect(ONE, "INVITE sip:+12125550199@127.0.0.51"));
            rig.send(ONE, &again.respond("486 Busy Here", None));
            rig.expect(ONE, "ACK");
        }
        let refused = rig.expect(ALICE, if followed { "SIP/2.0 486" } else { "SIP/2.0 603" });
        rig.send(ALICE, &alice.ack(&refused));
        assert!(rig.sent.iter().all(|(to, _)| to.ip() != ip(9)));
        rig.finish();
    }
}

#[test]
fn a_carrier_that_sends_its_call_on_for_ever_is_given_up() {
    let mut rig = rig();
    let (alice, mut carrier) = dial(&mut rig);
    let mut invites = 1;
    loop {
        let contact = format!("Contact: <sip:+121255501{invites:02}@127.0.0.51>");
        let moved = carrier.respond("302 Moved Temporarily", None);
        rig.send(ONE, &moved.replace("Contact: <sip:phone@127.0.0.51:5060>", &contact));
        rig.expect(ONE, "ACK");
        if rig.wire.iter().all(|(flow, _)| flow.remote != ONE) {
            break;
        }
        carrier = Phone::new(ONE, rig.expect(ONE, "INVITE"));
        invites += 1;
        assert!(invites < 20, "for ever");
    }
    let refused = rig.expect_final(ALICE);
    rig.send(ALICE, &alice.ack(&refused));
    rig.finish();
}

#[test]
fn a_redirection_to_another_server_of_the_trunk_goes_there() {
    let mut rig = rig();
    let (alice, carrier) = dial(&mut rig);
    let moved = carrier.respond("302 Moved Temporarily", None);
    let there = "Contact: <sip:+12125550123@127.0.0.52>";
    rig.send(ONE, &moved.replace("Contact: <sip:phone@127.0.0.51:5060>", there));
    rig.expect(ONE, "ACK");
    let again = Phone::new(ONE_B, rig.expect(ONE_B, "INVITE sip:+12125550123@127.0.0.52"));
    assert_eq!(rig.count(ONE, "INVITE"), 1, "the first is not asked again");
    rig.send(ONE_B, &again.respond("486 Busy Here", None));
    rig.expect(ONE_B, "ACK");
    let refused = rig.expect(ALICE, "SIP/2.0 486");
    rig.send(ALICE, &alice.ack(&refused));
    rig.finish();
}

#[test]
fn a_hidden_caller_is_anonymous_to_the_callee_and_asserted_to_a_trusted_trunk() {
    let mut rig = rig();
    let alice = rig.agent_dials(ALICE, "alice", "+12125550123", "Privacy: id\r\n");
    let invite = rig.expect(ONE, "INVITE");
    assert!(header(&invite, "From").starts_with("\"Anonymous\" <sip:anonymous@anonymous.invalid>"));
    assert_eq!(header(&invite, "Privacy"), "id");
    assert_eq!(header(&invite, "P-Asserted-Identity"), "<sip:+15550100@127.0.0.1>");
    let carrier = Phone::new(ONE, invite);
    rig.send(ONE, &carrier.respond("486 Busy Here", None));
    let refused = rig.expect(ALICE, "SIP/2.0 486");
    rig.send(ALICE, &alice.ack(&refused));
    rig.finish();
}

#[test]
fn a_trunk_that_is_full_is_passed_over_and_a_tenants_limit_refuses() {
    let limited = provisioning()
        .replace(
            "limits = { international = true }",
            "limits = { international = true, outbound_concurrent_calls = 2 }",
        )
        .replace("concurrent_calls = 2\nauth", "concurrent_calls = 1\nauth")
        .replace(r#""bob-secret","#, r#""bob-secret", call_waiting = true,"#);
    let mut rig = Rig::with(&limited);
    rig.register_both();
    let (_, carrier) = dial(&mut rig);
    rig.send(ONE, &carrier.respond("180 Ringing", None));
    rig.agent_dials(BOB, "bob", "+12125550124", "");
    let second = Phone::new(TWO, rig.expect(TWO, "INVITE"));
    rig.send(TWO, &second.respond("180 Ringing", None));
    rig.expect(BOB, "SIP/2.0 180");
    let third = rig.agent_dials(BOB, "bob", "+12125550125", "");
    let refused = rig.expect(BOB, "SIP/2.0 486");
    rig.send(BOB, &third.ack(&refused));
    assert_eq!(rig.record().cause, Cause::TenantLimit);
    // A call for help passes each of these limits.
    rig.agent_dials(BOB, "bob", "911", "");
    let help = rig.expect(TWO, "INVITE sip:911@127.0.0.53:5070");
    assert!(help.header(Name::PRIVACY).is_none());
}

#[test]
fn a_drain_stops_new_calls_but_no_call_for_help() {
    let mut rig = rig();
    rig.input(switch::Input::Drain);
    let alice = rig.agent_dials(ALICE, "alice", "911", "");
    // No route says which trunk is for help: any of them.
    let carrier = if rig.count(ONE, "INVITE") > 0 { ONE } else { TWO };
    let help = Phone::new(carrier, rig.expect(carrier, "INVITE"));
    rig.send(carrier, &help.respond("486 Busy Here", None));
    let refused = rig.expect(ALICE, "SIP/2.0 486");
    rig.send(ALICE, &alice.ack(&refused));
    let alice = rig.agent_dials(ALICE, "alice", "+12125550123", "");
    let refused = rig.expect(ALICE, "SIP/2.0 503");
    rig.send(ALICE, &alice.ack(&refused));
    rig.finish();
}

#[test]
fn a_flow_sends_its_caller_on_to_a_number_outside() {
    let forwarding = provisioning().replace(
        r#"steps = [{ do = "hangup", cause = "busy" }]"#,
        r#"steps = [{ do = "dial", to = "+12125550123" }]"#,
    );
    let mut rig = Rig::with(&forwarding);
    let mut caller = rig.dial("+15550102");
    let carrier = Phone::new(ONE, rig.expect(ONE, "INVITE"));
    rig.send(ONE, &carrier.respond("183 Session Progress", Some(&sdp("sendrecv", 1))));
    assert!(rig.commands.iter().any(|c| matches!(c, Command::StopPlaying { .. })), "our tone ends");
    rig.phone_answers(&carrier);
    rig.caller_hangs_up(&mut caller);
    rig.confirm_bye(ONE);
    let record = rig.record();
    assert_eq!((record.direction, record.cause), (CallDirection::Inbound, Cause::Normal));
    rig.finish();
}
