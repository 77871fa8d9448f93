//! Every machine that reads what a peer sends, fed with torture messages bent at random: nothing
//! panics, no table grows, and what goes out in answer parses.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by it")]

mod support;

use base::{Rng, UnixTime};
use proptest::prelude::*;
use sip::digest::{Authorizer, Credentials};
use sip::header::{HistoryInfo, OptionTags, Reason, ReferTo, Replaces};
use sip::identity::{CallerIdentity, IdentityPolicy, OutgoingIdentity};
use sip::reliable::{ReliableUac, ReliableUas};
use sip::stir::{Roots, Verification, verify};
use sip::{
    Body, Dialog, Forks, Message, Method, Name, Request, Response, SessionTimer,
    SessionTimerConfig, StatusCode, UriBuf, sipfrag,
};
use support::*;

/// Torture messages, and one of each kind that the machines care for.
fn seeds() -> Vec<Vec<u8>> {
    let mut all = torture();
    let more = "Supported: 100rel, timer\r\nSession-Expires: 90;refresher=uac\r\nMin-SE: 90\r\n\
         Event: dialog;id=1\r\nExpires: 600\r\nRAck: 1 7 INVITE\r\nRSeq: 1\r\nRequire: 100rel\r\n\
         Replaces: a@b;to-tag=1;from-tag=2\r\nReason: Q.850;cause=16;text=\"a;b\"\r\n\
         Refer-To: <sip:a@b?Replaces=c%3Bto-tag%3D1%3Bfrom-tag%3D2>\r\nPrivacy: id;user\r\n\
         P-Asserted-Identity: \"A\" <sip:+15550100@b>, <tel:+15550100>\r\n\
         Diversion: <sip:d@b>;reason=no-answer;counter=2\r\n\
         History-Info: <sip:h@b?Reason=SIP%3Bcause%3D302>;index=1, <sip:i@b>;index=1.1;mp=1\r\n\
         Identity: e30.e30.AA;info=<https://a.b/c>;alg=ES256;ppt=shaken\r\n\
         WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", qop=\"auth,auth-int\", stale=true\r\n\
         Proxy-Authenticate: Digest realm=\"p\", nonce=\"n\", algorithm=SHA-256-sess, \
         qop=\"auth\"\r\n\
         Record-Route: <sip:p;lr>, <sip:q>\r\nMax-F";
    for method in ["INVITE", "SUBSCRIBE", "REFER", "PRACK", "UPDATE"] {
        let text = peer_request(method, "z9hG4bK1", 7, "");
        all.push(text.replace("Max-F", more).into_bytes());
    }
    let mut bench = Bench::new();
    bench.request(udp(), invite());
    for status in [183, 200, 401, 407, 422] {
        let text = peer_response(bench.last(), status, "t");
        all.push(text.replace("Contact:", &more.replace("Max-F", "Contact:")).into_bytes());
    }
    all
}

fn sent(request: Request) {
    let mut bench = Bench::new();
    bench.request(udp(), request);
    assert!(Message::parse(bench.last().bytes().clone()).is_ok());
}

fn as_request(message: &Message) {
    let (now, mut rng) = (at(1), Rng::from_seed(1));
    if let Ok(mut machine) = ReliableUas::new(message, seconds(1), &mut rng) {
        machine.respond(now, Response::new(StatusCode::RINGING));
        _ = machine.on_prack(now, message);
    }
    let mut timer = SessionTimer::new(SessionTimerConfig::default());
    match timer.on_request(message) {
        Ok(granted) => {
            let response = timer.grant(now, granted, Response::new(StatusCode::OK));
            assert!(response.refused().is_none());
        }
        Err(error) => _ = error.response(),
    }
    if let Ok(mut dialog) = Dialog::uas(message, "t", uri("sip:a@b")) {
        sent(dialog.request(Method::Notify));
    }
    if let Ok(body) = Body::of(message) {
        assert!(body.parts().iter().all(|part| part.content().len() <= message.body().len()));
    }
    for trusted in [true, false] {
        let caller = CallerIdentity::read(message, trusted);
        for policy in [IdentityPolicy::TRUSTED, IdentityPolicy::UNTRUSTED] {
            let request = Request::new(Method::Invite, uri("sip:x@y"));
            let request = OutgoingIdentity::new(&caller, policy).put(request, "t");
            assert!(request.refused().is_none(), "{:?}", request.refused());
            sent(request);
        }
    }
    let mut history = HistoryInfo::of(message);
    let target = sip::header::NameAddr::new(UriBuf::parse("sip:x@y").unwrap());
    history.retarget(&target, Reason::all(message).next(), target.clone());
    if let Ok(refer) = ReferTo::of(message) {
        let request = Request::new(Method::Refer, uri("sip:x@y"));
        assert!(request.header(Name::REFER_TO, &refer).refused().is_none());
    }
    if let Ok(Some(replaces)) = Replaces::of(message) {
        assert!(replaces.names(&replaces.dialog()));
    }
    _ = OptionTags::required(message).beyond(&["timer"]).to_string();
    let wall = UnixTime::from_micros(0);
    if let Verification::Ask(pending) = verify(message, wall, "1", "2") {
        _ = pending.finish(wall, Some(message.bytes()), &Roots::default());
    }
}

fn as_response(message: &Message) {
    let now = at(1);
    let (mut uac, mut forks) = (ReliableUac::new(), Forks::new());
    _ = uac.on_provisional(message);
    if let Ok(Some(dialog)) = forks.on_provisional(&invite(), message) {
        sent(dialog.request(Method::Update));
    }
    if let Ok(mut dialog) = forks.confirm(&invite(), message) {
        sent(dialog.request(Method::Bye));
    }
    let mut timer = SessionTimer::new(SessionTimerConfig::default());
    timer.on_success(now, message);
    timer.on_too_small(message);
    sent(timer.put(invite()));
    let mut authorizer = Authorizer::new(Credentials::new("u", "p"), Rng::from_seed(1));
    let mut request = invite();
    for _ in 0..4 {
        _ = authorizer.challenged(&mut request, message);
    }
    assert!(request.refused().is_none(), "{:?}", request.refused());
    sent(request);
    _ = sipfrag::status(&message.body());
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 3_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn bent_messages_do_no_machine_any_harm(
        which in 0_usize..59,
        edits in prop::collection::vec((any::<u16>(), any::<u8>(), 0_u8..5), 0..6),
    ) {
        let mut bytes = seeds().swap_remove(which);
        bend(&mut bytes, edits);
        if let Ok(message) = Message::parse(bytes.into()) {
            as_request(&message);
            as_response(&message);
        }
    }
}
