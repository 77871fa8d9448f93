//! Captures: what comes and goes, in the clear, whence and whither; nothing that is masked.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod rig;

use std::net::SocketAddr;

use media::dtmf::{Detector, Heard};
use media::rtp::{self, Header};
use media::srtp::{MasterKey, Profile, Sealer, SrtpKeys};
use media::{
    CaptureId, CaptureOrder, Captured, Codec, Command, DigitOut, DigitWays, G711, Masking, Port,
    StreamId, rtcp,
};
use rig::{A, B, Rig, audio, far, ramp, remote};

type Packets = Vec<(Captured, Vec<u8>)>;

fn order(stream: StreamId) -> CaptureOrder {
    let (capture, local) = (CaptureId(7), ours(stream));
    CaptureOrder { capture, local, received: true, sent: true, payload: true }
}

fn ours(stream: StreamId) -> SocketAddr {
    SocketAddr::from(([198, 51, 100, 1], 20_000 + 2 * stream.0 as u16))
}

/// A bridge that is captured whole.
fn captured_pair(b: Codec) -> Rig {
    let mut rig = Rig::pair(b);
    rig.bridge();
    for stream in [A, B] {
        rig.order(Command::Capture { stream, order: Some(order(stream)) });
    }
    rig
}

/// The RTP that went from one address to another.
fn between(packets: &Packets, from: SocketAddr, to: SocketAddr) -> Vec<(Header, Vec<u8>)> {
    let there = packets.iter().filter(|(head, _)| (head.from, head.to) == (from, to));
    let read = |bytes: &[u8]| {
        let parsed = rtp::parse(bytes).unwrap();
        (parsed.header, bytes[parsed.payload_start..].to_vec())
    };
    there.filter(|(head, _)| !head.is_end).map(|(_, bytes)| read(bytes)).collect()
}

fn payloads(packets: &Packets, from: SocketAddr, to: SocketAddr) -> Vec<u8> {
    between(packets, from, to).into_iter().flat_map(|(_, payload)| payload).collect()
}

#[test]
fn both_directions_of_both_legs_are_there_with_their_addresses_and_times() {
    let mut rig = captured_pair(Codec::Pcma);
    let mut all = Packets::new();
    for n in 0..50_u16 {
        rig.rtp(A, audio(n, 160 * u32::from(n)), &[0x90; 160]);
        rig.rtp(B, Header { payload_type: 8, ..audio(n, 160 * u32::from(n)) }, &[0x33; 160]);
        rig.millis(20);
        all.extend(rig.captured());
    }
    assert!(payloads(&all, far(A), ours(A)).iter().all(|code| *code == 0x90), "as it came");
    let to_b = between(&all, ours(B), far(B));
    assert_eq!(to_b.len(), 50);
    assert_eq!(to_b[0].0.ssrc, 0x1002, "our own numbers");
    assert_ne!(to_b[0].1[0], 0x90, "in the other law");
    assert_eq!(between(&all, far(B), ours(B)).len(), 50);
    assert_eq!(between(&all, ours(A), far(A)).len(), 50);
    let mut times = all.iter().map(|(head, _)| head.at);
    let first = times.next().unwrap();
    assert_eq!(times.next_back().unwrap().since(first).as_millis(), 980);
    assert!(all.iter().all(|(head, bytes)| head.length == bytes.len() && head.dropped == 0));
}

#[test]
fn reports_are_in_it_from_their_own_ports_and_a_bye_at_the_end() {
    let mut rig = captured_pair(Codec::Pcmu);
    let mut report = Vec::new();
    rtcp::write_receiver_report(&mut report, 0xa, None);
    rig.rtp(A, audio(1, 160), &[0x55; 160]);
    rig.datagram(A, Port::Rtcp, SocketAddr::new(far(A).ip(), 4001), &report);
    rig.millis(10_000);
    rig.order(Command::Close { stream: B });
    let all = rig.captured();
    let port = |at: SocketAddr| SocketAddr::new(at.ip(), at.port() + 1);
    let came = all.iter().find(|(head, _)| head.to == port(ours(A))).unwrap();
    assert_eq!((came.0.from.port(), &came.1), (4001, &report));
    let last = all.iter().rfind(|(head, _)| head.from == port(ours(B)) && !head.is_end).unwrap();
    assert!(rtcp::packets(&last.1).any(|packet| packet.packet_type == 203), "BYE");
    let ends = all.iter().filter(|(head, _)| head.is_end).map(|(head, _)| head.stream);
    assert_eq!(ends.collect::<Vec<_>>(), [B]);
}

