//! Typed header fields out of whole messages: what peers send, what attackers send.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by it")]

mod support;

use proptest::prelude::*;
use sip::header::{
    Diversion, Event, HistoryEntry, HistoryInfo, Identity, MinSe, NameAddr, OptionTags, Privacy,
    Q850, RAck, RSeq, Reason, ReferTo, ReferredBy, Replaces, SessionExpires, SubscriptionState,
};
use sip::{Message, Name, StatusCode};
use support::*;

fn with(lines: &str) -> Message {
    let text = peer_request("INVITE", "z9hG4bK1", 1, "");
    Message::parse(text.replace("Max-Forwards", &format!("{lines}Max-Forwards")).into()).unwrap()
}

#[test]
fn a_second_replaces_or_refer_to_or_one_beside_join_is_an_error() {
    let one = "Replaces: c@d;to-tag=1;from-tag=2\r\n";
    assert_eq!(Replaces::of(&with(one)).unwrap().unwrap().call_id, "c@d");
    assert_eq!(Replaces::of(&with("")), Ok(None));
    assert!(Replaces::of(&with(&one.repeat(2))).is_err());
    assert!(Replaces::of(&with(&format!("{one}Join: x;to-tag=1;from-tag=2\r\n"))).is_err());
    assert!(ReferTo::of(&with("")).is_err());
    assert!(ReferTo::of(&with("r: <sip:a@b>\r\nRefer-To: <sip:c@d>\r\n")).is_err());
    assert!(ReferTo::of(&with("Refer-To: <sip:a@b>, <sip:c@d>\r\n")).is_err());
    assert_eq!(ReferTo::of(&with("r: <sip:a@b>\r\n")).unwrap().target.to_string(), "<sip:a@b>");
    let by = ReferredBy::of(&with("b: <sip:r@ref.example>;cid=\"2\"\r\n")).unwrap().unwrap();
    assert_eq!(by.to_string(), "<sip:r@ref.example>");
}

#[test]
fn an_asserted_identity_is_one_sip_uri_and_one_number_at_most() {
    let both = with(
        "P-Asserted-Identity: \"Cullen\" <sip:fluffy@cisco.com>\r\n\
         P-Asserted-Identity: tel:+14085264000\r\nPrivacy: id\r\n",
    );
    let identity = Identity::asserted(&both).unwrap().unwrap();
    assert_eq!(identity.user().as_deref(), Some("+14085264000"));
    assert_eq!(identity.name(), Some("Cullen"));
    assert!(Privacy::of(&both).has(Privacy::ID));
    let values: Vec<_> = identity.values().map(NameAddr::to_string).collect();
    assert_eq!(values, ["\"Cullen\" <sip:fluffy@cisco.com>", "<tel:+14085264000>"]);
    for bad in ["<sip:a@b>, <sip:c@d>", "tel:+1, tel:+2", "<http://x>", "nobody"] {
        let message = with(&format!("P-Asserted-Identity: {bad}\r\n"));
        assert!(Identity::asserted(&message).is_err(), "{bad}");
    }
    assert_eq!(Identity::preferred(&both), Ok(None));
}

#[test]
fn a_cause_is_q850_first_and_else_what_the_status_stands_for() {
    let both = with("Reason: SIP;cause=486;text=\"a, b\", Q.850;cause=21\r\n");
    assert_eq!(Reason::cause_of(&both).map(Q850::as_u8), Some(21));
    let status = with("Reason: SIP;cause=486\r\nReason: nonsense;cause=x\r\n");
    assert_eq!(Reason::cause_of(&status).map(Q850::as_u8), Some(17));
    assert_eq!(Reason::cause_of(&with("Reason: Q.850;cause=999\r\n")), None);
    assert_eq!(Reason::all(&with(&"Reason: a\r\n".repeat(100))).count(), 16);
}

#[test]
fn what_is_required_beyond_what_we_know_is_told() {
    let message = with("Require: 100rel, foo\r\nRequire: Timer\r\nSupported: , \"x\", gruu\r\n");
    let required = OptionTags::required(&message);
    assert!(required.has("TIMER") && !required.has("gruu"));
    assert_eq!(required.beyond(&["100rel", "timer"]).to_string(), "foo");
    assert!(required.beyond(&["100rel", "timer", "foo"]).is_empty());
    assert_eq!(OptionTags::supported(&message).to_string(), "gruu");
}

