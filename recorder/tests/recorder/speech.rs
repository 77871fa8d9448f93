//! Legs of every codec and packet length in a recording: through the tap's frames, in bad order,
//! with a tenth of them lost.

use base::{Duration, Instant, Rng};
use media::tap::{self, Frame, FrameKind};
use media::{Channel, Codec, Encoder, OpusSettings, Rate, StreamId, TapId};
use recorder::speech::Speech;
use recorder::timeline::Timeline;

use crate::stage::level;

const HERTZ: f64 = 440.0;
const LOUD: f64 = 10_000.0;

/// One packet of a far end: its number, its time on the codec's clock, and what is in it.
struct Packet {
    sequence: u16,
    timestamp: u32,
    at_ms: u64,
    payload: Vec<u8>,
}

/// What a far end sends in packets of `ptime` milliseconds; empty ones it does not send.
fn packets(codec: Codec, ptime: usize, settings: OpusSettings, pcm: &[i16]) -> Vec<Packet> {
    let mut encoder = Encoder::new(codec, Rate::Wide, settings);
    encoder.set_loss(10);
    let mut sequence = 65_500_u16;
    let mut sent = Vec::new();
    for (n, piece) in pcm.chunks(16 * ptime).enumerate() {
        let mut payload = Vec::with_capacity(1500);
        if encoder.encode(piece, &mut payload) == 0 {
            continue;
        }
        let at_ms = (n * ptime) as u64;
        let ticks = at_ms as u32 * (codec.clock_rate() / 1000);
        sent.push(Packet { sequence, timestamp: ticks.wrapping_sub(5000), at_ms, payload });
        sequence = sequence.wrapping_add(1);
    }
    sent
}

fn tone(milliseconds: usize) -> Vec<i16> {
    let step = std::f64::consts::TAU * HERTZ / 16_000.0;
    (0..16 * milliseconds).map(|n| (LOUD * (step * n as f64).sin()) as i16).collect()
}

/// The left channel of what is recorded, and its gaps.
fn recorded(codec: Codec, arrivals: &[(u64, &Packet)], end_ms: u64) -> (Vec<i16>, u64) {
    let (mut ring, mut frames) = tap::ring(4096);
    let mut speech = Speech::default();
    let mut timeline = Timeline::new(Instant::ZERO, Duration::from_millis(200));
    let mut out = Vec::new();
    let mut arrivals = arrivals.iter().peekable();
    for now in (0..end_ms).step_by(10) {
        while let Some((at, packet)) = arrivals.next_if(|(at, _)| *at <= now) {
            let at = Instant::from_millis(*at);
            let head = Frame {
                stream: StreamId(1),
                timestamp: packet.timestamp,
                sequence: packet.sequence,
                ssrc: 5,
                codec,
                ..Frame::control(TapId(1), Channel::Left, FrameKind::Audio, at)
            };
            assert!(ring.push_packet(&head, &packet.payload));
        }
        while let Some(frame) = frames.pop() {
            speech.take(&frame, &mut |audio| timeline.push(audio));
        }
        let now = Instant::from_millis(now);
        speech.advance(now, &mut |audio| timeline.push(audio));
        timeline.poll(now, &mut out);
    }
    speech.finish(&mut |audio| timeline.push(audio));
    timeline.finish(Instant::from_millis(end_ms), &mut out);
    (out.chunks_exact(2).map(|both| both[0]).collect(), timeline.gaps_ms()[0])
}

/// A tenth never comes, the others up to 50 ms late.
fn in_bad_weather(sent: &[Packet]) -> (Vec<(u64, &Packet)>, u64) {
    let mut rng = Rng::from_seed(3);
    let mut lost = 0;
    let mut arrivals: Vec<(u64, &Packet)> = Vec::new();
    for (n, packet) in sent.iter().enumerate() {
        let is_edge = n == 0 || n + 1 == sent.len();
        if !is_edge && rng.below(10) == 0 {
            lost += 1;
        } else {
            let late = if n == 0 { 0 } else { rng.below(50) };
            arrivals.push((packet.at_ms + late, packet));
        }
    }
    arrivals.sort_by_key(|(at, _)| *at);
    (arrivals, lost)
}

const FEC: OpusSettings = OpusSettings {
    max_bitrate: None,
    max_playback_rate: 48_000,
    fec: true,
    dtx: false,
    cbr: false,
};

#[test]
fn every_codec_and_packet_length_is_recorded_at_its_level_and_to_the_sample_in_length() {
    for codec in Codec::ALL {
        for ptime in [10, 20, 40, 60] {
            let sent = packets(codec, ptime, FEC, &tone(6000));
            let arrivals: Vec<_> = sent.iter().map(|packet| (packet.at_ms, packet)).collect();
            let (left, gaps) = recorded(codec, &arrivals, 6000);
            assert_eq!((left.len(), gaps), (48_000, 0), "{codec:?} of {ptime} ms");
            let heard = level(&left[8000..40_000], HERTZ);
            assert!((heard / LOUD - 1.0).abs() < 0.06, "{codec:?} of {ptime} ms: {heard}");
        }
    }
}

#[test]
fn under_ten_percent_loss_and_reordering_opus_has_no_holes_and_what_came_is_not_moved() {
    for ptime in [20, 40] {
        let sent = packets(Codec::Opus, ptime, FEC, &tone(30_000));
        let (arrivals, lost) = in_bad_weather(&sent);
        let (left, gaps) = recorded(Codec::Opus, &arrivals, 30_000);
        assert!(lost > 30, "{lost}");
        assert_eq!(left.len(), 240_000);
        assert_eq!(gaps, 0, "{lost} packets of {ptime} ms are filled");
        // Concealment guesses the phase now and then; were audio moved by a sample for each loss,
        // thirty seconds would add up to nothing.
        let heard = level(&left[8000..232_000], HERTZ);
        assert!(heard > 0.7 * LOUD, "{ptime} ms: {heard}");
    }
}

#[test]
fn under_ten_percent_loss_g722_is_silent_where_nothing_came_and_nowhere_else() {
    let sent = packets(Codec::G722, 20, OpusSettings::default(), &tone(30_000));
    let (arrivals, lost) = in_bad_weather(&sent);
    let (left, gaps) = recorded(Codec::G722, &arrivals, 30_000);
    assert_eq!((left.len(), gaps), (240_000, 20 * lost));
    let part = 1.0 - lost as f64 / sent.len() as f64;
    let heard = level(&left[8000..232_000], HERTZ);
    assert!((heard / LOUD - part).abs() < 0.06, "{heard}, {lost} lost");
}

#[test]
fn a_pause_in_which_opus_sends_nothing_is_silence_of_its_length() {
    let mut pcm = tone(1000);
    pcm.resize(16 * 4000, 0);
    pcm.extend(tone(1000));
    let dtx = OpusSettings { dtx: true, ..FEC };
    let sent = packets(Codec::Opus, 20, dtx, &pcm);
    assert!(sent.len() < 170, "{} of 250 packets: pauses are not sent", sent.len());
    let arrivals: Vec<_> = sent.iter().map(|packet| (packet.at_ms, packet)).collect();
    let (left, _) = recorded(Codec::Opus, &arrivals, 5000);
    assert_eq!(left.len(), 40_000);
    assert!(level(&left[1600..7200], HERTZ) > 0.9 * LOUD);
    assert!(level(&left[16_000..31_200], HERTZ) < 10.0);
    assert!(level(&left[33_600..39_200], HERTZ) > 0.9 * LOUD);
}
