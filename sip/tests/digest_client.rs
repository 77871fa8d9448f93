//! The client's half of digest authentication against the server's, and against servers that lie
//! (RFC 3261 §22, RFC 7616, RFC 8760).
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by it")]

mod support;

use base::Rng;
use sip::digest::{
    Accepted, Algorithm, Authenticator, Authorizer, ChallengeError, Credentials, Integrity, Policy,
    Verdict, authorize,
};
use sip::{Message, Method, Name, Request};
use support::*;

const REALM: &str = "acme.example";

fn request() -> Request {
    Request::new(Method::Invite, uri("sip:bob@acme.example"))
        .header(Name::CSEQ, "7 INVITE")
        .body("application/sdp", "v=0\r\n")
}

/// As the server gets it.
fn sent(request: &Request) -> Message {
    let mut bench = Bench::new();
    bench.request(udp(), request.clone());
    bench.last().clone()
}

fn response(status: u16, challenges: &[(Name<'static>, String)]) -> Message {
    let lines: String = challenges.iter().map(|(name, v)| format!("{name}: {v}\r\n")).collect();
    let text = peer_response(&sent(&request()), status, "t");
    Message::parse(text.replace("Content-Length", &format!("{lines}Content-Length")).into())
        .unwrap()
}

fn www(challenges: &[&str]) -> Message {
    let lines: Vec<_> =
        challenges.iter().map(|value| (Name::WWW_AUTHENTICATE, (*value).to_owned())).collect();
    response(401, &lines)
}

fn alice() -> Credentials {
    Credentials::new("alice", "secret")
}

fn param(request: &Request, name: Name<'static>, key: &str) -> String {
    let value = request.get(name).unwrap();
    let from = value.find(key).expect(key) + key.len();
    value[from..].trim_start_matches('"').split(['"', ',']).next().unwrap().to_owned()
}

#[test]
fn each_algorithm_and_each_protection_lets_the_right_password_in_and_no_other() {
    let mut server = Authenticator::new(Rng::from_seed(1));
    let all: [&'static [Algorithm]; 6] = [
        &[Algorithm::Md5],
        &[Algorithm::Md5Sess],
        &[Algorithm::Sha256],
        &[Algorithm::Sha256Sess],
        &[Algorithm::Sha512_256],
        &[Algorithm::Sha512_256Sess],
    ];
    for algorithms in all {
        for integrity in [Integrity::Off, Integrity::Offered, Integrity::Required] {
            let policy = Policy { accepted: Accepted::These(algorithms), integrity };
            let challenges = server.challenges(at(1), REALM, policy);
            assert!(challenges[0].contains(algorithms[0].as_str()));
            let mut request = request();
            let challenges: Vec<_> = challenges.iter().map(String::as_str).collect();
            authorize(&mut request, &www(&challenges), &alice(), &mut Rng::from_seed(2)).unwrap();
            let message = sent(&request);
            let wrong = server.verify(at(2), &message, REALM, policy, Some("other"));
            assert_eq!(wrong, Verdict::Wrong);
            let right = server.verify(at(2), &message, REALM, policy, Some("secret"));
            assert_eq!(right, Verdict::Ok { user: "alice".to_owned() }, "{policy:?}");
        }
    }
}

#[test]
fn with_auth_int_a_changed_body_is_wrong_and_without_the_body_is_challenged() {
    let mut server = Authenticator::new(Rng::from_seed(1));
    let policy = Policy { accepted: Accepted::Sha256, integrity: Integrity::Required };
    let challenge = server.challenges(at(1), REALM, policy).remove(0);
    let mut signed = request();
    authorize(&mut signed, &www(&[&challenge]), &alice(), &mut Rng::from_seed(2)).unwrap();
    let bent = signed.clone().body("application/sdp", "v=1\r\n");
    let verdict = server.verify(at(2), &sent(&bent), REALM, policy, Some("secret"));
    assert_eq!(verdict, Verdict::Wrong);
    let weak = challenge.replace("auth-int", "auth");
    let mut signed = request();
    authorize(&mut signed, &www(&[&weak]), &alice(), &mut Rng::from_seed(2)).unwrap();
    let verdict = server.verify(at(2), &sent(&signed), REALM, policy, Some("secret"));
    assert_eq!(verdict, Verdict::Challenge);
}

#[test]
fn the_strongest_challenge_is_answered_wherever_it_stands() {
    let mut server = Authenticator::new(Rng::from_seed(1));
    let accepted = Accepted::These(&[Algorithm::Md5, Algorithm::Sha512_256, Algorithm::Sha256]);
    let mut challenges = server.challenges(at(1), REALM, accepted);
    challenges.push("Digest realm=\"acme.example\", nonce=\"x\", algorithm=SHA-1024".to_owned());
    let challenges: Vec<_> = challenges.iter().map(String::as_str).collect();
    let mut request = request();
    authorize(&mut request, &www(&challenges), &alice(), &mut Rng::from_seed(2)).unwrap();
    assert_eq!(param(&request, Name::AUTHORIZATION, "algorithm="), "SHA-512-256");
}

#[test]
fn a_weaker_answer_than_was_asked_for_does_not_get_in() {
    let mut server = Authenticator::new(Rng::from_seed(1));
    let challenge = server.challenges(at(1), REALM, Accepted::Sha256).remove(0);
    let bent = challenge.replace("SHA-256", "MD5");
    let mut request = request();
    authorize(&mut request, &www(&[&bent]), &alice(), &mut Rng::from_seed(2)).unwrap();
    let verdict = server.verify(at(2), &sent(&request), REALM, Accepted::Sha256, Some("secret"));
    assert_eq!(verdict, Verdict::Challenge);
    let careful = alice().at_least(Algorithm::Sha256);
    let mut request = self::request();
    let refused = authorize(&mut request, &www(&[&bent]), &careful, &mut Rng::from_seed(2));
    assert_eq!(refused, Err(ChallengeError::Weak));
    assert_eq!(request.get(Name::AUTHORIZATION), None);
}

#[test]
fn a_foreign_realm_gets_no_answer() {
    let ours = alice().for_realm(REALM);
    let foreign = "Digest realm=\"evil.example\", nonce=\"n\", qop=\"auth\"";
    let mut request = request();
    let refused = authorize(&mut request, &www(&[foreign]), &ours, &mut Rng::from_seed(2));
    assert_eq!(refused, Err(ChallengeError::Foreign));
    assert_eq!(request.get(Name::AUTHORIZATION), None);
    let own = "Digest realm=\"acme.example\", nonce=\"n\", qop=\"auth\"";
    authorize(&mut request, &www(&[foreign, own]), &ours, &mut Rng::from_seed(2)).unwrap();
    assert_eq!(sent(&request).headers(Name::AUTHORIZATION).count(), 1);
    assert_eq!(param(&request, Name::AUTHORIZATION, "realm="), REALM);
}

#[test]
fn a_server_and_two_proxies_are_all_answered_at_once() {
    let challenge = |realm: &str| format!("Digest realm=\"{realm}\", nonce=\"n\", qop=\"auth\"");
    let all = response(
        407,
        &[
            (Name::PROXY_AUTHENTICATE, challenge("one")),
            (Name::PROXY_AUTHENTICATE, challenge("two")),
            (Name::WWW_AUTHENTICATE, challenge("one")),
        ],
    );
    let mut request = request();
    authorize(&mut request, &all, &alice(), &mut Rng::from_seed(2)).unwrap();
    let message = sent(&request);
    assert_eq!(message.headers(Name::PROXY_AUTHORIZATION).count(), 2);
    assert_eq!(message.headers(Name::AUTHORIZATION).count(), 1);
}

#[test]
fn a_refused_answer_is_not_repeated_and_a_stale_nonce_is_excused_once() {
    let challenge = |nonce: &str, more: &str| {
        www(&[&format!("Digest realm=\"acme.example\", nonce=\"{nonce}\", qop=\"auth\"{more}")])
    };
    let mut authorizer = Authorizer::new(alice(), Rng::from_seed(2));
    let mut request = request();
    authorizer.challenged(&mut request, &challenge("1", "")).unwrap();
    let again = authorizer.challenged(&mut request, &challenge("2", ""));
    assert_eq!(again, Err(ChallengeError::Refused), "the password is wrong");
    authorizer.challenged(&mut request, &challenge("3", ", stale=TRUE")).unwrap();
    assert_eq!(param(&request, Name::AUTHORIZATION, "nonce="), "3");
    assert_eq!(sent(&request).headers(Name::AUTHORIZATION).count(), 1, "the old answer is gone");
    let endless = authorizer.challenged(&mut request, &challenge("4", ", stale=true"));
    assert_eq!(endless, Err(ChallengeError::Refused));
}

#[test]
fn later_requests_are_signed_without_being_asked_and_count_the_nonce_up() {
    let mut server = Authenticator::new(Rng::from_seed(1));
    let challenges = server.challenges(at(1), REALM, Accepted::default());
    let challenges: Vec<_> = challenges.iter().map(String::as_str).collect();
    let mut authorizer = Authorizer::new(alice(), Rng::from_seed(2));
    let mut first = request();
    authorizer.sign(&mut first);
    assert_eq!(first.get(Name::AUTHORIZATION), None, "nobody has asked yet");
    authorizer.challenged(&mut first, &www(&challenges)).unwrap();
    first.next_cseq();
    assert_eq!(first.get(Name::CSEQ), Some("8 INVITE"));
    for nc in 2..5 {
        let mut later = request();
        authorizer.sign(&mut later);
        assert_eq!(param(&later, Name::AUTHORIZATION, "nc="), format!("{nc:08x}"));
        let verdict =
            server.verify(at(2), &sent(&later), REALM, Accepted::default(), Some("secret"));
        assert!(matches!(verdict, Verdict::Ok { .. }), "{verdict:?}");
    }
    // An hour later the nonce is no good any more, and nothing needs to be said about stale.
    let mut later = request();
    authorizer.sign(&mut later);
    let fresh = server.challenges(at(3_600_000), REALM, Accepted::default());
    authorizer.challenged(&mut later, &www(&[&fresh[0]])).unwrap();
    assert_eq!(param(&later, Name::AUTHORIZATION, "nc="), "00000001");
}

#[test]
fn a_server_that_wants_the_user_hidden_does_not_get_to_see_it() {
    let wish = "Digest realm=\"acme.example\", nonce=\"n\", qop=\"auth\", algorithm=SHA-256, \
                userhash=true";
    let mut request = request();
    authorize(&mut request, &www(&[wish]), &alice(), &mut Rng::from_seed(2)).unwrap();
    let value = request.get(Name::AUTHORIZATION).unwrap();
    assert!(!value.contains("alice") && value.contains("userhash=true"), "{value}");
    assert!(!format!("{:?}", alice()).contains("secret"), "a password is in no log");
}
