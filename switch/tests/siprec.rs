//! SIPREC (RFC 7865, RFC 7866): a recording server gets a copy of the conversation, and whatever
//! becomes of it, the call does not notice.

use std::net::SocketAddr;

use base::Duration;
use media::{Command, StreamId};
use sip::{Body, Message};
use switch::{ApiRequest, Cause};

use crate::rig::{ALICE, BOB, Call, DEMO, Phone, Rig, TRUNK, answer, header, own_uri, sdp};

/// The recording servers.
const SRS: SocketAddr = SocketAddr::new(ip(61), 5060);
const SRS_B: SocketAddr = SocketAddr::new(ip(62), 5060);

const fn ip(last: u8) -> std::net::IpAddr {
    std::net::IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, last))
}

const SERVERS: &str = r#"
[[trunks]]
id = "srs"
sources = ["127.0.0.61"]
targets = [{ uri = "sip:127.0.0.61;transport=udp" }]
probe_s = 0
concurrent_calls = 1
authenticate = { user = "strowger", password = "srs-secret", realm = "srs.example" }

[[trunks]]
id = "srs-b"
sources = ["127.0.0.62"]
targets = [{ uri = "sip:127.0.0.62;transport=udp" }]
probe_s = 0
"#;

fn provisioning(tenant: &str, queue: &str) -> String {
    let demo = DEMO
        .replace("domain = \"acme.example\"", &format!("domain = \"acme.example\"\n{tenant}"))
        .replace("wrap_up_s = 5", &format!("wrap_up_s = 0\n{queue}"));
    format!("{SERVERS}{demo}")
}

fn rig() -> Rig {
    let mut rig = Rig::with(&provisioning("siprec = [\"srs\", \"srs-b\"]", ""));
    rig.register_both();
    rig
}

/// What a recording server answers: both streams, or with one port 0 only the other.
fn takes(ports: [u16; 2], direction: &str) -> String {
    let section = |port| format!("m=audio {port} RTP/AVP 0\r\na={direction}\r\n");
    let [first, second] = ports.map(section);
    format!(
        "v=0\r\no=srs 9 9 IN IP4 127.0.0.61\r\ns=-\r\nc=IN IP4 127.0.0.61\r\nt=0 0\r\n\
         {first}{second}"
    )
}

/// The server answers an INVITE, and gets its ACK.
#[track_caller]
fn accept(rig: &mut Rig, at: SocketAddr, invite: &Message, sdp: &str) {
    rig.send(at, &answer(invite, at, "200 OK", "srs-tag", Some(sdp)));
    rig.expect(at, "ACK");
}

/// A caller talks with Alice, and the server has both streams.
fn copied() -> (Rig, Call, Phone, Message) {
    let mut rig = rig();
    let (call, phone) = rig.connect_alice();
    let invite = rig.expect(SRS, "INVITE");
    accept(&mut rig, SRS, &invite, &takes([7000, 7002], "recvonly"));
    (rig, call, phone, invite)
}

fn part(message: &Message, kind: &str) -> String {
    let body = Body::of(message).unwrap();
    let part = body.parts().iter().find(|part| part.is(kind)).expect("a part of that type");
    String::from_utf8(part.content().to_vec()).unwrap()
}

fn metadata(message: &Message) -> String {
    part(message, "application/rs-metadata+xml")
}

/// Who is copied to whom now.
fn copies(rig: &Rig) -> Vec<(StreamId, StreamId)> {
    let mut copies = std::collections::BTreeMap::new();
    for command in &rig.commands {
        match command {
            Command::Copy { from, to: Some(to) } => drop(copies.insert(*from, *to)),
            Command::Copy { from, to: None } => drop(copies.remove(from)),
            Command::Close { stream } => copies.retain(|from, to| from != stream && to != stream),
            _ => {}
        }
    }
    copies.into_iter().collect()
}

/// That INVITE says that nobody is sent, though alice is still there.
#[track_caller]
fn tells_of_silence(change: &Message) {
    assert_eq!(part(change, "application/sdp").matches("a=inactive").count(), 2);
    let xml = metadata(change);
    assert!(!xml.contains("<send>") && xml.contains("alice"), "{xml}");
}

