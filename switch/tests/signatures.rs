//! Signed caller numbers (RFC 8224, RFC 8588): a call waits for its signer's certificate, but not
//! for long, and its tenant hears what the number is worth.

use base::{Duration, UnixTime};
use bytes::Bytes;
use sip::stir::{Attestation, Roots, Signer, Verdict, Verification, verify};
use switch::{Input, SecurityKind};

use crate::diversion;
use crate::rig::{ALICE, Call, DEMO, OUT, Rig, TRUNK, calls_out};

const URL: &str = "https://cert.example.org/passport.cer";
const CALLED: &str = "+15550100";
const HOUR: Duration = Duration::from_secs(3600);

fn file(name: &str) -> Vec<u8> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/stir/");
    std::fs::read(format!("{folder}{name}")).expect(name)
}

/// A switch whose carrier-a has those rules.
fn rig(stir: &str) -> Rig {
    rig_with(DEMO, stir)
}

pub(crate) fn rig_with(provisioning: &str, stir: &str) -> Rig {
    let own = format!("id = \"carrier-a\"\nstir = {{ {stir} }}");
    let mut rig = Rig::with(&provisioning.replace("id = \"carrier-a\"", &own));
    rig.input(Input::StirRoots(Roots::from_pem(&file("root.pem")).unwrap()));
    rig
}

/// A trunk's line that has its calls signed.
fn signs() -> String {
    let key = String::from_utf8(file("key.pem")).unwrap();
    format!(
        "stir = {{ sign = {{ certificate_url = \"{URL}\", private_key = \"\"\"{key}\"\"\" }} }}"
    )
}

/// The value of Identity, signed so many seconds ago.
fn identity(rig: &Rig, called: &str, ago: u64) -> String {
    let signer = Signer::new(&file("key.pem"), URL).unwrap();
    let wall = UnixTime::from_micros(1_795_168_800_000_000 - 1_000_000 * ago as i64);
    let at = wall.after(rig.now.since(base::Instant::ZERO));
    signer.sign(at, ("+4930123456", called), Attestation::B, "0b7e-9f").unwrap()
}

/// A call signed so many seconds ago; its INVITE is out.
pub(crate) fn signed(rig: &mut Rig, called: &str, ago: u64) -> Call {
    let mut call = Call::new(rig, TRUNK, CALLED);
    call.extra = format!("Identity: {}\r\n", identity(rig, called, ago));
    let invite = call.invite();
    rig.send(TRUNK, &invite);
    call
}

pub(crate) fn fetched(rig: &mut Rig, certificate: &str) {
    let result = Ok((Bytes::from(file(certificate)), HOUR));
    rig.input(Input::Fetched { url: URL.to_owned(), result });
}

fn verdict(rig: &Rig) -> serde_json::Value {
    rig.events_of("call.caller_verified").pop().unwrap()
}

fn done(verification: Verification) -> Verdict {
    match verification {
        Verification::Done(verdict) => verdict,
        Verification::Ask(pending) => panic!("it waits for {}", pending.url()),
    }
}

fn answered_and_over(rig: &mut Rig, mut call: Call) {
    rig.caller_is_answered(&mut call);
    rig.caller_hangs_up(&mut call);
}

#[test]
fn a_signed_call_waits_for_the_certificate_and_its_tenant_hears_what_it_is_worth() {
    let mut rig = rig("verify = true");
    let call = signed(&mut rig, CALLED, 0);
    rig.expect(TRUNK, "SIP/2.0 100");
    rig.expect_silence(TRUNK);
    assert_eq!((rig.fetches.clone(), rig.switch.sizes().held), (vec![URL.to_owned()], 1));
    assert!(rig.events.is_empty(), "nobody has heard of it yet");
    rig.advance_ms(300);
    fetched(&mut rig, "provider.pem");
    answered_and_over(&mut rig, call);
    let told = verdict(&rig);
    assert_eq!(told["verdict"], "TN-Validation-Passed");
    assert_eq!((&told["attestation"], &told["provider"]), (&"B".into(), &"709J".into()));
    let record = rig.record();
    assert_eq!(record.verstat, Some("TN-Validation-Passed"));
    assert_eq!(record.attestation.as_deref(), Some("B"));
    let story = rig.story(record.call);
    assert_eq!(story[..3], ["call.started", "call.caller_verified", "call.routed"]);
    let ladder: Vec<_> =
        record.ladder.iter().map(|entry| entry.bytes[..11].to_vec()).take(2).collect();
    assert_eq!(ladder, [b"INVITE sip:".to_vec(), b"SIP/2.0 100".to_vec()], "nothing is lost");
    rig.finish();
}

