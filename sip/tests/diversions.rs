//! Signed calls that are sent on (RFC 8946): each who does signs for it, and the chain from whom the
//! call was for to whom it is for now has to hold.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by it")]

mod support;

use base::UnixTime;
use sip::Message;
use sip::stir::{
    Attestation, CertificateError, Diverted, Failure, Roots, SignError, Signer, Verdict,
    Verification, verify,
};
use support::*;

const CALLER: &str = "+15550100";
/// Who was called, who that one sent the call on to, and whom the call reaches.
const FIRST: &str = "+15550199";
const SECOND: &str = "+15550250";
const THIRD: &str = "+15559999";

fn file(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/stir/");
    std::fs::read(format!("{folder}{name}")).expect(name)
}

fn time(seconds: i64) -> UnixTime {
    UnixTime::from_micros(1_000_000 * (1_795_224_000 + seconds))
}

fn signer(name: &str) -> Signer {
    Signer::new(&file("key.pem"), &format!("https://{name}.example.org/passport.cer")).unwrap()
}

fn original() -> String {
    signer("caller").sign(time(0), (CALLER, FIRST), Attestation::B, "0b7e").unwrap()
}

/// The call as it reaches the third one: signed by all.
fn sent_on_twice() -> Vec<String> {
    let mut all = vec![original()];
    for (name, from, to) in [("first", FIRST, SECOND), ("second", SECOND, THIRD)] {
        let numbers = (CALLER, from, to);
        all.push(signer(name).sign_diversion(time(20), &all, numbers).unwrap());
    }
    all
}

fn call(identities: &[String]) -> Message {
    let lines: String = identities.iter().map(|value| format!("Identity: {value}\r\n")).collect();
    let text = peer_request("INVITE", "z9hG4bK1", 1, "");
    Message::parse(text.replace("Max-F", &format!("{lines}Max-F")).into()).unwrap()
}

/// The whole check; the certificates that were asked for, and what came of it. `certificate` says
/// what is behind a URL.
fn checked(
    identities: &[String],
    dest: &str,
    certificate: impl Fn(&str) -> &'static str,
) -> (Vec<String>, Verdict) {
    let roots = Roots::from_pem(&file("root.pem")).unwrap();
    let (mut at, mut asked) = (verify(&call(identities), time(25), CALLER, dest), Vec::new());
    loop {
        match at {
            Verification::Done(verdict) => return (asked, verdict),
            Verification::Ask(pending) => {
                let name = pending.url().split(['/', '.']).nth(2).unwrap().to_owned();
                let found = file(certificate(&name));
                asked.push(name);
                at = pending.finish(time(25), Some(&found), &roots);
            }
        }
    }
}

fn provider(_: &str) -> &'static str {
    "provider.pem"
}

fn failure(identities: &[String], dest: &str) -> Failure {
    match checked(identities, dest, provider).1 {
        Verdict::Failed(failure) => failure,
        other => panic!("{other}"),
    }
}

/// What a part of a token says.
fn claims(identity: &str) -> String {
    let part = identity.split('.').nth(1).unwrap();
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (mut bits, mut count, mut out) = (0_u32, 0, String::new());
    for value in part.chars().filter_map(|c| alphabet.find(c)) {
        bits = (bits << 6 | u32::try_from(value).unwrap()) & 0xff_ffff;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push(char::from(u8::try_from(bits >> count & 0xff).unwrap()));
        }
    }
    out
}

#[test]
fn a_diversion_says_who_sends_whose_call_where_and_keeps_the_time_it_was_signed_at() {
    let all = sent_on_twice();
    let said = r#"{"dest":{"tn":["15559999"]},"div":{"tn":"15550250"},"iat":1795224000,"#
        .to_owned()
        + r#""orig":{"tn":"15550100"}}"#;
    assert_eq!(claims(&all[2]), said);
    assert!(all[2].ends_with(";info=<https://second.example.org/passport.cer>;alg=ES256;ppt=div"));
}

#[test]
fn a_call_that_was_sent_on_is_good_when_each_who_did_has_signed_for_it_in_any_order() {
    let mut all = sent_on_twice();
    let diverted = ["15550199", "15550250"]
        .map(|by| Diverted { by: by.to_owned(), provider: Some("709J".to_owned()) });
    let verdict = Verdict::Passed {
        attestation: Attestation::B,
        origid: "0b7e".to_owned(),
        provider: Some("709J".to_owned()),
        diverted: diverted.to_vec(),
    };
    let asked = ["caller", "first", "second"].map(str::to_owned).to_vec();
    assert_eq!(checked(&all, THIRD, provider), (asked.clone(), verdict.clone()));
    all.rotate_left(1);
    assert_eq!(checked(&all, THIRD, provider), (asked, verdict));
    let (asked, verdict) = checked(&all, FIRST, provider);
    assert_eq!(asked, ["caller"], "one who is called as signed needs no more");
    assert!(matches!(verdict, Verdict::Passed { diverted, .. } if diverted.is_empty()));
}

