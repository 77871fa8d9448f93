//! The timeline: where audio lies, what is silence, and how long it all is.

use crate::stage::{AGENT, CALLER, level, tone};
use base::{Duration, Instant, Rng};
use media::{Channel, StreamId};
use recorder::timeline::{Audio, Timeline};

const WINDOW: Duration = Duration::from_millis(200);

/// A stream of 20 ms packets of one tone, pushed at will.
struct Voice {
    channel: Channel,
    hertz: f64,
    timestamp: u32,
    sequence: u16,
    ssrc: u32,
}

impl Voice {
    fn new(channel: Channel, hertz: f64) -> Self {
        Self { channel, hertz, timestamp: 4_294_967_000, sequence: 65_530, ssrc: 1 }
    }

    /// Packet `n` of the stream arrives at `at`.
    fn packet(&self, timeline: &mut Timeline, n: u64, at: Instant) {
        self.packet_of(StreamId(1), timeline, n, at);
    }

    fn packet_of(&self, stream: StreamId, timeline: &mut Timeline, n: u64, at: Instant) {
        let samples: Vec<i16> = (0..160).map(|s| tone(self.hertz, n * 160 + s)).collect();
        timeline.push(&Audio {
            channel: self.channel,
            stream,
            at,
            timestamp: self.timestamp.wrapping_add((n * 160) as u32),
            sequence: self.sequence.wrapping_add(n as u16),
            ssrc: self.ssrc,
            samples: &samples,
        });
    }
}

fn ms(millis: u64) -> Instant {
    Instant::from_millis(millis)
}

fn split(samples: &[i16]) -> (Vec<i16>, Vec<i16>) {
    samples.chunks_exact(2).map(|both| (both[0], both[1])).unzip()
}

#[test]
fn each_tone_is_on_its_own_channel_at_its_level_without_crosstalk() {
    let mut timeline = Timeline::new(ms(500), WINDOW);
    let (caller, agent) = (Voice::new(Channel::Left, CALLER), Voice::new(Channel::Right, AGENT));
    let mut out = Vec::new();
    for n in 0..150 {
        caller.packet(&mut timeline, n, ms(500 + 20 * n));
        agent.packet(&mut timeline, n, ms(507 + 20 * n));
        timeline.poll(ms(510 + 20 * n), &mut out);
    }
    timeline.finish(ms(3500), &mut out);
    let (left, right) = split(&out);
    assert_eq!(left.len(), 24_000);
    assert!((level(&left, CALLER) - 16_384.0).abs() < 20.0);
    assert!((level(&right[160..], AGENT) - 16_384.0).abs() < 60.0);
    assert!(level(&left, AGENT) < 5.0 && level(&right[160..23_920], CALLER) < 60.0);
    assert_eq!(left[8000], tone(CALLER, 8000), "the caller's first packet came at the start");
    assert_eq!(right[8056], tone(AGENT, 8000), "the agent's came 7 ms, 56 samples, after it");
}

#[test]
fn ten_percent_loss_jitter_reordering_and_duplicates_do_not_change_the_length_or_move_audio() {
    let mut rng = Rng::from_seed(11);
    let voice = Voice::new(Channel::Left, CALLER);
    let mut arrivals = Vec::new();
    for n in 0..3000_u64 {
        if n > 0 && rng.below(10) == 0 {
            continue;
        }
        for _ in 0..=u64::from(rng.below(20) == 0) {
            arrivals.push((ms(20 * n + if n == 0 { 0 } else { rng.below(51) }), n));
        }
    }
    arrivals.sort();
    let mut timeline = Timeline::new(Instant::ZERO, WINDOW);
    let mut out = Vec::new();
    for (at, n) in &arrivals {
        voice.packet(&mut timeline, *n, *at);
        timeline.poll(*at, &mut out);
    }
    timeline.finish(ms(60_013), &mut out);
    let (left, right) = split(&out);
    assert_eq!(left.len(), 60_013 * 8);
    let mut heard: Vec<u64> = arrivals.iter().map(|(_, n)| *n).collect();
    heard.sort_unstable();
    heard.dedup();
    for n in 0..3000 {
        let place = (n * 160) as usize;
        let expected: Vec<i16> = (0..160)
            .map(|s| if heard.binary_search(&n).is_ok() { tone(CALLER, n * 160 + s) } else { 0 })
            .collect();
        assert_eq!(left[place..place + 160], expected, "packet {n}");
    }
    assert!(right.iter().all(|sample| *sample == 0));
    let last = *heard.last().unwrap();
    let lost = (0..last).filter(|n| heard.binary_search(n).is_err()).count() as u64;
    assert_eq!(timeline.gaps_ms(), [20 * lost, 0]);
}