#[test]
fn an_encrypted_leg_is_captured_in_the_clear() {
    let profile = Profile::AesCm128HmacSha1_80;
    let key = |first: u8| {
        let bytes: Vec<u8> = (first..).take(profile.key_bytes() + profile.salt_bytes()).collect();
        MasterKey::new(profile, &bytes).unwrap()
    };
    let keys = SrtpKeys { ours: key(1), theirs: key(100).into() };
    let mut rig = captured_pair(Codec::Pcmu);
    let (stream, srtp) = (A, Some(Box::new(keys.clone())));
    rig.order(Command::SetRemote { stream, remote: remote(A, Codec::Pcmu), srtp });
    let mut packet = [&audio(1, 160).to_bytes()[..], &[0x55; 160]].concat();
    Sealer::new(keys.theirs.first()).seal_rtp(&mut packet, 0).unwrap();
    rig.datagram(A, Port::Rtp, far(A), &packet);
    let sent = rig.rtp(B, audio(1, 160), &[0x33; 160]);
    assert!(!sent[0].bytes.windows(8).any(|bytes| bytes == [0x33; 8]), "encrypted on the wire");
    let all = rig.captured();
    assert_eq!(payloads(&all, far(A), ours(A)), [0x55; 160]);
    assert_eq!(payloads(&all, ours(A), far(A)), [0x33; 160]);
}

#[test]
fn nothing_is_copied_of_strangers_of_the_other_direction_or_after_the_end() {
    let mut rig = Rig::pair(Codec::Pcmu);
    rig.bridge();
    let only = CaptureOrder { sent: false, ..order(A) };
    rig.order(Command::Capture { stream: A, order: Some(only) });
    rig.rtp(A, audio(1, 160), &[1; 160]);
    rig.rtp(B, audio(1, 160), &[2; 160]);
    rig.rtp_from(A, "203.0.113.9:5000".parse().unwrap(), audio(2, 320), &[3; 160]);
    rig.order(Command::Capture { stream: A, order: None });
    rig.rtp(A, audio(2, 320), &[4; 160]);
    let all = rig.captured();
    assert_eq!(payloads(&all, far(A), ours(A)), [1; 160]);
    assert_eq!(all.iter().map(|(head, _)| head.is_end).collect::<Vec<_>>(), [false, true]);
}

#[test]
fn of_headers_alone_no_audio_and_no_key_is_there_and_the_length_is_told() {
    let mut rig = captured_pair(Codec::Pcmu);
    for stream in [A, B] {
        let order = Some(CaptureOrder { payload: false, ..order(stream) });
        rig.order(Command::Capture { stream, order });
    }
    rig.captured();
    rig.rtp(A, audio(1, 160), &[0x55; 160]);
    rig.rtp(A, Header { payload_type: 101, ..audio(2, 320) }, &[7, 10, 0, 160]);
    let all = rig.captured();
    let lengths = all.iter().map(|(head, bytes)| (head.length, head.kept, bytes.len()));
    let (speech, key) = ((172, 12, 12), (16, 12, 12));
    assert_eq!(lengths.collect::<Vec<_>>(), [speech, speech, key, key]);
}

#[test]
fn what_finds_no_room_is_counted_and_told_with_the_next_that_does() {
    let mut rig = captured_pair(Codec::Pcmu);
    for n in 0..1000_u16 {
        rig.rtp(A, audio(n, 160 * u32::from(n)), &[0x55; 160]);
    }
    let first = rig.captured();
    assert!(first.len() < 1000 && first.iter().all(|(head, _)| head.dropped == 0));
    rig.rtp(A, audio(1000, 160_000), &[0x55; 160]);
    let (told, _) = rig.captured()[0].clone();
    let of_a = first.iter().filter(|(head, _)| head.stream == A).count();
    assert_eq!(told.dropped as usize + of_a, 1000);
}

/// What a far end says and presses in 20 ms steps: speech, keys as events and as tones.
fn say_and_press(rig: &mut Rig, digits: &str, by_tone: bool) -> Packets {
    let (mut n, mut all) = (0_u16, Packets::new());
    let mut step = |rig: &mut Rig, payload_type: u8, at: u32, payload: &[u8]| {
        n += 1;
        rig.rtp(A, Header { payload_type, ..audio(n, at) }, payload);
        rig.millis(20);
        all.extend(rig.captured());
    };
    let mut time = 0_u32;
    for key in digits.chars() {
        let speech = sine(&[300.0], time);
        step(rig, 0, time, &speech);
        time += 160;
        let begun = time;
        for part in 1..=5_u32 {
            let flags = if part == 5 { 0x8a } else { 0x0a };
            if by_tone {
                step(rig, 0, time, &sine(&tones(key), time - begun));
            } else {
                let event = key.to_digit(10).unwrap() as u8;
                step(
                    rig,
                    101,
                    begun,
                    &[event, flags, (part * 160 / 256) as u8, (part * 160) as u8],
                );
            }
            time += 160;
        }
        for _ in 0..3 {
            step(rig, 0, time, &[0xff; 160]);
            time += 160;
        }
    }
    rig.millis(200);
    all.extend(rig.captured());
    all
}

