//! Who is calling: trunks by network, certificate and password, agents by password or connection;
//! everybody else is refused without a trace in memory.

use sip::{Flow, Method, Name};
use switch::{ApiReply, ApiRequest, Input, SecurityKind};

use crate::rig::{ALICE, Asked, Call, DEMO, Phone, Rig, SDP_PCMU, STRANGER, TRUNK, header};

const BY_PASSWORD: &str = r#"
[[trunks]]
id = "carrier-p"
credentials = { user = "carrier-p", password = "a-long-secret-of-theirs" }
"#;

const BY_CERTIFICATE: &str = r#"
[[trunks]]
id = "carrier-c"
certificates = ["sbc.carrier.example"]
"#;

fn provisioning(more: &str) -> String {
    format!("{more}{DEMO}")
}

#[test]
fn a_trunk_without_a_network_calls_in_with_its_password() {
    let mut rig = Rig::with(&provisioning(BY_PASSWORD));
    let mut call = Call::new(&mut rig, STRANGER, "+15550100");
    rig.send(STRANGER, &call.invite());
    let challenged = rig.expect(STRANGER, "SIP/2.0 407");
    assert_eq!(rig.switch.sizes().server_transactions, 0, "a challenge keeps nothing");
    rig.send(STRANGER, &call.ack_refusal(&challenged));
    let challenge = challenged.header(Name::PROXY_AUTHENTICATE).unwrap();
    let uri = format!("sip:+15550100@{}", crate::rig::SWITCH);
    let authorization = sip::digest::answer(
        challenge,
        &sip::digest::Answer {
            method: &Method::Invite,
            uri: &uri,
            user: "carrier-p",
            password: "a-long-secret-of-theirs",
            cnonce: "0a4f113b",
            nc: 1,
        },
    )
    .unwrap();
    call.extra = format!("Proxy-Authorization: {authorization}\r\n");
    call.cseq = 2;
    call.branch = "z9hG4bK-again".to_owned();
    rig.send(STRANGER, &call.invite());
    rig.caller_is_answered(&mut call);
    rig.caller_hangs_up(&mut call);
    assert_eq!(rig.record().number.as_deref(), Some("+15550100"));
    let ladder = &rig.record().ladder;
    let shown =
        ladder.iter().any(|e| e.bytes.windows(24).any(|w| w == b"a-long-secret-of-theirs\""));
    assert!(
        !shown
            && ladder
                .iter()
                .any(|e| e.bytes.windows(8).any(|w| w == b"e=\"***\"," || w == b"\"***\", a"))
    );
    rig.finish();
}

#[test]
fn a_trunks_wrong_password_is_403_as_is_nobodys() {
    let mut answers = Vec::new();
    for user in ["carrier-p", "nobody"] {
        let mut rig = Rig::with(&provisioning(BY_PASSWORD));
        let mut asked = Asked::new(&mut rig, STRANGER, Method::Invite, "+15550100");
        asked.from = "<sip:carrier-p@carrier.example>".to_owned();
        let refused = rig.ask_as(&mut asked, user, "wrong");
        let names: Vec<String> = refused.all_headers().map(|(name, _)| name.to_owned()).collect();
        answers.push((refused.status().unwrap().as_u16(), names));
        assert_eq!(rig.switch.sizes().server_transactions, 0);
        assert_eq!(rig.security[0].kind, SecurityKind::WrongCredentials);
        rig.finish();
    }
    assert_eq!(answers[0].0, 403);
    assert_eq!(answers[0], answers[1]);
}