/// The server is told that both are sent again, and takes them.
#[track_caller]
fn copies_again(rig: &mut Rig) {
    let change = rig.expect(SRS, "INVITE");
    assert_eq!(part(&change, "application/sdp").matches("a=sendonly").count(), 2);
    accept(rig, SRS, &change, &takes([7000, 7002], "recvonly"));
    assert_eq!(copies(rig).len(), 2);
}

/// Ends the call, and with it the recording session.
fn end(mut rig: Rig, mut call: Call, phone: SocketAddr, server: SocketAddr) -> Rig {
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(phone);
    rig.confirm_bye(server);
    assert_eq!(rig.record().cause, Cause::Normal);
    rig
}

#[test]
fn a_recording_server_gets_both_streams_and_is_told_who_talks() {
    let mut rig = rig();
    let (call, _) = rig.connect_alice();
    let invite = rig.expect(SRS, "INVITE");
    assert_eq!(invite.uri_text(), "sip:recorder@127.0.0.61;transport=udp");
    assert_eq!(header(&invite, "Require"), "siprec");
    assert_eq!(header(&invite, "Contact"), format!("<{}>;+sip.src", own_uri()));
    assert!(header(&invite, "Content-Type").starts_with("multipart/mixed;boundary="));
    assert!(header(&invite, "From").starts_with("<sip:acme@127.0.0.1>;tag="));

    let offer = part(&invite, "application/sdp");
    assert_eq!(offer.matches("m=audio ").count(), 2);
    assert_eq!(offer.matches("a=sendonly").count(), 2);
    assert!(offer.find("a=label:1").unwrap() < offer.find("a=label:2").unwrap());
    let xml = metadata(&invite);
    for said in [
        "<recording xmlns=\"urn:ietf:params:xml:ns:recording:1\">",
        "<datamode>complete</datamode>",
        "aor=\"tel:+4930123456\"><name>Carla &quot;C&quot; Caller</name>",
        "aor=\"sip:alice@acme.example\"",
        "<label>1</label>",
        "<label>2</label>",
    ] {
        assert!(xml.contains(said), "{said} is not in\n{xml}");
    }
    assert_eq!(xml.matches("<send>").count(), 2);
    assert!(copies(&rig).is_empty(), "nothing before the server has answered");

    accept(&mut rig, SRS, &invite, &takes([7000, 7002], "recvonly"));
    let streams = rig.streams();
    assert_eq!(copies(&rig), [(streams[0], streams[2]), (streams[1], streams[3])]);
    let ports: Vec<u16> = rig
        .commands
        .iter()
        .filter_map(|command| match command {
            Command::SetRemote { stream, remote, .. } if streams[2..].contains(stream) => {
                Some(remote.rtp.port())
            }
            _ => None,
        })
        .collect();
    assert_eq!(ports, [7000, 7002]);

    rig.advance_ms(4000);
    let rig = end(rig, call, ALICE, SRS);
    assert!(copies(&rig).is_empty());
    assert_eq!(rig.events_of("siprec.started"), [serde_json::json!({"server": "srs"})]);
    let ended = &rig.events_of("siprec.ended")[0];
    assert_eq!((&ended["server"], &ended["duration_ms"]), (&"srs".into(), &4000.into()));
    let told: Vec<String> =
        rig.record().decisions.iter().map(|entry| entry.decided.to_string()).collect();
    assert!(told.contains(&"srs takes a copy of it".to_owned()), "{told:?}");
    assert!(told.contains(&"srs gets no more copies: the call is over".to_owned()), "{told:?}");
    let ladder = rig.record().ladder.iter();
    assert_eq!(ladder.filter(|entry| entry.flow.remote == SRS).count(), 5, "it is in the ladder");
    rig.finish();
}

#[test]
fn hold_silences_the_copies_and_resume_brings_them_back() {
    let (mut rig, call, _, _) = copied();
    let id = rig.last_call();
    rig.request("acme", ApiRequest::Hold { call: id, holds: true }).unwrap();
    assert!(copies(&rig).is_empty(), "at once");
    let change = rig.expect(SRS, "INVITE");
    assert_eq!(header(&change, "CSeq"), "2 INVITE");
    assert_eq!(header(&change, "Contact"), format!("<{}>;+sip.src", own_uri()));
    tells_of_silence(&change);
    // Resumed before the server has answered: told when it has.
    rig.request("acme", ApiRequest::Hold { call: id, holds: false }).unwrap();
    rig.expect_silence(SRS);
    accept(&mut rig, SRS, &change, &takes([7000, 7002], "inactive"));
    assert!(copies(&rig).is_empty(), "the server wants nothing yet");
    copies_again(&mut rig);
    end(rig, call, ALICE, SRS).finish();
}

