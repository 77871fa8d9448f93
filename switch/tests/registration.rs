//! REGISTER: challenge, right and wrong answers, expiry, and what a stranger can learn (nothing).

use base::Duration;
use sip::Name;
use switch::{ApiReply, ApiRequest, Input, SecurityKind};

use crate::rig::{ALICE, BOB, DEMO, Rig, STRANGER, header};

const HERE: &str = "Contact: <sip:alice@127.0.0.11:5060>;expires=3600\r\n";

#[test]
fn the_right_password_binds_the_phone_and_makes_the_agent_available() {
    let mut rig = Rig::new();
    let ok = rig.register_as(ALICE, ("alice", "alice-secret", "acme.example"), HERE);
    assert_eq!(ok.status().unwrap().as_u16(), 200);
    assert!(header(&ok, "Contact").contains("expires=3600"));
    assert_eq!(rig.events_of("agent.registered"), [serde_json::json!({"agent": "alice"})]);
    let changed = rig.events_of("agent.state_changed");
    assert_eq!(changed[0]["state"], "available");
    rig.finish();
}

#[test]
fn the_challenge_offers_md5_and_sha_256() {
    let mut rig = Rig::new();
    let who = ("alice", "alice-secret", "acme.example");
    let text = rig.register_text(ALICE, who, None, HERE);
    rig.send(ALICE, &text);
    let challenge = rig.expect(ALICE, "SIP/2.0 401");
    let offered: Vec<&str> = challenge.headers(Name::WWW_AUTHENTICATE).collect();
    assert_eq!(offered.len(), 2);
    assert!(offered[0].contains("MD5") && offered[1].contains("SHA-256"));
    assert!(offered.iter().all(|offer| offer.contains("realm=\"acme.example\"")));
    let text = rig.register_text(ALICE, who, Some(offered[1]), HERE);
    rig.send(ALICE, &text);
    rig.expect(ALICE, "SIP/2.0 200");
    rig.finish();
}

#[test]
fn a_phone_that_a_second_challenge_breaks_is_challenged_for_md5_alone() {
    let mut rig = Rig::new();
    let who = ("alice", "alice-secret", "acme.example");
    let agent = format!("User-Agent: baresip v1.0.0 (x86_64/linux)\r\n{HERE}");
    let text = rig.register_text(ALICE, who, None, &agent);
    rig.send(ALICE, &text);
    let challenge = rig.expect(ALICE, "SIP/2.0 401");
    let offered: Vec<&str> = challenge.headers(Name::WWW_AUTHENTICATE).collect();
    assert!(offered.len() == 1 && offered[0].contains("MD5"), "{offered:?}");
    rig.finish();
}

#[test]
fn an_agent_of_a_trial_registers_on_loopback_and_has_a_wrong_password_elsewhere() {
    let trial =
        DEMO.replacen("available_on_register", "loopback_only = true, available_on_register", 1);
    let mut rig = Rig::with(&trial);
    let who = ("alice", "alice-secret", "acme.example");
    let outside = "192.0.2.55:5060".parse().unwrap();
    let refused = rig.register_as(outside, who, HERE);
    assert_eq!(refused.status().unwrap().as_u16(), 403);
    assert_eq!(rig.security[0].kind, SecurityKind::WrongCredentials);
    assert!(rig.events.is_empty());
    let ok = rig.register_as(ALICE, who, HERE);
    assert_eq!(ok.status().unwrap().as_u16(), 200);
    let bobs = ("bob", "bob-secret", "acme.example");
    let contact = "Contact: <sip:bob@192.0.2.55:5060>;expires=3600\r\n";
    assert_eq!(rig.register_as(outside, bobs, contact).status().unwrap().as_u16(), 200);
    rig.finish();
}

#[test]
fn wrong_password_unknown_user_and_unknown_domain_are_answered_alike() {
    let mut answers = Vec::new();
    for who in [
        ("alice", "wrong", "acme.example"),
        ("nobody", "wrong", "acme.example"),
        ("alice", "wrong", "nowhere.example"),
        ("Not A Slug", "wrong", "acme.example"),
    ] {
        let mut rig = Rig::new();
        if who.0.contains(' ') {
            continue;
        }
        let refused = rig.register_as(STRANGER, who, HERE);
        let names: Vec<String> = refused.all_headers().map(|(name, _)| name.to_owned()).collect();
        answers.push((refused.status().unwrap().as_u16(), refused.reason().to_owned(), names));
        assert_eq!(rig.security[0].kind, SecurityKind::WrongCredentials);
        assert!(rig.events.is_empty());
        rig.finish();
    }
    assert_eq!(answers[0].0, 403);
    assert!(answers.iter().all(|answer| *answer == answers[0]), "{answers:?}");
}

