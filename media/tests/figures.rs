//! How a stream is while it lasts, and the extended reports both ends tell each other by.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod rig;

use base::Duration;
use media::rtcp::{self, Dlrr, ReportBlock, SenderReport, VoipMetrics, XrBlock, packet_type};
use media::{Codec, Command, G711, Port, RemoteMedia, XrWanted, quality};
use rig::{A, B, Rig, Sent, audio, remote};

/// Speaks for so many seconds, 20 ms a packet, some of which are lost.
fn speak(rig: &mut Rig, seconds: u16, lost: impl Fn(u16) -> bool) -> Vec<Sent> {
    let payload = |n: u16| {
        let sample = |k: u16| (3200.0 * (f64::from(n) * 160.0 + f64::from(k) * 0.7).sin()) as i16;
        (0..160).map(|k| G711::Pcmu.encode(sample(k))).collect::<Vec<u8>>()
    };
    let mut sent = Vec::new();
    for n in 0..seconds * 50 {
        if !lost(n) {
            rig.rtp(A, audio(n, u32::from(n) * 160), &payload(n));
        }
        sent.extend(rig.millis(20));
    }
    sent
}

fn extended(sent: &Sent) -> Vec<XrBlock> {
    let packets = rtcp::packets(&sent.bytes);
    packets
        .filter_map(|p| Some(rtcp::read_extended_report(&p)?.1.collect::<Vec<_>>()))
        .flatten()
        .collect()
}

fn reports(sent: &[Sent], rig: &Rig) -> Vec<Sent> {
    let ours = |sent: &&Sent| sent.port == Port::Rtcp && sent.slot == rig.slot(A);
    sent.iter().filter(ours).cloned().collect()
}

fn ask(rig: &mut Rig, xr: XrWanted) {
    let remote = RemoteMedia { xr, ..remote(A, Codec::Pcmu) };
    rig.order(Command::SetRemote { stream: A, remote, srtp: None });
}

#[test]
fn figures_come_about_every_five_seconds_with_loss_level_and_quality_of_that_stretch() {
    let mut rig = Rig::pair(Codec::Pcmu);
    rig.bridge();
    // The first half minute loses a tenth, the second nothing.
    speak(&mut rig, 60, |n| n < 1500 && n % 10 == 7);
    let of = |stream| rig.figures.iter().filter(move |(_, id, _)| *id == stream);
    assert!((10..=15).contains(&of(A).count()), "{}", of(A).count());
    let start = rig.figures[0].0;
    for (at, _, stats) in of(A) {
        let early = *at < start + Duration::from_secs(18);
        let late = *at > start + Duration::from_secs(40);
        if early {
            assert!((80..=120).contains(&stats.loss_permille), "{stats:?}");
            assert!((280..=370).contains(&stats.mos_centi), "{stats:?}");
        }
        if late {
            assert_eq!(stats.loss_permille, 0);
            assert!(stats.mos_centi > 430, "the loss is over: {stats:?}");
        }
        assert_eq!((stats.heard_dbov, stats.buffer_us), (Some(-23), None));
    }
    assert!(of(B).all(|(_, _, stats)| stats.said_dbov == Some(-23) && stats.mos_centi == 0));
    let told = rig.figures.len();
    rig.millis(60_000);
    assert!(rig.figures.len() <= told + 2, "nothing is told of a stream without packets");
}

#[test]
fn what_comes_too_late_to_be_heard_is_no_loss_of_the_way_and_costs_as_much_quality() {
    let mut rig = Rig::pair(Codec::Opus);
    rig.bridge();
    // A tenth comes 600 ms late, which is longer than the jitter buffer waits.
    let is_late = |n: u16| n % 10 == 7;
    let packet = |rig: &mut Rig, n: u16| {
        let codes: Vec<u8> = (0..160).map(|k| G711::Pcmu.encode((k * 97 + n) as i16)).collect();
        rig.rtp(A, audio(n, u32::from(n) * 160), &codes);
    };
    for n in 0..1500 {
        if !is_late(n) {
            packet(&mut rig, n);
        }
        if let Some(late) = n.checked_sub(30).filter(|late| is_late(*late)) {
            packet(&mut rig, late);
        }
        rig.millis(20);
    }
    let latest = rig.figures.iter().rev().filter(|(_, id, _)| *id == A);
    for (_, _, stats) in latest.take(3) {
        assert!(stats.loss_permille <= 10 && stats.packets_lost <= 3, "{stats:?}");
        let delay = Duration::from_micros(u64::from(stats.buffer_us.unwrap()) + 40_000);
        let with = |loss| {
            let path = quality::Path { loss, burstiness: 1.0, delay };
            i32::from(quality::mos_centi(Codec::Pcmu, &path))
        };
        let score = i32::from(stats.mos_centi);
        assert!((score - with(0.1)).abs() < 20, "as with a tenth lost, {}: {stats:?}", with(0.1));
        assert!(score + 50 < with(0.0), "{}", with(0.0));
    }
}

