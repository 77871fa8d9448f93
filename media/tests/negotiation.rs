//! Offer and answer where codecs differ: G.722, Opus, comfort noise, events on two clocks, packet
//! lengths, and what is no audio.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use base::{Duration, Rng};
use media::sdp::{self, Answer, Capabilities, Local, LocalKeys, NegotiationError, Numbers};
use media::{Codec, OpusSettings, RemoteMedia};

const HEAD: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n";
/// What a browser or a soft phone offers.
const OPUS_FIRST: &str = "m=audio 4000 RTP/AVP 96 9 8 0 13 110 126\r\n\
    a=rtpmap:96 opus/48000/2\r\na=fmtp:96 minptime=10;useinbandfec=1;maxaveragebitrate=20000\r\n\
    a=rtpmap:9 G722/8000\r\na=rtpmap:13 CN/8000\r\n\
    a=rtpmap:110 telephone-event/48000\r\na=rtpmap:126 telephone-event/8000\r\n";

fn local() -> Local {
    let address = "198.51.100.1".parse().unwrap();
    let keys = LocalKeys::draw(&mut Rng::from_seed(7));
    let numbers = Numbers::default();
    Local { address, port: 20_000, origin_id: 7, version: 1, keys, numbers, web: None }
}

fn all() -> Capabilities {
    let codecs = vec![Codec::Opus, Codec::G722, Codec::Pcma, Codec::Pcmu];
    Capabilities { codecs, comfort_noise: true, ..Capabilities::default() }
}

fn description(media: &str) -> sdp::Description {
    sdp::parse(format!("{HEAD}{media}").as_bytes()).unwrap()
}

fn answered(media: &str, caps: &Capabilities, prefer: Option<Codec>) -> (RemoteMedia, String) {
    let Answer { body, settled } =
        sdp::answer(&description(media), &local(), caps, prefer).unwrap();
    let text = String::from_utf8(body.to_vec()).unwrap();
    (settled.remote, text.split_once("m=").unwrap().1.to_owned())
}

#[test]
fn an_offer_of_all_names_each_codec_with_its_clock_and_events_on_both_clocks() {
    let body = sdp::offer(&local(), &all(), None);
    let text = std::str::from_utf8(&body).unwrap().split_once("m=").unwrap().1;
    assert_eq!(
        text,
        "audio 20000 RTP/AVP 111 9 8 0 13 101 110\r\na=rtpmap:111 opus/48000/2\r\n\
         a=fmtp:111 useinbandfec=1\r\na=rtpmap:9 G722/8000\r\na=rtpmap:8 PCMA/8000\r\n\
         a=rtpmap:0 PCMU/8000\r\na=rtpmap:13 CN/8000\r\na=rtpmap:101 telephone-event/8000\r\n\
         a=fmtp:101 0-15\r\na=rtpmap:110 telephone-event/48000\r\na=fmtp:110 0-15\r\n\
         a=ptime:20\r\na=sendrecv\r\n"
    );
}

#[test]
fn opus_is_answered_by_its_number_with_events_on_its_clock_and_the_far_ends_wishes_are_kept() {
    let (remote, text) = answered(OPUS_FIRST, &all(), None);
    assert_eq!((remote.codec, remote.payload_type), (Codec::Opus, 96));
    assert_eq!((remote.telephone_event, remote.events_rate), (Some(110), 48_000));
    assert_eq!(remote.comfort_noise, None, "Opus has its own");
    let expected = OpusSettings { max_bitrate: Some(20_000), fec: true, ..OpusSettings::default() };
    assert_eq!(remote.opus, expected);
    assert_eq!(
        text,
        "audio 20000 RTP/AVP 96 110\r\na=rtpmap:96 opus/48000/2\r\na=fmtp:96 useinbandfec=1\r\n\
         a=rtpmap:110 telephone-event/48000\r\na=fmtp:110 0-15\r\na=ptime:20\r\na=sendrecv\r\n"
    );
}

#[test]
fn the_codec_that_the_other_leg_has_goes_before_the_offerers_order() {
    let (remote, text) = answered(OPUS_FIRST, &all(), Some(Codec::Pcmu));
    assert_eq!((remote.codec, remote.payload_type), (Codec::Pcmu, 0));
    assert_eq!((remote.telephone_event, remote.events_rate), (Some(126), 8000));
    assert_eq!(remote.comfort_noise, Some(13));
    assert!(text.starts_with("audio 20000 RTP/AVP 0 13 126\r\n"), "{text}");
    let (remote, _) = answered(OPUS_FIRST, &all(), Some(Codec::G722));
    assert_eq!((remote.codec, remote.events_rate), (Codec::G722, 8000), "RFC 3551 §4.5.2");
}