#[test]
fn diversions_are_counted_by_what_they_stand_for() {
    let message = with(
        "Diversion: <sip:a@b>;counter=3\r\nDiversion: <sip:c@d>, broken, <tel:+1>;counter=0\r\n",
    );
    assert_eq!(Diversion::count(&message), 5);
    assert_eq!(Diversion::all(&message).count(), 3);
    let loops = with(&"Diversion: <sip:a@b>;counter=4294967295\r\n".repeat(40));
    assert_eq!(Diversion::count(&loops), u32::MAX);
}

#[test]
fn timers_and_states_come_from_their_headers() {
    let message = with("x: 1800;refresher=uas\r\nMin-SE: 60\r\nEvent: dialog;id=3\r\n");
    let expires = SessionExpires::of(&message).unwrap().unwrap();
    assert_eq!(expires.to_string(), "1800;refresher=uas");
    assert_eq!(MinSe::of(&message), Ok(Some(MinSe(90))), "never below 90");
    assert_eq!(Event::of(&message).unwrap().unwrap().id.as_deref(), Some("3"));
    assert!(SubscriptionState::of(&message).is_err());
    assert!(RAck::of(&message).is_err());
    assert!(SessionExpires::of(&with("x: 90\r\nSession-Expires: 91\r\n")).is_err());
    assert_eq!(RSeq::of(&with("RSeq: 0\r\n")), None);
    let _ = StatusCode::OK;
}

/// What was read must be fit to be sent: no line of its own, and the same when read again.
fn again<T: PartialEq + std::fmt::Debug>(
    parse: impl Fn(&str) -> Result<T, sip::HeaderError>,
    write: impl Fn(&T) -> String,
    text: &str,
) {
    let Ok(value) = parse(text) else { return };
    let written = write(&value);
    assert!(!written.contains(['\r', '\n', '\0']), "{written:?}");
    assert_eq!(parse(&written).as_ref(), Ok(&value), "{text:?} was written as {written:?}");
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 4_000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn what_was_read_is_written_so_that_it_reads_the_same(
        head in prop::sample::select(vec![
            "<sip:a@b", "\"x\" <sip:a@b?Reason=SIP%3Bcause=1", "c;to-tag=1;from-tag=2", "Q.850",
            "active", "dialog", "90", "1 2 INVITE", "<sip:a@b?Replaces=c%3Bto-tag=1%3Bfrom-tag=2",
        ]),
        tail in "[<>\";=?&%@a-c0-9. \\\\é\u{1}-]{0,24}",
    ) {
        let text = format!("{head}{tail}");
        again(Replaces::parse, Replaces::to_string, &text);
        again(ReferTo::parse, ReferTo::to_string, &text);
        again(Reason::parse, Reason::to_string, &text);
        again(Diversion::parse, Diversion::to_string, &text);
        again(HistoryEntry::parse, HistoryEntry::to_string, &text);
        again(Event::parse, Event::to_string, &text);
        again(SubscriptionState::parse, SubscriptionState::to_string, &text);
        again(SessionExpires::parse, SessionExpires::to_string, &text);
        again(RAck::parse, RAck::to_string, &text);
        again(NameAddr::parse, NameAddr::to_string, &text);
        _ = Privacy::parse(&text);
    }

    #[test]
    fn any_header_text_at_all_does_no_harm(value in "[ -~]{0,80}") {
        for name in ["Replaces", "Refer-To", "Reason", "Diversion", "History-Info", "Event",
            "Subscription-State", "Session-Expires", "Min-SE", "RAck", "P-Asserted-Identity",
            "Privacy", "Require", "Referred-By"] {
            let message = with(&format!("{name}: {value}\r\n"));
            _ = (Replaces::of(&message), ReferTo::of(&message), ReferredBy::of(&message));
            _ = (Reason::cause_of(&message), Diversion::count(&message));
            _ = (HistoryInfo::of(&message).diversions(), Event::of(&message));
            _ = (SubscriptionState::of(&message), SessionExpires::of(&message));
            _ = (MinSe::of(&message), RAck::of(&message), Identity::asserted(&message));
            _ = (Privacy::of(&message), OptionTags::of(&message, Name::REQUIRE));
        }
    }
}
