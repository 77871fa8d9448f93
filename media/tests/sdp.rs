//! Offer and answer as tables: what comes in, what is settled, what is answered.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::net::IpAddr;

use base::{Duration, Rng};
use media::sdp::{
    self, Capabilities, Encryption, Local, LocalKeys, NegotiationError, Numbers, SdpError,
};
use media::srtp::{MasterKeys, Profile, SrtpKeys};
use media::{Codec, Direction};

const HEAD: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n";

fn keys() -> LocalKeys {
    LocalKeys::draw(&mut Rng::from_seed(7))
}

fn local() -> Local {
    let address: IpAddr = "198.51.100.1".parse().unwrap();
    Local {
        address,
        port: 20_000,
        origin_id: 7,
        version: 1,
        keys: keys(),
        numbers: Numbers::default(),
        web: None,
    }
}

fn offer(media: &str) -> sdp::Description {
    sdp::parse(format!("{HEAD}{media}").as_bytes()).unwrap()
}

fn answer(media: &str, prefer: Option<Codec>) -> Result<sdp::Answer, NegotiationError> {
    sdp::answer(&offer(media), &local(), &Capabilities::default(), prefer)
}

fn text(answer: &sdp::Answer) -> &str {
    std::str::from_utf8(&answer.body).unwrap()
}

#[test]
fn static_payload_types_need_no_rtpmap_and_the_offerers_order_counts() {
    let answer = answer("m=audio 4000 RTP/AVP 8 0\r\n", None).unwrap();
    assert_eq!(answer.settled.remote.codec, Codec::Pcma);
    assert_eq!(answer.settled.remote.rtp.to_string(), "192.0.2.1:4000");
    assert_eq!(answer.settled.remote.rtcp.to_string(), "192.0.2.1:4001");
    assert_eq!(answer.settled.remote.telephone_event, None);
    assert_eq!(
        text(&answer),
        "v=0\r\no=- 7 1 IN IP4 198.51.100.1\r\ns=-\r\nc=IN IP4 198.51.100.1\r\nt=0 0\r\n\
         m=audio 20000 RTP/AVP 8\r\na=rtpmap:8 PCMA/8000\r\na=ptime:20\r\na=sendrecv\r\n"
    );
}

#[test]
fn the_preferred_codec_goes_before_the_offerers_order() {
    let answer = answer("m=audio 4000 RTP/AVP 8 0\r\n", Some(Codec::Pcmu)).unwrap();
    assert_eq!((answer.settled.remote.codec, answer.settled.remote.payload_type), (Codec::Pcmu, 0));
}

#[test]
fn events_and_dynamic_numbers_are_answered_as_they_were_offered() {
    let media = "m=audio 4000 RTP/AVP 111 98 97 96\r\na=rtpmap:111 opus/48000/2\r\n\
         a=rtpmap:98 pcmu/8000/1\r\na=rtpmap:97 telephone-event/8000\r\n\
         a=rtpmap:96 telephone-event/48000\r\n";
    let answer = answer(media, None).unwrap();
    assert_eq!(
        (answer.settled.remote.codec, answer.settled.remote.payload_type),
        (Codec::Pcmu, 98)
    );
    assert_eq!(answer.settled.remote.telephone_event, Some(97));
    assert!(text(&answer).contains("m=audio 20000 RTP/AVP 98 97\r\n"), "{}", text(&answer));
    assert!(text(&answer).contains("a=fmtp:97 0-15\r\n"));
}

#[test]
fn other_media_are_refused_with_port_0_in_their_places() {
    let media = "m=video 5000 RTP/AVP 31\r\nm=audio 4000 RTP/AVP 0\r\n\
         m=audio 4100 RTP/AVP 0\r\nm=image 4200 udptl t38\r\n";
    let answer = answer(media, None).unwrap();
    let lines: Vec<_> = text(&answer).lines().filter(|line| line.starts_with("m=")).collect();
    assert_eq!(
        lines,
        [
            "m=video 0 RTP/AVP 31",
            "m=audio 20000 RTP/AVP 0",
            "m=audio 0 RTP/AVP 0",
            "m=image 0 udptl t38"
        ]
    );
}