#[test]
fn a_packet_that_comes_after_its_time_was_given_out_is_dropped_and_counts_as_a_gap() {
    let voice = Voice::new(Channel::Left, CALLER);
    let mut timeline = Timeline::new(Instant::ZERO, WINDOW);
    let mut out = Vec::new();
    for n in [0, 1, 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19] {
        voice.packet(&mut timeline, n, ms(20 * n));
    }
    timeline.poll(ms(400), &mut out);
    voice.packet(&mut timeline, 4, ms(400));
    timeline.finish(ms(400), &mut out);
    let (left, _) = split(&out);
    assert!(left[640..800].iter().all(|sample| *sample == 0));
    assert_eq!(left[800 + 3], tone(CALLER, 803));
    assert_eq!(timeline.gaps_ms(), [20, 0]);
}

#[test]
fn a_new_ssrc_or_a_timestamp_that_leaps_is_placed_by_its_arrival() {
    let mut voice = Voice::new(Channel::Right, AGENT);
    let mut timeline = Timeline::new(Instant::ZERO, WINDOW);
    let mut out = Vec::new();
    voice.packet(&mut timeline, 0, ms(0));
    voice.ssrc = 2;
    voice.timestamp = 5;
    voice.packet(&mut timeline, 1, ms(1000));
    voice.timestamp = 3_000_000_000;
    voice.packet(&mut timeline, 2, ms(2000));
    timeline.finish(ms(2500), &mut out);
    let (_, right) = split(&out);
    assert_eq!(right[3], tone(AGENT, 3));
    assert_eq!(right[8003], tone(AGENT, 163));
    assert_eq!(right[16_003], tone(AGENT, 323));
    assert_eq!(right.len(), 20_000);
}

#[test]
fn a_timestamp_that_stands_still_while_nothing_is_sent_moves_the_anchor_within_a_second() {
    // The far end does not count on while it is silent: RFC 3550 says it must, some do not.
    let voice = Voice::new(Channel::Left, CALLER);
    let mut timeline = Timeline::new(Instant::ZERO, WINDOW);
    let mut out = Vec::new();
    for n in 0..100 {
        let at = ms(20 * n + if n >= 50 { 700 } else { 0 });
        timeline.poll(at, &mut out);
        voice.packet(&mut timeline, n, at);
    }
    timeline.finish(ms(3000), &mut out);
    let (left, _) = split(&out);
    let end: usize = (2680 - 200) * 8;
    assert!(level(&left[end - 1600..end], CALLER) > 15_000.0, "it is heard again");
}

