//! Reception by content: what is heard of a far end over networks that delay, lose, repeat and
//! reorder, from clocks that drift, in packets of any length. All of it seeded, none of it timed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by it")]

use base::{Duration, Instant, Rng};
use media::ear::{Ear, EarFigures, Heard};
use media::pcm::Rate;
use media::rtp::Header;
use media::{Codec, G711};

const AMPLITUDE: f64 = 8000.0;

/// A packet on its way: when it arrives, and what it is.
#[derive(Clone)]
struct Packet {
    at: Duration,
    header: Header,
    payload: Vec<u8>,
}

/// What was heard.
struct Told {
    pcm: Vec<i16>,
    kinds: Vec<Heard>,
    figures: EarFigures,
    /// Delay figure at each tick, in ms.
    delays: Vec<f64>,
}

impl Told {
    fn share(&self, kind: Heard) -> f64 {
        let count = self.kinds.iter().filter(|heard| **heard == kind).count();
        count as f64 / self.kinds.len() as f64
    }
}

fn tone(hz: f64, seconds: f64) -> Vec<i16> {
    let sample = |n: usize| {
        (AMPLITUDE * (std::f64::consts::TAU * hz * n as f64 / 8000.0).sin()).round() as i16
    };
    (0..(seconds * 8000.0) as usize).map(sample).collect()
}

/// Something like speech: syllables of changing pitch and formants, pauses in between.
fn babble(seconds: f64) -> Vec<i16> {
    let mut phase = 0.0_f64;
    (0..(seconds * 8000.0) as usize)
        .map(|n| {
            let t = n as f64 / 8000.0;
            let pitch = 120.0 + 40.0 * (t * 3.1).sin() + 15.0 * (t * 7.7).sin();
            phase += std::f64::consts::TAU * pitch / 8000.0;
            let syllable = ((t * 3.5).sin() + 0.4).clamp(0.0, 1.0);
            let voice: f64 = (1..12)
                .map(|k| (phase * f64::from(k)).sin() / (1.0 + (f64::from(k) - 4.0).abs()))
                .sum();
            (2500.0 * syllable * voice) as i16
        })
        .collect()
}

/// Sends `pcm` as PCMU in packets of `ptime` ms by a clock that is off by `ppm`.
fn send(pcm: &[i16], ptime: usize, ppm: f64) -> Vec<Packet> {
    pcm.chunks_exact(ptime * 8)
        .enumerate()
        .map(|(n, samples)| {
            let seconds = ((n + 1) * ptime) as f64 / 1000.0 * (1.0 + ppm / 1e6);
            let header = Header {
                payload_type: 0,
                marker: n == 0,
                sequence: (65_500 + n) as u16,
                timestamp: (u32::MAX - 20_000).wrapping_add((n * ptime * 8) as u32),
                ssrc: 7,
            };
            let payload = samples.iter().map(|s| G711::Pcmu.encode(*s)).collect();
            Packet { at: Duration::from_secs_f64(seconds), header, payload }
        })
        .collect()
}

/// What went through the codec and nothing else.
fn coded(pcm: &[i16]) -> Vec<i16> {
    pcm.iter().map(|s| G711::Pcmu.decode(G711::Pcmu.encode(*s))).collect()
}

fn hear(packets: Vec<Packet>, seconds: f64) -> Told {
    hear_at(Rate::Narrow, packets, seconds)
}

fn hear_at(rate: Rate, mut packets: Vec<Packet>, seconds: f64) -> Told {
    packets.sort_by_key(|packet| packet.at);
    let mut ear = Ear::new(rate);
    let mut told =
        Told { pcm: vec![], kinds: vec![], figures: EarFigures::default(), delays: vec![] };
    let mut packets = packets.into_iter().peekable();
    let phase = Duration::from_micros(7300);
    for tick in 0..(seconds * 50.0) as u32 {
        let now = phase + Duration::from_millis(20) * tick;
        while let Some(packet) = packets.next_if(|packet| packet.at <= now) {
            let at = Instant::ZERO + packet.at;
            ear.handle_packet(at, &packet.header, Codec::Pcmu, &packet.payload);
        }
        let mut out = vec![77; rate.per_tick()];
        told.kinds.push(ear.hear(Instant::ZERO + now, &mut out));
        told.pcm.extend(out);
        told.delays.push(ear.figures().delay.as_secs_f64() * 1000.0);
    }
    told.figures = ear.figures();
    told
}

/// Where `needle` lies in `hay`.
fn find(hay: &[i16], needle: &[i16]) -> Option<usize> {
    hay.windows(needle.len()).position(|window| window == needle)
}

/// The largest step between neighbouring samples.
fn largest_step(pcm: &[i16]) -> i32 {
    pcm.windows(2).map(|w| (i32::from(w[1]) - i32::from(w[0])).abs()).max().unwrap_or(0)
}

fn energy(pcm: &[i16]) -> f64 {
    (pcm.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / pcm.len() as f64).sqrt()
}