#[test]
fn a_broken_chain_leads_nowhere() {
    let all = sent_on_twice();
    let without = |gone: usize| {
        let mut left = all.clone();
        left.remove(gone);
        left
    };
    assert_eq!(failure(&without(1), THIRD), Failure::OtherCalled, "a link is missing");
    assert_eq!(failure(&without(2), THIRD), Failure::OtherCalled, "the last one is");
    assert_eq!(failure(&without(0), THIRD), Failure::Unsupported, "nobody signed for the caller");
    assert_eq!(failure(&all, "+15550111"), Failure::OtherCalled);
    // A diversion of another caller's call is none of this one.
    let theirs = signer("x").sign(time(0), ("+15550300", FIRST), Attestation::A, "x").unwrap();
    let theirs = vec![theirs];
    let numbers = ("+15550300", FIRST, THIRD);
    let foreign = signer("x").sign_diversion(time(1), &theirs, numbers).unwrap();
    assert_eq!(failure(&[original(), foreign], THIRD), Failure::OtherCalled);
    // A circle ends.
    let mut round = vec![original()];
    for (from, to) in [(FIRST, SECOND), (SECOND, FIRST), (FIRST, SECOND)] {
        let numbers = (CALLER, from, to);
        round.push(signer("x").sign_diversion(time(1), &round, numbers).unwrap());
    }
    assert_eq!(failure(&round, THIRD), Failure::OtherCalled);
}

#[test]
fn who_sends_a_call_on_must_be_entitled_to_the_number_that_it_was_for() {
    let all = sent_on_twice();
    for (bad, certificate, error) in [
        ("first", "expired.pem", CertificateError::Expired),
        ("second", "other-root.pem", CertificateError::Untrusted),
        ("second", "no-numbers.pem", CertificateError::NotForNumbers),
    ] {
        let (asked, verdict) =
            checked(&all, THIRD, |name| if name == bad { certificate } else { "provider.pem" });
        assert_eq!(verdict, Verdict::Failed(Failure::Certificate(error)), "{bad}");
        assert_eq!(asked.last().map(String::as_str), Some(bad), "nothing more is asked for");
    }
    // `numbers.pem` is for 15550100 to 15550399 and 15559999: for the first two who send it on.
    let (_, verdict) = checked(&all, THIRD, |_| "numbers.pem");
    assert!(matches!(verdict, Verdict::Passed { .. }), "{verdict}");
    let numbers = (CALLER, FIRST, "+4930123456");
    let mut abroad = vec![original()];
    abroad.push(signer("first").sign_diversion(time(1), &abroad, numbers).unwrap());
    let numbers = (CALLER, "+4930123456", THIRD);
    abroad.push(signer("second").sign_diversion(time(1), &abroad, numbers).unwrap());
    let (_, verdict) = checked(&abroad, THIRD, |_| "numbers.pem");
    let other = Failure::Certificate(CertificateError::OtherNumbers);
    assert_eq!(verdict, Verdict::Failed(other), "it has no right to +49");
}

#[test]
fn a_diversion_that_was_bent_anywhere_does_not_pass() {
    let all = sent_on_twice();
    let (token, rest) = all[1].split_once(';').unwrap();
    for at in (0..token.len()).step_by(5) {
        let mut bent = token.as_bytes().to_vec();
        bent[at] = if bent[at] == b'A' { b'B' } else { b'A' };
        let bent = format!("{};{rest}", String::from_utf8(bent).unwrap());
        let verdict = checked(&[all[0].clone(), bent, all[2].clone()], THIRD, provider).1;
        assert!(matches!(verdict, Verdict::Failed(_)), "byte {at}: {verdict}");
    }
    // One that says of itself that it is the caller's is none.
    let posing = all[1].replace("ppt=div", "ppt=shaken");
    assert_eq!(failure(&[posing], SECOND), Failure::Unsupported);
}

#[test]
fn nothing_is_signed_for_a_call_that_nobody_signed_or_too_long_ago() {
    let all = vec![original()];
    let refused = |at, before: &[String], numbers| {
        signer("first").sign_diversion(time(at), before, numbers).unwrap_err()
    };
    let numbers = (CALLER, FIRST, SECOND);
    assert_eq!(refused(1, &[], numbers), SignError::Unsigned);
    assert_eq!(refused(61, &all, numbers), SignError::Unsigned, "nobody would believe it");
    assert_eq!(refused(1, &all, ("+15550101", FIRST, SECOND)), SignError::Unsigned);
    assert_eq!(refused(1, &all, (CALLER, SECOND, THIRD)), SignError::Unsigned);
    assert_eq!(refused(1, &all, (CALLER, FIRST, "alice")), SignError::Number);
}
