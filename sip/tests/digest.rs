//! Digest authentication end to end: our challenges, our client's answers, and what attackers
//! send (RFC 7616, RFC 8760).
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by it")]

mod support;

use base::{Duration, Instant, Rng};
use sip::digest::{Accepted, Answer, Authenticator, ChallengeError, Verdict, answer, choose};
use sip::{Message, Method};
use support::*;

const REALM: &str = "acme.example";
const URI: &str = "sip:acme.example";

fn register(authorization: Option<&str>) -> Message {
    let line = authorization.map_or_else(String::new, |a| format!("Authorization: {a}\r\n"));
    let text = format!(
        "REGISTER {URI} SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n\
         From: <sip:alice@acme.example>;tag=1\r\nTo: <sip:alice@acme.example>\r\nCall-ID: r\r\n\
         CSeq: 2 REGISTER\r\n{line}Content-Length: 0\r\n\r\n"
    );
    Message::parse(text.into()).unwrap()
}

fn answered(challenge: &str, user: &str, password: &str, nc: u32) -> String {
    let method = Method::Register;
    let parts = Answer { method: &method, uri: URI, user, password, cnonce: "c0ffee", nc };
    answer(challenge, &parts).unwrap()
}

fn ok() -> Verdict {
    Verdict::Ok { user: "alice".to_owned() }
}

struct Door {
    authenticator: Authenticator,
    now: Instant,
}

impl Door {
    fn new() -> Self {
        Self { authenticator: Authenticator::new(Rng::from_seed(5)), now: at(1_000) }
    }

    fn challenges(&mut self) -> Vec<String> {
        self.authenticator.challenges(self.now, REALM, Accepted::default())
    }

    fn knock(&mut self, authorization: &str, password: Option<&str>) -> Verdict {
        let request = register(Some(authorization));
        self.authenticator.verify(self.now, &request, REALM, Accepted::default(), password)
    }
}

#[test]
fn both_algorithms_are_offered_md5_first_and_both_let_the_right_password_in() {
    let mut door = Door::new();
    let challenges = door.challenges();
    assert_eq!(challenges.len(), 2);
    assert!(challenges[0].contains("algorithm=MD5, qop=\"auth\""), "{challenges:?}");
    assert!(challenges[1].contains("algorithm=SHA-256, qop=\"auth\""));
    let chosen = choose(challenges.iter().map(String::as_str));
    assert_eq!(chosen, Some(&*challenges[1]), "our client takes the stronger one");
    for nc in [1, 2] {
        let which = &challenges[nc as usize - 1];
        let authorization = answered(which, "alice", "alice-secret", nc);
        assert_eq!(door.knock(&authorization, Some("alice-secret")), ok());
    }
    let request = register(Some(&answered(&challenges[0], "alice", "x", 1)));
    let claimed = Authenticator::claimed_user(&request);
    assert_eq!(claimed, Some(("alice".to_owned(), REALM.to_owned())));
}

#[test]
fn a_realm_of_one_algorithm_offers_only_that_and_takes_only_that() {
    let mut door = Door::new();
    for (accepted, other) in [(Accepted::Sha256, Accepted::Md5), (Accepted::Md5, Accepted::Sha256)]
    {
        let challenges = door.authenticator.challenges(door.now, REALM, accepted);
        assert_eq!(challenges.len(), 1);
        let request = register(Some(&answered(&challenges[0], "alice", "p", 1)));
        let refused = door.authenticator.verify(door.now, &request, REALM, other, Some("p"));
        assert_eq!(refused, Verdict::Challenge, "{other:?} does not take {accepted:?}");
        let taken = door.authenticator.verify(door.now, &request, REALM, accepted, Some("p"));
        assert_eq!(taken, ok());
    }
}

#[test]
fn no_credentials_or_another_realms_are_challenged() {
    let mut door = Door::new();
    let none =
        door.authenticator.verify(door.now, &register(None), REALM, Accepted::default(), Some("p"));
    assert_eq!(none, Verdict::Challenge);
    let other =
        door.authenticator.challenges(door.now, "globex.example", Accepted::default()).remove(0);
    assert_eq!(door.knock(&answered(&other, "alice", "p", 1), Some("p")), Verdict::Challenge);
    assert_eq!(door.knock("Basic YTpi", Some("b")), Verdict::Challenge);
    assert_eq!(door.knock("Digest", Some("b")), Verdict::Challenge);
}

#[test]
fn a_wrong_password_and_an_unknown_user_get_the_same_verdict() {
    let mut door = Door::new();
    let challenge = door.challenges().remove(0);
    let authorization = answered(&challenge, "alice", "guess", 1);
    assert_eq!(door.knock(&authorization, Some("alice-secret")), Verdict::Wrong);
    assert_eq!(door.knock(&authorization, None), Verdict::Wrong);
    let lucky = answered(&challenge, "alice", "no such user", 1);
    assert_eq!(door.knock(&lucky, None), Verdict::Wrong, "no password is right for nobody");
}

#[test]
fn a_replayed_answer_is_stale() {
    let mut door = Door::new();
    let challenge = door.challenges().remove(0);
    let second = answered(&challenge, "alice", "p", 2);
    assert_eq!(door.knock(&second, Some("p")), ok());
    assert_eq!(door.knock(&second, Some("p")), Verdict::Stale);
    let overtaken = answered(&challenge, "alice", "p", 1);
    assert_eq!(door.knock(&overtaken, Some("p")), ok(), "sent first, came second");
    assert_eq!(door.knock(&overtaken, Some("p")), Verdict::Stale);
    assert_eq!(door.knock(&answered(&challenge, "alice", "p", 3), Some("p")), ok());
    assert_eq!(door.knock(&answered(&challenge, "alice", "p", 0), Some("p")), Verdict::Stale);
}

