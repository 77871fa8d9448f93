//! Mixes: who hears whom, told apart by a tone for each.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod rig;

use std::sync::Arc;

use media::{
    Codec, Command, Event, MAX_MEMBERS, Member, MixId, Prompt, Rate, RemoteMedia, Role, StreamId,
};
use rig::voices::{Voice, amplitude, roughness, talk};
use rig::{A, B, Rig, audio, far};

const C: StreamId = StreamId(3);
const D: StreamId = StreamId(4);
const MIX: MixId = MixId(9);

/// Far ends 1, 2, 3 ... with these codecs; each says 400 Hz and 250 Hz more for each before it.
fn hall(codecs: &[Codec]) -> (Rig, Vec<Voice>) {
    let mut rig = Rig::new();
    let mut voices = Vec::new();
    for (n, codec) in codecs.iter().enumerate() {
        let stream = StreamId(n as u64 + 1);
        rig.open(stream, *codec);
        voices.push(Voice::new(stream, *codec, 400.0 + 250.0 * n as f64));
    }
    rig.take_events();
    (rig, voices)
}

fn mix(rig: &mut Rig, members: &[Member]) {
    rig.order(Command::Mix { mix: MIX, members: members.to_vec() });
}

fn as_role(stream: StreamId, role: Role) -> Member {
    Member { role, ..Member::party(stream) }
}

/// Who of all hears whom since a moment, as pairs of places.
fn heard(voices: &[Voice], since: base::Instant) -> Vec<(usize, usize)> {
    let mut pairs = Vec::new();
    for (hearer, voice) in voices.iter().enumerate() {
        for (other, said) in voices.iter().enumerate() {
            let level = voice.hears(said.tone, since);
            assert!(!(200.0..2500.0).contains(&level), "{hearer} hears {other}: {level}");
            if level > 2500.0 {
                pairs.push((hearer, other));
            }
        }
    }
    pairs
}

fn settled(rig: &mut Rig, voices: &mut [Voice]) -> Vec<(usize, usize)> {
    talk(rig, voices, 200);
    let since = rig.now;
    talk(rig, voices, 400);
    heard(voices, since)
}

#[test]
fn each_hears_all_others_and_never_itself_whatever_the_codec() {
    for codecs in [
        [Codec::Pcmu; 3],
        [Codec::Pcmu, Codec::Pcma, Codec::G722],
        [Codec::G722, Codec::G722, Codec::Pcma],
        [Codec::Opus, Codec::Opus, Codec::G722],
        [Codec::Opus, Codec::Pcma, Codec::Pcmu],
    ] {
        let (mut rig, mut voices) = hall(&codecs);
        mix(&mut rig, &[A, B, C].map(Member::party));
        let all = [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)];
        assert_eq!(settled(&mut rig, &mut voices), all, "{codecs:?}");
        voices.iter().for_each(|voice| drop(voice.line()));
    }
}

#[test]
fn roles_are_listened_to_coached_and_barged_into() {
    let (mut rig, mut voices) = hall(&[Codec::Pcmu, Codec::Pcma, Codec::G722]);
    rig.bridge();
    assert_eq!(settled(&mut rig, &mut voices), [(0, 1), (1, 0)]);
    let both = [Member::party(A), Member::party(B)];
    let with = |role| [both[0], both[1], as_role(C, role)];
    mix(&mut rig, &with(Role::Listener));
    let listens = [(0, 1), (1, 0), (2, 0), (2, 1)];
    assert_eq!(settled(&mut rig, &mut voices), listens);
    mix(&mut rig, &with(Role::Coach { of: B }));
    let coaches = [(0, 1), (1, 0), (1, 2), (2, 0), (2, 1)];
    assert_eq!(settled(&mut rig, &mut voices), coaches);
    mix(&mut rig, &with(Role::Coach { of: D }));
    assert_eq!(settled(&mut rig, &mut voices), listens, "who is not there hears nobody");
    mix(&mut rig, &with(Role::Party));
    let all = [(0, 1), (0, 2), (1, 0), (1, 2), (2, 0), (2, 1)];
    assert_eq!(settled(&mut rig, &mut voices), all);
    let muted = Member { muted: true, ..both[0] };
    mix(&mut rig, &[muted, both[1], as_role(C, Role::Coach { of: A })]);
    assert_eq!(settled(&mut rig, &mut voices), [(0, 1), (0, 2), (2, 1)], "muted, and coached");
    rig.order(Command::Unmix { mix: MIX });
    assert_eq!(settled(&mut rig, &mut voices), []);
    voices.iter().for_each(|voice| drop(voice.line()));
}

