//! What is dialled, and whether it may be: one policy, however it is written.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod rig;

use std::sync::Arc;

use rig::{agent, directory, tenant};
use routing::{Attestation, Destination, Dialled, Directory, E164, attestation, dial};

/// A German tenant that may dial its own country, with three agents who may dial less and less,
/// and one for whom everything is allowed.
const HOUSE: &str = r#"
trunks = [{ id = "carrier", targets = [{ uri = "sip:192.0.2.1" }] }]

[[tenants]]
id = "acme"
domain = "acme.example"
country = "DE"
caller_id = "+49 30 1000"
emergency_numbers = ["19222"]
routes = [{ trunk = "carrier" }, { prefix = "116", trunk = "carrier" }]
flows = [{ id = "main", steps = [{ do = "hangup" }] }]
numbers = [{ number = "+49301000", flow = "main" }]
prompts = [{ id = "music", file = "music.wav" }]
queues = [{ id = "sales", extension = "700", music = "music" }]
agents = [
    { id = "alice", password = "p1", extension = "101" },
    { id = "bob", password = "p2", extension = "102", may_dial = ["+4930", "116"],
      caller_id = "+49301002" },
    { id = "carol", password = "p3", may_dial = "internal" },
    { id = "dave", password = "p4", may_dial = "none" },
]

[[tenants]]
id = "berlin"
domain = "berlin.example"
parent = "acme"
limits = { international = true, premium = true }
agents = [{ id = "erna", password = "p5" }]

[[tenants]]
id = "travel"
domain = "travel.example"
limits = { international = true, premium = true }
country = "US"
agents = [{ id = "erna", password = "p6" }]
"#;

fn says(house: &Arc<Directory>, of: &str, from: &str, text: &str) -> String {
    let from = (!from.is_empty()).then(|| agent(from));
    match dial(house, &tenant(of), from.as_ref(), text) {
        Ok(Dialled::Agent(agent)) => format!("agent {agent}"),
        Ok(Dialled::Queue(queue)) => format!("queue {queue}"),
        Ok(Dialled::OwnNumber { number, flow }) => format!("own {number} {flow}"),
        Ok(Dialled::Outside(Destination::Number(number))) => number.to_string(),
        Ok(Dialled::Outside(Destination::ShortCode(digits))) => format!("short {digits}"),
        Ok(Dialled::Outside(Destination::Emergency(digits))) => format!("help {digits}"),
        Err(refused) => {
            format!("{}: {refused}", if refused.is_forbidden() { "403" } else { "404" })
        }
    }
}

#[test]
fn a_colleague_is_dialled_by_name_and_by_extension_in_every_way_to_write_them() {
    let house = directory(HOUSE);
    for (text, expected) in [
        ("bob", "agent bob"),
        ("Bob", "agent bob"),
        ("sip:bob@acme.example", "agent bob"),
        ("sip:b%6fb@192.0.2.9:5060;transport=tcp", "agent bob"),
        ("102", "agent bob"),
        ("1-0-2", "agent bob"),
        (
            "tel:102;phone-context=acme.example",
            "404: what was dialled is not a number: the \
            phone-context is not a global prefix",
        ),
        ("sales", "queue sales"),
        ("700", "queue sales"),
        ("+49 30 1000", "own +49301000 main"),
        ("0301000", "own +49301000 main"),
        ("nobody", "404: nobody is called \"nobody\", no queue is, and it is no number"),
        ("sip:erna@travel.example", "403: the address is in another tenant's domain"),
    ] {
        assert_eq!(says(&house, "acme", "alice", text), expected, "{text}");
    }
}

#[test]
fn every_way_to_write_an_outside_number_ends_in_the_same_number() {
    let house = directory(HOUSE);
    for text in [
        "+4930123456",
        "004930123456",
        "030123456",
        "4930123456",
        "%2b4930123456",
        "tel:+49-30-123456",
        "tel:030123456;phone-context=+49",
        "tel:+4930123456;isub=1;ext=5;postd=99",
        "sip:+49(0)30123456@carrier.example;user=phone",
        "sip:%2B4930123456;npdi;rn=+1900@acme.example",
    ] {
        assert_eq!(says(&house, "acme", "alice", text), "+4930123456", "{text}");
        assert_eq!(says(&house, "acme", "bob", text), "+4930123456", "{text}");
    }
}

#[test]
fn no_way_to_write_a_number_gets_round_the_policy() {
    let house = directory(HOUSE);
    let premium = "403: +499001123456 is a premium-rate number, and the tenant may not dial those";
    for text in [
        "09001123456",
        "+499001123456",
        "00499001123456",
        "%2b49900%31123456",
        "tel:9001123456;phone-context=+49",
        "tel:09001123456;phone-context=+49",
        "+49 (0) 900 1 123456",
        "sip:+499001123456;ext=1@acme.example",
    ] {
        assert_eq!(says(&house, "acme", "alice", text), premium, "{text}");
    }
    for (text, expected) in [
        (
            "+18765551234",
            "403: +18765551234 is a number of JM, and the tenant may not dial other countries",
        ),
        (
            "0018765551234",
            "403: +18765551234 is a number of JM, and the tenant may not dial other countries",
        ),
        (
            "tel:8765551234;phone-context=+1",
            "403: +18765551234 is a number of JM, and the tenant may not dial other countries",
        ),
        (
            "+187655512349999",
            "403: +187655512349999 is a number of JM, and the tenant may not dial other countries",
        ),
        (
            "+881612345678",
            "403: +881612345678 is a number of country code 881, \
             and the tenant may not dial other countries",
        ),
        (
            "+49900112345699",
            "403: +49900112345699 is a premium-rate number, and the tenant may not dial those",
        ),
        (
            "%252b4930123456",
            "404: what was dialled is not a number: '%' does not belong in a telephone number",
        ),
        (
            "+４９３０１２３４５６",
            "404: what was dialled is not a number: '４' does not belong in a telephone number",
        ),
        (
            "*31#030123456",
            "404: what was dialled is not a number: '*' does not belong in a telephone number",
        ),
        (
            "030123456,,99",
            "404: what was dialled is not a number: ',' does not belong in a telephone number",
        ),
        (
            "030123456\r\nRoute: <sip:evil>",
            "404: what was dialled is not a number: '\\r' does not belong in a telephone number",
        ),
    ] {
        assert_eq!(says(&house, "acme", "alice", text), expected, "{text}");
    }
    let overlong = format!("+49{}", "3".repeat(400));
    assert!(says(&house, "acme", "alice", &overlong).starts_with("404"));
}

