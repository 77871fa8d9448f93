//! How calls that go out come along, as the plane hears it in packets: tones, people, machines.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod rig;

use base::Duration;
use media::progress::{
    AnswerReason, AnswerTimes, AnsweredBy, Information, Listening, ProgressTone, Verdict,
};
use media::{Codec, Command, Encoder, Event, G711, Masking, OpusSettings, Rate, StreamId, Tone};
use rig::{A, B, Rig, audio};

/// A tone of a country, again and again.
fn tone(tone: Tone, country: &str, seconds: usize) -> Vec<i16> {
    let cadence = tone.cadence(Some(country));
    let codes = cadence.encoded(Codec::Pcma);
    let cycle = codes.iter().map(|code| G711::Pcma.decode(*code));
    cycle.collect::<Vec<_>>().into_iter().cycle().take(seconds * 8000).collect()
}

fn sine(hertz: f64, millis: usize) -> Vec<i16> {
    let sample = |n: usize| (std::f64::consts::TAU * hertz * n as f64 / 8000.0).sin() * 6000.0;
    (0..millis * 8).map(|n| sample(n) as i16).collect()
}

fn silence(millis: usize) -> Vec<i16> {
    vec![0; millis * 8]
}

/// Somebody who speaks for about so long: syllables of buzzes through two formants.
fn speech(millis: usize) -> Vec<i16> {
    let mut pcm = Vec::new();
    while pcm.len() < millis * 8 {
        let n = pcm.len();
        let (syllable, at) = (n / 1600, n % 1600);
        let pitch = 110.0 + 9.0 * (syllable % 5) as f64 - at as f64 / 100.0;
        let (one, two) =
            (400.0 + 130.0 * (syllable % 4) as f64, 1900.0 - 220.0 * (syllable % 3) as f64);
        let swell = (std::f64::consts::PI * at as f64 / 1600.0).sin();
        let turn = std::f64::consts::TAU * n as f64 / 8000.0;
        let voice: f64 = (1..20)
            .map(|k| {
                let hertz = pitch * f64::from(k);
                let near = |formant: f64| 1.0 / (1.0 + ((hertz - formant) / 120.0).powi(2));
                (near(one) + 0.6 * near(two) + 0.03) * (turn * hertz).sin()
            })
            .sum();
        pcm.push((voice * swell * 5000.0) as i16);
    }
    pcm
}

fn listen(rig: &mut Rig, stream: StreamId, country: Option<[u8; 2]>, answer: bool) {
    let answer = answer.then(AnswerTimes::default);
    let listening = Some(Box::new(Listening { country, answer }));
    rig.order(Command::Progress { stream, listening });
}

/// Has A's far end say it, in 20 ms packets. What is told of it, and what was sent on.
fn say(rig: &mut Rig, pcm: &[i16]) -> (Vec<(Verdict, Duration)>, Vec<Vec<u8>>) {
    let mut sent = Vec::new();
    let first = (rig.now.as_nanos() / 20_000_000) as u32;
    for (n, tick) in pcm.chunks_exact(160).enumerate() {
        let payload: Vec<u8> = tick.iter().map(|sample| G711::Pcmu.encode(*sample)).collect();
        let n = first + n as u32;
        let packets = rig.rtp(A, audio(n as u16, n * 160), &payload);
        sent.extend(packets.iter().map(|packet| packet.payload().to_vec()));
        rig.millis(20);
    }
    (told(rig), sent)
}

fn told(rig: &mut Rig) -> Vec<(Verdict, Duration)> {
    let verdict = |event| match event {
        Event::Progress { verdict, after, .. } => Some((verdict, after)),
        _ => None,
    };
    rig.take_events().into_iter().filter_map(verdict).collect()
}

fn answered(told: &[(Verdict, Duration)]) -> Vec<(AnsweredBy, AnswerReason)> {
    let answer = |(verdict, _): &(Verdict, Duration)| match verdict {
        Verdict::Answered(answer) => Some((answer.by, answer.reason)),
        _ => None,
    };
    told.iter().filter_map(answer).collect()
}

#[test]
fn busy_is_heard_in_what_is_relayed_and_the_relay_goes_on_untouched() {
    let mut rig = Rig::pair(Codec::Pcmu);
    rig.bridge();
    listen(&mut rig, A, Some(*b"DE"), false);
    let pcm = tone(Tone::Busy, "DE", 4);
    let (told, sent) = say(&mut rig, &pcm);
    let [(Verdict::Tone(ProgressTone::Busy), after)] = told[..] else { panic!("{told:?}") };
    assert!(after <= Duration::from_millis(2600), "{after:?}");
    let codes: Vec<u8> = pcm.iter().map(|sample| G711::Pcmu.encode(*sample)).collect();
    assert_eq!(sent.concat(), codes[..codes.len() / 160 * 160], "as it came");
}

#[test]
fn each_tone_is_told_once_and_a_stream_that_nobody_listens_to_tells_none() {
    let mut rig = Rig::pair(Codec::Pcmu);
    listen(&mut rig, A, Some(*b"US"), false);
    let (ringing, _) = say(&mut rig, &tone(Tone::Ringing, "US", 14));
    assert_eq!(ringing.len(), 1, "{ringing:?}");
    assert_eq!(ringing[0].0, Verdict::Tone(ProgressTone::Ringing));
    rig.order(Command::Progress { stream: A, listening: None });
    assert_eq!(say(&mut rig, &tone(Tone::Busy, "US", 4)).0, []);
}