#[test]
fn the_next_call_of_that_signer_does_not_wait() {
    let mut rig = rig("verify = true");
    let call = signed(&mut rig, CALLED, 0);
    fetched(&mut rig, "provider.pem");
    answered_and_over(&mut rig, call);
    let next = signed(&mut rig, CALLED, 0);
    answered_and_over(&mut rig, next);
    assert_eq!((rig.fetches.len(), rig.events_of("call.caller_verified").len()), (1, 2));
    rig.advance(HOUR);
    let later = signed(&mut rig, CALLED, 0);
    assert_eq!(rig.fetches.len(), 2, "it holds for an hour");
    fetched(&mut rig, "expired.pem");
    answered_and_over(&mut rig, later);
    assert_eq!(verdict(&rig)["why"], "a certificate that is not valid now");
    rig.finish();
}

#[test]
fn a_certificate_that_does_not_come_holds_a_call_up_for_two_seconds() {
    let mut rig = rig("verify = true");
    let call = signed(&mut rig, CALLED, 0);
    let both = signed(&mut rig, CALLED, 0);
    assert_eq!(rig.fetches.len(), 1, "asked for once");
    rig.advance_ms(1_999);
    assert_eq!((rig.switch.sizes().held, rig.events.len()), (2, 0));
    rig.advance_ms(1);
    let oks = [rig.expect(TRUNK, "SIP/2.0 200"), rig.expect(TRUNK, "SIP/2.0 200")];
    for (mut call, ok) in [call, both].into_iter().zip(oks) {
        assert_eq!(ok.call_id(), call.call_id);
        let ack = call.ack(&ok, None);
        rig.send(TRUNK, &ack);
        rig.caller_hangs_up(&mut call);
    }
    let told = verdict(&rig);
    assert_eq!(told["verdict"], "TN-Validation-Failed");
    assert_eq!(told["why"], "the certificate could not be fetched");
    rig.finish();
}

#[test]
fn what_needs_no_certificate_is_told_at_once() {
    for (called, ago, why) in [
        (CALLED, 61, "signed at another time"),
        ("+15559999", 0, "signed for another called number"),
    ] {
        let mut rig = rig("verify = true");
        let call = signed(&mut rig, called, ago);
        answered_and_over(&mut rig, call);
        assert!(rig.fetches.is_empty());
        assert_eq!(verdict(&rig)["why"], why);
        rig.finish();
    }
    let mut rig = rig("verify = true");
    let call = rig.dial(CALLED);
    let mut call = call;
    rig.caller_hangs_up(&mut call);
    assert_eq!(verdict(&rig)["verdict"], "No-TN-Validation");
    rig.finish();
}

#[test]
fn a_trunk_whose_calls_must_be_signed_gets_the_rfcs_refusals() {
    for (extra, ago, status) in [(false, 0, "428"), (true, 100, "403 Stale Date")] {
        let mut rig = rig("require = true");
        let mut call = Call::new(&mut rig, TRUNK, CALLED);
        if extra {
            call.extra = format!("Identity: {}\r\n", identity(&rig, CALLED, ago));
        }
        rig.send(TRUNK, &call.invite());
        let refused = rig.expect(TRUNK, &format!("SIP/2.0 {status}"));
        rig.send(TRUNK, &call.ack_refusal(&refused));
        assert_eq!(rig.security[0].kind, SecurityKind::UnsignedCall);
        assert!(rig.events.is_empty(), "it is nobody's call");
        rig.finish();
    }
    let mut rig = rig("require = true");
    let call = signed(&mut rig, CALLED, 0);
    fetched(&mut rig, "other-root.pem");
    let refused = rig.expect(TRUNK, "SIP/2.0 437");
    rig.send(TRUNK, &call.ack_refusal(&refused));
    let good = signed(&mut rig, CALLED, 0);
    let refused = rig.expect(TRUNK, "SIP/2.0 437");
    rig.send(TRUNK, &good.ack_refusal(&refused));
    rig.finish();
}