#[test]
fn two_plain_parties_are_a_relay_and_a_third_makes_it_a_mix() {
    let (mut rig, mut voices) = hall(&[Codec::Pcmu, Codec::Pcmu, Codec::Pcma]);
    mix(&mut rig, &[A, B].map(Member::party));
    let sent = rig.rtp(A, audio(1, 1), &[0x35; 160]);
    assert_eq!((sent[0].to, sent[0].payload()), (far(B), &[0x35; 160][..]), "as it came");
    assert!(rig.rtp_of(100).is_empty(), "and nothing ticks");
    talk(&mut rig, &mut voices, 300);
    mix(&mut rig, &[A, B, C].map(Member::party));
    assert!(rig.rtp(A, audio(1, 1), &[0x35; 160]).is_empty());
    assert_eq!(settled(&mut rig, &mut voices).len(), 6);
    mix(&mut rig, &[A, B].map(Member::party));
    talk(&mut rig, &mut voices, 200);
    let sent = rig.rtp(A, audio(1, 1), &[0x35; 160]);
    assert_eq!(sent.len(), 1, "a relay again");
    let since = rig.now;
    talk(&mut rig, &mut voices, 200);
    assert_eq!(heard(&voices, since), [(0, 1), (1, 0)]);
}

#[test]
fn a_tone_stays_smooth_while_others_come_and_go() {
    let (mut rig, mut voices) = hall(&[Codec::Pcma, Codec::Pcma, Codec::Pcmu, Codec::G722]);
    voices.iter_mut().skip(1).for_each(|voice| voice.amplitude = 0.0);
    let listening = as_role(D, Role::Listener);
    let halls: [&[Member]; 4] = [
        &[A, B].map(Member::party),
        &[Member::party(A), Member::party(B), Member::party(C)],
        &[Member::party(A), Member::party(B), Member::party(C), listening],
        &[Member::party(A), Member::party(B)],
    ];
    for members in halls {
        mix(&mut rig, members);
        talk(&mut rig, &mut voices, 510);
    }
    let line = voices[1].line();
    assert!(roughness(&line[800..], 400.0, Rate::Narrow) < 0.15);
    let said: usize = voices[1].packets.iter().map(|packet| packet.samples.len()).sum();
    assert_eq!(said, line.len(), "no gap");
    assert!(line.len() >= 8 * 1960, "{}", line.len());
}

#[test]
fn loud_voices_together_are_bent_and_never_wrap() {
    let (mut rig, mut voices) = hall(&[Codec::Pcmu; 6]);
    for (n, voice) in voices.iter_mut().enumerate() {
        (voice.tone, voice.amplitude) = (100.0 + 50.0 * n as f64, 20_000.0);
    }
    let members: Vec<Member> = voices.iter().map(|voice| Member::party(voice.stream)).collect();
    mix(&mut rig, &members);
    talk(&mut rig, &mut voices, 200);
    let since = rig.now;
    talk(&mut rig, &mut voices, 400);
    let loud = voices[0].packets.iter().filter(|packet| packet.at > since);
    let samples: Vec<i16> = loud.flat_map(|packet| packet.samples.clone()).collect();
    let steepest = samples.windows(2).map(|w| w[0].abs_diff(w[1])).max().unwrap();
    // A wrap would be a step of the full 65,536.
    assert!(steepest < 30_000, "{steepest}");
    for other in &voices[1..] {
        let level = amplitude(&samples, other.tone, Rate::Narrow);
        assert!(level > 5000.0, "{} is still there: {level}", other.tone);
    }
}