#[test]
fn a_tone_is_known_in_opus_as_well() {
    let mut rig = Rig::new();
    rig.open(A, Codec::Opus);
    rig.open(B, Codec::Pcmu);
    rig.bridge();
    listen(&mut rig, A, Some(*b"GB"), false);
    let mut encoder = Encoder::new(Codec::Opus, Rate::Narrow, OpusSettings::default());
    for (n, tick) in tone(Tone::Busy, "GB", 5).chunks_exact(160).enumerate() {
        let mut payload = Vec::new();
        encoder.encode(tick, &mut payload);
        let number = Codec::Opus.offered_payload_type();
        let header = media::rtp::Header { payload_type: number, ..audio(n as u16, n as u32 * 960) };
        rig.rtp(A, header, &payload);
        rig.millis(20);
    }
    let told = told(&mut rig);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0].0, Verdict::Tone(ProgressTone::Busy));
}

#[test]
fn what_is_masked_is_heard_by_nobody() {
    let mut rig = Rig::pair(Codec::Pcmu);
    listen(&mut rig, A, Some(*b"DE"), false);
    rig.order(Command::Mask { stream: A, masking: Masking::All });
    assert_eq!(say(&mut rig, &tone(Tone::Busy, "DE", 5)).0, []);
}

#[test]
fn an_information_tone_says_which_and_a_fax_machine_is_known_by_its_answer() {
    let mut rig = Rig::pair(Codec::Pcmu);
    listen(&mut rig, A, None, true);
    let notes = [(985.2, 380), (1370.6, 274), (1776.7, 380)];
    let mut pcm = silence(300);
    notes.iter().for_each(|(hertz, millis)| pcm.extend(sine(*hertz, *millis)));
    pcm.extend(silence(500));
    let (heard, _) = say(&mut rig, &pcm);
    let vacant = Verdict::Tone(ProgressTone::Information(Information::VacantNumber));
    assert_eq!(heard.iter().map(|(verdict, _)| *verdict).collect::<Vec<_>>(), [vacant]);
    listen(&mut rig, A, None, true);
    let (heard, _) = say(&mut rig, &[silence(400), sine(2100.0, 2600)].concat());
    assert_eq!(heard[0].0, Verdict::Tone(ProgressTone::Fax));
    assert_eq!(answered(&heard), [(AnsweredBy::Fax, AnswerReason::FaxTone)]);
}

#[test]
fn who_says_a_word_and_waits_is_a_person() {
    let mut rig = Rig::pair(Codec::Pcmu);
    listen(&mut rig, A, None, true);
    let (heard, _) = say(&mut rig, &[silence(700), speech(600), silence(2500)].concat());
    assert_eq!(answered(&heard), [(AnsweredBy::Human, AnswerReason::Waits)]);
    let (Verdict::Answered(answer), after) = heard[0] else { panic!("{heard:?}") };
    assert!(after < Duration::from_millis(2800), "{after:?}");
    assert!(answer.initial_silence.as_millis().abs_diff(700) < 120, "{answer:?}");
    assert!(answer.greeting.as_millis().abs_diff(600) < 160, "{answer:?}");
}

#[test]
fn who_talks_on_is_a_machine_and_its_beep_is_told_when_it_is_over() {
    let mut rig = Rig::pair(Codec::Pcmu);
    listen(&mut rig, A, None, true);
    let greeting = [silence(500), speech(6000), silence(600), sine(1000.0, 400)].concat();
    let over = Duration::from_micros(greeting.len() as u64 * 125);
    let (heard, _) = say(&mut rig, &[greeting, silence(4000)].concat());
    assert_eq!(answered(&heard), [(AnsweredBy::Machine, AnswerReason::TalksOn)]);
    let beep = heard.iter().find(|(verdict, _)| *verdict == Verdict::Beep).unwrap();
    let after = beep.1.saturating_sub(over);
    assert!(beep.1 > over && after < Duration::from_millis(500), "{after:?} after its end");
    assert_eq!(heard.len(), 2, "{heard:?}");
}

#[test]
fn a_greeting_without_a_beep_is_over_when_it_has_been_silent_long_enough() {
    let mut rig = Rig::pair(Codec::Pcmu);
    listen(&mut rig, A, None, true);
    let (heard, _) = say(&mut rig, &[speech(6000), silence(4000)].concat());
    assert_eq!(answered(&heard), [(AnsweredBy::Machine, AnswerReason::TalksOn)]);
    assert_eq!(heard.last().unwrap().0, Verdict::GreetingOver);
}

#[test]
fn who_was_taken_for_a_person_and_beeps_is_a_machine_after_all() {
    let mut rig = Rig::pair(Codec::Pcmu);
    listen(&mut rig, A, None, true);
    let pcm = [silence(300), speech(900), silence(2500), sine(1400.0, 300), silence(1000)].concat();
    let (heard, _) = say(&mut rig, &pcm);
    let expected =
        [(AnsweredBy::Human, AnswerReason::Waits), (AnsweredBy::Machine, AnswerReason::Beep)];
    assert_eq!(answered(&heard), expected);
}

#[test]
fn a_line_without_a_sound_or_without_a_packet_is_nobodys() {
    for says in [true, false] {
        let mut rig = Rig::pair(Codec::Pcmu);
        listen(&mut rig, A, None, true);
        let heard = if says {
            say(&mut rig, &silence(6000)).0
        } else {
            rig.millis(6000);
            told(&mut rig)
        };
        assert_eq!(answered(&heard), [(AnsweredBy::Unknown, AnswerReason::Silence)], "{says}");
    }
}
