//! Comfort noise (RFC 3389): passed on to who takes it, made to sound for who does not, and sent
//! in place of a silence.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod rig;

use std::f64::consts::TAU;

use media::rtp::Header;
use media::{Codec, Command, Encoder, G711, Masking, OpusSettings, Port, RemoteMedia, StreamId};
use rig::voices::{Voice, talk};
use rig::{A, B, Rig, Sent, audio, far, remote};

/// A far end that takes noise by that number, or none.
fn settle(rig: &mut Rig, stream: StreamId, codec: Codec, comfort_noise: Option<u8>) {
    let remote = RemoteMedia { comfort_noise, ..remote(stream, codec) };
    rig.order(Command::SetRemote { stream, remote, srtp: None });
}

fn bridged(a: (Codec, Option<u8>), b: (Codec, Option<u8>)) -> Rig {
    let mut rig = Rig::pair(b.0);
    settle(&mut rig, A, a.0, a.1);
    settle(&mut rig, B, b.0, b.1);
    rig.bridge();
    rig
}

/// A far end with a voice and noise, packet by packet.
struct Talker {
    sequence: u16,
    timestamp: u32,
}

impl Talker {
    fn new() -> Self {
        Self { sequence: 500, timestamp: 9000 }
    }

    /// A second's part of speech; what goes to the other side meanwhile.
    fn speaks(&mut self, rig: &mut Rig, packets: u32) -> Vec<Sent> {
        let mut sent = Vec::new();
        for _ in 0..packets {
            let code = |n: u32| {
                let turn = std::f64::consts::TAU * 300.0 / 8000.0;
                let sample = 6000.0 * (f64::from(self.timestamp + n) * turn).sin();
                G711::Pcmu.encode(sample as i16)
            };
            let payload: Vec<u8> = (0..160).map(code).collect();
            sent.extend(rig.rtp(A, audio(self.sequence, self.timestamp), &payload));
            self.step(160);
            sent.extend(rig.rtp_of(20));
        }
        sent
    }

    /// A silence that is described by packets of that number, 200 ms apart.
    fn is_silent(&mut self, rig: &mut Rig, kind: u8, payload: &[u8], times: u32) -> Vec<Sent> {
        let mut sent = Vec::new();
        for _ in 0..times {
            let header = Header { payload_type: kind, ..audio(self.sequence, self.timestamp) };
            sent.extend(rig.rtp(A, header, payload));
            self.step(1600);
            sent.extend(rig.rtp_of(200));
        }
        sent
    }

    fn step(&mut self, ticks: u32) {
        (self.sequence, self.timestamp) = (self.sequence + 1, self.timestamp + ticks);
    }
}

/// The level of what went as G.711 to B, in dBov.
fn level(sent: &[Sent]) -> f64 {
    let speech = sent.iter().filter(|sent| sent.to == far(B) && sent.header().payload_type == 0);
    let samples: Vec<f64> = speech
        .flat_map(|sent| sent.payload().iter().map(|code| f64::from(G711::Pcmu.decode(*code))))
        .collect();
    let power = samples.iter().map(|s| s * s).sum::<f64>() / samples.len().max(1) as f64;
    10.0 * (power / (32_768.0 * 32_768.0)).log10()
}

#[test]
fn noise_goes_on_as_it_is_to_who_takes_it_by_another_number() {
    let mut rig = bridged((Codec::Pcmu, Some(13)), (Codec::Pcmu, Some(97)));
    let mut talker = Talker::new();
    let before = talker.speaks(&mut rig, 10);
    let noise = talker.is_silent(&mut rig, 13, &[62, 140, 110], 2);
    let after = talker.speaks(&mut rig, 2);
    assert_eq!(noise.len(), 2);
    let last = before.last().unwrap().header();
    for (n, sent) in noise.iter().enumerate() {
        let header = sent.header();
        assert_eq!((header.payload_type, sent.payload()), (97, &[62, 140, 110][..]));
        assert_eq!(header.sequence, last.sequence.wrapping_add(n as u16 + 1));
    }
    let first = after[0].header();
    assert_eq!(first.timestamp.wrapping_sub(last.timestamp), 160 + 3200, "time went on");
    assert_eq!(first.sequence, last.sequence.wrapping_add(3), "and nothing looks lost");
}

