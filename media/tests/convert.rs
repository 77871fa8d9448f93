//! Far ends that hear each other in different codecs, and changes of the way in mid-call.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod rig;

use std::f64::consts::TAU;
use std::sync::Arc;

use base::Duration;
use media::{
    Codec, Command, Event, Member, MixId, PlayId, Prompt, Rate, RemoteMedia, Role, StreamId,
};
use rig::voices::{Voice, amplitude, roughness, talk};
use rig::{A, B, Rig, audio, far, remote};

const C: StreamId = StreamId(3);

fn pair(a: Codec, b: Codec) -> (Rig, [Voice; 2]) {
    let mut rig = Rig::new();
    rig.open(A, a);
    rig.open(B, b);
    (rig, [Voice::new(A, a, 437.0), Voice::new(B, b, 1130.0)])
}

fn change(rig: &mut Rig, stream: StreamId, change: impl FnOnce(&mut RemoteMedia), codec: Codec) {
    let mut remote = remote(stream, codec);
    change(&mut remote);
    rig.order(Command::SetRemote { stream, remote, srtp: None });
}

#[test]
fn every_codec_hears_every_other_at_the_level_it_was_said() {
    for a in Codec::ALL {
        for b in Codec::ALL {
            let (mut rig, mut voices) = pair(a, b);
            rig.bridge();
            talk(&mut rig, &mut voices, 600);
            let since = rig.now;
            talk(&mut rig, &mut voices, 1000);
            for (hearer, own, other) in [(0, 437.0, 1130.0), (1, 1130.0, 437.0)] {
                let level = voices[hearer].hears(other, since);
                let db = 20.0 * (level / 6000.0).log10();
                assert!(db.abs() < 1.5, "{a:?} and {b:?}: {db} dB at {hearer}");
                assert!(voices[hearer].hears(own, since) < 150.0, "its own voice");
                let line = voices[hearer].line();
                assert!(line.len() > voices[hearer].rate.samples(1400), "a gap");
                let late = voices[hearer].packets.iter().filter(|packet| packet.at >= since);
                assert!((48..=52).contains(&late.count()), "{a:?} to {b:?}");
            }
        }
    }
}

/// From a relay to a mix with a listener, and back: what B hears of A's tone.
fn listened_to(codec: Codec, listener: Codec, ptime: u64) -> Voice {
    let (mut rig, voices) = pair(codec, codec);
    rig.open(C, listener);
    let mut voices: Vec<Voice> = voices.into_iter().chain([Voice::new(C, listener, 0.0)]).collect();
    voices.iter_mut().for_each(|voice| voice.ptime = ptime);
    rig.bridge();
    talk(&mut rig, &mut voices, 400);
    let listening = Member { role: Role::Listener, ..Member::party(C) };
    let members = vec![Member::party(A), Member::party(B), listening];
    rig.order(Command::Mix { mix: MixId(1), members });
    let since = rig.now;
    talk(&mut rig, &mut voices, 1000);
    assert!(voices[2].hears(437.0, since) > 3000.0, "the listener hears");
    assert!(voices[2].hears(1130.0, since) > 3000.0);
    rig.bridge();
    talk(&mut rig, &mut voices, 400);
    assert_eq!(rig.rtp(A, audio(1, 1), &[1; 160]).len(), usize::from(codec.law().is_some()));
    voices.swap_remove(1)
}

#[test]
fn a_listener_comes_and_goes_and_a_tone_stays_smooth_without_gap_or_overlap() {
    for ptime in [20, 10, 30] {
        let heard = listened_to(Codec::Pcmu, Codec::Pcma, ptime);
        let line = heard.line();
        let rough = roughness(&line[800..], 437.0, heard.rate);
        assert!(rough < 0.15, "{rough} at {ptime} ms");
        let headers: Vec<_> = heard.packets.iter().map(|packet| packet.header).collect();
        let marked: Vec<_> =
            headers.iter().enumerate().filter(|(_, h)| h.marker).map(|(n, _)| n).collect();
        assert_eq!(marked, [0], "no talkspurt begins at {ptime} ms of {}", headers.len());
        let said = heard.packets.iter().map(|packet| packet.samples.len()).sum::<usize>();
        assert_eq!(said, line.len(), "no gap");
        assert!(line.len() >= 8 * 1740, "{}: nothing is lost", line.len());
        assert!(line.len() <= 8 * 1840, "{}: nothing is doubled", line.len());
    }
}