#[test]
fn a_steady_stream_is_heard_to_the_sample_after_a_short_wait() {
    let pcm = babble(10.0);
    let told = hear(send(&pcm, 20, 0.0), 10.0);
    let heard = coded(&pcm);
    let at = find(&told.pcm, &heard[40_000..60_000]).expect("two seconds without a change");
    let delay = at - 40_000;
    assert!((160..=480).contains(&delay), "{delay} samples from mouth to ear");
    assert_eq!(told.figures.concealed, Duration::ZERO);
    assert_eq!(told.figures.late, 0);
}

#[test]
fn reordered_and_doubled_packets_are_heard_as_if_nothing_had_happened() {
    let pcm = babble(12.0);
    let mut packets = send(&pcm, 20, 0.0);
    let twice: Vec<_> = packets.iter().skip(3).step_by(5).cloned().collect();
    for (n, packet) in packets.iter_mut().enumerate() {
        if n % 7 == 3 {
            packet.at += Duration::from_millis(35);
        }
    }
    packets.extend(twice);
    let told = hear(packets, 12.0);
    assert!(find(&told.pcm, &coded(&pcm)[48_000..80_000]).is_some());
    assert!(told.figures.duplicates >= 100, "{:?}", told.figures);
}

#[test]
fn packets_of_any_length_and_of_changing_length_are_heard_in_full() {
    for ptime in [10, 20, 30, 40, 60] {
        let pcm = babble(8.0);
        let told = hear(send(&pcm, ptime, 0.0), 8.0);
        assert!(find(&told.pcm, &coded(&pcm)[32_000..48_000]).is_some(), "{ptime} ms");
        assert_eq!(told.figures.concealed, Duration::ZERO, "{ptime} ms");
    }
    let pcm = babble(10.0);
    let (first, last) = pcm.split_at(4 * 8000);
    let mut packets = send(first, 20, 0.0);
    for (n, mut packet) in send(last, 30, 0.0).into_iter().enumerate() {
        packet.header.sequence = (65_500 + 200 + n) as u16;
        packet.header.timestamp = packet.header.timestamp.wrapping_add(32_000);
        packet.at += Duration::from_secs(4);
        packets.push(packet);
    }
    let told = hear(packets, 10.0);
    assert!(find(&told.pcm, &coded(&pcm)[16_000..30_000]).is_some());
    assert!(find(&told.pcm, &coded(&pcm)[48_000..72_000]).is_some());
}

#[test]
fn lost_packets_of_a_tone_are_made_up_without_a_click_or_a_hole() {
    let pcm = tone(400.0, 20.0);
    // One packet of ten, and now and then two in a row.
    let lost = |n: usize| n % 10 == 7 || n % 40 == 8;
    let packets = send(&pcm, 20, 0.0).into_iter().enumerate();
    let packets = packets.filter(|(n, _)| !lost(*n)).map(|(_, packet)| packet).collect();
    let told = hear(packets, 19.0);
    let from = 8000;
    let natural = largest_step(&coded(&pcm));
    let step = largest_step(&told.pcm[from..]);
    assert!(step <= natural * 5 / 4, "a step of {step} where {natural} is natural");
    let whole = energy(&pcm);
    let softest = told.pcm[from..].chunks(160).map(energy).fold(f64::MAX, f64::min);
    assert!(softest > whole * 0.2, "a hole of {softest} in {whole}");
    assert!((0.05..0.25).contains(&told.share(Heard::Concealed)));
}

#[test]
fn jitter_of_50_ms_is_waited_out() {
    for seed in 0..8 {
        let mut rng = Rng::from_seed(seed);
        let mut packets = send(&babble(30.0), 20, 0.0);
        for packet in &mut packets {
            packet.at += Duration::from_micros(rng.below(50_000));
        }
        let told = hear(packets, 30.0);
        let seconds = told.figures.concealed.as_secs_f64();
        assert!(seconds < 0.6, "seed {seed}: {seconds} s made up");
        let worst = told.delays[200..].iter().copied().fold(0.0, f64::max);
        assert!(worst < 95.0, "seed {seed}: a wait of {worst} ms");
    }
}

#[test]
fn drifting_clocks_are_followed_without_a_click() {
    for ppm in [-1000.0, -200.0, 200.0, 1000.0] {
        let pcm = tone(400.0, 125.0);
        let told = hear(send(&pcm, 20, ppm), 120.0);
        let natural = largest_step(&coded(&pcm));
        let step = largest_step(&told.pcm[8000..]);
        assert!(step <= natural * 6 / 5, "{ppm} ppm: a step of {step}, natural {natural}");
        let whole = energy(&pcm);
        for piece in told.pcm[8000..].chunks_exact(160).map(energy) {
            assert!((whole * 0.9..whole * 1.1).contains(&piece), "{ppm} ppm: {piece} of {whole}");
        }
        let last = *told.delays.last().unwrap();
        assert!((0.0..60.0).contains(&last), "{ppm} ppm: a wait of {last} ms");
        let skew = f64::from(told.figures.skew_ppm);
        assert!((skew - ppm).abs() < 25.0, "{ppm} ppm seen as {skew}");
        let moved = told.figures.inserted.as_secs_f64() - told.figures.removed.as_secs_f64();
        let expected = ppm / 1e6 * 120.0;
        assert!((moved - expected).abs() < 0.06, "{ppm} ppm: {moved} s of {expected} s");
    }
}

