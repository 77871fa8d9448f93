//! Packets without a sound: told after 3 s of the other side's speech, and never of one who
//! listens on a line that lives.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod rig;

use base::Rng;
use media::rtp::Header;
use media::{Codec, Command, Encoder, Event, G711, Masking, OpusSettings, RemoteMedia, StreamId};
use rig::{A, B, Rig, audio, ramp, remote};

fn told(rig: &mut Rig) -> Vec<Event> {
    let mut events = rig.take_events();
    events.retain(|event| matches!(event, Event::Soundless { .. } | Event::SoundAgain { .. }));
    events
}

/// Samples of a far end, from one of them on.
type Says<'a> = &'a dyn Fn(usize) -> i16;

fn tone(n: usize) -> i16 {
    (3000.0 * (n as f64 * 0.4).sin()) as i16
}

fn nothing(_: usize) -> i16 {
    0
}

/// What both say for so many packets of 20 ms, in the law given for B; when it was told of anybody.
fn converse(
    rig: &mut Rig,
    from: usize,
    packets: usize,
    (a, b, law): (Says, Says, G711),
) -> Option<usize> {
    let mut first = None;
    for n in from..from + packets {
        let header = audio(n as u16, n as u32 * 160);
        let codes = |says: Says, law: G711| -> Vec<u8> {
            (n * 160..(n + 1) * 160).map(|n| law.encode(says(n))).collect()
        };
        rig.rtp(A, header, &codes(a, G711::Pcmu));
        let kind = if law == G711::Pcmu { 0 } else { 8 };
        rig.rtp(B, Header { payload_type: kind, ..header }, &codes(b, law));
        rig.millis(20);
        if first.is_none() && rig.events.iter().any(|e| matches!(e, Event::Soundless { .. })) {
            first = Some(n - from);
        }
    }
    first
}

fn pair() -> Rig {
    let mut rig = Rig::pair(Codec::Pcma);
    rig.bridge();
    rig
}

#[test]
fn digital_silence_is_told_after_3_s_of_the_others_speech_and_sound_once_it_comes() {
    let mut rig = pair();
    let at = converse(&mut rig, 0, 400, (&tone, &nothing, G711::Pcma)).unwrap();
    assert!((145..=160).contains(&at), "after {at} packets of speech");
    assert_eq!(told(&mut rig), [Event::Soundless { stream: B, heard: false }], "once");
    converse(&mut rig, 400, 50, (&tone, &tone, G711::Pcma));
    assert_eq!(told(&mut rig), [Event::SoundAgain { stream: B }]);
    converse(&mut rig, 450, 300, (&tone, &nothing, G711::Pcma));
    assert_eq!(told(&mut rig), [Event::Soundless { stream: B, heard: true }]);
}

#[test]
fn only_speech_counts_however_long_the_silence_of_both_lasts() {
    let mut rig = pair();
    converse(&mut rig, 0, 1500, (&nothing, &nothing, G711::Pcma));
    let hum = |n: usize| (60.0 * (n as f64 * 0.04).sin()) as i16;
    converse(&mut rig, 1500, 1500, (&hum, &nothing, G711::Pcma));
    assert_eq!(told(&mut rig), [], "half a minute of nothing and one of hum");
    // Speech of half a second with pauses of one between: six of them are enough.
    let words = |n: usize| if (n / 4000).is_multiple_of(3) { tone(n) } else { 0 };
    let at = converse(&mut rig, 3000, 700, (&words, &nothing, G711::Pcma)).unwrap();
    assert!((400..=460).contains(&at), "{at}: 3 s of speech in about 8");
}

#[test]
fn a_listener_on_a_quiet_line_is_never_told_of() {
    let noise = |seed: u64, steps: i64| -> Vec<i16> {
        let mut rng = Rng::from_seed(seed);
        let wide = 2 * steps.unsigned_abs() + 1;
        (0..480_000).map(|_| (rng.below(wide) as i64 - steps) as i16).collect()
    };
    // The least that a line may have: one step of 16 bits up and down, below -90 dBov; and more.
    for (law, steps) in [(G711::Pcma, 1), (G711::Pcma, 8), (G711::Pcmu, 8), (G711::Pcmu, 20)] {
        let floor = noise(steps as u64, steps);
        let mut rig = Rig::pair(if law == G711::Pcma { Codec::Pcma } else { Codec::Pcmu });
        rig.bridge();
        converse(&mut rig, 0, 3000, (&tone, &|n| floor[n], law));
        assert_eq!(told(&mut rig), [], "{law:?} {steps}");
    }
}