#[test]
fn nobody_can_register_for_somebody_else() {
    let mut rig = Rig::new();
    let who = ("bob", "bob-secret", "acme.example");
    let text = rig.register_text(BOB, who, None, HERE);
    rig.send(BOB, &text);
    let challenge = header(&rig.expect(BOB, "SIP/2.0 401"), "WWW-Authenticate");
    let text = rig.register_text(BOB, who, Some(&challenge), HERE);
    let text = text.replace("To: <sip:bob@", "To: <sip:alice@");
    rig.send(BOB, &text);
    rig.expect(BOB, "SIP/2.0 403");
    assert_eq!(rig.security[0].kind, SecurityKind::ForeignRegistration);
    assert!(rig.events.is_empty());
    rig.finish();
}

#[test]
fn a_password_of_another_tenants_agent_opens_nothing() {
    let mut rig = Rig::new();
    let refused = rig.register_as(ALICE, ("alice", "alice-secret", "globex.example"), HERE);
    assert_eq!(refused.status().unwrap().as_u16(), 403);
    rig.finish();
}

#[test]
fn a_binding_expires_and_the_agent_is_offline() {
    let mut rig = Rig::new();
    let short = "Contact: <sip:alice@127.0.0.11:5060>;expires=60\r\n";
    rig.register_as(ALICE, ("alice", "alice-secret", "acme.example"), short);
    rig.advance_ms(59_000);
    assert!(rig.events_of("agent.unregistered").is_empty());
    rig.advance_ms(2000);
    assert_eq!(rig.events_of("agent.unregistered").len(), 1);
    assert_eq!(rig.events_of("agent.state_changed").last().unwrap()["state"], "offline");
    let mut call = rig.dial_into_queue();
    rig.expect_silence(ALICE);
    rig.caller_hangs_up(&mut call);
    rig.finish();
}

#[test]
fn too_short_a_time_is_423_with_the_shortest_that_would_do() {
    let mut rig = Rig::new();
    let hasty = "Contact: <sip:alice@127.0.0.11:5060>;expires=5\r\n";
    let brief = rig.register_as(ALICE, ("alice", "alice-secret", "acme.example"), hasty);
    assert_eq!(brief.status().unwrap().as_u16(), 423);
    assert_eq!(header(&brief, "Min-Expires"), "60");
    rig.finish();
}

#[test]
fn unregistering_makes_the_agent_unreachable() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let gone = "Contact: *\r\nExpires: 0\r\n";
    let ok = rig.register_as(ALICE, ("alice", "alice-secret", "acme.example"), gone);
    assert_eq!(ok.status().unwrap().as_u16(), 200);
    assert_eq!(rig.events_of("agent.unregistered").len(), 1);
    rig.finish();
}

#[test]
fn a_closed_connection_takes_its_bindings_along() {
    let mut rig = Rig::new();
    rig.tcp.push((ALICE, 3));
    rig.register(ALICE, "alice");
    let flow = rig.flow(ALICE);
    rig.input(Input::FlowClosed { flow });
    assert_eq!(rig.events_of("agent.unregistered").len(), 1);
    rig.finish();
}

#[test]
fn an_agent_who_is_provisioned_no_more_loses_the_binding() {
    let mut rig = Rig::new();
    rig.register(BOB, "bob");
    let text: String = crate::rig::DEMO
        .lines()
        .filter(|line| !line.contains("bob-secret"))
        .collect::<Vec<_>>()
        .join("\n");
    rig.provision(&text);
    let refused = rig.register_as(BOB, ("bob", "bob-secret", "acme.example"), HERE);
    assert_eq!(refused.status().unwrap().as_u16(), 403);
    rig.finish();
}

