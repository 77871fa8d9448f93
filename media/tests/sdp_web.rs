//! SDP between a browser and us: Chromium's own offers and answers, and what is not to be taken.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::sync::Arc;

use base::{Rng, UnixTime};
use media::dtls::{DtlsRole, Identity};
use media::ice::{Credentials, Origins};
use media::sdp::{self, Capabilities, Local, LocalKeys, LocalWeb, NegotiationError, Numbers};
use media::{Codec, Direction};

/// What Chromium 156 offers, shortened to a few of its formats.
const CHROMIUM: &str = "v=0\r\no=- 4611731400430051336 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n\
    a=group:BUNDLE 0 1 2\r\na=extmap-allow-mixed\r\na=msid-semantic: WMS abc\r\n\
    m=audio 9 UDP/TLS/RTP/SAVPF 111 63 9 0 8 13 110 126\r\nc=IN IP4 0.0.0.0\r\n\
    a=rtcp:9 IN IP4 0.0.0.0\r\n\
    a=candidate:1 1 udp 2113937151 9b36eaac-bb2e-49bb-bb78-21c41c499900.local 50000 typ host\r\n\
    a=ice-ufrag:F7gI\r\na=ice-pwd:x9cml/YzichV2+XlhiMu8gTi\r\na=ice-options:trickle\r\n\
    a=fingerprint:sha-256 D1:2C:BE:AD:C4:F6:64:5C:25:16:11:9C:AF:E7:0F:73:79:36:4E:9C:1E:15:54:\
    39:0C:06:8B:ED:96:86:00:39\r\na=setup:actpass\r\na=mid:0\r\na=sendrecv\r\na=rtcp-mux\r\n\
    a=rtpmap:111 opus/48000/2\r\na=fmtp:111 minptime=10;useinbandfec=1\r\n\
    a=rtpmap:63 red/48000/2\r\na=rtpmap:9 G722/8000\r\na=rtpmap:0 PCMU/8000\r\n\
    a=rtpmap:8 PCMA/8000\r\na=rtpmap:13 CN/8000\r\na=rtpmap:110 telephone-event/48000\r\n\
    a=rtpmap:126 telephone-event/8000\r\na=ssrc:3570614608 cname:4TOk42mSjXCkVIa6\r\n\
    m=video 9 UDP/TLS/RTP/SAVPF 96\r\nc=IN IP4 0.0.0.0\r\na=mid:1\r\na=rtpmap:96 VP8/90000\r\n\
    m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:2\r\n";

#[allow(clippy::disallowed_methods, clippy::disallowed_types, reason = "any origin will do")]
fn local() -> Local {
    let mut rng = Rng::from_seed(7);
    let wall = UnixTime::from_micros(1_700_000_000_000_000);
    let identity = Identity::draw(wall, std::time::Instant::now()).unwrap();
    let (address, port) = ([203, 0, 113, 5].into(), 30_000);
    let web = LocalWeb {
        ice: Credentials::draw(&mut rng),
        full: false,
        fingerprint: identity.fingerprint(),
        role: None,
        addresses: Arc::from([
            SocketAddr::new(address, port),
            "[2001:db8::5]:30000".parse().unwrap(),
        ]),
        tcp: true,
        ssrc: 77,
        cname: Arc::from("c0ffee"),
    };
    let keys = LocalKeys::draw(&mut rng);
    let numbers = Numbers::default();
    Local { address, port, origin_id: 1, version: 1, keys, numbers, web: Some(web) }
}

fn caps() -> Capabilities {
    let codecs = vec![Codec::Opus, Codec::G722, Codec::Pcma, Codec::Pcmu];
    Capabilities { codecs, ..Capabilities::default() }
}

fn answer(
    offer: &str,
    local: &Local,
    prefer: Option<Codec>,
) -> Result<sdp::Answer, NegotiationError> {
    sdp::answer(&sdp::parse(offer.as_bytes()).unwrap(), local, &caps(), prefer)
}

fn text(body: &[u8]) -> String {
    String::from_utf8_lossy(body).into_owned()
}

