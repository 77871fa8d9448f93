//! Who calls: what is believed of whom, and what is told to whom (RFC 3323, RFC 3325).
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by it")]

mod support;

use sip::header::{NameAddr, Privacy};
use sip::identity::{CallerIdentity, IdentityPolicy, IdentitySource, OutgoingIdentity};
use sip::{Message, Name, Request};
use support::*;

fn with(from: &str, lines: &str) -> Message {
    let text = peer_request("INVITE", "z9hG4bK1", 1, "")
        .replace("\"A, B\" <sip:alice@example.org>;tag=f1", &format!("{from};tag=f1"));
    Message::parse(text.replace("Max-F", &format!("{lines}Max-F")).into()).unwrap()
}

const PAI: &str = "P-Asserted-Identity: \"Al\" <sip:+15550100@carrier.example>\r\n\
                   P-Asserted-Identity: <tel:+15550100>\r\n";

fn out(caller: &CallerIdentity, policy: IdentityPolicy) -> (String, Vec<String>) {
    let outgoing = OutgoingIdentity::new(caller, policy);
    let request = outgoing.put(Request::new(sip::Method::Invite, uri("sip:x@y")), "t1");
    let mut bench = Bench::new();
    bench.request(udp(), request);
    let message = bench.last();
    let names = [Name::P_ASSERTED_IDENTITY, Name::PRIVACY, Name::DIVERSION, Name::HISTORY_INFO];
    let lines = names.iter().flat_map(|name| {
        message.headers(*name).map(move |value| format!("{name}: {value}")).collect::<Vec<_>>()
    });
    (message.header(Name::FROM).unwrap().to_owned(), lines.collect())
}

#[test]
fn an_asserted_identity_counts_only_from_whom_we_trust() {
    let request = with("\"Boss\" <sip:+15559999@evil.example>", PAI);
    let trusted = CallerIdentity::read(&request, true);
    assert_eq!(trusted.source, IdentitySource::Asserted);
    assert_eq!((trusted.user().as_deref(), trusted.name()), (Some("+15550100"), Some("Al")));
    let stranger = CallerIdentity::read(&request, false);
    assert_eq!(stranger.source, IdentitySource::From);
    assert_eq!(stranger.user().as_deref(), Some("+15559999"), "as anyone may write");
    let broken = with("<sip:+15559999@b>", "P-Asserted-Identity: nonsense\r\n");
    assert_eq!(CallerIdentity::read(&broken, true).source, IdentitySource::From);
}

#[test]
fn a_screened_remote_party_of_a_trusted_peer_counts_where_nothing_else_is_asserted() {
    let from = "\"Boss\" <sip:+15559999@evil.example>";
    let party = |screen: &str, privacy: &str| {
        format!(
            "Remote-Party-ID: <sip:+15550199@c>;party=called;screen=yes\r\nRemote-Party-ID: \
             \"Al\" <sip:+15550100@c>;party=calling;id-type=subscriber;screen={screen};\
             privacy={privacy}\r\n"
        )
    };
    let read = |lines: &str, trusted| CallerIdentity::read(&with(from, lines), trusted);
    let known = read(&party("yes", "off"), true);
    assert_eq!((known.user().as_deref(), known.name()), (Some("+15550100"), Some("Al")));
    assert_eq!((known.source, known.is_hidden()), (IdentitySource::Asserted, false));
    assert!(read(&party("yes", "full"), true).is_hidden());
    for (lines, trusted) in [(party("no", "off"), true), (party("yes", "off"), false)] {
        let caller = read(&lines, trusted);
        assert_eq!(caller.source, IdentitySource::From);
        assert_eq!(caller.user().as_deref(), Some("+15559999"));
    }
    let both = format!("{}{PAI}", party("yes", "off").replace("+15550100", "+15550177"));
    assert_eq!(read(&both, true).user().as_deref(), Some("+15550100"), "RFC 3325 goes first");
    let broken = "Remote-Party-ID: nonsense\r\n";
    assert_eq!(read(broken, true).source, IdentitySource::From);
    // Written on wish, beside the other.
    let policy = IdentityPolicy { remote_party: true, ..IdentityPolicy::TRUSTED };
    let written = OutgoingIdentity::new(&known, policy).headers;
    let line = "\"Al\" <sip:+15550100@c>;party=calling;screen=yes;privacy=off";
    assert!(
        written.iter().any(|(name, value)| name.as_str() == "Remote-Party-ID" && value == line)
    );
    assert!(OutgoingIdentity::new(&known, IdentityPolicy::TRUSTED).headers.len() == 1);
}