#[test]
fn a_trunk_is_known_by_the_name_in_its_certificate_on_that_connection_alone() {
    let mut rig = Rig::with(&provisioning(BY_CERTIFICATE));
    rig.tcp.push((STRANGER, 7));
    let call = Call::new(&mut rig, STRANGER, "+15550100");
    rig.send(STRANGER, &call.invite());
    rig.expect(STRANGER, "SIP/2.0 403");
    let flow = rig.flow(STRANGER);
    let other = vec!["sbc.other.example".to_owned()];
    rig.input(Input::FlowIdentity { flow, names: other });
    rig.send(STRANGER, &call.invite());
    rig.expect(STRANGER, "SIP/2.0 403");
    let names = vec!["x.example".to_owned(), "SBC.carrier.example".to_owned()];
    rig.input(Input::FlowIdentity { flow, names });
    let mut call = Call::new(&mut rig, STRANGER, "+15550100");
    rig.send(STRANGER, &call.invite());
    rig.caller_is_answered(&mut call);
    rig.caller_hangs_up(&mut call);
    // Meanwhile somebody else on a connection of their own is nobody.
    let other: std::net::SocketAddr = "127.0.0.98:5060".parse().unwrap();
    rig.tcp.push((other, 9));
    let stranger = Call::new(&mut rig, other, "+15550100");
    rig.send(other, &stranger.invite());
    rig.expect(other, "SIP/2.0 403");
    rig.input(Input::FlowClosed { flow });
    let (own, remote) = (flow.local, flow.remote);
    rig.tcp = vec![(STRANGER, 8)];
    let again = Call::new(&mut rig, STRANGER, "+15550100");
    rig.send(STRANGER, &again.invite());
    rig.expect(STRANGER, "SIP/2.0 403");
    assert_eq!(Flow::tcp(own, remote, 8), rig.flow(STRANGER));
    rig.finish();
}

#[test]
fn a_header_that_says_where_a_message_comes_from_is_not_believed() {
    let mut rig = Rig::new();
    let call = Call::new(&mut rig, STRANGER, "+15550100");
    let forged = call
        .invite()
        .replace(
            "Via: SIP/2.0/UDP 127.0.0.99:5060",
            "Via: SIP/2.0/UDP 127.0.0.2:5060;received=127.0.0.2",
        )
        .replace(
            "Max-Forwards",
            "P-Asserted-Identity: <sip:carrier@127.0.0.2>\r\nX-Trunk: carrier-a\r\nMax-Forwards",
        );
    rig.send(STRANGER, &forged);
    rig.expect(STRANGER, "SIP/2.0 403");
    assert_eq!(rig.security[0].kind, SecurityKind::StrangerCall);
    assert!(rig.events.is_empty());
    rig.finish();
}

#[test]
fn an_unproven_call_in_an_agents_name_is_challenged_and_keeps_nothing() {
    let mut rig = Rig::new();
    let answered: Vec<Vec<String>> = ["alice@acme.example", "nobody@acme.example", "x@no.example"]
        .into_iter()
        .map(|name| {
            let mut asked = Asked::new(&mut rig, STRANGER, Method::Invite, "bob");
            asked.from = format!("<sip:{name}>");
            let challenged = rig.ask(&asked);
            assert_eq!(challenged.status().unwrap().as_u16(), 407);
            challenged.all_headers().map(|(name, _)| name.to_owned()).collect()
        })
        .collect();
    assert!(answered.iter().all(|names| *names == answered[0]), "{answered:?}");
    let sizes = rig.switch.sizes();
    assert_eq!((sizes.server_transactions, sizes.calls, sizes.alarms), (0, 0, 0));
    rig.finish();
}

#[test]
fn an_agent_on_udp_is_challenged_even_from_the_address_of_the_binding() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let asked = Asked::new(&mut rig, ALICE, Method::Invite, "bob");
    assert_eq!(rig.ask(&asked).status().unwrap().as_u16(), 407);
    rig.finish();
}

#[test]
fn an_agent_may_not_speak_in_anothers_name() {
    for (from, extra) in [
        ("<sip:bob@acme.example>", ""),
        ("<sip:alice@globex.example>", ""),
        ("<sip:alice@acme.example>", "P-Asserted-Identity: <sip:bob@acme.example>\r\n"),
        ("<sip:alice@acme.example>", "P-Preferred-Identity: <tel:+15550999>\r\n"),
    ] {
        let mut rig = Rig::new();
        rig.register(ALICE, "alice");
        let mut asked = Asked::new(&mut rig, ALICE, Method::Invite, "bob");
        (asked.from, asked.extra) = (from.to_owned(), extra.to_owned());
        let refused = rig.ask_as(&mut asked, "alice", "alice-secret");
        assert_eq!(refused.status().unwrap().as_u16(), 403, "{from}{extra}");
        let kind = rig.security[0].kind;
        let expected = [SecurityKind::ForgedIdentity, SecurityKind::WrongCredentials];
        assert!(expected.contains(&kind), "{kind:?}");
        rig.advance_ms(5000);
        rig.finish();
    }
}