#[test]
fn of_many_only_who_talks_is_mixed_and_told_of() {
    let (mut rig, mut voices) = hall(&[Codec::Pcmu; 10]);
    voices.iter_mut().for_each(|voice| voice.amplitude = 30.0);
    let members: Vec<Member> = voices.iter().map(|voice| Member::party(voice.stream)).collect();
    mix(&mut rig, &members);
    talk(&mut rig, &mut voices, 400);
    let since = rig.now;
    talk(&mut rig, &mut voices, 200);
    let quiet = voices[3].packets.iter().filter(|packet| packet.at > since);
    assert!(quiet.clone().count() >= 9);
    assert!(quiet.flat_map(|packet| &packet.samples).all(|s| *s == 0), "no sum of ten noises");
    rig.take_events();
    voices[7].amplitude = 6000.0;
    talk(&mut rig, &mut voices, 200);
    let begins = Event::Talking { stream: StreamId(8), talking: true };
    assert_eq!(rig.take_events(), [begins]);
    let since = rig.now;
    talk(&mut rig, &mut voices, 200);
    let hearers: Vec<(usize, usize)> = (0..10).filter(|n| *n != 7).map(|n| (n, 7)).collect();
    assert_eq!(heard(&voices, since), hearers);
    voices[7].amplitude = 30.0;
    talk(&mut rig, &mut voices, 300);
    assert_eq!(rig.take_events(), [], "a pause between words");
    talk(&mut rig, &mut voices, 300);
    assert_eq!(rig.take_events(), [Event::Talking { stream: StreamId(8), talking: false }]);
    voices[7].amplitude = 6000.0;
    talk(&mut rig, &mut voices, 200);
    rig.take_events();
    let mut muted = members.clone();
    muted[7].muted = true;
    mix(&mut rig, &muted);
    talk(&mut rig, &mut voices, 200);
    assert_eq!(rig.take_events(), [Event::Talking { stream: StreamId(8), talking: false }]);
}

#[test]
fn what_plays_to_a_member_is_heard_by_it_alone_and_the_mix_afterwards() {
    for codec in [Codec::Pcmu, Codec::G722] {
        let (mut rig, mut voices) = hall(&[codec, Codec::Pcma, Codec::Pcmu]);
        mix(&mut rig, &[A, B, C].map(Member::party));
        talk(&mut rig, &mut voices, 300);
        let pcm: Vec<i16> = (0..4800)
            .map(|n| {
                (8000.0 * (std::f64::consts::TAU * 1500.0 * f64::from(n) / 8000.0).sin()) as i16
            })
            .collect();
        rig.play(A, 3, &Arc::new(Prompt::from_pcm(&pcm)), false);
        let since = rig.now;
        talk(&mut rig, &mut voices, 500);
        assert!(voices[0].hears(1500.0, since) > 7000.0);
        assert!(voices[0].hears(650.0, since) < 300.0);
        assert!(voices[1].hears(1500.0, since) < 200.0);
        assert!(voices[1].hears(400.0, since) > 5000.0, "who is played to is heard");
        talk(&mut rig, &mut voices, 200);
        assert_eq!(settled(&mut rig, &mut voices).len(), 6);
        let finished = |event: &Event| matches!(event, Event::PlayFinished { stream: A, .. });
        assert_eq!(rig.take_events().iter().filter(|event| finished(event)).count(), 1);
        voices.iter().for_each(|voice| drop(voice.line()));
    }
}

#[test]
fn keys_of_a_party_reach_the_other_parties_and_no_supervisor() {
    let (mut rig, mut voices) = hall(&[Codec::Pcmu, Codec::Pcma, Codec::G722]);
    mix(&mut rig, &[Member::party(A), Member::party(B), as_role(C, Role::Listener)]);
    talk(&mut rig, &mut voices, 200);
    let mut key = audio(voices[0].sequence, 90_000);
    (key.payload_type, key.marker, key.ssrc) = (101, true, 0xf001);
    let sent = rig.rtp(A, key, &[5, 10, 0, 80]);
    assert_eq!(sent.iter().map(|sent| sent.to).collect::<Vec<_>>(), [far(B)]);
    (key.sequence, key.ssrc) = (voices[2].sequence, 0xf003);
    assert!(rig.rtp(C, key, &[5, 10, 0, 80]).is_empty());
}

