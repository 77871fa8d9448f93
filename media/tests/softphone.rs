//! Two built-in endpoints talk through a bridge: what one says is what the other hears.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod rig;

use std::sync::Arc;

use base::{Duration, Instant};
use media::softphone::Softphone;
use media::{Codec, Command, Port};
use rig::{A, B, Rig, far, remote};

fn tone(hz: f64) -> Arc<[i16]> {
    let step = hz * std::f64::consts::TAU / 8000.0;
    (0..8000).map(|n| (8000.0 * (f64::from(n) * step).sin()) as i16).collect()
}

/// Amplitude of a frequency.
fn level(signal: &[i16], hz: f64) -> f64 {
    let step = hz * std::f64::consts::TAU / 8000.0;
    let (mut re, mut im) = (0.0, 0.0);
    for (n, x) in signal.iter().enumerate() {
        let angle = n as f64 * step;
        re += f64::from(*x) * angle.cos();
        im += f64::from(*x) * angle.sin();
    }
    2.0 * f64::hypot(re, im) / signal.len() as f64
}

struct Talk {
    rig: Rig,
    caller: Softphone,
    agent: Softphone,
}

impl Talk {
    fn new() -> Self {
        let rig = Rig::pair(Codec::Pcma);
        let delay = Duration::from_millis(40);
        // The engine's address does not matter on this wire.
        let caller = Softphone::new(0x1111_1111, remote(A, Codec::Pcmu), delay, true);
        let agent = Softphone::new(0x2222_2222, remote(A, Codec::Pcma), delay, true);
        Self { rig, caller, agent }
    }

    /// Steps of 5 ms: phones to plane, plane to phones.
    fn run(&mut self, millis: u64) {
        for _ in 0..millis / 5 {
            let mut sent = self.rig.millis(5);
            let now = self.rig.now;
            for (stream, phone) in [(A, &mut self.caller), (B, &mut self.agent)] {
                phone.handle_timeout(now);
                while let Some(packet) = phone.poll_output() {
                    let mut from = far(stream);
                    from.set_port(if packet.port == Port::Rtp { 4000 } else { 4001 });
                    sent.extend(self.rig.datagram(stream, packet.port, from, &packet.bytes));
                }
            }
            for packet in sent {
                let to_caller = packet.slot == self.rig.slot(A);
                let phone = if to_caller { &mut self.caller } else { &mut self.agent };
                phone.handle_packet(now, packet.port, &packet.bytes);
            }
        }
    }
}

#[test]
fn each_hears_the_others_tone_at_its_level_and_not_its_own() {
    let mut talk = Talk::new();
    talk.caller.speak(tone(1000.0), true);
    talk.agent.speak(tone(440.0), true);
    talk.rig.bridge();
    talk.run(4000);
    for (phone, other, own) in [(&mut talk.caller, 440.0, 1000.0), (&mut talk.agent, 1000.0, 440.0)]
    {
        let heard = phone.take_heard();
        assert!(heard.len() > 30_000);
        let middle = &heard[8000..24_000];
        let change = 20.0 * (level(middle, other) / 8000.0).log10();
        assert!(change.abs() < 0.25, "{change} dB");
        assert!(level(middle, own) < 20.0);
        let stats = phone.stats();
        assert_eq!((stats.packets_lost, stats.packets_late, stats.restarts), (0, 0, 0));
    }
    let stats = talk.rig.plane.stats(A).unwrap();
    assert_eq!((stats.packets_lost, stats.refused_packets), (0, 0));
    assert!(stats.mos_centi >= 430, "{}", stats.mos_centi);
}

#[test]
fn a_key_pressed_is_one_key_heard_and_the_tone_goes_on() {
    let mut talk = Talk::new();
    talk.rig.bridge();
    talk.caller.speak(tone(1000.0), true);
    for key in [1, 11, 1] {
        talk.run(300);
        talk.caller.press(key, Duration::from_millis(100));
    }
    talk.run(1000);
    assert_eq!(talk.agent.heard_digits(), [1, 11, 1]);
    let heard = talk.agent.take_heard();
    assert!(level(&heard[heard.len() - 4000..], 1000.0) > 7500.0);
}

#[test]
fn from_music_to_bridge_the_ear_sees_one_source_and_the_round_trip_is_measured() {
    let mut talk = Talk::new();
    talk.run(100);
    let music = rig::ramp(4000);
    talk.rig.play(A, 1, &music, true);
    talk.run(3000);
    talk.rig.order(Command::StopPlaying { stream: A });
    talk.rig.bridge();
    talk.agent.speak(tone(440.0), true);
    talk.run(20_000);
    let stats = talk.caller.stats();
    assert_eq!((stats.restarts, stats.packets_lost), (0, 0));
    assert!(stats.round_trip.is_some_and(|t| t < Duration::from_millis(10)), "{stats:?}");
    let measured = talk.rig.plane.stats(A).unwrap().round_trip_us;
    assert!(measured.is_some_and(|us| us < 10_000), "{measured:?}");
    assert!(talk.rig.now > Instant::ZERO);
}
