//! Calls for help: the number to call back, and where the caller is.

use sip::Name;

use crate::rig::{ALICE, OUT, Phone, Rig, SDP_PCMU, calls_out, header};

fn rig() -> Rig {
    let password = r#"password = "alice-secret","#;
    let own = format!("{password} caller_id = \"+15550103\",");
    let demo = calls_out("emergency = true\ntrusts_identity = true");
    let mut rig = Rig::with(&demo.replacen(password, &own, 1));
    rig.register_both();
    rig
}

fn refuse(rig: &mut Rig, alice: &crate::rig::Asked, out: &Phone) {
    rig.send(OUT, &out.respond("486 Busy Here", None));
    rig.expect(OUT, "ACK");
    let refused = rig.expect(ALICE, "SIP/2.0 486");
    rig.send(ALICE, &alice.ack(&refused));
}

#[test]
fn a_call_for_help_shows_the_callers_own_number_even_of_one_who_hides() {
    let mut rig = rig();
    for (dialled, extra) in
        [("911", ""), ("911", "Privacy: id\r\n"), ("112", "Privacy: user;id\r\n")]
    {
        let alice = rig.agent_dials(ALICE, "alice", dialled, extra);
        let out = Phone::new(OUT, rig.expect(OUT, "INVITE"));
        let from = header(&out.invite, "From");
        assert!(from.starts_with("<sip:+15550103@127.0.0.1>"), "{extra}: {from}");
        let asserted = out.invite.header(Name::P_ASSERTED_IDENTITY);
        assert_eq!(asserted, Some("<sip:+15550103@127.0.0.1>"));
        assert_eq!(out.invite.header(Name::PRIVACY), None);
        refuse(&mut rig, &alice, &out);
    }
    rig.finish();
}

const WHERE: &str = "Geolocation: <https://lis.example/9f3>\r\nGeolocation-Routing: yes\r\n\
                     Priority: emergency\r\n";

#[test]
fn where_the_caller_is_goes_with_a_call_for_help_and_with_no_other() {
    let mut rig = rig();
    for (dialled, goes) in [("911", true), ("+12125550123", false)] {
        let alice = rig.agent_dials(ALICE, "alice", dialled, WHERE);
        let out = Phone::new(OUT, rig.expect(OUT, "INVITE"));
        for (name, value) in [
            ("Geolocation", "<https://lis.example/9f3>"),
            ("Geolocation-Routing", "yes"),
            ("Priority", "emergency"),
        ] {
            let told = out.invite.header(Name::new(name));
            assert_eq!(told, goes.then_some(value), "{dialled}: {name}");
        }
        refuse(&mut rig, &alice, &out);
    }
    rig.finish();
}

const PLACE: &str = "<presence xmlns=\"urn:ietf:params:xml:ns:pidf\"/>";

#[test]
fn a_place_in_the_body_goes_on_beside_our_own_offer() {
    let mut rig = rig();
    rig.register(ALICE, "alice");
    let mut asked = crate::rig::Asked::new(&mut rig, ALICE, sip::Method::Invite, "911");
    asked.extra = "Geolocation: <cid:place@phone>\r\n".to_owned();
    let body = format!(
        "--b\r\nContent-Type: application/sdp\r\n\r\n{SDP_PCMU}\r\n\
         --b\r\nContent-Type: application/pidf+xml\r\nContent-ID: <place@phone>\r\n\r\n{PLACE}\r\n\
         --b\r\nContent-Type: text/plain\r\nContent-ID: <other@phone>\r\n\r\nsecret\r\n--b--\r\n"
    );
    asked.body = Some(("multipart/mixed;boundary=b".to_owned(), body));
    let text = asked.text(None);
    rig.send(ALICE, &text);
    let challenged = rig.expect(ALICE, "SIP/2.0 407");
    let ack = asked.ack(&challenged);
    rig.send(ALICE, &ack);
    let challenge = challenged.header(Name::PROXY_AUTHENTICATE).unwrap();
    let authorization = asked.authorization(challenge, "alice", "alice-secret");
    asked.cseq += 1;
    rig.send(ALICE, &asked.text(Some(&authorization)));
    let out = Phone::new(OUT, rig.expect(OUT, "INVITE"));
    let body = sip::Body::of(&out.invite).unwrap();
    let parts = body.parts();
    let types: Vec<_> = parts.iter().map(sip::Part::kind).collect();
    assert_eq!(types, ["application/sdp", "application/pidf+xml"], "and nothing else");
    assert!(!String::from_utf8_lossy(parts[0].content()).contains("40000"), "the offer is our own");
    assert_eq!((&**parts[1].content(), parts[1].id()), (PLACE.as_bytes(), Some("place@phone")));
    // Both sides of the offer are understood: the call is answered.
    rig.phone_answers(&out);
    rig.agent_is_answered(&mut asked);
    asked.extra.clear();
    rig.agent_hangs_up(&mut asked, "");
    rig.confirm_bye(OUT);
    rig.finish();
}