#[test]
fn a_mix_of_too_many_is_refused_and_one_of_the_most_fits_through_a_small_batch() {
    let codecs = vec![Codec::Pcmu; MAX_MEMBERS + 1];
    let (mut rig, mut voices) = hall(&codecs);
    let members: Vec<Member> = voices.iter().map(|voice| Member::party(voice.stream)).collect();
    mix(&mut rig, &members[..MAX_MEMBERS]);
    mix(&mut rig, &members);
    assert_eq!(rig.take_events(), [Event::MixRefused { stream: StreamId(1), mix: MIX }]);
    voices.iter_mut().skip(1).for_each(|voice| voice.amplitude = 0.0);
    talk(&mut rig, &mut voices, 200);
    let since = rig.now;
    talk(&mut rig, &mut voices, 200);
    for voice in &voices[1..MAX_MEMBERS] {
        assert!(voice.hears(400.0, since) > 5000.0);
        voice.line();
    }
    assert!(voices[MAX_MEMBERS].packets.is_empty());
}

#[test]
fn members_that_are_closed_leave_and_an_empty_mix_is_gone() {
    let (mut rig, mut voices) = hall(&[Codec::Pcmu; 4]);
    mix(&mut rig, &[A, B, C, D].map(Member::party));
    assert_eq!(settled(&mut rig, &mut voices).len(), 12);
    rig.order(Command::Close { stream: D });
    voices.pop();
    assert_eq!(settled(&mut rig, &mut voices).len(), 6);
    rig.order(Command::Close { stream: C });
    voices.pop();
    assert_eq!(settled(&mut rig, &mut voices), [(0, 1), (1, 0)]);
    rig.order(Command::Close { stream: A });
    rig.order(Command::Close { stream: B });
    assert!(rig.plane.is_empty());
    assert_eq!(rig.plane.poll_timeout().filter(|(_, timer)| *timer == media::Timer::Tick), None);
}

/// What was heard of a member since a moment, sample by sample.
fn samples(voice: &Voice, since: base::Instant) -> Vec<i16> {
    let recent = voice.packets.iter().filter(|packet| packet.at >= since);
    recent.flat_map(|packet| packet.samples.clone()).collect()
}

#[test]
fn a_coach_changes_what_one_hears_and_not_a_sample_of_what_the_others_hear() {
    let e = StreamId(5);
    let run = |amplitude: f64| {
        let (mut rig, mut voices) = hall(&[Codec::Pcmu; 5]);
        voices[4].amplitude = amplitude;
        voices[2..4].iter_mut().for_each(|voice| voice.amplitude = 0.0);
        let coach = as_role(e, Role::Coach { of: B });
        let parties = [A, B, C, D].map(Member::party);
        mix(&mut rig, &[parties.as_slice(), &[coach]].concat());
        talk(&mut rig, &mut voices, 400);
        // One of those who only listened so far, and heard what is coded once, says something.
        voices[2].amplitude = 6000.0;
        let since = rig.now;
        talk(&mut rig, &mut voices, 400);
        // And is muted.
        let muted = Member { muted: true, ..parties[2] };
        mix(&mut rig, &[parties[0], parties[1], muted, parties[3], coach]);
        talk(&mut rig, &mut voices, 400);
        let heard = voices.iter().map(|voice| samples(voice, base::Instant::ZERO));
        (heard.collect::<Vec<_>>(), voices, since)
    };
    let (silent, ..) = run(0.0);
    let (coached, voices, since) = run(6000.0);
    for other in [0, 2, 3, 4] {
        assert!(coached[other].len() > 8000 && coached[other] == silent[other], "{other}");
    }
    assert_ne!(coached[1], silent[1], "who is coached hears it");
    let before = coached[2].len() - samples(&voices[2], since).len();
    assert!(before > 2000 && coached[2][..before] == coached[3][..before], "both only listen");
    assert_ne!(coached[2], coached[3], "and one of them no more");
    let last = coached[2].len() - 1600..;
    assert_eq!(coached[2][last.clone()], coached[3][last], "until it is muted");
}

/// The level of samples in dBov.
fn dbov(samples: &[i16]) -> f64 {
    let power = samples.iter().map(|s| f64::from(*s).powi(2)).sum::<f64>();
    10.0 * (power / samples.len().max(1) as f64 / (32_768.0 * 32_768.0)).log10()
}

/// What was heard since a moment, in dBov.
fn loudness(voice: &Voice, since: base::Instant) -> f64 {
    let recent = voice.packets.iter().filter(|packet| packet.at >= since);
    dbov(&recent.flat_map(|packet| packet.samples.clone()).collect::<Vec<_>>())
}