/// Whoever pauses the recording need not know who else has a copy.
#[test]
fn a_pause_silences_the_copies_at_once_and_they_come_back_when_it_is_over() {
    let (mut rig, call, _, _) = copied();
    let id = rig.last_call();
    let (by, lasts) = ("alice-key".to_owned(), Duration::from_secs(20));
    rig.request("acme", ApiRequest::PauseRecording { call: id, agent: None, by, lasts }).unwrap();
    assert!(copies(&rig).is_empty(), "at once");
    let change = rig.expect(SRS, "INVITE");
    tells_of_silence(&change);
    accept(&mut rig, SRS, &change, &takes([7000, 7002], "inactive"));
    rig.advance(Duration::from_secs(19));
    assert!(copies(&rig).is_empty());
    rig.advance(Duration::from_secs(1));
    copies_again(&mut rig);
    end(rig, call, ALICE, SRS).finish();
}

#[test]
fn after_a_glare_the_change_is_told_again() {
    let (mut rig, call, _, _) = copied();
    let id = rig.last_call();
    rig.request("acme", ApiRequest::Hold { call: id, holds: true }).unwrap();
    let change = rig.expect(SRS, "INVITE");
    rig.send(SRS, &answer(&change, SRS, "491 Request Pending", "srs-tag", None));
    rig.expect(SRS, "ACK");
    rig.advance_ms(2000);
    rig.expect_silence(SRS);
    rig.advance_ms(2100);
    let change = rig.expect(SRS, "INVITE");
    rig.wire.clear(); // sent again meanwhile
    accept(&mut rig, SRS, &change, &takes([7000, 7002], "inactive"));
    end(rig, call, ALICE, SRS).finish();
}

#[test]
fn a_transfer_goes_on_in_the_same_recording_session() {
    let (mut rig, call, mut alice, _) = copied();
    rig.send(ALICE, &alice.refer("<sip:bob@acme.example>"));
    rig.expect(ALICE, "SIP/2.0 202");
    let held = rig.expect(SRS, "INVITE");
    assert!(metadata(&held).contains("alice") && !metadata(&held).contains("<send>"));
    accept(&mut rig, SRS, &held, &takes([7000, 7002], "inactive"));
    let bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    rig.phone_answers(&bob);
    let change = rig.expect(SRS, "INVITE");
    let xml = metadata(&change);
    assert_eq!(xml.matches("<disassociate-time>").count(), 1, "Alice has left:\n{xml}");
    assert!(xml.contains("sip:bob@acme.example") && xml.matches("<send>").count() == 2, "{xml}");
    accept(&mut rig, SRS, &change, &takes([7000, 7002], "recvonly"));
    let streams = rig.streams();
    // The caller's, Alice's, two to the server, Bob's.
    assert_eq!(copies(&rig), [(streams[0], streams[2]), (streams[4], streams[3])]);
    assert_eq!(rig.events_of("siprec.started").len(), 1);
    rig.wire.retain(|(_, message)| !message.bytes().starts_with(b"NOTIFY"));
    rig.confirm_bye(ALICE);
    end(rig, call, BOB, SRS).finish();
}

#[test]
fn a_server_that_refuses_is_passed_over_for_the_next_and_the_call_goes_on() {
    let mut rig = rig();
    let (call, _) = rig.connect_alice();
    let invite = rig.expect(SRS, "INVITE");
    rig.send(SRS, &answer(&invite, SRS, "420 Bad Extension", "srs-tag", None));
    rig.expect(SRS, "ACK");
    let failed = &rig.events_of("siprec.failed")[0];
    assert_eq!((&failed["server"], &failed["status"]), (&"srs".into(), &420.into()));
    let invite = rig.expect(SRS_B, "INVITE");
    accept(&mut rig, SRS_B, &invite, &takes([7000, 7002], "recvonly"));
    assert_eq!(copies(&rig).len(), 2);
    assert_eq!(rig.events_of("siprec.started"), [serde_json::json!({"server": "srs-b"})]);
    end(rig, call, ALICE, SRS_B).finish();
}

