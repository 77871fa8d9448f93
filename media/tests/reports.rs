//! RTCP: what is sent, what is learned, and the silences that are noticed.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod rig;

use media::rtcp::{self, ReportBlock, SenderReport, packet_type};
use media::{Codec, Command, Direction, Event, PlaneOutput, Port, RemoteMedia};
use rig::{A, B, Rig, Sent, audio, far, ramp, remote};

fn types(sent: &Sent) -> Vec<u8> {
    rtcp::packets(&sent.bytes).map(|packet| packet.packet_type).collect()
}

fn rtcp_of(rig: &mut Rig, millis: u64) -> Vec<Sent> {
    let mut sent = rig.millis(millis);
    sent.retain(|sent| sent.port == Port::Rtcp && sent.slot == rig.slot(A));
    sent
}

fn reception_block(sent: &Sent) -> ReportBlock {
    let packet = rtcp::packets(&sent.bytes).next().unwrap();
    let skip = if packet.packet_type == packet_type::SENDER_REPORT { 24 } else { 4 };
    ReportBlock::read(&mut &packet.body[skip..]).unwrap()
}

#[test]
fn reports_go_out_every_five_seconds_or_so_and_not_in_step() {
    let mut rig = Rig::pair(Codec::Pcmu);
    let sent = rtcp_of(&mut rig, 600_000);
    assert!((100..=140).contains(&sent.len()), "{}", sent.len());
    let gaps: Vec<_> = sent.windows(2).map(|pair| pair[1].at - pair[0].at).collect();
    assert!(gaps.iter().all(|gap| (2.5..7.5).contains(&gap.as_secs_f64())));
    assert!(gaps.windows(2).any(|pair| pair[0] != pair[1]));
    assert!(sent.iter().all(|s| s.to == remote(A, Codec::Pcmu).rtcp));
    assert_eq!(types(&sent[0]), [packet_type::RECEIVER_REPORT, packet_type::SDES]);
}

#[test]
fn who_sends_reports_as_sender_with_the_true_time_of_its_timestamp() {
    let mut rig = Rig::pair(Codec::Pcmu);
    rig.play(A, 1, &ramp(160), true);
    let all = rig.millis(8000);
    let report = all.iter().find(|s| s.port == Port::Rtcp && s.slot == rig.slot(A)).unwrap();
    assert_eq!(types(report), [packet_type::SENDER_REPORT, packet_type::SDES]);
    let packet = rtcp::packets(&report.bytes).next().unwrap();
    let (sender, _) = SenderReport::read(&packet).unwrap();
    let before: Vec<_> = all.iter().filter(|s| s.port == Port::Rtp && s.at <= report.at).collect();
    assert_eq!(sender.packets as usize, before.len());
    assert_eq!(sender.bytes as usize, before.len() * 160);
    let last = before.last().unwrap();
    let passed = (report.at - last.at).as_micros() as u32 / 125;
    let timestamp = sender.timestamp.wrapping_sub(last.header().timestamp);
    assert!(timestamp.abs_diff(passed) <= 1);
    let unix = (sender.ntp >> 32) - 2_208_988_800;
    assert_eq!(unix, 1_700_000_000 + report.at.as_nanos() / 1_000_000_000);
}

#[test]
fn loss_of_an_interval_is_reported_in_256ths_and_the_total_stays() {
    let mut rig = Rig::pair(Codec::Pcmu);
    for n in 0..100_u16 {
        if n % 10 != 3 {
            rig.rtp(A, audio(65_500_u16.wrapping_add(n), u32::from(n) * 160), &[0; 160]);
        }
        rig.now += base::Duration::from_millis(20);
    }
    let block = reception_block(&rtcp_of(&mut rig, 8000)[0]);
    assert_eq!((block.ssrc, block.cumulative_lost), (0xa, 10));
    assert_eq!(block.fraction_lost, 25, "10 of 100");
    assert_eq!(block.highest_sequence, 65_500 + 99, "a cycle and 63");
    let next = reception_block(&rtcp_of(&mut rig, 8000)[0]);
    assert_eq!((next.fraction_lost, next.cumulative_lost), (0, 10));
}