#[test]
fn who_hides_is_hidden_from_strangers_and_known_to_those_who_must_know() {
    let from = "\"Anonymous\" <sip:anonymous@anonymous.invalid>";
    let caller = CallerIdentity::read(&with(from, &format!("{PAI}Privacy: id\r\n")), true);
    assert!(caller.is_hidden());
    assert_eq!(caller.user().as_deref(), Some("+15550100"));
    let (from, lines) = out(&caller, IdentityPolicy::UNTRUSTED);
    assert_eq!(from, "\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=t1");
    assert_eq!(lines, Vec::<String>::new(), "not a word");
    let (from, lines) = out(&caller, IdentityPolicy::TRUSTED);
    assert_eq!(from, "\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=t1");
    assert_eq!(lines, ["P-Asserted-Identity: \"Al\" <tel:+15550100>", "Privacy: id"]);
}

#[test]
fn an_anonymous_from_is_a_wish_to_be_hidden_unless_it_says_none() {
    for from in [
        "<sip:anonymous@anonymous.invalid>",
        "\"x\" <sip:Anonymous@carrier.example>",
        "<sip:restricted@carrier.example>",
        "<sip:unavailable@unknown.invalid>",
    ] {
        let caller = CallerIdentity::read(&with(from, ""), false);
        assert!(caller.is_hidden() && caller.address.is_none(), "{from}");
        let (shown, _) = out(&caller, IdentityPolicy::TRUSTED);
        assert!(shown.starts_with("\"Anonymous\" <sip:anonymous@anonymous.invalid>"));
    }
    let none = with("<sip:anonymous@b>", &format!("{PAI}Privacy: none\r\n"));
    let caller = CallerIdentity::read(&none, true);
    assert!(!caller.is_hidden());
    assert_eq!(out(&caller, IdentityPolicy::UNTRUSTED).0, "\"Al\" <tel:+15550100>;tag=t1");
}

#[test]
fn who_sent_the_call_on_is_told_to_the_trusted_and_hidden_if_it_is_to_be() {
    let lines = format!(
        "{PAI}Diversion: <sip:+15550111@c>;reason=user-busy;privacy=full\r\n\
         Diversion: <sip:+15550122@c>;reason=no-answer\r\n"
    );
    let request = with("<sip:+15550100@c>", &lines);
    assert!(CallerIdentity::read(&request, false).sent_on_by().is_empty());
    let caller = CallerIdentity::read(&request, true);
    let told = out(&caller, IdentityPolicy::TRUSTED).1;
    assert_eq!(told.iter().filter(|line| line.starts_with("Diversion")).count(), 2);
    let policy = IdentityPolicy { diversion: true, ..IdentityPolicy::UNTRUSTED };
    let told = out(&caller, policy).1;
    assert_eq!(told, ["Diversion: <sip:+15550122@c>;reason=no-answer;counter=1"]);
}

#[test]
fn history_is_as_good_as_diversion_and_stays_at_home_when_asked_to() {
    let history = "History-Info: <sip:+15550111@c?Reason=SIP%3Bcause%3D486>;index=1, \
                   <sip:+15550122@c>;index=1.1;mp=1\r\n";
    let caller = CallerIdentity::read(&with("<sip:+15550100@c>", history), true);
    let by: Vec<_> = caller.sent_on_by();
    assert_eq!((by.len(), by[0].reason.as_str()), (1, "user-busy"));
    assert_eq!(out(&caller, IdentityPolicy::TRUSTED).1.len(), 3, "a Diversion, two entries");
    let shy = format!("{history}Privacy: history\r\n");
    let caller = CallerIdentity::read(&with("<sip:+15550100@c>", &shy), true);
    let policy = IdentityPolicy { diversion: true, history: true, ..IdentityPolicy::UNTRUSTED };
    assert_eq!(out(&caller, policy).1, Vec::<String>::new());
}

#[test]
fn a_name_from_outside_stays_a_name() {
    let name = "x\" <sip:a@b>\r\nVia: y";
    let address = NameAddr::named(Some(name), uri("sip:+1@us.example"));
    let caller = CallerIdentity::own(address, Privacy::EMPTY);
    let (from, _) = out(&caller, IdentityPolicy::UNTRUSTED);
    assert_eq!(from, "\"x\\\" <sip:a@b>Via: y\" <sip:+1@us.example>;tag=t1");
}
