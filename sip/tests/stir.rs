//! Signed caller numbers: ours, those another implementation has signed (`fixtures/stir`, Python's
//! `cryptography`), and forged ones (RFC 8224, RFC 8225, RFC 8226, RFC 8588).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by it")]

mod support;

use base::UnixTime;
use sip::Message;
use sip::stir::{
    Attestation, CertificateError, Diverted, Failure, NumberAuthority, Roots, SignError, Signer,
    Verdict, Verification, canonical, verify,
};
use support::*;

const URL: &str = "https://cert.example.org/passport.cer";
const ORIGID: &str = "123e4567-e89b-12d3-a456-426655440000";
const CALLER: &str = "+1 555-0100";
const CALLED: &str = "+15550199";

fn file(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/stir/");
    std::fs::read(format!("{folder}{name}")).expect(name)
}

fn roots() -> Roots {
    Roots::from_pem(&file("root.pem")).unwrap()
}

fn time(seconds: i64) -> UnixTime {
    UnixTime::from_micros(1_000_000 * (1_795_224_000 + seconds))
}

fn signed(attestation: Attestation) -> String {
    let signer = Signer::new(&file("key.pem"), URL).unwrap();
    signer.sign(time(0), (CALLER, CALLED), attestation, ORIGID).unwrap()
}

fn call(identities: &[&str]) -> Message {
    let lines: String = identities.iter().map(|value| format!("Identity: {value}\r\n")).collect();
    let text = peer_request("INVITE", "z9hG4bK1", 1, "");
    Message::parse(text.replace("Max-F", &format!("{lines}Max-F")).into()).unwrap()
}

/// The whole check, with those certificates behind the URL.
fn checked(identity: &str, certificates: &str, now: UnixTime) -> Verdict {
    match verify(&call(&[identity]), now, CALLER, CALLED) {
        Verification::Done(verdict) => verdict,
        Verification::Ask(pending) => {
            assert_eq!(pending.url(), URL);
            done(pending.finish(now, Some(&file(certificates)), &roots()))
        }
    }
}

#[track_caller]
fn done(verification: Verification) -> Verdict {
    match verification {
        Verification::Done(verdict) => verdict,
        Verification::Ask(pending) => panic!("it waits for {}", pending.url()),
    }
}

fn passed(attestation: Attestation, provider: Option<&str>, diverted: Vec<Diverted>) -> Verdict {
    let provider = provider.map(str::to_owned);
    Verdict::Passed { attestation, origid: ORIGID.to_owned(), provider, diverted }
}

fn failed(identity: &str) -> Failure {
    match checked(identity, "provider.pem", time(1)) {
        Verdict::Failed(failure) => failure,
        other => unreachable!("{other}"),
    }
}

#[test]
fn what_we_sign_passes_with_its_attestation_and_the_signers_code() {
    for attestation in [Attestation::A, Attestation::B, Attestation::C] {
        let verdict = checked(&signed(attestation), "provider.pem", time(3));
        assert_eq!(verdict, passed(attestation, Some("709J"), Vec::new()));
        assert_eq!(verdict.verstat(), "TN-Validation-Passed");
        assert_eq!((verdict.attestation(), verdict.refusal()), (Some(attestation), None));
    }
}

#[test]
fn what_another_implementation_signed_passes_whatever_its_numbers_look_like() {
    // 40 signatures: some have an r or s with leading zeros or the top bit set.
    let all = String::from_utf8(file("identities.txt")).unwrap();
    assert_eq!(all.lines().count(), 40);
    for identity in all.lines() {
        let verdict = checked(identity, "provider.pem", time(30));
        assert_eq!(verdict.attestation(), Some(Attestation::A), "{verdict}");
    }
}

#[test]
fn a_call_nobody_signed_says_so_and_is_refused_only_where_calls_must_be_signed() {
    let Verification::Done(verdict) = verify(&call(&[]), time(0), CALLER, CALLED) else {
        unreachable!()
    };
    assert_eq!((verdict.verstat(), verdict.attestation()), ("No-TN-Validation", None));
    assert_eq!(verdict.refusal().unwrap().0.as_u16(), 428);
}

