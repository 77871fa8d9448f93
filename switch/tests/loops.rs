//! A call that goes round through two of our own trunks comes to its end (RFC 7332).

use sip::Name;
use switch::SecurityKind;

use crate::rig::{Call, OUT, Phone, Rig, TRUNK, calls_out};

/// The number's calls go out to a number that comes back.
fn rig() -> Rig {
    let flow = r#"steps = [{ do = "hangup", cause = "busy" }]"#;
    let dial = r#"steps = [{ do = "dial", to = "+12125550123" }]"#;
    Rig::with(&calls_out("").replacen(flow, dial, 1))
}

#[test]
fn a_call_that_goes_round_through_two_trunks_ends_in_483() {
    let mut rig = rig();
    let mut hops = 3;
    let mut rounds = Vec::new();
    loop {
        let mut call = Call::new(&mut rig, TRUNK, "+15550102");
        let invite = call.invite().replace("Max-Forwards: 70", &format!("Max-Forwards: {hops}"));
        rig.send(TRUNK, &invite);
        if hops == 0 {
            let refused = rig.expect(TRUNK, "SIP/2.0 483");
            rig.send(TRUNK, &call.ack_refusal(&refused));
            break;
        }
        // The flow answers its caller; the count goes on all the same.
        rig.caller_is_answered(&mut call);
        let out = Phone::new(OUT, rig.expect(OUT, "INVITE"));
        let left: u8 = out.invite.header(Name::MAX_FORWARDS).unwrap().parse().unwrap();
        assert_eq!(left, hops - 1, "each round takes one");
        hops = left;
        rounds.push((call, out));
    }
    assert_eq!(rounds.len(), 3);
    assert_eq!(rig.security[0].kind, SecurityKind::Loop);
    // The carrier at the other end passes the 483 back, and round by round the calls end.
    for (_, out) in rounds.iter().rev() {
        rig.send(OUT, &out.respond("483 Too Many Hops", None));
        rig.expect(OUT, "ACK");
        rig.confirm_bye(TRUNK);
    }
    assert_eq!(rig.records.len(), 3);
    rig.finish();
}

#[test]
fn an_agents_phone_is_told_how_often_the_call_may_still_be_passed_on() {
    let mut rig = Rig::new();
    rig.register_both();
    let call = Call::new(&mut rig, TRUNK, "+15550103");
    let invite = call.invite().replace("Max-Forwards: 70", "Max-Forwards: 20");
    rig.send(TRUNK, &invite);
    let ok = rig.expect(TRUNK, "SIP/2.0 200");
    let mut call = call;
    let ack = call.ack(&ok, None);
    rig.send(TRUNK, &ack);
    let at = crate::rig::BOB;
    let phone = Phone::new(at, rig.expect(at, "INVITE"));
    assert_eq!(phone.invite.header(Name::MAX_FORWARDS), Some("19"));
    rig.phone_answers(&phone);
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(at);
    rig.finish();
}
