//! Bodies as carriers and phones send them: parts beside the SDP, compression, several media, and
//! digits as INFO.

use media::Command;

use crate::rig::{ALICE, Call, Rig, SDP_PCMU, TRUNK, answer, header, sdp};

/// An INVITE with that body in place of its SDP.
fn with_body(call: &Call, lines: &str, body: &str) -> String {
    let mut bare = call.clone();
    bare.sdp = None;
    let length = format!("{lines}Content-Length: {}\r\n\r\n{body}", body.len());
    bare.invite().replace("Content-Length: 0\r\n\r\n", &length)
}

/// What stands beside the SDP in some carriers' INVITEs.
fn carrier_body(handling: &str) -> String {
    format!(
        "--uniq\r\nContent-Type: application/sdp\r\nContent-Disposition: session\r\n\r\n\
         {SDP_PCMU}\r\n--uniq\r\nContent-Type: application/isup;version=ansi\r\n\
         Content-Disposition: signal{handling}\r\n\r\n\x01\x10\x00\x48\r\n\
         --uniq\r\nContent-Type: application/pidf+xml\r\n\r\n<presence/>\r\n--uniq--\r\n"
    )
}

const MIXED: &str = "MIME-Version: 1.0\r\nContent-Type: multipart/mixed;boundary=uniq\r\n";

#[test]
fn an_invite_with_isup_and_a_location_beside_its_sdp_is_a_call_like_any_other() {
    for handling in ["", ";handling=optional"] {
        let mut rig = Rig::new();
        let mut call = Call::new(&mut rig, TRUNK, "+15550100");
        rig.send(TRUNK, &with_body(&call, MIXED, &carrier_body(handling)));
        let ok = rig.expect(TRUNK, "SIP/2.0 200");
        assert_eq!(ok.content_type(), Some("application/sdp"));
        let ack = call.ack(&ok, None);
        rig.send(TRUNK, &ack);
        let sent = rig
            .commands
            .iter()
            .any(|c| matches!(c, Command::SetRemote { remote, .. } if remote.rtp.port() == 40_000));
        assert!(sent, "the SDP was read");
        // A new offer in the same dress.
        let again = call.next("INVITE", None);
        let body = carrier_body(handling).replace("a=sendrecv", "a=sendonly");
        let length = format!("{MIXED}Content-Length: {}\r\n\r\n{body}", body.len());
        rig.send(TRUNK, &again.replace("Content-Length: 0\r\n\r\n", &length));
        let ok = rig.expect(TRUNK, "SIP/2.0 200");
        assert!(String::from_utf8_lossy(&ok.body()).contains("a=recvonly"));
        let ack = call.ack(&ok, None);
        rig.send(TRUNK, &ack);
        rig.caller_hangs_up(&mut call);
        rig.finish();
    }
}

#[test]
fn a_part_that_must_be_understood_and_is_not_is_415() {
    let mut rig = Rig::new();
    let call = Call::new(&mut rig, TRUNK, "+15550100");
    let text = with_body(&call, MIXED, &carrier_body(";handling=required"));
    let response = rig.refuses(&call, &text, "SIP/2.0 415");
    assert!(header(&response, "Accept").contains("multipart/mixed"));
    rig.finish();
}

#[test]
fn a_body_that_is_optional_and_no_sdp_leaves_the_offer_to_us() {
    let mut rig = Rig::new();
    let mut call = Call::new(&mut rig, TRUNK, "+15550100");
    let lines =
        "Content-Type: application/isup\r\nContent-Disposition: signal;handling=optional\r\n";
    rig.send(TRUNK, &with_body(&call, lines, "\x01\x02"));
    let ok = rig.expect(TRUNK, "SIP/2.0 200");
    assert!(!ok.body().is_empty(), "our offer");
    let ack = call.ack(&ok, Some(SDP_PCMU));
    rig.send(TRUNK, &ack);
    assert!(rig.last_play().is_some());
    rig.caller_hangs_up(&mut call);
    rig.finish();
}

#[test]
fn an_answer_beside_other_parts_is_taken() {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let (mut call, phone) = rig.ring_alice();
    let body = carrier_body("");
    let ok = phone.respond("200 OK", None).replace(
        "Content-Length: 0\r\n\r\n",
        &format!("{MIXED}Content-Length: {}\r\n\r\n{body}", body.len()),
    );
    rig.send(ALICE, &ok);
    rig.expect(ALICE, "ACK");
    assert_eq!(rig.events_of("call.connected").len(), 1);
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    rig.finish();
}

#[test]
fn a_compressed_body_is_415_and_says_how_bodies_are_taken() {
    let mut rig = Rig::new();
    let call = Call::new(&mut rig, TRUNK, "+15550100");
    let text = call.invite().replace("Content-Type", "Content-Encoding: gzip\r\nContent-Type");
    let response = rig.refuses(&call, &text, "SIP/2.0 415");
    assert_eq!(header(&response, "Accept-Encoding"), "identity");
    let mut plain = Call::new(&mut rig, TRUNK, "+15550100");
    let text = plain.invite().replace("Content-Type", "e: identity\r\nContent-Type");
    rig.send(TRUNK, &text);
    rig.caller_is_answered(&mut plain);
    rig.caller_hangs_up(&mut plain);
    rig.finish();
}

#[test]
fn a_488_says_in_a_warning_what_is_wrong() {
    let mut rig = Rig::new();
    let call = Call::new(&mut rig, TRUNK, "+15550100").with_sdp(crate::rig::SDP_VIDEO);
    let response = rig.refuses(&call, &call.invite(), "SIP/2.0 488");
    assert!(header(&response, "Warning").starts_with("305 "));
    rig.finish();
}

