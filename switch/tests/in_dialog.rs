//! Requests within a dialog: hold and resume, a moved address, refused offers, the rest.

use media::{Command, Direction, RemoteMedia};

use crate::rig::{ALICE, Call, Phone, Rig, SDP_PCMU, SDP_VIDEO, TRUNK, header, sdp};

/// What the plane was told last about a stream's far end.
fn remote_of(rig: &Rig, side: usize) -> RemoteMedia {
    let wanted = rig.streams()[side];
    let told = rig.commands.iter().rev().find_map(|command| match command {
        Command::SetRemote { stream, remote, .. } if *stream == wanted => Some(*remote),
        _ => None,
    });
    told.unwrap()
}

fn connected() -> (Rig, Call, Phone) {
    let mut rig = Rig::new();
    rig.register(ALICE, "alice");
    let (call, phone) = rig.connect_alice();
    (rig, call, phone)
}

fn hang_up(mut rig: Rig, mut call: Call) {
    rig.caller_hangs_up(&mut call);
    rig.confirm_bye(ALICE);
    rig.finish();
}

#[test]
fn the_agent_holds_and_resumes_and_the_callers_leg_is_left_alone() {
    let (mut rig, call, mut phone) = connected();
    let callers = remote_of(&rig, 0);
    for (direction, answered, event) in
        [("sendonly", "recvonly", "call.held"), ("sendrecv", "sendrecv", "call.resumed")]
    {
        let reinvite = phone.next("INVITE", Some(&sdp(direction, phone.cseq)));
        rig.send(ALICE, &reinvite);
        let ok = rig.expect(ALICE, "SIP/2.0 200");
        let body = String::from_utf8(ok.body().to_vec()).unwrap();
        assert!(body.contains(&format!("a={answered}")), "{body}");
        assert_eq!(remote_of(&rig, 1).direction, Direction::from_name(direction).unwrap());
        assert_eq!(rig.events_of(event), [serde_json::json!({"by": "agent"})]);
        let ack = phone
            .next("ACK", None)
            .replace(&format!("CSeq: {}", phone.cseq), &format!("CSeq: {}", phone.cseq - 1));
        phone.cseq -= 1;
        rig.send(ALICE, &ack);
    }
    rig.expect_silence(TRUNK);
    assert_eq!(remote_of(&rig, 0), callers);
    hang_up(rig, call);
}

#[test]
fn the_caller_moves_to_another_address() {
    let (mut rig, mut call, _) = connected();
    let moved = SDP_PCMU.replace("m=audio 40000", "m=audio 45000");
    let reinvite = call.next("INVITE", Some(&moved));
    rig.send(TRUNK, &reinvite);
    rig.caller_is_answered(&mut call);
    assert_eq!(remote_of(&rig, 0).rtp.port(), 45_000);
    rig.advance_ms(5000);
    assert_eq!(rig.count(TRUNK, "SIP/2.0 200"), 2, "acknowledged, so not repeated");
    hang_up(rig, call);
}

#[test]
fn each_new_description_of_ours_has_a_higher_version() {
    let (mut rig, mut call, _) = connected();
    let mut versions = Vec::new();
    for version in 2..4 {
        let reinvite = call.next("INVITE", Some(&sdp("sendrecv", version)));
        rig.send(TRUNK, &reinvite);
        let ok = rig.expect(TRUNK, "SIP/2.0 200");
        let body = String::from_utf8(ok.body().to_vec()).unwrap();
        let origin = body.lines().find(|line| line.starts_with("o=")).unwrap().to_owned();
        let mut fields = origin.split(' ').skip(1).map(str::to_owned);
        versions.push((fields.next().unwrap(), fields.next().unwrap().parse::<u64>().unwrap()));
        let ack = call.ack(&ok, None);
        rig.send(TRUNK, &ack);
    }
    assert_eq!(versions[0].0, versions[1].0);
    assert!(versions[1].1 > versions[0].1);
    hang_up(rig, call);
}

#[test]
fn a_reinvite_without_sdp_gets_our_offer_and_its_ack_the_answer() {
    let (mut rig, mut call, _) = connected();
    let reinvite = call.next("INVITE", None);
    rig.send(TRUNK, &reinvite);
    let ok = rig.expect(TRUNK, "SIP/2.0 200");
    assert!(!ok.body().is_empty());
    let ack = call.ack(&ok, Some(&SDP_PCMU.replace("40000", "46000")));
    rig.send(TRUNK, &ack);
    assert_eq!(remote_of(&rig, 0).rtp.port(), 46_000);
    hang_up(rig, call);
}