#[test]
fn a_signature_used_again_later_or_for_another_call_fails_without_a_fetch() {
    let identity = signed(Attestation::A);
    for (now, orig, dest, failure, status) in [
        (61, CALLER, CALLED, Failure::Stale, 403),
        (-61, CALLER, CALLED, Failure::Stale, 403),
        (1, "+15550101", CALLED, Failure::OtherCaller, 438),
        (1, "alice", CALLED, Failure::OtherCaller, 438),
        (1, CALLER, "+15550198", Failure::OtherCalled, 438),
    ] {
        let done = verify(&call(&[&identity]), time(now), orig, dest);
        assert_eq!(done, Verification::Done(Verdict::Failed(failure)));
        assert_eq!(failure.status().as_u16(), status);
    }
    assert_eq!(Failure::Stale.reason(), "Stale Date");
    let fresh = verify(&call(&[&identity]), time(60), "15550100", "1 (555) 0199");
    assert!(matches!(fresh, Verification::Ask(_)));
}

#[test]
fn a_token_that_was_bent_anywhere_does_not_pass() {
    let identity = signed(Attestation::C);
    let (token, rest) = identity.split_once(';').unwrap();
    for at in (0..token.len()).step_by(7) {
        let mut bent = token.as_bytes().to_vec();
        bent[at] = if bent[at] == b'A' { b'B' } else { b'A' };
        let bent = format!("{};{rest}", String::from_utf8(bent).unwrap());
        let verdict = checked(&bent, "provider.pem", time(1));
        assert!(matches!(verdict, Verdict::Failed(_)), "byte {at}: {verdict}");
    }
    // A claim put in with the signature of another.
    let other = signed(Attestation::A);
    let parts: Vec<_> = token.split('.').collect();
    let claims = other.split('.').nth(1).unwrap();
    let mixed = format!("{}.{claims}.{};{rest}", parts[0], parts[2]);
    assert_eq!(failed(&mixed), Failure::Signature);
}

#[test]
fn headers_that_lack_something_or_ask_for_something_else_fail_for_that_reason() {
    let good = signed(Attestation::A);
    let (token, _) = good.split_once(';').unwrap();
    for (identity, failure) in [
        (String::new(), Failure::Syntax),
        (token.to_owned(), Failure::Syntax),
        (good.replace("shaken", "div"), Failure::Unsupported),
        (good.replace("ES256", "none"), Failure::Unsupported),
        (good.replace("cert.example.org", "evil.example.org"), Failure::Url),
        (good.replacen('.', "", 1), Failure::Syntax),
        (format!("..{}", good.split_once('.').unwrap().1), Failure::Syntax),
        (format!("x.y.z;info=<{URL}>;alg=ES256;ppt=shaken"), Failure::Syntax),
    ] {
        assert_eq!(failed(&identity), failure, "{identity}");
    }
    // Beside a token of another extension it is found.
    let div = good.replace("shaken", "div");
    let both = verify(&call(&[&div, &good]), time(1), CALLER, CALLED);
    assert!(matches!(both, Verification::Ask(_)));
}

