//! Trunks whose audio goes by WebRTC: what they are offered and answered, where we look for them,
//! and what becomes of a call whose far end is not found, or is lost.

use std::net::SocketAddr;

use media::srtp::Profile;
use media::{Command, Event, Peer, StreamId, WebFailure};
use switch::Cause;

use crate::outbound::dial;
use crate::rig::{ALICE, Asked, Call, OUT, Phone, Rig, SDP_PCMU, TRUNK, answer, calls_out};

/// What a gateway that is lite says of itself; of this version, with these credentials.
fn gateway(version: u32, fragment: &str, setup: &str) -> String {
    format!(
        "v=0\r\no=- 1 {version} IN IP4 127.0.0.51\r\ns=-\r\nc=IN IP4 127.0.0.51\r\nt=0 0\r\n\
         a=ice-lite\r\nm=audio 40000 UDP/TLS/RTP/SAVPF 0 101\r\n\
         a=rtpmap:101 telephone-event/8000\r\na=rtcp-mux\r\na=ice-ufrag:{fragment}\r\n\
         a=ice-pwd:x9cml/YzichV2+XlhiMu8gTi\r\na=setup:{setup}\r\na=fingerprint:sha-256 \
         D1:2C:BE:AD:C4:F6:64:5C:25:16:11:9C:AF:E7:0F:73:79:36:4E:9C:1E:15:54:39:0C:06:8B:ED:96:\
         86:00:39\r\na=candidate:1 1 udp 2130706431 127.0.0.51 40000 typ host\r\n\
         a=candidate:2 1 udp 2130706175 203.0.113.9 40000 typ host\r\n\
         a=candidate:3 1 udp 2130705919 169.254.169.254 80 typ host\r\n\
         a=candidate:4 1 udp 2130705663 224.0.0.1 40000 typ host\r\n"
    )
}

/// Calls to `+1` go out over such a trunk; those from the demo's carrier come so.
fn provisioning() -> String {
    let callers = "sources = [\"127.0.0.2\"]";
    calls_out("webrtc = true").replace(callers, &format!("{callers}\nwebrtc = true"))
}

fn rig() -> Rig {
    let mut rig = Rig::with_web_of(&provisioning());
    rig.register_both();
    rig
}

fn body(message: &sip::Message) -> String {
    String::from_utf8_lossy(&message.body()).into_owned()
}

/// The stream on the port that all share.
fn shared(rig: &Rig) -> StreamId {
    let opened = rig.commands.iter().find_map(|command| match command {
        Command::OpenShared { stream, .. } => Some(*stream),
        _ => None,
    });
    opened.unwrap()
}

fn peer(rig: &Rig) -> Peer {
    let told = rig.commands.iter().rev().find_map(|command| match command {
        Command::SetPeer { peer, .. } => Some((**peer).clone()),
        _ => None,
    });
    told.unwrap()
}

/// The fragments that were told to the plane, and whether as a full end's.
fn told(rig: &Rig) -> Vec<(String, bool)> {
    let told = rig.commands.iter().filter_map(|command| match command {
        Command::SetIce { ice, full, .. } => Some((ice.fragment().to_owned(), *full)),
        _ => None,
    });
    told.collect()
}

/// A call out that the gateway has taken.
fn connected(rig: &mut Rig) -> (Asked, Phone) {
    let (alice, carrier) = dial(rig);
    rig.send(OUT, &carrier.respond("200 OK", Some(&gateway(1, "them", "passive"))));
    rig.expect(OUT, "ACK");
    let ok = rig.expect(ALICE, "SIP/2.0 200");
    let ack = alice.ack(&ok);
    rig.send(ALICE, &ack);
    (alice, carrier)
}

#[test]
fn a_call_out_is_offered_by_a_full_end_and_the_lite_end_is_looked_for_where_it_may_be() {
    let mut rig = rig();
    let (_, carrier) = dial(&mut rig);
    let offer = body(&carrier.invite);
    assert!(offer.contains("m=audio 8189 UDP/TLS/RTP/SAVPF "), "{offer}");
    assert!(!offer.contains("a=ice-lite") && offer.contains("a=ice-options:ice2"), "{offer}");
    assert!(offer.contains("a=setup:actpass") && !offer.contains("a=crypto"), "{offer}");
    assert!(told(&rig).iter().all(|(_, full)| *full));
    rig.send(OUT, &carrier.respond("200 OK", Some(&gateway(1, "them", "passive"))));
    rig.expect(OUT, "ACK");
    let peer = peer(&rig);
    assert_eq!(peer.role, media::dtls::DtlsRole::Active);
    let reach = peer.reach.unwrap();
    let at: Vec<SocketAddr> = reach.candidates.iter().map(|one| one.address).collect();
    let expected = ["127.0.0.51:40000", "203.0.113.9:40000"].map(|at| at.parse().unwrap());
    assert_eq!(at, expected, "not the metadata of a cloud, nor a group");
    assert!(reach.lite);
}

