//! Guessing passwords and names, replaying what was heard, and floods: throttled by source, told
//! once a minute, and harmless to everybody else.

use sip::{Method, Name};
use switch::{Limits, SecurityKind};

use crate::rig::{ALICE, Asked, BOB, Call, DEMO, Rig, STRANGER, TRUNK};

const HERE: &str = "Contact: <sip:alice@127.0.0.11:5060>;expires=3600\r\n";

/// The last thing said to a peer, if anything was.
fn answer(rig: &mut Rig, at: std::net::SocketAddr) -> Option<u16> {
    let place = rig.wire.iter().position(|(flow, _)| flow.remote == at)?;
    rig.wire.remove(place).and_then(|(_, message)| message.status()).map(sip::StatusCode::as_u16)
}

/// A REGISTER with that password, from there.
fn guess(rig: &mut Rig, at: std::net::SocketAddr, user: &str, password: &str) -> Option<u16> {
    let who = (user, password, "acme.example");
    let text = rig.register_text(at, who, None, HERE);
    rig.send(at, &text);
    let (_, challenged) = rig.wire.pop_back().filter(|(flow, _)| flow.remote == at)?;
    let challenge = challenged.header(Name::WWW_AUTHENTICATE)?.to_owned();
    let text = rig.register_text(at, who, Some(&challenge), HERE);
    rig.send(at, &text);
    answer(rig, at)
}

#[test]
fn a_guesser_gets_five_goes_at_a_name_and_even_the_right_one_is_not_looked_at_then() {
    let mut rig = Rig::new();
    for _ in 0..5 {
        assert_eq!(guess(&mut rig, STRANGER, "alice", "wrong"), Some(403));
    }
    assert_eq!(guess(&mut rig, STRANGER, "alice", "wrong"), Some(401));
    assert_eq!(guess(&mut rig, STRANGER, "alice", "alice-secret"), Some(401));
    assert_eq!(guess(&mut rig, ALICE, "alice", "alice-secret"), Some(200), "elsewhere it is");
    rig.advance_ms(12_000);
    assert_eq!(guess(&mut rig, STRANGER, "alice", "alice-secret"), Some(200));
    rig.finish();
}

#[test]
fn names_that_exist_and_names_that_do_not_are_throttled_alike() {
    let run = |user: &str| {
        let mut rig = Rig::new();
        let answers: Vec<_> = (0..40).map(|_| guess(&mut rig, STRANGER, user, "wrong")).collect();
        rig.finish();
        answers
    };
    assert_eq!(run("alice"), run("nobody"));
}

#[test]
fn a_source_that_tries_every_name_is_met_with_silence_and_one_event_a_minute() {
    let mut rig = Rig::new();
    for n in 0..100 {
        guess(&mut rig, STRANGER, &format!("agent-{n}"), "secret");
    }
    for n in 0..30 {
        assert_eq!(guess(&mut rig, STRANGER, &format!("agent-{n}"), "secret2"), None);
    }
    let told: Vec<_> = rig.security.iter().map(|event| (event.kind, event.count)).collect();
    assert_eq!(told, [(SecurityKind::WrongCredentials, 1), (SecurityKind::Guessing, 1)]);
    rig.advance_ms(60_000);
    let told: Vec<_> = rig.security[2..].iter().map(|event| (event.kind, event.count)).collect();
    assert_eq!(told, [(SecurityKind::WrongCredentials, 99), (SecurityKind::Guessing, 29)]);
    rig.finish();
}

#[test]
fn the_true_user_behind_the_same_address_as_a_guesser_is_never_locked_out() {
    let mut rig = Rig::new();
    let phone = std::net::SocketAddr::new(STRANGER.ip(), 5070);
    assert_eq!(guess(&mut rig, phone, "alice", "alice-secret"), Some(200));
    for n in 0..200 {
        guess(&mut rig, STRANGER, if n % 2 == 0 { "alice" } else { "bob" }, "wrong");
    }
    assert_eq!(guess(&mut rig, phone, "alice", "alice-secret"), Some(200));
    rig.finish();
}

#[test]
fn what_was_heard_on_the_wire_opens_nothing_a_second_time() {
    let mut rig = Rig::new();
    let who = ("alice", "alice-secret", "acme.example");
    let text = rig.register_text(ALICE, who, None, HERE);
    rig.send(ALICE, &text);
    let challenge = rig.expect(ALICE, "SIP/2.0 401");
    let challenge = challenge.header(Name::WWW_AUTHENTICATE).unwrap().to_owned();
    let right = rig.register_text(ALICE, who, Some(&challenge), HERE);
    rig.send(ALICE, &right);
    rig.expect(ALICE, "SIP/2.0 200");
    let replayed = right
        .replace("z9hG4bK-reg", "z9hG4bK-replay")
        .replace("127.0.0.11:5060>", "127.0.0.99:5060>");
    rig.send(STRANGER, &replayed);
    let refused = rig.expect(STRANGER, "SIP/2.0 401");
    assert!(refused.header(Name::WWW_AUTHENTICATE).unwrap().contains("stale=true"));
    // Nor as another method, for which the answer would be another one.
    let mut asked = Asked::new(&mut rig, STRANGER, Method::Message, "bob");
    let answer = right.lines().find_map(|line| line.strip_prefix("Authorization: ")).unwrap();
    asked.body = Some(("text/plain".to_owned(), "hello".to_owned()));
    let text = asked.text(Some(answer));
    rig.send(STRANGER, &text);
    rig.expect(STRANGER, "SIP/2.0 403");
    rig.finish();
}