#[test]
fn an_answerer_may_number_opus_as_it_likes_and_a_re_offer_keeps_its_numbers() {
    let ours = sdp::offer(&local(), &all(), None);
    let theirs = description(
        "m=audio 4000 RTP/AVP 98 99\r\na=rtpmap:98 OPUS/48000/2\r\na=fmtp:98 usedtx=1\r\n\
         a=rtpmap:99 telephone-event/48000\r\n",
    );
    let remote = sdp::accept(&ours, &theirs).unwrap().remote;
    assert_eq!((remote.codec, remote.payload_type), (Codec::Opus, 98));
    assert!(remote.opus.dtx && !remote.opus.fec);
    let again = Local { numbers: Numbers::used_with(&remote), ..local() };
    let body = sdp::offer(&again, &all(), Some(Codec::Opus));
    let text = std::str::from_utf8(&body).unwrap();
    assert!(text.contains("RTP/AVP 98 9 8 0 13 101 99\r\n"), "{text}");
    assert!(text.contains("a=rtpmap:98 opus/48000/2\r\na=fmtp:98 useinbandfec=1"), "{text}");
}

#[test]
fn events_of_the_other_clock_are_taken_when_there_are_no_others() {
    let media = "m=audio 4000 RTP/AVP 96 101\r\na=rtpmap:96 opus/48000/2\r\n\
                 a=rtpmap:101 telephone-event/8000\r\n";
    let (remote, text) = answered(media, &all(), None);
    assert_eq!((remote.telephone_event, remote.events_rate), (Some(101), 8000));
    assert!(text.contains("a=rtpmap:101 telephone-event/8000\r\n"), "{text}");
}

#[test]
fn opus_of_one_channel_or_another_clock_is_unknown_and_so_are_other_noises() {
    let media = "m=audio 4000 RTP/AVP 96 97 98 0\r\na=rtpmap:96 opus/48000\r\n\
                 a=rtpmap:97 opus/16000/2\r\na=rtpmap:98 CN/16000\r\n";
    let (remote, _) = answered(media, &all(), None);
    assert_eq!((remote.codec, remote.comfort_noise), (Codec::Pcmu, None));
    let media = "m=audio 4000 RTP/AVP 96\r\na=rtpmap:96 opus/48000\r\n";
    let refused = sdp::answer(&description(media), &local(), &all(), None);
    assert_eq!(refused, Err(NegotiationError::NoCommonCodec));
}

#[test]
fn the_packet_length_is_the_wanted_one_from_10_to_60_ms_and_one_frame_of_opus() {
    let of = |codec: &str, lines: &str| {
        let media = format!("m=audio 4000 RTP/AVP {codec}\r\na=rtpmap:96 opus/48000/2\r\n{lines}");
        answered(&media, &all(), None).0.ptime
    };
    let ms = Duration::from_millis;
    for (lines, g711, opus) in [
        ("", 20, 20),
        ("a=ptime:30\r\n", 30, 20),
        ("a=ptime:50\r\n", 50, 40),
        ("a=ptime:60\r\n", 60, 60),
        ("a=ptime:5\r\n", 10, 10),
        ("a=ptime:200\r\n", 60, 60),
        ("a=ptime:40\r\na=maxptime:30\r\n", 30, 20),
        ("a=maxptime:10\r\n", 10, 10),
        ("a=ptime:0\r\n", 20, 20),
    ] {
        assert_eq!(of("0", lines), ms(g711), "G.711, {lines}");
        assert_eq!(of("96", lines), ms(opus), "Opus, {lines}");
    }
}

#[test]
fn fax_and_video_beside_audio_are_refused_with_port_0_and_alone_they_are_no_call() {
    let media = "m=audio 4000 RTP/AVP 8\r\nm=image 4010 udptl t38\r\na=T38FaxVersion:0\r\n\
                 m=video 4020 RTP/AVP 99\r\na=rtpmap:99 H264/90000\r\n";
    let (_, text) = answered(media, &all(), None);
    assert!(text.contains("\r\nm=image 0 udptl t38\r\nm=video 0 RTP/AVP 99\r\n"), "{text}");
    let media = "m=image 4010 udptl t38\r\na=T38FaxVersion:0\r\n";
    let refused = sdp::answer(&description(media), &local(), &all(), None);
    assert_eq!(refused, Err(NegotiationError::NoAudio));
}