#[test]
fn the_round_trip_is_measured_by_the_far_ends_reports_and_ours_let_it_measure_too() {
    let mut rig = Rig::pair(Codec::Pcmu);
    rig.rtp(A, audio(0, 0), &[0; 160]);
    rig.play(A, 1, &ramp(160), true);
    let ours = rtcp_of(&mut rig, 8000).pop().unwrap();
    let packet = rtcp::packets(&ours.bytes).next().unwrap();
    let (sender, _) = SenderReport::read(&packet).unwrap();
    // 30 ms there, half a second kept, 30 ms back.
    rig.now = ours.at + base::Duration::from_millis(560);
    let block = ReportBlock {
        ssrc: 0x1001,
        last_sr: (sender.ntp >> 16) as u32,
        delay_since_last_sr: 1 << 15,
        ..Default::default()
    };
    let mut reply = Vec::new();
    let theirs = SenderReport { ssrc: 0xa, ntp: 0x1234_5678_9abc_def0, ..Default::default() };
    rtcp::write_sender_report(&mut reply, &theirs, Some(&block));
    rig.datagram(A, Port::Rtcp, remote(A, Codec::Pcmu).rtcp, &reply);
    let measured = rig.plane.stats(A).unwrap().round_trip_us.unwrap();
    assert!((59_900..=60_100).contains(&measured), "{measured}");
    let asked_at = rig.now;
    let next = rtcp_of(&mut rig, 8000).remove(0);
    let block = reception_block(&next);
    assert_eq!(block.last_sr, 0x5678_9abc);
    let kept = (next.at - asked_at).as_secs_f64() * 65_536.0;
    assert!((f64::from(block.delay_since_last_sr) - kept).abs() < 2.0);
}

#[test]
fn a_report_that_names_none_of_ours_or_comes_from_a_stranger_measures_nothing() {
    let mut rig = Rig::pair(Codec::Pcmu);
    rig.rtp(A, audio(0, 0), &[0; 160]);
    let block = ReportBlock { ssrc: 0x1001, last_sr: 77, ..Default::default() };
    let mut forged = Vec::new();
    rtcp::write_receiver_report(&mut forged, 0xa, Some(&block));
    rig.datagram(A, Port::Rtcp, remote(A, Codec::Pcmu).rtcp, &forged);
    rig.datagram(A, Port::Rtcp, "203.0.113.1:99".parse().unwrap(), &forged);
    let stats = rig.plane.stats(A).unwrap();
    assert_eq!((stats.round_trip_us, stats.refused_packets), (None, 1));
    assert!(rtcp_of(&mut rig, 20_000).iter().all(|s| s.to == remote(A, Codec::Pcmu).rtcp));
}

#[test]
fn a_minute_of_silence_is_told_once_and_not_of_one_who_need_not_send() {
    let mut rig = Rig::pair(Codec::Pcmu);
    let listener = RemoteMedia { direction: Direction::RecvOnly, ..remote(B, Codec::Pcmu) };
    rig.order(Command::SetRemote { stream: B, remote: listener, srtp: None });
    rig.rtp(A, audio(0, 0), &[0; 160]);
    rig.take_events();
    rig.millis(30_000);
    rig.rtp(A, audio(1, 160), &[0; 160]);
    rig.millis(59_990);
    assert!(rig.take_events().is_empty());
    rig.millis(20);
    assert_eq!(rig.take_events(), [Event::RtpTimeout { stream: A }]);
    rig.millis(300_000);
    assert!(rig.take_events().is_empty());
    rig.rtp(A, audio(2, 320), &[0; 160]);
    rig.millis(130_000);
    assert_eq!(rig.take_events(), [Event::RtpTimeout { stream: A }], "a new silence");
}

#[test]
fn a_closed_stream_says_goodbye_and_its_score_tells_of_its_loss() {
    let mut rig = Rig::pair(Codec::Pcmu);
    rig.play(A, 1, &ramp(160), true);
    for n in (0..1000_u16).filter(|n| n % 20 != 7) {
        rig.rtp(A, audio(n, u32::from(n) * 160), &[0; 160]);
        rig.millis(20);
    }
    rig.order(Command::Close { stream: A });
    let bye = rig.outputs.iter().find_map(|output| match output {
        PlaneOutput::Send { to, bytes, port: Port::Rtcp, .. } => Some((*to, bytes)),
        _ => None,
    });
    let (to, bytes) = bye.unwrap();
    assert_eq!(to.ip(), far(A).ip());
    let last = rtcp::packets(bytes).last().unwrap();
    assert_eq!(rtcp::read_bye(&last).collect::<Vec<_>>(), [0x1001]);
    let events = rig.take_events();
    let Some(Event::Closed { stats, .. }) = events.last() else { panic!() };
    assert_eq!((stats.packets_lost, stats.packets_received), (50, 950));
    // The jitter is that of the left-out packets; 5 % loss rates about 77, or 3.9.
    assert!((370..=400).contains(&stats.mos_centi), "{}", stats.mos_centi);
}