#[test]
fn chromiums_offer_is_answered_with_its_own_numbers_our_candidates_and_one_bundle() {
    let local = local();
    let answer = answer(CHROMIUM, &local, None).unwrap();
    let body = text(&answer.body);
    for line in [
        "a=group:BUNDLE 0\r\n",
        "a=ice-lite\r\n",
        "m=audio 30000 UDP/TLS/RTP/SAVPF 111 110\r\n",
        "c=IN IP4 203.0.113.5\r\n",
        "a=mid:0\r\n",
        "a=rtcp-mux\r\n",
        "a=setup:passive\r\n",
        "a=candidate:1 1 udp 2130706431 203.0.113.5 30000 typ host\r\n",
        "a=candidate:2 1 tcp 1526726655 203.0.113.5 30000 typ host tcptype passive\r\n",
        "a=candidate:3 1 udp 2130706175 2001:db8::5 30000 typ host\r\n",
        "a=end-of-candidates\r\n",
        "a=ssrc:77 cname:c0ffee\r\n",
        "a=msid:c0ffee audio\r\n",
        "m=video 0 UDP/TLS/RTP/SAVPF 96\r\na=mid:1\r\n",
        "m=application 0 UDP/DTLS/SCTP webrtc-datachannel\r\na=mid:2\r\n",
    ] {
        assert!(body.contains(line), "{line} in {body}");
    }
    let web = local.web.as_ref().unwrap();
    assert!(body.contains(&format!("a=ice-ufrag:{}\r\n", web.ice.fragment())));
    assert!(body.contains(&format!("a=fingerprint:{}\r\n", web.fingerprint)));
    let peer = answer.settled.peer.unwrap();
    assert_eq!((&*peer.fragment, peer.role), ("F7gI", DtlsRole::Passive));
    let remote = answer.settled.remote;
    assert_eq!((remote.codec, remote.payload_type), (Codec::Opus, 111));
    assert_eq!((remote.telephone_event, remote.events_rate), (Some(110), 48_000));
    assert_eq!(remote.direction, Direction::SendRecv, "0.0.0.0 is no hold");
    assert!(answer.settled.srtp.is_none());
}

#[test]
fn the_other_sides_codec_goes_first_so_that_nothing_is_converted() {
    let answer = answer(CHROMIUM, &local(), Some(Codec::Pcma)).unwrap();
    assert_eq!(answer.settled.remote.codec, Codec::Pcma);
    assert_eq!(answer.settled.remote.telephone_event, Some(126));
}

#[test]
fn our_offer_is_a_browsers_and_its_answer_says_who_begins_the_handshake() {
    let local = local();
    let offer = sdp::offer(&local, &caps(), None);
    let body = text(&offer);
    assert!(body.contains("m=audio 30000 UDP/TLS/RTP/SAVPF "), "{body}");
    assert!(body.contains("a=setup:actpass\r\n") && body.contains("a=group:BUNDLE 0\r\n"));
    // As the browser would have written it: ours, with its own names.
    for (setup, role) in [("active", DtlsRole::Passive), ("passive", DtlsRole::Active)] {
        let reply = body
            .replace("a=ice-lite\r\n", "")
            .replace("actpass", setup)
            .replace(local.web.as_ref().unwrap().ice.fragment(), "theirs");
        let settled = sdp::accept(&offer, &sdp::parse(reply.as_bytes()).unwrap()).unwrap();
        let peer = settled.peer.unwrap();
        assert_eq!((&*peer.fragment, peer.role), ("theirs", role));
    }
    let plain = body.replace("UDP/TLS/RTP/SAVPF", "RTP/AVP");
    let plain = sdp::parse(plain.as_bytes()).unwrap();
    assert!(sdp::accept(&offer, &plain).is_err(), "a phone answers a browser's offer");
}

#[test]
fn the_parts_in_the_handshake_stay_cast_in_a_re_offer() {
    let mut local = local();
    local.web.as_mut().unwrap().role = Some(DtlsRole::Active);
    let answer = answer(CHROMIUM, &local, None).unwrap();
    assert!(text(&answer.body).contains("a=setup:active\r\n"));
    assert_eq!(answer.settled.peer.unwrap().role, DtlsRole::Active);
}