#[test]
fn a_nonce_older_than_five_minutes_is_stale_and_the_new_challenge_says_so() {
    let mut door = Door::new();
    let challenge = door.challenges().remove(1);
    door.now += Duration::from_secs(301);
    let late = answered(&challenge, "alice", "p", 1);
    assert_eq!(door.knock(&late, Some("p")), Verdict::Stale);
    assert_eq!(door.knock(&late, Some("other")), Verdict::Wrong, "stale is only for who knows");
    let again = door.authenticator.stale_challenges(door.now, REALM, Accepted::default());
    assert!(again.iter().all(|challenge| challenge.ends_with(", stale=true")));
    assert_eq!(door.knock(&answered(&again[0], "alice", "p", 1), Some("p")), ok());
}

#[test]
fn a_nonce_that_is_not_ours_is_challenged_again() {
    let mut door = Door::new();
    let challenge = door.challenges().remove(0);
    let start = challenge.find("nonce=\"").unwrap() + 7;
    for at in [0, 20, 63] {
        let mut forged = challenge.clone().into_bytes();
        let digit = &mut forged[start + at];
        *digit = if *digit == b'0' { b'1' } else { b'0' };
        let forged = String::from_utf8(forged).unwrap();
        let authorization = answered(&forged, "alice", "p", 1);
        assert_eq!(door.knock(&authorization, Some("p")), Verdict::Challenge, "digit {at}");
    }
}

#[test]
fn an_answer_for_another_request_uri_or_method_is_wrong() {
    let mut door = Door::new();
    let challenge = door.challenges().remove(0);
    let (invite, register) = (Method::Invite, Method::Register);
    for (method, uri) in [(&invite, URI), (&register, "sip:globex.example")] {
        let parts = Answer { method, uri, user: "alice", password: "p", cnonce: "c", nc: 1 };
        let authorization = answer(&challenge, &parts).unwrap();
        assert_eq!(door.knock(&authorization, Some("p")), Verdict::Wrong);
    }
}

#[test]
fn an_answer_without_qop_or_with_a_repeated_parameter_is_challenged() {
    let mut door = Door::new();
    let challenge = door.challenges().remove(0);
    let without = answered(&challenge.replace(", qop=\"auth\"", ""), "alice", "p", 1);
    assert_eq!(door.knock(&without, Some("p")), Verdict::Challenge);
    let twice = answered(&challenge, "alice", "p", 1) + ", username=\"bob\"";
    assert_eq!(door.knock(&twice, Some("p")), Verdict::Challenge);
    // A count is eight digits (RFC 7616 §3.4): another spelling of one is not another count.
    for count in ["1", "000000001", "+0000001", "0000000g"] {
        let odd = answered(&challenge, "alice", "p", 1).replace("00000001", count);
        assert_ne!(door.knock(&odd, Some("p")), ok(), "{count}");
        assert_eq!(
            door.knock(&odd, Some("p")) == Verdict::Challenge,
            count.len() != 8 || count.ends_with('g')
        );
    }
}

#[test]
fn forgotten_nonces_are_stale_so_that_none_can_be_replayed() {
    let mut authenticator =
        Authenticator::with_limits(Rng::from_seed(5), Duration::from_secs(300), 2);
    let mut used = Vec::new();
    for n in 0..4 {
        let now = at(1_000 + n);
        let challenge = authenticator.challenges(now, REALM, Accepted::default()).remove(0);
        let request = register(Some(&answered(&challenge, "alice", "p", 1)));
        assert_eq!(
            authenticator.verify(now, &request, REALM, Accepted::default(), Some("p")),
            ok()
        );
        used.push(request);
    }
    for request in used {
        let verdict =
            authenticator.verify(at(2_000), &request, REALM, Accepted::default(), Some("p"));
        assert_eq!(verdict, Verdict::Stale);
    }
}

#[test]
fn the_client_answers_foreign_challenges_and_refuses_what_it_cannot() {
    let method = Method::Invite;
    let parts =
        Answer { method: &method, uri: "sip:x", user: "u\"x", password: "p", cnonce: "c", nc: 17 };
    let text = answer(r#"Digest realm="a, b", nonce="n", opaque="o", qop="auth-int,auth""#, &parts);
    let text = text.unwrap();
    for part in
        [r#"username="u\"x""#, r#"realm="a, b""#, "nc=00000011", "algorithm=MD5", r#"opaque="o""#]
    {
        assert!(text.contains(part), "{part} in {text}");
    }
    let old = answer(r#"Digest realm="a", nonce="n""#, &parts).unwrap();
    assert!(!old.contains("qop") && !old.contains("cnonce"));
    for (challenge, error) in [
        ("Basic realm=\"a\"", ChallengeError::Scheme),
        ("Digest realm=\"a\", nonce=\"n\", algorithm=AKAv1-MD5", ChallengeError::Algorithm),
        ("Digest realm=\"a\", nonce=\"n\", qop=\"auth-int\"", ChallengeError::Qop),
        ("Digest realm=\"a\"", ChallengeError::Missing),
    ] {
        assert_eq!(answer(challenge, &parts), Err(error));
    }
}