#[test]
fn what_cannot_be_met_says_why() {
    for (media, why) in [
        ("", NegotiationError::NoAudio),
        ("m=video 5000 RTP/AVP 31\r\n", NegotiationError::NoAudio),
        ("m=audio 0 RTP/AVP 0\r\n", NegotiationError::NoAudio),
        ("m=audio 4000 RTP/AVP 18\r\n", NegotiationError::NoCommonCodec),
        (
            "m=audio 4000 RTP/AVP 101\r\na=rtpmap:101 telephone-event/8000\r\n",
            NegotiationError::NoCommonCodec,
        ),
        ("m=audio 4000 RTP/AVP 0\r\na=rtpmap:0 G729/8000\r\n", NegotiationError::NoCommonCodec),
        ("m=audio 4000 RTP/SAVP 0\r\n", NegotiationError::Encryption),
        ("m=audio 4000 UDP/TLS/RTP/SAVPF 0\r\n", NegotiationError::Protocol),
        ("m=audio 4000 RTP/AVP 0\r\nc=IN IP4 a.name.example\r\n", NegotiationError::NoAddress),
        ("m=audio 4000 RTP/AVP 0\r\nc=IN IP4 224.2.1.1/127\r\n", NegotiationError::NoAddress),
    ] {
        assert_eq!(answer(media, None).map(|_| ()), Err(why), "{media}");
    }
}

#[test]
fn hold_is_understood_in_all_its_forms_and_answered_in_the_mirror() {
    for (lines, theirs, ours) in [
        ("a=sendrecv\r\n", Direction::SendRecv, "a=sendrecv"),
        ("a=sendonly\r\n", Direction::SendOnly, "a=recvonly"),
        ("a=recvonly\r\n", Direction::RecvOnly, "a=sendonly"),
        ("a=inactive\r\n", Direction::Inactive, "a=inactive"),
        ("c=IN IP4 0.0.0.0\r\n", Direction::SendOnly, "a=recvonly"),
        ("c=IN IP4 0.0.0.0\r\na=recvonly\r\n", Direction::Inactive, "a=inactive"),
    ] {
        let answer = answer(&format!("m=audio 4000 RTP/AVP 0\r\n{lines}"), None).unwrap();
        assert_eq!(answer.settled.remote.direction, theirs, "{lines}");
        assert!(text(&answer).contains(ours), "{lines}: {}", text(&answer));
    }
    let session = format!("{HEAD}a=sendonly\r\nm=audio 4000 RTP/AVP 0\r\n");
    let held = sdp::parse(session.as_bytes()).unwrap();
    assert_eq!(held.media[0].direction, Direction::SendOnly, "said for the whole description");
}

#[test]
fn addresses_may_stand_at_both_levels_in_both_families_and_rtcp_anywhere() {
    let media = "m=audio 4000 RTP/AVP 0\r\nc=IN IP6 2001:db8::5\r\n\
         a=rtcp:5001 IN IP6 2001:db8::6\r\n\
         a=ptime:40\r\na=maxptime:30\r\n";
    let remote = answer(media, None).unwrap().settled.remote;
    assert_eq!(remote.rtp.to_string(), "[2001:db8::5]:4000");
    assert_eq!(remote.rtcp.to_string(), "[2001:db8::6]:5001");
    assert_eq!(remote.ptime, Duration::from_millis(30));
    let remote = answer("m=audio 4000 RTP/AVP 0\r\na=rtcp:4444\r\n", None).unwrap().settled.remote;
    assert_eq!(remote.rtcp.to_string(), "192.0.2.1:4444");
}

#[test]
fn our_offer_reads_back_as_meant() {
    let local = Local { address: "2001:db8::1".parse().unwrap(), ..local() };
    let body = sdp::offer(&local, &Capabilities::default(), Some(Codec::Pcma));
    assert_eq!(
        std::str::from_utf8(&body).unwrap(),
        "v=0\r\no=- 7 1 IN IP6 2001:db8::1\r\ns=-\r\nc=IN IP6 2001:db8::1\r\nt=0 0\r\n\
         m=audio 20000 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n\
         a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
    );
    let read = sdp::parse(&body).unwrap();
    assert_eq!((read.origin_id.as_str(), read.version), ("7", 1));
    assert_eq!(read.media[0].payloads.len(), 3);
}