#[test]
fn an_offer_we_cannot_take_is_488_and_the_call_goes_on_as_it_was() {
    let (mut rig, mut call, _) = connected();
    let before = remote_of(&rig, 0);
    // A fax machine that wants T.38 goes on in G.711.
    let fax = SDP_VIDEO
        .replace("video 40000 RTP/AVP 96\r\na=rtpmap:96 VP8/90000", "image 40000 udptl t38");
    assert!(fax.contains("udptl"), "{fax}");
    for sdp in [SDP_VIDEO, &fax] {
        let reinvite = call.next("INVITE", Some(sdp));
        rig.send(TRUNK, &reinvite);
        rig.expect(TRUNK, "SIP/2.0 488");
        call.branch = format!("z9hG4bK-INVITE-{}-{}", call.call_id, call.cseq);
        let ack = call.request("ACK", call.cseq, &call.branch.clone(), None);
        rig.send(TRUNK, &ack);
        assert_eq!(remote_of(&rig, 0), before);
    }
    hang_up(rig, call);
}

#[test]
fn a_second_reinvite_before_the_first_ack_is_491() {
    let (mut rig, mut call, _) = connected();
    let first = call.next("INVITE", Some(SDP_PCMU));
    rig.send(TRUNK, &first);
    let ok = rig.expect(TRUNK, "SIP/2.0 200");
    let mut crossing = call.clone();
    let second = crossing.next("INVITE", Some(SDP_PCMU));
    rig.send(TRUNK, &second);
    rig.expect(TRUNK, "SIP/2.0 491");
    let ack = call.ack(&ok, None);
    rig.send(TRUNK, &ack);
    call.cseq = crossing.cseq;
    hang_up(rig, call);
}

#[test]
fn an_old_cseq_is_500_and_changes_nothing() {
    let (mut rig, call, _) = connected();
    let old = call.request("INFO", 0, "z9hG4bK-old", None);
    rig.send(TRUNK, &old);
    rig.expect(TRUNK, "SIP/2.0 500");
    hang_up(rig, call);
}

#[test]
fn info_options_and_a_bare_update_are_200_and_message_is_405() {
    let (mut rig, mut call, _) = connected();
    for method in ["INFO", "OPTIONS", "UPDATE"] {
        let request = call.next(method, None);
        rig.send(TRUNK, &request);
        rig.expect(TRUNK, "SIP/2.0 200");
    }
    let prack = call.next("PRACK", None);
    rig.send(TRUNK, &prack);
    rig.expect(TRUNK, "SIP/2.0 481");
    for method in ["MESSAGE", "SUBSCRIBE"] {
        let request = call.next(method, None);
        rig.send(TRUNK, &request);
        let refused = rig.expect(TRUNK, "SIP/2.0 405");
        assert!(header(&refused, "Allow").contains("BYE"));
    }
    hang_up(rig, call);
}

#[test]
fn an_update_with_sdp_renegotiates_without_an_ack() {
    let (mut rig, mut call, _) = connected();
    let update = call.next("UPDATE", Some(&sdp("inactive", 2)));
    rig.send(TRUNK, &update);
    let ok = rig.expect(TRUNK, "SIP/2.0 200");
    assert!(String::from_utf8(ok.body().to_vec()).unwrap().contains("a=inactive"));
    assert_eq!(remote_of(&rig, 0).direction, Direction::Inactive);
    assert_eq!(rig.events_of("call.held"), [serde_json::json!({"by": "caller"})]);
    hang_up(rig, call);
}

#[test]
fn a_forged_tag_finds_no_dialog() {
    let (mut rig, call, _) = connected();
    let mut forged = call.clone();
    forged.to_tag = "0123456789abcdef".to_owned();
    let bye = forged.request("BYE", 7, "z9hG4bK-forged", None);
    rig.send(TRUNK, &bye);
    rig.expect(TRUNK, "SIP/2.0 481");
    assert!(rig.records.is_empty());
    hang_up(rig, call);
}