#[test]
fn servers_that_are_silent_cost_the_call_nothing() {
    let mut rig = rig();
    let (mut call, _) = rig.connect_alice();
    rig.expect(SRS, "INVITE");
    rig.advance_ms(60_000);
    assert_eq!(rig.events_of("siprec.failed").len(), 2, "each was tried");
    assert!(copies(&rig).is_empty() && rig.records.is_empty());
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    rig.advance_ms(3000);
    assert_eq!(rig.record().cause, Cause::Normal);
    assert_eq!(
        rig.story(rig.last_call()).iter().filter(|name| **name == "siprec.ended").count(),
        0
    );
    rig.finish();
}

#[test]
fn a_call_that_is_over_before_the_server_answers_hangs_the_late_answer_up() {
    let mut rig = rig();
    let (mut call, _) = rig.connect_alice();
    let invite = rig.expect(SRS, "INVITE");
    rig.send(SRS, &answer(&invite, SRS, "100 Trying", "", None));
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    let cancel = rig.expect(SRS, "CANCEL");
    rig.send(SRS, &answer(&cancel, SRS, "200 OK", "srs-tag", None));
    accept(&mut rig, SRS, &invite, &takes([7000, 7002], "recvonly"));
    rig.confirm_bye(SRS);
    assert!(copies(&rig).is_empty() && rig.events_of("siprec.started").is_empty());
    rig.finish();
}

#[test]
fn a_servers_challenge_is_answered_with_the_trunks_password() {
    let mut rig = rig();
    let (call, _) = rig.connect_alice();
    let invite = rig.expect(SRS, "INVITE");
    let challenge = answer(&invite, SRS, "401 Unauthorized", "srs-tag", None).replace(
        "Content-Length",
        "WWW-Authenticate: Digest realm=\"srs.example\", nonce=\"abc\", qop=\"auth\"\r\n\
         Content-Length",
    );
    rig.send(SRS, &challenge);
    rig.expect(SRS, "ACK");
    let again = rig.expect(SRS, "INVITE");
    assert!(header(&again, "Authorization").contains("username=\"strowger\""));
    assert_eq!(header(&again, "CSeq"), "2 INVITE");
    accept(&mut rig, SRS, &again, &takes([7000, 7002], "recvonly"));
    // The next change is challenged again.
    let id = rig.last_call();
    rig.request("acme", ApiRequest::Hold { call: id, holds: true }).unwrap();
    let change = rig.expect(SRS, "INVITE");
    let challenge = challenge_of(&change);
    rig.send(SRS, &challenge);
    rig.expect(SRS, "ACK");
    let change = rig.expect(SRS, "INVITE");
    assert!(header(&change, "Authorization").contains("nonce=\"def\""));
    accept(&mut rig, SRS, &change, &takes([7000, 7002], "inactive"));
    end(rig, call, ALICE, SRS).finish();
}

fn challenge_of(change: &Message) -> String {
    answer(change, SRS, "401 Unauthorized", "srs-tag", None).replace(
        "Content-Length",
        "WWW-Authenticate: Digest realm=\"srs.example\", nonce=\"def\", qop=\"auth\"\r\n\
         Content-Length",
    )
}

#[test]
fn a_server_may_take_one_stream_only() {
    let mut rig = rig();
    let (call, _) = rig.connect_alice();
    let invite = rig.expect(SRS, "INVITE");
    accept(&mut rig, SRS, &invite, &takes([0, 7002], "recvonly"));
    let streams = rig.streams();
    assert_eq!(copies(&rig), [(streams[1], streams[3])]);
    end(rig, call, ALICE, SRS).finish();
}