#[test]
fn an_agent_dials_what_their_policy_says_and_a_subtenant_never_more_than_its_parent() {
    let house = directory(HOUSE);
    for (of, from, text, expected) in [
        ("acme", "bob", "+4930123456", "+4930123456"),
        (
            "acme",
            "bob",
            "+491711234567",
            "403: no prefix that the agent may dial begins +491711234567",
        ),
        ("acme", "bob", "116117", "short 116117"),
        ("acme", "carol", "101", "agent alice"),
        ("acme", "carol", "+49301000", "own +49301000 main"),
        (
            "acme",
            "carol",
            "+4930123456",
            "403: the agent may dial agents, queues and own numbers only, not +4930123456",
        ),
        ("acme", "dave", "101", "403: the agent may not dial"),
        ("acme", "", "+4930123456", "+4930123456"),
        (
            "acme",
            "",
            "+4312345678",
            "403: +4312345678 is a number of AT, and the tenant may not dial other countries",
        ),
        ("acme", "ghost", "101", "404: whoever dials is not provisioned"),
        ("berlin", "erna", "030 123456", "+4930123456"),
        ("travel", "erna", "+4930123456", "+4930123456"),
        ("travel", "erna", "011 49 30 123456", "+4930123456"),
        ("travel", "erna", "900 555 1234", "+19005551234"),
    ] {
        assert_eq!(says(&house, of, from, text), expected, "{of} {from} {text}");
    }
    let narrowed = directory(&HOUSE.replacen(
        "country = \"DE\"",
        "country = \"DE\"\nlimits = { international = false }",
        1,
    ));
    assert!(says(&narrowed, "berlin", "erna", "+4312345678").contains("other countries"));
}

#[test]
fn nothing_stands_between_anybody_and_an_emergency_number() {
    let house = directory(HOUSE);
    for from in ["alice", "bob", "carol", "dave", "", "ghost"] {
        for (text, expected) in [
            ("112", "help 112"),
            ("110", "help 110"),
            ("911", "help 911"),
            ("19222", "help 19222"),
            ("1-1-2", "help 112"),
            ("+112", "help 112"),
            ("+49112", "help 112"),
            ("0049110", "help 110"),
            ("tel:112;phone-context=+49", "help 112"),
            ("sip:112@anywhere.example", "help 112"),
            ("sip:112@travel.example", "help 112"),
            ("urn:service:sos.police", "help 112"),
        ] {
            assert_eq!(says(&house, "acme", from, text), expected, "{from} {text}");
        }
    }
    assert_eq!(says(&house, "travel", "erna", "urn:service:sos"), "help 911");
    assert_eq!(says(&house, "berlin", "erna", "19222"), "help 19222", "its parent's count too");
}

#[test]
fn a_short_number_is_dialled_only_where_a_route_names_it() {
    let house = directory(HOUSE);
    assert_eq!(says(&house, "acme", "alice", "116117"), "short 116117");
    assert_ne!(says(&house, "acme", "alice", "11833"), "short 11833");
    assert_ne!(says(&house, "acme", "alice", "+116117"), "short 116117");
}

#[test]
fn without_a_country_the_tenants_own_numbers_say_what_is_far_away() {
    let house = directory(
        &HOUSE.replacen("country = \"DE\"\n", "", 1).replace("caller_id = \"+49 30 1000\"\n", ""),
    );
    assert_eq!(says(&house, "acme", "alice", "+4930123456"), "+4930123456");
    assert!(says(&house, "acme", "alice", "+4312345678").starts_with("403"));
    assert!(says(&house, "acme", "alice", "030123456").contains("national"));
}

#[test]
fn the_number_shown_is_the_agents_else_the_tenants_and_only_such_may_be_shown() {
    let house = directory(HOUSE);
    let shown = |of: &str, from: Option<&str>| {
        let from = from.map(agent);
        house.caller_number(&tenant(of), from.as_ref()).map(|number| number.to_string())
    };
    assert_eq!(shown("acme", Some("alice")).as_deref(), Some("+49301000"));
    assert_eq!(shown("acme", Some("bob")).as_deref(), Some("+49301002"));
    assert_eq!(shown("berlin", None).as_deref(), Some("+49301000"), "its parent's");
    assert_eq!(shown("travel", None), None);
    let number = |text: &str| E164::normalise(text).unwrap();
    assert!(house.may_show(&tenant("acme"), &number("+49301002")));
    assert!(!house.may_show(&tenant("acme"), &number("+49309999")));
    assert!(!house.may_show(&tenant("travel"), &number("+49301000")));
    let of = |text: &str| attestation(&house, &tenant("berlin"), &number(text));
    assert_eq!((of("+49301000"), of("+49301002")), (Attestation::A, Attestation::B));
}