#[test]
fn the_change_of_way_is_hardly_heard_in_codecs_with_a_memory() {
    for codec in [Codec::G722, Codec::Opus] {
        let heard = listened_to(codec, Codec::Pcmu, 20);
        let line = heard.line();
        let tick = heard.rate.per_tick();
        let levels = line.chunks_exact(tick).map(|tick| amplitude(tick, 437.0, heard.rate));
        let quiet: Vec<_> = levels.enumerate().skip(10).filter(|(_, l)| *l < 3500.0).collect();
        assert!(quiet.len() <= 4, "{codec:?}: {quiet:?}");
        let loudest = line.iter().map(|sample| sample.unsigned_abs()).max();
        assert!(loudest < Some(10_000), "{codec:?} bursts out: {loudest:?}");
    }
}

#[test]
fn packets_longer_than_a_far_end_takes_are_cut_for_it() {
    let (mut rig, mut voices) = pair(Codec::Pcmu, Codec::Pcmu);
    let most = Some(Duration::from_millis(20));
    change(&mut rig, B, |remote| remote.maxptime = most, Codec::Pcmu);
    rig.bridge();
    talk(&mut rig, &mut voices, 400);
    let relayed = voices[1].packets.len();
    voices[0].ptime = 60;
    talk(&mut rig, &mut voices, 1000);
    assert!(relayed >= 19);
    assert!(voices[1].packets.iter().all(|packet| packet.samples.len() == 160));
    let line = voices[1].line();
    assert!(roughness(&line, 437.0, Rate::Narrow) < 0.15, "smooth all the way");
    assert!(voices[0].packets.len() > 65, "the other way goes on as it was");
}

#[test]
fn keys_pass_where_speech_is_converted() {
    let (mut rig, mut voices) = pair(Codec::Pcmu, Codec::G722);
    rig.bridge();
    talk(&mut rig, &mut voices, 300);
    let mut events = Vec::new();
    for n in 0..5_u16 {
        let mut key = audio(voices[0].sequence + n, 90_000);
        (key.payload_type, key.marker, key.ssrc) = (101, n == 0, 0xf001);
        events.extend(rig.rtp(A, key, &[5, 10, 0, n as u8]));
        rig.millis(20);
    }
    assert_eq!(events.len(), 5);
    assert!(events.iter().all(|sent| sent.to == far(B)));
    let headers: Vec<_> = events.iter().map(|sent| sent.header()).collect();
    assert!(headers.iter().all(|header| header.timestamp == headers[0].timestamp));
    assert_eq!(headers[0].payload_type, 101);
}

#[test]
fn a_key_is_as_long_for_who_counts_by_another_clock() {
    let (mut rig, mut voices) = pair(Codec::Pcmu, Codec::Opus);
    change(&mut rig, B, |remote| remote.events_rate = 48_000, Codec::Opus);
    rig.bridge();
    talk(&mut rig, &mut voices, 300);
    let mut key = audio(voices[0].sequence, 90_000);
    (key.payload_type, key.ssrc) = (101, 0xf001);
    let sent = rig.rtp(A, key, &[5, 0x8a, 3, 32]);
    assert_eq!(sent[0].payload(), [5, 0x8a, 18, 192], "800 of 8 kHz are 4800 of 48 kHz");
    let mut key = audio(voices[1].sequence, 90_000);
    (key.payload_type, key.ssrc) = (101, 0xf002);
    let sent = rig.rtp(B, key, &[5, 0x8a, 18, 192]);
    assert_eq!(sent[0].payload(), [5, 0x8a, 3, 32]);
}

fn tone(hz: f64, samples: usize) -> Arc<Prompt> {
    let sample = |n: usize| (8000.0 * (TAU * hz * n as f64 / 8000.0).sin()) as i16;
    Arc::new(Prompt::from_pcm(&(0..samples).map(sample).collect::<Vec<_>>()))
}

#[test]
fn prompts_are_heard_in_every_codec_and_in_packets_as_long_as_wanted() {
    for codec in Codec::ALL {
        for ptime in [10, 20, 30, 40, 60] {
            let mut rig = Rig::new();
            rig.open(A, codec);
            let wanted = Duration::from_millis(ptime);
            change(&mut rig, A, |remote| remote.ptime = wanted, codec);
            let mut voices = [Voice::new(A, codec, 0.0)];
            voices[0].says = false;
            rig.play(A, 4, &tone(700.0, 8000), false);
            talk(&mut rig, &mut voices, 1200);
            let [voice] = &voices;
            let expected = match (codec, ptime) {
                (Codec::Opus, 30) => 20,
                (_, ptime) => ptime as usize,
            };
            let length = voice.rate.samples(expected);
            assert!(
                voice.packets.iter().all(|packet| packet.samples.len() == length),
                "{codec:?} at {ptime} ms"
            );
            let line = voice.line();
            let played = line.len() / voice.rate.samples(1);
            assert!((1000..=1060).contains(&played), "{codec:?}: {played} ms");
            let middle = &line[line.len() / 4..line.len() / 2];
            let level = amplitude(middle, 700.0, voice.rate);
            assert!((7000.0..9000.0).contains(&level), "{codec:?}: {level}");
            assert_eq!(rig.take_events(), [Event::PlayFinished { stream: A, play: PlayId(4) }]);
        }
    }
}

