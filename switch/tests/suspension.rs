//! A suspended tenant has no service, and is told so; calls for help go out all the same.

use sip::{Method, Name};
use switch::{ApiError, ApiRequest, Cause, First, Originate};

use crate::rig::{ALICE, Asked, BOB, Call, OUT, Phone, Rig, SDP_PCMU, TRUNK, calls_out, header};

fn provisioning(suspended: bool) -> String {
    let routes = format!("suspended = {suspended}\nroutes = [{{ prefix = \"+1\",");
    calls_out("emergency = true").replacen("routes = [{", &routes, 1)
}

const WHY: &str = "399 strowger \"the tenant is suspended\"";

fn originate() -> ApiRequest {
    ApiRequest::Originate(Originate {
        agent: "alice".parse().unwrap(),
        to: "+12125550123".to_owned(),
        first: First::Agent,
        caller_id: None,
        timeout_s: None,
        answering_machine: None,
    })
}

#[test]
fn nothing_begins_but_calls_for_help_and_what_is_up_goes_on() {
    let mut rig = Rig::with(&provisioning(false));
    rig.register_both();
    let (mut call, _) = rig.connect_alice();
    rig.provision(&provisioning(true));

    // From outside.
    let other = Call::new(&mut rig, TRUNK, "+15550100");
    let refused = rig.refuses(&other, &other.invite(), "SIP/2.0 403");
    assert_eq!(header(&refused, "Warning"), WHY);
    // To outside, and among agents.
    for to in ["+12125550123", "alice"] {
        let bob = rig.agent_dials(BOB, "bob", to, "");
        let refused = rig.expect(BOB, "SIP/2.0 403");
        assert_eq!(header(&refused, "Warning"), WHY);
        rig.send(BOB, &bob.ack(&refused));
    }
    let by_api = rig.request("acme", originate());
    assert!(matches!(by_api, Err(ApiError::Refused { cause: Cause::Suspended, .. })));
    let mut message = Asked::new(&mut rig, BOB, Method::Message, "alice");
    message.from = "<sip:bob@acme.example>".to_owned();
    message.body = Some(("text/plain".to_owned(), "hello".to_owned()));
    let answered = rig.ask_as(&mut message, "bob", "bob-secret");
    assert_eq!(answered.status().unwrap().as_u16(), 403);
    // Phones are not taken, but may leave.
    let who = ("bob", "bob-secret", "acme.example");
    let new = format!("Contact: <sip:bob@{BOB}>;expires=3600\r\n");
    let refused = rig.register_as(BOB, who, &new);
    assert_eq!(
        (refused.status().unwrap().as_u16(), header(&refused, "Warning")),
        (403, WHY.into())
    );
    for gone in ["Contact: *\r\nExpires: 0\r\n".to_owned(), new.replace("3600", "0")] {
        let taken = rig.register_as(BOB, who, &gone);
        assert_eq!(taken.status().unwrap().as_u16(), 200, "{gone}");
    }
    // Help is called without a registration.
    for number in ["911", "112"] {
        let bob = rig.agent_dials(BOB, "bob", number, "");
        let help = Phone::new(OUT, rig.expect(OUT, "INVITE"));
        rig.send(OUT, &help.respond("486 Busy Here", None));
        rig.expect(OUT, "ACK");
        let refused = rig.expect_final(BOB);
        rig.send(BOB, &bob.ack(&refused));
    }

    assert!(!rig.records.iter().any(|record| record.cause == Cause::Normal), "it is still up");
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    rig.advance_ms(3000);
    let suspended = rig.records.iter().filter(|record| record.cause == Cause::Suspended).count();
    assert_eq!(suspended, 3);
    assert!(rig.records.iter().any(|record| record.cause == Cause::Normal));
    rig.finish();
}

#[test]
fn service_comes_back_as_it_was() {
    let mut rig = Rig::with(&provisioning(true));
    rig.provision(&provisioning(false));
    rig.register_both();
    let (mut call, _) = rig.connect_alice();
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    rig.finish();
}

#[test]
fn a_parents_suspension_is_its_childrens_and_nobody_elses() {
    let globex = "id = \"globex\"\nparent = \"acme\"";
    let mut rig = Rig::with(&provisioning(true).replace("id = \"globex\"", globex));
    let child = Call::new(&mut rig, TRUNK, "+15550200");
    let refused = rig.refuses(&child, &child.invite(), "SIP/2.0 403");
    assert_eq!(refused.header(Name::WARNING), Some(WHY));
    rig.provision(&provisioning(true));
    let other = Call::new(&mut rig, TRUNK, "+15550200").with_sdp(SDP_PCMU);
    rig.send(TRUNK, &other.invite());
    rig.expect(TRUNK, "SIP/2.0 200");
    let mut other = other;
    rig.send(TRUNK, &other.cancel());
    rig.expect(TRUNK, "SIP/2.0 200");
    other.to_tag.clear();
    rig.finish();
}
