//! How hard our encoders try, as the worker is busy: what it is worth, and that it stays calm while
//! calls come and go.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod rig;

use base::{Duration, Instant, Rng, UnixTime};
use media::{
    Codec, Command, Decoder, Effort, Encoder, OpusSettings, Plane, Rate, StreamId, WorkerId, tap,
};
use rig::voices::{Voice, talk};
use rig::{A, B, Rig, remote};

/// How often the plane is told.
const EVERY_MS: u64 = 500;

/// A worker as it was measured: microseconds of 20 ms of a call between PCMU and Opus, which are
/// those of encoding, and of all else.
struct Worker {
    plane: Plane,
    now: Instant,
    changes: Vec<(u64, Effort)>,
}

impl Worker {
    fn new() -> Self {
        let (sender, _) = tap::ring(32);
        let plane = Plane::new(WorkerId(0), sender, Rng::from_seed(1), UnixTime::from_micros(0));
        Self { plane, now: Instant::ZERO, changes: Vec::new() }
    }

    /// For so many seconds there are so many calls: the busiest it was, as a part of its time.
    fn carry(&mut self, calls: u32, seconds: u64) -> f32 {
        let mut most = 0.0_f32;
        for _ in 0..seconds * 1000 / EVERY_MS {
            let encoding = if self.plane.effort() == Effort::Full { 85.0 } else { 26.0 };
            let busy = (calls as f32 * (encoding + 33.0) / 20_000.0).min(1.0);
            most = most.max(busy);
            self.now += Duration::from_millis(EVERY_MS);
            let before = self.plane.effort();
            self.plane.handle_load(self.now, busy);
            let after = self.plane.effort();
            if before != after {
                self.changes.push((self.now.as_nanos() / 1_000_000, after));
            }
        }
        most
    }
}

#[test]
fn calls_that_come_and_go_change_it_once_each_way_and_the_worker_never_flutters() {
    let mut worker = Worker::new();
    for calls in 0..=250 {
        worker.carry(calls, 1);
    }
    assert_eq!(worker.changes.len(), 1, "{:?}", worker.changes);
    assert_eq!(worker.plane.effort(), Effort::Least);
    assert!(worker.carry(250, 60) < 0.8, "as many as are wanted on one core, with room");
    for calls in (0..250).rev() {
        worker.carry(calls, 1);
    }
    assert_eq!(worker.changes.len(), 2, "{:?}", worker.changes);
    assert_eq!(worker.plane.effort(), Effort::Full);
    // Any number of calls that stays: it changes once at the most.
    for calls in (0..300).step_by(3) {
        let mut worker = Worker::new();
        worker.carry(calls, 300);
        assert!(worker.changes.len() <= 1, "{calls} calls: {:?}", worker.changes);
    }
}

#[test]
fn many_calls_at_once_are_given_way_to_within_half_a_second() {
    let mut worker = Worker::new();
    assert!(worker.carry(250, 1) >= 1.0);
    assert_eq!(worker.changes, [(EVERY_MS, Effort::Least)]);
}

/// What B is sent in a second, in bytes.
fn bytes_a_second(rig: &mut Rig, voices: &mut [Voice; 2]) -> usize {
    let before = voices[1].packets.len();
    talk(rig, voices, 1000);
    voices[1].packets[before..].iter().map(|packet| packet.bytes).sum()
}

#[test]
fn calls_that_are_up_and_such_as_begin_are_encoded_as_the_worker_has_room() {
    let mut rig = Rig::new();
    rig.open(A, Codec::G722);
    rig.open(B, Codec::Opus);
    let mut voices = [Voice::new(A, Codec::G722, 437.0), Voice::new(B, Codec::Opus, 1130.0)];
    rig.bridge();
    talk(&mut rig, &mut voices, 500);
    let full = bytes_a_second(&mut rig, &mut voices);
    rig.plane.handle_load(rig.now, 0.9);
    let least = bytes_a_second(&mut rig, &mut voices);
    assert!(least * 3 > full * 4, "bits in place of trying: {full} and {least} bytes");
    // Its far end changes what it takes: another encoder, which is as the others are.
    let mut other = remote(B, Codec::Opus);
    other.opus.fec = true;
    rig.order(Command::SetRemote { stream: B, remote: other, srtp: None });
    let again = bytes_a_second(&mut rig, &mut voices);
    assert!(again * 3 > full * 4, "{full} and {again} bytes");
    for n in 0..=20 {
        rig.plane.handle_load(rig.now + Duration::from_millis(500 * n), 0.05);
    }
    assert_eq!(rig.plane.effort(), Effort::Full);
    talk(&mut rig, &mut voices, 100);
    let back = bytes_a_second(&mut rig, &mut voices);
    assert!(back < full * 5 / 4, "{full} and {back} bytes");
}

#[test]
fn a_far_end_gets_no_more_bits_than_it_wants_however_hard_is_tried() {
    let settings = OpusSettings { max_bitrate: Some(16_000), ..OpusSettings::default() };
    for effort in [Effort::Full, Effort::Least] {
        let mut encoder = Encoder::new(Codec::Opus, Rate::Wide, settings);
        encoder.set_effort(effort);
        let mut payload = Vec::new();
        for n in 0..100 {
            encoder.encode(&buzz(Rate::Wide, n), &mut payload);
        }
        assert!(payload.len() * 8 / 2 < 17_500, "{effort:?}: {} bytes", payload.len());
    }
}

#[test]
fn a_change_is_not_heard_as_a_seam() {
    for rate in [Rate::Narrow, Rate::Wide, Rate::Full] {
        let mut encoder = Encoder::new(Codec::Opus, rate, OpusSettings::default());
        let mut decoder = Decoder::new(Codec::Opus, rate);
        let mut heard = Vec::new();
        for n in 0..100 {
            let effort = if n / 10 % 2 == 0 { Effort::Full } else { Effort::Least };
            encoder.set_effort(effort);
            let mut payload = Vec::new();
            encoder.encode(&buzz(rate, n), &mut payload);
            let mut samples = vec![0; rate.per_tick()];
            assert_eq!(decoder.decode(&payload, &mut samples), samples.len());
            heard.extend(samples);
        }
        // Said is a steady buzz: no 20 ms of it are louder or softer than the others by much.
        let power = |tick: &[i16]| tick.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>();
        let powers: Vec<f64> = heard.chunks(rate.per_tick()).skip(10).map(power).collect();
        let (least, most) =
            powers.iter().fold((f64::MAX, 0.0_f64), |(a, b), p| (a.min(*p), b.max(*p)));
        assert!(most / least < 1.6, "{rate:?}: {least} to {most}");
    }
}

/// 20 ms of a buzz of 150 Hz with its overtones up to 3 kHz.
fn buzz(rate: Rate, tick: usize) -> Vec<i16> {
    let samples = rate.per_tick();
    let sample = |n: usize| {
        let t = (tick * samples + n) as f64 / f64::from(rate.hz());
        let tones = (1..20).map(|k| (std::f64::consts::TAU * 150.0 * f64::from(k) * t).sin());
        (1200.0 * tones.sum::<f64>()) as i16
    };
    (0..samples).map(sample).collect()
}

#[test]
fn a_plane_without_calls_takes_a_load_too() {
    let mut worker = Worker::new();
    worker.plane.handle_load(Instant::ZERO, 1.0);
    assert_eq!(worker.plane.effort(), Effort::Least);
    assert!(worker.plane.stats(StreamId(1)).is_none());
}