#[test]
fn a_page_is_challenged_for_md5_last_because_its_library_sees_that_one_alone() {
    let mut rig = Rig::new();
    rig.pages.push((ALICE, 7));
    let text = rig.register_text(ALICE, ("alice", "alice-secret", "acme.example"), None, HERE);
    rig.send(ALICE, &text);
    let challenged = rig.expect(ALICE, "SIP/2.0 401");
    let algorithms: Vec<_> = challenged
        .headers(Name::WWW_AUTHENTICATE)
        .map(|value| value.split("algorithm=").nth(1).unwrap().split(',').next().unwrap())
        .collect();
    assert_eq!(algorithms, ["SHA-256", "MD5"]);
}

/// What alice's page registers with for so many seconds.
fn token(rig: &mut Rig, agent: &str, seconds: u64) -> sip::digest::Token {
    let agent = base::AgentId::new(agent).unwrap();
    let lifetime = Duration::from_secs(seconds);
    let reply = rig.request("acme", ApiRequest::SipToken { agent, lifetime }).unwrap();
    let ApiReply::SipToken(made) = reply else { panic!("{reply:?}") };
    assert_eq!(made.domain, "acme.example");
    made.token
}

fn status_of(rig: &mut Rig, who: (&str, &str, &str)) -> u16 {
    let contact = format!("Contact: <sip:x@{ALICE}>;expires=600\r\n");
    let answer = rig.register_as(ALICE, who, &contact);
    answer.status().unwrap().as_u16()
}

#[test]
fn a_page_registers_with_a_token_until_its_time_is_over() {
    let mut rig = Rig::new();
    let made = token(&mut rig, "alice", 600);
    let who = (made.username.as_str(), made.password.as_str(), "acme.example");
    assert_eq!(status_of(&mut rig, who), 200);
    assert_eq!(rig.events_of("agent.registered"), [serde_json::json!({"agent": "alice"})]);
    rig.advance_ms(599_000);
    assert_eq!(status_of(&mut rig, who), 200, "again, within its time");
    rig.advance_ms(2_000);
    assert_eq!(status_of(&mut rig, who), 403, "over");
}

#[test]
fn a_token_is_nothing_for_another_time_agent_or_tenant_and_a_guess_counts_as_one() {
    let mut rig = Rig::new();
    let made = token(&mut rig, "alice", 600);
    let (time, _) = made.username.split_once(':').unwrap();
    let later = format!("{}:alice", time.parse::<u64>().unwrap() + 1);
    let bobs = format!("{time}:bob");
    let password = made.password.as_str();
    for who in [
        (later.as_str(), password, "acme.example"),
        (bobs.as_str(), password, "acme.example"),
        (made.username.as_str(), "alice-secret", "acme.example"),
        ("alice", password, "acme.example"),
    ] {
        assert_eq!(status_of(&mut rig, who), 403, "{who:?}");
    }
    let there = (made.username.as_str(), password, "globex.example");
    assert_eq!(status_of(&mut rig, there), 403, "another tenant's domain");
    // Another name of a token each time, and still alice who is guessed at: not even looked at.
    let guesses: Vec<u16> = (10..20)
        .map(|n| status_of(&mut rig, (&format!("17999999{n}:alice"), "guess", "acme.example")))
        .collect();
    assert!(guesses.contains(&401), "{guesses:?}");
}

#[test]
fn a_phone_is_rung_over_the_flow_that_it_keeps_alive() {
    let mut rig = Rig::new();
    let backup = "127.0.0.11:6060".parse().unwrap();
    let flow = |port: u16, number: u8| {
        format!(
            "Supported: path, outbound\r\nContact: <sip:alice@127.0.0.11:{port}>;expires=3600;\
             +sip.instance=\"<urn:uuid:1>\";reg-id={number}\r\n"
        )
    };
    let who = ("alice", "alice-secret", "acme.example");
    rig.register_as(backup, who, &flow(6060, 2));
    let ok = rig.register_as(ALICE, who, &flow(5060, 1));
    assert_eq!(header(&ok, "Flow-Timer"), "25");
    let mut call = rig.dial_into_queue();
    rig.expect(ALICE, "INVITE");
    rig.expect_silence(backup);
    rig.caller_hangs_up(&mut call);
    // The flow that was registered last goes silent; a ping over the other one shows that alive.
    rig.advance_ms(20_000);
    rig.input(Input::KeepAlive { flow: rig.flow(backup), answer: None });
    rig.advance_ms(20_000);
    rig.wire.clear();
    let mut call = rig.dial_into_queue();
    rig.expect(backup, "INVITE");
    rig.expect_silence(ALICE);
    rig.caller_hangs_up(&mut call);
}