/// A request of the server's in the recording session's dialog.
fn server_asks(rig: &mut Rig, invite: &Message, method: &str, cseq: u32, body: &str) {
    let (to, from) = (header(invite, "From"), header(invite, "To"));
    let call_id = invite.call_id();
    let number = rig.next_number();
    let text = format!(
        "{method} {} SIP/2.0\r\nVia: SIP/2.0/UDP {SRS};branch=z9hG4bK-srs-{number};rport\r\n\
         Max-Forwards: 70\r\nFrom: {from};tag=srs-tag\r\nTo: {to}\r\nCall-ID: {call_id}\r\n\
         CSeq: {cseq} {method}\r\nContact: <sip:srs@{SRS}>\r\n{body}",
        own_uri()
    );
    rig.send(SRS, &text);
}

fn with_sdp(sdp: &str) -> String {
    format!("Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{sdp}", sdp.len())
}

const NO_BODY: &str = "Content-Length: 0\r\n\r\n";

#[test]
fn a_server_pauses_resumes_asks_again_and_hangs_up_and_the_call_goes_on() {
    let (mut rig, mut call, _, invite) = copied();
    server_asks(&mut rig, &invite, "INVITE", 1, &with_sdp(&takes([7000, 7002], "inactive")));
    let ok = rig.expect(SRS, "SIP/2.0 200");
    let body = String::from_utf8(ok.body().to_vec()).unwrap();
    assert_eq!(body.matches("a=inactive").count(), 2, "{body}");
    assert!(copies(&rig).is_empty());
    server_asks(&mut rig, &invite, "ACK", 1, NO_BODY);
    server_asks(&mut rig, &invite, "UPDATE", 2, &with_sdp(&takes([7000, 7002], "recvonly")));
    rig.expect(SRS, "SIP/2.0 200");
    assert_eq!(copies(&rig).len(), 2);
    let request = "Content-Type: application/rs-metadata-request\r\n\
                   Content-Disposition: recording-session\r\nContent-Length: 0\r\n\r\n";
    // By the letter: a body that says something.
    let request = request.replace("Content-Length: 0\r\n\r\n", "Content-Length: 4\r\n\r\nhey\n");
    server_asks(&mut rig, &invite, "UPDATE", 3, &request);
    rig.expect(SRS, "SIP/2.0 200");
    let change = rig.expect(SRS, "INVITE");
    assert!(metadata(&change).contains("<datamode>complete"));
    accept(&mut rig, SRS, &change, &takes([7000, 7002], "recvonly"));
    server_asks(&mut rig, &invite, "INVITE", 4, NO_BODY);
    let ok = rig.expect(SRS, "SIP/2.0 200");
    assert_eq!(String::from_utf8_lossy(&ok.body()).matches("a=sendonly").count(), 2);
    server_asks(&mut rig, &invite, "ACK", 4, &with_sdp(&takes([7000, 7002], "recvonly")));
    assert_eq!(copies(&rig).len(), 2);

    server_asks(&mut rig, &invite, "BYE", 5, NO_BODY);
    rig.expect(SRS, "SIP/2.0 200");
    assert!(copies(&rig).is_empty() && rig.records.is_empty(), "the call goes on");
    assert_eq!(rig.events_of("siprec.ended")[0]["why"], "the server hung up");
    rig.advance_ms(5000);
    rig.expect_silence(SRS);
    rig.expect_silence(SRS_B);
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    rig.finish();
}

#[test]
fn nobody_but_the_server_speaks_in_its_dialog() {
    let (mut rig, call, _, invite) = copied();
    let (to, from, call_id) = (header(&invite, "From"), header(&invite, "To"), invite.call_id());
    let bye = format!(
        "BYE {} SIP/2.0\r\nVia: SIP/2.0/UDP {TRUNK};branch=z9hG4bK-x;rport\r\nMax-Forwards: 70\r\n\
         From: {from};tag=srs-tag\r\nTo: {to}\r\nCall-ID: {call_id}\r\nCSeq: 9 BYE\r\n\
         Content-Length: 0\r\n\r\n",
        own_uri()
    );
    rig.send(TRUNK, &bye);
    rig.expect(TRUNK, "SIP/2.0 481");
    assert_eq!(copies(&rig).len(), 2);
    end(rig, call, ALICE, SRS).finish();
}

