//! Header fields that pass from one side to the other because a trunk's rules say so: what another
//! platform hands over with a call (User-to-User, RFC 7433; Alert-Info, Call-Info, RFC 3261 §20).

use sip::Name;

use crate::rig::{ALICE, Call, OUT, Phone, Rig, TRUNK, calls_out};

const FIELDS: [(&str, &str); 3] = [
    ("User-to-User", "56a390f3d2b7310023a2;encoding=hex"),
    ("Alert-Info", "<urn:alert:source:external>"),
    ("Call-Info", "<https://crm.example/4711>;purpose=info"),
];

fn rules(direction: &str, fields: &[(&str, &str)]) -> String {
    let rule = |(name, _): &(&str, &str)| {
        format!("{{ direction = \"{direction}\", action = \"pass\", name = \"{name}\" }},")
    };
    fields.iter().map(rule).collect()
}

/// The carrier's fields go on to agents; those of a call that leaves again, two of three.
fn rig() -> Rig {
    rig_with(&rules("outbound", &FIELDS[..2]), "")
}

/// The carrier that calls leave over has these rules, and those other keys.
fn rig_with(outbound: &str, more: &str) -> Rig {
    let flow = r#"steps = [{ do = "hangup", cause = "busy" }]"#;
    let inbound = format!("id = \"carrier-a\"\nheaders = [{}]", rules("inbound", &FIELDS));
    let demo = calls_out(&format!("headers = [{outbound}]\n{more}"))
        .replacen(flow, r#"steps = [{ do = "dial", to = "+12125550123" }]"#, 1)
        .replacen("id = \"carrier-a\"", &inbound, 1);
    let mut rig = Rig::with(&demo);
    rig.register_both();
    rig
}

fn call_in(rig: &mut Rig, number: &str) -> Call {
    let mut call = Call::new(rig, TRUNK, number);
    call.extra = FIELDS.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    rig.send(TRUNK, &call.invite());
    rig.caller_is_answered(&mut call);
    call
}

#[test]
fn what_a_platform_hands_over_reaches_the_agents_phone() {
    let mut rig = rig();
    let mut call = call_in(&mut rig, "+15550100");
    rig.finish_prompt();
    let alice = Phone::new(ALICE, rig.expect(ALICE, "INVITE"));
    for (name, value) in FIELDS {
        assert_eq!(alice.invite.header(Name::new(name)), Some(value));
    }
    rig.send(ALICE, &alice.respond("180 Ringing", None));
    rig.caller_hangs_up(&mut call);
    rig.confirm_cancel(&alice);
    rig.finish();
}

#[test]
fn a_call_that_leaves_again_takes_along_what_both_trunks_pass() {
    let mut rig = rig();
    let mut call = call_in(&mut rig, "+15550102");
    let out = Phone::new(OUT, rig.expect(OUT, "INVITE"));
    for (name, value) in &FIELDS[..2] {
        assert_eq!(out.invite.header(Name::new(name)), Some(*value));
    }
    assert_eq!(out.invite.header(Name::new("Call-Info")), None, "no rule passes it on");
    rig.send(OUT, &out.respond("180 Ringing", None));
    rig.caller_hangs_up(&mut call);
    rig.confirm_cancel(&out);
    rig.finish();
}

#[test]
fn a_rule_about_a_field_stands_instead_of_what_we_say_in_it() {
    for (rule, told) in [
        ("{ direction = \"outbound\", action = \"remove\", name = \"Diversion\" }", None),
        (
            "{ direction = \"outbound\", action = \"set\", name = \"Diversion\", \
             value = \"<sip:+15550199@pbx.example>\" }",
            Some("<sip:+15550199@pbx.example>"),
        ),
    ] {
        let mut rig = rig_with(rule, "diversion = \"diversion\"");
        let mut call = call_in(&mut rig, "+15550102");
        let out = Phone::new(OUT, rig.expect(OUT, "INVITE"));
        let all: Vec<_> = out.invite.headers(Name::DIVERSION).collect();
        assert_eq!(all, told.into_iter().collect::<Vec<_>>());
        rig.send(OUT, &out.respond("180 Ringing", None));
        rig.caller_hangs_up(&mut call);
        rig.confirm_cancel(&out);
        rig.finish();
    }
}