#[test]
fn the_wait_grows_at_once_and_shrinks_within_seconds() {
    let mut packets = send(&babble(40.0), 20, 0.0);
    let mut rng = Rng::from_seed(3);
    for packet in &mut packets {
        if (10..20).contains(&packet.at.as_secs()) {
            packet.at += Duration::from_millis(rng.below(120));
        }
    }
    let told = hear(packets, 40.0);
    let at = |second: usize| told.delays[second * 50];
    assert!(at(9) < 45.0, "{} ms before", at(9));
    assert!((80.0..190.0).contains(&at(15)), "{} ms meanwhile", at(15));
    assert!(at(35) < 50.0, "{} ms after", at(35));
    // After the first second of the jitter, next to nothing is missing.
    let missing = told.kinds[11 * 50..20 * 50].iter().filter(|k| **k == Heard::Concealed).count();
    assert!(missing < 9, "{missing} ticks of 450");
}

#[test]
fn any_network_gives_20_ms_a_tick_and_a_bounded_wait() {
    for seed in 0..40 {
        let mut rng = Rng::from_seed(seed);
        let ptime = [10, 20, 30, 40, 60][rng.below(5) as usize];
        let (loss, jitter) = (rng.below(30), 1 + rng.below(150_000));
        let ppm = rng.below(1000) as f64 - 500.0;
        let mut packets = send(&babble(20.0), ptime, ppm);
        packets.retain(|_| rng.below(100) >= loss);
        for packet in &mut packets {
            packet.at += Duration::from_micros(rng.below(jitter));
        }
        let twice: Vec<_> = packets.iter().filter(|_| rng.below(10) == 0).cloned().collect();
        packets.extend(twice);
        let told = hear(packets, 19.0);
        assert_eq!(told.pcm.len(), 19 * 8000);
        let worst = told.delays[100..].iter().copied().fold(0.0, f64::max);
        let bound = jitter as f64 / 1000.0 + 75.0 + 2.0 * ptime as f64;
        assert!(worst < bound, "seed {seed}: {worst} ms of {bound}, ptime {ptime}, loss {loss} %");
        let quiet = told.kinds[100..].iter().filter(|k| **k == Heard::Silence).count();
        assert!(quiet < 60, "seed {seed}: {quiet} silent ticks");
    }
}

/// Packets that come in any order, from anybody, at any time.
#[test]
fn a_flood_of_sources_or_of_jumps_changes_neither_the_tick_nor_what_is_heard_after_it() {
    for jumps in [false, true] {
        let mut rng = Rng::from_seed(9);
        let mut packets = send(&babble(12.0), 20, 0.0);
        for n in 0..10_000_u32 {
            let header = Header {
                payload_type: 0,
                marker: rng.below(2) == 0,
                sequence: rng.next_u32() as u16,
                timestamp: rng.next_u32(),
                ssrc: if jumps { 7 } else { rng.next_u32() },
            };
            let at = Duration::from_micros(3_000_000 + u64::from(n) * 100);
            packets.push(Packet { at, header, payload: vec![0x55; 160] });
        }
        let told = hear(packets, 12.0);
        assert_eq!(told.pcm.len(), 12 * 8000);
        let after = &told.kinds[6 * 50..11 * 50];
        let speech = after.iter().filter(|kind| **kind == Heard::Speech).count();
        assert!(speech > 240, "{speech} ticks of 250 after the flood, jumps {jumps}");
    }
}

#[test]
fn a_pressed_key_and_a_described_noise_stand_in_for_speech() {
    let pcm = babble(9.0);
    let mut ear = Ear::new(Rate::Narrow);
    let mut kinds = Vec::new();
    for (n, packet) in send(&pcm, 20, 0.0).into_iter().enumerate() {
        let now = Instant::ZERO + packet.at;
        match n {
            100..120 => ear.handle_event(now, &packet.header),
            200 => ear.handle_comfort_noise(now, &packet.header, &[50]),
            201..300 => {}
            _ => {
                let sequence = packet.header.sequence - if n >= 300 { 99 } else { 0 };
                let header = Header { sequence, ..packet.header };
                ear.handle_packet(now, &header, Codec::Pcmu, &packet.payload);
            }
        }
        let mut out = [0; 160];
        kinds.push(ear.hear(now + Duration::from_millis(5), &mut out));
    }
    assert!(kinds[104..118].iter().all(|kind| *kind == Heard::Silence), "{:?}", &kinds[95..125]);
    assert!(kinds[210..298].iter().all(|kind| *kind == Heard::Noise), "{:?}", &kinds[195..305]);
    assert!(kinds[130..198].iter().all(|kind| *kind == Heard::Speech), "speech goes on");
    assert!(kinds[306..440].iter().all(|kind| *kind == Heard::Speech), "and again");
    assert!(ear.figures().concealed < Duration::from_millis(200), "{:?}", ear.figures());
}
