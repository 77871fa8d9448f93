//! SDP between a browser and us: Chromium's own offers and answers, and what is not to be taken.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::sync::Arc;

use base::{Rng, UnixTime};
use media::dtls::{DtlsRole, Identity};
use media::ice::Credentials;
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

#[test]
fn what_we_cannot_talk_to_is_refused() {
    for (from, to, why) in [
        ("a=rtcp-mux\r\n", "", NegotiationError::Web),
        ("a=ice-ufrag:F7gI\r\n", "", NegotiationError::Web),
        ("a=fingerprint:sha-256", "a=fingerprint:sha-1", NegotiationError::Web),
        ("t=0 0\r\n", "t=0 0\r\na=ice-lite\r\n", NegotiationError::Web),
        ("m=audio 9 UDP/TLS/RTP/SAVPF", "m=audio 9 RTP/AVP", NegotiationError::Protocol),
    ] {
        let offer = CHROMIUM.replacen(from, to, 1);
        assert_eq!(answer(&offer, &local(), None).unwrap_err(), why, "{to}");
    }
    let without = Local { web: None, ..local() };
    assert_eq!(answer(CHROMIUM, &without, None).unwrap_err(), NegotiationError::Protocol);
}
