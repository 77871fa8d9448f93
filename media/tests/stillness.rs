//! Packets without a sound: told after 3 s of the other side's speech, and never of one who
//! listens on a line that lives.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod rig;

use base::Rng;
use media::rtp::Header;
use media::{
    Codec, Command, Encoder, Event, G711, Masking, Member, MixId, OpusSettings, Rate, RemoteMedia,
    Resampler, Role, StreamId,
};
use rig::voices::{Voice, talk};
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
    assert!((140..=150).contains(&at), "after {at} packets of speech");
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
    assert!((375..=400).contains(&at), "{at}: 3 s of speech in 8");
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

/// Two far ends of one codec, whose packets are relayed and not decoded.
struct Relayed {
    rig: Rig,
    codec: Codec,
    rate: Rate,
    encoders: [Encoder; 2],
    at: usize,
}

impl Relayed {
    fn new(codec: Codec, rate: Rate, settings: OpusSettings) -> Self {
        let mut rig = Rig::new();
        rig.open(A, codec);
        rig.open(B, codec);
        rig.bridge();
        let encoders = [0; 2].map(|_| Encoder::new(codec, rate, settings));
        Self { rig, codec, rate, encoders, at: 0 }
    }

    /// So many packets of 20 ms of each; after how many it was told that somebody is still.
    fn converse(&mut self, packets: usize, says: [Says; 2]) -> Option<usize> {
        let per = self.rate.per_tick();
        let payload_type = self.codec.offered_payload_type();
        let mut first = None;
        for n in self.at..self.at + packets {
            let timestamp = n as u32 * self.codec.clock_rate() / 50;
            for ((stream, encoder), says) in [A, B].into_iter().zip(&mut self.encoders).zip(says) {
                let pcm: Vec<i16> = (n * per..(n + 1) * per).map(says).collect();
                let mut payload = Vec::new();
                encoder.encode(&pcm, &mut payload);
                if payload.is_empty() {
                    continue;
                }
                let header = Header { payload_type, ..audio(n as u16, timestamp) };
                let sent = self.rig.rtp(stream, header, &payload);
                assert_eq!(sent[0].payload(), payload, "it is relayed as it came");
            }
            self.rig.millis(20);
            let told = self.rig.events.iter().any(|e| matches!(e, Event::Soundless { .. }));
            if told && first.is_none() {
                first = Some(n - self.at);
            }
        }
        self.at += packets;
        first
    }

    /// What is told live of how loud a far end is, and of what it hears, on the whole.
    fn levels(&self, stream: StreamId) -> [f64; 2] {
        let of = self.rig.figures.iter().filter(|(_, of, _)| *of == stream);
        let told: Vec<_> = of.filter_map(|(.., s)| Some([s.heard_dbov?, s.said_dbov?])).collect();
        let power = |dbov: i8| 10_f64.powf(f64::from(dbov) / 10.0);
        let mean = |n: usize| told.iter().map(|told| power(told[n])).sum::<f64>();
        [0, 1].map(|n| 10.0 * (mean(n) / told.len() as f64).log10())
    }
}

/// A caller's speech, over and over, at so many samples a second.
fn words(rate: Rate) -> impl Fn(usize) -> i16 {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../fixtures/audio/caller-speech.wav");
    let bytes = std::fs::read(path).unwrap();
    let pcm = bytes[44..].chunks_exact(2).map(|s| i16::from_le_bytes([s[0], s[1]]));
    let narrow: Vec<i16> = pcm.collect();
    let times = rate.hz() as usize / 8000;
    let mut said = vec![0; narrow.len() * times];
    if times == 1 {
        said.copy_from_slice(&narrow);
    } else {
        Resampler::new(Rate::Narrow, rate).process(&narrow, &mut said);
    }
    move |n: usize| said[n % said.len()]
}

fn floor(n: usize) -> i16 {
    (n.wrapping_mul(2_654_435_761) >> 7) as i16 % 20
}

fn relayed_codecs() -> Vec<(Codec, Rate, OpusSettings)> {
    let usual = OpusSettings::default();
    let many = OpusSettings { max_bitrate: Some(64_000), ..usual };
    vec![
        (Codec::Opus, Rate::Narrow, usual),
        (Codec::Opus, Rate::Wide, OpusSettings { cbr: true, ..usual }),
        (Codec::Opus, Rate::Full, usual),
        (Codec::Opus, Rate::Full, many),
        (Codec::G722, Rate::Wide, usual),
    ]
}

#[test]
fn a_relayed_far_end_without_a_sound_is_told_of_within_3_s_of_speech_though_nothing_is_decoded() {
    for (codec, rate, settings) in relayed_codecs() {
        let name = format!("{codec:?} {rate:?}");
        let mut pair = Relayed::new(codec, rate, settings);
        let speech = words(rate);
        let at = pair.converse(400, [&speech, &nothing]);
        let at = at.unwrap_or_else(|| panic!("{name}"));
        // Half of it is speech.
        assert!((75..=300).contains(&at), "{name}: after {at} packets");
        assert_eq!(told(&mut pair.rig), [Event::Soundless { stream: B, heard: false }], "{name}");
        pair.converse(75, [&speech, &speech]);
        assert_eq!(told(&mut pair.rig), [Event::SoundAgain { stream: B }], "{name}");
        let at = pair.converse(400, [&nothing, &speech]);
        assert!((75..=300).contains(&at.unwrap_or_default()), "{name}: {at:?} from the other side");
        assert_eq!(told(&mut pair.rig), [Event::Soundless { stream: A, heard: true }], "{name}");
    }
}

