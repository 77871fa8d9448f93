//! The bridge: headers rewritten, loss kept, laws converted, keys passed on, strangers kept out.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod rig;

use std::net::SocketAddr;

use media::rtp::Header;
use media::tap::{Channel, FrameKind, TapId};
use media::{Codec, Command, Event, G711, PlaneOutput, Port};
use rig::{A, B, Rig, audio, far, ramp};

fn stranger() -> SocketAddr {
    "203.0.113.66:6666".parse().unwrap()
}

fn event(sequence: u16, timestamp: u32, marker: bool) -> Header {
    Header { payload_type: 101, marker, ..audio(sequence, timestamp) }
}

#[test]
fn loss_and_order_before_us_are_loss_and_order_behind_us() {
    let mut rig = Rig::pair(Codec::Pcmu);
    rig.bridge();
    let mut out = Vec::new();
    for n in [0_u16, 1, 2, 5, 4, 4, 9] {
        let sequence = n.wrapping_add(65_533);
        out.extend(rig.rtp(A, audio(sequence, u32::from(n) * 160), &[n as u8; 160]));
        rig.millis(20);
    }
    let first = out[0].header();
    let seen: Vec<_> = out
        .iter()
        .map(|s| {
            let header = s.header();
            let offset = header.sequence.wrapping_sub(first.sequence);
            assert_eq!(header.timestamp.wrapping_sub(first.timestamp), u32::from(offset) * 160);
            assert_eq!((s.to, header.ssrc, s.slot), (far(B), 0x1002, rig.slot(B)));
            assert_eq!(s.payload(), [offset as u8; 160]);
            offset
        })
        .collect();
    assert_eq!(seen, [0, 1, 2, 5, 4, 4, 9]);
    let stats = rig.plane.stats(A).unwrap();
    assert_eq!((stats.packets_received, stats.packets_lost), (7, 3));
    assert_eq!(rig.plane.stats(B).unwrap().packets_sent, 7);
}

#[test]
fn a_late_packet_from_before_the_switch_is_not_mistaken_for_one_of_ours() {
    let mut rig = Rig::pair(Codec::Pcmu);
    rig.rtp(A, audio(10, 1600), &[1; 160]);
    rig.bridge();
    assert_eq!(rig.rtp(A, audio(12, 1920), &[1; 160]).len(), 1);
    assert_eq!(rig.rtp(A, audio(11, 1760), &[1; 160]).len(), 0);
}

#[test]
fn a_tone_keeps_its_level_from_u_law_to_a_law() {
    let mut rig = Rig::pair(Codec::Pcma);
    rig.bridge();
    let tone = |n: u32| 8000.0 * (f64::from(n) * 1004.0 * std::f64::consts::TAU / 8000.0).sin();
    let (mut before, mut after, mut noise) = (0.0, 0.0, 0.0);
    for packet in 0..50_u16 {
        let start = u32::from(packet) * 160;
        let codes: Vec<u8> =
            (start..start + 160).map(|n| G711::Pcmu.encode(tone(n) as i16)).collect();
        let sent = rig.rtp(A, audio(packet, start), &codes);
        assert_eq!(sent[0].header().payload_type, 8);
        for (n, code) in (start..).zip(sent[0].payload()) {
            let heard = f64::from(G711::Pcma.decode(*code));
            before += tone(n).powi(2);
            after += heard.powi(2);
            noise += (heard - tone(n)).powi(2);
        }
    }
    let level: f64 = 10.0 * f64::log10(after / before);
    let snr: f64 = 10.0 * f64::log10(before / noise);
    // G.711 table 3 takes the upper of two equally near values: up to 0.15 dB.
    assert!(level.abs() < 0.2, "{level} dB");
    assert!(snr > 33.0, "{snr} dB");
}

#[test]
fn a_new_source_or_a_far_jump_goes_on_in_our_numbers() {
    let mut rig = Rig::pair(Codec::Pcmu);
    rig.bridge();
    let first = rig.rtp(A, audio(100, 0), &[1; 160])[0].header();
    rig.millis(20);
    let moved = Header { ssrc: 0xb, ..audio(40_000, 999_999) };
    let second = rig.rtp(A, moved, &[1; 160])[0].header();
    assert_eq!(second.sequence, first.sequence.wrapping_add(1));
    assert_eq!(second.timestamp, first.timestamp.wrapping_add(160));
    assert!(second.marker);
    rig.millis(20);
    let jump = |n| Header { ssrc: 0xb, ..audio(n, 5) };
    assert!(rig.rtp(A, jump(10_000), &[1; 160]).is_empty(), "one far jump proves nothing");
    let third = rig.rtp(A, jump(10_001), &[1; 160])[0].header();
    assert_eq!(third.sequence, second.sequence.wrapping_add(1));
}