#[test]
fn a_sender_whose_clock_is_wrong_by_300_ppm_is_never_off_by_more_than_60_ms() {
    for (direction, ppm) in [(1_i64, 300_i64), (-1, 300)] {
        let voice = Voice::new(Channel::Left, CALLER);
        let mut timeline = Timeline::new(Instant::ZERO, WINDOW);
        let mut out = Vec::new();
        let period = (20_000_000 + direction * 20_000_000 * ppm / 1_000_000).cast_unsigned();
        let packets = 12 * 60 * 50;
        for n in 0..packets {
            let at = Instant::from_nanos(period * n);
            timeline.poll(at, &mut out);
            voice.packet(&mut timeline, n, at);
        }
        let end = Instant::from_nanos(period * packets);
        timeline.finish(end, &mut out);
        let (left, _) = split(&out);
        // The last packet's audio ends where its arrival says, not 216 ms beside it.
        let heard = left.iter().rposition(|sample| *sample != 0).unwrap();
        let off = heard as i64 - left.len() as i64;
        assert!(off.abs() < 480, "{off} samples off with {} ppm", direction * ppm);
        let silent = left.windows(4).filter(|few| few.iter().all(|s| *s == 0)).count();
        assert!(silent < 2000, "{silent}: corrections leave no holes");
    }
}

#[test]
fn a_stream_whose_first_packet_came_late_is_put_right_unheard() {
    const HERTZ: f64 = 437.0;
    for delay in [70_i64, -70] {
        let voice = Voice::new(Channel::Left, HERTZ);
        let mut timeline = Timeline::new(Instant::ZERO, WINDOW);
        let mut out = Vec::new();
        let packets = 1000;
        for n in 0..packets {
            // All others come sooner, or later, than the first one promises.
            let beside = if n == 0 { delay } else { 0 };
            let at = ms((100_u64 + 20 * n).saturating_add_signed(beside));
            timeline.poll(at, &mut out);
            voice.packet(&mut timeline, n, at);
        }
        let end = 100 + 20 * packets;
        timeline.finish(ms(end), &mut out);
        let (left, _) = split(&out);
        let heard = left.iter().rposition(|sample| *sample != 0).unwrap() as i64;
        assert!((heard - end as i64 * 8).abs() < 180, "{heard}: with {delay} ms not put right");
        // A tone that is torn at each packet is none any more in 100 ms of it.
        let windows = left[8000..].chunks_exact(800).map(|window| level(window, HERTZ));
        let (least, full) =
            windows.fold((f64::MAX, 0.0_f64), |(least, full), now| (least.min(now), full.max(now)));
        assert!(least > full * 0.8, "{least} of {full}: it is torn, with {delay} ms");
    }
}

#[test]
fn a_packet_without_audio_leaves_silence_and_its_successors_in_place() {
    let voice = Voice::new(Channel::Left, CALLER);
    let mut timeline = Timeline::new(Instant::ZERO, WINDOW);
    let mut out = Vec::new();
    voice.packet(&mut timeline, 0, ms(0));
    for n in 1..4 {
        // RFC 4733: the packets of one event share the timestamp of its beginning.
        timeline.push(&Audio {
            channel: Channel::Left,
            stream: StreamId(1),
            at: ms(20 * n),
            timestamp: voice.timestamp.wrapping_add(160),
            sequence: voice.sequence.wrapping_add(n as u16),
            ssrc: 1,
            samples: &[],
        });
    }
    voice.packet(&mut timeline, 4, ms(80));
    timeline.finish(ms(100), &mut out);
    let (left, _) = split(&out);
    assert!(left[160..640].iter().all(|sample| *sample == 0));
    assert_eq!(left[643], tone(CALLER, 643));
}

#[test]
fn a_recording_in_which_nobody_speaks_is_silence_of_its_length() {
    let mut timeline = Timeline::new(ms(77), WINDOW);
    let mut out = Vec::new();
    for tick in 0..100 {
        timeline.poll(ms(77 + 10 * tick), &mut out);
    }
    timeline.finish(ms(1077), &mut out);
    assert_eq!(out, vec![0; 16_000]);
}