#[test]
fn a_relayed_line_that_lives_or_pauses_by_agreement_is_never_told_of() {
    for (codec, rate, settings) in relayed_codecs() {
        let mut pair = Relayed::new(codec, rate, settings);
        pair.converse(1500, [&words(rate), &floor]);
        assert_eq!(told(&mut pair.rig), [], "{codec:?} {rate:?}: a quiet line");
        let mut pair = Relayed::new(codec, rate, settings);
        pair.converse(1000, [&floor, &nothing]);
        assert_eq!(told(&mut pair.rig), [], "{codec:?} {rate:?}: nobody speaks");
    }
    let dtx = OpusSettings { dtx: true, ..OpusSettings::default() };
    let mut pair = Relayed::new(Codec::Opus, Rate::Wide, dtx);
    pair.converse(100, [&words(Rate::Wide), &words(Rate::Wide)]);
    pair.converse(1000, [&words(Rate::Wide), &floor]);
    assert_eq!(told(&mut pair.rig), [], "pauses that are not sent");
}

#[test]
fn how_loud_a_relayed_far_end_is_and_what_it_hears_is_told_though_nothing_is_decoded() {
    let level = |rate: Rate, says: Says| {
        let said: Vec<i16> = (0..rate.samples(30_000)).map(says).collect();
        let power = said.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>() / said.len() as f64;
        10.0 * (power / 32_768_f64.powi(2)).log10()
    };
    for (codec, rate, settings) in relayed_codecs() {
        let mut pair = Relayed::new(codec, rate, settings);
        let loud = words(rate);
        let soft = |n: usize| loud(n + rate.samples(700)) / 10;
        pair.converse(1500, [&loud, &soft]);
        let (a, b) = (pair.levels(A), pair.levels(B));
        let expected = [level(rate, &loud), level(rate, &soft)];
        for (told, expected) in [(a[0], expected[0]), (a[1], expected[1])] {
            // One packet in 25 is heard, and speech is loud and soft by turns.
            assert!((told - expected).abs() <= 4.5, "{codec:?} {rate:?}: {told} for {expected}");
        }
        // The same looks, told in other seconds: a mean of means.
        assert!((a[0] - b[1]).abs() <= 2.5 && (a[1] - b[0]).abs() <= 2.5, "{a:?} {b:?}");
    }
}

#[test]
fn a_member_of_a_mix_without_a_sound_is_told_of_when_others_speak_and_a_listener_is_not() {
    for codec in [Codec::Pcmu, Codec::Opus, Codec::G722] {
        let mut still = voice(3, codec, 500.0);
        still.amplitude = 0.0;
        let mut voices = vec![voice(1, Codec::Pcmu, 440.0), voice(2, Codec::Pcma, 900.0), still];
        let mut rig = Rig::new();
        for voice in &voices {
            rig.open(voice.stream, voice.codec);
        }
        let mut members: Vec<Member> = voices.iter().map(|v| Member::party(v.stream)).collect();
        let order = |members: &[Member]| Command::Mix { mix: MixId(1), members: members.to_vec() };
        rig.order(order(&members));
        voices[1].says = false;
        talk(&mut rig, &mut voices, 2000);
        assert_eq!(told(&mut rig), [], "{codec:?}: not yet");
        talk(&mut rig, &mut voices, 1500);
        let stream = StreamId(3);
        assert_eq!(told(&mut rig), [Event::Soundless { stream, heard: false }], "{codec:?}");
        voices[2].amplitude = 6000.0;
        talk(&mut rig, &mut voices, 500);
        assert_eq!(told(&mut rig), [Event::SoundAgain { stream }], "{codec:?}");
        voices[2].amplitude = 0.0;
        members[2].role = Role::Listener;
        rig.order(order(&members));
        talk(&mut rig, &mut voices, 5000);
        assert_eq!(told(&mut rig), [], "{codec:?}: who only listens need not sound");
    }
}

fn voice(stream: u64, codec: Codec, tone: f64) -> Voice {
    Voice::new(StreamId(stream), codec, tone)
}

#[test]
fn what_g722_makes_of_nothing_is_known_from_a_quiet_line_where_it_is_converted_too() {
    let found = decoded(Codec::G722, &nothing);
    assert_eq!(found, [Event::Soundless { stream: B, heard: false }]);
    let steps = |n: usize| (n.wrapping_mul(2_654_435_761) >> 9) as i16 & 1;
    assert_eq!(decoded(Codec::G722, &steps), [], "one step of one bit");
}
