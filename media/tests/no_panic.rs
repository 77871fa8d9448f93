//! Bytes that nobody sane would send: nothing panics, whatever they are.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::net::SocketAddr;
use std::sync::Arc;

use base::{Duration, Instant, Rng, UnixTime};
use media::{
    Batch, Codec, Command, Decoder, Direction, OpusSettings, Plane, Port, Rate, RemoteMedia, Slot,
    StreamId, WorkerId, pcm, rtcp, rtp, sdp, tap,
};
use proptest::prelude::*;

fn plane() -> (Plane, SocketAddr) {
    let (taps, _) = tap::ring(64);
    let mut plane = Plane::new(WorkerId(0), taps, Rng::from_seed(1), UnixTime::from_micros(0));
    let source = SocketAddr::from(([127, 0, 0, 1], 4000));
    for id in [1, 2] {
        let stream = StreamId(id);
        let cname = Arc::from("cname");
        plane.handle_command(Instant::ZERO, Command::Open { stream, port: 2, ssrc: 1, cname });
        let slot = Slot { index: id as u32 - 1, generation: 0 };
        plane.opened(slot, Ok(()));
        let remote = RemoteMedia {
            rtp: source,
            rtcp: source,
            codec: Codec::Pcmu,
            payload_type: 0,
            opus: OpusSettings::default(),
            telephone_event: Some(101),
            events_rate: 8000,
            comfort_noise: None,
            ptime: Duration::from_millis(20),
            maxptime: None,
            xr: Default::default(),
            direction: Direction::SendRecv,
        };
        plane.handle_command(Instant::ZERO, Command::SetRemote { stream, remote, srtp: None });
    }
    plane.handle_command(Instant::ZERO, Command::Bridge { a: StreamId(1), b: StreamId(2) });
    let tap = Command::Tap { stream: StreamId(1), tap: tap::TapId(1), channel: tap::Channel::Left };
    plane.handle_command(Instant::ZERO, tap);
    (plane, source)
}

proptest! {
    #[test]
    fn no_bytes_panic_the_packet_path(
        packets in prop::collection::vec(
            (any::<bool>(), any::<u8>(), prop::collection::vec(any::<u8>(), 0..300)),
            1..30,
        )
    ) {
        let (mut plane, source) = plane();
        let mut out = Batch::new(64);
        for (at, (rtcp, second, mut bytes)) in packets.into_iter().enumerate() {
            // Mostly the right version and payload type, so that it gets far.
            if let [first, pt, ..] = bytes.as_mut_slice() {
                *first = 0x80 | (*first & 0x3f);
                *pt = [0, 8, 101, 200, 201, 0x80, second][usize::from(second) % 7];
            }
            let now = Instant::from_millis(at as u64 * 20);
            let which = if rtcp { Port::Rtcp } else { Port::Rtp };
            let slot = Slot { index: u32::from(second) % 3, generation: 0 };
            plane.handle_packet(now, slot, which, source, &mut bytes, &mut out);
            plane.handle_timeout(now, &mut out);
            out.clear();
        }
    }

    #[test]
    fn no_bytes_panic_the_readers(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        if let Some(parsed) = rtp::parse(&bytes) {
            prop_assert!(parsed.payload_end <= bytes.len());
        }
        for packet in rtcp::packets(&bytes) {
            let _ = rtcp::SenderReport::read(&packet);
            let _ = rtcp::ReceiverReport::read(&packet);
            let _ = rtcp::read_bye(&packet).count();
        }
        let _ = sdp::parse(&bytes);
    }

    #[test]
    fn no_payload_makes_a_decoder_fall_or_write_more_than_fits(
        payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..1500), 1..8),
        room in prop::sample::select(vec![0, 1, 159, 160, 480, 960, 2880, pcm::MAX_PER_PACKET]),
    ) {
        for codec in Codec::ALL {
            for rate in [Rate::Narrow, Rate::Wide, Rate::Full] {
                let mut decoder = Decoder::new(codec, rate);
                let mut out = vec![0; room];
                for payload in &payloads {
                    prop_assert!(decoder.recover(payload, &mut out) <= room);
                    prop_assert!(decoder.decode(payload, &mut out) <= room);
                    decoder.conceal(&mut out);
                }
            }
        }
    }

    #[test]
    fn no_damaged_wav_file_panics(
        damage in prop::collection::vec((0..60_usize, any::<u8>()), 0..8),
        length in 0..400_usize,
    ) {
        let mut file = media::wav::header(1, 16_000, 356).to_vec();
        file.resize(length.max(44), 7);
        for (at, byte) in damage {
            if let Some(place) = file.get_mut(at) {
                *place = byte;
            }
        }
        let _ = media::Prompt::from_wav(&file);
    }

    #[test]
    fn no_sdp_like_text_panics(lines in prop::collection::vec(
        prop_oneof![
            Just("m=audio 4000 RTP/AVP 0 8 101".to_owned()),
            Just("c=IN IP4 192.0.2.1".to_owned()),
            "[a-z]=[ -~]{0,40}",
            "a=(rtpmap|rtcp|ptime|maxptime|fmtp):[ -~]{0,20}",
            "m=[a-z]{1,6} [0-9]{1,6} RTP/AVP [0-9 ]{0,20}",
        ], 0..20)
    ) {
        let head = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nt=0 0\r\n";
        let body = format!("{head}{}\r\n", lines.join("\r\n"));
        if let Ok(offer) = sdp::parse(body.as_bytes()) {
            let address = [127, 0, 0, 1].into();
            let keys = sdp::LocalKeys::draw(&mut base::Rng::from_seed(1));
            let numbers = sdp::Numbers::default();
            let (origin_id, version, web) = (1, 1, None);
            let local = sdp::Local { address, port: 2, origin_id, version, keys, numbers, web };
            if let Ok(answer) = sdp::answer(&offer, &local, &sdp::Capabilities::default(), None) {
                prop_assert!(sdp::parse(&answer.body).is_ok());
            }
        }
    }
}