#[test]
fn keys_pass_with_their_payload_type_mapped() {
    let mut rig = Rig::pair(Codec::Pcma);
    let mut remote = rig::remote(B, Codec::Pcma);
    remote.telephone_event = Some(96);
    rig.order(Command::SetRemote { stream: B, remote, srtp: None });
    rig.bridge();
    let base = rig.rtp(A, audio(1, 160), &[0; 160])[0].header();
    for n in 0..5_u16 {
        let sent = rig.rtp(A, event(2 + n, 320, n == 0), &[5, 10, 0, n as u8]);
        let header = sent[0].header();
        assert_eq!((header.payload_type, header.marker), (96, n == 0));
        assert_eq!(header.timestamp, base.timestamp.wrapping_add(160));
        assert_eq!(header.sequence, base.sequence.wrapping_add(1 + n));
        assert_eq!(sent[0].payload(), [5, 10, 0, n as u8], "never converted as audio");
    }
    let after = rig.rtp(A, audio(7, 960), &[0; 160])[0].header();
    assert_eq!(after.timestamp, base.timestamp.wrapping_add(800));
}

#[test]
fn a_key_held_across_a_change_of_feed_stays_one_key() {
    let mut rig = Rig::pair(Codec::Pcmu);
    rig.bridge();
    rig.rtp(A, audio(1, 160), &[0; 160]);
    let start = rig.rtp(A, event(2, 320, true), &[5, 10, 0, 160])[0].header();
    // Something begins to play to the other side in the middle of it.
    rig.play(B, 1, &ramp(160), true);
    rig.millis(20);
    let during = rig.rtp(A, event(3, 320, false), &[5, 10, 1, 64]);
    assert_eq!(during[0].header().timestamp, start.timestamp);
    assert_eq!(rig.rtp(A, audio(4, 640), &[0; 160]).len(), 0, "audio waits for the music to end");
    rig.order(Command::StopPlaying { stream: B });
    let end = rig.rtp(A, event(5, 320, false), &[5, 138, 1, 224])[0].header();
    assert_eq!(end.timestamp, start.timestamp);
    let audio = rig.rtp(A, audio(6, 960), &[0; 160])[0].header();
    assert_eq!(audio.sequence, end.sequence.wrapping_add(1));
    let ahead = audio.timestamp.wrapping_sub(start.timestamp);
    assert!(ahead > 0 && ahead < 1600, "{ahead}");
}

#[test]
fn a_far_end_without_keys_gets_none_and_sees_no_loss() {
    let mut rig = Rig::pair(Codec::Pcmu);
    let mut remote = rig::remote(B, Codec::Pcmu);
    remote.telephone_event = None;
    rig.order(Command::SetRemote { stream: B, remote, srtp: None });
    rig.bridge();
    let before = rig.rtp(A, audio(1, 160), &[0; 160])[0].header();
    assert!(rig.rtp(A, event(2, 320, true), &[5, 10, 0, 160]).is_empty());
    let after = rig.rtp(A, audio(3, 480), &[0; 160])[0].header();
    assert_eq!(after.sequence, before.sequence.wrapping_add(1));
}

