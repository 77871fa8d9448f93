//! What far ends and strangers may send, and what comes of it: nothing that grows, nothing that
//! stops, and nothing that others hear.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod rig;

use std::net::SocketAddr;

use media::rtp::Header;
use media::{Batch, Codec, Event, PlaneOutput, Port, rtcp};
use rig::{A, B, Rig, audio, far};

fn stranger(n: u16) -> SocketAddr {
    SocketAddr::from(([203, 0, (n >> 8) as u8, n as u8], 5000))
}

/// The far end is known and both hear each other.
fn talking() -> Rig {
    let mut rig = Rig::pair(Codec::Pcmu);
    rig.bridge();
    rig.rtp(A, audio(0, 0), &[1; 160]);
    rig.rtp(B, audio(0, 0), &[2; 160]);
    rig.take_events();
    rig
}

#[test]
fn ten_thousand_strangers_are_told_of_once_a_second_and_nobody_is_answered() {
    let mut rig = talking();
    for n in 0..10_000_u16 {
        let header = Header { ssrc: u32::from(n), ..audio(n, 160 * u32::from(n)) };
        assert_eq!(rig.rtp_from(A, stranger(n), header, &[66; 160]), []);
    }
    let told = rig.take_events();
    assert!(matches!(told[..], [Event::SourceRefused { packets: 1, .. }]), "{told:?}");
    assert_eq!(rig.plane.stats(A).unwrap().refused_packets, 10_000);
    let true_one = rig.rtp(A, audio(1, 160), &[1; 160]);
    assert_eq!((true_one.len(), true_one[0].to), (1, far(B)));
    let sent = rig.millis(10_000);
    assert!(sent.iter().all(|sent| [far(A).ip(), far(B).ip()].contains(&sent.to.ip())));
}

#[test]
fn reports_of_strangers_move_no_report_and_are_no_account_of_ours() {
    let mut rig = talking();
    let mut report = Vec::new();
    rtcp::write_receiver_report(&mut report, 0xbad, None);
    rtcp::write_bye(&mut report, 0xbad);
    for n in 0..100 {
        assert_eq!(rig.datagram(A, Port::Rtcp, stranger(n), &report), []);
        assert_eq!(rig.datagram(A, Port::Rtp, stranger(n), &report), [], "on the same port");
    }
    rig.take_events();
    let reports: Vec<_> =
        rig.millis(20_000).into_iter().filter(|sent| sent.port == Port::Rtcp).collect();
    assert!(!reports.is_empty());
    assert!(reports.iter().all(|sent| [far(A).ip(), far(B).ip()].contains(&sent.to.ip())));
    assert_eq!(rig.rtp(A, audio(1, 160), &[1; 160]).len(), 1, "nor does a stranger's BYE end it");
}

#[test]
fn ten_thousand_ssrcs_of_the_far_end_are_one_stream_of_ours() {
    let mut rig = talking();
    let mut last = rig.rtp(A, audio(1, 160), &[1; 160])[0].header();
    for n in 0..10_000_u32 {
        let header = Header { ssrc: n, ..audio((n * 7919 % 65_536) as u16, n * 104_729) };
        for sent in rig.rtp(A, header, &[1; 160]) {
            let header = sent.header();
            assert_eq!(header.ssrc, last.ssrc);
            assert_eq!(header.sequence, last.sequence.wrapping_add(1));
            last = header;
        }
    }
    assert_eq!(rig.take_events(), []);
    rig.millis(20);
    let after = rig.rtp(A, audio(2, 320), &[1; 160])[0].header();
    let step = after.timestamp.wrapping_sub(last.timestamp);
    assert!((1..=320).contains(&step), "time goes on as it passed: {step}");
}

#[test]
fn jumps_of_timestamp_and_sequence_are_neither_followed_nor_the_end() {
    let mut rig = talking();
    let mut heard = 0;
    for n in 0..2_000_u32 {
        let wild = n.wrapping_mul(0x9e37_79b9);
        let sent = rig.rtp(A, audio((wild >> 16) as u16, wild), &[1; 160]);
        assert!(sent.len() <= 1, "never more out than in");
        rig.millis(1);
    }
    for n in 0..50_u16 {
        heard += rig.rtp(A, audio(30_000 + n, 160 * u32::from(n)), &[1; 160]).len();
        rig.millis(20);
    }
    assert!(heard >= 48, "who speaks evenly again is heard again: {heard}");
    let stats = rig.plane.stats(A).unwrap();
    assert!(stats.jitter_us < 10_000_000 && stats.packets_lost < 1 << 32, "{stats:?}");
}

#[test]
fn a_bomb_of_keys_is_a_few_keys() {
    let mut rig = talking();
    for n in 0..20_000_u32 {
        let header =
            Header { payload_type: 101, marker: true, ..audio((n & 0xffff) as u16, n * 400) };
        // Each is a whole key with its end.
        assert!(rig.rtp(A, header, &[(n % 16) as u8, 0x8a, 1, 0x90]).len() <= 1);
        if n % 20 == 0 {
            rig.millis(1);
        }
    }
    let events = rig.take_events().len();
    assert!((2..=200).contains(&events), "{events} events in a second");
    assert_eq!(rig.rtp(B, audio(1, 160), &[2; 160]).len(), 1);
}

#[test]
fn a_codec_that_changes_with_each_packet_and_payloads_of_any_length_stop_nobody() {
    let mut rig = talking();
    for n in 0..5_000_u32 {
        let payload_type = [0, 8, 9, 13, 101, 111, 96, 127, 3][n as usize % 9];
        let length = [0, 1, 3, 159, 160, 161, 480, 1400, 1488][(n as usize / 9) % 9];
        let header = Header { payload_type, ..audio((n & 0xffff) as u16, n * 160) };
        let sent = rig.rtp(A, header, &vec![n as u8; length]);
        assert!(sent.len() <= 1, "never more out than in");
        assert!(sent.iter().all(|sent| sent.bytes.len() <= media::MAX_DATAGRAM));
        if n % 50 == 0 {
            rig.millis(20);
            assert_eq!(rig.rtp(B, audio((n / 50) as u16 + 1, n), &[2; 160]).len(), 1);
        }
    }
    rig.millis(100);
    assert_eq!(rig.rtp(B, audio(102, 0), &[2; 160]).len(), 1);
}

#[test]
fn late_packets_of_the_last_call_are_not_heard_on_a_port_that_is_used_again() {
    let mut rig = talking();
    let old = rig.slot(A);
    rig.order(media::Command::Close { stream: A });
    assert!(matches!(rig.outputs.pop(), Some(PlaneOutput::ClosePort { slot }) if slot == old));
    rig.open(A, Codec::Pcmu);
    rig.bridge();
    rig.take_events();
    // The socket is new, and the far end of before still sends: another address than signalled now.
    let mut batch = Batch::new(8);
    for n in 0..200_u16 {
        let mut late = audio(n, 160 * u32::from(n)).to_bytes();
        let from = SocketAddr::from(([198, 51, 100, 1], 4000));
        let slot = if n % 2 == 0 { old } else { rig.slot(A) };
        rig.plane.handle_packet(rig.now, slot, Port::Rtp, from, &mut late, &mut batch);
    }
    assert!(batch.is_empty(), "a burst proves nothing");
    assert_eq!(rig.rtp(A, audio(1, 160), &[1; 160]).len(), 1);
}