#[test]
fn a_caller_who_gives_up_while_the_call_waits_gets_a_487() {
    let mut rig = rig("verify = true");
    let call = signed(&mut rig, CALLED, 0);
    rig.send(TRUNK, &call.cancel());
    rig.expect(TRUNK, "SIP/2.0 200");
    let refused = rig.expect(TRUNK, "SIP/2.0 487");
    rig.send(TRUNK, &call.ack_refusal(&refused));
    assert_eq!(rig.switch.sizes().held, 0);
    fetched(&mut rig, "provider.pem");
    assert!(rig.records.is_empty());
    rig.finish();
}

#[test]
fn without_anybody_to_trust_or_a_wish_nothing_is_fetched_and_nothing_said() {
    let mut rig = rig("verify = false");
    let call = signed(&mut rig, CALLED, 0);
    answered_and_over(&mut rig, call);
    let mut nobody = Rig::with(
        &DEMO.replace("id = \"carrier-a\"", "id = \"carrier-a\"\nstir = { verify = true }"),
    );
    let call = signed(&mut nobody, CALLED, 0);
    answered_and_over(&mut nobody, call);
    for rig in [rig, nobody] {
        assert!(rig.fetches.is_empty() && rig.events_of("call.caller_verified").is_empty());
        rig.finish();
    }
}

#[test]
fn a_call_that_goes_out_over_a_trunk_with_a_key_is_signed_and_a_hidden_caller_is_not() {
    let mut rig = Rig::with(&calls_out(&signs()));
    rig.register(ALICE, "alice");
    rig.agent_dials(ALICE, "alice", "+12125550123", "");
    let invite = rig.expect(OUT, "INVITE");
    let wall = UnixTime::from_micros(1_795_168_800_000_000);
    let now = wall.after(rig.now.since(base::Instant::ZERO));
    let Verification::Ask(pending) = verify(&invite, now, "+15550100", "+12125550123") else {
        panic!("signed for these numbers");
    };
    assert_eq!(pending.url(), URL);
    let roots = Roots::from_pem(&file("root.pem")).unwrap();
    let verdict = done(pending.finish(now, Some(&file("provider.pem")), &roots));
    assert!(matches!(verdict, Verdict::Passed { attestation: Attestation::A, .. }), "{verdict:?}");

    rig.agent_dials(ALICE, "alice", "+12125550124", "Privacy: id\r\n");
    let invite = loop {
        let invite = rig.expect(OUT, "INVITE");
        if invite.uri_text().contains("+12125550124") {
            break invite;
        }
    };
    assert!(invite.header(sip::Name::IDENTITY).is_none());
}

/// A rig whose carrier-a's calls are verified, whose trunk out signs, and whose Alice forwards.
fn forwarding(forward: &str) -> Rig {
    let out = format!("shows_caller = true\n{}", signs());
    let mut rig = rig_with(&diversion::provisioning(&out, forward), "verify = true");
    rig.register_both();
    rig
}

/// A call to the number whose flow rings Alice, signed so many seconds ago.
fn calls_alice(rig: &mut Rig, ago: u64) -> (Call, String) {
    let signed = identity(rig, "+15550102", ago);
    let mut call = Call::new(rig, TRUNK, "+15550102");
    call.extra = format!("Identity: {signed}\r\n");
    rig.send(TRUNK, &call.invite());
    fetched(rig, "provider.pem");
    rig.caller_is_answered(&mut call);
    (call, signed)
}

fn identities(invite: &sip::Message) -> Vec<String> {
    invite.headers(sip::Name::IDENTITY).map(str::to_owned).collect()
}