#[test]
fn strangers_are_never_heard_never_sent_to_and_told_of_once_a_second() {
    let mut rig = Rig::pair(Codec::Pcmu);
    rig.bridge();
    let tap = Command::Tap { stream: A, tap: TapId(1), channel: Channel::Left };
    rig.order(tap);
    rig.rtp(A, audio(0, 0), &[1; 160]);
    assert_eq!(rig.take_events(), [Event::Latched { stream: A, source: far(A) }]);
    for n in 0..150_u16 {
        // It even knows the SSRC and the numbers.
        let injected = rig.rtp_from(A, stranger(), audio(n + 1, 0), &[66; 160]);
        assert!(injected.is_empty());
        let true_one = rig.rtp(A, audio(n + 1, u32::from(n + 1) * 160), &[1; 160]);
        assert_eq!(true_one.len(), 1);
        assert!(rig.millis(20).iter().all(|s| s.to.ip() != stranger().ip()));
    }
    let told: Vec<u64> = rig
        .take_events()
        .iter()
        .filter(|event| !matches!(event, Event::Unheard { .. }))
        .map(|event| match event {
            Event::SourceRefused { packets, source, .. } if *source == stranger() => *packets,
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(told, [1, 50, 50]);
    assert_eq!(rig.plane.stats(A).unwrap().refused_packets, 150);
    while let Some(frame) = rig.taps.pop() {
        assert!(frame.audio().iter().all(|code| *code == 1), "nor is it recorded");
    }
}

#[test]
fn nobody_is_sent_to_before_signalling() {
    let mut rig = Rig::new();
    let open = Command::Open { stream: A, port: 20_002, ssrc: 1, cname: "c".into() };
    rig.order(open);
    let Some(PlaneOutput::OpenPort { slot, .. }) = rig.outputs.pop() else { panic!() };
    rig.plane.opened(slot, Ok(()));
    rig.play(A, 1, &ramp(160), true);
    let mut batch = media::Batch::new(16);
    let mut packet = audio(1, 1).to_bytes();
    rig.plane.handle_packet(rig.now, slot, Port::Rtp, stranger(), &mut packet, &mut batch);
    assert!(batch.is_empty());
    assert!(rig.millis(10_000).is_empty());
}

#[test]
fn a_far_end_behind_nat_is_found_and_talked_to() {
    let mut rig = Rig::pair(Codec::Pcmu);
    rig.bridge();
    let nat = stranger();
    for n in 0..3 {
        assert!(rig.rtp_from(A, nat, audio(n, 0), &[1; 160]).is_empty());
        rig.millis(20);
    }
    assert_eq!(rig.rtp_from(A, nat, audio(3, 0), &[1; 160]).len(), 1);
    assert!(rig.take_events().contains(&Event::Latched { stream: A, source: nat }));
    assert_eq!(rig.rtp(B, audio(1, 1), &[1; 160])[0].to, nat);
}

#[test]
fn a_reused_place_never_hears_the_last_stream_and_a_dead_peer_is_nobody() {
    let mut rig = Rig::pair(Codec::Pcmu);
    rig.bridge();
    rig.rtp(A, audio(0, 0), &[1; 160]);
    let old = rig.slot(A);
    rig.order(Command::Close { stream: A });
    assert!(matches!(rig.outputs.last(), Some(PlaneOutput::ClosePort { slot }) if *slot == old));
    let closed = rig.take_events().pop();
    let Some(Event::Closed { stats, .. }) = closed else { panic!("{closed:?}") };
    assert_eq!((stats.packets_received, stats.mos_centi), (1, 441));
    rig.open(A, Codec::Pcmu);
    assert_eq!(rig.slot(A).index, old.index);
    let mut batch = media::Batch::new(16);
    let mut packet = audio(1, 160).to_bytes();
    rig.plane.handle_packet(rig.now, old, Port::Rtp, far(A), &mut packet, &mut batch);
    assert_eq!(rig.plane.stats(A).unwrap().packets_received, 0);
    assert!(rig.rtp(B, audio(1, 160), &[1; 160]).is_empty());
}

#[test]
fn the_tap_hears_each_far_end_on_its_side_and_no_prompt() {
    let mut rig = Rig::pair(Codec::Pcma);
    rig.bridge();
    rig.order(Command::Tap { stream: A, tap: TapId(3), channel: Channel::Left });
    rig.order(Command::Tap { stream: B, tap: TapId(3), channel: Channel::Right });
    rig.play(A, 1, &ramp(160), true);
    rig.rtp(A, audio(5, 800), &[1; 160]);
    rig.rtp(A, event(6, 960, true), &[5, 10, 0, 160]);
    rig.rtp(B, Header { payload_type: 8, ..audio(50, 8000) }, &[2; 320]);
    rig.millis(100);
    rig.order(Command::Untap { stream: A });
    let frames: Vec<_> = std::iter::from_fn(|| rig.taps.pop()).collect();
    let told: Vec<_> = frames
        .iter()
        .map(|f| (f.kind, f.channel, f.sequence, f.timestamp, f.codec, f.audio().to_vec()))
        .collect();
    use Channel::{Left, Right};
    use FrameKind::{Audio, Begin, End};
    let none = (0, 0, Codec::Pcmu, vec![]);
    let control = |kind, channel| {
        let (sequence, timestamp, codec, audio) = none.clone();
        (kind, channel, sequence, timestamp, codec, audio)
    };
    assert_eq!(
        told,
        [
            control(Begin, Left),
            control(Begin, Right),
            (Audio, Left, 5, 800, Codec::Pcmu, vec![1; 160]),
            (Audio, Right, 50, 8000, Codec::Pcma, vec![2; 240]),
            (Audio, Right, 50, 8000, Codec::Pcma, vec![2; 80]),
            control(End, Left),
        ]
    );
}

#[test]
fn a_full_tap_is_a_counted_gap_and_the_far_end_hears_everything() {
    let mut rig = Rig::pair(Codec::Pcmu);
    rig.bridge();
    rig.order(Command::Tap { stream: A, tap: TapId(3), channel: Channel::Left });
    for n in 0..100_u16 {
        assert_eq!(rig.rtp(A, audio(n, u32::from(n) * 160), &[1; 160]).len(), 1);
        rig.millis(20);
    }
    // Of the ring's 64 places four are kept for Begin and End, and the Begin took one.
    assert_eq!(rig.plane.stats(A).unwrap().tap_dropped, 41);
    assert_eq!(rig.taps.dropped(), 41);
    rig.order(Command::Untap { stream: A });
    let frames: Vec<_> = std::iter::from_fn(|| rig.taps.pop()).collect();
    assert_eq!(frames.last().map(|f| (f.kind, f.dropped)), Some((FrameKind::End, 41)));
}