#[test]
fn a_call_in_from_a_lite_end_is_answered_by_a_full_one() {
    let mut rig = rig();
    let offer = gateway(1, "them", "actpass");
    let mut call = Call::new(&mut rig, TRUNK, "+15550100").with_sdp(&offer);
    rig.send(TRUNK, &call.invite());
    let ok = rig.caller_is_answered(&mut call);
    let answer = body(&ok);
    assert!(!answer.contains("a=ice-lite") && answer.contains("a=setup:passive"), "{answer}");
    assert!(peer(&rig).reach.unwrap().lite);
    // A full one, as most are, is answered by a lite one.
    let full = offer.replace("a=ice-lite\r\n", "");
    let mut other = Call::new(&mut rig, TRUNK, "+15550100").with_sdp(&full);
    rig.send(TRUNK, &other.invite());
    let ok = rig.caller_is_answered(&mut other);
    assert!(body(&ok).contains("a=ice-lite\r\n"));
}

#[test]
fn a_call_without_an_offer_gets_one_of_a_full_end() {
    let mut rig = rig();
    let call = Call::new(&mut rig, TRUNK, "+15550100").without_sdp();
    rig.send(TRUNK, &call.invite());
    let offer = body(&rig.expect(TRUNK, "SIP/2.0 200"));
    assert!(offer.contains("UDP/TLS/RTP/SAVPF") && !offer.contains("a=ice-lite"), "{offer}");
}

#[test]
fn nothing_but_webrtc_is_taken_from_such_a_trunk_and_nothing_else_is_sent_to_it() {
    let mut rig = rig();
    let call = Call::new(&mut rig, TRUNK, "+15550100").with_sdp(SDP_PCMU);
    rig.refuses(&call, &call.invite(), "SIP/2.0 488");
    let (_, carrier) = dial(&mut rig);
    rig.phone_answers(&carrier);
    rig.expect(OUT, "BYE");
}

#[test]
fn where_webrtc_is_off_no_call_goes_to_such_a_trunk_in_the_clear() {
    let mut rig = Rig::with(&provisioning());
    rig.register_both();
    rig.agent_dials(ALICE, "alice", "+12125550123", "");
    rig.expect_silence(OUT);
    let call = Call::new(&mut rig, TRUNK, "+15550100").with_sdp(SDP_PCMU);
    rig.send(TRUNK, &call.invite());
    rig.expect(TRUNK, "SIP/2.0 5");
}

#[test]
fn a_far_end_that_is_not_found_ends_the_call_and_the_record_says_why() {
    let mut rig = rig();
    connected(&mut rig);
    let stream = shared(&rig);
    rig.media(Event::Secured { stream, profile: Profile::AeadAes256Gcm });
    rig.media(Event::Unreachable { stream, why: WebFailure::NoWay });
    rig.confirm_bye(OUT);
    rig.confirm_bye(ALICE);
    let record = rig.record();
    assert_eq!(record.cause, Cause::MediaFailed);
    assert!(record.legs.iter().any(|leg| leg.srtp == Some(Profile::AeadAes256Gcm)));
}

#[test]
fn a_far_end_that_consents_no_more_is_looked_for_anew_and_the_call_goes_on() {
    let mut rig = rig();
    let (_, carrier) = connected(&mut rig);
    let stream = shared(&rig);
    let before = told(&rig).len();
    rig.media(Event::Unreachable { stream, why: WebFailure::ConsentLost });
    let again = rig.expect(OUT, "INVITE");
    let (old, new) = (body(&carrier.invite), body(&again));
    let fragment = |sdp: &str| {
        let line = sdp.lines().find_map(|line| line.strip_prefix("a=ice-ufrag:"));
        line.unwrap().to_owned()
    };
    assert_ne!(fragment(&old), fragment(&new), "a restart");
    assert!(!new.contains("a=ice-lite"), "{new}");
    assert_eq!(told(&rig)[before..], [(fragment(&new), true)], "before it is offered");
    let sdp = gateway(2, "others", "passive");
    rig.send(OUT, &answer(&again, OUT, "200 OK", "x", Some(&sdp)));
    rig.expect(OUT, "ACK");
    assert_eq!(&*peer(&rig).fragment, "others");
    rig.advance_ms(1_000);
    assert!(rig.records.is_empty(), "it goes on");
    // And when there is no way at all, it is over.
    rig.media(Event::Unreachable { stream, why: WebFailure::NoWay });
    rig.expect(OUT, "BYE");
}

#[test]
fn a_restart_of_the_far_ends_is_answered_with_other_credentials_of_ours() {
    let mut rig = rig();
    let (_, mut carrier) = connected(&mut rig);
    let before = told(&rig).last().unwrap().clone();
    let offer = carrier.next("INVITE", Some(&gateway(2, "others", "actpass")));
    rig.send(OUT, &offer);
    let ok = body(&rig.expect(OUT, "SIP/2.0 200"));
    assert!(!ok.contains("a=ice-lite") && !ok.contains(&before.0), "{ok}");
    assert!(ok.contains("a=setup:active"), "the parts in the handshake stay cast: {ok}");
    assert!(told(&rig).last().unwrap().1, "and we are full");
    assert_eq!(&*peer(&rig).fragment, "others");
}

#[test]
fn who_trickles_unasked_is_told_that_nobody_listens() {
    let mut rig = rig();
    let (_, mut carrier) = connected(&mut rig);
    let info = carrier.next("INFO", None);
    let info = info.replace("Contact:", "Info-Package: trickle-ice\r\nContact:");
    rig.send(OUT, &info);
    rig.expect(OUT, "SIP/2.0 469");
    assert!(rig.records.is_empty());
}