#[test]
fn the_answer_to_our_offer_is_accepted_or_refused() {
    let ours = sdp::offer(&local(), &Capabilities::default(), None);
    let accept = |media: &str| sdp::accept(&ours, &offer(media)).map(|settled| settled.remote);
    let remote =
        accept("m=audio 4000 RTP/AVP 8 96\r\na=rtpmap:96 telephone-event/8000\r\na=sendonly\r\n")
            .unwrap();
    assert_eq!((remote.codec, remote.telephone_event), (Codec::Pcma, Some(96)));
    assert_eq!(remote.direction, Direction::SendOnly);
    assert_eq!(accept("m=audio 0 RTP/AVP 0\r\n"), Err(NegotiationError::NoAudio));
    assert_eq!(accept("m=audio 4000 RTP/AVP 18\r\n"), Err(NegotiationError::NoCommonCodec));
    assert_eq!(
        accept("m=audio 4000 RTP/AVP 0\r\nm=video 1 RTP/AVP 31\r\n"),
        Err(NegotiationError::Mismatch)
    );
    let deaf =
        Capabilities { telephone_event: false, codecs: vec![Codec::Pcmu], ..Default::default() };
    let ours = sdp::offer(&local(), &deaf, None);
    let theirs = offer("m=audio 4000 RTP/AVP 0 101\r\na=rtpmap:101 telephone-event/8000\r\n");
    assert_eq!(sdp::accept(&ours, &theirs).unwrap().remote.telephone_event, None);
    let theirs = offer("m=audio 4000 RTP/AVP 8\r\n");
    assert_eq!(sdp::accept(&ours, &theirs), Err(NegotiationError::NoCommonCodec));
}

#[test]
fn bombs_are_refused_before_they_are_read() {
    let large = format!("{HEAD}{}", "a=x\r\n".repeat(10_000));
    assert_eq!(sdp::parse(large.as_bytes()), Err(SdpError::TooLarge("16 kB")));
    let lines = format!("{HEAD}{}", "a=x\r\n".repeat(600));
    assert_eq!(sdp::parse(lines.as_bytes()), Err(SdpError::TooLarge("512 lines")));
    let sections = format!("{HEAD}{}", "m=audio 9 RTP/AVP 0\r\n".repeat(17));
    assert_eq!(sdp::parse(sections.as_bytes()), Err(SdpError::TooLarge("16 media sections")));
    assert!(matches!(sdp::parse(b"hello"), Err(SdpError::Malformed(_))));
    assert!(matches!(sdp::parse(b""), Err(SdpError::Malformed(_))));
}

const KEY: &str = "d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj";
const SAVP: &str = "m=audio 4000 RTP/SAVP 0\r\n";
const AVP: &str = "m=audio 4000 RTP/AVP 0\r\n";

fn caps(encryption: Encryption) -> Capabilities {
    Capabilities { encryption, ..Capabilities::default() }
}

/// A section with an `a=crypto` line.
fn with_key(section: &str) -> String {
    format!("{section}a=crypto:3 AES_CM_128_HMAC_SHA1_80 inline:{KEY}\r\n")
}

fn answered(media: &str, encryption: Encryption) -> Result<sdp::Answer, NegotiationError> {
    sdp::answer(&offer(media), &local(), &caps(encryption), None)
}

#[test]
fn keys_are_taken_as_both_ends_want_them_and_nobody_who_insists_is_heard_in_the_clear() {
    use Encryption::{Accepted, Off, Preferred, Required};
    let (secure, optional) = (with_key(SAVP), with_key(AVP));
    let refused = Err(NegotiationError::Encryption);
    for (media, policy, expected) in [
        (AVP, Off, Ok(false)),
        (AVP, Accepted, Ok(false)),
        (AVP, Preferred, Ok(false)),
        (AVP, Required, refused),
        (&secure, Off, refused),
        (&secure, Accepted, Ok(true)),
        (&secure, Preferred, Ok(true)),
        (&secure, Required, Ok(true)),
        (&optional, Off, Ok(false)),
        (&optional, Accepted, Ok(true)),
        (&optional, Preferred, Ok(true)),
        (&optional, Required, Ok(true)),
        (SAVP, Accepted, refused),
        (SAVP, Preferred, refused),
        (SAVP, Required, refused),
    ] {
        let answer = answered(media, policy);
        let encrypted = answer.as_ref().map(|a| a.settled.srtp.is_some()).map_err(|e| *e);
        assert_eq!(encrypted, expected, "{media} {policy:?}");
        if let Ok(answer) = answer {
            let has_key = text(&answer).contains("a=crypto:3 AES_CM_128_HMAC_SHA1_80 inline:");
            assert_eq!(Ok(has_key), expected, "{}", text(&answer));
            let proto = media.split(' ').nth(2).unwrap();
            let ours = format!("m=audio 20000 {proto} 0\r\n");
            assert!(text(&answer).contains(&ours), "{}", text(&answer));
        }
    }
}

#[test]
fn of_two_sections_the_one_with_keys_is_taken_unless_there_are_to_be_none() {
    let both = format!("{AVP}{}", with_key(&SAVP.replace("4000", "5000")));
    let port = |policy| answered(&both, policy).unwrap().settled.remote.rtp.port();
    assert_eq!(port(Encryption::Off), 4000);
    assert_eq!(port(Encryption::Preferred), 5000);
    assert_eq!(port(Encryption::Required), 5000);
    let answer = answered(&both, Encryption::Preferred).unwrap();
    assert!(text(&answer).contains("m=audio 0 RTP/AVP 0\r\n"), "{}", text(&answer));
}