#[test]
fn a_call_that_has_gone_round_70_times_is_483() {
    let mut rig = Rig::new();
    let call = Call::new(&mut rig, TRUNK, "+15550100");
    rig.send(TRUNK, &call.invite().replace("Max-Forwards: 70", "Max-Forwards: 0"));
    rig.expect(TRUNK, "SIP/2.0 483");
    assert_eq!(rig.security[0].kind, SecurityKind::Loop);
    rig.finish();
}

#[test]
fn the_platform_sees_calls_that_were_refused_before_they_were_anybodys() {
    let mut rig = Rig::new();
    let call = Call::new(&mut rig, STRANGER, "+15550100");
    rig.send(STRANGER, &call.invite());
    rig.expect(STRANGER, "SIP/2.0 403");
    rig.advance_ms(1000);
    let unknown = Call::new(&mut rig, TRUNK, "+15559999");
    rig.send(TRUNK, &unknown.invite());
    let refused = rig.expect(TRUNK, "SIP/2.0 404");
    rig.send(TRUNK, &unknown.ack_refusal(&refused));
    let Ok(ApiReply::RefusedCalls(calls)) = rig.request("acme", ApiRequest::RefusedCalls) else {
        panic!("refused calls");
    };
    assert_eq!(calls.len(), 2, "newest first");
    assert_eq!((calls[0].status, &*calls[0].to), (404, "+15559999"));
    assert_eq!(calls[0].trunk.as_ref().unwrap().as_str(), "carrier-a");
    let lines = |at: usize| calls[at].ladder.len();
    assert_eq!((lines(0), lines(1)), (3, 2), "INVITE, 100, 404; INVITE, 403");
    assert_eq!((calls[1].status, calls[1].source, &calls[1].trunk), (403, STRANGER, &None));
    rig.finish();
}

#[test]
fn a_source_that_is_refused_again_and_again_does_not_push_others_out_of_sight() {
    let mut rig = Rig::new();
    let unknown = Call::new(&mut rig, TRUNK, "+15559999");
    rig.refuses(&unknown, &unknown.invite(), "SIP/2.0 404");
    for _ in 0..60 {
        for _ in 0..20 {
            let call = Call::new(&mut rig, STRANGER, "+15550100");
            rig.send(STRANGER, &call.invite());
        }
        rig.advance_ms(1000);
    }
    let Ok(ApiReply::RefusedCalls(calls)) = rig.request("acme", ApiRequest::RefusedCalls) else {
        panic!("refused calls");
    };
    let of_stranger = calls.iter().filter(|call| call.source == STRANGER).count();
    assert!((60..=70).contains(&of_stranger), "ten at once, then one a second: {of_stranger}");
    assert_eq!(calls.last().unwrap().source, TRUNK, "the first one is still there");
    rig.finish();
}

/// Who called, by the record of a call over the trunk with these keys, with this From and these
/// further header fields.
fn caller(keys: &str, from: &str, fields: &str) -> String {
    let mut rig = Rig::with(
        &DEMO.replace("sources = [\"127.0.0.2\"]", &format!("sources = [\"127.0.0.2\"]\n{keys}")),
    );
    let call = Call::new(&mut rig, TRUNK, "+15550999");
    let tenants = "tenants = [\"acme\"]";
    assert!(keys.contains(tenants), "the call is somebody's, though the number is nobody's");
    let plain = call.invite();
    let (before, rest) = plain.split_once("From: ").unwrap();
    let (_, rest) = rest.split_once(";tag=").unwrap();
    let invite = format!("{before}From: {from};tag={rest}");
    rig.send(TRUNK, &invite.replace("Max-Forwards", &format!("{fields}Max-Forwards")));
    let response = rig.expect(TRUNK, "SIP/2.0 404");
    rig.send(TRUNK, &call.ack_refusal(&response));
    let called = rig.record().from.clone();
    rig.finish();
    called
}

#[test]
fn what_a_trusted_trunk_asserts_is_who_calls_and_a_wish_to_hide_is_granted_to_everyone() {
    let (open, hidden) = ("<sip:+4930123456@c.example>", "<sip:anonymous@anonymous.invalid>");
    let asserted = "P-Asserted-Identity: <sip:+43112233@c.example>\r\n";
    let (plain, trusted) = ("tenants = [\"acme\"]", "tenants = [\"acme\"]\ntrusts_identity = true");
    assert_eq!(caller(plain, open, asserted), "+4930123456");
    assert_eq!(caller(trusted, open, asserted), "+43112233");
    assert_eq!(caller(plain, hidden, ""), "anonymous");
    assert_eq!(caller(plain, open, "Privacy: id\r\n"), "anonymous");
}