#[test]
fn what_the_far_end_reports_of_us_is_in_the_figures() {
    let mut rig = Rig::pair(Codec::Pcmu);
    let mut compound = Vec::new();
    let block = ReportBlock { ssrc: 0x1001, fraction_lost: 64, jitter: 80, ..Default::default() };
    rtcp::write_receiver_report(&mut compound, 0xa, Some(&block));
    let metrics = VoipMetrics {
        ssrc: 0x1001,
        loss_rate: 64,
        discard_rate: 0,
        densities: (0, 0),
        durations: (0, 0),
        round_trip: 0,
        end_delay: 0,
        signal_level: 127,
        rating: 60,
        mos: (32, 31),
        receiver: 0,
        buffer: (0, 0, 0),
    };
    rtcp::write_extended_report(&mut compound, 0xa, &[XrBlock::Voip(metrics)]);
    rig.datagram(A, Port::Rtcp, remote(A, Codec::Pcmu).rtcp, &compound);
    let far = rig.plane.stats(A).unwrap().far;
    assert_eq!(
        (far.loss_permille, far.jitter_us, far.mos_centi),
        (Some(250), Some(10_000), Some(320))
    );
}

#[test]
fn extended_reports_go_to_far_ends_that_ask_for_them_and_to_no_others() {
    let mut rig = Rig::pair(Codec::Pcmu);
    let sent = speak(&mut rig, 20, |n| n % 20 == 3);
    assert!(reports(&sent, &rig).iter().all(|sent| extended(sent).is_empty()));
    ask(&mut rig, XrWanted { statistics: true, voip_metrics: true, round_trip: false });
    let mut sent = Vec::new();
    for n in 1000..2000_u16 {
        if n % 20 != 3 {
            rig.rtp(A, audio(n, u32::from(n) * 160), &[0xff; 160]);
        }
        sent.extend(rig.millis(20));
    }
    let last = extended(reports(&sent, &rig).last().unwrap());
    let [XrBlock::Voip(voip), XrBlock::Statistics(statistics)] = last[..] else {
        panic!("{last:?}");
    };
    assert_eq!((voip.ssrc, statistics.ssrc), (0xa, 0xa));
    assert!((11..=14).contains(&voip.loss_rate), "5 % are 13 of 256: {voip:?}");
    assert!((75..=80).contains(&voip.rating), "R of 5 % with concealment is 77: {voip:?}");
    assert_eq!(voip.mos.0, 39);
    let (first, end) = statistics.sequences;
    let lost = (first..end).filter(|n| n % 20 == 3).count() as u32;
    assert_eq!(statistics.lost, lost, "{statistics:?}");
    assert_eq!(statistics.duplicates, 0);
}

#[test]
fn who_only_listens_measures_the_round_trip_by_its_reference_time_and_answers_the_others() {
    let mut rig = Rig::pair(Codec::Pcmu);
    ask(&mut rig, XrWanted { round_trip: true, ..XrWanted::default() });
    rig.rtp(A, audio(0, 0), &[0xff; 160]);
    let sent = rig.millis(8000);
    let report = reports(&sent, &rig).pop().unwrap();
    let blocks = extended(&report);
    let [XrBlock::ReceiverReferenceTime(ntp)] = blocks[..] else { panic!("{blocks:?}") };
    // 40 ms there, a quarter of a second kept, 40 ms back.
    rig.now = report.at + Duration::from_millis(330);
    let mut reply = Vec::new();
    let sender = SenderReport { ssrc: 0xa, ntp: 7 << 32, ..Default::default() };
    rtcp::write_sender_report(&mut reply, &sender, None);
    let dlrr = Dlrr { ssrc: 0x1001, last_rr: ((ntp >> 16) & 0xffff_ffff) as u32, delay: 1 << 14 };
    let theirs = 0x0123_4567_89ab_cdef_u64;
    let blocks = [XrBlock::Dlrr(dlrr), XrBlock::ReceiverReferenceTime(theirs)];
    rtcp::write_extended_report(&mut reply, 0xa, &blocks);
    rig.datagram(A, Port::Rtcp, remote(A, Codec::Pcmu).rtcp, &reply);
    let measured = rig.plane.stats(A).unwrap().round_trip_us.unwrap();
    assert!((79_900..=80_100).contains(&measured), "{measured}");
    let came = rig.now;
    let sent = rig.millis(8000);
    let next = reports(&sent, &rig).remove(0);
    let answered = extended(&next).into_iter().find_map(|block| match block {
        XrBlock::Dlrr(dlrr) => Some(dlrr),
        _ => None,
    });
    let Dlrr { ssrc, last_rr, delay } = answered.unwrap();
    assert_eq!((ssrc, last_rr), (0xa, 0x4567_89ab));
    assert!((f64::from(delay) - (next.at - came).as_secs_f64() * 65_536.0).abs() < 2.0);
    assert_eq!(
        rtcp::packets(&next.bytes).last().unwrap().packet_type,
        packet_type::EXTENDED_REPORT
    );
}