/// A silence that a far end describes every 200 ms, while the others go on.
fn describes(rig: &mut Rig, voices: &mut [Voice], who: usize, level: u8, times: u64) {
    voices[who].says = false;
    for _ in 0..times {
        voices[who].describe(rig, level);
        talk(rig, voices, 200);
    }
}

fn talking(rig: &mut Rig) -> Vec<(StreamId, bool)> {
    let told = rig.take_events().into_iter().filter_map(|event| match event {
        Event::Talking { stream, talking } => Some((stream, talking)),
        _ => None,
    });
    told.collect()
}

#[test]
fn noise_of_a_member_is_heard_as_noise_by_few_and_not_at_all_by_many_and_is_no_talk() {
    for members in [3, 5] {
        let (mut rig, mut voices) = hall(&vec![Codec::Pcmu; members]);
        voices[1..].iter_mut().for_each(|voice| voice.says = false);
        let all: Vec<Member> = voices.iter().map(|voice| Member::party(voice.stream)).collect();
        mix(&mut rig, &all);
        talk(&mut rig, &mut voices, 500);
        assert_eq!(talking(&mut rig), [(A, true)]);
        // Loud noise: -32 dBov, well above what is taken for speech.
        describes(&mut rig, &mut voices, 0, 32, 5);
        assert_eq!(talking(&mut rig), [(A, false)], "{members}");
        let since = rig.now;
        describes(&mut rig, &mut voices, 0, 32, 5);
        assert_eq!(talking(&mut rig), []);
        for voice in &voices[1..] {
            let heard = loudness(voice, since);
            if members == 3 {
                assert!((heard + 32.0).abs() < 2.0, "{heard} dBov");
            } else {
                assert!(heard < -80.0, "{heard} dBov: only talkers are mixed");
            }
        }
        voices[0].says = true;
        talk(&mut rig, &mut voices, 500);
        assert_eq!(talking(&mut rig), [(A, true)]);
        assert!(voices[1].hears(400.0, since) > 1000.0);
    }
}

#[test]
fn who_takes_noise_is_sent_noise_by_number_while_all_others_of_a_mix_are_silent() {
    for members in [3_u64, 5] {
        let (mut rig, mut voices) = hall(&vec![Codec::Pcmu; members as usize]);
        let remote = RemoteMedia { comfort_noise: Some(13), ..rig::remote(C, Codec::Pcmu) };
        rig.order(Command::SetRemote { stream: C, remote, srtp: None });
        voices[1..].iter_mut().for_each(|voice| voice.says = false);
        let all: Vec<Member> = (1..=members).map(|n| Member::party(StreamId(n))).collect();
        mix(&mut rig, &all);
        talk(&mut rig, &mut voices, 500);
        let spoken = voices[2].packets.len();
        assert!(spoken >= 20 && voices[2].hears(400.0, base::Instant::ZERO) > 4000.0);
        voices[0].says = false;
        let mut sent = Vec::new();
        let mut level = Vec::new();
        for _ in 0..10 {
            // Noise of one; a packet each 200 ms.
            sent.extend(voices[0].describe(&mut rig, 45));
            sent.extend(voices[0].pass(&mut rig, 200));
        }
        let to_c: Vec<_> = sent.iter().filter(|sent| sent.to == far(C)).collect();
        let noise: Vec<_> = to_c.iter().filter(|sent| sent.header().payload_type == 13).collect();
        let speech = to_c.len() - noise.len();
        assert!((6..=10).contains(&noise.len()), "{} descriptions", noise.len());
        assert!(speech <= if members == 3 { 20 } else { 40 }, "{speech} packets of silence");
        level.extend(noise[4..].iter().map(|sent| sent.payload()[0]));
        let expected = if members == 3 { 43..=47 } else { 127..=127 };
        assert!(level.iter().all(|level| expected.contains(level)), "{level:?}");
        let to_b = sent.iter().filter(|sent| sent.to == far(B)).count();
        assert!((98..=101).contains(&to_b), "{to_b}: who takes none gets packets all the time");
        voices[0].says = true;
        let since = rig.now;
        talk(&mut rig, &mut voices, 500);
        let recent: Vec<_> = voices[2].packets.iter().filter(|p| p.at >= since).collect();
        assert!(recent.iter().any(|packet| packet.header.marker), "a talkspurt begins");
        assert!(voices[2].hears(400.0, since + base::Duration::from_millis(100)) > 5000.0);
    }
}