#[test]
fn a_prompt_in_the_middle_of_a_relay_does_not_burst_out() {
    let (mut rig, mut voices) = pair(Codec::G722, Codec::G722);
    rig.bridge();
    talk(&mut rig, &mut voices, 400);
    let quiet = Arc::new(Prompt::from_pcm(&[40; 8000]));
    rig.play(B, 1, &quiet, true);
    let since = rig.now;
    talk(&mut rig, &mut voices, 400);
    let played = voices[1].packets.iter().filter(|packet| packet.at > since);
    let loudest = played.flat_map(|packet| &packet.samples).map(|s| s.unsigned_abs()).max();
    assert!(loudest < Some(7000), "{loudest:?}");
}

#[test]
fn timestamps_go_on_by_the_time_that_passed_when_the_clock_changes() {
    let mut rig = Rig::new();
    rig.open(A, Codec::Pcmu);
    rig.play(A, 1, &tone(700.0, 800), true);
    let before = rig.rtp_of(500).last().unwrap().clone();
    change(&mut rig, A, |_| {}, Codec::Opus);
    let after = rig.rtp_of(500);
    let first = &after[0];
    let passed = (first.at - before.at).as_micros() as u32;
    let step = first.header().timestamp.wrapping_sub(before.header().timestamp);
    assert_eq!(step, passed * 48 / 1000, "on the new clock");
    assert_eq!(first.header().sequence, before.header().sequence.wrapping_add(1));
    for pair in after.windows(2) {
        let step = pair[1].header().timestamp.wrapping_sub(pair[0].header().timestamp);
        assert_eq!(step, 960);
    }
    change(&mut rig, A, |_| {}, Codec::G722);
    let last = after.last().unwrap();
    let back = &rig.rtp_of(100)[0];
    let passed = (back.at - last.at).as_micros() as u32;
    let step = back.header().timestamp.wrapping_sub(last.header().timestamp);
    assert_eq!(step, passed * 8 / 1000, "G.722 counts by 8 kHz");
}

#[test]
fn a_prompt_stands_before_the_peer_and_gives_way_to_it_again() {
    let (mut rig, mut voices) = pair(Codec::Pcmu, Codec::G722);
    rig.bridge();
    talk(&mut rig, &mut voices, 400);
    rig.play(B, 1, &tone(700.0, 4000), false);
    let since = rig.now;
    talk(&mut rig, &mut voices, 480);
    assert!(voices[1].hears(700.0, since) > 7000.0);
    assert!(voices[1].hears(437.0, since) < 400.0, "the peer waits");
    talk(&mut rig, &mut voices, 100);
    let since = rig.now;
    talk(&mut rig, &mut voices, 400);
    assert!(voices[1].hears(437.0, since) > 5000.0);
    assert!(voices[1].hears(700.0, since) < 100.0);
    voices[1].line();
}

#[test]
fn who_is_masked_in_a_codec_with_a_memory_is_silent_without_a_gap() {
    let (mut rig, mut voices) = pair(Codec::G722, Codec::G722);
    rig.bridge();
    talk(&mut rig, &mut voices, 400);
    rig.order(Command::Mask { stream: A, masking: media::Masking::All });
    let since = rig.now;
    talk(&mut rig, &mut voices, 400);
    let level = voices[1].hears(437.0, since);
    assert!(level < 200.0, "not a packet of it: {level}");
    let silent = voices[1].packets.iter().filter(|packet| packet.at > since).count();
    assert!((17..=22).contains(&silent), "{silent}");
    assert!(voices[0].hears(1130.0, since) > 5000.0, "the other way goes on");
    rig.order(Command::Mask { stream: A, masking: media::Masking::Off });
    talk(&mut rig, &mut voices, 100);
    let since = rig.now;
    talk(&mut rig, &mut voices, 400);
    assert!(voices[1].hears(437.0, since) > 5000.0);
}

#[test]
fn a_driver_that_was_late_leaves_out_what_is_past_and_goes_on() {
    let (mut rig, mut voices) = pair(Codec::Pcmu, Codec::G722);
    rig.bridge();
    talk(&mut rig, &mut voices, 400);
    let before = voices[1].packets.len();
    rig.now += Duration::from_millis(3000);
    talk(&mut rig, &mut voices, 1000);
    let after = voices[1].packets.len() - before;
    assert!((40..=56).contains(&after), "{after}: no burst of what is long past");
    let since = rig.now;
    talk(&mut rig, &mut voices, 400);
    assert!(voices[1].hears(437.0, since) > 5000.0);
    voices[1].line();
}