#[test]
fn a_browser_that_holds_is_answered_that_it_is_held() {
    let held = CHROMIUM.replace("a=sendrecv", "a=inactive");
    let answer = answer(&held, &local(), None).unwrap();
    assert!(text(&answer.body).contains("a=inactive\r\n"));
    assert_eq!(answer.settled.remote.direction, Direction::Inactive);
    assert!(!text(&answer.body).contains("a=ssrc"), "nothing is sent");
}

/// The same from a gateway that is lite and says where it is.
fn gateway() -> String {
    let at = "a=candidate:1 1 udp 2130706431 203.0.113.77 4000 typ host\r\n\
              a=candidate:2 2 udp 2130706430 203.0.113.77 4001 typ host\r\n\
              a=candidate:3 1 tcp 1671430143 203.0.113.77 443 typ host tcptype passive\r\n\
              a=candidate:4 1 udp 2130706175 2001:db8::77 4000 typ host weird extension\r\n\
              a=candidate:5 1 sctp 1 203.0.113.78 4000 typ host\r\n";
    let lite = CHROMIUM.replace("t=0 0\r\n", "t=0 0\r\na=ice-lite\r\n");
    lite.replace("a=ice-ufrag", &format!("{at}a=ice-ufrag"))
}

#[test]
fn an_offer_of_a_lite_end_is_answered_by_a_full_one_that_is_told_where_to_look() {
    let answer = answer(&gateway(), &local(), None).unwrap();
    let body = text(&answer.body);
    assert!(!body.contains("a=ice-lite") && body.contains("a=ice-options:ice2\r\n"), "{body}");
    let peer = answer.settled.peer.unwrap();
    let reach = peer.reach.unwrap();
    assert!(reach.lite);
    assert_eq!(&*reach.password, "x9cml/YzichV2+XlhiMu8gTi");
    let at: Vec<String> = reach.candidates.iter().map(|one| one.address.to_string()).collect();
    assert_eq!(at, ["203.0.113.77:4000", "[2001:db8::77]:4000"], "what can be checked, mDNS not");
    let ours = local().web.unwrap().addresses;
    assert_eq!(reach.from, Origins::of(&ours));
    assert_ne!(reach.from, Origins::of(&ours[1..]));
}

#[test]
fn a_full_offer_of_ours_is_answered_by_a_lite_end_or_by_a_full_one() {
    let mut local = local();
    local.web.as_mut().unwrap().full = true;
    let offer = sdp::offer(&local, &caps(), None);
    let body = text(&offer);
    assert!(!body.contains("a=ice-lite") && body.contains("a=ice-options:ice2\r\n"), "{body}");
    for is_lite in [true, false] {
        let lite = if is_lite { "t=0 0\r\na=ice-lite\r\n" } else { "t=0 0\r\n" };
        let reply = body.replace("t=0 0\r\n", lite).replace("actpass", "passive");
        let settled = sdp::accept(&offer, &sdp::parse(reply.as_bytes()).unwrap()).unwrap();
        let reach = settled.peer.unwrap().reach.unwrap();
        assert_eq!((reach.lite, reach.candidates.len()), (is_lite, 2));
    }
}

#[test]
fn a_lite_answer_to_a_lite_offer_is_taken_too_and_it_is_for_us_to_check() {
    let offer = sdp::offer(&local(), &caps(), None);
    let reply = text(&offer).replace("actpass", "active");
    let settled = sdp::accept(&offer, &sdp::parse(reply.as_bytes()).unwrap()).unwrap();
    assert!(settled.peer.unwrap().reach.unwrap().lite);
}

#[test]
fn an_offer_insists_on_one_port_for_rtp_and_rtcp_and_an_answer_just_has_it() {
    let local = local();
    let offer = text(&sdp::offer(&local, &caps(), None));
    assert!(offer.contains("a=rtcp-mux-only\r\n") && offer.contains("a=rtcp-mux\r\n"));
    let insists = CHROMIUM.replace("a=rtcp-mux\r\n", "a=rtcp-mux-only\r\na=rtcp-mux\r\n");
    let body = text(&answer(&insists, &local, None).unwrap().body);
    assert!(body.contains("a=rtcp-mux\r\n") && !body.contains("rtcp-mux-only"), "{body}");
}