/// A request in a dialog with a body of that type.
fn typed(text: &str, kind: &str, body: &str) -> String {
    let length = format!("Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    text.replace("Content-Length: 0\r\n\r\n", &length)
}

/// The demo, whose trunk and phones know INFO alone.
fn with_info() -> Rig {
    let text = crate::rig::DEMO
        .replace("sources = [\"127.0.0.2\"]", "sources = [\"127.0.0.2\"]\ndtmf = \"info\"");
    Rig::with(
        &text.replace(
            "password = \"alice-secret\",",
            "password = \"alice-secret\", dtmf = \"info\",",
        ),
    )
}

#[test]
fn a_digit_that_a_phone_sends_as_info_goes_on_to_the_other_leg() {
    let mut rig = with_info();
    rig.register(ALICE, "alice");
    let (mut call, mut phone) = rig.connect_alice();
    let info = phone.next("INFO", None);
    rig.send(ALICE, &typed(&info, "application/dtmf-relay", "Signal= 5\r\nDuration= 250\r\n"));
    rig.expect(ALICE, "SIP/2.0 200");
    let passed = rig.expect(TRUNK, "INFO");
    assert_eq!(passed.content_type(), Some("application/dtmf-relay"));
    assert_eq!(&passed.body()[..], b"Signal=5\r\nDuration=250\r\n");
    rig.send(TRUNK, &answer(&passed, TRUNK, "200 OK", "", None));
    let info = call.next("INFO", None);
    rig.send(TRUNK, &typed(&info, "application/dtmf", "#"));
    rig.expect(TRUNK, "SIP/2.0 200");
    let passed = rig.expect(ALICE, "INFO");
    assert_eq!(&passed.body()[..], b"Signal=#\r\nDuration=160\r\n");
    // Whoever does not take it says so, and the call goes on.
    rig.send(ALICE, &answer(&passed, ALICE, "415 Unsupported Media Type", "", None));
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    rig.finish();
}

#[test]
fn a_flood_of_digits_goes_on_twenty_times_a_second_and_none_to_who_is_held() {
    let mut rig = with_info();
    rig.register(ALICE, "alice");
    let (mut call, mut phone) = rig.connect_alice();
    for _ in 0..100 {
        let info = phone.next("INFO", None);
        rig.send(ALICE, &typed(&info, "application/dtmf", "1"));
    }
    assert_eq!(rig.count(ALICE, "SIP/2.0 200"), 100 + 1, "each is answered");
    assert_eq!(rig.count(TRUNK, "INFO"), 20);
    while let Some((_, info)) = rig.wire.pop_front() {
        if info.bytes().starts_with(b"INFO") {
            rig.send(TRUNK, &answer(&info, TRUNK, "200 OK", "", None));
        }
    }
    rig.advance_ms(1000);
    let hold = phone.next("UPDATE", Some(&sdp("sendonly", 2)));
    rig.send(ALICE, &hold);
    rig.expect(ALICE, "SIP/2.0 200");
    let info = phone.next("INFO", None);
    rig.send(ALICE, &typed(&info, "application/dtmf", "1"));
    rig.expect(ALICE, "SIP/2.0 200");
    assert_eq!(rig.count(TRUNK, "INFO"), 20, "who hears music hears no digits");
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    rig.finish();
}

#[test]
fn an_info_of_a_package_is_469_and_one_of_another_type_415() {
    let mut rig = Rig::new();
    let mut call = rig.dial("+15550100");
    let info = call.next("INFO", None);
    rig.send(TRUNK, &info.replace("Max-F", "Info-Package: trickle-ice\r\nMax-F"));
    let refused = rig.expect(TRUNK, "SIP/2.0 469");
    assert_eq!(header(&refused, "Recv-Info"), "");
    let info = call.next("INFO", None);
    rig.send(TRUNK, &typed(&info, "application/media_control+xml", "<media_control/>"));
    let refused = rig.expect(TRUNK, "SIP/2.0 415");
    assert!(header(&refused, "Accept").contains("application/dtmf-relay"));
    rig.caller_hangs_up(&mut call);
    rig.finish();
}

#[test]
fn several_media_are_answered_each_in_its_place_and_an_offer_over_ipv6_is_taken() {
    let mut rig = Rig::new();
    let offer = format!(
        "{}m=video 40002 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\nm=image 40004 udptl t38\r\n",
        SDP_PCMU.replace("IN IP4 127.0.0.2\r\nt=", "IN IP6 2001:db8::7\r\nt=")
    );
    let mut call = Call::new(&mut rig, TRUNK, "+15550100").with_sdp(&offer);
    rig.send(TRUNK, &call.invite());
    let ok = rig.expect(TRUNK, "SIP/2.0 200");
    let body = String::from_utf8_lossy(&ok.body()).into_owned();
    let media: Vec<_> = body.lines().filter(|line| line.starts_with("m=")).collect();
    assert!(media[0].starts_with("m=audio 2"), "{media:?}");
    assert_eq!(media[1..], ["m=video 0 RTP/AVP 96", "m=image 0 udptl t38"]);
    let to = rig.commands.iter().find_map(|command| match command {
        Command::SetRemote { remote, .. } => Some(remote.rtp.to_string()),
        _ => None,
    });
    assert_eq!(to.as_deref(), Some("[2001:db8::7]:40000"));
    let ack = call.ack(&ok, None);
    rig.send(TRUNK, &ack);
    rig.caller_hangs_up(&mut call);
    rig.finish();
}