#[test]
fn a_downgrade_to_md5_is_not_taken_where_sha_256_is_asked_for() {
    let text = DEMO.replacen(
        "domain = \"acme.example\"",
        "domain = \"acme.example\"\ndigest = \"sha-256\"",
        1,
    );
    let mut rig = Rig::with(&text);
    let who = ("alice", "alice-secret", "acme.example");
    let first = rig.register_text(ALICE, who, None, HERE);
    rig.send(ALICE, &first);
    let challenge = rig.expect(ALICE, "SIP/2.0 401");
    let offered: Vec<String> =
        challenge.headers(Name::WWW_AUTHENTICATE).map(str::to_owned).collect();
    assert!(offered.len() == 1 && offered[0].contains("SHA-256"));
    let weaker = offered[0].replace("SHA-256", "MD5");
    let text = rig.register_text(ALICE, who, Some(&weaker), HERE);
    rig.send(ALICE, &text);
    rig.expect(ALICE, "SIP/2.0 401");
    rig.finish();
}

#[test]
fn a_flood_from_one_source_is_dropped_and_leaves_nothing_while_a_call_goes_on_beside_it() {
    let limits = Limits { source_requests_per_second: 50, source_burst: 100, ..Limits::default() };
    let mut rig = Rig::with_limits(DEMO, limits, 20_000..=29_999);
    rig.register(ALICE, "alice");
    let (mut call, _phone) = rig.connect_alice();
    let before = rig.switch.sizes();
    let mut answered = 0;
    for n in 0..10_000 {
        let method = ["INVITE", "REGISTER", "OPTIONS", "MESSAGE", "SUBSCRIBE"][n % 5];
        let mut flood = Call::new(&mut rig, STRANGER, "+15550100");
        let text = flood.next(method, None);
        rig.send(STRANGER, &text);
        answered += usize::from(answer(&mut rig, STRANGER).is_some());
    }
    assert_eq!(answered, 100, "the burst, and not one more");
    let during = rig.switch.sizes();
    assert_eq!(during.server_transactions, before.server_transactions, "nothing is kept");
    assert!(during.watched <= 4, "{during:?}");
    let floods: Vec<u64> = rig
        .security
        .iter()
        .filter(|event| event.kind == SecurityKind::Flood)
        .map(|event| event.count)
        .collect();
    assert_eq!(floods, [1]);
    let mut beside = rig.dial("+15550100");
    rig.caller_hangs_up(&mut beside);
    rig.register(BOB, "bob");
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    rig.advance_ms(60_000);
    let counted: u64 = rig
        .security
        .iter()
        .filter(|event| event.kind == SecurityKind::Flood)
        .map(|event| event.count)
        .sum();
    assert_eq!(counted, 9_900);
    rig.finish();
}

#[test]
fn a_thousand_strays_within_dialogs_keep_nothing_either() {
    let mut rig = Rig::new();
    let mut call = rig.dial("+15550100");
    let open = rig.switch.sizes().server_transactions;
    for n in 0..1000 {
        let mut stray = Call::new(&mut rig, STRANGER, "+15550100");
        stray.to_tag = format!("guess-{n}");
        let bye = stray.next("BYE", None);
        rig.send(STRANGER, &bye);
        rig.expect(STRANGER, "SIP/2.0 481");
    }
    assert_eq!(rig.switch.sizes().server_transactions, open);
    rig.caller_hangs_up(&mut call);
    rig.finish();
}

#[test]
fn a_storm_of_retransmissions_is_one_call_and_one_record() {
    let mut rig = Rig::new();
    let mut call = Call::new(&mut rig, TRUNK, "+15550100");
    for _ in 0..1000 {
        rig.send(TRUNK, &call.invite());
    }
    let ok = rig.expect(TRUNK, "SIP/2.0 200");
    let ack = call.ack(&ok, None);
    for _ in 0..1000 {
        rig.send(TRUNK, &ack);
    }
    let bye = call.next("BYE", None);
    for _ in 0..1000 {
        rig.send(TRUNK, &bye);
    }
    assert_eq!(rig.records.len(), 1);
    assert!(rig.record().ladder_cut > 0, "and its ladder is bounded");
    rig.finish();
}

#[test]
fn nobody_makes_anothers_name_known_by_a_password_of_their_own() {
    let mut rig = Rig::new();
    let who = ("alice", "alice-secret", "acme.example");
    let text = rig.register_text(STRANGER, who, None, HERE);
    rig.send(STRANGER, &text);
    let challenged = rig.expect(STRANGER, "SIP/2.0 401");
    let strongest = challenged.headers(Name::WWW_AUTHENTICATE).last().unwrap().to_owned();
    assert!(strongest.contains("SHA-256"));
    // Weaker credentials name her, the stronger ones that are checked name him, by her password.
    let terms = sip::digest::Answer {
        method: &Method::Register,
        uri: "sip:acme.example",
        user: "bob",
        password: "alice-secret",
        cnonce: "0a4f113b",
        nc: 1,
    };
    let bobs = sip::digest::answer(&strongest, &terms).unwrap();
    let weakest = challenged.header(Name::WWW_AUTHENTICATE).unwrap().to_owned();
    let text = rig.register_text(STRANGER, who, Some(&weakest), HERE);
    let both = text.replace("Content-Length", &format!("Authorization: {bobs}\r\nContent-Length"));
    rig.send(STRANGER, &both);
    rig.expect(STRANGER, "SIP/2.0 403");
    for _ in 0..5 {
        assert_eq!(guess(&mut rig, STRANGER, "bob", "wrong"), Some(403));
    }
    assert_eq!(guess(&mut rig, STRANGER, "bob", "wrong"), Some(401), "he is as unknown as ever");
    rig.finish();
}
