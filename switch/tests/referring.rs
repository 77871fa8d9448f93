//! Transfers and carriers: a REFER of ours to one that does transfers itself, told to whoever asked
//! as if we did it; and the REFERs of carriers, which move nothing unless provisioning says so.

use std::net::SocketAddr;

use sip::{Message, Name};
use switch::{ApiReply, ApiRequest, Cause};

use crate::rig::{ALICE, BOB, Call, DEMO, Phone, Rig, TRUNK, answer, header};

const ROUTES: &str = r#"country = "US"
routes = [{ prefix = "+1", trunk = "carrier-a" }]
skills = [{ id = "sales" }, { id = "billing" }]"#;

/// `carrier-a`, with these keys more, takes calls to +1.
fn provisioning(keys: &str) -> String {
    let tenant = DEMO.replace(r#"skills = [{ id = "sales" }, { id = "billing" }]"#, ROUTES);
    tenant.replace(
        "sources = [\"127.0.0.2\"]",
        &format!(
            "sources = [\"127.0.0.2\"]\ntargets = [{{ uri = \"sip:127.0.0.2\" }}]\n\
             probe_s = 0\n{keys}"
        ),
    )
}

/// A caller of that carrier talks with Alice.
fn connected(keys: &str) -> (Rig, Call, Phone) {
    let mut rig = Rig::with(&provisioning(keys));
    rig.register_both();
    let (call, phone) = rig.connect_alice();
    (rig, call, phone)
}

fn refer(rig: &mut Rig, phone: &mut Phone, target: &str) {
    rig.send(phone.at, &phone.refer(target));
    rig.expect(phone.at, "SIP/2.0 202");
}

/// The next NOTIFY to a phone, answered: its status line.
#[track_caller]
fn told(rig: &mut Rig, at: SocketAddr) -> String {
    let notify = rig.confirm(at, "NOTIFY");
    String::from_utf8(notify.body().to_vec()).unwrap().trim().to_owned()
}

/// The carrier tells how our REFER goes.
fn tell(rig: &mut Rig, call: &mut Call, line: &str, state: &str) {
    let line = format!("{line}\r\n");
    let notify = call.next("NOTIFY", Some(&line)).replace(
        "Content-Type: application/sdp",
        &format!(
            "Event: refer\r\nSubscription-State: {state}\r\n\
             Content-Type: message/sipfrag;version=2.0"
        ),
    );
    rig.send(call.at, &notify);
    rig.expect(call.at, "SIP/2.0 200");
}

/// Alice sends the caller to a number outside, and the carrier takes the REFER.
fn passed(rig: &mut Rig, alice: &mut Phone) -> Message {
    refer(rig, alice, "<sip:+12125550123@acme.example>");
    assert_eq!(told(rig, ALICE), "SIP/2.0 100 Trying");
    let passed = rig.expect(TRUNK, "REFER");
    rig.send(TRUNK, &answer(&passed, TRUNK, "202 Accepted", "", None));
    passed
}

#[test]
fn a_carrier_that_does_transfers_gets_the_refer_and_our_legs_end() {
    let (mut rig, mut call, mut alice) = connected("passes_refer = true");
    let refer = passed(&mut rig, &mut alice);
    assert_eq!(header(&refer, "Refer-To"), "<sip:+12125550123@127.0.0.2>");
    assert_eq!(refer.call_id(), call.call_id, "in the customer's dialog");
    let shown = String::from_utf8_lossy(refer.bytes()).into_owned();
    assert!(!shown.contains("alice") && !shown.contains("acme"), "{shown}");
    assert_eq!(rig.last_play().unwrap().0, rig.streams()[0], "the customer hears music");
    tell(&mut rig, &mut call, "SIP/2.0 180 Ringing", "active;expires=60");
    assert_eq!(told(&mut rig, ALICE), "SIP/2.0 180 Ringing");
    tell(&mut rig, &mut call, "SIP/2.0 200 OK", "terminated;reason=noresource");
    assert_eq!(told(&mut rig, ALICE), "SIP/2.0 200 OK");
    rig.confirm_bye(ALICE);
    rig.confirm_bye(TRUNK);
    rig.advance_ms(3000);
    assert_eq!(rig.count(TRUNK, "INVITE"), 0, "no leg of ours");
    assert_eq!(rig.record().cause, Cause::Transferred);
    assert_eq!(rig.events_of("call.transferred").len(), 1);
    rig.finish();
}

#[test]
fn a_target_that_is_busy_at_the_carrier_gives_the_agent_the_customer_back() {
    let (mut rig, mut call, mut alice) = connected("passes_refer = true");
    passed(&mut rig, &mut alice);
    tell(&mut rig, &mut call, "SIP/2.0 486 Busy Here", "terminated;reason=noresource");
    assert_eq!(told(&mut rig, ALICE), "SIP/2.0 486 Busy Here");
    rig.expect_silence(ALICE);
    // Once more, and the carrier says nothing final for three minutes.
    passed(&mut rig, &mut alice);
    rig.advance_ms(180_100);
    assert_eq!(told(&mut rig, ALICE), "SIP/2.0 480 Temporarily Unavailable");
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    rig.advance_ms(3000);
    assert_eq!(rig.events_of("call.transfer_failed").len(), 2);
    assert_eq!(rig.record().recordings.len(), 3, "each part of the conversation");
    assert_eq!(rig.record().recording.as_ref(), rig.record().recordings.last());
    rig.finish();
}

#[test]
fn what_a_carrier_does_not_want_to_do_we_do_ourselves() {
    for refusal in ["405 Method Not Allowed", "403 Forbidden", "408 Request Timeout"] {
        let (mut rig, mut call, mut alice) = connected("passes_refer = true");
        refer(&mut rig, &mut alice, "<sip:+12125550123@acme.example>");
        assert_eq!(told(&mut rig, ALICE), "SIP/2.0 100 Trying");
        let asked = rig.expect(TRUNK, "REFER");
        rig.send(TRUNK, &answer(&asked, TRUNK, refusal, "", None));
        let out = Phone::new(TRUNK, rig.expect(TRUNK, "INVITE"));
        rig.phone_answers(&out);
        assert_eq!(told(&mut rig, ALICE), "SIP/2.0 200 OK", "{refusal}");
        rig.confirm_bye(ALICE);
        rig.caller_hangs_up(&mut call);
        rig.confirm_bye(TRUNK);
        rig.advance_ms(3000);
        rig.finish();
    }
}

#[test]
fn a_carrier_that_asks_for_the_password_gets_the_refer_again_with_it() {
    let keys = "passes_refer = true\nauthenticate = { user = \"acme\", password = \"a-secret\" }";
    let (mut rig, mut call, mut alice) = connected(keys);
    refer(&mut rig, &mut alice, "<sip:+12125550123@acme.example>");
    told(&mut rig, ALICE);
    let first = rig.expect(TRUNK, "REFER");
    let challenge = answer(&first, TRUNK, "407 Proxy Authentication Required", "", None).replace(
        "Content-Length",
        "Proxy-Authenticate: Digest realm=\"c\", nonce=\"n1\", algorithm=MD5\r\nContent-Length",
    );
    rig.send(TRUNK, &challenge);
    let again = rig.expect(TRUNK, "REFER");
    assert!(again.header(Name::PROXY_AUTHORIZATION).unwrap().contains("username=\"acme\""));
    rig.send(TRUNK, &answer(&again, TRUNK, "202 Accepted", "", None));
    tell(&mut rig, &mut call, "SIP/2.0 200 OK", "terminated;reason=noresource");
    assert_eq!(told(&mut rig, ALICE), "SIP/2.0 200 OK");
    rig.confirm_bye(ALICE);
    rig.confirm_bye(TRUNK);
    rig.finish();
}

#[test]
fn the_api_has_the_carrier_do_it_too_and_a_customer_taken_along_is_transferred() {
    let (mut rig, mut call, _alice) = connected("passes_refer = true");
    let id = rig.last_call();
    let to = "+12125550123".to_owned();
    let asked = rig.request("acme", ApiRequest::Transfer { call: id, to });
    assert!(matches!(asked, Ok(ApiReply::Accepted)), "{asked:?}");
    let refer = rig.expect(TRUNK, "REFER");
    rig.send(TRUNK, &answer(&refer, TRUNK, "202 Accepted", "", None));
    tell(&mut rig, &mut call, "SIP/2.0 180 Ringing", "active;expires=60");
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    rig.advance_ms(3000);
    assert_eq!(rig.record().cause, Cause::Transferred);
    rig.finish();
}

#[test]
fn a_customer_who_hangs_up_while_the_carrier_works_is_no_transfer() {
    let (mut rig, mut call, mut alice) = connected("passes_refer = true");
    passed(&mut rig, &mut alice);
    rig.caller_hangs_up(&mut call);
    assert_eq!(told(&mut rig, ALICE), "SIP/2.0 487 Request Terminated");
    rig.confirm_bye(ALICE);
    rig.advance_ms(3000);
    assert_eq!(rig.record().cause, Cause::Normal);
    assert_eq!(rig.events_of("call.transfer_failed").len(), 1);
    rig.finish();
}

#[test]
fn without_the_key_and_to_whom_the_tenant_reaches_itself_nothing_leaves() {
    for (keys, to) in [("", "+12125550123"), ("passes_refer = true", "bob")] {
        let (mut rig, mut call, mut alice) = connected(keys);
        refer(&mut rig, &mut alice, &format!("<sip:{to}@acme.example>"));
        told(&mut rig, ALICE);
        assert_eq!(rig.count(TRUNK, "REFER"), 0, "{to}");
        let at = if to == "bob" { BOB } else { TRUNK };
        let out = Phone::new(at, rig.expect(at, "INVITE"));
        rig.send(at, &out.respond("486 Busy Here", None));
        rig.expect(at, "ACK");
        assert_eq!(told(&mut rig, ALICE), "SIP/2.0 486 Busy Here");
        rig.caller_hangs_up(&mut call);
        rig.confirm_bye(ALICE);
        rig.finish();
    }
}

#[test]
fn two_far_sides_on_one_trunk_are_joined_by_it_and_if_it_will_not_by_us() {
    for does in [true, false] {
        let (mut rig, mut call, mut alice) = connected("passes_refer = true");
        let mut second = rig.agent_dials(ALICE, "alice", "+12125550123", "");
        let mut out = Phone::new(TRUNK, rig.expect(TRUNK, "INVITE"));
        rig.phone_answers(&out);
        let ok = rig.expect_final(ALICE);
        rig.agent_acks(&mut second, &ok);
        let replaces = format!(
            "<sip:+12125550123@acme.example?Replaces={}%3Bto-tag%3D{}%3Bfrom-tag%3D{}>",
            second.call_id, second.to_tag, second.tag
        );
        refer(&mut rig, &mut alice, &replaces);
        assert_eq!(told(&mut rig, ALICE), "SIP/2.0 100 Trying");
        let passed = rig.expect(TRUNK, "REFER");
        let to = header(&passed, "Refer-To");
        let named = format!(
            "Replaces={}%3Bto-tag%3D{}%3Bfrom-tag%3D{}",
            out.invite.call_id(),
            out.tag,
            out.invite.from_tag().unwrap()
        );
        assert!(to.contains(&named), "{to} names the carrier's other dialog: {named}");
        if does {
            rig.send(TRUNK, &answer(&passed, TRUNK, "202 Accepted", "", None));
            tell(&mut rig, &mut call, "SIP/2.0 200 OK", "terminated;reason=noresource");
            assert_eq!(told(&mut rig, ALICE), "SIP/2.0 200 OK");
            rig.confirm_bye(ALICE);
            rig.confirm_bye(TRUNK);
            rig.confirm_bye(ALICE);
            rig.confirm_bye(TRUNK);
            rig.advance_ms(3000);
            assert!(rig.records.iter().all(|record| record.cause == Cause::Transferred));
        } else {
            rig.send(TRUNK, &answer(&passed, TRUNK, "501 Not Implemented", "", None));
            rig.confirm_bye(ALICE);
            assert_eq!(told(&mut rig, ALICE), "SIP/2.0 200 OK");
            rig.confirm_bye(ALICE);
            rig.send(TRUNK, &out.next("BYE", None));
            rig.expect(TRUNK, "SIP/2.0 200");
            rig.confirm_bye(TRUNK);
        }
        rig.finish();
    }
}

#[test]
fn a_notify_that_nobody_asked_for_is_481() {
    let (mut rig, mut call, _alice) = connected("passes_refer = true");
    let notify = call.next("NOTIFY", None).replace(
        "Content-Length: 0",
        "Event: refer\r\nSubscription-State: active\r\nContent-Length: 0",
    );
    rig.send(TRUNK, &notify);
    rig.expect(TRUNK, "SIP/2.0 481");
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    rig.finish();
}

/// A carrier's REFER on its caller's dialog.
fn carriers_refer(rig: &mut Rig, call: &mut Call, to: &str) -> Message {
    let text = call.next("REFER", None).replace(
        "Content-Length: 0",
        &format!("Refer-To: <sip:{to}@127.0.0.1>\r\nContent-Length: 0"),
    );
    rig.send(TRUNK, &text);
    rig.expect(TRUNK, "SIP/2.0 ")
}

#[test]
fn a_carriers_refer_is_obeyed_within_the_tenant_only_and_only_if_provisioned() {
    for (keys, to, status) in [
        ("", "bob", 403),
        ("passes_refer = true", "bob", 403),
        ("takes_refer = true", "+12125550123", 403),
        ("takes_refer = true", "0012125550123", 403),
        ("takes_refer = true", "112", 403),
        ("takes_refer = true", "bob", 202),
    ] {
        let (mut rig, mut call, _alice) = connected(keys);
        let answered = carriers_refer(&mut rig, &mut call, to);
        assert_eq!(answered.status().unwrap().as_u16(), status, "{keys} {to}");
        assert_eq!(rig.count(TRUNK, "INVITE"), 0, "never outside");
        if status != 202 {
            rig.caller_hangs_up(&mut call);
            rig.confirm_bye(ALICE);
            rig.finish();
            continue;
        }
        told(&mut rig, TRUNK);
        let bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
        rig.phone_answers(&bob);
        assert_eq!(told(&mut rig, TRUNK), "SIP/2.0 200 OK");
        rig.confirm_bye(TRUNK);
        // Alice and Bob talk now.
        let mut bob = bob;
        rig.send(BOB, &bob.next("BYE", None));
        rig.expect(BOB, "SIP/2.0 200");
        rig.confirm_bye(ALICE);
        rig.finish();
    }
}
