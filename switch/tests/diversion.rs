//! Who sent a call on, and who is shown as calling: in what carriers send us, in what goes out to
//! carriers and phones, in events and records (RFC 5806, RFC 7044, RFC 3323, RFC 3325).

use serde_json::json;
use sip::{Message, Name};
use switch::{ApiRequest, Diverter};

use crate::rig::{ALICE, BOB, Call, OUT, Phone, Rig, TRUNK, answer, calls_out, header};

/// Alice's calls go as `forward` says; the carrier `out` has those rules.
pub(crate) fn provisioning(out: &str, forward: &str) -> String {
    let flow = r#"steps = [{ do = "hangup", cause = "busy" }]"#;
    let alice = r#"password = "alice-secret","#;
    let own = format!("{alice} caller_id = \"+15550101\", forward = {{ {forward} }},");
    calls_out(out)
        .replacen("country = \"US\"", "country = \"US\"\nlimits = { international = true }", 1)
        .replacen(flow, r#"steps = [{ do = "dial", to = "alice" }]"#, 1)
        .replacen(alice, &own, 1)
        .replacen("id = \"carrier-a\"", "id = \"carrier-a\"\ntrusts_identity = true", 1)
}

fn rig(out: &str, forward: &str) -> Rig {
    let mut rig = Rig::with(&provisioning(out, forward));
    rig.register_both();
    rig
}

/// Somebody calls the number whose flow rings Alice, with those header lines.
fn call_in(rig: &mut Rig, extra: &str) -> Call {
    let mut call = Call::new(rig, TRUNK, "+15550102");
    call.extra = extra.to_owned();
    rig.send(TRUNK, &call.invite());
    rig.caller_is_answered(&mut call);
    call
}

fn all(message: &Message, name: Name<'static>) -> Vec<String> {
    message.headers(name).map(str::to_owned).collect()
}

fn refuse_and_end(rig: &mut Rig, mut call: Call, out: &Phone) {
    rig.phone_answers(out);
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(OUT);
}

fn diverter(by: &str, reason: &str) -> Diverter {
    Diverter { by: by.to_owned(), reason: reason.to_owned() }
}

#[test]
fn a_forward_outside_tells_the_carrier_who_sent_the_call_on_and_why() {
    for (forward, why, status) in [
        ("always = \"+12125550123\"", "unconditional", 302),
        ("busy = \"+12125550123\"", "user-busy", 486),
        ("no_answer = \"+12125550123\"", "no-answer", 408),
    ] {
        let mut rig = rig("trusts_identity = true", forward);
        let call = call_in(&mut rig, "");
        if why != "unconditional" {
            let alice = Phone::new(ALICE, rig.expect(ALICE, "INVITE"));
            rig.send(ALICE, &alice.respond("180 Ringing", None));
            if why == "user-busy" {
                rig.send(ALICE, &alice.respond("486 Busy Here", None));
                rig.expect(ALICE, "ACK");
            } else {
                rig.advance_ms(20_000);
                rig.confirm_cancel(&alice);
            }
        }
        let out = Phone::new(OUT, rig.expect(OUT, "INVITE sip:+12125550123@127.0.0.51"));
        let invite = &out.invite;
        assert!(header(invite, "From").starts_with("<sip:+15550100@127.0.0.1>"), "{why}");
        let diversion = all(invite, Name::DIVERSION);
        assert_eq!(diversion.len(), 1);
        let want = format!("<sip:+15550101@127.0.0.1>;reason={why}");
        assert!(diversion[0].starts_with(&want), "{diversion:?}");
        let history = all(invite, Name::HISTORY_INFO);
        let first = format!("<sip:+15550101@127.0.0.1?Reason=SIP%3Bcause%3D{status}");
        assert!(history[0].starts_with(&first), "{history:?}");
        assert_eq!(history[1], "<sip:+12125550123@127.0.0.51>;index=1.1;mp=1");
        refuse_and_end(&mut rig, call, &out);
        let forwarded = &rig.events_of("call.forwarded")[0];
        assert_eq!(*forwarded, json!({ "agent": "alice", "to": "+12125550123", "reason": why }));
        assert_eq!(rig.record().diversions, [diverter("alice", why)]);
        rig.finish();
    }
}

#[test]
fn a_carrier_that_is_not_trusted_hears_only_what_is_provisioned() {
    for (rules, diversions, histories) in [
        ("", 0, 0),
        ("diversion = \"diversion\"", 1, 0),
        ("diversion = \"history-info\"", 0, 2),
        ("diversion = \"both\"", 1, 2),
        ("trusts_identity = true\ndiversion = \"none\"", 0, 0),
    ] {
        let mut rig = rig(rules, "always = \"+12125550123\"");
        let call = call_in(&mut rig, "");
        let out = Phone::new(OUT, rig.expect(OUT, "INVITE"));
        assert_eq!(all(&out.invite, Name::DIVERSION).len(), diversions, "{rules}");
        assert_eq!(all(&out.invite, Name::HISTORY_INFO).len(), histories, "{rules}");
        refuse_and_end(&mut rig, call, &out);
        rig.finish();
    }
}

const STORY: &str = "Diversion: <sip:+4930222@carrier.example>;reason=no-answer;privacy=full\r\n\
                     Diversion: \"Carla\" <sip:+4930111@pbx.example>;reason=user-busy\r\n";

#[test]
fn what_a_trusted_carrier_tells_is_kept_shown_and_passed_on_as_its_privacy_says() {
    // To a carrier that is trusted all of it goes, to another what is not private.
    for (rules, told) in [("trusts_identity = true", 3), ("diversion = \"diversion\"", 2)] {
        let mut rig = rig(rules, "always = \"+12125550123\"");
        let call = call_in(&mut rig, STORY);
        let started = &rig.events_of("call.started")[0];
        let before = json!([
            { "by": "+4930111", "reason": "user-busy" },
            { "by": "anonymous", "reason": "no-answer" },
        ]);
        assert_eq!(started["diversions"], before);
        let out = Phone::new(OUT, rig.expect(OUT, "INVITE"));
        let diversions = all(&out.invite, Name::DIVERSION);
        assert_eq!(diversions.len(), told, "{diversions:?}");
        assert!(diversions[0].contains("+15550101"), "the latest first");
        assert!(diversions.iter().all(|one| !one.contains("example")), "nobody's network");
        refuse_and_end(&mut rig, call, &out);
        let kept = [
            diverter("+4930111", "user-busy"),
            diverter("anonymous", "no-answer"),
            diverter("alice", "unconditional"),
        ];
        assert_eq!(rig.record().diversions, kept);
        rig.finish();
    }
}

#[test]
fn an_agents_phone_sees_who_sent_the_call_on_but_for_those_who_hide() {
    let mut rig = rig("", "busy = \"bob\"");
    let mut call = call_in(&mut rig, STORY);
    let alice = Phone::new(ALICE, rig.expect(ALICE, "INVITE"));
    let diversions = all(&alice.invite, Name::DIVERSION);
    assert_eq!(diversions.len(), 1, "{diversions:?}");
    assert!(diversions[0].starts_with("\"Carla\" <sip:+4930111@acme.example>;reason=user-busy"));
    rig.send(ALICE, &alice.respond("486 Busy Here", None));
    rig.expect(ALICE, "ACK");
    let bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    let diversions = all(&bob.invite, Name::DIVERSION);
    assert!(diversions[0].starts_with("<sip:alice@acme.example>;reason=user-busy"));
    assert_eq!(diversions.len(), 2);
    rig.send(BOB, &bob.respond("180 Ringing", None));
    rig.caller_hangs_up(&mut call);
    rig.confirm_cancel(&bob);
    rig.finish();
}

#[test]
fn who_sent_a_call_on_is_read_as_one_carrier_writes_numbers_and_told_as_the_other_does() {
    let national = provisioning(
        "diversion = \"both\"\nformat = \"international00\"",
        "always = \"+12125550123\"",
    )
    .replace("trusts_identity = true", "trusts_identity = true\ncountry = \"DE\"");
    let mut rig = Rig::with(&national);
    let story = "Diversion: <sip:030111;npdi@pbx.example>;reason=away\r\n";
    let call = call_in(&mut rig, story);
    let out = Phone::new(OUT, rig.expect(OUT, "INVITE"));
    let diversions = all(&out.invite, Name::DIVERSION);
    assert!(diversions[0].starts_with("<sip:0015550101@127.0.0.1>;reason=unconditional"));
    assert!(diversions[1].starts_with("<sip:004930111@127.0.0.1>;reason=away"), "{diversions:?}");
    refuse_and_end(&mut rig, call, &out);
    assert_eq!(rig.record().diversions[0], diverter("+4930111", "away"));
    rig.finish();
}

#[test]
fn history_info_alone_tells_the_same() {
    let mut rig = rig("trusts_identity = true", "always = \"+12125550123\"");
    let history = "History-Info: <sip:+4930111@pbx.example?Reason=SIP%3Bcause%3D486>;index=1,\
                   <sip:+15550102@carrier.example>;index=1.1;mp=1\r\n";
    let call = call_in(&mut rig, history);
    let out = Phone::new(OUT, rig.expect(OUT, "INVITE"));
    let entries = all(&out.invite, Name::HISTORY_INFO);
    assert_eq!(entries.len(), 3, "{entries:?}");
    assert!(entries[1].starts_with("<sip:+15550102@127.0.0.1?Reason=SIP%3Bcause%3D302"));
    assert!(entries[2].ends_with("index=1.1.1;mp=1.1"));
    assert_eq!(all(&out.invite, Name::DIVERSION).len(), 2);
    refuse_and_end(&mut rig, call, &out);
    let kept = [diverter("+4930111", "user-busy"), diverter("alice", "unconditional")];
    assert_eq!(rig.record().diversions, kept);
    rig.finish();
}

#[test]
fn a_stranger_of_a_carrier_is_not_believed_about_anybody() {
    let untrusted = provisioning("trusts_identity = true", "always = \"+12125550123\"")
        .replace("id = \"carrier-a\"\ntrusts_identity = true", "id = \"carrier-a\"");
    let mut rig = Rig::with(&untrusted);
    let call = call_in(&mut rig, STORY);
    assert!(rig.events_of("call.started")[0].get("diversions").is_none());
    let out = Phone::new(OUT, rig.expect(OUT, "INVITE"));
    assert_eq!(all(&out.invite, Name::DIVERSION).len(), 1);
    refuse_and_end(&mut rig, call, &out);
    rig.finish();
}

#[test]
fn a_transfer_outside_names_the_agent_who_sent_the_call_on() {
    let mut rig = rig("trusts_identity = true", "");
    let mut call = call_in(&mut rig, "");
    let alice = Phone::new(ALICE, rig.expect(ALICE, "INVITE"));
    rig.phone_answers(&alice);
    let id = rig.last_call();
    let busy = ApiRequest::Transfer { call: id, to: "+12125550124".to_owned() };
    rig.request("acme", busy).unwrap();
    let out = Phone::new(OUT, rig.expect(OUT, "INVITE"));
    rig.send(OUT, &out.respond("486 Busy Here", None));
    rig.expect(OUT, "ACK");
    let to = "+12125550123".to_owned();
    rig.request("acme", ApiRequest::Transfer { call: id, to }).unwrap();
    let out = Phone::new(OUT, rig.expect(OUT, "INVITE"));
    let diversions = all(&out.invite, Name::DIVERSION);
    assert_eq!(diversions.len(), 1, "the one that failed does not count: {diversions:?}");
    assert!(diversions[0].starts_with("<sip:+15550101@127.0.0.1>;reason=deflection"));
    rig.phone_answers(&out);
    rig.confirm_bye(ALICE);
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(OUT);
    assert_eq!(rig.record().diversions, [diverter("alice", "deflection")]);
    rig.finish();
}

#[test]
fn a_number_that_sends_its_calls_outside_is_named_itself() {
    let direct = provisioning("trusts_identity = true", "").replacen(
        r#"{ do = "dial", to = "alice" }"#,
        r#"{ do = "dial", to = "+12125550123" }"#,
        1,
    );
    let mut rig = Rig::with(&direct);
    let call = call_in(&mut rig, "");
    let out = Phone::new(OUT, rig.expect(OUT, "INVITE"));
    let diversions = all(&out.invite, Name::DIVERSION);
    assert!(diversions[0].starts_with("<sip:+15550102@127.0.0.1>;reason=unconditional"));
    refuse_and_end(&mut rig, call, &out);
    rig.finish();
}

#[test]
fn who_is_shown_outside_is_the_tenant_or_where_the_carrier_allows_it_the_caller() {
    let asserted = "P-Asserted-Identity: <sip:+4930777@carrier.example>\r\n";
    let hidden = "P-Asserted-Identity: <sip:+4930777@carrier.example>\r\nPrivacy: id\r\n";
    let shows = "shows_caller = true";
    let both = "shows_caller = true\ntrusts_identity = true";
    let own = "<sip:+15550100@127.0.0.1>";
    let anonymous = "\"Anonymous\" <sip:anonymous@anonymous.invalid>";
    for (rules, extra, from, pai, privacy) in [
        ("", "", own, None, None),
        ("", hidden, own, None, None),
        ("trusts_identity = true", "", own, Some(own), None),
        (shows, "", "\"Carla \\\"C\\\" Caller\" <sip:+4930123456@127.0.0.1>", None, None),
        (shows, asserted, "\"Carla", None, None),
        (shows, hidden, anonymous, None, Some("id")),
        // Nobody vouches for the number in From: we vouch for the tenant's.
        (both, "", "\"Carla \\\"C\\\" Caller\" <sip:+4930123456@127.0.0.1>", Some(own), None),
        (both, asserted, "<sip:+4930777@127.0.0.1>", Some("<sip:+4930777@127.0.0.1>"), None),
        (both, hidden, anonymous, Some("<sip:+4930777@127.0.0.1>"), Some("id")),
        (both, "Privacy: id\r\n", anonymous, Some(own), Some("id")),
    ] {
        let mut rig = rig(rules, "always = \"+12125550123\"");
        let call = call_in(&mut rig, extra);
        let out = Phone::new(OUT, rig.expect(OUT, "INVITE"));
        let invite = &out.invite;
        let case = format!("{rules} with {extra:?}");
        if from != "\"Carla" {
            assert!(header(invite, "From").starts_with(from), "{case}: {}", header(invite, "From"));
        }
        assert_eq!(invite.header(Name::P_ASSERTED_IDENTITY), pai, "{case}");
        assert_eq!(invite.header(Name::PRIVACY), privacy, "{case}");
        refuse_and_end(&mut rig, call, &out);
        let shown =
            if extra.contains("Privacy") { "anonymous" } else { rig.record().from.as_str() };
        assert_eq!(rig.record().from, shown, "and the tenant sees no more");
        rig.finish();
    }
}

#[test]
fn a_carrier_that_knows_only_remote_party_id_is_believed_if_trusted_and_told_so_if_it_wishes() {
    let name = Name::new("Remote-Party-ID");
    let theirs = "Remote-Party-ID: <sip:+4930777@carrier.example>;party=calling;screen=yes";
    let rules = "shows_caller = true\ntrusts_identity = true";
    let wishes = format!("{rules}\nremote_party_id = true");
    let shown = "<sip:+4930777@127.0.0.1>;party=calling;screen=yes;privacy=off";
    let hidden = "<sip:+4930777@127.0.0.1>;party=calling;screen=yes;privacy=full";
    let own = "<sip:+15550100@127.0.0.1>;party=calling;screen=yes;privacy=off";
    for (out, extra, told, record) in [
        (wishes.as_str(), format!("{theirs}\r\n"), Some(shown), "+4930777"),
        (&wishes, format!("{theirs};privacy=full\r\n"), Some(hidden), "anonymous"),
        (rules, format!("{theirs}\r\n"), None, "+4930777"),
        ("remote_party_id = true", format!("{theirs}\r\n"), None, "+4930777"),
        // Nobody has looked at it: From counts, and we answer for the tenant's number only.
        (&wishes, format!("{}\r\n", theirs.replace("yes", "no")), Some(own), "+4930123456"),
    ] {
        let mut rig = rig(out, "always = \"+12125550123\"");
        let call = call_in(&mut rig, &extra);
        let out_leg = Phone::new(OUT, rig.expect(OUT, "INVITE"));
        assert_eq!(out_leg.invite.header(name), told, "{out} with {extra}");
        refuse_and_end(&mut rig, call, &out_leg);
        assert_eq!(rig.record().from, record, "{out} with {extra}");
        rig.finish();
    }
    let untrusted = provisioning(&wishes, "always = \"+12125550123\"").replacen(
        "id = \"carrier-a\"\ntrusts_identity = true",
        "id = \"carrier-a\"",
        1,
    );
    let mut rig = Rig::with(&untrusted);
    let call = call_in(&mut rig, &format!("{theirs}\r\n"));
    let out = Phone::new(OUT, rig.expect(OUT, "INVITE"));
    assert_eq!(out.invite.header(name), Some(own), "anybody may write that");
    refuse_and_end(&mut rig, call, &out);
    assert_eq!(rig.record().from, "+4930123456");
}

#[test]
fn one_who_hides_is_anonymous_on_agents_phones_too() {
    let mut rig = rig("", "");
    let alice = rig.agent_dials(ALICE, "alice", "bob", "Privacy: id\r\n");
    let bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    assert!(header(&bob.invite, "From").starts_with("\"Anonymous\" <sip:anonymous@"));
    let text = String::from_utf8_lossy(bob.invite.bytes()).into_owned();
    assert!(!text.contains("alice"), "{text}");
    rig.send(BOB, &bob.respond("486 Busy Here", None));
    rig.expect(BOB, "ACK");
    let refused = rig.expect(ALICE, "SIP/2.0 486");
    rig.send(ALICE, &alice.ack(&refused));
    assert_eq!(rig.record().from, "alice", "the tenant's own record knows");
    rig.finish();
}

#[test]
fn a_display_name_is_shown_as_it_came_but_for_what_would_deceive() {
    for (given, shown) in [
        ("\"Müller & Söhne\"", Some("Müller & Söhne")),
        ("\"日本語\"", Some("日本語")),
        ("\"evil\u{202e}gpj.exe\u{200b}\"", Some("evilgpj.exe")),
        ("", None),
    ] {
        let mut rig = Rig::new();
        rig.register_both();
        let call = Call::new(&mut rig, TRUNK, "+15550100");
        let invite = call.invite().replace("\"Carla \\\"C\\\" Caller\"", given);
        rig.send(TRUNK, &invite);
        let ok = rig.expect(TRUNK, "SIP/2.0 200");
        let mut call = call;
        let ack = call.ack(&ok, None);
        rig.send(TRUNK, &ack);
        rig.finish_prompt();
        let alice = Phone::new(ALICE, rig.expect(ALICE, "INVITE"));
        let from = header(&alice.invite, "From");
        match shown {
            Some(name) => assert!(from.starts_with(&format!("\"{name}\" <sip:")), "{from}"),
            None => assert!(from.starts_with("<sip:"), "{from}"),
        }
        rig.send(ALICE, &answer(&alice.invite, ALICE, "180 Ringing", &alice.tag, None));
        rig.caller_hangs_up(&mut call);
        rig.confirm_cancel(&alice);
        assert_eq!(rig.record().from_name.as_deref(), shown);
        rig.finish();
    }
}