#[test]
fn noise_is_made_at_the_level_that_was_told_for_who_does_not_take_it() {
    for (kind, negotiated) in [(13, Some(13)), (98, Some(98)), (13, None)] {
        for told in [40_u8, 55] {
            let mut rig = bridged((Codec::Pcmu, negotiated), (Codec::Pcmu, None));
            let mut talker = Talker::new();
            let speech = talker.speaks(&mut rig, 50);
            assert!((level(&speech) + 17.8).abs() < 1.0, "{}", level(&speech));
            talker.is_silent(&mut rig, kind, &[told], 5);
            let noise = talker.is_silent(&mut rig, kind, &[told], 5);
            let heard = level(&noise);
            assert!((heard + f64::from(told)).abs() < 2.0, "{heard} dBov for {told} by {kind}");
            let packets = noise.iter().filter(|sent| sent.to == far(B)).count();
            assert!((49..=51).contains(&packets), "{packets} packets in a second");
            talker.speaks(&mut rig, 25);
            let again = talker.speaks(&mut rig, 25);
            assert!((level(&again) + 17.8).abs() < 1.0, "speech again: {}", level(&again));
        }
    }
}

#[test]
fn who_is_masked_says_no_noise() {
    let mut rig = bridged((Codec::Pcmu, Some(13)), (Codec::Pcmu, Some(13)));
    rig.order(Command::Mask { stream: A, masking: Masking::All });
    let mut talker = Talker::new();
    talker.speaks(&mut rig, 10);
    assert_eq!(talker.is_silent(&mut rig, 13, &[30], 3), []);
}

/// What went to B with that payload type since a moment.
fn to_b(sent: &[Sent], kind: u8) -> Vec<&Sent> {
    let there = sent.iter().filter(|sent| sent.to == far(B) && sent.port == Port::Rtp);
    there.filter(|sent| sent.header().payload_type == kind).collect()
}

#[test]
fn a_pause_of_an_opus_far_end_is_noise_by_number_for_who_takes_it_and_packets_for_who_does_not() {
    for noise in [Some(13), None] {
        let mut rig = bridged((Codec::Opus, None), (Codec::Pcmu, noise));
        let mut voices = [Voice::new(A, Codec::Opus, 440.0), Voice::new(B, Codec::Pcmu, 900.0)];
        talk(&mut rig, &mut voices, 1000);
        let spoken = voices[1].packets.len();
        let last = voices[1].packets[spoken - 1].header;
        // The far end's DTX: nothing comes for two seconds.
        let pause = rig.millis(2000);
        let (silence, descriptions) = (to_b(&pause, 0).len(), to_b(&pause, 13));
        if noise.is_none() {
            assert!(silence >= 98 && descriptions.is_empty(), "{silence}: a packet every 20 ms");
            continue;
        }
        assert!(silence <= 16, "{silence}: made-up speech, and a tenth of a second");
        assert!((8..=10).contains(&descriptions.len()), "{}", descriptions.len());
        for sent in &descriptions[2..] {
            assert_eq!((sent.payload(), sent.header().marker), (&[127][..], false), "silence");
        }
        let steps: Vec<u32> = descriptions
            .windows(2)
            .map(|two| two[1].header().timestamp.wrapping_sub(two[0].header().timestamp))
            .collect();
        assert!(steps.iter().all(|step| *step == 1600), "{steps:?}");
        talk(&mut rig, &mut voices, 500);
        let first = voices[1].packets[spoken..].iter().find(|packet| packet.header.marker);
        let first = first.expect("a talkspurt begins").header;
        let passed = f64::from(first.timestamp.wrapping_sub(last.timestamp)) / 8000.0;
        assert!((1.9..2.3).contains(&passed), "{passed} s went by");
        let level = rig::voices::amplitude(
            &voices[1].packets.last().unwrap().samples,
            440.0,
            media::Rate::Narrow,
        );
        assert!(level > 4000.0, "{level}: it is heard again");
    }
}