#[test]
fn two_streams_of_one_channel_are_heard_together_even_with_one_ssrc() {
    let mut timeline = Timeline::new(Instant::ZERO, WINDOW);
    let mut out = Vec::new();
    let (one, other) = (Voice::new(Channel::Left, CALLER), Voice::new(Channel::Left, AGENT));
    for n in 0..100 {
        one.packet(&mut timeline, n, ms(20 * n));
        other.packet_of(StreamId(2), &mut timeline, n, ms(20 * n + 3));
        timeline.poll(ms(20 * n), &mut out);
    }
    timeline.finish(ms(2000), &mut out);
    let (left, _) = split(&out);
    assert_eq!(left.len(), 16_000);
    assert!((level(&left, CALLER) - 16_384.0).abs() < 60.0);
    assert!((level(&left[160..], AGENT) - 16_384.0).abs() < 60.0);
    assert_eq!(timeline.gaps_ms(), [0, 0]);
}

#[test]
fn what_is_said_in_a_pause_is_silence_of_its_exact_length_and_no_gap() {
    let mut timeline = Timeline::new(ms(0), WINDOW);
    let voice = Voice::new(Channel::Left, CALLER);
    let mut out = Vec::new();
    for n in 0..150 {
        match n {
            50 => timeline.pause(ms(1007)),
            100 => timeline.resume(ms(2013)),
            _ => {}
        }
        // Some come late, and some out of order.
        let late = if n % 7 == 3 { 60 } else { 0 };
        voice.packet(&mut timeline, n, ms(20 * n + late));
        timeline.poll(ms(20 * n), &mut out);
    }
    timeline.finish(ms(3000), &mut out);
    let (left, _) = split(&out);
    assert_eq!(left.len(), 24_000, "the time goes on");
    let (from, until) = (8 * 1007, 8 * 2013);
    assert!(left[from..until].iter().all(|sample| *sample == 0));
    for place in [from - 1, until, 8, 23_999] {
        assert_eq!(left[place], tone(CALLER, place as u64), "sample {place}");
    }
    assert_eq!(timeline.gaps_ms(), [0, 0]);
    let [pause] = timeline.pauses()[..] else { panic!("one pause") };
    assert_eq!((pause.from_ms, pause.lasts_ms), (1007, 1006));
}

/// Voices are tapped no more a little before the pause, and again a little after it.
#[test]
fn what_is_not_tapped_at_both_ends_of_a_pause_is_no_gap_and_what_is_lost_beyond_is_one() {
    let mut timeline = Timeline::new(ms(0), WINDOW);
    let voice = Voice::new(Channel::Right, CALLER);
    let mut out = Vec::new();
    for n in 0..150 {
        match n {
            50 => timeline.pause(ms(1009)),
            100 => timeline.resume(ms(2003)),
            _ => {}
        }
        let is_tapped = !(48..103).contains(&n) && n != 120;
        if is_tapped {
            voice.packet(&mut timeline, n, ms(20 * n));
        }
        timeline.poll(ms(20 * n), &mut out);
    }
    timeline.finish(ms(3000), &mut out);
    assert_eq!(timeline.gaps_ms(), [0, 20]);
}

#[test]
fn pauses_without_end_and_too_many_of_them_are_silent_to_the_last_sample() {
    let mut timeline = Timeline::new(ms(0), WINDOW);
    let voice = Voice::new(Channel::Left, CALLER);
    let mut out = Vec::new();
    for n in 0..1000_u64 {
        if n % 4 == 0 {
            timeline.pause(ms(20 * n));
        } else if n % 4 == 2 && n < 990 {
            timeline.resume(ms(20 * n));
        }
        voice.packet(&mut timeline, n, ms(20 * n));
        timeline.poll(ms(20 * n), &mut out);
    }
    timeline.finish(ms(20_000), &mut out);
    let (left, _) = split(&out);
    for n in 0..1000 {
        let said = left[160 * n..160 * (n + 1)].iter().any(|sample| *sample != 0);
        assert!(!said || n % 4 >= 2, "packet {n} was said in a pause");
        assert!(said || n % 4 < 2 || n > 390, "packet {n} was said in none");
    }
    assert!(timeline.pauses().len() <= 100);
}