#[test]
fn a_callers_number_is_read_as_the_trunk_writes_it() {
    let plain = "tenants = [\"acme\"]";
    let german = "tenants = [\"acme\"]\ncountry = \"DE\"";
    for (keys, user, expected) in [
        (plain, "004930123456", "+4930123456"),
        (plain, "030123456", "030123456"),
        (german, "030123456", "+4930123456"),
        (german, "4930123456", "+4930123456"),
        (german, "reception", "reception"),
    ] {
        assert_eq!(caller(keys, &format!("<sip:{user}@c.example>"), ""), expected, "{user}");
    }
}

#[test]
fn header_fields_of_a_trunk_reach_the_agent_only_by_its_rules() {
    let rules = r#"sources = ["127.0.0.2"]
headers = [
    { direction = "inbound", action = "pass", name = "X-Campaign" },
    { direction = "inbound", action = "set", name = "X-Carrier", value = "a" },
    { direction = "outbound", action = "pass", name = "X-Secret" },
]"#;
    let mut rig = Rig::with(&DEMO.replace("sources = [\"127.0.0.2\"]", rules));
    rig.register(ALICE, "alice");
    // What a carrier repeats is passed on thirty times or so: it is kept as long as the call.
    let repeated = "X-Campaign: spring\r\n".repeat(100);
    let fields = format!("{repeated}X-Secret: no\r\nX-Other: no\r\nX-Carrier: forged\r\n");
    let mut call = Call::new(&mut rig, TRUNK, "+15550100");
    rig.send(TRUNK, &call.invite().replace("Max-Forwards", &format!("{fields}Max-Forwards")));
    rig.caller_is_answered(&mut call);
    rig.finish_prompt();
    let invite = rig.expect(ALICE, "INVITE");
    assert_eq!(header(&invite, "X-Campaign"), "spring");
    let spring = invite.headers(Name::new("X-Campaign")).count();
    assert!((1..=32).contains(&spring), "{spring}");
    for kept in ["X-Secret", "X-Other"] {
        assert_eq!(invite.header(Name::new(kept)), None, "{kept}");
    }
    let phone = Phone::new(ALICE, invite);
    rig.phone_answers(&phone);
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    rig.finish();
}

#[test]
fn a_proxys_connection_proves_nothing_about_the_agents_behind_it() {
    let proxy: std::net::SocketAddr = "127.0.0.60:5060".parse().unwrap();
    let hop = "Via: SIP/2.0/TCP 10.0.0.5;branch=z9hG4bK-behind\r\nMax-Forwards";
    for (path, hops) in [("Supported: path\r\nPath: <sip:127.0.0.60;lr>\r\n", false), ("", true)] {
        let mut rig = Rig::new();
        rig.tcp.push((proxy, 7));
        let contact = format!("Contact: <sip:bob@10.0.0.5>;expires=3600\r\n{path}");
        let ok = rig.register_as(proxy, ("bob", "bob-secret", "acme.example"), &contact);
        assert_eq!(ok.status().unwrap().as_u16(), 200);
        // Somebody else behind the same proxy says that they are Bob.
        let mut forged = Asked::new(&mut rig, proxy, Method::Invite, "+15550100");
        forged.from = "<sip:bob@acme.example>".to_owned();
        forged.body = Some(("application/sdp".to_owned(), SDP_PCMU.to_owned()));
        let text = forged.text(None);
        let text = if hops { text.replacen("Max-Forwards", hop, 1) } else { text };
        rig.send(proxy, &text);
        rig.expect(proxy, "SIP/2.0 407");
        assert!(rig.records.is_empty() && rig.events_of("call.started").is_empty());
        rig.finish();
    }
}

#[test]
fn a_phones_audio_is_expected_from_the_host_that_its_sip_comes_from() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let (mut call, _) = rig.connect_alice();
    let expected: Vec<_> = rig
        .commands
        .iter()
        .filter_map(|command| match command {
            media::Command::ExpectHost { stream, host } => Some((*stream, *host)),
            _ => None,
        })
        .collect();
    // Her SDP says 127.0.0.2; a trunk's is believed as it stands.
    assert_eq!(expected, [(rig.streams()[1], ALICE.ip())]);
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    rig.finish();
}