#[test]
fn noise_that_a_far_end_describes_is_described_to_one_of_another_codec_by_its_level() {
    let mut rig = bridged((Codec::Pcmu, Some(13)), (Codec::G722, Some(13)));
    let mut talker = Talker::new();
    talker.speaks(&mut rig, 50);
    talker.is_silent(&mut rig, 13, &[48], 5);
    let sent = talker.is_silent(&mut rig, 13, &[48], 10);
    let levels: Vec<u8> = to_b(&sent, 13).iter().map(|sent| sent.payload()[0]).collect();
    assert!((9..=11).contains(&levels.len()), "{levels:?}");
    assert!(levels.iter().all(|level| (46..=50).contains(level)), "{levels:?}");
    assert_eq!(to_b(&sent, 9).len(), 0, "and nothing else");
}

/// A far end with DTX: a packet of its noise every 400 ms, as libopus sends it, and a short one that
/// says that nothing follows, as browsers do, or not.
#[test]
fn the_noise_of_an_opus_sender_with_dtx_is_steady_and_is_described_to_who_takes_noise() {
    for (tells, noise) in [(true, None), (false, None), (true, Some(13))] {
        let mut rig = bridged((Codec::Opus, None), (Codec::Pcmu, noise));
        let settings = OpusSettings { dtx: true, ..OpusSettings::default() };
        let mut encoder = Encoder::new(Codec::Opus, media::Rate::Wide, settings);
        let (mut sequence, mut told, mut sent) = (10_u16, false, Vec::new());
        let mut seed = 7_u32;
        for n in 0..500_u32 {
            // Two seconds of a voice, then noise at -63 dBov.
            let pcm: Vec<i16> = (0..320_u32)
                .map(|at| {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let hiss = f64::from(seed >> 16) / 65_536.0 * 80.0 - 40.0;
                    let t = f64::from(n * 320 + at) / 16_000.0;
                    let buzz = (1..9).map(|k| (t * 130.0 * f64::from(k) * TAU).sin()).sum::<f64>();
                    let swell = 0.5 + 0.5 * (t * 4.0 * TAU).sin();
                    if n < 100 { (900.0 * buzz * swell + hiss) as i16 } else { hiss as i16 }
                })
                .collect();
            let mut payload = Vec::new();
            encoder.encode(&pcm, &mut payload);
            if payload.is_empty() && tells && !told {
                payload.push(9 << 3);
            }
            told = payload.len() < 2;
            if !payload.is_empty() {
                let payload_type = Codec::Opus.offered_payload_type();
                let header = Header { payload_type, ..audio(sequence, n * 960) };
                sent.extend(rig.rtp(A, header, &payload));
                sequence += 1;
            }
            sent.extend(rig.rtp_of(20));
        }
        assert!(sequence < 250, "{sequence}: most is not sent");
        if noise.is_some() {
            let levels: Vec<u8> = to_b(&sent, 13).iter().map(|sent| sent.payload()[0]).collect();
            let settled = &levels[levels.len() / 2..];
            assert!(
                levels.len() >= 25 && settled.iter().all(|l| (56..=72).contains(l)),
                "{levels:?}"
            );
            continue;
        }
        // The last four seconds by tenths of a second: no gaps, and no bursts.
        let speech: Vec<Sent> = sent.into_iter().filter(|sent| sent.to == far(B)).collect();
        let levels: Vec<f64> = speech[speech.len() - 200..].chunks(5).map(level).collect();
        let steady = levels.iter().filter(|level| (-74.0..-55.0).contains(*level)).count();
        // Who does not say that nothing follows is taken to have lost it, now and then.
        assert!(steady >= if tells { 40 } else { 30 }, "{tells}: {levels:?}");
    }
}