#[test]
fn no_alarm_over_the_voices_of_the_fixtures_whoever_talks_and_whoever_listens() {
    let voice = |name: &str| -> Vec<i16> {
        let path = format!("{}/../fixtures/audio/{name}", env!("CARGO_MANIFEST_DIR"));
        let bytes = std::fs::read(path).unwrap();
        let pcm = bytes[44..].chunks_exact(2).map(|s| i16::from_le_bytes([s[0], s[1]]));
        pcm.collect()
    };
    let (caller, agent) = (voice("caller-speech.wav"), voice("agent-speech.wav"));
    let line = |voice: Vec<i16>| move |n: usize| voice[n % voice.len()];
    let (caller, agent) = (line(caller), line(agent));
    let mut rig = pair();
    converse(&mut rig, 0, 3000, (&caller, &agent, G711::Pcma));
    assert_eq!(told(&mut rig), [], "a minute");
    let at = converse(&mut rig, 3000, 1000, (&caller, &nothing, G711::Pcma));
    assert!(at.is_some(), "and an alarm when one of them loses their sound");
}

#[test]
fn who_is_masked_who_hears_music_and_who_makes_noise_of_their_own_are_not_told_of() {
    let quiet = |change: &dyn Fn(&mut Rig)| {
        let mut rig = pair();
        change(&mut rig);
        converse(&mut rig, 0, 300, (&tone, &nothing, G711::Pcma));
        told(&mut rig)
    };
    assert_eq!(quiet(&|_| {}).len(), 1);
    let masked = |rig: &mut Rig| rig.order(Command::Mask { stream: B, masking: Masking::All });
    assert_eq!(quiet(&masked), []);
    for stream in [A, B] {
        assert_eq!(quiet(&|rig| rig.play(stream, 1, &ramp(8000), true)), [], "{stream:?}");
    }
    let noise = |rig: &mut Rig| {
        let remote = RemoteMedia { comfort_noise: Some(13), ..remote(B, Codec::Pcma) };
        rig.order(Command::SetRemote { stream: B, remote, srtp: None });
    };
    assert_eq!(quiet(&noise), []);
    let alone = |rig: &mut Rig| rig.order(Command::Unbridge { a: A, b: B });
    assert_eq!(quiet(&alone), []);
}

/// A far end of another codec than G.711: who is heard is known where it is decoded.
fn decoded(codec: Codec, says: Says) -> Vec<Event> {
    let mut rig = Rig::pair(codec);
    rig.bridge();
    let rate = codec.rate().min(media::Rate::Wide);
    let mut encoder = Encoder::new(codec, rate, OpusSettings::default());
    let packet = |rig: &mut Rig, stream: StreamId, header, payload: &[u8]| {
        rig.rtp(stream, header, payload);
    };
    for n in 0..400_usize {
        let codes: Vec<u8> = (n * 160..(n + 1) * 160).map(|n| G711::Pcmu.encode(tone(n))).collect();
        packet(&mut rig, A, audio(n as u16, n as u32 * 160), &codes);
        let per = rate.per_tick();
        let pcm: Vec<i16> = (n * per..(n + 1) * per).map(says).collect();
        let mut payload = Vec::new();
        encoder.encode(&pcm, &mut payload);
        let timestamp = n as u32 * codec.clock_rate() / 50;
        let payload_type = codec.offered_payload_type();
        packet(&mut rig, B, Header { payload_type, ..audio(n as u16, timestamp) }, &payload);
        rig.millis(20);
    }
    told(&mut rig)
}

#[test]
fn opus_without_a_sound_is_told_of_where_it_is_decoded() {
    let found = decoded(Codec::Opus, &nothing);
    assert_eq!(found, [Event::Soundless { stream: B, heard: false }]);
    let floor = |n: usize| ((n * 7919 % 41) as i16) - 20;
    assert_eq!(decoded(Codec::Opus, &floor), [], "a quiet line");
}

#[test]
fn what_g722_makes_of_nothing_moves_and_is_taken_for_a_line_that_lives() {
    assert_eq!(decoded(Codec::G722, &nothing), []);
}