#[test]
fn certificates_count_only_with_a_chain_in_time_and_for_the_number() {
    let identity = signed(Attestation::A);
    let certificate = |name: &str| match checked(&identity, name, time(1)) {
        Verdict::Failed(Failure::Certificate(error)) => error,
        other => unreachable!("{name}: {other}"),
    };
    assert_eq!(certificate("expired.pem"), CertificateError::Expired);
    assert_eq!(certificate("no-numbers.pem"), CertificateError::NotForNumbers);
    assert_eq!(certificate("key.pem"), CertificateError::Syntax);
    assert_eq!(certificate("other-root.pem"), CertificateError::Untrusted);
    assert_eq!(Failure::Certificate(CertificateError::Expired).status().as_u16(), 437);
    let verdict = checked(&identity, "numbers.pem", time(1));
    assert_eq!(verdict, passed(Attestation::A, None, Vec::new()));
    let Verification::Ask(pending) = verify(&call(&[&identity]), time(1), CALLER, CALLED) else {
        unreachable!()
    };
    let other_roots = Roots::from_pem(&file("other-root.pem")).unwrap();
    let finish = |certificates: Option<&[u8]>, roots: &Roots| {
        done(pending.clone().finish(time(1), certificates, roots))
    };
    let nobody = finish(Some(&file("provider.pem")), &other_roots);
    assert_eq!(nobody, Verdict::Failed(Failure::Certificate(CertificateError::Untrusted)));
    let unfetched = finish(None, &roots());
    assert_eq!(unfetched, Verdict::Failed(Failure::NotFetched));
    assert_eq!(unfetched.refusal().unwrap().0.as_u16(), 436);
    let rubbish = vec![0x30; 100_000];
    let refused = finish(Some(&rubbish), &roots());
    assert_eq!(refused, Verdict::Failed(Failure::Certificate(CertificateError::Syntax)));
    assert!(Roots::from_pem(b"").is_err() && Roots::from_pem(&rubbish).is_err());
}

#[test]
fn a_certificate_for_some_numbers_covers_those_and_no_others() {
    let pem = String::from_utf8(file("numbers.pem")).unwrap();
    let body: String = pem.lines().skip(1).take_while(|line| !line.starts_with('-')).collect();
    let der = {
        use base64_of_tests::decode;
        decode(&body)
    };
    let authority = NumberAuthority::of(&der).unwrap();
    assert_eq!(authority.ranges, [("15550100".to_owned(), 300), ("15559999".to_owned(), 1)]);
    for (number, covered) in [
        ("15550099", false),
        ("15550100", true),
        ("15550399", true),
        ("15550400", false),
        ("15559999", true),
        ("015550100", false),
        ("*72", false),
    ] {
        assert_eq!(authority.covers(number), covered, "{number}");
    }
    assert_eq!(NumberAuthority::of(b""), None);
    for cut in 0..der.len() {
        _ = NumberAuthority::of(&der[..cut]);
    }
}

/// Enough of base64 to read a PEM file, so that the tests need no crate for it.
mod base64_of_tests {
    pub(super) fn decode(text: &str) -> Vec<u8> {
        let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
        let (mut bits, mut count, mut out) = (0_u32, 0, Vec::new());
        for value in text.chars().filter_map(|c| alphabet.find(c)) {
            bits = (bits << 6 | u32::try_from(value).unwrap()) & 0xff_ffff;
            count += 6;
            if count >= 8 {
                count -= 8;
                out.push(u8::try_from(bits >> count & 0xff).unwrap());
            }
        }
        out
    }
}

#[test]
fn a_signer_refuses_what_it_cannot_sign_for() {
    let key = file("key.pem");
    for url in ["http://a.b/c", "https://127.0.0.1/c", ""] {
        assert_eq!(Signer::new(&key, url).map(|_| ()), Err(SignError::Url), "{url}");
    }
    assert_eq!(Signer::new(b"nothing", URL).map(|_| ()), Err(SignError::Key));
    assert_eq!(Signer::new(&file("root.pem"), URL).map(|_| ()), Err(SignError::Key));
    let signer = Signer::new(&key, URL).unwrap();
    for pair in [("alice", CALLED), (CALLER, ""), (CALLER, "sip:x@y")] {
        let refused = signer.sign(time(0), pair, Attestation::A, ORIGID);
        assert_eq!(refused, Err(SignError::Number));
    }
    let shown = format!("{signer:?}");
    assert_eq!(shown, format!("Signer({URL})"), "no key in a log");
    assert_eq!(canonical(CALLER).as_deref(), Some("15550100"));
}