#[test]
fn nobody_who_trickles_is_promised_that_it_is_heard_and_all_of_ours_is_in_the_first_answer() {
    let body = text(&answer(CHROMIUM, &local(), None).unwrap().body);
    assert!(!body.contains("trickle") && body.contains("a=end-of-candidates\r\n"), "{body}");
}

#[test]
fn audio_is_taken_wherever_it_stands_and_alone_in_the_bundle() {
    let (head, sections) = CHROMIUM.split_once("m=audio").unwrap();
    let (audio, others) = sections.split_once("m=video").unwrap();
    // Every section of a balanced or compatible bundle says where it is itself.
    let video_first =
        format!("{}m=video{}m=audio{audio}", head.replace("BUNDLE 0 1 2", "BUNDLE 1 0 2"), others);
    let taken = answer(&video_first, &local(), None).unwrap();
    let body = text(&taken.body);
    assert!(body.contains("a=group:BUNDLE 0\r\n"), "{body}");
    assert!(body.find("m=video 0 ").unwrap() < body.find("m=audio 30000 ").unwrap());
    assert_eq!(&*taken.settled.peer.unwrap().fragment, "F7gI");
    // Without a bundle each is by itself.
    let apart = CHROMIUM.replace("a=group:BUNDLE 0 1 2\r\n", "");
    assert!(!text(&answer(&apart, &local(), None).unwrap().body).contains("BUNDLE"));
    // Audio that would go with video alone (RFC 9143 §6) cannot go without it.
    let within = video_first.replace("m=audio 9 ", "m=audio 0 ");
    let within = within.replace("a=mid:0\r\n", "a=mid:0\r\na=bundle-only\r\n");
    assert_eq!(answer(&within, &local(), None).unwrap_err(), NegotiationError::NoAudio);
}

#[test]
fn a_gateway_may_write_the_protocol_of_old_for_keys_by_dtls_and_its_own_is_repeated() {
    for proto in ["RTP/SAVPF", "RTP/SAVP", "UDP/TLS/RTP/SAVP"] {
        let old = gateway().replace("m=audio 9 UDP/TLS/RTP/SAVPF", &format!("m=audio 9 {proto}"));
        let answer = answer(&old, &local(), None).unwrap();
        assert!(text(&answer.body).contains(&format!("m=audio 30000 {proto} 111 110\r\n")));
        assert!(answer.settled.peer.is_some() && answer.settled.srtp.is_none());
    }
    // With keys in it, it is what it says.
    let keys = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:\
                WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\r\n";
    let sdes = gateway().replace("m=audio 9 UDP/TLS/RTP/SAVPF", "m=audio 9 RTP/SAVPF");
    let sdes = sdes.replace("a=setup", &format!("{keys}a=setup"));
    assert_eq!(answer(&sdes, &local(), None).unwrap_err(), NegotiationError::Protocol);
}

#[test]
fn what_we_cannot_talk_to_is_refused() {
    for (from, to, why) in [
        ("a=rtcp-mux\r\n", "", NegotiationError::Web),
        ("a=ice-ufrag:F7gI\r\n", "", NegotiationError::Web),
        ("a=ice-pwd:x9cml/YzichV2+XlhiMu8gTi\r\n", "", NegotiationError::Web),
        ("a=ice-pwd:x9cml/YzichV2+XlhiMu8gTi", "a=ice-pwd:short", NegotiationError::Web),
        ("a=ice-ufrag:F7gI", "a=ice-ufrag:abc", NegotiationError::Web),
        ("a=ice-ufrag:F7gI\r\n", "a=ice-mismatch\r\n", NegotiationError::Web),
        ("a=fingerprint:sha-256", "a=fingerprint:sha-1", NegotiationError::Web),
        // One that checks nothing and does not say where it is, but by a name.
        ("t=0 0\r\n", "t=0 0\r\na=ice-lite\r\n", NegotiationError::Web),
        ("m=audio 9 UDP/TLS/RTP/SAVPF", "m=audio 9 RTP/AVP", NegotiationError::Protocol),
    ] {
        let offer = CHROMIUM.replacen(from, to, 1);
        assert_eq!(answer(&offer, &local(), None).unwrap_err(), why, "{to}");
    }
    let without = Local { web: None, ..local() };
    assert_eq!(answer(CHROMIUM, &without, None).unwrap_err(), NegotiationError::Protocol);
}