#[test]
fn a_server_that_has_forgotten_the_session_is_replaced() {
    let (mut rig, call, _, _) = copied();
    let id = rig.last_call();
    rig.request("acme", ApiRequest::Hold { call: id, holds: true }).unwrap();
    let change = rig.expect(SRS, "INVITE");
    let gone = "481 Call/Transaction Does Not Exist";
    rig.send(SRS, &answer(&change, SRS, gone, "srs-tag", None));
    rig.expect(SRS, "ACK");
    rig.confirm_bye(SRS);
    let invite = rig.expect(SRS, "INVITE");
    assert_eq!(header(&invite, "CSeq"), "1 INVITE");
    accept(&mut rig, SRS, &invite, &takes([7010, 7012], "recvonly"));
    assert_eq!(rig.events_of("siprec.ended")[0]["why"], "the server is gone");
    end(rig, call, ALICE, SRS).finish();
}

#[test]
fn a_server_takes_no_more_calls_than_its_trunk_may_have() {
    let (mut rig, first, _, _) = copied();
    let second = rig.dial_into_queue();
    let bob = Phone::new(BOB, rig.expect(BOB, "INVITE"));
    rig.phone_answers(&bob);
    rig.expect_silence(SRS);
    let invite = rig.expect(SRS_B, "INVITE");
    accept(&mut rig, SRS_B, &invite, &takes([7000, 7002], "recvonly"));
    for (mut call, at, server) in [(first, ALICE, SRS), (second, BOB, SRS_B)] {
        rig.caller_hangs_up(&mut call);
        rig.confirm_bye(at);
        rig.confirm_bye(server);
    }
    // The place is free again.
    let mut third = rig.dial_into_queue();
    let alice = Phone::new(ALICE, rig.expect(ALICE, "INVITE"));
    rig.phone_answers(&alice);
    let invite = rig.expect(SRS, "INVITE");
    accept(&mut rig, SRS, &invite, &takes([7000, 7002], "recvonly"));
    rig.caller_hangs_up(&mut third);
    rig.confirm_bye(ALICE);
    rig.confirm_bye(SRS);
    rig.finish();
}

#[test]
fn a_queue_says_for_itself_whether_it_is_copied() {
    let none = provisioning("siprec = [\"srs\"]", "siprec = []");
    let other = provisioning("siprec = [\"srs\"]", "siprec = [\"srs-b\"]");
    let forbidden =
        provisioning("siprec = [\"srs\"]\nlimits = { recording = false }", "siprec = [\"srs\"]");
    let of_trunk = provisioning("siprec = [\"srs\"]", "")
        .replace("id = \"carrier-a\"\n", "id = \"carrier-a\"\nsiprec = [\"srs-b\"]\n");
    for (provisioning, asked) in
        [(none, None), (other, Some(SRS_B)), (forbidden, None), (of_trunk, Some(SRS_B))]
    {
        let mut rig = Rig::with(&provisioning);
        rig.register(ALICE, "alice");
        let (mut call, _) = rig.connect_alice();
        for server in [SRS, SRS_B] {
            assert_eq!(rig.count(server, "INVITE"), usize::from(asked == Some(server)));
        }
        rig.caller_hangs_up(&mut call);
        rig.confirm_bye(ALICE);
        rig.finish();
    }
}

#[test]
fn a_phone_that_holds_silences_the_copies_too() {
    let (mut rig, call, mut phone, _) = copied();
    let reinvite = phone.next("INVITE", Some(&sdp("sendonly", phone.cseq)));
    rig.send(ALICE, &reinvite);
    rig.expect(ALICE, "SIP/2.0 200");
    assert!(copies(&rig).is_empty());
    let change = rig.expect(SRS, "INVITE");
    accept(&mut rig, SRS, &change, &takes([7000, 7002], "inactive"));
    phone.cseq -= 1;
    let ack = phone.next("ACK", None);
    rig.send(ALICE, &ack);
    end(rig, call, ALICE, SRS).finish();
}

#[test]
fn ports_that_run_out_leave_the_call_alone() {
    let text = provisioning("siprec = [\"srs\"]", "");
    let limits = switch::Limits::default();
    let mut rig = Rig::with_limits(&text, limits, 20_000..=20_003);
    rig.register(ALICE, "alice");
    let (mut call, _) = rig.connect_alice();
    rig.expect_silence(SRS);
    assert_eq!(rig.events_of("siprec.failed")[0]["why"], "no media port could be opened");
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    assert_eq!(rig.record().cause, Cause::Normal);
    rig.finish();
}