fn sine(hertz: &[f64], from: u32) -> Vec<u8> {
    let sample = |n: u32| {
        let wave = |hertz: &f64| (hertz * std::f64::consts::TAU * f64::from(n) / 8000.0).sin();
        G711::Pcmu.encode((7000.0 * hertz.iter().map(wave).sum::<f64>()) as i16)
    };
    (from..from + 160).map(sample).collect()
}

fn tones(key: char) -> [f64; 2] {
    let place = "123A456B789C*0#D".find(key).unwrap();
    [[697.0, 770.0, 852.0, 941.0][place / 4], [1209.0, 1336.0, 1477.0, 1633.0][place % 4]]
}

/// The keys that can be got out of a capture, by events and by ear.
fn keys_in(all: &Packets) -> String {
    let (mut keys, mut seen) = (String::new(), Vec::new());
    let ends = [(far(A), ours(A)), (ours(A), far(A)), (far(B), ours(B)), (ours(B), far(B))];
    for (from, to) in ends {
        let mut detector = Detector::new();
        for (header, payload) in between(all, from, to) {
            if header.payload_type == 101 {
                let key = (from, header.timestamp, payload[0]);
                if payload[0] < 16 && payload[1] & 0x80 != 0 && !seen.contains(&key) {
                    seen.push(key);
                    keys.push(char::from(b'0' + payload[0]));
                }
                continue;
            }
            let pcm: Vec<i16> = payload.iter().map(|code| G711::Pcmu.decode(*code)).collect();
            detector.hear(&pcm, &mut |heard| {
                if let Heard::Digit(digit, _) = heard {
                    keys.push(digit.as_char());
                }
            });
        }
    }
    keys
}

#[test]
fn keys_of_one_who_is_masked_are_in_no_leg_of_it_and_are_when_not() {
    for by_tone in [false, true] {
        for masking in [Masking::Off, Masking::Digits, Masking::All] {
            let mut rig = captured_pair(Codec::Pcmu);
            let ways = DigitWays { out: DigitOut::Best, listen: by_tone };
            rig.order(Command::DigitWays { stream: A, ways });
            rig.order(Command::Mask { stream: A, masking });
            let all = say_and_press(&mut rig, "4929171", by_tone);
            let keys = keys_in(&all);
            if masking == Masking::Off {
                assert!(keys.starts_with("4929171"), "{keys}: the test can hear");
            } else {
                assert_eq!(keys, "", "{masking:?}, by tone: {by_tone}");
            }
            let speech = payloads(&all, far(A), ours(A));
            let loud = speech.iter().filter(|code| G711::Pcmu.decode(**code).abs() > 3000).count();
            assert_eq!(loud > 300, masking != Masking::All, "{masking:?}: {loud} loud samples");
            assert!(between(&all, far(A), ours(A)).len() >= 7 * 9, "each packet is there");
        }
    }
}

#[test]
fn keys_that_we_press_and_what_plays_to_one_who_is_masked_are_silence() {
    let mut rig = captured_pair(Codec::Pcmu);
    let (digits, each) = ("4929".into(), base::Duration::from_millis(80));
    rig.order(Command::SendDigits { stream: B, digits, each, gap: each });
    rig.order(Command::Mask { stream: A, masking: Masking::Digits });
    rig.play(A, 1, &ramp(8000), false);
    rig.millis(900);
    let all = rig.captured();
    let sent = between(&all, ours(B), far(B));
    assert!(sent.len() > 12 && sent.iter().all(|(header, _)| header.payload_type == 101));
    assert!(payloads(&all, ours(B), far(B)).iter().all(|byte| *byte == 0xff));
    let played = payloads(&all, ours(A), far(A));
    assert!(played.len() > 6000 && played.iter().all(|byte| *byte == 0xff), "{}", played.len());
    rig.order(Command::Mask { stream: A, masking: Masking::Off });
    rig.play(A, 2, &ramp(1600), false);
    rig.millis(200);
    let played = payloads(&rig.captured(), ours(A), far(A));
    assert!(played.iter().any(|byte| *byte != 0xff), "it is heard again");
}