#[test]
fn of_several_keys_the_first_we_know_is_taken_by_its_number() {
    let long = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGw==";
    let media = format!(
        "{SAVP}a=crypto:1 NULL_HMAC_SHA1_80 inline:{KEY}\r\na=crypto:2 AES_CM_128_HMAC_SHA1_80 \
         inline:{KEY}|2^20|1:4;inline:{KEY}|2^20|1:4\r\n\
         a=crypto:9 AEAD_AES_128_GCM inline:{long}|2^31\r\n\
         a=crypto:10 AES_CM_128_HMAC_SHA1_32 inline:{KEY}\r\n"
    );
    let answer = answered(&media, Encryption::Preferred).unwrap();
    let keys = answer.settled.srtp.as_deref().unwrap();
    assert_eq!(keys.theirs.profile(), Profile::AeadAes128Gcm);
    assert_eq!(keys.theirs.first().key_and_salt(), (0..28).collect::<Vec<u8>>());
    assert_eq!(text(&answer).matches("a=crypto:").count(), 1);
    assert!(text(&answer).contains("a=crypto:9 AEAD_AES_128_GCM inline:"));
}

/// The keys of an end, if it has some.
type Keys = Option<Box<SrtpKeys>>;

/// Our offer, answered by an engine like ours.
fn both_ways(ours: Encryption, theirs: Encryption) -> Result<(Keys, Keys), NegotiationError> {
    let our_offer = sdp::offer(&local(), &caps(ours), None);
    let far = Local { keys: LocalKeys::draw(&mut Rng::from_seed(8)), ..local() };
    let answer = sdp::answer(&sdp::parse(&our_offer).unwrap(), &far, &caps(theirs), None)?;
    let settled = sdp::accept(&our_offer, &sdp::parse(&answer.body).unwrap())?;
    Ok((settled.srtp, answer.settled.srtp))
}

#[test]
fn both_ends_have_each_others_keys_when_either_insists_or_both_prefer_it() {
    use Encryption::{Accepted, Off, Preferred, Required};
    for (ours, theirs, encrypted) in [
        (Off, Off, Some(false)),
        (Accepted, Required, None),
        (Accepted, Preferred, Some(false)),
        (Preferred, Accepted, Some(true)),
        (Required, Accepted, Some(true)),
        (Off, Preferred, Some(false)),
        (Off, Required, None),
        (Preferred, Off, Some(false)),
        (Preferred, Preferred, Some(true)),
        (Preferred, Required, Some(true)),
        (Required, Off, None),
        (Required, Preferred, Some(true)),
        (Required, Required, Some(true)),
    ] {
        let settled = both_ways(ours, theirs);
        assert_eq!(
            settled.as_ref().ok().map(|(a, _)| a.is_some()),
            encrypted,
            "{ours:?} {theirs:?}"
        );
        if let Ok((Some(a), Some(b))) = settled {
            let keys = |keys: &SrtpKeys| (keys.ours.into(), keys.theirs.clone());
            let (ours, theirs): (MasterKeys, MasterKeys) = keys(&a);
            assert_ne!(ours, theirs);
            assert_eq!((theirs, ours), keys(&b));
        }
    }
}

#[test]
fn an_answer_takes_no_key_that_was_not_offered_and_none_in_the_clear() {
    let our_offer = sdp::offer(&local(), &caps(Encryption::Required), None);
    let text = std::str::from_utf8(&our_offer).unwrap();
    assert!(text.contains("m=audio 20000 RTP/SAVP 0 8 101\r\n"), "{text}");
    let first = text.lines().find(|line| line.starts_with("a=crypto:")).unwrap();
    assert!(first.starts_with("a=crypto:1 AEAD_AES_256_GCM inline:"), "{first}");
    let accept = |media: &str| sdp::accept(&our_offer, &offer(media)).map(|_| ());
    assert_eq!(accept(&with_key(SAVP)), Ok(()), "number 3 is AES_CM_128_HMAC_SHA1_80");
    let other = with_key(SAVP).replace("crypto:3", "crypto:1");
    assert_eq!(accept(&other), Err(NegotiationError::Mismatch), "another suite's number");
    assert_eq!(accept(SAVP), Err(NegotiationError::Encryption));
    assert_eq!(accept(AVP), Err(NegotiationError::Encryption));
    assert_eq!(accept(&with_key(AVP)), Err(NegotiationError::Mismatch), "another protocol");
}