#[test]
fn a_signed_call_that_is_forwarded_keeps_its_signature_and_gets_ours_for_sending_it_on() {
    let mut rig = forwarding("always = \"+12125550123\"");
    let (mut call, signed) = calls_alice(&mut rig, 3);
    let invite = rig.expect(OUT, "INVITE sip:+12125550123@");
    let both = identities(&invite);
    assert_eq!((both.len(), &both[0]), (2, &signed));
    assert!(both[1].ends_with(";ppt=div"), "{}", both[1]);
    let wall = UnixTime::from_micros(1_795_168_800_000_000);
    let now = wall.after(rig.now.since(base::Instant::ZERO));
    let (roots, pem) = (Roots::from_pem(&file("root.pem")).unwrap(), file("provider.pem"));
    let finish = |at: Verification| match at {
        Verification::Ask(pending) => pending.finish(now, Some(&pem), &roots),
        Verification::Done(verdict) => panic!("{verdict}"),
    };
    let first = finish(verify(&invite, now, "+4930123456", "+12125550123"));
    let Verdict::Passed { attestation, diverted, .. } = done(finish(first)) else {
        panic!("both are good");
    };
    assert_eq!((attestation, &*diverted[0].by), (Attestation::B, "15550102"));
    rig.caller_hangs_up(&mut call);
}

#[test]
fn a_signature_that_nobody_believes_any_more_or_never_was_good_gives_way_to_ours_as_a_gateway() {
    for (ago, certificate) in [(50, "provider.pem"), (0, "expired.pem")] {
        let mut rig = forwarding("no_answer = \"+12125550123\", no_answer_s = 15");
        fetched(&mut rig, certificate);
        let (mut call, signed) = calls_alice(&mut rig, ago);
        rig.expect(ALICE, "INVITE");
        rig.advance_ms(15_100);
        let invite = rig.expect(OUT, "INVITE sip:+12125550123@");
        let own = identities(&invite);
        assert_eq!(own.len(), 1, "{certificate}: {own:?}");
        assert!(own[0] != signed && own[0].ends_with(";ppt=shaken"), "{own:?}");
        let wall = UnixTime::from_micros(1_795_168_800_000_000);
        let now = wall.after(rig.now.since(base::Instant::ZERO));
        let roots = Roots::from_pem(&file("root.pem")).unwrap();
        let Verification::Ask(ours) = verify(&invite, now, "+4930123456", "+12125550123") else {
            panic!("signed for these numbers");
        };
        let verdict = done(ours.finish(now, Some(&file("provider.pem")), &roots));
        assert!(matches!(verdict, Verdict::Passed { attestation: Attestation::C, .. }));
        rig.caller_hangs_up(&mut call);
    }
}

#[test]
fn a_call_that_others_have_sent_on_waits_for_all_certificates_and_its_tenant_hears_who_did() {
    const THEIRS: &str = "https://other.example.org/passport.cer";
    for (certificate, verdict) in
        [("provider.pem", "TN-Validation-Passed"), ("expired.pem", "TN-Validation-Failed")]
    {
        let mut rig = rig("verify = true");
        let mut all = vec![identity(&rig, "+15550177", 10)];
        let signer = Signer::new(&file("key.pem"), THEIRS).unwrap();
        let wall = UnixTime::from_micros(1_795_168_800_000_000);
        let now = wall.after(rig.now.since(base::Instant::ZERO));
        let numbers = ("+4930123456", "+15550177", CALLED);
        all.push(signer.sign_diversion(now, &all, numbers).unwrap());
        let mut call = Call::new(&mut rig, TRUNK, CALLED);
        call.extra = all.iter().map(|one| format!("Identity: {one}\r\n")).collect();
        rig.send(TRUNK, &call.invite());
        assert_eq!(rig.fetches, [URL]);
        rig.advance_ms(200);
        fetched(&mut rig, "provider.pem");
        assert_eq!(
            (rig.fetches.clone(), rig.switch.sizes().held),
            (vec![URL.into(), THEIRS.into()], 1)
        );
        rig.expect(TRUNK, "SIP/2.0 100");
        rig.expect_silence(TRUNK);
        let result = Ok((Bytes::from(file(certificate)), HOUR));
        rig.input(Input::Fetched { url: THEIRS.to_owned(), result });
        answered_and_over(&mut rig, call);
        let told = self::verdict(&rig);
        assert_eq!(told["verdict"], verdict);
        let diverted = serde_json::json!([{"by": "+15550177", "provider": "709J"}]);
        let passed = verdict == "TN-Validation-Passed";
        assert_eq!(told["diverted"], if passed { diverted } else { serde_json::Value::Null });
        rig.finish();
    }
}
